"""Polynomials of normal scores: what they promise of the population, and what they refuse."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trustsem as ts
from trustsem.model.population import Moments
from trustsem.simulators.vale_maurelli import ValeMaurelli

NAMES = ("a", "b", "c", "d")
MEAN = np.array([0.0, -2.0, 5.0, 100.0])
CORRELATIONS = np.array([[1.0, 0.5, -0.3, 0.2], [0.5, 1.0, 0.1, 0.4], [-0.3, 0.1, 1.0, 0.3], [0.2, 0.4, 0.3, 1.0]])
SCALE = np.array([1.0, 0.1, 3.0, 20.0])
MOMENTS = Moments(NAMES, MEAN, CORRELATIONS * np.outer(SCALE, SCALE))
SKEWNESS, KURTOSIS = (0.0, 1.0, -1.75, 2.0), (-0.8, 2.0, 3.75, 7.0)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(12)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def standard_errors(products):
    return products.std(axis=0) / np.sqrt(len(products))


def polynomial(sampler, at, z):
    b, c, d = sampler.polynomials[at]
    return -c + z * (b + z * (c + z * d))


def test_population_moments_are_exact():
    """Gauss-Hermite quadrature is exact for polynomials: the covariance of every pair and all four moments of every variable."""
    sampler = ValeMaurelli(SKEWNESS, KURTOSIS).prepare(MOMENTS)
    scores = sampler.root @ sampler.root.T
    np.testing.assert_allclose(np.diag(scores), 1.0, atol=1e-12)
    for i in range(4):
        y = polynomial(sampler, i, NODES)
        np.testing.assert_allclose([WEIGHTS @ y**k for k in (1, 2, 3, 4)], [0.0, 1.0, SKEWNESS[i], KURTOSIS[i] + 3.0], atol=1e-10)
        for j in range(i):
            other = scores[i, j] * NODES[:, None] + np.sqrt(1.0 - scores[i, j] ** 2) * NODES
            assert WEIGHTS @ (y[:, None] * polynomial(sampler, j, other)) @ WEIGHTS == pytest.approx(CORRELATIONS[i, j], abs=1e-12)
    assert sampler.moments is MOMENTS
    assert sampler.metric
    assert sampler.population is None


def test_samples_have_them_within_monte_carlo_error():
    z = (ValeMaurelli(SKEWNESS, KURTOSIS).prepare(MOMENTS).rows(200_000, np.random.default_rng(3)).values - MEAN) / SCALE
    products = z[:, :, None] * z[:, None, :]
    assert (np.abs(z.mean(axis=0)) < 4.5 / np.sqrt(len(z))).all()
    assert (np.abs(products.mean(axis=0) - CORRELATIONS) < 4.5 * standard_errors(products)).all()
    assert (np.abs((z**3).mean(axis=0) - SKEWNESS) < 4.5 * standard_errors(z**3)).all()
    assert (np.abs((z**4).mean(axis=0) - 3.0 - KURTOSIS) < 4.5 * standard_errors(z**4)).all()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.floats(-1.0, 1.0), st.floats(0.0, 4.0)), min_size=4, max_size=4))
def test_random_targets_keep_the_covariances(targets):
    skewness = tuple(s for s, _ in targets)
    kurtosis = tuple(1.6 * s * s + more for s, more in targets)
    sampler = ValeMaurelli(skewness, kurtosis).prepare(MOMENTS)
    scores = sampler.root @ sampler.root.T
    b, c, d = sampler.polynomials.T
    # Vale & Maurelli (1983), equation 11, in their own terms.
    first = np.outer(b, b) + 3 * np.outer(b, d) + 3 * np.outer(d, b) + 9 * np.outer(d, d)
    found = scores * first + scores**2 * 2 * np.outer(c, c) + scores**3 * 6 * np.outer(d, d)
    np.testing.assert_allclose(found, CORRELATIONS, atol=1e-10)


def test_zero_targets_are_normal_data():
    sampler = ValeMaurelli().prepare(MOMENTS)
    np.testing.assert_allclose(
        sampler.rows(50, np.random.default_rng(1)).values, ts.Gaussian().prepare(MOMENTS).rows(50, np.random.default_rng(1)).values, rtol=1e-12
    )


def test_options_by_name_in_order_and_for_all():
    rows = [
        ValeMaurelli(skewness, kurtosis).prepare(MOMENTS).rows(5, np.random.default_rng(2)).values
        for skewness, kurtosis in (({"b": 1.0}, {"b": 2.0, "d": 1.0}), ((0, 1, 0, 0), [0, 2, 0, 1]), (np.array([0, 1, 0, 0]), (0.0, 2.0, 0.0, 1.0)))
    ]
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])
    everywhere = ValeMaurelli(1, 2).prepare(MOMENTS)
    np.testing.assert_array_equal(everywhere.polynomials, np.tile(everywhere.polynomials[0], (4, 1)))


def test_options_are_plain_values():
    generator = ValeMaurelli([1, 2], np.array([3.5, 7.0]))
    assert (generator.skewness, generator.kurtosis) == ((1.0, 2.0), (3.5, 7.0))
    assert generator == ValeMaurelli((1.0, 2.0), (3.5, 7.0))
    named = ValeMaurelli({"a": np.float64(1)}, 2)
    assert repr(named) == "ValeMaurelli(skewness={'a': 1.0}, kurtosis=2.0)"
    assert pickle.loads(pickle.dumps(named)) == named


def test_the_sampler_pickles():
    sampler = ValeMaurelli(1.0, 2.0).prepare(MOMENTS)
    copy = pickle.loads(pickle.dumps(sampler))
    np.testing.assert_array_equal(copy.rows(9, np.random.default_rng(4)).values, sampler.rows(9, np.random.default_rng(4)).values)


def permuted(order):
    return Moments(tuple(NAMES[at] for at in order), MEAN[order], MOMENTS.cov[np.ix_(order, order)])


@pytest.mark.parametrize(
    ("skewness", "kurtosis", "words"),
    [
        ({"c": 2.0}, {"c": 3.0, "b": 1.0}, "cannot give 'c'"),
        ({"a": 3.0, "b": -3.0}, {"a": 14.0, "b": 14.0}, "correlation 0.5"),
    ],
)
def test_what_is_refused_is_refused_in_every_order(skewness, kurtosis, words):
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        with pytest.raises(ts.OptionError, match=re.escape(words)):
            ValeMaurelli(skewness, kurtosis).prepare(permuted(order))


def test_the_distribution_does_not_depend_on_the_order():
    order = [2, 0, 3, 1]
    first = ValeMaurelli(SKEWNESS, KURTOSIS).prepare(MOMENTS)
    second = ValeMaurelli(tuple(np.array(SKEWNESS)[order]), tuple(np.array(KURTOSIS)[order])).prepare(permuted(order))
    np.testing.assert_array_equal(second.polynomials, first.polynomials[order])
    np.testing.assert_allclose(second.root @ second.root.T, (first.root @ first.root.T)[np.ix_(order, order)], atol=1e-12)


def test_the_range_it_names_is_the_range_it_has():
    with pytest.raises(ts.OptionError) as caught:
        ValeMaurelli(1.0, 0.0).prepare(MOMENTS)
    low = float(re.search(r"kurtosis from (\S+) to", str(caught.value)).group(1))
    ValeMaurelli(1.0, low + 1e-3).prepare(Moments(("x",), np.zeros(1), np.eye(1)))
    with pytest.raises(ts.OptionError):
        ValeMaurelli(1.0, low - 1e-3).prepare(Moments(("x",), np.zeros(1), np.eye(1)))


def test_it_says_that_scores_cannot_correlate_so():
    correlations = np.full((3, 3), -0.44)
    np.fill_diagonal(correlations, 1.0)
    with pytest.raises(ts.OptionError, match="not positive definite"):
        ValeMaurelli(1.5, 4.0).prepare(Moments(("a", "b", "c"), np.zeros(3), correlations))
