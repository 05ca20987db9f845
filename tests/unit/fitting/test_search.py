"""The search as a whole: against SciPy on the same function, with constraints, and what is reported."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

import trustsem as ts
from helpers import CASES, Case, admissible_point, exact_sample, holzinger, model_of, problem_of, quietly, random_sample, true_parameters
from trustsem.fitting.search import SearchOptions, search
from trustsem.model.problem import derivatives, value
from trustsem.model.starts import plan_start

DATA = holzinger()
BASE = "f =~ x1 + a*x2 + b*x3\ng =~ x4 + c*x5 + d*x6\nx1 ~~ v*x1\nx2 ~~ w*x2\n"
CONSTRAINTS = [
    "a == b",
    "a + b + c == 3",
    "a*b == 0.6",
    "a == exp(c) - 2",
    "a > b",
    "b > a",
    "a < 0.4",
    "b > 1",
    "a > 0.9\nb > 0.9",
    "d < 0.5\nc == d",
    "a^2 + b^2 == 1",
    "a < b\nb < c",
    "v > w",
    "v < w",
    "a*b > c\nd == 1",
    "abs(a - b) == 0.3",
    "max(a, b) == 0.7",
    "ab := a*b\nab > 0.6",
    "a/b == c/d",
    "v == 2*w\na > 0.8",
]


def scipy_minimum(problem, start):
    """Return the minimum found by trust-constr-free means: SLSQP on the plain function from several points, with tight tolerance."""
    relations = problem.model.relations
    equal = [*relations.linear, *relations.equalities]
    conditions = [{"type": "eq", "fun": d.value, "jac": d.gradient} for d in equal]
    conditions += [{"type": "ineq", "fun": d.value, "jac": d.gradient} for d in relations.inequalities]

    def objective(theta):
        height, gradient, _ = derivatives(problem, theta)
        return (height, gradient) if np.isfinite(height) else (1e6, np.zeros(theta.size))

    heights = []
    for seed in range(3):
        point = start * (1.0 + 0.1 * seed * np.random.default_rng(seed).standard_normal(start.size))
        with np.errstate(all="ignore"):
            found = minimize(objective, point, jac=True, method="SLSQP", constraints=conditions, options={"ftol": 1e-14, "maxiter": 2000})
        violation = max([abs(d.value(found.x)) for d in equal] + [max(-d.value(found.x), 0.0) for d in relations.inequalities], default=0.0)
        if violation < 1e-8:
            heights.append(found.fun)
    return min(heights)


@pytest.mark.filterwarnings("ignore:Values in x were outside bounds")
@pytest.mark.parametrize("estimator", ["ML", "GLS", "ULS"])
@pytest.mark.parametrize("constraints", CONSTRAINTS)
def test_constrained_minima_are_as_low_as_scipys(constraints, estimator):
    fit = quietly(ts.cfa, BASE + constraints, DATA, estimator=estimator)
    assert fit.converged, fit.reason
    theta, relations = fit.estimate.theta, fit.model.relations
    for difference in (*relations.linear, *relations.equalities):
        assert difference.value(theta) == pytest.approx(0.0, abs=1e-8)
    for difference in relations.inequalities:
        assert difference.value(theta) > -1e-8
    assert fit.estimate.discrepancy <= scipy_minimum(fit.problem, theta) + 1e-8
    assert fit.estimate.discrepancy >= quietly(ts.cfa, BASE, DATA, estimator=estimator).estimate.discrepancy - 1e-12


@pytest.mark.parametrize("constraints", CONSTRAINTS)
def test_the_gradient_is_a_combination_of_the_active_constraints(constraints):
    """Karush, Kuhn and Tucker: what is left of the gradient lies in their span, inequalities pushing the right way."""
    fit = quietly(ts.cfa, BASE + constraints, DATA)
    theta, relations = fit.estimate.theta, fit.model.relations
    _, gradient, hessian = derivatives(fit.problem, theta)
    scale = 1.0 / np.sqrt(np.diag(hessian))
    equal = [d.gradient(theta) for d in (*relations.linear, *relations.equalities)]
    active = [d.gradient(theta) for d in relations.inequalities if d.value(theta) < 1e-7]
    rows = np.array([*equal, *active]).reshape(-1, theta.size) * scale
    multipliers, *_ = np.linalg.lstsq(rows.T, gradient * scale, rcond=1e-10)
    np.testing.assert_allclose(rows.T @ multipliers, gradient * scale, atol=1e-6)
    assert (multipliers[len(equal) :] > -1e-6).all()
    names = [warning.code for warning in fit.warnings]
    assert ("TS-FIT-03" in names) == bool(active)


@pytest.mark.parametrize(
    ("constraints", "lost"),
    [("a == b", 1), ("a == b\n2*a == 2*b", 1), ("a*b == 0.6", 1), ("a > b", 0), ("b > 1", 0), ("d < 0.5\nc == d", 1), ("a^2 + b^2 == 1\nc == d", 2)],
)
def test_equalities_give_degrees_of_freedom_and_inequalities_do_not(constraints, lost):
    free = quietly(ts.cfa, BASE, DATA)
    fit = quietly(ts.cfa, BASE + constraints, DATA)
    assert fit.npar == free.npar - lost
    assert fit.df == free.df + lost


@pytest.mark.parametrize("way", ["a - 2*b == 0", "0 == 2*b - a", "a/b == 2", "a^2 == 4*b^2"])
def test_one_constraint_written_in_several_ways(way):
    first, other = quietly(ts.cfa, BASE + "a == 2*b", DATA), quietly(ts.cfa, BASE + way, DATA)
    assert other.estimate.discrepancy == pytest.approx(first.estimate.discrepancy, abs=1e-11)
    np.testing.assert_allclose(other.coef(), first.coef(), rtol=1e-6)
    np.testing.assert_allclose(other.parameter_estimates()["se"], first.parameter_estimates()["se"], rtol=1e-5, atol=1e-9)


def test_a_shared_label_and_an_equality_are_the_same():
    label = quietly(ts.cfa, "f =~ x1 + k*x2 + k*x3\ng =~ x4 + x5 + x6", DATA)
    equality = quietly(ts.cfa, "f =~ x1 + a*x2 + b*x3\ng =~ x4 + x5 + x6\na == b", DATA)
    assert equality.df == label.df
    np.testing.assert_allclose(equality.coef(), label.coef(), rtol=1e-6)
    np.testing.assert_allclose(equality.vcov(), label.vcov(), rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("name", ["factor", "structural_means", "feedback", "second_order", "groups_shared"])
def test_unconstrained_minima_are_as_low_as_scipys(name):
    rng = np.random.default_rng(8)
    model = model_of(CASES[name])
    rough = problem_of(model, random_sample(model, rng), "ML")
    problem = problem_of(model, exact_sample(rough, true_parameters(model, rng), noise=0.05, rng=rng), "ML")
    estimate = search(problem, plan_start(model), SearchOptions())
    assert estimate.converged

    def objective(theta):
        height, gradient, _ = derivatives(problem, theta)
        return (height, gradient) if np.isfinite(height) else (1e6, np.zeros(theta.size))

    for seed in range(3):
        start = admissible_point(problem, np.random.default_rng(seed), spread=0.2)
        found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 5000, "ftol": 1e-15})
        assert estimate.discrepancy <= found.fun + 1e-9


def test_a_search_that_runs_out_of_iterations_says_so():
    fit = quietly(ts.cfa, "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9", DATA)
    estimate = search(fit.problem, plan_start(fit.model), SearchOptions(limit=1, restarts=0))
    assert not estimate.converged
    assert "iteration limit" in estimate.reason
    assert np.isfinite(estimate.discrepancy)
    assert estimate.discrepancy == pytest.approx(value(fit.problem, estimate.theta))


def test_the_fallbacks_rescue_a_bad_start():
    fit = quietly(ts.cfa, "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6", DATA)
    bad = np.full(fit.model.n_theta, -40.0)
    rescued = search(fit.problem, plan_start(fit.model), SearchOptions(), bad)
    assert rescued.converged
    assert rescued.discrepancy == pytest.approx(fit.estimate.discrepancy, abs=1e-12)


def test_a_start_with_gaps_is_completed():
    fit = quietly(ts.cfa, "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6", DATA)
    near = fit.estimate.theta.copy()
    near[0] = np.nan
    found = search(fit.problem, plan_start(fit.model), SearchOptions(restarts=0), near)
    assert found.converged
    assert found.iterations <= fit.estimate.iterations


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1.0, 1e3])
def test_least_squares_stops_at_the_same_point_in_any_units(factor):
    """Regression: with small units the tolerance was already met at the start."""
    items = [f"x{k}" for k in range(1, 7)]
    fit = quietly(ts.cfa, "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6", DATA[items] * factor, estimator="ULS")
    wanted = quietly(ts.cfa, "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6", DATA[items], estimator="ULS")
    assert fit.converged
    assert fit.estimate.iterations > 3
    assert fit.coef()["f=~x2"] == pytest.approx(wanted.coef()["f=~x2"], rel=1e-8)


def test_saturated_models_need_no_search():
    fit = quietly(ts.sem, "x1 ~~ x2 + x3\nx2 ~~ x3", DATA)
    assert fit.df == 0
    assert fit.chisq.statistic == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(fit.implied()["cov"], DATA[["x1", "x2", "x3"]].cov() * 300 / 301, rtol=1e-8)


def test_models_without_names_in_common_do_not_share_anything():
    first, second = model_of(Case("f =~ a + b + c", "cfa")), model_of(Case("f =~ a + b + c", "cfa"))
    assert first is not second
    assert first.structure.cells is not second.structure.cells
