"""How severely a claim has been tested: after the data, and before them. Formulas on arrays; estimates are taken to be normal with known errors.

Everything is on a scale that points in the stated direction of the claim: positive values agree with it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.kernels.structure import Reals

__all__ = ["Chances", "chances", "holm_levels", "severity_beyond"]


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
    m = pvalues.size
    order = np.argsort(pvalues, kind="stable")
    levels = np.empty(m)
    steps = alpha / np.arange(m, 1, -1)
    for place, member in enumerate(order):
        others = np.delete(pvalues[order], place)
        levels[member] = alpha / (m - int(np.logical_and.accumulate(others < steps).sum()))
    return levels


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
    z0, ze, zs = ndtri(1.0 - np.asarray(zero) / 2.0), ndtri(1.0 - np.asarray(equivalent)), ndtri(1.0 - np.asarray(size))
    at = value / se
    half = np.maximum(np.minimum(z0, sesoi / se - ze), 0.0)
    return Chances(ndtr(at - z0), ndtr(-at - z0), ndtr(half - at) - ndtr(-half - at), ndtr((value - sesoi) / se - zs))
