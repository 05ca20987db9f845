"""Who is in which team, arm and period, and the moments that follow from it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from trustsem.errors import OptionError
from trustsem.kernels.structure import Integers, Reals
from trustsem.model.population import Moments

__all__ = ["Law", "beta", "dealt", "stepped", "team_sizes"]


def team_sizes(n: int, teams: int, cv: float, rng: np.random.Generator) -> Integers:
    """Return sizes (J,) of teams that add up to n.

    Parameters
    ----------
    n, teams : int
        Numbers of people and of teams J.
    cv : float
        Coefficient of variation (of the variance expected over draws); sizes differ by at most one if it is 0 or too small for whole people.
    rng : numpy Generator

    Returns
    -------
    (J,) int
        Each at least 1.

    Raises
    ------
    OptionError
        For more teams than people, or sizes that cannot vary so much.

    Notes
    -----
    One person is set for each team, the others are shared out in proportion to gamma variates. Shares of J variates of shape a are Dirichlet and have
    the variance (1/J)(1 - 1/J) / (J a + 1), which is solved for a; rounding to whole people adds 1/12.
    """
    if teams > n:
        raise OptionError(f"teams={teams} are more than the n={n} rows. Ask for fewer teams, or draw more rows.")
    equal = np.full(teams, n // teams, dtype=np.int64)
    equal[: n % teams] += 1
    spread = (cv * n / teams) ** 2 - 1.0 / 12.0
    if spread <= 0.0:
        return equal
    others = n - teams
    shape = (others**2 * (teams - 1) / (teams**2 * spread) - 1.0) / teams
    if shape <= 0.0:
        most = others / n * math.sqrt(max(teams - 1, 0))
        raise OptionError(f"size_cv={cv:g} is not possible for {n} people in {teams} teams. At most about {most:.2g} is; have more people or teams.")
    weights = rng.standard_gamma(shape, teams)
    ideal = others * weights / weights.sum()
    sizes: Integers = np.floor(ideal).astype(np.int64)
    # The people lost by rounding down go where most was cut off.
    sizes[np.argsort(sizes - ideal, kind="stable")[: others - int(sizes.sum())]] += 1
    return sizes + np.int64(1)


def dealt(count: int, share: float, what: str, rng: np.random.Generator) -> Integers:
    """Return 0 or 1 for each of `count` people or teams, as many ones as `share` says, in an order left to chance.

    Raises
    ------
    OptionError
        If all would be alike; `what` they are is for the message.
    """
    ones = math.floor(share * count + 0.5)
    if not 0 < ones < count:
        raise OptionError(f"share={share:g} of {count} {what} leaves an arm empty. Have more {what}, or change share=.")
    arm = np.zeros(count, dtype=np.int64)
    arm[:ones] = 1
    return rng.permutation(arm)


def stepped(team: Integers, periods: int, rng: np.random.Generator) -> tuple[Integers, Integers]:
    """Return arm and period (n,) of people in a stepped wedge.

    Parameters
    ----------
    team : (n,) int
        Teams from 0 to J - 1, sorted.
    periods : int
        Number of periods, counted from 0; from 1 on some teams cross over at each.
    rng : numpy Generator

    Raises
    ------
    OptionError
        If there are fewer teams than steps.
    """
    teams, steps = int(team[-1]) + 1, periods - 1
    if teams < steps:
        raise OptionError(f"periods={periods} need at least {steps} teams, one for each step, not {teams}. Have more teams, or fewer periods.")
    # Steps have numbers of teams that differ by at most one; which of them have more is left to chance.
    start = 1 + rng.permutation(np.resize(rng.permutation(steps), teams))
    first = np.flatnonzero(np.diff(team, prepend=-1))
    position = np.arange(len(team)) - first[team]
    period = (position + rng.integers(periods, size=teams)[team]) % periods
    return (period >= start[team]).astype(np.int64), period


def beta(mean: float, sd: float, size: int, rng: np.random.Generator) -> Reals:
    """Return variates of the beta distribution with this mean and standard deviation."""
    precision = mean * (1.0 - mean) / sd**2 - 1.0
    return rng.beta(mean * precision, (1.0 - mean) * precision, size)


class Law(NamedTuple):
    """Moments of arm, period, and of the share of the effect that is received."""

    share: float
    received: float
    spread: float
    arm_variance: float
    period_mean: float
    period_variance: float
    arm_period: float

    @classmethod
    def of(cls, wedge: bool, share: float, periods: int, dose: tuple[float, float], fidelity: tuple[float, float]) -> Law:
        """Return them: dose and fidelity (mean, sd) are independent, people are spread evenly over the periods, and teams over the steps."""
        received = dose[0] * fidelity[0]
        spread = (dose[0] ** 2 + dose[1] ** 2) * (fidelity[0] ** 2 + fidelity[1] ** 2) - received**2
        last = periods - 1
        period = (last / 2.0, last * (last + 2) / 12.0, (last + 2) / 12.0) if wedge else (0.0, 0.0, 0.0)
        return cls(share, received, max(spread, 0.0), share * (1.0 - share), *period)

    def moments(self, inner: Moments | None, shift: Reals, drift: Reals) -> Moments | None:
        """Return the moments of rows that are shifted by the arm and drift over periods."""
        if inner is None:
            return None
        own = self.arm_variance * self.received**2 + self.share * self.spread
        both = self.received * self.arm_period * np.outer(shift, drift)
        cov = inner.cov + own * np.outer(shift, shift) + self.period_variance * np.outer(drift, drift) + both + both.T
        return Moments(inner.names, inner.mean + self.share * self.received * shift + self.period_mean * drift, cov)
