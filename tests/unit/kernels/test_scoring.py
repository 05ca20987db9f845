"""The search kernel: it ends at the minimum, its status codes mean what they say, and bounds and linear maps are respected."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from helpers import CASES, Case, admissible_point, complex_step, exact_sample, model_of, problem_of, random_sample, reference_value, true_parameters
from trustsem.kernels.scoring import (
    CONVERGED,
    DECREMENT,
    ITERATION,
    ITERATION_LIMIT,
    STALLED,
    STATUS,
    UNDEFINED_START,
    VALUE,
    X,
    new_search,
    scoring,
)
from trustsem.model.problem import value

ESTIMATORS = ("ML", "GLS", "ULS")
NONE = np.empty((0, 0)), np.empty(0)
NAMES = [name for name in CASES if name not in {"factors_means", "shared_across_matrices"}]


def problem_at(name, estimator, seed=11):
    rng = np.random.default_rng(seed)
    model = model_of(CASES[name])
    rough = problem_of(model, random_sample(model, rng), estimator)
    sample = exact_sample(rough, true_parameters(model, rng), noise=0.05, rng=rng)
    problem = problem_of(model, sample, estimator)
    return problem, admissible_point(problem, rng)


def score(problem, start, *, limit=500, tolerance=1e-17, lower=None, upper=None, basis=None, origin=None):
    r = start.size
    low = np.full(r, -np.inf) if lower is None else lower
    high = np.full(r, np.inf) if upper is None else upper
    mapped = basis is not None
    basis, origin = (basis, origin) if mapped else NONE
    search = new_search(start, basis, origin, mapped, low, high, problem.structure.n_theta, limit, tolerance)
    scoring(problem.structure, problem.moments, search)
    return search.points[X], search.numbers[VALUE], search.counts[ITERATION], search.counts[STATUS], search.numbers[DECREMENT]


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", ["regression", "path", "factor", "structural_means", "feedback", "groups_shared", "shared_labels"])
def test_the_gradient_vanishes_where_it_converges_and_scipy_finds_nothing_lower(name, estimator):
    problem, start = problem_at(name, estimator)
    x, height, _, status, decrement = score(problem, start)
    assert status == CONVERGED
    assert 0.0 <= decrement <= 1e-12
    assert height == pytest.approx(reference_value(problem, x), rel=1e-10, abs=1e-11)
    gradient = complex_step(lambda point: reference_value(problem, point), x)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-6 * max(1.0, height))

    def objective(point):
        found = value(problem, point)
        return found if np.isfinite(found) else 1e10

    other = minimize(objective, x, method="Nelder-Mead", options={"maxiter": 400})
    assert other.fun >= height - 1e-10 * max(1.0, height)


def test_iteration_limit_is_reported():
    problem, start = problem_at("factor", "ML")
    x, height, iterations, status, _ = score(problem, start, limit=2)
    assert status == ITERATION_LIMIT
    assert iterations == 2
    assert height < value(problem, start)
    assert height == value(problem, x)


def test_undefined_start_is_reported():
    problem, start = problem_at("factor", "ML")
    bad = np.full(start.size, -5.0)
    x, height, iterations, status, decrement = score(problem, bad)
    assert status == UNDEFINED_START
    assert iterations == 0
    assert not np.isfinite(height)
    assert decrement == np.inf
    np.testing.assert_array_equal(x, bad)


def test_stalling_is_reported():
    """The Hessian overflows where the discrepancy does not, so no step can be computed."""
    rng = np.random.default_rng(0)
    model = model_of(Case("f =~ b*y\nf ~~ 1e308*f\ny ~~ 0.1*y", "lavaan"))
    problem = problem_of(model, random_sample(model, rng), "ML")
    start = np.array([2e-155])
    assert np.isfinite(value(problem, start))
    _, height, _, status, _ = score(problem, start)
    assert status == STALLED
    assert np.isfinite(height)


def test_nothing_to_estimate():
    rng = np.random.default_rng(0)
    model = model_of(Case("y ~~ 2*y", "lavaan"))
    problem = problem_of(model, random_sample(model, rng), "ML")
    x, height, iterations, status, decrement = score(problem, np.empty(0))
    assert (x.size, iterations, status, decrement) == (0, 0, CONVERGED, 0.0)
    assert height == pytest.approx(reference_value(problem, np.empty(0)))


def test_start_outside_the_bounds_is_clipped():
    problem, start = problem_at("factor", "ML")
    lower = np.full(start.size, -np.inf)
    lower[0] = start[0] + 1.0
    x, _, _, status, _ = score(problem, start, lower=lower)
    assert status == CONVERGED
    assert (x >= lower).all()


def test_bounds_hold_and_the_multiplier_has_the_right_sign():
    problem, start = problem_at("factor", "ML")
    free, low, _, _, _ = score(problem, start)
    upper = np.full(start.size, np.inf)
    upper[0] = free[0] - 0.2
    x, height, _, status, _ = score(problem, start, upper=upper)
    assert status == CONVERGED
    assert x[0] == upper[0]
    assert height > low
    gradient = complex_step(lambda point: reference_value(problem, point), x)
    assert gradient[0] < 0.0
    np.testing.assert_allclose(gradient[1:], 0.0, atol=1e-7)


def test_an_inactive_bound_changes_nothing():
    problem, start = problem_at("factor", "ML")
    free, height, _, _, _ = score(problem, start)
    x, other, _, status, _ = score(problem, start, lower=free - 3.0, upper=free + 3.0)
    assert status == CONVERGED
    np.testing.assert_allclose(x, free, atol=1e-8)
    assert other == pytest.approx(height, abs=1e-13)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_linear_map_searches_within_it(estimator):
    problem, start = problem_at("factor", estimator)
    size = start.size
    basis = np.delete(np.eye(size), 1, axis=1)
    basis[1, 0] = 1.0  # theta_1 = theta_0 + 0.1
    origin = np.zeros(size)
    origin[1] = 0.1
    begin = np.delete(start, 1)
    assert np.isfinite(value(problem, basis @ begin + origin))
    x, height, _, status, _ = score(problem, begin, basis=basis, origin=origin)
    theta = basis @ x + origin
    assert status == CONVERGED
    assert theta[1] == pytest.approx(theta[0] + 0.1)
    assert height == pytest.approx(reference_value(problem, theta), rel=1e-10)
    gradient = basis.T @ complex_step(lambda point: reference_value(problem, point), theta)
    np.testing.assert_allclose(gradient, 0.0, atol=1e-6 * max(1.0, height))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_call_gives_the_same_bits(name):
    problem, start = problem_at(name, "ML")
    first, second = score(problem, start, limit=60), score(problem, start, limit=60)
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1:] == second[1:]
