from __future__ import annotations

import re

import pytest

from trustsem.spec import build_table, defaults_for
from trustsem.spec.export import to_dagitty, to_lavaan, to_mplus, to_openmx

MODEL = """f =~ x1 + a*x2 + start(0.5)*x3
g =~ y1 + y2
g ~ f + b*z + lower(0)*z
x1 ~~ y1
ab := a*b^2
a == 2*b
a > 0"""
TABLE = build_table(MODEL, defaults_for("sem"))


def test_lavaan() -> None:
    text = to_lavaan(TABLE)
    assert text.startswith("f =~ 1*x1 + NA*x2 + a*x2 + NA*x3 + start(0.5)*x3\ng =~ 1*y1 + NA*y2\ng ~ f + b*z + lower(0)*z\nx1 ~~ y1 + NA*x1\n")
    assert text.endswith("ab := a*b^2\na == 2*b\na > 0\n")
    assert "z ~~ z" not in text
    again = build_table(text, defaults_for("lavaan"))
    assert sorted(again.parameter_names()) == sorted(TABLE.parameter_names())
    assert [relation[:3] for relation in again.relations] == [relation[:3] for relation in TABLE.relations]


def test_lavaan_groups_and_phantoms() -> None:
    table = build_table("p =~ 0\np ~ x\ny ~ eq1*p + upper(0.25)*p", defaults_for("sem"), n_groups=2, group_equal=["regressions", "residuals"])
    text = to_lavaan(table)
    assert text.splitlines()[:5] == ["group: 1", "p =~ 0", "p ~ eq2*x", "y ~ eq1*p + upper(0.25)*p", "y ~~ NA*y + eq4*y"]
    assert build_table(text, defaults_for("lavaan"), n_groups=2).n_groups == 2


def test_names_of_equalities_do_not_collide() -> None:
    table = build_table("y ~ x + eq1*z + equal('y~x')*w", defaults_for("sem"))
    assert to_lavaan(table).startswith("y ~ eq1_*x + eq1*z + eq1_*w\n")


def test_mplus() -> None:
    text = to_mplus(TABLE)
    lines = text.splitlines()
    assert lines[0] == "MODEL:"
    for line in ("f BY x1@1;", "f BY x2* (a);", "f BY x3*0.5;", "g ON z* (b);", "x1 WITH y1*;", "x1*;"):
        assert f"  {line}" in lines
    assert lines[-5:] == ["MODEL CONSTRAINT:", "  NEW(ab);", "  ab = a*b**2;", "  0 = a - (2*b);", "  a > 0;"]
    assert "z;" not in text


def test_mplus_shortens_names() -> None:
    text = to_mplus(build_table("relational =~ relation_a + relation_b + Relation_A\nü.1 ~ relational", defaults_for("sem")))
    names = re.findall(r"^! (\S+) is (\S+)$", text, flags=re.MULTILINE)
    assert {long for _, long in names} == {"relational", "relation_a", "relation_b", "Relation_A", "ü.1"}
    shorts = [short for short, _ in names]
    assert len({short.casefold() for short in shorts}) == len(shorts)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,7}", short) for short in shorts)


def test_mplus_fixes_what_it_would_free() -> None:
    text = to_mplus(build_table("f =~ x1 + x2\ng =~ y1 + y2\ny ~ z\nw ~ z", defaults_for("lavaan")))
    assert "  f WITH g@0;" in text
    assert "  y WITH w@0;" in text


def test_mplus_groups() -> None:
    text = to_mplus(build_table("group: a b\nf =~ x1 + x2 + x3\nh =~ 0\ngroup: 2nd\nf =~ x1 + x2\nx3 ~ 1", defaults_for("sem")))
    first, second = text.split("MODEL 2nd:\n")
    assert "  h BY x1@0;" in first
    assert "[x1*];" in first
    assert "  f BY x3@0;" in second


def test_openmx() -> None:
    text = to_openmx(TABLE)
    assert 'manifestVars = c("x1", "x2", "x3", "y1", "y2", "z")' in text
    assert 'mxPath(from = "f", to = "x1", arrows = 1, free = FALSE, values = 1)' in text
    assert 'mxPath(from = "z", to = "g", arrows = 1, free = TRUE, values = 0, labels = "b", lbound = 0)' in text
    assert 'mxPath(from = "z", to = "z", arrows = 2, free = TRUE, values = 1)' in text
    assert 'mxAlgebra(a*b^2, name = "ab")' in text
    assert "mxConstraint(a == 2*b" in text
    assert 'type = "cov"' in text


def test_openmx_groups() -> None:
    text = to_openmx(build_table("y ~ upper(9)*x + c.1*x + 1", defaults_for("sem"), n_groups=2))
    assert 'labels = "c_1", ubound = 9' in text
    assert 'mxFitFunctionMultigroup(c("group1", "group2"))' in text
    assert 'mxPath(from = "one", to = "y"' in text
    assert "data[[2]]" in text


def test_dagitty() -> None:
    text = to_dagitty(build_table("f =~ x1 + 0*x.2\nf ~ x + z\nx1 ~~ y", defaults_for("sem")))
    assert text == ('dag {\n  f [latent]\n  x1\n  "x.2"\n  x\n  z\n  y\n  f -> x1\n  x -> f\n  z -> f\n  x1 <-> y\n  x <-> z\n}\n')


@pytest.mark.parametrize("export", [to_lavaan, to_mplus, to_openmx, to_dagitty])
def test_exports_are_deterministic(export: object) -> None:
    assert export(TABLE) == export(build_table(MODEL, defaults_for("sem")))  # type: ignore[operator]
