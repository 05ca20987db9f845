from __future__ import annotations

import math

import pytest

from trustsem.errors import ModelSyntaxError
from trustsem.spec.parser import parse
from trustsem.spec.statements import FREE, Formula


def modifiers(term: str) -> list[tuple[str, tuple[object, ...]]]:
    (formula,) = parse(f"y ~ {term}")
    assert isinstance(formula, Formula)
    return [(modifier.kind, modifier.entries) for modifier in formula.right[0].modifiers]


@pytest.mark.parametrize(
    ("term", "kind", "entries"),
    [
        ("2*x", "value", (2.0,)),
        ("-1e-3*x", "value", (-0.001,)),
        ("1/2*x", "value", (0.5,)),
        ("(1 + 1)/4*x", "value", (0.5,)),
        ("2*3*x", "value", (6.0,)),
        ("2^-1*x", "value", (0.5,)),
        ("sqrt(4)*x", "value", (2.0,)),
        ("+ -.5*x", "value", (-0.5,)),
        ("NA*x", "value", (FREE,)),
        ("a.1*x", "value", ("a.1",)),
        ('"a b"*x', "value", ("ab",)),
        ("label(a)*x", "value", ("a",)),
        ("label(c('a', \"b\"))*x", "value", ("a", "b")),
        ("c(1, NA, a, -1/2, '')*x", "value", (1.0, FREE, "a", -0.5, "")),
        ("start(0.5)*x", "start", (0.5,)),
        ("start(c(1, NA))*x", "start", (1.0, FREE)),
        ("start(1, 2)*x", "start", (1.0, 2.0)),
        ("0.5?x", "start", (0.5,)),
        ("lower(-Inf)*x", "lower", (-math.inf,)),
        ("upper(Inf)*x", "upper", (math.inf,)),
        ("equal('f=~x1')*x", "equal", ("f=~x1",)),
        ('equal(c("", "y~z"))*x', "equal", ("", "y~z")),
        ("rv('s')*x", "rv", ("s",)),
        ("efa(b)*x", "efa", ("b",)),
        ("0", "value", (0.0,)),
        ("a*1", "value", ("a",)),
    ],
)
def test_modifiers(term: str, kind: str, entries: tuple[object, ...]) -> None:
    assert modifiers(term) == [(kind, entries)]


def test_several_modifiers_in_one_term() -> None:
    assert modifiers("2*a*x") == [("value", (2.0,)), ("value", ("a",))]


def test_names_of_terms() -> None:
    (formula,) = parse("y ~ 1 + x + + z + a:b:d + 0.5*w")
    assert isinstance(formula, Formula)
    assert [term.name for term in formula.right] == ["", "x", "z", "a:b:d", "w"]


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("y ~ x1 +", "missing after", 8),
        ("y ~ a*", "variable is expected after", 6),
        ("y ~ *x", "modifier is missing", 5),
        ("y ~ a**x", "has no meaning after", 6),
        ("y ~ c(a, b)x", "A '\\*' is missing", 5),
        ("2*y ~ x", "Modifiers belong on the right", 1),
        ("y ~ 'x'", "without quotes", 5),
        ("y ~ -x", "cannot be subtracted", 5),
        ("y ~ x1 - x2", "cannot be subtracted", 8),
        ("y ~ (x1 + x2)", "Parentheses belong around numbers", 5),
        ("y ~ ,", "name of a variable is expected", 5),
        ("y ~ NA", "'NA' is a value", 5),
        ("TRUE ~ x", "'TRUE' is a value", 1),
        ("y ~ log(x)", "Transformations", 5),
        ("f =~ x1 x2", "operator is missing before 'x2'", 9),
        ("y ~ 2", "A number on its own is an intercept", 5),
        ("y ~ x*2", "A number on its own is an intercept", 7),
        ("y ~~ 0", "name of a variable is expected here, not '0'", 6),
        ("f =~ 1", "name of a variable is expected here, not '1'", 6),
        ("y ~ strat(1)*x", "Unknown modifier 'strat\\(\\)'. Did you mean 'start'", 5),
        ("y ~ start()*x", "'start\\(\\)' is empty", 5),
        ("y ~ a b*x", "A modifier is a number", 7),
        ("y ~ 'a' b*x", "This modifier cannot be read", 5),
        ("y ~ c(1,,2)*x", "missing before ','", 9),
        ("y ~ c(1,)*x", "missing after ','", 8),
        ("y ~ TRUE*x", "cannot be a label", 5),
        ("y ~ equal(2)*x", "A label is expected", 11),
        ("y ~ label(2)*x", "A label is expected", 11),
        ("y ~ start(a)*x", "A number is expected here, not a name", 11),
        ("y ~ Inf*x", "A number is expected here, not a name", 5),
        ("y ~ 1e999*x", "not finite", 5),
        ("y ~ log(-1)*x", "not finite", 5),
        ("y ~ 1/0*x", "not finite", 5),
    ],
)
def test_messages(text: str, message: str, column: int | None) -> None:
    with pytest.raises(ModelSyntaxError, match=message) as caught:
        parse(text)
    if column is not None:
        assert caught.value.column == column
