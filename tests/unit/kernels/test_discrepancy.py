"""The compiled discrepancy, gradient and Hessian equal a spelled-out NumPy reference, over every model of the catalogue and every estimator."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import CASES, admissible_point, complex_step, model_of, problem_of, random_sample, reference_hessian, reference_value
from trustsem.kernels.discrepancy import evaluate
from trustsem.model.problem import block_values, derivatives, value

ESTIMATORS = ("ML", "GLS", "ULS")


def problem_at(name, estimator, seed=3):
    rng = np.random.default_rng(seed)
    model = model_of(CASES[name])
    problem = problem_of(model, random_sample(model, rng), estimator)
    return problem, admissible_point(problem, rng)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", CASES)
def test_value_gradient_and_hessian_equal_the_reference(name, estimator):
    problem, theta = problem_at(name, estimator)
    height, gradient, hessian = derivatives(problem, theta)
    size = max(1.0, abs(height))
    assert height == pytest.approx(reference_value(problem, theta), rel=1e-11, abs=1e-11)
    wanted = complex_step(lambda point: reference_value(problem, point), theta)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-9, atol=1e-10 * size)
    expected = reference_hessian(problem, theta)
    np.testing.assert_allclose(hessian, expected, rtol=1e-9, atol=1e-11 * np.abs(expected).max(initial=1.0))
    np.testing.assert_array_equal(hessian, hessian.T)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", ["structural_means", "feedback", "groups_shared"])
def test_value_alone_is_the_value_with_derivatives(name, estimator):
    problem, theta = problem_at(name, estimator)
    assert value(problem, theta) == derivatives(problem, theta)[0]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_shares_weigh_the_blocks(estimator):
    problem, theta = problem_at("groups_regression", estimator)
    parts = block_values(problem, theta)
    assert parts.shape == (3,)
    assert value(problem, theta) == pytest.approx(float(problem.moments.share @ parts), rel=1e-13)
    share = np.array([0.2, 0.0, 3.0])
    assert derivatives(problem, theta, share)[0] == pytest.approx(float(share @ parts), rel=1e-13)


def test_buffers_are_overwritten_not_added_to():
    problem, theta = problem_at("factor", "ML")
    gradient, hessian = np.full(theta.size, 7.0), np.full((theta.size, theta.size), 7.0)
    evaluate(problem.structure, problem.moments, theta, gradient, hessian)
    _, clean_gradient, clean_hessian = derivatives(problem, theta)
    np.testing.assert_array_equal(gradient, clean_gradient)
    np.testing.assert_array_equal(hessian, clean_hessian)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf, -np.inf])
def test_undefined_points_are_infinite_not_an_exception(bad):
    problem, theta = problem_at("factor", "ML")
    variance = next(int(problem.model.theta_of_row[k]) for k, row in enumerate(problem.model.table.rows) if row.name == "a~~a")
    theta[variance] = bad * 100.0
    assert value(problem, theta) == np.inf


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_singular_paths_are_infinite_not_an_exception(estimator):
    problem, theta = problem_at("feedback", estimator)
    rows = {row.name: int(problem.model.theta_of_row[k]) for k, row in enumerate(problem.model.table.rows)}
    theta[rows["y~z"]] = 2.0
    theta[rows["z~y"]] = 0.5
    assert value(problem, theta) == np.inf


def test_perfect_fit_is_zero():
    problem, _ = problem_at("one_variable", "ML")
    assert value(problem, problem.blocks[0].cov.ravel()) == pytest.approx(0.0, abs=1e-15)
