"""How the arrows of a diagram run: straight where nothing is in the way, else around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from trustsem.reporting.graph import Arc, Arrow, Graph
from trustsem.reporting.layout import Layout
from trustsem.reporting.shapes import Points, Shape, bezier, clipped, count_crossings, hits, length, share_near, through

__all__ = ["Routes", "route"]

Place = tuple[float, float]

_CLEARANCE = 0.04
_SHORTEST = 0.12
_CROWDED = 0.09


@dataclass(frozen=True)
class Routes:
    """A polyline for each arrow and each arc of the graph, in their order, from boundary to boundary."""

    arrows: tuple[Points, ...]
    arcs: tuple[Points, ...]


def route(graph: Graph, layout: Layout) -> Routes | None:
    """Return the routes, or None if some arrow cannot avoid the variables in this layout."""
    anchors = _anchors(graph, layout)
    drawn = {(arrow.cause, arrow.effect) for arrow in graph.arrows}
    fans = _fans(graph, layout)
    arrows: list[Points] = []
    for arrow in graph.arrows:
        others = _others(layout, (arrow.cause, arrow.effect)) + [
            fan for owner, fan in fans.items() if arrow.effect not in layout.below or owner != arrow.cause
        ]
        found = _arrow(arrow, layout, anchors, others, mutual=(arrow.effect, arrow.cause) in drawn)
        if found is None:
            return None
        arrows.append(found)
    arcs: dict[int, Points] = {}
    # Short arcs first, so that the long ones keep away from them.
    for k in sorted(range(len(graph.arcs)), key=lambda k: _distance(layout.shapes[graph.arcs[k].first], layout.shapes[graph.arcs[k].second])):
        arc, drawn_arcs = graph.arcs[k], list(arcs.values())
        others = _others(layout, (arc.first, arc.second))
        found = _arc(arc, layout, others + list(fans.values()), arrows, drawn_arcs)
        if found is None and fans:
            found = _arc(arc, layout, others, arrows, drawn_arcs)
        if found is None:
            return None
        arcs[k] = found
    return Routes(tuple(arrows), tuple(arcs[k] for k in range(len(graph.arcs))))


def _distance(first: Shape, second: Shape) -> float:
    return float(np.hypot(first.x - second.x, first.y - second.y))


def _others(layout: Layout, ends: tuple[str, str]) -> list[Shape]:
    return [shape for name, shape in layout.shapes.items() if name not in ends]


def _fans(graph: Graph, layout: Layout) -> dict[str, Shape]:
    """Return the areas between latent variables and the rows of indicators below them, where only their loadings run."""
    fans: dict[str, Shape] = {}
    for latent in dict.fromkeys(arrow.cause for arrow in graph.arrows if arrow.effect in layout.below):
        row = [layout.shapes[arrow.effect] for arrow in graph.arrows if arrow.cause == latent and arrow.effect in layout.below]
        top, bottom = layout.shapes[latent].y + 0.6 * layout.shapes[latent].h, row[0].y - row[0].h / 2 - 0.02
        left, right = row[0].x - row[0].w / 2, row[-1].x + row[-1].w / 2
        fans[latent] = Shape((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    return fans


def _anchors(graph: Graph, layout: Layout) -> dict[tuple[str, str], tuple[Place, Place]]:
    """Return the points inside cause and effect at which each arrow aims: spread, so that arrowheads do not pile up."""
    shapes = layout.shapes
    arriving: dict[str, list[Arrow]] = {}
    for arrow in graph.arrows:
        arriving.setdefault(arrow.effect, []).append(arrow)
    ends: dict[tuple[str, str], Place] = {}
    for effect, arrows in arriving.items():
        shape = shapes[effect]
        ordered = sorted(arrows, key=lambda arrow: _last_stop(arrow, layout))
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


def _last_stop(arrow: Arrow, layout: Layout) -> float:
    """Return the height from which an arrow arrives."""
    stops = layout.stops.get((arrow.cause, arrow.effect))
    return stops[-1][1] if stops else layout.shapes[arrow.cause].y


def _free(points: Points, start: Shape, end: Shape, others: Sequence[Shape]) -> Points | None:
    """Return the visible part of a curve, or None if it is too short, touches another variable, or passes through its own ends again."""
    seen = clipped(points, start, end)
    if len(seen) < 2 or length(seen) < _SHORTEST or hits(seen, others, _CLEARANCE):
        return None
    return None if hits(seen, (start, end), -0.01) else seen


def _arrow(
    arrow: Arrow, layout: Layout, anchors: dict[tuple[str, str], tuple[Place, Place]], others: Sequence[Shape], *, mutual: bool
) -> Points | None:
    start, end = layout.shapes[arrow.cause], layout.shapes[arrow.effect]
    first, last = anchors[arrow.cause, arrow.effect]
    stops = layout.stops.get((arrow.cause, arrow.effect), [])
    candidates: list[Points] = [] if mutual else [bezier(first, last)]
    if stops:
        candidates.append(through([first, *stops, last]))
    bends = [0.2 * k for k in range(3 if mutual else 1, 16)]
    candidates += [_bent(first, last, bend) for size in bends for bend in ((size,) if mutual else (size, -size))]
    return next((found for found in (_free(points, start, end, others) for points in candidates) if found is not None), None)


def _bent(first: Place, last: Place, bend: float) -> Points:
    """Return a curve that leaves the straight line by about half of `bend`, to the right of the direction of travel if positive."""
    dx, dy = last[0] - first[0], last[1] - first[1]
    size = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    middle = ((first[0] + last[0]) / 2 - dy / size * bend, (first[1] + last[1]) / 2 + dx / size * bend)
    return bezier(first, middle, last)


def _arc(arc: Arc, layout: Layout, others: Sequence[Shape], arrows: Sequence[Points], arcs: Sequence[Points]) -> Points | None:
    """Return the cheapest free curve: few crossings, apart from other arcs and arrowheads, shallow."""
    start, end = layout.shapes[arc.first], layout.shapes[arc.second]
    taken = [track[-1] for track in arrows] + [track[k] for track in arcs for k in (0, -1)]
    best: tuple[float, Points] | None = None
    for depth, points in _arc_candidates(start, end, _between(arc, layout)):
        if best is not None and depth >= best[0]:
            continue
        seen = _free(points, start, end, others)
        if seen is None:
            continue
        crowded = sum(float(np.hypot(*(seen[k] - head))) < _CROWDED for k in (0, -1) for head in taken)
        cost = depth + 0.45 * count_crossings(seen, [*arrows, *arcs]) + 0.5 * crowded + 2.0 * share_near(seen, arcs, 0.12)
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
        # Out vertically, in from a side: for indicators below their latent variable.
        for k in range(1, 9):
            yield 0.2 * k, bezier(first, (first[0], first[1] + 0.3 * k), (last[0], last[1] + 0.3 * k), last)
            for fall in (0.3 * k, -0.3 * k):
                for side in (1.0, -1.0):
                    yield 0.3 * k, bezier(first, (first[0], first[1] + fall), (last[0] + side * (0.5 * end.w + 0.2 * k), last[1]), last)
        return
    if between == 0:
        # One directly above the other: from edge to edge, slightly to the left or right.
        for bend in (0.3, -0.3, 0.5, -0.5):
            yield 0.5 * abs(bend), _bent(first, last, bend)
    # On the side of the column. Arcs that reach further start further out, so that those of one variable are nested.
    upper, lower = (start, end) if start.y < end.y else (end, start)
    out = 0.1 - 0.1 * max(between - 1, 0)
    y0, y1 = upper.y + max(out, -0.35 * upper.h), lower.y - max(out, -0.35 * lower.h)
    for k in range(12):
        reach = 0.34 + 0.2 * max(between - 1, 0) + 0.16 * k
        for side in (-1.0, 1.0):
            x = side * (max(side * upper.x + upper.w / 2, side * lower.x + lower.w / 2) + reach)
            points = bezier((upper.x + side * 0.3 * upper.w, y0), (x, y0), (x, y1), (lower.x + side * 0.3 * lower.w, y1))
            yield reach, points if upper is start else points[::-1]
