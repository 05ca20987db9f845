"""Where the numbers on the arrows stand: on their line, and never on a variable or on one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trustsem.reporting.shapes import Points, Shape, dense, overlaps, point_at

__all__ = ["Tag", "place_tags"]

_FRACTIONS = tuple(0.5 + side * 0.04 * k for k in range(11) for side in ((1, -1) if k else (1,)))
_FORBIDDEN = 1e4
_SWEEPS = 40


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
    fixed = [[_fixed_cost(k, box, tag, grown, heads, tracks) for box in boxes] for k, (tag, boxes) in enumerate(zip(tags, options, strict=True))]
    chosen = [int(np.argmin(costs)) for costs in fixed]
    for _ in range(_SWEEPS):
        moved = False
        for k, boxes in enumerate(options):
            rivals = [options[j][chosen[j]].grown(0.01) for j in range(len(tags)) if j != k]
            costs = [cost + _FORBIDDEN * sum(overlaps(box, rival) for rival in rivals) for cost, box in zip(fixed[k], boxes, strict=True)]
            best = int(np.argmin(costs))
            if costs[best] < costs[chosen[k]] - 1e-9:
                chosen[k], moved = best, True
        if not moved:
            break
    placed = [boxes[chosen[k]] for k, boxes in enumerate(options)]
    clash = any(overlaps(box, other) for k, box in enumerate(placed) for other in placed[:k])
    touching = any(overlaps(box, shape) for box in placed for shape in grown)
    return None if clash or touching else placed


def _options(tag: Tag) -> list[Shape]:
    places = [min(max(tag.middle + fraction - 0.5, 0.1), 0.9) for fraction in _FRACTIONS]
    return [Shape(*point_at(tag.track, place), tag.w, tag.h) for place in places]


def _fixed_cost(k: int, box: Shape, tag: Tag, shapes: Sequence[Shape], heads: Sequence[Shape], tracks: Sequence[Points]) -> float:
    """Return what speaks against a place whatever the other tags do: variables, arrowheads, other lines beneath, distance from the middle."""
    x, y = point_at(tag.track, tag.middle)
    cost = 0.5 * ((box.x - x) ** 2 + (box.y - y) ** 2) ** 0.5
    cost += _FORBIDDEN * sum(overlaps(box, shape) for shape in shapes)
    cost += 3.0 * sum(overlaps(box, head) for head in heads)
    return cost + sum(1.0 for j, track in enumerate(tracks) if j != k and bool(box.grown(0.01).contains(track).any()))
