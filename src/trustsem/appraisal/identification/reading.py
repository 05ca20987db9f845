"""What a model is about and what was observed of it, without fitting it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustsem.data.frames import sample_from_frame
from trustsem.data.sample import Sample
from trustsem.data.summary import sample_from_moments
from trustsem.errors import DataError, NotAvailableError, OptionError
from trustsem.fitting.fit import Fit
from trustsem.fitting.sem import compile as compile_fitter
from trustsem.inference.moment_errors import SampledMoments, sampled_moments
from trustsem.model.ram import Model

__all__ = ["Reading", "moments_of", "read_model", "reading_of_fit"]

_PLAIN = ("standard", "none", "two_stage")  # standard errors that take normality for granted
_ELSEWHERE = ("auxiliary", "start", "bounds", "engine", "bootstrap")


@dataclass(frozen=True, eq=False)
class Reading:
    """A model of one group at one level, and the moments of its observed variables.

    Attributes
    ----------
    model : Model
    sample : Sample
    moments : SampledMoments
        In the order of the model's observed variables.
    """

    model: Model
    sample: Sample
    moments: SampledMoments


def reading_of_fit(fit: Fit) -> Reading:
    """Return model and moments of a fit.

    Raises
    ------
    NotAvailableError
        For several groups and for two levels.
    """
    _one_block(fit.model)
    if fit.reference is not None:
        raise NotAvailableError("Auxiliary variables are not used outside the likelihood. Fit the model without auxiliary=.")
    return Reading(fit.model, fit.sample, moments_of(fit.model, fit.sample, robust=fit.options.se not in _PLAIN))


def moments_of(model: Model, sample: Sample, *, robust: bool) -> SampledMoments:
    """Return the moments of the model's observed variables, in its order."""
    names = model.blocks[0].observed
    block = sample.blocks[0]
    if sample.names != names:
        block = block.select(np.array([sample.names.index(name) for name in names], dtype=np.intp))
    return sampled_moments(block, names, robust=robust)


def read_model(model: Any, data: Any, options: Mapping[str, Any], caller: str) -> Reading:
    """Return model and moments of model text, a table, a theory, a fit or an appraisal.

    Parameters
    ----------
    model : str, ParameterTable, Theory, Fit or Appraisal
    data : data frame, mapping, Sample or None
    options : mapping
        As for :func:`trustsem.sem`, but for what only a search for estimates needs.
    caller : str
        Name of the function, for messages.

    Raises
    ------
    OptionError
        For options that have no meaning here, and for data with a fit, which has its own.
    DataError
        If there are no data, or robust errors are asked of summary statistics.
    NotAvailableError
        For several groups and for two levels.
    """
    fit = getattr(model, "fit", model)
    if isinstance(fit, Fit):
        if data is not None or options:
            raise OptionError(
                f"{caller}() takes data and options from the fit. Leave data= and options out, or give the model text instead of the fit."
            )
        return reading_of_fit(fit)
    for name in _ELSEWHERE:
        if options.get(name) is not None:
            raise OptionError(f"{name}={options[name]!r} has no meaning for {caller}(), which searches for nothing. Leave {name}= out.")
    if options.get("group") is not None:
        raise NotAvailableError(f"{caller}() is for one group. Select the rows of a group and leave group= out.")
    fitter = compile_fitter(model, **options)
    _one_block(fitter.model)
    sample = _observed(fitter, data, options, caller)
    robust = fitter.options.se not in _PLAIN
    if robust and sample.blocks[0].rows is None:
        raise DataError(f"se={fitter.options.se!r} needs the rows of the data, not summary statistics. Give data=, or use estimator='ML'.")
    return Reading(fitter.model, sample, moments_of(fitter.model, sample, robust=robust))


def _observed(fitter: Any, data: Any, options: Mapping[str, Any], caller: str) -> Sample:
    if (data is None) == (options.get("sample_cov") is None):
        raise DataError(f"{caller}() needs either data= or sample_cov= (with sample_nobs=), not both and not neither.")
    if data is None:
        return sample_from_moments(options["sample_cov"], options.get("sample_nobs"), options.get("sample_mean"), fitter.observed)
    if isinstance(data, Sample):
        if len(data.blocks) > 1:
            raise NotAvailableError(f"{caller}() is for one group, and the sample has {len(data.blocks)}. Read the rows of one group.")
        return data.select(fitter.observed)
    return sample_from_frame(
        data,
        fitter.observed,
        missing=fitter.options.missing,
        required=fitter.covariates,
        cluster=options.get("cluster"),
        sampling_weights=options.get("sampling_weights"),
    )


def _one_block(model: Model) -> None:
    if model.two_level:
        raise NotAvailableError("Models of two levels are not taken apart into equations. Use one level, with cluster=.")
    if model.table.n_groups > 1:
        raise NotAvailableError(f"There are {model.table.n_groups} groups. Fit one group at a time, without group=.")
