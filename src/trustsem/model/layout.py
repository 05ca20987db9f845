"""Names and places: which variable stands where in a block, and which cell each row of the table fills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from trustsem.errors import ModelError, NotAvailableError
from trustsem.kernels.structure import COVARIANCE, INTERCEPT, PATH
from trustsem.spec.names import block_names
from trustsem.spec.table import ParameterTable, Row

__all__ = ["BlockLayout", "Cell", "cell_of", "layouts"]


class Cell(NamedTuple):
    """An entry of a RAM matrix: matrix (``PATH``, ``COVARIANCE`` or ``INTERCEPT``), row and column (row >= column for covariances)."""

    kind: int
    row: int
    column: int


@dataclass(frozen=True)
class BlockLayout:
    """The variables of one block, observed first.

    Attributes
    ----------
    group, level : int
        The block, counted from 1.
    observed, latent : tuple of str
        Names in lavaan's order.
    exogenous : tuple of str
        Observed covariates: variables that only cause others.
    fixed : tuple of str
        Those of them whose moments are not modelled but taken from the sample (``fixed_x``).
    """

    group: int
    level: int
    observed: tuple[str, ...]
    latent: tuple[str, ...]
    exogenous: tuple[str, ...]
    fixed: tuple[str, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """All variables, observed first."""
        return self.observed + self.latent


def layouts(table: ParameterTable) -> tuple[BlockLayout, ...]:
    """Return the layout of every block of `table`."""
    result = []
    for block in range(1, table.n_blocks + 1):
        rows = [row for row in table.rows if row.block == block]
        if not rows:
            raise ModelError(f"Block {block} of the model has no parameters. Every group needs at least one; remove the empty header.")
        names = block_names(rows)
        if not names.observed:
            raise ModelError("The model has no observed variables. Give every latent variable indicators with `=~`.")
        borrowed = {row.lhs for row in rows if row.exo}
        fixed = tuple(name for name in names.observed if name in borrowed)
        result.append(BlockLayout(rows[0].group, rows[0].level, tuple(names.observed), tuple(names.latent), tuple(names.exogenous), fixed))
    return tuple(result)


def cell_of(row: Row, index: dict[str, int]) -> Cell:
    """Return the cell that `row` fills; `index` gives the place of each variable of its block."""
    if row.op == "=~":
        return Cell(PATH, index[row.rhs], index[row.lhs])
    if row.op == "~":
        return Cell(PATH, index[row.lhs], index[row.rhs])
    if row.op == "~~":
        i, j = index[row.lhs], index[row.rhs]
        return Cell(COVARIANCE, max(i, j), min(i, j))
    if row.op == "~1":
        return Cell(INTERCEPT, index[row.lhs], 0)
    raise NotAvailableError(f"Operator {row.op!r} (in {row.lhs!r} {row.op} {row.rhs!r}) cannot be estimated yet. Available are =~, ~, ~~ and ~1.")
