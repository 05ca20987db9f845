"""Plane geometry of diagrams, in inches, y pointing down: ovals, boxes and polylines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Points",
    "Shape",
    "after_leaving",
    "bezier",
    "count_crossings",
    "hits",
    "length",
    "overlaps",
    "overlaps_many",
    "point_at",
    "share_inside",
    "share_near",
    "through",
]

Points = NDArray[np.float64]
_SAMPLES = 48


class Shape(NamedTuple):
    """An oval or a box with centre (x, y), width w and height h."""

    x: float
    y: float
    w: float
    h: float
    oval: bool = False

    def grown(self, margin: float) -> Shape:
        """Return the shape with `margin` added on every side."""
        return self._replace(w=self.w + 2 * margin, h=self.h + 2 * margin)

    def contains(self, points: Points) -> NDArray[np.bool_]:
        """Return which of the (n, 2) `points` lie inside."""
        u, v = np.abs(points[:, 0] - self.x) / (self.w / 2), np.abs(points[:, 1] - self.y) / (self.h / 2)
        return np.asarray(u * u + v * v < 1.0 if self.oval else (u < 1.0) & (v < 1.0))


def overlaps(box: Shape, other: Shape) -> bool:
    """Whether a box and a shape have points in common (exact for ovals as well)."""
    dx = max(abs(box.x - other.x) - box.w / 2, 0.0)
    dy = max(abs(box.y - other.y) - box.h / 2, 0.0)
    if other.oval:
        return (dx / (other.w / 2)) ** 2 + (dy / (other.h / 2)) ** 2 < 1.0
    return dx < other.w / 2 and dy < other.h / 2


def overlaps_many(boxes: Points, other: Shape) -> NDArray[np.bool_]:
    """Return which of the boxes (n, 4), rows (x, y, w, h), overlap `other`; see :func:`overlaps`."""
    dx = np.maximum(np.abs(boxes[:, 0] - other.x) - boxes[:, 2] / 2, 0.0) / (other.w / 2)
    dy = np.maximum(np.abs(boxes[:, 1] - other.y) - boxes[:, 3] / 2, 0.0) / (other.h / 2)
    return np.asarray(dx**2 + dy**2 < 1.0 if other.oval else (dx < 1.0) & (dy < 1.0))


def share_inside(boxes: Points, track: Points, margin: float) -> Points:
    """Return the share of the points (m, 2) of `track` that lies in each of the boxes (n, 4) grown by `margin`."""
    dx = np.abs(boxes[:, None, 0] - track[None, :, 0]) < boxes[:, None, 2] / 2 + margin
    dy = np.abs(boxes[:, None, 1] - track[None, :, 1]) < boxes[:, None, 3] / 2 + margin
    return np.asarray((dx & dy).mean(axis=1))


def bezier(*control: tuple[float, float]) -> Points:
    """Return points (n, 2) on the Bezier curve with 2 to 4 control points; a straight line has only its ends."""
    if len(control) == 2:
        return np.array(control, dtype=np.float64)
    t = np.linspace(0.0, 1.0, _SAMPLES)[:, None]
    layer = [np.broadcast_to(np.asarray(point, dtype=np.float64), (_SAMPLES, 2)) for point in control]
    while len(layer) > 1:
        layer = [(1.0 - t) * first + t * second for first, second in pairwise(layer)]
    return np.asarray(layer[0])


def through(stops: list[tuple[float, float]]) -> Points:
    """Return a smooth curve through `stops` that is level at the inner ones."""
    pieces = []
    for k in range(len(stops) - 1):
        (x0, y0), (x1, y1) = stops[k], stops[k + 1]
        reach = 0.5 * (x1 - x0)
        first = (x0 + reach, y0) if k > 0 else (x0 + reach, y0 + 0.5 * (y1 - y0))
        second = (x1 - reach, y1) if k < len(stops) - 2 else (x1 - reach, y1 - 0.5 * (y1 - y0))
        pieces.append(bezier((x0, y0), first, second, (x1, y1)))
    return np.vstack(pieces)


def after_leaving(points: Points, shape: Shape) -> Points:
    """Return the part of a polyline that starts inside `shape` from the boundary on; the whole of it if it starts outside."""
    inside = shape.contains(points)
    if not inside[0]:
        return points
    if inside.all():
        return points[-1:]
    last = int(np.flatnonzero(~inside)[0]) - 1
    low, high = points[last], points[last + 1]
    for _ in range(16):
        middle = 0.5 * (low + high)
        if shape.contains(middle[None, :])[0]:
            low = middle
        else:
            high = middle
    return np.vstack([high, points[last + 1 :]])


def clipped(points: Points, start: Shape, end: Shape) -> Points:
    """Return the part of a polyline between the boundaries of the shapes in which it starts and ends."""
    return after_leaving(after_leaving(points, start)[::-1], end)[::-1]


def length(points: Points) -> float:
    """Return the length of a polyline."""
    return float(np.sqrt(np.sum(np.diff(points, axis=0) ** 2, axis=1)).sum())


def point_at(points: Points, fraction: float) -> tuple[float, float]:
    """Return the point at `fraction` of the length of a polyline."""
    steps = np.concatenate([[0.0], np.cumsum(np.sqrt(np.sum(np.diff(points, axis=0) ** 2, axis=1)))])
    place = fraction * steps[-1]
    return float(np.interp(place, steps, points[:, 0])), float(np.interp(place, steps, points[:, 1]))


def dense(points: Points, step: float = 0.02) -> Points:
    """Return points on a polyline at most about `step` apart."""
    n = max(2, int(length(points) / step) + 1)
    steps = np.concatenate([[0.0], np.cumsum(np.sqrt(np.sum(np.diff(points, axis=0) ** 2, axis=1)))])
    places = np.linspace(0.0, steps[-1], n)
    return np.column_stack([np.interp(places, steps, points[:, 0]), np.interp(places, steps, points[:, 1])])


def hits(points: Points, shapes: Iterable[Shape], margin: float) -> bool:
    """Whether a polyline comes closer than `margin` to any of `shapes`."""
    track = dense(points)
    return any(bool(shape.grown(margin).contains(track).any()) for shape in shapes)


def count_crossings(points: Points, others: Iterable[Points]) -> int:
    """Return how often a polyline crosses the others."""
    return sum(_cross(points, other) for other in others)


def share_near(points: Points, others: Sequence[Points], distance: float) -> float:
    """Return the share of a polyline that runs within `distance` of others."""
    if not others:
        return 0.0
    track, rest = dense(points, 0.05), np.vstack([dense(other, 0.03) for other in others])
    gaps = np.hypot(track[:, None, 0] - rest[None, :, 0], track[:, None, 1] - rest[None, :, 1])
    return float((gaps.min(axis=1) < distance).mean())


def _cross(first: Points, second: Points) -> int:
    if np.any(first.max(axis=0) < second.min(axis=0)) or np.any(second.max(axis=0) < first.min(axis=0)):
        return 0
    p, r = first[:-1, None, :], np.diff(first, axis=0)[:, None, :]
    q, s = second[None, :-1, :], np.diff(second, axis=0)[None, :, :]
    area = r[..., 0] * s[..., 1] - r[..., 1] * s[..., 0]
    gap = q - p
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (gap[..., 0] * s[..., 1] - gap[..., 1] * s[..., 0]) / area
        u = (gap[..., 0] * r[..., 1] - gap[..., 1] * r[..., 0]) / area
    return int(np.sum((t > 0) & (t < 1) & (u > 0) & (u < 1)))
