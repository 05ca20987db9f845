"""What the data decide about estimator and missing values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.stats.stattools as stattools

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.estimation import choose_estimation

COLUMNS = ["a", "b", "c"]


def frame(n: int = 300, seed: int = 1) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).standard_normal((n, 3)), columns=COLUMNS)


def test_normal_complete_rows_are_fitted_by_ml() -> None:
    choice = choose_estimation(frame(), COLUMNS, {})
    assert dict(choice.options) == {"estimator": "ML"}
    assert len(choice.reasons) == 1


def test_holes_bring_fiml_and_robust_errors() -> None:
    data = frame()
    data.loc[3, "b"] = np.nan
    choice = choose_estimation(data, COLUMNS, {})
    assert dict(choice.options) == {"estimator": "MLR", "missing": "fiml_x"}


def test_what_is_given_is_kept_and_its_cost_is_said() -> None:
    data = frame()
    data.loc[:90, "b"] = np.nan
    choice = choose_estimation(data, COLUMNS, {"estimator": "GLS"})
    assert choice.options["estimator"] == "GLS"
    assert "missing" not in choice.options
    assert any("loses 30% of the rows" in reason for reason in choice.reasons)
    kept = choose_estimation(data, COLUMNS, {"missing": "listwise"})
    assert kept.options["missing"] == "listwise"


def test_answers_in_categories_are_said_to_be_such() -> None:
    data = frame().round().clip(-1, 1)
    choice = choose_estimation(data, COLUMNS, {})
    assert choice.options["estimator"] == "MLR"
    text = " ".join(choice.reasons)
    assert "3 items have answers in fewer than five categories" in text
    assert "WLSMV" in text


def test_counts_are_no_categories() -> None:
    data = frame()
    data["a"] = np.random.default_rng(2).poisson(40.0, len(data)).astype(float)
    assert choose_estimation(data, COLUMNS, {}).options["estimator"] == "ML"


def test_heavy_tails_bring_robust_errors() -> None:
    data = pd.DataFrame(np.random.default_rng(3).standard_t(4, (500, 3)), columns=COLUMNS)
    choice = choose_estimation(data, COLUMNS, {})
    assert choice.options["estimator"] == "MLR"
    assert "far from normal" in choice.reasons[0]


def test_mardias_kurtosis_of_one_variable_is_the_usual_kurtosis() -> None:
    x = np.random.default_rng(4).standard_t(5, (400, 1))
    from trustsem.appraisal.estimation import _kurtosis

    raw = stattools.robust_kurtosis(x[:, 0], excess=False)[0]
    expected = (raw - 3.0 * 399 / 401) / np.sqrt(24.0 / 400)
    assert _kurtosis(x) == pytest.approx(expected, rel=1e-9)


def test_a_column_of_teams_is_not_used_silently_nor_overlooked() -> None:
    data = frame().assign(team=np.repeat(range(30), 10))
    assert any("give cluster='team'" in reason for reason in choose_estimation(data, COLUMNS, {}).reasons)
    used = choose_estimation(data, COLUMNS, {"cluster": "team"})
    assert used.options["estimator"] == "MLR"
    assert not any("errors are too small otherwise" in reason for reason in used.reasons)
    assert not any("column 'team'" in reason for reason in choose_estimation(frame().assign(team=range(300)), COLUMNS, {}).reasons)


def test_moments_and_samples_are_left_alone() -> None:
    assert choose_estimation(None, COLUMNS, {"sample_nobs": 10}).options == {"sample_nobs": 10}


def test_the_appraisal_of_the_survey_says_what_was_decided() -> None:
    appraisal = quietly(ts.appraise, "metz2022", ts.load_dataset("survey"), cluster="team")
    fit = appraisal.fit
    assert (fit.options.estimator, fit.options.missing, fit.options.se) == ("MLR", "fiml_x", "robust_cluster")
    assert fit.nobs == 480
    said = " ".join(str(appraisal).split())
    assert "rows come in clusters (team)" in said
    assert "WLSMV" in said
