"""Structures that have the covariances of two levels for parameters, and where a search over them starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trustsem.kernels.clusters import Clusters
from trustsem.kernels.structure import COVARIANCE, INTERCEPT, PATH, Structure
from trustsem.kernels.two_level import ClusterMoments, evaluate_two_level
from trustsem.kernels.two_level_rows import evaluate_clusters

__all__ = [
    "Shape",
    "Slopes",
    "TwoLevelMoments",
    "deviance_per_person",
    "factor_structure",
    "first_moments",
    "free_structure",
    "n_clusters",
    "n_people",
    "parameters_of",
    "scale_of",
    "shape_of",
    "slopes_at",
]

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]
Cell = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class TwoLevelMoments:
    """Maximum likelihood moments of both levels.

    Attributes
    ----------
    within, within_mean : (p1, p1) and (p1,) float
        Level 1. Means of variables that are of both levels are 0 here.
    between, between_mean : (p2, p2) and (p2,) float
        Level 2.
    deviance : float
        Minus twice the log-likelihood, without the constant ``log(2 pi)`` per value.
    n_parameters : int
    converged : bool
    """

    within: Reals
    within_mean: Reals
    between: Reals
    between_mean: Reals
    deviance: float
    n_parameters: int
    converged: bool


class Shape(NamedTuple):
    """Variables of the two levels.

    Attributes
    ----------
    p1, own : int
        How many are of level 1, and of level 2 only.
    place : (p2,) int
        Where those of level 2 stand in joint order.
    both : (p1,) bool
        Which of level 1 are of level 2, too.
    """

    p1: int
    own: int
    place: Integers
    both: NDArray[np.bool_]


class Scale(NamedTuple):
    """Mean and standard deviation of every variable, in joint order (p,)."""

    centre: Reals
    spread: Reals


def shape_of(data: ClusterMoments | Clusters) -> Shape:
    """Return the variables of `data`."""
    p1 = data.within.shape[0] if isinstance(data, ClusterMoments) else data.rows.shape[1]
    p = data.mean.shape[1] if isinstance(data, ClusterMoments) else data.own.shape[1] + p1
    return Shape(p1, p - p1, data.place, np.isin(np.arange(p - p1, p), data.place))


def scale_of(data: ClusterMoments | Clusters) -> Scale:
    """Return mean and spread of every variable, whatever the level."""
    if isinstance(data, ClusterMoments):
        z = data.mean.shape[1] - data.within.shape[0]
        centre = data.n_clusters @ data.mean / data.n_clusters.sum()
        parts = np.diagonal(data.cross, axis1=1, axis2=2) + data.n_clusters[:, None] * (data.mean - centre) ** 2
        people = float(data.n_clusters @ data.size)
        own = parts.sum(axis=0)[:z] / data.n_clusters.sum()
        level = ((data.size @ parts)[z:] + np.diag(data.within)) / people
        return Scale(centre, np.sqrt(np.concatenate([own, level])))
    patterns = np.repeat(data.pattern, np.diff(data.first))
    holes = np.zeros((data.gap_start.size - 1, data.rows.shape[1]), dtype=bool)
    holes[np.repeat(np.arange(len(holes)), np.diff(data.gap_start)), data.gaps] = True
    seen = ~holes[patterns]
    centre, variance = [], []
    for values, known in ((data.own, data.seen), (data.rows, seen)):
        mean = np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0)
        centre.append(mean)
        variance.append((np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / known.sum(axis=0))
    return Scale(np.concatenate(centre), np.sqrt(np.concatenate(variance)))


def first_moments(data: ClusterMoments | Clusters, shape: Shape) -> TwoLevelMoments:
    """Return uncorrelated variables; those of both levels have a third of their variance at level 2."""
    centre, spread = scale_of(data)
    variance = spread**2
    first = np.where(shape.both, 2.0 / 3.0, 1.0) * variance[shape.own :]
    second = np.where(shape.place >= shape.own, 1.0 / 3.0, 1.0) * variance[shape.place]
    means = np.where(shape.both, 0.0, centre[shape.own :])
    return TwoLevelMoments(np.diag(first), means, np.diag(second), centre[shape.place], np.inf, 0, False)


def _structure(shape: Shape, first: list[Cell], second: list[Cell], latent: int) -> Structure:
    """Return the structure whose parameters are the cells of the two levels in turn; level 2 has some `latent` variables with variance 1."""
    p2 = shape.place.size
    blocks: list[tuple[int, ...]] = []
    cells: list[tuple[int, ...]] = []
    columns: list[tuple[int, int]] = []
    paths = [(i, j) for kind, i, j in second if kind == PATH]
    square, vector, walked = 0, 0, 0
    for p, size, own in ((shape.p1, shape.p1, first), (p2, p2 + latent, second)):
        begin, used = (walked, len(cells), len(columns)), dict[tuple[int, int], int]()
        walked = len(paths) if own is second else 0
        for kind, i, j in own:
            u = used.setdefault((0, i), len(used))
            v = u if kind == INTERCEPT else used.setdefault((int(kind == PATH), j), len(used))
            cells.append((kind, i, j, len(cells), u, v))
        columns += list(used)
        blocks.append((p, size, 1, 1, square, vector, begin[0], walked, begin[1], len(cells), begin[2], len(columns)))
        square, vector = square + size * size, vector + size
    variances = np.diag(np.concatenate([np.zeros(p2), np.ones(latent)]))

    def integers(rows: Sequence[tuple[int, ...]], width: int) -> Integers:
        return np.array(rows, dtype=np.int64).reshape(-1, width)

    return Structure(
        blocks=integers(blocks, 12),
        paths=integers(paths, 2),
        cells=integers(cells, 6),
        columns=integers(columns, 2),
        fixed_paths=np.zeros(square),
        fixed_covariances=np.concatenate([np.zeros(shape.p1**2), variances.ravel()]),
        fixed_intercepts=np.zeros(vector),
        n_theta=len(cells),
    )


def _mean_cells(shape: Shape) -> tuple[list[Cell], list[Cell]]:
    first = [(INTERCEPT, i, 0) for i in range(shape.p1) if not shape.both[i]]
    return first, [(INTERCEPT, i, 0) for i in range(shape.place.size)]


def free_structure(shape: Shape, first: Sequence[bool] | None = None, second: Sequence[bool] | None = None) -> Structure:
    """Return the structure with free means and covariances: all, or the variances and the covariances among the marked variables of each level."""
    cells = _mean_cells(shape)
    for own, p, marked in ((cells[0], shape.p1, first), (cells[1], shape.place.size, second)):
        own += [(COVARIANCE, i, j) for i in range(p) for j in range(i + 1) if marked is None or i == j or (marked[i] and marked[j])]
    return _structure(shape, *cells, 0)


def factor_structure(shape: Shape, loadings: list[tuple[int, int]], rank: int) -> Structure:
    """Return the structure with free means, free covariances of level 1, and at level 2 the free `loadings` (variable, column) of ``L L'``."""
    first, second = _mean_cells(shape)
    first += [(COVARIANCE, i, j) for i in range(shape.p1) for j in range(i + 1)]
    second += [(PATH, i, shape.place.size + k) for i, k in loadings]
    return _structure(shape, first, second, rank)


def parameters_of(structure: Structure, start: TwoLevelMoments, loadings: Reals) -> Reals:
    """Return the parameters (K,) of the moments `start`, whose covariances of level 2 are ``L L'`` where there are latent variables."""
    theta = np.empty(structure.n_theta)
    for block, (cov, mean) in enumerate(((start.within, start.within_mean), (start.between, start.between_mean))):
        kind, i, j, k = structure.cells_of(block)[:, :4].T
        pair, path, lift = kind == COVARIANCE, kind == PATH, kind == INTERCEPT
        theta[k[pair]] = cov[i[pair], j[pair]]
        theta[k[path]] = loadings[i[path], j[path] - len(cov)]
        theta[k[lift]] = mean[i[lift]]
    return theta


def n_clusters(data: ClusterMoments | Clusters) -> float:
    """Return the number J of clusters."""
    return float(data.n_clusters.sum()) if isinstance(data, ClusterMoments) else float(len(data.start) - 1)


def n_people(data: ClusterMoments | Clusters) -> float:
    """Return the number n of people."""
    return float(data.n_clusters @ data.size) if isinstance(data, ClusterMoments) else float(len(data.rows))


def deviance_per_person(data: ClusterMoments | Clusters, structure: Structure, theta: Reals, gradient: Reals, hessian: Reals) -> float:
    """Return minus twice the log-likelihood per person, and overwrite its derivatives."""
    gradient[:], hessian[:] = 0.0, 0.0
    if isinstance(data, ClusterMoments):
        return float(evaluate_two_level(structure, 0, data, 1.0 / float(data.n_clusters @ data.size), theta, gradient, hessian))
    return float(evaluate_clusters(structure, 0, data, 1.0 / len(data.rows), theta, gradient, hessian))


class Slopes(NamedTuple):
    """Minus twice the log-likelihood per person at some moments, and its derivatives.

    Attributes
    ----------
    value : float
    inner, outer : (p1, p1) and (p2, p2) float
        By the covariances of level 1 and of level 2, as a matrix G with ``dF = tr(G dS)``.
    first, second : (p1,) and (p2,) float
        By the means; zero for those that are not free.
    """

    value: float
    inner: Reals
    outer: Reals
    first: Reals
    second: Reals


def slopes_at(data: ClusterMoments | Clusters, free: Structure, moments: TwoLevelMoments) -> Slopes:
    """Return value and derivatives at `moments`; `free` is the structure whose parameters they are."""
    gradient = np.empty(free.n_theta)
    value = deviance_per_person(data, free, parameters_of(free, moments, np.empty((0, 0))), gradient, np.empty((0, 0)))
    matrices, means = [], []
    for block, size in enumerate((len(moments.within), len(moments.between))):
        matrix, mean = np.zeros((size, size)), np.zeros(size)
        kind, i, j, k = free.cells_of(block)[:, :4].T
        pair, lift = kind == COVARIANCE, kind == INTERCEPT
        matrix[i[pair], j[pair]] = gradient[k[pair]]
        mean[i[lift]] = gradient[k[lift]]
        matrices.append(0.5 * (matrix + matrix.T))
        means.append(mean)
    return Slopes(value, *matrices, *means)
