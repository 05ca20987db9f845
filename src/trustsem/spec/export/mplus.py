"""Export to the MODEL section of Mplus input."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from itertools import combinations

from trustsem.spec.export.shared import group_names, number, one_level, printable_labels, rows_by_group
from trustsem.spec.expressions import Expression
from trustsem.spec.names import block_names
from trustsem.spec.table import ParameterTable, Relation, Row

__all__ = ["to_mplus"]

_LENGTH = 8


def to_mplus(table: ParameterTable) -> str:
    """Write a table as the MODEL section of Mplus input.

    Parameters
    ----------
    table : ParameterTable
        The model.

    Returns
    -------
    str
        ``MODEL:`` and, if needed, one section per further group and ``MODEL CONSTRAINT:``. Every parameter is written out; covariances
        that Mplus would add by itself are fixed to 0. Names of more than 8 characters are shortened and listed in comments.
    """
    one_level(table, "Mplus")
    labels = printable_labels(table)
    defined = [relation.lhs for relation in table.relations if relation.op == ":="]
    variables = [name for row in table.rows for name in (row.lhs, row.rhs) if name]
    names = _short(variables)
    short_labels = _short([*labels.values(), *defined])
    texts = {label: short_labels[name] for label, name in labels.items()}
    lines = [f"! {short} is {name}" for name, short in (names | short_labels).items() if short != name]
    groups = rows_by_group(table)
    first = {(row.lhs, row.op, row.rhs): row for row in groups[0]}
    for number_of_group, (title, rows) in enumerate(zip(group_names(table), groups, strict=True)):
        lines.append("MODEL:" if number_of_group == 0 else f"MODEL {_plain(title) or 'g'}:")
        lines.extend(_statements(rows, names, texts))
        if number_of_group:
            present = {(row.lhs, row.op, row.rhs) for row in rows}
            absent = [row._replace(free=False, ustart=0.0, label="") for key, row in first.items() if key not in present and not row.exo]
            lines.extend(f"  {_statement(row, names, texts)}" for row in absent)
    lines.extend(_constraints(table.relations, texts | {name: short_labels[name] for name in defined}, short_labels))
    return "\n".join(lines) + "\n"


def _statements(rows: list[Row], names: Mapping[str, str], labels: Mapping[str, str]) -> list[str]:
    block = block_names(rows)
    lines = []
    for row in rows:
        if row.exo:
            continue
        if row.op == "=~" and row.lhs == row.rhs:
            # A latent variable without indicators needs a loading in Mplus.
            lines.append(f"  {names[row.lhs]} BY {names[block.observed[0]]}@0;")
        else:
            lines.append(f"  {_statement(row, names, labels)}")
    pairs = {frozenset((row.lhs, row.rhs)) for row in rows if row.op == "~~"}
    automatic = [*combinations(block.latent_exogenous, 2), *combinations(block.outcomes, 2)]
    lines.extend(f"  {names[one]} WITH {names[other]}@0;" for one, other in automatic if frozenset((one, other)) not in pairs)
    return lines


def _statement(row: Row, names: Mapping[str, str], labels: Mapping[str, str]) -> str:
    value = f"@{number(row.ustart)}" if not row.free else "*" + ("" if math.isnan(row.ustart) else number(row.ustart))
    label = f" ({labels[row.label]})" if row.label and row.free else ""
    lhs, rhs = names[row.lhs], names.get(row.rhs, "")
    if row.op == "~1":
        return f"[{lhs}{value}]{label};"
    if row.op == "~~":
        return f"{lhs}{value}{label};" if row.lhs == row.rhs else f"{lhs} WITH {rhs}{value}{label};"
    return f"{lhs} {'BY' if row.op == '=~' else 'ON'} {rhs}{value}{label};"


def _constraints(relations: Iterable[Relation], labels: Mapping[str, str], defined: Mapping[str, str]) -> list[str]:
    relations = list(relations)
    if not relations:
        return []
    lines = ["MODEL CONSTRAINT:"]
    new = [defined[relation.lhs] for relation in relations if relation.op == ":="]
    if new:
        lines.append(f"  NEW({' '.join(new)});")
    for relation in relations:
        left, right = _arithmetic(relation.left, labels), _arithmetic(relation.right, labels)
        if relation.op == ":=":
            lines.append(f"  {left} = {right};")
        elif relation.op == "==":
            lines.append(f"  0 = {left} - ({right});")
        else:
            lines.append(f"  {left} {relation.op} {right};")
    return lines


def _arithmetic(expression: Expression, labels: Mapping[str, str]) -> str:
    renamed = Expression(tuple(step._replace(text=labels.get(step.text, step.text)) if step.kind == "name" else step for step in expression.steps))
    return str(renamed).replace("^", "**")


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _short(names: Iterable[str]) -> dict[str, str]:
    """Names of at most 8 plain characters that differ from each other whatever the case."""
    wanted = list(dict.fromkeys(names))
    result: dict[str, str] = {}
    used: set[str] = set()
    # Names that fit keep their form, so they are served first.
    for name in sorted(wanted, key=lambda name: not _fits(name)):
        plain = _plain(name)
        if not plain[0].isascii() or not plain[0].isalpha():
            plain = "v" + plain
        short, count = plain[:_LENGTH], 1
        while short.casefold() in used:
            count += 1
            short = plain[: _LENGTH - len(str(count))] + str(count)
        used.add(short.casefold())
        result[name] = short
    return {name: result[name] for name in wanted}


def _fits(name: str) -> bool:
    return len(name) <= _LENGTH and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None
