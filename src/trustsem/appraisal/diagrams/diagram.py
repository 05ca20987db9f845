"""The path diagram of whatever states one, named as its reader names it, and what can be asked of it without data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from trustsem.appraisal.forbidden.basis import causal_order, graph_of
from trustsem.appraisal.structure import Graph
from trustsem.errors import OptionError, closest
from trustsem.fitting.fit import Fit
from trustsem.inference.path_diagrams import Pattern
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for
from trustsem.spec.table import ParameterTable
from trustsem.theory import Theory

if TYPE_CHECKING:
    from trustsem.appraisal.result import Appraisal

__all__ = ["Source", "ancestors", "descendants", "node_of", "path_diagram", "pattern_of", "table_of", "theory_of", "withheld_notes"]

Source: TypeAlias = "Theory | str | ParameterTable | Fit | Graph | Appraisal"


def theory_of(source: Source) -> Theory | None:
    """Return the theory of a theory or an appraisal."""
    theory = getattr(source, "theory", source)
    return theory if isinstance(theory, Theory) else None


def withheld_notes(source: Source) -> tuple[str, ...]:
    """Return why an appraisal has no verdicts, which does not touch what its diagram says; empty for other sources."""
    reason = getattr(source, "withheld", "")
    return (f"The appraisal has no verdicts: {reason} What follows is about the diagram alone.",) if reason else ()


def table_of(source: Source) -> ParameterTable | None:
    """Return the parameter table of a source; None for a bare diagram.

    Raises
    ------
    OptionError
        If `source` is no model.
    """
    theory = theory_of(source)
    if theory is not None:
        return theory.model()
    fit = getattr(source, "fit", source)
    if isinstance(fit, Fit):
        return fit.model.table
    if isinstance(source, str):
        return build_table(source, defaults_for("sem"))
    return source if isinstance(source, ParameterTable) else None


def path_diagram(source: Source) -> Graph:
    """Return the path diagram of a theory, an appraisal, model text, a table or a fit.

    The nodes of a theory are its constructs by name, those of a model its latent variables and the observed ones that are no indicators.

    Raises
    ------
    OptionError, ModelError, NotAvailableError
        As :func:`trustsem.appraisal.forbidden.basis.graph_of`.
    """
    theory = theory_of(source)
    if theory is None:
        return graph_of(source)  # type: ignore[arg-type]
    names = {node.variable: node.name for node in theory.nodes}
    return _renamed(graph_of(theory), names)


def _renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    return replace(
        graph,
        nodes=tuple(names[node] for node in graph.nodes),
        arrows=tuple((names[cause], names[effect]) for cause, effect in graph.arrows),
        spouses=tuple(frozenset(names[node] for node in pair) for pair in graph.spouses),
    )


def node_of(graph: Graph, source: Source, name: str, argument: str) -> str:
    """Return the node that a user means: its name, or the column that a construct is.

    Raises
    ------
    OptionError
        If there is none.
    """
    theory = theory_of(source)
    columns = {node.variable: node.name for node in theory.nodes} if theory is not None else {}
    found = columns.get(name, name)
    if found not in graph.nodes:
        raise OptionError(f"{argument}={name!r} is not in the diagram. It has {', '.join(graph.nodes)}.{closest(str(name), graph.nodes)}")
    return found


def ancestors(graph: Graph, nodes: Iterable[str]) -> set[str]:
    """Return nodes and what leads to them by arrows."""
    return _closed({node: {cause for cause, effect in graph.arrows if effect == node} for node in graph.nodes}, nodes)


def descendants(graph: Graph, nodes: Iterable[str]) -> set[str]:
    """Return nodes and what they lead to by arrows."""
    return _closed({node: {effect for cause, effect in graph.arrows if cause == node} for node in graph.nodes}, nodes)


def _closed(near: Mapping[str, set[str]], nodes: Iterable[str]) -> set[str]:
    found = set(nodes)
    waiting = list(found)
    while waiting:
        for node in near[waiting.pop()] - found:
            found.add(node)
            waiting.append(node)
    return found


def pattern_of(graph: Graph) -> Pattern:
    """Return an acyclic diagram by numbers, in the order of its nodes.

    Raises
    ------
    NotAvailableError
        If arrows go round in a circle.
    """
    place = {node: number for number, node in enumerate(graph.nodes)}
    parents: list[list[int]] = [[] for _ in graph.nodes]
    spouses: list[set[int]] = [set() for _ in graph.nodes]
    for cause, effect in graph.arrows:
        parents[place[effect]].append(place[cause])
    for pair in graph.spouses:
        one, other = (place[node] for node in pair)
        spouses[one].add(other)
        spouses[other].add(one)
    order = tuple(place[node] for node in causal_order(graph))
    return Pattern(order, tuple(tuple(sorted(p)) for p in parents), tuple(frozenset(s) for s in spouses))
