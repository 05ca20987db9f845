"""Variables with given values and covariances, against exact covariances of cut normal variables."""

from __future__ import annotations

import numpy as np
import pytest

from trustsem.inference.components import between_covariances
from trustsem.inference.marginals import coefficients, nearest_correlations, normal_covariances, steps_of, transformed_covariances
from trustsem.populations.ordinal import answer_moments, thresholds_of


def test_a_step_function_has_the_observed_distribution() -> None:
    values = np.array([1.0, 1.0, 2.0, 4.0, 4.0, 4.0, 5.0])
    steps = steps_of(values)
    quantiles = np.linspace(0.0005, 0.9995, 1000)
    from scipy.special import ndtri

    drawn = steps.at(ndtri(quantiles))
    assert [np.mean(drawn == value) for value in steps.values] == pytest.approx([2 / 7, 1 / 7, 3 / 7, 1 / 7], abs=1e-3)
    assert steps.values == pytest.approx((np.array([1.0, 2.0, 4.0, 5.0]) - values.mean()) / values.std())
    assert np.sum(coefficients(steps, 20_000) ** 2) == pytest.approx(1.0, abs=5e-3)  # the squares approach the variance slowly


def test_covariances_of_the_answers_are_as_asked_for() -> None:
    shares = [[0.1, 0.2, 0.4, 0.3], [0.05, 0.05, 0.2, 0.3, 0.4], [0.5, 0.5]]
    items = [np.repeat(np.arange(1, len(one) + 1), np.round(100 * np.array(one)).astype(int)) for one in shares]
    series = np.array([coefficients(steps_of(one)) for one in items])
    target = np.array([[0.2, 0.45, 0.3], [0.45, 0.1, -0.25], [0.3, -0.25, 0.15]])
    found = normal_covariances(target, series)
    assert transformed_covariances(found, series) == pytest.approx(target, abs=1e-10)
    rho = found.copy()
    np.fill_diagonal(rho, 1.0)
    # An independent computation: Plackett's integral over bivariate normal densities.
    _, cov = answer_moments(np.zeros(3), rho, [thresholds_of(one) for one in shares])
    sd = np.sqrt(np.diag(cov))
    off = ~np.eye(3, dtype=bool)
    assert (cov / np.outer(sd, sd))[off] == pytest.approx(target[off], abs=1e-9)
    # On the diagonal: two different people who answer the same item.
    for k, own in enumerate(shares):
        pair = np.array([[1.0, found[k, k]], [found[k, k], 1.0]])
        _, cov = answer_moments(np.zeros(2), pair, [thresholds_of(own)] * 2)
        assert cov[0, 1] / cov[0, 0] == pytest.approx(target[k, k], abs=1e-9)


def test_what_is_out_of_reach_is_reached_as_nearly_as_possible() -> None:
    rare, common = steps_of(np.repeat([0.0, 1.0], [95, 5])), steps_of(np.repeat([0.0, 1.0], [5, 95]))
    found = normal_covariances(np.array([[0.0, 0.9], [0.9, 0.0]]), np.array([coefficients(rare), coefficients(common)]))
    assert found[0, 1] == pytest.approx(1.0)


def test_a_matrix_is_made_definite() -> None:
    good = np.array([[1.0, 0.3], [0.3, 1.0]])
    assert nearest_correlations(good) is good
    bad = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    result = nearest_correlations(bad)
    assert np.linalg.eigvalsh(result)[0] > 0.0
    assert np.diag(result) == pytest.approx(1.0)
    assert np.abs(result - bad).max() < 0.5


def test_components_of_balanced_data_are_those_of_restricted_maximum_likelihood() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(30), 8)
    rows = rng.standard_normal((240, 2)) + rng.standard_normal((30, 2))[codes] @ np.array([[0.8, 0.3], [0.0, 0.6]])
    between, total = between_covariances(rows, codes)
    for k in range(2):
        found = sm.MixedLM(rows[:, k], np.ones((240, 1)), groups=codes).fit(reml=True)
        assert between[k, k] == pytest.approx(float(np.asarray(found.cov_re)[0, 0]), rel=1e-4)
        assert total[k, k] - between[k, k] == pytest.approx(found.scale, rel=1e-4)
    # A covariance is half the difference of the variance of a sum and the variances.
    summed, _ = between_covariances(rows.sum(axis=1, keepdims=True), codes)
    assert between[0, 1] == pytest.approx((summed[0, 0] - between[0, 0] - between[1, 1]) / 2.0)


def test_components_of_unequal_clusters_are_unbiased() -> None:
    rng = np.random.default_rng(2)
    codes = np.repeat(np.arange(12), rng.integers(1, 12, 12))
    found = []
    for _ in range(1500):
        rows = rng.standard_normal((codes.size, 1)) + 0.7 * rng.standard_normal((12, 1))[codes]
        found.append(between_covariances(rows, codes)[0][0, 0])
    assert np.mean(found) == pytest.approx(0.49, abs=4 * np.std(found) / np.sqrt(len(found)))
