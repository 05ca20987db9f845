"""Unmeasured common causes: how strong one would have to be to change a verdict.

A phantom variable U, uncorrelated with all causes of the theory, has the standardized effects a on one construct and b on another. It adds a b (in
their standard deviations) to the covariance of their residuals, and nothing else that could be seen: what it adds to their variances is part of their
residual variances. So U is in the model once the covariance of the two residuals is held at a b. For two observed variables with correlation r the
path that remains is r - a b (Frank 2000, doi 10.1177/0049124100029002001: the impact of a confounder that leaves no effect is that product).

U can exist only if the residual covariances without its part are still those of some variables (no negative eigenvalue).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustsem.appraisal.sensitivity.course import Course, Point, margin_of
from trustsem.appraisal.sensitivity.holding import prepare_holding
from trustsem.appraisal.sensitivity.tipping import Change, first_change
from trustsem.appraisal.told import Told
from trustsem.kernels.structure import Reals
from trustsem.spec.table import Row

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["COVARY", "Confounding", "common_cause", "confounding", "strength_of", "turning_point"]

IMPOSSIBLE = "no such common cause can exist: it would leave a negative residual variance"
COVARY = "the theory leaves the two free to covary already, so a common cause changes nothing"
_DIRECT = frozenset(("supported", "contradicted"))


@dataclass(frozen=True, eq=False, repr=False)
class Confounding(Told):
    """How strong an unmeasured common cause of cause and effect would have to be, for each claim.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        One row per claim: ``id cause effect std verdict strength to kind at_sesoi at_zero largest benchmark benchmark_by times chisq_change reason``.
        `strength` is the standardized effect of the common cause on both (on the cause, if they are unequal) at which the verdict becomes `to`;
        `kind` is ``"explains away"`` if its two effects have a product of the estimate's sign, ``"masks"`` if not; `at_sesoi` and `at_zero` are the
        strengths at which the estimate is the smallest effect of interest, and 0; `largest` is the largest strength there can be, where nothing
        changes before; `benchmark` is the strength of the observed cause `benchmark_by` of the same effect, and `times` how many times as strong
        (product of the two effects) the common cause would have to be; `chisq_change` is by how much the chi-square statistic would rise.
    notes : tuple of str
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    shown = ("cause", "effect", "std", "verdict", "strength", "to", "kind", "at_zero", "largest", "benchmark", "chisq_change")


class Turn(NamedTuple):
    """Where the verdict of a claim changes, and in which direction of the coordinate."""

    change: Change
    sign: int


def common_cause(appraisal: Appraisal, left: str, right: str, ratio: float = 1.0, *, total: bool = False) -> Course | None:
    """Return the appraisal as a function of the product of a common cause's effects on two constructs.

    Parameters
    ----------
    appraisal : Appraisal
    left, right : str
        Names of variables of the model.
    ratio : float
        Size of the effect on `right` divided by that on `left`; positive.
    total : bool
        Follow the total effect of `left` on `right` too.

    Returns
    -------
    Course or None
        None if the two are free to covary already.
    """
    fit, table = appraisal.fit, appraisal.fit.model.table
    own = next((row for row in table.rows if row.op == "~~" and {row.lhs, row.rhs} == {left, right}), None)
    if own is not None and (own.free or own.exo):
        return None
    added = Row(left, "~~", right)
    holding = prepare_holding(fit, [added], [added])
    names = holding.model.blocks[0].variables
    i, j = names.index(left), names.index(right)

    def removed(product: float) -> Reals:
        effects = np.zeros(len(names))
        size = math.sqrt(abs(product))
        effects[i], effects[j] = size / math.sqrt(ratio), math.copysign(size * math.sqrt(ratio), product)
        return effects

    return Course(appraisal, holding, lambda product: np.array([product]), removed, impossible=IMPOSSIBLE, totals=((i, j),) if total else ())


def strength_of(product: float, ratio: float = 1.0) -> float:
    """Return the effect on the first of two constructs of a common cause whose effects have this product."""
    return math.sqrt(abs(product) / ratio)


def turning_point(course: Course, claim: int, signs: Sequence[int] = ()) -> Turn:
    """Return the nearest strength that changes the verdict of `claim`.

    Parameters
    ----------
    course : Course
    claim : int
        Place of the claim.
    signs : sequence of {+1, -1}
        Directions of the coordinate to look in. By default what takes the estimate towards 0, and for claims that are neither supported nor
        contradicted the other as well.
    """
    start = course.start
    verdict = start.verdicts[claim]
    height = margin_of(course, [claim])
    away = -1 if start.std[claim] * course.rates[claim] > 0.0 else 1
    turns = [Turn(first_change(course, height, sign), sign) for sign in signs or ((away,) if verdict in _DIRECT else (away, -away))]
    return min(turns, key=lambda turn: (not math.isfinite(turn.change.at), abs(turn.change.at)))


def _where_size(course: Course, claim: int, sign: int, size: float) -> Change:
    """Return where the size of the estimate of `claim` has fallen to `size`."""
    start = course.start
    direction = math.copysign(1.0, start.std[claim])

    def height(point: Point) -> float:
        return float(direction * point.std[claim] - size)

    return first_change(course, height, sign)


def confounding(appraisal: Appraisal, claims: Sequence[int], ratio: float = 1.0) -> Confounding:
    """Return how strong an unmeasured common cause of cause and effect would have to be to change the verdict of each claim.

    Parameters
    ----------
    appraisal : Appraisal
    claims : sequence of int
        Places of the claims.
    ratio : float
        Size of the effect on the effect divided by that on the cause.
    """
    import pandas as pd

    rows = [_confounded(appraisal, claim, ratio) for claim in claims]
    equal = "equal effects on both" if ratio == 1.0 else f"an effect on the effect {ratio:g} times that on the cause"
    notes = (
        f"strength: standardized effect of a common cause with {equal}, at which the verdict is another; at_zero: at which nothing is left.",
        "benchmark: the strongest other cause of the same effect in the theory: its correlation with the cause times its path, as a strength.",
        "chisq_change: how much worse the theory fits with it (not scaled). Large: the data speak against such a cause, if all else is right.",
    )
    return Confounding("Unmeasured common cause of cause and effect", pd.DataFrame(rows), notes)


def _confounded(appraisal: Appraisal, claim: int, ratio: float) -> dict[str, Any]:
    proposition = appraisal.claims[claim]
    node = {construct.name: construct.variable for construct in appraisal.theory.nodes}
    cause, effect = node[proposition.cause], node[proposition.effect]
    course = common_cause(appraisal, cause, effect, ratio)
    estimates = appraisal.estimates
    row: dict[str, Any] = {
        "id": proposition.id,
        "cause": proposition.cause,
        "effect": proposition.effect,
        "std": float(estimates["est_std"].iloc[claim]),
        "verdict": str(appraisal.verdicts["verdict"].iloc[claim]),
        "strength": math.nan,
        "to": "",
        "kind": "",
        "at_sesoi": math.nan,
        "at_zero": math.nan,
        "largest": math.nan,
        **_benchmark(appraisal, claim),
        "times": math.nan,
        "chisq_change": math.nan,
        "reason": COVARY if course is None else "",
    }
    if course is None:
        return row
    change, sign = turning_point(course, claim)
    away = sign if row["std"] * course.rates[claim] * sign < 0.0 else -sign
    if math.isfinite(change.at):
        row |= {"strength": strength_of(change.at, ratio), "to": change.point.verdicts[claim], "chisq_change": change.point.chisq_change}
        row |= {"kind": "explains away" if sign == away else "masks"}
        bench = row["benchmark"]
        row["times"] = abs(change.at) / (ratio * bench**2) if bench > 0.0 else math.nan
    else:
        row |= {"largest": strength_of(change.largest, ratio), "reason": change.reason}
    size = appraisal.sesoi[claim]
    if abs(row["std"]) > size:
        row["at_sesoi"] = strength_of(_where_size(course, claim, away, size).at, ratio)
    row["at_zero"] = strength_of(_where_size(course, claim, away, 0.0).at, ratio)
    return row


def _benchmark(appraisal: Appraisal, claim: int) -> dict[str, Any]:
    """Return the strongest other cause of the claim's effect, by the product of its correlation with the cause and its path, as a strength.

    After the idea of Cinelli & Hazlett (2020, doi 10.1111/rssb.12348): how does what was left out compare with what was not?
    """
    proposition, estimates = appraisal.claims[claim], appraisal.estimates
    node = {construct.name: construct.variable for construct in appraisal.theory.nodes}
    block, names = appraisal.fit.implied_blocks[0], appraisal.fit.model.blocks[0].variables
    sd = np.sqrt(np.diag(block.V))
    best, by = math.nan, ""
    for other, std in zip(appraisal.claims, estimates["est_std"], strict=True):
        if other.effect == proposition.effect and other.cause != proposition.cause:
            i, j = names.index(node[other.cause]), names.index(node[proposition.cause])
            product = math.sqrt(abs(std * block.V[i, j] / (sd[i] * sd[j])))
            if not product <= best:
                best, by = product, other.cause
    return {"benchmark": best, "benchmark_by": by}
