"""Factor scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trustsem.data.patterns import find_patterns
from trustsem.kernels.structure import Reals
from trustsem.model.problem import ImpliedBlock

__all__ = ["bartlett_weights", "latent_means", "pattern_scores", "regression_weights"]


def regression_weights(block: ImpliedBlock, seen: NDArray[np.bool_] | None = None) -> Reals:
    """Return the weights of the regression scores (Thurstone 1935): the best linear prediction of the latent from the observed variables.

    Parameters
    ----------
    block : ImpliedBlock
    seen : (p,) bool, optional
        Which variables are observed, where some are missing.

    Returns
    -------
    (q, number of variables seen) float
    """
    p = block.p
    o = np.arange(p) if seen is None else np.flatnonzero(seen)
    return np.asarray(np.linalg.solve(block.sigma[np.ix_(o, o)], block.V[o, p:]).T)


def bartlett_weights(block: ImpliedBlock, seen: NDArray[np.bool_] | None = None) -> Reals:
    """Return the weights of Bartlett's scores (1937): unbiased given the latent variables.

    Parameters
    ----------
    block : ImpliedBlock
    seen : (p,) bool, optional
        Which variables are observed, where some are missing. A latent variable none of whose indicators is observed has no score (NaN).

    Returns
    -------
    (q, number of variables seen) float

    Notes
    -----
    With loadings L and residual covariances T, ``(L' M^-1 L)^-1 L' M^-1`` with ``M = L L' + T``, which equals the usual form with T in place of M and
    exists where T is singular. What observed variables cause is taken off first; those that no latent variable causes do not count.
    """
    p = block.p
    o = np.arange(p) if seen is None else np.flatnonzero(seen)
    L = block.A[o, p:]
    weighted = np.linalg.lstsq(L @ L.T + block.S[np.ix_(o, o)], L, rcond=None)[0].T
    unbiased = np.linalg.pinv(weighted @ L, hermitian=True) @ weighted
    if seen is not None:
        unbiased[~L.any(axis=0) & block.A[:p, p:].any(axis=0)] = np.nan
    return np.asarray(unbiased @ (np.eye(o.size) - block.A[np.ix_(o, o)]))


def latent_means(block: ImpliedBlock, observed: Reals) -> Reals:
    """Return the means (q,) of the latent variables given those of the `observed` variables (p,), in a model without intercepts."""
    p = block.p
    inner = np.eye(block.A.shape[0] - p) - block.A[p:, p:]
    return np.asarray(np.linalg.solve(inner, block.A[p:, :p] @ observed))


def pattern_scores(point: ImpliedBlock, deviations: Reals, method: str) -> Reals:
    """Return the scores (n, q) about the latent means.

    Parameters
    ----------
    point : ImpliedBlock
    deviations : (n, p) float
        Of the observed variables from their means, NaN where missing. A row without any value has no score.
    method : {"regression", "bartlett"}
    """
    weigh = regression_weights if method == "regression" else bartlett_weights
    if not np.isnan(deviations).any():
        return np.asarray(deviations @ weigh(point).T)
    result = np.full((len(deviations), point.A.shape[0] - point.p), np.nan)
    patterns = find_patterns(deviations)
    for k, seen in enumerate(patterns.observed):
        members = patterns.order[patterns.start[k] : patterns.start[k + 1]]
        if seen.any():
            result[members] = deviations[np.ix_(members, np.flatnonzero(seen))] @ weigh(point, seen).T
    return result
