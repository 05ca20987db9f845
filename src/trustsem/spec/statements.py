"""What model text says, statement by statement, before anything is filled in."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from trustsem.spec.expressions import Expression

__all__ = ["FREE", "Formula", "Free", "Header", "Modifier", "StatedRelation", "Statement", "Term"]


class Free(NamedTuple):
    """``NA`` in a modifier: the parameter is free whatever the defaults say."""


FREE: Final = Free()

Entry: TypeAlias = "float | str | Free"


class Modifier(NamedTuple):
    """What stands before the ``*`` of a term.

    Attributes
    ----------
    kind : str
        ``value`` (numbers, ``NA`` and labels, also mixed in ``c()``), ``start``, ``equal``, ``lower``, ``upper``, ``efa`` or ``rv``.
    entries : tuple
        One entry, or one per group. An empty string is no label.
    position, length : int
        Place in the model text.
    """

    kind: str
    entries: tuple[Entry, ...]
    position: int
    length: int


class Term(NamedTuple):
    """One element of a side of a formula.

    Attributes
    ----------
    name : str
        Variable, ``""`` for an intercept, ``a:b`` for an interaction.
    modifiers : tuple of Modifier
        In the order written.
    position, length : int
        Place of the name in the model text.
    """

    name: str
    modifiers: tuple[Modifier, ...]
    position: int
    length: int


class Formula(NamedTuple):
    """A formula such as ``f =~ x1 + a*x2``.

    Attributes
    ----------
    op : str
        The operator as written (``~`` also for intercepts).
    left, right : tuple of Term
        The two sides.
    position : int
        Place of the operator.
    """

    op: str
    left: tuple[Term, ...]
    right: tuple[Term, ...]
    position: int


class Header(NamedTuple):
    """A line such as ``group: 1``.

    Attributes
    ----------
    kind : str
        ``group``, ``level`` or ``block``.
    label : str
        What follows the colon.
    position : int
        Place in the model text.
    """

    kind: str
    label: str
    position: int


class StatedRelation(NamedTuple):
    """A definition or a constraint, its names not yet looked up.

    Attributes
    ----------
    op : str
        One of ``:= == < >``.
    lhs, rhs : str
        The sides without white space.
    left, right : Expression
        The sides as arithmetic.
    names : tuple of (str, int)
        Every name of both sides with its place in the model text.
    position : int
        Place of the left side.
    """

    op: str
    lhs: str
    rhs: str
    left: Expression
    right: Expression
    names: tuple[tuple[str, int], ...]
    position: int


Statement: TypeAlias = Formula | Header | StatedRelation
