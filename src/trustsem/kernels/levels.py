"""What both levels of a two-level model imply, in one order of variables, and sums of derivatives over the cells of both.

All vectors of a cluster are in *joint order*: the p - p1 variables of level 2 only, then the p1 variables of level 1. Sw (p1, p1) are the covariances
of level 1, and Sb (p, p) those of level 2, with zeros for the variables that are of level 1 only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.discrepancy import gather_columns
from trustsem.kernels.linear import cholesky, invert_definite, multiply, multiply_transposed
from trustsem.kernels.ram import fill, propagate
from trustsem.kernels.structure import CELLS, COLUMNS, COVARIANCE, OBSERVED, PATH, VARIABLES, Integers, Reals, Structure

__all__ = ["JointCells", "Levels", "add_expected", "add_gradient", "add_within", "join_cells", "levels_at", "scatter"]


class Levels(NamedTuple):
    """What both levels imply at some theta.

    Attributes
    ----------
    B1, V1, mu1, B2, V2, mu2
        Total effects, implied covariances and means of all variables of either level.
    W : (p1, p1) float
        Inverse of Sw.
    log_determinant : float
        Of Sw; NaN if the model implies no covariances at this theta, or Sw is not positive definite.
    between : (p, p) float
        Sb in joint order, with zeros for the variables that are of level 1 only.
    mean : (p,) float
        Means in joint order: those of the two levels add up.
    """

    B1: Reals
    V1: Reals
    mu1: Reals
    B2: Reals
    V2: Reals
    mu2: Reals
    W: Reals
    log_determinant: float
    between: Reals
    mean: Reals


class JointCells(NamedTuple):
    """The cells of level 1, then of level 2.

    Attributes
    ----------
    Z : (Q, p) float
        Their columns in joint order, as rows; first those of level 1.
    own : (Q1, p1) float
        Those of level 1, without the variables of level 2 only.
    places : (C, 3) int
        Parameter of each cell, and its pair of rows of `Z`.
    pair, drift : (C,) float
        Weight of its derivative of the covariances, and of the means.
    first : int
        Number of cells of level 1.
    """

    Z: Reals
    own: Reals
    places: Integers
    pair: Reals
    drift: Reals
    first: int


@kernel
def _block(structure: Structure, block: int, theta: Reals) -> tuple[bool, Reals, Reals, Reals]:
    """Return whether one block implies moments at `theta`, and its ``B``, ``V`` and ``mu``."""
    size = structure.blocks[block, VARIABLES]
    A, S, B, V = np.empty((size, size)), np.empty((size, size)), np.empty((size, size)), np.empty((size, size))
    m, mu = np.empty(size), np.empty(size)
    fill(structure, block, theta, A, S, m)
    defined = propagate(structure, block, A, S, m, B, V, mu)
    return defined, B, V, mu


@kernel
def levels_at(structure: Structure, within: int, place: Integers, p: int, theta: Reals) -> Levels:
    """Return what levels 1 and 2 (blocks `within` and ``within + 1``) imply at `theta`."""
    p1 = structure.blocks[within, OBSERVED]
    first, B1, V1, mu1 = _block(structure, within, theta)
    second, B2, V2, mu2 = _block(structure, within + 1, theta)
    W, between, mean = np.empty((p1, p1)), np.zeros((p, p)), np.zeros(p)
    covariances, lower = np.empty((p1, p1)), np.empty((p1, p1))
    for i in range(p1):
        mean[p - p1 + i] = mu1[i]
        for j in range(p1):
            covariances[i, j] = V1[i, j]
    for i in range(place.shape[0]):
        mean[place[i]] += mu2[i]
        for j in range(place.shape[0]):
            between[place[i], place[j]] = V2[i, j]
    log_determinant = np.nan
    if first and second and cholesky(covariances, lower):
        invert_definite(lower, W)
        log_determinant = 0.0
        for i in range(p1):
            log_determinant += 2.0 * np.log(lower[i, i])
    return Levels(B1, V1, mu1, B2, V2, mu2, W, log_determinant, between, mean)


@kernel
def join_cells(structure: Structure, within: int, place: Integers, levels: Levels) -> JointCells:
    """Return the cells of both levels in joint order."""
    blocks, p, p1 = structure.blocks, levels.mean.shape[0], levels.W.shape[0]
    start, middle, end = blocks[within, CELLS], blocks[within, CELLS + 1], blocks[within + 1, CELLS + 1]
    Z1 = gather_columns(structure.columns, blocks[within, COLUMNS], blocks[within, COLUMNS + 1], p1, levels.B1, levels.V1)
    Z2 = gather_columns(structure.columns, blocks[within + 1, COLUMNS], blocks[within + 1, COLUMNS + 1], place.shape[0], levels.B2, levels.V2)
    first, columns = middle - start, Z1.shape[0]
    Z = np.zeros((columns + Z2.shape[0], p))
    for k in range(columns):
        for i in range(p1):
            Z[k, p - p1 + i] = Z1[k, i]
    for k in range(Z2.shape[0]):
        for i in range(place.shape[0]):
            Z[columns + k, place[i]] = Z2[k, i]
    index, pair, drift = np.empty((end - start, 3), np.int64), np.zeros(end - start), np.zeros(end - start)
    for a in range(end - start):
        cell = structure.cells[start + a]
        shift = 0 if a < first else columns
        index[a, 0], index[a, 1], index[a, 2] = cell[3], cell[4] + shift, cell[5] + shift
        if cell[0] == PATH:
            pair[a] = 1.0
            drift[a] = levels.mu1[cell[2]] if a < first else levels.mu2[cell[2]]
        elif cell[0] == COVARIANCE:
            pair[a] = 0.5 if cell[1] == cell[2] else 1.0
        else:
            drift[a] = 1.0
    return JointCells(Z, Z1, index, pair, drift, first)


@kernel
def add_gradient(cells: JointCells, share: float, inner: Reals, outer: Reals, pull: Reals, gradient: Reals) -> None:
    """Add `share` times the gradient (K,) of minus twice the log-likelihood.

    Its derivatives are `inner` (p1, p1) by Sw, `outer` (p, p) by Sb, and ``-2 pull`` (p,) by the means.
    """
    p, p1 = outer.shape[0], inner.shape[0]
    first, second = np.empty(cells.own.shape), np.empty(cells.Z.shape)
    multiply(cells.own, inner, first)
    multiply(cells.Z, outer, second)
    for a in range(cells.pair.shape[0]):
        k, u, v = cells.places[a, 0], cells.places[a, 1], cells.places[a, 2]
        slope, lift = 0.0, 0.0
        if a < cells.first:
            for i in range(p1):
                slope += first[u, i] * cells.own[v, i]
                lift += cells.own[u, i] * pull[p - p1 + i]
        else:
            for i in range(p):
                slope += second[u, i] * cells.Z[v, i]
                lift += cells.Z[u, i] * pull[i]
        gradient[k] += share * 2.0 * (cells.pair[a] * slope - cells.drift[a] * lift)


@kernel
def add_expected(cells: JointCells, A: Reals, size: float, count: float, total: Reals) -> None:
    """Add the expected Hessian of `count` normal vectors with the covariances ``Sb + Sw / size``, whose inverse is `A` (p, p).

    It goes to the lower triangle of `total` (C, C), over cells.
    """
    Z = cells.Z
    half, K = np.empty(Z.shape), np.empty((Z.shape[0], Z.shape[0]))
    multiply(Z, A, half)
    multiply_transposed(half, Z, K)
    last = cells.pair.shape[0]
    pair = np.empty(last)
    for a in range(last):
        pair[a] = cells.pair[a] / size if a < cells.first else cells.pair[a]
    for a in range(last):
        ua, va = cells.places[a, 1], cells.places[a, 2]
        pa, da = 2.0 * count * pair[a], 2.0 * count * cells.drift[a]
        for b in range(a + 1):
            ub, vb = cells.places[b, 1], cells.places[b, 2]
            total[a, b] += pa * pair[b] * (K[ua, ub] * K[va, vb] + K[ua, vb] * K[va, ub]) + da * cells.drift[b] * K[ua, ub]


@kernel
def add_within(cells: JointCells, W: Reals, count: float, total: Reals) -> None:
    """Add the expected Hessian of `count` deviations with the covariances Sw, whose inverse is `W`, to the lower triangle of `total` (C, C)."""
    half, K = np.empty(cells.own.shape), np.empty((cells.own.shape[0], cells.own.shape[0]))
    multiply(cells.own, W, half)
    multiply_transposed(half, cells.own, K)
    for a in range(cells.first):
        ua, va, pa = cells.places[a, 1], cells.places[a, 2], 2.0 * count * cells.pair[a]
        for b in range(a + 1):
            ub, vb = cells.places[b, 1], cells.places[b, 2]
            total[a, b] += pa * cells.pair[b] * (K[ua, ub] * K[va, vb] + K[ua, vb] * K[va, ub])


@kernel
def scatter(cells: JointCells, share: float, total: Reals, hessian: Reals) -> None:
    """Add `share` times the matrix over cells whose lower triangle is in `total` (C, C) to the matrix over parameters (K, K)."""
    for a in range(total.shape[0]):
        for b in range(a + 1):
            hessian[cells.places[a, 0], cells.places[b, 0]] += share * total[a, b]
            if a != b:
                hessian[cells.places[b, 0], cells.places[a, 0]] += share * total[a, b]
