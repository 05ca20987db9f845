"""Standardized solutions, effects and modification indices: values from dense formulas, derivatives from finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import trustsem as ts
from helpers import (
    CASES,
    admissible_point,
    exact_sample,
    holzinger,
    model_of,
    numerical_jacobian,
    problem_of,
    quietly,
    random_sample,
    true_parameters,
)
from trustsem.inference.baseline import baseline_test
from trustsem.inference.effects import effects_of_block
from trustsem.inference.information import covariance_of_estimates, expected_information, null_basis
from trustsem.inference.likelihood import log_likelihoods
from trustsem.inference.standardized import scale_factor, standardize, variance_derivatives
from trustsem.model.problem import block_values, derivatives, implied

NAMES = [
    "regression",
    "path_residual_covariance",
    "factors_means",
    "shared_labels",
    "second_order",
    "structural_means",
    "feedback_latent",
    "groups_shared",
]


def problem_at(name, seed=4, estimator="ML"):
    rng = np.random.default_rng(seed)
    model = model_of(CASES[name])
    rough = problem_of(model, random_sample(model, rng), estimator)
    problem = problem_of(model, exact_sample(rough, true_parameters(model, rng), noise=0.03, rng=rng), estimator)
    return problem, admissible_point(problem, rng)


def steps(theta):
    return np.full(theta.size, 1e-3)


@pytest.mark.parametrize("kind", ["std_lv", "std_all", "std_nox"])
@pytest.mark.parametrize("name", NAMES)
def test_the_standardized_solution_and_its_derivatives(name, kind):
    problem, theta = problem_at(name)
    model = problem.model

    def values(point):
        return standardize(model, implied(problem.structure, point), kind)[0]

    found, slopes = standardize(model, implied(problem.structure, theta), kind)
    np.testing.assert_allclose(slopes, numerical_jacobian(values, theta, steps(theta)), rtol=1e-6, atol=1e-8)
    for b, block in enumerate(implied(problem.structure, theta)):
        for k, (row, cell) in enumerate(zip(model.table.rows, model.cells, strict=True)):
            if row.block == b + 1 and cell.kind < 2:
                raw = (block.A, block.S)[cell.kind][cell.row, cell.column]
                assert found[k] == pytest.approx(raw * scale_factor(model, b, block, cell, kind), rel=1e-10), row.name


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_of_the_variances(name):
    problem, theta = problem_at(name)
    for b, block in enumerate(implied(problem.structure, theta)):
        numerical = numerical_jacobian(lambda point, b=b: np.diag(implied(problem.structure, point)[b].V), theta, steps(theta))
        np.testing.assert_allclose(variance_derivatives(problem.model, b, block), numerical, rtol=1e-7, atol=1e-8)


def test_standardizing_gives_unit_variances():
    problem, theta = problem_at("structural_means")
    model, (block,) = problem.model, implied(problem.structure, theta)
    values, _ = standardize(model, (block,), "std_all")
    A, S = np.zeros_like(block.A), np.zeros_like(block.S)
    sd = np.sqrt(np.diag(block.V))
    for k, cell in enumerate(model.cells):
        if cell.kind == 0:
            A[cell.row, cell.column] = values[k]
        elif cell.kind == 1 and cell.row == cell.column:
            S[cell.row, cell.row] = values[k]
        elif cell.kind == 1:
            S[cell.row, cell.column] = S[cell.column, cell.row] = block.S[cell.row, cell.column] / (sd[cell.row] * sd[cell.column])
    B = np.linalg.inv(np.eye(len(A)) - A)
    np.testing.assert_allclose(np.diag(B @ S @ B.T), 1.0, rtol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_effects_and_their_derivatives(name):
    problem, theta = problem_at(name)
    for b, block in enumerate(implied(problem.structure, theta)):
        found = effects_of_block(problem.model, b, block)
        total = np.linalg.inv(np.eye(len(block.A)) - block.A) - np.eye(len(block.A))
        for kind, i, j, value in zip(found.kind, found.effect, found.cause, found.value, strict=True):
            wanted = {"total": total[i, j], "direct": block.A[i, j], "indirect": total[i, j] - block.A[i, j]}[kind]
            assert value == pytest.approx(wanted, abs=1e-12)

        def values(point, b=b):
            return effects_of_block(problem.model, b, implied(problem.structure, point)[b]).value

        np.testing.assert_allclose(found.slopes, numerical_jacobian(values, theta, steps(theta)), rtol=1e-6, atol=1e-8)
        reached = {(i, j) for i, j in zip(*np.nonzero(np.abs(total) > 1e-14), strict=True)}
        assert reached <= set(zip(found.effect, found.cause, strict=True))


def test_direct_and_indirect_effects_add_up_to_the_total():
    fit = quietly(ts.sem, "f =~ x1 + x2 + x3\nx5 ~ f + ageyr\nx6 ~ x5 + f\nx7 ~ x6", holzinger())
    table = fit.effects().pivot(index=["lhs", "rhs"], columns="effect", values="est").fillna(0.0)
    np.testing.assert_allclose(table["direct"] + table["indirect"], table["total"], atol=1e-12)
    defined = quietly(ts.sem, "f =~ x1 + x2 + x3\nx5 ~ a*f + ageyr\nx6 ~ b*x5 + c*f\nx7 ~ d*x6\nby_hand := a*b*d + c*d", holzinger())
    row = fit.effects().query("effect == 'total' and lhs == 'x7' and rhs == 'f'").iloc[0]
    hand = defined.parameter_estimates().query("lhs == 'by_hand'").iloc[0]
    assert row["est"] == pytest.approx(hand["est"], rel=1e-8)
    assert row["se"] == pytest.approx(hand["se"], rel=1e-6)


def test_the_log_likelihood_is_that_of_the_normal_density():
    data = holzinger()
    fit = quietly(ts.cfa, "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6", data, meanstructure=True)
    rows = data[["x1", "x2", "x3", "x4", "x5", "x6"]].to_numpy()
    (block,) = fit.implied_blocks
    wanted = stats.multivariate_normal(block.mean, block.sigma).logpdf(rows).sum()
    saturated = stats.multivariate_normal(rows.mean(axis=0), np.cov(rows.T, bias=True)).logpdf(rows).sum()
    found = log_likelihoods(fit.problem, fit.estimate.theta)
    assert found[0] == pytest.approx(wanted, rel=1e-10)
    assert found[1] == pytest.approx(saturated, rel=1e-10)
    assert fit.chisq.statistic == pytest.approx(2.0 * (saturated - wanted), rel=1e-8)


def test_the_likelihood_of_a_regression_is_conditional_on_its_covariates():
    data = holzinger()
    fit = quietly(ts.sem, "x1 ~ x2 + x3", data, meanstructure=True)
    X = np.column_stack([np.ones(len(data)), data[["x2", "x3"]]])
    beta, rss, _, _ = np.linalg.lstsq(X, data["x1"].to_numpy(), rcond=None)
    variance = rss[0] / len(data)
    wanted = stats.norm(X @ beta, np.sqrt(variance)).logpdf(data["x1"]).sum()
    assert log_likelihoods(fit.problem, fit.estimate.theta)[0] == pytest.approx(wanted, rel=1e-10)
    coefficients = fit.coef()
    np.testing.assert_allclose([coefficients["x1~1"], coefficients["x1~x2"], coefficients["x1~x3"]], beta, rtol=1e-8)
    errors = np.sqrt(np.diag(variance * np.linalg.inv(X.T @ X)))
    np.testing.assert_allclose(np.sqrt(np.diag(fit.vcov()))[:2], errors[1:], rtol=1e-7)


@pytest.mark.parametrize("estimator", ["ML", "GLS", "ULS"])
def test_the_baseline_is_the_fit_of_the_independence_model(estimator):
    data = holzinger()
    fit = quietly(ts.cfa, "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6", data, estimator=estimator)
    alone = quietly(ts.sem, "\n".join(f"x{k} ~~ x{k}" for k in range(1, 7)), data, estimator=estimator)
    found = baseline_test(fit.problem)
    assert found.df == alone.df == 15
    assert found.statistic == pytest.approx(float(alone.problem.multiplier @ block_values(alone.problem, alone.estimate.theta)), rel=1e-8)


def test_modification_indices_are_lagrange_multiplier_tests():
    """Against the definition with the whole information matrix of the larger model, and roughly the drop of chi-square when it is fitted."""
    data = holzinger()
    small = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
    fit = quietly(ts.cfa, small, data)
    table = fit.modindices(sort=True)
    for row in table.head(3).itertuples():
        larger = quietly(ts.cfa, f"{small}\n{row.lhs} {row.op} {row.rhs}", data)
        at = np.array([fit.coef().get(name, 0.0) for name in larger.coef().index])
        information = expected_information(larger.problem, at)

        score = -0.5 * fit.nobs * derivatives(larger.problem, at)[1]
        assert score @ np.linalg.solve(information, score) == pytest.approx(row.mi, rel=1e-6)
        drop = fit.chisq.statistic - larger.chisq.statistic
        assert 0.5 * drop < row.mi < 1.6 * drop


def test_information_is_inverted_within_the_constraints():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((4, 4))
    information = root @ root.T + np.eye(4)
    inverse, weak = covariance_of_estimates(information, None)
    np.testing.assert_allclose(inverse, np.linalg.inv(information), rtol=1e-10)
    assert not weak.any()
    basis = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    inverse, _ = covariance_of_estimates(information, basis)
    np.testing.assert_allclose(inverse, basis @ np.linalg.inv(basis.T @ information @ basis) @ basis.T, rtol=1e-10)
    np.testing.assert_array_equal(inverse[0], inverse[1])
    nothing, _ = covariance_of_estimates(information, np.zeros((4, 0)))
    np.testing.assert_array_equal(nothing, np.zeros((4, 4)))


def test_a_singular_information_names_the_direction():
    information = np.diag([2.0, 3.0, 0.0])
    inverse, weak = covariance_of_estimates(information, None)
    assert inverse is None
    assert weak[2] > 0.9
    assert (weak[:2] < 1e-8).all()
    inverse, weak = covariance_of_estimates(np.full((2, 2), np.nan), None)
    assert inverse is None
    assert weak.all()


def test_null_basis_without_constraints_is_none():
    problem, _ = problem_at("regression")
    assert null_basis(problem, np.empty((0, problem.model.n_theta))) is None
    basis = null_basis(problem, np.eye(problem.model.n_theta)[:1])
    assert basis.shape == (problem.model.n_theta, problem.model.n_theta - 1)
    np.testing.assert_array_equal(basis[0], 0.0)
