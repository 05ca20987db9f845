from __future__ import annotations

import re

import pandas as pd
import pytest

from trustsem.errors import DataError, TheoryError, TrustsemWarning
from trustsem.theory import parse_theory


def paths(theory):
    return {claim.path for claim in theory.claims}


def free_pairs(theory):
    return {covariance.pair for covariance in theory.covariances if covariance.free}


def n_free(theory):
    return sum(row.free for row in theory.model().rows)


def columns_of(theory):
    return {node.name: list(node.indicators) for node in theory.nodes}


def test_reference_form(metz):
    assert columns_of(metz) == {
        "Relational": ["vul", "aut", "bid", "col", "emp"],
        "Technical": ["fre", "res", "exp_", "qui"],
        "Trust": ["t1", "t2", "t3", "t4", "t5"],
        "Capability": ["c1", "c2", "c3"],
        "Opportunity": ["o1", "o2", "o3"],
        "Motivation": ["m1", "m2", "m3"],
        "Commitment": ["k1", "k2", "k3"],
        "Resilience": ["r1", "r2", "r3"],
        "Outcomes": ["acc", "app", "fea"],
    }
    assert [practice.construct for practice in metz.practices] == ["Relational"] * 5 + ["Technical"] * 4
    assert len(metz.claims) == 13


@pytest.mark.parametrize(
    ("change", "free"),
    [
        # 23 loadings, 32 residual variances, 9 latent variances, 1 covariance of predictors, 13 paths, 4 residual covariances.
        (lambda t: t, 82),
        (lambda t: t.strict(), 78),
        # The two sets of strategies are fixed covariates: 16 loadings, 23 residual variances, 7 variances, 13 paths.
        (lambda t: t.strict().with_strategies("composites"), 59),
        # Nine predictors instead of two.
        (lambda t: t.strict().with_strategies("predictors"), 66),
        # Nine columns: 7 variances, 13 paths, 4 covariances.
        (lambda t: t.with_indicators({name: name.lower() for name in columns_of(t)}), 24),
    ],
)
def test_number_of_free_parameters(metz, change, free):
    assert n_free(change(metz)) == free


def test_strict_writes_zeros_and_is_the_reference_text(metz):
    text = metz.strict().syntax()
    assert "Commitment ~~ 0*Resilience" in text
    assert text.count("~~ 0*") == 4
    assert "Trust ~ Relational + Technical\nCapability ~ Trust\nOpportunity ~ Trust\nMotivation ~ Trust\n" in text


def test_outcomes_that_defaults_would_correlate_are_kept_apart(metz):
    text = metz.rival("R3").theory.syntax()
    assert "Commitment ~~ Resilience\n" in text
    assert "Commitment ~~ 0*Outcomes\nResilience ~~ 0*Outcomes\n" in text


def test_own_columns(metz):
    columns = columns_of(metz) | {"Trust": ["a", "b"], "Outcomes": "y"}
    mine = metz.with_indicators(columns)
    assert mine.construct("Trust").indicators == ("a", "b")
    assert mine.construct("Outcomes").observed
    assert "y ~ Commitment + Resilience" in mine.syntax()
    assert "=~ y" not in mine.syntax()
    assert mine.propositions.set_index("id").loc["P12", "parameter"] == "y~Commitment"
    assert mine.warnings == ()
    assert metz.construct("Trust").indicators[0] == "t1"


def test_constructs_without_columns_are_projected_out_with_a_warning(metz):
    columns = columns_of(metz)
    del columns["Commitment"], columns["Technical"]
    mine = metz.with_indicators(columns)
    (warning,) = mine.warnings
    assert isinstance(warning, TrustsemWarning)
    assert warning.code == "TS-THEORY-01"
    assert "Dropped: Technical, Commitment." in warning.detail
    assert "Capability -> Outcomes (Capability -> Commitment -> Outcomes)" in warning.detail
    assert str(warning) in str(mine)
    derived = mine.propositions.query("derived")
    assert set(derived["cause"]) == {"Capability", "Opportunity", "Motivation"}
    assert set(derived["mark"]) == {"I"}
    assert set(derived["sesoi"]) == {0.1}
    assert set(mine.strategies["construct"]) == {"Relational"}
    assert set(mine.measures["construct"]) == {"Trust", "Capability", "Opportunity", "Motivation", "Resilience", "Outcomes"}
    assert mine.propositions.set_index("id").loc["P1", "routes"] == "residual association of Relational and Trust through Technical"


def test_columns_of_strategies_that_are_gone_are_not_shown(metz):
    mine = metz.with_indicators(columns_of(metz) | {"Relational": ["vul", "x2"]})
    assert list(mine.strategies["indicator"])[:5] == ["vul", "", "", "", ""]


@pytest.mark.parametrize(
    ("indicators", "words"),
    [
        ({"Trsut": ["a"]}, "metz2022 has no construct 'Trsut'. It has Relational, .* Did you mean 'Trust'"),
        ({}, "names no columns"),
        (["t1"], "names no columns"),
        ({"Trust": []}, r"indicators\['Trust'\] is \[\]"),
        ({"Trust": 3}, r"indicators\['Trust'\] is 3"),
        ({"Trust": ["a", 3]}, "Give the name of one column or a list of names"),
        ({"Trust": ["a", "a"]}, "The column 'a' is given for Trust and for Trust"),
        ({"Trust": ["a", "b"], "Outcomes": ["b"]}, "'b' is given for Trust and for Outcomes"),
        ({"Trust": ["my column", "b"]}, "'my column' of Trust cannot stand in model text"),
        ({"Trust": ["Outcomes", "b"], "Outcomes": ["c", "d"]}, "has the name of a construct with several columns"),
    ],
)
def test_columns_that_cannot_be_used_are_refused(metz, indicators, words):
    with pytest.raises(TheoryError, match=words):
        metz.with_indicators(indicators)


def test_adding_and_removing_a_path(metz):
    more = metz.with_path("Trust", "Outcomes", sign="-", sesoi=0.2)
    claim = more.claims[-1]
    assert (claim.id, claim.path, claim.sign, claim.sesoi, claim.mark) == ("A1", "Trust -> Outcomes", "-", 0.2, "I")
    assert claim.statement == "Trust lowers Outcomes."
    assert more.with_path("Relational", "Outcomes", statement="Mine.").claims[-1].id == "A2"
    assert "Outcomes ~ Commitment + Resilience + Trust" in more.syntax()
    back = more.without_path("Trust", "Outcomes")
    assert back.claims == metz.claims
    assert back.root == metz
    assert [step.kind for step in back.steps] == ["with_path", "without_path"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.with_path("Trust", "Outcome"), "no construct 'Outcome'.*Did you mean 'Outcomes'"),
        (lambda t: t.with_path("Trust", "Capability"), "has the path Trust -> Capability already"),
        (lambda t: t.with_path("Trust", "Outcomes", sign="0"), "sign='0' is not a direction"),
        (lambda t: t.with_path("Trust", "Outcomes", sesoi=0), "sesoi=0 is no smallest effect of interest"),
        (lambda t: t.with_path("Trust", "Outcomes", sesoi=float("nan")), "sesoi=nan"),
        (lambda t: t.with_path("Trust", "Outcomes", value=1.0), "value=1.0 is no standardized path"),
        (lambda t: t.with_path("Outcomes", "Trust"), "The claims form a cycle among .* Trust"),
        (lambda t: t.with_path("Trust", "Trust"), "cycle"),
        (lambda t: t.without_path("Trust", "Outcomes"), "metz2022 has no path Trust -> Outcomes. It has Relational -> Trust"),
        (lambda t: t.without_path("Trust", "Outcome"), "no construct 'Outcome'"),
        (lambda t: t.drop("Trst"), "Did you mean 'Trust'"),
        (lambda t: t.drop(*[node.name for node in t.nodes]), "Nothing is left of metz2022"),
        (lambda t: t.construct("trust"), "Did you mean 'Trust'"),
        (lambda t: t.with_strategies("formative"), "Unknown strategies='formative'. Allowed are 'reflective', 'composites', 'predictors'"),
        (lambda t: t.with_strategies("composites").with_strategies("predictors"), "The strategies are composites already"),
        (lambda t: t.drop("Relational", "Technical").with_strategies("composites"), "has no strategies with several columns"),
        (lambda t: t.with_path("Technical", "Relational").with_strategies("predictors"), "Relational is explained by"),
        (lambda t: t.composites(pd.DataFrame()), "This theory has no composites"),
        (lambda t: t.rival("R99"), "metz2022 has no rival 'R99'. It has R1, R2, R3, R4, R5, R6"),
    ],
)
def test_changes_that_cannot_be_made_are_refused(metz, change, words):
    with pytest.raises(TheoryError, match=words):
        change(metz)


def test_dropping_the_mediator_is_what_projection_says(metz):
    small = metz.drop("Trust")
    assert {f"{s} -> {c}" for s in ("Relational", "Technical") for c in ("Capability", "Opportunity", "Motivation")} <= paths(small)
    assert {claim.routes for claim in small.claims if claim.path == "Relational -> Motivation"} == {("Relational -> Trust -> Motivation",)}
    # A shared cause adds to a covariance that is stated; strict() no longer may fix it to zero.
    tier = {frozenset(pair) for pair in (("Capability", "Opportunity"), ("Capability", "Motivation"), ("Opportunity", "Motivation"))}
    assert free_pairs(small) == free_pairs(metz)
    assert free_pairs(small.strict()) == free_pairs(metz.strict().drop("Trust")) == tier
    assert "Stands for what both share through Trust." in {p.note for c in small.covariances for p in c.provenance}


def test_dropping_in_two_steps_is_dropping_at_once(metz):
    one, two = metz.drop("Trust", "Resilience"), metz.drop("Trust").drop("Resilience")
    assert paths(one) == paths(two)
    assert free_pairs(one) == free_pairs(two)
    assert len(two.warnings) == 2


def test_derived_signs_are_products(own):
    derived = own.drop("Growth")
    (claim,) = derived.claims
    assert (claim.path, claim.sign, claim.derived) == ("Water -> Harvest", "-", True)
    assert claim.statement == "Water lowers Harvest, along what was dropped."
    assert claim.sesoi == 0.1


def test_a_bow_that_cannot_be_folded_is_announced(own_text):
    more = '\n[[construct]]\nname = "Sun"\ndefinition = "Light."\ntier = 1\nmark = "I"\n'
    text = re.sub(r"(?s)\[\[(covariance|preset|rival)\]\].*?(?=\n\[\[|\Z)", "", own_text) + more
    small = parse_theory(text).with_path("Sun", "Growth").with_path("Sun", "Harvest").drop("Sun")
    # Growth <-> Harvest, which Sun leaves behind, cannot be folded into the arrow without an arrow Water -> Harvest.
    assert "Both an arrow and a residual covariance for Growth -> Harvest: the model may not be identified." in small.warnings[0].detail
    assert frozenset(("Growth", "Harvest")) in free_pairs(small)


def test_composites_of_own_items(metz):
    theory = metz.with_indicators(columns_of(metz) | {"Relational": ["x1", "x2"]}).with_strategies("composites")
    assert theory.construct("Relational").variable == "relational"
    assert "Trust ~ relational + technical" in theory.syntax()
    frame = pd.DataFrame({"x1": [1.0, None, 3.0], "x2": [3.0, 2.0, 4.0]} | {item: [1.0, 2.0, 3.0] for item in ("fre", "res", "exp_", "qui")})
    result = theory.composites(frame)
    assert result["relational"].isna().tolist() == [False, True, False]
    assert result["relational"].dropna().tolist() == [2.0, 3.5]
    assert result["technical"].tolist() == [1.0, 2.0, 3.0]
    assert theory.composites(frame, minimum=1)["relational"].tolist() == [2.0, 2.0, 3.5]
    assert "relational" not in frame
    again = theory.with_indicators(columns_of(theory) | {"Relational": ["x1", "x2", "x3"], "Technical": "tec"})
    assert again.construct("Relational").items == ("x1", "x2", "x3")
    assert again.construct("Technical").variable == "tec"
    assert again.construct("Technical").items == ()


@pytest.mark.parametrize(
    ("change", "minimum", "words"),
    [
        (lambda f: f.drop(columns="vul"), None, "The items vul of 'relational' are not in the data"),
        (lambda f: f.assign(relational=1.0), None, "The data have a column 'relational' already"),
        (lambda f: f.assign(aut="x"), None, "The items aut of 'relational' are not numbers"),
        (lambda f: f, 0, "minimum=0 is impossible for the 5 items"),
        (lambda f: f, 5, "minimum=5 is impossible for the 4 items of 'technical'"),
    ],
)
def test_composites_that_cannot_be_formed_are_refused(metz, change, minimum, words):
    frame = pd.DataFrame({practice.indicator: [1.0, 2.0] for practice in metz.practices})
    with pytest.raises(DataError, match=words):
        metz.with_strategies("composites").composites(change(frame), minimum=minimum)


def test_predictors_split_the_claims(metz):
    theory = metz.with_strategies("predictors")
    assert theory.syntax() == metz.syntax(strategies="predictors")
    assert theory.form == "predictors"
    split = theory.propositions.query("effect == 'Trust'")
    assert list(split["cause"]) == ["vul", "aut", "bid", "col", "emp", "fre", "res", "exp_", "qui"]
    assert split["derived"].all()
    assert set(split["mark"]) == {"I"}
    assert split["statement"].iloc[0] == "Vulnerability raises Trust, the other strategies being equal."
    assert split["parameter"].iloc[0] == "Trust~vul"
    assert "Trust ~ vul + aut + bid + col + emp + fre + res + exp_ + qui" in theory.syntax()
    assert {row.name for row in theory.model().rows if row.exo} >= {"vul~~vul", "vul~~qui"}
    assert theory.with_strategies("predictors") is theory
    assert set(theory.strategies["construct"]) == set(split["cause"])


def test_columns_that_are_no_known_strategy_become_predictors_too(metz):
    theory = metz.with_indicators(columns_of(metz) | {"Relational": ["z1", "z2"]}).with_strategies("predictors")
    assert theory.construct("z1").title == "z1"
    assert theory.construct("fre").title == "Frequent interactions"


def test_latent_and_observed_predictors_covary(metz):
    text = metz.with_indicators(columns_of(metz) | {"Technical": "tec"}).syntax()
    assert "# Associations of predictors\ntec ~~ tec\nRelational ~~ tec\n" in text


def test_a_covariance_is_written_once_when_its_constructs_become_predictors(metz):
    columns = {name: name.lower() for name in columns_of(metz)}
    text = metz.with_indicators(columns).without_path("Trust", "Capability").without_path("Trust", "Opportunity").syntax()
    assert len(re.findall("capability ~~ opportunity", text)) == 1
