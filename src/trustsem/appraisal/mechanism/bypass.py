"""Does everything go through one construct? The theory against the model in which its causes also act past it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.appraisal.mechanism.routes import total_effects
from trustsem.appraisal.refitting import refit
from trustsem.appraisal.told import Told, records
from trustsem.appraisal.verdicts import holm
from trustsem.errors import ModelError
from trustsem.fitting.comparison import describe_method
from trustsem.fitting.differences import Method, choose_method, difference_test
from trustsem.inference.difference import DifferenceTest
from trustsem.inference.quantities import Quantities
from trustsem.spec.table import ParameterTable, Row

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal
    from trustsem.fitting.fit import Fit
    from trustsem.theory import Theory

__all__ = ["Bypass", "bypass_pairs", "judge_bypass"]

_CLEAR = 2.0  # standard errors from 0 at which a share of a total effect can be read
_NO_TEST = DifferenceTest(math.nan, 0, math.nan)
_RULE = (
    "Violated: the difference test rejects the theory. Violated, but small: it does, yet every arrow past it is shown to be smaller than d. Holds: "
    "every arrow past it is shown to be smaller than d (all of the tests at the level, which needs no correction for their number). Cannot tell: "
    "neither is shown."
)


@dataclass(frozen=True, eq=False, repr=False)
class Bypass(Told):
    """The test of "through one construct only".

    Attributes
    ----------
    heading : str
    frame : DataFrame
        One row per arrow past it: ``cause effect std se ci_lower ci_upper pvalue p_holm p_equivalent verdict`` (standardized; interval, pvalue and
        p_equivalent unadjusted); verdict *acts past it*, *acts past it, but small*, *negligible* or *cannot tell*.
    notes : tuple of str
    through : str
    verdict : str
        *holds*, *violated*, *violated, but small*, *cannot tell* or *no verdict*.
    test : DifferenceTest
        ``statistic df scaling pvalue``; NaN where there is none.
    effects : DataFrame
        In the model with the arrows past it, one row per cause and outcome: ``cause outcome total total_se via via_se past past_se share share_se``
        (standardized; share is that of the total which goes through the construct).
    sesoi : float
        Smallest effect size of interest d of an arrow past it.
    fit : Fit or None
        The model with the arrows past it.
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    through: str
    verdict: str
    test: DifferenceTest
    effects: pd.DataFrame
    sesoi: float
    fit: Fit | None

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the fit as JSON knows it."""
        test = {name: None if math.isnan(value := float(getattr(self.test, name))) else value for name in ("statistic", "df", "pvalue")}
        return super().to_dict() | {
            "through": self.through,
            "verdict": self.verdict,
            "sesoi": self.sesoi,
            "test": test,
            "effects": records(self.effects),
        }


def bypass_pairs(theory: Theory, through: str) -> tuple[tuple[str, str], ...]:
    """Return the arrows past a construct that a theory does not have: from each of its ancestors to each of its descendants.

    Pairs whose residuals are free to covary are left out, because such a model would not be identified.
    """
    arrows = {(claim.cause, claim.effect) for claim in theory.claims}
    above = _closure(through, {(effect, cause) for cause, effect in arrows})
    below = _closure(through, arrows)
    joined = {covariance.pair for covariance in theory.covariances if covariance.free}
    names = [node.name for node in theory.nodes]
    pairs = [(cause, effect) for cause in names if cause in above for effect in names if effect in below]
    return tuple(pair for pair in pairs if pair not in arrows and frozenset(pair) not in joined)


def _closure(start: str, arrows: set[tuple[str, str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        one = waiting.pop()
        new = {effect for cause, effect in arrows if cause == one} - found
        found |= new
        waiting.extend(new)
    return found


def judge_bypass(appraisal: Appraisal, through: str, ends: Sequence[tuple[str, str]], sesoi: float) -> Bypass:
    """Test that a theory's causes act on what comes after `through` by way of it only.

    Parameters
    ----------
    appraisal : Appraisal
    through : str
        A construct on every route.
    ends : sequence of (str, str)
        Causes and outcomes whose total effects are split.
    sesoi : float
        Smallest effect size of interest of an arrow past it, standardized.
    """
    pairs = bypass_pairs(appraisal.theory, through)
    fit, reason = _freed(appraisal, pairs)
    test, method = _NO_TEST, None
    if fit is not None and not reason:
        test, method = _difference(appraisal.fit, fit)
    frame = _arrows(appraisal, fit, pairs, sesoi, told=not reason)
    verdict = _verdict(frame, test, appraisal.alpha) if not reason else "no verdict"
    effects = _split(fit, _places(appraisal.theory, fit), through, ends) if fit is not None and fit.converged else _split_nothing()
    shown = ", ".join(f"{name}" for name in dict.fromkeys(cause for cause, _ in pairs))
    heading = f"Do {shown} act through {through} only? {verdict.capitalize()}."
    notes = (*_notes(reason, test, method, sesoi, len(pairs)), *_unreadable(effects))
    return Bypass(heading, frame, notes, through, verdict, test, effects, sesoi, fit)


def _freed(appraisal: Appraisal, pairs: Sequence[tuple[str, str]]) -> tuple[Fit | None, str]:
    """Return the fit with the arrows `pairs` added, and why it cannot be used; empty if it can."""
    if appraisal.withheld:
        return None, appraisal.withheld
    if not pairs:
        return None, "every arrow past it would join constructs whose residuals are free to covary, so that none of them is identified."
    table = appraisal.fit.model.table
    first = table.rows[0]
    names = {node.name: node.variable for node in appraisal.theory.nodes}
    rows = [Row(names[effect], "~", names[cause], user=1, block=1, group=first.group, level=first.level) for cause, effect in pairs]
    try:
        fit = refit(appraisal.fit, ParameterTable((*table.rows, *rows), table.relations, table.group_labels, table.n_groups, table.n_levels))
    except ModelError as error:
        return None, f"the model with the arrows past it cannot be fitted. {error}"
    if not fit.converged:
        return fit, f"the model with the arrows past it did not converge. {fit.reason}"
    if not fit.identified:
        return fit, f"the model with the arrows past it is not identified ({', '.join(fit.not_identified)})."
    return fit, "" if fit.admissible else f"the model with the arrows past it is inadmissible: {'; '.join(fit.inadmissible)}."


def _difference(restricted: Fit, general: Fit) -> tuple[DifferenceTest, Method | None]:
    """Return the difference test that the fits call for; the scaling that is always positive where the usual one is not."""
    if not restricted.options.tests:
        return _NO_TEST._replace(df=restricted.df - general.df), None
    method = choose_method((general, restricted), "default", True)
    test = difference_test(restricted, general, method)
    if math.isnan(test.statistic) and method.name == "satorra_bentler_2001":
        method = Method("satorra_bentler_2010")
        test = difference_test(restricted, general, method)
    return test, method


def _arrows(appraisal: Appraisal, fit: Fit | None, pairs: Sequence[tuple[str, str]], sesoi: float, *, told: bool) -> pd.DataFrame:
    import pandas as pd

    std, se = np.full(len(pairs), math.nan), np.full(len(pairs), math.nan)
    if fit is not None:
        names = {node.name: node.variable for node in appraisal.theory.nodes}
        table = fit.standardized_solution()
        at = {(row.rhs, row.lhs): k for k, row in enumerate(fit.model.table.rows) if row.op == "~"}
        rows = [at[names[cause], names[effect]] for cause, effect in pairs]
        std, se = table["est_std"].to_numpy(float)[rows], table["se"].to_numpy(float)[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2.0 * ndtr(-np.abs(std / se))
        p_equivalent = np.maximum(ndtr(-(std + sesoi) / se), ndtr((std - sesoi) / se))
    usable = bool(told and np.isfinite(p).all())
    p_holm, equivalent = (holm(p), holm(p_equivalent)) if usable else (np.full_like(p, math.nan), np.full_like(p, math.nan))
    width = float(ndtri(0.5 + 0.5 * appraisal.level)) * se
    verdicts = [_arrow_verdict(a, b, appraisal.alpha) for a, b in zip(p_holm, equivalent, strict=True)] if usable else ["no verdict"] * len(pairs)
    return pd.DataFrame(
        {
            "cause": [cause for cause, _ in pairs],
            "effect": [effect for _, effect in pairs],
            "std": std,
            "se": se,
            "ci_lower": std - width,
            "ci_upper": std + width,
            "pvalue": p,
            "p_holm": p_holm,
            "p_equivalent": p_equivalent,
            "verdict": verdicts,
        }
    )


def _arrow_verdict(p_zero: float, p_equivalent: float, alpha: float) -> str:
    """Return the verdict on one arrow from its adjusted p-values."""
    if p_zero < alpha:
        return "acts past it, but small" if p_equivalent < alpha else "acts past it"
    return "negligible" if p_equivalent < alpha else "cannot tell"


def _verdict(frame: pd.DataFrame, test: DifferenceTest, alpha: float) -> str:
    small = bool((frame["p_equivalent"] < alpha).all())
    if test.pvalue < alpha:
        return "violated, but small" if small else "violated"
    return "holds" if small else "cannot tell"


def _places(theory: Theory, fit: Fit | None) -> dict[str, int]:
    variables = () if fit is None else fit.model.blocks[0].variables
    return {node.name: variables.index(node.variable) for node in theory.nodes} if variables else {}


def _split(fit: Fit, places: dict[str, int], through: str, ends: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Split the total effects of a model with arrows past `through`."""
    import pandas as pd

    total = total_effects(fit, places, ends).std
    before = total_effects(fit, places, [(cause, through) for cause, _ in ends]).std
    after = total_effects(fit, places, [(through, outcome) for _, outcome in ends]).std
    via = before.times(after)
    past = Quantities(total.value - via.value, total.slopes - via.slopes)
    columns: dict[str, Any] = {"cause": [cause for cause, _ in ends], "outcome": [outcome for _, outcome in ends]}
    for name, found in (("total", total), ("via", via), ("past", past), ("share", via.over(total))):
        told = found.columns(fit.theta_vcov, 0.95)
        columns |= {name: told["est"], f"{name}_se": told["se"]}
    return pd.DataFrame(columns)


def _split_nothing() -> pd.DataFrame:
    import pandas as pd

    columns = [f"{name}{end}" for name in ("total", "via", "past", "share") for end in ("", "_se")]
    return pd.DataFrame(columns=["cause", "outcome", *columns], dtype=float)


def _notes(reason: str, test: DifferenceTest, method: Method | None, sesoi: float, count: int) -> tuple[str, ...]:
    notes = [f"No verdict: {reason}"] if reason else []
    if method is not None:
        notes.append(f"{describe_method(method)} of the theory against the model with {count} arrows past it: {_stated(test)}.")
    elif not reason:
        notes.append("The fit has no test statistic (test='none'), so the restriction as a whole is judged by its arrows only.")
    notes.append(f"d = {sesoi:g}. {_RULE}")
    notes.append("p_holm is adjusted for the number of arrows; verdicts on single arrows are adjusted too, intervals and p_equivalent are not.")
    return tuple(notes)


def _unreadable(effects: pd.DataFrame) -> list[str]:
    """Say which shares of total effects mean nothing, because the total may be 0."""
    weak = effects[~(effects["total"].abs() > _CLEAR * effects["total_se"])]
    names = [f"{cause} -> {outcome}" for cause, outcome in zip(weak["cause"], weak["outcome"], strict=True)]
    return (
        [f"In the larger model the total effect is less than two standard errors from 0 ({', '.join(names)}): do not read its share."]
        if names
        else []
    )


def _stated(test: DifferenceTest) -> str:
    if math.isnan(test.statistic):
        return "it does not exist here, because its scaling factor is not positive"
    return f"chi-square({test.df:g}) = {test.statistic:.2f}, p = {test.pvalue:.3f}"
