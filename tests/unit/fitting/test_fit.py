"""What a fit offers: sizes, tables that agree with one another, and conventions."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import holzinger, quietly
from trustsem.fitting.measures import MEASURE_NAMES

DATA = holzinger()
TEXT = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9\nspeed ~ a*visual + b*textual\nab := a*b"


@pytest.fixture(scope="module")
def fit():
    return quietly(ts.sem, TEXT, DATA)


@pytest.fixture(scope="module")
def groups():
    return quietly(ts.cfa, TEXT.split("\nspeed ~")[0], DATA, group="school", group_equal="loadings")


def test_sizes(fit, groups):
    assert (fit.nobs, fit.npar, fit.df) == (301, 21, 24)
    assert (groups.nobs, groups.df) == (301, 2 * (45 + 9) - groups.npar)
    assert groups.npar == 60 - 6


def test_the_tables_agree_with_one_another(fit):
    table = fit.parameter_estimates(standardized=True)
    free = table[(table["se"] > 0) & (table["op"] != ":=")]
    np.testing.assert_array_equal(free["est"], fit.coef())
    np.testing.assert_allclose(free["se"], np.sqrt(np.diag(fit.vcov())), rtol=1e-12)
    np.testing.assert_allclose(table["std_all"], fit.standardized_solution()["est_std"], rtol=1e-12)
    np.testing.assert_allclose(free["z"], free["est"] / free["se"], rtol=1e-12)
    half = 1.959963984540054 * free["se"]
    np.testing.assert_allclose(free["ci_lower"], free["est"] - half, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(free["ci_upper"], free["est"] + half, rtol=1e-9, atol=1e-12)
    implied, raw = fit.implied()["cov"], fit.residuals()["cov"]
    np.testing.assert_allclose(implied + raw, DATA[list(implied.columns)].cov() * 300 / 301, rtol=1e-10)
    r2 = fit.rsquare()
    rows = table[(table["op"] == "~~") & (table["lhs"] == table["rhs"])].set_index("lhs")["std_all"]
    np.testing.assert_allclose(1.0 - rows[r2.index], r2, rtol=1e-10)


def test_a_definition_has_the_delta_method_error(fit):
    table = fit.parameter_estimates().set_index("label")
    a, b = table.loc["a", "est"], table.loc["b", "est"]
    V = fit.vcov().loc[["a", "b"], ["a", "b"]].to_numpy()
    assert table.loc["ab", "est"] == pytest.approx(a * b)
    assert table.loc["ab", "se"] == pytest.approx(np.sqrt(np.array([b, a]) @ V @ np.array([b, a])))


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_intervals_widen_with_the_level(fit, level):
    narrow, wide = fit.parameter_estimates(level=level), fit.parameter_estimates(level=0.999)
    moving = narrow["se"] > 0
    assert (wide["ci_upper"] - wide["ci_lower"] > narrow["ci_upper"] - narrow["ci_lower"])[moving].all()
    assert "ci_lower" not in fit.parameter_estimates(ci=False)


def test_equal_parameters_have_equal_rows(groups):
    table = groups.parameter_estimates()
    first, second = table[(table["group"] == 1) & (table["op"] == "=~")], table[(table["group"] == 2) & (table["op"] == "=~")]
    np.testing.assert_array_equal(first["est"], second["est"])
    np.testing.assert_array_equal(first["se"], second["se"])


def test_the_groups_add_up(groups):
    assert groups.block_chisq.sum() == pytest.approx(groups.chisq.statistic)
    apart = [quietly(ts.cfa, TEXT.split("\nspeed ~")[0], DATA[DATA["school"] == name], meanstructure=True) for name in groups.sample.group_labels]
    free = quietly(ts.cfa, TEXT.split("\nspeed ~")[0], DATA, group="school")
    assert free.chisq.statistic == pytest.approx(sum(one.chisq.statistic for one in apart), rel=1e-9)
    assert set(groups.implied()) == set(groups.residuals()) == set(groups.rsquare()) == {"Pasteur", "Grant-White"}


def test_fit_measures_by_name(fit):
    every = fit.fit_measures()
    assert fit.fit_measures("chisq").to_dict() == {"chisq": fit.chisq.statistic}
    assert list(fit.fit_measures(["rmsea.ci.upper", "cfi"]).index) == ["rmsea_ci_upper", "cfi"]
    assert every["df"] == fit.df
    assert every["npar"] == fit.npar
    assert every["fmin"] == pytest.approx(0.5 * fit.estimate.discrepancy)
    assert every["aic"] == pytest.approx(-2 * every["logl"] + 2 * fit.npar)


def test_without_test_or_errors_there_are_none():
    bare = quietly(ts.sem, TEXT, DATA, se="none", test="none")
    assert bare.parameter_estimates()["se"].iloc[1:].isna().any()
    assert np.isnan(bare.chisq.statistic)
    assert list(bare.fit_measures().index) == ["npar", "fmin"]
    assert bare.warnings == ()


def test_observed_information_changes_the_errors_only(fit):
    other = quietly(ts.sem, TEXT, DATA, information="observed")
    np.testing.assert_array_equal(other.coef(), fit.coef())
    ratio = np.diag(other.vcov()) / np.diag(fit.vcov())
    assert ((ratio > 0.4) & (ratio < 2.5)).all()
    assert not np.allclose(ratio, 1.0, atol=1e-3)


def test_factor_scores_have_the_promised_moments(fit):
    scores = fit.predict()
    assert len(scores) == 301
    (block,) = fit.implied_blocks
    V = block.V[block.p :, block.p :]
    weights = np.linalg.solve(block.sigma, block.V[: block.p, block.p :]).T
    np.testing.assert_allclose(scores.cov() * 300 / 301, weights @ fit.problem.blocks[0].cov @ weights.T, rtol=1e-8)
    bartlett = fit.predict(method="bartlett")
    np.testing.assert_allclose(bartlett.mean(), 0.0, atol=1e-10)
    L = block.A[: block.p, block.p :]
    T = np.diag(block.S)[: block.p]
    W = np.linalg.solve(L.T @ (L / T[:, None]), (L / T[:, None]).T)
    rows = DATA[list(fit.model.blocks[0].observed)].to_numpy()
    np.testing.assert_allclose(bartlett, (rows - rows.mean(axis=0)) @ W.T, rtol=1e-6, atol=1e-9)
    assert V.shape == (3, 3)
    pd.testing.assert_frame_equal(fit.predict(data=DATA), scores)
    pd.testing.assert_frame_equal(fit.predict(data=DATA.head(7)), scores.head(7))


def test_modification_indices_are_sorted_and_cut(fit):
    every, largest = fit.modindices(), fit.modindices(sort=True, minimum=3.84)
    assert largest["mi"].is_monotonic_decreasing
    assert (largest["mi"] >= 3.84).all()
    assert set(map(tuple, largest[["lhs", "op", "rhs"]].to_numpy())) <= set(map(tuple, every[["lhs", "op", "rhs"]].to_numpy()))


def test_json_is_valid_and_complete(fit):
    content = json.loads(fit.to_json())
    assert content["status"]["converged"] is True
    assert len(content["estimates"]) == len(fit.parameter_estimates())
    assert content["fit_measures"]["chisq"] == fit.chisq.statistic
    assert content["data"]["fingerprint"] == fit.sample.fingerprint()
    assert content["conventions"]["estimator"] == "ML"


def test_asking_twice_gives_the_same_and_changes_nothing(fit):
    first = fit.parameter_estimates()
    first.loc[:, "est"] = 0.0
    assert (fit.parameter_estimates()["est"] != 0.0).all()
    measures = fit.fit_measures()
    measures[:] = 0.0
    assert fit.fit_measures()["chisq"] == fit.chisq.statistic


def test_the_representation_is_short(fit):
    assert repr(fit) == "<Fit: ML, 301 observations, 21 parameters, df 24, converged>"


def test_wishart_differs_from_normal_as_n_from_n_less_one(fit):
    other = quietly(ts.sem, TEXT, DATA, likelihood="wishart")
    assert other.chisq.statistic == pytest.approx(fit.chisq.statistic * 300 / 301, rel=1e-9)
    np.testing.assert_allclose(other.coef()["visual~~visual"], fit.coef()["visual~~visual"] * 301 / 300, rtol=1e-7)


def test_an_unrescaled_covariance_is_taken_as_divided_by_n():
    cov = DATA[["x1", "x2", "x3", "x4"]].cov() * 300 / 301
    given = quietly(ts.cfa, "f =~ x1 + x2 + x3 + x4", sample_cov=cov, sample_nobs=301, sample_cov_rescale=False)
    rows = quietly(ts.cfa, "f =~ x1 + x2 + x3 + x4", DATA)
    np.testing.assert_allclose(given.coef(), rows.coef(), rtol=1e-8)


@pytest.mark.filterwarnings("ignore::trustsem.errors.TrustsemWarning")
@pytest.mark.parametrize(
    "options", [{}, {"estimator": "MLR"}, {"estimator": "GLS"}, {"estimator": "ULSMV"}, {"missing": "fiml", "estimator": "MLR"}], ids=str
)
def test_single_measures_are_those_of_the_whole(options):
    """A loop over samples asks for a few measures, and gets what `fit_measures` would say, one by one."""
    data = ts.load_dataset("holzinger_swineford")
    holes = np.random.default_rng(1).random(data.shape) < 0.05
    data = data.mask(holes) if "missing" in options else data
    fit = ts.cfa("visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6", data, **options)
    whole = fit.fit_measures()
    assert len(whole) > 35
    assert set(whole.index) <= set(MEASURE_NAMES)
    for name, value in whole.items():
        assert fit.measures([name])[name] == pytest.approx(value, nan_ok=True, rel=0, abs=0), name
    assert fit.measures([]) == fit.measures(["strange"]) == {}
