"""The rule that turns estimates into verdicts. Everything is on the standardized scale.

Three families of tests, Holm's correction (1979) in each: b = 0, two-sided; equivalence, |b| < d, by two one-sided tests (Schuirmann 1987); and
b <= d in
the stated direction. The first decides whether a sign is shown, the second whether the effect is too small to matter, the third whether it is
shown to be
larger than d.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals

__all__ = ["RULE", "VERDICTS", "Judgement", "judge"]

VERDICTS = ("supported", "supported but small", "contradicted", "negligible", "undetermined")

RULE = (
    "Verdicts are on the standardized scale, with Holm's correction within each family of tests. "
    "Supported: b differs from 0 in the stated direction and is not shown to be smaller than d. "
    "Supported but small: b differs from 0 in the stated direction, and |b| < d is shown. "
    "Contradicted: b differs from 0 in the other direction. "
    "Negligible: b is not shown to differ from 0, and |b| < d is shown. "
    "Undetermined: these data do not decide. "
    "size_shown: b is shown to exceed d in the stated direction."
)


@dataclass(frozen=True, eq=False)
class Judgement:
    """Adjusted p-values and verdicts of a set of claims.

    Attributes
    ----------
    p_zero, p_equivalent, p_size : (C,) float
        Holm-adjusted p-values of the three families.
    verdict : tuple of str
        One of :data:`VERDICTS` for each claim.
    size_shown : (C,) bool
        Whether b <= d in the stated direction is rejected.
    severity : (C,) float
        How probable a result that agrees less well with the stated direction would be if b were 0 (Mayo & Spanos 2006, doi 10.1093/bjps/axl003).
    """

    p_zero: Reals
    p_equivalent: Reals
    p_size: Reals
    verdict: tuple[str, ...]
    size_shown: np.ndarray
    severity: Reals


def holm(pvalues: Reals) -> Reals:
    """Return p-values adjusted by Holm's step-down procedure (1979, Scand J Stat 6:65-70); an empty family stays empty.

    Written out because statsmodels' function collects garbage at every call, which takes a tenth of a second; the tests compare the two.
    """
    order = np.argsort(pvalues, kind="stable")
    stepped = np.maximum.accumulate(pvalues[order] * np.arange(pvalues.size, 0, -1))
    adjusted = np.empty_like(pvalues)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def judge(estimate: Reals, se: Reals, sesoi: Reals, sign: Sequence[int], alpha: float = 0.05) -> Judgement:
    """Judge claims by their standardized estimates.

    Parameters
    ----------
    estimate, se : (C,) float
        Standardized estimates and their standard errors.
    sesoi : (C,) float
        Smallest effect size of interest d of each claim, positive.
    sign : sequence of {+1, -1}
        The stated direction.
    alpha : float
        Level of each family of tests.

    Returns
    -------
    Judgement

    Raises
    ------
    OptionError
        If alpha is not between 0 and 1, or an input is not finite (a fit without standard errors gets no verdict).
    """
    if not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r} is not a significance level. Give a number between 0 and 1, such as 0.05.")
    if not (np.all(np.isfinite(estimate)) and np.all(np.isfinite(se)) and np.all(se > 0.0)):
        raise OptionError("A claim has no estimate or no standard error, so there is no verdict. Look at the fit's warnings.")
    direction = np.asarray(sign, dtype=np.float64)
    toward = estimate * direction
    p_zero = holm(2.0 * ndtr(-np.abs(estimate / se)))
    p_equivalent = holm(np.maximum(ndtr(-(estimate + sesoi) / se), ndtr((estimate - sesoi) / se)))
    p_size = holm(ndtr(-(toward - sesoi) / se))
    signed, small = p_zero < alpha, p_equivalent < alpha
    verdicts = []
    for is_signed, is_small, is_toward in zip(signed, small, toward > 0.0, strict=True):
        if is_signed:
            verdicts.append(("supported but small" if is_small else "supported") if is_toward else "contradicted")
        else:
            verdicts.append("negligible" if is_small else "undetermined")
    return Judgement(p_zero, p_equivalent, p_size, tuple(verdicts), p_size < alpha, np.asarray(ndtr(toward / se)))
