"""Least squares with a full weight matrix: a quadratic form in the residual moments (Browne 1984, doi 10.1111/j.2044-8317.1984.tb00789.x)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trustsem.data.gamma import gamma_matrix
from trustsem.data.sample import Sample
from trustsem.errors import DataError
from trustsem.kernels.structure import Reals, Structure
from trustsem.model.jacobian import moment_slopes
from trustsem.model.problem import ImpliedBlock, Problem, implied, least_squares_problem, sample_order
from trustsem.model.ram import Model
from trustsem.model.second_order import second_derivatives

__all__ = ["QuadraticForm", "quadratic_problem"]


@dataclass(frozen=True, eq=False)
class QuadraticForm:
    """The discrepancy ``sum share (s - sigma)' V (s - sigma)`` over blocks; moments are means first, then the lower triangle of the covariances.

    Attributes
    ----------
    moments : tuple of (r,) float
        Sample moments of each block that count.
    kept : tuple of (q,) bool
        Which of all its moments these are.
    weights : tuple of (r, r) or (r,) float
        Weight matrix of each block; a vector is the diagonal of a diagonal one.
    share : (G,) float
        Weight of each block; adds up to 1.
    dear_hessian : bool
        See :class:`~trustsem.model.problem.Objective`.
    """

    moments: tuple[Reals, ...]
    kept: tuple[NDArray[np.bool_], ...]
    weights: tuple[Reals, ...]
    share: Reals
    dear_hessian: bool = False

    def weigh(self, b: int, vectors: Reals) -> Reals:
        """Return the weight matrix of block `b` times `vectors` (r,) or (r, k)."""
        weight = self.weights[b]
        if weight.ndim == 2:
            return np.asarray(weight @ vectors)
        return weight * vectors if vectors.ndim == 1 else weight[:, None] * vectors

    def matrix(self, b: int) -> Reals:
        """Return the weight matrix (r, r) of block `b`."""
        weight = self.weights[b]
        return weight if weight.ndim == 2 else np.diag(weight)

    def _residual(self, b: int, block: ImpliedBlock) -> Reals:
        i, j = np.tril_indices(block.p)
        return np.asarray(self.moments[b] - np.concatenate([block.mean, block.sigma[i, j]])[self.kept[b]])

    def _delta(self, structure: Structure, b: int, block: ImpliedBlock) -> Reals:
        covariances, means = moment_slopes(structure, b, block)
        i, j = np.tril_indices(block.p)
        return np.hstack([means, covariances[:, i, j]]).T[self.kept[b]]

    def value(self, structure: Structure, theta: Reals, share: Reals | None = None) -> float:
        """Return the discrepancy at `theta` (K,), blocks weighted by `share` (G,) if given; infinite where it is not defined."""
        total = 0.0
        for b, block in enumerate(implied(structure, theta)):
            e = self._residual(b, block)
            total += float((self.share if share is None else share)[b]) * float(e @ self.weigh(b, e))
        return total if np.isfinite(total) else np.inf

    def slope(self, structure: Structure, theta: Reals, share: Reals | None = None) -> tuple[float, Reals]:
        """Return the discrepancy and its gradient (K,)."""
        total, gradient = 0.0, np.zeros(structure.n_theta)
        for b, block in enumerate(implied(structure, theta)):
            factor = float((self.share if share is None else share)[b])
            e = self._residual(b, block)
            weighted = self.weigh(b, e)
            total += factor * float(e @ weighted)
            gradient -= 2.0 * factor * (self._delta(structure, b, block).T @ weighted)
        return (total if np.isfinite(total) else np.inf), gradient

    def expected(self, structure: Structure, theta: Reals, share: Reals | None = None) -> Reals:
        """Return the expected Hessian (K, K)."""
        total = np.zeros((structure.n_theta, structure.n_theta))
        for b, block in enumerate(implied(structure, theta)):
            delta = self._delta(structure, b, block)
            total += 2.0 * float((self.share if share is None else share)[b]) * (delta.T @ self.weigh(b, delta))
        return total

    def hessian(self, structure: Structure, theta: Reals, share: Reals | None = None) -> Reals:
        """Return the observed Hessian (K, K)."""
        total = self.expected(structure, theta, share)
        for b, block in enumerate(implied(structure, theta)):
            full = np.zeros(self.kept[b].size)
            full[self.kept[b]] = self.weigh(b, self._residual(b, block))
            p = block.p
            i, j = np.tril_indices(p)
            R = np.zeros((p, p))
            R[i, j] = -full[p:]  # an element below the diagonal stands for two: half of each
            extra = second_derivatives(structure, b, block, R + R.T, full[:p])
            parameters = structure.cells_of(b)[:, 3]
            np.add.at(total, (parameters[:, None], parameters[None, :]), float((self.share if share is None else share)[b]) * extra)
        return total


def quadratic_problem(model: Model, sample: Sample, *, diagonal: bool) -> Problem:
    """Return the least squares problem whose weight matrix is the inverse of the moments' asymptotic covariance matrix, or of its diagonal.

    Moments have divisor N - 1, the asymptotic covariance matrix N; chi-square is ``sum((N - 1) F)``. Moments of fixed covariates do not count.

    Raises
    ------
    DataError
        If the rows are not known, are incomplete, or are too few for the matrix to have an inverse.
    """
    problem = least_squares_problem(1, model, sample, lambda cov: np.asarray(np.linalg.inv(cov)))
    vectors, choices, weights = [], [], []
    for layout, block, moments, order in zip(model.blocks, sample.blocks, problem.blocks, sample_order(model, sample), strict=True):
        if block.rows is None:
            raise DataError("Weighted least squares needs the rows of the data, not summary statistics. Give data=, or use estimator='GLS'.")
        if block.missing is not None:
            raise DataError("Weighted least squares needs complete rows. Use missing='listwise', or estimator='MLR'.")
        x = np.array([name in layout.fixed for name in layout.observed])
        i, j = np.tril_indices(x.size)
        kept = np.concatenate([~x if model.has_means else np.zeros(x.size, dtype=bool), ~(x[i] & x[j])])
        centre = block.rows.mean(axis=0) if block.mean is None else block.mean
        gamma = gamma_matrix(block.rows[:, order], centre[order], kept, np.flatnonzero(x), block.weights)
        mean = np.zeros(x.size) if moments.mean is None else moments.mean
        vectors.append(np.concatenate([mean, moments.cov[i, j]])[kept])
        choices.append(kept)
        weights.append(1.0 / np.diag(gamma) if diagonal else _inverse(gamma, block.n))
    objective = QuadraticForm(tuple(vectors), tuple(choices), tuple(weights), problem.moments.share)
    return replace(problem, objective=objective)


def _inverse(gamma: Reals, n: int) -> Reals:
    """Invert an asymptotic covariance matrix (r, r) from n rows, in units in which its diagonal is 1."""
    scale = np.sqrt(np.diag(gamma))
    scaled = gamma / np.outer(scale, scale)
    if n <= len(gamma) or np.linalg.eigvalsh(scaled)[0] < 1e-10:
        raise DataError(
            f"The asymptotic covariance matrix of the {len(gamma)} sample moments cannot be inverted with {n} rows. Weighted least squares needs "
            "many more rows than moments: use estimator='DWLS' or 'MLR', or fewer variables."
        )
    inverse = np.linalg.inv(scaled) / np.outer(scale, scale)
    return np.asarray(0.5 * (inverse + inverse.T))
