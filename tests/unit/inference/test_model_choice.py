"""Weights, mixtures at a boundary, sums with errors, intraclass correlations."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from trustsem.inference.model_choice import anova_iccs, boundary_pvalue, class_weights, proportion_error, summed


def test_models_that_imply_the_same_share_a_weight() -> None:
    values = np.array([100.0, 102.0, 100.0, 110.0, math.nan])
    weights = class_weights(values, np.array([0, 1, 0, 2, 3]))
    raw = np.exp([0.0, -1.0, -5.0])
    np.testing.assert_allclose(weights[[0, 1, 3]], raw / raw.sum(), rtol=1e-14)
    assert weights[2] == weights[0]
    assert math.isnan(weights[4])
    assert np.isnan(class_weights(np.full(2, math.nan), np.array([0, 1]))).all()


def test_large_values_do_not_overflow() -> None:
    np.testing.assert_allclose(class_weights(np.array([1e6, 1e6 + 5000.0]), np.array([0, 1])), [1.0, 0.0])


@pytest.mark.parametrize("df", [1, 2, 5])
def test_the_mixture_at_the_boundary(df: int) -> None:
    lower = chi2.sf(2.7, df - 1) if df > 1 else 0.0
    assert boundary_pvalue(2.7, df) == pytest.approx(0.5 * lower + 0.5 * chi2.sf(2.7, df), rel=1e-12)
    assert boundary_pvalue(0.0, df) == 1.0
    assert math.isnan(boundary_pvalue(math.nan, df))


def test_sums_have_the_error_of_a_sum() -> None:
    units = np.array([1.0, 2.0, 4.0, 1.0])
    total, error = summed(units)
    assert total == 8.0
    assert error == pytest.approx(2.0 * pd.Series(units).std(), rel=1e-14)
    assert math.isnan(summed(units[:1])[1])


def test_errors_of_shares() -> None:
    assert proportion_error(0.5, 100) == pytest.approx(0.05, rel=1e-3)
    assert 0.0 < proportion_error(0.0, 100) < 0.02
    assert math.isnan(proportion_error(0.0, 0))


def test_intraclass_correlations_are_those_of_an_analysis_of_variance() -> None:
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(12), rng.integers(2, 9, 12))
    rows = rng.standard_normal((clusters.size, 3)) + 0.7 * rng.standard_normal((12, 3))[clusters]
    rows[rng.random(rows.shape) < 0.15] = np.nan
    found = anova_iccs(rows, clusters)
    for k in range(3):
        frame = pd.DataFrame({"y": rows[:, k], "team": clusters}).dropna()
        table = anova_lm(ols("y ~ C(team)", frame).fit())
        between, within = table["mean_sq"]
        sizes = frame.groupby("team").size()
        m = (len(frame) - (sizes**2).sum() / len(frame)) / (len(sizes) - 1)
        assert found[k] == pytest.approx(max((between - within) / (between + (m - 1) * within), 0.0), rel=1e-10)


def test_intraclass_correlations_are_not_negative() -> None:
    rows = np.tile([[-1.0], [1.0]], (10, 1))
    assert anova_iccs(rows, np.repeat(np.arange(10), 2)).tolist() == [0.0]
