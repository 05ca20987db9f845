"""Parameters that a model leaves out but could contain: what modification indices are about."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from trustsem.kernels.structure import PATH
from trustsem.model.layout import Cell, cell_of
from trustsem.model.ram import Model
from trustsem.spec.table import Row

__all__ = ["Candidate", "candidates"]


class Candidate(NamedTuple):
    """A row that could be free: the row, its block (from 0), its cell, and the value at which it is fixed now."""

    row: Row
    block: int
    cell: Cell
    value: float


def candidates(model: Model) -> tuple[Candidate, ...]:
    """Return the fixed rows of the table, then for each block the loadings, covariances and regressions that are not in it.

    Loadings are offered for indicators and variables without regressions, covariances among indicators and among latent variables, regressions
    among the
    variables that take part in one.
    """
    result = []
    for row, cell in zip(model.table.rows, model.cells, strict=True):
        if not row.free and not (cell.kind == PATH and cell.row == cell.column):
            value = 0.0 if math.isnan(row.ustart) else row.ustart
            result.append(Candidate(row, row.block - 1, cell, value))
    for b, layout in enumerate(model.blocks):
        index = {name: k for k, name in enumerate(layout.variables)}
        taken = {cell for row, cell in zip(model.table.rows, model.cells, strict=True) if row.block == b + 1}
        for lhs, op, rhs in _absent(model, b):
            row = Row(lhs, op, rhs, user=0, block=b + 1, group=layout.group, level=layout.level)
            cell = cell_of(row, index)
            if cell not in taken and cell.row != cell.column:
                taken.add(cell)
                result.append(Candidate(row, b, cell, 0.0))
    return tuple(result)


def _absent(model: Model, b: int) -> Iterator[tuple[str, str, str]]:
    """Yield the rows in lavaan's order; some are in the table already."""
    layout = model.blocks[b]
    rows = [row for row in model.table.rows if row.block == b + 1]
    indicators = {row.rhs for row in rows if row.op == "=~"}
    causes = [row for row in rows if row.op == "~"]
    regressed = list(dict.fromkeys([row.lhs for row in causes] + [row.rhs for row in causes]))
    offered = [name for name in layout.observed if name in indicators or name not in regressed]
    for factor in layout.latent:
        for name in offered:
            yield factor, "=~", name
    for pair in combinations([name for name in offered if name in indicators], 2):
        yield pair[0], "~~", pair[1]
    for pair in combinations(layout.latent, 2):
        yield pair[0], "~~", pair[1]
    for effect in regressed:
        for cause in regressed:
            if effect != cause:
                yield effect, "~", cause
