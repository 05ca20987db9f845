"""Unweighted least squares (Joereskog 1977): the sum of squares of the distinct elements of ``S - Sigma`` and of ``xbar - mu``.

The textbook form ``1/2 tr[(S - Sigma)^2]`` gives the diagonal half the weight. The two agree wherever all variances are fitted exactly (any
model whose
residual variances are free); this one is lavaan's.
"""

from __future__ import annotations

from dataclasses import dataclass

from trustsem.data.sample import Sample
from trustsem.model.problem import Problem, least_squares_problem
from trustsem.model.ram import Model

__all__ = ["ESTIMATOR", "UnweightedLeastSquares"]


@dataclass(frozen=True)
class UnweightedLeastSquares:
    """Least squares without weights: sensitive to the units of the variables, defined for singular moments too."""

    name: str = "ULS"
    has_likelihood: bool = False
    chisq_is_asymptotic: bool = False
    fixed_x: bool = False
    takes_incomplete_rows: bool = False
    se: str = "standard"
    test: tuple[str, ...] = ("standard",)
    information: str = "expected"
    needs_rows: bool = False

    def prepare(self, model: Model, sample: Sample, likelihood: str) -> Problem:
        """Match `model` to the moments of `sample`."""
        return least_squares_problem(2, model, sample, None)


ESTIMATOR = UnweightedLeastSquares()
