"""Implied moments of a RAM model (McArdle & McDonald 1984, doi 10.1111/j.2044-8317.1984.tb00802.x)."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.linear import invert, multiply, multiply_transposed, symmetrise
from trustsem.kernels.structure import Reals, Structure

__all__ = ["fill", "propagate"]


@kernel
def fill(structure: Structure, block: int, theta: Reals, A: Reals, S: Reals, m: Reals) -> None:
    """Write the matrices ``A``, ``S`` (m, m) and the vector ``m`` (m,) of one block at `theta`."""
    size = structure.n_variables[block]
    offset = structure.square[block]
    vector = structure.vector[block]
    for i in range(size):
        m[i] = structure.fixed_intercepts[vector + i]
        for j in range(size):
            A[i, j] = structure.fixed_paths[offset + i * size + j]
            S[i, j] = structure.fixed_covariances[offset + i * size + j]
    for c in range(structure.cell_start[block], structure.cell_start[block + 1]):
        i = structure.cell_row[c]
        j = structure.cell_column[c]
        value = theta[structure.cell_theta[c]]
        kind = structure.cell_kind[c]
        if kind == 0:
            A[i, j] = value
        elif kind == 1:
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
def propagate(structure: Structure, block: int, A: Reals, S: Reals, m: Reals, B: Reals, V: Reals, mu: Reals) -> bool:
    """Write ``B = (I - A)^-1``, ``V = B S B'`` and ``mu = B m`` of one block; False if ``I - A`` is singular.

    Recursive models need no inverse: row i of ``(I - A) X = Y`` is solved by adding its causes' rows, which come first. Each
    product therefore costs (number of paths) x (number of variables).
    """
    size = structure.n_variables[block]
    if structure.recursive[block] == 0:
        return _propagate_cycles(A, S, m, B, V, mu)
    first, last = structure.path_start[block], structure.path_start[block + 1]
    for i in range(size):
        for j in range(size):
            B[i, j] = 0.0
        B[i, i] = 1.0
        mu[i] = m[i]
    for k in range(first, last):
        i = structure.path_row[k]
        j = structure.path_column[k]
        weight = A[i, j]
        if weight != 0.0:
            mu[i] += weight * mu[j]
            for t in range(size):
                B[i, t] += weight * B[j, t]
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
    for k in range(first, last):
        i = structure.path_row[k]
        j = structure.path_column[k]
        weight = A[i, j]
        if weight != 0.0:
            for t in range(size):
                V[i, t] += weight * V[j, t]
    symmetrise(V)
    return True
