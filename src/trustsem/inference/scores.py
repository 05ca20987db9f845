"""Factor scores."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.structure import Reals
from trustsem.model.problem import ImpliedBlock

__all__ = ["bartlett_weights", "latent_means", "regression_weights"]


def regression_weights(block: ImpliedBlock) -> Reals:
    """Return the weights (q, p) of the regression scores (Thurstone 1935): the best linear prediction of the latent from the observed variables."""
    p = block.p
    return np.asarray(np.linalg.solve(block.sigma, block.V[:p, p:]).T)


def bartlett_weights(block: ImpliedBlock) -> Reals:
    """Return the weights (q, p) of Bartlett's scores (1937): unbiased given the latent variables.

    Notes
    -----
    With loadings L and residual covariances T, ``(L' M^-1 L)^-1 L' M^-1`` with ``M = L L' + T``, which equals the usual form with T in place of M and
    exists where T is singular. What observed variables cause is taken off first; those that no latent variable causes do not count.
    """
    p = block.p
    L = block.A[:p, p:]
    weighted = np.linalg.lstsq(L @ L.T + block.S[:p, :p], L, rcond=None)[0].T
    unbiased = np.linalg.pinv(weighted @ L, hermitian=True) @ weighted
    return np.asarray(unbiased @ (np.eye(p) - block.A[:p, :p]))


def latent_means(block: ImpliedBlock, observed: Reals) -> Reals:
    """Return the means (q,) of the latent variables given those of the `observed` variables (p,), in a model without intercepts."""
    p = block.p
    inner = np.eye(block.A.shape[0] - p) - block.A[p:, p:]
    return np.asarray(np.linalg.solve(inner, block.A[p:, :p] @ observed))
