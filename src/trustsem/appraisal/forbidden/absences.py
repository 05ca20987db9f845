"""The rule for what a theory denies: an arrow or an association that is claimed to be absent.

The verdict rule of :mod:`trustsem.appraisal.verdicts` for a claim of nothing. Two families of tests, Holm's correction (1979) in each: b = 0,
two-sided; and equivalence, |b| < d, by two one-sided tests (Schuirmann 1987, doi 10.1007/BF01068419). Not significant is not the same as absent, even
where the test is powerful: at 80 % power one violation of size d in five is missed. Hence "holds" is said only where |b| < d is shown. What Saris,
Satorra & van der Veld (2009, doi 10.1080/10705510903203433) would say, without correction for the number of tests, stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.special import ndtr

from trustsem.appraisal.verdicts import holm
from trustsem.inference.single_changes import power_of_test
from trustsem.kernels.structure import Integers, Reals

__all__ = ["ABSENCE_RULE", "HIGH_POWER", "Absences", "judge_absences"]

HIGH_POWER = 0.80
ABSENCE_RULE = (
    "Holds: |b| < d is shown, whether or not b differs from 0. Violated: b differs from 0, and |b| < d is not shown (size_shown: |b| > d is shown). "
    "Cannot tell: neither is shown; `power` says how often a violation of size d would have been found. Holm's correction within each family of "
    "tests."
)
_JUDGED = MappingProxyType(
    {
        (False, True): "no misspecification",
        (False, False): "inconclusive",
        (True, False): "misspecification",
        (True, True): "look at the size",
    }
)


@dataclass(frozen=True, eq=False)
class Absences:
    """What tests say of values that are claimed to be 0.

    Attributes
    ----------
    pvalue : (q,) float
        Of b = 0, two-sided, not adjusted.
    p_zero, p_equivalent, p_size : (q,) float
        Holm-adjusted p-values of b = 0, of |b| >= d and of |b| <= d.
    power : (q,) float
        Of the unadjusted test of b = 0 if the value were d.
    verdict : tuple of str
        ``"holds"``, ``"violated"``, ``"cannot tell"``.
    size_shown : (q,) bool
        Whether |b| > d is shown.
    conventional : tuple of str
        The judgement of Saris, Satorra & van der Veld (2009) from significance and power: ``"no misspecification"``, ``"misspecification"``,
        ``"look at the size"`` (significant, with high power), ``"inconclusive"``.
    """

    pvalue: Reals
    p_zero: Reals
    p_equivalent: Reals
    p_size: Reals
    power: Reals
    verdict: tuple[str, ...]
    size_shown: np.ndarray
    conventional: tuple[str, ...]


def judge_absences(estimate: Reals, se: Reals, sesoi: Reals | float, alpha: float, family: Integers | None = None) -> Absences:
    """Judge values that are claimed to be 0.

    Parameters
    ----------
    estimate, se : (q,) float
        NaN where a value cannot be estimated, which leaves it out of the families and its verdict at "cannot tell".
    sesoi : (q,) float or float
        Smallest size of interest d.
    alpha : float
        Level of each family of tests.
    family : (q,) int, optional
        Claims with the same number are one and the same claim in other words, and are counted once.
    """
    known = np.isfinite(estimate) & np.isfinite(se) & (se > 0.0)
    own = np.arange(estimate.size) if family is None else family
    _, first, place = np.unique(np.where(known, own, -1), return_index=True, return_inverse=True)
    counted = known[first]

    def adjusted(pvalues: Reals) -> Reals:
        found = np.full(first.size, np.nan)
        found[counted] = holm(pvalues[first][counted])
        return found[place]

    with np.errstate(invalid="ignore"):
        z, size = estimate / np.where(known, se, np.nan), np.abs(estimate)
        pvalue = 2.0 * ndtr(-np.abs(z))
        p_zero = adjusted(pvalue)
        p_equivalent = adjusted(np.asarray(ndtr((size - sesoi) / np.where(known, se, np.nan))))
        # On either side: exact at |b| = d.
        p_size = adjusted(np.asarray(ndtr((sesoi - size) / np.where(known, se, np.nan)) + ndtr((-sesoi - size) / np.where(known, se, np.nan))))
        power = power_of_test(np.asarray(sesoi, dtype=np.float64), np.where(known, se, np.nan), alpha)
        different, small, larger = p_zero < alpha, p_equivalent < alpha, p_size < alpha
    verdict = tuple("holds" if s else "violated" if t else "cannot tell" for s, t in zip(small, different, strict=True))
    judged = tuple(_JUDGED[bool(p < alpha), bool(w >= HIGH_POWER)] if k else "" for p, w, k in zip(pvalue, power, known, strict=True))
    return Absences(pvalue, p_zero, p_equivalent, p_size, power, verdict, larger & different, judged)
