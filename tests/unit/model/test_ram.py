"""Compiling a table: parameters, cells, order of the paths, moments that count."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import CASES, Case, model_of
from trustsem.kernels.structure import COVARIANCE, INTERCEPT, PATH, RECURSIVE


@pytest.mark.parametrize("name", CASES)
def test_every_free_row_has_a_parameter_and_every_parameter_a_row(name):
    model = model_of(CASES[name])
    numbers = model.theta_of_row
    for k, row in enumerate(model.table.rows):
        assert (numbers[k] >= 0) == row.free
    assert set(numbers[numbers >= 0]) == set(range(model.n_theta))
    for k, row in enumerate(model.table.rows):
        layout = model.blocks[row.block - 1]
        cell = model.cells[k]
        names = layout.variables
        if row.op == "=~":
            assert (cell.kind, names[cell.row], names[cell.column]) == (PATH, row.rhs, row.lhs)
        elif row.op == "~":
            assert (cell.kind, names[cell.row], names[cell.column]) == (PATH, row.lhs, row.rhs)
        elif row.op == "~~":
            assert cell.kind == COVARIANCE
            assert {names[cell.row], names[cell.column]} == {row.lhs, row.rhs}
            assert cell.row >= cell.column
        else:
            assert (cell.kind, names[cell.row]) == (INTERCEPT, row.lhs)


def test_rows_that_share_a_label_share_a_parameter():
    model = model_of(CASES["groups_shared"])
    by_label: dict[str, set[int]] = {}
    for k, row in enumerate(model.table.rows):
        if row.label:
            by_label.setdefault(row.label, set()).add(int(model.theta_of_row[k]))
    assert {"k", "m", "n", "v"} <= set(by_label)
    assert all(len(numbers) == 1 for numbers in by_label.values())
    assert len({*by_label["m"], *by_label["n"], *by_label["k"]}) == 3


def test_a_label_on_a_fixed_row_fixes_all_rows_with_it():
    model = model_of(Case("f =~ x1 + k*x2 + k*x3 + x4\nx1 ~~ k*x1\nk == 0.5", "cfa"))
    assert model.relations.linear_rank == 1


@pytest.mark.parametrize(("name", "recursive"), [("path", 1), ("structural", 1), ("second_order", 1), ("feedback", 0), ("feedback_latent", 0)])
def test_cycles_are_found(name, recursive):
    assert model_of(CASES[name]).structure.blocks[0, RECURSIVE] == recursive


@pytest.mark.parametrize("name", [name for name in CASES if "feedback" not in name])
def test_paths_are_sorted_causes_first(name):
    model = model_of(CASES[name])
    for b in range(len(model.blocks)):
        done: set[int] = set()
        paths = model.structure.paths_of(b)
        effects = [int(effect) for effect, _ in paths]
        for k, (effect, cause) in enumerate(paths):
            assert int(cause) not in effects[k:], "a cause is completed before its effects take from it"
            done.add(int(effect))


@pytest.mark.parametrize(
    ("text", "function", "moments", "parameters"),
    [
        ("f =~ a + b + c + d", "cfa", 10, 8),
        ("y ~ x1 + x2", "sem", 3, 3),
        ("y ~ x1 + x2\ny ~ 1", "sem", 4, 4),
        ("y ~ x1\nz ~ y", "sem", 5, 4),
        ("f =~ a + b + c\nf ~ x1 + x2", "sem", 12, 8),
    ],
)
def test_counting(text, function, moments, parameters):
    model = model_of(Case(text, function))
    assert (model.n_moments, model.n_theta) == (moments, parameters)


def test_groups_count_their_own_moments():
    assert model_of(CASES["groups"]).n_moments == 2 * (10 + 4)
    assert model_of(CASES["groups_different"]).n_moments == (10 + 4) + (6 + 3)


def test_bounds_of_rows_that_share_a_label_are_joined():
    model = model_of(Case("f =~ x1 + k*x2 + k*x3 + lower(0.2)*x2 + upper(0.9)*x3", "cfa"))
    number = next(int(model.theta_of_row[k]) for k, row in enumerate(model.table.rows) if row.label == "k")
    assert (model.lower[number], model.upper[number]) == (0.2, 0.9)


def test_the_compiled_arrays_hold_no_data():
    model = model_of(CASES["regression_means"])
    assert model.borrowed
    assert np.all(model.structure.fixed_covariances == 0.0)
    assert np.all(model.structure.fixed_intercepts == 0.0)
