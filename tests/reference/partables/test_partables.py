"""Parameter tables equal lavaan's (0.6-14), row for row and column for column.

``tables.json`` is what ``make.R`` answers to ``cases.json``. lavaan states that two parameters are equal by extra rows ``.p1. == .p5.``;
here that is a shared label, so the sets of equal parameters are compared.

Where lavaan is not followed, and why (each is tested in ``tests/unit/spec``):

* ``equal("f=~x2")``: lavaan labels the second parameter ``f=~x2`` and the first ``.p2.``; here both have the label of the first. Where the
  first has a label of the user, lavaan 0.6-14 silently drops the equality; here it holds.
* ``c(NA, a)*x``, ``c(1, a)*x``, ``c("", a)*x``: lavaan gives every group the label ``a`` and drops the rest; here each group gets its own entry.
* ``group.equal`` with values that the user wrote differently for each group (``c(0.5, 2)*x``, ``c(NA, 1)*x``): lavaan silently gives every
  group one of them; here what the user wrote stays, as it does for labels.
* ``group.partial``: lavaan ignores names that do not exist and ``x2~~x1`` for ``x1~~x2``; here the first is an error and the second works.
* Text that lavaan reads as something else: ``f =~ x1 x2`` (a variable x1x2), ``y ~ x*2`` (an intercept labelled x), ``y ~ 2`` (an intercept
  fixed to 0), ``a >= 1``, ``start(a)*x`` (a label), ``a*x + b*x`` and ``2*x + start(1)*x`` (one is ignored), formulas before the first
  ``group:`` header (dropped), labels in constraints that no parameter has, a name defined twice. All are errors here.
* One label on parameters fixed to different values: lavaan warns and keeps the first value; here it is an error.
* A few models with flipped covariances of variables that occur nowhere else stop lavaan ("parameter is not defined"); here they work.
* ``y ~ y`` warns in lavaan and is an error here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trustsem.spec import Defaults, ParameterTable, block_names, build_table, defaults_for

ANSWERS = json.loads((Path(__file__).parent / "tables.json").read_text(encoding="utf-8"))
RELATIONS = {"==", ":=", "<", ">"}
EQUALITY_DROPPED_BY_LAVAAN = {"equal", "equal to a label"}


def table_of(case: dict[str, Any]) -> ParameterTable:
    options = {name.replace(".", "_"): value for name, value in case["options"].items()}
    equal, partial = (options.pop(name, ()) for name in ("group_equal", "group_partial"))
    if case["fun"] == "lavaanify":
        defaults = Defaults(meanstructure=False, fixed_x=False)
    else:
        # Without data, lavaan has means exactly if sample means are given (or the function is growth).
        defaults = defaults_for(case["fun"])
        defaults = replace(defaults, meanstructure=case["means"] or case["fun"] == "growth")
    return build_table(case["model"], replace(defaults, **options), n_groups=case["n_groups"], group_equal=equal, group_partial=partial)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def sets_of_equals(labels: Sequence[str], pairs: Iterable[tuple[int, int]]) -> set[frozenset[int]]:
    """Group row numbers by shared label and by stated pairs."""
    groups = [{number} for number in range(len(labels))]
    seen: dict[str, int] = {}
    links = [*pairs, *((number, seen.setdefault(label, number)) for number, label in enumerate(labels) if label)]
    for one, other in links:
        merged = groups[one] | groups[other]
        for number in merged:
            groups[number] = merged
    return {frozenset(group) for group in groups}


def test_there_are_enough_cases_and_lavaan_accepted_them_all() -> None:
    assert len(ANSWERS) >= 60
    assert [case["id"] for case in ANSWERS if "error" in case] == []
    assert len({case["id"] for case in ANSWERS}) == len(ANSWERS)


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: str(case["id"]))
def test_table_equals_lavaans(case: dict[str, Any]) -> None:
    table = table_of(case)
    columns = case["rows"]
    every = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    parameters = [row for row in every if row["op"] not in RELATIONS]
    theirs = [(r["lhs"], r["op"], r["rhs"], r["user"], r["group"], r["free"] > 0, r["ustart"], bool(r["exo"])) for r in parameters]
    ours = [(r.lhs, r.op, r.rhs, r.user, r.group, r.free, None if math.isnan(r.ustart) else pytest.approx(r.ustart), r.exo) for r in table.rows]
    assert ours == theirs
    assert [row.block for row in table.rows] == [row["block"] for row in parameters]
    if "lower" in columns:
        assert [row.lower for row in table.rows] == [-math.inf if row["lower"] in {None, "-Inf"} else row["lower"] for row in parameters]
    if "upper" in columns:
        assert [row.upper for row in table.rows] == [math.inf if row["upper"] in {None, "Inf"} else row["upper"] for row in parameters]


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: str(case["id"]))
def test_equalities_and_relations_equal_lavaans(case: dict[str, Any]) -> None:
    table = table_of(case)
    columns = case["rows"]
    every = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    parameters = [row for row in every if row["op"] not in RELATIONS]
    place = {row["plabel"]: number for number, row in enumerate(parameters)}
    pairs = [(place[row["lhs"]], place[row["rhs"]]) for row in every if row["op"] == "==" and row["lhs"] in place]
    relations = [(row["op"], row["lhs"], row["rhs"]) for row in every if row["op"] in RELATIONS and row["lhs"] not in place]
    assert [relation[:3] for relation in table.relations] == relations
    theirs = [row["label"] for row in parameters]
    ours = [row.label for row in table.rows]
    if case["id"] not in EQUALITY_DROPPED_BY_LAVAAN:
        assert sets_of_equals(ours, ()) == sets_of_equals(theirs, pairs)
    if "equal(" not in case["model"]:
        assert ours == theirs
        if "coef" in case:
            assert list(table.parameter_names()) == as_list(case["coef"])


@pytest.mark.parametrize("case", [case for case in ANSWERS if "ov" in case], ids=lambda case: str(case["id"]))
def test_names_equal_lavaans(case: dict[str, Any]) -> None:
    table = table_of(case)
    for group in range(table.n_groups):
        names = block_names([row for row in table.rows if row.group == group + 1])
        assert list(names.observed) == as_list(case["ov"][group])
        assert list(names.latent) == as_list(case["lv"][group])
        assert list(names.exogenous) == as_list(case["ov.x"][group])
