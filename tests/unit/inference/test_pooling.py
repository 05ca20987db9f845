"""Pooling formulas against R's mice and mitml on the same imputations, and at the edges."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import trustsem as ts
from trustsem.inference.pooling import Increase, PooledTest, d1, d2, d3, d4, rubin

FOLDER = Path(__file__).resolve().parents[2] / "reference" / "mice"


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


def sets() -> list[np.ndarray]:
    """Return the imputed data sets as arrays with columns x1, 1, x2, x4, x7."""
    long = pd.read_csv(FOLDER / "imputations.csv").assign(one=1.0)
    return [part[["x1", "one", "x2", "x4", "x7"]].to_numpy() for _, part in long.groupby(".imp")]


def regression(rows: np.ndarray, k: int) -> tuple[np.ndarray, float]:
    """Return the slopes of x1 on the first k predictors and the residual variance with divisor n."""
    slopes = np.linalg.lstsq(rows[:, 1 : k + 1], rows[:, 0], rcond=None)[0]
    return slopes, float(np.mean((rows[:, 0] - rows[:, 1 : k + 1] @ slopes) ** 2))


def log_likelihood(rows: np.ndarray, slopes: np.ndarray, variance: float) -> float:
    residuals = rows[:, 0] - rows[:, 1 : slopes.size + 1] @ slopes
    return float(stats.norm.logpdf(residuals, scale=math.sqrt(variance)).sum())


def check(found: PooledTest, reference: dict[str, float], tolerance: float = 1e-8) -> None:
    assert found.statistic == pytest.approx(reference["F.value"], rel=tolerance)
    assert found.df == reference["df1"]
    assert found.df2 == pytest.approx(reference["df2"], rel=tolerance)
    assert found.riv == pytest.approx(reference["RIV"], rel=tolerance)
    assert found.pvalue == pytest.approx(reference["P(>F)"], rel=1e-4, abs=1e-12)
    assert found.chisq == found.statistic * found.df


# ---- agreement with mice and mitml ----------------------------------------------------------------------------------------------------


def test_rubins_rules_equal_mice(expected: dict[str, Any]) -> None:
    pool = expected["pool"]
    estimates = np.array(expected["ingredients"]["estimates"])
    variances = np.array([np.diag(matrix) for matrix in expected["ingredients"]["vcov"].values()])
    found = rubin(estimates, variances, df_complete=297)
    names = {"estimate": "estimate", "within": "ubar", "between": "b", "variance": "t", "df": "df", "riv": "riv", "fmi": "fmi"}
    for ours, theirs in names.items():
        np.testing.assert_allclose(getattr(found, ours), pool[theirs], rtol=1e-10, err_msg=ours)


def test_d1_equals_mitml(expected: dict[str, Any]) -> None:
    estimates = np.array(expected["ingredients"]["estimates"])[:, 2:]
    vcovs = np.array([np.array(matrix)[2:, 2:] for matrix in expected["ingredients"]["vcov"].values()])
    check(d1(estimates, vcovs), expected["tests"]["D1"])
    moved = d1(estimates + 1.0, vcovs, null=np.ones(2))
    assert moved.statistic == pytest.approx(expected["tests"]["D1"]["F.value"], rel=1e-8)


def test_d2_equals_mitml(expected: dict[str, Any]) -> None:
    check(d2(np.array(expected["ingredients"]["own"]), 2), expected["tests"]["D2"])


def test_d3_equals_mitml(expected: dict[str, Any]) -> None:
    data = sets()
    pooled = {k: [np.mean(part, axis=0) for part in zip(*(regression(rows, k) for rows in data), strict=True)] for k in (2, 4)}
    at_pooled = np.mean([2.0 * (log_likelihood(rows, *pooled[4]) - log_likelihood(rows, *pooled[2])) for rows in data])
    check(d3(np.array(expected["ingredients"]["own"]), float(at_pooled), 2), expected["tests"]["D3"], 1e-5)


def test_d4_equals_mitml(expected: dict[str, Any]) -> None:
    given = expected["ingredients"]
    own = np.array(given["own"])
    check(d4(own, given["stacked"], 2), expected["tests"]["D4"])
    check(d4(own, given["stacked"], 2), expected["tests"]["D4_positive"])


# ---- edges ----------------------------------------------------------------------------------------------------------------------------


def test_without_missing_values_nothing_is_lost() -> None:
    found = rubin(np.full((3, 1), 2.0), np.full((3, 1), 0.25))
    assert (found.estimate[0], found.variance[0], found.riv[0], found.fmi[0]) == (2.0, 0.25, 0.0, 0.0)
    assert math.isinf(found.df[0])
    small = rubin(np.full((3, 1), 2.0), np.full((3, 1), 0.25), df_complete=20.0)
    assert small.df[0] == pytest.approx(20.0 * 21.0 / 23.0)
    own = np.full(4, 12.0)
    for test in (d2(own, 3), d3(own, 12.0, 3), d4(own, 12.0, 3), d4(own, 12.0, 3, Increase(0.0, 27))):
        assert (test.statistic, test.riv) == (4.0, 0.0)
        assert math.isinf(test.df2)
        assert test.pvalue == pytest.approx(stats.chi2.sf(12.0, 3), rel=1e-12)
    wald = d1(np.full((4, 1), 2.0), np.ones((4, 1, 1)))
    assert (wald.statistic, wald.riv) == (4.0, 0.0)


def test_barnard_and_rubin_never_exceed_the_complete_data() -> None:
    rng = np.random.default_rng(1)
    found = rubin(rng.standard_normal((5, 50)) * np.linspace(0.0, 3.0, 50), np.ones((5, 50)), df_complete=30.0)
    assert (found.df < 30.0).all()
    assert ((found.fmi > 0.0) & (found.fmi <= 1.0)).all()


def test_rubins_rules_by_hand() -> None:
    found = rubin(np.array([[1.0], [2.0], [3.0]]), np.array([[0.5], [0.7], [0.6]]))
    total = 0.6 + 4.0 / 3.0
    assert found.variance[0] == pytest.approx(total)
    assert found.riv[0] == pytest.approx(4.0 / 3.0 / 0.6)
    assert found.df[0] == pytest.approx(2.0 * (total / (4.0 / 3.0)) ** 2)
    assert found.fmi[0] == pytest.approx((found.riv[0] + 2.0 / (found.df[0] + 3.0)) / (1.0 + found.riv[0]))


def test_few_imputations_of_one_parameter_use_the_other_degrees_of_freedom() -> None:
    """Li, Raghunathan & Rubin 1991: for k (m - 1) <= 4."""
    found = d1(np.array([[1.0], [1.4], [1.8]]), np.full((3, 1, 1), 0.2))
    riv = 4.0 / 3.0 * 0.16 / 0.2
    assert found.riv == pytest.approx(riv)
    assert found.df2 == pytest.approx(2.0 * (1.0 + 1.0 / riv) ** 2)


def test_another_tests_increase_can_be_used() -> None:
    own = np.array([20.0, 24.0, 28.0])
    found = d4(own, 21.0, 6, Increase(0.25, 8))
    assert (found.statistic, found.df2, found.riv) == (21.0 / (6 * 1.25), 8 * 25.0, 0.25)


def test_a_negative_statistic_has_no_p_value() -> None:
    found = d2(np.array([0.1, 9.0, 60.0, 200.0]), 8)
    assert found.statistic < 0.0
    assert math.isnan(found.pvalue)


def test_an_increase_is_never_negative() -> None:
    own = np.array([10.0, 11.0, 12.0])
    assert d3(own, 15.0, 4).riv == 0.0
    assert d4(own, 15.0, 4).riv == 0.0


def test_without_degrees_of_freedom_there_is_no_test() -> None:
    for test in (d2(np.zeros(3), 0), d3(np.zeros(3), 0.0, 0), d4(np.zeros(3), 0.0, 0)):
        assert math.isnan(test.statistic)
        assert math.isnan(test.pvalue)
        assert test.df == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: rubin(np.ones((1, 2)), np.ones((1, 2))),
        lambda: d1(np.ones((1, 2)), np.ones((1, 2, 2))),
        lambda: d2(np.ones(1), 2),
        lambda: d3(np.ones(1), 1.0, 2),
        lambda: d4(np.ones(1), 1.0, 2),
    ],
)
def test_one_imputation_cannot_be_pooled(call: Any) -> None:
    with pytest.raises(ts.OptionError, match="Pooling needs at least two imputations, not 1"):
        call()
