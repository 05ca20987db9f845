"""People in teams: exact shares of variance, sizes, contextual effects, and what is impossible."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trustsem as ts
from trustsem.populations.assignment import team_sizes
from trustsem.simulators.clustered import Clustered

MODEL = """
Trust =~ t1 + t2 + t3
Motivation =~ m1 + m2
Opportunity =~ o1 + o2
Commitment =~ k1 + k2 + k3
Motivation ~ Trust
Opportunity ~ Trust
Commitment ~ Motivation + Opportunity
Motivation ~~ Opportunity
t1 ~ 1
"""
ITEMS = ("t1", "t2", "t3", "m1", "m2", "o1", "o2", "k1", "k2", "k3")
VALUES = {"Trust=~t2": 0.9, "Trust=~t3": 1.1, "Motivation=~m2": 0.8, "Opportunity=~o2": 1.2, "Commitment=~k2": 0.7, "Commitment=~k3": 1.0}
VALUES |= {"Motivation~Trust": 0.5, "Opportunity~Trust": 0.4, "Commitment~Motivation": 0.45, "Commitment~Opportunity": 0.3}
VALUES |= {"Trust~~Trust": 0.8, "Motivation~~Motivation": 0.6, "Opportunity~~Opportunity": 0.7, "Commitment~~Commitment": 0.5}
VALUES |= {"Motivation~~Opportunity": 0.2} | {f"{item}~~{item}": 0.4 + 0.02 * k for k, item in enumerate(ITEMS)}
VALUES |= {f"{item}~1": 3.0 + 0.1 * k for k, item in enumerate(ITEMS)}
UNEQUAL = {"Trust": 0.15, "Motivation": 0.10, "Opportunity": 0.30, "Commitment": 0.2}
PATHS = ("Motivation~Trust", "Opportunity~Trust", "Commitment~Motivation", "Commitment~Opportunity")


@pytest.fixture(scope="module")
def population():
    return ts.Population(MODEL, VALUES)


def clustered(**options):
    return Clustered(ts.Gaussian(), **options)


def batches(sampler, statistic, *, size=5000, count=20, seed=1):
    """Return mean and Monte Carlo error of a statistic over independent draws; teams are never split, so the design effect is in the error."""
    rng = np.random.default_rng(seed)
    found = np.array([statistic(sampler.rows(size, rng)) for _ in range(count)])
    return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(count)


def between_components(values, team):
    """Return the analysis-of-variance estimators of the covariances between and within equally large teams."""
    sizes = np.bincount(team)[1:]
    means = np.array([np.bincount(team, column)[1:] / sizes for column in values.T]).T
    within = values - means[team - 1]
    msw = within.T @ within / (len(values) - len(sizes))
    msb = sizes[0] * np.cov(means.T)
    return (msb - msw) / sizes[0], msw


def near(found, error, exact):
    assert (error > 0.0).all()
    assert (np.abs(found - exact) < 5.0 * error).all(), np.max(np.abs(found - exact) / error)


# ---- exact numbers -----------------------------------------------------------------------------------------------------------------------


def latent_variance(cov, first, second, loading):
    """Return the variance of a construct from the covariance of its marker with another item."""
    return cov[ITEMS.index(first), ITEMS.index(second)] / loading


@pytest.mark.parametrize("icc", [0.12, UNEQUAL])
def test_constructs_have_their_icc_exactly(population, icc):
    sampler = clustered(icc=icc).prepare(population)
    pairs = {"Trust": ("t1", "t2", 0.9), "Motivation": ("m1", "m2", 0.8), "Opportunity": ("o1", "o2", 1.2), "Commitment": ("k1", "k2", 0.7)}
    frame = sampler.iccs().set_index("variable")
    for name, pair in pairs.items():
        wanted = icc if isinstance(icc, float) else icc[name]
        share = latent_variance(sampler.between.cov, *pair) / latent_variance(population.cov, *pair)
        assert share == pytest.approx(wanted, abs=1e-12)
        assert frame.loc[name, "icc"] == pytest.approx(wanted, abs=1e-12)
    observed = np.diag(sampler.between.cov) / np.diag(population.cov)
    np.testing.assert_allclose(frame.loc[list(ITEMS), "icc"], observed, atol=1e-12)


@pytest.mark.parametrize("organisations", [None, 5])
def test_the_levels_add_up_to_the_population(population, organisations):
    more = {"organisations": 5, "icc_organisation": 0.04} if organisations else {}
    sampler = clustered(icc=UNEQUAL, item_icc={"t1": 0.2, "k3": 0.1}, **more).prepare(population)
    np.testing.assert_allclose(sampler.within.cov + sampler.between.cov, population.cov, atol=1e-12)
    np.testing.assert_allclose(sampler.moments.cov, population.cov, atol=1e-12)
    np.testing.assert_allclose(sampler.moments.mean, population.mean)
    for level in (sampler.within, sampler.between):
        assert np.linalg.eigvalsh(level.cov)[0] > -1e-12
    assert (sampler.organisations is None) == (organisations is None)
    assert sampler.population is population
    assert sampler.metric


def test_organisations_come_on_top_of_teams(population):
    sampler = clustered(icc=0.1, organisations=4, icc_organisation={"Trust": 0.05, "Commitment": 0.05}).prepare(population)
    frame = sampler.iccs().set_index("variable")
    assert frame.loc["Trust", ["icc", "icc_organisation"]].tolist() == pytest.approx([0.1, 0.05])
    share = latent_variance(sampler.between.cov, "t1", "t2", 0.9) / 0.8
    assert share == pytest.approx(0.15)
    # A construct that the mapping leaves out has what its cause brings: 0.5^2 of the variance of Trust between organisations.
    variance = 0.25 * 0.8 + 0.6
    assert frame.loc["Motivation", "icc_organisation"] == pytest.approx(0.25 * 0.05 * 0.8 / variance)


def test_residuals_of_indicators_have_their_share(population):
    frame = clustered(icc=0.0, item_icc={"t1": 0.25}).prepare(population).iccs().set_index("variable")
    assert frame.loc["t1", "icc"] == pytest.approx(0.25 * 0.4 / 1.2)
    assert frame.loc["t2", "icc"] == 0.0
    assert frame.loc["Trust", "icc"] == 0.0


@settings(max_examples=30, deadline=None)
@given(icc=st.floats(0.01, 0.6), factor=st.floats(0.9, 1.1))
def test_between_disturbances_keep_their_correlation(icc, factor):
    population = ts.Population("a ~ x\nb ~ x\na ~~ b", {"a~x": 0.4, "b~x": -0.3, "a~~a": 1.0, "b~~b": 2.0, "a~~b": 0.5, "x~~x": 1.0})
    sampler = clustered(icc={"x": icc, "a": icc * factor, "b": icc}).prepare(population)
    cov = pd.DataFrame(sampler.between.cov, population.names, population.names)
    paths = {name: cov.loc[name, "x"] / cov.loc["x", "x"] for name in "ab"}
    left = {(i, j): cov.loc[i, j] - paths[i] * paths[j] * cov.loc["x", "x"] for i in "ab" for j in "ab"}
    assert paths == pytest.approx({"a": 0.4, "b": -0.3})
    assert left["a", "b"] / np.sqrt(left["a", "a"] * left["b", "b"]) == pytest.approx(0.5 / np.sqrt(2.0))
    total = pd.DataFrame(population.cov, population.names, population.names)
    assert cov.loc["a", "a"] / total.loc["a", "a"] == pytest.approx(icc * factor)


def test_loops_take_one_icc_for_all():
    text = "y1 ~ x1\ny2 ~ x2\ny1 ~ y2\ny2 ~ y1"
    values = {"y1~x1": 0.5, "y2~x2": 0.4, "y1~y2": 0.3, "y2~y1": 0.2, "y1~~y1": 1.0, "y2~~y2": 1.0, "x1~~x1": 1.0, "x2~~x2": 1.0, "x1~~x2": 0.3}
    loop = ts.Population(text, values)
    np.testing.assert_allclose(clustered(icc=0.2).prepare(loop).between.cov, 0.2 * loop.cov, atol=1e-12)


def test_contextual_effects_are_paths_between_teams(population):
    sampler = clustered(icc=UNEQUAL, item_icc=0.1, contextual={"Commitment ~ Trust": 0.25, "Motivation~Trust": -0.2}).prepare(population)
    names = list(population.names)
    for level, context in ((sampler.within, 0.0), (sampler.between, 1.0)):
        text = MODEL.replace("t1 ~ 1", "Commitment ~ Trust")
        fit = ts.sem(text, sample_cov=pd.DataFrame(level.cov, names, names), sample_nobs=1000)
        found = fit.coef()
        assert fit.chisq.statistic == pytest.approx(0.0, abs=1e-6)
        assert found["Commitment~Trust"] == pytest.approx(0.25 * context, abs=1e-5)
        assert found["Motivation~Trust"] == pytest.approx(0.5 - 0.2 * context, abs=1e-5)
        assert found["Commitment~Opportunity"] == pytest.approx(0.3, abs=1e-5)
        assert found["Trust=~t3"] == pytest.approx(1.1, abs=1e-5)
    np.testing.assert_allclose(sampler.moments.cov, sampler.within.cov + sampler.between.cov, atol=1e-12)
    estimands = sampler.estimands().set_index(["lhs", "rhs"])
    assert estimands.loc[("Commitment", "Trust"), ["within", "between", "contextual"]].tolist() == [0.0, 0.25, 0.25]
    assert estimands.loc[("Motivation", "Trust"), ["within", "between", "contextual"]].tolist() == pytest.approx([0.5, 0.3, -0.2])
    assert {f"{lhs}~{rhs}" for lhs, rhs in estimands.index} == {*PATHS, "Commitment~Trust"}


# ---- what is drawn -----------------------------------------------------------------------------------------------------------------------


def test_drawn_teams_have_the_moments_of_both_levels(population):
    sampler = clustered(icc=UNEQUAL, item_icc=0.1, contextual={"Commitment~Trust": 0.2}).prepare(population)
    upper = np.triu_indices(len(ITEMS))

    def statistic(rows):
        between, within = between_components(rows.values, rows.extra["team"])
        total = np.cov(rows.values.T)
        return np.concatenate([between[upper], within[upper], total[upper], rows.values.mean(axis=0)])

    found, error = batches(sampler, statistic)
    exact = [sampler.between.cov[upper], sampler.within.cov[upper], sampler.moments.cov[upper], sampler.moments.mean]
    # The sample covariance of teams is a little too small: its expectation is that of rows less that of the mean.
    exact[2] = exact[2] - (10 - 1) * sampler.between.cov[upper] / 4999
    near(found, error, np.concatenate(exact))


def test_drawn_organisations_have_their_share(population):
    sampler = clustered(icc=0.05, organisations=100, icc_organisation=0.1, size=5).prepare(population)

    def statistic(rows):
        between, _ = between_components(rows.values, rows.extra["organisation"])
        return np.diag(between) * 50 - np.diag(sampler.between.cov - sampler.organisations.cov) * 5

    found, error = batches(sampler, statistic)
    near(found / 50, error / 50, np.diag(sampler.organisations.cov))


def test_icc_agrees_with_the_saturated_two_level_model(population):
    frame = clustered(icc=0.2, item_icc=0.1, size=8).draw(population, 8000, np.random.default_rng(3))
    text = "level: 1\nf =~ t1 + t2 + t3\nlevel: 2\nb =~ t1 + t2 + t3"
    found = ts.icc(ts.sem(text, frame, cluster="team", test="none", se="none")).set_index("variable")["icc"]
    exact = clustered(icc=0.2, item_icc=0.1).prepare(population).iccs().set_index("variable")["icc"]
    for name in ("t1", "t2", "t3"):
        rho = exact[name]
        # Standard error of the analysis-of-variance estimator: Fisher (1925); Donner (1986).
        error = np.sqrt(2.0 * (1 - rho) ** 2 * (1 + 7 * rho) ** 2 / (8 * 7 * 999))
        assert abs(found[name] - rho) < 4.0 * error


def test_people_may_be_drawn_with_exact_moments(population):
    sampler = Clustered(ts.Gaussian(empirical=True), icc=0.0).prepare(population)
    rows = sampler.rows(100, np.random.default_rng(1))
    np.testing.assert_allclose(np.cov(rows.values.T), population.cov, atol=1e-10)


def test_rows_are_sorted_by_team_and_organisation(population):
    frame = clustered(teams=11, size_cv=0.5, organisations=4, icc_organisation=0.1).draw(population, 200, np.random.default_rng(2))
    assert list(frame.columns[-2:]) == ["team", "organisation"]
    assert frame["team"].is_monotonic_increasing
    assert frame["organisation"].is_monotonic_increasing
    assert sorted(frame["team"].unique()) == list(range(1, 12))
    homes = frame.groupby("team")["organisation"].unique()
    assert homes.map(len).eq(1).all()
    counts = homes.map(lambda home: home[0]).value_counts()
    assert sorted(counts.index) == [1, 2, 3, 4]
    assert counts.max() - counts.min() == 1


def test_columns_can_be_named_otherwise(population):
    frame = clustered(organisations=2, team="unit", organisation="hospital").draw(population, 50, np.random.default_rng(2))
    assert list(frame.columns[-2:]) == ["unit", "hospital"]


# ---- sizes -------------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(data=st.data(), teams=st.integers(1, 60), cv=st.sampled_from([0.0, 0.2, 0.4]))
def test_sizes_add_up(data, teams, cv):
    n = data.draw(st.integers(teams if cv == 0.0 else max(4 * teams, 8), 2000))
    sizes = team_sizes(n, teams, cv if teams > 1 else 0.0, np.random.default_rng(1))
    assert sizes.sum() == n
    assert len(sizes) == teams
    assert sizes.min() >= 1
    if cv == 0.0:
        assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize(("n", "teams", "cv"), [(1000, 100, 0.3), (1000, 100, 0.6), (400, 100, 0.5), (150, 10, 1.0), (2000, 100, 0.05)])
def test_sizes_vary_as_asked(n, teams, cv):
    rng = np.random.default_rng(4)
    found = np.array([team_sizes(n, teams, cv, rng).var() for _ in range(2000)])
    error = found.std() / np.sqrt(len(found))
    # Rounding is taken to add 1/12 to the variance, which is exact only if the parts that are cut off are uniform.
    assert found.mean() == pytest.approx((cv * n / teams) ** 2, abs=4.0 * error + 0.02)


def test_teams_default_to_the_number_that_keeps_the_size(population):
    sampler = clustered(size=10).prepare(population)
    assert np.bincount(sampler.rows(25, np.random.default_rng(1)).extra["team"])[1:].tolist() == [9, 8, 8]
    sampler = clustered(teams=4).prepare(population)
    assert np.bincount(sampler.rows(25, np.random.default_rng(1)).extra["team"])[1:].tolist() == [7, 6, 6, 6]


# ---- the record --------------------------------------------------------------------------------------------------------------------------


def test_options_are_values():
    generator = clustered(icc={"Trust": 0.1}, contextual={"Commitment~Trust": 0.1})
    assert generator == pickle.loads(pickle.dumps(generator))
    assert generator != clustered(icc={"Trust": 0.2}, contextual={"Commitment~Trust": 0.1})
    assert "contextual={'Commitment~Trust': 0.1}" in repr(generator)


def test_options_do_not_follow_what_was_given():
    given_icc = {"Trust": 0.1}
    generator = clustered(icc=given_icc)
    given_icc["Trust"] = 0.9
    assert generator.icc == {"Trust": 0.1}


def test_a_sampler_pickles(population):
    sampler = clustered(icc=UNEQUAL, organisations=3, icc_organisation=0.1).prepare(population)
    again = pickle.loads(pickle.dumps(sampler))
    np.testing.assert_array_equal(sampler.rows(50, np.random.default_rng(1)).values, again.rows(50, np.random.default_rng(1)).values)


# ---- what is impossible ------------------------------------------------------------------------------------------------------------------


def test_the_possible_range_is_the_truth(population):
    """What lies just inside the range of the message is possible, what lies just outside is not."""
    low = 0.25 * 0.16 * 0.8 / 0.8  # of Motivation's variance, 0.25 * 0.8 + 0.6, Trust alone brings this
    high = low + 0.6 / 0.8
    for wanted, inside in ((low - 1e-4, False), (low + 1e-4, True), (high - 1e-4, True), (high + 1e-4, False)):
        generator = clustered(icc={"Trust": 0.16, "Motivation": wanted})
        uncorrelated = ts.Population(MODEL, VALUES | {"Motivation~~Opportunity": 0.0})
        if inside:
            generator.prepare(uncorrelated)
        else:
            with pytest.raises(ts.OptionError, match=f"between {low:.2f} and {high:.2f} is possible"):
                generator.prepare(uncorrelated)


@pytest.mark.parametrize("covariance", [0.3, -0.3])
def test_disturbances_that_correlate_with_those_of_causes_are_reckoned_with(covariance):
    values = {"y~x": 0.4, "x~~x": 1.0, "y~~y": 0.9, "y~~x": covariance}
    population = ts.Population("y ~ x\ny ~~ x", values)
    total = 0.16 + 0.8 * covariance + 0.9
    frame = clustered(icc={"x": 0.2, "y": 0.25}).prepare(population).iccs().set_index("variable")
    assert frame["icc"].to_dict() == pytest.approx({"x": 0.2, "y": 0.25})
    # Between teams x has 0.2. With s the standard deviation of y's disturbance there, y has 0.16 * 0.2 + 0.8 sqrt(0.2) r s + s^2, s^2 from 0 to 0.9.
    s = np.linspace(0.0, np.sqrt(0.9), 200_001)
    shares = (0.032 + 0.8 * np.sqrt(0.2 / 0.9) * covariance * s + s**2) / total
    # People are left 0.8 and 0.9 - s^2, and what the covariance has not between teams.
    left = (covariance * (1.0 - np.sqrt(0.2 / 0.9) * s)) ** 2 <= 0.8 * (0.9 - s**2)
    low, high = np.ceil(shares[left].min() * 1000) / 1000, np.floor(shares[left].max() * 1000) / 1000
    with pytest.raises(ts.OptionError, match=f"between {low:g} and {high:g} is possible"):
        clustered(icc={"x": 0.2, "y": 0.99}).prepare(population)


def test_correlated_disturbances_need_similar_iccs():
    values = {"a~x": 0.1, "b~x": 0.1, "a~~a": 1.0, "b~~b": 1.0, "a~~b": 0.9, "x~~x": 1.0}
    population = ts.Population("a ~ x\nb ~ x\na ~~ b", values)
    clustered(icc=0.3).prepare(population)
    with pytest.raises(ts.OptionError, match=r"icc= asks for .* of the variance of '[ab]'.* While others keep their shares, between") as caught:
        clustered(icc={"x": 0.1, "a": 0.05, "b": 0.7}).prepare(population)
    words = str(caught.value).split()
    name, low, high = str(caught.value).split("'")[1], float(words[words.index("between") + 1]), float(words[words.index("between") + 3])
    for share in (low, high):
        clustered(icc={"x": 0.1, "a": 0.05, "b": 0.7} | {name: share}).prepare(population)
