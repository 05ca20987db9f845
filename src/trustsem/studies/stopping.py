"""When a condition has had enough replications; and how many are needed for a wanted precision."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals
from trustsem.options import check_count, choose
from trustsem.studies.measured import FIT_RATES
from trustsem.studies.performance import MEASURES, RATES

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.studies.result import StudyResult

__all__ = ["StopRule", "replications_for", "still_running"]

_LEAST = 50


@dataclass(frozen=True)
class StopRule:
    """Stop a condition when Monte Carlo errors are small enough.

    Parameters
    ----------
    measure : str
        A performance measure, such as ``"power"`` or ``"coverage"``.
    error : float
        Largest Monte Carlo standard error that is accepted, over all parameters looked at.
    parameters : tuple of str
        Parameters that are looked at; those that have a true value if left out.
    analyses : tuple of str
        Analyses that are looked at; all if left out.
    every : int
        Replications between two looks, and the least number of them; at least 50.

    Raises
    ------
    OptionError
        For an unknown measure, an error that is not positive, or a number of replications that is too small.

    Notes
    -----
    Rates are judged as if there had been two successes and two failures more, so that a rate that is 1 by chance does not stop a condition at the
    first look. Stopping on results biases them a little all the same: by less than half the error aimed at, for rates near 0 or 1.
    """

    measure: str
    error: float
    parameters: tuple[str, ...] = ()
    analyses: tuple[str, ...] = ()
    every: int = 200

    def __post_init__(self) -> None:
        object.__setattr__(self, "measure", choose("measure", self.measure, (*MEASURES, *FIT_RATES)))
        if not isinstance(self.error, int | float) or isinstance(self.error, bool) or not self.error > 0:
            raise OptionError(f"error={self.error!r} is no Monte Carlo error to aim at. Give a positive number, such as 0.01.")
        check_count("every", self.every, _LEAST)
        for name in ("parameters", "analyses"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))


def still_running(stop: StopRule, result: StudyResult, conditions: Sequence[int], upto: int) -> list[int]:
    """Return the conditions whose Monte Carlo errors are still too large after their first `upto` replications."""
    left = []
    for condition in conditions:
        table = result.performance(stop.measure, parameters=stop.parameters or None, analyses=stop.analyses or None, condition=condition, upto=upto)
        errors = table["mc_error"].to_numpy()
        if stop.measure in (*RATES, *FIT_RATES):
            errors = np.maximum(errors, _cautious(table))
        errors = errors[np.isfinite(errors)]
        if not errors.size or errors.max() > stop.error:
            left.append(condition)
    return left


def _cautious(table: pd.DataFrame) -> Reals:
    """Return the Monte Carlo errors of rates with two successes and two failures added (Agresti & Coull 1998, doi 10.1080/00031305.1998.10480550).

    The plain error of a rate that happens to be 1 so far is 0: a rule that believed it would stop too early, and just where rates are too high.
    """
    n = table["n_used"].to_numpy(dtype=float)
    p = (table["value"].to_numpy(dtype=float) * n + 2.0) / (n + 4.0)
    return np.asarray(np.sqrt(p * (1.0 - p) / (n + 4.0)))


def replications_for(error: float, *, proportion: float | None = None, sd: float | None = None) -> int:
    """Return how many replications a Monte Carlo standard error needs.

    Parameters
    ----------
    error : float
        The Monte Carlo standard error wanted.
    proportion : float, optional
        Expected value of a rate (power, coverage, type I error); the worst case is 0.5.
    sd : float, optional
        Expected standard deviation of the estimates, for bias.

    Returns
    -------
    int
        ``p (1 - p) / error^2`` or ``(sd / error)^2``, rounded up (Morris, White & Crowther 2019, doi 10.1002/sim.8086, section 5.3).

    Raises
    ------
    OptionError
        Unless exactly one of `proportion` and `sd` is given, and both it and `error` are possible.
    """
    if not error > 0:
        raise OptionError(f"error={error!r} is no Monte Carlo error to aim at. Give a positive number, such as 0.01.")
    if (proportion is None) == (sd is None):
        raise OptionError("replications_for() needs either proportion= (for power or coverage) or sd= (for bias). Give one of them.")
    if proportion is not None:
        if not 0 < proportion < 1:
            raise OptionError(f"proportion={proportion!r} is not between 0 and 1. The worst case is 0.5.")
        return math.ceil(proportion * (1 - proportion) / error**2 - 1e-9)
    if sd is None or not sd > 0:
        raise OptionError(f"sd={sd!r} is no standard deviation. Give a positive number.")
    return math.ceil((sd / error) ** 2 - 1e-9)
