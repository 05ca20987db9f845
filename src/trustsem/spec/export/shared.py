"""What the exporters share: printable labels, numbers, and the rows of each group."""

from __future__ import annotations

from trustsem.errors import NotAvailableError
from trustsem.spec.table import ParameterTable, Row

__all__ = ["group_names", "number", "one_level", "printable_labels", "rows_by_group"]


def one_level(table: ParameterTable, program: str) -> None:
    """Refuse a table of two levels.

    Raises
    ------
    NotAvailableError
    """
    if table.n_levels > 1:
        raise NotAvailableError(f"A model of two levels cannot be written for {program} yet. Export it to lavaan.")


def printable_labels(table: ParameterTable) -> dict[str, str]:
    """Give every label a name that other programs accept.

    Parameters
    ----------
    table : ParameterTable
        The model.

    Returns
    -------
    dict of str to str
        Internal labels (``.p8.``) become ``eq8``; labels that the user gave stay.
    """
    labels = list(dict.fromkeys(row.label for row in table.rows if row.label))
    defined = {relation.lhs for relation in table.relations if relation.op == ":="}
    used = {label for label in labels if not _internal(label)} | defined
    names = {}
    for label in labels:
        name = label
        if _internal(label):
            name = f"eq{label[2:-1]}"
            while name in used:
                name += "_"
            used.add(name)
        names[label] = name
    return names


def _internal(label: str) -> bool:
    return label.startswith(".p") and label.endswith(".") and label[2:-1].isdigit()


def number(value: float) -> str:
    """Write a number so that reading it gives the same value."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def rows_by_group(table: ParameterTable) -> list[list[Row]]:
    """Return the rows of each group."""
    return [[row for row in table.rows if row.group == group] for group in range(1, table.n_groups + 1)]


def group_names(table: ParameterTable) -> list[str]:
    """Return the labels of the groups, or their numbers."""
    return list(table.group_labels) or [str(group) for group in range(1, table.n_groups + 1)]
