"""Rivals in time: the theory's effects on the next wave against none, against the reversed ones, and against both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtr

from trustsem.appraisal.refitting import refit
from trustsem.appraisal.told import Told
from trustsem.appraisal.verdicts import holm
from trustsem.appraisal.waves.wave_estimates import DIRECTION, PathEstimates, estimate_arrows
from trustsem.appraisal.waves.wave_models import Arrow, WaveModel
from trustsem.appraisal.withholding import why_withheld
from trustsem.display import number
from trustsem.fitting.comparison import describe_method
from trustsem.fitting.differences import choose_method, difference_test
from trustsem.fitting.fit import Fit
from trustsem.fitting.tables import delta_errors
from trustsem.kernels.structure import Reals
from trustsem.theory import Proposition

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["WavePart", "compare_growth", "compare_waves", "feedback_arrows", "side_by_side"]

_QUESTIONS = (
    ("Does anything matter but a construct's own past?", "stability", "theory"),
    ("Are the theory's effects needed beside the reversed ones?", "reversed", "both ways"),
    ("Are the reversed effects needed beside the theory's?", "theory", "both ways"),
    ("Are the effects that you added needed?", "theory", "theory and added"),
    ("Are effects equal over waves?", "fitted", "effects free over waves"),
    ("Are loadings equal over waves?", "fitted", "loadings free"),
    ("Are intercepts equal over waves?", "fitted", "intercepts free"),
    ("Is there something that lasts (traits)?", "without traits", "fitted"),
)
_DIRECTIONS: Mapping[tuple[bool | None, bool], str] = MappingProxyType(
    {
        (True, True): "both ways",
        (True, False): "as the theory says",
        (False, True): "reversed",
        (False, False): "not shown either way",
        (None, True): "feedback",
        (None, False): "no feedback shown",
    }
)
_SIDE_BY_SIDE = (
    "Standardized effects of one wave on the next, estimated in one model with the theory's and the reversed effects. Holm's adjustment over all of "
    "them, and over the differences.",
    "Shown means: different from 0 in the stated direction. A row without a forward effect is feedback from the end of the theory to its beginning, "
    "which reverses no claim.",
)
_SIDES_SHOWN = ("cause", "effect", "sign", "forward", "p_forward", "reverse", "p_reverse", "p_difference", "direction")
_DRIFT = (
    "What carries over from wave to wave drifts, and drift looks like slopes. Slopes that go together may then be due to whatever moves both "
    "constructs within a wave, so a claim about slopes is no better evidence of direction than one wave is."
)
_MEASURES = ("chisq", "df", "pvalue", "chisq_scaled", "pvalue_scaled", "rmsea", "rmsea_robust", "cfi", "cfi_robust", "srmr", "aic", "bic")


@dataclass(frozen=True, eq=False, repr=False)
class WavePart(Told):
    """One table of a panel analysis.

    Attributes
    ----------
    heading : str
    frame : DataFrame
    notes : tuple of str
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    shown: Sequence[str] | None = None


class Compared(NamedTuple):
    """What the comparison of models gives: models, tests between them, claims against their reverses."""

    models: WavePart
    tests: WavePart
    rivals: WavePart


def feedback_arrows(arrows: Sequence[Arrow]) -> tuple[Arrow, ...]:
    """Return an arrow from every end of the theory back to what its beginnings act on, such as (Outcomes, Trust)."""
    causes, effects = {cause for cause, _ in arrows}, {effect for _, effect in arrows}
    names = list(dict.fromkeys(name for arrow in arrows for name in arrow))
    ends = [name for name in names if name not in causes]
    first = [effect for cause, effect in arrows if cause not in effects]
    return tuple((end, target) for end in ends for target in dict.fromkeys(first) if end != target)


def compare_waves(fit: Fit, model: WaveModel, claims: Sequence[Proposition], added: Sequence[Proposition], alpha: float) -> Compared:
    """Fit the rivals in time of a model and compare them.

    Parameters
    ----------
    fit : Fit
        Of `model`.
    model : WaveModel
        Cross-lagged, with or without random intercepts, with the arrows of claims and additions.
    claims, added : sequence of Proposition
    alpha : float

    Returns
    -------
    Compared
    """
    forward = [(claim.cause, claim.effect) for claim in claims]
    others = [(claim.cause, claim.effect) for claim in added]
    backward = [arrow for arrow in dict.fromkeys([*((b, a) for a, b in forward), *feedback_arrows(forward), *others]) if arrow not in forward]
    wanted: dict[str, WaveModel] = {
        "stability": model.with_arrows(()),
        "theory": model.with_arrows(forward),
        "reversed": model.with_arrows(backward),
        "both ways": model.with_arrows([*forward, *backward]),
    }
    if others:
        wanted["theory and added"] = model
    if model.equal and len(model.suffixes) > 2:
        wanted["effects free over waves"] = replace(model, equal=False)
    if any(part.latent for part in model.constructs):
        if model.invariance == "loadings":
            wanted["loadings free"] = replace(model, invariance="none")
        elif model.invariance == "scalar":
            wanted["intercepts free"] = replace(model, invariance="loadings", means=False)
    if model.form == "random_intercept":
        wanted["without traits"] = replace(model, form="cross_lagged")
    own = "theory and added" if others else "theory"
    fits = {name: fit if name == own else refit(fit, some.table(fit.model.has_means)) for name, some in wanted.items()}
    rivals = side_by_side(fits["both ways"], wanted["both ways"], claims, backward, alpha)
    return Compared(_models(fits), _tests(fits | {"fitted": fit}, own), rivals)


def compare_growth(fit: Fit, model: WaveModel) -> WavePart:
    """Compare growth with a cross-lagged model of the same data, in which nothing grows steadily and effects take a wave."""
    other = replace(model, form="cross_lagged")
    part = _models({"growth": fit, "cross-lagged": refit(fit, other.table(fit.model.has_means))}, ("growth", "cross-lagged"))
    return replace(part, notes=(*part.notes, _DRIFT))


def _models(fits: Mapping[str, Fit], pair: tuple[str, str] = ("theory", "reversed")) -> WavePart:
    """Return how well each model fits, with a note on which of a pair BIC prefers."""
    import pandas as pd

    rows = []
    for name, fit in fits.items():
        found = fit.measures(_MEASURES) if fit.converged else {}
        best = [found.get(f"{kind}_scaled", found.get(kind, math.nan)) for kind in ("chisq", "pvalue")]
        approximate = [found.get(f"{kind}_robust", found.get(kind, math.nan)) for kind in ("cfi", "rmsea")]
        plain = [found.get(kind, math.nan) for kind in ("srmr", "aic", "bic")]
        rows.append((name, best[0], fit.df, best[1], *approximate, *plain, why_withheld(fit) or "usable"))
    frame = pd.DataFrame(rows, columns=["model", "chisq", "df", "pvalue", "cfi", "rmsea", "srmr", "aic", "bic", "state"])
    notes = [f"Not usable: {row['model']}, because {row['state']}" for row in frame.to_dict("records") if row["state"] != "usable"]
    bic = {row["model"]: row["bic"] for row in frame.to_dict("records") if row["state"] == "usable"}
    if all(math.isfinite(bic.get(name, math.nan)) for name in pair):
        better, worse = sorted(pair, key=lambda name: bic[name])
        notes.append(f"Not nested: {pair[0]} and {pair[1]}. BIC prefers {better}, by {number(bic[worse] - bic[better], 1)}.")
    shown = ("model", "chisq", "df", "pvalue", "cfi", "rmsea", "srmr", "bic")
    return WavePart("Models compared", frame, tuple(notes), shown)


def _tests(fits: Mapping[str, Fit], own: str) -> WavePart:
    import pandas as pd

    rows = []
    method = choose_method([fits["fitted"]], "default", True) if fits["fitted"].options.tests else None
    for question, restricted, general in _QUESTIONS:
        if restricted in fits and general in fits and method is not None:
            narrow, wide = fits[restricted], fits[general]
            usable = narrow.converged and wide.converged and narrow.df > wide.df
            found = difference_test(narrow, wide, method) if usable else None
            named = [own if name == "fitted" else name for name in (restricted, general)]
            rows.append((question, *named, *((found.statistic, found.df, found.pvalue) if found else (math.nan,) * 3)))
    frame = pd.DataFrame(rows, columns=["question", "restricted", "general", "chisq_diff", "df_diff", "pvalue"])
    notes = [f"{describe_method(method)}; unadjusted p-values."] if method is not None else ["The fit was made without a test of the model."]
    if frame["chisq_diff"].isna().any():
        notes.append("No difference where a model did not converge, or the scaling of the difference does not exist.")
    if "without traits" in fits:
        notes.append(
            "Without traits their variances are 0, which is the edge of what is possible: the p-value of that test is too large, if anything."
        )
    return WavePart("Difference tests", frame, tuple(notes), ("question", "chisq_diff", "df_diff", "pvalue"))


class _Sides(NamedTuple):
    """Effects as claimed (c,), their reverses with feedback (c + f,), and differences (c,), with adjusted p-values (NaN without verdicts)."""

    ahead: PathEstimates
    behind: PathEstimates
    difference: Reals
    difference_se: Reals
    p_ahead: Reals
    p_behind: Reals
    p_difference: Reals


def _sides(fit: Fit, model: WaveModel, pairs: Sequence[Arrow], count: int, withheld: str) -> _Sides:
    ahead = estimate_arrows(fit, model, pairs[:count])
    behind = estimate_arrows(fit, model, [(effect, cause) for cause, effect in pairs])
    difference = ahead.std - behind.std[:count]
    error = delta_errors(ahead.std_slopes - behind.std_slopes[:count], fit.theta_vcov)
    if withheld:
        return _Sides(ahead, behind, difference, error, *(np.full(size, math.nan) for size in (count, len(pairs), count)))
    with np.errstate(divide="ignore", invalid="ignore"):
        family = holm(2.0 * ndtr(-np.abs(np.concatenate([ahead.std / ahead.std_se, behind.std / behind.std_se]))))
        gaps = holm(2.0 * ndtr(-np.abs(difference / error)))
    return _Sides(ahead, behind, difference, error, family[:count], family[count:], gaps)


def side_by_side(fit: Fit, model: WaveModel, claims: Sequence[Proposition], backward: Sequence[Arrow], alpha: float) -> WavePart:
    """Return each claim and its reverse as estimated side by side, and the feedback arrows, which reverse no claim."""
    import pandas as pd

    forward = [(claim.cause, claim.effect) for claim in claims]
    back = [(effect, cause) for cause, effect in backward if (effect, cause) not in forward]
    pairs, signs = forward + back, [claim.sign for claim in claims] + ["+"] * len(back)
    withheld, count = why_withheld(fit), len(forward)
    sides = _sides(fit, model, pairs, count, withheld)

    def filled(values: Reals) -> Reals:
        return np.concatenate([values, np.full(len(back), math.nan)])

    there = _shown(sides.ahead.std, sides.p_ahead, signs[:count], alpha).tolist() + [None] * len(back)
    returning = _shown(sides.behind.std, sides.p_behind, signs, alpha).tolist()
    frame = pd.DataFrame(
        {
            "cause": [cause for cause, _ in pairs],
            "effect": [effect for _, effect in pairs],
            "sign": signs,
            "forward": filled(sides.ahead.std),
            "forward_se": filled(sides.ahead.std_se),
            "p_forward": filled(sides.p_ahead),
            "reverse": sides.behind.std,
            "reverse_se": sides.behind.std_se,
            "p_reverse": sides.p_behind,
            "difference": filled(sides.difference),
            "difference_se": filled(sides.difference_se),
            "p_difference": filled(sides.p_difference),
            "direction": ["no verdict" if withheld else _DIRECTIONS[pair] for pair in zip(there, returning, strict=True)],
        }
    )
    notes = (*((f"No verdicts: {withheld}",) if withheld else ()), *_SIDE_BY_SIDE)
    return WavePart("Each claim against its reverse", frame, notes, _SIDES_SHOWN)


def _shown(values: Reals, p: Reals, signs: Sequence[str], alpha: float) -> np.ndarray:
    """Return which effects are shown in the stated direction (in any, where none is stated)."""
    direction = np.array([DIRECTION.get(sign, 0) for sign in signs])
    with np.errstate(invalid="ignore"):
        return np.asarray((p < alpha) & ((direction == 0) | (values * direction > 0.0)))
