"""Linear algebra of the kernels against NumPy: values, and a status instead of an exception."""

from __future__ import annotations

import numpy as np
import pytest

from trustsem.kernels import linear

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 31, 33, 63, 64, 65, 127, 128, 129, 150, 193]


def definite(n, rng, condition=10.0):
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    return (q * np.geomspace(1.0, condition, n)) @ q.T


def factored(matrix):
    lower = np.full(matrix.shape, np.nan)
    return linear.cholesky(matrix, lower), lower


@pytest.mark.parametrize("n", SIZES)
def test_cholesky_and_inverse_equal_numpy(n):
    rng = np.random.default_rng(n)
    matrix = definite(n, rng)
    matrix = 0.5 * (matrix + matrix.T)
    ok, lower = factored(matrix)
    assert ok
    np.testing.assert_allclose(lower, np.linalg.cholesky(matrix), rtol=0, atol=1e-12 * n)
    inverse = np.full((n, n), np.nan)
    linear.invert_definite(lower, inverse)
    np.testing.assert_allclose(inverse, np.linalg.inv(matrix), rtol=0, atol=1e-12 * n)
    np.testing.assert_array_equal(inverse, inverse.T)
    right, solution = rng.standard_normal(n), np.full(n, np.nan)
    linear.solve_cholesky(lower, right, solution)
    np.testing.assert_allclose(solution, np.linalg.solve(matrix, right), rtol=0, atol=1e-11 * n)


@pytest.mark.parametrize("n", SIZES)
def test_cholesky_reads_the_lower_triangle_only(n):
    rng = np.random.default_rng(n)
    matrix = definite(n, rng)
    ok, lower = factored(matrix)
    spoilt = np.tril(matrix) + np.triu(np.full((n, n), 1e6), 1)
    again, other = factored(spoilt)
    assert ok
    assert again
    np.testing.assert_array_equal(lower, other)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_cholesky_refuses_what_is_not_definite(n, where):
    rng = np.random.default_rng(n)
    place = {"first": 0, "middle": n // 2, "last": n - 1}[where]
    matrix = definite(n, rng)
    matrix = 0.5 * (matrix + matrix.T)
    matrix[place, place] = -0.1
    assert np.linalg.eigvalsh(matrix)[0] < 0.0
    assert not factored(matrix)[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_cholesky_refuses_bad_diagonals(bad):
    for n in (1, 4, 6, 140):
        matrix = np.eye(n)
        matrix[n - 1, n - 1] = bad
        assert not factored(matrix)[0]


@pytest.mark.parametrize("n", [2, 5, 8, 130])
def test_cholesky_refuses_a_matrix_that_is_singular_up_to_rounding(n):
    vector = np.linspace(1.0, 2.0, n)
    assert not factored(np.outer(vector, vector))[0]


def test_cholesky_does_not_depend_on_the_units():
    rng = np.random.default_rng(0)
    matrix = definite(6, rng)
    scale = np.array([1e-12, 1e-6, 1.0, 1e3, 1e9, 1e12])
    ok, lower = factored(matrix * np.outer(scale, scale))
    assert ok
    np.testing.assert_allclose(lower / scale[:, None], factored(matrix)[1], rtol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9, 20, 40])
def test_invert_equals_numpy(n):
    rng = np.random.default_rng(n)
    matrix = rng.standard_normal((n, n)) + 2.0 * np.eye(n)
    inverse = np.full((n, n), np.nan)
    before = matrix.copy()
    assert linear.invert(matrix, inverse)
    np.testing.assert_allclose(inverse @ matrix, np.eye(n), atol=1e-9)
    np.testing.assert_array_equal(matrix, before)


def test_invert_exchanges_rows():
    matrix, inverse = np.array([[0.0, 2.0], [4.0, 0.0]]), np.empty((2, 2))
    assert linear.invert(matrix, inverse)
    np.testing.assert_array_equal(inverse, [[0.0, 0.25], [0.5, 0.0]])


@pytest.mark.parametrize("matrix", [np.zeros((1, 1)), np.ones((2, 2)), np.array([[1.0, 2.0], [2.0, 4.0]]), np.array([[np.nan]]), np.zeros((3, 3))])
def test_invert_refuses_singular(matrix):
    assert not linear.invert(matrix, np.empty(matrix.shape))


def test_products_and_symmetry():
    rng = np.random.default_rng(1)
    left, right = rng.standard_normal((3, 4)), rng.standard_normal((4, 2))
    product, transposed = np.empty((3, 2)), np.empty((3, 3))
    linear.multiply(left, right, product)
    linear.multiply_transposed(left, left, transposed)
    np.testing.assert_allclose(product, left @ right, rtol=1e-14)
    np.testing.assert_allclose(transposed, left @ left.T, rtol=1e-14)
    skew = np.array([[1.0, 3.0], [5.0, 2.0]])
    linear.symmetrise(skew)
    np.testing.assert_array_equal(skew, [[1.0, 4.0], [4.0, 2.0]])
