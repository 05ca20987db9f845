"""Weighted least squares, asymptotically distribution-free (Browne 1984): ``F = (s - sigma)' Gamma^-1 (s - sigma)``.

Gamma is the asymptotic covariance matrix of the sample moments, from fourth-order moments. No normality is needed, but thousands of rows: with p
variables there are p (p + 1) / 2 covariances, and the matrix of their covariances must be inverted.
"""

from __future__ import annotations

from dataclasses import dataclass

from trustsem.data.sample import Sample
from trustsem.model.problem import Problem
from trustsem.model.quadratic import quadratic_problem
from trustsem.model.ram import Model

__all__ = ["ESTIMATOR", "WeightedLeastSquares"]


@dataclass(frozen=True)
class WeightedLeastSquares:
    """Least squares weighted by the inverse of the moments' asymptotic covariance matrix, or of its `diagonal` alone."""

    name: str = "WLS"
    has_likelihood: bool = False
    chisq_is_asymptotic: bool = True
    fixed_x: bool = False
    takes_incomplete_rows: bool = False
    se: str = "standard"
    test: tuple[str, ...] = ("standard",)
    information: str = "expected"
    needs_rows: bool = True
    diagonal: bool = False

    def prepare(self, model: Model, sample: Sample, likelihood: str) -> Problem:
        """Match `model` to the moments of `sample`."""
        return quadratic_problem(model, sample, diagonal=self.diagonal)


ESTIMATOR = WeightedLeastSquares()
