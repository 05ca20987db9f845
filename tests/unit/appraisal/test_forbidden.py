"""What a theory leaves out: which claims those are, how they are tested, and what is said of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.forbidden.absences import judge_absences
from trustsem.appraisal.forbidden.absent import absent_arrows, absent_covariances, absent_loadings
from trustsem.appraisal.forbidden.forbidden import forbidden
from trustsem.appraisal.structure import Graph, graph_of_table
from trustsem.fitting.score import score_test

THEORY = ts.load_theory("metz2022")
SURVEY = ts.load_dataset("survey")
COMPLETE = SURVEY.dropna().drop(columns="team")
TIERS = {node.name: node.tier for node in THEORY.nodes}


def appraised(theory: Any = THEORY, data: Any = SURVEY, **options: Any) -> Any:
    return quietly(ts.appraise, theory, data, **options)


ROBUST = appraised(estimator="MLR", missing="fiml", cluster="team")
PLAIN = appraised(data=COMPLETE, estimator="ML")


# ---- which claims ---------------------------------------------------------------------------------------------------------------------------


def test_absent_arrows_go_from_earlier_to_later() -> None:
    found = absent_arrows(graph_of_table(THEORY.model()), TIERS)
    assert len(found) == 18
    assert all(TIERS[claim.rhs] < TIERS[claim.lhs] for claim in found)
    assert {claim.claim({}) for claim in found} >= {"Relational -> Outcomes", "Trust -> Commitment", "Motivation -> Outcomes"}


def test_within_a_tier_both_directions_are_claims_unless_a_chain_says_which() -> None:
    strict = absent_arrows(graph_of_table(THEORY.strict().model()), TIERS)
    named = {claim.claim({}) for claim in strict}
    assert {"Capability -> Motivation", "Motivation -> Capability"} <= named
    chain = Graph(("a", "b", "c"), (("a", "b"), ("b", "c")), ())
    assert [claim.claim({}) for claim in absent_arrows(chain, {"a": 1, "b": 1, "c": 1})] == ["a -> c"]
    # The chain is stronger than the tiers.
    assert [claim.claim({}) for claim in absent_arrows(chain, {"a": 3, "b": 2, "c": 1})] == ["a -> c"]


def test_arrow_and_free_covariance_leave_nothing_to_be_denied() -> None:
    graph = graph_of_table(THEORY.model())
    named = {frozenset((claim.lhs, claim.rhs)) for claim in (*absent_arrows(graph, TIERS), *absent_covariances(graph))}
    assert frozenset(("Capability", "Motivation")) not in named
    assert frozenset(("Relational", "Technical")) not in named
    assert len(absent_covariances(graph)) == 17


def test_loadings_are_those_on_other_factors() -> None:
    found = absent_loadings(THEORY.model())
    assert len(found) == 32 * 8
    assert "Trust -> c1" in {claim.claim({}) for claim in found}
    assert "Trust -> t1" not in {claim.claim({}) for claim in found}


# ---- the numbers ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("appraisal", "robust"), [(PLAIN, False), (ROBUST, True)], ids=["plain", "robust"])
def test_one_at_a_time_is_what_the_score_test_says(appraisal: Any, robust: bool) -> None:
    result = forbidden(appraisal)
    assert result.robust is robust
    for row in result.frame.iloc[[0, 5, 12, 20, 30]].itertuples():
        single = score_test(appraisal.fit, add=f"{row.lhs} {row.op} {row.rhs}", robust=robust)
        assert row.x2 == pytest.approx(single.total.statistic, rel=1e-8)
        assert row.epc == pytest.approx(float(single.univariate["epc"].iloc[0]), rel=1e-8)
        last = single.epc.iloc[-1]
        assert row.std == pytest.approx(float(last["sepc_all"]), rel=1e-8)


@pytest.mark.parametrize("arrow", ["Relational -> Commitment", "Trust -> Outcomes"])
def test_a_small_violation_of_a_population_is_expected_as_it_is(arrow: str) -> None:
    """With its standard error: what is expected of the model without the restriction is what that model says of the same moments."""
    cause, effect = arrow.split(" -> ")
    wide = THEORY.with_path(cause, effect)
    population = wide.population("calibrated", paths={arrow: 0.02})
    moments = {"sample_cov": pd.DataFrame(population.cov, population.names, population.names), "sample_nobs": 2000, "sample_cov_rescale": False}
    row = forbidden(appraised(data=None, **moments)).frame.set_index("claim").loc[arrow]
    found = quietly(ts.sem, wide, **moments).standardized_solution()
    refit = found[(found["op"] == "~") & (found["lhs"] == effect) & (found["rhs"] == cause)].iloc[0]
    assert refit["est_std"] == pytest.approx(0.02, abs=1e-6)
    assert row["std"] == pytest.approx(0.02, rel=0.02)
    assert row["se"] == pytest.approx(refit["se"], rel=0.02)


def test_power_and_detectable_size_belong_together() -> None:
    frame = forbidden(PLAIN, sesoi=0.2).frame
    at = forbidden(PLAIN, sesoi=float(frame["mde"].iloc[0])).frame
    assert at["power"].iloc[0] == pytest.approx(0.8, abs=1e-4)
    assert (frame["power"] > forbidden(PLAIN, sesoi=0.1).frame["power"]).all()


def test_claims_that_are_the_same_claim_are_counted_once() -> None:
    frame = forbidden(appraised(THEORY.strict(), COMPLETE)).frame.set_index("claim")
    assert "Motivation -> Capability" in frame.loc["Capability -> Motivation", "same_as"]
    assert frame.loc["Motivation -> Capability", "x2"] == pytest.approx(frame.loc["Capability -> Motivation", "x2"], rel=1e-6)
    arrows = frame[frame["kind"] == "arrow"]
    distinct = len({round(value, 6) for value in arrows["x2"]})
    smallest = arrows["p"].min()
    assert arrows["p_zero"].min() == pytest.approx(min(smallest * distinct, 1.0))


# ---- the rule -------------------------------------------------------------------------------------------------------------------------------


def judged(estimate: list[float], se: list[float], **options: Any) -> Any:
    return judge_absences(np.array(estimate), np.array(se), 0.1, 0.05, **options)


def test_the_rule() -> None:
    found = judged([0.00, 0.30, 0.12, 0.05, 0.05], [0.02, 0.05, 0.02, 0.01, 0.10])
    assert found.verdict == ("holds", "violated", "violated", "holds", "cannot tell")
    assert found.size_shown.tolist() == [False, True, False, False, False]
    assert found.conventional == ("no misspecification", "misspecification", "look at the size", "look at the size", "inconclusive")


def test_not_significant_with_high_power_is_not_enough_to_hold() -> None:
    found = judged([0.06], [0.034])
    assert found.power[0] > 0.8
    assert found.conventional == ("no misspecification",)
    assert found.verdict == ("cannot tell",)


def test_what_is_not_known_is_in_no_family() -> None:
    found = judged([0.30, np.nan, 0.0], [0.05, np.nan, 0.0])
    assert found.p_zero[0] == pytest.approx(found.pvalue[0])
    assert found.verdict == ("violated", "cannot tell", "cannot tell")
    assert found.conventional[1] == ""


def test_families_count_equal_claims_once() -> None:
    alone, thrice = judged([0.12], [0.05]), judged([0.12, 0.12, -0.12], [0.05] * 3, family=np.array([0, 0, 0]))
    assert thrice.p_zero.tolist() == pytest.approx([alone.p_zero[0]] * 3)
    assert thrice.p_equivalent.tolist() == pytest.approx([alone.p_equivalent[0]] * 3)


def test_size_is_shown_at_the_level_on_the_border() -> None:
    """At |b| = d the test that |b| > d is exact, also where d is small beside the error."""
    rng = np.random.default_rng(3)
    draws: NDArray[Any] = 0.1 + 0.2 * rng.standard_normal(40_000)
    share = np.mean([judged([value], [0.2]).p_size[0] < 0.05 for value in draws[:4000]])
    assert share == pytest.approx(0.05, abs=3.5 * np.sqrt(0.05 * 0.95 / 4000))


# ---- what is told ---------------------------------------------------------------------------------------------------------------------------


def test_a_violation_is_found_refitted_and_shown() -> None:
    theory = THEORY.without_path("Trust", "Motivation")
    result = forbidden(appraised(theory, SURVEY, cluster="team"))
    row = result.frame.set_index("claim").loc["Trust -> Motivation"]
    assert row["verdict"] == "violated"
    assert row["size_shown"]
    assert row["std_refit"] == pytest.approx(0.46, abs=0.05)
    assert forbidden(appraised(theory, SURVEY, cluster="team"), refits=False).frame["std_refit"].isna().all()
    assert "violated" in str(result)
    assert result.counts["violated"] >= 1


def test_loadings_are_a_table_of_their_own() -> None:
    result = forbidden(ROBUST, loadings=True)
    assert len(result.loadings) == 256
    assert (result.loadings["sesoi"] == 0.2).all()
    assert "256 tested" in str(result)
    assert len(result.to_dict()["loadings"]) == 256
    assert forbidden(ROBUST).loadings is None


def test_json_and_html() -> None:
    result = forbidden(ROBUST)
    assert len(json.loads(json.dumps(result.to_dict()))["rows"]) == 35
    assert "<table" in result._repr_html_()


def test_what_is_not_identified_says_so() -> None:
    """Without instruments a covariance of cause and effect can stand in for the arrow."""
    theory = THEORY.drop("Relational", "Technical", "Capability", "Opportunity", "Resilience", "Commitment")
    result = forbidden(appraised(theory, COMPLETE))
    assert result.frame["claim"].tolist() == ["Motivation <-> Outcomes"]
    assert result.frame["verdict"].tolist() == ["cannot tell"]
    assert result.frame["reason"].iloc[0].startswith("not identified")
    assert "Not identified, hence not tested: Motivation <-> Outcomes." in result.notes


@pytest.mark.parametrize(
    ("options", "words"),
    [({"estimator": "ULS"}, "need a likelihood"), ({"se": "none"}, "no standard errors"), ({"group": "half"}, "several groups")],
    ids=["uls", "no errors", "groups"],
)
def test_no_verdict_has_its_reason_first(options: dict[str, Any], words: str) -> None:
    data = COMPLETE.assign(half=np.arange(len(COMPLETE)) % 2) if "group" in options else COMPLETE
    result = forbidden(appraised(data=data, **options), loadings=True)
    assert words in result.notes[0]
    assert set(result.frame["verdict"]) == {"no verdict"}
    assert set(result.loadings["verdict"]) == {"no verdict"}
    assert "no verdicts" in str(result)


def test_two_stages_are_not_available() -> None:
    assert "in two stages" in forbidden(appraised(missing="robust_two_stage")).notes[0]


def test_other_theories_and_samples() -> None:
    moments = forbidden(appraised(data=None, sample_cov=COMPLETE.cov(), sample_nobs=len(COMPLETE)))
    assert np.allclose(moments.frame["std"], forbidden(PLAIN).frame["std"], atol=2e-4)
    composites = THEORY.with_strategies("composites")
    assert len(forbidden(appraised(composites, composites.composites(SURVEY, minimum=2), cluster="team")).frame) == 35
    predictors = forbidden(appraised(THEORY.with_strategies("predictors"), SURVEY, cluster="team"))
    assert len(predictors.frame[predictors.frame["kind"] == "arrow"]) == 60
    assert predictors.frame["std"].notna().all()
    two = forbidden(appraised(THEORY.with_indicators({"Trust": ["t1", "t2", "t3"], "Outcomes": ["acc", "app", "fea"]}), COMPLETE), loadings=True)
    assert two.frame.empty
    assert "Every pair of constructs is joined" in str(two)


def test_the_size_of_interest_is_that_of_the_claims() -> None:
    assert (forbidden(appraised(data=COMPLETE, sesoi=0.15)).frame["sesoi"] == 0.15).all()
    assert (forbidden(appraised(data=COMPLETE, sesoi={"P1": 0.3})).frame["sesoi"] == THEORY.sesoi.value).all()
