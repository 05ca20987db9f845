"""Vanishing tetrads: which there are, which follow from others, and their test."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import trustsem as ts
from helpers import complex_step, holzinger, quietly
from trustsem.appraisal.forbidden.tetrads import tetrads
from trustsem.appraisal.identification.observed_moments import observed_moments
from trustsem.appraisal.structure import fit_saturated
from trustsem.inference.saturated import normal_gamma
from trustsem.inference.tetrads import independent_rows, tetrad_jacobian, tetrad_test, tetrad_values, tetrads_among

THEORY = ts.load_theory("metz2022")
SURVEY = ts.load_dataset("survey")
COMPLETE = SURVEY.dropna().drop(columns="team")
HS = holzinger()
THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"


def appraised(theory: Any = THEORY, data: Any = SURVEY, **options: Any) -> Any:
    return quietly(ts.appraise, theory, data, **options)


def by_name(result: Any) -> pd.DataFrame:
    return result.frame.set_index("of")


# ---- formulas -------------------------------------------------------------------------------------------------------------------------------


def test_four_variables_have_three_tetrads_of_which_two_are_independent() -> None:
    found = tetrads_among(np.arange(4))
    rng = np.random.default_rng(1)
    root = rng.standard_normal((4, 4))
    values = tetrad_values(root @ root.T, found)
    assert len(found) == 3
    assert values[0] - values[1] + values[2] == pytest.approx(0.0, abs=1e-12)
    assert len(independent_rows(tetrad_jacobian(root @ root.T, found))) == 2


def test_derivatives() -> None:
    rng = np.random.default_rng(2)
    root = rng.standard_normal((6, 6))
    cov = root @ root.T
    i, j = np.tril_indices(6)
    chosen = tetrads_among(np.arange(6))

    def value(point: Any) -> Any:
        full = np.zeros((6, 6), dtype=point.dtype)
        full[i, j] = full[j, i] = point
        return tetrad_values(full, chosen)

    assert np.allclose(tetrad_jacobian(cov, chosen), complex_step(value, cov[i, j]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_independent_rows_are_as_many_as_the_rank(rank: int) -> None:
    rng = np.random.default_rng(rank)
    matrix = rng.standard_normal((20, rank)) @ rng.standard_normal((rank, 9))
    matrix[2] = 0.0
    matrix[1] = -3.0 * matrix[0]
    chosen = independent_rows(matrix)
    assert len(chosen) == rank == np.linalg.matrix_rank(matrix[chosen])
    assert not {1, 2} & set(chosen.tolist())


def test_the_variance_of_a_tetrad_is_wisharts() -> None:
    """Wishart (1928), for large n: a tetrad of normal data is a minor of the covariance matrix; where it vanishes, its variance is a difference of
    products of determinants."""
    rng = np.random.default_rng(4)
    root = rng.standard_normal((4, 4))
    S = root @ root.T
    found = tetrad_test(S, normal_gamma(S)[4:, 4:] / 500, np.array([[0, 1, 2, 3]]), 500)

    def minor(*rows: int) -> float:
        return float(np.linalg.det(S[np.ix_(rows, rows)]))

    # s12 s34 - s13 s24 is the minor of rows 1 and 4 and columns 2 and 3.
    assert found.se[0] ** 2 == pytest.approx((minor(0, 3) * minor(1, 2) - np.linalg.det(S) + 3.0 * found.values[0] ** 2) / 500, rel=1e-10)


# ---- which tetrads ----------------------------------------------------------------------------------------------------------------------------


def test_numbers_of_tetrads_are_degrees_of_freedom() -> None:
    """One factor with k items: k (k - 3) / 2; two factors, all of their tetrads: the degrees of freedom of their model."""
    frame = by_name(tetrads(appraised(data=COMPLETE)))
    assert frame.loc["Trust", "df"] == 5
    assert frame.loc["Technical", "df"] == 2
    assert frame.loc["Relational, Technical", "df"] == 26 - 5 - 2
    assert frame.loc["Capability, Outcomes", "df"] == 8
    assert len(frame) == 9 + 36
    assert frame.loc["Capability", "reason"] == "fewer than four items"
    assert frame.loc["Capability", "verdict"] == "not testable"


def test_errors_that_covary_take_tetrads_away() -> None:
    text = THREE + "\nx1 ~~ x4"
    frame = by_name(tetrads(quietly(ts.cfa, text, HS)))
    assert frame.loc["visual, textual", "df"] == 7
    assert frame.loc["visual, speed", "df"] == 8
    each = tetrads(quietly(ts.cfa, text, HS)).each
    assert not each.loc[each["of"] == "visual, textual", "tetrad"].str.contains("x1~~x4", regex=False).any()


def test_an_item_of_two_factors_and_equal_loadings() -> None:
    frame = by_name(tetrads(quietly(ts.cfa, THREE.replace("x9", "x9 + x4").replace("x2", "a*x2").replace("x3", "a*x3"), HS)))
    assert frame.loc["speed", "items"] == 4
    assert frame.loc["textual, speed", "df"] > 0


def test_single_columns_are_tested_with_constructs_of_three_items() -> None:
    theory = THEORY.with_indicators({"Trust": ["t1", "t2", "t3"], "Motivation": ["m1"], "Outcomes": ["acc", "app", "fea"]})
    frame = by_name(tetrads(appraised(theory, COMPLETE)))
    assert frame.loc["Motivation", "reason"] == "fewer than four items"
    assert frame.loc["Trust, Motivation", "df"] == 2
    assert frame.loc["Trust, Outcomes", "df"] == 8


# ---- the test ---------------------------------------------------------------------------------------------------------------------------------


def test_near_the_model_the_statistic_is_the_chi_square() -> None:
    """Tetrads and the discrepancy are two measures of the same misfit; in large samples of a nearly true model they agree."""
    rng = np.random.default_rng(6)
    load = np.array([0.7, 0.8, 0.6, 0.75, 0.65])
    cov = np.outer(load, load) + np.diag(1.0 - load**2)
    cov[0, 1] = cov[1, 0] = cov[0, 1] + 0.01
    data = pd.DataFrame(rng.multivariate_normal(np.zeros(5), cov, 60_000), columns=list("abcde"))
    fit = quietly(ts.cfa, "f =~ a + b + c + d + e", data)
    assert by_name(tetrads(fit)).loc["f", "statistic"] == pytest.approx(fit.chisq.statistic, rel=0.02)


def test_p_values() -> None:
    row = by_name(tetrads(quietly(ts.cfa, THREE, HS))).loc["visual, textual"]
    n, df = len(HS), row["df"]
    assert row["p_chisq"] == pytest.approx(stats.chi2.sf(row["statistic"], df), rel=1e-10)
    assert row["p"] == pytest.approx(stats.f.sf(row["statistic"] * (n - df) / ((n - 1) * df), df, n - df), rel=1e-10)


def test_covariance_of_covariances_without_normality_is_the_fourth_order_one() -> None:
    fit = fit_saturated(quietly(ts.cfa, THREE, HS, estimator="MLM"))
    rows = HS[list(fit.model.blocks[0].observed)].to_numpy()
    z = rows - rows.mean(axis=0)
    i, j = np.tril_indices(9)
    products = z[:, i] * z[:, j]
    gamma = np.cov(products, rowvar=False, bias=True)
    assert np.allclose(observed_moments(fit).vcov * len(HS), gamma, rtol=1e-7, atol=1e-9)


def test_missing_values_and_teams_are_allowed_for() -> None:
    robust, plain = tetrads(appraised(cluster="team")), tetrads(appraised(cluster="team"), robust=False)
    assert robust.robust
    assert not plain.robust
    assert "40 independent rows or clusters" in " ".join(robust.notes)
    assert (by_name(robust)["statistic"] != by_name(plain)["statistic"]).any()
    staged = tetrads(appraised(missing="robust_two_stage"))
    assert staged.frame["statistic"].notna().sum() == 39


def test_more_tetrads_than_teams() -> None:
    few = SURVEY[SURVEY["team"] <= SURVEY["team"].unique()[11]]
    frame = by_name(tetrads(quietly(ts.cfa, "Relational =~ vul+aut+bid+col+emp\nTrust =~ t1+t2+t3+t4+t5", few, cluster="team", missing="fiml")))
    assert frame.loc["Relational, Trust", "verdict"] == "not testable"
    assert "more tetrads than rows or clusters" in frame.loc["Relational, Trust", "reason"]


def test_a_misplaced_item_is_found() -> None:
    """Two items of one construct and two of another have one tetrad that vanishes, not all three; three and one could not be told from four."""
    text = "f =~ x1 + x2 + x4 + x5\ng =~ x7 + x8 + x9"
    result = tetrads(quietly(ts.cfa, text, HS))
    assert by_name(result).loc["f", "verdict"] == "violated"
    assert "violated" in str(result)


def test_summary_statistics() -> None:
    own = quietly(ts.cfa, THREE, HS)
    moments = quietly(ts.cfa, THREE, sample_cov=HS[[f"x{k}" for k in range(1, 10)]].cov(), sample_nobs=len(HS))
    assert np.allclose(tetrads(own).frame["statistic"], tetrads(moments).frame["statistic"], rtol=1e-9, equal_nan=True)
    with pytest.raises(ts.DataError, match="need the rows"):
        tetrads(moments, robust=True)


def test_each_tetrad_has_its_value() -> None:
    each = tetrads(quietly(ts.cfa, "f =~ x1 + x2 + x3 + x4", HS)).each
    assert len(each) == 2
    correlation = HS[["x1", "x2", "x3", "x4"]].corr().to_numpy()
    assert each["tetrad"].iloc[0] == "x1~~x2 x3~~x4 - x1~~x3 x2~~x4"
    assert each["value"].iloc[0] == pytest.approx(correlation[0, 1] * correlation[2, 3] - correlation[0, 2] * correlation[1, 3])
    assert np.allclose(each["value"] / each["se"], each["z"])


def test_what_is_no_fit_and_what_is_not_one_group() -> None:
    with pytest.raises(ts.OptionError, match="needs an appraisal or a fit"):
        tetrads("f =~ a + b")  # type: ignore[arg-type]
    grouped = quietly(ts.cfa, THREE, HS, group="school")
    with pytest.raises(ts.NotAvailableError, match="one group at one level"):
        tetrads(grouped)
    with pytest.raises(ts.NotAvailableError, match="second order"):
        tetrads(quietly(ts.cfa, THREE + "\ng =~ visual + textual + speed", HS))
    with pytest.raises(ts.OptionError, match="alpha=2"):
        tetrads(quietly(ts.cfa, THREE, HS), alpha=2)


def test_no_verdict_has_its_reason_first() -> None:
    result = tetrads(appraised(data=COMPLETE.assign(half=np.arange(len(COMPLETE)) % 2), group="half"))
    assert "several groups" in result.notes[0]
    assert result.frame.empty
    assert json.loads(json.dumps(result.to_dict()))["rows"] == []
    assert "no verdicts" in str(result)


def test_every_pair_that_implies_a_tetrad_is_there() -> None:
    names = set(tetrads(appraised(data=COMPLETE)).frame["of"])
    assert {f"{one}, {other}" for one, other in combinations([node.name for node in THEORY.nodes], 2)} <= names
