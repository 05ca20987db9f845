"""Severity of claims: closed forms, worlds that are impossible, appraisals without verdicts."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.severity.altered import alterations, population_of
from trustsem.appraisal.severity.severity import severity
from trustsem.inference.severity import chances

N, R = 200, 0.3


def theory_of(**columns: list[str]) -> Any:
    return ts.load_theory("metz2022").drop(*(c.name for c in ts.load_theory("metz2022").nodes if c.name not in columns)).with_indicators(columns)


def frame(matrix: Any, names: str) -> pd.DataFrame:
    return pd.DataFrame(matrix, index=names.split(), columns=names.split())


PAIR = theory_of(Trust=["t"], Capability=["c"])


def pair(**options: Any) -> Any:
    return quietly(ts.appraise, PAIR, sample_cov=frame([[1.0, R], [R, 1.0]], "t c"), sample_nobs=N, fixed_x=False, **options)


@pytest.fixture(scope="module")
def survey() -> Any:
    theory = ts.load_theory("metz2022").drop("Relational", "Technical", "Resilience", "Outcomes")
    return quietly(ts.appraise, theory, ts.load_dataset("survey"), estimator="MLR", missing="fiml", cluster="team")


def test_two_variables_have_the_closed_form_of_a_correlation() -> None:
    found = severity(pair()).frame.iloc[0]
    se = (1.0 - R**2) / math.sqrt(N)  # of a correlation, at its value
    assert found["std"] == pytest.approx(R)
    assert found["std_se"] == pytest.approx(se, rel=1e-6)
    assert found["severity"] == pytest.approx(norm.cdf(R / se), rel=1e-6)
    assert found["severity_d"] == pytest.approx(norm.cdf((R - 0.1) / se), rel=1e-6)
    assert found["severity_minus_d"] == pytest.approx(norm.cdf((R + 0.1) / se), rel=1e-6)
    assert found["se_if_zero"] == pytest.approx(1.0 / math.sqrt(N), rel=1e-6)
    for name in ("minus_d", "d"):
        assert found[f"se_if_{name}"] == pytest.approx((1.0 - 0.01) / math.sqrt(N), rel=1e-6)
    # One claim: no adjustment.
    assert found[["level_zero", "level_equivalent", "level_size"]].tolist() == [0.05] * 3
    zero, below = (chances(value, np.asarray(found[f"se_if_{name}"]), 0.1, 0.05, 0.05, 0.05) for name, value in (("zero", 0.0), ("minus_d", -0.1)))
    assert found["supported_if_zero"] == pytest.approx(0.025)
    assert found["denied_if_zero"] == found["denied_if_zero_least"] == pytest.approx(float(zero.denied))
    assert found["denied_if_minus_d"] == pytest.approx(float(below.denied))
    assert found["size_shown_if_d"] == pytest.approx(0.05)
    # b / se(b) = z with se = (1 - b^2) / sqrt(n).
    z = norm.ppf(0.975) + norm.ppf(0.8)
    effect = (math.sqrt(N + 4.0 * z**2) - math.sqrt(N)) / (2.0 * z)
    assert found["mde"] == pytest.approx(effect, abs=2e-5)
    assert found["mde_adjusted"] == pytest.approx(found["mde"])
    assert found["reason"] == ""


def test_more_rows_and_robust_errors_carry_over() -> None:
    wide = alterations(pair())
    assert wide.ratio == pytest.approx([1.0], rel=1e-6)
    rng = np.random.default_rng(1)
    rows = rng.standard_t(5, size=(300, 2)) @ np.array([[1.0, 0.4], [0.0, 1.0]])
    robust = quietly(ts.appraise, PAIR, pd.DataFrame(rows, columns=["t", "c"]), estimator="MLR", fixed_x=False)
    plain = quietly(ts.appraise, PAIR, pd.DataFrame(rows, columns=["t", "c"]), estimator="ML", se="standard", test="standard", fixed_x=False)
    ratio = robust.estimates["se"][0] / plain.estimates["se"][0]
    assert alterations(robust).ratio == pytest.approx([ratio], rel=1e-5)
    assert severity(robust).frame["se_if_zero"][0] == pytest.approx(ratio / math.sqrt(300), rel=1e-5)


def test_negative_claims_are_looked_at_from_their_side() -> None:
    given = pair()
    turned = replace(given, claims=(replace(given.claims[0], sign="-"),))
    found, other = severity(turned).frame.iloc[0], severity(given).frame.iloc[0]
    assert found["severity"] == pytest.approx(1.0 - other["severity"])
    assert found["denied_if_zero"] == pytest.approx(other["denied_if_zero"])
    assert found["mde"] == pytest.approx(other["mde"])


def test_a_world_that_is_impossible_says_so() -> None:
    theory = theory_of(Relational=["x1"], Technical=["x2"], Trust=["y"])
    b1, b2, r = 0.3, 0.95, -0.7
    cov = frame([[1.0, r, b1 + b2 * r], [r, 1.0, b2 + b1 * r], [b1 + b2 * r, b2 + b1 * r, 1.0]], "x1 x2 y")
    found = severity(quietly(ts.appraise, theory, sample_cov=cov, sample_nobs=200)).frame.set_index("cause")
    assert np.isnan(found.loc["Relational", "denied_if_minus_d"])
    assert "b = -0.1 is not possible here" in found.loc["Relational", "reason"]
    assert np.isfinite(found.loc["Relational", "denied_if_zero"])
    assert any("Relational -> Trust" in note for note in severity(quietly(ts.appraise, theory, sample_cov=cov, sample_nobs=200)).notes)


def test_effects_that_no_sample_of_this_size_detects() -> None:
    latent = theory_of(Relational=["vul", "aut", "bid"], Technical=["fre", "res", "qui"], Trust=["t1", "t2", "t3"])
    population = ts.alter(latent.population("calibrated"), covariances={"Relational~~Technical": 0.9})
    cov = frame(population.cov, " ".join(population.names))
    found = severity(quietly(ts.appraise, latent, sample_cov=cov, sample_nobs=30)).frame
    assert found["mde"].isna().all()
    assert found["reason"].str.contains("No possible effect is detected").all()


def test_the_effect_detected_may_be_next_to_the_largest_possible() -> None:
    theory = theory_of(Relational=["x1"], Technical=["x2"], Trust=["y"])
    cov = frame([[1.0, 0.0, 0.1], [0.0, 1.0, 0.9], [0.1, 0.9, 1.0]], "x1 x2 y")
    given = quietly(ts.appraise, theory, sample_cov=cov, sample_nobs=12, fixed_x=False)
    found = severity(given).frame.set_index("cause").loc["Relational"]
    factor = norm.ppf(0.975) + norm.ppf(0.8)
    assert found["mde"] < math.sqrt(1.0 - 0.9**2)
    assert found["mde"] / alterations(given).error(0, found["mde"]) == pytest.approx(factor, rel=0.01)


def test_claims_without_a_direction_have_a_reason() -> None:
    given = pair()
    found = severity(replace(given, claims=(replace(given.claims[0], sign="?"),)))
    assert found.frame[["severity", "mde"]].isna().all(axis=None)
    assert "states no direction" in found.frame["reason"][0]


def test_an_appraisal_without_verdicts_gives_the_reason_first() -> None:
    withheld = replace(pair(), withheld="the fit did not converge.")
    found = severity(withheld)
    assert found.notes[0] == "No verdicts: the fit did not converge."
    assert found.frame["severity"].isna().all()
    assert list(found.frame.columns) == list(severity(pair()).frame.columns)
    data = ts.load_dataset("survey")[["t1", "t2", "t3", "t4", "t5", "c1", "c2", "c3"]].dropna()
    theory = ts.load_theory("metz2022").drop(*(c.name for c in ts.load_theory("metz2022").nodes if c.name not in ("Trust", "Capability")))
    groups = quietly(ts.appraise, theory, data.assign(half=np.arange(len(data)) % 2), group="half")
    assert "several groups" in severity(groups).notes[0]


def test_the_survey(survey: Any) -> None:
    found = severity(survey)
    table = found.frame
    assert table["severity"].to_numpy() == pytest.approx(survey.verdicts["severity"].to_numpy(float))
    assert (table["reason"] == "").all()
    shares = table[[name for name in table if name.startswith(("supported", "denied", "severity", "size_shown"))]]
    assert ((shares >= 0.0) & (shares <= 1.0)).all(axis=None)
    assert (table["denied_if_minus_d"] > table["denied_if_zero"]).all()
    assert (table["supported_if_zero"] < 0.05).all()
    assert (table["mde_adjusted"] > table["mde"]).all()
    assert any("seldom have denied" in note for note in found.notes)
    # Other estimates stay where they were when one path is altered.
    world = alterations(survey)
    estimates, cov = world.estimates(1, -0.1)
    own = survey.estimates["est_std"].to_numpy()
    assert estimates[1] == pytest.approx(-0.1)
    assert np.delete(estimates, 1) == pytest.approx(np.delete(own, 1), abs=1e-5)
    assert np.linalg.eigvalsh(cov)[0] > 0.0


def test_results_tell_themselves(survey: Any) -> None:
    found = severity(survey)
    assert json.loads(json.dumps(found.to_dict()))["rows"][0]["cause"] == "Trust"
    assert "denied_if_zero" in str(found)
    assert "<table" in found._repr_html_()


def test_observed_predictors_and_composites() -> None:
    theory, data = ts.load_theory("metz2022"), ts.load_dataset("survey")
    for form in ("predictors", "composites"):
        variant = theory.with_strategies(form).drop("Resilience", "Capability", "Opportunity")
        rows = variant.composites(data) if form == "composites" else data
        found = severity(quietly(ts.appraise, variant, rows, estimator="MLR", missing="fiml"))
        assert np.isfinite(found.frame[["severity", "denied_if_zero"]].to_numpy(float)).all()


def test_a_fit_as_a_population_implies_its_own_moments() -> None:
    fit = pair().fit
    population = population_of(fit)
    assert population.cov == pytest.approx(fit.implied_blocks[0].sigma)


def test_paths_tied_to_others_cannot_be_altered_alone() -> None:
    theory = theory_of(Relational=["x1"], Technical=["x2"], Trust=["y"])
    cov = frame([[1.0, 0.2, 0.3], [0.2, 1.0, 0.3], [0.3, 0.3, 1.0]], "x1 x2 y")
    given = quietly(ts.appraise, theory, sample_cov=cov, sample_nobs=200)
    tied = replace(given, fit=quietly(ts.sem, "y ~ a*x1 + a*x2", sample_cov=cov, sample_nobs=200))
    found = severity(tied).frame
    assert found["denied_if_zero"].isna().all()
    assert found["reason"].str.contains("ties").all()
