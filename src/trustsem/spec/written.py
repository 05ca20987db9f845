"""Statements to the parameters that the user wrote, block by block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from trustsem.errors import ModelError, ModelSyntaxError
from trustsem.spec.sections import Cells, read_sections
from trustsem.spec.statements import Free, Modifier, Statement

__all__ = ["Written", "WrittenModel", "in_data_order", "written_blocks"]


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


class WrittenModel(NamedTuple):
    """Everything the user wrote.

    Attributes
    ----------
    blocks : tuple of tuple of Written
        One per group and level, group by group.
    labels : tuple of str
        The labels of the ``group:`` headers, empty without any.
    n_levels : int
        1 or 2.
    """

    blocks: tuple[tuple[Written, ...], ...]
    labels: tuple[str, ...]
    n_levels: int


def written_blocks(statements: Sequence[Statement], n_groups: int, text: str) -> WrittenModel:
    """Collect the parameters of every group and level.

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
    WrittenModel

    Raises
    ------
    ModelSyntaxError
        For a parameter written twice, headers out of order, or modifiers that contradict each other or do not fit the number of groups.
    ModelError
        For headers that do not fit the number of groups, or a model without any formula.
    NotAvailableError
        For more than two levels.
    """
    sections = read_sections(statements, text)
    labels = sections.labels
    if not any(cells for group in sections.groups for cells in group):
        raise ModelError("The model is empty: it has no formula. A formula is such as 'f =~ x1 + x2 + x3' or 'y ~ x'.")
    if labels and n_groups not in {1, len(labels)}:
        raise ModelError(f"The model has {len(labels)} 'group:' header(s), but there are {n_groups} groups. Write one header per group, or none.")
    for number, group in enumerate(sections.groups):
        for level, cells in enumerate(group, 1):
            if not cells:
                where = (f"group {labels[number]!r}" if labels else "") + (", " if labels and sections.n_levels > 1 else "")
                where += f"level {level}" if sections.n_levels > 1 else ""
                raise ModelError(f"The model has no formula for {where}.")
    if labels:
        blocks = tuple(_resolved(cells, 0, 1, text) for group in sections.groups for cells in group)
    else:
        blocks = tuple(_resolved(cells, group, n_groups, text) for group in range(n_groups) for cells in sections.groups[0])
    return WrittenModel(blocks, labels, sections.n_levels)


def in_data_order(model: WrittenModel, labels: Sequence[str]) -> WrittenModel:
    """Put the sections of a model in the order that the groups have in the data.

    Parameters
    ----------
    model : WrittenModel
        With ``group:`` headers.
    labels : sequence of str
        Labels of the groups in the data.

    Returns
    -------
    WrittenModel

    Raises
    ------
    ModelError
        If the headers are neither the labels nor the numbers of the groups.
    """
    headers, levels = model.labels, model.n_levels
    wanted = tuple(str(label) for label in labels)
    numbers = tuple(str(number) for number in range(1, len(wanted) + 1))
    for names in (wanted, numbers):
        if sorted(headers) == sorted(names):
            starts = [headers.index(name) * levels for name in names]
            return model._replace(blocks=tuple(block for start in starts for block in model.blocks[start : start + levels]), labels=wanted)
    raise ModelError(
        f"The 'group:' headers are {', '.join(map(repr, headers))}, but the groups of the data are {', '.join(map(repr, wanted))}. "
        f"Use the labels of the data, or the numbers 1 to {len(wanted)}."
    )


def _resolved(cells: Cells, group: int, n_groups: int, text: str) -> tuple[Written, ...]:
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
