"""Rows with holes, pattern by pattern: their normal likelihood and the sums that its derivatives need.

With ``W = Sigma^-1`` and U the rows ``L^-1 W[m, :]`` of a pattern whose values m are missing, ``W[m, m] = L L'``, the inverse of the observed part of
Sigma, put into a p x p matrix of zeros, is ``W - U'U`` (inverse of a partitioned matrix), and its log-determinant follows from L. A pattern so costs
what its few holes cost, not what its many observed values cost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.linear import cholesky, multiply
from trustsem.kernels.structure import Integers, Reals

__all__ = ["Patterns", "deviations", "gap_rows", "pattern_products", "pattern_sums", "weigh"]

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
def gap_rows(W: Reals, gaps: Integers, first: int, last: int, U: Reals) -> float:
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
def deviations(data: Patterns, k: int, mu: Reals, D: Reals, row: int) -> int:
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
def weigh(U: Reals, m: int, D: Reals, Y: Reals, first: int, last: int) -> float:
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
            used = deviations(data, k, mu, D, used)
            k += 1
        multiply(D[:used], W, Y[:used])
        row = 0
        for q in range(first, k):
            m = data.gap_start[q + 1] - data.gap_start[q]
            count = data.n_rows[q]
            rows += count
            if m > 0:
                value += count * gap_rows(W, data.gaps, data.gap_start[q], data.gap_start[q + 1], U)
                for a in range(m):
                    for i in range(p):
                        factor = count * U[a, i]
                        if factor != 0.0:
                            for j in range(i + 1):
                                R[i, j] -= factor * U[a, j]
            after = row + data.start[q + 1] - data.start[q]
            value += weigh(U, m, D, Y, row, after)
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
            if not np.isfinite(gap_rows(W, data.gaps, data.gap_start[k], data.gap_start[k + 1], U)):
                return False
            for a in range(m):
                for i in range(p):
                    for j in range(i + 1):
                        square[i, j] -= U[a, i] * U[a, j]
        used = deviations(data, k, mu, D, 0)
        multiply(D[:used], W, Y[:used])
        weigh(U, m, D, Y, 0, used)
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
