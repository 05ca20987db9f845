"""A model's structure with further cells, for asking what would happen if they were free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trustsem.kernels.structure import CELLS, COLUMNS, INTERCEPT, PATH, Structure
from trustsem.model.layout import Cell

__all__ = ["extend_structure"]


def extend_structure(structure: Structure, additions: Sequence[tuple[int, Cell]]) -> Structure:
    """Return `structure` with one new parameter for each (block, cell) of `additions`, numbered after the existing ones.

    The paths over which effects propagate are left as they are: the new cells keep their fixed value, so the result is for derivatives at that value.
    """
    blocks = structure.blocks.copy()
    filled: list[tuple[int, ...]] = []
    columns: list[tuple[int, ...]] = []
    for b in range(len(blocks)):
        first = len(filled), len(columns)
        filled.extend(tuple(row) for row in structure.cells_of(b).tolist())
        used = structure.columns[structure.blocks[b, COLUMNS] : structure.blocks[b, COLUMNS + 1]].tolist()
        seen = {tuple(column): place for place, column in enumerate(used)}
        for number, (block, cell) in enumerate(additions):
            if block == b:
                u = seen.setdefault((0, cell.row), len(seen))
                v = u if cell.kind == INTERCEPT else seen.setdefault((int(cell.kind == PATH), cell.column), len(seen))
                filled.append((*cell, structure.n_theta + number, u, v))
        columns.extend(seen)
        blocks[b, CELLS : CELLS + 2] = first[0], len(filled)
        blocks[b, COLUMNS : COLUMNS + 2] = first[1], len(columns)
    return structure._replace(
        blocks=blocks,
        cells=np.array(filled, dtype=np.int64).reshape(-1, 6),
        columns=np.array(columns, dtype=np.int64).reshape(-1, 2),
        n_theta=structure.n_theta + len(additions),
    )
