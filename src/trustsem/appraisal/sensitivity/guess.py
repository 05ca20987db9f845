"""What a fit at some strength would be, from fits at others: polynomials through estimates and standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trustsem.appraisal.sensitivity.course import Course, Point
from trustsem.kernels.structure import Reals

__all__ = ["Guess"]

_NODES = 3


class _Polynomial(NamedTuple):
    """Newton's form: coefficients (order, k), and the nodes that belong to them."""

    coefficients: list[Reals]
    nodes: list[float]

    def at(self, coordinate: float) -> Reals:
        """Return the values (k,) at a coordinate."""
        result = self.coefficients[-1]
        for coefficient, node in zip(self.coefficients[-2::-1], self.nodes[-2::-1], strict=True):
            result = result * (coordinate - node) + coefficient
        return result


def _through(nodes: Sequence[float], values: Sequence[Reals], slope: Reals | None = None) -> _Polynomial:
    """Return the polynomial through values at nodes; the first two nodes may be the same, where `slope` is the derivative."""
    table = list(values)
    coefficients = [table[0]]
    for order in range(1, len(nodes)):
        widths = [nodes[k + order] - nodes[k] for k in range(len(table) - 1)]
        table = [
            slope if width == 0.0 and slope is not None else (after - before) / width
            for before, after, width in zip(table, table[1:], widths, strict=False)
        ]
        coefficients.append(table[0])
    return _Polynomial(coefficients, list(nodes))


class Guess:
    """Points of a course as they would be near a coordinate.

    Parameters
    ----------
    course : Course
    near : float
        Of the fitted points the nearest to this one are used, and always the start, with its derivatives.
    apart : float
        Points that are closer to one another are not both used: their differences are noise.
    """

    def __init__(self, course: Course, near: float, apart: float) -> None:
        chosen: list[Point] = []
        for point in sorted(course.points.values(), key=lambda point: abs(point.at - near)):
            if point.kept is not None and all(abs(point.at - at) > apart for at in (0.0, *(node.at for node in chosen))):
                chosen.append(point)
            if len(chosen) == _NODES:
                break
        start = course.start
        nodes = [0.0, *(point.at for point in chosen)]
        known = [at for at in nodes if at in course.errors_at]
        self._course = course
        self._std = _through([0.0, *nodes], [start.std, start.std, *(point.std for point in chosen)], course.rates)
        self._slack = _through(nodes, [np.array([point.slack]) for point in (start, *chosen)])
        self._errors = _through(known, [np.log(course.errors_at[at]) for at in known]) if known else None

    def at(self, coordinate: float) -> Point:
        """Return what the point at a coordinate would be."""
        std, slack = self._std.at(coordinate), float(self._slack.at(coordinate)[0])
        errors = np.full_like(std, np.nan) if self._errors is None else np.exp(self._errors.at(coordinate))
        trouble = self._course.impossible if slack < 0.0 else ""
        return Point(self._course, coordinate, self._course.start.kept, std, slack, trouble, errors)
