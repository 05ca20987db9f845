from __future__ import annotations

import subprocess
import sys

import pytest

from trustsem.theory import MARKS
from trustsem.theory.marks import UNVERIFIED, Fact, Provenance, weakest

TRAP = ("26334895241234567", "Becker-Haimes", "Louison")


def test_every_claim_has_a_mark(metz):
    for group in _groups(metz):
        assert group
        for part in group:
            assert part.provenance
            assert part.mark in MARKS
    for frame in (metz.constructs, metz.propositions, metz.strategies):
        assert frame["mark"].isin(list(MARKS)).all()
        assert list(frame["meaning"]) == [MARKS[mark] for mark in frame["mark"]]


def test_the_provenance_table_holds_every_part_of_every_claim(metz):
    table = metz.provenance
    parts = sum(len(part.provenance) for group in _groups(metz) for part in group)
    facts = 1 + sum(node.loading is not None for node in metz.nodes) + sum(len(measure.facts) for measure in metz.instruments)
    assert len(table) == parts + facts
    assert set(table["kind"]) == {"construct", "strategy", "proposition", "covariance", "measure", "preset", "rival", "statement", "theory"}
    assert (table.loc[table["mark"].isin(["P", "P2", "S"]), "source"] != "").all()
    assert (table["verified"] == (table["mark"] != "K")).all()


def test_marks_of_the_claims_are_those_of_the_abstract(metz):
    marks = metz.propositions.set_index("id")["mark"]
    assert set(marks[["P3", "P4", "P5"]]) == {"P"}
    assert set(marks.drop(["P3", "P4", "P5"])) == {"I"}
    assert metz.sesoi.mark == "I"
    assert {covariance.mark for covariance in metz.covariances} == {"I"}


def test_what_is_not_verified_says_so_wherever_it_is_shown(metz):
    measures = metz.measures.set_index("id")
    seen = 0
    for measure in metz.instruments:
        for name, fact in measure.facts:
            if name == "loading":
                assert fact.mark != "K"
                continue
            shown = measures.loc[measure.id, name]
            assert shown.endswith(UNVERIFIED) == (fact.mark == "K")
            assert (name in measures.loc[measure.id, "unverified"].split(", ")) == (fact.mark == "K")
            seen += fact.mark == "K"
    assert seen > 15
    unverified = metz.provenance.query("mark == 'K'")
    assert not unverified["verified"].any()
    assert (unverified["meaning"] == "not verified").all()
    values = unverified[unverified["kind"] == "measure"]["claim"]
    assert values.str.endswith(UNVERIFIED).all()


def test_unverified_claims_are_shown_as_such(own):
    assert "Growth -> Harvest  -  [not verified]" in str(own)
    assert "[not verified]" in own._repr_html_()
    assert own.propositions.set_index("id").loc["B", "meaning"] == "not verified"


def test_sources_are_used_and_the_untraceable_one_is_not_there(metz):
    text = metz.to_toml()
    used = {source for part in _provenance(metz) for source in part.sources}
    assert {source.id for source in metz.sources} == used
    assert not any(word in text for word in TRAP)


def _groups(theory):
    first = (theory.nodes, theory.practices, theory.claims, theory.covariances)
    return (*first, theory.instruments, theory.presets, theory.contenders, theory.statements)


def _provenance(theory):
    for group in _groups(theory):
        for part in group:
            yield from part.provenance
    yield from (node.loading.provenance for node in theory.nodes)
    yield from (fact.provenance for measure in theory.instruments for _, fact in measure.facts)


def test_the_weakest_part_marks_the_whole():
    assert weakest([Provenance("P"), Provenance("I"), Provenance("S")]) == "I"
    assert weakest([Provenance("C"), Provenance("K")]) == "K"
    assert str(Fact("7 points", Provenance("K"))) == f"7 points {UNVERIFIED}"
    assert str(Fact(0.75, Provenance("C"))) == "0.75"


def test_construct_frame(metz):
    frame = metz.with_indicators({"Trust": ["a", "b"], "Outcomes": "y"}).constructs.set_index("name")
    assert frame.loc["Trust", "indicators"] == "a, b"
    assert frame.loc["Trust", "loading_mark"] == "C"
    assert frame.loc["Outcomes", "variable"] == "y"
    assert frame["observed"].tolist() == [False, True]
    assert metz.constructs["tier"].tolist() == [1, 1, 2, 3, 3, 3, 4, 4, 5]
    assert set(metz.constructs["level"]) == {"individual"}
    assert set(metz.constructs["timing"]) == {"wave"}


def test_frames_of_an_own_theory(own):
    assert own.constructs["loading"].isna().tolist() == [True, False, True]
    assert own.measures.loc[0, "doi"] == f"10.1/unseen {UNVERIFIED}"
    assert own.measures.loc[0, "citation"] == ""


def test_text_and_html(metz):
    text = str(metz)
    for claim in metz.may_not_claim:
        assert claim in text
    assert "Trust -> Capability        +  [P] stated by the paper" in text
    strict = str(metz.strict().with_strategies("composites"))
    assert "Residual covariances free: none." in strict
    assert "Changed by: strict, with_strategies." in strict
    assert "Relational (column relational)" in strict
    page = metz._repr_html_()
    assert page.count("<tr>") == 2 + 9 + 13
    assert "Trust -&gt; Capability" in page
    assert "TS-THEORY-01" in metz.drop("Trust")._repr_html_()


def test_html_is_escaped(own_text):
    from trustsem.theory import parse_theory

    page = parse_theory(own_text.replace("A theory of gardens", "<script>"))._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_importing_the_theory_leaves_pandas_and_matplotlib_alone():
    # The public page may import more; the folder itself does not.
    code = "import sys, types; m = types.ModuleType('trustsem'); import importlib.util as u; "
    code += "m.__path__ = list(u.find_spec('trustsem').submodule_search_locations); sys.modules['trustsem'] = m; "
    code += "import trustsem.theory; print('pandas' in sys.modules, 'matplotlib' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "False"]


@pytest.mark.parametrize("heading", ["What may be claimed", "What may not be claimed"])
def test_the_docs_page_lists_what_may_and_may_not_be_claimed(metz, heading):
    from pathlib import Path

    page = " ".join((Path(__file__).parents[3] / "docs" / "theory.md").read_text(encoding="utf-8").split())
    assert f"## {heading}" in page
    section = page.split(f"## {heading}")[1].split("## ")[0]
    for claim in metz.may_claim if heading == "What may be claimed" else metz.may_not_claim:
        assert claim in section


def test_the_theory_in_the_docs_can_be_read():
    from pathlib import Path

    from trustsem.theory import parse_theory

    page = (Path(__file__).parents[3] / "docs" / "theory.md").read_text(encoding="utf-8")
    theory = parse_theory(page.split("```toml\n")[1].split("```")[0])
    assert [claim.sesoi for claim in theory.claims] == [0.15, 0.2]
    assert theory.population("plain").cov.shape == (7, 7)
