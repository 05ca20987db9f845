"""Exact Hessian of the two-level likelihood over rows, expected or observed.

Of the inverse covariances V^-1 of a cluster's values, the sums ``A`` over people, the rows ``W_i (I - C M)`` and the blocks ``W_i - W_i C W_k``
between two people are all that derivatives by Sw and Sb meet. The people of a set share ``W_i``, so a cluster costs what its sets cost; and pairs of
people need no loop, because ``W_i C W_k`` is a product: they meet in sums over people.
"""

from __future__ import annotations

import numpy as np

from trustsem.kernels.clusters import Clusters, Solved
from trustsem.kernels.compiled import kernel
from trustsem.kernels.levels import JointCells, Levels, join_cells
from trustsem.kernels.linear import multiply, multiply_transposed
from trustsem.kernels.structure import Reals, Structure
from trustsem.kernels.two_level_rows import solve_at, write_weight

__all__ = ["clusters_hessian"]


@kernel
def _pairs(cells: JointCells, a: int, b: int, K: Reals, P: Reals) -> float:
    """Return the term of the covariances of two cells; those of the first are rows of `K` and `P`, those of the second columns."""
    ua, va, ub, vb = cells.places[a, 1], cells.places[a, 2], cells.places[b, 1], cells.places[b, 2]
    first, second = cells.pair[a], cells.pair[b]
    crossed = K[ua, ub] * P[va, vb] + K[ua, vb] * P[va, ub] + K[va, ub] * P[ua, vb] + K[va, vb] * P[ua, ub]
    return float(2.0 * first * second * crossed)


@kernel
def _add_shared(cells: JointCells, A: Reals, g: Reals, observed: bool, total: Reals) -> None:
    """Add the terms of two cells of level 2, and of the means; `g` (Q,) is ``Z a``."""
    Z, count, size = cells.Z, cells.pair.shape[0], cells.Z.shape[0]
    half, K, P = np.empty(Z.shape), np.empty((size, size)), np.empty((size, size))
    multiply(Z, A, half)
    multiply_transposed(half, Z, K)
    for s in range(size):
        for t in range(size):
            P[s, t] = g[s] * g[t] - 0.5 * K[s, t] if observed else 0.5 * K[s, t]
    for a in range(count):
        ua, va, da = cells.places[a, 1], cells.places[a, 2], cells.drift[a]
        for b in range(a + 1):
            ub, vb, db = cells.places[b, 1], cells.places[b, 2], cells.drift[b]
            value = 2.0 * da * db * K[ua, ub]
            if b >= cells.first:
                value += _pairs(cells, a, b, K, P)
                if observed:
                    value += 2.0 * da * cells.pair[b] * (g[vb] * K[ua, ub] + g[ub] * K[ua, vb])
            if a >= cells.first and observed:
                value += 2.0 * db * cells.pair[a] * (g[va] * K[ub, ua] + g[ua] * K[ub, va])
            total[a, b] += value


@kernel
def _add_own(cells: JointCells, K: Reals, P: Reals, total: Reals) -> None:
    """Add the terms of two cells of level 1 that belong to one person at a time."""
    for a in range(cells.first):
        for b in range(a + 1):
            total[a, b] += _pairs(cells, a, b, K, P)


@kernel
def _add_mixed(cells: JointCells, K: Reals, P: Reals, h: Reals, observed: bool, total: Reals) -> None:
    """Add the terms of a cell of level 2 (rows of `K`) and one of level 1 (columns), and of the means and the covariances of level 1."""
    for a in range(cells.pair.shape[0]):
        ua, da = cells.places[a, 1], cells.drift[a]
        for b in range(cells.first):
            value = 0.0
            if a >= cells.first:
                value = _pairs(cells, a, b, K, P)
            if observed and da != 0.0:
                ub, vb = cells.places[b, 1], cells.places[b, 2]
                lift = 2.0 * da * cells.pair[b] * (h[vb] * K[ua, ub] + h[ub] * K[ua, vb])
                value += 2.0 * lift if a == b else lift
            total[max(a, b), min(a, b)] += value


@kernel
def _add_products(cells: JointCells, C: Reals, weights: Reals, pulls: Reals, observed: bool, total: Reals) -> None:
    """Add the terms of two cells of level 1 that belong to pairs of people: ``tr(C B_k C B_l)`` and ``b_k' C b_l``.

    `weights` holds ``B_k = sum W_i S_k W_i``, one below another (C1 p1, p1), and `pulls` holds ``b_k = sum W_i S_k e_i`` (C1, p1).
    """
    p1, count = C.shape[0], cells.first
    half, flat, turned = np.empty(weights.shape), np.empty((count, p1 * p1)), np.empty((count, p1 * p1))
    product, pulled, crossed = np.empty((count, count)), np.empty((count, p1)), np.empty((count, count))
    multiply(weights, C, half)
    for k in range(count):
        for i in range(p1):
            for t in range(p1):
                flat[k, i * p1 + t] = half[k * p1 + i, t]
                turned[k, t * p1 + i] = half[k * p1 + i, t]
    multiply_transposed(flat, turned, product)
    multiply(pulls, C, pulled)
    multiply_transposed(pulled, pulls, crossed)
    for a in range(count):
        for b in range(a + 1):
            total[a, b] += -product[a, b] - 2.0 * crossed[a, b] if observed else product[a, b]


@kernel
def _add_set(
    cells: JointCells, C: Reals, g: Reals, turn: Reals, weight: Reals, E: Reals, observed: bool, weights: Reals, pulls: Reals, total: Reals
) -> None:
    """Add the terms of one set: rows with the same `weight` and the residuals `E`; add its part to the sums `weights` and `pulls`.

    `g` (Q,) is ``Z a``, and `turn` (Q, p1) holds the columns of all cells times ``(I - C M)'``.
    """
    Z1, p1, columns, size, count = cells.own, weight.shape[0], cells.own.shape[0], cells.Z.shape[0], E.shape[0]
    ZW, half, EZ, h = np.empty((columns, p1)), np.empty((columns, p1)), np.empty((count, columns)), np.zeros(columns)
    K, P, cross = np.empty((columns, columns)), np.empty((columns, columns)), np.empty((columns, columns))
    mixed, outer = np.empty((size, columns)), np.empty((size, columns))
    multiply(Z1, weight, ZW)
    multiply_transposed(ZW, Z1, K)
    multiply(ZW, C, half)
    multiply_transposed(half, ZW, P)
    multiply_transposed(E, Z1, EZ)
    multiply(EZ.T, EZ, cross)
    multiply_transposed(turn, ZW, mixed)
    for row in range(count):
        for s in range(columns):
            h[s] += EZ[row, s]
    for s in range(columns):
        for t in range(columns):
            value = count * (0.5 * K[s, t] - P[s, t])
            P[s, t] = cross[s, t] - value if observed else value
    for s in range(size):
        for t in range(columns):
            value = 0.5 * count * mixed[s, t]
            outer[s, t] = g[s] * h[t] - value if observed else value
    _add_own(cells, K, P, total)
    _add_mixed(cells, mixed, outer, h, observed, total)
    for k in range(cells.first):
        u, v, scale = cells.places[k, 1], cells.places[k, 2], cells.pair[k]
        if scale != 0.0:
            for i in range(p1):
                pulls[k, i] += scale * (ZW[u, i] * h[v] + ZW[v, i] * h[u])
                for q in range(p1):
                    weights[k * p1 + i, q] += count * scale * (ZW[u, i] * ZW[v, q] + ZW[v, i] * ZW[u, q])


@kernel
def _turned(cells: JointCells, P: Reals, C: Reals, M: Reals) -> Reals:
    """Return the columns of all cells (Q, p1), those of z taken through the regression P on z, times ``(I - C M)'``."""
    z, p1 = P.shape
    plain, CM, turn = np.empty((cells.Z.shape[0], p1)), np.empty((p1, p1)), np.empty((cells.Z.shape[0], p1))
    for s in range(plain.shape[0]):
        for i in range(p1):
            plain[s, i] = cells.Z[s, z + i]
            for k in range(z):
                plain[s, i] -= cells.Z[s, k] * P[k, i]
    multiply(C, M, CM)
    multiply_transposed(plain, CM, turn)
    for s in range(plain.shape[0]):
        for i in range(p1):
            turn[s, i] = plain[s, i] - turn[s, i]
    return turn


@kernel
def _add_clusters(data: Clusters, levels: Levels, cells: JointCells, solved: Solved, observed: bool, total: Reals) -> None:
    """Add the Hessian of all clusters to the lower triangle of `total` (C, C)."""
    p1, p = data.rows.shape[1], cells.Z.shape[1]
    weight = np.empty((p1, p1))
    for j in range(solved.value.shape[0]):
        g = np.zeros(cells.Z.shape[0])
        for s in range(g.shape[0]):
            for i in range(p):
                g[s] += cells.Z[s, i] * solved.a[j, i]
        _add_shared(cells, solved.A[j], g, observed, total)
        weights, pulls = np.zeros((cells.first * p1, p1)), np.zeros((cells.first, p1))
        turn = _turned(cells, solved.P[j], solved.C[j], solved.M[j])
        for s in range(data.start[j], data.start[j + 1]):
            k = data.pattern[s]
            write_weight(levels.W, solved.U, data.gap_start[k], data.gap_start[k + 1], weight)
            _add_set(cells, solved.C[j], g, turn, weight, solved.E[data.first[s] : data.first[s + 1]], observed, weights, pulls, total)
        _add_products(cells, solved.C[j], weights, pulls, observed, total)


def clusters_hessian(structure: Structure, within: int, data: Clusters, theta: Reals, *, observed: bool) -> tuple[Reals, Reals, Reals, Reals]:
    """Return the expected Hessian of minus twice the log-likelihood of one group over its cells.

    Parameters
    ----------
    structure : Structure
    within : int
        The group's block of level 1; that of level 2 is the next.
    data : Clusters
    theta : (K,) float
    observed : bool
        Return the observed Hessian instead, but for the terms with second derivatives of the implied moments.

    Returns
    -------
    total : (C, C) float
        Cells of level 1, then of level 2. NaN where the likelihood is not defined.
    inner, outer, pull : (p1, p1), (p, p) and (p,) float
        What second derivatives are multiplied by: the derivatives by Sw and Sb (joint order), and minus half of those by the means.
    """
    levels, solved = solve_at(structure, within, data, theta, derivatives=True)
    cells = join_cells(structure, within, data.place, levels)
    total = np.zeros((cells.pair.size, cells.pair.size))
    if solved is None:
        p1, p = data.rows.shape[1], cells.Z.shape[1]
        return total + np.nan, np.full((p1, p1), np.nan), np.full((p, p), np.nan), np.full(p, np.nan)
    _add_clusters(data, levels, cells, solved, observed, total)
    full = np.tril(total) + np.tril(total, -1).T
    return full, solved.inner.sum(axis=0), solved.A.sum(axis=0) - solved.a.T @ solved.a, solved.a.sum(axis=0)
