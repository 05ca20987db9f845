"""Starting values: admissible and near for ordinary models, the user's where given, and the same whatever the units."""

from __future__ import annotations

import numpy as np
import pytest

import trustsem as ts
from helpers import CASES, Case, exact_sample, holzinger, model_of, problem_of, quietly, random_sample, true_parameters
from trustsem.data.sample import BlockSample, Sample
from trustsem.model.problem import value
from trustsem.model.starts import plain_start, plan_start, start_values

NAMES = [name for name in CASES if name != "shared_across_matrices"]


def problem_at(name, seed=2):
    rng = np.random.default_rng(seed)
    model = model_of(CASES[name])
    rough = problem_of(model, random_sample(model, rng), "ML")
    return problem_of(model, exact_sample(rough, true_parameters(model, rng), noise=0.02, rng=rng), "ML")


@pytest.mark.parametrize("name", NAMES)
def test_the_start_is_admissible_and_better_than_the_plain_one(name):
    problem = problem_at(name)
    informed = start_values(problem.model, plan_start(problem.model), problem.blocks)
    plain = plain_start(problem.model, problem.blocks)
    assert np.isfinite(informed).all()
    assert np.isfinite(value(problem, informed))
    assert value(problem, informed) <= max(value(problem, plain), 2.0)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
@pytest.mark.parametrize("name", ["factor", "path", "structural", "second_order", "factors_std_lv"])
def test_the_start_does_not_depend_on_the_units(name, factor):
    model = model_of(CASES[name])
    (block,) = problem_at(name).blocks
    sample = Sample(model.blocks[0].observed, (BlockSample("", block.n, None, block.cov, None),), None, (), block.n, ())
    scaled = Sample(sample.names, (BlockSample("", block.n, None, block.cov * factor**2, None),), None, (), block.n, ())
    heights = []
    for one in (sample, scaled):
        problem = problem_of(model, one, "ML")
        heights.append(value(problem, start_values(model, plan_start(model), problem.blocks)))
    assert heights[1] == pytest.approx(heights[0], rel=1e-2)


def test_the_users_start_replaces_the_computed_one_and_only_there():
    plain, own = model_of(Case("f =~ a + b + c", "cfa")), model_of(Case("f =~ a + start(0.123)*b + c", "cfa"))
    problem = problem_at("factor")
    blocks = [block._replace(cov=block.cov[:3, :3], mean=None) for block in problem.blocks]
    computed, given = start_values(plain, plan_start(plain), blocks), start_values(own, plan_start(own), blocks)
    different = np.flatnonzero(computed != given)
    assert different.size == 1
    assert given[different[0]] == 0.123


def test_the_plain_start_leaves_out_the_users_values():
    """They may be what makes the start inadmissible."""
    own = model_of(Case("f =~ a + start(-50)*b + c\nf ~~ start(-3)*f", "cfa"))
    problem = problem_at("factor")
    blocks = [block._replace(cov=block.cov[:3, :3], mean=None) for block in problem.blocks]
    assert start_values(own, plan_start(own), blocks).min() == -50.0
    assert plain_start(own, blocks).min() > 0.0


def test_a_good_start_costs_few_iterations():
    fit = quietly(ts.cfa, "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9", holzinger())
    assert fit.estimate.iterations <= 15
    assert quietly(ts.cfa, "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9", holzinger(), start=fit).estimate.iterations <= 1
