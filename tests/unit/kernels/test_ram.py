"""Filling and propagating RAM matrices equals the dense formulas B = (I - A)^-1, B S B' and B m."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import CASES, admissible_point, model_of, problem_of, random_sample, reference_matrices
from trustsem.model.problem import implied


@pytest.mark.parametrize("name", CASES)
def test_implied_matrices_equal_the_dense_formulas(name):
    rng = np.random.default_rng(5)
    model = model_of(CASES[name])
    problem = problem_of(model, random_sample(model, rng), "ML")
    theta = admissible_point(problem, rng)
    for b, block in enumerate(implied(problem.structure, theta)):
        A, S, m = reference_matrices(problem, b, theta)
        np.testing.assert_array_equal(block.A, A)
        np.testing.assert_array_equal(block.S, S)
        np.testing.assert_array_equal(block.m, m)
        B = np.linalg.inv(np.eye(A.shape[0]) - A)
        np.testing.assert_allclose(block.B, B, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(block.V, B @ S @ B.T, rtol=1e-11, atol=1e-12)
        np.testing.assert_array_equal(block.V, block.V.T)
        np.testing.assert_allclose(block.mu, B @ m, rtol=1e-11, atol=1e-12)
        np.testing.assert_array_equal(block.sigma, block.V[: block.p, : block.p])


def test_singular_paths_give_nan_not_an_exception():
    rng = np.random.default_rng(5)
    model = model_of(CASES["feedback"])
    problem = problem_of(model, random_sample(model, rng), "ML")
    rows = {row.name: int(model.theta_of_row[k]) for k, row in enumerate(model.table.rows)}
    theta = np.ones(model.n_theta)
    theta[rows["y~z"]], theta[rows["z~y"]] = 4.0, 0.25
    (block,) = implied(problem.structure, theta)
    assert np.isnan(block.V).all()
    assert np.isnan(block.B).all()
    assert np.isnan(block.mu).all()


@pytest.mark.parametrize("order", ["y ~ m\nm ~ x", "m ~ x\ny ~ m"])
def test_order_of_statements_does_not_matter_for_propagation(order):
    from helpers import Case

    rng = np.random.default_rng(2)
    model = model_of(Case(order, defaults={"fixed_x": False}))
    values = {"y~m": 0.5, "m~x": -2.0, "x~~x": 3.0, "m~~m": 1.0, "y~~y": 0.5}
    theta = np.empty(model.n_theta)
    for k, row in enumerate(model.table.rows):
        theta[model.theta_of_row[k]] = values[row.name]
    (block,) = implied(problem_of(model, random_sample(model, rng), "ML").structure, theta)
    place = {name: k for k, name in enumerate(model.blocks[0].variables)}
    assert block.V[place["m"], place["m"]] == 13.0
    assert block.V[place["y"], place["y"]] == 3.75
    assert block.V[place["y"], place["x"]] == -3.0
