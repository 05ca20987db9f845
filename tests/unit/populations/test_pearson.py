"""Pearson distributions against scipy's, and their moments by quadrature."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from trustsem.populations.pearson import Beta, BetaPrime, Four, Gamma, InverseGamma, Mirrored, NearlyNormal, pearson

STEP = 1 / 128
Z = np.arange(-37, 37 + STEP / 2, STEP)
WEIGHTS = np.exp(-0.5 * Z * Z) * STEP / np.sqrt(2.0 * np.pi)
SCORES = np.linspace(-8.0, 8.0, 65)


def moments_of(distribution):
    x = distribution.at(Z)
    mean, variance, third, fourth = (float(WEIGHTS @ x**k) for k in (1, 2, 3, 4))
    return mean, variance, third, fourth - 3.0


TYPES = {
    "beta": (0.5, -1.0, Beta, lambda d: stats.beta(d.a, d.b)),
    "symmetric beta": (0.0, -0.8, Beta, lambda d: stats.beta(d.a, d.b)),
    "U-shaped beta": (0.3, -1.7, Beta, lambda d: stats.beta(d.a, d.b)),
    "uniform": (0.0, -1.2, Beta, lambda d: stats.uniform()),
    "gamma": (1.0, 1.5, Gamma, lambda d: stats.gamma(d.a)),
    "exponential": (2.0, 6.0, Gamma, lambda d: stats.expon()),
    "inverse gamma": (4.0 * np.sqrt(8.0) / 7.0, 6.0 * (5.0 * 10.0 - 11.0) / (7.0 * 6.0), InverseGamma, lambda d: stats.invgamma(10.0)),
    "beta prime": (2.0, 6.5, BetaPrime, lambda d: stats.betaprime(d.a, d.b)),
    "t": (0.0, 1.0, Four, lambda d: stats.t(d.r + 1.0)),
}


@pytest.mark.parametrize("name", TYPES)
def test_a_type_is_scipys(name):
    skewness, kurtosis, kind, make = TYPES[name]
    found = pearson(skewness, kurtosis)
    assert type(found) is kind
    wanted = make(found)
    np.testing.assert_allclose(wanted.stats("sk"), (skewness, kurtosis), atol=1e-10)
    z = np.linspace(0.0, 6.0, 61)
    # The upper quantiles of scipy's beta prime err by 4e-9; those of its inverse, which is one too, do not.
    upper = 1.0 / stats.betaprime(found.b, found.a).ppf(stats.norm.sf(z)) if kind is BetaPrime else wanted.isf(stats.norm.sf(z))
    for exact, quick in ((wanted.ppf(stats.norm.cdf(-z)), found.at(-z)), (upper, found.at(z))):
        np.testing.assert_allclose(quick, (exact - wanted.mean()) / wanted.std(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("skewness", "kurtosis"), [(1.0, 3.0), (0.3, 2.0), (2.0, 10.5)])
def test_type_four_by_adaptive_quadrature(skewness, kurtosis):
    found = pearson(skewness, kurtosis)
    assert found.type == "IV"

    def density(y):
        return (1.0 + y * y) ** (-0.5 * found.r - 1.0) * np.exp(found.nu * np.arctan(y))

    def moment(k):
        def integrand(angle):
            return density(np.tan(angle)) * np.tan(angle) ** k / np.cos(angle) ** 2

        return integrate.quad(integrand, -np.pi / 2, np.pi / 2, epsabs=0, limit=200)[0]

    total, mean = moment(0), moment(1) / moment(0)
    scale = np.sqrt(moment(2) / total - mean**2)
    for z in (-3.0, -0.7, 0.0, 1.3, 4.0):
        y = mean + scale * found.at(np.array(z))
        below = integrate.quad(density, -np.inf, y, epsabs=0, epsrel=1e-11)[0] if z < 0 else total - integrate.quad(density, y, np.inf, epsabs=0)[0]
        assert below / total == pytest.approx(stats.norm.cdf(z), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.floats(-3.0, 3.0), st.floats(0.1, 12.0))
def test_the_moments_are_exact_wherever_they_exist(skewness, above):
    kurtosis = skewness**2 - 2.0 + above
    # Beyond, the quadrature of this test (not the distribution) ends before the fourth moment does.
    assume(kurtosis < 20.0)
    found = pearson(skewness, kurtosis)
    x = found.at(Z)
    # Next to a bound the values are equal but for rounding.
    assert np.all(np.diff(x) >= -4.0 * np.finfo(float).eps * np.maximum(1.0, np.abs(x[1:])))
    np.testing.assert_allclose(moments_of(found), (0.0, 1.0, skewness, kurtosis), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kurtosis", [100.0, 5000.0])
def test_heavy_tails_have_the_distribution_function_of_t(kurtosis):
    found = pearson(0.0, kurtosis)
    assert stats.t(found.r + 1.0).stats("k") == pytest.approx(kurtosis, rel=1e-10)
    z = np.array([-30.0, -8.0, -1.0, 0.0])
    x = found.at(z) * stats.t(found.r + 1.0).std()
    np.testing.assert_allclose(stats.t(found.r + 1.0).logcdf(x), stats.norm.logcdf(z), rtol=1e-9)


@given(st.floats(-4.0, 4.0), st.floats(0.0, 5.0))
def test_the_impossible_does_not_exist(skewness, short):
    assert pearson(skewness, skewness**2 - 2.0 - short) is None


def borders(skewness):
    """Return the kurtosis of types III and V for a skewness."""

    def inverse_gamma(a):
        return 4.0 * np.sqrt(a - 2.0) / (a - 3.0) - skewness

    a = optimize.brentq(inverse_gamma, 3.0 + 1e-6, 1e9, xtol=1e-12)
    return 1.5 * skewness**2, 6.0 * (5.0 * a - 11.0) / ((a - 3.0) * (a - 4.0))


@pytest.mark.parametrize("skewness", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("border", [0, 1])
def test_across_borders_nothing_jumps(skewness, border):
    kurtosis = borders(skewness)[border]
    for off in (1e-13, 1e-11, 1e-9, 1e-7, 1e-5, 1e-3):
        for side in (-1.0, 1.0):
            found = pearson(skewness, kurtosis + side * off)
            np.testing.assert_allclose(moments_of(found), (0.0, 1.0, skewness, kurtosis + side * off), rtol=1e-9, atol=1e-9)
    kinds = [type(pearson(skewness, kurtosis + off)) for off in (-1e-3, 1e-3)]
    assert kinds == ([Beta, BetaPrime], [BetaPrime, Four])[border]


@pytest.mark.parametrize(
    ("skewness", "kurtosis"), [(0.0, 0.0), (9e-6, -9e-6), (1.1e-5, 0.0), (1e-4, 1e-4), (0.0, 2e-5), (-1e-4, -1e-4), (1e-3, 1.5e-6)]
)
def test_next_to_the_normal(skewness, kurtosis):
    found = pearson(skewness, kurtosis)
    np.testing.assert_allclose(moments_of(found), (0.0, 1.0, skewness, kurtosis), atol=2e-9)
    np.testing.assert_allclose(
        found.at(SCORES), SCORES + skewness / 6.0 * (SCORES**2 - 1.0) + kurtosis / 24.0 * (SCORES**3 - 3.0 * SCORES), atol=1e-4
    )
    assert (type(found) is NearlyNormal) == (max(abs(skewness), abs(kurtosis)) < 1e-5)


@given(st.floats(0.01, 3.0), st.floats(0.1, 5.0))
@settings(max_examples=20, deadline=None)
def test_the_opposite_skewness_mirrors(skewness, above):
    kurtosis = skewness**2 - 2.0 + above
    left = pearson(-skewness, kurtosis)
    assert isinstance(left, Mirrored)
    assert left.type == pearson(skewness, kurtosis).type
    np.testing.assert_array_equal(left.at(SCORES), -pearson(skewness, kurtosis).at(-SCORES))


def test_shapes_and_pickles():
    for target in [(0.0, 0.0), (0.5, -1.0), (1.0, 1.5), (-1.0, 3.0)]:
        found = pearson(*target)
        copy = pickle.loads(pickle.dumps(found))
        assert copy == found
        z = SCORES[:64].reshape(4, 16)
        np.testing.assert_array_equal(copy.at(z), found.at(SCORES[:64]).reshape(4, 16))
