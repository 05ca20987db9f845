"""What every estimator owes, whatever file it comes from: the names come from the folder, so a new file is tested without editing this one."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import CASES, admissible_point, exact_sample, model_of, numerical_jacobian, problem_of, random_sample, true_parameters
from trustsem.estimators import available, find
from trustsem.fitting.search import SearchOptions, search
from trustsem.inference.information import expected_information, observed_information
from trustsem.model.problem import derivatives, value
from trustsem.model.starts import plan_start

ESTIMATORS = available()
TYPICAL = [
    "regression_means",
    "path_residual_covariance",
    "factors_means",
    "shared_labels",
    "shared_across_matrices",
    "second_order",
    "structural_means",
    "feedback_latent",
    "growth",
    "groups",
    "groups_shared",
    "groups_different",
]


def problem_at(name, estimator, seed=21):
    rng = np.random.default_rng(seed)
    model = model_of(CASES[name])
    rough = problem_of(model, random_sample(model, rng), estimator)
    theta = true_parameters(model, rng)
    assert np.isfinite(value(rough, theta))
    return rough, theta, rng


def metric(problem, theta):
    """Steps for finite differences: a small share of each parameter's natural size."""
    diagonal = np.diag(derivatives(problem, theta)[2])
    return 1e-3 / np.sqrt(np.maximum(diagonal, 1e-6 * diagonal.max()))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_it_says_what_it_is(estimator):
    found = find(estimator)
    assert found.name == estimator
    assert find(estimator.lower()) is found
    for flag in ("has_likelihood", "chisq_is_asymptotic", "fixed_x"):
        assert isinstance(getattr(found, flag), bool)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", TYPICAL)
def test_the_gradient_is_that_of_the_discrepancy(name, estimator):
    problem, _, rng = problem_at(name, estimator)
    theta = admissible_point(problem, rng)
    height, gradient, _ = derivatives(problem, theta)
    numerical = numerical_jacobian(lambda point: np.array(value(problem, point)), theta, metric(problem, theta))
    np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-7 * max(1.0, height))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", TYPICAL)
def test_the_expected_hessian_is_the_hessian_where_the_model_is_true(name, estimator):
    rough, theta, _ = problem_at(name, estimator)
    problem = problem_of(rough.model, exact_sample(rough, theta), estimator)
    height, gradient, hessian = derivatives(problem, theta)
    assert height == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-11)
    numerical = numerical_jacobian(lambda point: derivatives(problem, point)[1], theta, metric(problem, theta))
    np.testing.assert_allclose(hessian, numerical, rtol=1e-6, atol=1e-7 * np.abs(hessian).max())


@pytest.mark.parametrize("estimator", [name for name in ESTIMATORS if find(name).chisq_is_asymptotic])
@pytest.mark.parametrize("name", TYPICAL)
def test_observed_information_is_half_the_hessian_times_the_observations(name, estimator):
    """Unweighted least squares is left out: by lavaan's convention it returns the expected information (see below)."""
    problem, _, rng = problem_at(name, estimator)
    theta = admissible_point(problem, rng)
    shares = problem.shares if find(estimator).has_likelihood else problem.multiplier / problem.nobs
    numerical = numerical_jacobian(lambda point: derivatives(problem, point, shares)[1], theta, metric(problem, theta))
    information = observed_information(problem, theta)
    np.testing.assert_allclose(information, 0.5 * problem.scale * numerical, rtol=2e-6, atol=1e-7 * np.abs(information).max())


def test_observed_information_of_unweighted_least_squares_is_the_expected_one():
    problem, theta, _ = problem_at("structural_means", "ULS")
    np.testing.assert_array_equal(observed_information(problem, theta), expected_information(problem, theta))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", CASES)
def test_exact_moments_in_true_parameters_out(name, estimator):
    rough, theta, _ = problem_at(name, estimator)
    problem = problem_of(rough.model, exact_sample(rough, theta), estimator)
    estimate = search(problem, plan_start(problem.model), SearchOptions())
    assert estimate.converged, estimate.reason
    assert estimate.discrepancy == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(estimate.theta, theta, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_preparing_changes_neither_model_nor_sample_nor_estimator(estimator):
    rng = np.random.default_rng(1)
    model = model_of(CASES["structural_means"])
    sample = random_sample(model, rng)
    before = [array.copy() for array in (*model.structure[:-1], sample.blocks[0].cov, sample.blocks[0].mean)]
    options = repr(find(estimator))
    first, second = problem_of(model, sample, estimator), problem_of(model, sample, estimator)
    after = (*model.structure[:-1], sample.blocks[0].cov, sample.blocks[0].mean)
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
    assert repr(find(estimator)) == options
    for one, other in zip(first.moments[1:], second.moments[1:], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_order_of_the_variables_in_the_sample_does_not_matter(estimator):
    rng = np.random.default_rng(1)
    model = model_of(CASES["structural_means"])
    sample = random_sample(model, rng)
    shuffled = sample.select(tuple(rng.permutation(sample.names)))
    for one, other in zip(problem_of(model, sample, estimator).moments[1:], problem_of(model, shuffled, estimator).moments[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
