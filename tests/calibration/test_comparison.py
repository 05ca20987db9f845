"""Difference tests and the variance test of Vuong reject at the nominal rate where theory promises it."""

from __future__ import annotations

import math

import numpy as np
import pytest

import trustsem as ts
from trustsem.fitting.differences import choose_method, difference_test
from trustsem.fitting.nesting import check_nesting
from trustsem.fitting.score import score_test
from trustsem.fitting.vuong import vuong

pytestmark = pytest.mark.slow

N, REPLICATIONS, MANY = 1000, 1000, 4000
ITEMS = [f"x{k}" for k in range(1, 7)]
FREE = "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6"
EQUAL = "f =~ x1 + a*x2 + a*x3\ng =~ x4 + b*x5 + b*x6"


def within(rate: float, nominal: float, replications: int) -> bool:
    """Whether a rate lies within 3 Monte Carlo standard errors of what is promised."""
    return abs(rate - nominal) <= 3.0 * math.sqrt(nominal * (1.0 - nominal) / replications)


def rows(rng: np.random.Generator, normal: bool) -> np.ndarray:
    """Return rows of two correlated factors with three items each; if not normal, every row has a scale of its own (t with 7 degrees of freedom)."""
    latent = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.4], [0.4, 1.0]], N)
    items = np.repeat(latent, 3, axis=1) + 0.8 * rng.standard_normal((N, 6))
    return items if normal else items / np.sqrt(rng.chisquare(7.0, (N, 1)) / 7.0)


@pytest.mark.parametrize(
    ("estimator", "method", "normal"),
    [
        ("ML", "default", True),
        ("MLM", "satorra_bentler_2001", False),
        ("MLR", "satorra_bentler_2001", False),
        ("MLR", "satorra_bentler_2010", False),
        ("MLR", "satorra_2000", False),
    ],
)
def test_difference_tests(estimator: str, method: str, normal: bool) -> None:
    free, equal = (ts.compile(text, estimator=estimator) for text in (FREE, EQUAL))
    assert free.observed == equal.observed == tuple(ITEMS)
    rng = np.random.default_rng(20260201)
    rejected = []
    for _ in range(REPLICATIONS):
        data = rows(rng, normal)
        wide, narrow = free.fit(data), equal.fit(data)
        rejected.append(difference_test(narrow, wide, choose_method([wide, narrow], method, True)).pvalue < 0.05)
    assert within(float(np.mean(rejected)), 0.05, REPLICATIONS)


def test_the_plain_difference_rejects_too_often_without_normality() -> None:
    """Why there are scaled ones: the published rate."""
    free, equal = (ts.compile(text) for text in (FREE, EQUAL))
    rng = np.random.default_rng(20260202)
    rejected = []
    for _ in range(300):
        data = rows(rng, False)
        wide, narrow = free.fit(data), equal.fit(data)
        rejected.append(difference_test(narrow, wide, choose_method([wide, narrow], "default", True)).pvalue < 0.05)
    assert np.mean(rejected) > 0.10


@pytest.mark.parametrize(("robust", "normal"), [(False, True), (True, False)])
def test_score_tests(robust: bool, normal: bool) -> None:
    equal = ts.compile(EQUAL, estimator="MLR" if robust else "ML")
    rng = np.random.default_rng(20260203)
    rejected = [score_test(equal.fit(rows(rng, normal)), robust=robust).total.pvalue < 0.05 for _ in range(REPLICATIONS)]
    assert within(float(np.mean(rejected)), 0.05, REPLICATIONS)


@pytest.mark.parametrize("normal", [True, False])
def test_the_variance_test_of_models_that_cannot_be_told_apart(normal: bool) -> None:
    """Two models that both contain the truth imply the same distribution, normal or not."""
    one, other = (ts.compile(FREE + extra) for extra in ("\nx1 ~~ x4", "\nx2 ~~ x5"))
    rng = np.random.default_rng(20260204)
    pvalues = []
    for _ in range(MANY):
        data = rows(rng, normal)
        pvalues.append(vuong(one.fit(data), other.fit(data)).variance_test.pvalue)
    assert within(float(np.mean(np.array(pvalues) < 0.05)), 0.05, MANY)


def test_the_z_test_of_models_that_are_equally_wrong() -> None:
    """Each model leaves out one of two residual covariances of the same size: neither is closer, though they can be told apart."""
    one, other = (ts.compile(FREE + extra) for extra in ("\nx1 ~~ x4", "\nx2 ~~ x5"))
    rng = np.random.default_rng(20260205)
    told, rejected = [], []
    for _ in range(REPLICATIONS):
        data = rows(rng, True)
        shared = 0.5 * rng.standard_normal((N, 2))
        data[:, [0, 3]] += shared[:, [0]]
        data[:, [1, 4]] += shared[:, [1]]
        found = vuong(one.fit(data), other.fit(data))
        told.append(found.variance_test.pvalue < 0.05)
        rejected.append(abs(found.frame.loc["plain", "z"]) > 1.959963984540054)
    assert np.mean(told) > 0.95
    assert within(float(np.mean(rejected)), 0.05, REPLICATIONS)


def test_nesting_is_never_mistaken() -> None:
    free, equal = ts.compile(FREE), ts.compile(EQUAL)
    apart = ts.compile(FREE + "\nx1 ~~ x4\nf ~~ 0*g")
    rng = np.random.default_rng(20260206)
    for _ in range(100):
        data = rows(rng, False)
        wide, narrow, odd = free.fit(data), equal.fit(data), apart.fit(data)
        assert check_nesting("equal", narrow, "free", wide).nested is True
        assert check_nesting("equal", narrow, "apart", odd).nested is False
