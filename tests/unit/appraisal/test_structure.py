"""The structural part of a model, its graph, and the model that says nothing about it."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.refitting import refit, table_like
from trustsem.appraisal.structure import (
    Graph,
    canonical_dag,
    fit_saturated,
    graph_of_table,
    saturated_table,
    structural_moments,
    structural_names,
)

MEASURES = "Trust =~ t1 + t2 + t3\nMotivation =~ m1 + m2 + m3\nCommitment =~ k1 + k2 + k3\n"
CHAIN = MEASURES + "Motivation ~ Trust\nCommitment ~ Motivation\n"
FREE = MEASURES + "Trust ~~ Motivation + Commitment\nMotivation ~~ Commitment\n"


def survey():
    return ts.load_dataset("survey")


def fitted(text: str, **options) -> ts.Fit:
    return quietly(ts.sem, text, survey(), **options)


def test_the_graph_of_a_model() -> None:
    graph = graph_of_table(fitted(CHAIN + "Trust ~~ Commitment\nCommitment ~ 0*Trust").model.table)
    assert graph.nodes == ("Trust", "Motivation", "Commitment")
    assert graph.arrows == (("Trust", "Motivation"), ("Motivation", "Commitment"))
    assert graph.spouses == (frozenset(("Trust", "Commitment")),)
    assert graph.parents("Commitment") == ("Motivation",)
    assert graph.exogenous == ("Trust",)


def test_indicators_and_auxiliary_variables_are_no_structural_variables() -> None:
    fit = fitted(CHAIN + "k1 ~~ k2\nCommitment ~ vul + aut", missing="fiml", auxiliary=["c1", "c2"])
    assert structural_names(fit.model.table) == ("Trust", "Motivation", "Commitment", "vul", "aut")


@pytest.mark.parametrize("options", [{}, {"missing": "fiml"}, {"missing": "fiml", "estimator": "MLR", "cluster": "team"}, {"std_lv": True}])
def test_the_saturated_structure_is_the_factor_model(options) -> None:
    chain, free = fitted(CHAIN, **options), quietly(ts.cfa, FREE, survey(), **options)
    saturated = fit_saturated(chain)
    assert saturated.df == free.df == chain.df - 1
    assert saturated.chisq.statistic == pytest.approx(free.chisq.statistic, abs=1e-6)
    assert saturated.nobs == free.nobs


def test_observed_predictors_are_part_of_the_saturated_structure() -> None:
    chain = fitted(CHAIN + "Motivation ~ vul + aut")
    saturated = fit_saturated(chain)
    # The theory left out the covariance of trust with both, their effects on commitment, and the arrow past motivation.
    assert chain.df - saturated.df == 5
    names = structural_moments(saturated).names
    cov = structural_moments(saturated).cov
    at = [names.index("vul"), names.index("aut")]
    complete = survey()[["t1", "t2", "t3", "m1", "m2", "m3", "k1", "k2", "k3", "vul", "aut"]].dropna()
    np.testing.assert_allclose(cov[np.ix_(at, at)], np.cov(complete[["vul", "aut"]].T, ddof=0), rtol=1e-5)


def test_moments_of_factors_have_the_errors_of_the_parameters() -> None:
    saturated = fit_saturated(fitted(CHAIN))
    moments = structural_moments(saturated)
    table = saturated.parameter_estimates().set_index(["lhs", "op", "rhs"])
    errors = np.sqrt(np.diag(moments.vcov))
    for k, (i, j) in enumerate(zip(*np.tril_indices(3), strict=True)):
        names = (moments.names[j], "~~", moments.names[i])
        row = table.loc[names] if names in table.index else table.loc[(names[2], "~~", names[0])]
        assert moments.cov[i, j] == pytest.approx(row["est"], rel=1e-10)
        assert errors[k] == pytest.approx(row["se"], rel=1e-8)


def test_the_errors_of_implied_moments_of_a_chain_agree_with_finite_differences() -> None:
    fit = fitted(CHAIN)
    moments = structural_moments(fit)
    from trustsem.model.problem import implied

    step, rows = 1e-6, np.tril_indices(3)
    places = [fit.model.blocks[0].variables.index(name) for name in moments.names]

    def lower(theta):
        return implied(fit.problem.structure, theta)[0].V[np.ix_(places, places)][rows]

    theta = fit.estimate.theta
    slopes = np.array([(lower(theta + step * unit) - lower(theta - step * unit)) / (2 * step) for unit in np.eye(theta.size)]).T
    np.testing.assert_allclose(moments.vcov, slopes @ fit.theta_vcov @ slopes.T, rtol=1e-5, atol=1e-9)


def test_separation_in_the_canonical_graph() -> None:
    graph = Graph(("a", "b", "c"), (("a", "b"), ("b", "c")), (frozenset(("b", "c")),))
    dag = canonical_dag(graph)
    assert set(dag.nodes) == {"a", "b", "c", ("b", "c")}
    assert nx.is_directed_acyclic_graph(dag)
    # Given b, the common cause of b and c carries a's part of b to c.
    assert not nx.is_d_separator(dag, {"a"}, {"c"}, {"b"})
    without = Graph(graph.nodes, graph.arrows, ())
    assert nx.is_d_separator(canonical_dag(without), {"a"}, {"c"}, {"b"})


@pytest.mark.parametrize("seed", range(5))
def test_what_the_canonical_graph_separates_is_uncorrelated(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = tuple("abcdef")
    arrows = tuple((one, two) for one, two in combinations(nodes, 2) if rng.random() < 0.4)
    joined = tuple(frozenset((one, two)) for one, two in combinations(nodes, 2) if (one, two) not in arrows and rng.random() < 0.2)
    graph, size = Graph(nodes, arrows, joined), len(nodes)
    A, S = np.zeros((size, size)), np.eye(size)
    for cause, effect in arrows:
        A[nodes.index(effect), nodes.index(cause)] = rng.uniform(0.3, 1.0)
    for one, two in map(sorted, joined):
        i, j = nodes.index(one), nodes.index(two)
        S[i, j] = S[j, i] = 0.15
    B = np.linalg.inv(np.eye(size) - A)
    cov = B @ S @ B.T
    dag = canonical_dag(graph)
    for one, two in combinations(nodes, 2):
        for count in range(size - 1):
            for given in combinations([name for name in nodes if name not in (one, two)], count):
                at = [nodes.index(name) for name in (one, two, *given)]
                partial = np.linalg.inv(cov[np.ix_(at, at)])[0, 1]
                assert nx.is_d_separator(dag, {one}, {two}, set(given)) == (abs(partial) < 1e-9)


def test_refitting_keeps_rows_and_conventions() -> None:
    fit = fitted(CHAIN, missing="fiml", estimator="MLR", cluster="team")
    again = refit(fit, FREE)
    assert again.options == fit.options
    assert again.sample.fingerprint() == fit.sample.fingerprint()
    assert table_like(fit, FREE).has_means
    cold = refit(fit, FREE, start=False)
    np.testing.assert_allclose(again.estimate.theta, cold.estimate.theta, atol=1e-5)


def test_refitting_does_not_resample() -> None:
    fit = fitted(CHAIN, se="bootstrap", bootstrap=5)
    again = refit(fit, FREE)
    assert again.options.se == "robust_huber_white"
    assert np.isfinite(again.theta_vcov).all()


def test_several_groups_are_taken_apart_each_by_itself() -> None:
    fit = quietly(ts.sem, CHAIN, ts.load_dataset("groups"), group="role")
    assert fit.df - refit(fit, saturated_table(fit.model.table)).df == len(fit.sample.blocks)
