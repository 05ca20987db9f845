"""The shared part of one cluster: its covariances and mean given the data, and what they make of sums over the inverse covariances of all values.

Given the cluster's own variables z, the shared part has the covariances T. With ``W_i`` the inverse of the observed part of Sw put into a p1 x p1
matrix of zeros, ``M = sum W_i`` over the cluster and ``M = L L'`` on the variables that anybody in the cluster has, everything follows from the
factor of ``H = I + L' T L``: the determinant, the weight ``A = L H^-1 L'`` of the shared part, and its conditional covariances ``C = T - T A T``.
Neither Sb nor T is inverted: they may be singular or, as long as the likelihood is defined, not even positive semidefinite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trustsem.kernels.compiled import kernel
from trustsem.kernels.linear import cholesky, invert_definite, multiply, multiply_transposed
from trustsem.kernels.structure import Integers, Reals

__all__ = ["combine", "complete", "conditional", "regress"]


@kernel
def regress(seen: NDArray[np.bool_], between: Reals, S: Reals, P: Reals, T: Reals) -> float:
    """Write the inverse covariances S of the z that are seen, the regression P of the shared part on z, and its residual covariances T.

    Returns
    -------
    float
        Log-determinant of the covariances of these z; NaN if they are not positive definite.
    """
    z, p1 = P.shape
    index, count = np.empty(z, np.int64), 0
    for i in range(z):
        for k in range(z):
            S[i, k] = 0.0
        for k in range(p1):
            P[i, k] = 0.0
        if seen[i]:
            index[count] = i
            count += 1
    block, lower, inverse = np.empty((count, count)), np.empty((count, count)), np.empty((count, count))
    for a in range(count):
        for b in range(count):
            block[a, b] = between[index[a], index[b]]
    if count > 0:
        if not cholesky(block, lower):
            return np.nan
        invert_definite(lower, inverse)
    total = 0.0
    for a in range(count):
        total += 2.0 * np.log(lower[a, a])
        for b in range(count):
            S[index[a], index[b]] = inverse[a, b]
            for i in range(p1):
                P[index[a], i] += inverse[a, b] * between[index[b], z + i]
    for i in range(p1):
        for k in range(p1):
            T[i, k] = between[z + i, z + k]
            for a in range(count):
                T[i, k] -= between[index[a], z + i] * P[index[a], k]
    return total


@kernel
def combine(index: Integers, T: Reals, M: Reals, m: Reals, A: Reals, a: Reals) -> float:
    """Write the weight ``L H^-1 L'`` and ``sum V^-1 r`` of the variables `index` of level 1, the others being zero already, to `A` and `a`.

    Returns
    -------
    float
        What sharing adds to the value, NaN if it is undefined.
    """
    z, r = a.shape[0] - m.shape[0], index.shape[0]
    if r == 0:
        return 0.0
    block, L, TL, H = np.empty((r, r)), np.empty((r, r)), np.empty((r, r)), np.empty((r, r))
    factor, inverse, x, y = np.empty((r, r)), np.empty((r, r)), np.empty(r), np.zeros(r)
    for b in range(r):
        for c in range(r):
            block[b, c] = M[index[b], index[c]]
    if not cholesky(block, L):
        return np.nan
    for b in range(r):
        for c in range(r):
            block[b, c] = T[index[b], index[c]]
    multiply(block, L, TL)
    multiply(L.T, TL, H)
    for b in range(r):
        H[b, b] += 1.0
    if not cholesky(H, factor):
        return np.nan
    invert_definite(factor, inverse)
    multiply(L, inverse, TL)
    multiply_transposed(TL, L, block)
    value = 0.0
    for b in range(r):
        value += 2.0 * np.log(factor[b, b])
        x[b] = m[index[b]]
        for c in range(b):
            x[b] -= L[b, c] * x[c]
        x[b] /= L[b, b]
    for b in range(r):
        for c in range(r):
            y[b] += inverse[b, c] * x[c]
        value -= x[b] * (x[b] - y[b])
    for b in range(r):
        for c in range(r):
            A[z + index[b], z + index[c]] = block[b, c]
            a[z + index[b]] += L[b, c] * y[c]
    return value


@kernel
def complete(own: Reals, S: Reals, P: Reals, A: Reals, a: Reals) -> None:
    """Write the rows and columns of z to `A` and `a`, which hold those of level 1; `own` are the deviations of z."""
    z, p1 = P.shape
    for i in range(z):
        for k in range(z):
            a[i] += S[i, k] * own[k]
        for k in range(p1):
            a[i] -= P[i, k] * a[z + k]
            for t in range(p1):
                A[i, z + k] -= P[i, t] * A[z + t, z + k]
            A[z + k, i] = A[i, z + k]
    for i in range(z):
        for k in range(z):
            A[i, k] = S[i, k]
            for t in range(p1):
                A[i, k] -= A[i, z + t] * P[k, t]


@kernel
def conditional(T: Reals, lift: Reals, A: Reals, a: Reals, C: Reals, shift: Reals) -> None:
    """Write ``C = T - T A T`` and the conditional mean ``lift + T a`` of the shared part."""
    p1 = lift.shape[0]
    z = a.shape[0] - p1
    inner, half = np.empty((p1, p1)), np.empty((p1, p1))
    for i in range(p1):
        shift[i] = lift[i]
        for k in range(p1):
            inner[i, k] = A[z + i, z + k]
            shift[i] += T[i, k] * a[z + k]
    multiply(T, inner, half)
    multiply(half, T, C)
    for i in range(p1):
        for k in range(p1):
            C[i, k] = T[i, k] - C[i, k]
