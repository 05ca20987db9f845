"""The casewise likelihood of rows with missing values as a discrepancy (full information maximum likelihood, Arbuckle 1996; Finkbeiner 1979)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trustsem.data.incomplete import IncompleteRows
from trustsem.kernels.missing import evaluate_missing, missing_hessian, missing_scores
from trustsem.kernels.structure import CELLS, OBSERVED, Reals, Structure
from trustsem.model.problem import implied
from trustsem.model.second_order import second_derivatives

__all__ = ["CasewiseLikelihood"]


@dataclass(frozen=True, eq=False)
class CasewiseLikelihood:
    """Twice the difference between the mean log-likelihoods of the saturated model and of the model.

    Attributes
    ----------
    rows : tuple of (n, p) float
        The data of each block, NaN where missing, in the order of the model's variables.
    missing : tuple of IncompleteRows
    share : (G,) float
        Weight of each block; adds up to 1.
    dear_hessian : bool
        See :class:`~trustsem.model.problem.Objective`.
    """

    rows: tuple[Reals, ...]
    missing: tuple[IncompleteRows, ...]
    share: Reals
    dear_hessian: bool = True

    @property
    def n_rows(self) -> Reals:
        """Number of rows (sum of weights) of each block (G,)."""
        return np.array([float(block.statistics.n_rows.sum()) for block in self.missing])

    def _factors(self, share: Reals | None) -> Reals:
        """Return what each block's deviance is multiplied by."""
        return np.asarray((self.share if share is None else share) / self.n_rows)

    def value(self, structure: Structure, theta: Reals, share: Reals | None = None) -> float:
        """Return the discrepancy at `theta` (K,), blocks weighted by `share` (G,) if given; infinite where it is not defined."""
        return self._evaluate(structure, theta, share, np.empty(0))

    def slope(self, structure: Structure, theta: Reals, share: Reals | None = None) -> tuple[float, Reals]:
        """Return the discrepancy and its gradient (K,)."""
        gradient = np.zeros(structure.n_theta)
        return self._evaluate(structure, theta, share, gradient), gradient

    def _evaluate(self, structure: Structure, theta: Reals, share: Reals | None, gradient: Reals) -> float:
        total = 0.0
        for b, (block, factor) in enumerate(zip(self.missing, self._factors(share), strict=True)):
            total += evaluate_missing(structure, b, block.statistics, factor, theta, gradient) - factor * block.deviance
        return total

    def expected(self, structure: Structure, theta: Reals, share: Reals | None = None) -> Reals:
        """Return the expected Hessian (K, K), given which values are missing."""
        total = np.zeros((structure.n_theta, structure.n_theta))
        for b, factor in enumerate(self._factors(share)):
            self._add(total, structure, b, factor * self._over_cells(structure, b, theta, observed=False)[0])
        return total

    def hessian(self, structure: Structure, theta: Reals, share: Reals | None = None) -> Reals:
        """Return the observed Hessian (K, K)."""
        total = np.zeros((structure.n_theta, structure.n_theta))
        for b, (block, factor) in enumerate(zip(implied(structure, theta), self._factors(share), strict=True)):
            first, R, pull = self._over_cells(structure, b, theta, observed=True)
            self._add(total, structure, b, factor * (first + second_derivatives(structure, b, block, R, pull)))
        return total

    def _over_cells(self, structure: Structure, b: int, theta: Reals, *, observed: bool) -> tuple[Reals, Reals, Reals]:
        """Return the Hessian over the cells of block `b`, and the sums over patterns that second derivatives are multiplied by."""
        p, count = int(structure.blocks[b, OBSERVED]), int(structure.blocks[b, CELLS + 1] - structure.blocks[b, CELLS])
        over_cells, R, pull = np.empty((count, count)), np.empty((p, p)), np.empty(p)
        if not missing_hessian(structure, b, self.missing[b].statistics, theta, observed, over_cells, R, pull):
            over_cells.fill(np.nan)
        return over_cells, R, pull

    @staticmethod
    def _add(total: Reals, structure: Structure, b: int, over_cells: Reals) -> None:
        parameters = structure.cells_of(b)[:, 3]
        np.add.at(total, (parameters[:, None], parameters[None, :]), over_cells)

    def scores(self, structure: Structure, theta: Reals) -> tuple[Reals, ...]:
        """Return the derivatives (n, K) of every row's log-likelihood, block by block."""
        result = []
        for b, (rows, block) in enumerate(zip(self.rows, self.missing, strict=True)):
            patterns = block.patterns
            scores = np.empty((len(rows), structure.n_theta))
            missing_scores(structure, b, theta, patterns.gap_start, patterns.gaps, patterns.start, patterns.order, rows, scores)
            result.append(scores)
        return tuple(result)
