"""All sets of nodes that separate two nodes of a path diagram and of which nothing can be left out, with some nodes not allowed.

Such a set lies among the ancestors of the two nodes, and separates them in the moral graph of these (van der Zander, Liskiewicz & Textor 2019, doi
10.48550/arXiv.1803.00116). A node that is not allowed is taken out of the moral graph after its neighbours have been joined.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from typing import TypeAlias

from trustsem.appraisal.diagrams.diagram import ancestors
from trustsem.appraisal.structure import Graph

__all__ = ["allowed_moral_graph", "minimal_separators", "nearest_separator"]

Joined: TypeAlias = dict[str, set[str]]


def allowed_moral_graph(graph: Graph, one: str, other: str, allowed: Collection[str]) -> Joined:
    """Return who is joined to whom in the moral graph of the ancestors of two nodes, with the nodes that are not allowed taken out."""
    kept = ancestors(graph, {one, other})
    joined: Joined = {node: set() for node in kept}
    for district in _districts(graph, kept):
        clique = district | {parent for node in district for parent in graph.parents(node)}
        _join(joined, clique)
    for node in kept - {one, other} - set(allowed):
        near = joined.pop(node)
        for neighbour in near:
            joined[neighbour].discard(node)
        _join(joined, near)
    return joined


def _districts(graph: Graph, kept: set[str]) -> list[set[str]]:
    """Return the sets of nodes that residual covariances among `kept` connect."""
    districts = [{node} for node in kept]
    for pair in graph.spouses:
        if pair <= kept:
            touched = [district for district in districts if district & pair]
            districts = [district for district in districts if not district & pair] + [set().union(*touched)]
    return districts


def _join(joined: Joined, nodes: Collection[str]) -> None:
    for one, other in combinations(nodes, 2):
        joined[one].add(other)
        joined[other].add(one)


def _connected(joined: Joined, start: str, blocked: Collection[str]) -> set[str]:
    """Return the nodes that are connected with one, blocked ones left out."""
    found, waiting = {start}, [start]
    while waiting:
        for node in joined[waiting.pop()] - found - set(blocked):
            found.add(node)
            waiting.append(node)
    return found


def _border(joined: Joined, nodes: Collection[str]) -> frozenset[str]:
    return frozenset(neighbour for node in nodes for neighbour in joined[node] if neighbour not in nodes)


def nearest_separator(joined: Joined, one: str, other: str) -> frozenset[str] | None:
    """Return the separating set that lies nearest to `one`, of which nothing can be left out; None if there is none."""
    if other in joined[one]:
        return None
    return _border(joined, _connected(joined, other, joined[one]))


def minimal_separators(joined: Joined, one: str, other: str, limit: int) -> tuple[tuple[frozenset[str], ...], bool]:
    """Return the sets that separate two nodes of an undirected graph and of which nothing can be left out.

    Parameters
    ----------
    joined : dict
        Who is joined to whom.
    one, other : str
        Two of its nodes.
    limit : int
        Return no more than that.

    Returns
    -------
    tuple of frozenset
    bool
        Whether these are all.

    Notes
    -----
    From the set nearest to `one`, each of its members in turn is moved to the side of `one`, and the set taken that then lies nearest to that
    side (Kloks & Kratsch 1998, doi 10.1137/S009753979427087X).
    """
    first = nearest_separator(joined, one, other)
    if first is None:
        return (), True
    found = [first]
    for here in found:
        side = _connected(joined, one, here)
        for node in sorted(here - joined[other]):
            grown = side | {node}
            following = _border(joined, _connected(joined, other, _border(joined, grown) | grown))
            if following not in found:
                if len(found) >= limit:
                    return tuple(found), False
                found.append(following)
    return tuple(found), True
