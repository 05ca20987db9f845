"""Normal likelihood of people in clusters with missing values: value, gradient, nearly expected Hessian, and scores of the clusters."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.clusters import Clusters, Solved, solve_clusters
from trustsem.kernels.compiled import kernel
from trustsem.kernels.levels import JointCells, Levels, add_expected, add_gradient, add_within, join_cells, levels_at, scatter
from trustsem.kernels.structure import Reals, Structure

__all__ = ["clusters_scores", "evaluate_clusters", "solve_at", "write_weight"]


@kernel
def write_weight(W: Reals, U: Reals, first: int, last: int, weight: Reals) -> None:
    """Write the weight ``W - U'U`` of one pattern, whose rows of `U` are `first` to `last`."""
    for i in range(weight.shape[0]):
        for k in range(weight.shape[0]):
            weight[i, k] = W[i, k]
            for a in range(first, last):
                weight[i, k] -= U[a, i] * U[a, k]


@kernel
def _add_nearly_expected(data: Clusters, levels: Levels, cells: JointCells, s: Solved, total: Reals) -> None:
    """Add the approximate expected Hessian to the lower triangle of `total` (C, C)."""
    p1, patterns, inhabited = data.rows.shape[1], data.gap_start.shape[0] - 1, 0.0
    for j in range(s.value.shape[0]):
        people = float(data.first[data.start[j + 1]] - data.first[data.start[j]])
        inhabited += people > 0.0
        add_expected(cells, s.A[j], max(people, 1.0), 1.0, total)
    counts, weight = np.zeros(patterns), np.empty((p1, p1))
    for q in range(data.pattern.shape[0]):
        counts[data.pattern[q]] += data.first[q + 1] - data.first[q]
    for k in range(patterns):
        write_weight(levels.W, s.U, data.gap_start[k], data.gap_start[k + 1], weight)
        add_within(cells, weight, counts[k] * (1.0 - inhabited / data.rows.shape[0]), total)


def solve_at(structure: Structure, within: int, data: Clusters, theta: Reals, *, derivatives: bool) -> tuple[Levels, Solved | None]:
    """Return what the two levels imply at `theta` (K,), and what that makes of every cluster; None where the likelihood is not defined."""
    levels = levels_at(structure, within, data.place, data.own.shape[1] + data.rows.shape[1], theta)
    if not np.isfinite(levels.log_determinant):
        return levels, None
    solved = solve_clusters(data, levels, derivatives)
    return levels, solved if np.isfinite(solved.value).all() else None


def evaluate_clusters(structure: Structure, within: int, data: Clusters, share: float, theta: Reals, gradient: Reals, hessian: Reals) -> float:
    """Return `share` times minus twice the log-likelihood of one group, without its constant ``log(2 pi)`` per value; infinite where undefined.

    Parameters
    ----------
    structure : Structure
    within : int
        The group's block of level 1; that of level 2 is the next.
    data : Clusters
    share : float
    theta : (K,) float
    gradient, hessian : (K,) and (K, K) float
        The gradient and, nearly, the expected Hessian are added to them. Either may be empty: it is left alone then.

    Returns
    -------
    float

    Notes
    -----
    The Hessian is exact in what concerns level 2 and the means alone. In the rest each cluster counts as n people who all have the average weight
    ``M / n``, but that the terms that do not go through the shared part are summed over patterns. :func:`clusters_hessian` is exact.
    """
    slope, curvature = gradient.size > 0, hessian.size > 0
    levels, solved = solve_at(structure, within, data, theta, derivatives=slope or curvature)
    if solved is None:
        return np.inf
    if slope or curvature:
        cells = join_cells(structure, within, data.place, levels)
    if slope:
        outer = solved.A.sum(axis=0) - solved.a.T @ solved.a
        add_gradient(cells, share, solved.inner.sum(axis=0), outer, solved.a.sum(axis=0), gradient)
    if curvature:
        total = np.zeros((cells.pair.size, cells.pair.size))
        _add_nearly_expected(data, levels, cells, solved, total)
        scatter(cells, share, total, hessian)
    return share * float(solved.value.sum())


def clusters_scores(structure: Structure, within: int, data: Clusters, theta: Reals) -> Reals:
    """Return the derivatives (J, K) of each cluster's log-likelihood; NaN where it is not defined."""
    levels, solved = solve_at(structure, within, data, theta, derivatives=True)
    scores = np.zeros((data.start.size - 1, theta.size))
    if solved is None:
        scores.fill(np.nan)
        return scores
    cells = join_cells(structure, within, data.place, levels)
    for j in range(len(scores)):
        outer = solved.A[j] - np.outer(solved.a[j], solved.a[j])
        add_gradient(cells, -0.5, solved.inner[j], outer, solved.a[j], scores[j])
    return scores
