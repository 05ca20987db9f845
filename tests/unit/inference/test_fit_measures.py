"""Fit measures from their definitions, written out with scipy.stats, and at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from trustsem.inference.fit_measures import (
    BlockResiduals,
    Chisq,
    absolute_measures,
    goodness_of_fit,
    incremental_measures,
    information_criteria,
    residual_measures,
    rmsea_measures,
)
from trustsem.inference.small_sample import swain


def test_pvalue_is_the_upper_tail():
    assert Chisq(30.0, 20).pvalue == pytest.approx(stats.chi2.sf(30.0, 20), rel=1e-12)
    assert Chisq(-1e-12, 3).pvalue == 1.0
    assert math.isnan(Chisq(0.0, 0).pvalue)
    assert Chisq(5000.0, 10).pvalue == 0.0 or Chisq(5000.0, 10).pvalue < 1e-300


def test_incremental_measures_by_hand():
    found = incremental_measures(Chisq(85.0, 24), Chisq(918.0, 36))
    assert found["cfi"] == pytest.approx(1.0 - 61.0 / 882.0)
    assert found["tli"] == pytest.approx((918.0 / 36 - 85.0 / 24) / (918.0 / 36 - 1.0))
    assert found["nnfi"] == found["tli"]
    assert found["nfi"] == pytest.approx(833.0 / 918.0)
    assert found["pnfi"] == pytest.approx(24 / 36 * 833.0 / 918.0)
    assert found["rfi"] == pytest.approx(1.0 - (85.0 / 24) / (918.0 / 36))
    assert found["ifi"] == pytest.approx(833.0 / (918.0 - 24.0))
    assert found["rni"] == pytest.approx(1.0 - 61.0 / 882.0)
    assert found["baseline_pvalue"] == pytest.approx(stats.chi2.sf(918.0, 36))


@pytest.mark.parametrize(
    ("model", "baseline", "cfi"),
    [
        (Chisq(0.0, 0), Chisq(0.5, 1), 1.0),
        (Chisq(4e-27, 0), Chisq(0.5, 1), 1.0),
        (Chisq(10.0, 20), Chisq(918.0, 36), 1.0),
        (Chisq(50.0, 20), Chisq(30.0, 36), 0.0),
        (Chisq(50.0, 20), Chisq(45.0, 21), 0.0),
    ],
)
def test_cfi_at_the_edges(model, baseline, cfi):
    assert incremental_measures(model, baseline)["cfi"] == cfi


def test_without_degrees_of_freedom_comparisons_with_the_baseline_are_perfect():
    found = incremental_measures(Chisq(0.0, 0), Chisq(100.0, 3))
    assert (found["cfi"], found["tli"], found["rfi"], found["nfi"], found["ifi"]) == (1.0, 1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize(("x", "df", "n"), [(85.3, 24, 301), (30.0, 24, 301), (900.0, 24, 301), (24.0, 24, 50), (5.0, 24, 100), (300.0, 250, 5000)])
def test_rmsea_interval_inverts_the_noncentral_chi_square(x, df, n, groups):
    found = rmsea_measures(Chisq(x, df), n, groups)
    assert found["rmsea"] == pytest.approx(math.sqrt(max(x - df, 0.0) / (n * df)) * math.sqrt(groups))
    for name, tail in (("rmsea_ci_lower", 0.95), ("rmsea_ci_upper", 0.05)):
        noncentrality = found[name] ** 2 * n * df / groups
        if noncentrality > 0.0:
            assert stats.ncx2.cdf(x, df, noncentrality) == pytest.approx(tail, abs=1e-8)
        else:
            assert stats.chi2.cdf(x, df) <= tail + 1e-12
    assert found["rmsea_ci_lower"] <= found["rmsea"] + 1e-12
    assert found["rmsea_pvalue"] == pytest.approx(stats.ncx2.sf(x, df, n * df * 0.05**2 / groups), abs=1e-9)
    assert found["rmsea_notclose_pvalue"] == pytest.approx(stats.ncx2.cdf(x, df, n * df * 0.08**2 / groups), abs=1e-9)


def test_rmsea_without_degrees_of_freedom():
    found = rmsea_measures(Chisq(0.0, 0), 100, 1)
    assert (found["rmsea"], found["rmsea_ci_lower"], found["rmsea_ci_upper"]) == (0.0, 0.0, 0.0)
    assert math.isnan(found["rmsea_pvalue"])


def test_information_criteria_by_hand():
    found = information_criteria(-1000.0, -990.0, 12, 200)
    assert found["aic"] == 2024.0
    assert found["bic"] == pytest.approx(2000.0 + 12 * math.log(200))
    assert found["bic2"] == pytest.approx(2000.0 + 12 * math.log(202 / 24))
    assert (found["logl"], found["unrestricted_logl"], found["ntotal"]) == (-1000.0, -990.0, 200.0)


S = np.array([[4.0, 1.2], [1.2, 1.0]])
SIGMA = np.array([[4.0, 1.0], [1.0, 1.21]])


def test_residual_measures_by_hand():
    found = residual_measures((BlockResiduals(100, S, SIGMA, None, None),))
    assert found["rmr"] == pytest.approx(math.sqrt((0.0 + 0.04 + 0.0441) / 3))
    assert found["srmr"] == pytest.approx(math.sqrt((0.1**2 + 0.21**2) / 3))
    r, implied = 0.6, 1.0 / math.sqrt(4.0 * 1.21)
    assert found["crmr"] == pytest.approx(abs(r - implied))
    assert found["srmr_mplus"] == pytest.approx(math.sqrt(((r - implied) ** 2 + 0.21**2) / 3))
    assert found["srmr"] == found["srmr_bentler"] == found["srmr_bentler_nomean"]


def test_residual_measures_with_means_and_groups():
    block = BlockResiduals(100, S, SIGMA, np.array([1.0, 2.0]), np.array([1.4, 2.0]))
    perfect = BlockResiduals(300, S, S, np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    one, both = residual_measures((block,)), residual_measures((block, perfect))
    assert one["srmr"] == pytest.approx(math.sqrt((0.01 + 0.0441 + 0.04) / 5))
    assert one["rmr"] == pytest.approx(math.sqrt((0.04 + 0.0441 + 0.16) / 5))
    for name, value in one.items():
        assert both[name] == pytest.approx(0.25 * value), name


def test_absolute_measures_by_hand():
    found = absolute_measures(Chisq(85.0, 24), 21, 301.0)
    assert found["mfi"] == pytest.approx(math.exp(-0.5 * 61.0 / 301.0))
    assert found["ecvi"] == pytest.approx(85.0 / 301.0 + 42.0 / 301.0)
    assert found["cn_05"] == pytest.approx(stats.chi2.isf(0.05, 24) / (85.0 / 301.0) + 1.0)
    assert math.isnan(absolute_measures(Chisq(0.0, 0), 21, 301.0)["cn_05"])


def test_goodness_of_fit_by_hand():
    found = goodness_of_fit(0.06, 24, 45)
    assert found["gfi"] == pytest.approx(0.94)
    assert found["agfi"] == pytest.approx(1.0 - 45 / 24 * 0.06)
    assert found["pgfi"] == pytest.approx(24 / 45 * 0.94)
    assert goodness_of_fit(0.0, 0, 6)["agfi"] == 1.0


def test_swain_by_hand():
    p, df, n = 9, 24, 301
    q = (math.sqrt(1 + 4 * p * (p + 1) - 8 * df) - 1) / 2
    factor = 1 - (p * (2 * p**2 + 3 * p - 1) - q * (2 * q**2 + 3 * q - 1)) / (12 * df * (n - 1))
    assert swain(Chisq(85.0, df), p, n).statistic == pytest.approx(85.0 * factor)
    assert 0.9 < factor < 1.0
    assert swain(Chisq(85.0, df), p, n).df == df
    assert swain(Chisq(1.0, 0), p, n) == Chisq(1.0, 0)
