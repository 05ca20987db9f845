"""How equivalent theories are told: a row for each edge, and what one wave cannot choose between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trustsem.appraisal.diagrams.diagram import ancestors
from trustsem.appraisal.diagrams.nearby import Nearby
from trustsem.appraisal.diagrams.orienting import CIRCLE, Marks
from trustsem.appraisal.structure import Graph
from trustsem.theory import Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["alternatives_frame", "equivalence_notes"]

_STATED, _POSSIBLE, _EXCLUDED, _NONE_FOUND, _UNKNOWN = "stated", "possible", "excluded", "none found", "not examined"
CANNOT, ONLY_REVERSE, TELLS = "cannot tell", "excludes the reverse only", "tells"
NO_REVERSE, SEARCHED, UNKNOWN = "no reverse found", "no alternative found", "not examined"


def alternatives_frame(graph: Graph, marks: Marks | None, around: Nearby, theory: Theory | None) -> pd.DataFrame:
    """Return one row per edge of the diagram, and which other edges could take its place in an equivalent model.

    Covariances of predictors are left out, because no theory claims them.
    """
    import pandas as pd

    ids = {(claim.cause, claim.effect): claim.id for claim in theory.claims} if theory is not None else {}
    edges = [(one, other, "arrow") for one, other in graph.arrows]
    pairs = [sorted(pair, key=graph.nodes.index) for pair in graph.spouses if not pair <= set(graph.exogenous)]
    edges += [(one, other, "covariance") for one, other in pairs]
    rows = []
    for one, other, kind in edges:
        ways = _by_marks(graph, marks, one, other, kind) if marks is not None else _by_search(graph, around, one, other, kind)
        statement = f"{one} -> {other}" if kind == "arrow" else f"{one} ~~ {other}"
        rows.append((ids.get((one, other), ""), statement, kind, *ways, _one_wave(ways, kind)))
    return pd.DataFrame(rows, columns=["id", "statement", "kind", "forward", "backward", "covariance", "one_wave"])


def _by_marks(graph: Graph, marks: Marks, one: str, other: str, kind: str) -> tuple[str, str, str]:
    """Read the alternatives off: a circle at the end of an edge says that equivalent models differ in whether there is an arrowhead."""
    i, j = graph.nodes.index(one), graph.nodes.index(other)
    open_one, open_other = marks[j, i] == CIRCLE, marks[i, j] == CIRCLE
    if kind == "arrow":
        return _STATED, _POSSIBLE if open_other else _EXCLUDED, _POSSIBLE if open_one else _EXCLUDED
    return _POSSIBLE if open_one else _EXCLUDED, _POSSIBLE if open_other else _EXCLUDED, _STATED


def _by_search(graph: Graph, around: Nearby, one: str, other: str, kind: str) -> tuple[str, str, str]:
    both = frozenset((one, other)) in graph.spouses and bool({(one, other), (other, one)} & set(graph.arrows))
    if both or not around.settled:
        return (_STATED, _UNKNOWN, _UNKNOWN) if kind == "arrow" else (_UNKNOWN, _UNKNOWN, _STATED)
    forward = _POSSIBLE if any((one, other) in found.arrows for found in around.graphs) else _NONE_FOUND
    backward = _POSSIBLE if any((other, one) in found.arrows for found in around.graphs) else _NONE_FOUND
    joint = _POSSIBLE if any(frozenset((one, other)) in found.spouses for found in around.graphs) else _NONE_FOUND
    return (_STATED, backward, joint) if kind == "arrow" else (forward, backward, _STATED)


def _one_wave(ways: Sequence[str], kind: str) -> str:
    if _UNKNOWN in ways:
        return UNKNOWN
    if _POSSIBLE not in ways:
        return SEARCHED if _NONE_FOUND in ways else TELLS
    if kind == "covariance" or ways[1] == _POSSIBLE:
        return CANNOT
    return ONLY_REVERSE if ways[1] == _EXCLUDED else NO_REVERSE


def equivalence_notes(
    graph: Graph,
    frame: pd.DataFrame,
    models: Sequence[Any],
    turns: Sequence[tuple[str, str]],
    orders: int | None,
    clean: bool,
    around: Nearby,
    listed: bool,
) -> tuple[str, ...]:
    """Return what the table amounts to, in sentences."""
    arrows = frame[frame["kind"] == "arrow"]
    counts = {word: int((arrows["one_wave"] == word).sum()) for word in (CANNOT, ONLY_REVERSE, TELLS, NO_REVERSE, SEARCHED, UNKNOWN)}
    words = {
        CANNOT: "with a direction that one wave cannot tell",
        ONLY_REVERSE: "with the reverse excluded, though not a common cause in the place of the arrow",
        TELLS: "that every equivalent model has as well",
        NO_REVERSE: "for which no reverse was found, though a covariance in the place of the arrow",
        SEARCHED: "for which no other direction was found",
        UNKNOWN: "not examined",
    }
    lines = [f"Arrows: {len(arrows)} in all, " + ", ".join(f"{count} {words[word]}" for word, count in counts.items() if count) + "."]
    lines += _choices(graph, turns, models)
    if orders is not None:
        lines.append(_ordered(orders))
    lines.append(_listing(models, listed))
    if not around.settled:
        lines.append(
            "The diagram does not identify its own coefficients (an arrow and a residual covariance join the same two), so nothing can be compared."
        )
    elif clean:
        lines.append("Complete for models in which no residual covariance joins a construct and what it leads to; others may exist.")
    else:
        lines.append("Found by changing one edge after the other and checked by implied covariances; not claimed to be complete.")
    lines.append("No fit measure distinguishes equivalent models. Waves, an intervention, or knowledge of what comes first does.")
    return tuple(lines)


def _ordered(orders: int) -> str:
    if orders == 1:
        return "With arrows alone no other order of the constructs implies the same covariances."
    return (
        f"{orders:,} orders of the constructs imply the same covariances with arrows alone, the theory's own included (a covariance of predictors "
        "counts as an arrow); models with residual covariances come on top."
    )


def _choices(graph: Graph, turns: Sequence[tuple[str, str]], models: Sequence[Any]) -> list[str]:
    """Say for each outcome that it may as well come first, naming first the construct through which everything goes."""
    causes = {cause for cause, _ in graph.arrows}
    lines = []
    for outcome in (node for node in graph.nodes if node not in causes):
        open_to = [cause for cause, effect in turns if effect == outcome]
        if not open_to:
            continue
        main = _bottleneck(graph, outcome, open_to)
        rest = [cause for cause in open_to if cause != main]
        line = f"One wave cannot choose between {main} -> {outcome} and {outcome} -> {main}, directly or by way of others"
        line += f"; nor say which comes first, {outcome} or {_listed(rest)}" if rest else ""
        first = next((model for model in models if model.title == f"{outcome} first"), None)
        line += f": the model with {outcome} first implies the same covariances." if first is not None else "."
        lines.append(line)
    return lines


def _bottleneck(graph: Graph, outcome: str, candidates: Sequence[str]) -> str:
    """Return the first candidate with causes of its own that lies on every way from predictors to the outcome, else the first."""
    for node in candidates:
        if node in graph.exogenous:
            continue
        without = Graph(graph.nodes, tuple(arrow for arrow in graph.arrows if node not in arrow), ())
        if not ancestors(without, [outcome]) & (set(graph.exogenous) - {outcome}):
            return node
    return candidates[0]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _listing(models: Sequence[Any], listed: bool) -> str:
    if not models:
        return "No equivalent model is listed."
    plural = "s are" if len(models) > 1 else " is"
    line = f"{len(models)} equivalent model{plural} listed in .models, each with its changes and its syntax"
    return line + ("." if listed else "; there are more than these (limit=).")
