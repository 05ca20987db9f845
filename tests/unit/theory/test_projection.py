from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from trustsem.theory.projection import Arrow, MixedGraph, Spouse, absorb, project, project_values, topological


def random_graph(rng: np.random.Generator, k: int) -> tuple[MixedGraph, np.ndarray, np.ndarray]:
    names = tuple(f"x{i}" for i in range(k))
    A, Psi = np.zeros((k, k)), np.eye(k) * 2.0
    arrows, spouses = [], []
    for j in range(k):
        for i in range(j + 1, k):
            if rng.random() < 0.45:
                A[i, j] = rng.normal()
                arrows.append(Arrow(names[j], names[i], "+" if A[i, j] > 0 else "-"))
            if rng.random() < 0.2:
                Psi[i, j] = Psi[j, i] = 0.3 * rng.normal()
                spouses.append(Spouse(names[j], names[i]))
    return MixedGraph(names, tuple(arrows), tuple(spouses)), A, Psi


def covariance(A: np.ndarray, Psi: np.ndarray) -> np.ndarray:
    B = np.linalg.inv(np.eye(len(A)) - A)
    return B @ Psi @ B.T


def only_on_edges(graph: MixedGraph, A: np.ndarray, Psi: np.ndarray) -> bool:
    index = {name: i for i, name in enumerate(graph.nodes)}
    allowed, paired = np.zeros(A.shape, bool), np.eye(len(A), dtype=bool)
    for arrow in graph.arrows:
        allowed[index[arrow.effect], index[arrow.cause]] = True
    for spouse in graph.spouses:
        i, j = index[spouse.left], index[spouse.right]
        paired[i, j] = paired[j, i] = True
    return bool(np.all(A[~allowed] == 0) and np.allclose(Psi[~paired], 0, atol=1e-12))


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("fold", [False, True])
def test_values_on_the_projected_edges_reproduce_the_covariances(seed, fold):
    rng = np.random.default_rng(seed)
    graph, A, Psi = random_graph(rng, 7)
    removed = [str(name) for name in rng.permutation(graph.nodes)[:3]]
    small, absorptions = absorb(project(graph, removed)) if fold else (project(graph, removed), ())
    names, a, psi = project_values(graph.nodes, A, Psi, removed, absorptions)
    kept = [graph.nodes.index(name) for name in names]
    assert names == small.nodes
    np.testing.assert_allclose(covariance(a, psi), covariance(A, Psi)[np.ix_(kept, kept)], rtol=1e-9, atol=1e-9)
    assert only_on_edges(small, a, psi)


def test_absorption_happens_in_the_random_graphs():
    folded = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        graph, _, _ = random_graph(rng, 7)
        folded += len(absorb(project(graph, [str(name) for name in rng.permutation(graph.nodes)[:3]]))[1])
    assert folded > 5


def edges(graph: MixedGraph) -> tuple[object, ...]:
    return frozenset((a.cause, a.effect, a.sign, a.stated, frozenset(a.routes)) for a in graph.arrows), frozenset(s.pair for s in graph.spouses)


def test_the_order_of_removal_does_not_matter():
    for seed in range(20):
        graph, _, _ = random_graph(np.random.default_rng(seed), 6)
        results = {edges(project(graph, order)) for order in permutations(graph.nodes[1:4])}
        assert len(results) == 1


def test_signs_multiply_and_routes_are_named():
    graph = MixedGraph(("a", "b", "c", "d"), (Arrow("a", "b", "-"), Arrow("b", "c", "-"), Arrow("c", "d", "-")))
    (arrow,) = project(graph, ["b", "c"]).arrows
    assert (arrow.cause, arrow.effect, arrow.sign, arrow.stated) == ("a", "d", "-", False)
    assert arrow.routes == ("a -> b -> c -> d",)


def test_routes_that_disagree_leave_the_sign_open():
    graph = MixedGraph(("a", "b", "c", "d"), (Arrow("a", "b"), Arrow("b", "d"), Arrow("a", "c"), Arrow("c", "d", "-"), Arrow("a", "d")))
    assert project(graph, ["b"]).arrows[-1].sign == "+"
    (arrow,) = project(graph, ["b", "c"]).arrows
    assert arrow.sign == "?"
    assert arrow.stated
    assert set(arrow.routes) == {"a -> b -> d", "a -> c -> d"}


def test_children_and_spouses_of_a_removed_node_become_spouses():
    graph = MixedGraph(("u", "v", "x", "y"), (Arrow("v", "x"), Arrow("v", "y")), (Spouse("u", "v"),))
    small = project(graph, ["v"])
    assert small.arrows == ()
    assert {s.pair for s in small.spouses} == {frozenset("xy"), frozenset("ux"), frozenset("uy")}
    assert all(s.origin == "v" and not s.stated for s in small.spouses)


def test_a_spouse_edge_that_was_there_stays_stated():
    graph = MixedGraph(("v", "x", "y"), (Arrow("v", "x"), Arrow("v", "y")), (Spouse("x", "y"),))
    (spouse,) = project(graph, ["v"]).spouses
    assert (spouse.stated, spouse.origin) == (True, "v")


def test_a_bow_is_kept_by_projection_and_folded_only_if_nothing_is_lost():
    # z -> s -> c with s <- v -> c: folding s <-> c needs an arrow z -> c, which is not there (z is an instrument).
    arrows = (Arrow("z", "s"), Arrow("s", "c"), Arrow("v", "s"), Arrow("v", "c"))
    kept = project(MixedGraph(("z", "v", "s", "c"), arrows), ["v"])
    assert {(a.cause, a.effect) for a in kept.arrows} == {("z", "s"), ("s", "c")}
    assert absorb(kept) == (kept, ())
    folded, done = absorb(project(MixedGraph(("z", "v", "s", "c"), (*arrows, Arrow("z", "c"))), ["v"]))
    assert folded.spouses == ()
    assert done == (("c", ("s",)),)
    assert "residual association of s and c through v" in {r for a in folded.arrows for r in a.routes}


def test_a_bow_that_was_stated_is_not_folded():
    graph = MixedGraph(("s", "c"), (Arrow("s", "c"),), (Spouse("s", "c"),))
    assert absorb(graph) == (graph, ())


def test_topological_leaves_out_cycles():
    assert topological(["a", "b", "c"], [("c", "b"), ("b", "a")]) == ("c", "b", "a")
    assert topological(["a", "b", "c"], [("b", "c"), ("c", "b")]) == ("a",)
