"""Combinations of independent components: what they promise of the population, and what they refuse."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trustsem as ts
from trustsem.model.population import Moments
from trustsem.simulators.independent import IndependentGenerator

NAMES = ("a", "b", "c", "d")
MEAN = np.array([0.0, -2.0, 5.0, 100.0])
CORRELATIONS = np.array([[1.0, 0.5, -0.3, 0.2], [0.5, 1.0, 0.1, 0.4], [-0.3, 0.1, 1.0, 0.3], [0.2, 0.4, 0.3, 1.0]])
SCALE = np.array([1.0, 0.8, 1.3, 2.0])
MOMENTS = Moments(NAMES, MEAN, CORRELATIONS * np.outer(SCALE, SCALE))
SKEWNESS, KURTOSIS = (0.3, 1.0, -0.75, 1.2), (-0.4, 2.0, 1.75, 4.0)
STEP = 1 / 64
Z = np.arange(-37, 37, STEP)
WEIGHT = np.exp(-0.5 * Z * Z) * STEP / np.sqrt(2.0 * np.pi)


def standard_errors(products):
    return products.std(axis=0) / np.sqrt(len(products))


def population_moments(sampler):
    """Return covariance, skewness and kurtosis of X = A Z by the rules for cumulants of sums, those of Z by quadrature."""
    exact = [sampler.quantiles.distributions[at].at(Z) for at in sampler.quantiles.of]
    cumulants = np.array([[WEIGHT @ x, WEIGHT @ x**2 - 1.0, WEIGHT @ x**3, WEIGHT @ x**4 - 3.0] for x in exact])
    np.testing.assert_allclose(cumulants[:, :2], 0.0, atol=1e-9)
    scale = np.sqrt(np.sum(sampler.root**2, axis=1))
    return sampler.root @ sampler.root.T, sampler.root**3 @ cumulants[:, 2] / scale**3, sampler.root**4 @ cumulants[:, 3] / scale**4


@pytest.mark.parametrize("root", ["symmetric", "cholesky"])
def test_population_moments_are_exact(root):
    sampler = IndependentGenerator(SKEWNESS, KURTOSIS, root=root).prepare(MOMENTS)
    cov, skewness, kurtosis = population_moments(sampler)
    np.testing.assert_allclose(cov, MOMENTS.cov, atol=1e-12)
    np.testing.assert_allclose(skewness, SKEWNESS, atol=1e-8)
    np.testing.assert_allclose(kurtosis, KURTOSIS, atol=1e-8)
    assert np.allclose(sampler.root, sampler.root.T) == (root == "symmetric")
    assert np.allclose(sampler.root, np.tril(sampler.root)) == (root == "cholesky")
    assert sampler.moments is MOMENTS
    assert sampler.metric
    assert sampler.population is None


def test_samples_have_them_within_monte_carlo_error():
    z = (IndependentGenerator(SKEWNESS, KURTOSIS).prepare(MOMENTS).rows(200_000, np.random.default_rng(3)).values - MEAN) / SCALE
    products = z[:, :, None] * z[:, None, :]
    assert (np.abs(z.mean(axis=0)) < 4.5 / np.sqrt(len(z))).all()
    assert (np.abs(products.mean(axis=0) - CORRELATIONS) < 4.5 * standard_errors(products)).all()
    assert (np.abs((z**3).mean(axis=0) - SKEWNESS) < 4.5 * standard_errors(z**3)).all()
    assert (np.abs((z**4).mean(axis=0) - 3.0 - KURTOSIS) < 4.5 * standard_errors(z**4)).all()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.floats(-3.0, 3.0), st.floats(-2.0, 9.0)), min_size=4, max_size=4), st.sampled_from(["symmetric", "cholesky"]))
def test_random_targets_are_reached_or_refused_with_reason(targets, root):
    skewness, kurtosis = np.array(targets).T
    generator = IndependentGenerator(tuple(skewness), tuple(kurtosis), root=root)
    a = np.linalg.cholesky(MOMENTS.cov)
    if root == "symmetric":
        u, s, _ = np.linalg.svd(MOMENTS.cov)
        a = u @ np.diag(np.sqrt(s)) @ u.T
    a = a / SCALE[:, None]
    wanted = np.linalg.solve(a**3, skewness), np.linalg.solve(a**4, kurtosis)
    if (wanted[1] > wanted[0] ** 2 - 2.0 + 1e-9).all():
        sampler = generator.prepare(MOMENTS)
        np.testing.assert_allclose(sampler.root / SCALE[:, None], a, atol=1e-12)
        for at, distribution in enumerate(sampler.quantiles.of):
            z = np.random.default_rng(1).standard_normal(3)
            np.testing.assert_allclose(
                sampler.quantiles.at(np.tile(z[:, None], 4))[:, at], sampler.quantiles.distributions[distribution].at(z), atol=1e-6, rtol=1e-6
            )
    elif (wanted[1] < wanted[0] ** 2 - 2.0 - 1e-9).any():
        with pytest.raises(ts.OptionError, match=r"component would need skewness .* kurtosis above skewness\^2 - 2"):
            generator.prepare(MOMENTS)


def test_zero_targets_are_normal_data():
    rows = IndependentGenerator(root="cholesky").prepare(MOMENTS).rows(50, np.random.default_rng(1)).values
    np.testing.assert_allclose(rows, ts.Gaussian().prepare(MOMENTS).rows(50, np.random.default_rng(1)).values, rtol=1e-12)
    sampler = IndependentGenerator().prepare(MOMENTS)
    noise = np.random.default_rng(1).standard_normal((50, 4))
    np.testing.assert_allclose(sampler.rows(50, np.random.default_rng(1)).values, noise @ sampler.root + MEAN, rtol=1e-12)


def test_the_order_of_variables_does_not_matter_with_a_symmetric_root():
    order = [2, 0, 3, 1]
    moments = Moments(tuple(NAMES[at] for at in order), MEAN[order], MOMENTS.cov[np.ix_(order, order)])
    named = [dict(zip(NAMES, values, strict=True)) for values in (SKEWNESS, KURTOSIS)]
    first, second = (IndependentGenerator(*named).prepare(source) for source in (MOMENTS, moments))
    z = np.random.default_rng(2).standard_normal((6, 4))
    np.testing.assert_allclose(second.quantiles.at(z[:, order]) @ second.root, (first.quantiles.at(z) @ first.root)[:, order], atol=1e-7)
    for source in (MOMENTS, moments):
        with pytest.raises(ts.OptionError, match="cannot give 'b' skewness=2 together with kurtosis=3"):
            IndependentGenerator({"b": 2.0}, {"b": 3.0}).prepare(source)


def test_it_is_not_a_normal_copula():
    """E[x^2 y^2] is 1 + 2 r^2 and the sum of a_xj^2 a_yj^2 kurtosis_j; polynomials of normal scores with the same moments have another."""
    sampler = IndependentGenerator(0.0, 3.0).prepare(MOMENTS)
    shares = sampler.root / SCALE[:, None]
    kurtosis = [WEIGHT @ sampler.quantiles.distributions[at].at(Z) ** 4 - 3.0 for at in sampler.quantiles.of]
    expected = 1.0 + 2.0 * CORRELATIONS[0, 1] ** 2 + np.sum(shares[0] ** 2 * shares[1] ** 2 * kurtosis)
    z = (sampler.rows(200_000, np.random.default_rng(5)).values - MEAN) / SCALE
    product = z[:, 0] ** 2 * z[:, 1] ** 2
    assert abs(product.mean() - expected) < 4.5 * standard_errors(product)

    other = ts.simulators.find("ValeMaurelli")(0.0, 3.0).prepare(MOMENTS)
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    weights = weights / weights.sum()
    r = float((other.root @ other.root.T)[0, 1])
    b, _, d = other.polynomials[0]
    first, second = nodes[:, None], r * nodes[:, None] + np.sqrt(1.0 - r * r) * nodes
    products = (b * first + d * first**3) * (b * second + d * second**3)
    assert weights @ products @ weights == pytest.approx(CORRELATIONS[0, 1], abs=1e-10)
    assert weights @ products**2 @ weights > expected + 0.1


def test_generator_and_sampler_pickle():
    generator = IndependentGenerator([0.5, 0.0, 0.0, 1.0], {"d": 3.0, "a": 1.0}, root="Cholesky")
    assert generator.root == "cholesky"
    assert pickle.loads(pickle.dumps(generator)) == generator
    sampler = generator.prepare(MOMENTS)
    copy = pickle.loads(pickle.dumps(sampler))
    np.testing.assert_array_equal(copy.rows(9, np.random.default_rng(4)).values, sampler.rows(9, np.random.default_rng(4)).values)
