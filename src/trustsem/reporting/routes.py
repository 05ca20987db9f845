"""How the arrows of a diagram run: straight where nothing is in the way, else around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trustsem.reporting.graph import Arc, Arrow, Graph
from trustsem.reporting.layout import Layout
from trustsem.reporting.shapes import Points, Shape, bezier, clipped, count_crossings, hits, length, through

__all__ = ["Routes", "route"]

_CLEARANCE = 0.04
_SHORTEST = 0.12


@dataclass(frozen=True)
class Routes:
    """A polyline for each arrow and each arc of the graph, in their order, from boundary to boundary."""

    arrows: tuple[Points, ...]
    arcs: tuple[Points, ...]


def route(graph: Graph, layout: Layout) -> Routes | None:
    """Return the routes, or None if some arrow cannot avoid the variables in this layout."""
    anchors = _anchors(graph, layout)
    drawn = {(arrow.cause, arrow.effect) for arrow in graph.arrows}
    arrows: list[Points] = []
    for arrow in graph.arrows:
        found = _arrow(arrow, layout, anchors, (arrow.effect, arrow.cause) in drawn)
        if found is None:
            return None
        arrows.append(found)
    arcs: list[Points] = []
    for arc in graph.arcs:
        found = _arc(arc, layout, arrows + arcs)
        if found is None:
            return None
        arcs.append(found)
    return Routes(tuple(arrows), tuple(arcs))


def _anchors(graph: Graph, layout: Layout) -> dict[tuple[str, str], tuple[tuple[float, float], tuple[float, float]]]:
    """Return the points inside cause and effect at which each arrow aims: spread, so that arrowheads do not pile up."""
    shapes = layout.shapes
    arriving: dict[str, list[Arrow]] = {}
    for arrow in graph.arrows:
        arriving.setdefault(arrow.effect, []).append(arrow)
    ends: dict[tuple[str, str], tuple[float, float]] = {}
    for effect, arrows in arriving.items():
        shape = shapes[effect]
        ordered = sorted(arrows, key=lambda arrow: shapes[arrow.cause].y)
        for k, arrow in enumerate(ordered):
            cause = shapes[arrow.cause]
            offset = 0.0 if len(ordered) == 1 else (2 * k / (len(ordered) - 1) - 1) * 0.3 * shape.h
            if shape.oval:
                ends[arrow.cause, effect] = (shape.x, shape.y + offset)
            elif effect in layout.below:
                ends[arrow.cause, effect] = (shape.x, shape.y - 0.49 * shape.h)
            else:
                side = 1.0 if cause.x > shape.x else -1.0
                ends[arrow.cause, effect] = (shape.x + side * 0.49 * shape.w, shape.y + offset)
    return {(a.cause, a.effect): ((shapes[a.cause].x, shapes[a.cause].y), ends[a.cause, a.effect]) for a in graph.arrows}


def _free(points: Points, start: Shape, end: Shape, others: Sequence[Shape]) -> Points | None:
    """Return the visible part of a curve, or None if it is too short, touches another variable, or passes through its own ends again."""
    seen = clipped(points, start, end)
    if len(seen) < 2 or length(seen) < _SHORTEST or hits(seen, others, _CLEARANCE):
        return None
    return None if hits(seen, (start, end), -0.01) else seen


def _arrow(arrow: Arrow, layout: Layout, anchors: dict[tuple[str, str], tuple[tuple[float, float], tuple[float, float]]], mutual: bool) -> Points | None:
    start, end = layout.shapes[arrow.cause], layout.shapes[arrow.effect]
    others = [shape for name, shape in layout.shapes.items() if name not in (arrow.cause, arrow.effect)]
    first, last = anchors[arrow.cause, arrow.effect]
    stops = layout.stops.get((arrow.cause, arrow.effect), [])
    candidates: list[Points] = [] if mutual else [bezier(first, last)]
    if stops:
        candidates.append(through([first, *stops, last]))
    bends = [0.2 * k for k in range(1, 16)]
    candidates += [_bent(first, last, bend) for size in bends for bend in ((size,) if mutual else (size, -size))]
    return next((found for found in (_free(points, start, end, others) for points in candidates) if found is not None), None)


def _bent(first: tuple[float, float], last: tuple[float, float], bend: float) -> Points:
    """Return a curve that leaves the straight line by about half of `bend`, to the right of the direction of travel if positive."""
    dx, dy = last[0] - first[0], last[1] - first[1]
    size = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    middle = ((first[0] + last[0]) / 2 - dy / size * bend, (first[1] + last[1]) / 2 + dx / size * bend)
    return bezier(first, middle, last)


def _arc(arc: Arc, layout: Layout, drawn: Sequence[Points]) -> Points | None:
    """Return the cheapest free curve: few crossings, then shallow."""
    start, end = layout.shapes[arc.first], layout.shapes[arc.second]
    others = [shape for name, shape in layout.shapes.items() if name not in (arc.first, arc.second)]
    best: tuple[float, Points] | None = None
    for depth, points in _arc_candidates(start, end, _between(arc, layout)):
        if best is not None and depth >= best[0]:
            continue
        seen = _free(points, start, end, others)
        if seen is None:
            continue
        cost = depth + 0.45 * count_crossings(seen, drawn)
        if best is None or cost < best[0]:
            best = (cost, seen)
    return None if best is None else best[1]


def _between(arc: Arc, layout: Layout) -> int:
    """Return how many variables of their column stand between the two ends."""
    for column in layout.columns:
        if arc.first in column and arc.second in column:
            return abs(column.index(arc.first) - column.index(arc.second)) - 1
    return 0


def _arc_candidates(start: Shape, end: Shape, between: int) -> Iterable[tuple[float, Points]]:
    first, last = (start.x, start.y), (end.x, end.y)
    if abs(start.x - end.x) > 0.3 * (start.w + end.w):
        for k in range(1, 16):
            for bend in (0.25 * k, -0.25 * k):
                yield abs(bend), _bent(first, last, bend)
        return
    if between == 0:
        # One directly above the other: from edge to edge, slightly to the left or right.
        for bend in (0.3, -0.3, 0.5, -0.5):
            yield 0.5 * abs(bend), _bent(first, last, bend)
    for k in range(12):
        reach = 0.34 + 0.2 * max(between - 1, 0) + 0.16 * k
        for side in (-1.0, 1.0):
            edge = max(side * start.x + start.w / 2, side * end.x + end.w / 2)
            x = side * (edge + reach)
            yield reach, bezier((start.x + side * 0.4 * start.w, start.y), (x, start.y), (x, end.y), (end.x + side * 0.4 * end.w, end.y))
