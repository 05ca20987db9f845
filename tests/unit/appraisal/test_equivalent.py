"""Equivalent theories against brute force, causal-learn, published examples, and fits."""

from __future__ import annotations

import json
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from diagrams import edges_of, key_of, like, orientations, random_graph
from helpers import holzinger, quietly
from trustsem.appraisal.diagrams.adjustment import adjustment_sets, instruments
from trustsem.appraisal.diagrams.counting import equivalent_orders, number_of_orientations
from trustsem.appraisal.diagrams.diagram import ancestors, path_diagram
from trustsem.appraisal.diagrams.equivalent import equivalent_theories
from trustsem.appraisal.diagrams.nearby import nearby, same_covariances
from trustsem.appraisal.diagrams.orienting import ARROW, CIRCLE, NONE, TAIL, is_ancestral, is_maximal, marks_of, partial_ancestral, turned
from trustsem.appraisal.structure import Graph
from trustsem.errors import ModelError, NotAvailableError, OptionError

METZ = ts.load_theory("metz2022")


def is_clean(graph):
    return is_ancestral(graph) and is_maximal(graph)


def by_statement(result):
    return result.frame.set_index("statement")["one_wave"].to_dict()


def cpdag_of(graph):
    """Return the essential graph by causal-learn as sets of compelled and of reversible pairs."""
    from causallearn.graph.Dag import Dag
    from causallearn.graph.GraphNode import GraphNode
    from causallearn.utils.DAG2CPDAG import dag2cpdag

    nodes = {name: GraphNode(name) for name in graph.nodes}
    dag = Dag(list(nodes.values()))
    for cause, effect in graph.arrows:
        dag.add_directed_edge(nodes[cause], nodes[effect])
    found = dag2cpdag(dag)
    compelled, open_pairs = set(), set()
    for edge in found.get_graph_edges():
        one, other = edge.get_node1().get_name(), edge.get_node2().get_name()
        ends = edge.get_endpoint1().name, edge.get_endpoint2().name
        if ends == ("TAIL", "ARROW"):
            compelled.add((one, other))
        elif ends == ("ARROW", "TAIL"):
            compelled.add((other, one))
        else:
            open_pairs.add(frozenset((one, other)))
    return compelled, open_pairs


def test_reversible_arrows_agree_with_causal_learn_on_random_diagrams():
    rng = np.random.default_rng(1)
    reversible = 0
    for _ in range(300):
        graph = random_graph(rng, int(rng.integers(2, 8)), float(rng.choice([0.3, 0.5, 0.8])))
        if not graph.arrows:
            continue
        compelled, open_pairs = cpdag_of(graph)
        frame = equivalent_theories(graph, limit=1).frame
        got = {frozenset(s.split(" -> ")) for s, back in zip(frame["statement"], frame["backward"], strict=True) if back == "possible"}
        assert got == open_pairs
        assert {a for a in graph.arrows if frozenset(a) not in got} == compelled
        reversible += len(got)
    assert reversible > 200


def test_the_class_of_a_diagram_without_residual_covariances_is_complete():
    rng = np.random.default_rng(2)
    sizes = []
    for _ in range(40):
        graph = random_graph(rng, int(rng.integers(2, 6)), 0.6)
        members = {key_of(other) for other in like(graph, spouses=False)}
        found, complete = equivalent_orders(graph, 10_000)
        assert complete
        assert {key_of(other) for other in found} == members
        assert len(found) == len(members)
        assert equivalent_theories(graph, limit=1).number_of_orders == len(members) if graph.arrows else True
        sizes.append(len(members))
    assert max(sizes) >= 12


def test_orders_of_an_undirected_graph_are_counted_as_published():
    nodes = tuple("abcdef")
    chain = [frozenset(pair) for pair in pairwise(nodes)]
    assert number_of_orientations(nodes, chain) == 6  # a tree: one for each root
    assert number_of_orientations(nodes, [frozenset(pair) for pair in combinations(nodes, 2)]) == 720
    assert number_of_orientations(nodes, []) == 1
    # A complete graph without one edge has 2 (p - 1)! - (p - 2)! orders  (He, Jia & Yu 2015).
    almost = [frozenset(pair) for pair in combinations(nodes, 2)][1:]
    assert number_of_orientations(nodes, almost) == 2 * 120 - 24


def test_counts_are_those_of_the_enumeration():
    rng = np.random.default_rng(3)
    for _ in range(40):
        graph = random_graph(rng, 7, 0.5)
        found, complete = equivalent_orders(graph, 20_000)
        assert complete
        if graph.arrows:
            assert equivalent_theories(graph, limit=1).number_of_orders == len(found)
    some, complete = equivalent_orders(path_diagram("a ~ b\nb ~ c"), 2)
    assert len(some) == 2
    assert not complete


def test_marks_shared_by_all_equivalent_diagrams_agree_with_brute_force():
    rng = np.random.default_rng(4)
    tried = 0
    while tried < 30:
        graph = random_graph(rng, int(rng.integers(3, 6)), 0.55, 0.4)
        if len(edges_of(graph)) > 6 or not is_ancestral(graph) or not is_maximal(graph):
            continue
        tried += 1
        stacked = np.array([marks_of(other) for other in like(graph, spouses=True, clean=is_clean)])
        expected = np.where((stacked == stacked[0]).all(axis=0), stacked[0], CIRCLE)
        np.testing.assert_array_equal(partial_ancestral(graph), expected)


def test_marks_of_larger_diagrams_come_from_their_class():
    """Discriminating paths and tails (rules 4 and 8 to 10) need five nodes and more; marks are checked along single changes."""
    rng = np.random.default_rng(5)
    rules = {ARROW: 0, TAIL: 0, CIRCLE: 0}
    tried = 0
    while tried < 12:
        graph = random_graph(rng, 6, 0.5, 0.45)
        if not is_ancestral(graph) or not is_maximal(graph):
            continue
        tried += 1
        marks = partial_ancestral(graph)
        around = nearby(graph, 400, 4000)
        clean = [graph, *(o for o in around.graphs if is_ancestral(o) and is_maximal(o))]
        seen = np.array([marks_of(other) for other in clean])
        common = np.where((seen == seen[0]).all(axis=0), seen[0], CIRCLE)
        if around.exhausted:
            np.testing.assert_array_equal(marks, common)
        else:
            np.testing.assert_array_equal(np.where(marks == CIRCLE, marks, common), marks)
        for mark in rules:
            rules[mark] += int((marks == mark).sum())
    assert min(rules.values()) > 10


def test_a_discriminating_path_decides_a_shielded_collider():
    # d -> a <-> b <-> c with a -> c: the class of the diagram knows that b is a collider.
    graph = Graph(("d", "a", "b", "c", "e"), (("d", "a"), ("a", "c"), ("e", "a")), (frozenset(("a", "b")), frozenset(("b", "c"))))
    assert is_ancestral(graph)
    assert is_maximal(graph)
    marks = partial_ancestral(graph)
    d, a, b, c, _ = range(5)
    assert marks[a, b] == marks[b, a] == marks[b, c] == marks[c, b] == ARROW
    assert marks[a, c] == ARROW
    assert marks[c, a] == TAIL
    assert marks[d, a] == ARROW
    assert marks[a, d] == CIRCLE


def test_equality_of_covariances_is_equality_of_independencies_for_ancestral_diagrams():
    rng = np.random.default_rng(6)
    equal = 0
    for _ in range(25):
        graph = random_graph(rng, 4, 0.6, 0.4)
        if not is_ancestral(graph) or not is_maximal(graph):
            continue
        equals = {key_of(other) for other in like(graph, spouses=True, clean=is_clean)}
        for other in orientations(graph, spouses=True):
            if is_clean(other):
                assert same_covariances(graph, other) == (key_of(other) in equals)
        equal += len(equals)
    assert equal > 100


def test_diagrams_that_are_not_ancestral_are_compared_by_more_than_independencies():
    # Verma's example: no independence of b and d given one of the others, yet a constraint.
    verma = path_diagram("b ~ a\nc ~ b\nd ~ c\nb ~~ d\na ~~ a")
    assert not is_ancestral(verma)
    turned_round = path_diagram("b ~ a\nb ~ c\nd ~ c\nb ~~ d\na ~~ a")
    assert same_covariances(verma, turned_round) is False
    assert same_covariances(verma, verma) is True
    assert same_covariances(verma, path_diagram("b ~ a\nc ~ b\nd ~ c")) is False


def test_a_first_node_leads_to_everything_it_is_open_with():
    rng = np.random.default_rng(7)
    for _ in range(60):
        graph = random_graph(rng, 6, 0.5, 0.3)
        if not is_ancestral(graph) or not is_maximal(graph):
            continue
        marks = partial_ancestral(graph)
        for number, node in enumerate(graph.nodes):
            other = turned(graph, marks, number)
            assert same_covariances(graph, other)
            open_to = {graph.nodes[i] for i in range(6) if marks[number, i] == CIRCLE and marks[i, number] == CIRCLE}
            assert all((node, near) in other.arrows for near in open_to)


def test_one_wave_tells_no_direction_of_the_built_in_theory():
    result = equivalent_theories(METZ)
    arrows = result.frame[result.frame["kind"] == "arrow"]
    assert len(arrows) == 13
    assert set(arrows["id"]) == {claim.id for claim in METZ.claims}
    assert set(result.frame["one_wave"]) == {"cannot tell"}
    assert list(result.frame.loc[result.frame["kind"] == "covariance", "statement"]) == [f"{c.left} ~~ {c.right}" for c in METZ.covariances]
    assert result.number_of_orders == 408
    assert len(equivalent_orders(result.models[0].graph, 1000)[0]) == 408
    assert ("Trust", "Outcomes") in result.turns
    assert any("One wave cannot choose between Trust -> Outcomes and Outcomes -> Trust" in note for note in result.notes)
    first = result.models[0]
    assert first.title == "Outcomes first"
    assert "Trust" not in ancestors(first.graph, ["Outcomes"])
    assert "Outcomes" in ancestors(first.graph, ["Trust"])
    assert not result.all_listed
    assert len(result.models) == 50
    assert "Commitment ~ Outcomes" in first.syntax
    assert "cannot tell" in str(result)
    assert "<table" in result._repr_html_()
    told = json.loads(json.dumps(result.to_dict()))
    assert told["number_of_orders"] == 408
    assert len(told["models"]) == 50


@pytest.mark.parametrize("change", [lambda t: t, lambda t: t.strict(), lambda t: t.drop("Trust"), lambda t: t.with_path("Technical", "Capability")])
def test_rivals_are_equivalent_where_the_theory_says_so(change):
    theory = change(METZ)
    for rival in theory.rivals():
        if rival.theory is not None:
            assert same_covariances(path_diagram(theory), path_diagram(rival.theory)) == bool(rival.covariance_equivalent)


def test_what_fixing_the_residual_covariances_adds():
    told = by_statement(equivalent_theories(METZ.strict()))
    assert {s for s, word in told.items() if word == "cannot tell"} == {claim.path for claim in METZ.claims if "Trust" in (claim.cause, claim.effect)}
    assert {word for s, word in told.items() if "Trust" not in s} == {"tells"}


@pytest.mark.parametrize("number", [0, 1, 7, 25, 49])
def test_listed_models_fit_the_survey_exactly_as_well(number):
    data = ts.load_dataset("survey")
    model = equivalent_theories(METZ).models[number]
    one, other = (quietly(ts.sem, text, data) for text in (METZ.syntax(), model.syntax))
    assert other.converged
    assert other.df == one.df
    assert other.fit_measures(["chisq"]).iloc[0] == pytest.approx(one.fit_measures(["chisq"]).iloc[0], abs=1e-4)


@pytest.mark.parametrize("change", [lambda t: t.with_strategies("composites"), lambda t: t.with_strategies("predictors"), lambda t: t.drop("Trust")])
def test_models_of_variants_fit_as_well(change):
    theory = change(METZ)
    population = theory.population("calibrated")
    rng = np.random.default_rng(8)
    rows = rng.multivariate_normal(np.zeros(len(population.names)), population.cov, size=300)
    data = pd.DataFrame(rows, columns=population.names)
    result = equivalent_theories(theory)
    base = quietly(ts.sem, theory.syntax(), data, fixed_x=False)
    for model in (result.models[0], result.models[-1]):
        other = quietly(ts.sem, model.syntax, data, fixed_x=False)
        assert other.df == base.df
        assert other.fit_measures(["chisq"]).iloc[0] == pytest.approx(base.fit_measures(["chisq"]).iloc[0], abs=1e-3)


TEXTS = [
    "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6\nh =~ x7 + x8 + x9\ng ~ f\nh ~ g",
    "f =~ NA*x1 + x2 + x3\nf ~~ 1*f\ng =~ x4 + 1*x5 + x6\nh =~ x7 + a*x8 + a*x9\nx1 ~~ x2\ng ~ f\nh ~ g",
    "f =~ x1 + x2 + x3\nx4 ~ f\nx5 ~ x4",
    "x2 ~ x1\nx3 ~ x2\nx4 ~ x3 + x2",
]


@pytest.mark.parametrize("text", TEXTS)
def test_listed_models_of_any_text_fit_as_well(text):
    data = holzinger()
    base = quietly(ts.sem, text, data, fixed_x=False)
    for source in (text, base, ts.compile(text).model.table):
        models = equivalent_theories(source).models
        assert models
    for model in models:
        other = quietly(ts.lavaan, model.syntax, data, fixed_x=False)
        assert other.df == base.df
        assert other.fit_measures(["chisq"]).iloc[0] == pytest.approx(base.fit_measures(["chisq"]).iloc[0], abs=1e-4)


def test_an_appraisal_and_its_theory_say_the_same():
    appraisal = quietly(ts.appraise, METZ, ts.load_dataset("survey"), estimator="MLR", missing="fiml", cluster="team")
    assert equivalent_theories(appraisal).frame.equals(equivalent_theories(METZ).frame)


def test_an_appraisal_without_verdicts_says_so_first():
    population = METZ.population("calibrated")
    cov = pd.DataFrame(population.cov, index=population.names, columns=population.names)
    appraisal = quietly(ts.appraise, METZ, sample_cov=cov, sample_nobs=300, se="none")
    assert appraisal.withheld
    for result in (equivalent_theories(appraisal), adjustment_sets(appraisal, "Trust", "Outcomes"), instruments(appraisal, "Trust", "Outcomes")):
        assert result.notes[0].startswith("The appraisal has no verdicts: the fit has no standard errors.")
    assert len(equivalent_theories(appraisal).frame) == 17


def test_two_constructs_and_a_saturated_structure():
    result = equivalent_theories("f =~ x1 + x2 + x3\ny ~ f")
    assert by_statement(result) == {"f -> y": "cannot tell"}
    assert result.turns == (("f", "y"),)
    assert {model.changes for model in result.models} == {("y -> f",), ("f ~~ y",)}
    assert result.all_listed
    assert "2 orders" in " ".join(result.notes)


def test_a_collider_is_told_and_nothing_is_turned():
    result = equivalent_theories("y ~ a + b\na ~~ 0*b\nz ~ y")
    assert by_statement(result) == {"a -> y": "excludes the reverse only", "b -> y": "excludes the reverse only", "y -> z": "tells"}
    assert result.number_of_orders == 1
    assert result.turns == ()
    assert not any("cannot choose" in note for note in result.notes)
    assert "no other order" in " ".join(result.notes)


def test_published_equivalent_path_models():
    """Three variables in a row: the chain, its reverse and the fork are equivalent, the collider is not (Stelzl 1986; Lee & Hershberger 1990)."""
    result = equivalent_theories("b ~ a\nc ~ b", limit=100)
    assert result.number_of_orders == 3
    found = {key_of(model.graph) for model in result.models}
    assert all(same_covariances(result.graph, model.graph) for model in result.models)
    spouse_free = {arrows for arrows, spouses in found if not spouses}
    assert spouse_free == {frozenset(pairs) for pairs in ([("b", "a"), ("c", "b")], [("b", "a"), ("b", "c")])}
    assert (frozenset([("b", "c")]), frozenset([frozenset("ab")])) in found


def test_bows_are_compared_only_as_far_as_they_are_identified():
    unknown = equivalent_theories("b ~ a\nc ~ b\nb ~~ c\na ~~ 0*c")
    assert unknown.scope == "search"
    identified = by_statement(unknown)
    # a is an instrument, so the diagram identifies itself; the bow stays as it is.
    assert identified["b -> c"] == "not examined"
    assert identified["a -> b"] == "no reverse found"
    hopeless = equivalent_theories("c ~ b\nb ~~ c")
    assert by_statement(hopeless) == {"b -> c": "not examined", "c ~~ b": "not examined"}
    assert "nothing can be compared" in " ".join(hopeless.notes)
    assert hopeless.models == ()


def test_diagrams_that_are_not_ancestral_are_searched():
    result = equivalent_theories("d ~ a\na ~ b + c\nd ~~ b\nb ~~ c")
    assert result.scope == "search"
    assert result.number_of_orders is None
    assert "not claimed to be complete" in " ".join(result.notes)
    assert all(same_covariances(result.graph, model.graph) for model in result.models)


@pytest.mark.parametrize(
    ("source", "limit", "error", "words"),
    [
        ("b ~ a\na ~ b", 50, NotAvailableError, "cycle"),
        ("f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6\nh =~ f + g", 50, NotAvailableError, "h has no indicators of its own"),
        ("f =~ x1 + x2 + x3", 50, ModelError, "fewer than two structural variables"),
        (3, 50, OptionError, "A path diagram is read from"),
        ("b ~ a", 0, OptionError, "limit=0 is no number of models"),
        ("b ~ a", True, OptionError, "limit=True"),
    ],
)
def test_what_has_no_equivalents_to_enumerate(source, limit, error, words):
    with pytest.raises(error, match=words):
        equivalent_theories(source, limit=limit)


def test_groups_are_refused():
    fit = quietly(ts.sem, "x2 ~ x1", holzinger(), group="school")
    with pytest.raises(NotAvailableError, match="2 groups"):
        equivalent_theories(fit)


def test_it_is_fast():
    import time

    equivalent_theories("b ~ a")
    began = time.process_time()
    equivalent_theories(METZ)
    assert time.process_time() - began < 1.0


def test_marks_have_four_kinds():
    assert (NONE, CIRCLE, ARROW, TAIL) == (0, 1, 2, 3)
