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
from trustsem.kernels.structure import Moments, Reals, Structure

__all__ = ["evaluate"]


@kernel
def _columns(structure: Structure, block: int, B: Reals, V: Reals) -> Reals:
    """Return the columns of ``Z`` that some cell uses, as rows (Q, p)."""
    p = structure.n_observed[block]
    first = structure.z_start[block]
    count = structure.z_start[block + 1] - first
    Z = np.empty((count, p))
    for k in range(count):
        index = structure.z_index[first + k]
        if structure.z_kind[first + k] == 0:
            for i in range(p):
                Z[k, i] = B[i, index]
        else:
            for i in range(p):
                Z[k, i] = V[i, index]
    return Z


@kernel
def _add_derivatives(
    structure: Structure,
    block: int,
    share: float,
    Z: Reals,
    WZ: Reals,
    R: Reals,
    pull: Reals,
    mu: Reals,
    gradient: Reals,
    hessian: Reals,
) -> None:
    """Add one block's part of the gradient (K,) and of the expected Hessian (K, K); `pull` is ``W (xbar - mu)``, ``R = W (Sigma - S*) W``."""
    first, last = structure.cell_start[block], structure.cell_start[block + 1]
    p = Z.shape[1]
    K, RZ = np.empty((Z.shape[0], Z.shape[0])), np.empty(Z.shape)
    multiply_transposed(WZ, Z, K)
    multiply(Z, R, RZ)
    count = last - first
    pair_weight = np.zeros(count)
    mean_weight = np.zeros(count)
    for a in range(count):
        c = first + a
        kind = structure.cell_kind[c]
        u, v = structure.cell_u[c], structure.cell_v[c]
        if kind == 0:
            pair_weight[a] = 1.0
            mean_weight[a] = mu[structure.cell_column[c]]
        elif kind == 1:
            pair_weight[a] = 0.5 if structure.cell_row[c] == structure.cell_column[c] else 1.0
        else:
            mean_weight[a] = 1.0
        slope = 0.0
        if pair_weight[a] != 0.0:
            for i in range(p):
                slope += Z[u, i] * RZ[v, i]
            slope *= 2.0 * pair_weight[a]
        if mean_weight[a] != 0.0 and structure.has_means[block] == 1:
            drift = 0.0
            for i in range(p):
                drift += Z[u, i] * pull[i]
            slope -= 2.0 * mean_weight[a] * drift
        gradient[structure.cell_theta[c]] += share * slope
    for a in range(count):
        ca = first + a
        ua, va = structure.cell_u[ca], structure.cell_v[ca]
        ka = structure.cell_theta[ca]
        for b in range(a + 1):
            cb = first + b
            ub, vb = structure.cell_u[cb], structure.cell_v[cb]
            value = 2.0 * pair_weight[a] * pair_weight[b] * (K[ua, ub] * K[va, vb] + K[ua, vb] * K[va, ub])
            if structure.has_means[block] == 1:
                value += 2.0 * mean_weight[a] * mean_weight[b] * K[ua, ub]
            value *= share
            kb = structure.cell_theta[cb]
            hessian[ka, kb] += value
            if a != b:
                hessian[kb, ka] += value


@kernel
def _add_variance_terms(structure: Structure, block: int, share: float, Z: Reals, hessian: Reals) -> None:
    """Add ``sum_i dSigma_ii,k dSigma_ii,l``: with equal weights for distinct elements, the diagonal counts twice as much as it does in a trace."""
    first, last = structure.cell_start[block], structure.cell_start[block + 1]
    p = Z.shape[1]
    slopes = np.zeros((hessian.shape[0], p))
    for c in range(first, last):
        kind = structure.cell_kind[c]
        if kind != 2:
            weight = 1.0 if kind == 1 and structure.cell_row[c] == structure.cell_column[c] else 2.0
            for i in range(p):
                slopes[structure.cell_theta[c], i] += weight * Z[structure.cell_u[c], i] * Z[structure.cell_v[c], i]
    squares = np.empty(hessian.shape)
    multiply_transposed(slopes, slopes, squares)
    for k in range(hessian.shape[0]):
        for q in range(hessian.shape[0]):
            hessian[k, q] += share * squares[k, q]


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
        Sum over blocks of ``share * F``, with F the maximum likelihood discrepancy ``log|Sigma| + tr(S Sigma^-1) - log|S| - p + d' Sigma^-1 d`` or the
        generalized least squares discrepancy ``1/2 tr[(W (S - Sigma))^2] + d' W d``, where ``d = xbar - mu``, or the unweighted sum of squares of the
        distinct elements of ``S - Sigma`` and of d.
    """
    total = 0.0
    size_theta = gradient.shape[0]
    for k in range(size_theta):
        gradient[k] = 0.0
        for q in range(size_theta):
            hessian[k, q] = 0.0
    for block in range(structure.n_observed.shape[0]):
        p, size = structure.n_observed[block], structure.n_variables[block]
        A, S, B, V = np.empty((size, size)), np.empty((size, size)), np.empty((size, size)), np.empty((size, size))
        m, mu = np.empty(size), np.empty(size)
        fill(structure, block, theta, A, S, m)
        if not propagate(structure, block, A, S, m, B, V, mu):
            return np.inf
        offset, mean_offset = moments.start[block], moments.mean_start[block]
        sample, implied, E = np.empty((p, p)), np.empty((p, p)), np.empty((p, p))
        W, WE, d, pull = np.empty((p, p)), np.empty((p, p)), np.zeros(p), np.zeros(p)
        for i in range(p):
            if structure.has_means[block] == 1:
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
            Z = _columns(structure, block, B, V)
            WZ, R = np.empty(Z.shape), np.empty((p, p))
            multiply(W, E, WE)
            multiply(WE, W, R)
            multiply(Z, W, WZ)
            _add_derivatives(structure, block, moments.share[block], Z, WZ, R, pull, mu, gradient, hessian)
            if moments.discrepancy == 2:
                _add_variance_terms(structure, block, moments.share[block], Z, hessian)
    return total
