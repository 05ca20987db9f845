"""Terms of a formula: what is added up on one side, with the modifiers before each ``*``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from trustsem.errors import ModelSyntaxError, closest
from trustsem.spec.expressions import read_expression
from trustsem.spec.functions import FUNCTIONS
from trustsem.spec.statements import FREE, Entry, Modifier, Term
from trustsem.spec.tokens import Token

__all__ = ["read_sum"]

NUMERIC: Final = frozenset({"start", "lower", "upper"})
TEXTUAL: Final = frozenset({"label", "equal", "efa", "rv"})
# What may not be the name of a variable, because it is a value.
RESERVED: Final = frozenset({"NA", "NaN", "Inf", "TRUE", "FALSE", "NULL"})

_Fail = Callable[[str, Token], ModelSyntaxError]


def read_sum(tokens: Sequence[Token], end: Token, text: str, op: str, *, left_side: bool) -> tuple[Term, ...]:
    """Read the terms of one side of a formula.

    Parameters
    ----------
    tokens : sequence of Token
        The side, not empty.
    end : Token
        What follows it.
    text : str
        The model text, for messages.
    op : str
        The operator of the formula; only ``~`` takes the intercepts ``1`` and ``0`` and only ``=~`` the phantom ``0``.
    left_side : bool
        Whether this is the left side.

    Returns
    -------
    tuple of Term

    Raises
    ------
    ModelSyntaxError
        Pointing at the token that cannot be read.
    """

    def fail(problem: str, token: Token) -> ModelSyntaxError:
        return ModelSyntaxError(problem, text, token.position, max(1, len(token.text)))

    terms = []
    first = 0
    depth = 0
    fresh = True
    for number, token in enumerate(tokens):
        if token.kind == "op":
            if token.text == "(":
                depth += 1
            elif token.text == ")":
                depth -= 1
            elif depth == 0 and token.text == "+" and not fresh:
                terms.append(_term(tokens[first:number], token, text, op, left_side, fail))
                first = number + 1
                fresh = True
                continue
            elif depth == 0 and token.text == "+" and first == number:
                # A plus sign before a term ("y ~ +x", "x1 + + x2") adds nothing.
                first = number + 1
                continue
            # A sign after an operator belongs to the number behind it.
            fresh = token.text not in {")"}
        else:
            fresh = False
    if first == len(tokens):
        raise fail("A term is missing after '+'.", tokens[-1])
    terms.append(_term(tokens[first:], end, text, op, left_side, fail))
    return tuple(terms)


def _term(tokens: Sequence[Token], end: Token, text: str, op: str, left_side: bool, fail: _Fail) -> Term:
    if len(tokens) == 1 and tokens[0].kind == "name" and tokens[0].text not in RESERVED:
        return Term(tokens[0].text, (), tokens[0].position, len(tokens[0].text))
    depth = 0
    star = -1
    for number, token in enumerate(tokens):
        if token.kind == "op":
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0 and token.text in "*?":
                star = number
    if star + 1 == len(tokens):
        raise fail(f"A variable is expected after {tokens[-1].text!r}.", tokens[-1])
    if star == 0:
        raise fail(f"A modifier is missing before {tokens[0].text!r}.", tokens[0])
    modifiers = _modifiers(tokens[:star], tokens[star], text, fail) if star > 0 else ()
    if left_side and any(modifier.kind != "efa" for modifier in modifiers):
        raise fail("Modifiers belong on the right side of a formula.", tokens[0])
    return _variable(tokens[star + 1 :], modifiers, op, left_side, fail)


def _variable(tokens: Sequence[Token], modifiers: tuple[Modifier, ...], op: str, left_side: bool, fail: _Fail) -> Term:
    """Read the name at the end of a term."""
    first = tokens[0]
    if first.kind == "number" and len(tokens) == 1 and not left_side:
        return _number(first, modifiers, op, fail)
    if first.kind == "string":
        raise fail("Names of variables are written without quotes.", first)
    if first.kind == "op" and first.text == "-":
        raise fail("A term cannot be subtracted. Write '+ -1*x' for a coefficient fixed to -1.", first)
    if first.kind == "op" and first.text == "(":
        raise fail("Parentheses belong around numbers; write each term out.", first)
    if first.kind != "name":
        raise fail("The name of a variable is expected here.", first)
    if first.text in RESERVED:
        raise fail(f"{first.text!r} is a value, not the name of a variable. Write '{first.text}*x' for the variable x, or rename the column.", first)
    if len(tokens) == 1:
        return Term(first.text, modifiers, first.position, len(first.text))
    if all((token.text == ":") if number % 2 else (token.kind == "name") for number, token in enumerate(tokens)) and len(tokens) % 2:
        name = "".join(token.text for token in tokens)
        return Term(name, modifiers, first.position, tokens[-1].position + len(tokens[-1].text) - first.position)
    wrong = tokens[1]
    if wrong.kind == "op" and wrong.text == "-":
        raise fail("A term cannot be subtracted. Write '+ -1*x' for a coefficient fixed to -1.", wrong)
    if wrong.kind == "op" and wrong.text == "(" and first.text in NUMERIC | TEXTUAL | {"c"}:
        raise fail(f"A '*' is missing between '{first.text}(...)' and its variable.", first)
    if wrong.kind == "op" and wrong.text == "(":
        raise fail(f"Transformations such as '{first.text}(...)' are not part of model text; compute the column before.", first)
    if wrong.kind == "op":
        raise fail(f"{wrong.text!r} has no meaning after the name of a variable; compute transformed columns before.", wrong)
    raise fail(f"An operator is missing before {wrong.text!r}. Join terms with '+'; names have no spaces.", wrong)


def _number(token: Token, modifiers: tuple[Modifier, ...], op: str, fail: _Fail) -> Term:
    """Read the ``1`` or ``0`` of an intercept, or the ``0`` that says that a latent variable has no indicators."""
    value = float(token.text)
    if op == "~" and value == 1.0:
        return Term("", modifiers, token.position, len(token.text))
    if value == 0.0 and not modifiers and op in {"~", "=~"}:
        return Term("", (Modifier("value", (0.0,), token.position, len(token.text)),), token.position, len(token.text))
    if op == "~":
        raise fail("A number on its own is an intercept: 'y ~ 1' frees it, 'y ~ 0' or 'y ~ 2*1' fix it. A coefficient is written '2*x'.", token)
    raise fail(f"The name of a variable is expected here, not {token.text!r}.", token)


def _modifiers(tokens: Sequence[Token], end: Token, text: str, fail: _Fail) -> tuple[Modifier, ...]:
    """Read everything before the last ``*`` (or ``?``) of a term."""
    if end.text == "?":
        return (_modifier("start", [tokens], tokens, text, end, fail),)
    pieces = _split(tokens, "*", fail)
    found = []
    numbers: list[Sequence[Token]] = []
    for piece in pieces:
        if _is_arithmetic(piece):
            numbers.append(piece)
        else:
            found.append(_one_modifier(piece, end, text, fail))
    if numbers:
        # A product of numbers such as 2*3*x is one number.
        whole = [token for number, piece in enumerate(numbers) for token in ([*([_times(piece)] if number else []), *piece])]
        found.insert(0, _modifier("value", [whole], numbers[0], text, end, fail))
    return tuple(found)


def _times(piece: Sequence[Token]) -> Token:
    return Token("op", "*", piece[0].position)


def _is_arithmetic(piece: Sequence[Token]) -> bool:
    """Tell whether a modifier is arithmetic without names."""
    return all(token.kind == "number" or token.kind == "op" or token.text in FUNCTIONS or token.text == "Inf" for token in piece) and (
        len(piece) > 1 or piece[0].kind == "number"
    )


def _one_modifier(piece: Sequence[Token], end: Token, text: str, fail: _Fail) -> Modifier:
    first = piece[0]
    if len(piece) == 1:
        return _modifier("value", [piece], piece, text, end, fail)
    if first.kind == "name" and piece[1].text == "(" and piece[-1].text == ")":
        kind = first.text
        if kind != "c" and kind not in NUMERIC and kind not in TEXTUAL:
            known = ["c", *sorted(NUMERIC | TEXTUAL), *FUNCTIONS]
            raise fail(f"Unknown modifier {kind + '()'!r}.{closest(kind, known)} Modifiers: c, start, lower, upper, label, equal, efa, rv.", first)
        inside = piece[2:-1]
        if kind != "c" and len(inside) > 2 and inside[0].text == "c" and inside[1].text == "(" and inside[-1].text == ")":
            inside = inside[2:-1]
        if not inside:
            raise fail(f"'{kind}()' is empty.", first)
        return _modifier("value" if kind in {"c", "label"} else kind, _split(inside, ",", fail), piece, text, end, fail, label=kind == "label")
    if first.kind == "name" and piece[1].text != "(":
        raise fail("A modifier is a number, NA, a label, or a function such as c() or start(), followed by '*'.", piece[1])
    raise fail("This modifier cannot be read. A modifier is a number, NA, a label, or a function such as c() or start(), followed by '*'.", first)


def _split(tokens: Sequence[Token], separator: str, fail: _Fail) -> list[Sequence[Token]]:
    """Split tokens at a separator outside parentheses; no piece is empty."""
    pieces = []
    first = depth = 0
    for number, token in enumerate(tokens):
        if token.kind == "op":
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0 and token.text == separator:
                if first == number:
                    raise fail(f"Something is missing before {separator!r}.", token)
                pieces.append(tokens[first:number])
                first = number + 1
    if first == len(tokens):
        raise fail(f"Something is missing after {separator!r}.", tokens[-1])
    pieces.append(tokens[first:])
    return pieces


def _modifier(
    kind: str, entries: Sequence[Sequence[Token]], piece: Sequence[Token], text: str, end: Token, fail: _Fail, *, label: bool = False
) -> Modifier:
    start, last = piece[0].position, piece[-1]
    values = tuple(_entry(kind, entry, text, end, fail, label) for entry in entries)
    return Modifier(kind, values, start, last.position + len(last.text) - start)


def _entry(kind: str, tokens: Sequence[Token], text: str, end: Token, fail: _Fail, label: bool) -> Entry:
    """Read one number, ``NA`` or label."""
    first = tokens[0]
    if len(tokens) == 1:
        if first.kind == "string" and kind not in NUMERIC:
            return "".join(first.text[1:-1].split()) if kind == "value" or label else first.text[1:-1]
        if first.kind == "name":
            if first.text in {"NA", "NaN"}:
                return FREE
            if first.text in RESERVED and first.text != "Inf":
                raise fail(f"{first.text!r} cannot be a label.", first)
            if first.text != "Inf" and kind not in NUMERIC:
                return first.text
    if kind in TEXTUAL or label:
        raise fail("A label is expected here; quote it if it contains operators.", first)
    return _value(kind, tokens, text, end, fail)


def _value(kind: str, tokens: Sequence[Token], text: str, end: Token, fail: _Fail) -> float:
    """Evaluate arithmetic without names; bounds may be infinite."""
    sign = -1.0 if tokens[0].text == "-" else 1.0
    if tokens[-1].text == "Inf" and len(tokens) <= 2 and kind in {"lower", "upper"}:
        return sign * math.inf
    expression = read_expression(tokens, text, end)
    names = expression.names()
    if names:
        wrong = next(token for token in tokens if token.text == names[0])
        raise fail("A number is expected here, not a name.", wrong)
    value = expression.constant()
    if not math.isfinite(value):
        raise fail("This number is not finite.", tokens[0])
    return value
