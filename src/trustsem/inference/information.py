"""Information matrices and the covariance matrix of the estimates."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.linear import cholesky, invert_definite
from trustsem.kernels.structure import COVARIANCE, INTERCEPT, PATH, Reals
from trustsem.model.problem import ImpliedBlock, Problem, derivatives, implied
from trustsem.model.relations import free_directions
from trustsem.model.second_order import second_derivatives

__all__ = ["covariance_of_estimates", "expected_information", "null_basis", "observed_information", "weight_matrix"]

_SMALLEST_PIVOT = 1e-6  # of the scaled information's Cholesky factor: below it a parameter is a combination of others to 12 digits
_LARGE = 128


def expected_information(problem: Problem, theta: Reals) -> Reals:
    """Return the expected information (K, K) of all observations: half the expected Hessian of the discrepancy times the number of observations.

    Blocks are weighted by their shares of the observations, and the whole by `Problem.scale` (N, or N less the number of blocks).
    """
    return derivatives(problem, theta, problem.shares)[2] * (0.5 * problem.scale)


def observed_information(problem: Problem, theta: Reals) -> Reals:
    """Return the observed information (K, K): half the Hessian of the discrepancy times the number of observations.

    Notes
    -----
    With ``R = W (Sigma - S*) W``, ``d = xbar - mu`` and dots for derivatives, the Hessian of the maximum likelihood discrepancy is
    ``tr(W S_k W S_l) - 2 tr(W S_l R S_k) + tr(R S_kl) + 2 d'W S_k W m_l + 2 d'W S_l W m_k + 2 m_k'W m_l - 2 d'W m_kl``, where S and m stand for the
    derivatives of Sigma and mu. For least squares W is constant, which leaves the first, third, sixth and last term. Two conventions are
    lavaan's: for
    unweighted least squares the expected information is returned, and for generalized least squares each block carries a further factor (n - 1)/n.
    """
    if problem.objective is not None:
        weights = problem.shares if problem.moments.discrepancy == 0 else problem.multiplier / problem.nobs
        return problem.objective.hessian(problem.structure, theta, weights) * (0.5 * problem.scale)
    if problem.moments.discrepancy == 2:
        return expected_information(problem, theta)
    shares = problem.shares if problem.moments.discrepancy == 0 else problem.multiplier / problem.nobs
    _, _, hessian = derivatives(problem, theta, shares)
    structure = problem.structure
    for b, block in enumerate(implied(structure, theta)):
        extra = _block_second_order(problem, b, block)
        parameters = structure.cells_of(b)[:, 3]
        np.add.at(hessian, (parameters[:, None], parameters[None, :]), shares[b] * extra)
    return hessian * (0.5 * problem.scale)


def weight_matrix(problem: Problem, b: int, block: ImpliedBlock) -> Reals:
    """Return the weight matrix (p, p) of block `b`: inverse implied covariances for maximum likelihood, the estimator's own for least squares."""
    if problem.moments.discrepancy == 0:
        return np.asarray(np.linalg.inv(block.sigma), dtype=np.float64)
    if problem.moments.discrepancy == 2:
        return np.eye(block.p, dtype=np.float64)
    offset = int(problem.moments.start[b])
    return problem.moments.weight[offset : offset + block.p**2].reshape(block.p, block.p)


def _block_second_order(problem: Problem, b: int, block: ImpliedBlock) -> Reals:
    """Return the terms (C, C) by which the Hessian over the cells of one block differs from its expectation."""
    structure = problem.structure
    likelihood = problem.moments.discrepancy == 0
    kind, row, column = structure.cells_of(b)[:, :3].T
    p, B, V = block.p, block.B, block.V
    means = problem.model.has_means
    W = weight_matrix(problem, b, block)
    sample = problem.blocks[b]
    d = sample.mean - block.mean if means and sample.mean is not None else np.zeros(p)
    E = block.sigma - sample.cov - (np.outer(d, d) if likelihood else 0.0)
    R = W @ E @ W
    Z = np.hstack([B[:p], V[:p]])
    size = B.shape[0]
    G, K = Z.T @ R @ Z, Z.T @ W @ Z
    pull = Z.T @ (W @ d)
    u = row
    v = np.where(kind == PATH, column + size, column)
    weight = np.where(kind == INTERCEPT, 0.0, np.where((kind == COVARIANCE) & (row == column), 0.5, 1.0))
    slope = np.where(kind == INTERCEPT, 1.0, np.where(kind == PATH, block.mu[column], 0.0)) if means else np.zeros(kind.size)
    extra = second_derivatives(structure, b, block, R, W @ d)
    if likelihood:
        pairs = (
            G[np.ix_(u, v)] * K[np.ix_(v, u)]
            + G[np.ix_(v, v)] * K[np.ix_(u, u)]
            + G[np.ix_(u, u)] * K[np.ix_(v, v)]
            + G[np.ix_(v, u)] * K[np.ix_(u, v)]
        )
        extra -= 2.0 * np.outer(weight, weight) * pairs
        if means:
            cross = np.outer(weight, slope) * (pull[u][:, None] * K[np.ix_(v, u)] + pull[v][:, None] * K[np.ix_(u, u)])
            extra += 2.0 * (cross + cross.T)
    return extra


def null_basis(problem: Problem, binding: Reals) -> Reals | None:
    """Return an orthonormal basis (K, r) of the directions that the linear equalities and the `binding` (a, K) constraints leave free.

    None where nothing is constrained.
    """
    basis = problem.model.relations.basis
    if binding.shape[0] == 0:
        return basis
    inner = free_directions(binding if basis is None else binding @ basis)
    return inner if basis is None else basis @ inner


def covariance_of_estimates(information: Reals, basis: Reals | None) -> tuple[Reals | None, Reals]:
    """Invert the information matrix within the directions that are free.

    Parameters
    ----------
    information : (K, K) float
    basis : (K, r) float or None
        From :func:`null_basis`; the result is ``T (T' I T)^-1 T'`` (Aitchison & Silvey 1958).

    Returns
    -------
    vcov : (K, K) float or None
        None if the information is singular.
    weak : (K,) float
        For a singular information, the size of each parameter in the directions it says nothing about; else zeros.
    """
    inner = information if basis is None else basis.T @ information @ basis
    size = information.shape[0]
    if inner.size == 0:
        return np.zeros((size, size)), np.zeros(size)
    diagonal = np.diag(inner)
    scale = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = inner * np.outer(scale, scale)
    if np.all(np.isfinite(scaled)) and np.all(diagonal > 0):
        factor = np.empty_like(scaled)
        if cholesky(scaled, factor) and float(np.min(np.diag(factor))) > _SMALLEST_PIVOT:
            inverse = _invert(scaled, factor) * np.outer(scale, scale)
            return (inverse if basis is None else basis @ inverse @ basis.T), np.zeros(size)
    return None, _weak_directions(scaled, scale, basis, size)


def _invert(matrix: Reals, factor: Reals) -> Reals:
    """Invert a positive definite matrix, by LAPACK where it is large enough for that to pay."""
    if matrix.shape[0] > _LARGE:
        inverse = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
        return 0.5 * (inverse + inverse.T)
    inverse = np.empty_like(matrix)
    invert_definite(factor, inverse)
    return inverse


def _weak_directions(scaled: Reals, scale: Reals, basis: Reals | None, size: int) -> Reals:
    if not np.all(np.isfinite(scaled)):
        return np.ones(size)
    values, vectors = np.linalg.eigh(scaled)
    weak = vectors[:, values < 1e-10 * max(1.0, float(values.max()))]
    if weak.shape[1] == 0:
        weak = vectors[:, :1]
    directions = weak if basis is None else basis @ (weak * scale[:, None])
    return np.asarray(np.sqrt(np.sum(directions**2, axis=1)))
