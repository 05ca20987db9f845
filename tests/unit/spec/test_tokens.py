from __future__ import annotations

import pytest

from trustsem.errors import ModelSyntaxError
from trustsem.spec.tokens import Token, tokenize


def texts(model: str) -> list[str]:
    return [token.text for token in tokenize(model)]


def test_places_and_kinds() -> None:
    assert tokenize("f =~ .5*x.1") == [
        Token("name", "f", 0),
        Token("op", "=~", 2),
        Token("number", ".5", 5),
        Token("op", "*", 7),
        Token("name", "x.1", 8),
        Token("end", "", 11),
    ]


def test_comments_run_to_the_end_of_the_line() -> None:
    assert texts("a # b ; c\n! d\n'#!'") == ["a", "\n", "\n", "'#!'", ""]


@pytest.mark.parametrize("operator", ["=~", "~", "~~", "<~", "~*~", ":=", "==", "<", ">", "|", "|~", ":~", "**", "^", "?"])
def test_operators(operator: str) -> None:
    assert texts(f"a{operator}b") == ["a", operator, "b", ""]


def test_white_space_inside_the_measurement_operator() -> None:
    assert texts("f = ~ x") == ["f", "=~", "x", ""]


@pytest.mark.parametrize("name", ["größe", "名前", "x_1.b", ".x", "हिन्दी", "مُتَغَيِّر", "_y", "é"])
def test_names_of_any_script(name: str) -> None:
    assert tokenize(name)[0] == Token("name", name, 0)


@pytest.mark.parametrize(("text", "number"), [("1e-3", "1e-3"), ("2.", "2."), (".5E+2", ".5E+2"), ("10", "10")])
def test_numbers(text: str, number: str) -> None:
    assert tokenize(text)[0] == Token("number", number, 0)


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("y ~ 2nd", "cannot begin with a digit: '2nd'", (1, 5)),
        ("y ~ 'a*x", "quote is not closed", (1, 5)),
        ("y ~ x\nz ~ w$1", "'\\$' has no meaning", (2, 6)),
        ("y ~ a − b", "has no meaning", (1, 7)),
    ],
)
def test_unreadable_text(text: str, message: str, place: tuple[int, int]) -> None:
    with pytest.raises(ModelSyntaxError, match=message) as caught:
        tokenize(text)
    assert (caught.value.line, caught.value.column) == place
