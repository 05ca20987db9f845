"""Statements sorted by the headers they stand under: what is written for each group and level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trustsem.errors import ModelError, ModelSyntaxError, NotAvailableError
from trustsem.spec.statements import Formula, Header, Modifier, Statement, Term

__all__ = ["Cells", "Sections", "read_sections"]

Cells = dict[tuple[str, str, str], tuple[Term, tuple[Modifier, ...]]]

_LEVELS = (("1", "within"), ("2", "between"))


class Sections(NamedTuple):
    """The terms of a model by parameter.

    Attributes
    ----------
    groups : list of list of dict
        For each ``group:`` header (one group without any) the parameters of every level.
    labels : tuple of str
        The labels of the ``group:`` headers.
    n_levels : int
        1 or 2.
    """

    groups: list[list[Cells]]
    labels: tuple[str, ...]
    n_levels: int


def read_sections(statements: Sequence[Statement], text: str) -> Sections:
    """Gather terms by parameter, one section per ``group:`` and ``level:`` header.

    Raises
    ------
    ModelSyntaxError
        For headers out of order, formulas that belong to no section, or a parameter written twice.
    ModelError
        If groups have different numbers of levels.
    NotAvailableError
        For a third level.
    """
    several = sum(isinstance(statement, Header) and statement.kind == "level" for statement in statements) > 1
    groups: list[list[Cells]] = [[{}]]
    levels = [0]
    labels: list[str] = []
    for statement in statements:
        if isinstance(statement, Header) and statement.kind == "group":
            _begin_group(statement, groups, levels, labels, text)
        elif isinstance(statement, Header) and statement.kind == "level" and several:
            _begin_level(statement, groups[-1], levels, text)
        elif isinstance(statement, Formula):
            _add(groups[-1][-1], statement, text)
    n_levels = max(1, levels[0])
    if any(max(1, count) != n_levels for count in levels):
        raise ModelError("Every group needs the same levels: write 'level: 1' and 'level: 2' in each group, or in none.")
    if several and n_levels == 1:
        raise ModelError("A model of two levels needs both: write 'level: 1' and 'level: 2' in each group.")
    return Sections(groups, tuple(labels), n_levels)


def _begin_group(header: Header, groups: list[list[Cells]], levels: list[int], labels: list[str], text: str) -> None:
    if header.label in labels:
        raise ModelSyntaxError(f"There are two headers for group {header.label!r}.", text, header.position, 5)
    if labels:
        groups.append([{}])
        levels.append(0)
    elif groups[0][0] or levels[0]:
        raise ModelSyntaxError("Formulas before the first 'group:' header belong to no group. Repeat them in each group.", text, header.position, 5)
    labels.append(header.label)


def _begin_level(header: Header, sections: list[Cells], levels: list[int], text: str) -> None:
    number = levels[-1]
    if number == len(_LEVELS):
        raise NotAvailableError(f"The header 'level: {header.label}' begins a third level. Models of one or two levels can be estimated.")
    if header.label.lower() not in _LEVELS[number]:
        wanted = " or ".join(f"'level: {name}'" for name in _LEVELS[number])
        raise ModelSyntaxError(f"The header 'level: {header.label}' is out of order: {wanted} comes here.", text, header.position, 5)
    if number == 0 and sections[0]:
        raise ModelSyntaxError("Formulas before 'level: 1' belong to no level. Move them below a 'level:' header.", text, header.position, 5)
    if number:
        sections.append({})
    levels[-1] += 1


def _add(cells: Cells, formula: Formula, text: str) -> None:
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
