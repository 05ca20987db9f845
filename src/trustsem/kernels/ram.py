"""Implied moments of a RAM model (McArdle & McDonald 1984, doi 10.1111/j.2044-8317.1984.tb00802.x)."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.linear import invert, multiply, multiply_transposed, symmetrise
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
def _propagate_cycles(A: Reals, S: Reals, m: Reals, B: Reals, V: Reals, mu: Reals) -> bool:
    """Do what :func:`propagate` does for a block whose paths form a cycle, with a dense inverse."""
    size = A.shape[0]
    system = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            system[i, j] = -A[i, j]
        system[i, i] += 1.0
    if not invert(system, B):
        return False
    multiply(B, S, system)
    multiply_transposed(system, B, V)
    for i in range(size):
        mu[i] = 0.0
        for j in range(size):
            mu[i] += B[i, j] * m[j]
    symmetrise(V)
    return True


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

    Recursive models need no inverse; each product costs (number of paths) x (number of variables).
    """
    size = m.shape[0]
    if structure.blocks[block, RECURSIVE] == 0:
        return _propagate_cycles(A, S, m, B, V, mu)
    first, last = structure.blocks[block, PATHS], structure.blocks[block, PATHS + 1]
    for i in range(size):
        mu[i] = m[i]
        for j in range(size):
            B[i, j] = 1.0 if i == j else 0.0
    _follow(structure.paths, first, last, A, B)
    for k in range(first, last):
        i, j = structure.paths[k, 0], structure.paths[k, 1]
        mu[i] += A[i, j] * mu[j]
    transposed = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            transposed[j, i] = B[i, j]
            V[i, j] = 0.0
    for i in range(size):
        for j in range(size):
            weight = S[i, j]
            if weight != 0.0:
                for t in range(size):
                    V[i, t] += weight * transposed[j, t]
    _follow(structure.paths, first, last, A, V)
    # Rounding leaves V symmetric to the last bit only; what follows relies on exact symmetry.
    symmetrise(V)
    return True
