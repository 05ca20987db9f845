"""The table of reliabilities: what it says, in which units, and with which intervals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import trustsem as ts
from helpers import holzinger, quietly
from trustsem.fitting.quality import reliability
from trustsem.inference.reliability import MEASURES

THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
NAMES = ("alpha", *MEASURES)


def fitted(text: str = THREE, **options: Any) -> ts.Fit:
    fit = quietly(ts.cfa, text, options.pop("data", holzinger()), **options)
    assert isinstance(fit, ts.Fit)
    return fit


def test_columns() -> None:
    fit = fitted()
    assert list(reliability(fit, ci=False)) == ["factor", "items", *NAMES]
    assert list(reliability(fit)) == ["factor", "items", *NAMES, *(f"{name}_{end}" for name in NAMES for end in ("se", "ci_lower", "ci_upper"))]
    assert reliability(fit)["items"].tolist() == ["x1 x2 x3", "x4 x5 x6", "x7 x8 x9"]
    groups = reliability(fitted(group="school"), ci=False)
    assert groups["group"].tolist() == [1, 1, 1, 2, 2, 2]
    assert np.isfinite(groups[list(NAMES)].to_numpy()).all()


@pytest.mark.parametrize("group", [None, "school"])
def test_the_scale_of_the_factors_does_not_matter(group: str | None) -> None:
    marker, unit = (reliability(fitted(std_lv=std_lv, group=group)) for std_lv in (False, True))
    other = reliability(fitted(THREE.replace("x1 +", "NA*x1 + 1*"), group=group))
    for table in (unit, other):
        for name in marker.columns.drop(["factor", "items"]):
            np.testing.assert_allclose(table[name], marker[name], rtol=1e-6)


def test_intervals_are_estimates_and_standard_errors() -> None:
    for level, width in ((0.95, 1.959963984540054), (0.9, 1.6448536269514722)):
        table = reliability(fitted(), level=level)
        for name in NAMES:
            np.testing.assert_allclose(table[f"{name}_ci_upper"], table[name] + width * table[f"{name}_se"], rtol=1e-12)
            np.testing.assert_allclose(table[f"{name}_ci_lower"], table[name] - width * table[f"{name}_se"], rtol=1e-12)


def test_reversed_items_are_named() -> None:
    data = holzinger().assign(x2=lambda frame: -frame["x2"])
    table, plain = reliability(fitted(data=data)), reliability(fitted())
    assert table["items"][0] == "x1 -x2 x3"
    for name in plain.columns.drop(["factor", "items"]):
        np.testing.assert_allclose(table[name], plain[name], rtol=1e-6)
    as_it_is = reliability(fitted(data=data), reverse=False)
    assert as_it_is["items"][0] == "x1 x2 x3"
    assert as_it_is["alpha"][0] < 0.0
    assert as_it_is["omega"][0] < table["omega"][0]
    assert as_it_is["h"][0] == pytest.approx(table["h"][0])


def test_the_best_sum_and_the_standardized_variance_do_not_depend_on_units() -> None:
    data = holzinger().assign(x1=lambda frame: 3.0 * frame["x1"])
    scaled, plain = reliability(fitted(data=data)), reliability(fitted())
    for name in ("h", "ave_std"):
        np.testing.assert_allclose(scaled[name], plain[name], rtol=1e-6)
        np.testing.assert_allclose(scaled[f"{name}_se"], plain[f"{name}_se"], rtol=1e-5)
    assert abs(scaled["ave"][0] - plain["ave"][0]) > 0.01


def test_observed_variances_have_no_delta_errors() -> None:
    table, plain = reliability(fitted(), obs_var=True), reliability(fitted())
    for name in ("omega", "omega_h", "ave"):
        assert table[f"{name}_se"].isna().all()
        assert table[f"{name}_ci_upper"].isna().all()
    for name in ("alpha", "ave_std", "h"):
        np.testing.assert_array_equal(table[f"{name}_se"], plain[f"{name}_se"])


def test_draws_give_percentile_intervals() -> None:
    fit = fitted()
    rng = np.random.default_rng(3)
    draws = rng.multivariate_normal(fit.estimate.theta, fit.theta_vcov, size=2_000)
    table, delta = reliability(fit, draws=draws), reliability(fit)
    for name in MEASURES:
        np.testing.assert_allclose(table[name], delta[name], rtol=1e-12)
        np.testing.assert_allclose(table[f"{name}_se"], delta[f"{name}_se"], rtol=0.15)  # the quantities are not quite linear
        assert (table[f"{name}_ci_lower"] < table[name]).all()
        assert (table[f"{name}_ci_upper"] > table[name]).all()
    np.testing.assert_array_equal(table["alpha_se"], delta["alpha_se"])
    one = reliability(fit, draws=np.repeat(fit.estimate.theta[None], 30, axis=0))
    np.testing.assert_allclose(one["omega_se"], 0.0, atol=1e-12)
    np.testing.assert_allclose(one["omega_ci_upper"], one["omega"], rtol=1e-12)


def test_no_standard_errors_without_a_covariance_matrix() -> None:
    table = reliability(fitted(se="none"))
    for name in NAMES:
        assert table[f"{name}_se"].isna().all()
        assert table[name].notna().all()


def test_alpha_has_no_normal_error_where_rows_are_incomplete() -> None:
    data = holzinger()
    data.loc[:40, "x1"] = np.nan
    table = reliability(fitted(data=data, missing="fiml"))
    assert table["alpha"].notna().all()
    assert table["alpha_se"].isna().all()
    assert table["omega_se"].notna().all()


def test_a_single_item_has_no_alpha_but_a_reliability() -> None:
    table = reliability(fitted("f =~ x1 + x2 + x3\ng =~ x4\nx4 ~~ 0.3*x4"))
    assert math.isnan(table["alpha"][1])
    assert math.isnan(table["alpha_se"][1])
    for name in MEASURES:
        assert 0.7 < table[name][1] < 0.8
        assert table[name][1] == pytest.approx(table["omega"][1])


def test_summary_statistics_are_enough() -> None:
    data = holzinger()
    names = [f"x{k}" for k in range(1, 10)]
    fit = quietly(ts.cfa, THREE, sample_cov=data[names].cov(), sample_nobs=len(data))
    expected = reliability(fitted())
    for name in expected.columns.drop(["factor", "items"]):
        np.testing.assert_allclose(reliability(fit)[name], expected[name], rtol=1e-6)


def test_a_model_without_factors_is_refused() -> None:
    with pytest.raises(ts.ModelError, match="no latent variable with items"):
        reliability(quietly(ts.sem, "x1 ~ x2", holzinger()))


@pytest.mark.parametrize("level", [0.0, 1.0, 95, "0.95"])
def test_impossible_levels_are_refused(level: Any) -> None:
    with pytest.raises(ts.OptionError, match="not a confidence level"):
        reliability(fitted(), level=level)


def test_draws_of_another_model_are_refused() -> None:
    with pytest.raises(ts.OptionError, match=r"draws= has shape \(3, 4\)"):
        reliability(fitted(), draws=np.zeros((3, 4)))


def test_delta_intervals_cover_the_population_value() -> None:
    """500 samples of 1,000 rows: coverage within three Monte Carlo standard errors of .95 for every measure."""
    loadings = np.array([0.8, 0.7, 0.6, 0.7, 0.5])
    errors = 1.0 - loadings**2 + np.array([0.0, 0.2, 0.0, 0.4, 0.0])
    sigma = np.outer(loadings, loadings) + np.diag(errors)
    ratio = float(np.sum(loadings**2 / errors))
    k = len(loadings)
    truth = {
        "alpha": k / (k - 1) * (1.0 - np.trace(sigma) / sigma.sum()),
        "omega": loadings.sum() ** 2 / sigma.sum(),
        "omega_h": loadings.sum() ** 2 / sigma.sum(),
        "ave": np.sum(loadings**2) / np.trace(sigma),
        "ave_std": np.mean(loadings**2 / np.diag(sigma)),
        "h": ratio / (1.0 + ratio),
    }
    fitter = ts.compile("f =~ a + b + c + d + e", function="cfa")
    rng = np.random.default_rng(20_221)
    root = np.linalg.cholesky(sigma)
    covered = dict.fromkeys(truth, 0)
    for _ in range(500):
        (row,) = reliability(fitter.fit(rng.standard_normal((1_000, k)) @ root.T)).to_dict("records")
        for name, value in truth.items():
            covered[name] += row[f"{name}_ci_lower"] <= value <= row[f"{name}_ci_upper"]
    for name, count in covered.items():
        assert abs(count / 500 - 0.95) < 3.0 * math.sqrt(0.95 * 0.05 / 500), (name, count)
