"""Truths that the analysis leaves something of out: the coefficients, the RMSEA, the bias."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.populations.altering import alter
from trustsem.simulators import find, with_options
from trustsem.simulators.misspecified import Misspecified

MODEL = "Trust =~ t1 + t2 + t3\nMotivation =~ m1 + m2 + m3\nOutcomes =~ y1 + y2 + y3\nMotivation ~ Trust\nOutcomes ~ Motivation"
VALUES = {f"{f}=~{i}{k}": 0.9 for f, i in (("Trust", "t"), ("Motivation", "m"), ("Outcomes", "y")) for k in (2, 3)}
VALUES |= {f"{i}{k}~~{i}{k}": 0.7 for i in "tmy" for k in (1, 2, 3)}
VALUES |= {"Motivation~Trust": 0.5, "Outcomes~Motivation": 0.4, "Trust~~Trust": 1.0, "Motivation~~Motivation": 0.8, "Outcomes~~Outcomes": 0.9}

NAMED = {
    "path": {"paths": {"Trust -> Outcomes": 0.3}},
    "residual correlation": {"covariances": {"t1~~m1": 0.2, "t2~~t3": 0.1}},
    "loading": {"loadings": {"Trust=~y1": 0.3}},
    "confounder": {"confounder": {"t1, y1": (0.4, 0.4)}},
    "method": {"method": 0.4, "method_items": ("t1", "m1", "y1", "y2")},
    "several": {"paths": {"Outcomes~Trust": 0.2}, "covariances": {"t1~~m1": 0.2}, "method": 0.2},
}


@pytest.fixture(scope="module")
def population() -> ts.Population:
    return ts.Population(MODEL, VALUES)


def fitted(model: str, population: ts.Population) -> ts.Fit:
    cov = pd.DataFrame(population.cov, population.names, population.names)
    return quietly(ts.sem, model, sample_cov=cov, sample_nobs=10_000, likelihood="wishart")


def standardized(fit: ts.Fit) -> dict[str, float]:
    return {f"{row.lhs}{row.op}{row.rhs}": float(row.est_std) for row in fit.standardized_solution().itertuples()}


def test_nothing_named_is_the_population_itself(population: ts.Population) -> None:
    sampler = Misspecified(ts.Gaussian()).prepare(population)
    assert sampler.population is population
    assert sampler.population_rmsea() == pytest.approx(0.0, abs=1e-7)
    rows = sampler.rows(5, np.random.default_rng(1)).values
    np.testing.assert_array_equal(rows, ts.Gaussian().prepare(population).rows(5, np.random.default_rng(1)).values)


@pytest.mark.parametrize("name", NAMED)
def test_the_sampler_has_the_altered_population(population: ts.Population, name: str) -> None:
    sampler = Misspecified(ts.Gaussian(), **NAMED[name]).prepare(population)
    np.testing.assert_array_equal(sampler.moments.cov, sampler.population.cov)
    np.testing.assert_allclose(np.diag(sampler.population.cov), np.diag(population.cov), rtol=1e-13)
    assert sampler.metric
    n = 100_000
    found = np.cov(sampler.rows(n, np.random.default_rng(5)).values, rowvar=False)
    cov = sampler.population.cov
    error = np.sqrt((np.outer(np.diag(cov), np.diag(cov)) + cov**2) / n)
    assert (np.abs(found - cov) < 5.0 * error).all()
    assert np.abs(cov - population.cov).max() > 10.0 * error.max()  # the test could tell


@pytest.mark.parametrize("target", [0.02, 0.05])
@pytest.mark.parametrize("name", ["residual correlation", "loading", "method", "several"])
def test_the_rmsea_is_the_one_asked_for(population: ts.Population, name: str, target: float) -> None:
    sampler = Misspecified(ts.Gaussian(), rmsea=target, **NAMED[name]).prepare(population)
    assert sampler.population_rmsea() == pytest.approx(target, abs=1e-9)
    fit = fitted(MODEL, sampler.population)
    assert math.sqrt(fit.chisq.statistic / 9_999 / fit.df) == pytest.approx(target, abs=1e-6)


def test_rmsea_against_another_analysis(population: ts.Population) -> None:
    analysis = MODEL.replace("\nOutcomes ~ Motivation", "\nOutcomes ~ 0*Motivation + Trust")
    sampler = Misspecified(ts.Gaussian(), covariances={"t1~~m1": 0.2}, rmsea=0.09, model=analysis).prepare(population)
    fit = fitted(analysis, sampler.population)
    assert math.sqrt(fit.chisq.statistic / 9_999 / fit.df) == pytest.approx(0.09, abs=1e-6)
    assert Misspecified(ts.Gaussian(), model=analysis).prepare(population).population_rmsea() > 0.05


def test_everything_named_moves_by_one_factor(population: ts.Population) -> None:
    named = {"paths": {"Outcomes~Motivation": 0.6, "Trust -> Outcomes": 0.2}, "covariances": {"t1~~m1": 0.2}}
    sampler = Misspecified(ts.Gaussian(), rmsea=0.03, **named).prepare(population)
    before = standardized(fitted(MODEL, population))["Outcomes~Motivation"]
    after = standardized(fitted(MODEL + "\nOutcomes ~ Trust\nt1 ~~ m1", sampler.population))
    factor = after["Outcomes~Trust"] / 0.2
    assert factor > 0.05
    assert after["t1~~m1"] == pytest.approx(0.2 * factor, rel=1e-6)
    assert after["Outcomes~Motivation"] == pytest.approx(before + factor * (0.6 - before), abs=1e-6)


def test_means_play_no_part_unless_the_analysis_has_them(population: ts.Population) -> None:
    moved = alter(population, means={"Trust": 0.4})
    assert Misspecified(ts.Gaussian(), covariances={"t1~~m1": 0.2}, rmsea=0.03).prepare(moved).population_rmsea() == pytest.approx(0.03, abs=1e-9)


def test_an_rmsea_of_zero_names_nothing(population: ts.Population) -> None:
    sampler = Misspecified(ts.Gaussian(), covariances={"t1~~m1": 0.2}, rmsea=0.0).prepare(population)
    np.testing.assert_allclose(sampler.population.cov, population.cov, rtol=1e-14)


def test_what_cannot_be_reached_names_what_can(population: ts.Population) -> None:
    generator = Misspecified(ts.Gaussian(), covariances={"t1~~m1": 0.2}, rmsea=0.5)
    with pytest.raises(ts.OptionError, match=r"at most 0\.\d+") as caught:
        generator.prepare(population)
    largest = float(str(caught.value).partition("at most ")[2].partition(". Ask")[0])
    within = with_options(generator, {"Misspecified": {"rmsea": largest - 0.002}})
    assert within.prepare(population).population_rmsea() == pytest.approx(largest - 0.002, abs=1e-9)
    beyond = with_options(generator, {"Misspecified": {"rmsea": largest + 0.002}})
    with pytest.raises(ts.OptionError, match="cannot be reached"):
        beyond.prepare(population)


def test_an_omitted_confounder_biases_the_path(population: ts.Population) -> None:
    """The standardized slope of Motivation on Trust gains 0.3 * 0.4."""
    sampler = Misspecified(ts.Gaussian(), confounder={"Trust, Motivation": (0.3, 0.4)}).prepare(population)
    before, after = (standardized(fitted(MODEL, one))["Motivation~Trust"] for one in (population, sampler.population))
    assert after == pytest.approx(before + 0.12, abs=1e-6)
    assert sampler.population_rmsea() == pytest.approx(0.0, abs=1e-6)  # and nothing tells
    truth = standardized(fitted(MODEL, population))["Motivation~Trust"] * np.sqrt((0.25 + 0.8) / 1.0)
    assert sampler.population.value("Motivation~Trust") == pytest.approx(truth, rel=1e-6)


def test_method_without_items_is_on_all(population: ts.Population) -> None:
    cov = Misspecified(ts.Gaussian(), method=0.3).prepare(population).population.cov
    sd = np.sqrt(np.diag(population.cov))
    wanted = np.full(cov.shape, 0.09)
    np.fill_diagonal(wanted, 0.0)
    np.testing.assert_allclose((cov - population.cov) / np.outer(sd, sd), wanted, atol=1e-12)


def test_a_variable_called_method_is_in_nobodys_way() -> None:
    before = ts.Population("y ~ Method\nMethod ~~ Method", {"y~Method": 0.5, "y~~y": 1.0, "Method~~Method": 1.0})
    after = Misspecified(ts.Gaussian(), method=0.3).prepare(before).population
    assert after.value("Method_=~y") == pytest.approx(0.3 * np.sqrt(1.25))


def test_wrapped_and_around(population: ts.Population) -> None:
    """The inner generator is prepared for the altered population, whatever it is."""
    likert = find("Likert")
    inside = Misspecified(likert(ts.Gaussian()), method=0.4).prepare(population)
    outside = likert(Misspecified(ts.Gaussian(), method=0.4)).prepare(population)
    first, second = (sampler.rows(20, np.random.default_rng(3)).values for sampler in (inside, outside))
    np.testing.assert_array_equal(first, second)
    assert not inside.metric


def test_values_pickle_and_compare(population: ts.Population) -> None:
    one = Misspecified(ts.Gaussian(), confounder={"Trust, Outcomes": [0.3, 0.2]}, covariances={"t1~~m1": np.float64(0.1)})
    two = Misspecified(ts.Gaussian(), confounder={"Trust, Outcomes": (0.3, 0.2)}, covariances={"t1~~m1": 0.1})
    assert one == two
    assert repr(one) == repr(two)
    assert pickle.loads(pickle.dumps(one)) == two
    sampler = pickle.loads(pickle.dumps(one.prepare(population)))
    assert sampler.population_rmsea() == one.prepare(population).population_rmsea() > 0.0
