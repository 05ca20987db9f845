"""A model seen from its moments: Jacobian, information and casewise scores of the saturated moments of every block.

Sandwiches and scaled tests are made of these. The moments of a block are its means (if they are modelled) and the distinct elements of its
covariance matrix; those of fixed covariates are left out of all of it, because nothing about them is tested.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trustsem.data.incomplete import IncompleteRows, incomplete_rows
from trustsem.data.sample import BlockSample, Sample
from trustsem.errors import DataError
from trustsem.inference.saturated import complete_information, incomplete_information, lower_triangle, saturated_scores
from trustsem.kernels.structure import Reals, Structure
from trustsem.model.casewise import CasewiseLikelihood
from trustsem.model.jacobian import moment_slopes
from trustsem.model.problem import ImpliedBlock, Problem

__all__ = ["StackedBlock", "block_rows", "stacked_blocks"]


@dataclass(frozen=True, eq=False)
class StackedBlock:
    """One block's saturated moments, and the model's.

    Attributes
    ----------
    share : float
        The block's share of the observations.
    kept : (q,) bool
        Which of the means and distinct covariances count (fixed covariates do not; means only where they are modelled).
    delta : (r, K) float
        Derivatives of the r moments that count.
    mean, cov : (p,) and (p, p) float
        Saturated moments, divisor n.
    implied_mean, implied_cov : (p,) and (p, p) float
    missing : IncompleteRows or None
    rows : (n, p) float or None
    weights : (n,) float or None
    clusters : (n,) int or None
    """

    share: float
    kept: NDArray[np.bool_]
    delta: Reals
    mean: Reals
    cov: Reals
    implied_mean: Reals
    implied_cov: Reals
    missing: IncompleteRows | None
    rows: Reals | None
    weights: Reals | None
    clusters: NDArray[np.int64] | None

    def information(self, *, structured: bool, observed: bool) -> Reals:
        """Return the information (r, r) of one observation about the moments, at the implied (`structured`) or at the saturated moments."""
        mean, cov = (self.implied_mean, self.implied_cov) if structured else (self.mean, self.cov)
        if self.missing is not None:
            full = incomplete_information(self.missing.statistics, mean, cov, observed=observed)
        elif observed and structured:
            full = complete_information(cov, self.cov, self.mean - mean)
        else:
            full = complete_information(cov)
        return full[np.ix_(self.kept, self.kept)]

    def complete_weight(self) -> Reals:
        """Return the information (r, r) that a complete observation would have at the saturated moments."""
        return complete_information(self.cov)[np.ix_(self.kept, self.kept)]

    def scores(self, *, structured: bool) -> Reals:
        """Return the weighted derivatives (n, r) of each row's log-likelihood with respect to the moments.

        Raises
        ------
        DataError
            If the rows are not known.
        """
        if self.rows is None:
            raise DataError("Robust standard errors and tests need the rows of the data, not summary statistics. Give data=.")
        mean, cov = (self.implied_mean, self.implied_cov) if structured else (self.mean, self.cov)
        found = saturated_scores(self.rows, mean, cov, None if self.missing is None else self.missing.patterns)[:, self.kept]
        return found if self.weights is None else found * self.weights[:, None]


def block_rows(problem: Problem, sample: Sample, b: int) -> BlockSample:
    """Return the sample of block `b` with the model's variables in the model's order."""
    observed = problem.model.blocks[b].observed
    block = sample.blocks[b]
    return block if observed == sample.names else block.select(np.array([sample.names.index(name) for name in observed]))


def stacked_delta(structure: Structure, b: int, point: ImpliedBlock) -> Reals:
    """Return the derivatives (q, K) of the implied means and distinct covariances of block `b`."""
    covariances, means = moment_slopes(structure, b, point)
    i, j = lower_triangle(point.p)
    return np.vstack([means.T, covariances[:, i, j].T])


def stacked_blocks(problem: Problem, sample: Sample, blocks: tuple[ImpliedBlock, ...]) -> tuple[StackedBlock, ...]:
    """Return the moments of every block at the point where `blocks` are the implied ones."""
    result = []
    for b, (layout, point, moments, share) in enumerate(zip(problem.model.blocks, blocks, problem.blocks, problem.shares, strict=True)):
        own = block_rows(problem, sample, b)
        x = np.array([name in layout.fixed for name in layout.observed])
        i, j = lower_triangle(point.p)
        means = problem.model.has_means and moments.mean is not None
        kept = np.concatenate([~x if means else np.zeros(point.p, dtype=bool), ~(x[i] & x[j])])
        missing = own.missing
        if missing is None and own.rows is not None and isinstance(problem.objective, CasewiseLikelihood):
            missing = incomplete_rows(own.rows, own.weights)[0]
        saturated_mean = moments.mean if moments.mean is not None else own.mean if own.mean is not None else np.zeros(point.p)
        result.append(
            StackedBlock(
                share=float(share),
                kept=kept,
                delta=stacked_delta(problem.structure, b, point)[kept],
                mean=saturated_mean,
                cov=moments.cov,
                implied_mean=point.mean if means else saturated_mean,
                implied_cov=point.sigma,
                missing=missing,
                rows=own.rows,
                weights=own.weights,
                clusters=own.clusters,
            )
        )
    return tuple(result)
