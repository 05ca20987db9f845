"""Factor scores."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.structure import Reals
from trustsem.model.problem import ImpliedBlock

__all__ = ["bartlett_weights", "regression_weights"]


def regression_weights(block: ImpliedBlock) -> Reals:
    """Return the weights (q, p) of the regression scores (Thurstone 1935): the best linear prediction of the latent from the observed variables."""
    p = block.p
    return np.asarray(np.linalg.solve(block.sigma, block.V[:p, p:]).T)


def bartlett_weights(block: ImpliedBlock) -> Reals:
    """Return the weights (q, p) of Bartlett's scores (1937): unbiased given the latent variables.

    Notes
    -----
    ``(L' Sigma^-1 L)^-1 L' Sigma^-1``, which equals the usual form with the residual covariance matrix and exists where that is singular.
    """
    p = block.p
    loadings = block.A[:p, p:]
    weighted = np.linalg.solve(block.sigma, loadings).T
    return np.asarray(np.linalg.pinv(weighted @ loadings, hermitian=True) @ weighted)
