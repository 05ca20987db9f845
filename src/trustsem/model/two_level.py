"""The likelihood of people in clusters as a discrepancy: two-level models with random intercepts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trustsem.kernels.clusters import Clusters
from trustsem.kernels.structure import CELLS, Reals, Structure
from trustsem.kernels.two_level import ClusterMoments, evaluate_two_level
from trustsem.kernels.two_level_hessian import clusters_hessian
from trustsem.kernels.two_level_rows import clusters_scores, evaluate_clusters
from trustsem.model.problem import implied
from trustsem.model.second_order import second_derivatives

__all__ = ["TwoLevelLikelihood"]

_NOTHING = (0, 0)


@dataclass(frozen=True, eq=False)
class TwoLevelLikelihood:
    """Twice the difference between the mean log-likelihoods of the saturated model and of the model.

    The blocks of the structure are level 1 and level 2 of the first group, level 1 and level 2 of the second, and so on.

    Attributes
    ----------
    rows : tuple of Clusters
        The data of each group.
    moments : tuple of ClusterMoments
        The same, reduced; empty where values are missing.
    deviances : (G,) float
        Minus twice the log-likelihood of each group's saturated model, without the constant ``log(2 pi)`` per value.
    share : (G,) float
        Weight of each group; adds up to 1.
    """

    rows: tuple[Clusters, ...]
    moments: tuple[ClusterMoments, ...]
    deviances: Reals
    share: Reals

    @property
    def n_rows(self) -> Reals:
        """Number of people of each group (G,)."""
        return np.array([float(len(group.rows)) for group in self.rows])

    def _factors(self, share: Reals | None) -> Reals:
        """Return what each group's deviance is multiplied by."""
        return np.asarray((self.share if share is None else share) / self.n_rows)

    def _evaluate(self, structure: Structure, theta: Reals, share: Reals | None, gradient: Reals, hessian: Reals) -> float:
        total = 0.0
        factors = self._factors(share)
        for g, (factor, deviance) in enumerate(zip(factors, self.deviances, strict=True)):
            if self.moments:
                total += evaluate_two_level(structure, 2 * g, self.moments[g], factor, theta, gradient, hessian) - factor * deviance
            else:
                total += evaluate_clusters(structure, 2 * g, self.rows[g], factor, theta, gradient, hessian) - factor * deviance
        return total

    def value(self, structure: Structure, theta: Reals, share: Reals | None = None) -> float:
        """Return the discrepancy at `theta` (K,), groups weighted by `share` (G,) if given; infinite where it is not defined."""
        return self._evaluate(structure, theta, share, np.empty(0), np.empty(_NOTHING))

    def slope(self, structure: Structure, theta: Reals, share: Reals | None = None) -> tuple[float, Reals]:
        """Return the discrepancy and its gradient (K,)."""
        gradient = np.zeros(structure.n_theta)
        return self._evaluate(structure, theta, share, gradient, np.empty(_NOTHING)), gradient

    def scoring(self, structure: Structure, theta: Reals, share: Reals | None = None) -> tuple[float, Reals, Reals]:
        """Return the discrepancy, its gradient (K,) and a Hessian (K, K) for the search: the expected one, with missing values nearly."""
        gradient, hessian = np.zeros(structure.n_theta), np.zeros((structure.n_theta, structure.n_theta))
        return self._evaluate(structure, theta, share, gradient, hessian), gradient, hessian

    def expected(self, structure: Structure, theta: Reals, share: Reals | None = None) -> Reals:
        """Return the expected Hessian (K, K), given which values are missing."""
        return self._hessian(structure, theta, share, observed=False)

    def hessian(self, structure: Structure, theta: Reals) -> Reals:
        """Return the observed Hessian (K, K)."""
        return self._hessian(structure, theta, None, observed=True)

    def _hessian(self, structure: Structure, theta: Reals, share: Reals | None, *, observed: bool) -> Reals:
        total = np.zeros((structure.n_theta, structure.n_theta))
        blocks = implied(structure, theta)
        for g, (factor, data) in enumerate(zip(self._factors(share), self.rows, strict=True)):
            within, between = 2 * g, 2 * g + 1
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
        return tuple(clusters_scores(structure, 2 * g, data, theta) for g, data in enumerate(self.rows))
