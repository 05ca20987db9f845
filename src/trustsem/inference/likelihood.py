"""Normal log-likelihoods from moments."""

from __future__ import annotations

import math

import numpy as np

from trustsem.kernels.structure import Reals
from trustsem.model.problem import Problem, implied

__all__ = ["log_likelihoods"]


def _normal(n: int, S: Reals, Sigma: Reals, d: Reals | None) -> float:
    """Return the log-likelihood of n observations with moments S and mean residual d under covariance Sigma."""
    W = np.linalg.inv(Sigma)
    quadratic = float(np.sum(W * S)) + (float(d @ W @ d) if d is not None else 0.0)
    return float(-0.5 * n * (Sigma.shape[0] * math.log(2.0 * math.pi) + np.linalg.slogdet(Sigma)[1] + quadratic))


def log_likelihoods(problem: Problem, theta: Reals) -> tuple[float, float]:
    """Return the log-likelihood at `theta` and that of the saturated model.

    Both are conditional on fixed covariates: the covariates' own (saturated) log-likelihood is subtracted.
    """
    logl = unrestricted = 0.0
    for layout, block, point in zip(problem.model.blocks, problem.blocks, implied(problem.structure, theta), strict=True):
        d = block.mean - point.mean if block.mean is not None else None
        x = np.array([layout.observed.index(name) for name in layout.fixed], dtype=np.int64)
        covariates = block.cov[np.ix_(x, x)]
        conditional = _normal(block.n, covariates, covariates, None) if x.size else 0.0
        logl += _normal(block.n, block.cov, point.sigma, d) - conditional
        unrestricted += _normal(block.n, block.cov, block.cov, None) - conditional
    return logl, unrestricted
