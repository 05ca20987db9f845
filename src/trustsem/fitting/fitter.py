"""A model compiled once, to be fitted many times."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from trustsem.data.frames import sample_from_frame, sample_from_rows
from trustsem.data.sample import Sample
from trustsem.data.summary import sample_from_moments
from trustsem.errors import DataError, OptionError, TrustsemWarning, closest
from trustsem.estimators import find
from trustsem.fitting.fit import Fit
from trustsem.fitting.search import SearchOptions, search
from trustsem.fitting.two_level import few_clusters, saturated_notice
from trustsem.kernels.structure import Reals
from trustsem.model.ram import Model
from trustsem.model.starts import StartPlan, plan_start
from trustsem.options import FitOptions

__all__ = ["Fitter", "make_fitter"]

_NEED_ROWS = ("robust_sem", "robust_huber_white", "first_order", "robust_cluster", "two_stage", "robust_two_stage")


@dataclass(frozen=True, eq=False)
class Fitter:
    """Fits one compiled model to as many samples as you like; holds options only, so it may be shared between threads.

    Attributes
    ----------
    model : Model
    options : FitOptions
    search_options : SearchOptions
    start : dict or None
        Starting values by parameter name, used instead of the computed ones.
    notices : tuple of TrustsemWarning
        Warnings about the model, which every fit carries.
    """

    model: Model
    options: FitOptions
    plan: StartPlan
    search_options: SearchOptions = field(default_factory=SearchOptions)
    start: Mapping[str, float] | None = None
    notices: tuple[TrustsemWarning, ...] = ()

    @cached_property
    def observed(self) -> tuple[str, ...]:
        """The observed variables, in the order that arrays given to :meth:`fit` must have."""
        return tuple(dict.fromkeys(name for block in self.model.blocks for name in block.observed))

    @cached_property
    def covariates(self) -> tuple[str, ...]:
        """The observed covariates whose moments are not modelled: a row needs all of them."""
        return tuple(dict.fromkeys(name for block in self.model.blocks for name in block.fixed))

    def fit(self, data: Any) -> Fit:
        """Fit to one sample.

        Parameters
        ----------
        data : Sample, data frame, mapping or (n, p) array
            The columns of an array are in the order of :attr:`observed`; an array is for one group.

        Returns
        -------
        Fit
            Warnings are recorded on it, not issued.
        """
        return self.fit_sample(self._as_sample(data))

    __call__ = fit

    def fit_moments(self, cov: Any, nobs: Any, mean: Any = None) -> Fit:
        """Fit to summary statistics: unbiased covariances, number of observations and, if the model has means, means.

        Arrays are in the order of :attr:`observed`.
        """
        names = None if hasattr(cov, "columns") or not isinstance(cov, np.ndarray) else self.observed
        return self.fit_sample(sample_from_moments(cov, nobs, mean, names))

    def fit_sample(self, sample: Sample) -> Fit:
        """Fit to a sample that has the model's variables and groups."""
        self._check(sample)
        problem = find(self.options.estimator).prepare(self.model, self._seen(sample), self.options.likelihood)
        start = None if self.start is None else _named_start(self.model, self.start)
        estimate = search(problem, self.plan, self.search_options, start)
        found = sample.notices + self.notices
        if sample.nobs < self.model.n_theta:
            found += (TrustsemWarning("TS-DATA-04", f"{sample.nobs} observations for {self.model.n_theta} parameters."),)
        found += few_clusters(sample, self.model.n_theta) + saturated_notice(problem)
        return Fit(self.model, sample, problem, estimate, self.options, found)

    def _seen(self, sample: Sample) -> Sample:
        """Return what the estimator sees of `sample`: in two stages it sees the moments of the first, not the rows."""
        if self.options.missing not in ("two_stage", "robust_two_stage"):
            return sample
        return replace(sample, blocks=tuple(replace(block, missing=None) for block in sample.blocks))

    def _as_sample(self, data: Any) -> Sample:
        if isinstance(data, Sample):
            return data
        if isinstance(data, np.ndarray):
            return self._from_array(data)
        return sample_from_frame(data, self.observed, missing=self.options.missing, required=self.covariates)

    def _from_array(self, data: np.ndarray) -> Sample:
        if data.ndim != 2 or data.shape[1] != len(self.observed):
            raise DataError(
                f"data has shape {data.shape}, but the model's observed variables are {len(self.observed)} columns: {', '.join(self.observed)}."
            )
        if data.dtype.kind not in "biuf":
            raise DataError(f"data is an array of {data.dtype}, not of numbers. Convert it, as by `data.astype(float)`.")
        return sample_from_rows(data, self.observed, self.options.missing, self.covariates)

    def _check(self, sample: Sample) -> None:
        groups = self.model.table.n_groups
        if len(sample.blocks) != groups:
            raise DataError(
                f"The model has {groups} group(s), the sample {len(sample.blocks)}. Compile the model with like= a sample of the same groups."
            )
        absent = [] if sample.names == self.observed else [name for name in self.observed if name not in sample.names]
        if absent:
            raise DataError(f"The sample lacks {', '.join(absent)}.{closest(absent[0], sample.names)}")
        if (self.options.se in _NEED_ROWS or self.options.scaled_test is not None) and any(block.rows is None for block in sample.blocks):
            raise DataError(
                f"estimator={self.options.estimator!r} with se={self.options.se!r} needs the rows of the data, not summary statistics. Give data=, "
                "or use estimator='ML'."
            )
        if self.model.has_means and any(block.mean is None for block in sample.blocks):
            raise DataError("The model has a mean structure, but the sample has no means. Give sample_mean=, or set meanstructure=False.")


def make_fitter(model: Model, options: FitOptions, start: Mapping[str, float] | None = None, notices: tuple[TrustsemWarning, ...] = ()) -> Fitter:
    """Return the fitter of a compiled model."""
    if start is not None:
        _named_start(model, start)
    return Fitter(model, options, plan_start(model), SearchOptions(), start, notices)


def _named_start(model: Model, start: Mapping[str, float]) -> Reals:
    """Turn starting values by name into theta; parameters that are not named start at NaN, which the search replaces."""
    names = model.table.parameter_names()
    theta = np.full(model.n_theta, np.nan)
    rows = dict(zip(names, model.free_rows, strict=True))
    for name, value in start.items():
        if name not in rows:
            raise OptionError(f"start= names {name!r}, which is no free parameter.{closest(name, names)}")
        if not isinstance(value, int | float | np.number) or not math.isfinite(value):
            raise OptionError(f"start= gives {name!r} the value {value!r}. A starting value is a finite number.")
        parameter = model.theta_of_row[rows[name]]
        if parameter >= 0:
            theta[parameter] = float(value)
    return theta


def issue(found: tuple[TrustsemWarning, ...], stacklevel: int) -> None:
    """Issue recorded warnings as Python warnings, so that nobody misses them."""
    for warning in found:
        warnings.warn(warning, stacklevel=stacklevel + 1)
