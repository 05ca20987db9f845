"""Drawing a composed diagram with matplotlib: one data unit is one inch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.reporting.composition import HEAD, MARGIN, Drawing, extent
from trustsem.reporting.graph import Graph
from trustsem.reporting.shapes import Points, Shape, length
from trustsem.reporting.typeface import Typeface
from trustsem.reporting.verdicts import ARROW_STYLES, PLAIN, VerdictStyle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]


def draw(graph: Graph, face: Typeface, drawn: Drawing) -> Figure:
    """Return the figure of a composed diagram, with alerts above it, legend and notes below."""
    from trustsem.reporting.figure import OwnFigure  # loads matplotlib

    x0, y0, w, h = extent(drawn.layout, drawn.routes, drawn.places)
    width = max(w + 2 * MARGIN, 3.4)
    above, below = _texts_around(graph, face, width)
    top, foot = 0.17 * len(above), 0.17 * len(below) + _legend_height(graph, face, width)
    height = h + 2 * MARGIN + top + foot + (0.08 if top else 0.0) + (0.12 if foot else 0.0)
    figure = OwnFigure(width, height)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    left, upper = x0 - (width - w) / 2, y0 - MARGIN - top - (0.08 if top else 0.0)
    axes.set_xlim(left, left + width)
    axes.set_ylim(upper + height, upper)
    _draw_lines(axes, graph, drawn)
    _draw_nodes(axes, graph, face, drawn)
    for k, (tag, box) in enumerate(zip(drawn.tags, drawn.places, strict=True)):
        _rectangle(axes, box, gid=f"tag-{k}", facecolor="white", edgecolor="none", zorder=4)
        _text(axes, box.x, box.y, tag.text, face, drawn.style.small, zorder=5)
    for k, line in enumerate(above):
        _text(axes, left + MARGIN, upper + MARGIN + 0.17 * (k + 0.5), line, face, 8.0, ha="left", bold=True, color="#B04A00")
    start = y0 + h + MARGIN + 0.12
    start = _draw_legend(axes, graph, face, left, start, width)
    for k, line in enumerate(below):
        _text(axes, left + MARGIN, start + 0.17 * (k + 0.5), line, face, 8.0, ha="left")
    return figure


def _texts_around(graph: Graph, face: Typeface, width: float) -> tuple[list[str], list[str]]:
    """Return the lines above (alerts) and below (notes) the drawing."""
    notes = list(graph.notes)
    if any(arc.residual for arc in graph.arcs):
        notes.append("Dashed: covariances of residuals.")
    if face.lacking:
        notes.append(f"No installed font has {len(face.lacking)} of the characters; install one or give labels=.")
    alerts = [line for alert in graph.alerts for line in _broken(face, "! " + face.drawable(alert), width - 2 * MARGIN, True)]
    return alerts, _broken(face, face.drawable(" ".join(notes)), width - 2 * MARGIN, False)


def _broken(face: Typeface, text: str, room: float, bold: bool) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and face.size_of([joined], 8.0, bold)[0] <= room:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _draw_lines(axes: Axes, graph: Graph, drawn: Drawing) -> None:
    for arc, track in zip(graph.arcs, drawn.routes.arcs, strict=True):
        style = ARROW_STYLES.get(arc.verdict, PLAIN._replace(width=0.8, dashes=(4.0, 2.5) if arc.residual else ()))
        _line(axes, track, style, both=True)
    for arrow, track in zip(graph.arrows, drawn.routes.arrows, strict=True):
        style = ARROW_STYLES.get(arrow.verdict, PLAIN)
        _line(axes, track, style._replace(width=0.8) if arrow.loading and not arrow.verdict else style, both=False)


def _line(axes: Axes, track: Points, style: VerdictStyle, *, both: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Polygon

    size = HEAD * (1.15 if style.width > 1.5 else 1.0)
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


def _draw_nodes(axes: Axes, graph: Graph, face: Typeface, drawn: Drawing) -> None:
    from matplotlib.patches import Ellipse

    for number, node in enumerate(graph.nodes):
        shape = drawn.layout.shapes[node.name]
        look: dict[str, Any] = {"facecolor": "white", "edgecolor": "black", "linewidth": 1.0, "zorder": 4, "gid": f"node-{number}"}
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
    axes: Axes,
    x: float,
    y: float,
    text: str,
    face: Typeface,
    size: float,
    *,
    ha: str = "center",
    bold: bool = False,
    color: str = "black",
    zorder: float = 5,
) -> None:
    axes.text(x, y, text, fontproperties=face.properties(size, bold), ha=ha, va="center_baseline", color=color, zorder=zorder, parse_math=False)


# Legend of verdicts


def _legend_rows(graph: Graph, face: Typeface, width: float) -> list[list[tuple[str, float]]]:
    """Return the verdicts in use, with the width of each entry, broken into rows."""
    used = {arrow.verdict for arrow in graph.arrows} | {arc.verdict for arc in graph.arcs}
    rows: list[list[tuple[str, float]]] = [[]]
    for verdict in (name for name in ARROW_STYLES if name in used):
        size = 0.30 + face.size_of([f"{ARROW_STYLES[verdict].sign} {verdict}"], 8.0)[0] + 0.12
        if rows[-1] and sum(entry[1] for entry in rows[-1]) + size > width - 2 * MARGIN:
            rows.append([])
        rows[-1].append((verdict, size))
    return [row for row in rows if row]


def _legend_height(graph: Graph, face: Typeface, width: float) -> float:
    return 0.2 * len(_legend_rows(graph, face, width))


def _draw_legend(axes: Axes, graph: Graph, face: Typeface, left: float, top: float, width: float) -> float:
    """Draw the legend; return where the next line of text may start."""
    for row in _legend_rows(graph, face, width):
        x, y = left + MARGIN, top + 0.1
        for verdict, size in row:
            style = ARROW_STYLES[verdict]
            _line(axes, np.array([[x, y], [x + 0.24, y]]), style, both=False)
            _text(axes, x + 0.30, y, f"{style.sign} {verdict}", face, 8.0, ha="left")
            x += size
        top += 0.2
    return top
