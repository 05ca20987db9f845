from __future__ import annotations

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from trustsem.data.moments import check_covariance, join_names, moments, scale_notice
from trustsem.errors import DataError


def exact_moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moments in rational arithmetic: exact for the doubles given."""
    n, p = rows.shape
    columns = [[Fraction(value) for value in rows[:, at].tolist()] for at in range(p)]
    means = [sum(column) / n for column in columns]
    centred = [[value - mean for value in column] for column, mean in zip(columns, means, strict=True)]
    cov = [[float(sum(a * b for a, b in zip(x, y, strict=True)) / (n - 1)) for y in centred] for x in centred]
    return np.array([float(mean) for mean in means]), np.array(cov)


@pytest.mark.parametrize(("n", "p"), [(2, 1), (7, 3), (65, 2), (500, 4)])
def test_moments_are_exact_despite_large_means(n: int, p: int) -> None:
    rows = 1e6 + np.random.default_rng(n).normal(size=(n, p)) @ (np.eye(p) + 0.3)
    mean, cov = moments(rows)
    exact_mean, exact_cov = exact_moments(rows)
    np.testing.assert_allclose(mean, exact_mean, rtol=1e-15)
    np.testing.assert_allclose(cov, exact_cov, rtol=1e-12)
    np.testing.assert_array_equal(cov, cov.T)


@pytest.mark.parametrize(("offset", "digits"), [(1.2, 14), (1_000_000.2, 9), (10_000_000.2, 8)])
def test_nist_numerical_accuracy_sets(offset: float, digits: int) -> None:
    # NIST StRD NumAcc2-4: 1001 values, the first at the mean, then alternately 0.1 below and above it. Certified standard deviation: 0.1.
    # The doubles nearest to these decimals limit what any algorithm can reach.
    values = np.r_[offset, np.tile([offset - 0.1, offset + 0.1], 500)][:, None]
    mean, cov = moments(values)
    assert abs(np.sqrt(cov[0, 0]) / 0.1 - 1) < 10.0**-digits
    assert abs(mean[0] / offset - 1) < 1e-15


def test_chunks_do_not_matter() -> None:
    rows = np.random.default_rng(0).normal(size=(30_000, 7)) + 50
    mean, cov = moments(rows)
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(cov, np.cov(rows.T), rtol=1e-11)


def test_moments_allocate_no_second_array() -> None:
    rows = np.random.default_rng(0).normal(size=(200_000, 8))
    tracemalloc.start()
    moments(rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.25 * rows.nbytes


NAMES = ("alpha", "beta", "gamma")


def refused(cov: object, names: tuple[str, ...] = NAMES, where: str = "") -> str:
    with pytest.raises(DataError) as caught:
        check_covariance(np.array(cov, dtype=float), names, where)
    return str(caught.value)


def test_a_covariance_matrix_passes() -> None:
    check_covariance(np.array([[2.0, 0.3], [0.3, 1.0]]), ("a", "b"))
    check_covariance(np.array([[1e-200, 0.0], [0.0, 1e200]]), ("a", "b"))
    # Nearly collinear is not collinear.
    check_covariance(np.array([[1.0, 1 - 1e-9], [1 - 1e-9, 1.0]]), ("a", "b"))


def test_not_finite() -> None:
    message = refused([[1, 0, 0], [0, 1, np.nan], [0, np.nan, 1]], where=" of group 'x'")
    assert message.startswith("The covariance matrix of group 'x' has the value nan for 'beta' and 'gamma'.")


def test_variance_not_positive() -> None:
    assert "gives 'beta' the variance -1." in refused([[1, 0, 0], [0, -1, 0], [0, 0, 1]])
    assert "gives 'gamma' the variance 0." in refused([[1, 0, 0], [0, 1, 0], [0, 0, 0]])


def test_variance_out_of_range() -> None:
    assert "gives 'a' the variance 1e-300." in refused([[1e-300, 0], [0, 1]], ("a", "b"))
    assert "gives 'b' the variance 1e+300." in refused([[1, 0], [0, 1e300]], ("a", "b"))


def test_not_symmetric() -> None:
    message = refused([[1, 0.5, 0], [0.4, 1, 0], [0, 0, 1]])
    assert "is not symmetric: 0.5 for 'alpha' with 'beta', but 0.4 the other way round." in message


def test_perfectly_correlated() -> None:
    assert "'alpha' and 'gamma' are the same variable up to scale (correlation 1)." in refused([[1, 0.2, 2], [0.2, 1, 0.4], [2, 0.4, 4]])
    assert "'alpha' and 'beta' are the same variable up to scale (correlation -1)." in refused([[1, -3], [-3, 9]], ("alpha", "beta"))


def test_linear_combination_is_named() -> None:
    rows = np.random.default_rng(1).normal(size=(50, 5))
    rows[:, 3] = rows[:, 0] - 2 * rows[:, 2]
    message = refused(np.cov(rows.T), ("a", "b", "c", "d", "e"))
    assert "'d' is a linear combination of 'a' and 'c'." in message


def test_correlation_beyond_one() -> None:
    message = refused([[1, 0, 0], [0, 4, -3], [0, -3, 1]], where=" of group 'x'")
    assert "group 'x' gives 'beta' and 'gamma' the covariance -3, a correlation of -1.5: not positive definite." in message
    assert "a correlation of inf" in refused([[1, 1e300], [1e300, 1e-250]], ("a", "b"))
    assert "a correlation of 1e+300" in refused([[1, 1e300], [1e300, 1]], ("a", "b"))


def test_indefinite_names_the_culprits() -> None:
    cov = np.eye(4)
    cov[:3, :3] = [[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]]
    message = refused(cov, ("a", "b", "c", "innocent"))
    assert "smallest eigenvalue of the correlations: -0.8)" in message
    assert "'innocent'" not in message
    assert all(repr(name) in message for name in "abc")


def test_scale_notice() -> None:
    assert scale_notice([("", np.diag([1.0, 9e5]))], ("a", "b")) is None
    notice = scale_notice([("", np.diag([1.0, 2e6])), (" in group 'x'", np.diag([1e-3, 4e4]))], ("a", "b"))
    assert notice is not None
    assert notice.code == "TS-DATA-02"
    assert notice.detail == "The variance of 'b' (4e+04) is 4e+07 times that of 'a' (0.001) in group 'x'."


def test_join_names() -> None:
    assert join_names(["a"]) == "'a'"
    assert join_names(["a", "b", "c"]) == "'a', 'b' and 'c'"
    assert join_names([f"x{at}" for at in range(10)]).endswith("'x7' and 2 more")
