"""Equivalent acyclic diagrams without residual covariances: which arrows they share, how many there are, and which.

Two such diagrams are equivalent if they join the same pairs and have the same unshielded colliders (Verma & Pearl
1990). All equivalent ones are reached by reversing, one after the other, arrows whose two ends have the same other parents
(Chickering 1995, doi 10.48550/arXiv.1302.4938).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

from trustsem.appraisal.structure import Graph

__all__ = ["covered_reversals", "equivalent_orders", "number_of_orientations"]

Near: TypeAlias = Mapping[str, Collection[str]]


def covered_reversals(graph: Graph) -> Iterator[Graph]:
    """Yield the diagrams that differ by one reversed arrow and are equivalent; without residual covariances."""
    for number, (cause, effect) in enumerate(graph.arrows):
        if set(graph.parents(effect)) - {cause} == set(graph.parents(cause)):
            arrows = (*graph.arrows[:number], (effect, cause), *graph.arrows[number + 1 :])
            yield Graph(graph.nodes, arrows, graph.spouses)


def equivalent_orders(graph: Graph, limit: int) -> tuple[tuple[Graph, ...], bool]:
    """Return the equivalent acyclic diagrams without residual covariances, the given one first, nearest first.

    Parameters
    ----------
    graph : Graph
        Acyclic and without residual covariances.
    limit : int
        Return no more than that.

    Returns
    -------
    tuple of Graph
    bool
        Whether these are all.
    """
    found, known = [graph], {frozenset(graph.arrows)}
    for here in found:
        for other in covered_reversals(here):
            if frozenset(other.arrows) in known:
                continue
            if len(found) >= limit:
                return tuple(found), False
            known.add(frozenset(other.arrows))
            found.append(other)
    return tuple(found), True


def number_of_orientations(nodes: Sequence[str], edges: Collection[frozenset[str]]) -> int:
    """Return in how many ways edges can be made arrows without cycle and without unshielded collider.

    Parameters
    ----------
    nodes : sequence of str
    edges : collection of frozenset
        Of a graph in which every longer circle has a short cut (chordal); for others the number is 0 or wrong.

    Notes
    -----
    Every such orientation of a connected part has one node that comes first. Rooting the part there leaves parts whose arrows are open, each
    counted for itself (He, Jia & Yu 2015, Journal of Machine Learning Research 16:2589-2609).
    """
    near = {node: {other for edge in edges if node in edge for other in edge - {node}} for node in nodes}
    return _count(frozenset(nodes), near, {})


def _count(nodes: frozenset[str], near: Near, known: dict[frozenset[str], int]) -> int:
    return math.prod(_count_connected(part, near, known) for part in _parts(nodes, near))


def _count_connected(part: frozenset[str], near: Near, known: dict[frozenset[str], int]) -> int:
    if part not in known:
        degrees = [len(part & set(near[node])) for node in part]
        if min(degrees) == len(part) - 1:
            known[part] = math.factorial(len(part))
        else:
            known[part] = sum(math.prod(_count(left, near, known) for left in _rooted(part, near, root)) for root in sorted(part))
    return known[part]


def _parts(nodes: Collection[str], near: Near) -> list[frozenset[str]]:
    left, parts = set(nodes), []
    while left:
        part, waiting = set(), [left.pop()]
        while waiting:
            node = waiting.pop()
            part.add(node)
            fresh = left & set(near[node])
            left -= fresh
            waiting.extend(fresh)
        parts.append(frozenset(part))
    return parts


def _rooted(part: frozenset[str], near: Near, root: str) -> list[frozenset[str]]:
    """Return the sets of nodes among which arrows are still open once `root` comes first.

    Nodes are taken in layers: those joined to what has come before. Within a layer an edge is an arrow if an earlier node points to one end and
    is not joined to the other, or if the arrows that this forces do.
    """
    arrows = {(root, node) for node in near[root] if node in part}
    edges = {frozenset((a, b)) for a in part for b in near[a] if b in part} - {frozenset(arrow) for arrow in arrows}
    changed = True
    while changed:
        changed = False
        for edge in sorted(edges, key=sorted):
            one, other = sorted(edge)
            for a, b in ((one, other), (other, one)):
                if _forced(arrows, near, part, a, b):
                    arrows.add((a, b))
                    edges.discard(edge)
                    changed = True
                    break
    open_near = {node: {other for edge in edges if node in edge for other in edge - {node}} for node in part}
    return [piece for piece in _parts(part, open_near) if len(piece) > 1]


def _forced(arrows: set[tuple[str, str]], near: Near, part: frozenset[str], a: str, b: str) -> bool:
    """Rules 1 to 3 of Meek (1995, doi 10.48550/arXiv.1302.4972) for the edge a - b."""
    if any((c, a) in arrows and b not in near[c] for c in part):
        return True
    if any((a, c) in arrows and (c, b) in arrows for c in part):
        return True
    into = [c for c in part if (c, b) in arrows and c in near[a] and (c, a) not in arrows and (a, c) not in arrows]
    return any(d not in near[c] for i, c in enumerate(into) for d in into[i + 1 :])
