"""Plots of simulation studies: power curves, coverage and bias, zip plots, a map of convergence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from trustsem.errors import OptionError, closest
from trustsem.reporting.charts import COLOURS, GREY, band, dress, grid, legend
from trustsem.studies.result import StudyResult

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.reporting.figure import OwnFigure

__all__ = ["KINDS", "plot_study"]

KINDS = ("power", "coverage", "bias", "zip", "convergence")
_WIDE = float(ndtri(0.975))  # bands hold 95 %
_PANELS, _LINES, _STRIPS = 12, 7, 300


def plot_study(
    result: StudyResult, kind: str, x: str | None, parameters: str | Sequence[str] | None, analyses: str | Sequence[str] | None
) -> OwnFigure:
    """Draw one of `KINDS`; see :func:`trustsem.reporting.plots.plot`."""
    if kind == "convergence":
        return _convergence(result, analyses)
    if kind == "zip":
        return _zip(result, parameters, analyses)
    measures = {"power": ("power",), "coverage": ("coverage",), "bias": ("relative_bias", "bias")}[kind]
    table = _first_found(result, measures, parameters, analyses)
    return _curves(result, table, kind, x)


def _first_found(result: StudyResult, measures: Sequence[str], parameters: Any, analyses: Any) -> pd.DataFrame:
    chosen = result.paths if parameters is None else parameters
    for measure in measures:
        table = result.performance(measure, parameters=chosen, analyses=analyses)
        if len(table):
            return table
    raise OptionError(
        f"There is nothing to plot: no parameter chosen has {' or '.join(measures)}. It needs a true value (for power one that is not zero); name "
        "others in parameters=."
    )


def _factor(result: StudyResult, x: str | None) -> str | None:
    """Return the factor for the horizontal axis: the one named, or n, or the first whose levels are numbers."""
    factors = {name: [layout.settings.get(name) for layout in result.layout] for name in result.layout[0].settings}
    numeric = [name for name, values in factors.items() if all(isinstance(value, int | float) for value in values) and len(set(values)) > 1]
    if x is not None:
        if x not in numeric:
            raise OptionError(f"x={x!r} is no factor with numbers as levels.{closest(x, numeric)} There are {', '.join(numeric) or 'none'}.")
        return x
    return "n" if "n" in numeric else next(iter(numeric), None)


def _curves(result: StudyResult, table: pd.DataFrame, kind: str, x: str | None) -> OwnFigure:
    factor = _factor(result, x)
    others = [name for name in result.layout[0].settings if name != factor]
    names = list(dict.fromkeys(table["parameter"]))[:_PANELS]
    several = table["analysis"].nunique() > 1
    figure, axes = grid(len(names))
    for ax, name in zip(axes, names, strict=True):
        part = table[table["parameter"] == name]
        lines: dict[str, pd.DataFrame] = {}
        for key, rows in part.groupby([*others, "analysis"], sort=False) if others or several else [((), part)]:
            values = key if isinstance(key, tuple) else (key,)
            words = [f"{other} = {value}" for other, value in zip(others, values, strict=False)] + ([str(values[-1])] if several else [])
            lines[", ".join(words)] = rows
        for number, (label, rows) in enumerate(list(lines.items())[:_LINES]):
            rows = rows.sort_values(factor) if factor else rows
            places = rows[factor].to_numpy() if factor else np.arange(len(rows))
            spread = _WIDE * rows["mc_error"].fillna(0.0)
            band(ax, places, rows["value"], rows["value"] - spread, rows["value"] + spread, number, label)
        _reference(ax, kind, result)
        dress(ax, title=name, x=factor or "", y=_axis(kind, str(part["measure"].iloc[0])) if ax in axes[::3] else "")
    legend(figure, axes)
    dropped = len(set(table["parameter"])) - len(names)
    title = f"{kind.capitalize()} with 95 % Monte Carlo bands" + (f"; {dropped} more parameters not shown" if dropped > 0 else "")
    figure.suptitle(title, fontsize=9, x=0.01, ha="left")
    return figure


def _axis(kind: str, measure: str) -> str:
    return {"power": "power", "coverage": "coverage of 95 % intervals", "bias": measure.replace("_", " ")}[kind]


def _reference(ax: Any, kind: str, result: StudyResult) -> None:
    level = {"power": 0.8, "coverage": 0.95, "bias": 0.0}[kind]
    ax.axhline(level, color=GREY, linewidth=0.8, linestyle="--")
    if kind == "power":
        ax.set_ylim(0.0, 1.02)
    if kind == "coverage":
        lowest, highest = ax.get_ylim()
        ax.set_ylim(min(lowest, 0.90), max(highest, 1.0))


def _zip(result: StudyResult, parameters: Any, analyses: Any) -> OwnFigure:
    """Draw intervals sorted by how far they are from the truth in standard errors; those that miss it stand at the top in another colour."""
    names = [parameters] if isinstance(parameters, str) else list(parameters or result.paths[:1])
    wanted = [analyses] if isinstance(analyses, str) else analyses
    panels = [
        (place, number, analysis, name)
        for place, layout in enumerate(result.layout)
        for number, analysis in enumerate(layout.analyses)
        for name in names
        if name in analysis.parameters and (wanted is None or analysis.name in wanted)
    ]
    if not panels:
        raise OptionError(f"parameters={names!r} are in none of the analyses. See `result.performance()` for those that are.")
    figure, axes = grid(min(len(panels), _PANELS), sharey=False)
    for ax, (place, number, analysis, name) in zip(axes, panels, strict=False):
        at = analysis.parameters.index(name)
        found = result.outcomes(place, number)
        truth = float(analysis.truth[at])
        kept = found.converged & (found.se[:, at] > 0) if len(found) else np.zeros(0, dtype=bool)
        est, se = found.est[kept, at], found.se[kept, at]
        order = np.argsort(np.abs(est - truth) / se, kind="stable")
        count = len(order)
        shown = order[np.unique(np.linspace(0, count - 1, min(count, _STRIPS)).astype(int))] if count else order
        height = 100.0 * (np.searchsorted(np.sort(np.abs(est - truth) / se), (np.abs(est - truth) / se)[shown]) + 0.5) / max(count, 1)
        missed = np.abs(est - truth)[shown] > _WIDE * se[shown]
        for which, colour in ((~missed, COLOURS[0]), (missed, COLOURS[1])):
            low, high = (est - _WIDE * se)[shown][which], (est + _WIDE * se)[shown][which]
            ax.hlines(height[which], low, high, color=colour, linewidth=0.7, label="holds the true value" if colour == COLOURS[0] else "misses it")
        ax.axvline(truth, color="black", linewidth=0.8)
        ax.axhline(95.0, color=GREY, linewidth=0.8, linestyle="--")
        words = ", ".join(f"{key} = {value}" for key, value in result.layout[place].settings.items())
        several = len(result.layout[place].analyses) > 1
        dress(
            ax,
            title=", ".join(filter(None, (words, analysis.name if several else ""))) or name,
            x=name,
            y="centile of |z|" if ax in axes[::3] else "",
        )
    legend(figure, axes)
    more = len(panels) - len(axes)
    title = "Zip plot: 95 % intervals, sorted by distance from the true value" + (f"; {more} more panels not shown" if more > 0 else "")
    figure.suptitle(title, fontsize=9, x=0.01, ha="left")
    return figure


def _convergence(result: StudyResult, analyses: Any) -> OwnFigure:
    """Draw the shares of usable results as a map: conditions down, analyses across."""
    table = result.performance(("convergence", "admissibility"), analyses=analyses)
    names = list(dict.fromkeys(table["analysis"]))
    labels = [", ".join(f"{key} = {value}" for key, value in layout.settings.items()) or "all" for layout in result.layout]
    figure, axes = grid(2, 2, width=max(2.4, 0.7 * len(names) + 1.6), height=max(1.2, 0.26 * len(labels)))
    for ax, measure in zip(axes, ("convergence", "admissibility"), strict=True):
        values = table.loc[table["measure"] == measure, "value"].to_numpy().reshape(len(labels), len(names))
        ax.imshow(values, vmin=0.0, vmax=1.0, cmap="cividis", aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            text = "100" if value == 1.0 else f"{100.0 * value:.1f}"
            ax.text(column, row, text, ha="center", va="center", fontsize=7, color="black" if value > 0.6 else "white")
        dress(ax, title=f"{measure} (%)")
        ax.grid(visible=False)
        ax.set_xticks(range(len(names)), names)
        ax.set_yticks(range(len(labels)), labels)
    return figure
