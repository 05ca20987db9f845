"""Items that measure more than they should: how large one cross-loading would have to be to change a verdict.

For each claim the items of the effect might load on the cause as well, and the items of the cause on the effect. One at a time: if all items of the
effect loaded on the cause in proportion, that would be the claimed path itself. The item looked at is the one whose cross-loading moves the estimate
most, to first order (the expected change of the parameter of interest, Oberski 2014, doi 10.1093/pan/mpt014).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trustsem.appraisal.sensitivity.confounding import turning_point
from trustsem.appraisal.sensitivity.course import Course
from trustsem.appraisal.sensitivity.holding import prepare_holding
from trustsem.appraisal.told import Told
from trustsem.spec.table import Row

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["CrossLoadings", "cross_course", "cross_loadings"]

LARGEST = 0.4  # standardized; an item that loads so on another construct would be called one of its items too
IMPOSSIBLE = "no such loading is possible: it would leave a negative residual variance"
NO_ITEMS = "neither construct has items of its own that could load on the other"


class Candidate(NamedTuple):
    """An item that might load on another construct as well: their names, and the row of the table that this would be."""

    item: str
    construct: str
    row: Row


@dataclass(frozen=True, eq=False, repr=False)
class CrossLoadings(Told):
    """How large a cross-loading would have to be to change each verdict.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        One row per claim: ``id cause effect std verdict item on loading to largest chisq_change reason``. `loading` is the standardized loading
        of `item` on the construct `on`, to which it does not belong, at which the verdict becomes `to`; `largest` is the largest there can be (or
        that was looked at), where nothing changes before; `chisq_change` is by how much the chi-square statistic would rise.
    notes : tuple of str
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    shown = ("cause", "effect", "std", "verdict", "item", "on", "loading", "to", "largest", "chisq_change")


def cross_course(appraisal: Appraisal, rows: Sequence[Row], limit: float = LARGEST) -> Course:
    """Return the appraisal as a function of the first of some cross-loadings, the others held at 0."""
    holding = prepare_holding(appraisal.fit, list(rows), list(rows))
    first = np.eye(len(rows))[0]
    return Course(appraisal, holding, lambda loading: loading * first, limit=limit, impossible=IMPOSSIBLE)


def cross_loadings(appraisal: Appraisal, claims: Sequence[int]) -> CrossLoadings:
    """Return how large a cross-loading would have to be to change the verdict of each claim.

    Parameters
    ----------
    appraisal : Appraisal
    claims : sequence of int
        Places of the claims.
    """
    import pandas as pd

    offered = {claim: _candidates(appraisal, claim) for claim in claims}
    distinct = list(dict.fromkeys(candidate for group in offered.values() for candidate in group))
    rows = []
    moves = _moves(appraisal, distinct) if distinct else np.zeros((len(appraisal.claims), 0))
    for claim in claims:
        places = [distinct.index(candidate) for candidate in offered[claim]]
        worst = max(places, key=lambda place: abs(moves[claim, place]), default=None)
        rows.append(_loaded(appraisal, claim, None if worst is None else distinct[worst]))
    notes = (
        "item, on: the item of one construct whose loading on the other as well would move the estimate most (to first order); one at a time.",
        "chisq_change: how much worse the theory fits with it (not scaled). Large: the data speak against such a loading.",
    )
    return CrossLoadings("An item of one construct that measures the other as well", pd.DataFrame(rows), notes)


def _candidates(appraisal: Appraisal, claim: int) -> list[Candidate]:
    proposition = appraisal.claims[claim]
    cause, effect = (next(node for node in appraisal.theory.nodes if node.name == name) for name in (proposition.cause, proposition.effect))
    result = []
    for own, other in ((effect, cause), (cause, effect)):
        for item in () if own.observed else own.indicators:
            row = Row(item, "~", other.variable) if other.observed else Row(other.variable, "=~", item)
            result.append(Candidate(item, other.name, row))
    return result


def _moves(appraisal: Appraisal, candidates: Sequence[Candidate]) -> np.ndarray:
    """Return how fast the estimates (C, candidates) move with each cross-loading, at 0."""
    course = cross_course(appraisal, [candidate.row for candidate in candidates])
    kept = course.start.kept
    if kept is None:
        return np.zeros((len(appraisal.claims), len(candidates)))
    slopes = course.paths(kept)[1]
    nothing = np.zeros(course.holding.model.n_theta)
    return np.array([slopes @ kept.saddle.solve(nothing, unit)[0] for unit in np.eye(len(candidates))]).T


def _loaded(appraisal: Appraisal, claim: int, candidate: Candidate | None) -> dict[str, object]:
    proposition = appraisal.claims[claim]
    row: dict[str, object] = {
        "id": proposition.id,
        "cause": proposition.cause,
        "effect": proposition.effect,
        "std": float(appraisal.estimates["est_std"].iloc[claim]),
        "verdict": str(appraisal.verdicts["verdict"].iloc[claim]),
        "item": "" if candidate is None else candidate.item,
        "on": "" if candidate is None else candidate.construct,
        "loading": math.nan,
        "to": "",
        "largest": math.nan,
        "chisq_change": math.nan,
        "reason": NO_ITEMS,
    }
    if candidate is None:
        return row
    change = turning_point(cross_course(appraisal, [candidate.row]), claim).change
    if math.isfinite(change.at):
        found = {"loading": change.at, "to": change.point.verdicts[claim], "chisq_change": change.point.chisq_change}
        return row | found | {"reason": ""}
    return row | {"largest": change.largest, "reason": change.reason}
