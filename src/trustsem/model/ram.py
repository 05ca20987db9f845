"""Compiling a parameter table into a model: once, so that fitting touches arrays only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trustsem.errors import ModelError
from trustsem.kernels.structure import COVARIANCE, INTERCEPT, PATH, Integers, Reals, Structure
from trustsem.model.layout import BlockLayout, Cell, cell_of, layouts
from trustsem.model.relations import Relations, compile_relations
from trustsem.spec.table import ParameterTable, Row

__all__ = ["Model", "compile_model"]


@dataclass(frozen=True, eq=False)
class Model:
    """A compiled model: names, and index arrays saying which cells each parameter fills. No data, no estimates.

    Attributes
    ----------
    table : ParameterTable
    blocks : tuple of BlockLayout
    structure : Structure
        Array form for the kernels; the moments of fixed covariates in it are zero until a sample fills them.
    theta_of_row : (rows,) int
        Parameter of each row of the table, -1 for fixed rows. Rows that share a label share a parameter.
    cells : tuple of Cell
        Cell of each row.
    borrowed : tuple of int
        Rows whose value is a moment of the sample (fixed covariates).
    lower, upper, user_start : (K,) float
        Bounds and the user's starting values (NaN where there is none) of each parameter.
    relations : Relations
        Constraints and definitions as functions of theta.
    """

    table: ParameterTable
    blocks: tuple[BlockLayout, ...]
    structure: Structure
    theta_of_row: Integers
    cells: tuple[Cell, ...]
    borrowed: tuple[int, ...]
    lower: Reals
    upper: Reals
    user_start: Reals
    relations: Relations

    @property
    def n_theta(self) -> int:
        """Number of distinct parameters K (rows that share a label count once)."""
        return int(self.structure.n_theta)

    @cached_property
    def has_means(self) -> bool:
        """Whether any block has a mean structure."""
        return self.table.has_means

    @property
    def free_rows(self) -> tuple[int, ...]:
        """Places of the free rows in the table."""
        return tuple(k for k, row in enumerate(self.table.rows) if row.free)

    @property
    def two_level(self) -> bool:
        """Whether blocks are levels of groups."""
        return self.table.n_levels > 1

    @property
    def n_moments(self) -> int:
        """Number of sample moments that the model is about: those of fixed covariates are not.

        A variable of both levels has one mean.
        """
        total = 0
        for block in self.blocks:
            p, x = len(block.observed), len(block.fixed)
            total += p * (p + 1) // 2 - x * (x + 1) // 2
            if self.has_means:
                total += len(set(block.observed) - set(block.fixed) - self._means_elsewhere(block))
        return total

    def _means_elsewhere(self, block: BlockLayout) -> set[str]:
        """Return the variables whose mean is a moment of another level."""
        if not self.two_level or block.level > 1:
            return set()
        return {name for other in self.blocks if other.group == block.group and other.level > 1 for name in other.observed}


def compile_model(table: ParameterTable) -> Model:
    """Compile `table`.

    Parameters
    ----------
    table : ParameterTable

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        For a parameter written twice, a path from a variable to itself, and constraints on labels that do not exist.
    NotAvailableError
        For operators that cannot be estimated yet.
    """
    blocks = layouts(table)
    indices = [{name: k for k, name in enumerate(block.variables)} for block in blocks]
    cells = tuple(cell_of(row, indices[row.block - 1]) for row in table.rows)
    _refuse_duplicates(table, cells)
    theta_of_row, n_theta, fixed_by_label = _number_parameters(table)
    lower, upper, start = _bounds_and_start(table, theta_of_row, n_theta)
    structure = _structure(table, blocks, cells, theta_of_row, n_theta, fixed_by_label)
    borrowed = tuple(k for k, row in enumerate(table.rows) if row.exo)
    relations = compile_relations(table, theta_of_row, n_theta, fixed_by_label)
    return Model(table, blocks, structure, theta_of_row, cells, borrowed, lower, upper, start, relations)


def _is_phantom(row: Row, cell: Cell) -> bool:
    """Whether `row` only declares a latent variable without indicators (``f =~ 0``, kept as ``f =~ f`` fixed at 0)."""
    return cell.kind == PATH and cell.row == cell.column and not row.free and row.ustart == 0.0


def _refuse_duplicates(table: ParameterTable, cells: Sequence[Cell]) -> None:
    seen: dict[tuple[int, int, int, int], int] = {}
    for k, (row, cell) in enumerate(zip(table.rows, cells, strict=True)):
        if _is_phantom(row, cell):
            continue
        if cell.kind == PATH and cell.row == cell.column:
            raise ModelError(f"{row.lhs!r} is on both sides of {row.op!r}. A variable cannot cause or indicate itself; remove the term.")
        key = (row.block, *cell)
        if key in seen:
            first = table.rows[seen[key]]
            raise ModelError(
                f"The parameter {row.lhs} {row.op} {row.rhs} fills the same place as {first.lhs} {first.op} {first.rhs}. Write each parameter once."
            )
        seen[key] = k


def _number_parameters(table: ParameterTable) -> tuple[Integers, int, dict[str, float]]:
    """Give each distinct free parameter a number; a label that a fixed row carries fixes every row with that label."""
    fixed_by_label = {row.label: row.ustart for row in table.rows if row.label and not row.free and not math.isnan(row.ustart)}
    numbers: dict[str, int] = {}
    theta_of_row = np.full(len(table.rows), -1, dtype=np.int64)
    count = 0
    for k, row in enumerate(table.rows):
        if not row.free or row.label in fixed_by_label:
            continue
        if row.label and row.label in numbers:
            theta_of_row[k] = numbers[row.label]
            continue
        theta_of_row[k] = count
        if row.label:
            numbers[row.label] = count
        count += 1
    return theta_of_row, count, fixed_by_label


def _bounds_and_start(table: ParameterTable, theta_of_row: Integers, n_theta: int) -> tuple[Reals, Reals, Reals]:
    lower, upper = np.full(n_theta, -np.inf), np.full(n_theta, np.inf)
    start = np.full(n_theta, np.nan)
    for k, row in enumerate(table.rows):
        theta = theta_of_row[k]
        if theta < 0:
            continue
        lower[theta] = max(lower[theta], row.lower)
        upper[theta] = min(upper[theta], row.upper)
        if not math.isnan(row.ustart) and math.isnan(start[theta]):
            start[theta] = row.ustart
        if lower[theta] > upper[theta]:
            raise ModelError(f"The lower bound {lower[theta]:g} of {row.name!r} exceeds its upper bound {upper[theta]:g}. Give lower <= upper.")
    return lower, upper, start


def _causal_order(size: int, paths: Sequence[tuple[int, int]]) -> list[int] | None:
    """Return a topological order of the variables (causes first), or None if the (effect, cause) `paths` form a cycle."""
    waiting = [0] * size
    effects: list[list[int]] = [[] for _ in range(size)]
    for effect, cause in paths:
        waiting[effect] += 1
        effects[cause].append(effect)
    order = [k for k in range(size) if waiting[k] == 0]
    for variable in order:
        for effect in effects[variable]:
            waiting[effect] -= 1
            if waiting[effect] == 0:
                order.append(effect)
    return order if len(order) == size else None


def _structure(
    table: ParameterTable,
    blocks: Sequence[BlockLayout],
    cells: Sequence[Cell],
    theta_of_row: Integers,
    n_theta: int,
    fixed_by_label: dict[str, float],
) -> Structure:
    """Lay the blocks end to end (see :class:`Structure`)."""
    rows_of = [[k for k, row in enumerate(table.rows) if row.block == b + 1] for b in range(len(blocks))]
    sizes = [len(block.variables) for block in blocks]
    square = np.concatenate([[0], np.cumsum([size * size for size in sizes])]).astype(np.int64)
    vector = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    fixed_paths, fixed_covariances, fixed_intercepts = np.zeros(square[-1]), np.zeros(square[-1]), np.zeros(vector[-1])
    columns = _ColumnPairs()
    layout: list[tuple[int, ...]] = []
    paths: list[tuple[int, int]] = []
    filled: list[tuple[int, int, int, int]] = []
    for b, block_rows in enumerate(rows_of):
        size, first = sizes[b], (len(paths), len(filled), len(columns.all))
        own = []
        for k in block_rows:
            row, cell = table.rows[k], cells[k]
            value = fixed_by_label.get(row.label, row.ustart) if theta_of_row[k] < 0 else 0.0
            value = 0.0 if math.isnan(value) else value
            place = square[b] + cell.row * size + cell.column
            if cell.kind == PATH:
                fixed_paths[place] = value
                if theta_of_row[k] >= 0 or value != 0.0:
                    own.append((cell.row, cell.column))
            elif cell.kind == COVARIANCE:
                fixed_covariances[place] = value
                fixed_covariances[square[b] + cell.column * size + cell.row] = value
            else:
                fixed_intercepts[vector[b] + cell.row] = value
            if theta_of_row[k] >= 0:
                filled.append((*cell, int(theta_of_row[k])))
                columns.add(cell)
        order = _causal_order(size, own)
        if order is not None:
            rank = {variable: k for k, variable in enumerate(order)}
            own.sort(key=lambda path: (rank[path[0]], rank[path[1]]))
        paths += own
        columns.close()
        start = (len(blocks[b].observed), size, int(order is not None), int(table.has_means), int(square[b]), int(vector[b]))
        layout.append((*start, first[0], len(paths), first[1], len(filled), first[2], len(columns.all)))

    def integers(rows: Sequence[Sequence[int]], width: int) -> Integers:
        return np.array(rows, dtype=np.int64).reshape(-1, width)

    return Structure(
        blocks=integers(layout, 12),
        paths=integers(paths, 2),
        cells=np.hstack([integers(filled, 4), integers(columns.pairs, 2)]),
        columns=integers(columns.all, 2),
        fixed_paths=fixed_paths,
        fixed_covariances=fixed_covariances,
        fixed_intercepts=fixed_intercepts,
        n_theta=n_theta,
    )


class _ColumnPairs:
    """Collects, block by block, the columns of ``Z`` that the cells use, each once."""

    def __init__(self) -> None:
        self.pairs: list[tuple[int, int]] = []
        self.all: list[tuple[int, int]] = []
        self._seen: dict[tuple[int, int], int] = {}

    def _column(self, kind: int, index: int) -> int:
        return self._seen.setdefault((kind, index), len(self._seen))

    def add(self, cell: Cell) -> None:
        u = self._column(0, cell.row)
        self.pairs.append((u, u if cell.kind == INTERCEPT else self._column(int(cell.kind == PATH), cell.column)))

    def close(self) -> None:
        self.all.extend(self._seen)
        self._seen = {}
