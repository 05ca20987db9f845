"""Rejection rates and coverage in a regime where theory promises them: 9 items, 3 factors, n = 1,000, normal data, a true model."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import chdtri, ndtri

import trustsem as ts
from trustsem.inference.fit_measures import Chisq
from trustsem.inference.small_sample import swain

pytestmark = pytest.mark.slow

N, REPLICATIONS = 1000, 3000
MODEL = """
x =~ x1 + x2 + x3
m =~ m1 + m2 + m3
y =~ y1 + y2 + y3
m ~ a*x
y ~ b*m + c*x
"""
VALUES = {"x=~x2": 0.9, "x=~x3": 1.1, "m=~m2": 1.0, "m=~m3": 0.8, "y=~y2": 1.2, "y=~y3": 0.9, "a": 0.5, "b": 0.4, "c": 0.2}
VALUES |= {"x~~x": 1.0, "m~~m": 0.7, "y~~y": 0.6} | {f"{f}{k}~~{f}{k}": 0.5 + 0.1 * k for f in "xmy" for k in (1, 2, 3)}


def within(rate: float, nominal: float, replications: int) -> bool:
    """Whether a rate lies within 3 Monte Carlo standard errors of what is promised."""
    return abs(rate - nominal) <= 3.0 * math.sqrt(nominal * (1.0 - nominal) / replications)


class Runs(NamedTuple):
    """Statistics of every replication."""

    chisq: np.ndarray
    df: int
    covered: np.ndarray
    covered_standardized: np.ndarray
    names: tuple[str, ...]


def population() -> ts.Population:
    return ts.Population(MODEL, VALUES)


@cache
def runs(estimator: str) -> Runs:
    """Fit the true model to fresh samples; what is looked at besides the test is done for maximum likelihood only."""
    true = population()
    root = np.linalg.cholesky(true.cov)
    fitter = ts.compile(MODEL + "\nind := a*b\ntotal := a*b + c", estimator=estimator)
    order = [true.names.index(name) for name in fitter.observed]
    exact = fitter.fit_moments(true.cov[np.ix_(order, order)] * (N / (N - 1) if estimator == "ML" else 1.0), N)
    target = exact.parameter_estimates()["est"].to_numpy()
    standardized = exact.standardized_solution()["est_std"].to_numpy()
    rng = np.random.default_rng(20260101)
    chisq, covered, covered_standardized = [], [], []
    z = float(ndtri(0.975))
    for _ in range(REPLICATIONS):
        fit = fitter.fit(rng.standard_normal((N, len(order))) @ root.T[:, order])
        assert fit.converged
        chisq.append(fit.chisq.statistic)
        if estimator == "ML":
            table, solution = fit.parameter_estimates(ci=False), fit.standardized_solution(ci=False)
            covered.append(np.abs(table["est"].to_numpy() - target) <= z * table["se"].to_numpy() + 1e-9)
            covered_standardized.append(np.abs(solution["est_std"].to_numpy() - standardized) <= z * solution["se"].to_numpy() + 1e-9)
    names = tuple(exact.parameter_estimates()["lhs"] + exact.parameter_estimates()["op"] + exact.parameter_estimates()["rhs"])
    return Runs(np.array(chisq), exact.df, np.array(covered), np.array(covered_standardized), names)


def test_the_true_values_are_recovered_from_exact_moments() -> None:
    fitter = ts.compile(MODEL)
    true = population()
    order = [true.names.index(name) for name in fitter.observed]
    found = fitter.fit_moments(true.cov[np.ix_(order, order)] * (N / (N - 1)), N).coef()
    for name, value in VALUES.items():
        assert found[name] == pytest.approx(value, abs=1e-7), name


@pytest.mark.parametrize("estimator", ["ML", "GLS"])
def test_the_true_model_is_rejected_as_often_as_promised(estimator: str) -> None:
    found = runs(estimator)
    for level in (0.01, 0.05, 0.10):
        rate = float(np.mean(found.chisq > chdtri(found.df, level)))
        assert within(rate, level, REPLICATIONS), f"{estimator} rejects {rate:.4f} at {level}"


@pytest.mark.parametrize("estimator", ["ML", "GLS"])
def test_the_statistic_has_the_moments_of_a_chi_square(estimator: str) -> None:
    found = runs(estimator)
    error = math.sqrt(2.0 * found.df / REPLICATIONS)
    # The mean of the ML statistic exceeds df by about df * (a few) / n; allow for one part in a hundred.
    assert abs(float(found.chisq.mean()) - found.df) <= 3.0 * error + 0.01 * found.df
    assert float(found.chisq.var()) == pytest.approx(2.0 * found.df, rel=3.0 * math.sqrt(2.5 / REPLICATIONS) + 0.03)


@pytest.mark.parametrize("standardized", [False, True], ids=["unstandardized", "standardized"])
def test_intervals_cover_as_often_as_promised(standardized: bool) -> None:
    found = runs("ML")
    covered = found.covered_standardized if standardized else found.covered
    rates = dict(zip(found.names, covered.mean(axis=0), strict=True))
    fixed = {name for name, rate in rates.items() if rate == 1.0}
    wanted = set() if standardized else {"x=~x1", "m=~m1", "y=~y1"}
    if standardized:
        wanted = {"x~~x"}  # a variance that is 1 by definition
    assert fixed == wanted, fixed ^ wanted
    tested = {name: rate for name, rate in rates.items() if name not in fixed}
    assert {"ind:=a*b", "total:=a*b+c"} <= set(tested)
    wrong = {name: rate for name, rate in tested.items() if not within(rate, 0.95, REPLICATIONS)}
    # Thirty rates at 3 standard errors: one beyond would be chance; two would not.
    assert len(wrong) <= 1, wrong
    assert within(float(np.mean(list(tested.values()))), 0.95, REPLICATIONS)


def test_swain_comes_closer_than_the_plain_test_in_small_samples() -> None:
    """The whole built-in theory (32 indicators) at n = 150, where the plain test is known to reject a true model far too often."""
    theory = ts.load_theory("metz2022")
    true = theory.population("calibrated")
    fitter = ts.compile(theory)
    root = np.linalg.cholesky(true.cov)
    order = [true.names.index(name) for name in fitter.observed]
    rng = np.random.default_rng(7)
    replications, n = 1000, 150
    plain, corrected = [], []
    for _ in range(replications):
        fit = fitter.fit(rng.standard_normal((n, len(order))) @ root.T[:, order])
        if fit.converged:
            plain.append(fit.chisq.pvalue)
            corrected.append(swain(fit.chisq, len(order), n).pvalue)
    assert len(plain) >= 0.95 * replications
    rate, rate_corrected = float(np.mean(np.array(plain) < 0.05)), float(np.mean(np.array(corrected) < 0.05))
    assert rate > 0.20, rate
    assert abs(rate_corrected - 0.05) < 0.5 * abs(rate - 0.05), (rate, rate_corrected)
    assert rate_corrected < 0.12, rate_corrected


def test_swain_leaves_a_saturated_model_alone() -> None:
    assert swain(Chisq(0.0, 0), 9, 100) == Chisq(0.0, 0)
