"""Calibration: every test and error is that of a fit of its own, rates are those of an independent simulation, and the advice follows from them."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.severity import calibrating
from trustsem.appraisal.severity.calibrate import _recommended, _verdict, calibrate
from trustsem.appraisal.severity.calibrating import Regime, all_tests_of, ways_of
from trustsem.appraisal.severity.probing import Fitters, fitters_like
from trustsem.errors import DataError, NotAvailableError, OptionError
from trustsem.fitting.fit import Fit
from trustsem.inference.small_sample import swain

TEXT = "Trust =~ t1 + t2 + t3\nMotivation =~ m1 + m2 + m3\nMotivation ~ Trust"
DATA = ts.load_dataset("survey")


def fitted(**options: Any) -> Fit:
    found: Fit = quietly(ts.sem, TEXT, DATA, **options)
    return found


@pytest.mark.parametrize("estimator", ["ML", "MLM", "MLR"])
def test_complete_rows_have_the_tests_and_errors_of_each_estimator(estimator: str) -> None:
    fit = fitted(estimator=estimator)
    ways = ways_of(fit)
    assert ways.own_test == {"ML": "standard", "MLM": "satorra_bentler", "MLR": "yuan_bentler_mplus"}[estimator]
    assert ways.own_error == {"ML": "standard", "MLM": "robust_sem", "MLR": "robust_huber_white"}[estimator]
    tests, errors = all_tests_of(fit, ways), dict(ways.errors)
    for other, name, kind in (
        ("ML", "standard", "standard"),
        ("MLM", "satorra_bentler", "robust_sem"),
        ("MLMV", "scaled_shifted", "robust_sem"),
        ("MLMVS", "mean_var_adjusted", "robust_sem"),
        ("MLR", "yuan_bentler_mplus", "robust_huber_white"),
    ):
        own = fitted(estimator=other, meanstructure=fit.model.has_means)
        statistic = own.chisq.statistic if name == "standard" else own.scaled.statistic
        assert tests[name].statistic == pytest.approx(statistic, rel=1e-6)
        assert replace(fit, options=errors[kind]).theta_vcov == pytest.approx(own.theta_vcov, rel=1e-4, abs=1e-9)
    assert tests["swain (satorra_bentler)"] == swain(tests["satorra_bentler"], 6, fit.nobs)
    assert {"bartlett", "swain", "yuan"} < set(tests)


def test_missing_values_and_teams() -> None:
    fit = fitted(estimator="MLR", missing="fiml", cluster="team")
    ways = ways_of(fit)
    assert [name for name, _ in ways.errors] == ["standard", "robust_cluster"]
    plain = fitted(estimator="ML", missing="fiml")
    assert replace(fit, options=dict(ways.errors)["standard"]).theta_vcov == pytest.approx(plain.theta_vcov, rel=1e-4, abs=1e-9)
    tests = all_tests_of(fit, ways)
    assert tests["yuan_bentler_mplus"].statistic == pytest.approx(fit.scaled.statistic, rel=1e-9)
    assert tests["standard"].statistic == pytest.approx(plain.chisq.statistic, rel=1e-6)
    assert set(tests) == {"standard", "bartlett", "swain", "yuan", "yuan_bentler_mplus", "swain (yuan_bentler_mplus)"}


def test_estimators_without_a_likelihood_have_their_own_alone() -> None:
    for options, kinds, names in (
        ({"estimator": "GLS"}, ["standard"], {"standard"}),
        ({"estimator": "ULSMV"}, ["robust_sem"], {"standard", "scaled_shifted"}),
    ):
        fit = fitted(**options)
        ways = ways_of(fit)
        assert [name for name, _ in ways.errors] == kinds
        assert set(all_tests_of(fit, ways)) == names
    moments = ts.sem(TEXT, sample_cov=DATA[["t1", "t2", "t3", "m1", "m2", "m3"]].cov(), sample_nobs=300)
    assert [name for name, _ in ways_of(moments).errors] == ["standard"]
    assert all_tests_of(ts.sem("m1 ~ t1", DATA.dropna()), ways_of(moments)) == {}  # no degrees of freedom
    two_stage = fitted(missing="two_stage")
    assert [name for name, _ in ways_of(two_stage).errors] == ["two_stage"]
    boot = replace(moments, options=replace(moments.options, se="bootstrap"))
    assert ways_of(boot).own_error == "standard"


@pytest.mark.slow
def test_rates_are_those_of_an_independent_simulation() -> None:
    fit = ts.sem(TEXT, sample_cov=DATA[["t1", "t2", "t3", "m1", "m2", "m3"]].cov(), sample_nobs=60)
    found = calibrate(fit, replications=800, executor="serial", seed=2)
    root = np.linalg.cholesky(fit.implied_blocks[0].sigma)
    rng, fitter = np.random.default_rng(99), ts.compile(TEXT)
    true = fit.standardized_solution().set_index(["lhs", "op", "rhs"])["est_std"]["Motivation", "~", "Trust"]
    rejected, covered = [], []
    for _ in range(800):
        one = fitter.fit_moments(np.cov((rng.standard_normal((60, 6)) @ root.T).T), 60)
        if not (one.converged and one.admissible):
            continue
        row = one.standardized_solution().set_index(["lhs", "op", "rhs"]).loc[("Motivation", "~", "Trust")]
        rejected.append(one.chisq.pvalue < 0.05)
        covered.append(row["ci_lower"] <= true <= row["ci_upper"])
    table = found.frame.set_index(["kind", "name"])
    for key, values in ((("test", "standard"), rejected), (("interval", "standard"), covered)):
        error = math.hypot(table.loc[key, "mc_error"], np.std(values) / math.sqrt(len(values)))
        assert abs(table.loc[key, "rate"] - np.mean(values)) < 3.5 * error
    assert found.parameters["coverage"][0] == table.loc[("interval", "standard"), "rate"]
    assert found.parameters["mean_se"][0] == pytest.approx(found.parameters["sd"][0], rel=0.15)
    assert abs(found.parameters["bias"][0]) < 0.02


def test_what_is_counted() -> None:
    fit = fitted(estimator="MLR", missing="fiml", cluster="team")
    found = calibrate(fit, replications=8, executor="serial", seed=5)
    table = found.frame.set_index(["kind", "name"])
    assert table["yours"].sum() == 2
    assert table.loc[("test", "yuan_bentler_mplus"), "yours"]
    assert table.loc[("test", "standard"), "pvalue"] == pytest.approx(fit.chisq.pvalue)
    assert table.loc[("test", "standard"), "pvalue_simulated"] in {k / 9 for k in range(1, 10)}
    assert (table["n_used"] == 8).all()
    assert found.replications == 8
    assert not found.failures
    assert set(found.parameters["name"]) == {"standard", "robust_cluster"}
    assert "observed sizes" in " ".join(found.notes)
    again = calibrate(fit, replications=8, executor="threads:2", seed=5)
    pd.testing.assert_frame_equal(again.frame, found.frame)
    pd.testing.assert_frame_equal(again.parameters, found.parameters)
    assert json.loads(json.dumps(found.to_dict()))["rows"]
    assert "pvalue_simulated" in str(found)


def test_an_appraisal_is_calibrated_by_its_fit() -> None:
    whole = ts.load_theory("metz2022")
    theory = whole.drop(*(one.name for one in whole.nodes if one.name not in ("Trust", "Motivation")))
    appraisal = quietly(ts.appraise, theory, DATA, estimator="ML", missing="fiml", se="standard", test="standard")
    found = calibrate(appraisal, replications=2, executor="serial", alpha=0.1)
    pd.testing.assert_frame_equal(found.frame, calibrate(appraisal.fit, replications=2, executor="serial", alpha=0.1).frame)
    assert found.frame["nominal"].tolist().count(0.9) == 2


def test_factor_models_are_looked_at_by_loadings_and_correlations() -> None:
    fit = quietly(ts.cfa, "Trust =~ t1 + t2 + t3\nMotivation =~ m1 + m2 + m3", DATA)
    found = calibrate(fit, replications=2, executor="serial")
    assert set(found.parameters["op"]) == {"=~", "~~"}
    assert len(found.parameters) == 3 * 5


def test_a_fit_that_is_no_truth_gives_the_reason() -> None:
    heywood = pd.DataFrame([[1, 0.9, 0.8], [0.9, 1, 0.5], [0.8, 0.5, 1]], index=list("abc"), columns=list("abc"))
    fit = quietly(ts.cfa, "f =~ a + b + c", sample_cov=heywood, sample_nobs=100)
    found = calibrate(fit)
    assert "inadmissible" in found.notes[0]
    assert found.frame.empty
    assert found.replications == 0
    assert str(found)
    assert found.to_dict()["rows"] == []


def test_samples_that_give_nothing_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fitted(estimator="ML")

    def odd(self: Fitters, imitator: Any, rng: np.random.Generator) -> Any:
        return "the fit did not converge. It stopped." if rng.random() < 0.5 else self.near.fit_sample(imitator.sample(rng))

    monkeypatch.setattr(Fitters, "fit", odd)
    found = calibrate(fit, replications=12, executor="serial")
    assert 0 < found.failures["the fit did not converge. It stopped."] < 12
    assert any("samples gave nothing" in note for note in found.notes)
    assert (found.frame["n_used"] == 12 - sum(found.failures.values())).all()
    monkeypatch.setattr(Fitters, "fit", lambda *_: "the fit did not converge. It stopped.")
    assert "none of 3 samples" in calibrate(fit, replications=3, executor="serial").notes[0]


def test_samples_without_robust_errors_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fitted(estimator="ML")
    ways = ways_of(fit)

    class Same:
        def sample(self, rng: np.random.Generator) -> Any:
            return fit.sample

    def fail(*_: Any) -> Any:
        raise DataError("Rows are needed.")

    regime = Regime(Same(), fitters_like(fit), ways, (6,), tuple(all_tests_of(fit, ways)), 1)  # type: ignore[arg-type]
    assert regime([0])[0].reason == ""
    monkeypatch.setattr(calibrating, "all_tests_of", fail)
    assert regime([0])[0].reason == "Rows are needed."


def test_what_to_think_of_a_rate() -> None:
    words = ("rejects too often", "rejects too seldom")
    assert _verdict(0.06, 0.05, 0.01, words) == "fit for use"
    assert _verdict(0.09, 0.05, 0.01, words) == "unclear"
    assert _verdict(0.12, 0.05, 0.01, words) == "rejects too often"
    assert _verdict(0.0, 0.05, 0.001, words) == "rejects too seldom"
    assert _verdict(math.nan, 0.05, math.nan, words) == "cannot tell"


def test_the_advice() -> None:
    def row(name: str, rate: float, yours: bool, verdict: str) -> dict[str, Any]:
        return {"name": name, "rate": rate, "yours": yours, "verdict": verdict, "mc_error": 0.01}

    good, bad = row("swain", 0.052, False, "fit for use"), row("standard", 0.2, True, "rejects too often")
    lines = _recommended([bad, good], "test", "rejects the true model in", 0.05)
    assert "trust 'swain'" in lines[0]
    assert "Your own, 'standard'" in lines[1]
    assert len(_recommended([{**good, "yours": True}], "test", "rejects the true model in", 0.05)) == 1
    assert "None of the tests" in _recommended([bad], "test", "rejects the true model in", 0.05)[0]
    assert _recommended([row("x", math.nan, True, "cannot tell")], "test", "rejects", 0.05) == []


def test_mistakes() -> None:
    fit = fitted(estimator="ML")
    with pytest.raises(OptionError, match="alpha=1"):
        calibrate(fit, alpha=1)
    with pytest.raises(OptionError, match="replications=0"):
        calibrate(fit, replications=0)
    groups = quietly(ts.sem, TEXT, DATA.assign(half=np.arange(len(DATA)) % 2), group="half")
    with pytest.raises(NotAvailableError, match="one group"):
        calibrate(groups)
