from __future__ import annotations

import re

import numpy as np
import pytest

from trustsem.errors import TheoryError
from trustsem.theory import implied_loading, load_theory
from trustsem.theory.marks import Provenance
from trustsem.theory.presets import latent_moments, project_preset, split_preset, standardized_arrays
from trustsem.theory.types import Coefficient, Preset

# r(trust, outcomes), r(trust, commitment), r(relational, outcomes), R2 of trust, R2 of outcomes; residual correlations zero.
STATED = {
    "conservative": (0.07, 0.16, 0.03, 0.19, 0.12),
    "calibrated": (0.24, 0.39, 0.13, 0.32, 0.28),
    "com-b serial": (0.22, 0.37, 0.12, 0.32, 0.28),
}


def moments(metz, name, *, residuals):
    preset = next(p for p in metz.presets if p.name == name)
    theory = metz if not preset.rival else metz.rival(preset.rival).theory
    names = [node.name for node in theory.nodes]
    A, R = standardized_arrays(names, preset.paths, preset.correlations + (preset.residuals if residuals else ()))
    Psi, Phi = latent_moments(names, A, R)
    return names, A, R, Psi, Phi


@pytest.mark.parametrize("name", STATED)
def test_presets_imply_the_stated_values(metz, name):
    names, _, _, Psi, Phi = moments(metz, name, residuals=False)
    at = {n: i for i, n in enumerate(names)}
    got = (
        Phi[at["Trust"], at["Outcomes"]],
        Phi[at["Trust"], at["Commitment"]],
        Phi[at["Relational"], at["Outcomes"]],
        1 - Psi[at["Trust"], at["Trust"]],
        1 - Psi[at["Outcomes"], at["Outcomes"]],
    )
    assert [round(float(value), 2) for value in got] == list(STATED[name])


def test_the_direct_path_gives_the_stated_correlation(metz):
    names, _, _, _, Phi = moments(metz, "calibrated direct", residuals=False)
    assert round(Phi[names.index("Trust"), names.index("Outcomes")], 2) == 0.36


@pytest.mark.parametrize("residuals", [False, True])
@pytest.mark.parametrize("name", [*STATED, "calibrated direct"])
def test_moments_equal_the_direct_computation(metz, name, residuals):
    _, A, R, Psi, Phi = moments(metz, name, residuals=residuals)
    B = np.linalg.inv(np.eye(len(A)) - A)
    np.testing.assert_allclose(B @ Psi @ B.T, Phi, atol=1e-14)
    np.testing.assert_allclose(np.diag(Phi), 1.0, atol=1e-14)
    np.testing.assert_allclose(Psi / np.sqrt(np.outer(np.diag(Psi), np.diag(Psi))), R, atol=1e-14)
    assert np.linalg.eigvalsh(Phi)[0] > 0


@pytest.mark.parametrize("form", ["reflective", "composites", "predictors"])
@pytest.mark.parametrize("name", [*STATED, "calibrated direct"])
def test_population_has_unit_variances_and_the_loadings(metz, name, form):
    population = metz.with_strategies(form).population(name)
    S = population.cov
    np.testing.assert_allclose(np.diag(S), 1.0, atol=1e-12)
    at = population.names.index
    assert S[at("t1"), at("t2")] == pytest.approx(0.75**2)
    assert S[at("r1"), at("r3")] == pytest.approx(0.81**2)
    assert S[at("c1"), at("c2")] == pytest.approx(0.75**2)


@pytest.mark.parametrize("name", STATED)
def test_population_correlations_are_loadings_times_construct_correlations(metz, name):
    population = metz.population(name)
    names, _, _, _, Phi = moments(metz, name, residuals=True)
    at = population.names.index
    cell = population.cov[at("vul"), at("r2")]
    assert cell == pytest.approx(0.75 * 0.81 * Phi[names.index("Relational"), names.index("Resilience")])
    cell = population.cov[at("k1"), at("r2")]
    assert cell == pytest.approx(0.75 * 0.81 * Phi[names.index("Commitment"), names.index("Resilience")])


def test_strict_population_has_no_residual_correlation(metz):
    population = metz.strict().population("calibrated")
    names, _, _, _, Phi = moments(metz, "calibrated", residuals=False)
    at = population.names.index
    assert population.cov[at("c1"), at("o1")] == pytest.approx(0.75**2 * 0.35 * 0.45)
    assert population.cov[at("t1"), at("acc")] == pytest.approx(0.75**2 * Phi[names.index("Trust"), names.index("Outcomes")])


def test_the_three_forms_agree_downstream_of_the_strategies(metz):
    covs = []
    for form in ("reflective", "composites", "predictors"):
        population = metz.with_strategies(form).population("calibrated")
        keep = [population.names.index(n) for n in ("t1", "t2", "c1", "o1", "m1", "k1", "r1", "acc")]
        covs.append(population.cov[np.ix_(keep, keep)])
    np.testing.assert_allclose(covs[1], covs[0], atol=1e-12)
    np.testing.assert_allclose(covs[2], covs[0], atol=1e-12)


def test_composites_of_the_predictors_correlate_as_stated(metz):
    population = metz.with_strategies("predictors").population("calibrated")
    rel = np.isin(population.names, ["vul", "aut", "bid", "col", "emp"]).astype(float)
    tec = np.isin(population.names, ["fre", "res", "exp_", "qui"]).astype(float)
    S = population.cov
    assert rel @ S @ tec / np.sqrt((rel @ S @ rel) * (tec @ S @ tec)) == pytest.approx(0.5)


@pytest.mark.parametrize("removed", ["Motivation", "Trust", "Technical", "Commitment", "Relational Technical", "Capability Resilience"])
def test_dropping_a_construct_leaves_the_other_correlations(metz, removed):
    full, small = metz.population("calibrated"), metz.drop(*removed.split()).population("calibrated")
    keep = [full.names.index(name) for name in small.names]
    np.testing.assert_allclose(small.cov, full.cov[np.ix_(keep, keep)], atol=1e-12)


def test_dropping_applies_to_the_presets_of_rivals_too(metz):
    full, small = metz.population("com-b serial"), metz.drop("Trust", "Motivation").population("com-b serial")
    keep = [full.names.index(name) for name in small.names]
    np.testing.assert_allclose(small.cov, full.cov[np.ix_(keep, keep)], atol=1e-12)


def test_strict_then_drop_uses_the_strict_values(metz):
    full, small = metz.strict().population("calibrated"), metz.strict().drop("Motivation").population("calibrated")
    keep = [full.names.index(name) for name in small.names]
    np.testing.assert_allclose(small.cov, full.cov[np.ix_(keep, keep)], atol=1e-12)


def test_observed_constructs_have_no_measurement_error(metz):
    population = metz.with_indicators({"Trust": "trust", "Outcomes": ["y"]}).population("calibrated")
    names, _, _, _, Phi = moments(metz, "calibrated", residuals=True)
    assert population.names == ("y", "trust")
    assert population.cov[0, 1] == pytest.approx(Phi[names.index("Trust"), names.index("Outcomes")])


def test_paths_and_loadings_can_be_replaced(metz):
    rival = metz.rival("R1").theory
    population = rival.population("calibrated", paths={"Trust -> Outcomes": 0.12}, loadings={"Trust": 0.9, "Outcomes": 0.8})
    at = population.names.index
    assert population.cov[at("t1"), at("t2")] == pytest.approx(0.81)
    assert population.cov[at("t1"), at("acc")] / 0.72 == pytest.approx(0.36, abs=0.005)
    same = metz.population("calibrated direct", loadings={"Trust": 0.9, "Outcomes": 0.8})
    np.testing.assert_allclose(same.cov, population.cov, atol=1e-12)


def test_a_value_given_with_a_path_enters_every_preset_of_the_theory(metz):
    added = metz.with_path("Trust", "Outcomes", value=0.12).population("calibrated")
    np.testing.assert_allclose(added.cov, metz.population("calibrated direct").cov, atol=1e-12)


def test_removing_a_path_removes_its_value(metz):
    population = metz.without_path("Trust", "Motivation").strict().population("calibrated")
    at = population.names.index
    assert population.cov[at("t1"), at("m1")] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"paths": {"Trust -> Outcome": 0.1}}, "paths= names 'Trust -> Outcome', which is not in metz2022"),
        ({"loadings": {"trust": 0.5}}, "Did you mean 'Trust'"),
        ({"loadings": {"Trust": 1.2}}, "The loading of 'Trust' is 1.2. Give a standardized loading between 0 and 1"),
        ({"paths": {"Relational -> Trust": 0.99}}, "explain 1.29 of its variance of 1"),
    ],
)
def test_impossible_values_are_refused(metz, arguments, words):
    with pytest.raises(TheoryError, match=re.escape(words)):
        metz.population("calibrated", **arguments)


def test_unknown_preset_and_missing_values_are_refused(metz):
    with pytest.raises(TheoryError, match=r"no preset 'calibratd'.*Did you mean 'calibrated'"):
        metz.population("calibratd")
    with pytest.raises(TheoryError, match="no value for Trust -> Outcomes"):
        metz.with_path("Trust", "Outcomes").population("calibrated")
    with pytest.raises(TheoryError, match="belongs to the rival R1, which is not available here"):
        metz.with_path("Trust", "Outcomes").population("calibrated direct")


def test_a_preset_without_all_values_does_not_survive_a_drop(metz):
    assert [p.name for p in metz.with_path("Trust", "Outcomes").drop("Motivation").presets] == ["calibrated direct", "com-b serial"]
    kept = metz.with_path("Trust", "Outcomes", value=0.1).drop("Motivation").presets
    assert [p.name for p in kept] == ["conservative", "calibrated", "calibrated direct", "com-b serial"]


def test_implied_loadings_are_those_of_the_theory_file():
    assert round(implied_loading(0.91, 8), 2) == 0.75
    assert round(implied_loading(0.94, 8), 2) == 0.81
    k, r = 6, 0.3
    assert implied_loading(k * r / (1 + (k - 1) * r), k) ** 2 == pytest.approx(r)
    theory = load_theory("metz2022")
    loading = {measure.id: measure.loading.value for measure in theory.instruments if measure.loading is not None}
    assert loading == {"trq": 0.75, "team-resilience": 0.81}


@pytest.mark.parametrize(("alpha", "items"), [(1.0, 5), (0.0, 5), (0.8, 1)])
def test_impossible_reliabilities_are_refused(alpha, items):
    with pytest.raises(TheoryError, match="implies no loading"):
        implied_loading(alpha, items)


def test_moments_with_a_residual_correlation_along_a_path():
    # x -> y with correlated errors: 1 = b^2 + 2 b r s + s^2.
    A, R = standardized_arrays(["x", "y"], [Coefficient("x", "y", 0.5)], [Coefficient("x", "y", 0.3)])
    Psi, Phi = latent_moments(["x", "y"], A, R)
    assert Phi[1, 1] == pytest.approx(1.0)
    assert Phi[0, 1] == pytest.approx(0.5 + 0.3 * np.sqrt(Psi[1, 1]))


def test_impossible_moments_are_refused():
    with pytest.raises(TheoryError, match="form a cycle"):
        latent_moments(["x", "y"], np.array([[0, 0.1], [0.1, 0]]), np.eye(2))
    with pytest.raises(TheoryError, match="not positive definite"):
        latent_moments(["x", "y"], np.zeros((2, 2)), np.ones((2, 2)))


def test_projecting_and_splitting_a_preset_by_hand():
    note = (Provenance("I"),)
    preset = Preset("p", "P", "", (Coefficient("x", "m", 0.5), Coefficient("m", "y", 0.4)), (), (), note)
    small = project_preset(preset, ["x", "m", "y"], ["m"], (), [("x", "y")])
    assert small.paths == (Coefficient("x", "y", pytest.approx(0.2)),)
    assert small.residuals == small.correlations == ()
    split = split_preset(preset, {"x": (["a", "b"], 0.6)})
    sd = np.sqrt(2 + 2 * 0.36)
    assert split.paths == (Coefficient("a", "m", pytest.approx(0.5 / sd)), Coefficient("b", "m", pytest.approx(0.5 / sd)), Coefficient("m", "y", 0.4))
    assert split.correlations == (Coefficient("a", "b", pytest.approx(0.36)),)
