from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trustsem.errors import ModelError, ModelSyntaxError
from trustsem.spec.expressions import compile_expression, parse_expression
from trustsem.spec.functions import FUNCTIONS

INDEX = {"a": 0, "b": 1, "c": 3}
THETA = np.array([0.7, -1.3, 99.0, 0.4])


def value(text: str) -> float:
    return compile_expression(parse_expression(text), INDEX).value(THETA)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2*3", 7.0),
        ("2*3 - 4 - 5", -3.0),
        ("12/3/2", 2.0),
        ("2^3^2", 512.0),
        ("2**3", 8.0),
        ("-2^2", -4.0),
        ("2^-1", 0.5),
        ("-a*b", 0.91),
        ("- -a", 0.7),
        ("a - -b", -0.6),
        ("(a + b)*c", -0.24),
        ("exp(a)*log(a)", math.exp(0.7) * math.log(0.7)),
        ("min(a, b, c) + max(a, b)", -0.6),
        ("sqrt(abs(b))", math.sqrt(1.3)),
        ("tanh(a) + sin(b)/cos(c)", math.tanh(0.7) + math.sin(-1.3) / math.cos(0.4)),
        ("1e2 + .5", 100.5),
    ],
)
def test_values(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("log(b)", math.nan),
        ("log(0)", -math.inf),
        ("sqrt(b)", math.nan),
        ("a/0", math.inf),
        ("b/0", -math.inf),
        ("0/0", math.nan),
        ("exp(1000)", math.inf),
        ("0^-1", math.inf),
        ("b^0.5", math.nan),
        ("10^1000", math.inf),
        ("(-10)^1001", -math.inf),
        ("log1p(-1)", -math.inf),
        ("max(a, log(b))", math.nan),
    ],
)
def test_undefined_values_are_nan_or_infinite(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, nan_ok=True)
    assert compile_expression(parse_expression(text), INDEX).gradient(THETA).shape == (4,)


INSIDE = {"acosh": "2 + a", "log1p": "a", "asin": "a*c", "acos": "a*c", "atanh": "a*c"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_the_gradient_of_its_value(name: str) -> None:
    check_gradient(f"{name}({INSIDE.get(name, 'a + c*c')})*b")


@pytest.mark.parametrize(
    "text",
    [
        "a*b*c",
        "a/b - c",
        "a^c",
        "a^2 + b^3",
        "c^b",
        "(a - b)/(c + a*a)",
        "min(a, b)*max(b, c, a)",
        "exp(a*b)/(1 + exp(a*b))",
        "-a + +b",
        "7",
        "sqrt(a^2 + b^2)",
    ],
)
def test_gradients(text: str) -> None:
    check_gradient(text)


def check_gradient(text: str) -> None:
    program = compile_expression(parse_expression(text), INDEX)
    step = 1e-6
    numeric = [(program.value(THETA + step * unit) - program.value(THETA - step * unit)) / (2 * step) for unit in np.eye(4)]
    np.testing.assert_allclose(program.gradient(THETA), numeric, rtol=1e-7, atol=1e-8)


def test_special_gradients() -> None:
    theta = np.zeros(1)
    gradient = {
        text: compile_expression(parse_expression(text), {"a": 0}).gradient(theta)[0]
        for text in ("a^2", "abs(a)", "sqrt(a)", "a^1", "0*log(1+a)", "2^a")
    }
    assert gradient == {"a^2": 0.0, "abs(a)": 0.0, "sqrt(a)": math.inf, "a^1": 1.0, "0*log(1+a)": 0.0, "2^a": math.log(2.0)}


def test_repeated_names_add_up_when_they_share_a_place() -> None:
    program = compile_expression(parse_expression("a*b"), {"a": 0, "b": 0})
    assert program.gradient(np.array([3.0])).tolist() == [6.0]


def test_programs_pickle() -> None:
    program = compile_expression(parse_expression("exp(a)*b^2"), INDEX)
    again = pickle.loads(pickle.dumps(program))
    assert again == program
    assert again.value(THETA) == program.value(THETA)


def test_names_and_substitution() -> None:
    inner = parse_expression("x - y")
    expression = parse_expression("2*d + e*d")
    assert expression.names() == ("d", "e")
    replaced = expression.substitute({"d": inner})
    assert replaced.names() == ("x", "y", "e")
    assert compile_expression(replaced, {"x": 0, "y": 1, "e": 2}).value([5.0, 2.0, 10.0]) == 36.0
    assert expression.substitute({"q": inner}) is expression


def test_substitution_has_a_limit() -> None:
    once = parse_expression("d + d")
    inner = parse_expression("+".join(["a"] * 40_000))
    with pytest.raises(ModelError, match="grows beyond"):
        once.substitute({"d": inner})


def test_unknown_label() -> None:
    with pytest.raises(ModelError, match="No parameter has the label 'q'"):
        compile_expression(parse_expression("q + 1"), INDEX)


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("a +", "ends where", 3),
        ("", "ends where", 0),
        ("a b", "operator is missing", 2),
        ("2 (b)", "operator is missing", 2),
        ("(a + b", "never closed", 0),
        ("a)", "never opened", 1),
        ("a, b", "comma may only separate", 1),
        ("(a, b)", "comma may only separate", 2),
        ("exp(a, b)", "takes 1 argument\\(s\\), not 2", 8),
        ("system(a)", "Unknown function 'system'", 0),
        ("*a", "label or a number is expected", 0),
        ("'a'", "label or a number is expected", 0),
        ("exp()", "label or a number is expected", 4),
    ],
)
def test_messages(text: str, message: str, position: int) -> None:
    with pytest.raises(ModelSyntaxError, match=message) as caught:
        parse_expression(text)
    assert caught.value.position == position


@pytest.mark.parametrize("text", ["(" * 100_000, "(" * 100_000 + "a" + ")" * 100_000, "exp(" * 5000 + "a" + ")" * 5000])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(ModelSyntaxError, match="nested more than 200 deep"):
        parse_expression(text)


def test_many_signs_are_refused() -> None:
    with pytest.raises(ModelSyntaxError, match="More than 200 signs"):
        parse_expression("-" * 100_000 + "a")


def test_long_expressions_are_fine() -> None:
    assert value("+".join(["a"] * 20_000)) == pytest.approx(14_000)
    assert value("^".join(["1"] * 20_000)) == 1.0


expressions = st.recursive(
    st.sampled_from(["a", "b", "c", "2", "0.5"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/^"), inner).map(lambda parts: f"({parts[0]}){parts[1]}({parts[2]})"),
        st.tuples(inner, st.sampled_from("+-*/"), inner).map("".join),
        inner.map(lambda text: f"-({text})"),
        inner.map(lambda text: f"exp({text})"),
    ),
    max_leaves=12,
)


@given(expressions)
@settings(max_examples=200, deadline=None)
def test_printing_and_reading_again_is_the_identity(text: str) -> None:
    expression = parse_expression(text)
    assert parse_expression(str(expression)) == expression


@given(expressions)
@settings(max_examples=200, deadline=None)
def test_values_equal_pythons(text: str) -> None:
    ours = value(text)
    try:
        theirs = eval(text.replace("^", "**"), {"__builtins__": {}}, {"a": 0.7, "b": -1.3, "c": 0.4, "exp": math.exp})
    except (ZeroDivisionError, OverflowError, TypeError):
        return
    if isinstance(theirs, complex):
        assert math.isnan(ours)
    else:
        assert ours == pytest.approx(theirs, rel=1e-12, nan_ok=True)
