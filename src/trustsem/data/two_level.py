"""Rows of people in clusters, reduced to what the two-level likelihood needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trustsem.kernels.clusters import Clusters
from trustsem.kernels.two_level import ClusterMoments

__all__ = ["cluster_moments", "joint_order", "sort_clusters"]

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]


def joint_order(within: Sequence[int], between: Sequence[int]) -> tuple[Integers, Integers]:
    """Return the columns of the data in joint order (p,), and the place of each variable of level 2 in it (p2,).

    Parameters
    ----------
    within, between : sequence of int
        Columns of the variables of level 1 and of level 2, in the order of the model's blocks.
    """
    own = [column for column in between if column not in within]
    order = [*own, *within]
    return np.array(order, dtype=np.int64), np.array([order.index(column) for column in between], dtype=np.int64)


def cluster_moments(rows: Reals, codes: Integers, within: Sequence[int], between: Sequence[int]) -> ClusterMoments:
    """Reduce complete rows.

    Parameters
    ----------
    rows : (n, v) float
        No missing values.
    codes : (n,) int
        Cluster of each row: 0 to J - 1, none empty.
    within, between : sequence of int
        Columns of the variables of level 1 and of level 2.

    Returns
    -------
    ClusterMoments
    """
    order, place = joint_order(within, between)
    p, z = order.size, order.size - len(within)
    size = np.bincount(codes).astype(np.float64)
    centre = rows[:, order].mean(axis=0)
    values = rows[:, order] - centre
    means = np.stack([np.bincount(codes, values[:, k]) for k in range(p)], axis=1) / size[:, None]
    deviations = values[:, z:] - means[codes, z:]
    sizes, group = np.unique(size, return_inverse=True)
    count = np.bincount(group).astype(np.float64)
    mean = np.stack([np.bincount(group, means[:, k]) for k in range(p)], axis=1) / count[:, None]
    cross = np.empty((sizes.size, p, p))
    for d in range(sizes.size):
        gap = means[group == d] - mean[d]
        cross[d] = gap.T @ gap
    return ClusterMoments(place, float(len(rows) - size.size), deviations.T @ deviations, sizes, count, mean + centre, cross)


def sort_clusters(rows: Reals, codes: Integers, within: Sequence[int], between: Sequence[int]) -> Clusters:
    """Sort rows, some of whose values may be NaN, by cluster and pattern of missing values.

    Parameters
    ----------
    rows : (n, v) float
    codes : (n,) int
        Cluster of each row: 0 to J - 1, none empty.
    within, between : sequence of int
        Columns of the variables of level 1 and of level 2. A variable of level 2 only is read from the first row of the cluster that has it.

    Returns
    -------
    Clusters
        Rows without any value of level 1 are left out, for they say nothing.
    """
    order, place = joint_order(within, between)
    z, n_clusters = order.size - len(within), int(codes.max()) + 1
    own = np.full((n_clusters, z), np.nan)
    for k in range(z):
        seen = np.flatnonzero(~np.isnan(rows[:, order[k]]))[::-1]
        own[codes[seen], k] = rows[seen, order[k]]
    values = rows[:, order[z:]]
    holes = np.isnan(values)
    kept = ~holes.all(axis=1)
    values, holes, codes = values[kept], holes[kept], codes[kept]
    patterns, pattern = np.unique(holes, axis=0, return_inverse=True)
    pattern = pattern.reshape(-1)
    key = codes * len(patterns) + pattern
    sort = np.argsort(key, kind="stable")
    groups, first = np.unique(key[sort], return_index=True)
    return Clusters(
        place=place,
        gap_start=np.concatenate([[0], np.cumsum(patterns.sum(axis=1))]).astype(np.int64),
        gaps=np.nonzero(patterns)[1].astype(np.int64),
        own=np.nan_to_num(own),
        seen=~np.isnan(own),
        start=np.searchsorted(groups // len(patterns), np.arange(n_clusters + 1)).astype(np.int64),
        pattern=(groups % len(patterns)).astype(np.int64),
        first=np.concatenate([first, [len(sort)]]).astype(np.int64),
        rows=np.where(holes, 0.0, values)[sort],
    )
