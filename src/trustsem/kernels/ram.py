"""Implied moments of a RAM model (McArdle & McDonald 1984, doi 10.1111/j.2044-8317.1984.tb00802.x)."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.linear import invert, multiply, symmetrise
from trustsem.kernels.structure import CELLS, COVARIANCE, PATH, PATHS, RECURSIVE, SQUARE, VECTOR, Integers, Reals, Structure

__all__ = ["fill", "propagate"]


@kernel
def fill(structure: Structure, block: int, theta: Reals, A: Reals, S: Reals, m: Reals) -> None:
    """Write the matrices ``A``, ``S`` (m, m) and the vector ``m`` (m,) of one block at `theta`."""
    size = m.shape[0]
    offset, vector = structure.blocks[block, SQUARE], structure.blocks[block, VECTOR]
    for i in range(size):
        m[i] = structure.fixed_intercepts[vector + i]
        for j in range(size):
            A[i, j] = structure.fixed_paths[offset + i * size + j]
            S[i, j] = structure.fixed_covariances[offset + i * size + j]
    for c in range(structure.blocks[block, CELLS], structure.blocks[block, CELLS + 1]):
        kind, i, j = structure.cells[c, 0], structure.cells[c, 1], structure.cells[c, 2]
        value = theta[structure.cells[c, 3]]
        if kind == PATH:
            A[i, j] = value
        elif kind == COVARIANCE:
            S[i, j] = value
            S[j, i] = value
        else:
            m[i] = value


@kernel
def _follow(paths: Integers, first: int, last: int, A: Reals, X: Reals) -> None:
    """Solve ``(I - A) X = Y`` in place, row by row: a row takes on the weighted rows of its causes, which come first."""
    for k in range(first, last):
        i, j = paths[k, 0], paths[k, 1]
        weight = A[i, j]
        if weight != 0.0:
            for t in range(X.shape[1]):
                X[i, t] += weight * X[j, t]


@kernel
def propagate(structure: Structure, block: int, A: Reals, S: Reals, m: Reals, B: Reals, V: Reals, mu: Reals) -> bool:
    """Write ``B = (I - A)^-1``, ``V = B S B'`` and ``mu = B m`` of one block; False if ``I - A`` is singular.

    Recursive models need no inverse; each product costs (number of paths) x (number of variables). Others have a dense one.
    """
    size = m.shape[0]
    recursive = structure.blocks[block, RECURSIVE] == 1
    first, last = structure.blocks[block, PATHS], structure.blocks[block, PATHS + 1]
    work = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            work[i, j] = -A[i, j]
            B[i, j] = 0.0
        work[i, i] += 1.0
        B[i, i] = 1.0
    if recursive:
        _follow(structure.paths, first, last, A, B)
    elif not invert(work, B):
        return False
    for i in range(size):
        mu[i] = 0.0
        for j in range(size):
            mu[i] += B[i, j] * m[j]
            work[j, i] = B[i, j]
            V[i, j] = 0.0
    for i in range(size):
        for j in range(size):
            weight = S[i, j]
            if weight != 0.0:
                for t in range(size):
                    V[i, t] += weight * work[j, t]
    if recursive:
        _follow(structure.paths, first, last, A, V)
    else:
        for i in range(size):
            for j in range(size):
                work[i, j] = V[i, j]
        multiply(B, work, V)
    # Rounding leaves V symmetric to the last bit only; what follows relies on exact symmetry.
    symmetrise(V)
    return True
