"""Data like those observed: same holes, teams and answers, and exactly the covariances of a population."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.severity.altered import population_of
from trustsem.appraisal.severity.imitation import imitate
from trustsem.populations.ordinal import answer_moments

TEXT = "Trust =~ t1 + t2 + t3\nMotivation =~ m1 + m2 + m3\nMotivation ~ Trust"


@pytest.fixture(scope="module")
def fit() -> Any:
    return quietly(ts.sem, TEXT, ts.load_dataset("survey"), estimator="MLR", missing="fiml", cluster="team")


@pytest.fixture(scope="module")
def population(fit: Any) -> Any:
    return population_of(fit)


def test_holes_teams_and_answers_are_those_observed(fit: Any, population: Any) -> None:
    imitator = imitate(fit, population).of(population)
    drawn = imitator.sample(np.random.default_rng(1))
    own, new = fit.sample.blocks[0], drawn.blocks[0]
    assert np.array_equal(np.isnan(own.rows), np.isnan(new.rows))
    assert np.array_equal(own.clusters, new.clusters)
    assert new.n == own.n
    assert drawn.names == fit.sample.names
    assert not np.array_equal(own.rows, new.rows, equal_nan=True)
    for k in range(len(drawn.names)):
        before, after = own.rows[:, k], new.rows[:, k]
        assert np.unique(after[~np.isnan(after)]).size <= np.unique(before[~np.isnan(before)]).size
    again = imitator.sample(np.random.default_rng(1)).blocks[0].rows
    assert np.array_equal(new.rows, again, equal_nan=True)


def test_covariances_are_exactly_those_of_the_population(fit: Any, population: Any) -> None:
    imitation = imitate(fit, population)
    imitator = imitation.of(population)
    normal = imitator.within @ imitator.within.T + imitator.between @ imitator.between.T
    assert np.diag(normal) == pytest.approx(1.0)
    steps = imitation.steps
    assert steps is not None
    assert all(np.ptp(np.diff(one.values)) < 1e-9 for one in steps)  # consecutive answers
    _, cov = answer_moments(np.zeros(len(steps)), normal, [one.cuts for one in steps])
    sd = np.sqrt(np.diag(cov))
    at = [population.names.index(name) for name in fit.sample.names]
    wanted = population.cov[np.ix_(at, at)]
    assert imitator.sd == pytest.approx(np.sqrt(np.diag(wanted)))
    assert cov / np.outer(sd, sd) * np.outer(imitator.sd, imitator.sd) == pytest.approx(wanted, abs=1e-8)


def test_teams_share_what_was_estimated(fit: Any, population: Any) -> None:
    imitation = imitate(fit, population)
    assert set(imitation.icc) == {"Trust", "Motivation"}
    assert all(0.0 <= share < 0.5 for share in (*imitation.icc.values(), *imitation.item_icc.values()))
    wide = replace(imitation, icc={"Trust": 0.4, "Motivation": 0.3}, item_icc={}).of(population)
    rng = np.random.default_rng(4)
    codes = np.repeat(np.arange(4000), 2)
    block = replace(wide.template.blocks[0], n=8000, clusters=codes, missing=None)
    rows = replace(wide, template=replace(wide.template, blocks=(block,))).rows(rng)
    first, second = rows[::2] - wide.mean, rows[1::2] - wide.mean
    i, j = fit.sample.names.index("t1"), fit.sample.names.index("t2")
    total = population.cov[population.names.index("t1"), population.names.index("t2")]
    # The covariance between two items of one construct in two people of a team has no part in it but the construct's.
    between = 0.5 * np.mean(first[:, i] * second[:, j] + first[:, j] * second[:, i])
    assert between / total == pytest.approx(0.4, abs=0.06)


def test_shares_that_are_impossible_are_replaced_and_said(fit: Any, population: Any) -> None:
    imitation = imitate(fit, population)
    same = replace(imitation, icc={"Trust": 0.9, "Motivation": 0.0}, item_icc={}).of(ts.alter(population, paths={"Motivation~Trust": 0.7}))
    assert any("mean intraclass correlation, 0.45" in note for note in same.notes)
    related = ts.alter(population, covariances={"t1~~m1": 0.6})
    every = replace(imitation, item_icc={"t1": 0.9, "m1": 0.0}).of(related)
    assert any("All variables have the intraclass correlation" in note for note in every.notes)


def test_correlations_that_cannot_be_had_are_said() -> None:
    rng = np.random.default_rng(2)
    x = (rng.random(200) < 0.05).astype(float)
    y = np.where(rng.random(200) < 0.95, 1.0, 0.0)
    import pandas as pd

    found = ts.sem("y ~ x", pd.DataFrame({"x": x, "y": y}), fixed_x=False)
    population = population_of(found)
    strong = ts.alter(population, paths={"y~x": 0.9})
    assert any("cannot be had" in note for note in imitate(found, population).of(strong).notes)


def test_summary_statistics_give_normal_rows() -> None:
    data = ts.load_dataset("survey")[["t1", "t2", "t3", "m1", "m2", "m3"]]
    found = ts.sem(TEXT, sample_cov=data.cov(), sample_nobs=300)
    population = population_of(found)
    imitation = imitate(found, population)
    drawn = imitation.of(population).sample(np.random.default_rng(3)).blocks[0]
    assert drawn.n == 300
    assert drawn.rows is None
    assert "multivariate normal" in imitation.said[-1]
    ratio = np.diag(drawn.cov) / np.diag(found.sample.blocks[0].cov)
    assert ratio == pytest.approx(1.0, abs=0.4)
    assert not np.allclose(ratio, 1.0)


def test_what_is_kept_is_said() -> None:
    data = ts.load_dataset("survey")
    weighted = quietly(ts.sem, TEXT, data.assign(w=1.0 + data["team"] % 3).dropna(), sampling_weights="w", estimator="MLR")
    population = population_of(weighted)
    imitation = imitate(weighted, population)
    assert any("sampling weights" in line for line in imitation.said)
    drawn = imitation.of(population).sample(np.random.default_rng(1)).blocks[0]
    assert drawn.weights is not None
    fixed = quietly(ts.sem, "Trust =~ t1 + t2 + t3\nTrust ~ vul", data)
    assert any("fixed" in line and "vul" in line for line in imitate(fixed, population_of(fixed)).said)
    assert any("not used" in line for line in imitate(fixed, population_of(fixed)).said)
    assert imitate(fixed, population_of(fixed)).of(population_of(fixed)).sample(np.random.default_rng(1)).nobs == fixed.nobs
