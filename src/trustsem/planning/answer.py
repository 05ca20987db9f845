"""The answer of a plan."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.kernels.structure import Reals
from trustsem.planning.curve import Curve, Tally
from trustsem.planning.text import describe

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Plan", "level_row"]

_Z = 1.959964


@dataclass(frozen=True)
class Plan:
    """What data would be needed.

    Attributes
    ----------
    what : str
        What is to be found, in words.
    over : str
        What is varied.
    goal : {"power", "ci_width", "model_choice"}
    target : float
        Power, or width of intervals, that is wanted.
    alpha : float
    answer : int, float or None
        The smallest value (the largest, where more makes it harder) at which the target is met; None if it is met nowhere within the limits.
    interval : tuple of float or None
        Between which values the answer lies with 95 % confidence: the error of the simulation, not that of the population values assumed.
    power : float
        At the answer, or the largest seen if there is none: of the tests, of choosing the right model, or the average width of intervals. Failed
        replications count as not significant.
    mc_error : float
        Its Monte Carlo standard error.
    convergence : float
        Share of replications near the answer that converged.
    analytic : float or None
        The answer of large-sample theory.
    analytic_note : str
        What it rests on.
    reason : str
        Why there is no answer, or what is to be known about it; empty if there is nothing to say.
    limits : tuple of float
    tallies : tuple of Tally
        What was simulated; :attr:`evaluated` shows it as a table.
    fitted : Curve
    rows : int or None
        Number of rows at the answer.
    """

    what: str
    over: str
    goal: str
    target: float
    alpha: float
    answer: int | float | None
    interval: tuple[float, float] | None
    power: float
    mc_error: float
    convergence: float
    analytic: float | None
    analytic_note: str
    reason: str
    limits: tuple[float, float]
    tallies: tuple[Tally, ...]
    fitted: Curve
    rows: int | None

    @property
    def replications(self) -> int:
        """How many replications were made."""
        return sum(one.replications for one in self.tallies)

    @property
    def evaluated(self) -> pd.DataFrame:
        """One row per level: the level under the name of `over`, ``replications successes value mc_error converged admissible`` (shares).

        `value` is the power, or the average width of the intervals (then `successes` counts those that converged).
        """
        import pandas as pd

        rows = [level_row(self.over, self.goal, level, [one for one in self.tallies if one.level == level]) for level in sorted(self._levels)]
        return pd.DataFrame(rows)

    @property
    def _levels(self) -> set[float]:
        return {one.level for one in self.tallies}

    def curve(self, levels: Sequence[float] | None = None) -> pd.DataFrame:
        """Return the fitted curve, for plotting.

        Parameters
        ----------
        levels : sequence of float, optional
            Values of `over`; 101 over those that were looked at by default.

        Returns
        -------
        DataFrame
            The level under the name of `over`, ``value lower upper``: a pointwise band of 95 %. It holds near the answer; far from it the curve is an
            extrapolation.
        """
        import pandas as pd

        seen = sorted(self._levels)
        at = np.linspace(seen[0], seen[-1], 101) if levels is None else np.asarray(levels, dtype=np.float64)
        line, error = self.fitted.line(at)
        bands = {name: self.fitted.unlinked(line + step * error) for name, step in (("value", 0.0), ("lower", -_Z), ("upper", _Z))}
        return pd.DataFrame({self.over: at, **bands})

    def __repr__(self) -> str:
        return describe(self)


def level_row(over: str, goal: str, level: float, here: Sequence[Tally]) -> dict[str, Any]:
    """Return what all batches at one level gave."""
    trials, hits = sum(one.replications for one in here), sum(one.successes for one in here)
    value, error = hits / trials, math.sqrt(hits * (trials - hits) / trials) / trials
    if goal == "ci_width":
        usable = [one for one in here if one.variance > 0.0]
        weights: Reals = np.array([1.0 / one.variance for one in usable])
        value = float(weights @ [one.mean for one in usable] / weights.sum()) if usable else math.nan
        error = math.sqrt(1.0 / float(weights.sum())) if usable else math.nan
    shares = {name: sum(getattr(one, name) for one in here) / trials for name in ("converged", "admissible")}
    shown = int(level) if float(level).is_integer() else level
    return {over: shown, "replications": trials, "successes": hits, "value": value, "mc_error": error, **shares}
