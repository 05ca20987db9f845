"""Independencies of a diagram, and their tests among constructs and among means of items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import trustsem as ts
from helpers import complex_step, quietly
from trustsem.appraisal.diagrams.moral import m_separated, separator
from trustsem.appraisal.forbidden.basis import Independence, basis_set, causal_order, graph_of, implied_independencies
from trustsem.appraisal.forbidden.independencies import independencies
from trustsem.appraisal.structure import Graph, canonical_dag, structural_moments
from trustsem.errors import ModelError, NotAvailableError, OptionError
from trustsem.inference.partial_correlation import partial_correlation

THEORY = ts.load_theory("metz2022")
SURVEY = ts.load_dataset("survey")
COMPLETE = SURVEY.dropna().drop(columns="team")
OBSERVED = THEORY.with_indicators({node.name: node.indicators[0] for node in THEORY.nodes})


def appraised(theory: Any = THEORY, data: Any = SURVEY, **options: Any) -> Any:
    return quietly(ts.appraise, theory, data, **options)


ROBUST = appraised(estimator="MLR", missing="fiml", cluster="team")
PLAIN = appraised(data=COMPLETE, estimator="ML")


# ---- separation -----------------------------------------------------------------------------------------------------------------------------


def random_graphs(count: int, spouses: float) -> Iterator[tuple[Graph, np.random.Generator]]:
    rng = np.random.default_rng(7)
    for _ in range(count):
        size = int(rng.integers(3, 8))
        names = "abcdefg"[:size]
        pairs = [(names[i], names[j]) for i in range(size) for j in range(i + 1, size)]
        arrows = tuple(pair for pair in pairs if rng.random() < 0.35)
        joined = tuple(frozenset(pair) for pair in pairs if rng.random() < spouses)
        yield Graph(tuple(rng.permutation(list(names)).tolist()), arrows, joined), rng


@pytest.mark.parametrize("spouses", [0.0, 0.2])
def test_separation_agrees_with_networkx(spouses: float) -> None:
    for graph, rng in random_graphs(250, spouses):
        dag = canonical_dag(graph)
        for _ in range(6):
            one, other, *rest = rng.permutation(list(graph.nodes)).tolist()
            given = [name for name in rest if rng.random() < 0.4]
            assert m_separated(graph, one, other, given) == nx.is_d_separator(dag, {one}, {other}, set(given)), (graph, one, other, given)


def test_separators_agree_with_networkx() -> None:
    for graph, _ in random_graphs(250, 0.2):
        dag, nodes = canonical_dag(graph), set(graph.nodes)
        for one in graph.nodes:
            for other in graph.nodes:
                if one == other:
                    continue
                found = separator(graph, one, other)
                if found is None:
                    assert nx.find_minimal_d_separator(dag, {one}, {other}, restricted=nodes - {one, other}) is None
                else:
                    assert nx.is_minimal_d_separator(dag, {one}, {other}, set(found), restricted=nodes)


def test_basis_sets_of_random_graphs_are_implied_and_have_every_pair() -> None:
    for graph, _ in random_graphs(150, 0.15):
        basis, dag = basis_set(graph), canonical_dag(graph)
        joined = {frozenset(arrow) for arrow in graph.arrows} | set(graph.spouses)
        named = [frozenset((s.one, s.other)) for s in basis.statements] + [frozenset(pair) for pair in basis.inseparable]
        assert len(named) == len(set(named))
        assert set(named) | joined == {frozenset((a, b)) for a in graph.nodes for b in graph.nodes if a != b}
        for s in basis.statements:
            assert nx.is_d_separator(dag, {s.one}, {s.other}, set(s.given))


def test_shipleys_basis_set() -> None:
    """The diagram of Shipley (2000): every pair that is not joined, given the parents of both."""
    graph = Graph(tuple("abcdef"), (("a", "b"), ("b", "c"), ("b", "d"), ("c", "e"), ("d", "e"), ("e", "f")), ())
    found = {frozenset((s.one, s.other)): set(s.given) for s in basis_set(graph).statements}
    assert found == {
        frozenset("ac"): {"b"},
        frozenset("ad"): {"b"},
        frozenset("ae"): {"c", "d"},
        frozenset("af"): {"e"},
        frozenset("cd"): {"b"},
        frozenset("be"): {"a", "c", "d"},
        frozenset("bf"): {"a", "e"},
        frozenset("cf"): {"b", "e"},
        frozenset("df"): {"b", "e"},
    }
    assert basis_set(graph).complete


def test_pairs_that_nothing_separates() -> None:
    """a -> b <-> c <- d, b -> d: of b and c nothing is denied; of a and c, b cannot be given, nor left out."""
    graph = Graph(tuple("abcd"), (("a", "b"), ("b", "c"), ("c", "d")), (frozenset("bd"),))
    result = basis_set(graph)
    assert result.inseparable == (("a", "d"),)
    assert result.statements == (Independence("a", "c", ("b",)),)
    told = implied_independencies("b ~ a\nc ~ b\nd ~ c\nb ~~ d")
    assert "no set separates a and d" in str(told)
    assert any("score tests reach them" in note for note in told.notes)


def test_causal_order() -> None:
    assert causal_order(Graph(("c", "b", "a"), (("a", "b"), ("b", "c")), ())) == ("a", "b", "c")
    with pytest.raises(NotAvailableError, match="form a cycle"):
        causal_order(Graph(("a", "b"), (("a", "b"), ("b", "a")), ()))


def test_sources() -> None:
    fit = quietly(ts.sem, THEORY, COMPLETE)
    graphs = [graph_of(source) for source in (THEORY, THEORY.syntax(), THEORY.model(), fit)]
    assert all(graph == graphs[0] for graph in graphs)
    assert graph_of(graphs[0]) is graphs[0]
    assert len(implied_independencies(THEORY).basis.statements) == 18
    assert len(implied_independencies(THEORY.strict()).basis.statements) == 22
    assert "implies no independence" in str(implied_independencies("y ~ x"))
    with pytest.raises(OptionError, match="not from 'int'"):
        graph_of(3)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="fewer than two"):
        implied_independencies("f =~ a + b + c")
    grouped = quietly(ts.sem, THEORY, COMPLETE.assign(half=np.arange(len(COMPLETE)) % 2), group="half")
    with pytest.raises(NotAvailableError, match="2 groups"):
        implied_independencies(grouped)


# ---- partial correlations -------------------------------------------------------------------------------------------------------------------


def test_partial_correlations_and_their_derivatives() -> None:
    rng = np.random.default_rng(5)
    root = rng.standard_normal((6, 6))
    cov = root @ root.T + np.eye(6)
    i, j = np.tril_indices(6)
    for given in ((), (3,), (0, 4, 5)):

        def value(point: Any, given: tuple[int, ...] = given) -> Any:
            full = np.zeros((6, 6), dtype=point.dtype)
            full[i, j] = full[j, i] = point
            at = [1, 2, *given]
            P = np.linalg.inv(full[np.ix_(at, at)])
            return -P[0, 1] / np.sqrt(P[0, 0] * P[1, 1])

        found = partial_correlation(cov, 1, 2, given)
        assert found.value == pytest.approx(value(cov[i, j]), rel=1e-12)
        assert np.allclose(found.slopes, complex_step(value, cov[i, j]), rtol=1e-9, atol=1e-12)


def test_partial_correlations_are_those_of_residuals() -> None:
    data = COMPLETE[["t1", "t2", "c1", "o1"]]
    rest = sm.add_constant(data[["c1", "o1"]])
    one, other = (sm.OLS(data[name], rest).fit().resid for name in ("t1", "t2"))
    found = partial_correlation(data.cov().to_numpy(), 0, 1, (2, 3))
    assert found.value == pytest.approx(np.corrcoef(one, other)[0, 1], rel=1e-10)


def test_no_partial_correlation_of_what_cannot_be() -> None:
    assert np.isnan(partial_correlation(np.array([[1.0, 2.0], [2.0, 1.0]]), 0, 1).value)


# ---- tests among constructs -------------------------------------------------------------------------------------------------------------------


def test_wholly_observed_normal_theory_is_textbook() -> None:
    """Delta-method errors of partial correlations of normal data are (1 - r^2) / sqrt(n); Fisher's C is that of t-tests of regressions."""
    result = independencies(appraised(OBSERVED.strict(), COMPLETE, estimator="ML"))
    n = len(COMPLETE)
    assert np.allclose(result.frame["se"], (1.0 - result.frame["r"] ** 2) / np.sqrt(n), rtol=1e-8)
    logs = 0.0
    for s in result.basis.statements:
        fitted = sm.OLS(COMPLETE[s.other], sm.add_constant(COMPLETE[[s.one, *s.given]])).fit()
        logs += np.log(fitted.pvalues[s.one])
    joint = result.joint_frame.set_index("test")
    assert joint.loc["fisher_c", "statistic"] == pytest.approx(-2.0 * logs, rel=1e-8)
    assert joint.loc["fisher_c", "df"] == 44
    assert joint.loc["plain", "df"] == 22


def test_joint_test_is_the_difference_of_two_fits() -> None:
    joint = independencies(ROBUST).joint_frame.set_index("test")
    table = quietly(ts.anova, ROBUST.fit, ROBUST.saturated)
    assert joint.loc["scaled", "p"] == pytest.approx(float(table.frame["pvalue"].iloc[-1]), rel=1e-8)
    assert joint.loc["plain", "statistic"] == pytest.approx(ROBUST.fit.chisq.statistic - ROBUST.saturated.chisq.statistic, rel=1e-8)
    assert joint.loc["corrected", "p"] > joint.loc["scaled", "p"]
    assert independencies(ROBUST).joint[-1].judged


def test_a_dependence_is_found() -> None:
    theory = THEORY.without_path("Trust", "Motivation")
    result = independencies(appraised(theory, SURVEY, cluster="team"))
    frame = result.frame.set_index("statement")
    assert "violated" in set(frame["verdict"])
    assert result.joint[-1].pvalue < 0.001
    assert "p < 0.001; rejected." in " ".join(result.notes)


def test_fishers_c_only_where_it_belongs() -> None:
    def note(appraisal: Any) -> str:
        return " ".join(independencies(appraisal).notes)

    assert "means of items break independence" in note(PLAIN)
    assert "residuals covary" in note(appraised(OBSERVED, COMPLETE))
    assert "complete, independent rows" in note(appraised(OBSERVED.strict(), SURVEY, cluster="team"))


def test_small_samples_and_moments_keep_their_word() -> None:
    moments = appraised(data=None, sample_cov=COMPLETE.cov(), sample_nobs=len(COMPLETE))
    assert np.allclose(independencies(moments).frame["r"], independencies(PLAIN).frame["r"], atol=1e-6)
    with pytest.raises(ts.DataError, match="Composites need the rows"):
        independencies(moments).composites()
    tiny = independencies(appraised(data=COMPLETE.iloc[:40]))
    assert "the measurement part alone is inadmissible" in tiny.notes[0]
    assert set(tiny.frame["verdict"]) == {"no verdict"}
    assert tiny.joint == ()


@pytest.mark.parametrize(
    ("options", "words"), [({"se": "none"}, "no standard errors"), ({"group": "half"}, "several groups")], ids=["no errors", "groups"]
)
def test_no_verdict_has_its_reason_first(options: dict[str, Any], words: str) -> None:
    data = COMPLETE.assign(half=np.arange(len(COMPLETE)) % 2) if "group" in options else COMPLETE
    result = independencies(appraised(data=data, **options))
    assert words in result.notes[0]
    assert set(result.frame["verdict"]) == {"no verdict"}
    assert len(json.loads(json.dumps(result.to_dict()))["rows"]) == 18


def test_other_estimators() -> None:
    untested = independencies(appraised(data=COMPLETE, test="none"))
    assert untested.joint == ()
    assert set(untested.frame["verdict"]) == {"cannot tell"}
    gls = independencies(appraised(data=COMPLETE, estimator="GLS"))
    assert [test.name for test in gls.joint] == ["plain"]
    assert gls.joint[0].judged
    drawn = independencies(appraised(data=COMPLETE, se="bootstrap", bootstrap=10, seed=1))
    assert drawn.frame["se"].notna().all()


def test_other_forms_of_the_theory() -> None:
    composites = THEORY.with_strategies("composites")
    result = independencies(appraised(composites, composites.composites(SURVEY, minimum=2), cluster="team"))
    assert result.frame["statement"].iloc[0] == "Relational _||_ Capability | Trust"
    assert [test.name for test in result.joint] == ["plain", "scaled", "corrected"]
    assert result.composites()["statement"].tolist() == result.frame["statement"].tolist()
    predictors = independencies(appraised(THEORY.with_strategies("predictors"), SURVEY, cluster="team"))
    assert len(predictors.frame) == 60
    two = independencies(appraised(THEORY.with_indicators({"Trust": ["t1", "t2", "t3"], "Outcomes": ["acc", "app", "fea"]}), COMPLETE))
    assert two.frame.empty
    assert "implies no independence" in str(two)


# ---- means of items ---------------------------------------------------------------------------------------------------------------------------


def test_composites_are_regressions_of_means_of_items() -> None:
    result = independencies(ROBUST)
    found = result.composites().set_index("statement")
    means = pd.DataFrame({node.name: SURVEY[list(node.indicators)].mean(axis=1) for node in THEORY.nodes})
    counts = pd.DataFrame({node.name: SURVEY[list(node.indicators)].notna().mean(axis=1) for node in THEORY.nodes})
    means = means.where(counts >= 0.5)[["Technical", "Trust", "Outcomes", "Commitment", "Resilience"]]
    kept = means[["Trust", "Outcomes", "Commitment", "Resilience"]].dropna()
    kept = (kept - kept.mean()) / kept.std()
    design = sm.add_constant(kept[["Trust", "Commitment", "Resilience"]])
    fitted = sm.OLS(kept["Outcomes"], design).fit(cov_type="cluster", cov_kwds={"groups": SURVEY.loc[kept.index, "team"]})
    row = found.loc["Trust _||_ Outcomes | Commitment, Resilience"]
    assert row["n"] == len(kept)
    assert row["b"] == pytest.approx(fitted.params["Trust"], rel=1e-8)
    assert row["se"] == pytest.approx(fitted.bse["Trust"], rel=1e-8)


def test_composites_of_a_true_theory_are_dependent_as_implied() -> None:
    """In the population of the theory the partial correlations of means of items are those that the fit implies for them, and are not 0."""
    population = THEORY.population("calibrated")
    data = ts.simulate(population, n=100_000, seed=5)
    result = independencies(quietly(ts.appraise, THEORY, data, estimator="ML"))
    found = result.composites()
    assert np.allclose(found["r"], found["r_implied"], atol=4.0 / np.sqrt(len(data)))
    assert found["r_implied"].max() > 0.05
    assert result.frame["r"].abs().max() < 0.02
    assert set(result.frame["verdict"]) == {"holds"}


def test_structural_moments_are_scaled_by_the_first_loading_or_not_at_all() -> None:
    """Partial correlations do not depend on how the constructs are scaled."""
    fixed = quietly(ts.sem, THEORY, COMPLETE, std_lv=True)
    moments = structural_moments(fixed)
    own = structural_moments(quietly(ts.sem, THEORY, COMPLETE))
    one, other = (partial_correlation(part.cov, 0, 2, (1, 8)) for part in (moments, own))
    assert one.value == pytest.approx(other.value, abs=1e-7)
    assert one.error(moments.vcov) == pytest.approx(other.error(own.vcov), rel=1e-5)
