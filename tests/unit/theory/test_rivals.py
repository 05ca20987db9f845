from __future__ import annotations

import pandas as pd
import pytest

import trustsem as ts


def paths(theory):
    return {claim.path for claim in theory.claims}


def n_free(theory):
    return sum(row.free for row in theory.model().rows)


COM = ("Capability", "Opportunity", "Motivation")


def test_all_rivals_are_listed(metz):
    names = ["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "R10b", "R11", "R12", "R13", "R14"]
    assert [rival.id for rival in metz.rivals()] == names
    assert [rival.id for rival in metz.rivals() if rival.theory is not None] == names[:5]
    assert [rival.id for rival in metz.rivals() if rival.syntax is not None] == [*names[:5], "R10", "R10b"]
    for rival in metz.rivals():
        assert rival.title
        assert rival.claim.needs
        assert rival.claim.difference
        assert rival.claim.provenance
        assert (rival.syntax is None) == (rival.refusal is not None)
        if rival.theory is not None:
            assert rival.syntax == rival.theory.syntax()


@pytest.mark.parametrize(
    ("name", "added", "removed", "free"),
    [
        ("R1", {"Trust -> Outcomes"}, set(), 83),
        ("R2", {f"{s} -> {c}" for s in ("Relational", "Technical") for c in COM}, set(), 88),
        ("R3", {f"{c} -> Outcomes" for c in COM}, {"Commitment -> Outcomes", "Resilience -> Outcomes"}, 83),
        ("R4", {"Capability -> Motivation", "Opportunity -> Motivation"}, set(), 82),
        ("R5", {"Commitment -> Resilience"}, set(), 82),
    ],
)
def test_what_each_rival_changes(metz, name, added, removed, free):
    rival = metz.rival(name).theory
    assert paths(rival) - paths(metz) == added
    assert paths(metz) - paths(rival) == removed
    assert n_free(rival) == free
    assert rival.id == f"metz2022/{name}"
    assert rival.rivals() == ()


def test_rivals_are_about_the_same_data(metz):
    for theory in (metz, metz.drop("Resilience"), metz.with_indicators({node.name: node.name.lower() for node in metz.nodes})):
        for rival in theory.rivals():
            if rival.theory is not None:
                assert [node.indicators for node in rival.theory.nodes] == [node.indicators for node in theory.nodes]


def test_equivalence_is_said_of_the_rivals_that_have_it_and_of_no_other(metz):
    said = {rival.id: rival.covariance_equivalent for rival in metz.rivals()}
    assert {name for name, text in said.items() if text} == {"R4", "R5"}
    for name in ("R4", "R5"):
        assert "imply the same covariances" in said[name]
        assert "One wave cannot tell them apart" in said[name]
        assert said[name] in str(metz.rival(name))


@pytest.mark.parametrize(
    ("change", "equivalent"),
    [
        (lambda t: t.strict(), set()),
        (lambda t: t.strict().drop("Outcomes"), set()),
        (lambda t: t.drop("Outcomes"), {"R4", "R5"}),
        (lambda t: t.drop("Trust"), {"R4", "R5"}),
        (lambda t: t.drop("Relational", "Technical", "Trust"), {"R4", "R5"}),
        # A parent of capability that motivation does not have makes C -> M differ from C <-> M.
        (lambda t: t.with_path("Technical", "Capability"), {"R5"}),
        (lambda t: t.without_path("Opportunity", "Resilience"), {"R4"}),
        (lambda t: t.with_strategies("predictors"), {"R4", "R5"}),
    ],
)
def test_equivalence_follows_the_variant(metz, change, equivalent):
    assert {rival.id for rival in change(metz).rivals() if rival.covariance_equivalent} == equivalent


@pytest.mark.parametrize(
    ("name", "change", "free"),
    [
        ("R4", lambda t: t, True),
        ("R5", lambda t: t, True),
        ("R4", lambda t: t.drop("Trust"), True),
        ("R4", lambda t: t.strict(), False),
        ("R5", lambda t: t.without_path("Opportunity", "Resilience"), False),
    ],
)
@pytest.mark.filterwarnings("ignore:.*TS-DATA-03")
def test_equivalence_is_what_fitting_shows(metz, name, change, free):
    theory = change(metz)
    rival = theory.rival(name).theory
    population = rival.population("com-b serial") if name == "R4" else rival.population("calibrated", paths={"Commitment -> Resilience": 0.3})
    cov = pd.DataFrame(population.cov, index=population.names, columns=population.names)
    fit = ts.sem(theory.syntax(), sample_cov=cov, sample_nobs=500)
    assert fit.converged
    assert (fit.fit_measures(["chisq"]).iloc[0] < 1e-6) == free


def test_the_reverse_direction_is_refused_with_the_reason(metz):
    rival = metz.rival("R6")
    assert rival.theory is None
    assert "One wave cannot tell the direction" in rival.refusal
    assert "Not fitted: One wave" in str(rival)
    assert "<pre>R6" in rival._repr_html_()


def test_rivals_that_a_variant_has_no_room_for_say_why(metz):
    same = metz.drop("Motivation").rival("R4")
    assert same.theory is None
    assert same.refusal == "The rival says the same as this variant of the theory."
    has = metz.with_path("Trust", "Outcomes").rival("R1")
    assert has.theory is None
    assert "metz2022/R1 has the path Trust -> Outcomes already" in has.refusal
    dropped = metz.drop("Motivation", "Outcomes").rival("R5")
    assert dropped.theory is not None
    assert dropped.covariance_equivalent


def test_a_rival_of_which_a_construct_is_dropped_is_equivalent_before_that(own_text, metz):
    rival = metz.drop("Capability").rival("R4")
    assert rival.theory is None or rival.covariance_equivalent.startswith("Before constructs were dropped: ")
    kept = metz.without_path("Motivation", "Resilience").drop("Capability").rival("R4")
    assert kept.theory is not None
    assert kept.covariance_equivalent.startswith("Before constructs were dropped: ")


def test_presets_of_a_rival_belong_to_it(metz):
    rival = metz.rival("R4").theory
    assert [(preset.name, preset.rival) for preset in rival.presets] == [("conservative", ""), ("calibrated", ""), ("com-b serial", "")]
    assert rival.population("com-b serial").values == metz.population("com-b serial").values
