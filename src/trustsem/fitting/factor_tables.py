"""Parameter tables of rivals in which two factors are less distinct than in the model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from trustsem.errors import ModelError
from trustsem.spec.expressions import Expression, Step
from trustsem.spec.table import ParameterTable, Relation, Row

__all__ = ["CorrelationRows", "correlation_row", "merged_table", "with_correlation"]


class CorrelationRows(NamedTuple):
    """Places in the table of the covariance of two variables and of their variances."""

    covariance: int
    first: int
    second: int


def correlation_row(table: ParameterTable, block: int, first: str, second: str) -> CorrelationRows | None:
    """Return where the correlation of two variables of `block` (counted from 1) is a parameter; None where it is not.

    It is one if their covariance is free and neither is an outcome or an indicator, so that ``~~`` means variance and covariance, not residual ones.
    """
    moments = {}
    for k, row in enumerate(table.rows):
        if row.block != block:
            continue
        if (row.op == "~" and row.lhs in (first, second)) or (row.op == "=~" and row.rhs in (first, second)):
            return None
        if row.op == "~~" and {row.lhs, row.rhs} <= {first, second}:
            moments[frozenset((row.lhs, row.rhs))] = k
    covariance = moments.get(frozenset((first, second)))
    if covariance is None or not table.rows[covariance].free:
        return None
    return CorrelationRows(covariance, moments[frozenset((first,))], moments[frozenset((second,))])


def with_correlation(table: ParameterTable, at: CorrelationRows, value: float) -> ParameterTable:
    """Return the table with a correlation fixed to `value`, whatever sets the scale of the two variables.

    Where nothing else depends on the scale, the variances are fixed and so is the covariance; elsewhere a constraint is added.
    """
    rows: list[Row] | None = list(table.rows)
    for place in (at.first, at.second):
        rows = None if rows is None else _of_fixed_variance(rows, place)
    if rows is None or table.relations or table.rows[at.covariance].label:
        return replace(table, relations=(*table.relations, _constraint(at, value)))
    size = math.sqrt(rows[at.first].ustart * rows[at.second].ustart)
    rows[at.covariance] = rows[at.covariance]._replace(free=False, ustart=value * size)
    return replace(table, rows=tuple(rows))


def _of_fixed_variance(rows: Sequence[Row], place: int) -> list[Row] | None:
    """Return an equivalent model in which the variance at `place` is fixed; None if there is none that differs in the scale of its variable alone."""
    own = rows[place]
    if not own.free:
        return None if math.isnan(own.ustart) or own.label else list(rows)
    about = [k for k, row in enumerate(rows) if row.block == own.block and own.lhs in (row.lhs, row.rhs)]
    scaling = [k for k in about if not rows[k].free and rows[k].ustart != 0.0]
    bounded = any(math.isfinite(rows[k].lower) or math.isfinite(rows[k].upper) for k in about if k != place)
    if bounded or own.lower > 0.0 or math.isfinite(own.upper) or any(rows[k].label for k in about):
        return None
    if len(scaling) != 1 or rows[scaling[0]].op != "=~" or rows[scaling[0]].lhs != own.lhs:
        return None
    result = list(rows)
    result[place] = own._replace(free=False, ustart=1.0)
    result[scaling[0]] = rows[scaling[0]]._replace(free=True, ustart=math.nan)
    return result


def _constraint(at: CorrelationRows, value: float) -> Relation:
    covariance, first, second = (Step("name", f".p{k + 1}.") for k in at)
    times, root = Step("operator", "*", 0.0, 2), Step("function", "sqrt", 0.0, 1)
    left, right = Expression((covariance,)), Expression((Step("number", "", value), first, second, times, root, times))
    return Relation("==", str(left), str(right), left, right)


def merged_table(table: ParameterTable, first: str, second: str) -> ParameterTable:
    """Return the table in which `second` is `first`: every row says of `first` what it said of `second`, and of two that then say the same one stays.

    The scale is that of `first`: the loadings that gave `second` its scale become free.

    Raises
    ------
    ModelError
        If a constraint or definition names a parameter that is gone.
    """
    freed = _freed_labels(table.rows, second)
    rows, seen = [], set()
    for row in [row for row in table.rows if second not in (row.lhs, row.rhs)] + [row for row in table.rows if second in (row.lhs, row.rhs)]:
        merged = row._replace(lhs=first if row.lhs == second else row.lhs, rhs=first if row.rhs == second else row.rhs)
        key = (row.block, row.op, frozenset((merged.lhs, merged.rhs)) if row.op == "~~" else (merged.lhs, merged.rhs))
        if key in seen or (merged.op in ("~", "=~") and merged.lhs == merged.rhs):
            continue
        seen.add(key)
        if row.op == "=~" and row.lhs == second and not row.free and row.ustart != 0.0:
            merged = merged._replace(free=True, ustart=math.nan, label=freed.get(row.rhs, row.label))
        rows.append(merged)
    rows.sort(key=lambda row: row.block)
    _check_relations(table.relations, {row.label for row in rows})
    return replace(table, rows=tuple(rows))


def _check_relations(relations: Sequence[Relation], labels: set[str]) -> None:
    for relation in relations:
        names = relation.right.names() + (() if relation.op == ":=" else relation.left.names())
        # Names such as .p3. mean the third row, which may be another now.
        lost = [name for name in names if name not in labels or name.startswith(".p")]
        if lost:
            raise ModelError(
                f"The merged model has no parameter {lost[0]!r}, which '{relation.lhs} {relation.op} {relation.rhs}' needs. "
                "Remove that line from the model, or write the merged model yourself."
            )


def _freed_labels(rows: Sequence[Row], factor: str) -> dict[str, str]:
    """Return labels for loadings of `factor` that become free, where those that are free are equal over blocks."""
    shared: dict[str, set[str]] = {}
    count: dict[str, int] = {}
    for row in rows:
        if row.op == "=~" and row.lhs == factor and row.free:
            shared.setdefault(row.rhs, set()).add(row.label)
            count[row.rhs] = count.get(row.rhs, 0) + 1
    equal = [item for item, labels in shared.items() if count[item] > 1 and len(labels) == 1 and "" not in labels]
    if not equal:
        return {}
    return {row.rhs: f".free_{row.rhs}." for row in rows if row.op == "=~" and row.lhs == factor and not row.free}
