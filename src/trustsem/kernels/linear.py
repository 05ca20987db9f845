"""Small dense linear algebra in the form the kernels need: no exceptions, a status instead; inner loops that vectorise."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.structure import Reals

__all__ = ["cholesky", "invert", "invert_definite", "multiply", "multiply_transposed", "solve_cholesky", "symmetrise"]

_SMALL, _PANEL = 128, 64


@kernel
def _factor_columns(lower: Reals, diagonal: Reals, first: int, last: int) -> bool:
    """Eliminate columns `first` to `last` of `lower` within themselves; False at a pivot that is not positive.

    Columns are taken four at a time, so that every element of the rest is loaded and stored once for four multiplications.
    """
    n = lower.shape[0]
    column = np.zeros((4, n))
    for start in range(first, last, 4):
        stop = min(start + 4, last)
        for k in range(start, stop):
            pivot = lower[k, k]
            # Below this share of the original element, rounding has destroyed the pivot.
            if not (pivot > 1e-14 * abs(diagonal[k])) or not np.isfinite(pivot):
                return False
            root = np.sqrt(pivot)
            lower[k, k] = root
            for i in range(k + 1, n):
                lower[i, k] /= root
                column[k - start, i] = lower[i, k]
            for j in range(k + 1, stop):
                factor = lower[j, k]
                for i in range(j, n):
                    lower[i, j] -= factor * lower[i, k]
        # Fewer than four columns are the last of `first` to `last`; nothing within reach follows them.
        if stop < last:
            for i in range(stop, n):
                f0, f1, f2, f3 = column[0, i], column[1, i], column[2, i], column[3, i]
                for j in range(stop, min(i + 1, last)):
                    lower[i, j] -= f0 * column[0, j] + f1 * column[1, j] + f2 * column[2, j] + f3 * column[3, j]
    return True


@kernel
def cholesky(matrix: Reals, lower: Reals) -> bool:
    """Write the lower Cholesky factor of `matrix` (n, n) to `lower`; False if `matrix` is not positive definite.

    Large matrices are factored in panels, and what a panel takes off the rest is one matrix product.
    """
    n = matrix.shape[0]
    diagonal = np.empty(n)
    for i in range(n):
        diagonal[i] = matrix[i, i]
        for j in range(i + 1):
            lower[i, j] = matrix[i, j]
        for j in range(i + 1, n):
            lower[i, j] = 0.0
    width = n if n <= _SMALL else _PANEL
    for first in range(0, n, width):
        last = min(first + width, n)
        if not _factor_columns(lower, diagonal, first, last):
            return False
        rest = n - last
        if rest > 0:
            panel, product = np.empty((rest, last - first)), np.empty((rest, rest))
            for i in range(rest):
                for j in range(last - first):
                    panel[i, j] = lower[last + i, first + j]
            multiply_transposed(panel, panel, product)
            for i in range(rest):
                for j in range(i + 1):
                    lower[last + i, last + j] -= product[i, j]
    return True


@kernel
def invert_definite(lower: Reals, inverse: Reals) -> None:
    """Write the inverse of ``L L'`` (n, n) to `inverse`, given the lower triangular L."""
    n = lower.shape[0]
    root = np.zeros((n, n))  # L^-1
    for i in range(n):
        for k in range(i):
            factor = lower[i, k]
            if factor != 0.0:
                for j in range(k + 1):
                    root[i, j] -= factor * root[k, j]
        scale = 1.0 / lower[i, i]
        for j in range(i):
            root[i, j] *= scale
        root[i, i] = scale
    for i in range(n):
        for j in range(n):
            inverse[i, j] = 0.0
    for k in range(n):
        for i in range(k + 1):
            factor = root[k, i]
            if factor != 0.0:
                for j in range(i + 1):
                    inverse[i, j] += factor * root[k, j]
    for i in range(n):
        for j in range(i):
            inverse[j, i] = inverse[i, j]


@kernel
def multiply(left: Reals, right: Reals, product: Reals) -> None:
    """Write ``left right`` to `product`. One place for BLAS calls, because each costs compilation time."""
    np.dot(left, right, product)


@kernel
def multiply_transposed(left: Reals, right: Reals, product: Reals) -> None:
    """Write ``left right'`` to `product`."""
    np.dot(left, right.T, product)


@kernel
def solve_cholesky(lower: Reals, right: Reals, solution: Reals) -> None:
    """Solve ``L L' x = right`` (n,) for `solution`."""
    n = lower.shape[0]
    for i in range(n):
        value = right[i]
        for j in range(i):
            value -= lower[i, j] * solution[j]
        solution[i] = value / lower[i, i]
    for i in range(n - 1, -1, -1):
        solution[i] /= lower[i, i]
        value = solution[i]
        for j in range(i):
            solution[j] -= lower[i, j] * value


@kernel
def invert(matrix: Reals, inverse: Reals) -> bool:
    """Write the inverse of a square `matrix` (n, n) to `inverse` by Gauss-Jordan elimination with row exchanges; False if it is singular."""
    n = matrix.shape[0]
    work = np.empty((n, n))
    scale = 0.0
    for i in range(n):
        for j in range(n):
            work[i, j] = matrix[i, j]
            scale = max(scale, abs(matrix[i, j]))
            inverse[i, j] = 0.0
        inverse[i, i] = 1.0
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(work[i, k]) > abs(work[pivot, k]):
                pivot = i
        if not abs(work[pivot, k]) > 1e-14 * scale:
            return False
        if pivot != k:
            for j in range(n):
                work[k, j], work[pivot, j] = work[pivot, j], work[k, j]
                inverse[k, j], inverse[pivot, j] = inverse[pivot, j], inverse[k, j]
        factor = 1.0 / work[k, k]
        for j in range(n):
            work[k, j] *= factor
            inverse[k, j] *= factor
        for i in range(n):
            factor = work[i, k]
            if i != k and factor != 0.0:
                for j in range(n):
                    work[i, j] -= factor * work[k, j]
                    inverse[i, j] -= factor * inverse[k, j]
    return True


@kernel
def symmetrise(matrix: Reals) -> None:
    """Make a matrix (n, n) that is symmetric up to rounding exactly so, in place."""
    for i in range(matrix.shape[0]):
        for j in range(i):
            value = 0.5 * (matrix[i, j] + matrix[j, i])
            matrix[i, j] = value
            matrix[j, i] = value
