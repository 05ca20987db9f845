"""Unmeasured common causes of two constructs that no arrow joins, such as trust and outcomes; see the module `confounding`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from trustsem.appraisal.sensitivity.confounding import COVARY, common_cause, strength_of
from trustsem.appraisal.sensitivity.course import margin_of
from trustsem.appraisal.sensitivity.tipping import first_change
from trustsem.appraisal.structure import graph_of_table
from trustsem.appraisal.told import Told

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["CommonCauses", "common_causes", "mediating_pairs"]

NO_PAIRS = "Every two constructs that a route joins are joined by an arrow too."
_PAIR: Mapping[str, object] = MappingProxyType(
    {
        "left": "",
        "right": "",
        "strength": math.nan,
        "claim": "",
        "verdict": "",
        "to": "",
        "total": math.nan,
        "total_then": math.nan,
        "largest": math.nan,
        "chisq_change": math.nan,
        "reason": "",
    }
)


@dataclass(frozen=True, eq=False, repr=False)
class CommonCauses(Told):
    """How strong an unmeasured common cause of two constructs that no arrow joins would have to be to change any verdict.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        One row per pair: ``left right strength claim verdict to total total_then largest chisq_change reason``. At `strength` the verdict of `claim`
        (of more than one, where Holm's correction ties them) is the first to change, from `verdict` to `to`; `total` is the standardized total
        effect of `left` on `right` in the theory, and `total_then` what it would be at that strength (at `largest`, the largest there can be, where
        nothing changes before).
    notes : tuple of str
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    shown = ("left", "right", "strength", "claim", "to", "total", "total_then", "largest", "chisq_change")


def mediating_pairs(appraisal: Appraisal) -> list[tuple[str, str]]:
    """Return the pairs of constructs that only a route through others joins, the first of them an effect itself, by their names in the theory."""
    import networkx as nx

    graph = graph_of_table(appraisal.fit.model.table)
    directed = graph.directed()
    names = {construct.variable: construct.name for construct in appraisal.theory.nodes}
    return [
        (names[left], names[right])
        for left in graph.nodes
        if left not in graph.exogenous and left in names
        for right in graph.nodes
        if right in names and nx.has_path(directed, left, right) and left != right
        if (left, right) not in graph.arrows and frozenset((left, right)) not in graph.spouses
    ]


def common_causes(appraisal: Appraisal, pairs: Sequence[tuple[str, str]]) -> CommonCauses:
    """Return how strong an unmeasured common cause of each pair of constructs, which raises both, would have to be to change any verdict.

    Parameters
    ----------
    appraisal : Appraisal
    pairs : sequence of (str, str)
        Names of constructs.
    """
    import pandas as pd

    rows = [_pair(appraisal, left, right) for left, right in pairs]
    notes = (
        "strength: equal standardized effects of an unmeasured common cause that raises both, at which the first verdict changes; "
        "total_then: what the total effect of the first on the second would be.",
        "No arrow of the theory joins these pairs, so the data speak about such a cause: a large chisq_change (not scaled) speaks against it.",
    )
    frame = pd.DataFrame(rows, columns=list(_PAIR))
    return CommonCauses("Unmeasured common cause of two constructs that no arrow joins", frame, notes if rows else (NO_PAIRS,))


def _pair(appraisal: Appraisal, left: str, right: str) -> dict[str, object]:
    node = {construct.name: construct.variable for construct in appraisal.theory.nodes}
    row = {**_PAIR, "left": left, "right": right}
    course = common_cause(appraisal, node[left], node[right], total=True)
    if course is None:
        return row | {"reason": COVARY}
    start, place = course.start, len(appraisal.claims)
    row["total"] = float(start.std[place])
    if start.judgement is None:
        return row | {"reason": "no claim states a direction"}
    judged = np.flatnonzero(course.stated).tolist()
    change = first_change(course, margin_of(course, judged), 1)
    row["total_then"] = float(change.point.std[place])
    if not math.isfinite(change.at):
        return row | {"largest": strength_of(change.largest), "reason": change.reason}
    changed = [k for k in judged if change.point.verdicts[k] != start.verdicts[k]]
    paths = ", ".join(appraisal.claims[k].path for k in changed)
    named = {"claim": paths, "verdict": start.verdicts[changed[0]], "to": change.point.verdicts[changed[0]]}
    return row | named | {"strength": strength_of(change.at), "chisq_change": change.point.chisq_change}
