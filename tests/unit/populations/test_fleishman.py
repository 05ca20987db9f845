"""Power polynomials: their moments by quadrature, their existence by walking over all of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trustsem.populations.fleishman import (
    fleishman,
    fleishman_kurtosis_range,
    fleishman_moments,
    hermite_weights,
    increasing,
    score_correlation,
)

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(30)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
ANGLES = st.floats(-np.pi, np.pi)


def polynomial(latitude, longitude):
    """Return the coefficients of a polynomial with variance one: a point of the unit sphere."""
    first, third = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
    d = third / np.sqrt(6.0)
    return np.array([first - 3 * d, np.sin(latitude) / np.sqrt(2.0), d])


def values(coefficients, z):
    b, c, d = coefficients
    return -c + z * (b + z * (c + z * d))


def by_quadrature(coefficients):
    y = values(coefficients, NODES)
    return np.array([WEIGHTS @ y, WEIGHTS @ y**2, WEIGHTS @ y**3, WEIGHTS @ y**4 - 3.0])


@given(ANGLES, ANGLES)
def test_the_formulas_are_the_moments(latitude, longitude):
    x = polynomial(latitude, longitude)
    np.testing.assert_allclose([0.0, *fleishman_moments(*x)], by_quadrature(x), rtol=1e-10, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(ANGLES, ANGLES)
def test_whatever_a_polynomial_has_is_found(latitude, longitude):
    x = polynomial(latitude, longitude)
    _, skewness, kurtosis = fleishman_moments(*x)
    found = fleishman(skewness, kurtosis)
    assert found is not None
    np.testing.assert_allclose(by_quadrature(found), [0.0, 1.0, skewness, kurtosis], rtol=1e-8, atol=1e-8)
    assert found[0] + 3 * found[2] >= 0.0
    if increasing(*x):
        assert increasing(*found)


@settings(max_examples=20, deadline=None)
@given(st.floats(-1.2, 1.2), st.floats(0.0, 1.0))
def test_a_solution_is_found_in_the_whole_range_and_not_beyond(skewness, share):
    low, high = fleishman_kurtosis_range(skewness, 1500)
    inside = low + 1e-3 + share * (high - low - 2e-3)
    assert fleishman(skewness, inside) is not None
    assert fleishman(skewness, low - 1e-2 - 3.0 * share) is None
    assert fleishman(skewness, high + 1e-2 + 30.0 * share) is None


def test_the_range_is_that_of_many_polynomials():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((400_000, 3))
    first, second, third = (x / np.linalg.norm(x, axis=1)[:, None]).T
    d = third / np.sqrt(6.0)
    _, skewness, kurtosis = fleishman_moments(first - 3 * d, second / np.sqrt(2.0), d)
    low, high = fleishman_kurtosis_range(1.0)
    near = kurtosis[np.abs(skewness - 1.0) < 0.005]
    assert low - 0.02 < near.min() < low + 0.1
    assert high - 1.0 < near.max() < high + 0.05
    assert fleishman_kurtosis_range(skewness.max() + 0.02) is None
    assert fleishman_kurtosis_range(skewness.max() - 0.02) is not None


@pytest.mark.parametrize("kurtosis", [-1.15, -0.5, 1.0, 3.75, 20.0])
def test_without_skewness_the_polynomial_is_odd(kurtosis):
    b, c, d = fleishman(0.0, kurtosis)
    assert c == pytest.approx(0.0, abs=1e-12)
    assert np.sign(d) == np.sign(kurtosis)
    assert increasing(b, c, d) == (kurtosis > 0)


def test_a_published_solution():
    """Fleishman (1978), table 1, skewness 1.75 and kurtosis 3.75; that these are its moments is checked as well."""
    published = np.array([0.92966052, 0.39949667, -0.03646699])
    np.testing.assert_allclose(by_quadrature(published), [0.0, 1.0, 1.75, 3.75], atol=1e-6)
    np.testing.assert_allclose(fleishman(1.75, 3.75), published, atol=1e-8)


@settings(max_examples=30, deadline=None)
@given(st.floats(-1e-3, 1e-3), st.floats(-1e-3, 1e-3))
def test_near_the_normal_the_polynomial_is_near_the_identity(skewness, kurtosis):
    np.testing.assert_allclose(fleishman(skewness, kurtosis), [1.0 - kurtosis / 8.0, skewness / 6.0, kurtosis / 24.0], atol=2e-6)


@pytest.mark.parametrize(("skewness", "kurtosis"), [(1.0, 2.0), (2.0, 7.0), (1.75, 3.75), (3.0, 15.0)])
def test_the_opposite_skewness_mirrors(skewness, kurtosis):
    np.testing.assert_allclose(fleishman(-skewness, kurtosis), fleishman(skewness, kurtosis) * [1.0, -1.0, 1.0], atol=1e-12)


def test_no_distribution_no_polynomial():
    for skewness, more in itertools.product((-2.0, 0.0, 1.0), (0.0, 0.1, 5.0)):
        assert fleishman(skewness, skewness**2 - 2.0 - more) is None


@settings(max_examples=60, deadline=None)
@given(ANGLES, ANGLES, ANGLES, ANGLES, st.floats(-0.999, 0.999))
def test_scores_give_polynomials_their_correlation(a, b, c, d, share):
    first, second = polynomial(a, b), polynomial(c, d)
    weights = hermite_weights(np.array([first, second]))
    _, low, high = score_correlation(*weights, 0.0)
    target = share * (high if share > 0.0 else -low)
    # Next to the bounds two roots meet, and neither is determined to more than half the digits.
    assume(high - low > 1e-3)
    r, *reach = score_correlation(*weights, target)
    assert reach == [low, high]
    z, other = NODES[:, None], r * NODES[:, None] + np.sqrt(max(1.0 - r * r, 0.0)) * NODES
    correlation = WEIGHTS @ (values(first, z) * values(second, other)) @ WEIGHTS
    assert correlation == pytest.approx(target, abs=1e-9)
    for beyond in (low - 1e-3, high + 1e-3):
        assert np.isnan(score_correlation(*weights, beyond)[0])
