"""Normal log-likelihoods, from moments or from incomplete rows."""

from __future__ import annotations

import math

import numpy as np

from trustsem.data.incomplete import IncompleteRows
from trustsem.data.patterns import find_patterns, reduce_patterns
from trustsem.inference.two_level import two_level_likelihoods
from trustsem.kernels.patterns import Patterns, pattern_sums
from trustsem.kernels.structure import Reals
from trustsem.model.casewise import CasewiseLikelihood
from trustsem.model.problem import Problem, implied
from trustsem.model.two_level import TwoLevelLikelihood

__all__ = ["deviance", "log_likelihoods"]


def _normal(n: float, S: Reals, Sigma: Reals, d: Reals | None) -> float:
    """Return the log-likelihood of n observations with moments S and mean residual d under covariance Sigma."""
    W = np.linalg.inv(Sigma)
    quadratic = float(np.sum(W * S)) + (float(d @ W @ d) if d is not None else 0.0)
    return float(-0.5 * n * (Sigma.shape[0] * math.log(2.0 * math.pi) + np.linalg.slogdet(Sigma)[1] + quadratic))


def deviance(data: Patterns, mean: Reals, cov: Reals) -> float:
    """Return minus twice the log-likelihood of incomplete rows at some moments, without the constant ``log(2 pi)`` per value."""
    W = np.linalg.inv(cov)
    return float(pattern_sums(data, 0.5 * (W + W.T), float(np.linalg.slogdet(cov)[1]), mean, np.empty_like(cov), np.empty_like(mean)))


def _constant(data: Patterns) -> float:
    """Return ``log(2 pi)`` times the number of values."""
    values = data.vectors.shape[1] - np.diff(data.gap_start)
    return float(math.log(2.0 * math.pi) * (data.n_rows @ values))


def log_likelihoods(problem: Problem, theta: Reals) -> tuple[float, float]:
    """Return the log-likelihood at `theta` and that of the saturated model.

    Both are conditional on fixed covariates: the covariates' own (saturated) log-likelihood is subtracted.
    """
    if isinstance(problem.objective, TwoLevelLikelihood):
        return two_level_likelihoods(problem, problem.objective, theta)
    if isinstance(problem.objective, CasewiseLikelihood):
        return _casewise_likelihoods(problem, problem.objective, theta)
    logl = unrestricted = 0.0
    sizes = problem.shares * problem.nobs
    for layout, block, point, n in zip(problem.model.blocks, problem.blocks, implied(problem.structure, theta), sizes, strict=True):
        d = block.mean - point.mean if block.mean is not None else None
        x = np.array([layout.observed.index(name) for name in layout.fixed], dtype=np.int64)
        covariates = block.cov[np.ix_(x, x)]
        conditional = _normal(n, covariates, covariates, None) if x.size else 0.0
        logl += _normal(n, block.cov, point.sigma, d) - conditional
        unrestricted += _normal(n, block.cov, block.cov, None) - conditional
    return logl, unrestricted


def _casewise_likelihoods(problem: Problem, objective: CasewiseLikelihood, theta: Reals) -> tuple[float, float]:
    unrestricted = 0.0
    for b, (layout, rows, own) in enumerate(zip(problem.model.blocks, objective.rows, objective.missing, strict=True)):
        unrestricted -= 0.5 * (own.deviance + _constant(own.statistics))
        x = np.array([layout.observed.index(name) for name in layout.fixed], dtype=np.int64)
        if x.size:
            unrestricted += 0.5 * _covariate_deviance(problem, b, rows, own, x)
    return unrestricted - 0.5 * problem.scale * objective.value(problem.structure, theta), unrestricted


def _covariate_deviance(problem: Problem, b: int, rows: Reals, own: IncompleteRows, x: np.ndarray) -> float:
    """Return minus twice the log-likelihood of the observed values of the fixed covariates `x`, at their saturated moments."""
    block = problem.blocks[b]
    covariates = rows[:, x]
    seen = ~np.isnan(covariates).all(axis=1)
    weights = own.weights
    data = reduce_patterns(covariates[seen], find_patterns(covariates[seen]), None if weights is None else weights[seen])
    mean = np.zeros(len(rows[0])) if block.mean is None else block.mean
    return deviance(data, mean[x], block.cov[np.ix_(x, x)]) + _constant(data)
