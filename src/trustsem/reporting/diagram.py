"""Path diagrams: causes on the left, effects on the right, numbers on the arrows, fit to print at a width of 7 inches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustsem.errors import OptionError, closest
from trustsem.reporting.files import write_bytes
from trustsem.reporting.graph import Graph, graph_of
from trustsem.reporting.labels import Tag, ambiguous, place_tags
from trustsem.reporting.layout import Layout, Style, lay_out
from trustsem.reporting.routes import Routes, route
from trustsem.reporting.shapes import Points, Shape, length
from trustsem.reporting.typeface import Typeface, typeface_for
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for
from trustsem.spec.table import ParameterTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["VERDICT_STYLES", "diagram", "figure_bytes"]

WIDTH = 7.0
_MARGIN, _HEAD, _PAD = 0.08, 0.1, 0.025
_FORMATS = ("svg", "pdf", "png")


class VerdictStyle(NamedTuple):
    """How a verdict looks: colour (safe for colour-blind readers), line width in points, dash pattern, sign."""

    colour: str
    width: float
    dashes: tuple[float, ...]
    sign: str


# Colours of Okabe & Ito (2008). The sign on each arrow and the line width say the same without colour.
VERDICT_STYLES: Mapping[str, VerdictStyle] = {
    "supported": VerdictStyle("#0072B2", 2.0, (), "\N{CHECK MARK}"),
    "supported but small": VerdictStyle("#56B4E9", 1.4, (), "(\N{CHECK MARK})"),
    "contradicted": VerdictStyle("#D55E00", 2.0, (), "\N{MULTIPLICATION X}"),
    "negligible": VerdictStyle("#8A8A8A", 0.8, (), "\N{ALMOST EQUAL TO}0"),
    "undetermined": VerdictStyle("#000000", 0.8, (1.0, 1.5), "?"),
}
_PLAIN = VerdictStyle("#000000", 1.0, (), "")


class _Drawing(NamedTuple):
    layout: Layout
    routes: Routes
    tags: list[Tag]
    places: list[Shape]
    style: Style


def diagram(
    source: Any,
    *,
    estimates: str | None = "std_all",
    path: str | Path | None = None,
    indicators: bool | None = None,
    group: str | int | None = None,
    labels: Mapping[str, str] | None = None,
) -> Figure:
    """Draw a model, a fit or an appraisal as a path diagram.

    Parameters
    ----------
    source : str, ParameterTable, Theory, Fit or Appraisal
        Model text is read with the defaults of :func:`trustsem.sem`.
    estimates : {"std_all", "est", None}
        Numbers on the arrows of a fit, with explained variances in the ovals.
    path : str or Path, optional
        Also write the figure there; the ending says how: ``.svg``, ``.pdf`` or ``.png`` (300 dots per inch). Equal input gives equal bytes.
    indicators : bool, optional
        Draw the indicators. By default if there are at most 15 of them (30 if the model is all measurement), and the figure says so if not.
    group : str or int, optional
        Group to draw: its label, or its number from 1. The first by default.
    labels : mapping, optional
        Texts to be shown for variables. Names by default, with underscores as spaces where they are broken over lines.

    Returns
    -------
    matplotlib.figure.Figure
        At most 7 inches wide, unless there are too many tiers for letters of 8 points. Not registered with pyplot.

    Raises
    ------
    OptionError
        For a source, option, label or file format that does not exist.
    TrustsemError
        If `path` cannot be written.

    Notes
    -----
    Latent variables are ovals, observed ones boxes. Solid double arrows are covariances, dashed ones covariances of residuals. Arrows never pass
    through variables and numbers never cover one another; distances grow until that holds.
    """
    if path is not None:
        _format_of(path)
    graph = graph_of(source, estimates=estimates, group=group, indicators=indicators, read=_read)
    texts = _texts(graph, labels or {})
    signs = "".join(style.sign for style in VERDICT_STYLES.values())
    face = typeface_for([*texts.values(), *graph.notes, *graph.alerts, signs])
    figure = _draw(graph, face, _fit_to_width(graph, texts, face))
    if path is not None:
        write_bytes(path, figure_bytes(figure, _format_of(path)))
    return figure


def _read(text: str) -> ParameterTable:
    return build_table(text, defaults_for("sem"))


def _format_of(path: str | Path) -> str:
    ending = Path(path).suffix.lower().lstrip(".")
    if ending not in _FORMATS:
        raise OptionError(f"path={str(path)!r} must end in .svg, .pdf or .png.{closest(ending, _FORMATS)}")
    return ending


def _texts(graph: Graph, labels: Mapping[str, str]) -> dict[str, str]:
    names = [node.name for node in graph.nodes]
    unknown = [name for name in labels if name not in names]
    if unknown:
        raise OptionError(f"labels= names {unknown[0]!r}, which is not in the diagram.{closest(unknown[0], names)}")
    return {name: str(labels.get(name, name)) for name in names}


def figure_bytes(figure: Figure, format: str) -> bytes:
    """Return a figure as the bytes of an SVG, PDF or PNG file, without date and with fixed identifiers."""
    import io

    import matplotlib

    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None, "ModDate": None}, "png": {}}[format]
    with matplotlib.rc_context({"svg.hashsalt": "trustsem", "svg.fonttype": "path", "pdf.fonttype": 42}):
        figure.savefig(buffer, format=format, metadata=metadata, dpi=300)
    return buffer.getvalue()


# Finding sizes at which everything fits


def _fit_to_width(graph: Graph, texts: Mapping[str, str], face: Typeface) -> _Drawing:
    """Return the drawing with the largest letters that fits the width; distances grow until arrows and numbers have room."""
    room = WIDTH - 2 * _MARGIN
    sizes = [Style(9.0, 8.0, 14), Style(8.5, 8.0, 14), Style(8.0, 8.0, 14), Style(8.0, 8.0, 10)]
    wanted = 0.25 + max((face.size_of([text], 8.0)[0] for text in _tag_texts(graph)), default=0.25)
    # First with room for a number and some of its line between columns; then in small letters with less.
    for least, styles in ((wanted, sizes), (0.5, sizes[2:])):
        for style in styles:
            found: list[_Drawing] = []
            for spread in (1.0, 1.2, 1.45, 1.75, 2.1):
                drawn = _attempt(graph, texts, face, replace(style, spread=spread), room, least)
                found += [] if drawn is None else [drawn]
                if len(found) == 3 or (drawn is not None and ambiguous(drawn.tags, drawn.places) == 0):
                    break
            if found:
                return min(found, key=lambda drawn: ambiguous(drawn.tags, drawn.places))
    return _grow(graph, texts, face)


def _attempt(graph: Graph, texts: Mapping[str, str], face: Typeface, style: Style, room: float, least: float) -> _Drawing | None:
    """Return the drawing with the widest gaps between columns, from `least` to 1.5 inches, at which it is no wider than `room`."""
    gap = 0.8
    for _ in range(8):
        layout = lay_out(graph, texts, face, replace(style, gap=gap))
        routes = route(graph, layout)
        if routes is None:
            return None
        spare = (room - _extent(layout, routes)[2]) / max(layout.n_gaps, 1)
        if -0.01 <= spare * layout.n_gaps <= 0.2 or (gap == 1.5 and spare > 0.0) or not layout.n_gaps:
            drawn = _compose(graph, texts, face, replace(style, gap=gap))
            if drawn is None:
                return None
            # Numbers may stand out beyond variables and lines.
            beyond = _extent(drawn.layout, drawn.routes, drawn.places)[2] - room
            if beyond <= 0.02 or not layout.n_gaps:
                return drawn if beyond <= 0.02 else None
            spare = -beyond / layout.n_gaps
        gap = min(gap + spare - 0.01, 1.5)
        if gap < least:
            return None
    return None


def _grow(graph: Graph, texts: Mapping[str, str], face: Typeface) -> _Drawing:
    """Return a drawing that is as wide and as high as it needs to be."""
    for factor in (1.0, 1.3, 1.7, 2.2, 3.0, 4.0, 6.0):
        drawn = _compose(graph, texts, face, Style(8.0, 8.0, 12, 0.6 * factor, factor))
        if drawn is not None:
            return drawn
    raise OptionError("The model has too many arrows for a legible diagram. Draw part of it, or set estimates=None.")


def _compose(graph: Graph, texts: Mapping[str, str], face: Typeface, style: Style) -> _Drawing | None:
    layout = lay_out(graph, texts, face, style)
    routes = route(graph, layout)
    if routes is None:
        return None
    tags = _tags(graph, routes, face, style)
    heads = [_head_box(track) for track in routes.arrows] + [_head_box(track) for arc in routes.arcs for track in (arc, arc[::-1])]
    places = place_tags(tags, list(layout.shapes.values()), heads)
    return None if places is None else _Drawing(layout, routes, tags, places, style)


def _tag_texts(graph: Graph) -> list[str]:
    """Return the text on every arrow and every arc, in their order; blank where there is none."""
    items = [(arrow.value, arrow.verdict) for arrow in graph.arrows] + [(arc.value, "") for arc in graph.arcs]
    return [" ".join(filter(None, (value_text(value, graph.standardized), VERDICT_STYLES.get(verdict, _PLAIN).sign))) for value, verdict in items]


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
    return Shape(float(tip[0]), float(tip[1]), 1.2 * _HEAD, 1.2 * _HEAD)


def _extent(layout: Layout, routes: Routes, places: Sequence[Shape] = ()) -> tuple[float, float, float, float]:
    """Return left, top, width and height of everything drawn."""
    corners = [[[s.x - s.w / 2, s.y - s.h / 2], [s.x + s.w / 2, s.y + s.h / 2]] for s in (*layout.shapes.values(), *places)]
    points = np.vstack([*map(np.array, corners), *routes.arrows, *routes.arcs])
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1 - x0), float(y1 - y0)


# Drawing


def _draw(graph: Graph, face: Typeface, drawn: _Drawing) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    x0, y0, w, h = _extent(drawn.layout, drawn.routes, drawn.places)
    width = max(w + 2 * _MARGIN, 3.4)
    above, below = _texts_around(graph, face, width)
    top, foot = 0.17 * len(above), 0.17 * len(below) + _legend_height(graph, face, width)
    height = h + 2 * _MARGIN + top + foot + (0.08 if top else 0.0) + (0.12 if foot else 0.0)
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    left, upper = x0 - (width - w) / 2, y0 - _MARGIN - top - (0.08 if top else 0.0)
    axes.set_xlim(left, left + width)
    axes.set_ylim(upper + height, upper)
    _draw_lines(axes, graph, drawn)
    _draw_nodes(axes, graph, face, drawn)
    for tag, box in zip(drawn.tags, drawn.places, strict=True):
        _rectangle(axes, box, gid="tag", facecolor="white", edgecolor="none", zorder=4)
        _text(axes, box.x, box.y, tag.text, face, drawn.style.small, zorder=5)
    for k, line in enumerate(above):
        _text(axes, left + _MARGIN, upper + _MARGIN + 0.17 * (k + 0.5), line, face, 8.0, ha="left", bold=True, color="#B04A00")
    start = y0 + h + _MARGIN + 0.12
    start = _draw_legend(axes, graph, face, left, start, width)
    for k, line in enumerate(below):
        _text(axes, left + _MARGIN, start + 0.17 * (k + 0.5), line, face, 8.0, ha="left")
    return figure


def _texts_around(graph: Graph, face: Typeface, width: float) -> tuple[list[str], list[str]]:
    """Return the lines above (alerts) and below (notes) the drawing."""
    notes = list(graph.notes)
    if any(arc.residual for arc in graph.arcs):
        notes.append("Dashed: covariances of residuals.")
    if face.lacking:
        notes.append(f"No installed font has {len(face.lacking)} of the characters; install one or give labels=.")
    alerts = [line for alert in graph.alerts for line in _broken(face, "! " + face.drawable(alert), width - 2 * _MARGIN, True)]
    return alerts, _broken(face, face.drawable(" ".join(notes)), width - 2 * _MARGIN, False)


def _broken(face: Typeface, text: str, room: float, bold: bool) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and face.size_of([joined], 8.0, bold)[0] <= room:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _draw_lines(axes: Axes, graph: Graph, drawn: _Drawing) -> None:
    for arc, track in zip(graph.arcs, drawn.routes.arcs, strict=True):
        _line(axes, track, _PLAIN._replace(width=0.8, dashes=(4.0, 2.5) if arc.residual else ()), both=True)
    for arrow, track in zip(graph.arrows, drawn.routes.arrows, strict=True):
        style = VERDICT_STYLES.get(arrow.verdict, _PLAIN)
        _line(axes, track, style._replace(width=0.8) if arrow.loading and not arrow.verdict else style, both=False)


def _line(axes: Axes, track: Points, style: VerdictStyle, *, both: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Polygon

    size = _HEAD * (1.15 if style.width > 1.5 else 1.0)
    body = _shortened(track, 0.8 * size)
    body = _shortened(body[::-1], 0.8 * size)[::-1] if both else body
    pattern: Any = (0, style.dashes) if style.dashes else "-"
    line = Line2D(body[:, 0], body[:, 1], color=style.colour, linewidth=style.width, linestyle=pattern, solid_capstyle="butt", zorder=2)
    axes.add_line(line)
    for end in (track, track[::-1]) if both else (track,):
        axes.add_patch(Polygon(_head(end, size), closed=True, facecolor=style.colour, edgecolor="none", zorder=3))


def _shortened(track: Points, by: float) -> Points:
    """Return the polyline without its last `by` inches."""
    steps = np.concatenate([[0.0], np.cumsum(np.sqrt(np.sum(np.diff(track, axis=0) ** 2, axis=1)))])
    keep = max(length(track) - by, 1e-3)
    inner = track[steps < keep]
    end = [[np.interp(keep, steps, track[:, 0]), np.interp(keep, steps, track[:, 1])]]
    return np.vstack([inner, end])


def _head(track: Points, size: float) -> Points:
    """Return the corners of the arrowhead at the end of a polyline."""
    tip, back = track[-1], _shortened(track, size)[-1]
    along = (tip - back) / max(float(np.hypot(*(tip - back))), 1e-9)
    across = np.array([-along[1], along[0]]) * 0.36 * size
    return np.vstack([tip, tip - along * size + across, tip - along * size - across])


def _draw_nodes(axes: Axes, graph: Graph, face: Typeface, drawn: _Drawing) -> None:
    from matplotlib.patches import Ellipse

    for node in graph.nodes:
        shape = drawn.layout.shapes[node.name]
        look = {"facecolor": "white", "edgecolor": "black", "linewidth": 1.0, "zorder": 4, "gid": f"node-{node.name}"}
        if node.latent:
            axes.add_patch(Ellipse((shape.x, shape.y), shape.w, shape.h, **look))
        else:
            _rectangle(axes, shape, **look)
        lines = drawn.layout.lines[node.name]
        size = drawn.style.small if node.indicator else drawn.style.size
        step = 1.2 * size / 72
        for k, line in enumerate(lines):
            last_is_r2 = node.r2 == node.r2 and not node.indicator and k == len(lines) - 1
            y = shape.y + (k - (len(lines) - 1) / 2) * step
            _text(axes, shape.x, y, line, face, drawn.style.small if last_is_r2 else size, zorder=5)


def _rectangle(axes: Axes, shape: Shape, **look: Any) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((shape.x - shape.w / 2, shape.y - shape.h / 2), shape.w, shape.h, **look))


def _text(
    axes: Axes, x: float, y: float, text: str, face: Typeface, size: float, *, ha: str = "center", bold: bool = False, color: str = "black", zorder: float = 5
) -> None:
    axes.text(x, y, text, fontproperties=face.properties(size, bold), ha=ha, va="center_baseline", color=color, zorder=zorder, parse_math=False)


# Legend of verdicts


def _legend_rows(graph: Graph, face: Typeface, width: float) -> list[list[tuple[str, float]]]:
    """Return the verdicts in use, with the width of each entry, broken into rows."""
    used = {arrow.verdict for arrow in graph.arrows}
    rows: list[list[tuple[str, float]]] = [[]]
    for verdict in (name for name in VERDICT_STYLES if name in used):
        size = 0.30 + face.size_of([f"{VERDICT_STYLES[verdict].sign} {verdict}"], 8.0)[0] + 0.12
        if rows[-1] and sum(entry[1] for entry in rows[-1]) + size > width - 2 * _MARGIN:
            rows.append([])
        rows[-1].append((verdict, size))
    return [row for row in rows if row]


def _legend_height(graph: Graph, face: Typeface, width: float) -> float:
    return 0.2 * len(_legend_rows(graph, face, width))


def _draw_legend(axes: Axes, graph: Graph, face: Typeface, left: float, top: float, width: float) -> float:
    """Draw the legend; return where the next line of text may start."""
    for row in _legend_rows(graph, face, width):
        x, y = left + _MARGIN, top + 0.1
        for verdict, size in row:
            style = VERDICT_STYLES[verdict]
            _line(axes, np.array([[x, y], [x + 0.24, y]]), style, both=False)
            _text(axes, x + 0.30, y, f"{style.sign} {verdict}", face, 8.0, ha="left")
            x += size
        top += 0.2
    return top
