"""Plots of sensitivity: tipping points of every claim, and one claim at any strength of what was left out."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from trustsem.appraisal.sensitivity.sensitivity import Sensitivity
from trustsem.appraisal.sensitivity.sensitivity_curve import SensitivityCurve
from trustsem.appraisal.told import Told
from trustsem.reporting.charts import COLOURS, GREY, dress, grid, legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from trustsem.reporting.figure import OwnFigure

__all__ = ["SENSITIVE", "plot_sensitivity"]

SENSITIVE = (Sensitivity, SensitivityCurve)
_LETTERS = 7
_LINE = 60  # letters of a title


def plot_sensitivity(source: Sensitivity | SensitivityCurve) -> OwnFigure:
    """Draw the tipping points of every claim, or one claim at several strengths.

    Parameters
    ----------
    source : Sensitivity or SensitivityCurve

    Returns
    -------
    Figure
    """
    return _tipping(source) if isinstance(source, Sensitivity) else _curve(source)


def _tipping(found: Sensitivity) -> OwnFigure:
    """Draw one panel for each kind of error: a dot where the verdict changes, an arrow where no possible strength changes it."""
    frame = found.frame
    figure, axes = grid(3, 3, width=2.7, height=0.8 + 0.22 * max(len(frame), 4))
    parts: tuple[tuple[str, str, Told | None, str], ...] = (
        ("common cause", "effect on both", found.confounding, "strength"),
        ("common method", "loading of all items", found.method, "loading"),
        ("cross-loading", "loading of one item", found.items, "loading"),
    )
    places = np.arange(len(frame))[::-1]
    for number, (ax, (title, along, part, column)) in enumerate(zip(axes, parts, strict=True)):
        dress(ax, title=title, x=along)
        ax.grid(axis="x", color="#dddddd", linewidth=0.6)
        ax.set_xlim(0.0, 1.0)
        if part is None:
            ax.text(0.5, 0.5, "no verdicts", transform=ax.transAxes, ha="center", fontsize=_LETTERS + 1, color=GREY)
            continue
        own = part.frame
        ax.plot(np.abs(own[column]), places, "o", color=COLOURS[0], markersize=5, clip_on=False, label="the verdict changes" if number == 0 else None)
        _unchanged(ax, own, places, label="no change up to here" if number == 0 else None)
        if number == 0:
            _landmarks(ax, found, own, places)
    axes[0].set_yticks(places, [f"{row['cause']} → {row['effect']}" for row in frame.to_dict("records")], fontsize=_LETTERS)
    axes[0].set_ylim(-0.7, len(frame) - 0.3)
    figure.suptitle("How strong would what was left out have to be?", fontsize=_LETTERS + 3, x=0.01, ha="left")
    legend(figure, axes)
    return figure


def _unchanged(ax: Axes, own: pd.DataFrame, places: np.ndarray, label: str | None) -> None:
    """Mark how far was looked where no possible strength changes the verdict."""
    still = own["largest"].notna().to_numpy()
    if still.any():
        ax.plot(
            np.abs(own["largest"][still]), places[still], marker=">", linestyle="", color=GREY, markersize=5, markerfacecolor="white", label=label
        )
    elif label is not None:
        ax.plot([], [], marker=">", linestyle="", color=GREY, markersize=5, markerfacecolor="white", label=label)


def _landmarks(ax: Axes, found: Sensitivity, own: pd.DataFrame, places: np.ndarray) -> None:
    """Draw where nothing is left of the estimate, and what observed causes have."""
    ax.plot(own["at_zero"], places, "o", color=COLOURS[0], markersize=5, markerfacecolor="white", label="the estimate is 0")
    ax.plot(own["benchmark"], places, "|", color=COLOURS[1], markersize=8, markeredgewidth=1.6, label="strongest other cause in the theory")
    for size, style in ((min(found.paths), ":"), (max(found.paths), "--")):
        ax.axvline(size, color=GREY, linewidth=0.8, linestyle=style, label="weakest path" if style == ":" else "strongest path")


def _curve(curve: SensitivityCurve) -> OwnFigure:
    figure, (ax,) = grid(1, width=4.6, height=2.9)
    frame = curve.frame
    possible = frame[(frame["reason"] == "") & frame["std"].notna()]
    ax.fill_between(possible["strength"], possible["ci_lower"], possible["ci_upper"], color=COLOURS[0], alpha=0.18, linewidth=0)
    ax.plot(possible["strength"], possible["std"], color=COLOURS[0], linewidth=1.3, label="estimate, with its interval (unadjusted)")
    for number, verdict in enumerate(dict.fromkeys(possible["verdict"])):
        part = possible[possible["verdict"] == verdict]
        ax.plot(part["strength"], part["std"], "o", color=COLOURS[number], markersize=4, label=verdict)
    ax.axhline(0.0, color="black", linewidth=0.8)
    ax.axhspan(-curve.sesoi, curve.sesoi, color=GREY, alpha=0.10, linewidth=0, label=f"smaller than d = {curve.sesoi:g}")
    along = "standardized loading of every item" if curve.by == "method" else "standardized effect of the common cause on both"
    dress(ax, title=fill(curve.heading, _LINE), x=along, y="standardized path")
    legend(figure, [ax])
    return figure
