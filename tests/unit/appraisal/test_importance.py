"""What each strategy contributes to trust."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.mechanism.contributions import contributions
from trustsem.appraisal.mechanism.importance import StrategyProfile, strategy_profile
from trustsem.appraisal.structure import structural_moments
from trustsem.errors import NotAvailableError, OptionError, TheoryError
from trustsem.inference.importance import importance, lmg_values, relative_weight_values, subset_rsquares

NINE = ["vul", "aut", "bid", "col", "emp", "fre", "res", "exp_", "qui"]


@cache
def survey() -> StrategyProfile:
    return quietly(strategy_profile, ts.load_theory("metz2022").with_strategies("predictors"), ts.load_dataset("survey"), cluster="team")


def random_cov(p: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    root = np.eye(p + 1) + 0.4 * rng.standard_normal((p + 1, p + 1))
    scale = np.exp(rng.uniform(-1, 1, p + 1))
    return (root @ root.T) * np.outer(scale, scale)


@pytest.mark.parametrize("p", [1, 2, 5])
def test_derivatives_are_those_of_differences(p: int) -> None:
    cov = random_cov(p)
    found = importance(cov)
    for k, (i, j) in enumerate(zip(*np.tril_indices(p + 1), strict=True)):
        h = 1e-6 * np.sqrt(cov[i, i] * cov[j, j])
        step = np.zeros_like(cov)
        step[i, j] = step[j, i] = h
        up, down = importance(cov + step), importance(cov - step)
        for value, slopes in (("rsquare", "rsquare_slopes"), ("loss", "loss_slopes"), ("lmg", "lmg_slopes"), ("weights", "weight_slopes")):
            want = (np.asarray(getattr(up, value)) - np.asarray(getattr(down, value))) / (2.0 * h)
            np.testing.assert_allclose(getattr(found, slopes)[..., k] * h / 1e-6, want * h / 1e-6, atol=1e-8)


def test_many_matrices_at_once_give_what_one_does() -> None:
    stack = np.array([random_cov(4, seed) for seed in range(7)])
    each = [importance(cov) for cov in stack]
    np.testing.assert_allclose(lmg_values(stack), [one.lmg for one in each], rtol=1e-10)
    np.testing.assert_allclose(relative_weight_values(stack), [one.weights for one in each], rtol=1e-10)
    np.testing.assert_allclose(subset_rsquares(stack)[:, -1], [one.rsquare for one in each], rtol=1e-10)


def test_uncorrelated_predictors_share_their_squared_correlations() -> None:
    cov = np.eye(4)
    cov[3, :3] = cov[:3, 3] = [0.5, 0.3, -0.2]
    found = importance(cov)
    for values in (found.lmg, found.weights, found.loss):
        np.testing.assert_allclose(values, [0.25, 0.09, 0.04], rtol=1e-12)


def test_units_do_not_matter() -> None:
    cov = random_cov(3)
    scale = np.array([1.0, 10.0, 0.1, 7.0])
    one, other = importance(cov), importance(cov * np.outer(scale, scale))
    np.testing.assert_allclose(one.lmg, other.lmg, rtol=1e-10)
    np.testing.assert_allclose(one.weights, other.weights, rtol=1e-10)


def test_two_predictors_by_hand() -> None:
    """LMG of two predictors is the mean of what each explains alone and what it adds to the other; so are relative weights."""
    cov = random_cov(2)
    alone = cov[2, :2] ** 2 / np.diag(cov)[:2] / cov[2, 2]
    found = importance(cov)
    np.testing.assert_allclose(found.lmg, 0.5 * (alone + found.rsquare - alone[::-1]), rtol=1e-12)
    np.testing.assert_allclose(found.weights, found.lmg, rtol=1e-10)


def test_the_survey() -> None:
    found = survey()
    assert found.target == "Trust"
    assert list(found.frame["strategy"]) == NINE
    assert list(found.frame["set"]) == ["Relational"] * 5 + ["Technical"] * 4
    assert found.frame["lmg"].sum() == pytest.approx(found.rsquare)
    assert found.rsquare == pytest.approx(found.fit.rsquare()["Trust"], rel=1e-8)
    assert sorted(found.frame["rank"]) == list(range(1, 10))
    assert found.sets["set"].tolist() == ["Relational", "Technical", "Relational less Technical"]
    assert found.sets["lmg"][:2].sum() == pytest.approx(found.rsquare)
    assert found.fit.nobs == 480
    text = str(found)
    assert "Practised least: Bi-directional communication" in text
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(values["rows"]) == 9
    assert len(values["sets"]) == 3


def test_means_are_those_of_the_rows_where_they_are_complete() -> None:
    data = ts.load_dataset("survey").dropna()
    found = quietly(strategy_profile, ts.load_theory("metz2022").with_strategies("predictors"), data, estimator="ML")
    np.testing.assert_allclose(found.frame["mean"], data[NINE].mean(), rtol=1e-7)
    np.testing.assert_allclose(found.frame["mean_se"], data[NINE].std(ddof=0) / np.sqrt(len(data)), rtol=1e-5)
    np.testing.assert_allclose(found.frame["sd"], data[NINE].std(ddof=0), rtol=1e-6)


def test_an_observed_target_is_ordinary_regression() -> None:
    theory = ts.load_theory("metz2022").with_indicators(
        {"Relational": ["vul", "aut", "bid"], "Technical": ["fre", "qui"], "Trust": "t1", "Motivation": "m1"}
    )
    theory = theory.with_strategies("predictors")
    data = ts.load_dataset("survey").dropna()
    found = quietly(strategy_profile, theory, data, estimator="ML")
    columns = ["vul", "aut", "bid", "fre", "qui"]
    ols = sm.OLS(data["t1"], sm.add_constant(data[columns])).fit()
    assert list(found.frame["set"]) == ["Relational"] * 3 + ["Technical"] * 2
    np.testing.assert_allclose(found.frame["path"], ols.params[columns], rtol=1e-6)
    assert found.rsquare == pytest.approx(ols.rsquared, rel=1e-6)
    np.testing.assert_allclose(found.frame["semipartial"] ** 2, ols.tvalues[columns] ** 2 * (1.0 - ols.rsquared) / ols.df_resid, rtol=1e-5)
    np.testing.assert_allclose(np.sign(found.frame["semipartial"]), np.sign(ols.params[columns]))


def test_errors_of_an_observed_target_are_those_of_the_bootstrap() -> None:
    """An independent computation: rows drawn again, moments and shares computed from them directly."""
    theory = ts.load_theory("metz2022").with_indicators({"Relational": ["vul", "aut"], "Technical": ["fre", "qui"], "Trust": "t1"})
    data = ts.load_dataset("survey").dropna()[["vul", "aut", "fre", "qui", "t1"]]
    found = quietly(strategy_profile, theory.with_strategies("predictors"), data, estimator="MLR")
    rng = np.random.default_rng(1)
    rows = data.to_numpy(float)
    stack = np.array([np.cov(rows[rng.integers(len(rows), size=len(rows))].T) for _ in range(4000)])
    np.testing.assert_allclose(found.frame["lmg_se"], lmg_values(stack).std(axis=0), rtol=0.08)
    np.testing.assert_allclose(found.frame["weight_se"], relative_weight_values(stack).std(axis=0), rtol=0.08)


def test_draws_give_intervals_and_how_often_each_is_first() -> None:
    theory = ts.load_theory("metz2022").with_strategies("predictors")
    tables = [
        quietly(
            strategy_profile, theory, ts.load_dataset("survey"), interval="bootstrap", draws=8, seed=2, executor=who, progress=False, cluster="team"
        )
        for who in ("serial", "threads")
    ]
    assert tables[0].frame.equals(tables[1].frame)
    drawn = quietly(strategy_profile, theory, ts.load_dataset("survey"), interval="monte_carlo", draws=500, seed=2, cluster="team").frame
    assert drawn["first"].sum() == pytest.approx(1.0)
    assert (drawn["mc_lower"] < 0.01).all()
    assert (drawn["lmg_lower"] > 0.0).all()
    np.testing.assert_allclose(drawn["lmg_upper"] - drawn["lmg_lower"], 3.92 * drawn["lmg_se"], rtol=0.35)


def test_moments_without_means() -> None:
    data = ts.load_dataset("survey").dropna()
    theory = ts.load_theory("metz2022").with_strategies("predictors")
    columns = [name for node in theory.nodes for name in node.indicators]
    found = quietly(strategy_profile, theory, sample_cov=data[columns].cov(), sample_nobs=len(data))
    assert found.frame["mean"].isna().all()
    assert any("The data have no means" in note for note in found.notes)
    rows = quietly(strategy_profile, theory, data, estimator="ML")
    np.testing.assert_allclose(found.frame["lmg"], rows.frame["lmg"], rtol=1e-6)
    np.testing.assert_allclose(found.frame["lmg_se"], rows.frame["lmg_se"], rtol=1e-5)


def test_other_forms_are_refused_with_the_remedy() -> None:
    with pytest.raises(TheoryError, match=r"reflective here.*with_strategies\('predictors'\)"):
        strategy_profile("metz2022", ts.load_dataset("survey"))


def test_a_fit_that_fails_gets_no_verdicts() -> None:
    theory = ts.load_theory("metz2022").with_strategies("predictors")
    found = quietly(strategy_profile, theory, ts.load_dataset("survey"), se="none")
    assert found.notes[0] == "No verdicts: the fit has no standard errors."
    assert set(found.frame["verdict"]) == {"no verdict"}
    json.dumps(found.to_dict(), allow_nan=False)


def test_more_strategies_than_can_be_shared_out() -> None:
    columns = [f"s{k}" for k in range(15)]
    theory = ts.load_theory("metz2022").with_indicators({"Relational": columns[:8], "Technical": columns[8:], "Trust": "t"})
    with pytest.raises(NotAvailableError, match="15 direct causes"):
        strategy_profile(theory.with_strategies("predictors"), pd.DataFrame({"t": [1.0]}))


def test_groups_are_refused() -> None:
    theory = ts.load_theory("metz2022").with_indicators({"Relational": ["x1", "x2"], "Trust": "x3"}).with_strategies("predictors")
    with pytest.raises(NotAvailableError, match="one group at a time"):
        quietly(strategy_profile, theory, ts.load_dataset("holzinger_swineford"), group="school")


def test_contributions_use_the_moments_of_the_model() -> None:
    fit = survey().fit
    moments = structural_moments(fit)
    at = [moments.names.index(name) for name in (*NINE, "Trust")]
    found = contributions(fit, [*NINE, "Trust"], None)
    np.testing.assert_allclose(found.lmg.value, importance(moments.cov[np.ix_(at, at)]).lmg, rtol=1e-12)


def test_a_target_that_no_strategy_points_to_is_refused() -> None:
    theory = ts.load_theory("metz2022").with_strategies("predictors")
    with pytest.raises(OptionError, match="target= names 'Motivation'"):
        strategy_profile(theory, ts.load_dataset("survey"), target="Motivation")
