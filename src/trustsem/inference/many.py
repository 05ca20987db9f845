"""What follows from many values of theta at once: the quantities of a fit without their derivatives, for bootstrap and Monte Carlo draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trustsem.inference.effects import EffectTable
from trustsem.inference.standardized import Standardization
from trustsem.kernels.structure import INTERCEPT, PATH, SQUARE, VARIABLES, VECTOR, Reals, Structure
from trustsem.model.problem import ImpliedBlock, implied
from trustsem.model.ram import Model

__all__ = ["borrowed_values", "defined_values", "effect_values", "implied_many", "row_values", "standardized_values"]

Stack = tuple[ImpliedBlock, ...]  # arrays of every block with the draws along a first axis
_AT_ONCE = 250  # draws whose matrices are held at a time


def borrowed_values(model: Model, structure: Structure) -> Reals:
    """Return the moments of fixed covariates (R,) that a sample has filled into `structure`, in the order of ``model.borrowed``."""
    found = []
    for k in model.borrowed:
        array, places = _store(structure, model, k)
        found.append(array[places[0]])
    return np.array(found, dtype=np.float64)


def implied_many(model: Model, structure: Structure, theta: Reals, borrowed: Reals) -> Iterator[tuple[slice, Stack]]:
    """Yield the RAM matrices and implied moments of some draws after others, and which draws they are.

    Parameters
    ----------
    model : Model
    structure : Structure
        Filled in from any sample.
    theta : (B, K) float
    borrowed : (B, R) float
        The moments of fixed covariates in each draw.
    """
    for first in range(0, len(theta), _AT_ONCE):
        part = slice(first, min(first + _AT_ONCE, len(theta)))
        points = [implied(_lend(model, structure, x), t) for t, x in zip(theta[part], borrowed[part], strict=True)]
        yield part, tuple(_stacked([point[b] for point in points]) for b in range(len(model.blocks)))


def _stacked(points: list[ImpliedBlock]) -> ImpliedBlock:
    A, S, m, B, V, mu = (np.stack([getattr(point, name) for point in points]) for name in ("A", "S", "m", "B", "V", "mu"))
    return ImpliedBlock(A, S, m, B, V, mu, points[0].p)


def _store(structure: Structure, model: Model, k: int) -> tuple[Reals, tuple[int, ...]]:
    """Return the array of `structure` that holds the value of row `k`, and its places there (two for a covariance)."""
    b, cell = model.table.rows[k].block - 1, model.cells[k]
    if cell.kind == INTERCEPT:
        return structure.fixed_intercepts, (int(structure.blocks[b, VECTOR]) + cell.row,)
    size, offset = int(structure.blocks[b, VARIABLES]), int(structure.blocks[b, SQUARE])
    return structure.fixed_covariances, (offset + cell.row * size + cell.column, offset + cell.column * size + cell.row)


def _lend(model: Model, structure: Structure, borrowed: Reals) -> Structure:
    """Return `structure` with other moments (R,) of fixed covariates."""
    if not model.borrowed:
        return structure
    lent = structure._replace(fixed_covariances=structure.fixed_covariances.copy(), fixed_intercepts=structure.fixed_intercepts.copy())
    for k, value in zip(model.borrowed, borrowed, strict=True):
        array, places = _store(lent, model, k)
        array[list(places)] = value
    return lent


def row_values(model: Model, stack: Stack) -> Reals:
    """Return the value of every row of the parameter table, free or fixed, in each draw (B, rows)."""
    columns = []
    for row, (kind, i, j) in zip(model.table.rows, model.cells, strict=True):
        block = stack[row.block - 1]
        columns.append(block.m[:, i] if kind == INTERCEPT else (block.A if kind == PATH else block.S)[:, i, j])
    return np.stack(columns, axis=1)


def standardized_values(model: Model, stack: Stack, kind: Standardization) -> Reals:
    """Return the standardized value of every row in each draw (B, rows), as :func:`trustsem.inference.standardized.standardize` defines it.

    NaN where a variance by whose root one divides is not positive.
    """
    values = row_values(model, stack)
    roots = [(_roots(model, b, block, block.V, kind), _roots(model, b, block, block.S, kind)) for b, block in enumerate(stack)]
    with np.errstate(all="ignore"):
        for k, (row, (matrix, i, j)) in enumerate(zip(model.table.rows, model.cells, strict=True)):
            total, residual = roots[row.block - 1]
            if matrix == PATH:
                factor = total[:, j] / total[:, i]
            elif matrix == INTERCEPT:
                factor = 1.0 / total[:, i]
            else:
                sd = total if i == j else residual
                factor = 1.0 / (sd[:, i] * sd[:, j])
            values[:, k] *= np.where(np.isfinite(factor), factor, np.nan)
    return values


def _roots(model: Model, b: int, block: ImpliedBlock, matrix: Reals, kind: Standardization) -> Reals:
    """Return the roots of the diagonal of `matrix` (B, m, m), with 1 for variables of block `b` that are not scaled."""
    scaled = np.ones(matrix.shape[1], dtype=bool)
    if kind == "std_lv":
        scaled[: block.p] = False
    elif kind == "std_nox":
        scaled[: block.p] = [name not in model.blocks[b].exogenous for name in model.blocks[b].observed]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(scaled, np.sqrt(np.diagonal(matrix, axis1=1, axis2=2)), 1.0))


def defined_values(model: Model, rows: Reals) -> Reals:
    """Return the defined parameters (B, D), given the values of all rows (B, rows), plain or standardized."""
    relations = model.relations
    first_row = [int(np.argmax(model.theta_of_row == k)) for k in range(model.n_theta)]
    points = rows[:, first_row + list(relations.fixed_rows)]
    values = [[difference.value_at(point) for _, difference in relations.definitions] for point in points]
    return np.array(values, dtype=np.float64).reshape(len(rows), len(relations.definitions))


def effect_values(stack: Stack, tables: tuple[EffectTable, ...]) -> tuple[Reals, Reals]:
    """Return effects (B, E) of all blocks, and the factors (B, E) that standardize them.

    Parameters
    ----------
    stack : tuple of ImpliedBlock
        One per block.
    tables : tuple of EffectTable
        Which effects are wanted, as :func:`trustsem.inference.effects.effects_of_block` lists them for the estimate.
    """
    values, factors = [], []
    for block, table in zip(stack, tables, strict=True):
        effect, cause, kind = np.array(table.effect, dtype=np.int64), np.array(table.cause, dtype=np.int64), np.array(table.kind)
        direct = block.A[:, effect, cause]
        total = block.B[:, effect, cause] - (effect == cause)
        values.append(np.where(kind == "direct", direct, np.where(kind == "total", total, total - direct)))
        with np.errstate(all="ignore"):
            sd = np.sqrt(np.diagonal(block.V, axis1=1, axis2=2))
            factors.append(sd[:, cause] / sd[:, effect])
    return np.concatenate(values, axis=1), np.concatenate(factors, axis=1)
