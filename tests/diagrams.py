"""Random path diagrams, and slow definitions to compare with."""

from __future__ import annotations

from itertools import combinations, product

import networkx as nx
import numpy as np

from trustsem.appraisal.structure import Graph, canonical_dag


def random_graph(rng: np.random.Generator, n: int, density: float = 0.5, spouses: float = 0.0) -> Graph:
    """Return a bow-free acyclic diagram; a share `spouses` of its edges are covariances."""
    nodes = tuple(f"x{i}" for i in range(n))
    order = [nodes[i] for i in rng.permutation(n)]
    arrows, pairs = [], []
    for one, other in combinations(order, 2):
        if rng.random() < density:
            if rng.random() < spouses:
                pairs.append(frozenset((one, other)))
            else:
                arrows.append((one, other))
    return Graph(nodes, tuple(arrows), tuple(pairs))


def edges_of(graph: Graph) -> set[frozenset[str]]:
    return {frozenset(arrow) for arrow in graph.arrows} | set(graph.spouses)


def key_of(graph: Graph) -> tuple[frozenset[tuple[str, str]], frozenset[frozenset[str]]]:
    return frozenset(graph.arrows), frozenset(graph.spouses)


def subsets(items):
    items = list(items)
    for size in range(len(items) + 1):
        yield from combinations(items, size)


def independencies(graph: Graph) -> frozenset[tuple[str, str, tuple[str, ...]]]:
    """Return every independence that a diagram implies, by networkx."""
    dag = canonical_dag(graph)
    found = set()
    for one, other in combinations(graph.nodes, 2):
        rest = [node for node in graph.nodes if node not in (one, other)]
        found |= {(one, other, given) for given in subsets(rest) if nx.is_d_separator(dag, {one}, {other}, set(given))}
    return frozenset(found)


def colliders(graph: Graph) -> frozenset[tuple[frozenset[str], str]]:
    """Return the unshielded colliders, which diagrams with the same independencies share."""
    into = {
        node: [*graph.parents(node), *(other for pair in graph.spouses if node in pair for other in pair if other != node)] for node in graph.nodes
    }
    joined = edges_of(graph)
    return frozenset((frozenset(pair), node) for node in graph.nodes for pair in combinations(into[node], 2) if frozenset(pair) not in joined)


def like(graph: Graph, *, spouses: bool, clean=lambda graph: True):
    """Yield the diagrams with the same pairs joined and the same independencies."""
    shape, truth = colliders(graph), independencies(graph)
    for other in orientations(graph, spouses=spouses):
        if colliders(other) == shape and clean(other) and independencies(other) == truth:
            yield other


def orientations(graph: Graph, *, spouses: bool):
    """Yield every acyclic diagram that joins the same pairs, with at most one edge for each."""
    pairs = [tuple(sorted(pair)) for pair in sorted(edges_of(graph), key=sorted)]
    for kinds in product(range(3 if spouses else 2), repeat=len(pairs)):
        arrows = tuple((one, other) if kind == 0 else (other, one) for (one, other), kind in zip(pairs, kinds, strict=True) if kind < 2)
        joint = tuple(frozenset(pair) for pair, kind in zip(pairs, kinds, strict=True) if kind == 2)
        if nx.is_directed_acyclic_graph(nx.DiGraph(arrows)):
            yield Graph(graph.nodes, arrows, joint)
