"""Models of two levels: every reported number equals that of R's lavaan 0.6-14, over the two-level cases of ``lavaan/cases_teams.json``.

lavaan's saturated model (EM that stops early) is compared in its exact form, ``h1_exact``: its own two-level fit of the saturated model, polished.
"""

from __future__ import annotations

import functools
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trustsem as ts

HERE = Path(__file__).parent
REL = 1e-5  # relative difference of estimates and standard errors
IN_SE = 1e-4  # and, near zero, in standard errors
CHI = 1e-5  # relative difference of what follows from the chi-squares
EM = 2e-3  # what lavaan's loose saturated model leaves comparable: absolute, of measures and correlations

CASES = {
    case["name"]: case
    for case in json.loads((HERE / "lavaan" / "cases_teams.json").read_text(encoding="utf-8"))
    if case["name"].startswith(("two_level", "random_intercept", "empty", "contextual"))
}
# The level-1 mean of lavaan's clusterwise scores leaves out its derivative where covariates of level 1 have means: see the ledger.
SCORES_WITHOUT_MEANS = ("two_level_mimic__mlr_raw_x",)
# lavaan takes the moments of fixed covariates of incomplete data from its loose EM; here they are those of the covariates.
LOOSE_COVARIATES = ("two_level_missing_mimic",)
# Factor scores of level 2 in models with variables of level 2 only: lavaan's are not the conditional means (see test_two_level.py for those).
NOT_CONDITIONAL_MEANS = (
    "two_level_mimic",
    "two_level_mimic__raw_x",
    "two_level_mimic__randx",
    "two_level_mimic__mlr",
    "two_level_mimic__mlr_raw_x",
    "two_level_between_only_outcome",
    "two_level_missing_listwise",
    "two_level_groups_mimic",
)
COVARIATES_CHANGED = ("two_level_within_only_outcome", "two_level_between_only_outcome")  # candidates that change moments of fixed covariates


@functools.cache
def fitted(name):
    case = CASES[name]
    options = dict(case["options"])
    function = options.pop("function", "sem")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(ts, function)(case["model"], pd.read_csv(HERE / "data" / case["data"]), **options)


@functools.cache
def expected(name):
    return json.loads((HERE / "lavaan" / "expected_teams" / f"{name}.json").read_text(encoding="utf-8"))


def blocks_of(value):
    return list(value.values()) if isinstance(value, dict) else [value]


def matrix(entry):
    size = len(entry["names"])
    full = np.zeros((size, size))
    full[np.tril_indices(size)] = entry["lower"]
    return full + np.tril(full, -1).T


def correlations(cov):
    sd = np.sqrt(np.diag(cov))
    return cov / np.outer(sd, sd)


@pytest.mark.parametrize("name", CASES)
def test_rows_and_estimates(name):
    fit, wanted = fitted(name), expected(name)["estimates"]
    table = fit.parameter_estimates()
    assert fit.converged
    rows = list(zip(table["lhs"], table["op"], table["rhs"], table["level"], strict=True))
    assert rows == list(zip(*(wanted[key][: len(rows)] for key in ("lhs", "op", "rhs", "level")), strict=True))
    if "group" in table:
        assert table["group"].tolist() == wanted["group"][: len(rows)]
    est, se = (np.array(wanted[key][: len(rows)], dtype=float) for key in ("est", "se"))
    loose = 200.0 if name in LOOSE_COVARIATES else 1.0
    np.testing.assert_array_less(np.abs(table["est"] - est), loose * (REL * np.abs(est) + IN_SE * np.maximum(se, 1e-3)))
    tolerance = 3e-3 if name in SCORES_WITHOUT_MEANS else REL
    np.testing.assert_allclose(table["se"], se, rtol=tolerance, atol=1e-7)
    assert list(fit.coef().index) == expected(name)["coef"]["names"]


@pytest.mark.parametrize("name", CASES)
def test_likelihood_and_tests(name):
    fit, wanted = fitted(name), expected(name)
    found, exact, measures = fit.fit_measures(), wanted["h1_exact"], wanted["fit_measures"]
    loose = 1e-8 if name in LOOSE_COVARIATES else 1e-9
    assert found["logl"] == pytest.approx(measures["logl"], rel=loose)
    assert found["unrestricted_logl"] == pytest.approx(exact["logl"], rel=loose)
    assert found["chisq"] == pytest.approx(exact["chisq"], rel=CHI, abs=1e-6)
    assert found["baseline_chisq"] == pytest.approx(exact["baseline_chisq"], rel=CHI, abs=1e-5)
    for key in ("npar", "df", "baseline_df", "ntotal"):
        assert found[key] == measures[key]
    for key in ("aic", "bic", "bic2"):
        assert found[key] == pytest.approx(measures[key], rel=loose)
    if "chisq_scaled" in found and name not in SCORES_WITHOUT_MEANS:
        saturated, model = fit.level_traces[0], measures.get("scaling_factor_h0", math.nan) * sum(fit.model.theta_of_row >= 0)
        assert saturated == pytest.approx(exact["trace"], rel=1e-6)
        if fit.df:
            assert found["chisq_scaling_factor"] == pytest.approx((exact["trace"] - model) / fit.df, rel=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_fit_measures_have_lavaan_s_names_and_nearly_its_values(name):
    found, wanted = fitted(name).fit_measures(), expected(name)["fit_measures"]
    assert {key for key, value in wanted.items() if value is not None} <= set(found.index)
    if math.isnan(found["pvalue"]):
        return  # saturated: everything is 0 or 1 up to lavaan's EM
    for key in found.index.intersection(list(wanted)):
        # lavaan's fmin is minus the log-likelihood over N; here it is half the distance from the saturated model.
        if key != "fmin" and wanted[key] is not None:
            assert found[key] == pytest.approx(wanted[key], rel=EM, abs=EM), key


@pytest.mark.parametrize("name", CASES)
def test_moments_of_both_levels(name):
    fit, wanted = fitted(name), expected(name)
    loose = 5e-4 if name in LOOSE_COVARIATES else 1e-6
    for found, entry in zip(blocks_of(fit.implied()), wanted["implied"], strict=True):
        sd = np.sqrt(np.diag(matrix(entry["cov"])))
        np.testing.assert_allclose(found["cov"] / np.outer(sd, sd), matrix(entry["cov"]) / np.outer(sd, sd), atol=loose)
    for block, entry in zip(fit.problem.blocks, wanted["h1_exact"]["moments"], strict=True):
        sd = np.sqrt(np.diag(matrix(entry["cov"])))
        np.testing.assert_allclose(block.cov / np.outer(sd, sd), matrix(entry["cov"]) / np.outer(sd, sd), atol=1e-6)
    for found, exact, implied in zip(blocks_of(fit.residuals("cor")), wanted["h1_exact"]["moments"], wanted["implied"], strict=True):
        gap = correlations(matrix(exact["cov"])) - correlations(matrix(implied["cov"]))
        np.testing.assert_allclose(found["cov"], gap, atol=loose)


@pytest.mark.parametrize("kind", ["std_all", "std_lv"])
@pytest.mark.parametrize("name", CASES)
def test_standardized_solution(name, kind):
    fit, wanted = fitted(name), expected(name)[kind]
    found = fit.standardized_solution(kind)
    value, error = (np.array(wanted[key][: len(found)], dtype=float) for key in ("est_std", "se"))
    loose = 100.0 if name in LOOSE_COVARIATES else 1.0
    np.testing.assert_allclose(found["est_std"], value, rtol=loose * 1e-5, atol=loose * 1e-5)
    np.testing.assert_allclose(found["se"], error, rtol=3e-3 if name in SCORES_WITHOUT_MEANS else 1e-4, atol=1.3e-4)


@pytest.mark.parametrize("name", CASES)
def test_explained_variance_and_intraclass_correlations(name):
    fit, wanted = fitted(name), expected(name)
    for found, entry in zip(blocks_of(fit.rsquare()), wanted["rsquare"], strict=True):
        assert set(found.index) == set(entry)
        for variable, value in dict(entry).items():
            assert found[variable] == pytest.approx(value, abs=1e-4 if name in LOOSE_COVARIATES else 1e-6)
    found = ts.icc(fit)
    correlations = [groups[variable] for groups, block in zip(wanted["icc"], fit.model.blocks[::2], strict=True) for variable in block.observed]
    np.testing.assert_allclose(found["icc"], correlations, atol=EM)


def scored():
    """Yield the cases and levels whose factor scores can be compared."""
    for name in CASES:
        for level in (1, 2):
            rows = (expected(name).get(f"predict_level{level}") or [{"rows": [[None]]}])[0]["rows"]
            if rows[0][0] is not None and name not in LOOSE_COVARIATES and not (level == 2 and name in NOT_CONDITIONAL_MEANS):
                yield name, level


@pytest.mark.parametrize(("name", "level"), list(scored()))
def test_factor_scores(name, level):
    wanted = expected(name)[f"predict_level{level}"]
    for found, entry in zip(blocks_of(fitted(name).predict(level=level)), wanted, strict=True):
        rows = np.array(entry["rows"], dtype=float)
        np.testing.assert_allclose(found[entry["names"]].to_numpy()[: len(rows)], rows, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name]["options"].get("missing") is None and "group" not in CASES[name]["options"]])
def test_modification_indices(name):
    # With groups lavaan divides them by the squared number of groups; with missing values it uses the information of complete data: see the ledger.
    found, wanted = fitted(name).modindices(), expected(name)["modindices"]
    keys = ("lhs", "op", "rhs", "level")
    if not wanted or not wanted["lhs"] or "level" not in wanted:
        assert len(found) == 0 or found["mi"].max() < 1e-6
        return
    index = {tuple(row): (mi, epc) for *row, mi, epc in zip(*(wanted[key] for key in (*keys, "mi", "epc")), strict=True)}
    index |= {(rhs, op, lhs, level): pair for (lhs, op, rhs, level), pair in list(index.items()) if op == "~~"}
    fixed = {name for block in fitted(name).model.blocks for name in block.fixed}
    for row in found.itertuples():
        if row.op == "~" and row.lhs in fixed and name in COVARIATES_CHANGED:
            continue
        mi, epc = index[row.lhs, row.op, row.rhs, row.level]
        assert row.mi == pytest.approx(mi, rel=1e-4, abs=1e-5)
        assert row.epc == pytest.approx(epc, rel=1e-4, abs=1e-5)
