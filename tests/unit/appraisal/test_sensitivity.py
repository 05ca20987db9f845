"""How strong what was left out would have to be: closed forms, tipping points by refitting, other kinds of data, refusals."""

from __future__ import annotations

import json
import math
import pickle
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.appraise import appraise
from trustsem.appraisal.result import Appraisal
from trustsem.appraisal.sensitivity.common_causes import mediating_pairs
from trustsem.appraisal.sensitivity.confounding import COVARY, IMPOSSIBLE, common_cause
from trustsem.appraisal.sensitivity.course import Course, margin_of
from trustsem.appraisal.sensitivity.cross_loading import NO_ITEMS, cross_course
from trustsem.appraisal.sensitivity.method_factor import method_course
from trustsem.appraisal.sensitivity.sensitivity import Sensitivity, sensitivity
from trustsem.appraisal.sensitivity.sensitivity_curve import sensitivity_curve
from trustsem.appraisal.sensitivity.tipping import closeness, first_change
from trustsem.spec.table import Row
from trustsem.theory import Theory

MODEL = ts.load_theory("metz2022")
TWO = MODEL.drop(*(name for name in ("Relational", "Technical", "Opportunity", "Motivation", "Commitment", "Resilience", "Outcomes")))
CORE = MODEL.drop("Relational", "Technical", "Resilience", "Opportunity")


@cache
def survey() -> pd.DataFrame:
    return ts.load_dataset("survey")


def columns_of(theory: Theory) -> list[str]:
    return [name for node in theory.nodes for name in node.indicators]


def complete(theory: Theory, rows: int = 300, seed: int = 1) -> pd.DataFrame:
    return ts.simulate(theory, n=rows, seed=seed)


def observed(theory: Theory) -> Theory:
    """The theory with one column for every construct."""
    return theory.with_indicators({node.name: [node.indicators[0]] for node in theory.nodes})


@cache
def of_survey() -> Appraisal:
    return quietly(appraise, MODEL, survey(), estimator="MLR", missing="fiml", cluster="team")


@cache
def told() -> Sensitivity:
    return sensitivity(of_survey())


@cache
def of_core() -> Appraisal:
    return quietly(appraise, CORE, complete(CORE), estimator="ML")


def pair(r: float, n: int = 400) -> Appraisal:
    """An appraisal of one path between two columns with correlation r."""
    theory = observed(TWO)
    names = columns_of(theory)
    cov = pd.DataFrame([[1.0, r], [r, 1.0]], index=names, columns=names)
    return quietly(appraise, theory, sample_cov=cov, sample_nobs=n, estimator="ML")


# Closed forms


@pytest.mark.parametrize("r", [0.12, 0.3, 0.6, -0.4])
def test_two_columns_follow_the_closed_form(r: float) -> None:
    """The path that remains is r - a b, with the standard error of a correlation."""
    appraisal = pair(r)
    curve = sensitivity_curve(appraisal, "Trust -> Capability", [0.0, 0.2, 0.4, -0.3]).frame
    products = np.array([0.0, 0.04, 0.16, -0.09])
    np.testing.assert_allclose(curve["std"], r - products, atol=1e-9)
    # Only the appraisal's own error treats the covariate as fixed; the others begin there.
    start = float(appraisal.estimates["se"].iloc[0])
    np.testing.assert_allclose(curve["se"], start, rtol=1e-6)


@pytest.mark.parametrize("r", [0.3, 0.6])
def test_nothing_is_left_where_the_impact_is_the_correlation(r: float) -> None:
    """Frank's (2000) impact threshold for an effect of 0, and the robustness of Cinelli & Hazlett (2020): their bias is all of the path."""
    row = sensitivity(pair(r)).confounding.frame.iloc[0]
    assert row["at_zero"] ** 2 == pytest.approx(r, rel=1e-3)
    a = math.sqrt(r)
    with_cause, with_effect_given_cause = a * a, (a * (1 - r)) ** 2 / ((1 - a * a) * (1 - r * r))
    bias = math.sqrt(with_effect_given_cause * with_cause / (1 - with_cause)) * math.sqrt(1 - r * r)
    assert bias == pytest.approx(r)


def test_the_strength_for_a_smaller_effect_follows_the_closed_form() -> None:
    row = sensitivity(pair(0.5)).confounding.frame.iloc[0]
    assert row["at_sesoi"] ** 2 == pytest.approx(0.4, rel=1e-3)
    assert row["kind"] == "explains away"


@pytest.mark.parametrize("ratio", [0.5, 2.0])
def test_unequal_effects_have_the_same_product(ratio: float) -> None:
    equal = sensitivity(pair(0.3)).confounding.frame.iloc[0]
    unequal = sensitivity(pair(0.3), ratio=ratio).confounding.frame.iloc[0]
    assert unequal["strength"] ** 2 * ratio == pytest.approx(equal["strength"] ** 2, rel=2e-3)


def test_a_cause_that_cannot_exist_is_reported() -> None:
    """What would be left of a variance is negative."""
    curve = sensitivity_curve(pair(0.9), "Trust -> Capability", [0.9, 0.95, 1.0]).frame
    # With effects a on both, 1 - a^2 of the cause and 1 - (r - a^2)^2 - 2 (r - a^2) a^2 - a^2 of the effect are left.
    left = [min(1 - a**2, 1 - (0.9 - a**2) ** 2 - 2 * (0.9 - a**2) * a**2 - a**2) for a in (0.9, 0.95, 1.0)]
    assert [not reason for reason in curve["reason"]] == [share >= 0.0 for share in left]
    mask = sensitivity_curve(pair(0.9), "Trust -> Capability", [-0.6]).frame
    assert mask["reason"].iloc[0] == IMPOSSIBLE


def test_the_covariance_stands_for_a_phantom_variable() -> None:
    """The same numbers with the common cause as a latent variable of the model."""
    appraisal = of_core()
    course = common_cause(appraisal, "Trust", "Capability")
    assert course is not None
    point = course.at(0.09)
    assert point.kept is not None
    block, names = point.kept.fit.implied_blocks[0], point.kept.fit.model.blocks[0].variables
    sd = {name: math.sqrt(block.V[k, k]) for k, name in enumerate(names)}
    text = f"{CORE.syntax()}\nU =~ {0.3 * sd['Trust']!r}*Trust + {0.3 * sd['Capability']!r}*Capability\nU ~~ 1*U"
    phantom = quietly(ts.sem, text, complete(CORE), estimator="ML", orthogonal=False)
    table = phantom.standardized_solution().set_index(["lhs", "op", "rhs"])["est_std"]
    assert table["U", "=~", "Trust"] == pytest.approx(0.3, abs=2e-3)
    assert float(point.std[0]) == pytest.approx(table["Capability", "~", "Trust"], abs=2e-3)


# Tipping points


def verdict_at(course: Course, claim: int, coordinate: float) -> str:
    """The verdict after a search from nothing."""
    fresh = Course(course.appraisal, course.holding, course.targets, course.removed, course.limit, course.impossible)
    assert fresh.start.kept is not None
    return fresh.at(coordinate).verdicts[claim]


@pytest.mark.parametrize("claim", range(len(MODEL.claims)))
def test_verdicts_change_at_the_strength_told_and_not_below(claim: int) -> None:
    appraisal, row = of_survey(), told().confounding.frame.iloc[claim]
    course = common_cause(appraisal, row["cause"], row["effect"])
    assert course is not None
    product = row["strength"] ** 2
    assert verdict_at(course, claim, product) == row["to"] != row["verdict"]
    assert verdict_at(course, claim, product - 2.0 * closeness(product)) == row["verdict"]


@pytest.mark.parametrize("claim", [0, 2, 5, 11])
def test_so_do_those_of_a_method_factor(claim: int) -> None:
    row, course = told().method.frame.iloc[claim], method_course(of_survey())
    assert verdict_at(course, claim, row["loading"]) == row["to"] != row["verdict"]
    assert verdict_at(course, claim, row["loading"] - 2.0 * closeness(row["loading"])) == row["verdict"]
    assert row["share"] == pytest.approx(row["loading"] ** 2)


def test_and_those_of_cross_loadings() -> None:
    frame = told().items.frame
    found = frame[frame["loading"].notna()]
    assert len(found) > 2
    for claim, row in found.iterrows():
        course = cross_course(of_survey(), [Row(row["on"], "=~", row["item"])])
        below = row["loading"] - math.copysign(2.0 * closeness(row["loading"]), row["loading"])
        assert verdict_at(course, claim, row["loading"]) == row["to"] != row["verdict"]
        assert verdict_at(course, claim, below) == row["verdict"]
    rest = frame[frame["loading"].isna()]
    assert rest["largest"].notna().all()
    assert (rest["reason"] != "").all()


def test_pairs_change_the_first_verdict_of_all() -> None:
    for row in told().pairs.frame.to_dict("records"):
        course = common_cause(of_survey(), row["left"], row["right"])
        assert course is not None
        product = row["strength"] ** 2
        at, below = course.at(product), course.at(product - 2.0 * closeness(product))
        names = [claim.path for claim in of_survey().claims]
        changed = [names[k] for k in range(len(names)) if at.verdicts[k] != course.start.verdicts[k]]
        assert ", ".join(changed) == row["claim"]
        assert below.verdicts == course.start.verdicts


def test_mediating_pairs_are_joined_by_routes_alone() -> None:
    pairs = mediating_pairs(of_survey())
    assert ("Trust", "Outcomes") in pairs
    assert ("Trust", "Capability") not in pairs
    assert ("Capability", "Opportunity") not in pairs
    assert len(pairs) == 6


def test_the_course_begins_at_the_appraisal() -> None:
    appraisal = of_survey()
    for course in (common_cause(appraisal, "Trust", "Motivation"), method_course(appraisal)):
        assert course is not None
        np.testing.assert_allclose(course.start.std, appraisal.estimates["est_std"], atol=1e-6)
        np.testing.assert_allclose(course.errors(course.start), appraisal.estimates["se"], rtol=1e-4)
        assert list(course.start.verdicts) == list(appraisal.verdicts["verdict"])
        assert course.start.chisq_change == 0.0


def test_a_masked_effect_can_be_uncovered() -> None:
    """An undetermined claim is supported if a common cause has hidden the effect, and contradicted or negligible if one has made it up."""
    row = sensitivity(pair(0.05)).confounding.frame.iloc[0]
    assert row["verdict"] == "undetermined"
    assert (row["kind"], row["to"]) in {("masks", "supported"), ("explains away", "contradicted"), ("explains away", "negligible")}
    other = sensitivity(pair(0.01, 5000)).confounding.frame.iloc[0]
    assert other["verdict"] == "negligible"
    assert math.isfinite(other["strength"])


def test_a_search_that_finds_nothing_says_so() -> None:
    course = common_cause(pair(0.9), "t1", "c1")
    assert course is not None
    never = first_change(course, lambda point: 1.0, -1)
    assert never.reason == IMPOSSIBLE
    assert never.largest == pytest.approx(-(1.0 - math.sqrt(1.0 - 4.0 * 0.19)) / 2.0, rel=2e-3)
    assert math.isnan(never.at)


def test_strengths_beyond_impossible_ones_are_found() -> None:
    """Common causes with effects of .6 on columns that correlate .9 leave no variance; one with effects of .95 explains the correlation."""
    row = sensitivity(pair(0.9)).confounding.frame.iloc[0]
    assert row["at_zero"] ** 2 == pytest.approx(0.9, rel=1e-3)
    assert row["to"] == "supported but small"
    assert row["strength"] ** 2 == pytest.approx(0.8, abs=0.1)
    course = common_cause(pair(0.9), "t1", "c1")
    assert course is not None
    gap = first_change(course, lambda point: float(point.std[0]) - 0.5, 1)
    edge = (1.0 + math.sqrt(1.0 - 4.0 * 0.19)) / 2.0
    assert gap.at == pytest.approx(edge, rel=1e-3)
    assert not gap.point.trouble
    assert course.at(gap.at - 2.0 * closeness(gap.at)).trouble == IMPOSSIBLE
    assert "no verdict" in first_change(course, lambda point: math.nan, 1).reason
    margin = margin_of(course, [0])
    assert margin(course.start) > 0.0


# Other kinds of data and theory


@pytest.mark.parametrize("estimator", ["ML", "MLR", "GLS", "ULS", "MLM"])
def test_every_estimator_will_do(estimator: str) -> None:
    appraisal = quietly(appraise, TWO, complete(TWO), estimator=estimator)
    found = sensitivity(appraisal)
    row = found.confounding.frame.iloc[0]
    assert math.isfinite(row["at_zero"])
    course = common_cause(appraisal, "Trust", "Capability")
    assert course is not None
    assert abs(float(course.at(row["at_zero"] ** 2).std[0])) < 1e-3


def test_summary_statistics_will_do() -> None:
    data = complete(CORE)
    names = columns_of(CORE)
    by_rows = sensitivity(of_core())
    by_moments = sensitivity(quietly(appraise, CORE, sample_cov=data[names].cov(), sample_nobs=len(data), estimator="ML"))
    pd.testing.assert_frame_equal(by_rows.frame, by_moments.frame, rtol=1e-3)


def test_columns_as_constructs_will_do() -> None:
    theory = observed(CORE)
    appraisal = quietly(appraise, theory, complete(CORE)[columns_of(theory)], estimator="ML")
    found = sensitivity(appraisal)
    assert (found.items.frame["reason"] == NO_ITEMS).all()
    assert found.confounding.frame["at_zero"].notna().all()
    course = method_course(appraisal)
    np.testing.assert_allclose(course.start.std, appraisal.estimates["est_std"], atol=1e-7)


@pytest.mark.parametrize("form", ["composites", "predictors"])
def test_forms_of_the_strategies_will_do(form: str) -> None:
    theory = MODEL.drop("Commitment", "Resilience", "Opportunity", "Motivation", "Outcomes").with_strategies(form)
    data = ts.simulate(MODEL, n=300, seed=3)
    data = data.assign(relational=data[["vul", "aut", "bid", "col", "emp"]].mean(axis=1), technical=data[["fre", "res", "exp_", "qui"]].mean(axis=1))
    appraisal = quietly(appraise, theory, data, estimator="ML")
    found = sensitivity(appraisal)
    assert len(found.frame) == len(theory.claims)
    assert set(found.details) == {"confounding", "pairs", "method", "items"}


def test_bootstrap_errors_are_scaled_along() -> None:
    appraisal = quietly(appraise, TWO, complete(TWO), estimator="ML", se="bootstrap", bootstrap=60)
    found = sensitivity(appraisal)
    assert any("Bootstrap" in note for note in found.notes)
    course = common_cause(appraisal, "Trust", "Capability")
    assert course is not None
    np.testing.assert_allclose(course.start.se, appraisal.estimates["se"])
    assert course.at(0.01).se[0] == pytest.approx(course.start.se[0], rel=0.2)


def test_free_residual_covariances_absorb_a_common_cause() -> None:
    assert common_cause(of_survey(), "Commitment", "Resilience") is None
    found = sensitivity(of_core(), ["Trust -> Capability"], pairs=[("Capability", "Motivation")])
    assert found.pairs.frame["reason"].tolist() == [COVARY]


# What is told


def test_the_summary_repeats_its_parts() -> None:
    found = told()
    frame = found.frame
    assert list(frame["confounder"]) == list(found.confounding.frame["strength"])
    assert list(frame["method"]) == list(found.method.frame["loading"])
    assert list(frame["id"]) == [claim.id for claim in of_survey().claims]
    assert "no verdict" not in str(found).lower()
    assert json.loads(json.dumps(found.to_dict()))["parts"].keys() == {"confounding", "pairs", "method", "items"}
    for part in (found, *found.details.values()):
        assert part.heading in str(part).replace("\n", " ")
        assert "<table" in part._repr_html_()
    pickle.loads(pickle.dumps(found))


def test_one_claim_alone_gets_the_same_answer() -> None:
    alone = sensitivity(of_survey(), ["P6"], pairs=[]).frame.iloc[0]
    among = told().frame.set_index("id").loc["P6"]
    assert alone["confounder"] == pytest.approx(among["confounder"], rel=1e-6)
    assert alone["cross_loading"] == pytest.approx(among["cross_loading"], rel=1e-6)
    assert alone["method"] == pytest.approx(among["method"], rel=2e-3)


def test_benchmarks_are_other_causes_of_the_same_effect() -> None:
    frame = told().confounding.frame.set_index("id")
    assert frame.loc["P3", "benchmark_by"] == ""
    row, solution = frame.loc["P1"], of_survey().fit.standardized_solution().set_index(["lhs", "op", "rhs"])["est_std"]
    assert row["benchmark_by"] == "Technical"
    assert row["benchmark"] ** 2 == pytest.approx(solution["Relational", "~~", "Technical"] * solution["Trust", "~", "Technical"])
    assert row["times"] == pytest.approx(row["strength"] ** 2 / row["benchmark"] ** 2)


@pytest.mark.parametrize("options", [{"estimator": "ML", "se": "none"}])
def test_without_verdicts_nothing_could_change(options: dict[str, Any]) -> None:
    found = sensitivity(quietly(appraise, TWO, complete(TWO), **options))
    assert found.details == {}
    assert found.notes[0].startswith("No verdicts")
    assert found.frame["verdict"].tolist() == ["no verdict"]
    assert found.to_dict()["rows"][0]["confounder"] is None


def test_several_groups_get_a_reason() -> None:
    data = ts.load_dataset("groups")
    data = data[data["role"].isin(sorted(data["role"].unique())[:2])]
    found = sensitivity(quietly(appraise, TWO, data, group="role", estimator="MLR", missing="fiml"))
    assert "groups" in found.notes[0]
    assert found.details == {}


def test_curves_repeat_the_appraisal_at_nothing() -> None:
    curve = sensitivity_curve(of_survey(), "P3", [0.0, 0.3], by="method")
    first = curve.frame.iloc[0]
    own = of_survey().verdicts.set_index("id").loc["P3"]
    assert (first["std"], first["se"]) == pytest.approx((own["std"], own["std_se"]), rel=1e-4)
    assert first["verdict"] == own["verdict"]
    assert (curve.frame["ci_lower"] < curve.frame["std"]).all()
    assert curve.by == "method"
    assert len(sensitivity_curve(of_core(), "Trust->Capability").frame) == 15
