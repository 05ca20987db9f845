"""Several methods side by side: what they say of exact moments, of every form of theory, and where they cannot say anything."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.identification.by_method import METHODS, estimates_by_method
from trustsem.appraisal.identification.miiv import miiv
from trustsem.appraisal.identification.triangulate import triangulate
from trustsem.inference.composite_regression import composite_moments, corrected_moments, standardized_regression
from trustsem.theory.forms import composite_means

THEORY = ts.load_theory("metz2022")
SURVEY = ts.load_dataset("survey")
TRUTH = THEORY.population("calibrated")


def exact(n: int = 2_000) -> pd.DataFrame:
    return pd.DataFrame(TRUTH.cov, index=TRUTH.names, columns=TRUTH.names) * n / (n - 1)


@cache
def of_survey() -> Any:
    return quietly(ts.appraise, THEORY, SURVEY, cluster="team", estimator="MLR", missing="fiml")


def test_all_methods_agree_on_exact_moments() -> None:
    appraisal = quietly(ts.appraise, THEORY, sample_cov=exact(), sample_nobs=2_000)
    found = triangulate(appraisal)
    truth = {(path.left, path.right): path.value for path in next(p for p in THEORY.presets if p.name == "calibrated").paths}
    expected = [truth[claim.cause, claim.effect] for claim in appraisal.claims]
    for name in ("ml", "miiv", "sam", "corrected"):
        assert_allclose(found.frame[name], expected, atol=1e-6)
    assert (found.frame["composite"].abs() < np.abs(expected)).sum() > 10
    assert (found.frame["disagree"] == "").all()
    assert set(found.frame["reading"]) == {"methods agree"}
    assert (found.frame["miiv_verdict"] == "supported").all()


def test_errors_of_the_fit_are_its_own() -> None:
    """Complete normal data: to first order nothing is left out of the derivatives."""
    appraisal = quietly(ts.appraise, THEORY, sample_cov=exact(), sample_nobs=2_000)
    found = estimates_by_method(appraisal)
    assert_allclose(found.found["ml"].errors(found.moments), appraisal.estimates["se"], rtol=1e-5)
    assert_allclose(found.found["ml"].estimate, appraisal.estimates["est_std"], atol=1e-8)


def test_less_efficient_methods_have_larger_errors_and_their_difference_is_hausman() -> None:
    """With normal data maximum likelihood is efficient, so that variances of differences are differences of variances."""
    appraisal = quietly(ts.appraise, THEORY, sample_cov=exact(), sample_nobs=2_000)
    found = estimates_by_method(appraisal)
    own = found.found["ml"].errors(found.moments)
    for name in ("miiv", "sam", "corrected"):
        other = found.found[name].errors(found.moments)
        _, gap = found.found[name].differences(found.found["ml"], found.moments)
        assert_allclose(gap**2, other**2 - own**2, rtol=1e-4, atol=1e-9)


def test_survey_with_teams_and_missing_values() -> None:
    found = triangulate(of_survey())
    assert len(found.frame) == 13
    for name in METHODS:
        assert found.frame[name].between(-1.0, 1.0).all()
        assert (found.frame[f"{name}_se"] > 0.0).all()
    assert_allclose(found.frame["ml"], of_survey().verdicts["std"])
    assert found.frame["ml_verdict"].tolist() == of_survey().verdicts["verdict"].tolist()
    assert any("Values are missing" in note for note in found.notes)
    told = found.to_dict()
    assert told["alpha"] == 0.05
    assert "Motivation" in str(found)
    assert "<table" in found._repr_html_()


def test_global_method() -> None:
    one, other = triangulate(of_survey()), triangulate(of_survey(), sam="global")
    assert_allclose(one.frame["sam"], other.frame["sam"], atol=0.06)
    assert (one.frame["sam"] != other.frame["sam"]).all()


@pytest.mark.parametrize("form", ["composites", "predictors"])
def test_observed_strategies(form: str) -> None:
    frame = SURVEY
    if form == "composites":
        frame = composite_means(SURVEY, {"relational": ["vul", "aut", "bid", "col", "emp"], "technical": ["fre", "res", "exp_", "qui"]})
    found = triangulate(quietly(ts.appraise, THEORY.with_strategies(form), frame, cluster="team", estimator="MLR", missing="fiml"))
    assert found.frame[list(METHODS)].notna().all().all()
    assert len(found.frame) == (13 if form == "composites" else 20)


def test_wholly_observed_theories_leave_nothing_to_compare() -> None:
    names = {node.name: [f"{node.name}_mean"] for node in THEORY.nodes}
    frame = composite_means(SURVEY.dropna(), {f"{node.name}_mean": list(node.indicators) for node in THEORY.nodes})
    found = triangulate(quietly(ts.appraise, THEORY.with_indicators(names), frame, estimator="ML", missing="listwise"))
    for name in ("miiv", "sam", "composite", "corrected"):
        assert_allclose(found.frame[name], found.frame["ml"], atol=1e-6)
    assert found.frame[["miiv_p", "sam_p", "corrected_p"]].isna().all().all()


@pytest.mark.parametrize("items", [2, 3])
def test_two_constructs(items: int) -> None:
    theory = THEORY.with_indicators({"Trust": ["t1", "t2", "t4"][:items], "Outcomes": ["acc", "app", "fea"][:items]})
    found = triangulate(quietly(ts.appraise, theory, SURVEY, estimator="MLR", missing="fiml"))
    assert len(found.frame) == 1
    assert found.frame[list(METHODS)].notna().all().all()


def test_other_estimators() -> None:
    complete = SURVEY.dropna()
    for name in ("GLS", "ULS"):
        found = triangulate(quietly(ts.appraise, THEORY, complete, estimator=name, missing="listwise"))
        assert found.frame["miiv_p"].notna().all()


def test_equations_that_are_not_identified_say_so() -> None:
    """Errors of commitment and outcomes that covary leave no instrument for commitment among its own items."""
    text = "Trust =~ t1 + t2 + t4\nOutcomes =~ acc + app + fea\nOutcomes ~ Trust\n"
    theory = THEORY.with_indicators({"Trust": ["t1", "t2", "t4"], "Outcomes": ["acc", "app", "fea"]})
    appraisal = quietly(ts.appraise, theory, SURVEY.dropna(), estimator="ML", missing="listwise")
    fit = quietly(ts.sem, text + "t2 ~~ acc\nt4 ~~ acc", SURVEY.dropna())
    found = triangulate(replace(appraisal, fit=fit))
    assert np.isnan(found.frame["miiv"].item())
    assert found.frame["reading"].item().startswith("MIIV: not identified: 0 instruments for 1 coefficient")
    assert np.isfinite(found.frame["sam"].item())


def test_constraints_are_refused_by_method_and_told() -> None:
    appraisal = quietly(ts.appraise, THEORY, SURVEY.dropna(), estimator="ML", missing="listwise")
    text = THEORY.syntax().replace("Capability ~ Trust", "Capability ~ k*Trust").replace("Motivation ~ Trust", "Motivation ~ k*Trust")
    equal = replace(appraisal, fit=quietly(ts.sem, text, SURVEY.dropna()))
    found = triangulate(equal)
    assert found.frame["ml"].notna().all()
    assert found.frame[["miiv", "sam", "composite", "corrected"]].isna().all().all()
    assert any("MIIV cannot estimate all claims: The model holds parameters equal" in note for note in found.notes)


def test_nothing_is_concluded_where_the_appraisal_withholds() -> None:
    small = THEORY.with_indicators({"Trust": ["t1", "t2", "t4"], "Outcomes": ["acc", "app", "fea"]})
    several = triangulate(quietly(ts.appraise, small, ts.load_dataset("groups"), group="role", estimator="ML", missing="listwise"))
    assert several.notes[0].startswith("No verdicts: ")
    assert several.frame["ml"].isna().all()
    unfinished = quietly(ts.appraise, THEORY, SURVEY.dropna(), se="none", estimator="ML", missing="listwise")
    found = triangulate(unfinished)
    assert found.notes[0] == "No verdicts: the fit has no standard errors."
    assert found.frame["sam"].notna().all()
    assert (found.frame["disagree"] == "").all()
    assert set(found.frame["sam_verdict"]) == {"no verdict"}


def test_an_item_of_two_constructs_is_seen() -> None:
    """Trust shows in an item of motivation: the fit takes that for an effect of trust, the equation of the other items does not."""
    population = ts.Population(THEORY.syntax() + "Trust =~ m3\n", {**TRUTH.values, "Trust=~m3": 0.5})
    cov = pd.DataFrame(population.cov, index=population.names, columns=population.names)
    appraisal = quietly(ts.appraise, THEORY, sample_cov=cov, sample_nobs=2_000)
    found = triangulate(appraisal).frame.set_index(["cause", "effect"])
    row = found.loc[("Trust", "Motivation")]
    truth = population.values["Motivation~Trust"]
    raw = miiv(appraisal).frame
    assert raw.query("lhs == 'Motivation' and rhs == 'Trust'")["est"].item() == pytest.approx(truth, abs=1e-8)
    assert row["ml"] > 0.45
    assert "MIIV" in row["disagree"]
    assert row["reading"] != "methods agree"
    assert found.loc[("Relational", "Trust"), "disagree"] == ""
    assert miiv(appraisal).equations.set_index("lhs").loc["m3", "p_holm"] < 1e-6


def test_corrected_regressions_on_known_numbers() -> None:
    """Two sums with reliability .8 and .5 and a correlation of .4: .4 / sqrt(.8 x .5) without errors."""
    cov = np.array([[1.0, 0.4], [0.4, 1.0]])
    own, slopes = composite_moments(cov, np.eye(2))
    value, _ = standardized_regression(own, slopes, 1, [0])
    assert value[0] == pytest.approx(0.4)
    corrected = corrected_moments(own, slopes, np.array([0.8, 0.5]), np.zeros((2, slopes.shape[-1])))
    value, change = standardized_regression(*corrected, 1, [0])
    assert value[0] == pytest.approx(0.4 / np.sqrt(0.4))
    assert change.shape == (1, 5)


@pytest.mark.parametrize("effect", [0, 2])
def test_slopes_of_regressions_are_derivatives(effect: int) -> None:
    rng = np.random.default_rng(2)
    root = rng.standard_normal((5, 5))
    cov, weights = root @ root.T + np.eye(5), rng.uniform(0.2, 1.0, (3, 5))
    causes = [k for k in range(3) if k != effect]
    value, slopes = standardized_regression(*composite_moments(cov, weights), effect, causes)
    i, j = np.tril_indices(5)
    for k in range(i.size):
        up = cov.copy()
        up[i[k], j[k]] += 1e-6
        if i[k] != j[k]:
            up[j[k], i[k]] += 1e-6
        moved = standardized_regression(*composite_moments(up, weights), effect, causes)[0]
        assert_allclose((moved - value) / 1e-6, slopes[:, 5 + k], atol=1e-4)


def test_composites_of_unlike_items_are_marked():
    theory = quietly(ts.load_theory("metz2022").with_indicators, {"Trust": ["t1", "t2", "t3"], "Outcomes": ["acc", "app", "fea"]})
    data = ts.load_dataset("trust_survey")
    usual = triangulate(quietly(ts.appraise, theory, data))
    other = triangulate(quietly(ts.appraise, theory, data.assign(t2=data["t2"] * 100.0)))
    assert not any("very different spreads" in note for note in usual.notes)
    assert any("Items of Trust have very different spreads" in note for note in other.notes)
