"""The strength at which something changes, with as few fits as possible.

What is looked for is found on a guess (:mod:`trustsem.appraisal.sensitivity.guess`). Each guess is fitted, and so on, until the change is between two
strengths that are nearly the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trustsem.appraisal.sensitivity.course import Course, Point
from trustsem.appraisal.sensitivity.guess import Guess

__all__ = ["FINE", "Change", "closeness", "first_change"]

FINE = 5e-4  # how closely a change is found, as a share of its coordinate
_FINEST = 1e-5
_LONGEST = 0.4  # longest step outward
_LOOKS = 12
_ROUNDS, _PATIENCE = 40, 5
_APART, _SHARE = 4.0, 0.05  # of closeness: how far apart fits are that a guess rests on, and how fine the guess is
_TINY_SHARE = 0.02
_STRIDE = 0.05
UNCHANGED = "it has not changed at the largest strength looked at"

Height = Callable[[Point], float]


@dataclass(frozen=True)
class Change:
    """Where something changes.

    Attributes
    ----------
    at : float
        The coordinate, at which it has changed; NaN if it never changes as far as is possible.
    largest : float
        The coordinate up to which strengths are possible, or were looked at; NaN if something changes.
    point : Point
        Where it has changed, or that largest point.
    reason : str
        Why nothing changes; empty if it does.
    """

    at: float
    largest: float
    point: Point
    reason: str


def closeness(coordinate: float) -> float:
    """Return how closely a change at `coordinate` is found: at that much less it has not changed yet."""
    return max(_FINEST, FINE * abs(coordinate))


def first_change(course: Course, height: Height, sign: int) -> Change:
    """Return the smallest possible coordinate in one direction at which `height` is no longer positive.

    Parameters
    ----------
    course : Course
    height : callable
        Of a point; positive at the start. Where it is NaN nothing is found.
    sign : {+1, -1}
        Direction.

    Returns
    -------
    Change
        Fitted where it has changed. That it has not changed at a coordinate that is smaller by :func:`closeness` (or that such a coordinate is
        impossible) was fitted too, or follows from the estimates' derivatives.

    Notes
    -----
    What is possible need not be an interval: a common cause may leave no variance at some strength, and at a greater one, where it takes the place of
    the path, leave some again.
    """
    search = _Search(course, height, sign)
    if not search.good(course.start):
        return Change(math.nan, math.nan, course.start, course.start.trouble or "there is no verdict that could change")
    _, outside = search.bracket()
    if outside is not None and outside.kept is not None:
        possible = outside if not outside.trouble else _possible_again(course, outside, sign)
        if possible is not None and not height(possible) > 0.0:
            return Change(possible.at, math.nan, possible, "")
    last, beyond = _Search(course, _room, sign).bracket()
    if beyond is None:
        return Change(math.nan, last.at, last, UNCHANGED)
    largest = beyond.at - sign * closeness(beyond.at)
    return Change(math.nan, largest, last, beyond.trouble)


def _room(point: Point) -> float:
    """Return what is left of the residual variances; positive where a strength is possible."""
    return point.slack if point.trouble else max(point.slack, _FINEST)


def _possible_again(course: Course, outside: Point, sign: int) -> Point | None:
    """Return the first possible point beyond one that is not; None if there is none."""
    low = abs(outside.at)
    for high in np.arange(low, course.limit + _STRIDE, _STRIDE)[1:].tolist():
        point = course.at(sign * min(high, course.limit))
        if point.kept is None:
            return None
        if not point.trouble:
            while abs(point.at) - low > closeness(point.at):
                middle = course.at(sign * 0.5 * (low + abs(point.at)))
                low, point = (low, middle) if not middle.trouble else (abs(middle.at), point)
            return point
        low = abs(point.at)
    return None


@dataclass(frozen=True, eq=False)
class _Search:
    """A search outward along a course."""

    course: Course
    height: Height
    sign: int

    def good(self, point: Point) -> bool:
        """Whether nothing has changed at the point."""
        return point.kept is not None and self.height(point) > 0.0

    def bracket(self) -> tuple[Point, Point | None]:
        """Return two points next to one another between which something changes; the second is None if nothing does as far as the course goes."""
        inside, outside = self.known()
        while outside is None:
            if abs(inside.at) >= self.course.limit:
                return inside, None
            expected = self.crossing(abs(inside.at), self.course.limit, bracketed=False)
            step = min(expected - abs(inside.at), _LONGEST) if math.isfinite(expected) else _LONGEST
            point = self.course.at(self.sign * min(abs(inside.at) + step, self.course.limit))
            if self.good(point):
                inside = point
            else:
                outside = point
        return self.narrowed(inside, outside)

    def narrowed(self, inside: Point, outside: Point) -> tuple[Point, Point]:
        """Return the bracket made as narrow as :func:`closeness` says."""
        for turn in range(_ROUNDS):
            close = closeness(outside.at)
            low, high = abs(inside.at), abs(outside.at)
            if high - low <= close:
                break
            there = self.crossing(low, high, bracketed=True) if turn < _PATIENCE or turn % 3 else math.nan  # now and then halved, lest it creep
            if outside.kept is None or not math.isfinite(there):
                there = 0.5 * (low + high)
            elif high - there < 0.9 * close and self.is_next_to(outside, there):
                break
            edge = min(0.5 * close, 0.5 * (high - low))
            point = self.course.at(self.sign * min(max(there + 0.3 * close, low + edge), high - edge))
            if self.good(point):
                inside = point
            else:
                outside = point
        return inside, outside

    def known(self) -> tuple[Point, Point | None]:
        """Return the last good point before the first that is not, and that one, among those fitted."""
        inside = self.course.start
        for point in sorted((point for point in self.course.points.values() if point.at * self.sign > 0.0), key=lambda point: abs(point.at)):
            if not self.good(point):
                return inside, point
            inside = point
        return inside, None

    def crossing(self, low: float, high: float, *, bracketed: bool) -> float:
        """Return the first size of the coordinate between two sizes at which the guess is no longer good; NaN if it is good throughout."""
        guessed = Guess(self.course, self.sign * (0.5 * (low + high) if bracketed else low), _APART * closeness(high))
        first, last = high, low
        if not bracketed:
            for first in np.linspace(low, high, _LOOKS + 1)[1:].tolist():
                if not self.good(guessed.at(self.sign * first)):
                    break
                last = first
            else:
                return math.nan
        while first - last > _SHARE * closeness(first):
            middle = 0.5 * (last + first)
            if self.good(guessed.at(self.sign * middle)):
                last = middle
            else:
                first = middle
        return float(first)

    def is_next_to(self, outside: Point, there: float) -> bool:
        """Whether the crossing is so near a fitted point that the estimates' derivatives there say that it is."""
        if not abs(self.height(outside)) < _TINY_SHARE:
            return False
        below = self.sign * (there - _SHARE * closeness(there) - _FINEST)
        return self.height(Guess(self.course, outside.at, _APART * closeness(there)).at(below)) > 0.0
