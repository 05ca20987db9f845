"""Covariances of the estimates that do not rely on normality: sandwiches (Huber 1967; White 1982; Browne 1984; Satorra & Bentler 1994)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trustsem.kernels.structure import Reals

__all__ = ["cross_products", "score_meat"]


def cross_products(scores: Reals, clusters: NDArray[np.int64] | None) -> Reals:
    """Return the sum (k, k) of the outer products of the rows of `scores` (n, k), or ``J / (J - 1)`` times that of their sums within J clusters."""
    if clusters is None:
        return np.asarray(scores.T @ scores)
    count = int(clusters.max()) + 1
    totals = np.zeros((count, scores.shape[1]))
    np.add.at(totals, clusters, scores)
    return np.asarray(totals.T @ totals) * (count / (count - 1.0))


def score_meat(scores: Sequence[Reals], clusters: Sequence[NDArray[np.int64] | None]) -> Reals:
    """Return the sum over blocks of the outer products of casewise scores (n, K), summed within clusters first."""
    return np.asarray(sum(cross_products(part, own) for part, own in zip(scores, clusters, strict=True)))
