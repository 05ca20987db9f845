"""Export to lavaan model syntax."""

from __future__ import annotations

import math
from itertools import groupby

from trustsem.spec.export.shared import group_names, number, printable_labels, rows_by_group
from trustsem.spec.table import ParameterTable, Row

__all__ = ["to_lavaan"]


def to_lavaan(table: ParameterTable) -> str:
    """Write a table as lavaan syntax in which nothing is left to defaults.

    Parameters
    ----------
    table : ParameterTable
        The model.

    Returns
    -------
    str
        Read with ``defaults_for("lavaan")``, or by R's ``lavaan()``, it gives the same free and fixed parameters. The moments of fixed
        covariates are left out, because ``fixed.x`` adds them. Equalities without a label of the user are called ``eq1``, ``eq2``, ...
    """
    labels = printable_labels(table)
    lines = []
    for name, rows in zip(group_names(table), rows_by_group(table), strict=True):
        if table.n_groups > 1:
            lines.append(f"group: {name}")
        for level, of_level in groupby(rows, key=lambda row: row.level):
            if table.n_levels > 1:
                lines.append(f"level: {level}")
            kept = [row for row in of_level if not row.exo]
            for (lhs, op), members in groupby(kept, key=lambda row: (row.lhs, row.op)):
                terms = [term for row in members for term in _terms(row, labels)]
                lines.append(f"{lhs} {'~' if op == '~1' else op} {' + '.join(terms)}")
    lines.extend(f"{relation.lhs} {relation.op} {relation.rhs}" for relation in table.relations)
    return "\n".join(lines) + "\n"


def _terms(row: Row, labels: dict[str, str]) -> list[str]:
    """Repeat a term once for each of its modifiers."""
    if row.op == "=~" and row.lhs == row.rhs:
        return ["0"]
    modifiers = []
    if not row.free:
        modifiers.append(number(row.ustart))
    else:
        # Written out wherever the automatic scaling of another function could fix the parameter.
        if row.op == "=~" or (row.op == "~~" and row.lhs == row.rhs):
            modifiers.append("NA")
        if not math.isnan(row.ustart):
            modifiers.append(f"start({number(row.ustart)})")
    if row.label:
        modifiers.append(labels[row.label])
    if math.isfinite(row.lower):
        modifiers.append(f"lower({number(row.lower)})")
    if math.isfinite(row.upper):
        modifiers.append(f"upper({number(row.upper)})")
    name = row.rhs or "1"
    return [f"{modifier}*{name}" for modifier in modifiers] or [name]
