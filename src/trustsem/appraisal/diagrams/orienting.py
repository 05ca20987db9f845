"""Arrows that all equivalent diagrams share: the partial ancestral graph of a diagram.

Marks at the ends of an edge that every equivalent ancestral diagram has are found from the joints that all of them share, by the orientation
rules of Zhang (2008, doi 10.1016/j.artint.2008.08.001), which are complete. Rules about selection (5 to 7) do not arise.

A diagram is ancestral if nothing covaries, in its residual, with what it leads to, and maximal if every pair that is not joined can be separated
(Richardson & Spirtes 2002, doi 10.1214/aos/1031689015). Two such diagrams imply the same covariance matrices if they imply the same
independencies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from trustsem.appraisal.diagrams.diagram import ancestors
from trustsem.appraisal.diagrams.moral import separator
from trustsem.appraisal.structure import Graph

__all__ = ["ARROW", "CIRCLE", "NONE", "TAIL", "is_ancestral", "is_maximal", "marks_of", "partial_ancestral", "turned"]

NONE, CIRCLE, ARROW, TAIL = range(4)
Marks: TypeAlias = NDArray[np.int8]


def marks_of(graph: Graph) -> Marks:
    """Return the marks of a diagram: ``marks[i, j]`` (m, m) is the mark at j of the edge between i and j."""
    place = {node: number for number, node in enumerate(graph.nodes)}
    marks = np.zeros((len(place), len(place)), dtype=np.int8)
    for cause, effect in graph.arrows:
        marks[place[cause], place[effect]], marks[place[effect], place[cause]] = ARROW, TAIL
    for pair in graph.spouses:
        one, other = (place[node] for node in pair)
        marks[one, other] = marks[other, one] = ARROW
    return marks


def is_ancestral(graph: Graph) -> bool:
    """Return whether no residual covariance joins a node and one that it leads to (an acyclic diagram is taken for granted)."""
    return not any(one in ancestors(graph, {other}) or other in ancestors(graph, {one}) for one, other in map(tuple, graph.spouses))


def is_maximal(graph: Graph) -> bool:
    """Return whether every pair that is not joined can be separated."""
    joined = {frozenset(arrow) for arrow in graph.arrows} | set(graph.spouses)
    return all(frozenset(pair) in joined or separator(graph, *pair) is not None for pair in combinations(graph.nodes, 2))


def partial_ancestral(graph: Graph) -> Marks:
    """Return the marks (m, m) that a maximal ancestral diagram shares with all its equivalents; circles where they differ."""
    truth = marks_of(graph)
    marks = np.where(truth != NONE, CIRCLE, NONE).astype(np.int8)
    m = len(graph.nodes)
    for b in range(m):
        for a, c in combinations(np.flatnonzero(truth[b]), 2):
            if truth[a, c] == NONE and truth[a, b] == ARROW and truth[c, b] == ARROW:
                marks[a, b] = marks[c, b] = ARROW
    changed = True
    while changed:
        before = marks.copy()
        _arrowheads(marks)
        _discriminated(marks, truth)
        _tails(marks)
        changed = not np.array_equal(before, marks)
    return marks


def _near(marks: Marks, node: int) -> Sequence[int]:
    return [int(other) for other in np.flatnonzero(marks[node])]


def _arrowheads(marks: Marks) -> None:
    """Apply the rules 1 to 3."""
    m = len(marks)
    for b in range(m):
        for a, c in permutations(_near(marks, b), 2):
            joined = marks[a, c] != NONE
            if not joined and marks[a, b] == ARROW and marks[c, b] == CIRCLE:
                marks[c, b], marks[b, c] = TAIL, ARROW
            first = marks[a, b] == ARROW and marks[b, c] == ARROW
            if joined and first and marks[a, c] == CIRCLE and TAIL in (marks[b, a], marks[c, b]):
                marks[a, c] = ARROW
            if not joined and marks[a, b] == ARROW and marks[c, b] == ARROW:
                for d in _near(marks, b):
                    if marks[d, b] == CIRCLE and marks[a, d] == CIRCLE and marks[c, d] == CIRCLE:
                        marks[d, b] = ARROW


def _discriminated(marks: Marks, truth: Marks) -> None:
    """Apply rule 4: the node before the end of a discriminating path is a collider in all equivalent diagrams, or in none."""
    for c in range(len(marks)):
        for b in _near(marks, c):
            if marks[c, b] != CIRCLE:
                continue
            for a in _near(marks, b):
                if a != c and _parent(marks, a, c) and marks[b, a] == ARROW and _path_begins(marks, a, b, c):
                    if truth[a, b] == ARROW and truth[c, b] == ARROW:
                        marks[a, b] = marks[b, a] = marks[b, c] = marks[c, b] = ARROW
                    else:
                        marks[c, b], marks[b, c] = TAIL, ARROW
                    break


def _parent(marks: Marks, a: int, c: int) -> bool:
    return bool(marks[a, c] == ARROW and marks[c, a] == TAIL)


def _path_begins(marks: Marks, a: int, b: int, c: int) -> bool:
    """Return whether a path of parents of c that are colliders leads from a to a node that c is not joined with."""
    waiting, seen = [a], {a, b, c}
    while waiting:
        here = waiting.pop(0)
        for d in _near(marks, here):
            if d in seen or marks[d, here] != ARROW:
                continue
            if marks[d, c] == NONE:
                return True
            if marks[here, d] == ARROW and _parent(marks, d, c):
                seen.add(d)
                waiting.append(d)
    return False


def _tails(marks: Marks) -> None:
    """Apply the rules 8 to 10, which turn a o-> c into a -> c."""
    m = len(marks)
    for a, c in permutations(range(m), 2):
        if not (marks[a, c] == ARROW and marks[c, a] == CIRCLE):
            continue
        if (
            any(_parent(marks, a, b) and _parent(marks, b, c) for b in range(m))
            or any(path[1] != c and marks[path[1], c] == NONE for path in _uncovered(marks, a, c))
            or _meet_at_parents(marks, a, c)
        ):
            marks[c, a] = TAIL


def _uncovered(marks: Marks, start: int, end: int) -> Iterator[list[int]]:
    """Yield the uncovered potentially directed paths from one node to another."""
    paths = [[start]]
    while paths:
        path = paths.pop()
        here = path[-1]
        if here == end:
            yield path
            continue
        for node in _near(marks, here):
            forward = marks[node, here] != ARROW and marks[here, node] != TAIL
            if node not in path and forward and (len(path) < 2 or marks[path[-2], node] == NONE):
                paths.append([*path, node])


def _meet_at_parents(marks: Marks, a: int, c: int) -> bool:
    parents = [b for b in range(len(marks)) if b != a and _parent(marks, b, c)]
    first = {b: {path[1] for path in _uncovered(marks, a, b)} for b in parents}
    return any(one != other and marks[one, other] == NONE for b, d in combinations(parents, 2) for one in first[b] for other in first[d])


def turned(graph: Graph, marks: Marks, source: int) -> Graph:
    """Return the equivalent diagram in which one node comes first among those whose order is open.

    Parameters
    ----------
    graph : Graph
        Maximal and ancestral.
    marks : (m, m) int
        Of :func:`partial_ancestral`.
    source : int
        A node. What circles alone connect it with follows from it.

    Returns
    -------
    Graph
        Circles beside an arrowhead are tails. Edges with two circles point away from the node that a search by greatest number of visited
        neighbours, begun at `source`, comes to first, which makes no unshielded collider (Zhang 2008, lemma on the circle component; Tarjan &
        Yannakakis 1984).
    """
    m = len(graph.nodes)
    circles = (marks == CIRCLE) & (marks.T == CIRCLE)
    rank, weight = {source: 0}, circles[source].astype(int)
    while len(rank) < m:
        following = max((v for v in range(m) if v not in rank), key=lambda v: (weight[v], -v))
        rank[following] = len(rank)
        weight = weight + circles[following]
    arrows, spouses = [], []
    for i, j in combinations(range(m), 2):
        if marks[i, j] == NONE:
            continue
        one, other = graph.nodes[i], graph.nodes[j]
        if marks[i, j] == ARROW and marks[j, i] == ARROW:
            spouses.append(frozenset((one, other)))
        elif circles[i, j]:
            arrows.append((one, other) if rank[i] < rank[j] else (other, one))
        else:
            arrows.append((one, other) if marks[i, j] == ARROW else (other, one))
    return Graph(graph.nodes, tuple(arrows), tuple(spouses))
