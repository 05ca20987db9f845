"""Constraints and definitions as functions of theta: what is linear, what is free, and what contradicts."""

from __future__ import annotations

import numpy as np
import pytest

from helpers import Case, model_of, numerical_jacobian
from trustsem.errors import ModelError
from trustsem.model.relations import free_directions

BASE = "f =~ x1 + a*x2 + b*x3 + c*x4\nx1 ~~ v*x1\nx2 ~~ w*x2\n"


def relations(text):
    return model_of(Case(BASE + text, "cfa"))


@pytest.mark.parametrize(
    "text",
    ["a == b", "a + b == 2", "a == 2*b + 0.5", "2*(a - b) == c/4", "a == 1", "0 - a == b", "v == w", "k := a - b\nk == 0", "a*2 == b*3 - c*(1 + 1)"],
)
def test_linear_equalities_become_a_basis(text):
    model = relations(text)
    found = model.relations
    assert len(found.linear) == 1
    assert not found.equalities
    assert found.basis.shape == (model.n_theta, model.n_theta - 1)
    rng = np.random.default_rng(0)
    for _ in range(5):
        theta = found.basis @ rng.standard_normal(model.n_theta - 1) + found.origin
        assert found.linear[0].value(theta) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(found.basis.T @ found.basis, np.eye(model.n_theta - 1), atol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "a*b == 1",
        "a^2 == b",
        "a == exp(c) - 2",
        "log(a) == b",
        "abs(a) == b",
        "max(a, b) == c",
        "min(a, 5) == c",
        "sqrt(v) == w",
        "a/b == 2",
        "1/a == b",
    ],
)
def test_everything_else_is_left_to_the_general_search(text):
    found = relations(text).relations
    assert found.basis is None
    assert len(found.equalities) == 1


def test_redundant_equalities_count_once():
    model = relations("a == b\n2*a == 2*b\nb - a == 0")
    assert model.relations.linear_rank == 1
    assert model.relations.basis.shape[1] == model.n_theta - 1


@pytest.mark.parametrize("text", ["a == 1\na == 2", "a == b\nb == a + 1", "0*a == 1", "v == 1e-9\nv == 2e-9", "v == 1e12\nv == 2e12"])
def test_contradictions_are_refused(text):
    with pytest.raises(ModelError, match=r"contradict one another.*Remove one"):
        relations(text)


@pytest.mark.parametrize("text", ["a < b", "b > a", "a + 1 > b^2", "a < 0.5"])
def test_inequalities_hold_where_they_are_positive(text):
    model = relations(text)
    (difference,) = model.relations.inequalities
    names = dict(zip(model.table.parameter_names(), model.theta_of_row[list(model.free_rows)], strict=True))
    theta = np.ones(model.n_theta)
    theta[names["a"]], theta[names["b"]] = 0.2, 0.9
    assert difference.value(theta) > 0.0
    theta[names["a"]], theta[names["b"]] = 5.0, -4.0
    assert difference.value(theta) < 0.0


@pytest.mark.parametrize("text", ["z := a*b/(c + 2)", "z := exp(a) - log(b)^2", "z := sqrt(v)*w", "z := a^b", "y := a*b\nz := y + c"])
def test_gradients_of_definitions(text):
    model = relations(text)
    theta = np.random.default_rng(1).uniform(0.5, 1.5, model.n_theta)
    for _, difference in model.relations.definitions:
        numerical = numerical_jacobian(lambda point, d=difference: np.array(d.value(point)), theta, np.full(theta.size, 1e-3))
        np.testing.assert_allclose(difference.gradient(theta), numerical, rtol=1e-8, atol=1e-9)


def test_a_model_without_relations_has_none():
    found = relations("").relations
    assert found.basis is None
    assert found.linear_rank == 0
    assert (found.linear, found.equalities, found.inequalities, found.definitions) == ((), (), (), ())


# ---- null spaces --------------------------------------------------------------------------------------------------------------------


def test_free_directions_span_the_null_space():
    rng = np.random.default_rng(0)
    for rank, size in ((1, 4), (2, 5), (3, 3), (2, 2), (0, 3)):
        rows = rng.standard_normal((rank, size))
        basis = free_directions(rows)
        assert basis.shape == (size, size - rank)
        np.testing.assert_allclose(rows @ basis, 0.0, atol=1e-12)
        np.testing.assert_allclose(basis.T @ basis, np.eye(size - rank), atol=1e-12)


def test_free_directions_do_not_mix_what_is_not_tied():
    rows = np.array([[1.0, -1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1e12, -1e12, 0.0]])
    basis = free_directions(rows)
    for column in basis.T:
        used = set(np.flatnonzero(column))
        assert used in ({0, 1}, {2, 3}, {4})
    np.testing.assert_allclose(np.abs(basis[basis != 0.0]), [np.sqrt(0.5), np.sqrt(0.5), np.sqrt(0.5), np.sqrt(0.5), 1.0])


def test_what_is_pinned_is_exactly_zero():
    basis = free_directions(np.array([[1.0, -1.0, 0.0], [0.3, 0.7, 0.0]]))
    assert basis.shape == (3, 1)
    np.testing.assert_array_equal(basis[:, 0], [0.0, 0.0, 1.0])


def test_rows_of_zeros_and_of_dust_tie_nothing():
    np.testing.assert_array_equal(free_directions(np.zeros((2, 3))), np.eye(3))
    basis = free_directions(np.array([[1.0, -1.0, 1e-17]]))
    np.testing.assert_array_equal(basis[2], [0.0, 1.0])
