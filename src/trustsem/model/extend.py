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
    blocks = structure.n_observed.size
    per_cell = [list(getattr(structure, f"cell_{name}")) for name in ("kind", "row", "column", "theta", "u", "v")]
    kinds, rows, columns, thetas, us, vs = ([] for _ in range(6))
    z_kind, z_index = [], []
    cell_start, z_start = [0], [0]
    for b in range(blocks):
        first, last = int(structure.cell_start[b]), int(structure.cell_start[b + 1])
        for target, source in zip((kinds, rows, columns, thetas, us, vs), per_cell, strict=True):
            target.extend(int(value) for value in source[first:last])
        z_first, z_last = int(structure.z_start[b]), int(structure.z_start[b + 1])
        seen = {(int(structure.z_kind[k]), int(structure.z_index[k])): k - z_first for k in range(z_first, z_last)}
        for number, (block, cell) in enumerate(additions):
            if block != b:
                continue
            u = seen.setdefault((0, cell.row), len(seen))
            v = u if cell.kind == INTERCEPT else seen.setdefault((int(cell.kind == PATH), cell.column), len(seen))
            for target, value in zip((kinds, rows, columns, thetas, us, vs), (*cell, structure.n_theta + number, u, v), strict=True):
                target.append(value)
        z_kind.extend(kind for kind, _ in seen)
        z_index.extend(index for _, index in seen)
        cell_start.append(len(kinds))
        z_start.append(len(z_kind))
    arrays = {
        "cell_start": cell_start,
        "cell_kind": kinds,
        "cell_row": rows,
        "cell_column": columns,
        "cell_theta": thetas,
        "cell_u": us,
        "cell_v": vs,
        "z_start": z_start,
        "z_kind": z_kind,
        "z_index": z_index,
    }
    integers = {name: np.array(values, dtype=np.int64) for name, values in arrays.items()}
    return structure._replace(**integers, n_theta=structure.n_theta + len(additions))
