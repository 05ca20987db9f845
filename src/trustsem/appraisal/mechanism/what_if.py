"""What a theory predicts if something is raised: how far everything after it moves, in standard deviations and on the scale of the items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.mechanism.routes import pick, refuse_blocks
from trustsem.appraisal.told import Told
from trustsem.appraisal.withholding import require_appraisal
from trustsem.display import number
from trustsem.errors import OptionError
from trustsem.inference.quantities import Quantities
from trustsem.inference.routes import response_slopes, responses
from trustsem.inference.standardized import variance_derivatives
from trustsem.kernels.structure import Reals

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal
    from trustsem.fitting.fit import Fit
    from trustsem.theory import Construct

__all__ = ["WhatIf", "what_if"]

_ASSUMED = (
    "Assumed: the arrows of the theory point the right way, and the order in time is that of the theory (one wave cannot show it).",
    "Assumed: no common cause of a cause and its effect is left out, beyond the residual covariances of the theory.",
    "Assumed: effects are linear and the same for everybody, at every level of the cause, and do not depend on each other.",
    "Assumed: raising it by intervention does what a higher natural level does, in people like these, after as long as these effects take.",
    "Assumed: what is not named and does not come later stays as it is, even where it usually goes along with what is raised.",
    "The intervals hold the uncertainty of the estimates, not that of these assumptions.",
)


@dataclass(frozen=True, eq=False, repr=False)
class WhatIf(Told):
    """What would change; prints itself.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        One row per construct that moves, in the order of the theory: ``construct tier role change se ci_lower ci_upper points points_se points_lower
        points_upper scale``. role is *raised* or *follows*; change is in standard deviations of the construct, points on the scale of its items (the
        mean of them), scale the names of the items or of the column.
    notes : tuple of str
        The assumptions, last.
    raised : dict of str to float
        What is raised, and by how many standard deviations.
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    raised: Mapping[str, float]

    shown = ("construct", "role", "change", "se", "ci_lower", "ci_upper", "points", "points_lower", "points_upper")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON knows it."""
        return super().to_dict() | {"raised": dict(self.raised)}


def what_if(appraisal: Appraisal, raise_: str | Sequence[str] | Mapping[str, float], by: float = 1.0) -> WhatIf:
    """Say what a theory predicts if constructs are raised.

    Parameters
    ----------
    appraisal : Appraisal
        Of one group, at one level.
    raise_ : str, sequence of str or mapping of str to float
        The constructs to be raised, with a mapping by how many times `by` each; negative values lower.
    by : float
        How far, in standard deviations of each construct.

    Returns
    -------
    WhatIf
        With the reason first among its notes where the appraisal has no verdicts; do not use the numbers then.

    Raises
    ------
    OptionError
        For constructs that the theory does not have, or a number that is none.
    NotAvailableError
        For several groups or levels.

    Notes
    -----
    A raised construct is set, which cuts it off from its causes (Pearl's do operator; Pearl 2009, *Causality*, section 3.2); everything after it
    moves by its total effects. Where one raised construct comes after another it moves as far as is said, not further. Standard errors: delta
    method.
    """
    require_appraisal("what_if", appraisal)
    refuse_blocks(appraisal.fit, "What-if")
    raised = _raised(appraisal, raise_, by)
    fit, nodes = appraisal.fit, appraisal.theory.nodes
    std, raw = _changes(fit, {node.variable: raised[node.name] for node in nodes if node.name in raised})
    variables = fit.model.blocks[0].variables
    after = _after(appraisal, raised)
    moving = [node for node in nodes if node.name in after or node.name in raised]
    change = std.take([variables.index(node.variable) for node in moving])
    means = np.zeros((len(moving), len(variables)))
    for k, node in enumerate(moving):
        means[k, [variables.index(name) for name in node.indicators]] = 1.0 / len(node.indicators)
    frame = _frame(appraisal, moving, raised, change, raw.mix(means))
    words = ", ".join(f"{name} {'raised' if size >= 0 else 'lowered'} by {abs(size):g} SD" for name, size in raised.items())
    return WhatIf(f"What if: {words}", frame, (*_notes(appraisal, moving, raised, frame), *_ASSUMED), raised)


def _raised(appraisal: Appraisal, raise_: Any, by: float) -> dict[str, float]:
    names = [node.name for node in appraisal.theory.nodes]
    given = dict(raise_) if isinstance(raise_, Mapping) else dict.fromkeys([raise_] if isinstance(raise_, str) else raise_, 1.0)
    if not given:
        raise OptionError(f"raise_={raise_!r} names nothing. Name a construct, such as raise_={names[0]!r}.")
    pick("raise_", list(given), names)
    for name, value in {**given, "by": by}.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value):
            given_as = f"by={value!r}" if name == "by" else f"raise_={{{name!r}: {value!r}}}"
            raise OptionError(f"{given_as} is not how far to raise. Give a number of standard deviations, such as 1.0.")
    return {name: float(given[name]) * float(by) for name in names if name in given}


def _changes(fit: Fit, raised: Mapping[str, float]) -> tuple[Quantities, Quantities]:
    """Return how far every variable of the fit moves, in standard deviations and in its own units."""
    block, variables = fit.implied_blocks[0], fit.model.blocks[0].variables
    with np.errstate(all="ignore"):
        sd = np.sqrt(np.diag(block.V))
        sd_slopes = 0.5 * variance_derivatives(fit.model, 0, block) / sd[:, None]
    shift, shift_slopes = np.full(len(variables), math.nan), np.zeros_like(sd_slopes)
    for name, size in raised.items():
        at = variables.index(name)
        shift[at], shift_slopes[at] = size * sd[at], size * sd_slopes[at]
    value = responses(block.A, shift)
    slopes = response_slopes(fit.model, 0, block, shift, shift_slopes)
    with np.errstate(all="ignore"):
        std = Quantities(value / sd, (slopes - (value / sd)[:, None] * sd_slopes) / sd[:, None])
    return std, Quantities(value, slopes)


def _after(appraisal: Appraisal, raised: Mapping[str, float]) -> set[str]:
    """Return what comes after the raised constructs."""
    found: set[str] = set()
    waiting = list(raised)
    while waiting:
        one = waiting.pop()
        new = {claim.effect for claim in appraisal.claims if claim.cause == one} - found
        found |= new
        waiting.extend(new)
    return found


def _frame(appraisal: Appraisal, moving: Sequence[Construct], raised: Mapping[str, float], change: Quantities, points: Quantities) -> pd.DataFrame:
    import pandas as pd

    vcov, level = appraisal.fit.theta_vcov, appraisal.level
    std, scale = change.columns(vcov, level), points.columns(vcov, level)
    return pd.DataFrame(
        {
            "construct": [node.name for node in moving],
            "tier": [node.tier for node in moving],
            "role": ["raised" if node.name in raised else "follows" for node in moving],
            "change": std["est"],
            "se": std["se"],
            "ci_lower": std["ci_lower"],
            "ci_upper": std["ci_upper"],
            "points": scale["est"],
            "points_se": scale["se"],
            "points_lower": scale["ci_lower"],
            "points_upper": scale["ci_upper"],
            "scale": [", ".join(node.indicators) for node in moving],
        }
    )


def _notes(appraisal: Appraisal, moving: Sequence[Construct], raised: Mapping[str, float], frame: pd.DataFrame) -> list[str]:
    notes = [f"No verdict: {appraisal.withheld} Do not use these numbers."] if appraisal.withheld else []
    after = _after(appraisal, raised)
    if not after - set(raised):
        notes.append("Nothing in the theory comes after what is raised, so nothing else moves.")
    both = [name for name in raised if name in after]
    if both:
        notes.append(f"{', '.join(both)} comes after something else that is raised; it moves as far as is said, not further.")
    notes.append(
        "change is in standard deviations, points on the scale of the items (their mean). The row of what is raised says what its change means."
    )
    notes += _beyond(appraisal.fit, moving, frame)
    return notes


def _beyond(fit: Fit, moving: Sequence[Construct], frame: pd.DataFrame) -> list[str]:
    """Say where the prediction leaves the range of the answers."""
    block = fit.sample.blocks[0]
    if block.rows is None:
        return []
    lines = []
    for node, points in zip(moving, frame["points"].tolist(), strict=True):
        columns = block.rows[:, [fit.sample.names.index(name) for name in node.indicators]]
        seen, low, high = _reach(columns)
        if not low <= seen + points <= high:
            lines.append(
                f"{node.name} would leave the answers that were seen: its mean of {number(seen)} would become {number(seen + points)}, beyond "
                f"{number(low)} to {number(high)}. Raise by less."
            )
    return lines


def _reach(columns: Reals) -> tuple[float, float, float]:
    """Return the mean of all answers to some items, and the means of their smallest and largest answers."""
    return tuple(float(np.nanmean(found)) for found in (columns, np.nanmin(columns, axis=0), np.nanmax(columns, axis=0)))  # type: ignore[return-value]
