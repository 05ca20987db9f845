"""Models of two levels: what options they have, and their robust tests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.data.sample import Sample
from trustsem.errors import NotAvailableError, OptionError, TrustsemWarning
from trustsem.fitting.choices import fit_options
from trustsem.inference.scaled import ScaledTest, Traces, scale_test
from trustsem.inference.two_level import intraclass_correlations
from trustsem.model.problem import Problem
from trustsem.model.ram import Model
from trustsem.model.two_level import TwoLevelLikelihood

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.estimators import Estimator
    from trustsem.fitting.fit import Fit
    from trustsem.options import FitOptions

__all__ = ["few_clusters", "icc", "likelihood_of", "refuse_two_levels", "saturated_notice", "scaled_two_level", "two_level_options"]

_ESTIMATORS = ("ML", "MLR")
_ERRORS = ("standard", "none", "robust_huber_white")
_TESTS = ("standard", "none", "yuan_bentler_mplus")
_FEW = 30


def two_level_options(estimator: Estimator, settings: Mapping[str, Any]) -> FitOptions:
    """Return the options of a fit of two levels: observed information unless `settings` say otherwise, and ordinary standard errors and test for ML.

    Raises
    ------
    OptionError
        If there is no ``cluster=``.
    NotAvailableError
        For what two levels do not have.
    """
    if settings.get("cluster") is None:
        raise OptionError("The model has 'level:' headers, but cluster= is missing. Name the column that says which cluster a row belongs to.")
    if estimator.name not in _ESTIMATORS:
        raise NotAvailableError(f"estimator={estimator.name!r} cannot fit a model of two levels. Use {' or '.join(map(repr, _ESTIMATORS))}.")
    if settings.get("sampling_weights") is not None:
        raise NotAvailableError("sampling_weights= is not available for a model of two levels. Leave it out, or fit one level with cluster=.")
    given = {name: value for name, value in settings.items() if name != "cluster"}
    if given.get("se") == "robust":
        given["se"] = "robust_huber_white"
    options = fit_options(estimator, given)
    options = replace(options, information=settings.get("information", "observed"))
    for name, value, allowed in (
        ("likelihood", options.likelihood, ("normal",)),
        ("missing", options.missing, ("listwise", "fiml", "fiml_x")),
        ("engine", options.engine, ("trustsem",)),
        ("se", options.se, _ERRORS),
        *(("test", test, _TESTS) for test in options.test),
    ):
        if value not in allowed:
            raise NotAvailableError(f"{name}={value!r} is not available for a model of two levels. Allowed are {', '.join(map(repr, allowed))}.")
    return options


def refuse_two_levels(model: Model, what: str, remedy: str = "Leave it out, or fit a model of one level.") -> None:
    """Refuse something that a model of two levels does not have.

    Raises
    ------
    NotAvailableError
    """
    if model.two_level:
        raise NotAvailableError(f"{what} is not available for a model of two levels. {remedy}")


def likelihood_of(fit: Fit) -> TwoLevelLikelihood:
    """Return the two-level likelihood that was maximised.

    Raises
    ------
    OptionError
        If the model has one level.
    """
    if not isinstance(fit.problem.objective, TwoLevelLikelihood):
        raise OptionError("The model has one level. Write 'level: 1' and 'level: 2' sections, and give cluster=.")
    return fit.problem.objective


def few_clusters(sample: Sample, n_parameters: int) -> tuple[TrustsemWarning, ...]:
    """Return a warning if clusters are too few for what is computed from their differences."""
    counts = [int(block.clusters.max()) + 1 for block in sample.blocks if block.clusters is not None]
    total = sum(counts)
    if not counts or (min(counts) >= _FEW and total >= n_parameters):
        return ()
    each = f" ({', '.join(map(str, counts))} in the groups)" if len(counts) > 1 else ""
    return (TrustsemWarning("TS-CLUSTER-01", f"{total} clusters{each} for {n_parameters} parameters."),)


def saturated_notice(problem: Problem) -> tuple[TrustsemWarning, ...]:
    """Return a warning if the saturated model of two levels was not found to full precision."""
    if not isinstance(problem.objective, TwoLevelLikelihood) or all(group.saturated.converged for group in problem.objective.groups):
        return ()
    sizes = ", ".join(f"{group.n_clusters} clusters, {len(group.between)} variables of level 2" for group in problem.objective.groups)
    return (TrustsemWarning("TS-CLUSTER-02", f"The saturated model is approximate ({sizes})."),)


def scaled_two_level(fit: Fit, name: str, *, baseline: bool) -> ScaledTest:
    """Return the scaled test of the model, or of the baseline model."""
    saturated, lower = fit.level_traces
    chisq = fit.baseline if baseline else fit.chisq
    model = lower if baseline else float(np.sum(fit.inverse_information * fit.score_meat))
    return scale_test(name, chisq, Traces(saturated - model, math.nan, saturated, model))


def icc(fit: Fit) -> pd.DataFrame:
    """Return how much of each variable of level 1 lies between clusters, by the saturated model.

    Parameters
    ----------
    fit : Fit
        Of a model of two levels.

    Returns
    -------
    DataFrame
        Columns ``variable [group] icc design_effect``. The intraclass correlation is 0 for variables that the model has at level 1 only. The design
        effect is ``1 + (n - 1) icc`` with n the average cluster size (Kish 1965; Muthen & Satorra 1995, doi 10.2307/271070).

    Raises
    ------
    OptionError
        If the model has one level.
    """
    import pandas as pd

    frames = []
    for g, group in enumerate(likelihood_of(fit).groups):
        names = fit.model.blocks[2 * g].observed
        found = intraclass_correlations(group)
        columns: dict[str, Any] = {"variable": list(names)}
        if fit.model.table.n_groups > 1:
            columns["group"] = g + 1
        columns |= {"icc": found, "design_effect": 1.0 + (_average_size(group.codes) - 1.0) * found}
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _average_size(codes: np.ndarray) -> float:
    """Return the average cluster size in the sense of the analysis of variance: less than the mean where sizes differ."""
    size = np.bincount(codes).astype(np.float64)
    return float((codes.size - np.sum(size**2) / codes.size) / (size.size - 1))
