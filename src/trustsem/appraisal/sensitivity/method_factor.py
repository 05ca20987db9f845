"""A common-method factor: how strongly one and the same thing would have to colour all answers to change a verdict.

The factor is uncorrelated with every construct and has the same standardized loading on every item (in the direction in which the item is keyed), so
that its square is the share of an item's variance that is method. Estimates fall as it takes over what items have in common. For what is known about
such shares see Podsakoff et al. (2003, doi 10.1037/0021-9010.88.5.879).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trustsem.appraisal.sensitivity.confounding import turning_point
from trustsem.appraisal.sensitivity.course import Course
from trustsem.appraisal.sensitivity.holding import prepare_holding
from trustsem.appraisal.told import Told
from trustsem.kernels.structure import Reals
from trustsem.spec.table import Row

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["MethodFactor", "method_course", "method_factor"]

NAME = "CommonMethod"
IMPOSSIBLE = "no such factor can exist: it would leave a negative residual variance"


@dataclass(frozen=True, eq=False, repr=False)
class MethodFactor(Told):
    """How large the loadings of a common-method factor would have to be to change each verdict.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        One row per claim: ``id cause effect std verdict loading share to largest chisq_change reason``. `loading` is the standardized loading of
        every item on the factor at which the verdict becomes `to`, `share` its square; `largest` is the largest loading there can be, where
        nothing changes before; `chisq_change` is by how much the chi-square statistic would rise.
    notes : tuple of str
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    shown = ("cause", "effect", "std", "verdict", "loading", "share", "to", "largest", "chisq_change")


def method_course(appraisal: Appraisal) -> Course:
    """Return the appraisal as a function of the standardized loading of every item on a common-method factor."""
    fit = appraisal.fit
    names, block = fit.model.blocks[0], fit.implied_blocks[0]
    items = names.observed
    factor = NAME
    while factor in names.variables:
        factor += "_"
    added = [Row(factor, "=~", item) for item in items]
    holding = prepare_holding(fit, [*added, Row(factor, "~~", factor, free=False, ustart=1.0)], added)
    keyed = np.array([-1.0 if _loads_negatively(block.A[k, len(items) :]) else 1.0 for k in range(len(items))])

    return Course(appraisal, holding, lambda loading: loading * keyed, impossible=IMPOSSIBLE)


def _loads_negatively(loadings: Reals) -> bool:
    return bool(loadings.size and loadings[np.argmax(np.abs(loadings))] < 0.0)


def method_factor(appraisal: Appraisal, claims: Sequence[int], course: Course | None = None) -> MethodFactor:
    """Return how large the loadings of a common-method factor would have to be to change each verdict.

    Parameters
    ----------
    appraisal : Appraisal
    claims : sequence of int
        Places of the claims.
    course : Course, optional
        Of :func:`method_course`, if there is one already.
    """
    import pandas as pd

    course = method_course(appraisal) if course is None else course
    rows = [_coloured(appraisal, course, claim) for claim in claims]
    notes = (
        "loading: of every item on a factor that nothing else is correlated with, as keyed, at which the verdict is another; share: of its variance.",
        "chisq_change: how much worse the theory fits with it (not scaled); negative if it fits better.",
    )
    return MethodFactor("Common-method factor with equal loadings on all items", pd.DataFrame(rows), notes)


def _coloured(appraisal: Appraisal, course: Course, claim: int) -> dict[str, object]:
    proposition = appraisal.claims[claim]
    change = turning_point(course, claim, signs=(1,)).change
    found = math.isfinite(change.at)
    return {
        "id": proposition.id,
        "cause": proposition.cause,
        "effect": proposition.effect,
        "std": float(appraisal.estimates["est_std"].iloc[claim]),
        "verdict": str(appraisal.verdicts["verdict"].iloc[claim]),
        "loading": change.at,
        "share": change.at**2,
        "to": change.point.verdicts[claim] if found else "",
        "largest": change.largest,
        "chisq_change": change.point.chisq_change if found else math.nan,
        "reason": change.reason,
    }
