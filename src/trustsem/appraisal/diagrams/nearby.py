"""Models near a path diagram that imply the same covariances, found by changing one edge at a time and checked by their covariances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trustsem.appraisal.diagrams.diagram import ancestors, pattern_of
from trustsem.appraisal.structure import Graph
from trustsem.inference.path_diagrams import belongs, drawn_covariance
from trustsem.kernels.structure import Reals

__all__ = ["Nearby", "changes_between", "nearby", "same_covariances"]

_SEED = 20220829
_POINTS = 2


@dataclass(frozen=True)
class Nearby:
    """Equivalent diagrams.

    Attributes
    ----------
    graphs : tuple of Graph
        Nearest first, without the one they were found from.
    exhausted : bool
        Whether no further ones are reached by single changes.
    settled : bool
        Whether the diagram itself identifies its coefficients, without which nothing can be compared.
    """

    graphs: tuple[Graph, ...]
    exhausted: bool
    settled: bool


def same_covariances(graph: Graph, other: Graph) -> bool | None:
    """Return whether two diagrams of the same nodes imply the same covariance matrices.

    Returns
    -------
    bool or None
        None if the coefficients of one are not identified, so that the check is not possible.

    Notes
    -----
    Diagrams that identify their coefficients have as many dimensions as nodes and edges. Covariance matrices drawn at random from the one belong
    to the other with probability 1 if all do, and with probability 0 otherwise; with equal dimensions each then holds the other's (up to matrices
    that form a set of measure zero).
    """
    points = _points(graph)
    return None if points is None else _equal(points, graph, other)


def _points(graph: Graph) -> tuple[Reals, ...] | None:
    pattern = pattern_of(graph)
    rng = np.random.default_rng(_SEED)
    points = tuple(drawn_covariance(pattern, rng) for _ in range(_POINTS))
    return points if belongs(points[0], pattern) else None


def _equal(points: tuple[Reals, ...], graph: Graph, other: Graph) -> bool | None:
    if len(graph.arrows) + len(graph.spouses) != len(other.arrows) + len(other.spouses):
        return False
    pattern = pattern_of(other)
    for point in points:
        answer = belongs(point, pattern)
        if not answer:
            return answer
    return True


def nearby(graph: Graph, limit: int, most: int) -> Nearby:
    """Return equivalent diagrams that single changes of edges lead to, each of the diagrams on the way being equivalent too.

    Parameters
    ----------
    graph : Graph
        Acyclic.
    limit : int
        Stop after that many diagrams.
    most : int
        Stop after that many checks.

    Notes
    -----
    A change makes an arrow of a covariance, a covariance of an arrow, or turns an arrow round: the replacing rules of Lee & Hershberger (1990, doi
    10.1207/s15327906mbr2503_4), with the check of covariances in the place of their conditions. Pairs joined by both an arrow and a covariance
    stay as they are.
    """
    points = _points(graph)
    if points is None:
        return Nearby((), False, False)
    found, known, checks = [graph], {_key(graph)}, 0
    for here in found:
        for other in _changed(here):
            if _key(other) in known:
                continue
            if len(found) > limit or checks >= most:
                return Nearby(tuple(found[1 : limit + 1]), False, True)
            known.add(_key(other))
            checks += 1
            if _equal(points, graph, other):
                found.append(other)
    return Nearby(tuple(found[1:]), True, True)


def _key(graph: Graph) -> tuple[frozenset[tuple[str, str]], frozenset[frozenset[str]]]:
    return frozenset(graph.arrows), frozenset(graph.spouses)


def _changed(graph: Graph) -> Iterator[Graph]:
    """Yield the acyclic diagrams that differ in one edge."""
    both = {frozenset(arrow) for arrow in graph.arrows} & set(graph.spouses)
    for number, (cause, effect) in enumerate(graph.arrows):
        if frozenset((cause, effect)) in both:
            continue
        rest = Graph(graph.nodes, (*graph.arrows[:number], *graph.arrows[number + 1 :]), graph.spouses)
        # Turned round, the arrow closes a circle if the cause leads to the effect by another way.
        if cause not in ancestors(rest, [effect]):
            yield Graph(graph.nodes, (*graph.arrows[:number], (effect, cause), *graph.arrows[number + 1 :]), graph.spouses)
        yield Graph(graph.nodes, rest.arrows, (*graph.spouses, frozenset((cause, effect))))
    for pair in graph.spouses:
        if pair in both:
            continue
        spouses = tuple(other for other in graph.spouses if other != pair)
        one, other = sorted(pair, key=graph.nodes.index)
        for cause, effect in ((one, other), (other, one)):
            if effect not in ancestors(graph, [cause]):
                yield Graph(graph.nodes, (*graph.arrows, (cause, effect)), spouses)


def changes_between(graph: Graph, other: Graph) -> tuple[str, ...]:
    """Return in words which edges of the second diagram the first does not have."""
    new = [f"{cause} -> {effect}" for cause, effect in other.arrows if (cause, effect) not in graph.arrows]
    pairs = [sorted(pair, key=graph.nodes.index) for pair in other.spouses if pair not in graph.spouses]
    return (*new, *(f"{one} ~~ {two}" for one, two in pairs))
