"""The bootstrap: the same draws however they are made, and tables that follow from them."""

from __future__ import annotations

import json
import math
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import holzinger, quietly
from trustsem.data.resampling import draw_counts, resample
from trustsem.errors import DataError, NotAvailableError, OptionError
from trustsem.fitting.bootstrap import BootstrapResult, bootstrap
from trustsem.fitting.fit import Fit
from trustsem.fitting.refits import prepare_refits

DATA = holzinger()
TEXT = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9\nspeed ~ a*visual + b*textual\ntextual ~ c*visual\ncb := c*b"
PATHS = "m ~ a*x\ny ~ b*m + x\nab := a*b"
FOLDER = Path(__file__).parents[2] / "reference"


def path_data(n: int = 90, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.exponential(size=n)
    m = 0.5 * x + rng.standard_normal(n)
    return pd.DataFrame({"x": x, "m": m, "y": 0.4 * m + 0.2 * x + rng.standard_normal(n), "team": rng.integers(0, 15, n)})


@pytest.fixture(scope="module")
def fit() -> Fit:
    return quietly(ts.sem, TEXT, DATA)


@pytest.fixture(scope="module")
def paths() -> Fit:
    return ts.sem(PATHS, path_data())


@pytest.fixture(scope="module")
def draws(paths: Fit) -> BootstrapResult:
    return bootstrap(paths, 400, seed=3)


def same(one: BootstrapResult, other: BootstrapResult) -> bool:
    arrays = ("theta", "borrowed", "statistic", "admissible")
    return one.reasons == other.reasons and all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True) for name in arrays)


def test_draws_depend_on_the_seed_alone(fit: Fit) -> None:
    alone = bootstrap(fit, 25, seed=5)
    for chunk_size in (1, 7, 100):
        assert same(bootstrap(fit, 25, seed=5, chunk_size=chunk_size), alone)
    for workers in (1, 2):
        with ThreadPoolExecutor(workers) as executor:
            assert same(bootstrap(fit, 25, seed=5, executor=executor, chunk_size=4), alone)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        assert same(bootstrap(fit, 25, seed=5, executor=processes, chunk_size=9), alone)
    assert not same(bootstrap(fit, 25, seed=6), alone)


def test_fewer_draws_are_the_first_of_more(fit: Fit) -> None:
    np.testing.assert_array_equal(bootstrap(fit, 10, seed=5).theta, bootstrap(fit, 25, seed=5).theta[:10])


@pytest.mark.parametrize("estimator", ["ML", "GLS", "ULS", "MLR", "DWLS"])
def test_a_draw_is_the_fit_to_the_rows_drawn(estimator: str) -> None:
    fit = quietly(ts.sem, TEXT, DATA, estimator=estimator)
    found = bootstrap(fit, 3, seed=8)
    source = prepare_refits(fit, "nonparametric").source
    for b in range(3):
        (counts,) = draw_counts(source, np.random.default_rng(np.random.SeedSequence(8, spawn_key=(b,))))
        again = quietly(ts.sem, TEXT, DATA.iloc[np.repeat(np.arange(301), counts)], estimator=estimator)
        distance = np.abs(found.theta[b] - again.estimate.theta) / np.sqrt(np.diag(again.theta_vcov))
        assert distance.max() < 1e-3
        assert found.statistic[b] == pytest.approx(again.chisq.statistic, rel=1e-6)


def test_fixed_covariates_have_the_moments_of_each_resample(paths: Fit, draws: BootstrapResult) -> None:
    source = prepare_refits(paths, "nonparametric").source
    x = path_data()["x"].to_numpy()
    standardized = draws._used.standardized("std_all")
    for b in range(3):
        (counts,) = draw_counts(source, np.random.default_rng(np.random.SeedSequence(3, spawn_key=(b,))))
        assert draws.borrowed[b, 0] == pytest.approx(np.repeat(x, counts).var(), rel=1e-10)
        again = ts.sem(PATHS, path_data().iloc[np.repeat(np.arange(90), counts)])
        np.testing.assert_allclose(standardized[b], again.standardized_solution()["est_std"], rtol=1e-5)


def test_tables_follow_from_the_same_draws(paths: Fit, draws: BootstrapResult) -> None:
    table = draws.parameter_estimates()
    assert list(table.columns) == ["lhs", "op", "rhs", "label", "est", "se", "ci_lower", "ci_upper", "n_used"]
    assert (table["n_used"] == 400).all()
    covariate = table[(table["lhs"] == "x") & (table["op"] == "~~")].iloc[0]
    assert (covariate["se"], covariate["ci_lower"], covariate["ci_upper"]) == (0.0, covariate["est"], covariate["est"])
    np.testing.assert_array_equal(table["est"], paths.parameter_estimates()["est"])
    row = table["label"].tolist().index("a"), table["label"].tolist().index("b"), table["lhs"].tolist().index("ab")
    values = draws._used.parameters()
    np.testing.assert_allclose(values[:, row[2]], values[:, row[0]] * values[:, row[1]], rtol=1e-14)
    parameters = table["se"].to_numpy() > 0
    assert parameters.sum() == len(table) - 1
    np.testing.assert_allclose(table["se"][parameters], values.std(axis=0, ddof=1)[parameters], rtol=1e-10)
    effects = draws.effects()
    chosen = effects[(effects["effect"] == "indirect") & (effects["lhs"] == "y") & (effects["rhs"] == "x")].iloc[0]
    for name in ("est", "se", "ci_lower", "ci_upper"):
        assert chosen[name] == pytest.approx(table[name][row[2]], rel=1e-10)
    assert list(effects.columns) == ["effect", "lhs", "op", "rhs", "est", "se", "ci_lower", "ci_upper", "n_used"]
    solution = draws.standardized_solution()
    standardized = draws.effects(standardized=True)
    direct = standardized[(standardized["effect"] == "direct") & (standardized["lhs"] == "m")].iloc[0]
    for mine, theirs in (("est_std", "est_std"), ("se", "se"), ("ci_lower", "ci_lower")):
        assert direct[mine] == pytest.approx(solution[theirs][row[0]], rel=1e-10)
    assert draws.standardized_solution(type="std_nox")["se"][row[0]] != solution["se"][row[0]]


@pytest.mark.parametrize("ci", ["percentile", "basic", "normal", "bc", "bca"])
def test_every_kind_of_interval(paths: Fit, draws: BootstrapResult, ci: str) -> None:
    table, wider = draws.parameter_estimates(ci=ci, level=0.9), draws.parameter_estimates(ci=ci, level=0.95)
    free = table["se"] > 0
    assert (table["ci_lower"] < table["ci_upper"])[free].all()
    assert (wider["ci_lower"] < table["ci_lower"])[free].all()
    assert (wider["ci_upper"] > table["ci_upper"])[free].all()
    plain = paths.parameter_estimates(level=0.9)
    width = plain["ci_upper"] - plain["ci_lower"]
    assert np.abs((table["ci_lower"] - plain["ci_lower"]) / width)[free].max() < 0.35


def test_bca_uses_the_jackknife(paths: Fit, draws: BootstrapResult) -> None:
    points, blocks = draws._left_out
    assert blocks.tolist() == [0] * 90
    again = ts.sem(PATHS, path_data().drop(index=17))
    np.testing.assert_allclose(points.theta[17], again.estimate.theta, atol=1e-5)
    a, b = draws.parameter_estimates(ci="bca"), draws.parameter_estimates(ci="bc")
    assert not np.allclose(a["ci_lower"], b["ci_lower"], rtol=1e-4)


def test_fixed_parameters_stay(fit: Fit) -> None:
    table = bootstrap(fit, 60, seed=1).parameter_estimates(ci="bca", level=0.8)
    marker = table[(table["op"] == "=~") & (table["rhs"] == "x1")].iloc[0]
    assert (marker["se"], marker["ci_lower"], marker["ci_upper"], marker["n_used"]) == (0.0, 1.0, 1.0, 60)


def test_draws_that_fail_are_counted_with_reasons() -> None:
    table = path_data(60)
    table["site"] = np.where(np.arange(60) < 5, "tiny", "large")  # five rows of three variables: often too few different ones are drawn
    fit = quietly(ts.sem, PATHS.replace("a*", "").replace("b*", "").split("\nab")[0], table, group="site")
    found = bootstrap(fit, 200, seed=1)
    assert set(found.failures) == {"The resample has no positive definite covariance matrix in group 'tiny'."}
    (count,) = found.failures.values()
    # At most three different rows of five in five draws: (C(5,1) 1 + C(5,2) 30 + C(5,3) 150) / 5^5.
    expected = (5 + 10 * 30 + 10 * 150) / 5**5
    assert abs(count - 200 * expected) < 4.0 * math.sqrt(200 * expected * (1 - expected))
    assert np.isnan(found.theta[~found.converged]).all()
    assert np.isfinite(found.theta[found.converged]).all()
    assert (found.parameter_estimates(level=0.8)["n_used"] == 200 - count).all()
    assert found.n_used == 200 - count
    assert f"{count} failed" in repr(found)


def test_a_search_that_fails_is_tried_from_computed_starts(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    from trustsem.fitting.fitter import Fitter

    wanted = bootstrap(fit, 4, seed=2)
    original, lost = Fitter.fit_sample, "The search was stopped."

    def stubborn(self: Fitter, sample: ts.Sample) -> Fit:
        found = original(self, sample)
        if self.start is None and not always:
            return found
        return replace(found, estimate=replace(found.estimate, converged=False, reason=lost))

    monkeypatch.setattr(Fitter, "fit_sample", stubborn)
    always = False
    found = bootstrap(fit, 4, seed=2)
    assert found.n_used == 4
    np.testing.assert_allclose(found.theta, wanted.theta, atol=1e-4)
    always = True
    lost_all = bootstrap(fit, 4, seed=2)
    assert lost_all.failures == {lost: 4}
    table = lost_all.parameter_estimates()
    assert table["ci_lower"].isna().all()
    assert (table["n_used"] == 0).all()


def test_inadmissible_draws_are_used_and_marked() -> None:
    data = pd.read_csv(FOLDER / "data" / "PoliticalDemocracy.csv")
    fit = ts.sem("dem60 =~ y1 + y2 + y3 + y4\ndem65 =~ y5 + y6 + y7 + y8\ndem65 ~ dem60", data)
    found = bootstrap(fit, 60, seed=1)
    assert 0 < (~found.admissible).sum() < 60
    assert found.n_used == 60


@pytest.mark.parametrize("group", [None, "school"])
@pytest.mark.parametrize("meanstructure", [False, True])
def test_bollen_stine_draws_from_data_in_which_the_model_holds(group: str | None, meanstructure: bool) -> None:
    fit = quietly(ts.sem, TEXT, DATA, group=group, meanstructure=meanstructure)
    sample = prepare_refits(fit, "bollen_stine").source.sample
    for block, point, own in zip(sample.blocks, fit.implied_blocks, fit.sample.blocks, strict=True):
        assert block.rows is not None
        np.testing.assert_allclose(np.cov(block.rows.T, bias=True), point.sigma, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(block.rows.mean(axis=0), point.mean if meanstructure else own.mean, rtol=1e-10)
    fitter = ts.compile(TEXT, like=fit.sample, meanstructure=meanstructure)
    again = fitter.fit_sample(sample)
    assert again.chisq.statistic < 1e-8
    np.testing.assert_allclose(again.estimate.theta, fit.estimate.theta, atol=1e-5)


def test_bollen_stine_transforms_the_moments_of_the_estimator() -> None:
    fit = quietly(ts.sem, TEXT, DATA, likelihood="wishart")
    block = prepare_refits(fit, "bollen_stine").source.sample.blocks[0]
    np.testing.assert_allclose(block.cov, fit.implied_blocks[0].sigma, rtol=1e-9, atol=1e-11)


def test_the_test_of_exact_fit_counts_draws(fit: Fit) -> None:
    found = bootstrap(fit, 100, kind="bollen_stine", seed=4)
    test = found.test
    assert test.statistic == fit.chisq.statistic
    assert test.pvalue == np.mean(found.statistic >= fit.chisq.statistic)
    p = (np.sum(found.statistic >= fit.chisq.statistic) + 1) / 102
    assert test.mc_error == pytest.approx(math.sqrt(p * (1 - p) / 100))
    assert test.n_used == 100
    assert not np.array_equal(found.theta, bootstrap(fit, 100, seed=4).theta)
    # With the model true in the population that is drawn from, the statistics are about chi-square.
    assert abs(found.statistic.mean() - fit.df) < 4.0 * found.statistic.std() / 10.0


def test_standard_errors_and_the_test_agree_with_lavaan() -> None:
    """Both are Monte Carlo: 2,000 draws there, 1,000 here."""
    case = json.loads((FOLDER / "bootstrap" / "democracy.json").read_text(encoding="utf-8"))
    fit = quietly(ts.sem, case["model"], pd.read_csv(FOLDER / "data" / "PoliticalDemocracy.csv"))
    found = bootstrap(fit, 1000, seed=1)
    table = found.parameter_estimates()
    free = table["se"].to_numpy() > 0
    values = found._used.parameters()[:, free]
    centred = values - values.mean(axis=0)
    kurtosis = (centred**4).mean(axis=0) / (centred**2).mean(axis=0) ** 2
    # The relative error of a standard deviation of B draws is sqrt((kurtosis - 1) / (4 B)).
    error = np.sqrt((kurtosis - 1.0) / 4.0 * (1 / 1000 + 1 / 2000))
    assert (np.abs(np.log(table["se"][free] / np.array(case["se"])[free])) < 3.5 * error).all()
    test = bootstrap(fit, 1000, kind="bollen_stine", seed=1).test
    assert test.statistic == pytest.approx(case["chisq"], rel=1e-6)
    assert abs(test.pvalue - case["pvalue"]) < 3.0 * math.hypot(test.mc_error, test.mc_error / math.sqrt(2.0))


def test_clusters_drawn_whole_spread_more_when_rows_of_a_team_are_alike() -> None:
    rng = np.random.default_rng(0)
    team = np.repeat(np.arange(30), 10)
    x, m = (rng.standard_normal(30)[team] + 0.3 * rng.standard_normal(300) for _ in range(2))
    data = pd.DataFrame({"x": x, "m": m, "y": rng.standard_normal(300), "team": team})
    fit = quietly(ts.sem, "m ~ x\ny ~ m", data, cluster="team")
    rows, clusters = bootstrap(fit, 300, seed=1), bootstrap(fit, 300, seed=1, kind="cluster")
    ratio = clusters.parameter_estimates()["se"][0] / rows.parameter_estimates()["se"][0]
    # All but 8 % of the variance of x and m is between teams of ten: the design effect is about ten.
    assert 2.0 < ratio < 4.5
    assert len(clusters._left_out[1]) == 30


def test_incomplete_rows_are_resampled_with_their_holes() -> None:
    data = path_data(120)
    data.loc[np.random.default_rng(1).random(120) < 0.2, "y"] = np.nan
    fit = quietly(ts.sem, PATHS, data, missing="fiml")
    found = bootstrap(fit, 20, seed=1)
    assert found.n_used == 20
    source = prepare_refits(fit, "nonparametric").source
    counts = draw_counts(source, np.random.default_rng(np.random.SeedSequence(1, spawn_key=(0,))))
    again = quietly(ts.sem, PATHS, data.iloc[np.repeat(np.arange(120), counts[0])], missing="fiml")
    np.testing.assert_allclose(found.theta[0], again.estimate.theta, atol=1e-4)
    assert resample(source, counts).incomplete
    with pytest.raises(NotAvailableError, match="not available for incomplete or weighted rows"):
        bootstrap(fit, 5, kind="bollen_stine", seed=1)


def test_results_survive_pickling(draws: BootstrapResult) -> None:
    again = pickle.loads(pickle.dumps(draws))
    assert same(again, draws)
    pd.testing.assert_frame_equal(again.effects(), draws.effects())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 0}, r"draws=0 is not possible\. Give a whole number of at least 1\."),
        ({"draws": 2.5}, r"draws=2\.5 is not possible"),
        ({"draws": True}, r"draws=True is not possible"),
        ({"seed": -1}, r"seed=-1 is not possible\. Give a whole number of at least 0\."),
        ({"chunk_size": 0}, r"chunk_size=0 is not possible"),
        ({"kind": "parametric"}, r"Unknown kind='parametric'\. Allowed are 'nonparametric', 'cluster', 'bollen_stine'\."),
        ({"kind": "cluster"}, r"Fit with cluster="),
    ],
)
def test_options_are_checked(paths: Fit, options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        bootstrap(paths, **({"draws": 5, "seed": 1} | options))


def test_what_cannot_be_bootstrapped_is_refused(paths: Fit, fit: Fit) -> None:
    lost = replace(paths, estimate=replace(paths.estimate, converged=False, reason="It stalled."))
    with pytest.raises(OptionError, match=r"did not converge cannot be bootstrapped\. It stalled\."):
        bootstrap(lost, 5, seed=1)
    with pytest.raises(NotAvailableError, match="engine='semopy' is not available"):
        bootstrap(quietly(ts.sem, PATHS, path_data(), engine="semopy"), 5, seed=1)
    data = path_data()[["x", "m", "y"]]
    moments = ts.sem(PATHS, sample_cov=data.cov(), sample_nobs=90)
    with pytest.raises(DataError, match="holds moments only"):
        bootstrap(moments, 5, seed=1)
    with pytest.raises(OptionError, match=r"kind='nonparametric' draws from the data"):
        _ = bootstrap(paths, 5, seed=1).test
    silent = quietly(ts.sem, TEXT, DATA, test="none")
    with pytest.raises(OptionError, match=r"test='none'"):
        bootstrap(silent, 5, seed=1, kind="bollen_stine")


def test_the_options_of_tables_are_checked(draws: BootstrapResult) -> None:
    with pytest.raises(OptionError, match=r"Unknown ci='percent'\. .* Did you mean 'percentile'"):
        draws.parameter_estimates(ci="percent")
    with pytest.raises(OptionError, match=r"level=95 is not a confidence level"):
        draws.effects(level=95)
    with pytest.raises(OptionError, match=r"Unknown type='std'"):
        draws.standardized_solution(type="std")
