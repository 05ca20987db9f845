"""Casewise normal likelihood of rows with holes, summed over patterns of missing values.

With ``W = Sigma^-1`` and U the rows ``L^-1 W[m, :]`` of a pattern whose values m are missing, ``W[m, m] = L L'``, the inverse of the observed part of
Sigma, put into a p x p matrix of zeros, is ``W - U'U`` (inverse of a partitioned matrix), and its log-determinant follows from L. A pattern so costs
what its few holes cost, not what its many observed values cost. All that the gradient needs is two sums over patterns (:func:`pattern_sums`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.discrepancy import gather_columns
from trustsem.kernels.linear import cholesky, invert_definite, multiply, multiply_transposed
from trustsem.kernels.ram import fill, propagate
from trustsem.kernels.structure import CELLS, COLUMNS, COVARIANCE, OBSERVED, PATH, VARIABLES, Integers, Reals, Structure

__all__ = ["Patterns", "evaluate_missing", "missing_hessian", "missing_scores", "pattern_sums"]

_CHUNK = 256


class Patterns(NamedTuple):
    """Rows with holes, reduced to what the likelihood needs: no more vectors than rows, whatever the number of patterns.

    Attributes
    ----------
    n_rows : (P,) float
        Number of rows (sum of their weights) of each pattern.
    gap_start, gaps : (P + 1,) and (sum,) int
        The missing variables of pattern k are ``gaps[gap_start[k]:gap_start[k + 1]]``.
    start : (P + 1,) int
        Where each pattern's vectors begin.
    vectors : (V, p) float
        First the mean of the pattern's rows, then vectors whose cross-products add up to those of the centred rows; zero in the gaps.
    """

    n_rows: Reals
    gap_start: Integers
    gaps: Integers
    start: Integers
    vectors: Reals


@kernel
def _gap_rows(W: Reals, gaps: Integers, first: int, last: int, U: Reals) -> float:
    """Write ``L^-1 W[m, :]`` to the first rows of `U` and return ``log|W[m, m]|``; NaN if that is not positive definite."""
    m, p = last - first, W.shape[0]
    block, lower = np.empty((m, m)), np.empty((m, m))
    for a in range(m):
        for b in range(m):
            block[a, b] = W[gaps[first + a], gaps[first + b]]
    if not cholesky(block, lower):
        return np.nan
    total = 0.0
    for a in range(m):
        row = gaps[first + a]
        for i in range(p):
            U[a, i] = W[row, i]
        for b in range(a):
            factor = lower[a, b]
            for i in range(p):
                U[a, i] -= factor * U[b, i]
        scale = 1.0 / lower[a, a]
        for i in range(p):
            U[a, i] *= scale
        total += 2.0 * np.log(lower[a, a])
    return total


@kernel
def _deviations(data: Patterns, k: int, mu: Reals, D: Reals, row: int) -> int:
    """Write pattern k's vectors to `D` from `row` on: ``sqrt(n) (mean - mu)`` first, zero in the gaps. Return the row after the last."""
    p = mu.shape[0]
    root = np.sqrt(data.n_rows[k])
    for t in range(data.start[k], data.start[k + 1]):
        for i in range(p):
            D[row, i] = data.vectors[t, i]
        if t == data.start[k]:
            for i in range(p):
                D[row, i] = root * (D[row, i] - mu[i])
            for g in range(data.gap_start[k], data.gap_start[k + 1]):
                D[row, data.gaps[g]] = 0.0
        row += 1
    return row


@kernel
def _weigh(U: Reals, m: int, D: Reals, Y: Reals, first: int, last: int) -> float:
    """Take ``U'U d`` off the rows y = W d of `Y`, and return the sum of ``d'y``."""
    p = D.shape[1]
    total = 0.0
    for row in range(first, last):
        for a in range(m):
            inner = 0.0
            for i in range(p):
                inner += U[a, i] * D[row, i]
            for i in range(p):
                Y[row, i] -= inner * U[a, i]
        for i in range(p):
            total += D[row, i] * Y[row, i]
    return total


@kernel
def pattern_sums(data: Patterns, W: Reals, log_determinant: float, mu: Reals, R: Reals, pull: Reals) -> float:
    """Sum over patterns what the likelihood and its gradient need.

    Parameters
    ----------
    data : Patterns
    W : (p, p) float
        Inverse of the covariance matrix.
    log_determinant : float
        Of the covariance matrix.
    mu : (p,) float
    R, pull : (p, p) and (p,) float
        Overwritten with ``sum n W_k - sum y y'`` and ``sum y``, where y are the weighted deviations ``W_k (x - mu)`` of the rows.

    Returns
    -------
    float
        Minus twice the log-likelihood, without the constant ``log(2 pi)`` per value; NaN if it is not defined.
    """
    p = W.shape[0]
    patterns = data.n_rows.shape[0]
    size = max(_CHUNK, p + 1)
    D, Y = np.empty((size, p)), np.empty((size, p))
    U = np.empty((p, p))
    product = np.empty((p, p))
    R[:, :] = 0.0
    pull[:] = 0.0
    value, rows = 0.0, 0.0
    k = 0
    while k < patterns:
        # As many patterns as fit into the buffer.
        first, used = k, 0
        while k < patterns and used + data.start[k + 1] - data.start[k] <= size:
            used = _deviations(data, k, mu, D, used)
            k += 1
        multiply(D[:used], W, Y[:used])
        row = 0
        for q in range(first, k):
            m = data.gap_start[q + 1] - data.gap_start[q]
            count = data.n_rows[q]
            rows += count
            if m > 0:
                value += count * _gap_rows(W, data.gaps, data.gap_start[q], data.gap_start[q + 1], U)
                for a in range(m):
                    for i in range(p):
                        factor = count * U[a, i]
                        if factor != 0.0:
                            for j in range(i + 1):
                                R[i, j] -= factor * U[a, j]
            after = row + data.start[q + 1] - data.start[q]
            value += _weigh(U, m, D, Y, row, after)
            root = np.sqrt(count)
            for i in range(p):
                pull[i] += root * Y[row, i]
            row = after
        multiply(Y[:used].T, Y[:used], product)
        for i in range(p):
            for j in range(i + 1):
                R[i, j] -= product[i, j]
    for i in range(p):
        for j in range(i + 1):
            R[i, j] += rows * W[i, j]
            R[j, i] = R[i, j]
    return value + rows * log_determinant


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
            _gap_rows(W, data.gaps, data.gap_start[k], data.gap_start[k + 1], U)
            multiply_transposed(U[:m], Z, T[:m])
            multiply(T[:m].T, T[:m], P)
        for s in range(Q):
            for t in range(Q):
                K[s, t] = whole[s, t] - P[s, t] if m > 0 else whole[s, t]
        if observed:
            used = _deviations(data, k, mu[:p], D, 0)
            multiply(D[:used], W, Y[:used])
            _weigh(U, m, D, Y, 0, used)
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
            _gap_rows(W, gaps, gap_start[k], gap_start[k + 1], U)
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
            _weigh(U, m, D, Y, 0, 1)
            for s in range(Q):
                inner = 0.0
                for i in range(p):
                    inner += Z[s, i] * Y[0, i]
                projected[s] = inner
            for a in range(last - first):
                u, v = structure.cells[first + a, 4], structure.cells[first + a, 5]
                scores[row, structure.cells[first + a, 3]] += (pair[a] * projected[v] + drift[a]) * projected[u] - trace[a]
    return True


@kernel
def pattern_products(data: Patterns, W: Reals, mu: Reals, first: int, last: int, weights: Reals, products: Reals, means: Reals) -> bool:
    """Write what the information of the saturated model needs of patterns `first` to `last`.

    Parameters
    ----------
    data : Patterns
    W : (p, p) float
        Inverse of the covariance matrix.
    mu : (p,) float
    first, last : int
    weights, products : (last - first, p (p + 1) / 2) float
        Overwritten with the lower triangles, row by row, of ``W_k`` (the inverse of the observed part) and of ``sum y y'``, with y the weighted
        deviations.
    means : (last - first, p) float
        Overwritten with ``sum y``.

    Returns
    -------
    bool
        Whether the likelihood is defined.
    """
    p = W.shape[0]
    D, Y, U, square = np.empty((p + 1, p)), np.empty((p + 1, p)), np.empty((p, p)), np.empty((p, p))
    for k in range(first, last):
        m = data.gap_start[k + 1] - data.gap_start[k]
        square[:, :] = W
        if m > 0:
            if not np.isfinite(_gap_rows(W, data.gaps, data.gap_start[k], data.gap_start[k + 1], U)):
                return False
            for a in range(m):
                for i in range(p):
                    for j in range(i + 1):
                        square[i, j] -= U[a, i] * U[a, j]
        used = _deviations(data, k, mu, D, 0)
        multiply(D[:used], W, Y[:used])
        _weigh(U, m, D, Y, 0, used)
        root = np.sqrt(data.n_rows[k])
        at = 0
        for i in range(p):
            means[k - first, i] = root * Y[0, i]
            for j in range(i + 1):
                weights[k - first, at] = square[i, j]
                total = 0.0
                for t in range(used):
                    total += Y[t, i] * Y[t, j]
                products[k - first, at] = total
                at += 1
    return True
