"""Theories that imply the same covariances: which arrows have a direction that one wave of data cannot tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from trustsem.appraisal.diagrams.counting import number_of_orientations
from trustsem.appraisal.diagrams.diagram import Source, ancestors, path_diagram, table_of, theory_of, withheld_notes
from trustsem.appraisal.diagrams.equivalent_words import alternatives_frame, equivalence_notes
from trustsem.appraisal.diagrams.nearby import Nearby, changes_between, nearby
from trustsem.appraisal.diagrams.orienting import ARROW, CIRCLE, NONE, Marks, is_ancestral, is_maximal, partial_ancestral, turned
from trustsem.appraisal.diagrams.restated import restated_table, restated_theory
from trustsem.appraisal.forbidden.basis import causal_order
from trustsem.appraisal.structure import Graph
from trustsem.appraisal.told import Told
from trustsem.errors import NotAvailableError, OptionError
from trustsem.spec.export import to_lavaan
from trustsem.spec.table import ParameterTable
from trustsem.theory import Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EquivalentModel", "EquivalentTheories", "equivalent_theories"]

_MOST_CHECKS = 3000


@dataclass(frozen=True)
class EquivalentModel:
    """A model that implies the same covariances.

    Attributes
    ----------
    title : str
        What is special about it.
    graph : Graph
        Its diagram.
    changes : tuple of str
        The edges that the theory does not have.
    syntax : str
        The whole model: for ``sem`` if the theory was given, for ``lavaan`` (which adds nothing) if a model was; empty for a bare diagram.
    """

    title: str
    graph: Graph
    changes: tuple[str, ...]
    syntax: str

    def __str__(self) -> str:
        return f"{self.title}: {', '.join(self.changes)}"


@dataclass(frozen=True, eq=False, repr=False)
class EquivalentTheories(Told):
    """What one wave of data can tell about the directions of a theory; prints itself.

    Attributes
    ----------
    graph : Graph
    frame : DataFrame
        One row per arrow, then per covariance: ``id statement kind forward backward covariance one_wave``. `forward`, `backward` and `covariance`
        say of each of the three ways to join the two constructs whether it is ``"stated"``, ``"possible"`` in an equivalent model,
        ``"excluded"``, ``"none found"`` or ``"not examined"``.
    models : tuple of EquivalentModel
        First those in which an outcome leads to what the theory has lead to it, then those that differ least.
    turns : tuple of (str, str)
        Pairs (cause, effect), the one leading to the other in the theory, the other way round in an equivalent model.
    number_of_orders : int or None
        How many equivalent models have no residual covariance, a covariance of predictors counting as an arrow, the theory included; None if
        there is none, or if that was not worked out.
    scope : str
        ``"ancestral"``: the table is complete for models in which no residual covariance joins a construct and what it leads to. ``"search"``: it
        is what was found.
    all_listed : bool
        Whether `models` holds all that single changes lead to.
    heading, notes
        As printed.
    """

    graph: Graph
    frame: pd.DataFrame
    models: tuple[EquivalentModel, ...]
    turns: tuple[tuple[str, str], ...]
    number_of_orders: int | None
    scope: str
    all_listed: bool
    heading: str
    notes: tuple[str, ...]
    shown = ("statement", "forward", "backward", "covariance", "one_wave")

    def to_dict(self) -> dict[str, object]:
        """Return the result as JSON knows it, the models with their changes."""
        models = [{"title": model.title, "changes": list(model.changes), "syntax": model.syntax} for model in self.models]
        more = {"scope": self.scope, "number_of_orders": self.number_of_orders, "all_listed": self.all_listed}
        return {**super().to_dict(), **more, "turns": [list(pair) for pair in self.turns], "models": models}


def equivalent_theories(source: Source, *, limit: int = 50) -> EquivalentTheories:
    """Enumerate models that imply the same covariances as a theory, by its path diagram alone.

    Parameters
    ----------
    source : Theory, Appraisal, str, ParameterTable or Fit
        A theory, an appraisal of one, model text, a table or a fit. Latent variables are taken as what their indicators measure.
    limit : int
        List no more models than that, nearest first.

    Returns
    -------
    EquivalentTheories

    Raises
    ------
    OptionError, ModelError
        If `source` is no model, or `limit` no whole number from 1.
    NotAvailableError
        For feedback (arrows in a circle), constructs without indicators of their own, several groups, and two levels.

    Notes
    -----
    Two linear models are equivalent if they imply the same set of covariance matrices. For diagrams without a residual covariance between a
    construct and what it leads to, and in which every pair that is not joined can be separated, the marks that all equivalent diagrams share are
    known completely (Zhang 2008, doi 10.1016/j.artint.2008.08.001); among diagrams without residual covariances they are those of Chickering
    (1995, doi 10.48550/arXiv.1302.4938). The listed models are found by changing one edge after the other (Lee & Hershberger 1990, doi
    10.1207/s15327906mbr2503_4), and each is checked: covariance matrices drawn at random from the theory belong to it, and it has as many
    parameters. Constraints between parameters are not looked at.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise OptionError(f"limit={limit!r} is no number of models. Give a whole number from 1.")
    graph, theory, table = path_diagram(source), theory_of(source), table_of(source)
    causal_order(graph)
    _refuse_unmeasured(table)
    joined = {frozenset(arrow) for arrow in graph.arrows}
    clean = not joined & set(graph.spouses) and is_ancestral(graph) and is_maximal(graph)
    marks = partial_ancestral(graph) if clean else None
    around = nearby(graph, limit if clean else max(limit, _MOST_CHECKS // 10), _MOST_CHECKS)
    turns = _turns_by_marks(graph, marks) if marks is not None else _turns_found(graph, around)
    rounds = [] if marks is None else _first_outcomes(graph, marks, turns)
    models = _models(_restating(theory, table), graph, rounds, around.graphs, limit)
    frame = alternatives_frame(graph, marks, around, theory)
    orders = None if marks is None else _orders(graph, marks)
    listed = around.exhausted and len(around.graphs) <= limit
    notes = (*withheld_notes(source), *equivalence_notes(graph, frame, models, turns, orders, clean, around, listed))
    result = partial(EquivalentTheories, graph, frame, models, turns, orders, "search" if marks is None else "ancestral", listed)
    name = theory.title if theory is not None else "The model"
    return result(f"{name}: what one wave can tell about directions", notes)


def _refuse_unmeasured(table: ParameterTable | None) -> None:
    if table is None:
        return
    latent = dict.fromkeys(row.lhs for row in table.rows if row.op == "=~")
    for name in latent:
        if not any(row.op == "=~" and row.lhs == name and row.rhs not in latent for row in table.rows):
            raise NotAvailableError(
                f"{name} has no indicators of its own, so its place among the others is not a matter of covariances alone. "
                "Give the model of the constructs that have indicators."
            )


def _component(marks: Marks, start: int) -> set[int]:
    """Return the nodes that edges with two circles connect with one."""
    found, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        for node in range(len(marks)):
            if node not in found and marks[here, node] == CIRCLE and marks[node, here] == CIRCLE:
                found.add(node)
                waiting.append(node)
    return found


def _turns_by_marks(graph: Graph, marks: Marks) -> tuple[tuple[str, str], ...]:
    turns = []
    for number, effect in enumerate(graph.nodes):
        open_to = {graph.nodes[node] for node in _component(marks, number)}
        turns += [(cause, effect) for cause in graph.nodes if cause != effect and cause in open_to and cause in ancestors(graph, [effect])]
    return tuple(turns)


def _turns_found(graph: Graph, around: Nearby) -> tuple[tuple[str, str], ...]:
    leads = {effect: ancestors(graph, [effect]) - {effect} for effect in graph.nodes}
    turned_pairs = {
        (cause, effect)
        for other in around.graphs
        for cause in graph.nodes
        for effect in ancestors(other, [cause]) - {cause}
        if cause in leads[effect]
    }
    return tuple((cause, effect) for effect in graph.nodes for cause in graph.nodes if (cause, effect) in turned_pairs)


def _first_outcomes(graph: Graph, marks: Marks, turns: tuple[tuple[str, str], ...]) -> list[tuple[str, Graph]]:
    """Return, for each node that leads to nothing, the equivalent diagram in which it comes before what leads to it."""
    causes = {cause for cause, _ in graph.arrows}
    outcomes = [node for node in graph.nodes if node not in causes and any(effect == node for _, effect in turns)]
    return [(f"{node} first", turned(graph, marks, graph.nodes.index(node))) for node in outcomes]


def _orders(graph: Graph, marks: Marks) -> int | None:
    """Return how many equivalent diagrams have no residual covariance, those of predictors counting as arrows; None if none has."""
    if ((marks == ARROW) & (marks.T == ARROW)).any():
        return None
    m = len(graph.nodes)
    circles = {frozenset((graph.nodes[i], graph.nodes[j])) for i in range(m) for j in range(i) if marks[i, j] == marks[j, i] == CIRCLE != NONE}
    return number_of_orientations(graph.nodes, circles)


def _models(
    restate: Callable[[Graph], str], graph: Graph, rounds: list[tuple[str, Graph]], others: tuple[Graph, ...], limit: int
) -> tuple[EquivalentModel, ...]:
    found: list[EquivalentModel] = []
    seen = []
    for title, other in [*rounds, *((f"{len(changes_between(graph, other))} changed", other) for other in others)]:
        key = (frozenset(other.arrows), frozenset(other.spouses))
        if key not in seen and len(found) < limit:
            seen.append(key)
            found.append(EquivalentModel(title, other, changes_between(graph, other), restate(other)))
    return tuple(found)


def _restating(theory: Theory | None, table: ParameterTable | None) -> Callable[[Graph], str]:
    """Return what writes the model of another diagram."""
    if theory is not None:
        return partial(restated_theory, theory)
    return lambda graph: "" if table is None else to_lavaan(restated_table(table, graph))
