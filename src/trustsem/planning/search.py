"""Where a curve crosses a target, by stochastic root finding: batches of replications near the current solution, and a curve through all of them.

The idea of a probit curve through batches near the current solution, whose crossing is where to look next: Chalmers (2024), Solving variables with
Monte Carlo simulation experiments, Psychological Methods, doi 10.1037/met0000689.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trustsem.planning.curve import Curve, Prior, Tally, fit_curve, forward

__all__ = ["Found", "Task", "search"]

_FIRST, _LEAST, _MOST = 100, 120, 1500  # replications: at each level of the first batch; in a later batch
_JUMP = 3.0  # how far beyond the levels looked at the next one may be
_NEAR = 0.8  # levels this close to the target, on the scale of the probit, decide
_SURE = 2.5  # standard errors
_Z = 1.959964


@dataclass(frozen=True)
class Task:
    """What is searched.

    Attributes
    ----------
    target : float
        Rate, or mean, that is wanted.
    link, scale : str
        As for :class:`Curve`.
    limits : (float, float)
    whole : bool
        Whether levels are whole numbers.
    precision : float
        Largest standard error of the curve at the answer; half the interval of the answer may be ten times as much of it.
    most : int
        Replications to be made at most.
    prior : Prior
    first : tuple of float
        Levels of the first batch.
    """

    target: float
    link: str
    scale: str
    limits: tuple[float, float]
    whole: bool
    precision: float
    most: int
    prior: Prior
    first: tuple[float, ...]


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes
    ----------
    curve : Curve
    tallies : tuple of Tally
        Of all batches, one for each level and batch.
    at : float or None
        The crossing; None if there is none within the limits.
    end : str
        ``"inside"``, ``"unreachable"``, ``"at the limit"`` (reached already at the worst limit), ``"out of replications"`` (found, but
        not as precisely as wanted), or ``"undecided"`` (out of replications before it was clear whether a limit reaches the target).
    """

    curve: Curve
    tallies: tuple[Tally, ...]
    at: float | None
    end: str


def search(task: Task, ask: Callable[[Sequence[float], int, int], list[Tally]]) -> Found:
    """Return where the curve crosses the target.

    Parameters
    ----------
    task : Task
    ask : callable
        Takes levels, a number of replications and the number of the batch, and returns a tally for each level.
    """
    tallies = ask(_apart(task, task.first), _FIRST, 0)
    batch = 1
    while True:
        curve = _fitted(task, tallies)
        side = _side(task, curve, tallies)
        spent = sum(one.replications for one in tallies)
        if side is None:
            at = curve.level(curve.crossing(task.target))
            if _precise(task, curve, at):
                return Found(curve, tuple(tallies), at, "inside")
            if spent >= task.most:
                return Found(curve, tuple(tallies), at, "out of replications")
            levels, count = _near(task, curve, tallies), _needed(task, curve, tallies, at)
        else:
            limit, better = side
            verdict = _at_limit(task, limit, better, tallies)
            if verdict is not None or spent >= task.most:
                reached = verdict == "at the limit"
                return Found(curve, tuple(tallies), limit if reached else None, verdict or "undecided")
            levels, count = [_clipped(task, limit, tallies)], 300
        each = max(40, math.ceil(count / len(levels) / 10) * 10)
        tallies += ask(levels, each, batch)
        batch += 1


def _fitted(task: Task, tallies: Sequence[Tally]) -> Curve:
    """Return the curve through the levels near the target, or through all while few are near: far away it need not be straight."""
    curve = fit_curve(tallies, task.scale, task.link, task.prior)
    for _ in range(3):
        line, _ = curve.line(np.array([one.level for one in tallies]))
        near = [one for one, height in zip(tallies, line, strict=True) if abs(height - curve.linked(task.target)) < _NEAR]
        if len({one.level for one in near}) < 3 or sum(one.replications for one in near) < 400:
            break
        curve = fit_curve(near, task.scale, task.link, task.prior)
    return curve


def _side(task: Task, curve: Curve, tallies: Sequence[Tally]) -> tuple[float, bool] | None:
    """Return the limit that the crossing is at or beyond, and whether it is the better one; None if the crossing is within the limits."""
    slope = curve.coefficients[1]
    if task.link == "log":
        slope = -slope  # narrow is good
    good, bad = (task.limits[1], task.limits[0]) if slope > 0 else task.limits
    high = curve.value(good)[0]
    low = curve.value(bad)[0]
    if task.link == "log":
        return (good, True) if high > task.target else (bad, False) if low < task.target else None
    return (good, True) if high < task.target else (bad, False) if low > task.target else None


def _at_limit(task: Task, limit: float, better: bool, tallies: Sequence[Tally]) -> str | None:
    """Return whether replications at a limit decide that the target is not reached even there, or already there."""
    here = [one for one in tallies if one.level == limit]
    if not here:
        return None
    trials = sum(one.replications for one in here)
    if task.link == "log":
        usable = [one for one in here if one.variance > 0.0]
        if not usable:
            return None
        weights = np.array([1.0 / one.variance for one in usable])
        value = float(weights @ [one.mean for one in usable] / weights.sum())
        error, wanted = math.sqrt(1.0 / float(weights.sum())), task.precision * value
        gap = value - task.target
    else:
        value = sum(one.successes for one in here) / trials
        smooth = (value * trials + 1.0) / (trials + 2.0)  # no error of 0 where all or none succeed
        error, wanted = math.sqrt(smooth * (1.0 - smooth) / trials), task.precision
        gap = task.target - value
    if better:
        return "unreachable" if gap > _SURE * error or (error <= wanted and gap > 0.0) else None
    return "at the limit" if -gap > _SURE * error or (error <= wanted and gap <= 0.0) else None


def _precise(task: Task, curve: Curve, at: float) -> bool:
    level = _whole(task, at) if task.whole else at
    _, error = curve.value(level)
    low, high = curve.interval(task.target, _Z)
    half = (high - low) / 2.0
    return error <= task.precision and (half <= 10.0 * task.precision * abs(at) or (task.whole and half <= 1.0))


def _needed(task: Task, curve: Curve, tallies: Sequence[Tally], at: float) -> int:
    """Return how many replications are missing, as far as the errors now tell."""
    _, error = curve.value(at)
    low, high = curve.interval(task.target, _Z)
    short = max(error / task.precision, (high - low) / 2.0 / (10.0 * task.precision * max(abs(at), 1e-12)) if not task.whole else 0.0)
    line, _ = curve.line(np.array([one.level for one in tallies]))
    near = sum(one.replications for one, height in zip(tallies, line, strict=True) if abs(height - curve.linked(task.target)) < _NEAR)
    return int(min(max(1.05 * near * (short**2 - 1.0), _LEAST), _MOST))


def _near(task: Task, curve: Curve, tallies: Sequence[Tally]) -> list[float]:
    """Return levels at the crossing and on both sides of it."""
    shift = 0.3 if task.link == "probit" else 0.1
    levels = [curve.level(curve.crossing(task.target, by)) for by in (-shift, 0.0, shift)]
    return _apart(task, [_clipped(task, level, tallies) for level in levels])


def _clipped(task: Task, level: float, tallies: Sequence[Tally]) -> float:
    """Return a level not too far from those looked at, and within the limits."""
    if not math.isfinite(level):
        level = task.limits[1]
    if task.scale != "plain":
        seen = [one.level for one in tallies]
        level = min(max(level, min(seen) / _JUMP), max(seen) * _JUMP)
    return _whole(task, min(max(level, task.limits[0]), task.limits[1]))


def _whole(task: Task, level: float) -> float:
    return float(round(level)) if task.whole else level


def _apart(task: Task, levels: Sequence[float]) -> list[float]:
    """Return distinct levels, whole where they have to be, in order."""
    return sorted({_whole(task, min(max(level, task.limits[0]), task.limits[1])) for level in levels})


def first_levels(start: float | None, limits: tuple[float, float], scale: str) -> tuple[float, ...]:
    """Return the levels of the first batch: around `start`, or spread over the limits where nothing is known."""
    if start is not None and scale != "plain":
        return tuple(min(max(factor * start, limits[0]), limits[1]) for factor in (0.7, 1.0, 1.4))
    if start is not None:
        width = (limits[1] - limits[0]) / 6.0
        return tuple(min(max(start + step * width, limits[0]), limits[1]) for step in (-1, 0, 1))
    if scale == "plain":
        return tuple(np.linspace(limits[0], limits[1], 5).tolist())
    return tuple(np.geomspace(max(limits[0], 1.0), limits[1], 5).tolist())


def prior_for(start: float | None, slope: float | None, value: float, limits: tuple[float, float], scale: str, link: str) -> Prior:
    """Return a weak prior of a curve: around what theory says where there is one, around a flat curve otherwise.

    Parameters
    ----------
    start : float or None
        Level where theory expects the target.
    slope : float or None
        Slope that theory expects there.
    value : float
        The target, on the scale of the link.
    limits, scale, link
        As for :class:`Task`.
    """
    known = start is not None
    if start is None:
        start = math.sqrt(max(limits[0], 1.0) * limits[1]) if scale != "plain" else sum(limits) / 2.0
    if slope is None and scale == "sqrt" and link == "probit":
        slope = 2.8 / math.sqrt(start)  # that of a Wald test which has a power of .8 there
    middle = float(forward(np.array([start]), scale)[0])
    reach = float(np.diff(forward(np.array(limits), scale))[0])
    if link == "log":
        return Prior(middle, value, 0.0 if slope is None else slope, 5.0, 1.0 if slope is not None else 10.0 / reach)
    if slope is None:
        return Prior(middle, value, 0.0, 3.0, 8.0 / reach)
    return Prior(middle, value, slope, 2.0 if known else 5.0, abs(slope) if known else 2.0 * abs(slope))
