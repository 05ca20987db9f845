"""Factor scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trustsem.kernels.structure import Reals
from trustsem.model.problem import ImpliedBlock

__all__ = ["bartlett_weights", "latent_means", "regression_weights"]


def regression_weights(block: ImpliedBlock) -> Reals:
    """Return the weights (q, p) of the regression scores (Thurstone 1935): the best linear prediction of the latent from the observed variables."""
    p = block.p
    return np.asarray(np.linalg.solve(block.sigma, block.V[:p, p:]).T)


def bartlett_weights(block: ImpliedBlock, loadings: Sequence[tuple[int, int]]) -> Reals:
    """Return the weights (q, p) of Bartlett's scores (1937): unbiased given the latent variables.

    Parameters
    ----------
    block : ImpliedBlock
    loadings : sequence of (indicator, latent)
        Places of the loadings of observed indicators: only what measures a latent variable enters its score.

    Notes
    -----
    With loadings L and residual covariances T of the indicators, ``(L' M^-1 L)^-1 L' M^-1`` with ``M = L L' + T``, which equals the usual form with T
    in place of M and exists where T is singular. What other observed variables add to an indicator is taken off it first.
    """
    p = block.p
    rows = np.array(sorted({indicator for indicator, _ in loadings}), dtype=np.int64)
    L = np.zeros((p, block.V.shape[0] - p))
    for indicator, latent in loadings:
        L[indicator, latent - p] = block.A[indicator, latent]
    L = L[rows]
    weighted = np.linalg.solve(L @ L.T + block.S[np.ix_(rows, rows)], L).T
    unbiased = np.linalg.pinv(weighted @ L, hermitian=True) @ weighted
    return np.asarray(unbiased @ (np.eye(p) - block.A[:p, :p])[rows])


def latent_means(block: ImpliedBlock, observed: Reals) -> Reals:
    """Return the means (q,) of the latent variables given those of the `observed` variables (p,), in a model without intercepts."""
    p = block.p
    inner = np.eye(block.A.shape[0] - p) - block.A[p:, p:]
    return np.asarray(np.linalg.solve(inner, block.A[p:, :p] @ observed))
