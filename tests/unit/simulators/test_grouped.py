"""Groups: how many rows each has, and what each of them is drawn from."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.populations.altering import alter
from trustsem.simulators import find
from trustsem.simulators.grouped import Grouped

MODEL = "Trust =~ t1 + t2 + t3\nMotivation =~ m1 + m2 + m3\nMotivation ~ Trust"
VALUES = {"Trust=~t2": 0.9, "Trust=~t3": 1.1, "Motivation=~m2": 0.8, "Motivation=~m3": 1.0, "Motivation~Trust": 0.5}
VALUES |= {"Trust~~Trust": 1.0, "Motivation~~Motivation": 0.75} | {f"{i}{k}~~{i}{k}": 0.7 for i in "tm" for k in (1, 2, 3)}
SHARES = {"practitioner": 0.5, "academic": 0.2, "community": 0.3}
CHANGES = {
    "paths": {"academic": {"Trust -> Motivation": 0.2}},
    "means": {"community": {"Trust": -0.5}},
    "loadings": {"community": {"Trust=~t2": 0.4}},
}


@pytest.fixture(scope="module")
def population() -> ts.Population:
    return ts.Population(MODEL, VALUES)


@pytest.fixture(scope="module")
def generator() -> Grouped:
    return Grouped(ts.Gaussian(), shares=SHARES, **CHANGES)


@pytest.mark.parametrize(
    ("n", "wanted"),
    [(100, (50, 20, 30)), (101, (51, 20, 30)), (7, (4, 1, 2)), (1, (1, 0, 0)), (9, (4, 2, 3)), (100_003, (50_001, 20_001, 30_001))],
)
def test_shares_are_rounded_to_the_largest_remainders(population: ts.Population, generator: Grouped, n: int, wanted: tuple[int, ...]) -> None:
    label = generator.prepare(population).rows(n, np.random.default_rng(1)).extra["group"]
    assert tuple(int((label == name).sum()) for name in SHARES) == wanted
    assert label.shape == (n,)


def test_random_shares(population: ts.Population) -> None:
    sampler = Grouped(ts.Gaussian(), shares=SHARES, random=True).prepare(population)
    rng = np.random.default_rng(4)
    counts = np.array([[(label == name).sum() for name in SHARES] for label in (sampler.rows(100, rng).extra["group"] for _ in range(400))])
    share = np.array(list(SHARES.values()))
    assert (np.abs(counts.mean(axis=0) - 100 * share) < 5 * np.sqrt(100 * share * (1 - share) / 400)).all()
    assert counts.var(axis=0) == pytest.approx(100 * share * (1 - share), rel=0.4)


def test_each_group_has_its_population(population: ts.Population, generator: Grouped) -> None:
    sampler = generator.prepare(population)
    assert sampler.population is sampler.populations["practitioner"] is population
    np.testing.assert_array_equal(sampler.populations["academic"].cov, alter(population, paths={"Trust -> Motivation": 0.2}).cov)
    n = 100_000
    frame = sampler.rows(n, np.random.default_rng(3)).frame()
    assert list(frame.columns) == [*population.names, "group"]
    for label, own in sampler.populations.items():
        rows = frame.loc[frame["group"] == label, list(own.names)]
        cov, count = own.cov, len(rows)
        error = np.sqrt((np.outer(np.diag(cov), np.diag(cov)) + cov**2) / count)
        assert (np.abs(rows.cov().to_numpy() - cov) < 5.0 * error).all()
        assert (np.abs(rows.mean().to_numpy() - own.mean) < 5.0 * np.sqrt(np.diag(cov) / count)).all()


def test_differences_are_found_by_the_analysis_of_groups(population: ts.Population, generator: Grouped) -> None:
    """From exact moments: paths, loadings and latent means of the groups are those that were asked for."""
    own = generator.prepare(population).populations
    names = list(population.names)
    fit = quietly(
        ts.sem,
        MODEL,
        sample_cov={label: pd.DataFrame(one.cov, one.names, one.names).loc[names, names] for label, one in own.items()},
        sample_mean={label: pd.Series(one.mean, one.names)[names] for label, one in own.items()},
        sample_nobs=dict.fromkeys(own, 5_000),
        likelihood="wishart",
        group_equal=["loadings", "intercepts"],
        group_partial=["Trust=~t2", "t2~1"],
    )
    assert fit.chisq.statistic == pytest.approx(0.0, abs=1e-5)
    table = fit.standardized_solution()
    found = table.set_index(["lhs", "op", "rhs", "group"])["est_std"]
    assert found["Motivation", "~", "Trust", 1] == pytest.approx(0.5, abs=1e-6)
    assert found["Motivation", "~", "Trust", 2] == pytest.approx(0.2, abs=1e-6)
    assert found["Trust", "=~", "t2", 3] == pytest.approx(0.4, abs=1e-6)
    assert found["Trust", "~1", "", 3] == pytest.approx(-0.5, abs=1e-6)
    assert found["Motivation", "~1", "", 3] == pytest.approx(0.0, abs=1e-6)


def test_moments_are_given_where_groups_are_alike(population: ts.Population, generator: Grouped) -> None:
    alike = Grouped(ts.Gaussian()).prepare(population)
    np.testing.assert_array_equal(alike.moments.cov, population.cov)
    np.testing.assert_allclose(alike.pooled.cov, population.cov, rtol=1e-14)
    assert generator.prepare(population).moments is None


def test_moments_of_the_mixture(population: ts.Population, generator: Grouped) -> None:
    sampler = generator.prepare(population)
    assert sampler.pooled is not None
    n = 200_000
    rows = sampler.rows(n, np.random.default_rng(8)).values
    cov = sampler.pooled.cov
    assert (np.abs(rows.mean(axis=0) - sampler.pooled.mean) < 5.0 * np.sqrt(np.diag(cov) / n)).all()
    spread = np.einsum("ni,nj->nij", rows[:20_000] - rows.mean(axis=0), rows[:20_000] - rows.mean(axis=0)).std(axis=0)
    assert (np.abs(np.cov(rows, rowvar=False) - cov) < 5.0 * spread.max() / np.sqrt(n)).all()
    far = np.abs(cov - population.cov).max()
    assert far > 10.0 * spread.max() / np.sqrt(n)  # the mixture is not the first group


def test_teams_are_nobody_elses(population: ts.Population) -> None:
    generator = Grouped(find("Clustered")(ts.Gaussian(), icc=0.2, size=5, organisations=2, icc_organisation=0.1), shares=SHARES)
    frame = generator.draw(population, 100, np.random.default_rng(1))
    assert (frame.groupby("team")["group"].nunique() == 1).all()
    assert (frame.groupby("organisation")["group"].nunique() == 1).all()
    assert sorted(frame["team"].unique()) == list(range(1, 21))
    assert sorted(frame["organisation"].unique()) == list(range(1, 7))


def test_columns_that_count_nothing_are_left_alone(population: ts.Population) -> None:
    generator = Grouped(find("PlannedMissing")(ts.Gaussian(), blocks=(("t1",), ("t2",), ("m1",))))
    frame = generator.draw(population, 60, np.random.default_rng(1))
    assert set(frame["form"]) == {1, 2, 3}


def test_variables_are_joined_by_name() -> None:
    """A path into x changes the order of the variables of that group."""
    before = ts.Population("y ~ x\nw ~~ x", {"y~x": 0.5, "y~~y": 1.0, "x~~x": 1.0, "w~~w": 100.0, "x~~w": 0.0})
    sampler = Grouped(ts.Gaussian(), paths={"b": {"y -> w": 0.1}}).prepare(before)
    assert sampler.populations["a"].names != sampler.populations["b"].names
    rows = sampler.rows(2_000, np.random.default_rng(1))
    sd = dict(zip(rows.names, rows.values[1_000:].std(axis=0), strict=True))
    assert sd["w"] == pytest.approx(10.0, rel=0.15)


def test_groups_of_groups_and_outer_wrappers(population: ts.Population, generator: Grouped) -> None:
    nested = Grouped(generator, shares={"north": 0.5, "south": 0.5}, means={"south": {"Trust": 0.2}}, group="region")
    frame = nested.draw(population, 40, np.random.default_rng(1))
    assert frame.groupby(["region", "group"]).size().to_dict()["south", "community"] == 6
    answers = find("Likert")(generator).draw(population, 3_000, np.random.default_rng(1))
    means = answers.groupby("group")["t1"].mean()
    assert means["community"] < means["practitioner"] - 0.2  # the same thresholds for all


def test_values_pickle_and_compare(population: ts.Population, generator: Grouped) -> None:
    assert pickle.loads(pickle.dumps(generator)) == generator == Grouped(ts.Gaussian(), SHARES, **CHANGES)
    sampler = generator.prepare(population)
    again = pickle.loads(pickle.dumps(sampler)).rows(10, np.random.default_rng(1))
    np.testing.assert_array_equal(again.values, sampler.rows(10, np.random.default_rng(1)).values)
