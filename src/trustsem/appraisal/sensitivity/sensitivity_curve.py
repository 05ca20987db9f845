"""What would be said of one claim at given strengths of what was left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from trustsem.appraisal.sensitivity.confounding import common_cause
from trustsem.appraisal.sensitivity.course import Course
from trustsem.appraisal.sensitivity.method_factor import method_course
from trustsem.appraisal.told import Told
from trustsem.appraisal.withholding import require_appraisal
from trustsem.errors import NotAvailableError, OptionError, closest

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["OPPOSITE", "SensitivityCurve", "check_ratio", "chosen_claims", "sensitivity_curve", "why_no_verdicts"]

OPPOSITE = "Sensitivity tells how strong an error would have to be, not whether there is one."
_FARTHEST = 0.7


def chosen_claims(appraisal: Appraisal, claims: Sequence[str] | None) -> list[int]:
    """Return the places of the claims named by id or path.

    Raises
    ------
    OptionError
        For one that does not exist.
    """
    if claims is None:
        return list(range(len(appraisal.claims)))
    known = {name: place for place, claim in enumerate(appraisal.claims) for name in (claim.id, claim.path)}
    places = []
    for name in (claims,) if isinstance(claims, str) else claims:
        wanted = " -> ".join(part.strip() for part in str(name).split("->"))
        if wanted not in known:
            raise OptionError(f"claims= names {name!r}, which is no claim of the theory.{closest(wanted, known)}")
        places.append(known[wanted])
    if not places:
        raise OptionError("claims= names no claim. Give ids or paths of claims, or leave it out for all of them.")
    return places


def check_ratio(ratio: float) -> None:
    """Refuse what is no ratio of two sizes.

    Raises
    ------
    OptionError
    """
    if isinstance(ratio, bool) or not isinstance(ratio, int | float | np.number) or not 0.0 < ratio < math.inf:
        raise OptionError(f"ratio={ratio!r} is not a ratio of two sizes. Give a positive number, such as 1 for equal effects.")


def why_no_verdicts(appraisal: Appraisal) -> str:
    """Return why there are no verdicts that could change; empty if there are."""
    if appraisal.withheld:
        return appraisal.withheld
    return "the model has several blocks; sensitivity is for one." if len(appraisal.fit.model.blocks) > 1 else ""


@dataclass(frozen=True, eq=False, repr=False)
class SensitivityCurve(Told):
    """One claim at several strengths of what was left out.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        One row per strength: ``strength std se ci_lower ci_upper verdict chisq_change reason``.
    notes : tuple of str
    claim : str
        The path of the claim.
    by : str
        ``"confounder"`` or ``"method"``.
    sesoi : float
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    claim: str
    by: str
    sesoi: float


def sensitivity_curve(
    appraisal: Appraisal, claim: str, strengths: Sequence[float] | None = None, *, by: str = "confounder", ratio: float = 1.0
) -> SensitivityCurve:
    """Return what would be said of one claim at given strengths of an unmeasured common cause, or of a common-method factor.

    Parameters
    ----------
    appraisal : Appraisal
    claim : str
        Id or path (``"Trust -> Outcomes"``).
    strengths : sequence of float, optional
        Effects of the common cause on the cause (negative: its two effects have opposite signs), or loadings of all items; 0 to .7 by default.
    by : {"confounder", "method"}
    ratio : float
        Size of the common cause's effect on the effect divided by that on the cause.

    Returns
    -------
    SensitivityCurve
        A strength that is not possible has its reason.

    Raises
    ------
    OptionError
        For a claim that does not exist, strengths that are no numbers between -1 and 1, and a ratio that is not positive.
    NotAvailableError
        If the theory leaves the two constructs free to covary, and where there are no verdicts.
    """
    import pandas as pd

    require_appraisal("sensitivity_curve", appraisal)
    place = chosen_claims(appraisal, [claim])[0]
    check_ratio(ratio)
    reason = why_no_verdicts(appraisal)
    if reason:
        raise NotAvailableError(f"The appraisal has no verdicts: {reason}")
    proposition = appraisal.claims[place]
    course = _course(appraisal, place, by, ratio)
    given = np.linspace(0.0, _FARTHEST, 15).tolist() if strengths is None else [_strength(value) for value in strengths]
    rows = [_at(course, place, value, value if by == "method" else math.copysign(value * value * ratio, value)) for value in given]
    what = "a common-method factor" if by == "method" else f"an unmeasured common cause of {proposition.cause} and {proposition.effect}"
    notes = ("Intervals are unadjusted; the verdict is that of the whole set of claims.", OPPOSITE)
    sesoi = appraisal.sesoi[place]
    return SensitivityCurve(f"{proposition.path} with {what}", pd.DataFrame(rows), notes, proposition.path, by, sesoi)


def _strength(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not -1.0 <= value <= 1.0:
        raise OptionError(f"strengths= holds {value!r}, which is no standardized effect. Give numbers between -1 and 1.")
    return float(value)


def _course(appraisal: Appraisal, place: int, by: str, ratio: float) -> Course:
    if by == "method":
        return method_course(appraisal)
    if by != "confounder":
        raise OptionError(f"by={by!r} is not something that can be left out here. Give 'confounder' or 'method'.")
    proposition = appraisal.claims[place]
    node = {construct.name: construct.variable for construct in appraisal.theory.nodes}
    course = common_cause(appraisal, node[proposition.cause], node[proposition.effect], ratio)
    if course is None:
        raise NotAvailableError(f"The theory leaves {proposition.cause} and {proposition.effect} free to covary, so a common cause changes nothing.")
    return course


def _at(course: Course, place: int, strength: float, coordinate: float) -> dict[str, object]:
    point = course.at(coordinate)
    possible = point.kept is not None
    se = float(point.se[place]) if possible else math.nan
    std, width = float(point.std[place]), float(ndtri(0.5 + 0.5 * course.appraisal.level)) * se
    return {
        "strength": strength,
        "std": std,
        "se": se,
        "ci_lower": std - width,
        "ci_upper": std + width,
        "verdict": point.verdicts[place] if possible else "",
        "chisq_change": point.chisq_change,
        "reason": point.trouble,
    }
