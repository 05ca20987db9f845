"""m-separation in a path diagram, by the moral graph of ancestors.

Sources: Pearl 1988 (d-separation); Lauritzen, Dawid, Larsen & Leimer 1990 (moral graphs); Richardson 2003, doi 10.1111/1467-9469.00323 (residuals
that covary); van der Zander, Liskiewicz & Textor 2014 (separating sets of which nothing can be left out).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from trustsem.appraisal.structure import Graph

__all__ = ["m_separated", "separator"]


def m_separated(graph: Graph, one: str, other: str, given: Collection[str] = ()) -> bool:
    """Return whether two nodes are m-separated by others: independent given them in every distribution that the diagram allows.

    Notes
    -----
    Two nodes are joined in the moral graph of the ancestors of all of them if a path of colliders joins them; they are m-separated if every way from
    one to the other in it passes through a node that is given (Lauritzen et al. 1990; Richardson 2003).
    """
    moral = _moral(graph, {one, other, *given})
    return other not in _reached(moral, one, set(given))


def separator(graph: Graph, one: str, other: str) -> frozenset[str] | None:
    """Return a set that m-separates two nodes and of which nothing can be left out; None if there is none."""
    ancestors = _ancestors(graph, {one, other})
    moral = _moral(graph, {one, other})
    everything = ancestors - {one, other}
    if other in _reached(moral, one, everything):
        return None
    near_other = everything & _reached(moral, other, everything)
    near_one = near_other & _reached(moral, one, near_other)
    return frozenset(near_one)


def _ancestors(graph: Graph, nodes: Iterable[str]) -> set[str]:
    found, waiting = set(nodes), list(nodes)
    while waiting:
        for parent in graph.parents(waiting.pop()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def _moral(graph: Graph, nodes: set[str]) -> dict[str, set[str]]:
    """Return who is joined to whom in the moral graph of the ancestors of `nodes`."""
    kept = _ancestors(graph, nodes)
    spouses = [tuple(pair) for pair in graph.spouses if pair <= kept]
    joined: dict[str, set[str]] = {node: set() for node in kept}
    left = set(kept)
    while left:
        # A district: nodes that covariances of residuals join. Its members and all their parents are joined to each other.
        district = {left.pop()}
        grown = True
        while grown:
            more = {node for pair in spouses for node in pair if district & set(pair)} - district
            district |= more
            grown = bool(more)
        left -= district
        clique = district | {parent for node in district for parent in graph.parents(node)}
        for node in clique:
            joined[node] |= clique - {node}
    return joined


def _reached(joined: dict[str, set[str]], start: str, blocked: set[str]) -> set[str]:
    """Return the nodes that can be reached from `start`; blocked ones are reached, but not passed."""
    found, waiting = {start}, [start]
    while waiting:
        for node in joined[waiting.pop()] - found:
            found.add(node)
            if node not in blocked:
                waiting.append(node)
    return found
