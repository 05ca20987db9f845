"""Finding sizes at which a diagram fits a page and everything in it has room."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from trustsem.errors import OptionError
from trustsem.reporting.graph import Graph
from trustsem.reporting.labels import Tag, ambiguous, place_tags
from trustsem.reporting.layout import Layout, Style, lay_out
from trustsem.reporting.routes import Routes, route
from trustsem.reporting.shapes import Points, Shape
from trustsem.reporting.typeface import Typeface
from trustsem.reporting.verdicts import ARROW_STYLES, PLAIN

__all__ = ["HEAD", "MARGIN", "WIDTH", "Drawing", "compose", "extent", "value_text"]

WIDTH, MARGIN, HEAD = 7.0, 0.08, 0.1
_PAD = 0.025


class Drawing(NamedTuple):
    """A diagram in which everything has its place."""

    layout: Layout
    routes: Routes
    tags: list[Tag]
    places: list[Shape]
    style: Style


def compose(graph: Graph, texts: Mapping[str, str], face: Typeface) -> Drawing:
    """Return the drawing with the largest letters that fits the width; distances grow until arrows and numbers have room."""
    room = WIDTH - 2 * MARGIN
    sizes = [Style(9.0, 8.0, 14), Style(8.5, 8.0, 14), Style(8.0, 8.0, 14), Style(8.0, 8.0, 10)]
    wanted = 0.25 + max((face.size_of([text], 8.0)[0] for text in _tag_texts(graph)), default=0.25)
    # First with room for a number and some of its line between columns; then in small letters with less.
    for least, styles in ((wanted, sizes), (0.5, sizes[2:])):
        for style in styles:
            found: list[Drawing] = []
            for spread in (1.0, 1.2, 1.45, 1.75, 2.1):
                drawn = _attempt(graph, texts, face, replace(style, spread=spread), room, least)
                found += [] if drawn is None else [drawn]
                if len(found) == 3 or (drawn is not None and ambiguous(drawn.tags, drawn.places) == 0):
                    break
            if found:
                return min(found, key=lambda drawn: ambiguous(drawn.tags, drawn.places))
    return _grow(graph, texts, face)


def _attempt(graph: Graph, texts: Mapping[str, str], face: Typeface, style: Style, room: float, least: float) -> Drawing | None:
    """Return the drawing with the widest gaps between columns, from `least` to 1.5 inches, at which it is no wider than `room`."""
    # Without arrows and numbers the gap is as wide as it can be: start there.
    bare = lay_out(graph, texts, face, replace(style, gap=1.0))
    gap = min(1.0 + (room - extent(bare)[2]) / max(bare.n_gaps, 1), 1.5)
    for _ in range(8):
        if gap < least and bare.n_gaps:
            return None
        layout = lay_out(graph, texts, face, replace(style, gap=gap))
        routes = route(graph, layout)
        if routes is None:
            return None
        beyond = extent(layout, routes)[2] - room
        if beyond <= 0.01:
            drawn = _numbered(graph, layout, routes, face, style)
            if drawn is None:
                return None
            # Numbers may stand out beyond variables and lines.
            beyond = extent(layout, routes, drawn.places)[2] - room
            if beyond <= 0.02:
                return drawn
        if not layout.n_gaps:
            return None
        gap -= beyond / layout.n_gaps + 0.01
    return None


def _grow(graph: Graph, texts: Mapping[str, str], face: Typeface) -> Drawing:
    """Return a drawing that is as wide and as high as it needs to be.

    Raises
    ------
    OptionError
        If there is none within reason.
    """
    for factor in (1.0, 1.3, 1.7, 2.2, 3.0, 4.0, 6.0):
        style = Style(8.0, 8.0, 12, 0.6 * factor, factor)
        layout = lay_out(graph, texts, face, style)
        routes = route(graph, layout)
        drawn = None if routes is None else _numbered(graph, layout, routes, face, style)
        if drawn is not None:
            return drawn
    raise OptionError("The model has too many arrows for a legible diagram. Draw part of it, or set estimates=None.")


def _numbered(graph: Graph, layout: Layout, routes: Routes, face: Typeface, style: Style) -> Drawing | None:
    """Return the drawing with its numbers, or None if they have no room."""
    tags = _tags(graph, routes, face, style)
    heads = [_head_box(track) for track in routes.arrows] + [_head_box(track) for arc in routes.arcs for track in (arc, arc[::-1])]
    places = place_tags(tags, list(layout.shapes.values()), heads)
    return None if places is None else Drawing(layout, routes, tags, places, style)


def _tag_texts(graph: Graph) -> list[str]:
    """Return the text on every arrow and every arc, in their order; blank where there is none."""
    items = [(arrow.value, arrow.verdict) for arrow in graph.arrows] + [(arc.value, arc.verdict) for arc in graph.arcs]
    return [" ".join(filter(None, (value_text(value, graph.standardized), ARROW_STYLES.get(verdict, PLAIN).sign))) for value, verdict in items]


def _tags(graph: Graph, routes: Routes, face: Typeface, style: Style) -> list[Tag]:
    middles = [0.58 if arrow.loading else 0.5 for arrow in graph.arrows] + [0.5] * len(graph.arcs)
    tags = []
    for text, middle, track in zip(_tag_texts(graph), middles, routes.arrows + routes.arcs, strict=True):
        if text:
            tags.append(Tag(text, face.size_of([text], style.small)[0] + 2 * _PAD, style.small / 72 + 2 * _PAD, track, middle))
    return tags


def value_text(value: float, standardized: bool) -> str:
    """Return a number with two decimals; standardized ones without leading zero, whole numbers of fixed loadings as such."""
    if math.isnan(value):
        return ""
    text = f"{value:.2f}"
    if standardized:
        text = text.replace("0.", ".", 1) if abs(value) < 0.995 else text
        text = ".00" if text == "-.00" else text
    return text.replace("-", "\N{MINUS SIGN}")


def _head_box(track: Points) -> Shape:
    tip = track[-1]
    return Shape(float(tip[0]), float(tip[1]), 1.2 * HEAD, 1.2 * HEAD)


def extent(layout: Layout, routes: Routes | None = None, places: Sequence[Shape] = ()) -> tuple[float, float, float, float]:
    """Return left, top, width and height of everything drawn."""
    corners = [[[s.x - s.w / 2, s.y - s.h / 2], [s.x + s.w / 2, s.y + s.h / 2]] for s in (*layout.shapes.values(), *places)]
    tracks = () if routes is None else (*routes.arrows, *routes.arcs)
    points = np.vstack([*map(np.array, corners), *tracks])
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1 - x0), float(y1 - y0)
