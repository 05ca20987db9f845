"""Trials: who gets the strategies, and what they then do."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from trustsem.simulators.clustered import Clustered
from trustsem.simulators.trial import Trial

MODEL = """
Relational =~ r1 + r2
Technical =~ e1 + e2
Trust =~ t1 + t2 + t3
Commitment =~ k1 + k2
Trust ~ Relational + Technical
Commitment ~ Trust
r1 ~ 1
"""
ITEMS = ("r1", "r2", "e1", "e2", "t1", "t2", "t3", "k1", "k2")
VALUES = {"Relational=~r2": 0.9, "Technical=~e2": 1.1, "Trust=~t2": 0.8, "Trust=~t3": 1.2, "Commitment=~k2": 0.7}
VALUES |= {"Trust~Relational": 0.5, "Trust~Technical": 0.3, "Commitment~Trust": 0.6, "Relational~~Technical": 0.4}
VALUES |= {"Relational~~Relational": 1.44, "Technical~~Technical": 0.81, "Trust~~Trust": 0.5, "Commitment~~Commitment": 0.6}
VALUES |= {f"{item}~~{item}": 0.5 for item in ITEMS} | {f"{item}~1": 2.0 for item in ITEMS}
# Standard deviations 1.2 and 0.9: an effect of 0.4 shifts them by 0.48 and 0.36, Trust by 0.5 * 0.48 + 0.3 * 0.36, and Commitment by 0.6 times that.
FULL = {"Relational": 0.48, "Technical": 0.36, "Trust": 0.348, "Commitment": 0.2088}
ON_ITEMS = np.array([0.48, 0.48 * 0.9, 0.36, 0.36 * 1.1, 0.348, 0.348 * 0.8, 0.348 * 1.2, 0.2088, 0.2088 * 0.7])


@pytest.fixture(scope="module")
def population():
    return ts.Population(MODEL, VALUES)


def people(**options):
    return Trial(ts.Gaussian(), **{"effect": 0.4, **options})


def teams(*, size=10, icc=0.12, **options):
    return Trial(Clustered(ts.Gaussian(), size=size, icc=icc), **{"effect": 0.4, **options})


VARYING = {"dose": 0.7, "dose_sd": 0.25, "fidelity": 0.8, "fidelity_sd": 0.2}
TRIALS = {
    "individual": people(share=0.3),
    "individual, varying": people(**VARYING),
    "in teams, varying": teams(**VARYING),
    "cluster": teams(design="cluster", dose=0.5),
    "cluster, varying": teams(design="cluster", share=0.4, **VARYING),
    "stepped wedge": teams(design="stepped_wedge", trend=0.1),
    "stepped wedge, varying": teams(design="stepped_wedge", trend=-0.2, periods=5, **VARYING),
    "one construct": people(on="Trust"),
    "different effects": people(effect={"Relational": 0.5, "Commitment": -0.2}),
}


def batches(sampler, statistic, *, size=5000, count=20, seed=1):
    """Return mean and Monte Carlo error of a statistic over independent trials."""
    rng = np.random.default_rng(seed)
    found = np.array([statistic(sampler.rows(size, rng)) for _ in range(count)])
    return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(count)


def near(found, error, exact):
    assert (error > 0.0).all()
    assert (np.abs(found - exact) < 5.0 * error).all(), np.max(np.abs(found - exact) / error)


def coefficients(rows, *names):
    """Return the coefficients (len(names), p) of the regression of every column on those of `extra`."""
    X = np.column_stack([np.ones(len(rows.values)), *(rows.extra[name] for name in names)])
    return np.linalg.lstsq(X, rows.values, rcond=None)[0][1:]


# ---- estimands ---------------------------------------------------------------------------------------------------------------------------


def test_the_estimands_are_those_of_the_paths(population):
    frame = people(dose=0.5, fidelity=0.8).prepare(population).estimands().set_index("construct")
    assert frame["full"].to_dict() == pytest.approx(FULL)
    assert frame["itt"].to_dict() == pytest.approx({name: 0.4 * value for name, value in FULL.items()})
    assert frame.loc["Relational", "full_std"] == pytest.approx(0.4)
    sd = np.sqrt(0.25 * 1.44 + 0.09 * 0.81 + 2 * 0.5 * 0.3 * 0.4 + 0.5)
    assert frame.loc["Trust", "itt_std"] == pytest.approx(0.4 * 0.348 / sd)


@pytest.mark.parametrize("name", TRIALS)
def test_the_effect_on_constructs_can_be_read_from_the_population(name, population):
    sampler = TRIALS[name].prepare(population)
    larger = sampler.population
    layout, block = larger.compiled.blocks[0], larger.implied_blocks[0]
    arm = layout.variables.index("arm")
    for row in sampler.estimands().itertuples():
        assert block.B[layout.variables.index(row.construct), arm] == pytest.approx(row.itt)
    # The rows and the population that is stated for them have the same moments.
    places = [larger.names.index(item) for item in ITEMS]
    np.testing.assert_allclose(larger.cov[np.ix_(places, places)], sampler.moments.cov, atol=1e-12)
    np.testing.assert_allclose(larger.mean[places], sampler.moments.mean, atol=1e-12)


def test_an_analysis_with_the_arm_finds_the_estimands(population):
    sampler = people(**VARYING, share=0.3).prepare(population)
    larger = sampler.population
    text = MODEL.replace("r1 ~ 1", "Relational ~ arm\nTechnical ~ arm\nRelational ~~ Technical")
    fit = ts.sem(text, sample_cov=pd.DataFrame(larger.cov, larger.names, larger.names), sample_nobs=500)
    found = fit.coef()
    assert fit.chisq.statistic == pytest.approx(0.0, abs=1e-6)
    for name in ("Relational", "Technical"):
        assert found[f"{name}~arm"] == pytest.approx(0.7 * 0.8 * FULL[name], abs=1e-6)
    assert found["Trust~Relational"] == pytest.approx(0.5, abs=1e-6)


def test_a_fit_to_many_rows_finds_them_too(population):
    frame = people(effect={"Relational": 0.4}).draw(population, 50_000, np.random.default_rng(2))
    text = MODEL.replace("r1 ~ 1", "Relational ~ a*arm\nRelational ~~ Technical\nTrust ~ b*Relational\nCommitment ~ c*Trust\nitt := a*b*c")
    text = text.replace("Trust ~ Relational + Technical\nCommitment ~ Trust\n", "Trust ~ Technical\n")
    table = ts.sem(text, frame).parameter_estimates().set_index("lhs")
    assert abs(table.loc["itt", "est"] - 0.48 * 0.5 * 0.6) < 4.0 * table.loc["itt", "se"]


def test_a_population_without_means_stays_without():
    sampler = people(effect=0.5).prepare(ts.Population("y ~ x", {"y~x": 0.5, "y~~y": 1.0, "x~~x": 4.0}))
    assert not sampler.population.table.has_means
    assert sampler.population.values["x~arm"] == pytest.approx(1.0)
    assert sampler.moments.names == ("y", "x")
    np.testing.assert_allclose(sampler.moments.mean, [0.25, 0.5])
    np.testing.assert_allclose(np.diag(sampler.moments.cov), [2.0 + 0.25 * 0.25, 4.25])


def test_variances_that_are_fixed_or_equal_make_room_for_varying_doses():
    values = {"y1~~y1": 1.0, "y2~~y2": 1.0, "v": 2.0, "a~x": 0.5, "b~x": 0.5, "y1~a": 1.0, "y2~b": 1.0}
    population = ts.Population("a ~ x\nb ~ x\ny1 ~ a\ny2 ~ b\nx ~~ 1*x\na ~~ v*a\nb ~~ v*b\ny1 ~~ 0*y2", values)
    sampler = people(effect={"x": 1.0, "a": 1.0}, **VARYING).prepare(population)
    larger = sampler.population
    places = [larger.names.index(name) for name in population.names]
    np.testing.assert_allclose(larger.cov[np.ix_(places, places)], sampler.moments.cov, atol=1e-12)
    assert larger.values["v"] == 2.0
    assert larger.values["a~~a"] > 2.0


# ---- what is drawn -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["individual", "individual, varying", "in teams, varying", "cluster", "cluster, varying"])
def test_the_arms_differ_by_the_estimand(name, population):
    trial = TRIALS[name]
    found, error = batches(trial.prepare(population), lambda rows: coefficients(rows, "arm")[0])
    near(found, error, ON_ITEMS * trial.dose * trial.fidelity)


def test_period_and_arm_are_told_apart_in_a_stepped_wedge(population):
    trial = TRIALS["stepped wedge, varying"]
    found, error = batches(trial.prepare(population), lambda rows: coefficients(rows, "arm", "period").ravel())
    near(found, error, np.concatenate([ON_ITEMS * 0.56, ON_ITEMS * -0.2 / 0.4]))


@pytest.mark.parametrize("name", TRIALS)
def test_rows_have_the_moments_that_are_stated(name, population):
    sampler = TRIALS[name].prepare(population)
    upper = np.triu_indices(len(ITEMS))

    def statistic(rows):
        centred = rows.values - sampler.moments.mean
        return np.concatenate([(centred.T @ centred / len(centred))[upper], rows.values.mean(axis=0)])

    found, error = batches(sampler, statistic)
    near(found, error, np.concatenate([sampler.moments.cov[upper], sampler.moments.mean]))


def test_the_design_has_the_moments_that_are_stated(population):
    sampler = teams(design="stepped_wedge", periods=6, size=9, effect={"Relational": 0.5, "Trust": 0.2}, **VARYING).prepare(population)
    larger = sampler.population
    stated = pd.DataFrame(larger.cov, larger.names, larger.names)

    def statistic(rows):
        arm, period = rows.extra["arm"], rows.extra["period"]
        cov = np.cov([arm, period, rows.values[:, 0]])
        return np.array([cov[0, 0], cov[0, 1], cov[1, 1], cov[0, 2], arm.mean(), period.mean()])

    found, error = batches(sampler, statistic, size=900)
    exact = [stated.loc["arm", "arm"], stated.loc["arm", "period"], stated.loc["period", "period"], stated.loc["arm", "r1"], 0.5, 2.5]
    assert found == pytest.approx(exact, abs=0.02)
    near(found[3:4], error[3:4], np.array(exact[3:4]))


def test_dose_and_fidelity_have_their_distribution(population):
    sampler = teams(**VARYING).prepare(population)
    rows = sampler.rows(100_000, np.random.default_rng(1))
    arm, team = rows.extra["arm"] == 1, rows.extra["team"]
    dose, fidelity = rows.extra["dose"], rows.extra["fidelity"]
    assert (dose[~arm] == 0.0).all()
    assert (fidelity[~arm] == 0.0).all()
    assert dose[arm].mean() == pytest.approx(0.7, abs=5 * 0.25 / np.sqrt(50_000))
    assert dose[arm].std() == pytest.approx(0.25, abs=0.005)
    assert ((dose >= 0.0) & (dose <= 1.0)).all()
    by_team = pd.Series(fidelity[arm]).groupby(team[arm])
    assert by_team.nunique().eq(1).all()
    assert by_team.first().mean() == pytest.approx(0.8, abs=5 * 0.2 / np.sqrt(10_000))
    assert by_team.first().std() == pytest.approx(0.2, abs=0.01)
    assert abs(np.corrcoef(dose[arm], fidelity[arm])[0, 1]) < 5 / np.sqrt(10_000)


def test_fidelity_is_a_person_s_where_there_are_no_teams(population):
    rows = people(fidelity=0.6, fidelity_sd=0.1).prepare(population).rows(100, np.random.default_rng(1))
    assert len(np.unique(rows.extra["fidelity"][rows.extra["arm"] == 1])) == 50
    assert "dose" not in rows.extra


def test_a_dose_that_does_not_vary_is_no_column(population):
    rows = people(dose=0.5).prepare(population).rows(100, np.random.default_rng(1))
    assert set(rows.extra) == {"arm"}


# ---- who gets what -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "share", "treated"), [(100, 0.5, 50), (101, 0.5, 51), (90, 0.3, 27), (10, 0.66, 7)])
def test_people_are_dealt_to_arms_exactly(population, n, share, treated):
    sampler = people(share=share).prepare(population)
    arms = [sampler.rows(n, np.random.default_rng(seed)).extra["arm"] for seed in (1, 2)]
    assert [arm.sum() for arm in arms] == [treated, treated]
    assert (arms[0] != arms[1]).any()


def test_whole_teams_are_dealt_to_arms(population):
    frame = teams(design="cluster", share=0.25, size=7).prepare(population).rows(280, np.random.default_rng(1)).frame()
    by_team = frame.groupby("team")["arm"]
    assert by_team.nunique().eq(1).all()
    assert by_team.first().sum() == 10


def test_each_team_of_a_stepped_wedge_switches_once(population):
    frame = teams(design="stepped_wedge", periods=5, size=12).prepare(population).rows(12 * 30, np.random.default_rng(1)).frame()
    starts = {}
    for team, group in frame.groupby("team"):
        by_period = group.groupby("period")["arm"]
        assert by_period.nunique().eq(1).all()
        arms = by_period.first()
        assert list(arms.index) == [0, 1, 2, 3, 4]
        assert arms.is_monotonic_increasing
        assert arms.iloc[0] == 0
        assert arms.iloc[-1] == 1
        assert group["period"].value_counts().isin([2, 3]).all()
        starts[team] = int(arms.idxmax())
    counts = pd.Series(starts).value_counts()
    assert sorted(counts.index) == [1, 2, 3, 4]
    assert sorted(counts) == [7, 7, 8, 8]


def test_without_an_effect_the_rows_are_those_of_the_inner_generator(population):
    trial = teams(effect=0.0)
    drawn = trial.draw(population, 60, np.random.default_rng(5))
    inner = trial.inner.draw(population, 60, np.random.default_rng(5))
    pd.testing.assert_frame_equal(drawn[inner.columns], inner)


def test_columns_can_be_named_otherwise(population):
    frame = teams(design="stepped_wedge", arm="got_it", period="month").draw(population, 60, np.random.default_rng(5))
    assert list(frame.columns[-3:]) == ["team", "month", "got_it"]


def test_the_record_is_a_value(population):
    trial = people(effect={"Trust": 0.2}, on=["Trust"])
    assert trial.on == ("Trust",)
    assert trial == pickle.loads(pickle.dumps(trial))
    sampler = pickle.loads(pickle.dumps(teams(design="stepped_wedge", **VARYING).prepare(population)))
    assert sampler.rows(60, np.random.default_rng(1)).values.shape == (60, 9)


def test_only_people_and_teams_are_put_into_trials():
    with pytest.raises(ts.OptionError, match="cannot be put around Trial"):
        Trial(people())
