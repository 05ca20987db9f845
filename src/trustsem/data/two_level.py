"""Rows of people in clusters, reduced to what the two-level likelihood needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trustsem.data.two_level_saturated import saturated_levels
from trustsem.data.two_level_shapes import TwoLevelMoments
from trustsem.errors import DataError
from trustsem.kernels.clusters import Clusters
from trustsem.kernels.two_level import ClusterMoments

__all__ = ["TwoLevelData", "cluster_moments", "joint_order", "sort_clusters", "two_level_data"]

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

_ROUNDING = 1e-12  # of a variable's spread: deviations below it are none


@dataclass(frozen=True, eq=False)
class TwoLevelData:
    """The rows of one group, and what the two-level likelihood needs of them.

    Attributes
    ----------
    values : (n, v) float
        NaN where missing.
    codes : (n,) int
        Cluster of each row: 0 to J - 1, none empty.
    within, between : tuple of int
        Columns of the variables of level 1 and of level 2, in the order of the model's blocks.
    """

    values: Reals
    codes: Integers
    within: tuple[int, ...]
    between: tuple[int, ...]

    @cached_property
    def rows(self) -> Clusters:
        """The rows sorted by cluster and pattern of missing values."""
        return sort_clusters(self.values, self.codes, self.within, self.between)

    @cached_property
    def moments(self) -> ClusterMoments | None:
        """The moments that are sufficient if no value is missing; None otherwise."""
        if np.isnan(self.values).any():
            return None
        return cluster_moments(self.values, self.codes, self.within, self.between)

    @cached_property
    def saturated(self) -> TwoLevelMoments:
        """The saturated model."""
        return saturated_levels(self.rows if self.moments is None else self.moments)

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.codes.max()) + 1


def two_level_data(values: Reals, codes: Integers, levels: tuple[Sequence[str], Sequence[str]], names: Sequence[str], where: str) -> TwoLevelData:
    """Check the rows of one group.

    Parameters
    ----------
    values : (n, p) float
    codes : (n,) int
        Cluster of each row.
    levels : pair of sequence of str
        Variables of level 1 and of level 2.
    names : sequence of str
        The variables that the columns of `values` hold.
    where : str
        Put into messages, such as ``" in group 'a'"``.

    Raises
    ------
    DataError
        If every cluster has one row; if a variable of level 1 does not vary within clusters, or one of level 2 only does.
    """
    within, between = (tuple(names.index(name) for name in level) for level in levels)
    if int(codes.max()) + 1 == len(codes):
        raise DataError(
            f"Every cluster has one row only{where}, so that what people share cannot be told from what is their own. "
            "Fit a model of one level, or check cluster=."
        )
    seen = ~np.isnan(values)
    count = np.stack([np.bincount(codes, seen[:, k]) for k in range(len(names))], axis=1)
    centre = np.nanmean(values, axis=0)
    filled = np.where(seen, values - centre, 0.0)
    means = np.stack([np.bincount(codes, filled[:, k]) for k in range(len(names))], axis=1) / np.maximum(count, 1.0)
    deviations = np.where(seen, filled - means[codes], 0.0)
    moving = np.abs(deviations).max(axis=0) > _ROUNDING * np.abs(filled).max(axis=0)
    for k in between:
        if k not in within and moving[k]:
            cluster = int(codes[np.argmax(np.abs(deviations[:, k]))])
            raise DataError(
                f"The variable {names[k]!r} is of level 2 only, but differs between rows of one cluster{where} (the one of row "
                f"{int(np.flatnonzero(codes == cluster)[0])}, counted from 0). Mention it at level 1 too, or correct the data."
            )
    for k in within:
        if not moving[k]:
            raise DataError(f"The variable {names[k]!r} is of level 1, but does not vary within clusters{where}. Mention it at level 2 only.")
    return TwoLevelData(values, codes, within, between)


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
