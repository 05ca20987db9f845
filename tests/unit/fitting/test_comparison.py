"""Difference tests, nesting checks, Wald and score tests: what they refuse, warn of, and do not depend on (numbers are compared elsewhere)."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import DATA, holzinger, quietly
from trustsem.fitting.comparison import anova
from trustsem.fitting.nesting import Nesting, check_nesting, nested
from trustsem.fitting.score import score_test
from trustsem.fitting.vuong import vuong
from trustsem.fitting.wald import wald_test

THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
NARROW = THREE + "\nvisual ~~ 0*speed"
LABELLED = "visual =~ x1 + a*x2 + b*x3\ntextual =~ x4 + c*x5 + d*x6\nratio := a/b"
# Forty rows for which the scaling factors of two models differ the wrong way round.
NEGATIVE = np.sort(np.random.default_rng(36).choice(301, 40, replace=False))


@cache
def fit_of(text: str, **options: Any) -> ts.Fit:
    fit = quietly(ts.cfa, text, holzinger(), **options)
    assert isinstance(fit, ts.Fit)
    return fit


# ---- what is shown ------------------------------------------------------------------------------------------------------------------------


def test_models_are_sorted_and_named() -> None:
    found = anova(narrow=fit_of(NARROW), free=fit_of(THREE))
    assert list(found.frame.index) == ["free", "narrow"]
    assert list(found.frame.columns) == ["df", "aic", "bic", "chisq", "chisq_diff", "rmsea", "df_diff", "pvalue"]
    assert found.frame.iloc[0][["chisq_diff", "rmsea", "df_diff", "pvalue"]].isna().all()
    assert list(anova(fit_of(NARROW), fit_of(THREE)).frame.index) == ["fit2", "fit1"]
    with pytest.raises(FrozenInstanceError):
        found.method = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "method", "shifted", "heading"),
    [
        ({}, "default", True, "Chi-square difference test"),
        ({"estimator": "MLR"}, "default", True, "Scaled chi-square difference test (Satorra & Bentler 2001)"),
        ({"estimator": "MLR"}, "satorra.bentler.2010", True, "Scaled chi-square difference test (Satorra & Bentler 2010)"),
        ({"estimator": "MLM"}, "satorra_2000", False, "Adjusted chi-square difference test (Satorra 2000, mean adjusted)"),
        ({"estimator": "MLMV"}, "default", True, "Adjusted chi-square difference test (Satorra 2000, scaled and shifted)"),
        ({"estimator": "MLMVS"}, "satorra_2000", False, "Adjusted chi-square difference test (Satorra 2000, mean and variance adjusted)"),
    ],
)
def test_the_heading_names_the_test_used(options: dict[str, Any], method: str, shifted: bool, heading: str) -> None:
    found = anova(fit_of(THREE, **options), fit_of(NARROW, **options), method=method, scaled_shifted=shifted)
    assert found.heading == heading
    assert str(found).startswith(heading + "\n")
    assert heading.replace("&", "&amp;") in found._repr_html_()
    assert ("standard statistics" in str(found)) is (heading != "Chi-square difference test")


def test_a_plain_difference_of_robust_fits_says_what_it_assumes() -> None:
    robust = anova(fit_of(THREE, estimator="MLR"), fit_of(NARROW, estimator="MLR"), method="standard")
    plain = anova(fit_of(THREE), fit_of(NARROW))
    assert robust.frame["pvalue"].iloc[1] == pytest.approx(plain.frame["pvalue"].iloc[1])
    assert "assumes normality" in str(robust)
    assert "assumes normality" not in str(plain)


# ---- what it does not depend on -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["satorra_bentler_2001", "satorra_bentler_2010", "satorra_2000"])
def test_neither_scale_nor_order_of_variables_matters(method: str) -> None:
    turned = "speed =~ x9 + x8 + x7\ntextual =~ x6 + x4 + x5\nvisual =~ x3 + x2 + x1\nvisual ~~ 0*speed"
    one = anova(fit_of(THREE, estimator="MLR"), fit_of(NARROW, estimator="MLR"), method=method).frame.iloc[1]
    other = anova(fit_of(THREE, estimator="MLR", std_lv=True), fit_of(turned, estimator="MLR"), method=method).frame.iloc[1]
    np.testing.assert_allclose(other.dropna(), one.dropna(), rtol=1e-5)


def test_satorra_2000_with_complete_rows_given_as_incomplete() -> None:
    complete = anova(fit_of(THREE, estimator="MLR", meanstructure=True), fit_of(NARROW, estimator="MLR", meanstructure=True), method="satorra_2000")
    casewise = anova(fit_of(THREE, estimator="MLR", missing="fiml"), fit_of(NARROW, estimator="MLR", missing="fiml"), method="satorra_2000")
    np.testing.assert_allclose(casewise.frame["chisq_diff"].iloc[1], complete.frame["chisq_diff"].iloc[1], rtol=1e-6)


def test_against_a_saturated_model_the_difference_is_the_scaled_test_itself() -> None:
    saturated = "x1 ~~ x1 + x2 + x3 + x4\nx2 ~~ x2 + x3 + x4\nx3 ~~ x3 + x4\nx4 ~~ x4"
    for method in ("satorra_bentler_2001", "satorra_bentler_2010"):
        one = fit_of("f =~ x1 + x2 + x3 + x4", estimator="MLM")
        found = anova(fit_of(saturated, estimator="MLM"), one, method=method)
        assert found.frame["chisq_diff"].iloc[1] == pytest.approx(one.scaled.statistic, rel=1e-8)


# ---- warnings -----------------------------------------------------------------------------------------------------------------------------


def test_models_that_are_not_nested_are_warned_of() -> None:
    one, other = fit_of(THREE + "\nx1 ~~ x4"), fit_of(NARROW + "\nx7 ~~ x8")
    with pytest.warns(ts.TrustsemWarning, match="TS-CMP-01") as caught:
        found = anova(one=one, other=other)
    assert [warning.code for warning in found.warnings] == ["TS-CMP-01"]
    assert caught[0].filename == __file__
    assert "other is not nested in one" in str(found)
    assert "other is not nested in one" in found._repr_html_()
    with pytest.raises(ts.ModelError, match=r"other is not nested in one .* ts\.vuong"):
        anova(one=one, other=other, require_nested=True)
    robust = {"estimator": "MLM"}
    with pytest.warns(ts.TrustsemWarning, match="TS-CMP-01"):
        found = anova(fit_of(THREE + "\nx1 ~~ x4", **robust), fit_of(NARROW + "\nx7 ~~ x8", **robust), method="satorra_bentler_2010")
    assert math.isnan(found.frame["chisq_diff"].iloc[1])


def test_a_negative_scaling_is_warned_of_and_not_replaced() -> None:
    data = holzinger().iloc[NEGATIVE]
    free, narrow = (quietly(ts.cfa, text, data, estimator="MLR") for text in ("f =~ x1 + x2 + x3 + x4", "f =~ x1 + x2 + x3 + a*x4\na == 0"))
    with pytest.warns(ts.TrustsemWarning, match="TS-CMP-02") as caught:
        found = anova(free, narrow)
    assert "satorra_bentler_2010" in str(caught[0].message)
    assert found.frame[["chisq_diff", "pvalue"]].iloc[1].isna().all()
    later = anova(free, narrow, method="satorra_bentler_2010")
    assert later.frame["chisq_diff"].iloc[1] > 0.0
    assert later.warnings == ()


# ---- refusals -----------------------------------------------------------------------------------------------------------------------------


def moments_fit(cov: pd.DataFrame, mean: pd.Series | None = None) -> ts.Fit:
    fit = quietly(ts.cfa, "f =~ x1 + x2 + x3 + x4", None, sample_cov=cov, sample_mean=mean, sample_nobs=100)
    assert isinstance(fit, ts.Fit)
    return fit


def other_data(change: Any, text: str = NARROW, **options: Any) -> ts.Fit:
    fit = quietly(ts.cfa, text, change(holzinger().copy()), **options)
    assert isinstance(fit, ts.Fit)
    return fit


def nudged(data: pd.DataFrame) -> pd.DataFrame:
    data.loc[5, "x4"] += 0.5
    return data


REFUSED: dict[str, tuple[Any, type[ts.TrustsemError], str]] = {
    "one fit": (lambda: anova(fit_of(THREE)), ts.OptionError, "at least two fits, but got 1"),
    "no fit": (lambda: anova(fit_of(THREE), THREE), ts.OptionError, "'fit2' is a str"),  # type: ignore[arg-type]
    "name twice": (lambda: anova(fit_of(THREE), fit1=fit_of(NARROW)), ts.OptionError, "two models named 'fit1'"),
    "three for nested": (lambda: nested(fit_of(THREE), fit_of(THREE), fit_of(NARROW)), ts.OptionError, "compares two fits, but got 3"),
    "same df": (lambda: anova(fit_of(THREE), fit_of(THREE, std_lv=True)), ts.OptionError, "same degrees of freedom .24"),
    "estimator": (lambda: anova(fit_of(THREE), fit_of(NARROW, estimator="GLS")), ts.OptionError, "estimator='ML' and estimator='GLS'"),
    "test": (lambda: anova(fit_of(THREE), fit_of(NARROW, test="satorra_bentler")), ts.OptionError, "test="),
    "method": (lambda: anova(fit_of(THREE), fit_of(NARROW), method="satorra_2001"), ts.OptionError, "Did you mean"),
    "unscaled": (lambda: anova(fit_of(THREE), fit_of(NARROW), method="satorra_2000"), ts.OptionError, "needs fits with a scaled test"),
    "untested": (lambda: anova(fit_of(THREE, test="none"), fit_of(NARROW, test="none")), ts.OptionError, "test='none'"),
    "variables": (lambda: anova(fit_of(THREE), fit_of("f =~ x1 + x2 + x3 + x4")), ts.DataError, "x5, x6, x7, x8, x9 in only one"),
    "means": (lambda: anova(fit_of(THREE), fit_of(NARROW, meanstructure=True)), ts.DataError, "only one models means"),
    "groups": (lambda: anova(fit_of(THREE), fit_of(NARROW, group="school")), ts.DataError, "groups"),
    "fixed": (lambda: anova(fit_of("f =~ x1 + x2 + x3\nf ~ x4"), fit_of("f =~ x1 + x2 + x3 + x4")), ts.DataError, "x4 fixed covariate"),
    "rows": (lambda: anova(fit_of(THREE), other_data(lambda data: data.iloc[:-1])), ts.DataError, "301 and 300 observations"),
    "values": (lambda: anova(fit_of(THREE), other_data(nudged)), ts.DataError, "differ in values, weights or clusters"),
    "clusters": (
        lambda: anova(fit_of(THREE, cluster="agemo"), other_data(lambda data: data, cluster="ageyr")),
        ts.DataError,
        "differ in values, weights or clusters",
    ),
    "moments": (
        lambda: anova(moments_fit(holzinger()[["x1", "x2", "x3", "x4"]].cov()), moments_fit(1.1 * holzinger()[["x1", "x2", "x3", "x4"]].cov())),
        ts.DataError,
        "differ in values",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()


def test_fits_that_did_not_converge_are_refused() -> None:
    free = fit_of(THREE)
    lost = replace(free, estimate=replace(free.estimate, converged=False, reason="Stopped."))
    assert not lost.converged
    with pytest.raises(ts.ConvergenceError, match="Stopped"):
        anova(lost, fit_of(NARROW))


def test_the_same_moments_in_another_order_may_be_compared() -> None:
    frame = holzinger()[["x1", "x2", "x3", "x4"]]
    turned = frame[["x4", "x2", "x1", "x3"]]
    free = quietly(ts.cfa, "f =~ x1 + x2 + x3 + x4", None, sample_cov=frame.cov(), sample_mean=frame.mean(), sample_nobs=301)
    equal = quietly(ts.cfa, "f =~ x4 + a*x2 + a*x1 + x3", None, sample_cov=turned.cov(), sample_mean=turned.mean(), sample_nobs=301)
    assert anova(free, equal).frame["df_diff"].iloc[1] == 1
    no_means = quietly(ts.cfa, "f =~ x4 + a*x2 + a*x1 + x3", None, sample_cov=turned.cov(), sample_nobs=301)
    with pytest.raises(ts.DataError, match="differ in values"):
        anova(free, no_means)


def levelled(fit: ts.Fit) -> ts.Fit:
    """Return a fit whose model says that it has two levels."""
    return replace(fit, model=replace(fit.model, table=replace(fit.model.table, n_levels=2)))


def test_two_level_models_have_difference_tests_only() -> None:
    free, narrow = levelled(fit_of(THREE)), levelled(fit_of(NARROW))
    for call in (nested, vuong):
        with pytest.raises(ts.NotAvailableError, match=f"{call.__name__}.. is not available for two-level models"):
            call(free, narrow)
    with pytest.raises(ts.NotAvailableError, match="two-level"):
        score_test(narrow, add="visual ~~ speed")
    found = anova(free, narrow)
    assert found.frame["chisq_diff"].iloc[1] == pytest.approx(anova(fit_of(THREE), fit_of(NARROW)).frame["chisq_diff"].iloc[1])
    assert "was not checked" in str(found)
    assert found.warnings == ()


# ---- nesting ------------------------------------------------------------------------------------------------------------------------------


def test_equivalent_models() -> None:
    found = nested(
        chain=quietly(ts.sem, "x2 ~ x1\nx3 ~ x2", holzinger(), fixed_x=False), back=quietly(ts.sem, "x2 ~ x3\nx1 ~ x2", holzinger(), fixed_x=False)
    )
    assert found.equivalent
    assert "equivalent" in str(found)


def test_nested_models_are_recognised_by_any_parameterization() -> None:
    found = nested(small=fit_of("g =~ x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9", std_lv=True), large=fit_of(THREE))
    assert (found.nested, found.restricted, found.general, found.df_difference) == (True, "small", "large", 3)
    assert found.equivalent is False
    assert "small is nested in large" in repr(found)


def test_nesting_that_cannot_be_decided() -> None:
    undecided = Nesting("a", "b", 1, 0.3, None)
    assert undecided.equivalent is None
    assert "could not be decided" in str(undecided)


def test_nesting_of_incomplete_rows_and_least_squares() -> None:
    incomplete = pd.read_csv(DATA / "hs_mcar.csv")
    for data, options in ((incomplete, {"missing": "fiml"}), (holzinger(), {"estimator": "ULS"})):
        free, narrow = (quietly(ts.cfa, text, data, **options) for text in (THREE, NARROW))
        assert check_nesting("narrow", narrow, "free", free).nested is True
        assert check_nesting("free", free, "narrow", narrow).nested is False


# ---- Wald -----------------------------------------------------------------------------------------------------------------------------------


def test_a_wald_test_of_one_parameter_is_its_z_squared() -> None:
    fit = fit_of(LABELLED, estimator="MLR")
    table = fit.parameter_estimates().set_index("label")
    for name in ("a", "ratio"):
        found = wald_test(fit, f"{name} == 0")
        assert found.statistic == pytest.approx(table.loc[name, "z"] ** 2, rel=1e-10)
        assert found.pvalue == pytest.approx(table.loc[name, "pvalue"], rel=1e-8)
    assert "robust_huber_white" in str(found)


@pytest.mark.parametrize("text", ["a < b", "x1 ~ x2", "e := a - b"])
def test_wald_tests_are_about_equalities(text: str) -> None:
    with pytest.raises(ts.OptionError, match="equalit"):
        wald_test(fit_of(LABELLED), text)


def test_wald_tests_refuse_what_has_no_statistic() -> None:
    with pytest.raises(ts.OptionError, match="follows from the others"):
        wald_test(fit_of(LABELLED), "a == b; 2*a == 2*b")
    with pytest.raises(ts.ModelSyntaxError, match="No parameter has the label 'z'"):
        wald_test(fit_of(LABELLED), "z == 1")
    with pytest.raises(ts.OptionError, match="no covariance matrix"):
        wald_test(fit_of(LABELLED, se="none"), "a == b")


# ---- score ----------------------------------------------------------------------------------------------------------------------------------


def test_one_parameter_more_is_a_modification_index() -> None:
    for options in ({}, {"estimator": "GLS"}, {"missing": "fiml"}):
        fit = fit_of(NARROW, **options)
        table = fit.modindices().set_index(["lhs", "op", "rhs"])
        found = score_test(fit, add="textual =~ x1\nx1 ~~ x9\nvisual ~~ speed").univariate
        for row, key in zip(found.itertuples(), [("textual", "=~", "x1"), ("x1", "~~", "x9"), ("visual", "~~", "speed")], strict=True):
            assert row.x2 == pytest.approx(table.loc[key, "mi"], rel=1e-8)
            assert row.epc == pytest.approx(table.loc[key, "epc"], rel=1e-6)


def test_covariates_that_are_fixed_carry_no_information() -> None:
    fit = quietly(ts.sem, "f =~ x1 + x2 + x3\nf ~ x4 + x5\nx6 ~ f + 0*x4", holzinger())
    table = fit.modindices().set_index(["lhs", "op", "rhs"])
    (row,) = score_test(fit, add="x6 ~ x4").univariate.itertuples()
    assert row.x2 == pytest.approx(table.loc[("x6", "~", "x4"), "mi"], rel=1e-8)


def test_releases_by_name_and_by_parameter() -> None:
    fit = fit_of(THREE, group="school", group_equal=("loadings", "intercepts"))
    by_parameter = score_test(fit, release=["visual =~ x2", "x3~1"])
    by_name = score_test(fit, release=[f"{row.lhs} == {row.rhs}" for row in by_parameter.univariate.itertuples()])
    assert by_parameter.total == by_name.total
    assert by_parameter.total.df == 2
    assert score_test(fit, release="x3~1").total.df == 1
    assert "Score test" in str(by_name)
    assert "<table" in by_name._repr_html_()


def test_robust_score_tests_equal_plain_ones_for_normal_data() -> None:
    true = ts.Population(
        "f =~ x1 + x2 + x3 + x4", {"f=~x2": 1.0, "f=~x3": 1.0, "f=~x4": 1.0, "f~~f": 1.0} | {f"x{k}~~x{k}": 1.0 for k in range(1, 5)}
    )
    data = ts.simulate(true, n=20_000, seed=1)
    fit = quietly(ts.cfa, "f =~ x1 + a*x2 + a*x3 + a*x4", data)
    plain, robust = score_test(fit), score_test(fit, robust=True)
    assert robust.robust
    assert "Robust score test" in str(robust)
    np.testing.assert_allclose(robust.univariate["x2"], plain.univariate["x2"], rtol=0.05, atol=0.05)
    assert (robust.univariate["x2"] != plain.univariate["x2"]).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: score_test(fit_of(THREE)), ts.OptionError, "no equality to be released"),
        (lambda: score_test(fit_of(THREE), add="visual =~ x1"), None, ""),
        (lambda: score_test(fit_of(THREE), add="visual =~ x2"), ts.OptionError, "free already"),
        (lambda: score_test(fit_of(THREE), add="visual =~ age"), ts.OptionError, "'age', which is not in the model"),
        (lambda: score_test(fit_of(THREE), add="a == b"), ts.OptionError, "parameters in model syntax"),
        (lambda: score_test(fit_of(THREE), release=["a"], add="x1 ~~ x4"), ts.OptionError, "not both"),
        (lambda: score_test(fit_of(LABELLED + "\na == b"), release=["c == d"]), ts.OptionError, "which no equality holds"),
        (lambda: score_test(fit_of(NARROW, estimator="GLS"), add="x1 ~~ x4", robust=True), ts.NotAvailableError, "robust=True"),
        (lambda: score_test(fit_of("f =~ NA*x1 + a*x2 + a*x3 + x4")), ts.IdentificationError, "not identified"),
    ],
)
def test_what_score_tests_refuse(call: Any, error: type[Exception] | None, message: str) -> None:
    if error is None:
        assert math.isnan(call().univariate["x2"].iloc[0])  # the scale of a factor cannot be tested
        return
    with pytest.raises(error, match=message):
        call()
