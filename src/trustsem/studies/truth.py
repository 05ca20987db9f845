"""What an analysis should find: the parameters of the population, read in the metric of the analysis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trustsem.kernels.structure import INTERCEPT, PATH, Reals
from trustsem.model.population import Population
from trustsem.model.ram import Model
from trustsem.spec.table import Row

__all__ = ["true_values"]


def true_values(populations: Sequence[Population | None], model: Model, standardized: bool) -> dict[str, float]:
    """Return the value in the population of every parameter of an analysis that the population has too.

    Parameters
    ----------
    populations : sequence of Population or None
        One for each group of the analysis; None where it is not known. Several for an analysis without groups: what is true is what they share.
    model : Model
        Of the analysis.
    standardized : bool
        Standardized values (``std_all``) instead of those in the metric of the analysis.

    Returns
    -------
    dict of str to float
        By the names of :meth:`ParameterTable.parameter_names` and of defined parameters; NaN for what is not a parameter of the population: a
        variable that it does not have, a latent variable whose scale the analysis fixes in a way that the population cannot be expressed in, and,
        of a model of two levels, everything but the paths within.

    Notes
    -----
    The value of a path between two variables of the population is the population's own, 0 if there is no such path: the estimand is the truth, not
    what a misspecified analysis converges to. Latent variables are rescaled to the metric that the fixed values of the analysis give them, be it a
    loading or a variance.
    """
    if model.table.n_groups == 1 and len(populations) > 1:
        each = [true_values([one], model, standardized) for one in populations]
        return {name: value if all(_same(value, other[name]) for other in each) else math.nan for name, value in each[0].items()}
    values = np.full(len(model.table.rows), math.nan)
    for group, population in enumerate(populations):
        if population is not None:
            _fill(values, group + 1, population, model, standardized)
    names = model.table.parameter_names()
    found: dict[str, float] = {}
    for name, row in zip(names, model.free_rows, strict=True):
        found[name] = float(values[row]) if _same(found.get(name, values[row]), values[row]) else math.nan  # a label holds rows together
    return found | _definitions(model, values)


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9 * max(1.0, abs(one))


def _fill(values: Reals, group: int, population: Population, model: Model, standardized: bool) -> None:
    """Enter the true values of the rows of one group."""
    block, layout = population.implied_blocks[0], population.compiled.blocks[0]
    place = {name: at for at, name in enumerate(layout.variables)}
    rows = [row for row in model.table.rows if row.group == group and row.level == 1]
    factor = _scales(rows, place, layout.observed, block.A, block.S)
    if standardized:
        factor = np.sign(factor) / np.sqrt(np.diag(block.V))  # a negative marker turns the latent variable round
    residual = np.sqrt(np.where(np.diag(block.S) > 0, np.diag(block.S), np.nan)) if standardized else None
    for k, row in enumerate(model.table.rows):
        within = row.level == 1 and (not model.two_level or model.cells[k].kind == PATH)
        if row.group == group and within:
            values[k] = _value(row, k, model, place, (block.A, block.S, block.m), factor, residual)


def _value(
    row: Row, k: int, model: Model, place: dict[str, int], matrices: tuple[Reals, Reals, Reals], factor: Reals, residual: Reals | None
) -> float:
    kind = model.cells[k].kind
    left, right = (row.rhs, row.lhs) if row.op == "=~" else (row.lhs, row.rhs)  # effect and cause, where it is a path
    if left not in place or (kind != INTERCEPT and right not in place):
        return math.nan
    i = place[left]
    if kind == INTERCEPT:
        return float(matrices[2][i] * factor[i])
    j = place[right]
    if kind == PATH:
        return float(matrices[0][i, j] * factor[i] / factor[j])
    if residual is not None and i != j:
        return float(matrices[1][i, j] / (residual[i] * residual[j]))
    return float(matrices[1][i, j] * factor[i] * factor[j])


def _scales(rows: Sequence[Row], place: dict[str, int], observed: Sequence[str], A: Reals, S: Reals) -> Reals:
    """Return the factor (m,) by which every variable of the population is multiplied in the metric of the analysis; NaN where it is not defined."""
    factor = np.ones(len(place))
    latent = {row.lhs for row in rows if row.op == "=~"} & (set(place) - set(observed))
    for name in latent:
        factor[place[name]] = _scale(name, rows, place, observed, A, S)
    return factor


def _scale(name: str, rows: Sequence[Row], place: dict[str, int], observed: Sequence[str], A: Reals, S: Reals) -> float:
    j = place[name]
    for row in rows:
        fixed = not row.free and not math.isnan(row.ustart) and row.ustart != 0.0
        if fixed and row.op == "=~" and row.lhs == name and row.rhs in observed and row.rhs in place:
            loading = A[place[row.rhs], j]
            return float(loading / row.ustart) if loading != 0 else math.nan
    for row in rows:
        if not row.free and row.op == "~~" and row.lhs == row.rhs == name and row.ustart > 0:
            return float(math.sqrt(row.ustart / S[j, j])) if S[j, j] > 0 else math.nan
    return 1.0  # scaled by something else, such as another latent variable: taken as it is


def _definitions(model: Model, values: Reals) -> dict[str, float]:
    """Return the defined parameters at the true values; NaN where one of those is."""
    relations = model.relations
    if not relations.definitions:
        return {}
    first = [int(np.argmax(model.theta_of_row == k)) for k in range(model.n_theta)]
    point = values[np.array(first + list(relations.fixed_rows), dtype=np.int64)]
    with np.errstate(all="ignore"):
        return {name: float(difference.value_at(point)) for name, difference in relations.definitions}
