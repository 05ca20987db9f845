"""Where to begin, from large-sample theory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from trustsem.errors import OptionError
from trustsem.planning.asymptotic import Expected, expected, moments_fit, quantile_size
from trustsem.planning.question import Question
from trustsem.planning.setting import Setting

__all__ = ["Rough", "rough_choice", "rough_claims"]

_NONE = "Large-sample theory gives no answer here."
_SAME = 1e-8  # noncentrality for each person below which two models are equally good in the population


@dataclass(frozen=True)
class Rough:
    """The answer of large-sample theory.

    Attributes
    ----------
    level : float or None
        Where to begin: the answer, within the limits.
    slope : float or None
        Of the curve there.
    answer : float or None
        The answer, rounded up; None if theory gives none.
    note : str
        What it rests on.
    """

    level: float | None
    slope: float | None
    answer: float | None
    note: str


def rough_claims(setting: Setting, question: Question, target: float, limits: tuple[float, float]) -> Rough:
    """Return where claims have the wanted power, or the intervals the wanted width."""
    assert question.claims is not None
    if not setting.scales:
        return Rough(None, None, None, _NONE)
    middle = math.sqrt(limits[0] * limits[1])
    found = expected(setting, middle, question.claims.parameters)
    if found is None:
        return Rough(None, None, None, _NONE)
    per = setting.people or 1
    rest = "the exact moments" if found.exact else "one large sample"
    note = f"large-sample standard errors from {rest}"
    if question.goal == "ci_width":
        widths = 2.0 * float(ndtri(1.0 - question.alpha / 2.0)) * found.errors(1.0)
        n = float((widths.max() / target) ** 2)
        return Rough(_within(n / per, limits), -0.5, math.ceil(n / per), note)
    alpha = question.alpha
    if question.adjust == "holm":
        alpha /= len(question.family) if len(question.claims.parameters) == 1 else max(1, len(question.family) - len(question.claims.parameters) + 1)
        note += ", an upper bound: the correction of Bonferroni"
    n, slope = _required(found, target, alpha, per, limits)
    return Rough(_within(n / per, limits), slope * math.sqrt(per), math.ceil(n / per - 1e-9), note)


def _required(found: Expected, power: float, alpha: float, per: int, limits: tuple[float, float]) -> tuple[float, float]:
    """Return the number of rows for a power, and the slope of the probit against its root."""
    if len(found.value) == 1:
        slope = float(abs(found.value[0]) / found.errors(1.0)[0])
        return ((float(ndtri(power)) + float(ndtri(1.0 - alpha / 2.0))) / slope) ** 2, slope
    return quantile_size(found.required(alpha), power, 1.0, 100.0 * limits[1] * per)


def rough_choice(setting: Setting, question: Question, target: float, limits: tuple[float, float]) -> Rough:
    """Return where the right model has the lower BIC often enough: the difference of the BIC is taken to be normal.

    Raises
    ------
    OptionError
        If the rival is as good in the population and not larger, so that no data can tell.
    """
    if not setting.scales:
        return Rough(None, None, None, _NONE)
    prepared = setting.prepared(math.sqrt(limits[0] * limits[1]))
    own, rival = prepared.analyses
    if set(own.fitter.observed) != set(rival.fitter.observed):
        odd = sorted(set(own.fitter.observed) ^ set(rival.fitter.observed))
        raise OptionError(f"rival= has other observed variables than the analysis ({', '.join(odd[:6])}). BIC compares models of the same variables.")
    fits = [moments_fit(prepared, one) for one in prepared.analyses]
    if fits[0] is None or fits[1] is None:
        return Rough(None, None, None, _NONE)
    nobs = fits[0].nobs
    gain = (fits[1].chisq.statistic - fits[0].chisq.statistic) / nobs
    more = fits[1].npar - fits[0].npar  # parameters that the rival has more
    if gain < _SAME and more <= 0:
        raise OptionError(
            "rival= describes the population as well as the analysis does, with no more parameters: no data can tell that it is wrong. Give another "
            "rival, or a population in which they differ."
        )
    n = np.geomspace(max(limits[0], 2.0), limits[1], 2000) * (setting.people or 1)
    z = (gain * n - more + more * np.log(n)) / np.sqrt(4.0 * max(gain, 0.0) * n + 2.0 * abs(more) + 1e-9)
    enough = np.flatnonzero(z >= float(ndtri(target)))
    note = "normal approximation to the difference of the BIC"
    if not enough.size:
        return Rough(limits[1], None, None, note)
    at = max(int(enough[0]), 1)
    slope = float((z[at] - z[at - 1]) / (math.sqrt(n[at]) - math.sqrt(n[at - 1])))
    level = float(n[enough[0]]) / (setting.people or 1)
    return Rough(_within(level, limits), slope * math.sqrt(setting.people or 1) if slope > 0 else None, math.ceil(level), note)


def _within(level: float, limits: Sequence[float]) -> float:
    return min(max(level, limits[0]), limits[1])
