"""How severely a claim has been tested: after the data, and before them. Formulas on arrays; estimates are taken to be normal with known errors.

Everything is on a scale that points in the stated direction of the claim: positive values agree with it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.kernels.structure import Reals

__all__ = ["Chances", "chances", "chances_in_family", "holm_levels", "severity_beyond"]

_DRAWS, _SEED = 1024, 20_060_411


class Chances(NamedTuple):
    """How often the rule of the verdicts comes to which conclusion, each (C,) or a number.

    Attributes
    ----------
    supported : float
        Supported, or supported but small.
    contradicted, negligible : float
        The two ways of denying the claim.
    size_shown : float
        The effect is shown to exceed d.
    """

    supported: Reals
    contradicted: Reals
    negligible: Reals
    size_shown: Reals

    @property
    def denied(self) -> Reals:
        """Contradicted or negligible."""
        return self.contradicted + self.negligible

    @property
    def undetermined(self) -> Reals:
        """Neither supported nor denied."""
        return np.maximum(1.0 - self.supported - self.denied, 0.0)


def severity_beyond(toward: Reals, se: Reals, bound: Reals | float) -> Reals:
    """Return with which severity the claim b > `bound` has passed.

    Parameters
    ----------
    toward, se : (C,) float
        Estimate in the stated direction, and its standard error.
    bound : (C,) float or float

    Returns
    -------
    (C,) float
        ``Phi((toward - bound) / se)``: the probability of a result that agrees less well with b > `bound` than the one observed, if b were just
        `bound`. That of b <= `bound` is 1 minus it (Mayo & Spanos 2006, doi 10.1093/bjps/axl003).
    """
    return np.asarray(ndtr((toward - bound) / se))


def holm_levels(pvalues: Reals, alpha: float) -> Reals:
    """Return the level at which Holm's procedure (1979) tests each member of a family, the other p-values being what they are.

    Parameters
    ----------
    pvalues : (m,) float
        Unadjusted.
    alpha : float
        Level of the family.

    Returns
    -------
    (m,) float
        ``alpha / (m - r)``, where r is the number of the other members that are rejected, tested in order at ``alpha / m``, ``alpha / (m - 1)`` and
        so on, until the first that is not: a member is rejected if and only if its own p-value is below this. Between ``alpha / m`` and `alpha`.
    """
    order = np.argsort(pvalues, kind="stable")
    levels = np.empty(pvalues.size)
    for place, member in enumerate(order):
        levels[member] = _level(np.delete(pvalues[order], place), alpha)
    return levels


def _level(others: Reals, alpha: float) -> Reals:
    """Return the level of a member of a family whose other p-values (..., m - 1) are these, in increasing order."""
    m = others.shape[-1] + 1
    rejected = np.logical_and.accumulate(others < alpha / np.arange(m, 1, -1), axis=-1).sum(axis=-1)
    return np.asarray(alpha / (m - rejected))


def chances(value: Reals | float, se: Reals, sesoi: Reals | float, zero: Reals | float, equivalent: Reals | float, size: Reals | float) -> Chances:
    """Return how often a claim is supported or denied by the rule of the verdicts.

    Parameters
    ----------
    value : (C,) float or float
        True effect, in the stated direction.
    se : (C,) float
        Standard error of its estimate there.
    sesoi : (C,) float or float
        Smallest effect size of interest d.
    zero, equivalent, size : (C,) float or float
        Levels of the tests of b = 0 (two-sided), of |b| >= d (two one-sided tests) and of b <= d.

    Returns
    -------
    Chances

    Notes
    -----
    With t the estimate, z the quantile of a test's level and s the standard error: supported if ``t > z0 s``, contradicted if ``t < -z0 s``,
    negligible if ``|t| < min(z0 s, d - ze s)``, size shown if ``t > d + zs s``.
    """
    return _given(np.asarray(value), se, se, np.asarray(sesoi), (np.asarray(zero), np.asarray(equivalent), np.asarray(size)))


def chances_in_family(member: int, mean: Reals, cov: Reals, sesoi: Reals, alpha: float) -> Chances:
    """Return how often one of several claims that are judged together is supported or denied.

    Parameters
    ----------
    member : int
        Place of the claim.
    mean : (C,) float
        True effects in the stated directions.
    cov : (C, C) float
        Covariance matrix of their estimates.
    sesoi : (C,) float
        Smallest effect size of interest d of each.
    alpha : float
        Level of each family of tests.

    Returns
    -------
    Chances
        Numbers.

    Notes
    -----
    Given the estimates of the other claims, Holm's procedure tests this one at known levels (:func:`holm_levels`), and its estimate is normal with
    known mean and variance, so that :func:`chances` are known. They are averaged over the normal distribution of the other estimates: 1,024 draws,
    always with the same random numbers. Only the average over the levels has an error from that, of a few thousandths at most.
    """
    rest = np.delete(np.arange(mean.size), member)
    if not rest.size:
        return chances(mean[member], np.sqrt(cov[member, member]), sesoi[member], alpha, alpha, alpha)
    own = cov[np.ix_(rest, rest)]
    noise = np.random.default_rng(_SEED).standard_normal((_DRAWS // 2, rest.size))
    values, vectors = np.linalg.eigh(own)
    away = np.vstack([noise, -noise]) @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    weight = np.linalg.lstsq(own, cov[rest, member], rcond=None)[0]
    se = np.sqrt(np.diag(own))
    others = mean[rest] + away
    zero = _level(np.sort(2.0 * ndtr(-np.abs(others / se)), axis=1), alpha)
    equivalent = _level(np.sort(ndtr((np.abs(others) - sesoi[rest]) / se), axis=1), alpha)
    size = _level(np.sort(ndtr(-(others - sesoi[rest]) / se), axis=1), alpha)
    spread = np.sqrt(max(float(cov[member, member] - weight @ cov[rest, member]), 0.0))
    each = _given(mean[member] + away @ weight, spread, np.sqrt(cov[member, member]), sesoi[member], (zero, equivalent, size))
    return Chances(*(np.asarray(part.mean()) for part in each))


def _given(centre: Reals, spread: Reals, se: Reals, d: Reals, levels: tuple[Reals, Reals, Reals]) -> Chances:
    """Return chances where the estimate is normal with a mean `centre` and a standard deviation `spread` that is not its standard error `se`."""
    z0, ze, zs = ndtri(1.0 - levels[0] / 2.0) * se, ndtri(1.0 - levels[1]) * se, ndtri(1.0 - levels[2]) * se
    half = np.maximum(np.minimum(z0, d - ze), 0.0)
    inside = ndtr((half - centre) / spread) - ndtr((-half - centre) / spread)
    return Chances(ndtr((centre - z0) / spread), ndtr((-centre - z0) / spread), inside, ndtr((centre - d - zs) / spread))
