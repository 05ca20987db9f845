"""Arithmetic of ``:= == < >`` and of numeric modifiers, kept as data and never evaluated as code.

An expression is stored in postfix order, so that neither reading nor evaluating it recurses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final, NamedTuple

from trustsem.errors import ModelError, ModelSyntaxError
from trustsem.spec.functions import FUNCTIONS
from trustsem.spec.programs import Program
from trustsem.spec.tokens import Token, tokenize

__all__ = ["Expression", "Step", "compile_expression", "parse_expression", "read_expression"]

MAX_DEPTH: Final = 200
MAX_STEPS: Final = 100_000

# Binding strength and associativity as in R: unary minus binds tighter than * but looser than ^.
_STRENGTH: Final[Mapping[str, int]] = MappingProxyType({"+": 1, "-": 1, "*": 2, "/": 2, "negate": 3, "^": 4})


class Step(NamedTuple):
    """One step of a postfix expression.

    Attributes
    ----------
    kind : str
        One of ``number name operator function``.
    text : str
        The name, operator or function.
    value : float
        The number; 0 for the other kinds.
    arity : int
        Number of operands taken from the stack.
    """

    kind: str
    text: str
    value: float = 0.0
    arity: int = 0


@dataclass(frozen=True)
class Expression:
    """Arithmetic over parameter labels.

    Attributes
    ----------
    steps : tuple of Step
        Postfix order.
    """

    steps: tuple[Step, ...]

    def names(self) -> tuple[str, ...]:
        """Return the labels that occur, each once, in order of appearance."""
        return tuple(dict.fromkeys(step.text for step in self.steps if step.kind == "name"))

    def substitute(self, definitions: Mapping[str, Expression]) -> Expression:
        """Replace names by expressions.

        Parameters
        ----------
        definitions : mapping of str to Expression
            Names without an entry stay.

        Returns
        -------
        Expression
            The same object if nothing changed.

        Raises
        ------
        ModelError
            If the result is longer than 100,000 steps.
        """
        if not any(step.kind == "name" and step.text in definitions for step in self.steps):
            return self
        steps: list[Step] = []
        for step in self.steps:
            inner = definitions.get(step.text) if step.kind == "name" else None
            steps.extend((step,) if inner is None else inner.steps)
            if len(steps) > MAX_STEPS:
                raise ModelError(f"A definition that refers to definitions grows beyond {MAX_STEPS:,} steps. Write it more simply.")
        return Expression(tuple(steps))

    def constant(self) -> float:
        """Return the value of an expression without names (NaN where it is undefined)."""
        return compile_expression(self, {}).value(())

    def __str__(self) -> str:
        stack: list[tuple[str, int]] = []
        for step in self.steps:
            if step.arity == 0:
                stack.append((step.text if step.kind == "name" else format(step.value, ".17g"), 9))
                continue
            operands = stack[len(stack) - step.arity :]
            del stack[len(stack) - step.arity :]
            stack.append(_shown(step, operands))
        return stack[0][0]


def _shown(step: Step, operands: Sequence[tuple[str, int]]) -> tuple[str, int]:
    """Text of one step applied to operands, with its binding strength."""
    if step.kind == "function":
        return f"{step.text}({', '.join(text for text, _ in operands)})", 9
    strength = _STRENGTH[step.text]
    if step.text == "negate":
        text, inner = operands[0]
        return f"-{text if inner > strength else f'({text})'}", strength
    (left, of_left), (right, of_right) = operands
    left = left if of_left > strength or (of_left == strength and step.text != "^") else f"({left})"
    right = right if of_right > strength else f"({right})"
    return f"{left}{step.text}{right}", strength


def compile_expression(expression: Expression, index: Mapping[str, int]) -> Program:
    """Bind the names of an expression to places in a parameter vector.

    Parameters
    ----------
    expression : Expression
        What to compute.
    index : mapping of str to int
        Place of each label in theta.

    Returns
    -------
    Program
        With ``value(theta)`` and ``gradient(theta)``.

    Raises
    ------
    ModelError
        If a name is not in `index`.
    """
    names = expression.names()
    missing = [name for name in names if name not in index]
    if missing:
        raise ModelError(f"No parameter has the label {missing[0]!r}. Labels that can be used here: {', '.join(index) or 'none'}.")
    place = {name: number for number, name in enumerate(names)}
    code = tuple((step.text, step.arity, float(place[step.text]) if step.kind == "name" else step.value, step.kind) for step in expression.steps)
    return Program(code, tuple(index[name] for name in names))


def parse_expression(text: str) -> Expression:
    """Read arithmetic from text.

    Parameters
    ----------
    text : str
        Such as ``"a*b + c^2"``; ``+ - * / ^ **``, parentheses and the usual functions.

    Returns
    -------
    Expression

    Raises
    ------
    ModelSyntaxError
        Pointing at the token that cannot be read.
    """
    tokens = [token for token in tokenize(text) if token.kind != "newline"]
    return read_expression(tokens[:-1], text, tokens[-1])


def read_expression(tokens: Sequence[Token], text: str, end: Token) -> Expression:
    """Read arithmetic from tokens (operator precedence, without recursion).

    Parameters
    ----------
    tokens : sequence of Token
        The whole expression, without line ends.
    text : str
        The model text, for messages.
    end : Token
        What follows the expression, for messages.

    Returns
    -------
    Expression

    Raises
    ------
    ModelSyntaxError
        Pointing at the token that cannot be read.
    """
    reader = _Reader(text)
    for token, after in pairwise([*tokens, end]):
        reader.take(token, after)
    return reader.finish(end)


class _Reader:
    """State of the operator-precedence reading of one expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps: list[Step] = []
        # Pending operators; an open parenthesis is "(" and carries the function it belongs to and its number of arguments.
        self.pending: list[tuple[str, str, int, Token]] = []
        self.depth = 0
        self.operand_next = True
        self.function: Token | None = None

    def error(self, problem: str, token: Token) -> ModelSyntaxError:
        return ModelSyntaxError(problem, self.text, token.position, max(1, len(token.text)))

    def take(self, token: Token, after: Token) -> None:
        if token.kind == "op" and token.text == "(":
            self._open(token)
        elif self.operand_next:
            self._operand(token, after)
        else:
            self._operator(token)

    def _open(self, token: Token) -> None:
        if not self.operand_next:
            raise self.error("An operator is missing before this parenthesis.", token)
        if self.depth >= MAX_DEPTH:
            raise self.error(f"Parentheses are nested more than {MAX_DEPTH} deep.", token)
        self.pending.append(("(", self.function.text if self.function else "", 1, token))
        self.function = None
        self.depth += 1

    def _operand(self, token: Token, after: Token) -> None:
        if token.kind == "number":
            self.steps.append(Step("number", "", float(token.text)))
        elif token.kind == "name":
            if after.kind == "op" and after.text == "(":
                if token.text not in FUNCTIONS:
                    raise self.error(f"Unknown function {token.text!r}. Functions: {', '.join(FUNCTIONS)}.", token)
                self.function = token
                return
            self.steps.append(Step("name", token.text))
        elif token.kind == "op" and token.text in "+-":
            # Written signs may pile up ("--a"), so they count towards the depth like parentheses do.
            if sum(entry[0] == "negate" for entry in self.pending[-MAX_DEPTH:]) >= MAX_DEPTH:
                raise self.error(f"More than {MAX_DEPTH} signs in a row.", token)
            if token.text == "-":
                self.pending.append(("negate", "", 0, token))
            return
        else:
            raise self.error("A label or a number is expected here.", token)
        self.operand_next = False

    def _operator(self, token: Token) -> None:
        if token.kind != "op" or token.text not in {"+", "-", "*", "/", "^", "**", ")", ","}:
            raise self.error("An operator is missing here; arithmetic uses + - * / ^ and parentheses.", token)
        if token.text == ")":
            self._close(token)
            return
        if token.text == ",":
            self._unwind(0)
            if not self.pending or not self.pending[-1][1]:
                raise self.error("A comma may only separate the arguments of a function.", token)
            sign, function, count, place = self.pending.pop()
            self.pending.append((sign, function, count + 1, place))
        else:
            operator = "^" if token.text == "**" else token.text
            # ^ groups to the right, the others to the left.
            self._unwind(_STRENGTH[operator] + (operator == "^"))
            self.pending.append((operator, "", 0, token))
        self.operand_next = True

    def _unwind(self, strength: int) -> None:
        """Move pending operators that bind at least as tightly as `strength` to the output."""
        while self.pending and self.pending[-1][0] != "(" and _STRENGTH[self.pending[-1][0]] >= strength:
            operator = self.pending.pop()[0]
            self.steps.append(Step("operator", operator, arity=1 if operator == "negate" else 2))

    def _close(self, token: Token) -> None:
        self._unwind(0)
        if not self.pending:
            raise self.error("This parenthesis was never opened.", token)
        _, function, count, _ = self.pending.pop()
        self.depth -= 1
        if function:
            low, high = FUNCTIONS[function].arity
            if not low <= count <= high:
                raise self.error(f"The function {function!r} takes {low if low == high else f'at least {low}'} argument(s), not {count}.", token)
            self.steps.append(Step("function", function, arity=count))

    def finish(self, end: Token) -> Expression:
        if self.operand_next:
            raise self.error("The expression ends where a label or a number is expected.", end)
        self._unwind(0)
        if self.pending:
            raise self.error("This parenthesis is never closed.", self.pending[-1][3])
        return Expression(tuple(self.steps))
