from __future__ import annotations

import pytest

from trustsem.spec import build_table, compile_expression, defaults_for

SEM = defaults_for("sem")


def test_definitions_are_expanded_in_any_order() -> None:
    table = build_table("total := direct + indirect\nindirect := a*b\ny ~ direct*x + b*m\nm ~ a*x\ntotal > 0", SEM)
    total, indirect, positive = table.relations
    assert (total.op, total.lhs, total.rhs) == (":=", "total", "direct+indirect")
    assert set(total.right.names()) == {"direct", "a", "b"}
    assert total.left.names() == ("total",)
    assert indirect.right.names() == ("a", "b")
    assert positive.left.names() == total.right.names()
    assert compile_expression(positive.left, {"direct": 0, "a": 1, "b": 2}).value([1.0, 2.0, 3.0]) == 7.0


def test_equality_of_two_labels_stays_a_relation() -> None:
    table = build_table("y ~ a*x + b*z\na == b", SEM)
    assert [relation[:3] for relation in table.relations] == [("==", "a", "b")]
    assert table.parameter_names()[:2] == ("a", "b")


def test_labels_of_fixed_parameters_become_numbers() -> None:
    table = build_table("f =~ l1*x1 + l2*x2 + x3\nratio := l2/l1", SEM)
    (ratio,) = table.relations
    assert ratio.right.names() == ("l2",)
    assert compile_expression(ratio.right, {"l2": 0}).value([3.0]) == 3.0


def test_definitions_without_parameters_are_constants() -> None:
    (two,) = build_table("y ~ x\ntwo := 1 + 1", SEM).relations
    assert two.right.constant() == pytest.approx(2.0)
