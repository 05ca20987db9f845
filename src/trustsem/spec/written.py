"""Statements to the parameters that the user wrote, block by block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from trustsem.errors import ModelError, ModelSyntaxError
from trustsem.spec.statements import Formula, Free, Header, Modifier, Statement, Term

__all__ = ["Written", "in_data_order", "written_blocks"]


class Written(NamedTuple):
    """A parameter as written for one group, before any default.

    Attributes
    ----------
    lhs, op, rhs : str
        As in :class:`~trustsem.spec.table.Row`.
    fixed : float or None
        The value it is fixed to.
    freed : bool
        Whether ``NA`` frees it.
    label, equal : str
        Its label, and the parameter that ``equal()`` names.
    start, lower, upper : float
        NaN or infinite where not given.
    position, length : int
        Place in the model text.
    """

    lhs: str
    op: str
    rhs: str
    fixed: float | None = None
    freed: bool = False
    label: str = ""
    equal: str = ""
    start: float = math.nan
    lower: float = -math.inf
    upper: float = math.inf
    position: int = 0
    length: int = 1

    @property
    def user(self) -> int:
        """Always 1."""
        return 1

    @property
    def exo(self) -> bool:
        """Always False: what is written is not taken from the sample."""
        return False


_Cells = dict[tuple[str, str, str], tuple[Term, tuple[Modifier, ...]]]


def written_blocks(statements: Sequence[Statement], n_groups: int, text: str) -> tuple[tuple[tuple[Written, ...], ...], tuple[str, ...]]:
    """Collect the parameters of every group.

    Parameters
    ----------
    statements : sequence of Statement
        The whole model.
    n_groups : int
        Number of groups of the data; with 1, the number of ``group:`` headers counts.
    text : str
        The model text, for messages.

    Returns
    -------
    blocks : tuple of tuple of Written
        One per group.
    labels : tuple of str
        The labels of the ``group:`` headers, empty without any.

    Raises
    ------
    ModelSyntaxError
        For a parameter written twice, or modifiers that contradict each other or do not fit the number of groups.
    ModelError
        For headers that do not fit the number of groups, or a model without any formula.
    """
    sections, labels = _sections(statements, text)
    if not any(cells for cells in sections):
        raise ModelError("The model is empty: it has no formula. A formula is such as 'f =~ x1 + x2 + x3' or 'y ~ x'.")
    if not labels:
        return tuple(_resolved(sections[0], group, n_groups, text) for group in range(n_groups)), ()
    if n_groups not in {1, len(labels)}:
        raise ModelError(f"The model has {len(labels)} 'group:' header(s), but there are {n_groups} groups. Write one header per group, or none.")
    for label, cells in zip(labels, sections, strict=True):
        if not cells:
            raise ModelError(f"The model has no formula for group {label!r}.")
    return tuple(_resolved(cells, 0, 1, text) for cells in sections), labels


def in_data_order(
    blocks: tuple[tuple[Written, ...], ...], headers: tuple[str, ...], labels: Sequence[str]
) -> tuple[tuple[tuple[Written, ...], ...], tuple[str, ...]]:
    """Put the sections of a model in the order that the groups have in the data.

    Parameters
    ----------
    blocks, headers
        From :func:`written_blocks`.
    labels : sequence of str
        Labels of the groups in the data.

    Returns
    -------
    blocks, labels
        In the order of the data.

    Raises
    ------
    ModelError
        If the headers are neither the labels nor the numbers of the groups.
    """
    wanted = tuple(str(label) for label in labels)
    numbers = tuple(str(number) for number in range(1, len(wanted) + 1))
    for names in (wanted, numbers):
        if sorted(headers) == sorted(names):
            return tuple(blocks[headers.index(name)] for name in names), wanted
    raise ModelError(
        f"The 'group:' headers are {', '.join(map(repr, headers))}, but the groups of the data are {', '.join(map(repr, wanted))}. "
        f"Use the labels of the data, or the numbers 1 to {len(wanted)}."
    )


def _sections(statements: Sequence[Statement], text: str) -> tuple[list[_Cells], tuple[str, ...]]:
    """Gather terms by parameter, one section per ``group:`` header."""
    sections: list[_Cells] = [{}]
    labels: list[str] = []
    for statement in statements:
        if isinstance(statement, Header) and statement.kind == "group":
            if statement.label in labels:
                raise ModelSyntaxError(f"There are two headers for group {statement.label!r}.", text, statement.position, 5)
            if labels:
                sections.append({})
            elif sections[0]:
                raise ModelSyntaxError(
                    "Formulas before the first 'group:' header belong to no group. Repeat them in each group.", text, statement.position, 5
                )
            labels.append(statement.label)
        elif isinstance(statement, Formula):
            _add(sections[-1], statement, text)
    return sections, tuple(labels)


def _add(cells: _Cells, formula: Formula, text: str) -> None:
    own: set[tuple[str, str, str]] = set()
    for left in formula.left:
        for right in formula.right:
            key = _key(formula.op, left, right, text)
            flipped = (key[2], "~~", key[0])
            if key[1] == "~~" and flipped in cells:
                key = flipped
            if key not in cells:
                own.add(key)
                cells[key] = (right, right.modifiers)
            elif key in own:
                # Repeating a term within its formula adds modifiers to it.
                cells[key] = (cells[key][0], cells[key][1] + right.modifiers)
            else:
                problem = f"The parameter '{''.join(key)}' is written twice. Give all its modifiers in one formula, such as 'y ~ a*x + start(1)*x'."
                raise ModelSyntaxError(problem, text, right.position, right.length)


def _key(op: str, left: Term, right: Term, text: str) -> tuple[str, str, str]:
    if right.name:
        if left.name == right.name and op != "~~":
            verb = "be measured by" if op == "=~" else "depend on"
            raise ModelError(f"The variable {left.name!r} cannot {verb} itself ('{left.name} {op} {right.name}'). Remove the term.")
        return (left.name, op, right.name)
    # "f =~ 0" declares a latent variable without indicators; it is stored as lavaan does, as a loading of 0 on itself.
    return (left.name, "~1", "") if op == "~" else (left.name, op, left.name)


def _resolved(cells: _Cells, group: int, n_groups: int, text: str) -> tuple[Written, ...]:
    """Pick the entries of one group from every modifier."""
    block = []
    for (lhs, op, rhs), (term, modifiers) in cells.items():
        if not modifiers:
            block.append(Written(lhs, op, rhs, position=term.position, length=term.length))
        else:
            block.append(_with_modifiers(Written(lhs, op, rhs, position=term.position, length=term.length), modifiers, group, n_groups, text))
    return tuple(block)


def _with_modifiers(written: Written, modifiers: tuple[Modifier, ...], group: int, n_groups: int, text: str) -> Written:
    given: dict[str, Any] = {}
    for modifier in modifiers:
        entries = modifier.entries
        if len(entries) not in {1, n_groups}:
            problem = f"This modifier has {len(entries)} entries, but there {'is 1 group' if n_groups == 1 else f'are {n_groups} groups'} here."
            raise ModelSyntaxError(problem, text, modifier.position, modifier.length)
        entry = entries[0] if len(entries) == 1 else entries[group]
        if entry == "" and isinstance(entry, str):
            continue
        if modifier.kind != "value":
            if isinstance(entry, Free):
                continue
            key, value = modifier.kind, entry
        elif isinstance(entry, Free):
            key, value = "freed", True
        elif isinstance(entry, str):
            key, value = "label", entry
        else:
            key, value = "fixed", entry
        clash = {"freed": ("fixed",), "fixed": ("freed", "start"), "start": ("fixed",)}.get(key, ())
        if given.get(key, value) != value or any(other in given for other in clash):
            problem = f"The modifiers of '{written.lhs} {written.op} {written.rhs}' contradict each other. Keep one of them."
            raise ModelSyntaxError(problem, text, modifier.position, modifier.length)
        given[key] = value
    return written._replace(**given)
