"""Sample moments and their sampling errors, for estimators that are functions of the moments.

Two-stage least squares, structural-after-measurement and regressions of composites are functions of the sample covariances, and maximum likelihood is
one to first order. With derivatives D of an estimator its covariance matrix is ``D G D' / n``, G being the asymptotic covariance matrix of the
moments; two estimators from the same data are compared by ``(D1 - D2) G (D1 - D2)' / n`` (the delta method; Hausman 1978, doi 10.2307/1913827,
assumes that one of them is efficient, which is not needed here).

Moments are ordered means first, then the lower triangle of the covariance matrix row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtr

from trustsem.data.sample import BlockSample
from trustsem.inference.saturated import incomplete_information, lower_triangle, saturated_scores
from trustsem.kernels.structure import Integers, Reals

__all__ = ["SampledMoments", "covariance_columns", "pair_places", "sampled_moments", "symmetric_slopes"]


@dataclass(frozen=True, eq=False)
class SampledMoments:
    """Moments of one group with what their errors are made of.

    Attributes
    ----------
    names : tuple of str
        The p observed variables.
    n : int
        Number of rows.
    cov : (p, p) float
        Divisor n; of incomplete rows by maximum likelihood.
    inverse : (q, q) float or None
        Inverse information of one row about the moments, of incomplete rows.
    influence : (u, q) float or None
        What each independent unit (row, or cluster) contributes to the errors of the moments; None where normality and independence are taken for
        granted.
    clustered : bool
        Whether units are clusters.
    """

    names: tuple[str, ...]
    n: int
    cov: Reals
    inverse: Reals | None = None
    influence: Reals | None = None
    clustered: bool = False

    @property
    def robust(self) -> bool:
        """Whether the errors do without normality (and, with clusters, without independence)."""
        return self.influence is not None

    def tails(self, z: Reals) -> Reals:
        """Return two-sided p-values of `z`: normal, or with J clusters those of t with J - 1 degrees of freedom, as their differences are few."""
        if self.clustered and self.influence is not None:
            return np.asarray(2.0 * stdtr(len(self.influence) - 1.0, -np.abs(z)))
        return np.asarray(2.0 * ndtr(-np.abs(z)))

    @property
    def basis(self) -> str:
        """What standard errors rest on, in words."""
        if self.influence is None:
            return "normality and independent rows" + ("" if self.inverse is None else ", values missing at random")
        return "no assumption of normality" + (", dependence within clusters allowed for" if self.clustered else "")

    def at(self, names: Sequence[str]) -> Integers:
        """Return the places of variables."""
        return np.array([self.names.index(name) for name in names], dtype=np.int64)

    def spread(self, slopes: Reals) -> Reals:
        """Return the covariance matrix (k, k) of k functions of the moments with derivatives `slopes` (k, q)."""
        if self.influence is not None:
            found = self.influence @ slopes.T
            count = len(found)
            return np.asarray(found.T @ found) * ((count / (count - 1.0) if self.clustered else 1.0) / self.n**2)
        if self.inverse is not None:
            return np.asarray(slopes @ self.inverse @ slopes.T / self.n)
        p = len(self.names)
        means = slopes[:, :p] @ self.cov @ slopes[:, :p].T
        product = symmetric_slopes(slopes, p) @ self.cov
        return np.asarray(means + 2.0 * np.einsum("aij,bji->ab", product, product)) / self.n


def pair_places(p: int) -> Integers:
    """Return the place (p, p) of every covariance among the moments."""
    i, j = lower_triangle(p)
    places = np.empty((p, p), dtype=np.int64)
    places[i, j] = places[j, i] = p + np.arange(i.size)
    return places


def symmetric_slopes(slopes: Reals, p: int) -> Reals:
    """Return derivatives (k, q) with respect to distinct moments as symmetric matrices (k, p, p), each covariance and its mirror image counted."""
    i, j = lower_triangle(p)
    result = np.zeros((len(slopes), p, p))
    half = 0.5 * slopes[:, p:]
    result[:, i, j] += half
    result[:, j, i] += half
    return result


def covariance_columns(slopes: Reals) -> Reals:
    """Return derivatives (k, q) with respect to distinct moments, from those (k, p, p) with respect to every element of the matrix."""
    p = slopes.shape[-1]
    i, j = lower_triangle(p)
    result = np.zeros((len(slopes), p + i.size))
    result[:, p:] = slopes[:, i, j] + np.where(i == j, 0.0, slopes[:, j, i])
    return result


def sampled_moments(block: BlockSample, names: Sequence[str], *, robust: bool) -> SampledMoments:
    """Return the moments of a block of a sample.

    Parameters
    ----------
    block : BlockSample
        Of the variables `names`.
    names : sequence of str
    robust : bool
        Errors that do without normality, and allow for dependence within clusters; they need the rows.

    Notes
    -----
    Complete rows: Browne 1984 (doi 10.1111/j.2044-8317.1984.tb00789.x). Incomplete rows: the moments are those of maximum likelihood, with the
    inverse of the observed information, or the sandwich around it (Savalei & Bentler 2009, doi 10.1080/10705510903008238; Yuan & Bentler 2000,
    doi 10.1111/0081-1750.00078).
    """
    cov = np.asarray(block.cov * ((block.n - 1.0) / block.n))
    mean = np.zeros(len(names)) if block.mean is None else np.asarray(block.mean)
    inverse: Reals | None = None
    influence: Reals | None = None
    if block.missing is not None:
        found = np.linalg.inv(incomplete_information(block.missing.statistics, mean, cov, observed=True))
        inverse = np.asarray(0.5 * (found + found.T), dtype=np.float64)
    if robust and block.rows is not None:
        if inverse is not None and block.missing is not None:
            influence = saturated_scores(block.rows, mean, cov, block.missing.patterns) @ inverse
        else:
            i, j = lower_triangle(len(names))
            centred = block.rows - mean
            influence = np.hstack([centred, centred[:, i] * centred[:, j] - cov[i, j]])
        if block.weights is not None:
            influence = influence * block.weights[:, None]
        if block.clusters is not None:
            totals = np.zeros((int(block.clusters.max()) + 1, influence.shape[1]))
            np.add.at(totals, block.clusters, influence)
            influence = totals
    return SampledMoments(tuple(names), block.n, cov, inverse, influence, influence is not None and block.clusters is not None)
