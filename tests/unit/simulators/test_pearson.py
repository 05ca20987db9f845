"""Pearson distributions with a normal copula: what they promise of the population, and what they refuse."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import trustsem as ts
from trustsem.model.population import Moments
from trustsem.simulators.pearson import Pearson

NAMES = ("a", "b", "c", "d", "e")
MEAN = np.array([0.0, -2.0, 5.0, 100.0, 1.0])
CORRELATIONS = np.array(
    [
        [1.0, 0.5, -0.3, 0.2, 0.3],
        [0.5, 1.0, 0.1, 0.4, 0.2],
        [-0.3, 0.1, 1.0, 0.3, 0.0],
        [0.2, 0.4, 0.3, 1.0, -0.2],
        [0.3, 0.2, 0.0, -0.2, 1.0],
    ]
)
SCALE = np.array([1.0, 0.1, 3.0, 20.0, 2.0])
MOMENTS = Moments(NAMES, MEAN, CORRELATIONS * np.outer(SCALE, SCALE))
# Types I, IV, III, VI and I (U-shaped).
SKEWNESS, KURTOSIS = (0.5, -1.0, 1.0, 2.0, -0.3), (-0.8, 3.0, 1.5, 6.5, -1.6)


def standard_errors(products):
    return products.std(axis=0) / np.sqrt(len(products))


def one(skewness, kurtosis):
    return Pearson(skewness, kurtosis).prepare(Moments(("x",), np.array([3.0]), np.array([[4.0]])))


def test_samples_have_the_moments_within_monte_carlo_error():
    sampler = Pearson(SKEWNESS, KURTOSIS).prepare(MOMENTS)
    assert [distribution.type for distribution in sampler.quantiles.distributions] == ["IV", "I", "I", "III", "VI"]
    z = (sampler.rows(200_000, np.random.default_rng(3)).values - MEAN) / SCALE
    products = z[:, :, None] * z[:, None, :]
    assert (np.abs(z.mean(axis=0)) < 4.5 / np.sqrt(len(z))).all()
    assert (np.abs(products.mean(axis=0) - CORRELATIONS) < 4.5 * standard_errors(products)).all()
    assert (np.abs((z**3).mean(axis=0) - SKEWNESS) < 4.5 * standard_errors(z**3)).all()
    assert (np.abs((z**4).mean(axis=0) - 3.0 - KURTOSIS) < 4.5 * standard_errors(z**4)).all()
    assert sampler.moments is MOMENTS
    assert sampler.metric
    assert sampler.population is None


@pytest.mark.parametrize(
    ("skewness", "kurtosis", "wanted"),
    [(0.0, -1.2, stats.uniform()), (2.0, 6.0, stats.expon()), (0.0, 1.0, stats.t(10)), (1.0, 1.5, stats.gamma(4)), (0.0, 0.0, stats.norm())],
)
def test_a_known_distribution_is_drawn(skewness, kurtosis, wanted):
    values = one(skewness, kurtosis).rows(20_000, np.random.default_rng(8)).values[:, 0]
    assert stats.kstest((values - 3.0) / 2.0 * wanted.std() + wanted.mean(), wanted.cdf).pvalue > 0.001
    z = np.random.default_rng(8).standard_normal(20_000)
    np.testing.assert_allclose(values, 3.0 + 2.0 * (wanted.isf(stats.norm.sf(z)) - wanted.mean()) / wanted.std(), atol=1e-7)


def test_population_covariances_are_exact():
    """Every pair by Gauss-Hermite quadrature over the scores, to the accuracy that it has for such quantiles."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()
    sampler = Pearson(SKEWNESS, KURTOSIS).prepare(MOMENTS)
    scores = sampler.root @ sampler.root.T
    np.testing.assert_allclose(np.diag(scores), 1.0, atol=1e-12)
    exact = [sampler.quantiles.distributions[at] for at in sampler.quantiles.of]
    for i in range(5):
        for j in range(i):
            other = scores[i, j] * nodes[:, None] + np.sqrt(1.0 - scores[i, j] ** 2) * nodes
            found = weights @ (exact[i].at(nodes)[:, None] * exact[j].at(other)) @ weights
            assert found == pytest.approx(CORRELATIONS[i, j], abs=1e-8), (i, j)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.floats(-1.0, 1.0), st.floats(1.0, 6.0)), min_size=5, max_size=5), st.integers(0, 1000))
def test_random_targets_keep_the_covariances(targets, seed):
    skewness = tuple(s for s, _ in targets)
    kurtosis = tuple(s * s - 2.0 + more for s, more in targets)
    z = (Pearson(skewness, kurtosis).prepare(MOMENTS).rows(20_000, np.random.default_rng(seed)).values - MEAN) / SCALE
    products = z[:, :, None] * z[:, None, :]
    # 15 covariances in each of eight examples.
    assert (np.abs(products.mean(axis=0) - CORRELATIONS) < 5.5 * standard_errors(products)).all()


def test_zero_targets_are_normal_data():
    rows = Pearson().prepare(MOMENTS).rows(50, np.random.default_rng(1)).values
    np.testing.assert_allclose(rows, ts.Gaussian().prepare(MOMENTS).rows(50, np.random.default_rng(1)).values, rtol=1e-12)


def test_some_variables_may_be_normal():
    sampler = Pearson({"b": 1.0}, {"b": 2.0}).prepare(MOMENTS)
    values = sampler.rows(30, np.random.default_rng(1)).values
    scores = np.random.default_rng(1).standard_normal((30, 5)) @ sampler.root.T
    np.testing.assert_allclose(values[:, [0, 2, 3, 4]], (scores * SCALE + MEAN)[:, [0, 2, 3, 4]], rtol=1e-12)
    assert (sampler.root @ sampler.root.T)[0, 2] == pytest.approx(-0.3, abs=1e-12)
    assert abs((sampler.root @ sampler.root.T)[0, 1]) > 0.501


@settings(max_examples=15, deadline=None)
@given(st.floats(-3.0, 3.0), st.floats(0.0, 3.0))
def test_impossible_targets_are_refused_by_name(skewness, short):
    with pytest.raises(ts.OptionError, match=r"'c'.*above skewness\^2 - 2, which is"):
        Pearson({"c": skewness}, {"c": skewness**2 - 2.0 - short}).prepare(MOMENTS)


def permuted(order):
    return Moments(tuple(NAMES[at] for at in order), MEAN[order], MOMENTS.cov[np.ix_(order, order)])


def test_correlations_out_of_reach_are_refused_in_every_order():
    """Two exponential variables, one of them mirrored, correlate at most by the Frechet bound pi^2 / 6 - 1."""
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [1, 3, 0, 2, 4]):
        moments = permuted(order)
        cov = moments.cov.copy()
        a, b = moments.names.index("a"), moments.names.index("b")
        cov[a, b] = cov[b, a] = 0.7 * np.sqrt(cov[a, a] * cov[b, b])
        with pytest.raises(ts.OptionError, match=r"'[ab]' and '[ab]' the correlation 0.7") as caught:
            Pearson({"a": 2.0, "b": -2.0}, {"a": 6.0, "b": 6.0}).prepare(Moments(moments.names, moments.mean, cov))
        low, high = map(float, re.search(r"between (\S+) and (\S+)\. Make", str(caught.value)).groups())
        assert high == pytest.approx(np.pi**2 / 6.0 - 1.0, abs=1e-4)
        assert low == pytest.approx(-1.0, abs=1e-4)


def test_it_says_that_scores_cannot_correlate_so():
    correlations = np.full((3, 3), -0.45)
    np.fill_diagonal(correlations, 1.0)
    with pytest.raises(ts.OptionError, match="not positive definite"):
        Pearson(1.5, 4.0).prepare(Moments(("a", "b", "c"), np.zeros(3), correlations))


def test_nearly_two_values():
    """A symmetric variable with nearly two values is nearly the sign of its score, whose correlation is 2 arcsin(r) / pi."""
    correlations = np.array([[1.0, 0.5], [0.5, 1.0]])
    sampler = Pearson(0.0, -1.9999).prepare(Moments(("a", "b"), np.zeros(2), correlations))
    assert sampler.root[1, 0] == pytest.approx(np.sin(np.pi / 4.0), abs=1e-3)
    values = sampler.rows(100, np.random.default_rng(1)).values
    assert (np.abs(np.abs(values) - 1.0) < 1e-3).mean() > 0.98
    with pytest.raises(ts.OptionError, match="nearly only two values"):
        Pearson(0.0, -1.9999).prepare(Moments(("a", "b"), np.zeros(2), np.array([[1.0, 0.98], [0.98, 1.0]])))


def test_generator_and_sampler_pickle():
    generator = Pearson({"a": 1.0}, (2.0, 1.0, 0.0, 0.0, -1.0))
    assert pickle.loads(pickle.dumps(generator)) == generator
    sampler = generator.prepare(MOMENTS)
    copy = pickle.loads(pickle.dumps(sampler))
    np.testing.assert_array_equal(copy.rows(9, np.random.default_rng(4)).values, sampler.rows(9, np.random.default_rng(4)).values)
