from __future__ import annotations

import pickle
import re

import pytest

from trustsem.errors import TheoryError
from trustsem.theory import Theory, load_theory, parse_theory, theories


def test_built_in_theories_are_listed_and_load():
    assert theories() == ("metz2022",)
    for name in theories():
        assert load_theory(name).id == name


def test_own_theory_from_a_file(tmp_path, own, own_text):
    path = tmp_path / "garden.toml"
    path.write_text(own_text, encoding="utf-8")
    for given in (path, str(path)):
        assert load_theory(given) == own
    assert [node.name for node in own.nodes] == ["Water", "Growth", "Harvest"]
    assert own.construct("Harvest").indicators == ("Harvest",)
    assert [claim.sesoi for claim in own.claims] == [0.1, 0.2]
    assert [claim.mark for claim in own.claims] == ["S", "K"]
    assert own.syntax() == (
        "# Measurement\nWater =~ w1 + w2 + w3\nGrowth =~ g1 + g2\n"
        "# Claims\nGrowth ~ Water\nHarvest ~ Growth\n# Residual covariances\nWater ~~ Harvest\n"
    )


def test_windows_line_ends_make_no_difference(own, own_text):
    assert parse_theory(own_text.replace("\n", "\r\n")) == own


@pytest.mark.parametrize("name", ["own", "metz"])
def test_written_theories_read_back_as_themselves(name, request):
    theory: Theory = request.getfixturevalue(name)
    assert parse_theory(theory.to_toml()) == theory


def test_texts_with_quotes_and_line_breaks_survive_writing(own_text):
    text = own_text.replace("A theory of gardens", 'A \\"theory\\" of \\\\ gardens \\u007F')
    text = text.replace('"Soil does not matter."', '"""Soil\ndoes [not] matter."""')
    theory = parse_theory(text)
    assert theory.title == 'A "theory" of \\ gardens \x7f'
    assert theory.statements[0].text == "Soil does [not] matter."
    assert parse_theory(theory.to_toml()) == theory


def test_variants_are_not_written(metz):
    with pytest.raises(TheoryError, match=r"changed by strict, drop.*Write theory\.root"):
        metz.strict().drop("Trust").to_toml()


def test_theories_are_values(metz, own):
    for theory in (metz, own, metz.drop("Motivation"), metz.with_strategies("predictors").strict()):
        copy = pickle.loads(pickle.dumps(theory))
        assert copy == theory
        assert hash(copy) == hash(theory)
    assert metz != own


def test_unknown_theories_and_files_are_refused(tmp_path):
    with pytest.raises(TheoryError, match=r"There is no theory 'metz2002'. Built in are metz2022.*Did you mean 'metz2022'"):
        load_theory("metz2002")
    with pytest.raises(TheoryError, match="cannot be read"):
        load_theory(tmp_path / "nothing.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes(b'id = "\xe9"')
    with pytest.raises(TheoryError, match="UTF-8"):
        load_theory(path)


def test_a_file_that_is_not_toml_names_the_line():
    with pytest.raises(TheoryError, match=r"bad\.toml, line 2: The file is not TOML"):
        parse_theory('id = "x"\ntitle = \n', "bad.toml")
    with pytest.raises(TheoryError, match=r"bad\.toml, line 3: The file is not TOML"):
        parse_theory('id = "x"\ntitle = "y"\nloose = """', "bad.toml")


# (old text, new text, text on the line that the message must name, words of the message)
BROKEN = [
    ('title = "A theory of gardens"', 'title = "T"\ntitel = "U"', "titel =", "titel: Unknown key 'titel'.*Did you mean 'title'"),
    ('id = "garden"\n', "", "title =", "id: The key 'id' is missing. Give a text"),
    ('id = "garden"', 'id = " "', 'id = " "', "The key 'id' is empty"),
    ('id = "garden"', "id = 7", "id = 7", "id: 7 is not a text"),
    ("tier = 2", "tier = 0", "tier = 0", r"\[construct\] tier: 0 is out of range"),
    ("tier = 2", 'tier = "two"', "tier =", "'two' is not a whole number"),
    ("tier = 2", "tier = true", "tier = true", "True is not a whole number"),
    ('indicators = ["g1", "g2"]', 'indicators = ["g1", 2]', "indicators", "2 is not a text. Give a list of texts"),
    ('indicators = ["g1", "g2"]', 'indicators = ["g1", "w1"]', '"w1"]', "The column 'w1' is given for Water and for Growth"),
    ('indicators = ["g1", "g2"]', 'indicators = ["g1", "1g"]', '"1g"]', "The column '1g' of Growth cannot stand in model text"),
    ('indicators = ["g1", "g2"]', 'indicators = ["g1", "Water"]', '"Water"]', "has the name of a construct with several columns"),
    ('name = "Growth"', 'name = "My growth"', "My growth", "'My growth' cannot stand in model text"),
    ('name = "Harvest"', 'name = "Growth"', "Growth2", "'Growth' is given twice. Give every construct its own name"),
    ("tier = 2", 'tier = 2\nlevel = "teams"', "level =", "'teams' is not allowed.*Did you mean 'team'"),
    ("{ value = 0.6, mark", "{ value = 1.6, mark", "loading", "1.6 is out of range. Give a number between 0 and 1"),
    ("{ value = 0.6, mark", '{ value = "a", mark', "loading", "'a' is not a number"),
    ("{ value = 0.6, mark", "{ value = 0.6, merk", "loading", "Unknown key 'merk'.*Did you mean 'mark'"),
    ('loading = { value = 0.6, mark = "I" }', "loading = 0.6", "loading", "0.6 is not a table such as"),
    ('items = { value = "3"', "items = { value = 3", "items =", "3 is not a text"),
    ('cause = "Growth"', 'cause = "Grwth"', "Grwth", "'Grwth' is no construct.*Did you mean 'Growth'"),
    ('effect = "Harvest"\nsign', 'effect = "Growth"\nsign', None, "Growth would cause itself"),
    ('cause = "Growth"\neffect = "Harvest"', 'cause = "Water"\neffect = "Growth"', None, "Water -> Growth is claimed twice"),
    ('sign = "-"\nstatement = "Growth', 'sign = "minus"\nstatement = "Growth', 'sign = "minus"', "'minus' is not allowed. Allowed are '\\+', '-'"),
    ("sesoi = 0.2", "sesoi = 0", "sesoi = 0", "0 is out of range. Give a number between 0 and inf"),
    ("sesoi = 0.2", "sesoi = -0.1", "sesoi = -0.1", "-0.1 is out of range"),
    ('id = "B"', 'id = "A"', None, "'A' is given twice. Give every proposition its own id"),
    ('what = "its sign"', 'waht = "its sign"', "waht", "Unknown key 'waht'.*Did you mean 'what'"),
    ('mark = "K", what', 'mark = "X", what', '"X"', "Unknown mark 'X'. Allowed are P, P2, S, C, I, K"),
    ('mark = "S", what = "that', 'mark = "P", wat = "that', "wat =", "Unknown key 'wat'"),
    ('there is an effect", source = "book"', 'there is an effect"', "there is an effect", "The mark 'S' .* needs a source"),
    ('there is an effect", source = "book"', 'there is an effect", source = "bok"', "bok", "Unknown source 'bok'.*Did you mean 'book'"),
    ('there is an effect", source = "book"', 'there is an effect", source = 3', None, "3 is not a text"),
    ('{ mark = "K", what', "{ what", "provenance", "The key 'mark' is missing"),
    ("sesoi = 0.2", 'sesoi = 0.2\nmark = "I"', None, "Both 'mark' and 'provenance' are given"),
    ('text = "Soil does not matter."\nmark = "I"', 'text = "Soil does not matter."\nprovenance = []', "provenance = []", "The list is empty"),
    ('text = "Soil does not matter."\nmark = "I"', 'text = "Soil does not matter."\nprovenance = [1]', "provenance = [1]", "1 is not a table"),
    ('text = "Soil does not matter."\nmark = "I"', 'text = "Soil does not matter."', "[[statement]]", "The key 'mark' is missing"),
    ('text = "Soil does not matter."\nmark = "I"', 'text = "Soil does not matter."\nmark = 1', "mark = 1", "1 is not a text"),
    ('indicator = "w1"', 'indicator = "w9"', "w9", "'w9' is no indicator of Water, which has w1, w2, w3"),
    ('right = "Harvest"', 'right = "Water"', 'right = "Water"', "Water would covary with itself"),
    ('right = "Harvest"', 'right = "Harvest"\nfree = 1', "free = 1", "1 is not true or false"),
    ('"Water -> Growth" = 0.5', '"Water -> Harvest" = 0.5', "Water -> Harvest", "'Water -> Harvest' is not in the theory"),
    ('"Water -> Growth" = 0.5\n', "", "[preset.paths]", "Water -> Growth has no value"),
    ('"Water -> Growth" = 0.5', '"Water to Growth" = 0.5', "Water to Growth", "'Water to Growth' is not a pair. Write it as 'A -> B'"),
    ('"Water -> Growth" = 0.5', '"Water -> Growth" = 1.5', "= 1.5", "1.5 is out of range"),
    ('"Growth -> Harvest" = -0.4', '"Growth -> Harvest" = "x"', '= "x"', "'x' is not a number"),
    ('"Water ~~ Harvest" = 0.1', '"Water ~~ Growth" = 0.1', '"Water ~~ Growth"', "'Water ~~ Growth' is not in the theory. Allowed are"),
    ("[preset.residuals]\n", "[preset.correlations]\n", '"Water ~~ Harvest"', "is not in the theory. Allowed are none"),
    ('title = "Plain values"', 'title = "Plain"\nrival = "R2"', 'rival = "R2"', "'R2' is no rival that can be fitted. There are R1"),
    ('effect = "Harvest", sign = "-"', 'effect = "Growth", sign = "-"', "add =", "adds Water -> Growth, which the theory has already"),
    ('effect = "Harvest", sign = "-"', 'effect = "Harvst", sign = "-"', "add =", "'Harvst' is no construct"),
    ('effect = "Harvest", sign = "-"', 'efect = "Harvest", sign = "-"', "add =", "Unknown key 'efect'.*Did you mean 'effect'"),
    ('cause = "Water", effect = "Harvest", sign = "-"', 'cause = "Harvest", effect = "Water", sign = "-"', "add =", "form a cycle"),
    ("add = [{", 'remove = ["Water -> Harvest"]\nadd = [{', "add =", "removes Water -> Harvest, which the theory does not have"),
    ('uncorrelate = ["Water ~~ Harvest"]', 'uncorrelate = ["Water ~~ Growth"]', "add =", "removes Water ~~ Growth, which the theory does not have"),
    ('uncorrelate = ["Water ~~ Harvest"]', 'uncorrelate = ["Water"]', "uncorrelate =", "'Water' is not a pair"),
    ('uncorrelate = ["Water ~~ Harvest"]', 'uncorrelate = "Water ~~ Harvest"', "uncorrelate =", "is not a list of texts"),
]


@pytest.mark.parametrize(("old", "new", "at", "words"), BROKEN)
def test_what_is_wrong_is_named_with_its_line(own_text, old, new, at, words):
    assert old in own_text
    text = own_text.replace(old, new, 1)
    with pytest.raises(TheoryError, match=f"(?s)garden\\.toml, line \\d+, .*{words}") as caught:
        parse_theory(text, "garden.toml")
    line = int(re.search(r"line (\d+)", str(caught.value)).group(1))
    if at == "Growth2":
        assert text.split("\n")[line - 1] == 'name = "Growth"'
        assert text.split("\n").index('name = "Growth"') < line - 1
    elif at is not None:
        assert at in text.split("\n")[line - 1]


def test_a_message_about_the_second_table_of_a_name_points_into_it(own_text):
    text = own_text.replace('id = "B"', 'id = "A"')
    with pytest.raises(TheoryError) as caught:
        parse_theory(text)
    line = text.split("\n").index('cause = "Growth"')
    assert f"line {line}, [proposition] id" in str(caught.value)


def test_cycles_and_doubled_covariances_are_refused(own_text):
    more = '\n[[proposition]]\nid = "C"\ncause = "Harvest"\neffect = "Water"\nsign = "+"\nstatement = "Round."\nmark = "I"\n'
    line = len(own_text.split("\n")) + 4
    with pytest.raises(TheoryError, match=rf"line {line}, \[proposition\] effect: .* cycle among \(or before\) Water, Growth, Harvest"):
        parse_theory(own_text + more)
    again = '\n[[covariance]]\nleft = "Harvest"\nright = "Water"\nmark = "I"\n'
    with pytest.raises(TheoryError, match="Harvest ~~ Water is given twice"):
        parse_theory(own_text + again)


def test_a_preset_that_explains_too_much_is_refused(metz):
    text = metz.to_toml().replace('"Motivation -> Commitment" = 0.35', '"Motivation -> Commitment" = 0.97')
    place = text.split("\n").index("[preset.paths]") + 1
    with pytest.raises(TheoryError, match=rf"line {place}, \[preset\] paths: The paths to 'Commitment' explain 1.13 of its variance"):
        parse_theory(text)


def test_a_covariance_of_predictors_needs_no_entry(own_text):
    more = '\n[[construct]]\nname = "Sun"\ndefinition = "Light."\ntier = 1\nmark = "I"\n[[covariance]]\nleft = "Sun"\nright = "Water"\nmark = "I"\n'
    with pytest.raises(TheoryError, match="Nothing explains Sun and Water"):
        parse_theory(own_text + more)


def test_a_theory_needs_constructs_and_a_rival_a_change(own_text):
    with pytest.raises(TheoryError, match="The theory has no constructs"):
        parse_theory('id = "x"\ntitle = "y"')
    text = re.sub(r"(?m)^(add|uncorrelate) = .*\n", "", own_text)
    with pytest.raises(TheoryError, match="The rival changes nothing"):
        parse_theory(text)
    with pytest.raises(TheoryError, match="construct: 'z' is not a list of tables"):
        parse_theory('id = "x"\ntitle = "y"\nconstruct = "z"')
