"""Formulas behind comparisons, against spelled-out references and at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from trustsem.data.patterns import find_patterns
from trustsem.inference.casewise import casewise_log_likelihoods
from trustsem.inference.difference import (
    DifferenceTest,
    difference_rmsea,
    mean_adjusted,
    mean_var_adjusted,
    plain_difference,
    restriction_traces,
    restrictions_between,
    satorra_bentler,
    scaled_shifted,
)
from trustsem.inference.fit_measures import Chisq
from trustsem.inference.multiplicity import holm_adjusted
from trustsem.inference.scaled import Traces
from trustsem.inference.score_test import expected_changes, restricted_score, score_test
from trustsem.inference.wald import wald
from trustsem.inference.weighted_chisq import weighted_chisq_tail


def definite(rng: np.random.Generator, size: int) -> np.ndarray:
    root = rng.standard_normal((size, size + 3))
    return root @ root.T


# ---- difference tests ---------------------------------------------------------------------------------------------------------------------


def test_plain_difference() -> None:
    found = plain_difference(Chisq(30.0, 12), Chisq(18.0, 8))
    assert (found.statistic, found.df) == (12.0, 4)
    assert found.pvalue == pytest.approx(stats.chi2.sf(12.0, 4), rel=1e-13)
    assert difference_rmsea(found, 100, 2) == pytest.approx(math.sqrt(8.0 / 400.0) * math.sqrt(2.0), rel=1e-13)
    assert difference_rmsea(plain_difference(Chisq(20.0, 12), Chisq(18.0, 8)), 100, 1) == 0.0


def test_the_scaling_of_satorra_and_bentler() -> None:
    found = satorra_bentler(Chisq(30.0, 12), 1.5, Chisq(18.0, 8), 1.2)
    assert found.scaling == pytest.approx((12 * 1.5 - 8 * 1.2) / 4)
    assert found.statistic == pytest.approx(12.0 / found.scaling)
    saturated = satorra_bentler(Chisq(30.0, 12), 1.5, Chisq(0.0, 0), math.nan)
    assert saturated.statistic == pytest.approx(30.0 / 1.5)


def test_a_scaling_that_is_not_positive_gives_no_statistic() -> None:
    found = satorra_bentler(Chisq(30.0, 9), 1.0, Chisq(18.0, 8), 1.4)
    assert found.scaling < 0.0
    assert math.isnan(found.statistic)
    assert math.isnan(found.pvalue)


def test_adjustments_give_the_moments_of_a_chi_square() -> None:
    """A weighted sum of chi-squares has mean t1 and variance 2 t2; the adjusted statistics have those of their reference distribution."""
    weights = np.array([0.5, 1.5, 2.5])
    traces = Traces(float(weights.sum()), float((weights**2).sum()))
    df = weights.size
    for adjust, reference in ((mean_adjusted, df), (scaled_shifted, df), (mean_var_adjusted, None)):
        found = adjust(DifferenceTest(0.0, df), traces)
        mean = traces.first / found.scaling + found.shift
        assert mean == pytest.approx(reference or found.df)
        if adjust is not mean_adjusted:
            assert 2.0 * traces.second / found.scaling**2 == pytest.approx(2.0 * found.df)


def test_restrictions_are_what_the_narrow_model_does_not_reach() -> None:
    rng = np.random.default_rng(1)
    wide = rng.standard_normal((10, 5))
    along = rng.standard_normal((5, 3))
    found = restrictions_between(wide @ along, wide)
    assert found.shape == (2, 5)
    np.testing.assert_allclose(found @ along, 0.0, atol=1e-12)
    np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-12)


def test_the_traces_are_those_of_satorra() -> None:
    rng = np.random.default_rng(2)
    D, W, Gamma, A = rng.standard_normal((9, 5)), definite(rng, 9), definite(rng, 9), rng.standard_normal((2, 5))
    P = np.linalg.inv(D.T @ W @ D)
    U = W @ D @ P @ A.T @ np.linalg.inv(A @ P @ A.T) @ A @ P @ D.T @ W
    found = restriction_traces(A, P, D.T @ W @ Gamma @ W @ D)
    assert found.first == pytest.approx(np.trace(U @ Gamma), rel=1e-10)
    assert found.second == pytest.approx(np.trace(U @ Gamma @ U @ Gamma), rel=1e-10)
    normal = restriction_traces(A, P, D.T @ W @ D)
    assert normal[:2] == pytest.approx((2.0, 2.0))


# ---- weighted sums of chi-squares ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("df", [1, 2, 3, 10, 40])
def test_equal_weights_are_a_chi_square(df: int) -> None:
    for q in (0.01, 0.5, 3.0, 20.0, 70.0):
        assert weighted_chisq_tail(2.0 * q, np.full(df, 2.0)) == pytest.approx(stats.chi2.sf(q, df), abs=1e-11)


@pytest.mark.parametrize("seed", range(4))
def test_unequal_weights_agree_with_imhof(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = np.concatenate([rng.exponential(size=6), [0.0, 1e-12]])

    def integrand(u: float, q: float) -> float:
        angle = 0.5 * np.sum(np.arctan(weights * u)) - 0.5 * q * u
        return float(np.sin(angle) / (u * np.prod((1.0 + (weights * u) ** 2) ** 0.25)))

    for q in (0.3, 2.0, 8.0, 15.0):
        tail = 0.5 + integrate.quad(integrand, 0.0, np.inf, args=(q,), limit=2000)[0] / math.pi
        assert weighted_chisq_tail(q, weights) == pytest.approx(tail, abs=1e-7)


def test_weights_of_very_different_size() -> None:
    assert weighted_chisq_tail(3.0, np.array([1.0, 1e-14, 1e-30])) == pytest.approx(stats.chi2.sf(3.0, 1), abs=1e-11)


def test_edges_of_weighted_sums() -> None:
    assert weighted_chisq_tail(0.0, np.array([1.0])) == 1.0
    assert weighted_chisq_tail(1.0, np.zeros(3)) == 0.0
    assert weighted_chisq_tail(0.0, np.zeros(3)) == 0.0
    assert math.isnan(weighted_chisq_tail(math.nan, np.array([1.0])))


# ---- casewise likelihood ------------------------------------------------------------------------------------------------------------------


def test_likelihood_of_complete_and_incomplete_rows() -> None:
    rng = np.random.default_rng(3)
    mean, cov = rng.standard_normal(4), definite(rng, 4)
    rows = rng.multivariate_normal(mean, cov, 30)
    np.testing.assert_allclose(casewise_log_likelihoods(rows, mean, cov), stats.multivariate_normal(mean, cov).logpdf(rows), rtol=1e-10)
    rows[rng.random(rows.shape) < 0.3] = np.nan
    rows = rows[~np.isnan(rows).all(axis=1)]
    expected = [
        stats.multivariate_normal(mean[seen], cov[np.ix_(seen, seen)]).logpdf(row[seen]) for row, seen in zip(rows, ~np.isnan(rows), strict=True)
    ]
    np.testing.assert_allclose(casewise_log_likelihoods(rows, mean, cov, find_patterns(rows)), expected, rtol=1e-10)


# ---- Wald and score tests -----------------------------------------------------------------------------------------------------------------


def test_wald_statistic() -> None:
    rng = np.random.default_rng(4)
    H, V, h = rng.standard_normal((2, 5)), definite(rng, 5), rng.standard_normal(2)
    found = wald(h, H, V)
    assert found.statistic == pytest.approx(h @ np.linalg.inv(H @ V @ H.T) @ h, rel=1e-10)
    assert found.df == 2


def test_wald_without_a_statistic() -> None:
    H, V = np.array([[1.0, -1.0], [2.0, -2.0]]), np.eye(2)
    assert math.isnan(wald(np.zeros(2), H, V).statistic)
    assert math.isnan(wald(np.zeros(1), H[:1], np.ones((2, 2))).statistic)
    assert math.isnan(wald(np.zeros(1), H[:1], np.full((2, 2), np.nan)).statistic)


def kernel(rows: np.ndarray, size: int) -> np.ndarray:
    return np.eye(size) if len(rows) == 0 else np.linalg.svd(rows)[2][np.linalg.matrix_rank(rows) :].T


@pytest.mark.parametrize("released", [(0,), (2,), (0, 1), (0, 1, 2)])
def test_score_tests_are_quadratic_forms_within_the_kept_restrictions(released: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    C, info, meat = rng.standard_normal((3, 6)), definite(rng, 6), definite(rng, 6)
    score = C.T @ rng.standard_normal(3)  # at restricted estimates the score is along the restrictions
    chosen = np.isin(np.arange(3), released)
    T = kernel(C[~chosen], 6)
    P = np.linalg.inv(T.T @ info @ T)
    plain = restricted_score(score, info, C)
    assert plain is not None
    found = score_test(plain, chosen)
    assert found.df == len(released)
    assert found.statistic == pytest.approx(score @ T @ P @ T.T @ score, rel=1e-10)
    np.testing.assert_allclose(expected_changes(plain, chosen), T @ P @ T.T @ score, atol=1e-10)
    reach = C[chosen] @ T @ P
    moved = reach @ T.T @ score
    robust = restricted_score(score, info, C, meat)
    assert robust is not None
    assert score_test(robust, chosen).statistic == pytest.approx(moved @ np.linalg.inv(reach @ T.T @ meat @ T @ reach.T) @ moved, rel=1e-9)


def test_releasing_what_other_restrictions_keep_gives_no_test() -> None:
    C = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0], [1.0, 0.0, -1.0]])
    at = restricted_score(C.T @ np.ones(3), np.diag([1.0, 2.0, 3.0]), C)
    assert at is not None
    alone = score_test(at, np.array([True, False, False]))
    assert alone.df == 0
    assert math.isnan(alone.statistic)
    assert score_test(at, np.ones(3, dtype=bool)).df == 2


def test_directions_that_are_not_identified_do_not_count() -> None:
    """Two parameters of which only the sum is known, both restricted."""
    information = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    at = restricted_score(np.array([2.0, 2.0, 0.0]), information, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    assert at is not None
    both = score_test(at, np.ones(2, dtype=bool))
    assert (both.df, both.statistic) == (1, pytest.approx(4.0))
    assert np.isnan(expected_changes(at, np.ones(2, dtype=bool))).all()
    assert score_test(at, np.array([True, False])).statistic == pytest.approx(4.0)


def test_a_singular_restricted_model_has_no_score_test() -> None:
    assert restricted_score(np.zeros(3), np.diag([1.0, 0.0, 0.0]), np.array([[1.0, 0.0, 0.0]])) is None


def test_holm() -> None:
    np.testing.assert_allclose(holm_adjusted(np.array([0.04, 0.01, np.nan, 0.03])), [0.06, 0.03, np.nan, 0.06])
    np.testing.assert_allclose(holm_adjusted(np.array([0.9, 0.8])), [1.0, 1.0])
