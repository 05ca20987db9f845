"""Plots of simulation studies: power curves, coverage and bias, zip plots, a map of convergence."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from trustsem.errors import OptionError, closest
from trustsem.reporting.charts import COLOURS, GREY, band, dress, grid, legend, lettered, marks
from trustsem.studies.result import StudyResult

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from trustsem.reporting.figure import OwnFigure

__all__ = ["KINDS", "plot_study"]

KINDS = ("power", "coverage", "bias", "zip", "convergence")
_MEASURES = MappingProxyType({"power": ("power",), "coverage": ("coverage",), "bias": ("relative_bias", "bias")})
_LEVELS = MappingProxyType({"power": 0.8, "coverage": 0.95, "bias": 0.0})  # what is wished for
_WIDE = float(ndtri(0.975))  # bands hold 95 %
_PANELS, _LINES, _STRIPS, _TICKS = 12, 7, 300, 7
_NONE = "No replication that is there has a result. See `result.failures` for the reasons."
Names = str | Sequence[str] | None


def plot_study(result: StudyResult, kind: str, x: str | None, parameters: Names, analyses: Names) -> OwnFigure:
    """Draw one of `KINDS`; see :func:`trustsem.reporting.plots.plot`."""
    factor = _factor(result, x)
    if kind == "convergence":
        figure = _convergence(result, analyses)
    elif kind == "zip":
        figure = _zip(result, parameters, analyses)
    else:
        figure = _curves(result, _table(result, _MEASURES[kind], parameters, analyses), kind, factor)
    lettered(figure)
    return figure


def _table(result: StudyResult, measures: Sequence[str], parameters: Names, analyses: Names) -> pd.DataFrame:
    """Return the first of `measures` that there is, with the place of the condition in the design."""
    import pandas as pd

    chosen = result.paths if parameters is None else parameters
    for measure in measures:
        parts = [
            result.performance(measure, parameters=chosen, analyses=analyses, condition=place).assign(place=place)
            for place in range(len(result.layout))
        ]
        parts = [known for part in parts if len(known := part[part["truth"].notna() & part["value"].notna()])]
        if parts:
            return pd.concat(parts, ignore_index=True)
    converged = result.performance("convergence", analyses=analyses)["value"]
    if not (converged > 0).any():
        raise OptionError(f"There is nothing to plot. {_NONE}")
    raise OptionError(
        f"There is nothing to plot: no parameter chosen has {' or '.join(measures)}. It needs a true value (for power one that is not zero); name "
        "others in parameters=."
    )


def _settings(result: StudyResult) -> dict[str, list[Any]]:
    """Return, for every factor, its levels by condition; where a condition does not name n, it is that of the study."""
    names = dict.fromkeys(name for layout in result.layout for name in layout.settings)
    default = {"n": result.study.n}
    return {name: [layout.settings.get(name, default.get(name)) for layout in result.layout] for name in names}


def _factor(result: StudyResult, x: str | None) -> str | None:
    """Return the factor for the horizontal axis: the one named, or n, or the first whose levels are numbers, or the first."""
    levels = _settings(result)
    varied = [name for name, values in levels.items() if len({str(value) for value in values}) > 1]
    if x is not None:
        if x not in varied:
            raise OptionError(f"x={x!r} is no factor with several levels.{closest(x, varied)} There are {', '.join(varied) or 'none'}.")
        return x
    numeric = [name for name in varied if _numeric(levels[name])]
    return "n" if "n" in numeric else next(iter([*numeric, *varied]), None)


def _numeric(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


# Curves ------------------------------------------------------------------------------------------------------------------------------


class _Scale(NamedTuple):
    """The horizontal axis: where each condition stands, and what is written there."""

    name: str
    places: Sequence[float]
    ticks: Sequence[float]
    words: Sequence[str]
    numeric: bool


def _scale(result: StudyResult, factor: str | None) -> _Scale:
    values: Sequence[Any] = [0] * len(result.layout) if factor is None else _settings(result)[factor]
    if factor is not None and _numeric(values):
        ticks = sorted(set(values))
        return _Scale(factor, values, ticks if len(ticks) <= _TICKS else (), [f"{tick:g}" for tick in ticks], True)
    words = list(dict.fromkeys(str(value) for value in values))
    places = [float(words.index(str(value))) for value in values]
    return _Scale(factor or "", places, range(len(words)), ["" if factor is None else _short(word) for word in words], False)


def _short(word: str) -> str:
    return textwrap.shorten(word, 24, placeholder=" ...") if " " in word else word[:24]


def _curves(result: StudyResult, table: pd.DataFrame, kind: str, factor: str | None) -> OwnFigure:
    scale = _scale(result, factor)
    table = table.assign(line=_lines(result, table, factor))
    lines = {label: number for number, label in enumerate(list(dict.fromkeys(table["line"]))[:_LINES])}
    names = list(dict.fromkeys(table["parameter"]))[:_PANELS]
    figure, axes = grid(len(names))
    for at, (ax, name) in enumerate(zip(axes, names, strict=True)):
        part = table[table["parameter"] == name]
        for label, number in lines.items():
            _curve(ax, part[part["line"] == label], scale, number, len(lines), label, rate=kind != "bias")
        ax.axhline(_LEVELS[kind], color=GREY, linewidth=0.8, linestyle="--", zorder=1)
        _ticks(ax, scale)
        dress(ax, title=name, x=scale.name, y=_axis(kind, str(part["measure"].iloc[0])) if at % 3 == 0 else "")
    if kind == "power":
        axes[0].set_ylim(0.0, 1.02)  # all panels share it
    if kind == "coverage":
        axes[0].set_ylim(min(0.9, (table["value"] - _WIDE * table["mc_error"].fillna(0.0)).min() - 0.01), 1.005)
    legend(figure, axes)
    left_out = {"parameters": table["parameter"].nunique() - len(names), "lines": table["line"].nunique() - len(lines)}
    _headline(figure, f"{kind.capitalize()} with 95 % Monte Carlo bands", left_out)
    return figure


def _lines(result: StudyResult, table: pd.DataFrame, factor: str | None) -> list[str]:
    """Return the name of the line that each row belongs to: the levels of the other factors, and the analysis if there are several."""
    levels = _settings(result)
    others = [name for name, values in levels.items() if name != factor and len({str(value) for value in values}) > 1]
    several = table["analysis"].nunique() > 1
    words = [
        ", ".join(f"{name} = {levels[name][place]}" for name in others if levels[name][place] is not None) or ("default" if others else "")
        for place in range(len(result.layout))
    ]
    return [
        ", ".join(filter(None, (words[place], analysis if several else "")))
        for place, analysis in zip(table["place"], table["analysis"], strict=True)
    ]


def _curve(ax: Axes, rows: pd.DataFrame, scale: _Scale, number: int, lines: int, label: str, *, rate: bool) -> None:
    if not len(rows):
        return
    places = np.array([scale.places[place] for place in rows["place"]], dtype=float)
    order = np.argsort(places, kind="stable")
    middle = rows["value"].to_numpy(dtype=float)[order]
    spread = _WIDE * rows["mc_error"].fillna(0.0).to_numpy(dtype=float)[order]
    lower, upper = middle - spread, middle + spread
    if rate:
        lower, upper = np.clip(lower, 0.0, 1.0), np.clip(upper, 0.0, 1.0)
    if scale.numeric and len(set(places)) > 1 and lines <= 2:
        band(ax, places[order], middle, lower, upper, number, label)
    else:  # bands of many lines hide one another: bars, side by side
        room = 0.08 * (max(scale.places) - min(scale.places)) if scale.numeric else 0.5
        aside = room * (number - (lines - 1) / 2.0) / max(lines, 2)
        marks(ax, places[order] + aside, middle, lower, upper, number, label, joined=scale.numeric)


def _axis(kind: str, measure: str) -> str:
    return {"power": "power", "coverage": "coverage of 95 % intervals", "bias": measure.replace("_", " ")}[kind]


def _ticks(ax: Axes, scale: _Scale) -> None:
    """Mark the levels of the factor, unless they are so close that their numbers would overlap."""
    if scale.numeric and len(scale.ticks) and min(np.diff(scale.ticks), default=1.0) >= 0.05 * (scale.ticks[-1] - scale.ticks[0]):
        ax.set_xticks(list(scale.ticks), list(scale.words))
    if not scale.numeric:
        ax.set_xticks(list(scale.ticks), list(scale.words))
        ax.set_xlim(-0.6, len(scale.ticks) - 0.4)


def _headline(figure: OwnFigure, words: str, left_out: Mapping[str, int]) -> None:
    """Write the title on as many lines as the figure is wide, and what did not fit into it."""
    more = [f"{count} more {what}" for what, count in left_out.items() if count > 0]
    title = words + (f"; {' and '.join(more)} not shown" if more else "")
    figure.suptitle(textwrap.fill(title, int(13.0 * figure.get_figwidth())), fontsize=9, x=0.01, ha="left")


# Zip plots ---------------------------------------------------------------------------------------------------------------------------


class _Panel(NamedTuple):
    title: str
    parameter: str
    est: np.ndarray[Any, Any]
    se: np.ndarray[Any, Any]
    truth: float


def _zip(result: StudyResult, parameters: Names, analyses: Names) -> OwnFigure:
    """Draw intervals sorted by how far they are from the truth in standard errors; those that miss it stand at the top in another colour."""
    names = [parameters] if isinstance(parameters, str) else list(parameters or result.paths[:1])
    wanted = list(dict.fromkeys(result.performance("convergence", analyses=analyses)["analysis"]))
    result.performance("coverage", parameters=names)  # refuses names that there are not
    panels = [panel for panel in _panels(result, names, wanted) if np.isfinite(panel.truth)]
    if not panels:
        raise OptionError(f"There is nothing to plot: {', '.join(names) or 'no parameter'} has no true value. Name another in parameters=.")
    filled = [panel for panel in panels if len(panel.est)]
    if not filled:
        raise OptionError(f"There is nothing to plot. {_NONE}")
    figure, axes = grid(min(len(filled), _PANELS), sharey=False)
    for at, (ax, panel) in enumerate(zip(axes, filled, strict=False)):
        _strips(ax, panel)
        dress(ax, title=panel.title or panel.parameter, x=panel.parameter, y="centile of |z|" if at % 3 == 0 else "")
    legend(figure, axes)
    left_out = {"panels": len(filled) - len(axes), "panels without results": len(panels) - len(filled)}
    _headline(figure, "Zip plot: 95 % intervals, sorted by distance from the true value", left_out)
    return figure


def _panels(result: StudyResult, names: Sequence[str], wanted: Sequence[str]) -> list[_Panel]:
    found = []
    for place, layout in enumerate(result.layout):
        words = ", ".join(f"{key} = {value}" for key, value in layout.settings.items())
        for number, analysis in enumerate(layout.analyses):
            for name in names:
                if analysis.name in wanted and name in analysis.parameters:
                    at = analysis.parameters.index(name)
                    outcomes = result.outcomes(place, number)
                    est, se = (outcomes.est[:, at], outcomes.se[:, at]) if len(outcomes) else (np.empty(0), np.empty(0))
                    kept = outcomes.converged & (se > 0)
                    title = ", ".join(filter(None, (words, analysis.name if len(wanted) > 1 else "")))
                    found.append(_Panel(title, name, est[kept], se[kept], float(analysis.truth[at])))
    return found


def _strips(ax: Axes, panel: _Panel) -> None:
    """Draw at most `_STRIPS` of the intervals, evenly over their ranks."""
    distance = np.abs(panel.est - panel.truth) / panel.se
    order = np.argsort(distance, kind="stable")
    ranks = np.unique(np.linspace(0, len(order) - 1, min(len(order), _STRIPS)).astype(int))
    shown, height = order[ranks], 100.0 * (ranks + 0.5) / len(order)
    low, high = (panel.est - _WIDE * panel.se)[shown], (panel.est + _WIDE * panel.se)[shown]
    missed = distance[shown] > _WIDE
    for which, colour, label in ((~missed, COLOURS[0], "holds the true value"), (missed, COLOURS[1], "misses it")):
        ax.hlines(height[which], low[which], high[which], color=colour, linewidth=min(0.8, 70.0 / len(shown)), label=label)
    ax.axvline(panel.truth, color="black", linewidth=0.8)
    ax.axhline(95.0, color=GREY, linewidth=0.8, linestyle="--")
    ax.set_ylim(0.0, 100.0)


# The map of convergence --------------------------------------------------------------------------------------------------------------


def _convergence(result: StudyResult, analyses: Names) -> OwnFigure:
    """Draw the shares of usable results as a map: conditions down, analyses across. The darker, the more is lost."""
    table = result.performance(("convergence", "admissibility"), analyses=analyses)
    names = list(dict.fromkeys(table["analysis"]))
    labels = [", ".join(f"{key} = {value}" for key, value in layout.settings.items()) or "all" for layout in result.layout]
    long = sum(map(len, names)) + 3 * len(names) > 34
    figure, axes = grid(2, 2, width=max(2.4, 0.7 * len(names) + 1.6), height=max(0.9, 0.26 * len(labels)) + (0.3 if long else 0.0))
    for ax, (measure, title) in zip(axes, (("convergence", "Converged (%)"), ("admissibility", "Converged and admissible (%)")), strict=True):
        values = table.loc[table["measure"] == measure, "value"].to_numpy(dtype=float).reshape(len(labels), len(names))
        edges = [np.arange(count + 1) - 0.5 for count in values.shape[::-1]]
        filled = np.where(np.isnan(values), 1.0, values)
        ax.pcolormesh(*edges, filled, vmin=0.0, vmax=1.0, cmap="Oranges_r", edgecolors="white", linewidth=1.0)
        ax.set_ylim(len(labels) - 0.5, -0.5)  # the first condition on top
        for (row, column), value in np.ndenumerate(values):
            text = "none yet" if np.isnan(value) else "100" if value == 1.0 else f"{100.0 * value:.1f}"
            ax.text(column, row, text, ha="center", va="center", fontsize=7, color="black" if not value < 0.5 else "white")
        dress(ax, title=title)
        ax.grid(visible=False)
        ax.set_xticks(range(len(names)), names, rotation=30 if long else 0, ha="right" if long else "center")
        ax.set_yticks(range(len(labels)), labels)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return figure
