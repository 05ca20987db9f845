"""Measurement invariance: the steps, what is suggested and released, latent means, and what is said about them."""

from __future__ import annotations

import math
import pickle
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import holzinger, numerical_jacobian, quietly
from trustsem.fitting.comparison import anova
from trustsem.fitting.invariance import Invariance, invariance
from trustsem.fitting.invariance_text import conclusion
from trustsem.fitting.score import score_test
from trustsem.inference.latent_means import latent_moments, mean_difference
from trustsem.model.problem import implied

MODEL = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"


@cache
def steps(**options: Any) -> Invariance:
    found = quietly(invariance, MODEL, holzinger(), group="school", **options)
    assert isinstance(found, Invariance)
    return found


# ---- the steps ----------------------------------------------------------------------------------------------------------------------------


def test_each_level_is_the_fit_with_these_equalities() -> None:
    found = steps()
    assert found.levels == ("configural", "metric", "scalar", "strict")
    equal: list[str] = []
    for level, kind in zip(found.levels, ("", "loadings", "intercepts", "residuals"), strict=True):
        equal += [kind] if kind else []
        fit = quietly(ts.cfa, MODEL, holzinger(), group="school", group_equal=equal)
        assert found.fits[level].chisq == pytest.approx(fit.chisq, rel=1e-9)
        np.testing.assert_allclose(found.frame.loc[level, ["cfi", "rmsea", "srmr"]], fit.fit_measures(["cfi", "rmsea", "srmr"]), rtol=1e-7)


@pytest.mark.parametrize("estimator", ["ML", "MLR", "MLMV"])
def test_differences_are_those_of_anova(estimator: str) -> None:
    found = steps(estimator=estimator)
    table = quietly(anova, **found.fits)
    np.testing.assert_allclose(found.frame["chisq_diff"], table.frame["chisq_diff"], rtol=1e-9)
    np.testing.assert_allclose(found.frame["pvalue_diff"], table.frame["pvalue"], rtol=1e-7)
    assert found.method == table.heading
    np.testing.assert_allclose(found.frame["cfi_diff"], found.frame["cfi"].diff())


def test_robust_estimators_show_robust_measures() -> None:
    assert dict(steps(estimator="MLR").measures) == {
        "chisq": "chisq_scaled", "df": "df_scaled", "pvalue": "pvalue_scaled", "cfi": "cfi_robust", "rmsea": "rmsea_robust", "srmr": "srmr",
    }  # fmt: skip
    assert set(steps().measures.values()) == {"chisq", "df", "pvalue", "cfi", "rmsea", "srmr"}


def test_a_step_left_out_is_added_by_the_next() -> None:
    found = steps(levels=("configural", "strong"))
    assert found.levels == ("configural", "scalar")
    assert found.fits["scalar"].df == steps().fits["scalar"].df
    assert "Equal loadings and intercepts are rejected" in found.conclusion


def test_further_levels() -> None:
    found = steps(levels=("weak", "scalar", "lv_variances", "lv_covariances", "means"))
    assert [fit.df for fit in found.fits.values()] == [54, 60, 63, 66, 69]
    assert "Equal loadings are assumed, not tested" in found.conclusion


def test_partial_equality_may_be_given() -> None:
    found = steps(group_partial=("x3~1", "x7~1"))
    assert found.fits["scalar"].df == 58
    assert "Not held equal: x3~1, x7~1" in str(found)
    assert steps(group_partial="x3~1").fits["scalar"].df == 59


def test_samples_and_summary_statistics_do_as_well() -> None:
    sample = steps().fits["configural"].sample
    again = quietly(invariance, MODEL, sample)
    pd.testing.assert_frame_equal(again.frame, steps().frame)
    parts = {str(label): part for label, part in holzinger().groupby("school", sort=False)}
    names = [f"x{k}" for k in range(1, 10)]
    moments = quietly(
        invariance,
        MODEL,
        sample_cov={label: part[names].cov() for label, part in parts.items()},
        sample_mean={label: part[names].mean() for label, part in parts.items()},
        sample_nobs={label: len(part) for label, part in parts.items()},
    )
    np.testing.assert_allclose(moments.frame.to_numpy(dtype=float), steps().frame.to_numpy(dtype=float), rtol=1e-6, atol=1e-8)


def test_theories_do_as_well() -> None:
    class Written:
        def syntax(self) -> str:
            return MODEL

    assert quietly(invariance, Written(), holzinger(), group="school").frame.equals(steps().frame)


def test_warnings_are_issued_once() -> None:
    data = holzinger()
    data.loc[::5, "x1"] = np.nan
    with pytest.warns(ts.TrustsemWarning) as caught:
        invariance(MODEL, data, group="school", levels=("configural", "metric"))
    assert [str(warning.message)[:12] for warning in caught] == ["[TS-DATA-01]"]


def test_it_prints_itself() -> None:
    text = str(steps())
    assert text.startswith("Measurement invariance over school: Pasteur (156), Grant-White (145)\nChi-square difference test; shown: chisq,")
    assert "  scalar     164.103 60  <.001 0.882 0.107 0.082     40.059       6       <.001" in text
    assert "<table" in steps()._repr_html_()
    assert "their means may not" in steps()._repr_html_()


# ---- what is concluded --------------------------------------------------------------------------------------------------------------------


def frame_of(first: float, **pvalues: float) -> pd.DataFrame:
    return pd.DataFrame({"pvalue": [first] * (1 + len(pvalues)), "pvalue_diff": [math.nan, *pvalues.values()]}, index=["configural", *pvalues])


def test_how_far_comparison_is_licensed() -> None:
    strict = conclusion(frame_of(0.5, metric=0.5, scalar=0.3, strict=0.2), ())
    assert "observed scores are due to the latent variables" in strict
    assert "Not rejected is not shown to be equal" in strict
    assert "takes it for granted" not in strict
    scalar = conclusion(frame_of(0.01, metric=0.5, scalar=0.3, strict=0.02), ("x1~1",))
    assert "Means of the latent variables may be compared" in scalar
    assert "Equal residual variances are rejected (p = .020)" in scalar
    assert "takes it for granted" in scalar
    assert "partial invariance" in scalar
    metric = conclusion(frame_of(0.5, metric=0.5, scalar=0.0001), ())
    assert "(p < .001)" in metric
    assert "means may not" in metric
    assert "partial()" in metric
    nothing = conclusion(frame_of(0.5, metric=0.001, scalar=0.5), ())
    assert "Nothing about the latent variables may be compared" in nothing
    assert "intercepts are" not in nothing
    assert "was not tested" in conclusion(frame_of(0.5, metric=0.5), ())
    assert "could not be tested" in conclusion(frame_of(0.5, metric=math.nan), ())


# ---- partial invariance -------------------------------------------------------------------------------------------------------------------


def test_suggestions_are_score_tests_of_what_the_level_adds() -> None:
    table = steps().suggestions("scalar")
    assert sorted(table["parameter"]) == [f"x{k}~1" for k in range(1, 10)]
    assert table["x2"].is_monotonic_decreasing
    assert (table["pvalue_holm"] >= table["pvalue"]).all()
    tests = score_test(steps().fits["scalar"], release="x3~1")
    row = table.iloc[0]
    assert row["parameter"] == "x3~1"
    assert row["x2"] == pytest.approx(tests.total.statistic)
    assert row["epc"] == pytest.approx(-tests.univariate["epc"].iloc[0])
    assert len(steps().suggestions("metric")) == 6
    assert len(steps().suggestions("configural")) == 0


def test_suggestions_are_robust_for_robust_fits() -> None:
    fit = steps(estimator="MLR").fits["metric"]
    table = steps(estimator="MLR").suggestions("metric").set_index("parameter")
    assert table.loc["textual=~x5", "x2"] == pytest.approx(score_test(fit, release="textual=~x5", robust=True).total.statistic)


def test_several_groups_are_released_together() -> None:
    data = holzinger()
    data["site"] = np.where(data["agemo"] < 4, "a", np.where(data["agemo"] < 8, "b", "c"))
    found = quietly(invariance, MODEL, data, group="site", levels=("configural", "metric"))
    assert (found.suggestions("metric")["df"] == 2).all()


def test_stepwise_release() -> None:
    found = steps().partial("scalar")
    assert found.group_partial == ("x3~1", "x7~1")
    assert found.releases is not None
    assert list(found.releases["parameter"]) == ["x3~1", "x7~1"]
    assert found.releases["pvalue_diff"].iloc[0] < 0.05 < found.releases["pvalue_diff"].iloc[1]
    assert found.frame.loc["scalar", "pvalue_diff"] == pytest.approx(found.releases["pvalue_diff"].iloc[1])
    pd.testing.assert_frame_equal(found.frame, steps(group_partial=("x3~1", "x7~1")).frame)
    assert found.stopped == "scalar is no longer rejected."
    assert "Releases stopped: scalar is no longer rejected." in str(found)
    assert steps().releases is None


def test_why_releases_stop() -> None:
    nothing = steps().partial("metric")
    assert nothing.releases is not None
    assert len(nothing.releases) == 0
    assert "nothing to release" in nothing.stopped
    one = steps().partial("scalar", max_releases=1)
    assert one.group_partial == ("x3~1",)
    assert "max_releases=1 reached" in one.stopped
    assert "no single equality stands out" in steps().partial("strict", alpha=0.049).stopped
    two = quietly(invariance, "speed =~ x7 + x8 + x9", holzinger().query("x7 == x7"), group="school").partial("scalar")
    assert "no longer rejected" in two.stopped
    shifted = holzinger()
    shifted.loc[shifted["school"] == "Pasteur", ["x1", "x2"]] += [2.0, -2.0]
    third = quietly(invariance, "visual =~ x1 + x2 + x3", shifted, group="school").partial("scalar")
    assert third.group_partial in (("x1~1",), ("x2~1",))
    assert "fewer than two equal indicators" in third.stopped


# ---- latent means -------------------------------------------------------------------------------------------------------------------------


def test_latent_means_are_those_of_the_scalar_model() -> None:
    table = steps().latent_means().set_index("latent")
    estimates = steps().fits["scalar"].parameter_estimates()
    means = estimates[(estimates["op"] == "~1") & (estimates["group"] == 2) & estimates["lhs"].isin(table.index)].set_index("lhs")
    for column, name in (("difference", "est"), ("se", "se"), ("z", "z"), ("pvalue", "pvalue"), ("ci_lower", "ci_lower"), ("ci_upper", "ci_upper")):
        np.testing.assert_allclose(table[column], means.loc[table.index, name], rtol=1e-7)
    assert set(table["group"]) == {"Grant-White"}
    assert set(table["reference"]) == {"Pasteur"}


def test_effect_sizes_and_their_errors() -> None:
    """Derivatives by differences of a spelled-out Cohen's d."""
    fit = steps().fits["scalar"]
    n = [block.n for block in fit.sample.blocks]

    def d(theta: np.ndarray) -> np.ndarray:
        first, second = implied(fit.problem.structure, theta)
        pooled = (n[0] * np.diag(first.V) + n[1] * np.diag(second.V)) / sum(n)
        return ((second.mu - first.mu) / np.sqrt(pooled))[first.p :]

    table = steps().latent_means()
    theta = fit.estimate.theta
    slopes = numerical_jacobian(d, theta, np.full(theta.size, 1e-6))
    np.testing.assert_allclose(table["d"], d(theta), rtol=1e-10)
    np.testing.assert_allclose(table["d_se"], np.sqrt(np.diag(slopes @ fit.theta_vcov @ slopes.T)), rtol=1e-6)
    np.testing.assert_allclose(table["d_ci_upper"] - table["d"], 1.959963984540054 * table["d_se"], rtol=1e-10)


def test_latent_means_of_a_structural_model_are_the_implied_ones() -> None:
    text = MODEL + "\nspeed ~ visual + textual"
    found = quietly(invariance, text, holzinger(), group="school", levels=("configural", "scalar"))
    same = steps().latent_means()  # an equivalent model: a saturated structure
    np.testing.assert_allclose(found.latent_means()[["difference", "se", "d", "d_se"]], same[["difference", "se", "d", "d_se"]], rtol=1e-5)


def test_derivatives_of_latent_moments() -> None:
    fit = quietly(ts.sem, MODEL + "\nspeed ~ visual + textual", holzinger(), group="school", group_equal=("loadings", "intercepts"))
    theta = fit.estimate.theta

    def moments(point: np.ndarray) -> np.ndarray:
        block = implied(fit.problem.structure, point)[1]
        return np.concatenate([block.mu[block.p :], np.diag(block.V)[block.p :]])

    found = latent_moments(fit.model, 1, fit.implied_blocks[1])
    expected = numerical_jacobian(moments, theta, np.full(theta.size, 1e-6))
    np.testing.assert_allclose(np.vstack([found.mean_slopes, found.variance_slopes]), expected, atol=1e-7)
    nothing = mean_difference(found, found, 10, 20)
    assert (nothing.d == 0.0).all()


# ---- refusals -----------------------------------------------------------------------------------------------------------------------------


def covariances_only(levels: Any) -> Invariance:
    names = [f"x{k}" for k in range(1, 10)]
    parts = {str(label): part[names].cov() for label, part in holzinger().groupby("school")}
    found = quietly(invariance, MODEL, sample_cov=parts, sample_nobs=dict.fromkeys(parts, 150), levels=levels)
    assert isinstance(found, Invariance)
    return found


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: steps(levels=("configural", "skalar")), ts.OptionError, "'skalar', which is no level. Did you mean"),
        (lambda: steps(levels=()), ts.OptionError, "at least one level"),
        (lambda: steps(levels=("metric", "weak")), ts.OptionError, "each only once"),
        (lambda: steps(levels=("scalar", "metric")), ts.OptionError, "wrong order"),
        (lambda: steps(levels=("lv_variances", "configural")), ts.OptionError, "wrong order"),
        (lambda: steps(group_equal="loadings"), ts.OptionError, "contradicts levels="),
        (lambda: invariance(MODEL, holzinger()), ts.DataError, "but there is one"),
        (lambda: invariance(steps().fits["metric"].model.table, holzinger(), group="school"), ts.OptionError, "ParameterTable"),
        (lambda: covariances_only(("configural", "scalar")), ts.DataError, "needs means"),
        (lambda: steps().suggestions("scaler"), ts.OptionError, "no level 'scaler'. Did you mean 'scalar'"),
        (lambda: steps().partial("configural"), ts.OptionError, "the first level"),
        (lambda: steps().partial("scalar", alpha=5), ts.OptionError, "alpha=5"),
        (lambda: steps().partial("scalar", max_releases=-1), ts.OptionError, "max_releases=-1"),
        (lambda: steps(levels="metric").latent_means(), ts.OptionError, "intercepts are equal and means free"),
        (lambda: steps().latent_means(level=95), ts.OptionError, "confidence level"),
    ],
)
def test_what_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_covariances_are_enough_for_loadings() -> None:
    assert covariances_only(("configural", "metric")).frame["df_diff"].iloc[1] == 6


def test_comparisons_survive_pickling() -> None:
    table = anova(*list(steps().fits.values())[:2])
    again = pickle.loads(pickle.dumps(table))
    pd.testing.assert_frame_equal(again.frame, table.frame)
    partial = steps().partial("scalar")
    whole = pickle.loads(pickle.dumps(partial))
    pd.testing.assert_frame_equal(whole.frame, partial.frame)
    pd.testing.assert_frame_equal(whole.releases, partial.releases)
    assert str(whole) == str(partial)
    with pytest.raises(TypeError):
        whole.fits["scalar"] = None


def test_levels_that_do_not_converge_leave_blanks():
    result = quietly(ts.invariance, "f =~ x1 + x2 + x3\nf ~~ -1*f", holzinger(), group="school")
    assert result.frame[["chisq", "pvalue_diff"]].isna().all().all()
    assert "could not be tested" in str(result)
