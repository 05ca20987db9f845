"""What is missing: patterns, coverage, and the information lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.data.patterns import MissingPatterns, coverage_frame, find_patterns, pattern_frame
from trustsem.errors import DataError, OptionError
from trustsem.fitting.two_level import refuse_two_levels
from trustsem.inference.information import covariance_of_estimates, expected_information, observed_information
from trustsem.kernels.structure import Reals

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.fitting.fit import Fit

__all__ = ["coverage_tables", "missing_information", "pattern_tables"]


def pattern_tables(fit: Fit) -> Any:
    """See :meth:`Fit.missing_patterns`."""
    return _by_block(fit, pattern_frame)


def coverage_tables(fit: Fit) -> Any:
    """See :meth:`Fit.coverage`."""
    return _by_block(fit, coverage_frame)


def _by_block(fit: Fit, table: Callable[[MissingPatterns, Sequence[str]], pd.DataFrame]) -> Any:
    found = {}
    for k, block in enumerate(fit.sample.blocks):
        if block.rows is None:
            raise DataError("Patterns of missing values are those of rows, but the model was fitted to summary statistics. Give data=.")
        found[block.label or str(k + 1)] = table(find_patterns(block.rows), fit.sample.names)
    return next(iter(found.values())) if len(found) == 1 else found


def missing_information(fit: Fit) -> Reals:
    """Return the fraction of missing information of every row of the parameter table and every definition; NaN for constants.

    It is the share of the sampling variance that would vanish with complete data of the same saturated moments (Savalei & Rhemtulla 2012,
    doi 10.1080/10705511.2012.687669).

    Raises
    ------
    OptionError
        Unless the fit is of incomplete rows by maximum likelihood with its standard errors.
    """
    refuse_two_levels(fit.model, "fmi=True")
    if fit.options.missing not in ("fiml", "fiml_x") or fit.options.se != "standard":
        raise OptionError("fmi=True needs missing='fiml' and se='standard' (estimator='ML'). Leave fmi= out, or fit the model so.")
    complete = replace(fit.problem, objective=None)
    compute = expected_information if fit.options.information == "expected" else observed_information
    whole, _ = covariance_of_estimates(compute(complete, fit.estimate.theta), fit.free_basis)
    vcov = fit.theta_vcov
    definitions = fit.model.relations.definitions
    rows = np.zeros((fit.model.theta_of_row.size + len(definitions), fit.model.n_theta))
    for k, theta in enumerate(fit.model.theta_of_row):
        if theta >= 0:
            rows[k, theta] = 1.0
    for k, (_, difference) in enumerate(definitions):
        rows[fit.model.theta_of_row.size + k] = difference.gradient(fit.estimate.theta)
    with np.errstate(all="ignore"):
        spread = np.einsum("rk,kl,rl->r", rows, vcov, rows)
        ideal = np.full(len(rows), np.nan) if whole is None else np.einsum("rk,kl,rl->r", rows, whole, rows)
        return np.where(spread > 0.0, 1.0 - ideal / spread, np.nan)
