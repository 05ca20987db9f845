"""Models of two levels: headers, and what is filled in at each level, as lavaan does (the tables of whole models: tests/reference)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trustsem.errors import ModelError, ModelSyntaxError, NotAvailableError
from trustsem.model.ram import compile_model
from trustsem.spec import build_table, defaults_for
from trustsem.spec.export import to_dagitty, to_lavaan, to_mplus, to_openmx

TEXT = "level: 1\nf =~ y1 + y2 + y3\nf ~ x\nlevel: 2\ng =~ y1 + y2 + y3\ng ~ w"
SEM = defaults_for("sem")


def rows(text, op, level, **options):
    table = build_table(text, replace(SEM, **options))
    return {(row.lhs, row.rhs): row for row in table.rows if row.op == op and row.level == level}


def test_blocks_are_levels_of_groups():
    table = build_table(TEXT, SEM, n_groups=2)
    assert (table.n_groups, table.n_levels, table.n_blocks) == (2, 2, 4)
    assert sorted({(row.block, row.group, row.level) for row in table.rows}) == [(1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 2, 2)]


def test_names_tell_level_and_group():
    names = build_table(TEXT, SEM, n_groups=2).parameter_names()
    assert "f=~y2" in names
    assert "g=~y2.l2" in names
    assert "f=~y2.g2" in names
    assert "g=~y2.g2.l2" in names


def test_means_of_variables_of_both_levels_are_of_level_2():
    own, shared = rows(TEXT, "~1", 1), rows(TEXT, "~1", 2)
    assert all(not own[name, ""].free and own[name, ""].ustart == 0.0 for name in ("y1", "y2", "y3", "f"))
    assert all(shared[name, ""].free for name in ("y1", "y2", "y3"))
    assert not shared["g", ""].free
    assert own["x", ""].exo
    assert shared["w", ""].exo


def test_a_variable_of_level_1_only_has_its_intercept_there():
    own = rows("level: 1\nf =~ y1 + y2 + y3\nv ~ f\nlevel: 2\ng =~ y1 + y2 + y3", "~1", 1)
    assert own["v", ""].free
    assert not own["y1", ""].free


def test_latent_means_of_level_1_stay_0_in_growth_models():
    table = build_table("level: 1\nf =~ y1 + y2\nlevel: 2\ng =~ y1 + y2", defaults_for("growth"))
    assert {(row.lhs, row.level): row.free for row in table.rows if row.op == "~1" and not row.lhs.startswith("y")} == {
        ("f", 1): False,
        ("g", 2): True,
    }


def test_covariates_of_both_levels_are_fixed_at_both():
    text = "level: 1\ny ~ x\nlevel: 2\ny ~ x"
    assert rows(text, "~~", 1)["x", "x"].exo
    assert rows(text, "~~", 2)["x", "x"].exo
    assert rows(text, "~1", 2)["x", ""].exo
    assert not rows(text, "~1", 1)["x", ""].exo


def test_what_is_explained_at_one_level_is_not_fixed_at_the_other():
    text = "level: 1\ny ~ m + x\nlevel: 2\nm ~ w\ny ~ m"
    own = rows(text, "~~", 1)
    assert own["m", "m"].free
    assert own["m", "x"].free
    assert own["x", "x"].exo


def test_equality_over_groups_holds_within_levels():
    table = build_table(TEXT, SEM, n_groups=2, group_equal=["loadings"])
    labels = {row.label for row in table.rows if row.op == "=~" and row.label}
    first = [k for k, row in enumerate(table.rows, 1) if row.op == "=~" and row.group == 1 and row.label]
    assert labels == {f".p{k}." for k in first}
    assert len(labels) == 4


def test_equal_intercepts_free_the_latent_means_of_level_2_only():
    table = build_table(TEXT, SEM, n_groups=2, group_equal=["loadings", "intercepts"])
    means = {(row.lhs, row.group): row.free for row in table.rows if row.op == "~1" and row.lhs in "fg"}
    assert means == {("f", 1): False, ("g", 1): False, ("f", 2): False, ("g", 2): True}


def test_moments_are_counted_once():
    model = compile_model(build_table(TEXT, SEM))
    # Level 1: 3 variances, 3 covariances, 3 with x; level 2 the same with w; 3 means.
    assert model.n_moments == 9 + 9 + 3
    assert model.two_level
    assert not compile_model(build_table("y ~ x", SEM)).two_level


@pytest.mark.parametrize("words", [("1", "2"), ("within", "between"), ("WITHIN", "2")])
def test_levels_have_numbers_or_names(words):
    text = TEXT.replace("level: 1", f"level: {words[0]}").replace("level: 2", f"level: {words[1]}")
    assert build_table(text, SEM).rows == build_table(TEXT, SEM).rows


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("level: 2\ny ~ w\nlevel: 1\ny ~ x", ModelSyntaxError, "out of order: 'level: 1' or 'level: within' comes here"),
        ("level: 1\ny ~ w\nlevel: 1\ny ~ x", ModelSyntaxError, "out of order: 'level: 2' or 'level: between'"),
        ("y ~ z\nlevel: 1\ny ~ w\nlevel: 2\ny ~ x", ModelSyntaxError, "belong to no level"),
        ("level: 1\ny ~ w\nlevel: 2\n", ModelError, "no formula for level 2"),
        ("group: a\nlevel: 1\ny ~ w\nlevel: 2\ny ~ x\ngroup: b\ny ~ x", ModelError, "the same levels"),
        ("group: a\nlevel: 1\ny ~ x\ngroup: b\nlevel: 1\ny ~ x", ModelError, "needs both"),
        ("group: a\nlevel: 1\ny ~ w\nlevel: 2\ny ~ x\ngroup: b\nlevel: 1\ny ~ w\nlevel: 2\n", ModelError, "no formula for group 'b', level 2"),
        ("level: 1\ny ~ x\nlevel: 2\ny ~ w\nlevel: 3\ny ~ v", NotAvailableError, "third level"),
        ("level: 1\ny ~ x\ngroup: a\nlevel: 2\ny ~ w", ModelSyntaxError, "belong to no group"),
    ],
)
def test_wrong_headers_are_named(text, error, message):
    with pytest.raises(error, match=message):
        build_table(text, SEM)


def test_groups_come_in_the_order_of_the_data():
    first, second = TEXT, TEXT.replace("g ~ w", "g ~ 0.5*w")
    table = build_table(f"group: b\n{second}\ngroup: a\n{first}", SEM, n_groups=2, group_labels=("a", "b"))
    assert {row.group: row.free for row in table.rows if row.op == "~" and row.lhs == "g"} == {1: True, 2: False}


def test_exported_lavaan_syntax_gives_the_same_parameters():
    table = build_table(TEXT, SEM, n_groups=2, group_equal=["loadings"])
    again = build_table(to_lavaan(table), replace(defaults_for("lavaan"), fixed_x=True), n_groups=2)
    keys = [(row.lhs, row.op, row.rhs, row.block) for row in table.rows if row.free]
    assert [(row.lhs, row.op, row.rhs, row.block) for row in again.rows if row.free] == keys
    assert compile_model(again).n_theta == compile_model(table).n_theta


@pytest.mark.parametrize("export", [to_mplus, to_openmx, to_dagitty])
def test_other_programs_are_refused(export):
    with pytest.raises(NotAvailableError, match="two levels cannot be written"):
        export(build_table(TEXT, SEM))
