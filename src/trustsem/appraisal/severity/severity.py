"""How severely the data, and the design, have tested each claim."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.appraisal.severity.altered import Alterations, alterations, moved
from trustsem.appraisal.severity.probing import stated
from trustsem.appraisal.told import Told
from trustsem.appraisal.withholding import require_appraisal
from trustsem.errors import ModelError
from trustsem.inference.severity import chances, chances_in_family, holm_levels, severity_beyond
from trustsem.kernels.structure import Reals

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["Severity", "reasons_of", "severity"]

POWER, _HALF = 0.8, 0.5
_HALVINGS = 10
_ROUNDS, _CLOSE = 12, 2e-4  # the error left is a twentieth of the last step
_SHOWN = (
    "cause",
    "effect",
    "std",
    "verdict",
    "severity",
    "severity_d",
    "denied_if_zero",
    "denied_if_minus_d",
    "supported_if_zero",
    "mde",
    "mde_adjusted",
)
_NUMBERS = (
    *("severity", "severity_d", "severity_minus_d", "level_zero", "level_equivalent", "level_size", "se_if_zero", "se_if_minus_d", "se_if_d"),
    *("supported_if_zero", "denied_if_zero", "denied_if_zero_least", "supported_if_minus_d", "denied_if_minus_d", "supported_if_d"),
    *("size_shown_if_d", "mde", "mde_adjusted"),
)

_MEANING = (
    "severity: how probable a result that agrees less well with b > 0 in the stated direction would be if b were 0; severity_d and severity_minus_d: "
    "the same for b > d and b > -d. The severity of the opposite claim (b <= 0, ...) is 1 minus it.",
    "denied_if_zero, denied_if_minus_d: how often this design would contradict the claim or find it negligible, were b = 0 or b = -d; "
    "supported_if_zero: how often it would support it by mistake; mde: the smallest effect whose difference from 0 is shown with 80 % power, "
    "two-sided, with no other claim tested; mde_adjusted: at alpha divided by the number of claims.",
    "These chances are large-sample approximations, averaged over the levels at which Holm's procedure tests the claim when the others are as "
    "estimated (denied_if_zero_least: at alpha divided by the number of claims, the least it can be). Standard errors are those of the expected "
    "information where the path has the other value (other standardized paths and all variances held), times the ratio of observed to model standard "
    "errors here, which carries over missing values, teams and non-normality.",
)


@dataclass(frozen=True, eq=False, repr=False)
class Severity(Told):
    """How severely each claim has been tested.

    Attributes
    ----------
    frame : DataFrame
        One row per claim: ``id cause effect sign std std_se sesoi verdict``; after the data ``severity severity_d severity_minus_d`` (of b > 0,
        b > d, b > -d in the stated direction), ``level_zero level_equivalent level_size`` (the levels reached by Holm's procedure); before them
        ``se_if_zero se_if_minus_d se_if_d``, ``supported_if_zero denied_if_zero denied_if_zero_least supported_if_minus_d denied_if_minus_d
        supported_if_d size_shown_if_d``, ``mde mde_adjusted``; and ``reason``, why a number is not there.
    heading : str
    notes : tuple of str
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    shown = _SHOWN


def severity(appraisal: Appraisal) -> Severity:
    """Say how severely each claim of an appraisal has been tested.

    Parameters
    ----------
    appraisal : Appraisal

    Returns
    -------
    Severity
        Without numbers, and with the reason, if the appraisal has no verdicts; a claim without a stated direction has a reason instead of numbers.

    Notes
    -----
    *After the data*, the severity with which b > c has passed is ``Phi((estimate - c) / se)`` (Mayo & Spanos 2006, doi 10.1093/bjps/axl003).
    *Before them*, what counts is how often the design would have denied the claim had it been false. It is found from the rule of the verdicts with
    normal estimates (:func:`trustsem.inference.severity.chances_in_family`); :func:`trustsem.appraisal.severity.probe.probe` simulates it.
    The smallest effect that is detected solves ``effect = (z(1 - alpha/2) + z(.8)) se(effect)``.
    """
    import pandas as pd

    require_appraisal("severity", appraisal)
    frame = appraisal.verdicts[["id", "cause", "effect", "sign", "std", "std_se", "sesoi", "verdict"]]
    heading = f"{appraisal.theory.title}: how severely {len(frame)} claims were tested"
    if appraisal.withheld:
        blank = frame.assign(**dict.fromkeys(_NUMBERS, math.nan), reason=appraisal.withheld)
        return Severity(heading, blank, (f"No verdicts: {appraisal.withheld}",))
    places = stated(appraisal)
    found: list[Mapping[str, Any]] = [{"reason": "The theory states no direction, so there is no claim that could have been false."}] * len(frame)
    for k, row in zip(places, _numbers(appraisal, places) if places else (), strict=True):
        found[k] = row
    columns = pd.DataFrame(found, columns=[*_NUMBERS, "reason"], index=frame.index).fillna({"reason": ""})
    numbers = list(_NUMBERS)
    columns[numbers] = columns[numbers].astype(float)
    whole = pd.concat([frame, columns], axis=1)
    return Severity(heading, whole, (*_MEANING, *_in_words(whole), *reasons_of(whole)))


def _in_words(frame: pd.DataFrame) -> list[str]:
    """Return what the design could do at all, in a sentence."""
    denied = frame["denied_if_zero"].dropna()
    if denied.empty:
        return []
    seldom = int((denied < _HALF).sum())
    if not seldom:
        return [f"Were a claim false (b = 0), this design would mostly say so: each of the {len(denied)} claims would be denied more often than not."]
    return [
        f"Had a claim been false (b = 0), this design would seldom have denied it: {seldom} of {len(denied)} claims would be denied in less than "
        "half of all samples, and mostly left undetermined. What would speak for a claim found supported is that this would hardly happen by mistake."
    ]


def reasons_of(frame: pd.DataFrame) -> list[str]:
    """Return the reasons why numbers are not there, each with its claim."""
    return [f"{cause} -> {effect}: {reason}" for cause, effect, reason in frame[["cause", "effect", "reason"]].to_numpy().tolist() if reason]


def _numbers(appraisal: Appraisal, places: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return the columns of the claims at `places`."""
    own = list(places)
    signs = np.array([moved(appraisal, 1.0, k) for k in own])
    estimate = appraisal.estimates["est_std"].to_numpy(float)[own] * signs
    se = appraisal.estimates["se"].to_numpy(float)[own]
    sesoi = np.array(appraisal.sesoi)[own]
    levels = _levels(estimate, se, sesoi, appraisal.alpha)
    after = {
        "severity": severity_beyond(estimate, se, 0.0),
        "severity_d": severity_beyond(estimate, se, sesoi),
        "severity_minus_d": severity_beyond(estimate, se, -sesoi),
        **levels,
    }
    world = alterations(appraisal)
    result = []
    for at, k in enumerate(own):
        before = _before(appraisal, world, k, own)
        result.append({name: float(values[at]) for name, values in after.items()} | before)
    return result


def _levels(estimate: Reals, se: Reals, sesoi: Reals, alpha: float) -> dict[str, Reals]:
    """Return the levels (C,) at which the three families test each claim, the others being what they are."""
    return {
        "level_zero": holm_levels(2.0 * ndtr(-np.abs(estimate / se)), alpha),
        "level_equivalent": holm_levels(ndtr((np.abs(estimate) - sesoi) / se), alpha),
        "level_size": holm_levels(ndtr(-(estimate - sesoi) / se), alpha),
    }


def _before(appraisal: Appraisal, world: Alterations, k: int, judged: list[int]) -> dict[str, Any]:
    """Return what was to be expected of claim k, one of those judged, before the data: where it is false and where it is just true."""
    d, alpha, count = appraisal.sesoi[k], appraisal.alpha, len(judged)
    signs, sizes = np.array([moved(appraisal, 1.0, j) for j in judged]), np.array(appraisal.sesoi)[judged]
    found: dict[str, Any] = {}
    reasons: list[str] = []
    for name, value in (("zero", 0.0), ("minus_d", -d), ("d", d)):
        try:
            mean, cov = world.estimates(k, moved(appraisal, value, k))
        except ModelError as problem:
            reasons.append(f"b = {value:g} is not possible here. {problem}")
            continue
        error = math.sqrt(cov[k, k])
        reached = chances_in_family(judged.index(k), mean[judged] * signs, cov[np.ix_(judged, judged)] * np.outer(signs, signs), sizes, alpha)
        found |= {f"se_if_{name}": error, f"supported_if_{name}": float(reached.supported)}
        if name == "d":
            found["size_shown_if_d"] = float(reached.size_shown)
        else:
            found[f"denied_if_{name}"] = float(reached.denied)
        if name == "zero":
            least = alpha / count
            found["denied_if_zero_least"] = float(chances(value, np.asarray(error), d, least, least, least).denied)
    for name, own in (("mde", alpha), ("mde_adjusted", alpha / count)):
        found[name], why = _detectable(appraisal, world, k, _curve(found, d), own)
        reasons += [why] if why else []
    return found | {"reason": " ".join(dict.fromkeys(reasons))}


def _curve(found: Mapping[str, float], d: float) -> Callable[[float], float]:
    """Return the standard error as a function of the effect: the parabola through the three that are known, or a constant."""
    low, zero, high = (found.get(f"se_if_{name}", math.nan) for name in ("minus_d", "zero", "d"))
    if math.isnan(low + zero + high):
        near = [one for one in (high, zero, low) if not math.isnan(one)]
        return lambda effect: near[0] if near else math.nan
    slope, bend = (high - low) / (2.0 * d), (high + low - 2.0 * zero) / (2.0 * d * d)
    return lambda effect: max(zero + slope * effect + bend * effect**2, 0.2 * zero)


def _detectable(appraisal: Appraisal, world: Alterations, k: int, guess: Callable[[float], float], level: float) -> tuple[float, str]:
    """Return the effect whose difference from 0 is shown with the power wanted, in the stated direction; NaN and the reason if there is none."""
    factor = float(ndtri(1.0 - level / 2.0) + ndtri(POWER))
    effect = factor * guess(0.0)
    for _ in range(_ROUNDS):
        effect = factor * guess(effect)
    if math.isnan(effect):  # no world is possible, which was said already
        return effect, ""
    for _ in range(_ROUNDS):
        try:
            following = factor * world.error(k, moved(appraisal, effect, k))
        except ModelError:
            return _near_the_edge(appraisal, world, k, effect, factor)
        if abs(following - effect) < _CLOSE or math.isnan(following):
            return following, ""
        effect = following
    return effect, ""


def _near_the_edge(appraisal: Appraisal, world: Alterations, k: int, outside: float, factor: float) -> tuple[float, str]:
    """Return the same where an effect that was tried, `outside`, is more than there can be."""

    def excess(effect: float) -> float:
        try:
            return effect - factor * world.error(k, moved(appraisal, effect, k))
        except ModelError:
            return math.nan

    low, high = 0.0, outside
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if not math.isnan(excess(middle)) else (low, middle)
    if not excess(low) >= 0.0:
        return (
            math.nan,
            f"No possible effect is detected with 80 % power: it would have to be {factor:.1f} standard errors, and about {low:.2f} is the most.",
        )
    high, low = low, 0.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) < 0.0 else (low, middle)
    return high, ""
