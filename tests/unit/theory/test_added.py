"""Constructs added to a theory or taken apart, and the rivals about them."""

from __future__ import annotations

import pickle

import pandas as pd
import pytest

import trustsem as ts
from trustsem.errors import TheoryError
from trustsem.theory import parse_theory
from trustsem.theory.rivals import repeat_step
from trustsem.theory.types import Step

COM = ("Capability", "Opportunity", "Motivation")
PARTS = {"AffectTrust": ["t1", "t2", "t3"], "CognitionTrust": ["t4", "t5"]}
SAFETY = ["s1", "s2", "s3"]


def paths(theory):
    return {claim.path for claim in theory.claims}


def free_pairs(theory):
    return {covariance.pair for covariance in theory.covariances if covariance.free}


def n_free(theory):
    return sum(row.free for row in theory.model().rows)


def test_a_construct_beside_another_has_its_causes_and_a_residual_covariance_with_it(metz):
    theory = metz.with_construct("Safety", SAFETY, beside="Trust")
    assert paths(theory) - paths(metz) == {"Relational -> Safety", "Technical -> Safety"}
    assert free_pairs(theory) - free_pairs(metz) == {frozenset(("Trust", "Safety"))}
    node = theory.construct("Safety")
    assert (node.title, node.tier, node.level, node.mark) == ("Psychological safety", 2, "individual", "I")
    assert "interpersonal risks" in node.definition
    assert "Safety =~ s1 + s2 + s3" in theory.syntax()
    assert "Outcomes ~~ 0*Safety" in theory.syntax()
    # Loadings and residual variances of three items, a residual variance, two paths, a covariance.
    assert n_free(theory) == n_free(metz) + 2 + 3 + 1 + 2 + 1
    assert [claim.sesoi for claim in theory.claims[-2:]] == [0.1, 0.1]


def test_a_construct_without_a_neighbour_is_a_predictor(metz):
    theory = metz.with_construct("Context", ["x1", "x2"], title="Setting", definition="Where it happens.")
    assert paths(theory) == paths(metz)
    assert free_pairs(theory) == free_pairs(metz)
    assert (theory.construct("Context").title, theory.construct("Context").tier) == ("Setting", 1)
    names = {row.name for row in theory.model().rows if row.free}
    assert {"Relational~~Context", "Technical~~Context"} <= names
    column = metz.with_construct("Context", "x1")
    assert "x1 ~~ x1\nRelational ~~ x1\nTechnical ~~ x1" in column.syntax()
    assert n_free(column) == n_free(metz) + 3


def test_a_neighbour_of_a_predictor_is_a_predictor(metz):
    theory = metz.with_construct("Praise", "praise", beside="Relational")
    assert paths(theory) == paths(metz)
    assert free_pairs(theory) == free_pairs(metz)


def test_neighbours_of_one_construct_are_neighbours_of_each_other(metz):
    theory = metz.with_construct("Safety", SAFETY, beside="Trust").with_construct("FeltTrust", "felt", beside="Trust")
    assert {frozenset(pair) for pair in (("Trust", "FeltTrust"), ("Safety", "FeltTrust"))} <= free_pairs(theory)


def test_added_constructs_are_steps(metz):
    theory = metz.with_construct("Safety", SAFETY, beside="Trust").strict()
    assert [step.kind for step in theory.steps] == ["with_construct", "strict"]
    again = theory.root
    for step in theory.steps:
        again = repeat_step(again, step)
    assert again == theory
    assert pickle.loads(pickle.dumps(theory)) == theory
    assert hash(theory) == hash(again)
    with pytest.raises(TheoryError, match=r"changed by with_construct, strict"):
        theory.to_toml()


@pytest.mark.parametrize(
    ("name", "added", "removed"),
    [
        ("R8", {f"Safety -> {c}" for c in COM}, {f"Trust -> {c}" for c in COM}),
        ("R9", {f"Context -> {c}" for c in ("Trust", *COM, "Outcomes")}, set()),
        ("R12", {f"FeltTrust -> {c}" for c in COM}, set()),
    ],
)
def test_rivals_about_a_construct_are_stated_once_it_is_measured(metz, name, added, removed):
    refused = metz.rival(name)
    wanted = refused.claim.awaited
    assert refused.theory is None
    assert refused.syntax is None
    assert refused.claim.requires == "construct"
    beside = ", beside='Trust'" if wanted.beside else ""
    assert f"The data need a measure of {wanted.name} " in refused.refusal
    assert f"theory.with_construct('{wanted.name}', [...]{beside})" in refused.refusal
    theory = metz.with_construct(wanted.name, ["z1", "z2", "z3"], beside=wanted.beside or None)
    rival = theory.rival(name)
    assert rival.refusal is None
    assert paths(rival.theory) - paths(theory) == added
    assert paths(theory) - paths(rival.theory) == removed
    assert rival.theory.id == f"metz2022/{name}"
    assert [node.indicators for node in rival.theory.nodes] == [node.indicators for node in theory.nodes]
    assert [step.kind for step in rival.theory.steps] == ["with_construct", "with_rival"]
    again = rival.theory.root
    for step in rival.theory.steps:
        again = repeat_step(again, step)
    assert again == rival.theory


@pytest.mark.parametrize("name", ["R8", "R12"])
def test_rivals_about_a_construct_follow_the_later_changes(metz, name):
    wanted = metz.rival(name).claim.awaited
    theory = metz.with_construct(wanted.name, SAFETY, beside="Trust").drop("Motivation").with_strategies("composites")
    rival = theory.rival(name).theory
    assert f"{wanted.name} -> Commitment" in paths(rival)
    assert rival.construct("Relational").variable == "relational"
    assert {node.name for node in rival.nodes} == {node.name for node in theory.nodes}


def test_the_other_rivals_are_about_the_enlarged_theory(metz):
    theory = metz.with_construct("Safety", SAFETY, beside="Trust")
    for rival in theory.rivals():
        if rival.theory is not None:
            assert rival.theory.construct("Safety").indicators == ("s1", "s2", "s3")
        if rival.syntax is not None:
            assert "s3" in rival.syntax
    assert theory.rival("R4").covariance_equivalent
    assert "R1" in theory.rival("R1").theory.id


def test_a_construct_in_another_place_or_dropped_is_no_measure_for_the_rival(metz):
    elsewhere = metz.with_construct("Context", ["x1", "x2"], beside="Trust").rival("R9")
    assert elsewhere.theory is None
    assert elsewhere.refusal.startswith("Context stands elsewhere in this variant than the rival has it.")
    assert "theory.with_construct('Context', [...])" in elsewhere.refusal
    gone = metz.with_construct("Safety", SAFETY, beside="Trust").drop("Safety").rival("R8")
    assert "The data need a measure of Safety" in gone.refusal
    late = metz.drop("Motivation").with_construct("Safety", SAFETY, beside="Trust").rival("R8")
    assert late.theory is None
    assert "It is about Motivation, which was dropped. Add Safety before other constructs are dropped." in late.refusal


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.with_construct("Trust", "x"), "metz2022 has the construct 'Trust' already. Give the new one another name"),
        (lambda t: t.with_construct("My trust", "x"), "The name 'My trust' cannot stand in model text"),
        (lambda t: t.with_construct("Safety", "x", beside="Trst"), "no construct 'Trst'.*Did you mean 'Trust'"),
        (lambda t: t.with_construct("Safety", []), r"indicators\['Safety'\] is \[\]"),
        (lambda t: t.with_construct("Safety", ["t1", "s"]), "The column 't1' is given for Trust and for Safety"),
        (lambda t: t.split("Trst", PARTS), "no construct 'Trst'"),
        (lambda t: t.split("Trust", {"A": ["t1", "t2", "t3", "t4", "t5"]}), "parts= has 1 part of Trust. Give at least two"),
        (lambda t: t.split("Trust", {"A": ["t1", "t2"], "B": ["t3", "t4"]}), "The parts leave out t5. Give each of t1, t2, t3, t4, t5 to one part"),
        (lambda t: t.split("Trust", PARTS | {"C": ["c1"]}), "The parts name c1, no column of Trust"),
        (lambda t: t.split("Trust", {"A": ["t1", "t2", "t3"], "B": ["t3", "t4", "t5"]}), "The column 't3' is given for A and for B"),
        (lambda t: t.split("Trust", {"Motivation": ["t1", "t2"], "B": ["t3", "t4", "t5"]}), "has the construct 'Motivation' already"),
        (lambda t: t.with_strategies("composites").split("Relational", PARTS), "Relational is one column, 'relational', which has no parts"),
        (lambda t: t.split("Trust", {}), "names no columns"),
        (lambda t: repeat_step(t, Step("with_rival", ("R99",))), "metz2022 has no rival 'R99'. It has R1"),
    ],
)
def test_what_cannot_be_added_or_taken_apart_is_refused(metz, change, words):
    with pytest.raises(TheoryError, match=words):
        change(metz)


def test_a_construct_taken_apart_keeps_causes_effects_and_columns(metz):
    theory = metz.split("Trust", PARTS)
    gone = {path for path in paths(metz) if "Trust" in path}
    assert paths(metz) - paths(theory) == gone
    assert paths(theory) - paths(metz) == {path.replace("Trust", part) for path in gone for part in PARTS}
    assert free_pairs(theory) - free_pairs(metz) == {frozenset(PARTS)}
    assert [column for node in theory.nodes for column in node.indicators] == [column for node in metz.nodes for column in node.indicators]
    derived = [claim for claim in theory.claims if claim.derived]
    assert len(derived) == 10
    assert derived[0].routes == ("part of Relational -> Trust",)
    assert {claim.statement for claim in derived if claim.path == "AffectTrust -> Motivation"} == {
        "AffectTrust raises Motivation, the other parts of Trust being equal."
    }
    assert theory.construct("AffectTrust").tier == 2
    assert "Trust" not in {measure.construct for measure in theory.instruments}
    assert {f"{part} -> Outcomes" for part in PARTS} <= paths(theory.rival("R1").theory)
    with pytest.raises(TheoryError, match=r"no value for .*Relational -> AffectTrust.*paths="):
        theory.population("calibrated")


def test_predictors_taken_apart_share_their_strategies(metz):
    theory = metz.split("Relational", {"Open": ["vul", "aut"], "Mutual": ["bid", "col", "emp"]})
    assert dict(zip(theory.strategies["indicator"], theory.strategies["construct"], strict=True))["col"] == "Mutual"
    assert free_pairs(theory) == free_pairs(metz)
    assert "Open~~Mutual" in {row.name for row in theory.model().rows if row.free}
    assert len(theory.with_strategies("predictors").claims) == 9 + 11


def test_residual_covariances_are_those_of_every_part(own):
    theory = own.with_indicators({"Water": ["w1", "w2", "w3"], "Growth": ["g1", "g2"], "Harvest": ["h1", "h2"]}).split(
        "Harvest", {"A": "h1", "B": "h2"}
    )
    assert free_pairs(theory) == {frozenset(pair) for pair in (("Water", "A"), ("Water", "B"), ("A", "B"))}


def test_the_two_dimensions_of_trust_are_refused_with_the_call_that_states_them(metz):
    rival = metz.rival("R11")
    assert rival.claim.requires == "split"
    assert "theory.split('Trust', {'AffectTrust': [...], 'CognitionTrust': [...]})" in rival.refusal


@pytest.mark.parametrize(
    ("name", "requires", "words"),
    [
        ("R6", "waves", "ts.fit_waves()"),
        ("R7", "interaction", "An interaction of latent variables is not available"),
        ("R13", "teams", "ts.homology()"),
        ("R14", "groups", "ts.compare_roles()"),
    ],
)
def test_rivals_that_take_other_data_name_what_answers_them(metz, name, requires, words):
    rival = metz.rival(name)
    assert rival.claim.requires == requires
    assert words in rival.refusal
    assert rival.syntax is None


def test_a_method_factor_costs_one_parameter(metz):
    for theory in (metz, metz.strict(), metz.with_strategies("composites"), metz.with_strategies("predictors")):
        rival = theory.rival("R10")
        assert rival.theory is None
        assert rival.refusal is None
        before, after = ts.compile(theory.syntax()).model, ts.compile(rival.syntax).model
        names, more = set(before.table.parameter_names()), set(after.table.parameter_names())
        assert more - names == {"SameSource~~SameSource"}
        assert names <= more
        assert before.blocks[0].observed == after.blocks[0].observed


def test_the_method_factor_is_the_theory_where_its_variance_is_zero(metz):
    population = metz.population("calibrated")
    cov = pd.DataFrame(population.cov, index=population.names, columns=population.names)
    rival = metz.rival("R10").syntax
    with_bias = cov + 0.2  # every item gets the same addition
    fit = ts.sem(rival, sample_cov=with_bias, sample_nobs=500)
    assert fit.converged
    assert fit.fit_measures(["chisq"]).iloc[0] < 1e-6
    assert fit.coef()["SameSource~~SameSource"] == pytest.approx(0.2 * 499 / 500, abs=1e-4)
    assert ts.sem(metz.syntax(), sample_cov=with_bias, sample_nobs=500).fit_measures(["chisq"]).iloc[0] > 1.0


def test_one_factor_is_behind_the_same_columns(metz):
    for theory in (metz, metz.with_strategies("composites")):
        columns = [column for node in theory.nodes for column in node.indicators]
        assert theory.rival("R10b").syntax == f"# Measurement\nGeneral =~ {' + '.join(columns)}\n"


def test_names_of_factors_do_not_collide(metz):
    theory = metz.with_construct("General", ["SameSource", "y"])
    assert "SameSource_ =~ 1*vul" in theory.rival("R10").syntax
    assert "General_ =~ vul" in theory.rival("R10b").syntax


def test_rivals_about_the_measurement_need_items(metz):
    observed = metz.with_indicators({"Trust": "t", "Outcomes": "y"})
    assert "Every construct is one column" in observed.rival("R10").refusal
    assert "One factor behind 2 columns is not identified" in observed.rival("R10b").refusal


AWAIT = """
[[rival]]
id = "R2"
title = "The sun"
says = "The sun does it."
requires = "construct"
construct = { name = "Sun", title = "Sunshine", definition = "Hours of sunshine.", beside = "Growth" }
add = [{ cause = "Sun", effect = "Harvest", statement = "The sun raises the harvest." }]
remove = ["Growth -> Harvest"]
needs = "A measure of sunshine."
difference = "Growth says nothing."
mark = "I"
"""

BROKEN = [
    ('requires = "construct"', 'requires = "sunshine"', "'sunshine' is not allowed"),
    ('requires = "construct"', 'requires = "waves"', "A rival that requires a construct names it, and no other does"),
    ('requires = "construct"\n', "", "A rival that requires a construct names it"),
    ('name = "Sun", title', 'nam = "Sun", title', "Unknown key 'nam'.*Did you mean 'name'"),
    ('name = "Sun"', 'name = "My sun"', "'My sun' cannot stand in model text"),
    ('beside = "Growth"', 'beside = "Grwth"', "'Grwth' is no construct.*Did you mean 'Growth'"),
    ('cause = "Sun"', 'cause = "Son"', "'Son' is no construct"),
    ('remove = ["Growth -> Harvest"]', 'remove = ["Growth -> Water"]', "removes Growth -> Water, which the theory does not have"),
    ('remove = ["Growth -> Harvest"]', 'measurement = "method"', "A rival about the measurement changes no arrows"),
    ('remove = ["Growth -> Harvest"]', 'measurement = "methods"', "'methods' is not allowed.*Did you mean 'method'"),
]


def test_a_file_may_state_such_rivals(own_text):
    theory = parse_theory(own_text + AWAIT)
    assert parse_theory(theory.to_toml()) == theory
    assert "The data need a measure of Sun (sunshine): theory.with_construct('Sun', [...], beside='Growth')." in str(theory.rival("R2"))
    grown = theory.with_construct("Sun", ["u1", "u2"], beside="Growth")
    assert paths(grown) == paths(theory) | {"Water -> Sun"}
    assert paths(grown.rival("R2").theory) == {"Water -> Growth", "Water -> Sun", "Sun -> Harvest"}
    assert grown.rival("R1").theory is not None


@pytest.mark.parametrize(("old", "new", "words"), BROKEN)
def test_what_is_wrong_with_such_a_rival_is_named(own_text, old, new, words):
    assert old in AWAIT
    with pytest.raises(TheoryError, match=f"(?s)garden\\.toml, line \\d+, \\[rival\\] .*{words}"):
        parse_theory(own_text + AWAIT.replace(old, new, 1), "garden.toml")


def test_the_construct_that_a_rival_awaits_is_not_there_already(own_text):
    text = AWAIT.replace('name = "Sun"', 'name = "Water"').replace('cause = "Sun"', 'cause = "Water"')
    with pytest.raises(TheoryError, match=r"The theory has the construct 'Water'. Give requires and construct"):
        parse_theory(own_text + text)


def test_a_requirement_without_a_refusal_is_refused(own_text):
    text = own_text.replace('needs = "One wave."', 'needs = "One wave."\nrequires = "teams"')
    with pytest.raises(TheoryError, match=r"The rival requires 'teams', which a theory for one wave does not have. Give the refusal"):
        parse_theory(text)


def test_a_preset_cannot_belong_to_a_rival_that_awaits_its_construct(own_text):
    text = own_text.replace('title = "Plain values"', 'title = "Plain values"\nrival = "R2"') + AWAIT
    with pytest.raises(TheoryError, match=r"'R2' is no rival that can be fitted. There are R1"):
        parse_theory(text)
