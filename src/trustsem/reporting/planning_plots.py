"""Plots of plans: the power curve that an answer was found on, power over two factors, designs by cost, cut-offs of fit measures."""

from __future__ import annotations

from textwrap import fill, shorten
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from trustsem.planning.answer import Plan
from trustsem.planning.costs import BestDesign
from trustsem.planning.cutoffs import Cutoffs
from trustsem.planning.region import PowerRegion
from trustsem.reporting.charts import COLOURS, GREY, MARKERS, dress, grid, legend

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.reporting.figure import OwnFigure

__all__ = ["PLANNED", "plot_planned"]

PLANNED = (Plan, PowerRegion, BestDesign, Cutoffs)
_WIDE = float(ndtri(0.975))
_LETTERS = 7
_LINE, _SIGNS = 62, 100  # of a title
_USUAL = 0.8  # power that is usually wanted


def plot_planned(source: Plan | PowerRegion | BestDesign | Cutoffs) -> OwnFigure:
    """Draw the picture that belongs to the type of `source`."""
    if isinstance(source, Plan):
        return _plan(source)
    if isinstance(source, PowerRegion):
        return _region(source)
    if isinstance(source, BestDesign):
        return _designs(source)
    return _cutoffs(source)


def _plan(plan: Plan) -> OwnFigure:
    figure, (ax,) = grid(1, width=5.2, height=3.0)
    curve, seen = plan.curve(), plan.evaluated
    ax.fill_between(curve[plan.over], curve["lower"], curve["upper"], color=COLOURS[0], alpha=0.18, linewidth=0)
    ax.plot(curve[plan.over], curve["value"], color=COLOURS[0], linewidth=1.3, label="fitted, with 95 % band")
    size = 12.0 + 60.0 * np.sqrt(seen["replications"] / seen["replications"].max())
    # Without its error a level with few replications would seem to contradict the curve.
    ax.errorbar(seen[plan.over], seen["value"], yerr=_WIDE * seen["mc_error"], fmt="none", ecolor=COLOURS[1], alpha=0.45, linewidth=0.8)
    ax.scatter(seen[plan.over], seen["value"], s=size, color=COLOURS[1], alpha=0.6, linewidth=0, label="simulated, 95 % (area: replications)")
    ax.axhline(plan.target, color=GREY, linewidth=0.8, linestyle="--", label=f"wanted: {plan.target:g}")
    if plan.answer is not None:
        ax.axvline(plan.answer, color="black", linewidth=0.8)
        if plan.interval is not None:
            ax.axvspan(*plan.interval, color="black", alpha=0.08, linewidth=0, label="answer, 95 % interval")
        words, at = f"{plan.over} = {plan.answer:,.4g}", (plan.answer, 0.03)
        ax.annotate(words, at, xycoords=("data", "axes fraction"), xytext=(4, 0), textcoords="offset points", fontsize=_LETTERS + 1, va="bottom")
    words = {"power": "power", "ci_width": "mean width of intervals", "model_choice": "share of right choices"}[plan.goal]
    dress(ax, title=_title(plan.what), x=plan.over, y=words)
    legend(figure, [ax])
    return figure


def _title(what: str, more: str = "") -> str:
    """Return a title of at most two lines: propositions may be many."""
    return fill(shorten(what, _SIGNS, placeholder=" ...") + more, _LINE)


def _region(region: PowerRegion) -> OwnFigure:
    cells = region.frame
    numbers = [name for name in region.factors if _numeric(cells[name]) and cells[name].nunique() > 1]
    return _surface(region, cells) if len(numbers) == 2 else _lines(region, cells, numbers)


def _numeric(column: pd.Series) -> bool:
    """Whether a factor has numbers as levels."""
    return column.dtype.kind in "if"


def _surface(region: PowerRegion, cells: pd.DataFrame) -> OwnFigure:
    first, second = region.factors
    figure, (ax,) = grid(1, width=4.6, height=3.2)
    surface = region.surface()
    x, y = (np.unique(surface[name]) for name in (first, second))
    height = surface.pivot_table(index=second, columns=first, values="power").to_numpy()
    drawn = ax.contourf(x, y, height, levels=np.linspace(0.0, 1.0, 11), cmap="cividis", vmin=0.0, vmax=1.0)
    crossed = height.min() < _USUAL < height.max()
    if crossed:
        ax.contour(x, y, height, levels=[_USUAL], colors="black", linewidths=1.5)
    paper = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.75, "linewidth": 0}
    for row in cells.to_dict("records"):
        ax.annotate(f"{row['power']:.2f}", (row[first], row[second]), ha="center", va="center", fontsize=_LETTERS, bbox=paper)
    bar = figure.colorbar(drawn, ax=ax)
    bar.set_label("power (smoothed)", fontsize=_LETTERS + 1)
    bar.ax.tick_params(labelsize=_LETTERS)
    dress(ax, title=_title(region.what, "; line: .80" if crossed else ""), x=first, y=second)
    ax.grid(visible=False)
    ax.use_sticky_edges = False  # room for the numbers of the outer cells
    ax.margins(0.08)
    return figure


def _lines(region: PowerRegion, cells: pd.DataFrame, numbers: list[str]) -> OwnFigure:
    """Draw power over the factor that has numbers, one line for each level of the other factor."""
    along = numbers[0] if numbers else region.factors[0]
    others = [name for name in region.factors if name != along]
    places = {level: place for place, level in enumerate(dict.fromkeys(cells[along]))} if not numbers else {}
    figure, (ax,) = grid(1, width=4.6, height=3.0)
    for number, level in enumerate(dict.fromkeys(cells[others[0]]) if others else [None]):
        part = cells[cells[others[0]] == level] if others else cells
        at = part[along] if numbers else [places[value] for value in part[along]]
        look = f"{MARKERS[number % len(MARKERS)]}{'-' if numbers else ''}"  # between names there is nothing to be joined
        name = f"{others[0]} = {level:g}" if others and _numeric(part[others[0]]) else f"{others[0]}: {level}" if others else "simulated"
        errors, colour = _WIDE * part["mc_error"], COLOURS[number % len(COLOURS)]
        ax.errorbar(at, part["power"], yerr=errors, fmt=look, color=colour, markersize=4, linewidth=1.1, elinewidth=0.8, label=f"{name}, 95 %")
    ax.axhline(_USUAL, color=GREY, linewidth=0.8, linestyle="--")
    dress(ax, title=_title(region.what), x=along, y="power")
    if places:
        ax.set_xticks(list(places.values()), [str(level) for level in places])
    ax.set_ylim(0.0, 1.02)
    legend(figure, [ax])
    return figure


def _designs(designs: BestDesign) -> OwnFigure:
    table = designs.frame
    simulated = table["mc_error"].notna()
    table = table.assign(shown=table["power"].where(simulated, table["analytic"]), simulated=simulated).dropna(subset="shown").sort_values("shown")
    figure, (ax,) = grid(1, width=5.0, height=max(1.2, 0.38 * len(table)))
    for number, (label, which) in enumerate((("simulated, 95 % band", table["simulated"]), ("by formula", ~table["simulated"]))):
        places = np.flatnonzero(which)
        if not places.size:
            continue
        part = table.iloc[places]
        error = _WIDE * part["mc_error"].fillna(0.0)
        ax.errorbar(part["shown"], places, xerr=error, fmt=MARKERS[number], color=COLOURS[number], markersize=4, linewidth=1.0, label=label)
    dress(ax, title=f"Designs for a budget of {designs.budget:,.0f}", x="power")
    each = zip(table["design"], table["n"], table["cost"], strict=True)
    ax.set_yticks(range(len(table)), [f"{name}\nn = {n:,}, cost {cost:,.0f}" for name, n, cost in each])
    ax.set_ylim(-0.5, len(table) - 0.5)
    ax.set_xlim(0.0, 1.02)
    legend(figure, [ax])
    return figure


def _cutoffs(cutoffs: Cutoffs) -> OwnFigure:
    """Draw the cut-off of every measure for every misfit; hollow where no value meets both demands, at the strictest that is allowed."""
    table = cutoffs.frame
    names, misfits = list(dict.fromkeys(table["measure"])), list(dict.fromkeys(table["misfit"]))
    figure, axes = grid(len(names))
    for ax, name in zip(axes, names, strict=True):
        for row in table[table["measure"] == name].to_dict("records"):
            place = misfits.index(row["misfit"])
            met = not np.isnan(row["cutoff"])
            value, error = (row["cutoff"], row["mc_error"]) if met else (row["limit"], row["limit_error"])
            face, label = (COLOURS[0], "cut-off") if met else ("white", "no value meets both demands: the strictest allowed")
            ax.errorbar(value, place, xerr=_WIDE * error, fmt="o", color=COLOURS[0], markerfacecolor=face, markersize=5, linewidth=1.0, label=label)
            words = f"{100 * row['detected']:.0f} % found, {100 * row['rejected']:.0f} % false alarms"
            ax.annotate(
                words, (0.5, place), xycoords=("axes fraction", "data"), xytext=(0, 6), textcoords="offset points", fontsize=_LETTERS, ha="center"
            )
        dress(ax, title=name, x=f"{'value' if table['cutoff'].notna().any() else 'strictest value allowed'}, 95 % band")
        ax.margins(x=0.15)
        ax.set_yticks(range(len(misfits)), misfits)
        ax.set_ylim(len(misfits) - 0.5, -0.7)
    legend(figure, axes)
    return figure
