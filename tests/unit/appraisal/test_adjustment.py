"""Adjustment sets and instruments against slow definitions, d-separation of networkx, and regressions in random linear models."""

from __future__ import annotations

import json
from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pytest

import trustsem as ts
from diagrams import edges_of, random_graph, subsets
from helpers import quietly
from trustsem.appraisal.diagrams.adjustment import adjustment_sets, instruments
from trustsem.appraisal.diagrams.diagram import ancestors, descendants, path_diagram, pattern_of
from trustsem.appraisal.diagrams.separating import allowed_moral_graph, minimal_separators
from trustsem.appraisal.structure import Graph, canonical_dag
from trustsem.errors import NotAvailableError, OptionError
from trustsem.inference.path_diagrams import belongs, drawn_covariance

METZ = ts.load_theory("metz2022")


def ways(dag, one, other):
    """Yield every way from one node to another, along and against arrows, as a list of nodes."""
    yield from nx.all_simple_paths(dag.to_undirected(), one, other)


def is_open(dag, way, given):
    for before, node, after in zip(way, way[1:], way[2:], strict=False):
        collider = dag.has_edge(before, node) and dag.has_edge(after, node)
        if collider:
            if not (set(given) & (nx.descendants(dag, node) | {node})):
                return False
        elif node in given:
            return False
    return True


def adjusts(graph, cause, effect, given, kind):
    """Return whether a set adjusts for an effect, by its definition: way by way."""
    dag = canonical_dag(graph)
    directed = [way for way in ways(dag, cause, effect) if all(dag.has_edge(a, b) for a, b in pairwise(way))]
    if kind == "total":
        on_the_way = {node for way in directed for node in way} - {cause}
        forbidden = {below for node in on_the_way for below in nx.descendants(dag, node) | {node}}
        good = directed
    else:
        forbidden = nx.descendants(dag, effect) | {effect}
        good = [[cause, effect]] if dag.has_edge(cause, effect) else []
    if forbidden & set(given):
        return False
    return not any(way not in good and is_open(dag, way, given) for way in ways(dag, cause, effect))


def minimal(sets):
    sets = [frozenset(members) for members in sets]
    return {members for members in sets if not any(other < members for other in sets)}


@pytest.mark.parametrize("kind", ["total", "direct"])
def test_sets_are_the_minimal_ones_of_the_definition(kind):
    rng = np.random.default_rng(1)
    several = none = 0
    for _ in range(150):
        graph = random_graph(rng, int(rng.integers(3, 8)), 0.45, float(rng.choice([0.0, 0.3])))
        cause, effect = rng.choice(graph.nodes, 2, replace=False)
        rest = [node for node in graph.nodes if node not in (cause, effect)]
        expected = minimal(members for members in subsets(rest) if adjusts(graph, cause, effect, members, kind))
        result = adjustment_sets(graph, cause, effect, effect_kind=kind)
        assert {frozenset(members) for members in result.sets} == expected
        assert len(result.sets) == len(expected)
        assert result.identified == bool(expected)
        assert [len(members) for members in result.sets] == sorted(len(members) for members in result.sets)
        several += len(expected) > 1
        none += not expected
    assert several >= 5
    assert none >= 10


def effect_in(A, cause, effect, kind):
    if kind == "direct":
        return A[effect, cause]
    return np.linalg.inv(np.eye(len(A)) - A)[effect, cause]


def random_model(graph, rng):
    pattern = pattern_of(graph)
    m = len(graph.nodes)
    A = np.zeros((m, m))
    psi = np.eye(m)
    for node in range(m):
        for parent in pattern.parents[node]:
            A[node, parent] = rng.uniform(0.3, 0.9) * rng.choice((-1, 1))
        for other in pattern.spouses[node]:
            psi[node, other] = psi[other, node] = 0.5 / m * rng.uniform(0.5, 1.0)
    B = np.linalg.inv(np.eye(m) - A)
    return A, B @ psi @ B.T


@pytest.mark.parametrize("kind", ["total", "direct"])
def test_coefficients_of_adjusted_regressions_are_the_effects(kind):
    rng = np.random.default_rng(2)
    checked = 0
    for _ in range(150):
        graph = random_graph(rng, 7, 0.5, 0.25)
        cause, effect = rng.choice(graph.nodes, 2, replace=False)
        A, S = random_model(graph, rng)
        place = graph.nodes.index
        for members in adjustment_sets(graph, cause, effect, effect_kind=kind).sets:
            x = [place(cause), *(place(node) for node in members)]
            coefficient = np.linalg.solve(S[np.ix_(x, x)], S[x, place(effect)])[0]
            assert coefficient == pytest.approx(effect_in(A, place(cause), place(effect), kind), abs=1e-8)
            checked += 1
    assert checked > 80


def partial_covariance(S, one, other, given):
    value = S[one, other]
    if given:
        value -= S[one, given] @ np.linalg.solve(S[np.ix_(given, given)], S[given, other])
    return value


@pytest.mark.parametrize("kind", ["total", "direct"])
def test_ratios_of_instruments_are_the_effects(kind):
    rng = np.random.default_rng(3)
    checked = conditional = 0
    for _ in range(200):
        graph = random_graph(rng, 6, 0.45, 0.35)
        cause, effect = rng.choice(graph.nodes, 2, replace=False)
        A, S = random_model(graph, rng)
        place = graph.nodes.index
        for node, given in instruments(graph, cause, effect, effect_kind=kind).usable:
            w = [place(other) for other in given]
            below = partial_covariance(S, place(node), place(cause), w)
            assert abs(below) > 1e-10
            ratio = partial_covariance(S, place(node), place(effect), w) / below
            assert ratio == pytest.approx(effect_in(A, place(cause), place(effect), kind), abs=1e-6)
            checked += 1
            conditional += bool(given)
    assert checked > 100
    assert conditional > 30


def is_instrument(graph, node, cause, effect, given, kind):
    """Return whether a node is an instrument given a set, by d-separation of networkx."""
    if kind == "direct":
        gone, changed = {(cause, effect)}, descendants(graph, [effect])
    else:
        way = (descendants(graph, [cause]) & ancestors(graph, [effect])) - {cause}
        gone, changed = {(cause, other) for other in way}, descendants(graph, way)
    if changed & {node, *given} or cause in given:
        return False
    bare = canonical_dag(Graph(graph.nodes, tuple(arrow for arrow in graph.arrows if arrow not in gone), graph.spouses))
    return nx.is_d_separator(bare, {node}, {effect}, set(given)) and not nx.is_d_separator(bare, {node}, {cause}, set(given))


@pytest.mark.parametrize("kind", ["total", "direct"])
def test_instruments_are_found_wherever_there_is_one(kind):
    rng = np.random.default_rng(4)
    found = 0
    for _ in range(150):
        graph = random_graph(rng, int(rng.integers(3, 7)), 0.45, 0.35)
        cause, effect = rng.choice(graph.nodes, 2, replace=False)
        result = instruments(graph, cause, effect, effect_kind=kind)
        usable = dict(result.usable)
        rest = [node for node in graph.nodes if node not in (cause, effect)]
        any_at_all = False
        for node in rest:
            others = [other for other in rest if other != node]
            sets = [given for given in subsets(others) if is_instrument(graph, node, cause, effect, given, kind)]
            any_at_all |= bool(sets)
            if node in usable:
                assert tuple(sorted(usable[node])) in {tuple(sorted(given)) for given in sets}
                assert not any(set(given) < set(usable[node]) for given in sets if len(given) == len(usable[node]) - 1)
                found += 1
        assert result.identified == any_at_all
        assert list(result.frame["construct"]) == rest
        assert (result.frame["instrument"] == [node in usable for node in rest]).all()
        assert (result.frame["reason"] != "").tolist() == [node not in usable for node in rest]
    assert found > 60


def test_every_minimal_separator_is_listed():
    rng = np.random.default_rng(5)
    for _ in range(60):
        graph = random_graph(rng, 7, 0.45)
        one, other = rng.choice(graph.nodes, 2, replace=False)
        if frozenset((one, other)) in edges_of(graph):
            continue
        dag = canonical_dag(graph)
        rest = [node for node in graph.nodes if node not in (one, other)]
        expected = minimal(given for given in subsets(rest) if nx.is_d_separator(dag, {one}, {other}, set(given)))
        found, complete = minimal_separators(allowed_moral_graph(graph, one, other, rest), one, other, 1000)
        assert complete
        assert set(found) == expected


def test_more_sets_than_the_limit():
    # k parallel ways of two nodes each: one of the two must be held constant on each way.
    k = 8
    nodes = ("x", "y", *(f"{letter}{i}" for i in range(k) for letter in "ab"))
    arrows = tuple(arrow for i in range(k) for arrow in ((f"a{i}", "x"), (f"a{i}", f"b{i}"), (f"b{i}", "y")))
    result = adjustment_sets(Graph(nodes, (*arrows, ("x", "y")), ()), "x", "y")
    assert len(result.sets) == 200
    assert "Not all are listed" in " ".join(result.notes)
    few = adjustment_sets(Graph(nodes[:6], (*arrows[:6], ("x", "y")), ()), "x", "y")
    assert len(few.sets) == 4


def test_the_built_in_theory():
    trust = adjustment_sets(METZ, "Trust", "Outcomes")
    assert trust.sets == ((),)
    assert trust.forbidden == ("Capability", "Opportunity", "Motivation", "Commitment", "Resilience")
    assert "Nothing has to be held constant." in trust.notes
    assert adjustment_sets(METZ, "Relational", "Trust").sets == (("Technical",),)
    assert adjustment_sets(METZ, "Commitment", "Outcomes").sets == (("Resilience",),)
    direct = adjustment_sets(METZ, "Trust", "Outcomes", effect_kind="direct")
    assert direct.sets == (("Commitment", "Resilience"), ("Capability", "Opportunity", "Motivation"))
    assert "by it, the direct effect is 0" in direct.notes[0]
    back = adjustment_sets(METZ, "Outcomes", "Trust")
    assert "No way leads from Outcomes to Trust" in back.notes[0]
    stand_in = instruments(METZ, "Trust", "Outcomes")
    assert stand_in.usable == (("Relational", ()), ("Technical", ()))
    assert not instruments(METZ, "Relational", "Trust").identified
    assert "nothing can stand in for an experiment" in " ".join(instruments(METZ, "Relational", "Trust").notes)


def test_a_common_cause_that_nobody_measured():
    source = "x ~ z\ny ~ x + z2\nx ~~ y\nz2 ~ z"
    result = adjustment_sets(source, "x", "y")
    assert result.sets == ()
    assert not result.identified
    assert "their residuals covary" in result.notes[0]
    assert instruments(source, "x", "y").usable == (("z", ("z2",)),)
    assert "See instruments()" in str(result)
    open_way = adjustment_sets("m ~ a\nx ~ m\nx ~~ b\nb ~~ y\ny ~ x + b", "x", "y")
    assert not open_way.identified
    assert "a way between them stays open" in open_way.notes[0]


def test_published_examples():
    # M-structure: nothing has to be held constant, and the collider must not be alone (Greenland, Pearl & Robins 1999).
    m = path_diagram("x ~ u\nz ~ u + v\ny ~ v + x\nu ~~ 0*v")
    assert adjustment_sets(m, "x", "y").sets == ((),)
    # The classic conditional instrument: w confounds z and y (Brito & Pearl 2002).
    assert instruments("z ~ w\nx ~ z\ny ~ x + w\nx ~~ y", "x", "y").usable == (("z", ("w",)),)


def test_names_of_columns_and_of_constructs_are_both_understood():
    theory = METZ.with_strategies("composites")
    assert adjustment_sets(theory, "relational", "Trust").sets == (("Technical",),)
    assert adjustment_sets(theory, "Relational", "Trust").cause == "Relational"
    predictors = METZ.with_strategies("predictors")
    assert len(adjustment_sets(predictors, "vul", "Trust").sets[0]) == 8


def test_sources_of_every_kind_say_the_same():
    text = METZ.syntax()
    fit = quietly(ts.sem, text, ts.load_dataset("survey"))
    appraisal = quietly(ts.appraise, METZ, ts.load_dataset("survey"))
    for source in (METZ, text, METZ.model(), fit, appraisal):
        assert adjustment_sets(source, "Motivation", "Commitment").sets == (("Capability", "Opportunity"),)
        assert [name for name, _ in instruments(source, "Commitment", "Outcomes").usable][:2] == ["Relational", "Technical"]


def test_results_tell_themselves():
    result = instruments(METZ, "Motivation", "Commitment")
    assert "Instruments for the total effect of Motivation on Commitment" in str(result)
    told = json.loads(json.dumps(result.to_dict()))
    assert told["rows"][0] == {"construct": "Relational", "instrument": True, "given": "Capability, Opportunity", "reason": ""}
    told = json.loads(json.dumps(adjustment_sets(METZ, "Motivation", "Commitment").to_dict()))
    assert told["rows"] == [{"hold_constant": "Capability, Opportunity", "size": 2}]
    reasons = dict(zip(result.frame["construct"], result.frame["reason"], strict=True))
    assert reasons["Capability"] == "goes with Commitment otherwise than through Motivation, whatever is held constant"
    assert reasons["Outcomes"] == "follows from what Motivation changes"
    assert instruments("m ~ x\ny ~ m\nu ~~ 0*x\nu ~~ u", "x", "y").frame["reason"].tolist() == [
        "is changed by x on its way to y",
        "says nothing about x once it is made independent of the rest of y",
    ]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: adjustment_sets(METZ, "Trst", "Outcomes"), OptionError, "cause='Trst' is not in the diagram.*Did you mean 'Trust'"),
        (lambda: instruments(METZ, "Trust", "Outcome"), OptionError, "effect='Outcome' is not in the diagram"),
        (lambda: adjustment_sets(METZ, "Trust", "Trust"), OptionError, "are the same. Name two constructs"),
        (lambda: adjustment_sets(METZ, "Trust", "Outcomes", effect_kind="whole"), OptionError, "effect_kind='whole' is unknown"),
        (lambda: adjustment_sets("a ~ b\nb ~ a", "a", "b"), NotAvailableError, "cycle"),
    ],
)
def test_what_cannot_be_asked(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_drawn_covariances_belong_to_their_diagram():
    rng = np.random.default_rng(6)
    for _ in range(50):
        graph = random_graph(rng, 6, 0.5, 0.3)
        pattern = pattern_of(graph)
        S = drawn_covariance(pattern, rng)
        assert np.linalg.eigvalsh(S)[0] > 0
        assert belongs(S, pattern) is True
        missing = [pair for pair in combinations(graph.nodes, 2) if frozenset(pair) not in edges_of(graph)]
        if missing:
            assert belongs(S + 0.05 * np.ones_like(S) + 0.01 * np.diag(rng.random(6)), pattern) is False
