"""What a diagram shows, before anything has a place: nodes, arrows, covariances and remarks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from trustsem.errors import OptionError, closest
from trustsem.reporting.verdicts import MISSING, VERDICT_STYLES
from trustsem.spec.table import ParameterTable, Row

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Arc", "Arrow", "Graph", "Node", "graph_of_table", "is_appraisal", "is_fit"]

INDICATOR_LIMIT, MEASUREMENT_LIMIT, COVARIATE_LIMIT = 15, 30, 4


class Node(NamedTuple):
    """A variable: ovals are latent, boxes observed; `r2` is the explained share of variance, if known."""

    name: str
    latent: bool
    indicator: bool = False
    r2: float = math.nan


class Arrow(NamedTuple):
    """An effect of `cause` on `effect`; `value` is the number on it (NaN: none), `verdict` what was concluded about it (empty: nothing)."""

    cause: str
    effect: str
    loading: bool = False
    value: float = math.nan
    verdict: str = ""


class Arc(NamedTuple):
    """A covariance; dashed if it is one of residuals. `verdict` is what was concluded about it (empty: nothing)."""

    first: str
    second: str
    residual: bool
    value: float = math.nan
    verdict: str = ""


@dataclass(frozen=True)
class Graph:
    """A diagram's content.

    Attributes
    ----------
    nodes, arrows, arcs : tuple
    standardized : bool
        Whether the numbers are standardized (printed without a leading zero).
    alerts : tuple of str
        What must be read before the numbers.
    notes : tuple of str
        What is not drawn, and what the numbers are.
    """

    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    arcs: tuple[Arc, ...]
    standardized: bool = False
    alerts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def node(self, name: str) -> Node:
        """Return the node called `name`."""
        return next(node for node in self.nodes if node.name == name)


def is_fit(source: object) -> bool:
    """Whether `source` is a fitted model."""
    return hasattr(source, "parameter_estimates") and hasattr(source, "estimate")


def is_appraisal(source: object) -> bool:
    """Whether `source` is an appraisal of a theory: it has verdicts and the fit behind them."""
    return hasattr(source, "verdicts") and hasattr(source, "fit")


def _is_drawn(row: Row) -> bool:
    return row.free or row.exo or row.ustart != 0.0


def graph_of_table(
    table: ParameterTable,
    *,
    block: int = 1,
    values: Sequence[float] | None = None,
    r2: Mapping[str, float] | None = None,
    indicators: bool | None = None,
) -> Graph:
    """Return the graph of one block of a parameter table.

    Parameters
    ----------
    table : ParameterTable
    block : int
        Counted from 1.
    values : sequence of float, optional
        The number on each row of the table; without them only loadings that the model fixes are numbered.
    r2 : mapping, optional
        Explained shares of variance.
    indicators : bool, optional
        Draw the indicators. By default if there are at most 15 (30 if the model has no other arrows).
    """
    numbers = values if values is not None else _fixed_loadings(table, block)
    rows = [(row, float(number)) for row, number in zip(table.rows, numbers, strict=True) if row.block == block and _is_drawn(row)]
    latent = list(dict.fromkeys(row.lhs for row, _ in rows if row.op == "=~"))
    regressed = {name for row, _ in rows if row.op == "~" for name in (row.lhs, row.rhs)}
    measured = [name for name in dict.fromkeys(row.rhs for row, _ in rows if row.op == "=~") if name not in latent]
    only_measured = [name for name in measured if name not in regressed]
    structural = any(row.op == "~" or (row.op == "=~" and row.rhs in latent) for row, _ in rows)
    if indicators is None:
        indicators = len(only_measured) <= (INDICATOR_LIMIT if structural else MEASUREMENT_LIMIT) or not latent
    hidden = set() if indicators else set(only_measured)
    notes = [f"{len(hidden)} indicators are not drawn."] if hidden else []
    arrows = [_arrow(row, number) for row, number in rows if row.op in ("=~", "~") and row.rhs not in hidden]
    endogenous = {arrow.effect for arrow in arrows} | hidden
    arcs = _arcs(rows, endogenous)
    hidden_arcs = [arc for arc in arcs if arc.first in hidden or arc.second in hidden]
    if hidden_arcs:
        notes.append(f"{len(hidden_arcs)} covariances of their residuals are not drawn.")
    arcs = [arc for arc in arcs if arc not in hidden_arcs]
    fixed = {(row.lhs, row.rhs) for row, _ in rows if row.exo and row.op == "~~" and row.lhs != row.rhs}
    covariates = {name for pair in fixed for name in pair}
    if len(covariates) > COVARIATE_LIMIT:
        arcs = [arc for arc in arcs if (arc.first, arc.second) not in fixed]
        notes.append(f"The covariances of the {len(covariates)} covariates are not drawn.")
    if any(row.op == "~1" for row, _ in rows):
        notes.append("Means and intercepts are not drawn.")
    order = list(dict.fromkeys(name for row, _ in rows for name in (row.lhs, row.rhs) if name and row.op != "~1" and name not in hidden))
    shares = r2 or {}
    nodes = tuple(Node(name, name in latent, name in only_measured, shares.get(name, math.nan)) for name in order)
    return Graph(nodes, tuple(arrows), tuple(arcs), notes=tuple(notes))


def _arrow(row: Row, number: float) -> Arrow:
    return Arrow(row.lhs, row.rhs, True, number) if row.op == "=~" else Arrow(row.rhs, row.lhs, False, number)


def _arcs(rows: Sequence[tuple[Row, float]], endogenous: set[str]) -> list[Arc]:
    return [
        Arc(row.lhs, row.rhs, row.lhs in endogenous or row.rhs in endogenous, number) for row, number in rows if row.op == "~~" and row.lhs != row.rhs
    ]


def _fixed_loadings(table: ParameterTable, block: int) -> list[float]:
    """Return the fixed loadings of latent variables with several of them (growth factors; a single one is a marker), NaN for other rows."""
    fixed = [row for row in table.rows if row.op == "=~" and row.block == block and not row.free]
    several = {row.lhs for row in fixed if sum(other.lhs == row.lhs for other in fixed) > 1}
    return [row.ustart if row.op == "=~" and not row.free and row.lhs in several else math.nan for row in table.rows]


def graph_of_fit(fit: Any, *, estimates: str | None, block: int, indicators: bool | None) -> Graph:
    """Return the graph of one group of a fitted model, with its numbers and what is wrong with them."""
    frame: pd.DataFrame = fit.parameter_estimates(standardized=True, ci=False)
    values = None if estimates is None else [float(value) for value in frame[estimates].iloc[: len(fit.model.table.rows)]]
    explained = fit.rsquare()
    if isinstance(explained, dict):
        explained = list(explained.values())[block - 1]
    r2 = {str(name): float(value) for name, value in explained.items()} if estimates is not None else None
    graph = graph_of_table(fit.model.table, block=block, values=values, r2=r2, indicators=indicators)
    notes = [] if estimates is None else ["Standardized estimates." if estimates == "std_all" else "Unstandardized estimates."]
    sample = fit.sample
    layout = fit.model.blocks[block - 1]
    if fit.model.two_level:
        notes.append(f"Level {layout.level} ({'within' if layout.level == 1 else 'between'} clusters).")
    own = sample.blocks[layout.group - 1]
    size = f"{int(own.clusters.max()) + 1} clusters" if layout.level > 1 and own.clusters is not None else f"n = {own.n}"
    notes.append(f"Group {own.label} ({layout.group} of {len(sample.blocks)}), {size}." if len(sample.blocks) > 1 else f"{size}.")
    alerts = [f"{warning.code}: {warning.detail}" for warning in fit.warnings if warning.code in ("TS-FIT-01", "TS-FIT-02", "TS-ID-01")]
    return replace(graph, standardized=estimates == "std_all", alerts=tuple(alerts), notes=(*notes, *graph.notes))


def graph_of_appraisal(appraisal: Any, *, estimates: str | None, block: int, indicators: bool | None, local_fit: bool) -> Graph:
    """Return the graph of the fit behind an appraisal, its arrows coloured by verdict; a note lists verdicts that have no arrow or no colour."""
    graph = graph_of_fit(appraisal.fit, estimates=estimates, block=block, indicators=indicators)
    table: pd.DataFrame = appraisal.verdicts
    rows = zip(table["cause"], table["effect"], table["verdict"], strict=True)
    verdicts = {(str(cause), str(effect)): str(verdict) for cause, effect, verdict in rows}
    drawn = {(arrow.cause, arrow.effect) for arrow in graph.arrows}
    shown = {pair: verdict for pair, verdict in verdicts.items() if pair in drawn and verdict in VERDICT_STYLES}
    arrows = tuple(arrow._replace(verdict=shown.get((arrow.cause, arrow.effect), "")) for arrow in graph.arrows)
    rest = [f"{cause} to {effect}: {verdict or 'no verdict'}" for (cause, effect), verdict in verdicts.items() if (cause, effect) not in shown]
    notes = (*graph.notes, *((f"Not coloured: {'; '.join(rest)}.",) if rest else ()))
    result = replace(graph, arrows=arrows, notes=notes)
    return _with_local_fit(result, appraisal.forbidden, standardized=estimates == "std_all") if local_fit else result


def _with_local_fit(graph: Graph, absences: pd.DataFrame, *, standardized: bool) -> Graph:
    """Return the graph with what the theory leaves out and the data ask for; a note counts what holds and what cannot be told."""
    column = "std" if standardized else "epc"
    wanted = absences[absences["verdict"] == "violated"]
    names = {node.name for node in graph.nodes}
    arrows, arcs = list(graph.arrows), list(graph.arcs)
    for lhs, op, rhs, number in zip(wanted["lhs"], wanted["op"], wanted["rhs"], wanted[column], strict=True):
        if {lhs, rhs} <= names and op == "~":
            arrows.append(Arrow(str(rhs), str(lhs), False, float(number), MISSING))
        elif {lhs, rhs} <= names:
            arcs.append(Arc(str(lhs), str(rhs), True, float(number), MISSING))
    counts = absences["verdict"].value_counts()
    counted = ", ".join(
        f"{counts.get(name, 0)} {text}" for name, text in (("holds", "hold"), ("violated", "are violated"), ("cannot tell", "cannot be told"))
    )
    note = (
        f"Of {len(absences)} arrows and residual covariances that the theory leaves out, {counted}; numbers on those violated are expected "
        "values, each if it alone were free."
    )
    return replace(graph, arrows=tuple(arrows), arcs=tuple(arcs), notes=(*graph.notes, note))


def graph_of(
    source: Any,
    *,
    estimates: str | None,
    group: str | int | None,
    level: int,
    indicators: bool | None,
    read: Callable[[str], ParameterTable],
    local_fit: bool = False,
) -> Graph:
    """Return the graph of model text, a parameter table, a theory, a fit or an appraisal.

    Raises
    ------
    OptionError
        For something else, and for a group or level that does not exist.
    """
    if estimates not in ("std_all", "est", None):
        raise OptionError(f"Unknown estimates={estimates!r}. Allowed are 'std_all', 'est' and None.{closest(str(estimates), ('std_all', 'est'))}")
    if is_appraisal(source):
        block = _block(source.fit, group, level)
        return graph_of_appraisal(source, estimates=estimates, block=block, indicators=indicators, local_fit=local_fit)
    if local_fit:
        raise OptionError(
            "local_fit=True draws what an appraisal found missing. Draw the appraisal: ts.diagram(ts.appraise(theory, data), local_fit=True)."
        )
    if is_fit(source):
        return graph_of_fit(source, estimates=estimates, block=_block(source, group, level), indicators=indicators)
    if isinstance(source, str):
        source = read(source)
    elif callable(getattr(source, "model", None)):
        source = source.model()
    if not isinstance(source, ParameterTable):
        raise OptionError(f"A diagram is drawn of model text, a ParameterTable, a Theory, a Fit or an Appraisal, not of {type(source).__name__!r}.")
    if not (group is None or (isinstance(group, int) and 1 <= group <= source.n_groups)):
        raise OptionError(f"group={group!r} does not exist: the model has {source.n_groups} group(s). Give a number from 1.")
    return graph_of_table(source, block=_place(source, int(group or 1), level), indicators=indicators)


def _place(table: ParameterTable, group: int, level: int) -> int:
    """Return the number of a block."""
    if not 1 <= level <= table.n_levels:
        raise OptionError(f"level={level!r} does not exist: the model has {table.n_levels} level(s). Give a number from 1.")
    return (group - 1) * table.n_levels + level


def _block(fit: Any, group: str | int | None, level: int) -> int:
    labels = fit.sample.group_labels
    if group is None:
        return _place(fit.model.table, 1, level)
    if isinstance(group, int) and 1 <= group <= len(labels):
        return _place(fit.model.table, group, level)
    if str(group) in labels:
        return _place(fit.model.table, int(labels.index(str(group))) + 1, level)
    raise OptionError(f"group={group!r} does not exist. The groups are {', '.join(map(repr, labels))}.{closest(str(group), labels)}")
