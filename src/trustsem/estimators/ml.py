"""Normal-theory maximum likelihood (Joereskog 1969, doi 10.1007/BF02289343; with means Bentler & Yuan 1999).

``F = log|Sigma| + tr(S Sigma^-1) - log|S| - p + (xbar - mu)' Sigma^-1 (xbar - mu)``
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trustsem.data.incomplete import incomplete_rows
from trustsem.data.sample import Sample
from trustsem.errors import DataError
from trustsem.kernels.structure import Reals
from trustsem.model.casewise import CasewiseLikelihood
from trustsem.model.problem import Problem, block_moments, fill_borrowed, lay_out, sample_order
from trustsem.model.ram import Model
from trustsem.model.two_level import two_level_problem

__all__ = ["ESTIMATOR", "MaximumLikelihood"]


@dataclass(frozen=True)
class MaximumLikelihood:
    """Maximum likelihood: ``likelihood="normal"`` divides moments by N and multiplies F by N, ``"wishart"`` uses N - 1 for both.

    Blocks are weighted by their numbers of observations in either case.
    """

    name: str = "ML"
    has_likelihood: bool = True
    chisq_is_asymptotic: bool = True
    fixed_x: bool = True
    takes_incomplete_rows: bool = True
    se: str = "standard"
    test: tuple[str, ...] = ("standard",)
    information: str = "expected"
    needs_rows: bool = False

    def prepare(self, model: Model, sample: Sample, likelihood: str) -> Problem:
        """Match `model` to the moments of `sample`, or to its rows where values are missing or there are two levels."""
        if model.two_level:
            return two_level_problem(model, sample)
        normal = likelihood == "normal"
        blocks = tuple(
            block_moments(block.n, block.mean if model.has_means else None, block.cov, order, divide_by_n=normal)
            for block, order in zip(sample.blocks, sample_order(model, sample), strict=True)
        )
        share = np.array([block.size for block in sample.blocks])
        multiplier = share if normal else share - 1.0
        constant = np.array([-np.linalg.slogdet(block.cov)[1] - block.cov.shape[0] for block in blocks])
        moments = lay_out(0, blocks, share / share.sum(), None, constant)
        return Problem(model, fill_borrowed(model, blocks), moments, blocks, multiplier, _casewise(model, sample, moments.share))


def _casewise(model: Model, sample: Sample, share: Reals) -> CasewiseLikelihood | None:
    """Return the likelihood of incomplete rows; None if all are complete, because then the moments are sufficient."""
    if not sample.incomplete:
        return None
    rows, missing = [], []
    for block, layout in zip(sample.blocks, model.blocks, strict=True):
        own = block if layout.observed == sample.names else block.select(np.array([sample.names.index(name) for name in layout.observed]))
        if own.rows is None or own.n != block.n:
            raise DataError("Some rows have no value at all in the variables of the model. Make the sample of these variables alone.")
        rows.append(own.rows)
        missing.append(own.missing or incomplete_rows(own.rows, own.weights)[0])
    return CasewiseLikelihood(tuple(rows), tuple(missing), share)


ESTIMATOR = MaximumLikelihood()
