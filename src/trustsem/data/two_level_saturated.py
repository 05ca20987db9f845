"""The saturated and the independence model of two-level data, by maximum likelihood.

Both are fitted by Fisher scoring as the structural models they are. The covariances of level 2 must be positive semidefinite; where the likelihood is
larger beyond, its maximum has fewer dimensions than variables, and is sought among matrices ``L L'`` with as many columns as it has dimensions: there
the scoring converges as fast as elsewhere. Large models begin with EM steps (Dempster, Laird & Rubin 1977; for two levels, Lee & Poon 1998), which
are cheap and stay inside the border, and tell which dimensions vanish: their variance halves when the number of steps doubles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trustsem.data.two_level_shapes import (
    Shape,
    TwoLevelMoments,
    deviance_per_person,
    factor_structure,
    first_moments,
    free_structure,
    n_clusters,
    n_people,
    parameters_of,
    scale_of,
    shape_of,
    slopes_at,
)
from trustsem.kernels.clusters import Clusters
from trustsem.kernels.levels import levels_at
from trustsem.kernels.scoring import CONVERGED, STATUS, X, advance, new_search
from trustsem.kernels.structure import Structure
from trustsem.kernels.two_level import ClusterMoments

__all__ = ["independent_levels", "saturated_levels"]

Reals = NDArray[np.float64]

_LIMIT, _TOLERANCE = 300, 1e-15
_RANK = 1e-7  # in standard units: dimensions with less variance are none
_LARGE = 250  # parameters beyond which a scoring step costs more than many EM steps
_STEPS, _VANISHING = 100, 0.75
_ROUND, _THIN = 40, 1e-4  # iterations between looks at the dimensions, and variance below which one holds the search up


def _fit(
    data: ClusterMoments | Clusters, structure: Structure, shape: Shape, start: TwoLevelMoments, loadings: Reals, limit: int = _LIMIT
) -> TwoLevelMoments:
    """Maximise the likelihood over the parameters of `structure`."""
    size, p1, p2 = structure.n_theta, shape.p1, shape.place.size
    bound = np.full(size, np.inf)
    first = parameters_of(structure, start, loadings)
    search = new_search(first, np.empty((0, 0)), np.empty(0), False, -bound, bound, size, limit, _TOLERANCE)
    while advance(search, deviance_per_person(data, structure, search.theta, search.gradient, search.hessian)):
        pass
    theta = search.points[X].copy()
    levels = levels_at(structure, 0, shape.place, shape.both.size + shape.own, theta)
    deviance = deviance_per_person(data, structure, theta, np.empty(0), np.empty((0, 0))) * n_people(data)
    moments = (levels.V1[:p1, :p1], levels.mu1[:p1], levels.V2[:p2, :p2], levels.mu2[:p2])
    return TwoLevelMoments(*moments, deviance, size, int(search.counts[STATUS]) == CONVERGED)


def independent_levels(data: ClusterMoments | Clusters, exogenous: tuple[Sequence[bool], Sequence[bool]]) -> TwoLevelMoments:
    """Fit the independence model: no variable is correlated with another, but for exogenous ones among themselves.

    Parameters
    ----------
    data : ClusterMoments or Clusters
    exogenous : pair of sequences of bool
        Which variables of level 1 (p1) and of level 2 (p2) are exogenous.

    Returns
    -------
    TwoLevelMoments
        `n_parameters` counts all variances, means, and covariances of exogenous variables.
    """
    shape = shape_of(data)
    return _fit(data, free_structure(shape, *exogenous), shape, first_moments(data, shape), np.empty((0, 0)))


def saturated_levels(data: ClusterMoments | Clusters, *, semidefinite: bool = True) -> TwoLevelMoments:
    """Fit the saturated model.

    Parameters
    ----------
    data : ClusterMoments or Clusters
        In :class:`Clusters`, every two variables of a level must be observed together.
    semidefinite : bool
        Whether the covariances of level 2 must be positive semidefinite. A model that allows negative variances is nested in the saturated one only
        if that allows them, too.

    Returns
    -------
    TwoLevelMoments
        `converged` is false where the likelihood has no maximum, as with fewer clusters than variables and ``semidefinite=False``.
    """
    shape = shape_of(data)
    free, start = free_structure(shape), first_moments(data, shape)
    spread = scale_of(data).spread[shape.place]
    if free.n_theta > _LARGE:
        start, cov = _expectation_maximisation(data, shape, free, start, spread)
        if semidefinite and _dimensions(cov, spread) < shape.place.size:
            return _on_the_border(data, shape, free, start, cov, spread)
    found = _fit(data, free, shape, start, np.empty((0, 0)))
    if not semidefinite or (found.converged and _dimensions(found.between, spread) == shape.place.size):
        return found
    start = found if found.converged else start
    return _on_the_border(data, shape, free, start, _clipped(start.between, spread, _RANK), spread)


def _expectation_maximisation(
    data: ClusterMoments | Clusters, shape: Shape, free: Structure, moments: TwoLevelMoments, spread: Reals
) -> tuple[TwoLevelMoments, Reals]:
    """Return the moments after some EM steps, and their covariances of level 2 without the dimensions that are vanishing."""
    people, clusters = n_people(data), n_clusters(data)
    own = np.flatnonzero(~shape.both)
    halfway = moments
    for step in range(2 * _STEPS):
        if step == _STEPS:
            halfway = moments
        slopes = slopes_at(data, free, moments)
        within = moments.within - moments.within @ slopes.inner @ moments.within
        between = moments.between - people / clusters * moments.between @ slopes.outer @ moments.between
        within_mean = moments.within_mean.copy()
        weight = np.linalg.inv(moments.within)[np.ix_(own, own)]
        within_mean[own] -= 0.5 * np.linalg.solve(weight, slopes.first[own])
        between_mean = moments.between_mean - 0.5 * people / clusters * moments.between @ slopes.second
        moments = replace(
            moments, within=0.5 * (within + within.T), between=0.5 * (between + between.T), within_mean=within_mean, between_mean=between_mean
        )
    unit = np.outer(spread, spread)
    before, after = np.linalg.eigvalsh(halfway.between / unit), np.linalg.eigvalsh(moments.between / unit)
    vanishing = after < _VANISHING * before
    return moments, _clipped(moments.between, spread, float(after[vanishing].max(initial=_RANK)))


def _dimensions(cov: Reals, spread: Reals) -> int:
    return int((np.linalg.eigvalsh(cov / np.outer(spread, spread)) > _RANK).sum())


def _clipped(cov: Reals, spread: Reals, least: float) -> Reals:
    """Return `cov` (p2, p2) without the dimensions that have no more than the `least` variance, in standard units."""
    unit = np.outer(spread, spread)
    values, vectors = np.linalg.eigh(cov / unit)
    kept = values > least
    return np.asarray((vectors[:, kept] * values[kept]) @ vectors[:, kept].T * unit)


def _on_the_border(
    data: ClusterMoments | Clusters, shape: Shape, free: Structure, moments: TwoLevelMoments, cov: Reals, spread: Reals
) -> TwoLevelMoments:
    """Maximise over positive semidefinite matrices, from `moments` and `cov` (p2, p2).

    Dimensions are dropped where the estimate has them not, and added where the likelihood asks for them.
    """
    for _ in range(4 * shape.place.size):
        rank, height = _dimensions(cov, spread), moments.deviance
        loadings, cells = _pivoted_factor(cov, spread, rank)
        moments = _fit(data, factor_structure(shape, cells, rank), shape, moments, loadings, _ROUND)
        cov = _clipped(moments.between, spread, _RANK if moments.converged else _THIN)
        if _dimensions(cov, spread) < rank:
            continue
        if moments.converged:
            values, vectors = np.linalg.eigh(slopes_at(data, free, moments).outer * np.outer(spread, spread))
            if values[0] >= -_RANK:
                break
            cov = cov + 1e-3 * np.outer(vectors[:, 0] * spread, vectors[:, 0] * spread)
        elif height - moments.deviance < 1e-6:
            break
    else:
        moments = replace(moments, converged=False)
    return replace(moments, n_parameters=free.n_theta)


def _pivoted_factor(cov: Reals, spread: Reals, rank: int) -> tuple[Reals, list[tuple[int, int]]]:
    """Return L (p2, rank) with ``L L' = cov``, and its free elements: column k is zero in the pivots of the columns before."""
    p2 = len(cov)
    L, rest, pivots, cells = np.zeros((p2, rank)), cov.copy(), list[int](), list[tuple[int, int]]()
    for k in range(rank):
        pivot = max((i for i in range(p2) if i not in pivots), key=lambda i: rest[i, i] / spread[i] ** 2)
        L[:, k] = rest[:, pivot] / np.sqrt(rest[pivot, pivot])
        rest = rest - np.outer(L[:, k], L[:, k])
        cells += [(i, k) for i in range(p2) if i not in pivots]
        pivots.append(pivot)
    return L, cells
