"""Export to R code for OpenMx."""

from __future__ import annotations

import json
import math

from trustsem.spec.export.shared import group_names, number, one_level, printable_labels, rows_by_group
from trustsem.spec.expressions import Expression
from trustsem.spec.names import block_names
from trustsem.spec.table import ParameterTable, Row

__all__ = ["to_openmx"]


def to_openmx(table: ParameterTable) -> str:
    """Write a table as R code that builds an OpenMx model.

    Parameters
    ----------
    table : ParameterTable
        The model.

    Returns
    -------
    str
        Code that expects the data frame ``data`` (with several groups: a list of data frames in the order of the groups). OpenMx
        estimates the moments of all variables, so those of fixed covariates are free there, which leaves the other estimates as they are.
    """
    one_level(table, "OpenMx")
    # A dot in a label would mean a cell of a matrix there.
    labels = {label: name.replace(".", "_") for label, name in printable_labels(table).items()}
    parts = []
    groups = rows_by_group(table)
    names = [f"group{index}" for index in range(1, len(groups) + 1)] if len(groups) > 1 else ["model"]
    for index, (name, title, rows) in enumerate(zip(names, group_names(table), groups, strict=True), 1):
        data = f"data[[{index}]]" if len(groups) > 1 else "data"
        extra = _relations(table, labels) if len(groups) == 1 else []
        comment = f"# {_quoted(title)}\n" if len(groups) > 1 else ""
        parts.append(comment + _model(name, rows, data, labels, table.has_means, extra))
    if len(groups) > 1:
        inner = [*names, f"mxFitFunctionMultigroup(c({', '.join(map(_quoted, names))}))", *_relations(table, labels)]
        parts.append('model <- mxModel("model",\n  ' + ",\n  ".join(inner) + "\n)")
    return "library(OpenMx)\n" + "\n".join(parts) + "\nfit <- mxRun(model)\n"


def _model(name: str, rows: list[Row], data: str, labels: dict[str, str], means: bool, extra: list[str]) -> str:
    block = block_names(rows)
    lines = [
        f'{_quoted(name)}, type = "RAM"',
        f"manifestVars = c({', '.join(map(_quoted, block.observed))})",
        f"latentVars = c({', '.join(map(_quoted, block.latent))})" if block.latent else "latentVars = character(0)",
        f'mxData({data}, type = "raw")' if means else f'mxData(cov({data}), type = "cov", numObs = nrow({data}))',
        *(_path(row, labels) for row in rows if row.op != "=~" or row.lhs != row.rhs),
        *extra,
    ]
    return f"{name} <- mxModel(" + ",\n  ".join(lines) + "\n)"


def _path(row: Row, labels: dict[str, str]) -> str:
    start, end, arrows = {"=~": (row.lhs, row.rhs, 1), "~": (row.rhs, row.lhs, 1), "~1": ("one", row.lhs, 1)}.get(row.op, (row.lhs, row.rhs, 2))
    free = row.free or row.exo
    value = row.ustart if not math.isnan(row.ustart) else _start(row)
    text = f"mxPath(from = {_quoted(start)}, to = {_quoted(end)}, arrows = {arrows}, free = {'TRUE' if free else 'FALSE'}, values = {number(value)}"
    if row.label and free:
        text += f", labels = {_quoted(labels[row.label])}"
    if math.isfinite(row.lower):
        text += f", lbound = {number(row.lower)}"
    if math.isfinite(row.upper):
        text += f", ubound = {number(row.upper)}"
    return text + ")"


def _start(row: Row) -> float:
    """Choose a plain starting value, because OpenMx needs one."""
    if row.op == "~~" and row.lhs == row.rhs:
        return 1.0
    return 0.5 if row.op == "=~" else 0.0


def _relations(table: ParameterTable, labels: dict[str, str]) -> list[str]:
    lines = []
    for number_of_relation, relation in enumerate(table.relations, 1):
        left, right = (_renamed(side, labels) for side in (relation.left, relation.right))
        if relation.op == ":=":
            lines.append(f"mxAlgebra({right}, name = {_quoted(relation.lhs.replace('.', '_'))})")
        else:
            lines.append(f'mxConstraint({left} {relation.op} {right}, name = "constraint{number_of_relation}")')
    return lines


def _renamed(expression: Expression, labels: dict[str, str]) -> str:
    steps = (step._replace(text=labels.get(step.text, step.text)) if step.kind == "name" else step for step in expression.steps)
    return str(Expression(tuple(steps)))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
