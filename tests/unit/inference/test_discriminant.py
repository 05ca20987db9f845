"""Ratios of correlations, correlations of factors with their derivatives, and what is said of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from helpers import CASES, admissible_point, model_of, numerical_jacobian, problem_of, random_sample
from trustsem.inference.discriminant import correlation_slopes, heterotrait_monotrait, verdict
from trustsem.model.problem import implied


def correlations(loadings: list[float], r: float) -> Any:
    """Return the correlations of items of two factors that correlate `r`, half of the loadings each."""
    half = len(loadings) // 2
    L = np.zeros((len(loadings), 2))
    L[:half, 0], L[half:, 1] = loadings[:half], loadings[half:]
    R = L @ np.array([[1.0, r], [r, 1.0]]) @ L.T
    np.fill_diagonal(R, 1.0)
    return R


FIRST, SECOND = np.arange(3), np.arange(3, 6)


def test_both_ratios_are_the_correlation_of_factors_with_equal_loadings() -> None:
    found = heterotrait_monotrait(correlations([0.7, 0.7, 0.7, 0.5, 0.5, 0.5], 0.6), FIRST, SECOND, True)
    assert found == pytest.approx((0.6, 0.6), rel=1e-12)


def test_the_second_ratio_is_the_correlation_whatever_the_loadings() -> None:
    found = heterotrait_monotrait(correlations([0.9, 0.5, 0.3, 0.4, 0.8, 0.6], 0.6), FIRST, SECOND, True)
    assert found.htmt2 == pytest.approx(0.6, rel=1e-12)
    assert abs(found.htmt - 0.6) > 0.01


def test_reversed_items_need_absolute_correlations() -> None:
    R = correlations([0.7, -0.7, 0.7, 0.5, 0.5, 0.5], 0.6)
    assert heterotrait_monotrait(R, FIRST, SECOND, True) == pytest.approx((0.6, 0.6), rel=1e-12)
    signed = heterotrait_monotrait(R, FIRST, SECOND, False)
    assert math.isnan(signed.htmt)
    assert math.isnan(signed.htmt2)


def test_the_sign_of_the_correlation_is_kept_on_request() -> None:
    R = correlations([0.7, 0.7, 0.7, 0.5, 0.5, 0.5], -0.6)
    assert heterotrait_monotrait(R, FIRST, SECOND, False).htmt == pytest.approx(-0.6, rel=1e-12)
    assert heterotrait_monotrait(R, FIRST, SECOND, True).htmt == pytest.approx(0.6, rel=1e-12)


def test_a_single_item_has_no_ratio() -> None:
    found = heterotrait_monotrait(correlations([0.7] * 6, 0.6), FIRST[:1], SECOND, True)
    assert math.isnan(found.htmt)
    assert math.isnan(found.htmt2)


@pytest.mark.parametrize("name", ["factors_means", "structural", "second_order", "feedback_latent"])
def test_derivatives_of_correlations(name: str) -> None:
    rng = np.random.default_rng(11)
    model = model_of(CASES[name])
    problem = problem_of(model, random_sample(model, rng), "ML")
    theta = admissible_point(problem, rng)
    (block,) = implied(problem.structure, theta)
    pairs = [(block.p, block.p + 1), (block.p + 1, 0)]

    def values(t: Any) -> Any:
        V = implied(problem.structure, t)[0].V
        return np.array([V[i, j] / np.sqrt(V[i, i] * V[j, j]) for i, j in pairs])

    found, slopes = correlation_slopes(model, 0, block, pairs)
    np.testing.assert_allclose(found, values(theta), rtol=1e-12)
    np.testing.assert_allclose(slopes, numerical_jacobian(values, theta, 1e-4 * np.maximum(1.0, np.abs(theta))), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("lower", "upper", "word"),
    [
        (0.5, 0.79, "no problem"),
        (0.5, 0.8, "marginal problem"),
        (-0.85, -0.5, "marginal problem"),
        (0.5, 0.95, "moderate problem"),
        (0.8, 1.0, "severe problem"),
        (-1.2, -0.7, "severe problem"),
        (0.0, 0.0, "no problem"),
        (math.nan, math.nan, "undetermined"),
    ],
)
def test_verdicts(lower: float, upper: float, word: str) -> None:
    assert verdict(lower, upper).startswith(word)
