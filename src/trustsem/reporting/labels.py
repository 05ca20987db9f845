"""Where the numbers on the arrows stand: on their line, and never on a variable or on one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trustsem.reporting.shapes import Points, Shape, dense, length, overlaps, overlaps_many, point_at, share_inside

__all__ = ["Tag", "ambiguous", "place_tags"]

_FRACTIONS = tuple(0.5 + side * 0.04 * k for k in range(11) for side in ((1, -1) if k else (1,)))
_FORBIDDEN = 1e4
_SWEEPS = 40
_LEAST_VISIBLE = 0.28


class Tag(NamedTuple):
    """A text of width w and height h (inches) that belongs on the polyline `track`; `middle` is the preferred fraction of its length."""

    text: str
    w: float
    h: float
    track: Points
    middle: float = 0.5


def place_tags(tags: Sequence[Tag], shapes: Sequence[Shape], heads: Sequence[Shape]) -> list[Shape] | None:
    """Return the box of every tag, or None if they cannot be placed without overlap.

    Parameters
    ----------
    tags : sequence of Tag
    shapes : sequence of Shape
        Variables, which no tag may touch.
    heads : sequence of Shape
        Arrowheads, which tags avoid where they can.

    Notes
    -----
    Coordinate descent: each tag in turn takes the cheapest of its places, given the places of the others, until none moves.
    """
    options = [_options(tag) for tag in tags]
    grown = [shape.grown(0.015) for shape in shapes]
    tracks = [dense(tag.track, 0.03) for tag in tags]
    fixed = [_fixed_costs(k, boxes, tag, grown, heads, tracks) for k, (tag, boxes) in enumerate(zip(tags, options, strict=True))]
    if any(costs.min() >= _FORBIDDEN for costs in fixed):
        return None
    chosen = [int(np.argmin(costs)) for costs in fixed]
    for _ in range(_SWEEPS):
        moved = False
        for k, boxes in enumerate(options):
            clashes = [overlaps_many(boxes, _box(options[j][chosen[j]]).grown(0.01)) for j in range(len(tags)) if j != k]
            costs = fixed[k] + _FORBIDDEN * np.sum(clashes, axis=0) if clashes else fixed[k]
            best = int(np.argmin(costs))
            if costs[best] < costs[chosen[k]] - 1e-9:
                chosen[k], moved = best, True
        if not moved:
            break
    placed = [_box(boxes[chosen[k]]) for k, boxes in enumerate(options)]
    return None if any(overlaps(box, other) for k, box in enumerate(placed) for other in placed[:k]) else placed


def ambiguous(tags: Sequence[Tag], places: Sequence[Shape]) -> int:
    """Return how many tags stand on a line that is not theirs."""
    if not tags:
        return 0
    boxes = np.array([place[:4] for place in places])
    own = np.arange(len(tags))
    foreign = [(share_inside(boxes, dense(tag.track, 0.03), 0.0) > 0.0) & (own != k) for k, tag in enumerate(tags)]
    return int(np.any(foreign, axis=0).sum())


def _box(row: Points) -> Shape:
    return Shape(float(row[0]), float(row[1]), float(row[2]), float(row[3]))


def _options(tag: Tag) -> Points:
    """Return the boxes (n, 4) that a tag may take: on its line, or beside it where the line would hardly show."""
    places = [min(max(tag.middle + fraction - 0.5, 0.1), 0.9) for fraction in _FRACTIONS]
    boxes = [(*point_at(tag.track, place), tag.w, tag.h) for place in places]
    for place in places:
        x, y = point_at(tag.track, place)
        (x0, y0), (x1, y1) = point_at(tag.track, max(place - 0.05, 0.0)), point_at(tag.track, min(place + 0.05, 1.0))
        size = max(float(np.hypot(x1 - x0, y1 - y0)), 1e-9)
        across = (-(y1 - y0) / size, (x1 - x0) / size)
        away = 0.02 + abs(across[0]) * tag.w / 2 + abs(across[1]) * tag.h / 2
        boxes += [(x + side * across[0] * away, y + side * across[1] * away, tag.w, tag.h) for side in (1.0, -1.0)]
    return np.array(boxes)


def _fixed_costs(k: int, boxes: Points, tag: Tag, shapes: Sequence[Shape], heads: Sequence[Shape], tracks: Sequence[Points]) -> Points:
    """Return what speaks against each place whatever the other tags do.

    Variables, arrowheads, other lines beneath, little left of the own line, not standing on it, distance from the middle.
    """
    x, y = point_at(tag.track, tag.middle)
    cost = 0.5 * np.hypot(boxes[:, 0] - x, boxes[:, 1] - y)
    for weight, obstacles in ((_FORBIDDEN, shapes), (3.0, heads)):
        for obstacle in obstacles:
            cost += weight * overlaps_many(boxes, obstacle)
    hidden = share_inside(boxes, tracks[k], 0.0)
    cost += np.where(hidden == 0.0, 0.7, np.where((1.0 - hidden) * length(tag.track) < _LEAST_VISIBLE, 2.0, 0.0))
    for j, track in enumerate(tracks):
        if j != k:
            cost += 1.0 * (share_inside(boxes, track, 0.01) > 0.0)
            cost += 0.5 * ((hidden == 0.0) & (share_inside(boxes, track, 0.06) > 0.0))
    return np.asarray(cost)
