"""Panels: every wave is the population, what happens between waves is as asked, and the text is its model."""

from __future__ import annotations

import contextlib
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trustsem as ts
from helpers import quietly
from trustsem.simulators import find
from trustsem.simulators.panel import Panel

LATENT = "Trust =~ a + b + c\nOutcomes =~ d + e + h\nOutcomes ~ Trust\na ~~ d"
VALUES = {"Trust=~b": 0.8, "Trust=~c": 1.1, "Outcomes=~e": 0.9, "Outcomes=~h": 1.2, "Outcomes~Trust": 0.5, "a~~d": 0.1}
VALUES |= {"Trust~~Trust": 1.0, "Outcomes~~Outcomes": 0.7} | {f"{v}~~{v}": 0.6 for v in "abcdeh"}
MEANS = {f"{v}~1": 0.25 * k for k, v in enumerate("abcdeh")}
MIXED = "f =~ a + b + c\ny ~ f + x\nx ~~ x\nf ~~ x\nc ~ x\nx ~ 1"
MIXED_VALUES = {"f=~b": 0.9, "f=~c": 1.2, "f~~f": 0.8, "a~~a": 0.5, "b~~b": 0.5, "c~~c": 0.5, "y~f": 0.4, "y~x": 0.1, "y~~y": 2.0, "x~~x": 3.0}
MIXED_VALUES |= {"f~~x": 0.4, "c~x": 0.1, "a~1": 0.0, "b~1": 1.0, "c~1": 2.0, "x~1": 3.0, "y~1": 4.0}

POPULATIONS = {
    "latent": lambda: ts.Population(LATENT, VALUES),
    "means": lambda: ts.Population(LATENT + "\na ~ 1", VALUES | MEANS),
    "std_lv": lambda: ts.Population(
        "f =~ NA*a + b + c\nf ~~ 1*f\ny ~ f\ny ~~ y",
        {"f=~a": 0.7, "f=~b": 0.8, "f=~c": 0.6, "y~f": 0.4, "y~~y": 1.0, "a~~a": 0.5, "b~~b": 0.5, "c~~c": 0.5},
    ),
    "observed": lambda: ts.Population("m ~ x\ny ~ m + x", {"m~x": 0.5, "y~m": 0.4, "y~x": 0.1, "m~~m": 1.0, "y~~y": 2.0, "x~~x": 3.0}),
    "mixed": lambda: ts.Population(MIXED, MIXED_VALUES),
}
OPTIONS = {
    "plain": {},
    "two waves": {"waves": 2, "autoregression": 0.8},
    "traits": {"trait": 0.4},
    "stable items": {"item_stability": 0.3, "trait": 0.2},
    "no lags": {"lag_share": 0.0, "autoregression": 0.0, "waves": 4},
}
GROWING = {
    "means grow": {"growth": 0.2},
    "people differ": {"growth": 0.2, "growth_sd": 0.15},
    "with traits": {"growth": -0.1, "growth_sd": 0.1, "trait": 0.3},
}


def places(panel: ts.Population, population: ts.Population, wave: int) -> list[int]:
    return [panel.names.index(f"{name}_w{wave}") for name in population.names]


def fitted(text: str, panel: ts.Population) -> ts.Fit:
    means = {"sample_mean": pd.Series(panel.mean, panel.names)} if panel.table.has_means else {}
    cov = pd.DataFrame(panel.cov, panel.names, panel.names)
    return quietly(ts.sem, text, sample_cov=cov, sample_nobs=10_000, likelihood="wishart", fixed_x=False, **means)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", POPULATIONS)
def test_every_wave_is_the_population(name: str, options: str) -> None:
    population, generator = POPULATIONS[name](), Panel(ts.Gaussian(), **OPTIONS[options])
    panel = generator.prepare(population).population
    assert len(panel.names) == generator.waves * len(population.names)
    for wave in range(1, generator.waves + 1):
        own = places(panel, population, wave)
        np.testing.assert_allclose(panel.cov[np.ix_(own, own)], population.cov, atol=1e-12)
        np.testing.assert_allclose(panel.mean[own], population.mean, atol=1e-12)


@pytest.mark.parametrize("options", ["plain", "traits", "stable items", *GROWING])
@pytest.mark.parametrize("name", POPULATIONS)
def test_the_text_is_the_model_of_the_panel(name: str, options: str) -> None:
    """Exact moments in, every value of the population out, by its name."""
    population, generator = POPULATIONS[name](), Panel(ts.Gaussian(), **(OPTIONS | GROWING)[options])
    panel = generator.prepare(population).population
    fit = fitted(generator.syntax(population), panel)
    assert fit.converged
    assert fit.chisq.statistic == pytest.approx(0.0, abs=1e-5)
    assert fit.df > 0
    found = fit.coef()
    assert set(found.index) == set(panel.values)
    for parameter, value in panel.values.items():
        np.testing.assert_allclose(found[parameter], value, atol=1e-6, err_msg=parameter)


def test_columns_wave_by_wave() -> None:
    population = POPULATIONS["latent"]()
    names = Panel(ts.Gaussian(), waves=2).prepare(population).rows(3, np.random.default_rng(1)).names
    assert names == tuple(f"{name}_w{wave}" for wave in (1, 2) for name in population.names)


def test_lags_are_those_of_a_regression_on_the_wave_before() -> None:
    """Observed constructs: the regression of wave 3 on wave 2, from moments alone."""
    population = POPULATIONS["observed"]()
    generator = Panel(ts.Gaussian(), autoregression={"m": 0.4, "y": 0.3}, lagged={"y -> m": 0.15, "x -> y": 0.0})
    panel, sd = generator.prepare(population).population, dict(zip(population.names, np.sqrt(np.diag(population.cov)), strict=True))
    now, before = (places(panel, population, wave) for wave in (3, 2))
    B = np.linalg.solve(panel.cov[np.ix_(before, before)], panel.cov[np.ix_(before, now)]).T
    standard = pd.DataFrame(B, population.names, population.names).mul(sd, axis=1).div(sd, axis=0)
    assert standard.loc["m", "m"] == pytest.approx(0.4)
    assert standard.loc["x", "x"] == pytest.approx(0.5)  # the default, for what a mapping leaves out
    assert standard.loc["m", "y"] == pytest.approx(0.15)
    assert standard.loc["y", "x"] == pytest.approx(0.0, abs=1e-12)  # replaces what the path would have brought
    assert standard.loc["y", "m"] == pytest.approx(0.7 * 0.4 * sd["m"] / sd["y"])
    assert standard.loc["m", "x"] == pytest.approx(0.6 * 0.5 * sd["x"] / sd["m"])
    # What was two waves before adds nothing.
    both = before + places(panel, population, 1)
    longer = np.linalg.solve(panel.cov[np.ix_(both, both)], panel.cov[np.ix_(both, now)]).T
    np.testing.assert_allclose(longer, np.hstack([B, np.zeros_like(B)]), atol=1e-12)


def test_trait_and_moving_part_of_the_covariances_between_waves() -> None:
    """One construct: Cov(x_1, x_1+h) = Var(x) (t + (1 - t) a^h)."""
    population = ts.Population("x ~~ x", {"x~~x": 2.0})
    panel = Panel(ts.Gaussian(), waves=4, trait=0.3, autoregression=0.6).prepare(population).population
    order = [panel.names.index(f"x_w{wave}") for wave in (1, 2, 3, 4)]
    wanted = 2.0 * (0.3 + 0.7 * 0.6 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4))))
    np.testing.assert_allclose(panel.cov[np.ix_(order, order)], wanted, rtol=1e-12)
    assert panel.value("x_trait~~x_trait") == pytest.approx(0.6)
    assert panel.value("x_within_w2~x_within_w1") == pytest.approx(0.6)


def test_traits_of_different_size() -> None:
    population = POPULATIONS["latent"]()
    panel = Panel(ts.Gaussian(), trait={"Trust": 0.5, "Outcomes": 0.3}).prepare(population).population
    phi = population.implied_blocks[0].V[6:, 6:]
    assert panel.value("Trust_trait~~Outcomes_trait") == pytest.approx(phi[0, 1] * np.sqrt(0.15))
    assert panel.value("Trust_within_w1~~Outcomes_within_w1") == pytest.approx(phi[0, 1] * (1 - np.sqrt(0.15)))
    one = Panel(ts.Gaussian(), trait={"Trust": 0.5}).prepare(population).population
    assert "Outcomes_w2~Outcomes_w1" in one.values
    assert "Outcomes_w2~Trust_within_w1" in one.values
    own = places(one, population, 3)
    np.testing.assert_allclose(one.cov[np.ix_(own, own)], population.cov, atol=1e-12)


def test_growth_of_means_and_of_differences() -> None:
    """One construct: E x_w = mean + g sd (w - 1), Var x_w = Var x + s^2 Var x (w - 1)^2."""
    population = ts.Population("x ~~ x\nx ~ 1", {"x~~x": 4.0, "x~1": 1.0})
    panel = Panel(ts.Gaussian(), growth={"x": 0.25}, growth_sd=0.1, trait=0.2).prepare(population).population
    order = [panel.names.index(f"x_w{wave}") for wave in (1, 2, 3)]
    np.testing.assert_allclose(panel.mean[order], [1.0, 1.5, 2.0], rtol=1e-12)
    np.testing.assert_allclose(np.diag(panel.cov)[order], [4.0, 4.04, 4.16], rtol=1e-12)
    assert panel.value("x_slope~1") == pytest.approx(0.5)


@pytest.mark.parametrize("options", [{}, {"trait": 0.3}, {"growth_sd": 0.1}])
def test_growth_of_a_cause_is_not_growth_of_its_effect(options: dict[str, float]) -> None:
    population = POPULATIONS["means"]()
    panel = Panel(ts.Gaussian(), growth={"Trust": 0.3}, **options).prepare(population).population
    for wave in (1, 2, 3):
        moved = panel.mean[places(panel, population, wave)] - population.mean
        np.testing.assert_allclose(moved, 0.3 * (wave - 1) * np.array([1.0, 0.8, 1.1, 0, 0, 0]), atol=1e-12)


def test_stability_of_items() -> None:
    population = POPULATIONS["latent"]()
    panel = Panel(ts.Gaussian(), item_stability={"b": 0.4}).prepare(population).population
    assert panel.value("b_w1~~b_w3") == pytest.approx(0.24)
    assert "a_w1~~a_w2" not in panel.values


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.6, 0.8), st.floats(0.0, 0.8), st.floats(-0.2, 0.2), st.integers(2, 4))
def test_any_panel_that_is_not_refused_is_stationary(autoregression: float, trait: float, feedback: float, waves: int) -> None:
    population = POPULATIONS["latent"]()
    generator = Panel(ts.Gaussian(), waves, autoregression, lagged={"Outcomes -> Trust": feedback}, trait=trait, lag_share=0.5)
    panel = None
    with contextlib.suppress(ts.OptionError):
        panel = generator.prepare(population).population
    if panel is None:
        with pytest.raises(ts.OptionError, match="grow"):
            generator.prepare(population)
        return
    own = places(panel, population, waves)
    np.testing.assert_allclose(panel.cov[np.ix_(own, own)], population.cov, atol=1e-10)


def test_the_theory_in_three_waves() -> None:
    population = ts.load_theory("metz2022").population("calibrated")
    panel = Panel(ts.Gaussian(), lagged={"Outcomes -> Trust": 0.1}).prepare(population).population
    own = places(panel, population, 3)
    np.testing.assert_allclose(panel.cov[np.ix_(own, own)], population.cov, atol=1e-12)
    assert panel.value("Trust_w2~Outcomes_w1") == pytest.approx(0.1)  # all constructs have one standard deviation
    assert panel.value("Motivation_w3~Trust_w2") == pytest.approx(0.5 * population.value("Motivation~Trust"))


def test_rows_have_the_moments_and_wrappers_fit() -> None:
    population = POPULATIONS["latent"]()
    sampler = Panel(ts.Gaussian(), trait=0.3).prepare(population)
    n, cov = 100_000, sampler.population.cov
    found = np.cov(sampler.rows(n, np.random.default_rng(2)).values, rowvar=False)
    assert (np.abs(found - cov) < 5.0 * np.sqrt((np.outer(np.diag(cov), np.diag(cov)) + cov**2) / n)).all()
    answers = find("Likert")(Panel(ts.Gaussian())).draw(population, 30, np.random.default_rng(1))
    assert set(np.unique(answers)) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    gone = find("Dropout")(Panel(ts.Gaussian()), rate=0.4).draw(population, 200, np.random.default_rng(1)).isna()
    assert not gone["a_w1"].any()
    assert (gone["a_w3"] >= gone["a_w2"]).all()
    assert gone["a_w3"].sum() > gone["a_w2"].sum() > 0
    teams = Panel(find("Clustered")(ts.Gaussian(), icc=0.1)).draw(population, 40, np.random.default_rng(1))
    assert teams.columns[-1] == "team"


def test_values_pickle_and_compare() -> None:
    one = Panel(ts.Gaussian(), lagged={"Outcomes -> Trust": np.float64(0.1)}, trait={"Trust": 0.2})
    assert pickle.loads(pickle.dumps(one)) == one == Panel(ts.Gaussian(), lagged={"Outcomes -> Trust": 0.1}, trait={"Trust": 0.2})
    sampler = one.prepare(POPULATIONS["latent"]())
    again = pickle.loads(pickle.dumps(sampler)).rows(4, np.random.default_rng(1)).values
    np.testing.assert_array_equal(again, sampler.rows(4, np.random.default_rng(1)).values)
