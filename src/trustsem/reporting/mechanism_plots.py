"""Plots of mechanisms: effects along routes, arrows past one construct, and strategies by how much they are practised and how much they explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.mechanism.bypass import Bypass
from trustsem.appraisal.mechanism.importance import StrategyProfile
from trustsem.appraisal.mechanism.mechanism import Mechanism
from trustsem.reporting.charts import COLOURS, GREY, MARKERS, dress, grid, legend, lettered

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from trustsem.reporting.figure import OwnFigure

__all__ = ["MECHANISMS", "plot_mechanism"]

MECHANISMS = (Mechanism, Bypass, StrategyProfile)
_MOST = 30  # routes that are drawn: more cannot be read


def plot_mechanism(source: Mechanism | Bypass | StrategyProfile) -> OwnFigure:
    """Draw the picture that belongs to the type of `source`.

    Parameters
    ----------
    source : Mechanism, Bypass or StrategyProfile
        Effects along routes; arrows past one construct with the range that is smaller than the smallest effect size of interest; strategies by
        how much they are practised and how much they explain.

    Returns
    -------
    matplotlib Figure
    """
    if isinstance(source, Mechanism):
        figure = _routes(source)
    elif isinstance(source, Bypass):
        figure = _bypass(source)
    else:
        figure = _profile(source)
    lettered(figure)
    return figure


def _routes(source: Mechanism) -> OwnFigure:
    table = source.routes.frame
    left_out = max(0, len(table) - _MOST)
    if left_out:
        table = table.iloc[np.sort(np.argsort(-table["std"].abs().to_numpy(), kind="stable")[:_MOST])]
    figure, (ax,) = grid(1, width=6.4, height=max(1.6, 0.24 * len(table) + 0.4))
    _dots(
        ax,
        table,
        [f"{route}" for route in table["route"]],
        table["verdict"].isin(["shown", "contradicted"]).to_numpy(),
        {True: "verdict: shown", False: "verdict: not shown, or none"},
    )
    more = f" (the largest {_MOST} of {len(source.routes.frame)})" if left_out else ""
    dress(ax, title=f"Effects along each route{more}", x="standardized effect, unadjusted interval")
    ax.grid(axis="x", color="#dddddd", linewidth=0.6)
    legend(figure, [ax])
    return figure


def _bypass(source: Bypass) -> OwnFigure:
    table = source.frame
    figure, (ax,) = grid(1, width=5.6, height=max(1.6, 0.24 * len(table) + 0.4))
    ax.axvspan(-source.sesoi, source.sesoi, color=GREY, alpha=0.15, linewidth=0, label="smaller than d")
    names = [f"{cause} -> {effect}" for cause, effect in zip(table["cause"], table["effect"], strict=True)]
    shown = table["verdict"].str.startswith("acts").to_numpy()
    _dots(ax, table.rename(columns={"se": "std_se"}), names, shown, {True: "acts past it", False: "not shown to act past it"})
    dress(ax, title=f"Through {source.through} only? {source.verdict.capitalize()}", x="standardized arrow, unadjusted interval")
    legend(figure, [ax])
    return figure


def _dots(ax: Axes, table: pd.DataFrame, names: list[str], marked: np.ndarray, words: dict[bool, str]) -> None:
    """Draw one dot with its interval in each line, filled where `marked`."""
    places = np.arange(len(table))
    ax.axvline(0.0, color="black", linewidth=0.8)
    for value, which in ((True, marked), (False, ~marked)):
        if not which.any():
            continue
        part = table[which]
        reach = np.abs(np.vstack([part["std"] - part["ci_lower"], part["ci_upper"] - part["std"]]).astype(float))
        colour = COLOURS[0] if value else COLOURS[1]
        look: dict[str, Any] = {"fmt": "o" if value else "s", "color": colour, "markerfacecolor": colour if value else "white"}
        ax.errorbar(part["std"], places[which], xerr=reach, markersize=4, linewidth=1.1, label=words[value], **look)
    ax.set_yticks(places, names)
    ax.set_ylim(len(table) - 0.5, -0.5)


def _profile(source: StrategyProfile) -> OwnFigure:
    """Draw how much each strategy is practised beside what it contributes; without means, contributions alone."""
    table = source.frame.sort_values("lmg", ascending=False, kind="stable")
    known = bool(np.isfinite(table["mean"].to_numpy(float)).all())
    figure, axes = grid(2 if known else 1, width=3.6, height=max(1.6, 0.26 * len(table) + 0.4))
    panels = [(axes[-1], "lmg", table["lmg"] - table["lmg_lower"], table["lmg_upper"] - table["lmg"])]
    if known:
        panels.append((axes[0], "mean", 1.96 * table["mean_se"], 1.96 * table["mean_se"]))
    for ax, column, below, above in panels:
        for number, name in enumerate(sorted(set(table["set"]))):
            which = (table["set"] == name).to_numpy()
            reach = np.maximum(np.vstack([below[which], above[which]]).astype(float), 0.0)
            look: dict[str, Any] = {"fmt": MARKERS[number % len(MARKERS)], "color": COLOURS[number % len(COLOURS)], "markersize": 4, "linewidth": 1.1}
            ax.errorbar(table[column][which], np.flatnonzero(which), xerr=reach, label=name or "other causes", **look)
    axes[-1].axvline(source.rsquare / len(table), color=GREY, linewidth=0.8, linestyle="--", label="equal shares")
    dress(axes[-1], title=f"Contribution to {source.target}", x=f"share of R squared = {source.rsquare:.2f} (lmg), interval")
    if known:
        dress(axes[0], title="How much practised", x="mean answer, 95 %")
    axes[0].set_yticks(np.arange(len(table)), list(table["title"]))
    axes[0].set_ylim(len(table) - 0.5, -0.5)
    legend(figure, axes)
    return figure
