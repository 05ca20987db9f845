"""Thresholds and moments of answers against quadrature."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from trustsem.populations.ordinal import (
    answer_mean_sd,
    answer_moments,
    equal_thresholds,
    rounded_normal,
    sd_bounds,
    threshold_covariances,
    thresholds_of,
)


def mean_sd(probabilities):
    at = np.arange(1, len(probabilities) + 1)
    mean = probabilities @ at
    return mean, np.sqrt(probabilities @ (at - mean) ** 2)


def upper_quadrant(h, k, rho):
    """P(X > h, Y > k) by one-dimensional quadrature over X, split where the inner probability turns."""
    kink = k / rho
    points = sorted({h, 12.0} | ({kink} if h < kink < 12.0 else set()))

    def density(x):
        return norm.pdf(x) * norm.sf((k - rho * x) / np.sqrt(1.0 - rho**2))

    return sum(quad(density, a, b, epsabs=1e-14, epsrel=1e-12, limit=300)[0] for a, b in pairwise(points))


def test_equal_categories():
    np.testing.assert_allclose(equal_thresholds(5), [-1.5, -0.5, 0.5, 1.5])
    np.testing.assert_allclose(equal_thresholds(2), [0.0], atol=1e-15)
    np.testing.assert_allclose(np.diff(equal_thresholds(7)), 5.0 / 7.0)


def test_proportions():
    np.testing.assert_allclose(norm.cdf(thresholds_of((0.1, 0.2, 0.4, 0.3))), [0.1, 0.3, 0.7])
    assert list(thresholds_of((0.0, 0.5, 0.5, 0.0))) == [-np.inf, 0.0, np.inf]


def test_mean_and_sd_of_answers():
    cuts = np.array([-1.1, 0.2, 0.9])
    found = answer_mean_sd(cuts)
    np.testing.assert_allclose(found, mean_sd(np.diff(norm.cdf(np.r_[-np.inf, cuts, np.inf]))), rtol=1e-13)


def test_bounds_of_the_sd_are_reached():
    assert sd_bounds(4.3, 7)[0] == pytest.approx(mean_sd(np.array([0, 0, 0, 0.7, 0.3, 0, 0]))[1])
    assert sd_bounds(4.3, 7)[1] == pytest.approx(mean_sd(np.array([0.45, 0, 0, 0, 0, 0, 0.55]))[1])


@settings(max_examples=40)
@given(st.integers(3, 11), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_rounded_normal_has_the_figures_asked_for(categories, place, share):
    mean = 1.0 + place * (categories - 1.0)
    low, high = sd_bounds(mean, categories)
    sd = low + share * (high - low)
    mu, sigma = rounded_normal(np.array([mean]), np.array([sd]), np.array([categories]))
    edges = np.r_[-np.inf, np.arange(1, categories) + 0.5, np.inf]
    # Differences on the side where they lose no digits.
    z = (edges - mu[0]) / sigma[0]
    found = mean_sd(np.where(z[1:] < 0.0, np.diff(norm.cdf(z)), -np.diff(norm.sf(z))))
    np.testing.assert_allclose(found, (mean, sd), atol=1e-9)


def test_items_are_solved_together_whatever_their_scales():
    mean, sd, categories = np.array([2.0, 5.5, 3.0]), np.array([0.6, 1.2, 0.9]), np.array([3, 7, 5])
    together = rounded_normal(mean, sd, categories)
    for at in range(3):
        alone = rounded_normal(mean[[at]], sd[[at]], categories[[at]])
        np.testing.assert_allclose([one[at] for one in together], [one[0] for one in alone], rtol=1e-10)
    assert [len(one) for one in rounded_normal(np.empty(0), np.empty(0), np.empty(0))] == [0, 0]


@pytest.mark.parametrize("rho", [0.05, -0.3, 0.6, 0.89, -0.95, 0.99, 0.999])
def test_joint_probabilities(rho):
    for h in (-2.5, -0.4, 0.0, 1.3):
        for k in (-1.9, 0.0, 0.1, 1.3):
            found = threshold_covariances(np.array([h, k]), np.array([[0.0, rho], [rho, 0.0]]))[0, 1]
            assert found == pytest.approx(upper_quadrant(h, k, rho) - norm.sf(h) * norm.sf(k), abs=1e-11), (h, k)


def test_joint_probabilities_as_scipy_has_them():
    for h, k, rho in ((-1.5, 0.5, 0.4), (1.5, 1.2, -0.6), (0.0, 0.0, 0.7)):
        joint = multivariate_normal(cov=[[1.0, rho], [rho, 1.0]]).cdf([-h, -k])
        found = threshold_covariances(np.array([h, k]), np.array([[0.0, rho], [rho, 0.0]]))[0, 1]
        assert found == pytest.approx(joint - norm.cdf(-h) * norm.cdf(-k), abs=1e-6)


def test_moments_of_answers_and_normal_columns():
    mean = np.array([1.0, -2.0, 0.5])
    sds = np.array([2.0, 0.5, 1.5])
    corr = np.array([[1.0, 0.5, -0.4], [0.5, 1.0, 0.3], [-0.4, 0.3, 1.0]])
    cuts = [np.array([-1.0, 0.3]), None, np.array([-np.inf, -0.5, 0.0, 1.2])]
    found_mean, found = answer_moments(mean, corr * np.outer(sds, sds), cuts)
    # By hand: answers are 1 plus the thresholds passed.
    assert found_mean == pytest.approx([1 + norm.sf(-1.0) + norm.sf(0.3), -2.0, 2 + norm.sf(-0.5) + norm.sf(0.0) + norm.sf(1.2)])
    joint = sum(upper_quadrant(h, k, -0.4) - norm.sf(h) * norm.sf(k) for h in cuts[0] for k in cuts[2][1:])
    assert found[0, 2] == pytest.approx(joint, abs=1e-11)
    with_normal = sum(quad(lambda z, h=h: 0.5 * z * norm.pdf(z), h, np.inf)[0] for h in cuts[0])
    assert found[0, 1] == pytest.approx(0.5 * with_normal, abs=1e-11)
    assert found[1, 1] == pytest.approx(0.25)
    assert found[2, 2] == pytest.approx(mean_sd(np.diff(norm.cdf(np.r_[-np.inf, cuts[2], np.inf])))[1] ** 2)
    np.testing.assert_allclose(found, found.T)
