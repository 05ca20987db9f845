from __future__ import annotations

import pytest

from trustsem.errors import ModelSyntaxError
from trustsem.spec.parser import parse
from trustsem.spec.statements import Formula, Header, StatedRelation


def formulas(text: str) -> list[tuple[list[str], str, list[str]]]:
    return [([t.name for t in s.left], s.op, [t.name for t in s.right]) for s in parse(text) if isinstance(s, Formula)]


@pytest.mark.parametrize(
    "text",
    [
        "f =~ x1 + x2; y ~ f",
        "f =~ x1 +\n  x2\ny ~\n\n f",
        "f =~ x1\n + x2 # more\n\n y\n ~ f",
        "f\n=~ x1 + x2 ! note\n;;\n y ~ f;",
        "f =~\r\n x1 +\r\n x2\r\ny ~ f",
    ],
)
def test_layouts_mean_the_same(text: str) -> None:
    assert formulas(text) == [(["f"], "=~", ["x1", "x2"]), (["y"], "~", ["f"])]


def test_parentheses_continue_a_line() -> None:
    assert formulas("y ~ c(1,\n 2)*x") == [(["y"], "~", ["x"])]


def test_several_left_sides_and_every_operator() -> None:
    assert formulas("a + b ~ x\na ~~ b\nc |t1\nf <~ x\ny ~*~ y\ny |~ z\ny :~ z") == [
        (["a", "b"], "~", ["x"]),
        (["a"], "~~", ["b"]),
        (["c"], "|", ["t1"]),
        (["f"], "<~", ["x"]),
        (["y"], "~*~", ["y"]),
        (["y"], "|~", ["z"]),
        (["y"], ":~", ["z"]),
    ]


@pytest.mark.parametrize(
    ("text", "kind", "label"),
    [
        ("group: 1", "group", "1"),
        ("Group : Grant-White", "group", "Grant-White"),
        ('group: "a b"', "group", "a b"),
        ("level: 2", "level", "2"),
        ("block:b", "block", "b"),
        ("group: O'Brien (2nd)", "group", "O'Brien (2nd)"),
    ],
)
def test_headers(text: str, kind: str, label: str) -> None:
    (header,) = parse(text)
    assert isinstance(header, Header)
    assert (header.kind, header.label) == (kind, label)


def test_a_header_ends_with_its_line() -> None:
    first, second = parse("group: a # first\ny ~ x")
    assert isinstance(first, Header)
    assert first.label == "a"
    assert isinstance(second, Formula)


def test_relations_keep_their_text_without_white_space() -> None:
    (relation,) = parse("a * 2 ==\n exp( b ) - 1")
    assert isinstance(relation, StatedRelation)
    assert (relation.op, relation.lhs, relation.rhs) == ("==", "a*2", "exp(b)-1")
    assert relation.names == (("a", 0), ("b", 15))


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("y = x", "'=' is not an operator", (1, 3)),
        ("y ~ a*x\na >= 1", "Use '>'", (2, 3)),
        ("y ~ a*x\na <= 1", "Use '<'", (2, 3)),
        ("y ~ a*x\na != 1", "Constraints use", (2, 3)),
        ("f =~ x1\ng x2 x3\ny ~ x", "has no operator", (2, 1)),
        ("~ x", "Nothing stands before '~'", (1, 1)),
        ("y ~ # x", "Nothing stands after '~'", (1, 3)),
        ("y ~ x ~ z", "A second operator", (1, 7)),
        ("y ~ c(1, 2*x\nz ~ y", "never closed", (1, 6)),
        ("y ~ c(1, 2", "never closed", (1, 6)),
        ("y ~ c(1; 2)*x", "never closed", (1, 6)),
        ("y ~ x)", "never opened", (1, 6)),
        ("group:\ny ~ x", "expected after 'group:'", (1, 1)),
        ("2*a := b", "one name", (1, 1)),
    ],
)
def test_messages_point_at_the_token(text: str, message: str, place: tuple[int, int]) -> None:
    with pytest.raises(ModelSyntaxError, match=message) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == place
    assert "^" in str(caught.value)
