"""What follows from many draws is what each of them alone would give."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import CASES, admissible_point, model_of, problem_of, random_sample
from trustsem.inference.effects import effects_of_block
from trustsem.inference.many import borrowed_values, defined_values, effect_values, implied_many, row_values, standardized_values
from trustsem.inference.standardized import standardize
from trustsem.model.problem import implied
from trustsem.model.ram import compile_model
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for

DRAWS = 3


def draws_of(name: str) -> tuple:
    """Return a model with points of several samples: structures, thetas, borrowed moments."""
    model, rng = model_of(CASES[name]), np.random.default_rng(11)
    problems = [problem_of(model, random_sample(model, rng), "ML") for _ in range(DRAWS)]
    theta = np.array([admissible_point(problem, rng) for problem in problems])
    borrowed = np.array([borrowed_values(model, problem.structure) for problem in problems])
    return model, problems, theta, borrowed


@pytest.mark.parametrize("name", CASES)
def test_each_draw_is_what_it_is_alone(name: str) -> None:
    model, problems, theta, borrowed = draws_of(name)
    # Matrices are filled in from the first sample: what the others lend must replace it.
    ((part, stack),) = implied_many(model, problems[0].structure, theta, borrowed)
    assert part == slice(0, DRAWS)
    tables = tuple(effects_of_block(model, b, block) for b, block in enumerate(implied(problems[0].structure, theta[0])))
    values, factors = effect_values(stack, tables)
    for k, problem in enumerate(problems):
        blocks = implied(problem.structure, theta[k])
        for b, block in enumerate(blocks):
            np.testing.assert_array_equal(stack[b].V[k], block.V)
            np.testing.assert_array_equal(stack[b].mu[k], block.mu)
        for kind in ("std_all", "std_lv", "std_nox"):
            np.testing.assert_allclose(standardized_values(model, stack, kind)[k], standardize(model, blocks, kind)[0], rtol=1e-12, equal_nan=True)
        alone = [effects_of_block(model, b, block) for b, block in enumerate(blocks)]
        np.testing.assert_allclose(values[k], np.concatenate([table.value for table in alone]), rtol=1e-12, atol=1e-14)
        with np.errstate(invalid="ignore"):
            sd = [np.sqrt(np.diag(block.V)) for block in blocks]
        wanted = np.concatenate([s[list(table.cause)] / s[list(table.effect)] for s, table in zip(sd, alone, strict=True)])
        np.testing.assert_allclose(factors[k], wanted, rtol=1e-12)
    free = np.array(model.free_rows, dtype=np.int64)
    free = free[model.theta_of_row[free] >= 0]
    np.testing.assert_array_equal(row_values(model, stack)[:, free], theta[:, model.theta_of_row[free]])


def test_draws_are_worked_on_in_parts() -> None:
    model, problems, theta, borrowed = draws_of("structural")
    many = np.repeat(theta, 200, axis=0), np.repeat(borrowed, 200, axis=0)
    parts = list(implied_many(model, problems[0].structure, *many))
    assert [part for part, _ in parts] == [slice(0, 250), slice(250, 500), slice(500, 600)]
    joined = np.concatenate([row_values(model, stack) for _, stack in parts])
    ((_, single),) = implied_many(model, problems[0].structure, theta, borrowed)
    np.testing.assert_array_equal(joined, np.repeat(row_values(model, single), 200, axis=0))


def test_definitions_follow_the_rows() -> None:
    model = compile_model(build_table("m ~ a*x\ny ~ b*m + 0.5*x\nab := a*b\nshare := ab / (ab + 0.5)\nm ~~ v*m", defaults_for("sem")))
    rng = np.random.default_rng(0)
    problem = problem_of(model, random_sample(model, rng), "ML")
    theta = np.array([admissible_point(problem, rng) for _ in range(4)])
    borrowed = np.tile(borrowed_values(model, problem.structure), (4, 1))
    ((_, stack),) = implied_many(model, problem.structure, theta, borrowed)
    found = defined_values(model, row_values(model, stack))
    for k in range(4):
        np.testing.assert_allclose(found[k], [difference.value(theta[k]) for _, difference in model.relations.definitions], rtol=1e-14)
    plain = model_of(CASES["factor"])
    assert defined_values(plain, np.zeros((4, len(plain.table.rows)))).shape == (4, 0)


def test_a_negative_variance_has_no_standardized_values() -> None:
    model = model_of(CASES["factor"])
    problem = problem_of(model, random_sample(model, np.random.default_rng(0)), "ML")
    theta = admissible_point(problem, np.random.default_rng(0))
    rows = {(row.op, row.lhs, row.rhs): k for k, row in enumerate(model.table.rows)}
    theta[model.theta_of_row[rows["~~", "f", "f"]]] = -0.4
    ((_, stack),) = implied_many(model, problem.structure, theta[None], np.empty((1, 0)))
    found = standardized_values(model, stack, "std_all")[0]
    assert np.isnan(found[rows["=~", "f", "b"]])
