"""What plots are made of: panels in a grid, colours that colour-blind readers can tell apart, lines with bands, and a legend that covers nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.reporting.figure import OwnFigure
from trustsem.reporting.typeface import typeface_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["COLOURS", "MARKERS", "band", "dress", "grid", "legend", "lettered", "marks"]

# Okabe & Ito's palette, without yellow, which is too light for lines.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#666666"
_PANEL = (2.9, 2.3)  # inches
_LETTERS = 8


def grid(count: int, columns: int = 3, *, width: float = _PANEL[0], height: float = _PANEL[1], sharey: bool = True) -> tuple[OwnFigure, list[Axes]]:
    """Return a figure with `count` panels, at most `columns` beside one another."""
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure = OwnFigure(max(width * columns, 3.6) + 0.3, height * rows + 0.75)
    axes: Any = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    flat = list(axes.flat)
    for spare in flat[count:]:
        spare.set_axis_off()
    figure.set_layout_engine("constrained")
    return figure, flat[:count]


def dress(ax: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """Give a panel its words and a quiet frame."""
    ax.set_title(title, fontsize=_LETTERS + 1, loc="left")
    ax.set_xlabel(x, fontsize=_LETTERS)
    ax.set_ylabel(y, fontsize=_LETTERS)
    ax.tick_params(labelsize=_LETTERS - 1)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.grid(axis="y", color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)


def band(ax: Axes, x: ArrayLike, middle: ArrayLike, lower: ArrayLike, upper: ArrayLike, number: int, label: str) -> None:
    """Draw a line with a band around it, in the colour and with the marker of its number."""
    colour = COLOURS[number % len(COLOURS)]
    marker = MARKERS[number % len(MARKERS)]
    ax.fill_between(np.asarray(x, dtype=float), np.asarray(lower, dtype=float), np.asarray(upper, dtype=float), color=colour, alpha=0.18, linewidth=0)
    ax.plot(x, middle, color=colour, marker=marker, markersize=4, linewidth=1.3, label=_listed(label))


def marks(ax: Axes, x: ArrayLike, middle: ArrayLike, lower: ArrayLike, upper: ArrayLike, number: int, label: str, *, joined: bool = False) -> None:
    """Draw points with bars, in the colour and with the marker of their number, and `joined` by a line if places are in order."""
    colour = COLOURS[number % len(COLOURS)]
    ax.vlines(np.asarray(x, dtype=float), np.asarray(lower, dtype=float), np.asarray(upper, dtype=float), color=colour, linewidth=1.3)
    ax.plot(x, middle, color=colour, marker=MARKERS[number % len(MARKERS)], markersize=4, linewidth=1.3 if joined else 0.0, label=_listed(label))


def _listed(label: str) -> str:
    """Matplotlib leaves labels that begin with an underscore out of legends."""
    return f" {label}" if label.startswith("_") else label


def legend(figure: OwnFigure, axes: Sequence[Axes]) -> None:
    """Put one legend for all panels below them."""
    found: dict[str, Any] = {}
    for ax in axes:
        handles, labels = ax.get_legend_handles_labels()
        found |= {label: handle for handle, label in zip(handles, labels, strict=True) if label not in found}
    if len(found) > 1:
        columns = min(len(found), max(1, int(figure.get_figwidth() / 2.2)))
        handles, labels = list(found.values()), list(found)
        figure.set_figheight(figure.get_figheight() + 0.18 * (math.ceil(len(found) / columns) - 1))  # panels keep their size
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=_LETTERS, frameon=False)


def lettered(figure: OwnFigure) -> None:
    """Have every text of a finished figure drawn as it is: no dollar sign starts a formula, and other fonts fill in for missing letters."""
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter

    written = [
        formatter for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) if isinstance(formatter := axis.get_major_formatter(), FixedFormatter)
    ]
    ticks = [label for ax in figure.axes for label in (*ax.get_xticklabels(), *ax.get_yticklabels())]
    texts = [*figure.findobj(Text), *ticks]
    face = typeface_for([*(text.get_text() for text in texts), *(word for formatter in written for word in formatter.seq)])
    for formatter in written:
        formatter.seq = [face.drawable(word) for word in formatter.seq]
    for text in texts:
        text.set_text(face.drawable(text.get_text()))
        text.set_parse_math(False)
        text.set_fontfamily(list(face.families))
