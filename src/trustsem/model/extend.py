"""A model's structure with further cells, for asking what would happen if they were free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trustsem.kernels.structure import INTERCEPT, PATH, Structure
from trustsem.model.layout import Cell

__all__ = ["extend_structure"]


def extend_structure(structure: Structure, additions: Sequence[tuple[int, Cell]]) -> Structure:
    """Return `structure` with one new parameter for each (block, cell) of `additions`, numbered after the existing ones.

    The paths over which effects propagate are left as they are: the new cells keep their fixed value, so the result is for derivatives at that value.
    """
    filled: list[tuple[int, ...]] = []
    columns: list[tuple[int, int]] = []
    cell_start, z_start = [0], [0]
    existing = np.column_stack(
        [structure.cell_kind, structure.cell_row, structure.cell_column, structure.cell_theta, structure.cell_u, structure.cell_v]
    )
    for b in range(structure.n_observed.size):
        filled.extend(tuple(row) for row in existing[structure.cell_start[b] : structure.cell_start[b + 1]].tolist())
        used = range(int(structure.z_start[b]), int(structure.z_start[b + 1]))
        seen = {(int(structure.z_kind[k]), int(structure.z_index[k])): place for place, k in enumerate(used)}
        for number, (block, cell) in enumerate(additions):
            if block == b:
                u = seen.setdefault((0, cell.row), len(seen))
                v = u if cell.kind == INTERCEPT else seen.setdefault((int(cell.kind == PATH), cell.column), len(seen))
                filled.append((*cell, structure.n_theta + number, u, v))
        columns.extend(seen)
        cell_start.append(len(filled))
        z_start.append(len(columns))
    kind, row, column, theta, u_column, v_column = np.array(filled, dtype=np.int64).reshape(-1, 6).T.copy()
    z_kind, z_index = np.array(columns, dtype=np.int64).reshape(-1, 2).T.copy()
    return structure._replace(
        cell_start=np.array(cell_start, dtype=np.int64),
        cell_kind=kind,
        cell_row=row,
        cell_column=column,
        cell_theta=theta,
        cell_u=u_column,
        cell_v=v_column,
        z_start=np.array(z_start, dtype=np.int64),
        z_kind=z_kind,
        z_index=z_index,
        n_theta=structure.n_theta + len(additions),
    )
