"""The table of modification indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustsem.errors import OptionError
from trustsem.inference.modification import score_tests
from trustsem.inference.standardized import scale_factor
from trustsem.model.candidates import candidates

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.fitting.fit import Fit

__all__ = ["modification_indices"]


def modification_indices(fit: Fit, *, sort: bool, minimum: float) -> pd.DataFrame:
    """See :meth:`Fit.modindices`."""
    import pandas as pd

    if not isinstance(minimum, int | float | np.number):
        raise OptionError(f"minimum={minimum!r} is not a modification index. Give a number, such as 3.84.")
    offered = candidates(fit.model)
    blocks = fit.implied_blocks
    values = np.array(
        [(blocks[c.block].A, blocks[c.block].S, blocks[c.block].m)[c.cell.kind].flat[_flat(c.cell, blocks[c.block].A.shape[0])] for c in offered]
    )
    mi, epc = score_tests(fit.problem, fit.estimate.theta, [(c.block, c.cell) for c in offered], values, fit.expected_vcov)
    columns: dict[str, object] = {
        "lhs": [c.row.lhs for c in offered],
        "op": [c.row.op for c in offered],
        "rhs": [c.row.rhs for c in offered],
    }
    if fit.model.table.n_groups > 1:
        columns["group"] = [c.row.group for c in offered]
    if fit.model.two_level:
        columns["level"] = [c.row.level for c in offered]
    columns |= {"mi": mi, "epc": epc}
    for kind in ("std_lv", "std_all", "std_nox"):
        factors = np.array([scale_factor(fit.model, c.block, blocks[c.block], c.cell, kind) for c in offered])
        columns["sepc_" + kind.removeprefix("std_")] = epc * factors
    frame = pd.DataFrame(columns)
    frame = frame[np.isfinite(mi) & (mi >= minimum)]
    if sort:
        frame = frame.sort_values("mi", ascending=False, kind="stable")
    return frame.reset_index(drop=True)


def _flat(cell: tuple[int, int, int], size: int) -> int:
    kind, row, column = cell
    return row if kind == 2 else row * size + column
