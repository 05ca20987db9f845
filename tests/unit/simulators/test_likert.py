"""Answers on a K-point scale."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy.stats import multivariate_normal, norm

from probes import Probe, TeamProbe, one_factor
from trustsem.populations.ordinal import answer_mean_sd, answer_moments
from trustsem.simulators import with_options
from trustsem.simulators.gaussian import Gaussian
from trustsem.simulators.likert import Likert

N = 100_000
ITEMS = ("a", "b", "c", "d")
POPULATION = one_factor("a b c d", loading=0.8, mean=3.0, sd=2.0)

# Albritton et al. (2019), doi 10.1186/s12913-019-4234-7, Table 3: item means and sds of 122 teams on 7-point scales, omega by scale.
ALBRITTON = {
    "support": (0.792, [(5.29, 1.01), (3.50, 1.40), (5.01, 1.29), (4.83, 1.29)]),
    "leadership": (0.866, [(5.83, 0.78), (5.66, 0.92), (5.10, 1.05)]),
    "safety": (0.748, [(6.26, 0.53), (6.10, 0.46), (6.25, 0.63), (6.35, 0.57), (6.44, 0.51)]),
    "learning": (0.830, [(5.96, 0.65), (5.54, 0.73), (5.37, 0.77)]),
    "implementation": (0.912, [(5.19, 1.03), (5.54, 1.19), (4.33, 1.42), (4.48, 1.61), (4.54, 1.46), (4.63, 1.59)]),
}


def rows(generator, n=N, seed=1, population=POPULATION):
    return generator.prepare(population).rows(n, np.random.default_rng(seed)).values


def within(found, wanted, se, width=5.0):
    assert (np.abs(np.asarray(found) - wanted) < width * np.asarray(se)).all(), (found, wanted)


def shares(answers, categories):
    return np.array([(answers == k).mean() for k in range(1, categories + 1)])


def share_se(p):
    return np.sqrt(np.maximum(p * (1.0 - p), 1e-9) / N)


def check_moments(generator, population):
    """The moments promised are those of the answers drawn."""
    values = rows(generator, population=population)
    moments = generator.prepare(population).moments
    centred = values - moments.mean
    within(values.mean(axis=0), moments.mean, np.sqrt(np.diag(moments.cov) / N))
    for at in range(values.shape[1]):
        products = centred * centred[:, [at]]
        within(products.mean(axis=0), moments.cov[at], products.std(axis=0) / np.sqrt(N))
    sds = np.sqrt(np.diag(moments.cov))
    error = np.sqrt((centred**4).mean(axis=0) - sds**4) / (2.0 * sds * np.sqrt(N))
    within(values.std(axis=0), sds, error)


def test_five_equally_wide_categories_unless_told_otherwise():
    answers = rows(Likert(Gaussian()))
    wanted = np.diff(norm.cdf([-np.inf, -1.5, -0.5, 0.5, 1.5, np.inf]))
    assert np.isin(answers, [1.0, 2.0, 3.0, 4.0, 5.0]).all()
    for item in answers.T:
        within(shares(item, 5), wanted, share_se(wanted))


def test_answers_follow_the_columns_of_the_same_seed():
    plain = rows(Gaussian(), 300)
    answers = rows(Likert(Gaussian(), thresholds=(-0.5, 0.7), categories=3), 300)
    np.testing.assert_array_equal(answers, 1.0 + (plain > 3.0 - 0.5 * 2.0) + (plain > 3.0 + 0.7 * 2.0))


def test_published_item_statistics_are_met_exactly():
    for omega, figures in ALBRITTON.values():
        k = len(figures)
        names = [f"x{at}" for at in range(k)]
        # Items of equal loadings l on unit variance have omega = k l^2 / (k l^2 + 1 - l^2).
        population = one_factor(names, loading=np.sqrt(omega / (k - (k - 1) * omega)), mean=10.0, sd=3.0)
        mean, sd = (dict(zip(names, [pair[at] for pair in figures], strict=True)) for at in (0, 1))
        generator = Likert(Gaussian(), categories=7, mean=mean, sd=sd)
        moments = generator.prepare(population).moments
        np.testing.assert_allclose(moments.mean, list(mean.values()), atol=1e-10)
        np.testing.assert_allclose(np.sqrt(np.diag(moments.cov)), list(sd.values()), atol=1e-10)
        check_moments(generator, population)


def test_covariances_of_answers_are_those_of_rectangles():
    generator = Likert(Gaussian(), categories={"a": 3, "b": 4, "c": 7, "d": 5}, mean=2.2, sd=0.75)
    sampler = generator.prepare(POPULATION)
    for i, j in ((0, 1), (1, 2), (0, 3)):
        corr = [[1.0, 0.64], [0.64, 1.0]]
        # -9 and 9 stand for infinity; the table of both answers has four corners per cell.
        first, second = (np.r_[-9.0, sampler.cuts[: sampler.counts[at] - 1, at], 9.0] for at in (i, j))
        corners = np.array([[multivariate_normal.cdf([x, y], cov=corr, abseps=1e-10, releps=1e-10) for y in second] for x in first])
        table = np.diff(np.diff(corners, axis=0), axis=1)
        x, y = (np.arange(1, sampler.counts[at] + 1) for at in (i, j))
        wanted = x @ table @ y - (x @ table.sum(axis=1)) * (y @ table.sum(axis=0))
        assert sampler.moments.cov[i, j] == pytest.approx(wanted, abs=1e-7)
    check_moments(generator, POPULATION)


def test_every_item_may_have_its_own_way():
    generator = Likert(
        Gaussian(),
        categories={"a": 5, "b": 3, "c": 4, "d": 7},
        mean={"a": 4.2},
        sd={"a": 0.9},
        proportions={"b": (0.2, 0.0, 0.8)},
        thresholds={"c": (-2.0, 0.0, 0.1)},
        ceiling={"d": 0.35},
    )
    answers = rows(generator)
    check_moments(generator, POPULATION)
    within(shares(answers[:, 1], 3), [0.2, 0.0, 0.8], share_se(np.array([0.2, 0.0, 0.8])))
    assert not (answers[:, 1] == 2).any()
    within(shares(answers[:, 2], 4), wanted := np.diff(norm.cdf([-np.inf, -2.0, 0.0, 0.1, np.inf])), share_se(wanted))
    within((answers[:, 3] == 7).mean(), 0.35, share_se(0.35))
    own = generator.prepare(POPULATION).cuts[:, 3]
    np.testing.assert_allclose(np.diff(own), 5.0 / 7.0)
    assert norm.sf(own[-1]) == pytest.approx(0.35)


def test_only_the_columns_named_become_answers():
    generator = Likert(Probe(Gaussian(), extra={"arm": [0, 1]}), columns=("b", "d"), mean=4.0, sd=1.0)
    drawn = generator.prepare(POPULATION).rows(200, np.random.default_rng(3))
    plain = rows(Gaussian(), 200, 3)
    np.testing.assert_array_equal(drawn.values[:, [0, 2]], plain[:, [0, 2]])
    assert np.isin(drawn.values[:, [1, 3]], np.arange(1, 6)).all()
    assert set(drawn.extra["arm"]) == {0, 1}
    check_moments(Likert(Gaussian(), columns=("b", "d"), mean=4.0, sd=1.0), POPULATION)


def test_missing_values_stay_missing():
    answers = rows(Likert(Probe(Gaussian(), holes=("b",)), careless=0.5), 140)
    assert np.isnan(answers[::7, 1]).all()
    assert np.isnan(answers).sum() == 20


def test_acquiescence_is_a_common_shift():
    shift, cuts = 0.7, (-1.0, -0.2, 0.4, 1.1)
    answers = rows(Likert(Gaussian(), thresholds=cuts, acquiescence=shift))
    # The sum of column and shift is normal with variance 1 + shift^2, and correlates by (rho + shift^2) / (1 + shift^2).
    scaled = np.array(cuts) / np.sqrt(1.0 + shift**2)
    corr = (0.64 + shift**2) / (1.0 + shift**2)
    mean, cov = answer_moments(np.zeros(2), np.array([[1.0, corr], [corr, 1.0]]), [scaled, scaled])
    within(answers.mean(axis=0), mean[0], np.sqrt(cov[0, 0] / N))
    product = (answers[:, 0] - mean[0]) * (answers[:, 1] - mean[0])
    within(product.mean(), cov[0, 1], product.std() / np.sqrt(N))


@pytest.mark.parametrize(("categories", "cuts"), [(4, (-1.0, 0.3, 1.0)), (5, (-1.0, 0.0, 0.8, 1.4))])
def test_extreme_responding_stretches_from_the_middle(categories, cuts):
    spread = 0.6
    answers = rows(Likert(Gaussian(), categories=categories, thresholds=cuts, extreme=spread))
    middle = 0.3 if categories == 4 else 0.4
    nodes, weights = hermegauss(60)
    weights = weights / weights.sum()
    above = [weights @ norm.sf(middle + (cut - middle) * np.exp(-spread * nodes)) for cut in cuts]
    within([(answers[:, 0] > k).mean() for k in range(1, categories)], above, share_se(np.array(above)))
    # The factor is the person's: deviations of two items are stretched together.
    outer = np.isin(answers, [1.0, float(categories)])
    plain = np.isin(rows(Likert(Gaussian(), categories=categories, thresholds=cuts)), [1.0, float(categories)])
    assert np.corrcoef(outer.T)[0, 1] > np.corrcoef(plain.T)[0, 1] + 0.03


def test_the_middle_of_a_scale_with_empty_categories_is_finite():
    answers = rows(Likert(Gaussian(), proportions=(0.0, 0.0, 0.0, 0.5, 0.5), extreme=0.5))
    assert (answers == 5.0).mean() == pytest.approx(0.5, abs=0.01)


def test_careless_answers_at_random():
    answers = rows(Likert(Gaussian(), careless=0.3))
    wanted = 0.7 * np.diff(norm.cdf([-np.inf, -1.5, -0.5, 0.5, 1.5, np.inf])) + 0.3 / 5
    within(shares(answers[:, 2], 5), wanted, share_se(wanted))
    plain = rows(Likert(Gaussian()))
    changed = (answers != plain).any(axis=1).mean()
    # A careless respondent gives all four answers as before by chance alone.
    assert 0.28 < changed < 0.3 + 4.0 * share_se(0.3)


def test_straight_lining():
    categories = {"a": 5, "b": 5, "c": 5, "d": 10}
    population = one_factor("a b c d", loading=0.05)
    answers = rows(Likert(Gaussian(), categories=categories, careless=0.2, careless_kind="straight"), population=population)
    plain = rows(Likert(Gaussian(), categories=categories), population=population)
    changed = answers[(answers != plain).any(axis=1)]
    assert (changed[:, 0] == changed[:, 1]).all()
    assert (changed[:, 0] == changed[:, 2]).all()
    assert (np.ceil(changed[:, 3] / 2.0) == changed[:, 0]).all()
    wanted = np.full(5, 0.2)
    within(shares(changed[:, 0], 5), wanted, 0.02)
    assert len(changed) / N == pytest.approx(0.2, abs=0.01)


def test_columns_without_exact_moments_are_standardized_by_a_pilot():
    answers = rows(Likert(Probe(Gaussian(), squared=True, exact=False), categories=2, thresholds=(1.0,)))
    mean, second = 3.0**2 + 4.0, 3.0**4 + 6.0 * 9.0 * 4.0 + 3.0 * 16.0
    cut = np.sqrt(mean + np.sqrt(second - mean**2))
    wanted = norm.sf((cut - 3.0) / 2.0) + norm.cdf((-cut - 3.0) / 2.0)
    # The pilot has 100,000 rows too, so the error is that of two samples and a standardized cut.
    within((answers == 2).mean(axis=0), wanted, 2.0 * share_se(wanted))


def test_moments_are_promised_only_where_they_are_exact():
    assert Likert(TeamProbe(Gaussian())).prepare(POPULATION).moments is not None
    for inner, options in (
        (Probe(Gaussian()), {}),
        (TeamProbe(Probe(Gaussian())), {}),
        (TeamProbe(Gaussian(), exact=False), {}),
        (Gaussian(), {"careless": 0.1}),
        (Gaussian(), {"extreme": 0.1}),
        (Gaussian(), {"acquiescence": 0.1}),
    ):
        assert Likert(inner, **options).prepare(POPULATION).moments is None
    sampler = Likert(Gaussian()).prepare(POPULATION)
    assert sampler.metric is False
    assert sampler.population is POPULATION


def test_options_are_plain_values():
    generator = Likert(Gaussian(), proportions=[0.5, 0.25, 0.25], categories=np.int64(3), columns=["a"])
    assert generator.proportions == (0.5, 0.25, 0.25)
    assert generator.columns == ("a",)
    assert type(generator.categories) is int
    assert generator == pickle.loads(pickle.dumps(generator))
    assert eval(repr(generator)) == generator
    assert with_options(generator, {"Likert": {"careless": 0.1}}).careless == 0.1
    sampler = Likert(Gaussian()).prepare(POPULATION)
    copy = pickle.loads(pickle.dumps(sampler))
    np.testing.assert_array_equal(copy.rows(9, np.random.default_rng(1)).values, sampler.rows(9, np.random.default_rng(1)).values)
    np.testing.assert_array_equal(copy.moments.cov, sampler.moments.cov)
    assert answer_mean_sd(sampler.cuts[:, 0]) == (sampler.moments.mean[0], np.sqrt(sampler.moments.cov[0, 0]))
