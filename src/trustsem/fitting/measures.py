"""All fit measures of a fit, gathered from the formulas of :mod:`trustsem.inference.fit_measures`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trustsem.inference.fit_measures import (
    BlockResiduals,
    absolute_measures,
    goodness_of_fit,
    incremental_measures,
    information_criteria,
    residual_measures,
    rmsea_measures,
)
from trustsem.inference.likelihood import log_likelihoods

if TYPE_CHECKING:
    from trustsem.estimators import Estimator
    from trustsem.fitting.fit import Fit

__all__ = ["all_measures"]


def all_measures(fit: Fit, estimator: Estimator) -> dict[str, float]:
    """Return every fit measure that the estimator supports, in lavaan's order."""
    problem, options = fit.problem, fit.options
    n = problem.nobs
    result = {"npar": float(fit.npar), "fmin": _minimum(fit)}
    if options.test == "none" or not fit.converged:
        return result
    model, baseline = fit.chisq, fit.baseline
    pvalue = model.pvalue if estimator.chisq_is_asymptotic else math.nan
    result |= {"chisq": model.statistic, "df": float(model.df), "pvalue": pvalue}
    result |= incremental_measures(model, baseline)
    if not estimator.chisq_is_asymptotic:
        result["baseline_pvalue"] = math.nan
    if estimator.has_likelihood:
        logl, unrestricted = log_likelihoods(problem, fit.estimate.theta)
        result |= information_criteria(logl, unrestricted, fit.npar, n)
    # The divisor of the noncentrality is the multiplier of the chi-square: N for normal maximum likelihood, N - G for the rest.
    result |= rmsea_measures(model, problem.scale, len(problem.blocks))
    result |= residual_measures(_block_residuals(fit))
    absolute = absolute_measures(model, fit.npar, problem.scale)
    good = goodness_of_fit(_lack_of_fit(fit), model.df, _all_moments(fit))
    return result | {name: absolute[name] for name in ("cn_05", "cn_01")} | good | {name: absolute[name] for name in ("mfi", "ecvi")}


def _minimum(fit: Fit) -> float:
    """Return lavaan's fmin: half the discrepancy, blocks weighted by their share of the observations."""
    problem = fit.problem
    if fit.options.estimator == "ML":
        return 0.5 * fit.estimate.discrepancy
    return 0.5 * fit.estimate.discrepancy * problem.scale / problem.nobs


def _block_residuals(fit: Fit) -> tuple[BlockResiduals, ...]:
    return tuple(
        BlockResiduals(block.n, block.cov, point.sigma, block.mean, point.mean if block.mean is not None else None)
        for block, point in zip(fit.problem.blocks, fit.implied_blocks, strict=True)
    )


def _all_moments(fit: Fit) -> int:
    """Return the number of sample moments, those of fixed covariates included."""
    sizes = [len(layout.observed) for layout in fit.model.blocks]
    return sum(p * (p + 1) // 2 + (p if fit.model.has_means else 0) for p in sizes)


def _lack_of_fit(fit: Fit) -> float:
    """Return the weighted squares of the residual moments relative to those of the sample moments, averaged over blocks with weights n.

    Moments of fixed covariates are left out (but not for unweighted least squares). The weight is that of the discrepancy at the estimate.
    """
    problem = fit.problem
    lack = 0.0
    for layout, block, point in zip(fit.model.blocks, problem.blocks, fit.implied_blocks, strict=True):
        kept = np.ones((point.p, point.p))
        x = [layout.observed.index(name) for name in layout.fixed]
        kind = problem.moments.discrepancy
        if kind == 2:
            x = []
        kept[np.ix_(x, x)] = 0.0
        weight = np.linalg.inv(point.sigma) if kind == 0 else np.linalg.inv(block.cov) if kind == 1 else None
        squares = []
        for matrix, vector in (
            (block.cov - point.sigma, None if block.mean is None else block.mean - point.mean),
            (block.cov, block.mean),
        ):
            cells = matrix * kept
            value = float(np.sum(np.tril(cells) ** 2)) if weight is None else 0.5 * float(np.sum((weight @ cells) * (weight @ cells).T))
            if vector is not None:
                means = vector.copy()
                means[x] = 0.0
                value += float(means @ means) if weight is None else float(means @ weight @ means)
            squares.append(value)
        lack += block.n / problem.nobs * (squares[0] / squares[1])
    return lack
