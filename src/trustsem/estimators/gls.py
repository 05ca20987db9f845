"""Generalized least squares (Browne 1974): ``F = 1/2 tr[(S^-1 (S - Sigma))^2] + (xbar - mu)' S^-1 (xbar - mu)``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trustsem.data.sample import Sample
from trustsem.kernels.structure import Reals
from trustsem.model.problem import Problem, least_squares_problem
from trustsem.model.ram import Model

__all__ = ["ESTIMATOR", "GeneralizedLeastSquares"]


def _inverse(cov: Reals) -> Reals:
    return np.asarray(np.linalg.inv(cov), dtype=np.float64)


@dataclass(frozen=True)
class GeneralizedLeastSquares:
    """Least squares weighted by the inverse of the sample covariance matrix (divisor N - 1)."""

    name: str = "GLS"
    has_likelihood: bool = False
    chisq_is_asymptotic: bool = True
    fixed_x: bool = False
    takes_incomplete_rows: bool = False
    se: str = "standard"
    test: tuple[str, ...] = ("standard",)
    information: str = "expected"
    needs_rows: bool = False

    def prepare(self, model: Model, sample: Sample, likelihood: str) -> Problem:
        """Match `model` to the moments of `sample`."""
        return least_squares_problem(1, model, sample, _inverse)


ESTIMATOR = GeneralizedLeastSquares()
