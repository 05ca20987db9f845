from __future__ import annotations

from dataclasses import replace

import pytest

from trustsem.errors import OptionError
from trustsem.spec import ParameterTable, build_table, defaults_for

SEM = defaults_for("sem")
MODEL = "f =~ x1 + x2 + x3"


def labels(table: ParameterTable) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in table.rows:
        if row.label:
            found.setdefault(row.label, []).append(f"{row.name}.g{row.group}")
    return found


def test_internal_labels_number_the_first_row() -> None:
    table = build_table(MODEL, SEM, n_groups=2, group_equal="loadings")
    assert labels(table) == {".p2.": ["f=~x2.g1", "f=~x2.g2"], ".p3.": ["f=~x3.g1", "f=~x3.g2"]}
    assert table.parameter_names()[:3] == (".p2.", ".p3.", "x1~~x1")


def test_partial_names_in_any_form() -> None:
    table = build_table(MODEL + "\nx1 ~~ x2", SEM, n_groups=2, group_equal=["loadings", "residual_covariances"], group_partial=[" f =~ x2", "x2~~x1"])
    assert labels(table) == {".p3.": ["f=~x3.g1", "f=~x3.g2"]}
    one = build_table(MODEL, SEM, n_groups=2, group_equal=["loadings"], group_partial="f=~x3")
    assert labels(one) == {".p2.": ["f=~x2.g1", "f=~x2.g2"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group_equal": ["loading"]}, "Unknown kind 'loading' in group_equal=. Did you mean 'loadings'"),
        ({"group_equal": ["thresholds"]}, "Unknown kind 'thresholds'"),
        ({"group_equal": ["loadings"], "group_partial": ["f=~x9"]}, "names 'f=~x9', which is not a parameter"),
    ],
)
def test_unknown_options(options: dict[str, list[str]], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        build_table(MODEL, SEM, n_groups=2, **options)


def test_kinds_are_checked_with_one_group_too() -> None:
    with pytest.raises(OptionError, match="Unknown kind"):
        build_table(MODEL, SEM, group_equal="everything")


def test_what_is_written_per_group_stays() -> None:
    text = "f =~ x1 + c(0.5, 2)*x2 + c(NA, 1)*x3 + c(a, b)*x4 + x5"
    table = build_table(text, SEM, n_groups=2, group_equal="loadings")
    assert labels(table) == {"a": ["f=~x4.g1"], ".p5.": ["f=~x5.g1", "f=~x5.g2"], "b": ["f=~x4.g2"]}
    loadings = {(row.rhs, row.group): (row.free, row.ustart) for row in table.rows if row.op == "=~" and not row.free}
    assert loadings[("x2", 1)] == (False, 0.5)
    assert loadings[("x2", 2)] == (False, 2.0)
    assert ("x3", 1) not in loadings
    assert loadings[("x3", 2)] == (False, 1.0)


def test_side_effects_only_without_headers() -> None:
    def means(table: ParameterTable) -> list[bool]:
        return [row.free for row in table.rows if row.name == "f~1"]

    assert means(build_table(MODEL, SEM, n_groups=2, group_equal="intercepts")) == [False, True]
    assert means(build_table(MODEL, SEM, n_groups=2, group_equal=["intercepts", "means"])) == [False, False]
    assert means(build_table(f"group: 1\n{MODEL}\ngroup: 2\n{MODEL}", SEM, group_equal="intercepts")) == [False, False]
    table = build_table(MODEL, replace(SEM, std_lv=True), n_groups=2, group_equal="loadings")
    assert [row.free for row in table.rows if row.name == "f~~f"] == [False, True]


def test_equal_shares_the_label_of_the_first() -> None:
    assert labels(build_table("f =~ x1 + x2 + equal('f =~ x2')*x3", SEM)) == {".p2.": ["f=~x2.g1", "f=~x3.g1"]}
    assert labels(build_table("y ~ a*x + equal('y~x')*z + equal('a')*w", SEM)) == {"a": ["y~x.g1", "y~z.g1", "y~w.g1"]}
    assert labels(build_table("y ~ b*x + equal('y~x')*z + d*z\nw ~ d*x", SEM)) == {"b": ["y~x.g1", "y~z.g1", "w~x.g1"]}
    assert labels(build_table("y ~~ equal('x2~~x1')*y\nx1 ~~ x2", SEM)) == {".p2.": ["y~~y.g1", "x1~~x2.g1"]}


def test_equal_looks_in_its_own_group_first() -> None:
    table = build_table("y ~ x + equal('y~x')*z", SEM, n_groups=2)
    assert list(labels(table).values()) == [["y~x.g1", "y~z.g1"], ["y~x.g2", "y~z.g2"]]
    table = build_table("y ~ x + equal(c('', 'y~x.g1'))*z", replace(SEM, meanstructure=False), n_groups=2)
    assert labels(table) == {".p1.": ["y~x.g1", "y~z.g2"]}


def test_a_label_shared_with_a_fixed_parameter_fixes() -> None:
    table = build_table("y ~ a*x + a*z + 0.5*z", SEM)
    assert [(row.free, row.ustart) for row in table.rows[:2]] == [(False, 0.5), (False, 0.5)]
