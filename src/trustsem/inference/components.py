"""How much of variances and covariances lies between clusters."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.structure import Integers, Reals

__all__ = ["between_covariances"]


def between_covariances(rows: Reals, clusters: Integers) -> tuple[Reals, Reals]:
    """Return covariances between clusters, and in total.

    Parameters
    ----------
    rows : (n, p) float
        Complete.
    clusters : (n,) int
        The cluster of each row, at least two of them, of which one has several rows.

    Returns
    -------
    between, total : (p, p) float
        The estimator of the analysis of variance: with mean cross-products between (B) and within (W) clusters and the mean size
        ``n0 = (n - sum n_j^2 / n) / (J - 1)``, between is ``(B - W) / n0`` and the total adds W. Between need not be positive definite.
    """
    codes, sizes = np.unique(clusters, return_inverse=True, return_counts=True)[1:]
    n, count = len(rows), sizes.size
    means = np.zeros((count, rows.shape[1]))
    np.add.at(means, codes, rows)
    means /= sizes[:, None]
    away = means - rows.mean(axis=0)
    own = rows - means[codes]
    among = (away * sizes[:, None]).T @ away / (count - 1)
    within = own.T @ own / (n - count)
    between = (among - within) / ((n - (sizes**2).sum() / n) / (count - 1))
    return between, between + within
