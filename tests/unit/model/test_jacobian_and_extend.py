"""Dense derivatives of the moments, and structures with further cells."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import CASES, Case, admissible_point, complex_step, model_of, problem_of, random_sample, reference_moments
from trustsem.kernels.structure import COVARIANCE, INTERCEPT, PATH
from trustsem.model.candidates import candidates
from trustsem.model.extend import extend_structure
from trustsem.model.jacobian import moment_slopes, stacked_jacobian
from trustsem.model.layout import Cell
from trustsem.model.population import Population
from trustsem.model.problem import derivatives, implied


def problem_at(name, seed=9):
    rng = np.random.default_rng(seed)
    model = model_of(CASES[name] if isinstance(name, str) else name)
    problem = problem_of(model, random_sample(model, rng), "ML")
    return problem, admissible_point(problem, rng)


@pytest.mark.parametrize("name", CASES)
def test_slopes_of_the_moments(name):
    problem, theta = problem_at(name)
    blocks = implied(problem.structure, theta)
    stacked = []
    for b, block in enumerate(blocks):
        covariances, means = moment_slopes(problem.structure, b, block)
        wanted = complex_step(lambda point, b=b: reference_moments(problem, b, point)[0], theta)
        np.testing.assert_allclose(np.moveaxis(covariances, 0, -1), wanted, rtol=1e-9, atol=1e-10)
        wanted_means = complex_step(lambda point, b=b: reference_moments(problem, b, point)[1], theta)
        if problem.model.has_means:
            np.testing.assert_allclose(means.T, wanted_means, rtol=1e-9, atol=1e-10)
        rows, columns = np.tril_indices(block.p)
        stacked.append(wanted[rows, columns])
        if problem.model.has_means:
            stacked.append(wanted_means)
    np.testing.assert_allclose(stacked_jacobian(problem.structure, blocks), np.vstack(stacked), rtol=1e-9, atol=1e-10)


def test_an_extended_structure_has_the_derivatives_of_the_larger_model():
    small, theta = problem_at(Case("f =~ a + b + c\ng =~ d + e + h\ng ~ f", defaults={"meanstructure": True}))
    large = model_of(Case("f =~ a + b + c\ng =~ d + e + h\ng ~ f\na ~~ 0*d\nf =~ 0*d\nf ~ 0*1", defaults={"meanstructure": True}))
    place = {name: k for k, name in enumerate(small.model.blocks[0].variables)}
    cells = [Cell(COVARIANCE, place["d"], place["a"]), Cell(PATH, place["d"], place["f"]), Cell(INTERCEPT, place["f"], 0)]
    extended = extend_structure(small.structure, [(0, cell) for cell in cells])
    size = small.model.n_theta
    assert extended.n_theta == size + 3
    free = model_of(Case("f =~ a + b + c + d\ng =~ d + e + h\ng ~ f\na ~~ d\nf ~ 1", defaults={"meanstructure": True}))
    problem = problem_of(free, random_sample(free, np.random.default_rng(9)), "ML")
    names = dict(zip(free.table.parameter_names(), free.theta_of_row[list(free.free_rows)], strict=True))
    point = np.zeros(free.n_theta)
    for name, row in zip(small.model.table.parameter_names(), small.model.free_rows, strict=True):
        point[names[name]] = theta[small.model.theta_of_row[row]]
    covariances, means = moment_slopes(extended, 0, implied(extended, np.concatenate([theta, np.zeros(3)]))[0])
    wanted, wanted_means = moment_slopes(free.structure, 0, implied(free.structure, point)[0])
    for k, name in enumerate(("a~~d", "f=~d", "f~1")):
        np.testing.assert_allclose(covariances[size + k], wanted[names[name]], atol=1e-12)
        np.testing.assert_allclose(means[size + k], wanted_means[names[name]], atol=1e-12)
    assert large.n_theta == size
    assert np.isfinite(derivatives(problem, point)[0])


def test_extending_leaves_the_old_parameters_alone():
    problem, theta = problem_at("groups_shared")
    cell = next(c for c in candidates(problem.model) if c.row.op == "~~")
    extended = extend_structure(problem.structure, [(cell.block, cell.cell)])
    for b, (old, new) in enumerate(zip(implied(problem.structure, theta), implied(extended, np.append(theta, cell.value)), strict=True)):
        np.testing.assert_array_equal(old.V, new.V)
        np.testing.assert_allclose(moment_slopes(extended, b, new)[0][:-1], moment_slopes(problem.structure, b, old)[0], rtol=1e-13)


@pytest.mark.parametrize("name", ["factor", "factors_std_lv", "structural", "groups"])
def test_candidates_are_cells_that_are_not_free(name):
    model = model_of(CASES[name])
    found = candidates(model)
    free = {(row.block - 1, cell) for row, cell in zip(model.table.rows, model.cells, strict=True) if row.free}
    places = [(c.block, c.cell) for c in found]
    assert len(set(places)) == len(places)
    assert not free & set(places)
    assert all(not (c.cell.kind == PATH and c.cell.row == c.cell.column) for c in found)


def test_a_population_implies_its_moments():
    values = {"m~x": 0.5, "y~m": 0.4, "y~x": 0.2, "m~~m": 1.0, "y~~y": 1.0, "x~~x": 2.0, "y~1": 3.0, "m~1": 1.0, "x~1": -1.0}
    population = Population("m ~ x\ny ~ m + x\ny ~ 1", values)
    place = {name: k for k, name in enumerate(population.names)}
    cov, mean = population.cov, population.mean
    assert cov[place["m"], place["m"]] == pytest.approx(0.25 * 2.0 + 1.0)
    assert cov[place["y"], place["x"]] == pytest.approx((0.4 * 0.5 + 0.2) * 2.0)
    assert mean[place["m"]] == pytest.approx(0.5)
    assert mean[place["y"]] == pytest.approx(3.0 + 0.4 * 0.5 - 0.2)


def test_a_population_does_not_share_the_callers_values():
    values = {"y~x": 0.5, "y~~y": 1.0, "x~~x": 1.0}
    population = Population("y ~ x", values)
    values["y~x"] = 9.0
    assert population.values["y~x"] == 0.5
