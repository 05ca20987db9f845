"""The likelihood of people in clusters as a discrepancy: two-level models with random intercepts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trustsem.data.sample import Sample
from trustsem.data.two_level import TwoLevelData, two_level_data
from trustsem.errors import DataError
from trustsem.kernels.structure import CELLS, Moments, Reals, Structure
from trustsem.kernels.two_level import evaluate_two_level
from trustsem.kernels.two_level_hessian import clusters_hessian
from trustsem.kernels.two_level_rows import clusters_scores, evaluate_clusters
from trustsem.model.problem import BlockMoments, Problem, fill_borrowed, implied, lay_out
from trustsem.model.ram import Model
from trustsem.model.second_order import second_derivatives

__all__ = ["TwoLevelLikelihood", "two_level_problem"]

_LEAST = 0.02  # of a variable's variance: what a dimension of level 2 has at least where the search begins


@dataclass(frozen=True, eq=False)
class TwoLevelLikelihood:
    """Twice the difference between the mean log-likelihoods of the saturated model and of the model.

    The blocks of a structure are level 1 and level 2 of the first group, level 1 and level 2 of the second, and so on. The likelihood of a group
    counts as that of its level 1: shares and the like have a number for each block, which is 0 for level 2.

    Attributes
    ----------
    groups : tuple of TwoLevelData
    share : (G,) float
        Weight of each block; adds up to 1.
    """

    groups: tuple[TwoLevelData, ...]
    share: Reals

    @property
    def dear_hessian(self) -> bool:
        """Whether the expected Hessian costs much more than the gradient: with missing values."""
        return any(group.moments is None for group in self.groups)

    def _factors(self, share: Reals | None) -> Reals:
        """Return what each group's deviance is multiplied by."""
        sizes = np.array([float(len(group.values)) for group in self.groups])
        return np.asarray((self.share if share is None else share)[::2] / sizes)

    def _evaluate(self, structure: Structure, theta: Reals, share: Reals | None, gradient: Reals, hessian: Reals) -> float:
        total = 0.0
        for g, (factor, group) in enumerate(zip(self._factors(share), self.groups, strict=True)):
            if group.moments is None:
                height = evaluate_clusters(structure, 2 * g, group.rows, factor, theta, gradient, hessian)
            else:
                height = evaluate_two_level(structure, 2 * g, group.moments, factor, theta, gradient, hessian)
            total += height - factor * group.saturated.deviance
        return float(total)

    def value(self, structure: Structure, theta: Reals, share: Reals | None = None) -> float:
        """Return the discrepancy at `theta` (K,), blocks weighted by `share` (G,) if given; infinite where it is not defined."""
        return self._evaluate(structure, theta, share, np.empty(0), np.empty((0, 0)))

    def slope(self, structure: Structure, theta: Reals, share: Reals | None = None) -> tuple[float, Reals]:
        """Return the discrepancy and its gradient (K,)."""
        gradient = np.zeros(structure.n_theta)
        return self._evaluate(structure, theta, share, gradient, np.empty((0, 0))), gradient

    def expected(self, structure: Structure, theta: Reals, share: Reals | None = None) -> Reals:
        """Return the expected Hessian (K, K), given which values are missing."""
        if self.dear_hessian:
            return self._hessian(structure, theta, share, observed=False)
        hessian = np.zeros((structure.n_theta, structure.n_theta))
        height = self._evaluate(structure, theta, share, np.empty(0), hessian)
        return hessian if np.isfinite(height) else np.full_like(hessian, np.nan)

    def hessian(self, structure: Structure, theta: Reals, share: Reals | None = None) -> Reals:
        """Return the observed Hessian (K, K)."""
        return self._hessian(structure, theta, share, observed=True)

    def _hessian(self, structure: Structure, theta: Reals, share: Reals | None, *, observed: bool) -> Reals:
        total = np.zeros((structure.n_theta, structure.n_theta))
        blocks = implied(structure, theta)
        for g, (factor, group) in enumerate(zip(self._factors(share), self.groups, strict=True)):
            within, between, data = 2 * g, 2 * g + 1, group.rows
            cells, inner, outer, pull = clusters_hessian(structure, within, data, theta, observed=observed)
            if observed:
                place, first = data.place, int(structure.blocks[within, CELLS + 1] - structure.blocks[within, CELLS])
                cells[:first, :first] += second_derivatives(structure, within, blocks[within], inner, pull[data.own.shape[1] :])
                cells[first:, first:] += second_derivatives(structure, between, blocks[between], outer[np.ix_(place, place)], pull[place])
            parameters = np.concatenate([structure.cells_of(within)[:, 3], structure.cells_of(between)[:, 3]])
            np.add.at(total, (parameters[:, None], parameters[None, :]), factor * cells)
        return total

    def scores(self, structure: Structure, theta: Reals) -> tuple[Reals, ...]:
        """Return the derivatives (J, K) of every cluster's log-likelihood, group by group."""
        return tuple(clusters_scores(structure, 2 * g, group.rows, theta) for g, group in enumerate(self.groups))


def two_level_problem(model: Model, sample: Sample) -> Problem:
    """Match a model of two levels to the rows of `sample`.

    Parameters
    ----------
    model : Model
    sample : Sample
        With clusters.

    Returns
    -------
    Problem
        Its blocks hold the moments of the saturated model: level 1 with the number of people, level 2 with the number of clusters.

    Raises
    ------
    DataError
        If the rows or their clusters are not known, or cannot be those of two levels.
    """
    groups, blocks = [], []
    for g, block in enumerate(sample.blocks):
        if block.rows is None or block.clusters is None:
            raise DataError("A model of two levels needs the rows of the data and the cluster of each. Give data= and cluster=.")
        where = f" in group {block.label!r}" if sample.group is not None else ""
        levels = (model.blocks[2 * g].observed, model.blocks[2 * g + 1].observed)
        group = two_level_data(block.rows, block.clusters, levels, sample.names, where)
        moments = group.saturated
        blocks += [
            BlockMoments(block.n, moments.within_mean, moments.within),
            BlockMoments(group.n_clusters, moments.between_mean, moments.between),
        ]
        groups.append(group)
    people = np.array([float(block.n) for block in blocks])
    people[1::2] = 0.0
    structure = fill_borrowed(model, blocks)
    return Problem(model, structure, _near(blocks), tuple(blocks), people, TwoLevelLikelihood(tuple(groups), people / people.sum()))


def _near(blocks: list[BlockMoments]) -> Moments:
    """Return the moments from which the search starts: those of the saturated model, made positive definite where level 2 is not."""
    definite = []
    for within, between in zip(blocks[::2], blocks[1::2], strict=True):
        spread = np.sqrt(np.maximum(np.diag(between.cov), _LEAST * np.diag(within.cov).max()))
        unit = np.outer(spread, spread)
        values, vectors = np.linalg.eigh(between.cov / unit)
        cov = (vectors * np.maximum(values, _LEAST)) @ vectors.T * unit
        definite += [within, between._replace(cov=cov if values.min() < _LEAST else between.cov)]
    n = np.array([float(block.n) for block in definite])
    constant = np.array([-np.linalg.slogdet(block.cov)[1] - len(block.cov) for block in definite])
    return lay_out(0, definite, n / n.sum(), None, constant)
