"""Casewise normal likelihood of rows with holes, its derivatives over patterns of missing values, and the scores of single rows.

The gradient needs two sums over patterns only (:func:`trustsem.kernels.patterns.pattern_sums`); the Hessian takes the patterns one by one.
"""

from __future__ import annotations

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.discrepancy import gather_columns
from trustsem.kernels.linear import cholesky, invert_definite, multiply, multiply_transposed
from trustsem.kernels.patterns import Patterns, deviations, gap_rows, pattern_sums, weigh
from trustsem.kernels.ram import fill, propagate
from trustsem.kernels.structure import CELLS, COLUMNS, COVARIANCE, OBSERVED, PATH, VARIABLES, Integers, Reals, Structure

__all__ = ["evaluate_missing", "missing_hessian", "missing_scores"]


@kernel
def _moments(structure: Structure, block: int, theta: Reals, B: Reals, V: Reals, mu: Reals, W: Reals) -> float:
    """Write the RAM matrices of a block and the inverse W of its implied covariances; return their log-determinant, NaN if there is none."""
    p, size = W.shape[0], B.shape[0]
    A, S, m = np.empty((size, size)), np.empty((size, size)), np.empty(size)
    fill(structure, block, theta, A, S, m)
    if not propagate(structure, block, A, S, m, B, V, mu):
        return np.nan
    implied, lower = np.empty((p, p)), np.empty((p, p))
    for i in range(p):
        for j in range(p):
            implied[i, j] = V[i, j]
    if not cholesky(implied, lower):
        return np.nan
    invert_definite(lower, W)
    total = 0.0
    for i in range(p):
        total += 2.0 * np.log(lower[i, i])
    return total


@kernel
def _weights(cells: Integers, first: int, last: int, mu: Reals, pair: Reals, drift: Reals) -> None:
    """Write the weight of each cell's derivative of the covariances (`pair`) and of the means (`drift`)."""
    for a in range(last - first):
        kind = cells[first + a, 0]
        pair[a], drift[a] = 0.0, 0.0
        if kind == PATH:
            pair[a] = 1.0
            drift[a] = mu[cells[first + a, 2]]
        elif kind == COVARIANCE:
            pair[a] = 0.5 if cells[first + a, 1] == cells[first + a, 2] else 1.0
        else:
            drift[a] = 1.0


@kernel
def evaluate_missing(structure: Structure, block: int, data: Patterns, share: float, theta: Reals, gradient: Reals) -> float:
    """Return `share` times minus twice the log-likelihood of one block (without its constant), and add its gradient (K,) to `gradient`.

    Infinite where it is not defined. An empty `gradient` is left alone.
    """
    p, size = structure.blocks[block, OBSERVED], structure.blocks[block, VARIABLES]
    B, V, mu, W = np.empty((size, size)), np.empty((size, size)), np.empty(size), np.empty((p, p))
    log_determinant = _moments(structure, block, theta, B, V, mu, W)
    if not np.isfinite(log_determinant):
        return np.inf
    R, pull = np.empty((p, p)), np.empty(p)
    value = pattern_sums(data, W, log_determinant, mu[:p], R, pull)
    if not np.isfinite(value):
        return np.inf
    if gradient.shape[0] > 0:
        first, last = structure.blocks[block, CELLS], structure.blocks[block, CELLS + 1]
        Z = gather_columns(structure.columns, structure.blocks[block, COLUMNS], structure.blocks[block, COLUMNS + 1], p, B, V)
        RZ = np.empty(Z.shape)
        multiply(Z, R, RZ)
        pair, drift = np.empty(last - first), np.empty(last - first)
        _weights(structure.cells, first, last, mu, pair, drift)
        for a in range(last - first):
            u, v = structure.cells[first + a, 4], structure.cells[first + a, 5]
            slope, lift = 0.0, 0.0
            for i in range(p):
                slope += RZ[u, i] * Z[v, i]
                lift += Z[u, i] * pull[i]
            gradient[structure.cells[first + a, 3]] += share * 2.0 * (pair[a] * slope - drift[a] * lift)
    return share * value


@kernel
def _add_pairs(cells: Integers, first: int, last: int, count: float, pair: Reals, drift: Reals, K: Reals, P: Reals, q: Reals, hessian: Reals) -> None:
    """Add one pattern's part of the Hessian over cells (C, C), lower triangle.

    It is ``2 c_a c_b (K_uu P_vv + K_uv P_vu + K_vu P_uv + K_vv P_uu)`` plus the terms of the means; `q` holds ``count`` times ``Z y`` of the mean.
    """
    for a in range(last - first):
        ua, va, pa, da = cells[first + a, 4], cells[first + a, 5], 2.0 * pair[a], drift[a]
        for b in range(a + 1):
            ub, vb, pb, db = cells[first + b, 4], cells[first + b, 5], pair[b], drift[b]
            value = 0.0
            if pa != 0.0 and pb != 0.0:
                value = pa * pb * (K[ua, ub] * P[va, vb] + K[ua, vb] * P[va, ub] + K[va, ub] * P[ua, vb] + K[va, vb] * P[ua, ub])
            if db != 0.0:
                value += db * (2.0 * da * count * K[ua, ub] + pa * (q[va] * K[ua, ub] + q[ua] * K[va, ub]))
            if da != 0.0:
                value += 2.0 * da * pb * (q[vb] * K[ub, ua] + q[ub] * K[vb, ua])
            hessian[a, b] += value


@kernel
def missing_hessian(structure: Structure, block: int, data: Patterns, theta: Reals, observed: bool, hessian: Reals, R: Reals, pull: Reals) -> bool:
    """Write the expected Hessian of minus twice the log-likelihood over the cells of one block.

    Parameters
    ----------
    structure : Structure
    block : int
    data : Patterns
    theta : (K,) float
    observed : bool
        Write the observed Hessian instead, but for the terms with second derivatives of the implied moments, which need only `R` and `pull`.
    hessian : (C, C) float
    R, pull : (p, p) and (p,) float
        Overwritten as by :func:`pattern_sums`.

    Returns
    -------
    bool
        Whether the likelihood is defined.
    """
    p, size = structure.blocks[block, OBSERVED], structure.blocks[block, VARIABLES]
    B, V, mu, W = np.empty((size, size)), np.empty((size, size)), np.empty(size), np.empty((p, p))
    log_determinant = _moments(structure, block, theta, B, V, mu, W)
    if not np.isfinite(pattern_sums(data, W, log_determinant, mu[:p], R, pull)):
        return False
    first, last = structure.blocks[block, CELLS], structure.blocks[block, CELLS + 1]
    Z = gather_columns(structure.columns, structure.blocks[block, COLUMNS], structure.blocks[block, COLUMNS + 1], p, B, V)
    Q = Z.shape[0]
    WZ, whole, K, P, q = np.empty(Z.shape), np.empty((Q, Q)), np.empty((Q, Q)), np.empty((Q, Q)), np.zeros(Q)
    multiply(Z, W, WZ)
    multiply_transposed(WZ, Z, whole)
    pair, drift = np.empty(last - first), np.empty(last - first)
    _weights(structure.cells, first, last, mu, pair, drift)
    D, Y, U = np.empty((p + 1, p)), np.empty((p + 1, p)), np.empty((p, p))
    scaled, T = np.empty((p + 1, Q)), np.empty((p, Q))
    hessian[:, :] = 0.0
    for k in range(data.n_rows.shape[0]):
        m, count = data.gap_start[k + 1] - data.gap_start[k], data.n_rows[k]
        if m > 0:
            gap_rows(W, data.gaps, data.gap_start[k], data.gap_start[k + 1], U)
            multiply_transposed(U[:m], Z, T[:m])
            multiply(T[:m].T, T[:m], P)
        for s in range(Q):
            for t in range(Q):
                K[s, t] = whole[s, t] - P[s, t] if m > 0 else whole[s, t]
        if observed:
            used = deviations(data, k, mu[:p], D, 0)
            multiply(D[:used], W, Y[:used])
            weigh(U, m, D, Y, 0, used)
            multiply_transposed(Y[:used], Z, scaled[:used])
            multiply(scaled[:used].T, scaled[:used], P)
            root = np.sqrt(count)
            for s in range(Q):
                q[s] = root * scaled[0, s]
                for t in range(Q):
                    P[s, t] -= 0.5 * count * K[s, t]
        else:
            for s in range(Q):
                for t in range(Q):
                    P[s, t] = 0.5 * count * K[s, t]
        _add_pairs(structure.cells, first, last, count, pair, drift, K, P, q, hessian)
    for a in range(last - first):
        for b in range(a):
            hessian[b, a] = hessian[a, b]
    return True


@kernel
def missing_scores(
    structure: Structure, block: int, theta: Reals, gap_start: Integers, gaps: Integers, start: Integers, order: Integers, rows: Reals, scores: Reals
) -> bool:
    """Write the derivatives of each row's log-likelihood.

    Parameters
    ----------
    structure : Structure
    block : int
    theta : (K,) float
    gap_start, gaps : int
        Missing variables of each pattern, as in :class:`Patterns`.
    start : (P + 1,) int
        Where each pattern begins in `order`.
    order : (n,) int
        Places of the rows, pattern by pattern.
    rows : (n, p) float
        The data.
    scores : (n, K) float
        Overwritten.

    Returns
    -------
    bool
        Whether the likelihood is defined.
    """
    p, size = structure.blocks[block, OBSERVED], structure.blocks[block, VARIABLES]
    B, V, mu, W = np.empty((size, size)), np.empty((size, size)), np.empty(size), np.empty((p, p))
    if not np.isfinite(_moments(structure, block, theta, B, V, mu, W)):
        return False
    first, last = structure.blocks[block, CELLS], structure.blocks[block, CELLS + 1]
    Z = gather_columns(structure.columns, structure.blocks[block, COLUMNS], structure.blocks[block, COLUMNS + 1], p, B, V)
    Q = Z.shape[0]
    WZ = np.empty(Z.shape)
    multiply(Z, W, WZ)
    pair, drift = np.empty(last - first), np.empty(last - first)
    _weights(structure.cells, first, last, mu, pair, drift)
    U, T, trace = np.empty((p, p)), np.empty((p, Q)), np.empty(last - first)
    D, Y, projected = np.empty((1, p)), np.empty((1, p)), np.empty(Q)
    scores[:, :] = 0.0
    for k in range(start.shape[0] - 1):
        m = gap_start[k + 1] - gap_start[k]
        if m > 0:
            gap_rows(W, gaps, gap_start[k], gap_start[k + 1], U)
            multiply_transposed(U[:m], Z, T[:m])
        for a in range(last - first):
            u, v = structure.cells[first + a, 4], structure.cells[first + a, 5]
            value = 0.0
            if pair[a] != 0.0:
                for i in range(p):
                    value += WZ[u, i] * Z[v, i]
                for t in range(m):
                    value -= T[t, u] * T[t, v]
            trace[a] = pair[a] * value
        for t in range(start[k], start[k + 1]):
            row = order[t]
            for i in range(p):
                D[0, i] = rows[row, i] - mu[i]
            for g in range(gap_start[k], gap_start[k + 1]):
                D[0, gaps[g]] = 0.0
            multiply(D, W, Y)
            weigh(U, m, D, Y, 0, 1)
            for s in range(Q):
                inner = 0.0
                for i in range(p):
                    inner += Z[s, i] * Y[0, i]
                projected[s] = inner
            for a in range(last - first):
                u, v = structure.cells[first + a, 4], structure.cells[first + a, 5]
                scores[row, structure.cells[first + a, 3]] += (pair[a] * projected[v] + drift[a]) * projected[u] - trace[a]
    return True
