"""Latent projection: what a theory says about the variables that are left when some are dropped.

The graph has arrows (directed edges) and spouses (bidirected edges: an association of two error terms). Removing a node v joins every
parent of v to every child of v by an arrow, every two children by a spouse edge, and every spouse of v to every child by a spouse edge
(Verma 1993, Pearl 2009, section 2.6). The covariances of what is left are all that the original could produce, and maybe more.

An arrow and a spouse edge between the same two nodes (a bow) usually cannot both be estimated. :func:`absorb` folds a bow into the arrow
where that loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Absorption", "Arrow", "MixedGraph", "Spouse", "absorb", "project", "project_values", "topological"]

_RESIDUAL = "residual association"


@dataclass(frozen=True)
class Arrow:
    """A directed edge.

    Attributes
    ----------
    cause, effect : str
        Nodes.
    sign : str
        ``"+"``, ``"-"``, or ``"?"`` if its routes disagree.
    routes : tuple of str
        Routes through removed nodes that it stands for.
    stated : bool
        Whether it was there before anything was removed.
    """

    cause: str
    effect: str
    sign: str = "+"
    routes: tuple[str, ...] = ()
    stated: bool = True


@dataclass(frozen=True)
class Spouse:
    """A bidirected edge.

    Attributes
    ----------
    left, right : str
        Nodes.
    origin : str
        The removed node that it stands for, or also stands for; empty if there is none.
    stated : bool
        Whether it was there before anything was removed.
    """

    left: str
    right: str
    origin: str = ""
    stated: bool = True

    @property
    def pair(self) -> frozenset[str]:
        """The two nodes, in no order."""
        return frozenset((self.left, self.right))


class Absorption(NamedTuple):
    """The bows between `sources` and `child` were folded into the arrows."""

    child: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class MixedGraph:
    """A graph with arrows and spouse edges.

    Attributes
    ----------
    nodes : tuple of str
        All nodes.
    arrows : tuple of Arrow
        Directed edges, at most one per ordered pair.
    spouses : tuple of Spouse
        Bidirected edges, at most one per pair.
    """

    nodes: tuple[str, ...]
    arrows: tuple[Arrow, ...]
    spouses: tuple[Spouse, ...] = ()

    def parents(self, node: str) -> tuple[str, ...]:
        """Nodes with an arrow into `node`."""
        return tuple(arrow.cause for arrow in self.arrows if arrow.effect == node)

    def children(self, node: str) -> tuple[str, ...]:
        """Nodes with an arrow from `node`."""
        return tuple(arrow.effect for arrow in self.arrows if arrow.cause == node)

    def partners(self, node: str) -> tuple[str, ...]:
        """Nodes with a spouse edge to `node`."""
        return tuple(other for spouse in self.spouses if node in spouse.pair for other in spouse.pair if other != node)


def topological(nodes: Sequence[str], arrows: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return `nodes` in an order in which causes come before effects.

    Parameters
    ----------
    nodes : sequence of str
        All nodes.
    arrows : iterable of (str, str)
        Pairs (cause, effect).

    Returns
    -------
    tuple of str
        Shorter than `nodes` if there is a cycle: the nodes on a cycle, and what follows from them, are left out.
    """
    pairs = list(arrows)
    done: list[str] = []
    left = list(nodes)
    while left:
        blocked = {effect for cause, effect in pairs if cause in left}
        ready = [node for node in left if node not in blocked]
        if not ready:
            break
        done.extend(ready)
        left = [node for node in left if node in blocked]
    return tuple(done)


def project(graph: MixedGraph, removed: Sequence[str]) -> MixedGraph:
    """Remove nodes by latent projection.

    Parameters
    ----------
    graph : MixedGraph
        An acyclic graph.
    removed : sequence of str
        Nodes to remove. The order does not change which edges result.

    Returns
    -------
    MixedGraph
        Derived arrows have ``stated=False`` and name their routes; an arrow that was there keeps its place and lists further routes.
        An arrow and a spouse edge between the same nodes are both kept.
    """
    for node in removed:
        graph = _remove(graph, node)
    return graph


def _remove(graph: MixedGraph, node: str) -> MixedGraph:
    into = [arrow for arrow in graph.arrows if arrow.effect == node]
    out = [arrow for arrow in graph.arrows if arrow.cause == node]
    arrows = {(arrow.cause, arrow.effect): arrow for arrow in graph.arrows if node not in (arrow.cause, arrow.effect)}
    for first in into:
        for second in out:
            pair = (first.cause, second.effect)
            arrows[pair] = _join(arrows.get(pair), first, second)
    spouses = {spouse.pair: spouse for spouse in graph.spouses if node not in spouse.pair}
    children = [arrow.effect for arrow in out]
    joined = [(one, two) for i, one in enumerate(children) for two in children[i + 1 :]]
    joined += [(partner, child) for partner in graph.partners(node) for child in children if partner != child]
    for left, right in joined:
        existing = spouses.get(frozenset((left, right)), Spouse(left, right, stated=False))
        spouses[existing.pair] = replace(existing, origin=existing.origin or node)
    return MixedGraph(tuple(n for n in graph.nodes if n != node), tuple(arrows.values()), tuple(spouses.values()))


def _join(existing: Arrow | None, first: Arrow, second: Arrow) -> Arrow:
    sign = "?" if "?" in (first.sign, second.sign) else "+" if first.sign == second.sign else "-"
    # Both ends name the removed node in the middle; it is written once.
    routes = tuple(head + tail.removeprefix(second.cause) for head in _ways(first) for tail in _ways(second))
    if existing is None:
        return Arrow(first.cause, second.effect, sign, routes, stated=False)
    return replace(existing, sign=existing.sign if existing.sign == sign else "?", routes=existing.routes + routes)


def _ways(arrow: Arrow) -> tuple[str, ...]:
    own = (f"{arrow.cause} -> {arrow.effect}",) if arrow.stated else ()
    return own + tuple(route for route in arrow.routes if not route.startswith(_RESIDUAL))


def absorb(graph: MixedGraph) -> tuple[MixedGraph, tuple[Absorption, ...]]:
    """Fold derived bows into their arrows where the family of covariance matrices stays the same.

    With e_c = e_c' + sum_s d_s e_s and cov(e_c', e_s) = 0, the spouse edges s <-> c disappear while the arrow s -> c and the arrows from the
    parents of s to c change their values. That needs the arrows to exist, and every other partner of s to be a partner of c.

    Parameters
    ----------
    graph : MixedGraph
        An acyclic graph.

    Returns
    -------
    MixedGraph
        Without the bows that could be folded.
    tuple of Absorption
        What was folded, in the order in which it must be done with numbers.
    """
    done: list[Absorption] = []
    for child in topological(graph.nodes, ((arrow.cause, arrow.effect) for arrow in graph.arrows)):
        sources = _absorbable(graph, child)
        if not sources:
            continue
        origins = {next(iter(s.pair - {child})): s.origin for s in graph.spouses if child in s.pair}
        arrows = tuple(
            replace(arrow, routes=(*arrow.routes, f"{_RESIDUAL} of {arrow.cause} and {child} through {origins[arrow.cause]}"))
            if arrow.effect == child and arrow.cause in sources
            else arrow
            for arrow in graph.arrows
        )
        spouses = tuple(s for s in graph.spouses if not (child in s.pair and s.pair & set(sources)))
        graph = replace(graph, arrows=arrows, spouses=spouses)
        done.append(Absorption(child, sources))
    return graph, tuple(done)


def _absorbable(graph: MixedGraph, child: str) -> tuple[str, ...]:
    parents = set(graph.parents(child))
    partners = set(graph.partners(child))
    derived = {other for spouse in graph.spouses if child in spouse.pair and not spouse.stated for other in spouse.pair - {child}}
    sources = {node for node in parents & derived if set(graph.parents(node)) <= parents}
    while True:
        keep = {node for node in sources if all(w in sources or w in partners for w in set(graph.partners(node)) - {child})}
        if keep == sources:
            return tuple(node for node in graph.nodes if node in sources)
        sources = keep


def project_values(
    names: Sequence[str],
    A: NDArray[np.float64],
    Psi: NDArray[np.float64],
    removed: Sequence[str],
    absorptions: Sequence[Absorption] = (),
) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Do with numbers what :func:`project` and :func:`absorb` do with edges.

    Parameters
    ----------
    names : sequence of str
        The k nodes.
    A : ndarray, shape (k, k)
        Path coefficients; ``A[i, j]`` from j to i.
    Psi : ndarray, shape (k, k)
        Covariances of the errors.
    removed : sequence of str
        Nodes to remove.
    absorptions : sequence of Absorption
        As returned by :func:`absorb`.

    Returns
    -------
    tuple of str, ndarray, ndarray
        Names, coefficients and error covariances of what is left. The covariance matrix of the remaining variables is unchanged.
    """
    left = list(names)
    A, Psi = A.copy(), Psi.copy()
    for node in removed:
        k = left.index(node)
        # Substituting x_k = A_k x + e_k into the other equations.
        column = A[:, k].copy()
        T = np.eye(len(left))
        T[:, k] += column
        A = A + np.outer(column, A[k])
        Psi = T @ Psi @ T.T
        rest = [i for i in range(len(left)) if i != k]
        A, Psi = A[np.ix_(rest, rest)], Psi[np.ix_(rest, rest)]
        left.remove(node)
    for child, sources in absorptions:
        c = left.index(child)
        s = [left.index(source) for source in sources]
        weights = np.linalg.solve(Psi[np.ix_(s, s)], Psi[s, c])
        A[c] += weights @ (np.eye(len(left))[s] - A[s])
        T = np.eye(len(left))
        T[c, s] -= weights
        Psi = T @ Psi @ T.T
        # Exactly zero by construction; rounding would leave a trace.
        Psi[c, s] = Psi[s, c] = 0.0
    return tuple(left), A, Psi
