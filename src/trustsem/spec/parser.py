"""Tokens to statements."""

from __future__ import annotations

from itertools import pairwise
from types import MappingProxyType
from typing import Final

from trustsem.errors import ModelSyntaxError
from trustsem.spec.expressions import read_expression
from trustsem.spec.statements import Formula, Header, StatedRelation, Statement, Term
from trustsem.spec.terms import read_sum
from trustsem.spec.tokens import Token, tokenize

__all__ = ["parse"]

FORMULAS: Final = frozenset({"=~", "~", "~~", "<~", "|", "~*~", "|~", ":~"})
RELATIONS: Final = frozenset({":=", "==", "<", ">"})
_WRONG: Final = MappingProxyType(
    {
        "=": "'=' is not an operator of model text. Use '=~' (is measured by), '~' (is regressed on), '==' (equals) or ':=' (is defined as).",
        "<=": "'<=' is not an operator of model text. Use '<'; for an estimate the two mean the same.",
        ">=": "'>=' is not an operator of model text. Use '>'; for an estimate the two mean the same.",
        "!=": "'!=' is not an operator of model text. Constraints use '==', '<' and '>'.",
    }
)
# A line that ends or begins with one of these goes on.
_JOINING: Final = FORMULAS | RELATIONS | frozenset(_WRONG) | frozenset({"+", "-", "*", "/", "^", "**", ",", ":", "?"})


def parse(text: str) -> tuple[Statement, ...]:
    """Read model text.

    Parameters
    ----------
    text : str
        Lavaan model syntax.

    Returns
    -------
    tuple of Statement
        In the order of the text.

    Raises
    ------
    ModelSyntaxError
        Pointing at the token that cannot be read.
    """
    return tuple(_statement(line, end, text) for line, end in _lines(tokenize(text), text))


def _lines(tokens: list[Token], text: str) -> list[tuple[list[Token], Token]]:
    """Split tokens into statements, each with the token that ends it."""
    lines: list[tuple[list[Token], Token]] = []
    current: list[Token] = []
    opened: list[Token] = []
    for number, token in enumerate(tokens):
        if token.kind == "newline" or token.kind == "end":
            if token.kind == "newline" and token.text == "\n" and (opened or _goes_on(current, tokens, number)):
                continue
            if opened:
                raise ModelSyntaxError("This parenthesis is never closed.", text, opened[-1].position)
            if current:
                lines.append((current, token))
                current = []
            continue
        if token.kind == "op":
            if token.text == "(":
                opened.append(token)
            elif token.text == ")":
                if not opened:
                    raise ModelSyntaxError("This parenthesis was never opened.", text, token.position)
                opened.pop()
        current.append(token)
    return lines


def _goes_on(current: list[Token], tokens: list[Token], number: int) -> bool:
    """Tell whether a statement continues after the line end at `number`."""
    if not current or current[0].kind == "header":
        return False
    if current[-1].kind == "op" and current[-1].text in _JOINING:
        return True
    while tokens[number].kind == "newline" and tokens[number].text == "\n":
        number += 1
    return tokens[number].kind == "op" and tokens[number].text in _JOINING


def _statement(line: list[Token], end: Token, text: str) -> Statement:
    if line[0].kind == "header":
        return _header(line, text)
    place = -1
    for number, token in enumerate(line):
        if token.kind != "op":
            continue
        if token.text in _WRONG:
            raise ModelSyntaxError(_WRONG[token.text], text, token.position, len(token.text))
        if token.text in FORMULAS or token.text in RELATIONS:
            if place >= 0:
                problem = f"A second operator {token.text!r} in one statement. Begin a new line, or finish the statement before with ';'."
                raise ModelSyntaxError(problem, text, token.position, len(token.text))
            place = number
    if place < 0:
        first = line[0]
        problem = "This statement has no operator. Every statement needs one of =~ ~ ~~ := == < >."
        raise ModelSyntaxError(problem, text, first.position, line[-1].position + len(line[-1].text) - first.position)
    operator, left, right = line[place], line[:place], line[place + 1 :]
    if not left:
        raise ModelSyntaxError(f"Nothing stands before {operator.text!r}.", text, operator.position, len(operator.text))
    if not right:
        raise ModelSyntaxError(f"Nothing stands after {operator.text!r}.", text, operator.position, len(operator.text))
    if operator.text in RELATIONS:
        return _relation(operator, left, right, end, text)
    lefts = read_sum(left, operator, text, operator.text, left_side=True)
    rights = read_sum(right, end, text, operator.text, left_side=False)
    return _formula(operator, lefts, rights)


def _formula(operator: Token, lefts: tuple[Term, ...], rights: tuple[Term, ...]) -> Formula:
    return Formula(operator.text, lefts, rights, operator.position)


def _header(line: list[Token], text: str) -> Header:
    kind, _, label = line[0].text.partition(":")
    kind, label = kind.strip().lower(), label.strip()
    if len(label) > 1 and label[0] == label[-1] and label[0] in "\"'":
        label = label[1:-1]
    if not label:
        raise ModelSyntaxError(f"A label or a number is expected after '{kind}:'.", text, line[0].position, len(line[0].text))
    return Header(kind, label, line[0].position)


def _relation(operator: Token, left: list[Token], right: list[Token], end: Token, text: str) -> StatedRelation:
    if operator.text == ":=" and (len(left) > 1 or left[0].kind != "name"):
        raise ModelSyntaxError("The left side of ':=' is one name, the name of what is defined.", text, left[0].position, len(left[0].text))
    sides = (read_expression(left, text, operator), read_expression(right, text, end))
    searched = [*right, end] if operator.text == ":=" else [*left, operator, *right, end]
    names = tuple((token.text, token.position) for token, after in pairwise(searched) if token.kind == "name" and after.text != "(")
    lhs, rhs = ("".join(token.text for token in side) for side in (left, right))
    return StatedRelation(operator.text, lhs, rhs, sides[0], sides[1], names, left[0].position)
