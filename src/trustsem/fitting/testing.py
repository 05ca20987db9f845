"""The table of tests of exact fit: standard, scaled, residual-based, and corrected for small samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trustsem.data.gamma import gamma_matrix
from trustsem.errors import DataError, OptionError
from trustsem.estimators import find
from trustsem.fitting.robust import scaled_model
from trustsem.inference.browne import residual_statistic
from trustsem.inference.fit_measures import Chisq
from trustsem.inference.saturated import normal_gamma
from trustsem.inference.small_sample import bartlett, swain, yuan
from trustsem.kernels.structure import Reals
from trustsem.options import RESIDUAL_TESTS, SCALED_TESTS

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.fitting.fit import Fit

__all__ = ["all_tests", "small_sample_tests"]


def all_tests(fit: Fit, *, small_sample: bool) -> pd.DataFrame:
    """See :meth:`Fit.tests`."""
    import pandas as pd

    if not fit.options.tests:
        raise OptionError("There are no tests with test='none'. Leave test= out, or name one.")
    asymptotic = find(fit.options.estimator).chisq_is_asymptotic
    rows = [("standard", fit.chisq.statistic, float(fit.chisq.df), fit.chisq.pvalue if asymptotic else math.nan, math.nan, math.nan)]
    for name in fit.options.test:
        if name in SCALED_TESTS:
            test = fit.scaled if name == fit.options.scaled_test else scaled_model(fit, name)
            rows.append((test.name, test.statistic, test.df, test.pvalue, test.scaling, test.shift))
        elif name in RESIDUAL_TESTS:
            found = Chisq(_browne(fit, name), fit.df)
            rows.append((name, found.statistic, float(found.df), found.pvalue, math.nan, math.nan))
    if small_sample:
        rows += [(name, test.statistic, float(test.df), test.pvalue, math.nan, math.nan) for name, test in small_sample_tests(fit).items()]
    return pd.DataFrame(rows, columns=["test", "chisq", "df", "pvalue", "scaling", "shift"])


def small_sample_tests(fit: Fit) -> dict[str, Chisq]:
    """Return the tests corrected for small samples, by name.

    Raises
    ------
    OptionError
        Unless the fit is by maximum likelihood and of one group.
    """
    if not find(fit.options.estimator).has_likelihood or len(fit.model.blocks) > 1:
        raise OptionError("small_sample=True corrects the maximum likelihood test of one group. Use estimator='ML' without group=.")
    layout = fit.model.blocks[0]
    p, factors = len(layout.observed), len(layout.latent)
    return {
        "bartlett": bartlett(fit.chisq, p, factors, fit.nobs),
        "swain": swain(fit.chisq, p, fit.nobs),
        "yuan": yuan(fit.chisq, p, factors, fit.nobs),
    }


def _browne(fit: Fit, name: str) -> float:
    """Return Browne's residual-based statistic (1982, 1984)."""
    problem, blocks = fit.problem, fit.stacked
    if any(block.missing is not None for block in blocks):
        raise DataError(f"test={name!r} needs complete rows. Use estimator='MLR', or missing='listwise'.")
    covariates = any(layout.fixed for layout in fit.model.blocks)
    if covariates and fit.model.has_means:
        raise OptionError(f"test={name!r} is not defined here for fixed covariates with a mean structure. Set fixed_x=False, or meanstructure=False.")
    shares = problem.multiplier / problem.nobs
    residuals = []
    for block in blocks:
        i, j = np.tril_indices(block.mean.size)
        gap = np.concatenate([block.mean, block.cov[i, j]]) - np.concatenate([block.implied_mean, block.implied_cov[i, j]])
        residuals.append(gap[block.kept])
    gammas = [_residual_gamma(fit, name, b) for b in range(len(blocks))]
    return residual_statistic(residuals, gammas, [block.delta for block in blocks], shares, fit.free_basis) * problem.nobs


def _residual_gamma(fit: Fit, name: str, b: int) -> Reals:
    """Return the asymptotic covariance matrix of the moments that the test called `name` weighs by."""
    block, layout = fit.stacked[b], fit.model.blocks[b]
    if name == "browne_residual_nt":
        return normal_gamma(block.cov)[np.ix_(block.kept, block.kept)]
    if name == "browne_residual_nt_model":
        return normal_gamma(block.implied_cov)[np.ix_(block.kept, block.kept)]
    if block.rows is None:
        raise DataError(f"test={name!r} needs the rows of the data, not summary statistics. Give data=, or use 'browne_residual_nt'.")
    if name == "browne_residual_adf_model" and fit.problem.moments.discrepancy != 2 and fit.options.estimator.startswith(("ML", "GLS")):
        i, j = np.tril_indices(block.mean.size)
        centre = np.concatenate([np.zeros(block.mean.size), block.implied_cov[i, j]])
        return gamma_matrix(block.rows, block.implied_mean, block.kept, np.empty(0, dtype=np.int64), block.weights, centre=centre)
    return gamma_matrix(
        block.rows, block.mean, block.kept, np.array([layout.observed.index(name) for name in layout.fixed], dtype=np.int64), block.weights
    )
