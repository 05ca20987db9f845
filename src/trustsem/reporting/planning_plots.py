"""Plots of plans: the power curve that an answer was found on, power over two factors, designs by cost, cut-offs of fit measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from trustsem.planning.answer import Plan
from trustsem.planning.costs import BestDesign
from trustsem.planning.cutoffs import Cutoffs
from trustsem.planning.region import PowerRegion
from trustsem.reporting.charts import COLOURS, GREY, MARKERS, dress, grid, legend

if TYPE_CHECKING:
    from trustsem.reporting.figure import OwnFigure

__all__ = ["PLANNED", "plot_planned"]

PLANNED = (Plan, PowerRegion, BestDesign, Cutoffs)
_WIDE = float(ndtri(0.975))
_LETTERS = 7


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
    ax.scatter(seen[plan.over], seen["value"], s=size, color=COLOURS[1], alpha=0.6, linewidth=0, label="simulated (area: replications)")
    ax.axhline(plan.target, color=GREY, linewidth=0.8, linestyle="--")
    if plan.answer is not None:
        ax.axvline(plan.answer, color="black", linewidth=0.8)
        if plan.interval is not None:
            ax.axvspan(*plan.interval, color="black", alpha=0.08, linewidth=0)
        ax.annotate(f" {plan.over} = {plan.answer:g}", (plan.answer, ax.get_ylim()[0]), fontsize=_LETTERS + 1, va="bottom")
    words = {"power": "power", "ci_width": "mean width of intervals", "model_choice": "share of right choices"}[plan.goal]
    dress(ax, title=plan.what[:90], x=plan.over, y=words)
    legend(figure, [ax])
    return figure


def _region(region: PowerRegion) -> OwnFigure:
    first, second = region.factors
    figure, (ax,) = grid(1, width=4.6, height=3.2)
    surface, cells = region.surface(), region.frame
    x, y = (np.unique(surface[name]) for name in (first, second))
    height = surface.pivot_table(index=second, columns=first, values="power").to_numpy()
    drawn = ax.contourf(x, y, height, levels=np.linspace(0.0, 1.0, 11), cmap="cividis", vmin=0.0, vmax=1.0)
    if height.min() < 0.8 < height.max():
        ax.contour(x, y, height, levels=[0.8], colors="white", linewidths=1.5)
    paper = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.75, "linewidth": 0}
    for row in cells.to_dict("records"):
        ax.annotate(f"{row['power']:.2f}", (row[first], row[second]), ha="center", va="center", fontsize=_LETTERS, bbox=paper)
    figure.colorbar(drawn, ax=ax, label="power (smoothed)").ax.tick_params(labelsize=_LETTERS)
    title = region.what[:70] + ("; white line: .80" if height.min() < 0.8 < height.max() else "")
    dress(ax, title=title, x=first, y=second)
    ax.grid(visible=False)
    ax.margins(0.08)  # room for the numbers of the outer cells
    return figure


def _designs(designs: BestDesign) -> OwnFigure:
    table = designs.frame
    simulated = table["mc_error"].notna()
    table = table.assign(shown=table["power"].where(simulated, table["analytic"]), simulated=simulated).dropna(subset="shown").sort_values("shown")
    figure, (ax,) = grid(1, width=5.0, height=max(1.2, 0.3 * len(table)))
    for number, (label, which) in enumerate((("simulated, 95 % band", table["simulated"]), ("by formula", ~table["simulated"]))):
        places = np.flatnonzero(which)
        if not places.size:
            continue
        part = table.iloc[places]
        error = _WIDE * part["mc_error"].fillna(0.0)
        ax.errorbar(part["shown"], places, xerr=error, fmt=MARKERS[number], color=COLOURS[number], markersize=4, linewidth=1.0, label=label)
    dress(ax, title="Designs (with their cost)", x="power")
    ax.set_yticks(range(len(table)), [f"{name} ({cost:,.0f})" for name, cost in zip(table["design"], table["cost"], strict=True)])
    ax.set_xlim(0.0, 1.02)
    legend(figure, [ax])
    return figure


def _cutoffs(cutoffs: Cutoffs) -> OwnFigure:
    """Draw the cut-off of every measure for every misfit; hollow where no value meets both demands, at the strictest that is allowed."""
    table = cutoffs.frame
    names = list(dict.fromkeys(table["measure"]))
    figure, axes = grid(len(names), sharey=False)
    for ax, name in zip(axes, names, strict=True):
        part = table[table["measure"] == name]
        for place, row in enumerate(part.to_dict("records")):
            met = not np.isnan(row["cutoff"])
            value, error = (row["cutoff"], row["mc_error"]) if met else (row["limit"], row["limit_error"])
            colour = COLOURS[place % len(COLOURS)]
            ax.errorbar(
                value, place, xerr=_WIDE * error, fmt="o", color=colour, markerfacecolor=colour if met else "none", markersize=5, linewidth=1.0
            )
            words = f"{100 * row['detected']:.0f} % found, {100 * row['rejected']:.0f} % false alarms"
            ax.annotate(words, (value, place), xytext=(0, 6), textcoords="offset points", fontsize=_LETTERS, ha="center")
        dress(ax, title=name, x="cut-off, 95 % band")
        ax.margins(x=0.35)
        ax.set_yticks(range(len(part)), list(part["misfit"]))
        ax.set_ylim(-0.5, len(part) - 0.3)
    return figure
