"""Fits to imputed data against R's semTools, mitml and mice on the same imputations; and what a pooled fit promises."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.fitting.imputed import ImputedFit, sem_mi
from trustsem.inference.pooling import rubin

FOLDER = Path(__file__).resolve().parents[2] / "reference" / "mice"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
CASES = {"cfa": {}, "cfa_means": {"meanstructure": True}, "path": {}, "groups": {"group": "school"}}


def completed(name: str) -> list[pd.DataFrame]:
    return [part.drop(columns=".imp").reset_index(drop=True) for _, part in pd.read_csv(FOLDER / name).groupby(".imp")]


SETS = completed("imputations.csv")
SPARSE = completed("sparse.csv")
CFA, PATHS = EXPECTED["model"], EXPECTED["paths"]


def fitted(case: str, pooled_test: str = "D4", **options: Any) -> ImputedFit:
    return quietly(sem_mi, PATHS if case == "path" else CFA, SETS, pooled_test=pooled_test, **CASES[case], **options)


# ---- agreement with semTools, mitml and mice ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_estimates_equal_semtools(case: str) -> None:
    """lavaan stops about 1e-6 from the minimum, which ratios of small differences between imputations (riv, df) magnify."""
    reference = pd.DataFrame(EXPECTED[case]["estimates"]).replace("NA", np.nan)
    keys = ["lhs", "op", "rhs", *(["group"] if case == "groups" else [])]
    both = fitted(case).parameter_estimates().merge(reference, on=keys, suffixes=("", "_r"), validate="one_to_one")
    assert len(both) == len(reference)
    for name, tolerance in (("est", 1e-5), ("se", 1e-5), ("riv", 1e-4)):
        np.testing.assert_allclose(both[name], both[f"{name}_r"].astype(float), rtol=tolerance, atol=tolerance / 10, err_msg=name)
    # semTools prints riv / (1 + riv) as fmi, without the correction for few imputations, and degrees of freedom above 10,000 as infinite.
    riv, df = both["riv_r"].astype(float), both["df_r"].astype(float)
    np.testing.assert_allclose(both["fmi_r"].astype(float), riv / (1.0 + riv), rtol=1e-10)
    finite = np.isfinite(df)
    np.testing.assert_allclose(df[finite], 9.0 * (1.0 + 1.0 / riv[finite]) ** 2, rtol=1e-9)
    np.testing.assert_allclose(both["df"][finite], df[finite], rtol=5e-4)  # relative errors of riv count twice
    assert (both["df"][np.isinf(df)] > 9_999.0).all()


@pytest.mark.parametrize("case", ["cfa", "cfa_means", "groups"])
def test_d2_equals_semtools(case: str) -> None:
    compare(fitted(case, "D2"), EXPECTED[case]["D2"], EXPECTED[case]["measures_D2"])


@pytest.mark.parametrize("case", ["cfa_means", "groups"])
def test_d3_equals_semtools(case: str) -> None:
    compare(fitted(case, "D3"), EXPECTED[case]["D3"], EXPECTED[case]["measures_D3"])


def compare(fit: ImputedFit, test: dict[str, float], measures: dict[str, float]) -> None:
    found = fit.fit_measures()
    for ours, theirs in {"f": "F", "df": "df1", "df2": "df2", "riv": "ariv"}.items():
        assert found[ours] == pytest.approx(test[theirs], rel=1e-5), ours
    assert found["pvalue"] == pytest.approx(test["pvalue"], rel=1e-4)  # of the order 1e-7 here: 1e-6 in F is 2e-5 in p
    names = ("chisq", "baseline_chisq", "baseline_df", "cfi", "tli", "nfi", "rni", "ifi", "rmsea", "rmsea_ci_lower", "rmsea_ci_upper", "srmr")
    for name in names:
        assert found[name] == pytest.approx(measures[name.replace("_", ".")], rel=1e-5), name


def test_d3_does_not_depend_on_whether_means_are_modelled() -> None:
    """Means are free either way. semTools counts their differences between imputations only if they are in the model (riv 0.215 for 0.233)."""
    without, with_means = fitted("cfa", "D3").fit_measures(), fitted("cfa_means", "D3").fit_measures()
    for name in ("chisq", "df2", "riv", "baseline_chisq", "cfi"):
        assert without[name] == pytest.approx(with_means[name], rel=1e-9)
    assert EXPECTED["cfa"]["D3"]["ariv"] < 0.216


def test_d3_and_d4_equal_mitml() -> None:
    for kind, name in (("D3", "D3"), ("D4", "D4")):
        found = fitted("cfa", kind).fit_measures()
        reference = EXPECTED["mitml"][name]
        for ours, theirs in {"f": "F.value", "df": "df1", "df2": "df2", "riv": "RIV"}.items():
            assert found[ours] == pytest.approx(reference[theirs], rel=1e-5), (kind, ours)
        assert found["pvalue"] == pytest.approx(reference["P(>F)"], rel=1e-4)


def test_a_regression_equals_mice() -> None:
    """Least squares divides the residual sum of squares by n - 4, maximum likelihood by n; the rest is the same."""
    fit = fitted("path")
    slopes = [each.parameter_estimates().query("op == '~'") for each in fit.fits]
    found = rubin(np.array([s["est"] for s in slopes]), np.array([s["se"] for s in slopes]) ** 2 * 301.0 / 297.0, df_complete=297)
    pool = pd.DataFrame(EXPECTED["pool"]).set_index("term").loc[["x2", "x4", "x7"]]
    for ours, theirs in {"estimate": "estimate", "variance": "t", "df": "df", "riv": "riv", "fmi": "fmi"}.items():
        np.testing.assert_allclose(getattr(found, ours), pool[theirs], rtol=1e-8, err_msg=ours)


# ---- what has to hold whatever others say ---------------------------------------------------------------------------------------------


def test_the_stacked_fit_is_that_of_the_stacked_rows() -> None:
    fit = fitted("cfa_means")
    together = ts.sem(CFA, pd.concat(SETS), meanstructure=True)
    assert fit.stacked is not None
    np.testing.assert_allclose(fit.stacked.coef(), together.coef(), rtol=1e-6)
    assert fit.stacked.chisq.statistic == pytest.approx(together.chisq.statistic / len(SETS), rel=1e-8)
    assert fit.stacked.baseline.statistic == pytest.approx(together.baseline.statistic / len(SETS), rel=1e-8)


def test_covariates_may_be_fixed_or_random() -> None:
    """Imputed covariates: the likelihood-ratio tests are about the rest given the covariates, so they are the same."""
    text = "x5 ~ x3 + x1\nx9 ~ x5"
    fixed, free = (sem_mi(text, SETS, pooled_test="D3", fixed_x=value).fit_measures() for value in (True, False))
    for name in ("chisq", "df", "riv", "df2", "baseline_chisq", "cfi"):
        assert fixed[name] == pytest.approx(free[name], rel=1e-6), name
    fixed, free = (sem_mi(text, SETS, pooled_test="D4", fixed_x=value) for value in (True, False))
    assert fixed.stacked is not None
    assert free.stacked is not None
    assert fixed.stacked.chisq.statistic == pytest.approx(free.stacked.chisq.statistic, rel=1e-6)


@pytest.mark.parametrize("pooled_test", ["D2", "D3", "D4"])
def test_equal_data_sets_give_the_single_fit(pooled_test: str) -> None:
    text = CFA + "\nvisual ~ a*textual\ntextual ~ b*speed\nab := a*b"
    single = quietly(ts.sem, text, SETS[0])
    fit = quietly(sem_mi, text, [SETS[0]] * 3, pooled_test=pooled_test)
    mine, theirs = fit.parameter_estimates(standardized=True), single.parameter_estimates(standardized=True)
    for name in ("est", "se", "pvalue", "ci_lower", "ci_upper", "std_lv", "std_all"):
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-6, atol=1e-9, err_msg=name)
    found, expected = fit.fit_measures(), single.fit_measures()
    for name in found.index.intersection(expected.index):
        assert found[name] == pytest.approx(expected[name], rel=1e-6, abs=1e-9, nan_ok=True), name
    assert found["riv"] == pytest.approx(0.0, abs=1e-12)
    assert found["df2"] > 1e12


def test_definitions_are_pooled_by_their_own_errors() -> None:
    text = "x1 ~ a*x2\nx9 ~ b*x1\nab := a*b"
    fit = sem_mi(text, SETS)
    own = [each.parameter_estimates().query("op == ':='") for each in fit.fits]
    found = fit.parameter_estimates().query("op == ':='")
    pooled = rubin(np.array([o["est"] for o in own]), np.array([o["se"] for o in own]) ** 2)
    assert found["est"].item() == pytest.approx(pooled.estimate[0])
    assert found["se"].item() == pytest.approx(math.sqrt(pooled.variance[0]))


def test_a_saturated_model_fits_perfectly_and_has_no_test() -> None:
    found = fitted("path").fit_measures()
    assert (found["chisq"], found["df"], found["cfi"], found["rmsea"]) == (0.0, 0.0, 1.0, 0.0)
    assert math.isnan(found["pvalue"])


def test_fixed_parameters_have_no_test_and_groups_are_numbered() -> None:
    frame = fitted("groups").parameter_estimates(ci=False)
    assert list(frame.columns) == ["lhs", "op", "rhs", "group", "label", "est", "se", "t", "df", "pvalue", "fmi", "riv"]
    marker = frame.query("op == '=~' and rhs == 'x1' and group == 2").iloc[0]
    assert (marker["est"], marker["se"]) == (1.0, 0.0)
    assert marker[["t", "df", "pvalue", "fmi", "riv"]].isna().all()
    assert set(frame["group"]) == {1, 2}


# ---- too much missing -----------------------------------------------------------------------------------------------------------------


def sparse(pooled_test: str) -> ImputedFit:
    return quietly(sem_mi, EXPECTED["sparse"]["model"], SPARSE, function="cfa", pooled_test=pooled_test)


def test_a_baseline_that_fits_better_than_the_model_is_explained_not_used() -> None:
    """semTools makes CFI 0, TLI -2 and NFI negative of it."""
    reference = EXPECTED["sparse"]["D2"]
    assert (reference["cfi"], reference["nfi"] < 0.0, reference["tli"] < -2.0) == (0, True, True)
    fit = sparse("D2")
    found = fit.fit_measures()
    assert found["chisq"] == pytest.approx(reference["chisq"], rel=1e-4)
    assert found["baseline_chisq"] == pytest.approx(reference["baseline.chisq"], rel=1e-4)
    assert found[["cfi", "tli", "nfi", "rfi", "ifi", "rni", "pnfi"]].isna().all()
    (note,) = fit.notes
    assert "47.313 with 15 degrees of freedom, the model 59.825 with 8" in note
    assert "Use pooled_test='D4'." in note


def test_d4_has_one_increase_for_model_and_baseline() -> None:
    model, baseline = fitted("cfa").tests or (None, None)
    assert model is not None
    assert baseline is not None
    assert model.riv == baseline.riv
    fit = fitted("cfa")
    assert fit.stacked is not None
    assert baseline.chisq == pytest.approx(fit.stacked.baseline.statistic / (1.0 + model.riv))


def test_d4_stays_sensible_where_d2_breaks_down() -> None:
    fit = sparse("D4")
    found = fit.fit_measures()
    assert fit.notes == ()
    assert found["baseline_chisq"] > found["chisq"] > 0.0
    assert 0.0 < found["nfi"] < 1.0
    assert 0.0 <= found["cfi"] <= 1.0


def test_a_negative_statistic_is_explained_not_used() -> None:
    fit = fitted("cfa", "D2")
    apart = tuple(
        replace(each, estimate=replace(each.estimate, discrepancy=value)) for each, value in zip(fit.fits[:3], (0.001, 0.4, 1.5), strict=True)
    )
    strange = ImputedFit(apart, fit.fitter, "D2")
    found = strange.fit_measures()
    assert found[["chisq", "f", "pvalue", "cfi", "rmsea"]].isna().all()
    assert found["srmr"] > 0.0
    assert "no chi-square above 0" in strange.notes[0]


# ---- failures -------------------------------------------------------------------------------------------------------------------------


def failed(fit: ts.Fit) -> ts.Fit:
    return replace(fit, estimate=replace(fit.estimate, converged=False, reason="It wandered off."))


def test_fits_that_did_not_converge_are_left_out_and_counted() -> None:
    good = fitted("cfa")
    fits = good.fits
    some = ImputedFit((fits[0], failed(fits[1]), *fits[2:]), good.fitter, "D4")
    assert (some.m, len(some.usable), some.converged) == (10, 9, False)
    assert some.failures == ("Imputation 2: It wandered off.",)
    assert some.notes == ("9 of 10 data sets are pooled. Imputation 2: It wandered off.",)
    rest = ImputedFit(fits[:1] + fits[2:], good.fitter, "D4")
    pd.testing.assert_frame_equal(some.parameter_estimates(), rest.parameter_estimates())
    pd.testing.assert_series_equal(some.fit_measures(), rest.fit_measures())
    assert [warning.detail for warning in some.warnings if warning.code == "TS-FIT-01"] == ["In 1 of 10 imputed data sets: It wandered off."]
    text = str(some.summary())
    assert "Pooled over 9 of 10" in text
    assert "wandered off" in text


def test_nothing_is_pooled_from_one_fit() -> None:
    good = fitted("cfa")
    none = ImputedFit((good.fits[0], failed(good.fits[1])), good.fitter, "D4")
    frame = none.parameter_estimates(standardized=True)
    assert frame[["est", "t", "pvalue", "ci_lower", "std_all"]].isna().all().all()
    assert list(none.fit_measures().index) == ["npar"]
    assert none.notes[0].startswith("Nothing is pooled: that needs at least two.")
    assert "Nothing is pooled" in str(none.summary())


def test_parameters_that_are_not_identified_are_a_failure() -> None:
    fit = quietly(sem_mi, "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6\nf ~ a*g\ng ~ b*f", SETS[:2])
    assert len(fit.failures) == 2
    assert "Not identified" in fit.failures[0]


def test_a_stacked_fit_that_fails_is_explained() -> None:
    fit = fitted("cfa")
    assert fit.stacked is not None
    fit.__dict__["stacked"] = failed(fit.stacked)  # as the cache would hold it
    assert fit.fit_measures(["chisq", "cfi"]).isna().all()
    assert fit.notes == ("D4 could not be computed: the fit to the stacked data sets failed. It wandered off.",)


# ---- imputing here --------------------------------------------------------------------------------------------------------------------


def incomplete() -> pd.DataFrame:
    data = SETS[0].copy()
    rng = np.random.default_rng(1)
    for name in ("x1", "x5", "x9"):
        data.loc[rng.random(len(data)) < 0.15, name] = np.nan
    return data


def test_imputing_and_fitting_in_one_call_is_the_same_as_in_two() -> None:
    data = incomplete()
    from trustsem.data.imputation import impute

    names = [f"x{k}" for k in range(1, 10)]
    one = quietly(sem_mi, CFA, data, m=3, seed=5)
    two = quietly(sem_mi, CFA, impute(data, 3, variables=names, seed=5))
    pd.testing.assert_frame_equal(one.parameter_estimates(), two.parameter_estimates())
    helped = quietly(sem_mi, "visual =~ x1 + x2 + x3", data, m=3, seed=5, auxiliary=names[3:])
    alone = quietly(sem_mi, "visual =~ x1 + x2 + x3", data, m=3, seed=5)
    assert helped.nobs == alone.nobs == len(data)
    assert not helped.parameter_estimates().equals(alone.parameter_estimates())


def test_groups_are_imputed_apart_and_may_be_chosen() -> None:
    fit = quietly(sem_mi, CFA, incomplete(), m=2, seed=1, group="school", group_equal="loadings", function="cfa")
    assert fit.fits[0].sample.group_labels == ("Pasteur", "Grant-White")
    chosen = quietly(sem_mi, CFA, SETS, group="school", group_label=["Grant-White"])
    assert chosen.nobs == int((SETS[0]["school"] == "Grant-White").sum())


def test_progress_counts_imputations_and_fits(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[int, int]] = []
    quietly(sem_mi, CFA, incomplete(), m=2, seed=1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    quietly(sem_mi, CFA, SETS[:2], progress=True)
    assert capsys.readouterr().err == "\rFitting: 1 of 2\rFitting: 2 of 2\n"


def test_warnings_are_issued_once_with_a_count() -> None:
    with pytest.warns(ts.TrustsemWarning) as caught:
        fit = sem_mi(CFA, SETS, group="school")
    assert [warning.message.code for warning in caught] == ["TS-FIT-02"]
    assert fit.warnings[0].detail.startswith("In 1 of 10 imputed data sets: Inadmissible: the variance of x9 is negative")


# ---- telling --------------------------------------------------------------------------------------------------------------------------


def test_the_summary_says_what_was_pooled_and_how() -> None:
    fit = fitted("cfa")
    text = str(fit.summary(standardized=True))
    for part in ("Pooled over 10 of 10 imputed data sets (ML, 301 observations)", "pooled by D4", "76.370", "0.364", "std_all", " fmi "):
        assert part in text
    assert "** WARNING TS-FIT-02 ** In 1 of 10 imputed data sets" in str(fitted("groups").summary())
    assert "Model Test" not in str(fit.summary(fit_measures=False))
    assert "<pre" in fit.summary()._repr_html_()
    assert repr(fit) == "<ImputedFit: 10 imputations, 10 pooled, 301 observations, tests by D4>"


def test_without_tests_there_are_none() -> None:
    fit = fitted("cfa", test="none")
    assert list(fit.fit_measures().index) == ["npar"]
    assert "Model Test" not in str(fit.summary())
    assert fitted("cfa", se="none").parameter_estimates()["t"].isna().all()


def test_measures_are_taken_by_name() -> None:
    fit = fitted("cfa")
    assert list(fit.fit_measures("cfi").index) == ["cfi"]
    assert list(fit.fit_measures(["rmsea.ci.lower", "df2"]).index) == ["rmsea_ci_lower", "df2"]
    with pytest.raises(ts.OptionError, match=r"no pooled fit measure 'cfii'\. Did you mean 'cfi'"):
        fit.fit_measures("cfii")
    with pytest.raises(ts.OptionError, match="level=95 is not a confidence level"):
        fit.parameter_estimates(level=95)


# ---- mistakes -------------------------------------------------------------------------------------------------------------------------

MISTAKES = {
    "unknown test": (lambda: sem_mi(CFA, SETS, pooled_test="D5"), ts.OptionError, "Allowed are 'd4', 'd3', 'd2'"),
    "least squares": (lambda: sem_mi(CFA, SETS, estimator="GLS"), ts.OptionError, "estimator='ML' with likelihood='normal'. Use pooled_test='D2'"),
    "Wishart": (lambda: sem_mi(CFA, SETS, likelihood="wishart", pooled_test="D3"), ts.OptionError, "pooled_test='D3' pools normal likelihoods"),
    "missing": (lambda: sem_mi(CFA, SETS, missing="fiml"), ts.OptionError, "missing='fiml' has no use here"),
    "moments": (lambda: sem_mi(CFA, SETS, sample_nobs=100), ts.NotAvailableError, "sample_nobs= is not available with imputed data"),
    "ordered": (lambda: sem_mi(CFA, SETS, ordered=["x1"]), ts.NotAvailableError, "ordered= is not available with imputed data"),
    "scaled test": (lambda: sem_mi(CFA, SETS, estimator="MLM"), ts.NotAvailableError, "test='satorra_bentler' cannot be pooled over imputations"),
    "one data set": (lambda: sem_mi(CFA, SETS[:1]), ts.OptionError, "Give at least two, or a data frame to be imputed"),
    "no seed": (lambda: sem_mi(CFA, incomplete()), ts.OptionError, "seed=None cannot seed a generator"),
    "still missing": (lambda: sem_mi(CFA, [SETS[0], incomplete()]), ts.DataError, "Imputed data set 2 still has missing values"),
    "other rows": (lambda: sem_mi(CFA, [SETS[0], SETS[1].iloc[:200]]), ts.DataError, "differ in their numbers of rows: 200, 301"),
    "unknown option": (lambda: sem_mi(CFA, SETS, estimater="ML"), ts.OptionError, "Did you mean 'estimator'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_refused(name: str) -> None:
    call, error, message = MISTAKES[name]
    with pytest.raises(error) as caught:
        quietly(call)
    assert message in str(caught.value)


def test_robust_standard_errors_are_pooled() -> None:
    fit = quietly(sem_mi, CFA, SETS, se="robust_huber_white")
    own = [each.parameter_estimates() for each in fit.fits]
    pooled = rubin(np.array([o["est"] for o in own]), np.array([o["se"] for o in own]) ** 2)
    np.testing.assert_allclose(fit.parameter_estimates()["se"], np.sqrt(pooled.variance), rtol=1e-12)
    assert not np.allclose(fit.parameter_estimates()["se"], fitted("cfa").parameter_estimates()["se"], rtol=1e-3)


def test_least_squares_is_pooled_by_d2() -> None:
    fit = quietly(sem_mi, CFA, SETS, estimator="GLS", pooled_test="d2")
    assert fit.pooled_test == "D2"
    assert fit.fit_measures()["chisq"] > 0.0
    assert fit.stacked is None
    unweighted = quietly(sem_mi, CFA, SETS, estimator="ULS", pooled_test="D2").fit_measures()
    assert unweighted["chisq"] > 0.0
    assert math.isnan(unweighted["pvalue"])
