from __future__ import annotations

import math
import pickle
import time
from dataclasses import replace

import pytest

from trustsem.errors import ModelError, ModelSyntaxError, OptionError
from trustsem.spec import ParameterTable, Row, build_table, defaults_for

SEM = defaults_for("sem")


def row(table: ParameterTable, name: str, group: int = 1) -> Row:
    (found,) = (row for row in table.rows if row.name == name and row.group == group)
    return found


def test_a_table_passes_through() -> None:
    table = build_table("y ~ x", SEM)
    assert build_table(table, defaults_for("growth"), n_groups=3) is table


def test_tables_pickle_and_compare() -> None:
    table = build_table("y ~ a*x\nd := a^2", SEM)
    # Not with ==, because a missing starting value is NaN.
    assert repr(pickle.loads(pickle.dumps(table))) == repr(table)
    assert table == build_table("y ~ a*x\nd := a^2", SEM)


def test_model_of_another_type() -> None:
    with pytest.raises(OptionError, match="model= is a list"):
        build_table(["y ~ x"], SEM)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "  \n# nothing", "group: 1"])
def test_empty_models(text: str) -> None:
    with pytest.raises(ModelError, match="The model is empty"):
        build_table(text, SEM)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y ~ y", "'y' cannot depend on itself"),
        ("f =~ f", "'f' cannot be measured by itself"),
        ("f =~ 0\nf ~~ g\ng =~ 0", "no observed variable"),
        ("y ~ a*x\nd := a\nd := a + 1", "'d' is defined twice"),
        ("y ~ a*x\na := 2", "'a' is the label of a parameter and is defined"),
        ("y ~ a*x\nd := e\ne := d + a", "'d' leads back to itself"),
        ("y ~ a*x\nd := d + 1", "'d' leads back to itself"),
        ("y ~ a*x + 1*x\na == 1", "involves no free parameter"),
        ("y ~ a*x + 1*x + a*z + 2*z", "'a' is given to parameters fixed to different values \\(1 and 2\\)"),
        ("group: 1\ny ~ x\ngroup: 2\n", "no formula for group '2'"),
    ],
)
def test_models_that_cannot_be_meant(text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build_table(text, SEM)


@pytest.mark.parametrize(
    ("text", "n_groups", "message", "place"),
    [
        ("y ~ x\nz ~ y\ny ~ NA*x", 1, "'y~x' is written twice", (3, 8)),
        ("y ~~ z\nz ~~ y", 1, "'y~~z' is written twice", (2, 6)),
        ("y ~ a*x + b*x", 1, "contradict each other", (1, 11)),
        ("y ~ NA*x + 2*x", 1, "contradict each other", (1, 12)),
        ("y ~ 2*x + start(1)*x", 1, "contradict each other", (1, 11)),
        ("y ~ start(1)*x + 2*x", 1, "contradict each other", (1, 18)),
        ("y ~ c(a, b)*x", 1, "has 2 entries, but there is 1 group", (1, 5)),
        ("y ~ z + c(a, b)*x", 3, "has 2 entries, but there are 3 groups", (1, 9)),
        ("group: 1\ny ~ c(a, b)*x\ngroup: 2\ny ~ x", 2, "has 2 entries, but there is 1 group", (2, 5)),
        ("y ~ q\ngroup: 1\ny ~ x", 1, "before the first 'group:' header", (2, 1)),
        ("group: 1\ny ~ x\ngroup: 1\ny ~ z", 2, "two headers for group '1'", (3, 1)),
        ("y ~ alpha*x\nd := alhpa*2", 1, "label 'alhpa'. Did you mean 'alpha'", (2, 6)),
        ("y ~ a*x\nqqq == 1", 1, "label 'qqq'. Labels here: a", (2, 1)),
        ("y ~ x\na == b", 1, "No parameter has a label", (2, 1)),
        ("y ~ equal('y~zz')*x + z", 1, "equal\\(\\) names 'y~zz'.*Did you mean", (1, 19)),
        ("y ~ equal('y~x')*x", 1, "always equal to itself", (1, 18)),
    ],
)
def test_messages_point_at_the_token(text: str, n_groups: int, message: str, place: tuple[int, int]) -> None:
    with pytest.raises(ModelSyntaxError, match=message) as caught:
        build_table(text, SEM, n_groups=n_groups)
    assert (caught.value.line, caught.value.column) == place


def test_headers_must_fit_the_groups() -> None:
    text = "group: a\ny ~ x\ngroup: b\ny ~ x + z"
    with pytest.raises(ModelError, match="2 'group:' header\\(s\\), but there are 3 groups"):
        build_table(text, SEM, n_groups=3)
    table = build_table(text, SEM)
    assert (table.n_groups, table.group_labels) == (2, ("a", "b"))
    assert build_table(text, SEM, n_groups=2) == table


def test_sections_are_matched_to_the_groups_of_the_data() -> None:
    def causes(headers: tuple[str, str], labels: tuple[str, ...]) -> tuple[list[str], tuple[str, ...]]:
        table = build_table(f"group: {headers[0]}\ny ~ x\ngroup: {headers[1]}\ny ~ z", SEM, n_groups=2, group_labels=labels)
        return [row.rhs for row in table.rows if row.op == "~"], table.group_labels

    assert causes(("a", "b"), ()) == (["x", "z"], ("a", "b"))
    assert causes(("a", "b"), ("a", "b")) == (["x", "z"], ("a", "b"))
    assert causes(("a", "b"), ("b", "a")) == (["z", "x"], ("b", "a"))
    assert causes(("2", "1"), ("b", "a")) == (["z", "x"], ("b", "a"))
    assert causes(("2", "1"), ("2", "1")) == (["x", "z"], ("2", "1"))
    with pytest.raises(ModelError, match="headers are 'a', 'c', but the groups of the data are 'a', 'b'"):
        causes(("a", "c"), ("a", "b"))


def test_entries_of_c_are_taken_group_by_group() -> None:
    table = build_table("y ~ c(NA, a, 2)*x + c('', b, NA)*z", SEM, n_groups=3)
    assert [row(table, "y~x", group)[7:9] for group in (1, 3)] == [(True, pytest.approx(math.nan, nan_ok=True)), (False, 2.0)]
    assert [row(table, "y~x", group).label for group in (1, 2, 3)] == ["", "a", ""]
    assert [row(table, "y~z", group).label for group in (1, 2, 3)] == ["", "b", ""]
    assert all(row(table, "y~z", group).free for group in (1, 2, 3))


def test_na_in_a_start_or_bound_is_none() -> None:
    table = build_table("y ~ start(c(NA, 2))*x + lower(NA)*x", SEM, n_groups=2)
    assert math.isnan(row(table, "y~x").ustart)
    assert row(table, "y~x", 2).ustart == 2.0
    assert row(table, "y~x").lower == -math.inf


@pytest.mark.parametrize(
    ("text", "options", "n_groups", "means"),
    [
        ("y ~ x", {}, 1, False),
        ("y ~ x", {}, 2, True),
        ("y ~ x", {"meanstructure": False}, 2, False),
        ("y ~ x", {"meanstructure": True}, 1, True),
        ("y ~ x + 1", {"meanstructure": False}, 1, True),
        ("y ~ x\ny ~ 0", {}, 1, True),
    ],
)
def test_when_there_are_means(text: str, options: dict[str, bool], n_groups: int, means: bool) -> None:
    assert build_table(text, replace(SEM, **options), n_groups=n_groups).has_means is means


@pytest.mark.parametrize("kind", ["intercepts", "means"])
def test_equal_intercepts_bring_means(kind: str) -> None:
    defaults = replace(SEM, meanstructure=False)
    assert build_table("f =~ x1 + x2 + x3", defaults, n_groups=2, group_equal=kind).has_means
    assert not build_table("f =~ x1 + x2 + x3", defaults, n_groups=2, group_equal="loadings").has_means


def test_the_second_marker_with_a_start_is_free() -> None:
    table = build_table("f =~ x1 + start(0.4)*x2", SEM)
    assert (row(table, "f=~x2").free, row(table, "f=~x2").ustart) == (True, 0.4)


def test_a_large_model_is_built_in_milliseconds() -> None:
    sizes = (4, 4, 4, 4, 4, 3, 3, 3, 3)
    text = "\n".join(f"f{k} =~ " + " + ".join(f"x{k}_{j}" for j in range(size)) for k, size in enumerate(sizes))
    text += "\nf2 ~ f0 + f1\nf3 + f4 + f5 ~ f2\nf6 + f7 ~ f3 + f4 + f5\nf8 ~ f6 + f7"
    assert len(build_table(text, SEM).rows) == 87
    times = []
    for _ in range(20):
        start = time.perf_counter()
        build_table(text, SEM)
        times.append(time.perf_counter() - start)
    # About 0.35 ms on a slow core; the margin is for busy machines.
    assert min(times) < 0.01
