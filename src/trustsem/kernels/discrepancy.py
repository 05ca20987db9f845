"""Discrepancy between sample and implied moments, its gradient and its expected Hessian.

Every cell's derivative of the implied covariance matrix is ``c (u v' + v u')``, with u and v two columns of
``Z = [F B | F B S B']`` (F selects the observed variables): for a path j -> i, u is column i of FB and v column j of FBSB'; for a
covariance both are columns of FB; c is 1/2 on the diagonal of S and 1 elsewhere. All traces with a weight matrix W then are
entries of ``K = Z' W Z``. The idea is in von Oertzen & Brick 2014, doi 10.3758/s13428-013-0384-4.
"""

from __future__ import annotations

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.linear import cholesky, invert_definite, multiply, multiply_transposed
from trustsem.kernels.ram import fill, propagate
from trustsem.kernels.structure import (
    CELLS,
    COLUMNS,
    COVARIANCE,
    MEANS,
    OBSERVED,
    PATH,
    VARIABLES,
    Integers,
    Moments,
    Reals,
    Structure,
)

__all__ = ["evaluate", "gather_columns"]


@kernel
def gather_columns(columns: Integers, first: int, last: int, p: int, B: Reals, V: Reals) -> Reals:
    """Return the columns of ``Z`` that some cell uses, as rows (Q, p)."""
    Z = np.empty((last - first, p))
    for k in range(last - first):
        index = columns[first + k, 1]
        if columns[first + k, 0] == 0:
            for i in range(p):
                Z[k, i] = B[i, index]
        else:
            for i in range(p):
                Z[k, i] = V[i, index]
    return Z


@kernel
def _add_derivatives(
    cells: Integers,
    first: int,
    last: int,
    means: bool,
    distinct: bool,
    share: float,
    Z: Reals,
    WZ: Reals,
    E: Reals,
    pull: Reals,
    mu: Reals,
    gradient: Reals,
    hessian: Reals,
) -> None:
    """Add one block's part of the gradient (K,) and of the expected Hessian (K, K); `pull` is ``W (xbar - mu)``, ``E = Sigma - S*``.

    If the moments weigh as `distinct` elements, the diagonal counts twice as much as it does in a trace: ``sum_i dSigma_ii,k dSigma_ii,l`` is added.
    """
    p, count = Z.shape[1], last - first
    K, EWZ = np.empty((Z.shape[0], Z.shape[0])), np.empty(Z.shape)
    multiply_transposed(WZ, Z, K)
    multiply(WZ, E, EWZ)
    pair_weight, mean_weight = np.zeros(count), np.zeros(count)
    for a in range(count):
        kind, u, v = cells[first + a, 0], cells[first + a, 4], cells[first + a, 5]
        if kind == PATH:
            pair_weight[a] = 1.0
            mean_weight[a] = mu[cells[first + a, 2]] if means else 0.0
        elif kind == COVARIANCE:
            pair_weight[a] = 0.5 if cells[first + a, 1] == cells[first + a, 2] else 1.0
        else:
            mean_weight[a] = 1.0
        slope, drift = 0.0, 0.0
        for i in range(p):
            slope += WZ[u, i] * EWZ[v, i]
            drift += Z[u, i] * pull[i]
        gradient[cells[first + a, 3]] += share * 2.0 * (pair_weight[a] * slope - mean_weight[a] * drift)
    for a in range(count):
        ua, va, ka = cells[first + a, 4], cells[first + a, 5], cells[first + a, 3]
        for b in range(a + 1):
            ub, vb, kb = cells[first + b, 4], cells[first + b, 5], cells[first + b, 3]
            value = 2.0 * pair_weight[a] * pair_weight[b] * (K[ua, ub] * K[va, vb] + K[ua, vb] * K[va, ub])
            if distinct:
                for i in range(p):
                    value += 4.0 * pair_weight[a] * pair_weight[b] * Z[ua, i] * Z[va, i] * Z[ub, i] * Z[vb, i]
            value = share * (value + 2.0 * mean_weight[a] * mean_weight[b] * K[ua, ub])
            hessian[ka, kb] += value
            if a != b:
                hessian[kb, ka] += value


@kernel
def evaluate(structure: Structure, moments: Moments, theta: Reals, gradient: Reals, hessian: Reals) -> float:
    """Return the discrepancy at `theta`; infinite where it is not defined.

    Parameters
    ----------
    structure : Structure
    moments : Moments
    theta : (K,) float
    gradient, hessian : (K,) and (K, K) float
        Overwritten with the gradient and the expected Hessian; left alone if they are empty, so that only the discrepancy is computed.

    Returns
    -------
    float
        Sum over blocks of ``share * F``, with F the maximum likelihood discrepancy ``log|Sigma| + tr(S Sigma^-1) - log|S| - p + d' Sigma^-1 d``
        or the
        generalized least squares discrepancy ``1/2 tr[(W (S - Sigma))^2] + d' W d``, where ``d = xbar - mu``, or the unweighted sum of squares of the
        distinct elements of ``S - Sigma`` and of d.
    """
    total = 0.0
    size_theta = gradient.shape[0]
    for k in range(size_theta):
        gradient[k] = 0.0
        for q in range(size_theta):
            hessian[k, q] = 0.0
    for block in range(structure.blocks.shape[0]):
        p, size = structure.blocks[block, OBSERVED], structure.blocks[block, VARIABLES]
        means = structure.blocks[block, MEANS] == 1
        A, S, B, V = np.empty((size, size)), np.empty((size, size)), np.empty((size, size)), np.empty((size, size))
        m, mu = np.empty(size), np.empty(size)
        fill(structure, block, theta, A, S, m)
        if not propagate(structure, block, A, S, m, B, V, mu):
            return np.inf
        offset, mean_offset = moments.start[block], moments.mean_start[block]
        sample, implied, E = np.empty((p, p)), np.empty((p, p)), np.empty((p, p))
        W, d, pull = np.empty((p, p)), np.zeros(p), np.zeros(p)
        for i in range(p):
            if means:
                d[i] = moments.mean[mean_offset + i] - mu[i]
            for j in range(p):
                implied[i, j] = V[i, j]
                sample[i, j] = moments.cov[offset + i * p + j]
                E[i, j] = V[i, j] - sample[i, j]
        value = moments.constant[block]
        if moments.discrepancy == 0:
            lower = np.empty((p, p))
            if not cholesky(implied, lower):
                return np.inf
            invert_definite(lower, W)
            for i in range(p):
                value += 2.0 * np.log(lower[i, i])
                for j in range(p):
                    value += W[i, j] * sample[i, j]
                    E[i, j] -= d[i] * d[j]
        elif moments.discrepancy == 1:
            for i in range(p):
                for j in range(p):
                    W[i, j] = moments.weight[offset + i * p + j]
            WE = np.empty((p, p))
            multiply(W, E, WE)
            for i in range(p):
                for j in range(p):
                    value += 0.5 * WE[i, j] * WE[j, i]
        else:
            for i in range(p):
                for j in range(p):
                    W[i, j] = 1.0 if i == j else 0.0
                    if j <= i:
                        value += E[i, j] * E[i, j]
                E[i, i] *= 2.0
        for i in range(p):
            for j in range(p):
                pull[i] += W[i, j] * d[j]
            value += d[i] * pull[i]
        total += moments.share[block] * value
        if not np.isfinite(total):
            return np.inf
        if size_theta > 0:
            first, last, share = structure.blocks[block, CELLS], structure.blocks[block, CELLS + 1], moments.share[block]
            Z = gather_columns(structure.columns, structure.blocks[block, COLUMNS], structure.blocks[block, COLUMNS + 1], p, B, V)
            WZ = np.empty(Z.shape)
            multiply(Z, W, WZ)
            _add_derivatives(structure.cells, first, last, means, moments.discrepancy == 2, share, Z, WZ, E, pull, mu, gradient, hessian)
    return total
