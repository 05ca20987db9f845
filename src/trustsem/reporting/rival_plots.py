"""Plots of rivals: how much worse or better they are, how they predict, how often they are chosen, and whether they would be recognised."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from trustsem.appraisal.rivals.cross_validation import CrossValidation
from trustsem.appraisal.rivals.distinguish import Distinguishability
from trustsem.appraisal.rivals.selection import SelectionFrequency
from trustsem.appraisal.rivals.tournament import Tournament
from trustsem.reporting.charts import COLOURS, GREY, MARKERS, dress, grid, legend
from trustsem.reporting.figure import OwnFigure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["RIVALLED", "plot_rivals"]

RIVALLED = (Tournament, CrossValidation, SelectionFrequency, Distinguishability)
_LETTERS = 8
_LINE = 34  # letters of a label
_LINEAR = 10.0  # differences up to this are drawn to scale, larger ones by their logarithm
_PALE = 0.55  # above this share numbers are white


def plot_rivals(source: Tournament | CrossValidation | SelectionFrequency | Distinguishability) -> OwnFigure:
    """Draw the picture that belongs to the type of `source`."""
    if isinstance(source, Distinguishability):
        return _confusion(source)
    if isinstance(source, SelectionFrequency):
        return _selection(source)
    if isinstance(source, Tournament):
        return _differences(source.frame, "bic_diff", "BIC, rival less theory\n(right of 0: the theory is better)", "Rivals by BIC")
    words = "log-likelihood of held-out rows, rival less theory\n(left of 0: the theory is better)"
    return _differences(source.frame, "diff", words, "Prediction of held-out rows")


def _differences(frame: pd.DataFrame, column: str, words: str, title: str) -> OwnFigure:
    """Draw one difference for each rival that was compared, coloured by verdict, with its interval where there is one."""
    known = frame[frame[column].notna()].iloc[::-1]
    figure, (ax,) = grid(1, width=6.0, height=max(1.4, 0.36 * len(known)))
    verdicts = list(dict.fromkeys(known["verdict"].iloc[::-1]))
    for place, row in enumerate(known.to_dict("records")):
        number = verdicts.index(row["verdict"])
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        if "ci_lower" in row:
            ax.hlines(place, row["ci_lower"], row["ci_upper"], color=colour, linewidth=1.3)
        ax.plot(row[column], place, marker=marker, color=colour, markersize=6, linewidth=0.0, label=row["verdict"])
    ax.axvline(0.0, color=GREY, linewidth=0.9)
    ax.set_xscale("symlog", linthresh=_LINEAR)
    values = known[column].to_numpy(float)
    ax.set_xlim(min(3.0 * float(np.min(values, initial=0.0)), -_LINEAR), max(3.0 * float(np.max(values, initial=0.0)), _LINEAR))
    ax.xaxis.set_major_formatter("{x:,.0f}")
    dress(ax, title=title, x=words)
    _name(ax, [fill(f"{row['id']} {row['title']}", _LINE) for row in known.to_dict("records")])
    legend(figure, [ax])
    return figure


def _name(ax: Axes, names: list[str]) -> None:
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.grid(visible=False, axis="y")
    ax.grid(axis="x", color="#dddddd", linewidth=0.6)


def _selection(source: SelectionFrequency) -> OwnFigure:
    table = source.frame.iloc[::-1]
    figure, (ax,) = grid(1, width=5.6, height=max(1.4, 0.42 * len(table)))
    places = np.arange(len(table))
    for number, (name, shift) in enumerate((("bic", 0.12), ("aic", -0.12))):
        errors = 1.96 * table[f"{name}_mc_error"].to_numpy(float)
        shares = table[f"{name}_share"].to_numpy(float)
        low, high = np.clip(shares - errors, 0.0, 1.0), np.clip(shares + errors, 0.0, 1.0)
        ax.hlines(places + shift, low, high, color=COLOURS[number], linewidth=1.3)
        ax.plot(shares, places + shift, marker=MARKERS[number], color=COLOURS[number], markersize=5, linewidth=0.0, label=f"by {name.upper()}")
    dress(ax, title=f"Chosen in {source.used} resamples", x="share, 95 % band (Monte Carlo)")
    ax.set_xlim(-0.03, 1.03)
    _name(ax, [fill(name, _LINE) for name in table["class"]])
    legend(figure, [ax])
    return figure


def _confusion(source: Distinguishability) -> OwnFigure:
    """Draw the matrices of choices by BIC and by the difference test."""
    names = list(source.classes)
    rows = [name for name in names if name in set(source.frame["truth"])]
    size = 0.62
    figure, axes = grid(2, columns=2, width=size * len(names) + 0.9, height=size * max(len(rows), 2) + 0.5)
    for ax, rule, title in zip(axes, ("bic", "test"), ("Chosen by BIC", "Chosen by the difference test"), strict=True):
        _heat(ax, source, rule, rows)
        dress(ax, title=title, x="model chosen", y="if this model were true" if rule == "bic" else "")
        ax.grid(visible=False)
        labels = [name.replace(" = ", "\n= ") for name in names]
        ax.set_xticks(range(len(names)), labels)
        ax.set_yticks(range(len(rows)), [labels[names.index(name)] for name in rows])
    return figure


def _heat(ax: Axes, source: Distinguishability, rule: str, rows: list[str]) -> None:
    table = source.matrix(rule)
    ax.imshow(table.to_numpy(float), cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    for place, name in enumerate(rows):  # the right choices
        column = source.classes.index(name)
        ax.plot(column + np.array([-0.5, 0.5, 0.5, -0.5, -0.5]), place + np.array([-0.5, -0.5, 0.5, 0.5, -0.5]), color=COLOURS[1], linewidth=1.4)
    part = source.frame[source.frame["rule"] == rule]
    for row in part.to_dict("records"):
        at = (source.classes.index(row["chosen"]), rows.index(row["truth"]))
        ink = "white" if row["share"] > _PALE else "black"
        words = f"{row['share']:.2f}\n" if np.isfinite(row["share"]) else ""
        ax.annotate(words, at, ha="center", va="center", fontsize=_LETTERS, color=ink)
        ax.annotate(f"\n±{row['mc_error']:.2f}", at, ha="center", va="center", fontsize=_LETTERS - 2, color=ink)
