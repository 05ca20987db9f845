"""A population whose standardized arrays were changed, written as a table and values again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from trustsem.errors import ModelError
from trustsem.kernels.structure import COVARIANCE, INTERCEPT, Reals
from trustsem.model.layout import Cell, cell_of
from trustsem.model.population import Population
from trustsem.spec.table import Row

__all__ = ["Raw", "rebuilt"]

_EQUAL = 1e-12  # differences below this many standard deviations come from rounding
_HOLDS = 1e-9


class Raw(NamedTuple):
    """Standardized arrays and the units to put them into.

    Attributes
    ----------
    names : tuple of str
        The m variables: those of the population in its order, then new ones.
    paths, psi : (m, m) float
        Standardized paths, and covariances of the residuals.
    sd, mean : (m,) float
        Standard deviations, and means in standard deviations.
    order : tuple of int
        The variables, causes first.
    """

    names: tuple[str, ...]
    paths: Reals
    psi: Reals
    sd: Reals
    mean: Reals
    order: tuple[int, ...]


def rebuilt(population: Population, raw: Raw, named: Iterable[tuple[str, str, str]], factors: Sequence[str], *, with_means: bool) -> Population:
    """Return the population that has these arrays.

    Parameters
    ----------
    population : Population
        What was changed.
    raw : Raw
    named : iterable of (str, str, str)
        ``lhs``, ``op`` and ``rhs`` of coefficients that get a row if they have none.
    factors : sequence of str
        New latent variables, whose variance is fixed at 1.
    with_means : bool
        Give every variable an intercept if the model has no mean structure.

    Returns
    -------
    Population

    Raises
    ------
    ModelError
        If a marker loading would have to change its sign.
    """
    table, cells = population.table, population.compiled.cells
    arrays = _arrays(population, raw)
    index = {name: i for i, name in enumerate(raw.names)}
    rows = [_released(row, _at(arrays, cell)) for row, cell in zip(table.rows, cells, strict=True)]
    filled = set(cells)
    wanted = [_ordered(Row(lhs, op, rhs), population) for lhs, op, rhs in named] + [Row(name, "~~", name, free=False, ustart=1.0) for name in factors]
    if with_means or table.has_means:
        # A missing row means 0, which observed variables need not keep.
        needed = () if table.has_means else population.names
        wanted += [Row(name, "~1", "", 0) for name, value in zip(raw.names, arrays[INTERCEPT][:, 0], strict=True) if value or name in needed]
    for row in wanted:
        cell = cell_of(row, index)
        if cell not in filled:
            filled.add(cell)
            rows.append(row)
    values = [_at(arrays, cell_of(row, index)) if row.free else math.nan for row in rows]
    final = replace(table, rows=tuple(_parted(rows, values, population.values)))
    free = [value for row, value in zip(rows, values, strict=True) if row.free]
    return Population(final, dict(zip(final.parameter_names(), free, strict=True)))


def _arrays(population: Population, raw: Raw) -> tuple[Reals, Reals, Reals]:
    """Return paths, covariances and intercepts (a column) in the units of the population; what did not change is equal to the last bit."""
    sd = _units(population, raw)
    block, size = population.implied_blocks[0], len(population.compiled.blocks[0].variables)
    paths, psi = raw.paths * sd[:, None] / sd, raw.psi * np.outer(sd, sd)
    mean = raw.mean * sd
    own = np.s_[:size, :size]
    paths[own] = _kept(paths[own], block.A, sd[:size, None] / sd[:size])
    psi[own] = _kept(psi[own], block.S, np.outer(sd[:size], sd[:size]))
    mean[:size] = _kept(mean[:size], block.mu, sd[:size])
    intercepts = mean - paths @ mean
    intercepts[:size] = _kept(intercepts[:size], block.m, np.maximum(sd[:size], np.abs(block.mu)))
    return paths, psi, intercepts[:, None]


def _kept(new: Reals, old: Reals, unit: Reals) -> Reals:
    return np.where(np.abs(new - old) <= _EQUAL * unit, old, new)


def _units(population: Population, raw: Raw) -> Reals:
    """Return the standard deviations; that of a latent variable follows its fixed loading or variance where this would no longer hold."""
    sd = raw.sd.copy()
    fixed = [pair for pair in zip(population.table.rows, population.compiled.cells, strict=True) if not pair[0].free and pair[0].ustart]
    latent = set(population.compiled.blocks[0].latent)
    for j in reversed(raw.order):  # an indicator may be latent: its unit comes first
        if raw.names[j] not in latent:
            continue
        for row, cell in fixed:
            unit = math.nan
            if row.op == "=~" and cell.column == j:
                unit = float(raw.paths[cell.row, j]) * sd[cell.row] / row.ustart
            elif cell == Cell(COVARIANCE, j, j):
                unit = math.sqrt(row.ustart / raw.psi[j, j])
            if math.isnan(unit):
                continue
            if unit <= 0.0:
                raise ModelError(
                    f"The loading {row.name!r} is fixed at {row.ustart:g} and cannot become {raw.paths[cell.row, j]:g} in standardized units. Fix "
                    "another loading in the model of the population."
                )
            if abs(unit / sd[j] - 1.0) > _HOLDS:
                sd[j] = unit
            break
    return sd


def _at(arrays: tuple[Reals, Reals, Reals], cell: Cell) -> float:
    return float(arrays[cell.kind][cell.row, cell.column])


def _ordered(row: Row, population: Population) -> Row:
    """Return `row`, a covariance with the earlier variable on the left, as in a table made from text."""
    layout = population.compiled.blocks[0]
    if row.op != "~~":
        return row
    lhs, rhs = sorted((row.lhs, row.rhs), key=(layout.latent + layout.observed).index)
    return row._replace(lhs=lhs, rhs=rhs)


def _released(row: Row, value: float) -> Row:
    """Return `row`, free if it was fixed at another value."""
    phantom = row.op == "=~" and row.lhs == row.rhs
    if row.free or phantom or math.isclose(value, row.ustart, rel_tol=_HOLDS, abs_tol=_EQUAL):
        return row
    return row._replace(free=True, ustart=math.nan)


def _parted(rows: Sequence[Row], values: Sequence[float], before: Mapping[str, float]) -> list[Row]:
    """Return the rows, those without their label whose value is no longer that of the others; one row always keeps it."""
    members: dict[str, list[int]] = {}
    for k, row in enumerate(rows):
        if row.free and row.label:
            members.setdefault(row.label, []).append(k)
    result = list(rows)
    for label, places in members.items():
        own = [values[k] for k in places]
        anchor = before[label] if before[label] in own else own[0]
        for k, value in zip(places, own, strict=True):
            if not math.isclose(value, anchor, rel_tol=_HOLDS, abs_tol=_EQUAL):
                result[k] = rows[k]._replace(label="")
    return result
