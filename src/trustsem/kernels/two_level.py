"""Normal likelihood of people in clusters: random intercepts, complete data (McDonald & Goldstein 1989, doi 10.1111/j.2044-8317.1989.tb00911.x).

A person's variables are the sum of a part of the person's own, with covariances ``Sw`` (level 1), and a part shared by the cluster, with covariances
``Sb`` (level 2); variables z of the cluster itself belong to level 2 only. An orthonormal transformation of the s people of a cluster leaves s - 1
independent deviations with covariances Sw, and the means, which with z have covariances ``Omega_s = Sb + Sw / s``. So the likelihood is a sum of
ordinary ones, over the distinct cluster sizes, and so are its gradient and expected Hessian: the derivative of ``Omega_s`` by a cell of level 1 is
that of Sw divided by s.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.levels import Levels, add_expected, add_gradient, add_within, join_cells, levels_at, scatter
from trustsem.kernels.linear import cholesky, invert_definite, multiply
from trustsem.kernels.structure import Integers, Reals, Structure

__all__ = ["ClusterMoments", "evaluate_two_level"]


class ClusterMoments(NamedTuple):
    """Complete clustered data, reduced to what the likelihood needs; variables in joint order (see :mod:`trustsem.kernels.levels`).

    Attributes
    ----------
    place : (p2,) int
        Where each variable of level 2 stands in joint order.
    freedom : float
        Number of people less number of clusters.
    within : (p1, p1) float
        Sum of cross-products of the people's deviations from the means of their clusters.
    size, n_clusters : (D,) float
        The distinct cluster sizes, and the number of clusters of each.
    mean : (D, p) float
        Mean over clusters of one size of the cluster's means.
    cross : (D, p, p) float
        Sum of cross-products of the clusters' means about it.
    """

    place: Integers
    freedom: float
    within: Reals
    size: Reals
    n_clusters: Reals
    mean: Reals
    cross: Reals


@kernel
def _add_size(data: ClusterMoments, d: int, levels: Levels, A: Reals, outer: Reals, pull: Reals) -> float:
    """Write ``Omega_s^-1`` of one cluster size to `A`, the derivatives by ``Omega_s`` to `outer`, and minus half of those by the means to `pull`.

    Returns
    -------
    float
        The size's part of the value; infinite if undefined.
    """
    p, p1 = levels.mean.shape[0], levels.W.shape[0]
    z, count, size = p - p1, data.n_clusters[d], data.size[d]
    omega, lower, cross, half = np.empty((p, p)), np.empty((p, p)), np.empty((p, p)), np.empty((p, p))
    gap = np.empty(p)
    for i in range(p):
        gap[i] = data.mean[d, i] - levels.mean[i]
    for i in range(p):
        for j in range(p):
            omega[i, j] = levels.between[i, j]
            if i >= z and j >= z:
                omega[i, j] += levels.V1[i - z, j - z] / size
            cross[i, j] = data.cross[d, i, j] + count * gap[i] * gap[j]
    if not cholesky(omega, lower):
        return np.inf
    invert_definite(lower, A)
    value = count * p1 * np.log(size)
    for i in range(p):
        value += 2.0 * count * np.log(lower[i, i])
        pull[i] = 0.0
        for j in range(p):
            value += A[i, j] * cross[i, j]
            pull[i] += count * A[i, j] * gap[j]
    multiply(A, cross, half)
    multiply(half, A, outer)
    for i in range(p):
        for j in range(p):
            outer[i, j] = count * A[i, j] - outer[i, j]
    return float(value)


@kernel
def _add_deviations(data: ClusterMoments, levels: Levels, inner: Reals) -> float:
    """Return the part of the value that deviations from the clusters' means have, and write its derivatives by Sw to `inner` (p1, p1)."""
    p1, value = inner.shape[0], data.freedom * levels.log_determinant
    half = np.empty((p1, p1))
    multiply(levels.W, data.within, half)
    multiply(half, levels.W, inner)
    for i in range(p1):
        value += half[i, i]
        for j in range(p1):
            inner[i, j] = data.freedom * levels.W[i, j] - inner[i, j]
    return float(value)


@kernel
def evaluate_two_level(structure: Structure, within: int, data: ClusterMoments, share: float, theta: Reals, gradient: Reals, hessian: Reals) -> float:
    """Return `share` times minus twice the log-likelihood of one group, without its constant ``log(2 pi)`` per value; infinite where undefined.

    Parameters
    ----------
    structure : Structure
    within : int
        The group's block of level 1; that of level 2 is the next.
    data : ClusterMoments
    share : float
    theta : (K,) float
    gradient, hessian : (K,) and (K, K) float
        The gradient and the expected Hessian are added to them. Either may be empty: it is left alone then.

    Returns
    -------
    float
    """
    p, p1 = data.mean.shape[1], data.within.shape[0]
    z = p - p1
    levels = levels_at(structure, within, data.place, p, theta)
    if not np.isfinite(levels.log_determinant):
        return np.inf
    slope, curvature = gradient.shape[0] > 0, hessian.shape[0] > 0
    cells = join_cells(structure, within, data.place, levels)
    total = np.zeros((cells.pair.shape[0], cells.pair.shape[0]))
    A, outer, pull, inner = np.empty((p, p)), np.empty((p, p)), np.empty(p), np.empty((p1, p1))
    outer_sum, pull_sum = np.zeros((p, p)), np.zeros(p)
    value = _add_deviations(data, levels, inner)
    if curvature:
        add_within(cells, levels.W, data.freedom, total)
    for d in range(data.size.shape[0]):
        value += _add_size(data, d, levels, A, outer, pull)
        if not np.isfinite(value):
            return np.inf
        if curvature:
            add_expected(cells, A, data.size[d], data.n_clusters[d], total)
        for i in range(p):
            pull_sum[i] += pull[i]
            for j in range(p):
                outer_sum[i, j] += outer[i, j]
                if i >= z and j >= z:
                    inner[i - z, j - z] += outer[i, j] / data.size[d]
    if slope:
        add_gradient(cells, share, inner, outer_sum, pull_sum, gradient)
    if curvature:
        scatter(cells, share, total, hessian)
    return share * value
