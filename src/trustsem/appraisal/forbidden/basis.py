"""What a path diagram says about independence: a set of statements to be tested.

Sources: Shipley 2000, doi 10.1207/S15328007SEM0702_4 (basis set of an acyclic diagram); :mod:`trustsem.appraisal.diagrams.moral` (separation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from trustsem.appraisal.diagrams.moral import m_separated, separator
from trustsem.appraisal.structure import Graph, graph_of_table
from trustsem.appraisal.told import Told
from trustsem.errors import ModelError, NotAvailableError, OptionError
from trustsem.fitting.fit import Fit
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for
from trustsem.spec.table import ParameterTable
from trustsem.theory import Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Basis",
    "ImpliedIndependencies",
    "Independence",
    "basis_notes",
    "basis_set",
    "causal_order",
    "graph_of",
    "implied_independencies",
    "statement_frame",
]


@dataclass(frozen=True)
class Independence:
    """A statement: two variables are independent given others.

    Attributes
    ----------
    one, other : str
        In causal order, or in that of the model where there is none.
    given : tuple of str
    """

    one: str
    other: str
    given: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.one} _||_ {self.other}" + (f" | {', '.join(self.given)}" if self.given else "")

    def renamed(self, names: Mapping[str, str]) -> Independence:
        """Return the statement with other names for some variables."""
        return Independence(names.get(self.one, self.one), names.get(self.other, self.other), tuple(names.get(name, name) for name in self.given))


@dataclass(frozen=True)
class Basis:
    """The independencies of a diagram, one for each pair that is not joined.

    Attributes
    ----------
    statements : tuple of Independence
    inseparable : tuple of (str, str)
        Pairs that are not joined, and that no set separates: what the diagram denies there is no independence.
    complete : bool
        Whether the statements imply all others, and are tests of which none bears on another (Shipley's basis set).
    """

    statements: tuple[Independence, ...]
    inseparable: tuple[tuple[str, str], ...]
    complete: bool


def causal_order(graph: Graph) -> tuple[str, ...]:
    """Return the nodes with causes before effects, else in their own order.

    Raises
    ------
    NotAvailableError
        If arrows go round in a circle.
    """
    left, order = list(graph.nodes), []
    while left:
        ready = next((node for node in left if not any(parent in left for parent in graph.parents(node))), None)
        if ready is None:
            raise NotAvailableError(
                f"The arrows among {', '.join(left)} form a cycle, and what a cyclic diagram says about independence is not worked out here. "
                "Take out an arrow of the cycle."
            )
        left.remove(ready)
        order.append(ready)
    return tuple(order)


def basis_set(graph: Graph) -> Basis:
    """Return one statement of independence for each pair of nodes that is not joined.

    Parameters
    ----------
    graph : Graph
        Without cycles.

    Returns
    -------
    Basis

    Raises
    ------
    NotAvailableError
        For cyclic diagrams.

    Notes
    -----
    Where no residuals covary (causes without causes of their own may, all of them), the pair is separated by the parents of both, which is Shipley's
    basis set. Elsewhere by a smallest set that does it, in the sense that nothing can be left out.
    """
    order = causal_order(graph)
    rank = {node: place for place, node in enumerate(order)}
    outer = set(graph.exogenous)
    pairs = {frozenset(pair) for pair in combinations(outer, 2)}
    joined = {frozenset(arrow) for arrow in graph.arrows} | set(graph.spouses)
    complete = set(graph.spouses) in (set(), pairs)
    statements, inseparable = [], []
    for one, other in sorted(combinations(order, 2), key=lambda pair: (rank[pair[1]], rank[pair[0]])):
        if frozenset((one, other)) in joined:
            continue
        parents = {*graph.parents(one), *graph.parents(other)}
        found = parents if complete and m_separated(graph, one, other, parents) else separator(graph, one, other)
        if found is None:
            inseparable.append((one, other))
        else:
            statements.append(Independence(one, other, tuple(node for node in graph.nodes if node in found)))
    return Basis(tuple(statements), tuple(inseparable), complete)


def graph_of(source: Theory | str | ParameterTable | Fit) -> Graph:
    """Return the path diagram of the structural variables of a theory, of model text, of a table or of a fit.

    Raises
    ------
    OptionError
        For anything else.
    NotAvailableError
        For several groups and for two levels.
    """
    if isinstance(source, Graph):
        return source
    if isinstance(source, Fit):
        table = source.model.table
    elif isinstance(source, Theory):
        table = source.model()
    elif isinstance(source, str):
        table = build_table(source, defaults_for("sem"))
    elif isinstance(source, ParameterTable):
        table = source
    else:
        raise OptionError(f"A path diagram is read from a theory, model text, a table or a fit, not from {type(source).__name__!r}.")
    if table.n_blocks > 1:
        what = "two levels" if table.n_levels > 1 else f"{table.n_groups} groups"
        raise NotAvailableError(f"The model has {what}, and so a diagram for each. Give the model of one group and level.")
    graph = graph_of_table(table)
    if len(graph.nodes) < 2:
        raise ModelError("The model has fewer than two structural variables, so there is nothing to be independent. Add a construct.")
    return graph


@dataclass(frozen=True, eq=False, repr=False)
class ImpliedIndependencies(Told):
    """The conditional independencies that a path diagram implies; prints itself.

    Attributes
    ----------
    graph : Graph
    basis : Basis
    frame : DataFrame
        One row per statement, and per pair that nothing separates: ``one other given statement testable``.
    heading, notes
        As printed.
    """

    graph: Graph
    basis: Basis
    frame: pd.DataFrame
    notes: tuple[str, ...]
    heading: str = "Implied conditional independencies"
    shown = ("statement", "testable")


def statement_frame(basis: Basis) -> pd.DataFrame:
    """Return one row per statement, then one per pair that no set separates."""
    import pandas as pd

    rows = [(s.one, s.other, ", ".join(s.given), str(s), True) for s in basis.statements]
    rows += [(one, other, "", f"no set separates {one} and {other}", False) for one, other in basis.inseparable]
    return pd.DataFrame(rows, columns=["one", "other", "given", "statement", "testable"])


def basis_notes(basis: Basis) -> tuple[str, ...]:
    """Return what kind of set the statements are."""
    if not basis.statements and not basis.inseparable:
        return ("Every pair is joined: the diagram implies no independence.",)
    if basis.complete:
        lines = ["The basis set of Shipley (2000): each pair that is not joined, given the parents of both. It implies every other independence."]
    else:
        lines = ["Residuals covary, so each pair that is not joined is given a set that separates it and of which nothing can be left out."]
    if basis.inseparable:
        lines.append("Pairs that no set separates are constrained otherwise than by an independence; score tests reach them (ts.forbidden).")
    return tuple(lines)


def implied_independencies(source: Theory | str | ParameterTable | Fit) -> ImpliedIndependencies:
    """Return the conditional independencies that a path diagram implies among its structural variables, latent ones included.

    Parameters
    ----------
    source : Theory, str, ParameterTable or Fit
        A theory, model text, a table, or a fitted model.

    Returns
    -------
    ImpliedIndependencies

    Raises
    ------
    OptionError, ModelError
        If `source` is no model, or has fewer than two structural variables.
    NotAvailableError
        For cyclic diagrams, several groups and two levels.
    """
    graph = graph_of(source)
    basis = basis_set(graph)
    return ImpliedIndependencies(graph, basis, statement_frame(basis), basis_notes(basis))
