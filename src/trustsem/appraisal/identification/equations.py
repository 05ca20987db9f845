"""All equations of a model, estimated one by one: from the parameter table to instruments, and back to loadings and paths."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from trustsem.errors import NotAvailableError
from trustsem.inference.latent_to_observed import Diagram, Equation, Scaling, equations_of, scalings_of
from trustsem.inference.latent_variances import latent_variances
from trustsem.inference.moment_errors import SampledMoments
from trustsem.inference.two_stage import TwoStage, two_stage
from trustsem.kernels.structure import COVARIANCE, PATH, Reals
from trustsem.model.ram import Model

__all__ = ["Estimated", "diagram_of", "estimate_equations", "loadings_of"]


def diagram_of(model: Model) -> Diagram:
    """Return the only block of a model as a diagram.

    Raises
    ------
    NotAvailableError
        For constraints between parameters.
    """
    table = model.table
    free = [int(k) for k in model.theta_of_row if k >= 0]
    if any(relation.op != ":=" for relation in table.relations) or len(set(free)) < len(free):
        raise NotAvailableError(
            "The model holds parameters equal, or constrains them otherwise; equations that are estimated one by one cannot honour that. Leave the "
            "constraints out."
        )
    size = len(model.blocks[0].variables)
    arrows, joined, values = np.zeros((size, size), dtype=bool), np.zeros((size, size), dtype=bool), np.zeros((size, size))
    for k, (row, cell) in enumerate(zip(table.rows, model.cells, strict=True)):
        value = math.nan if model.theta_of_row[k] >= 0 or row.exo else row.ustart
        if value == 0.0:
            continue
        if cell.kind == PATH:
            arrows[cell.row, cell.column], values[cell.row, cell.column] = True, value
        elif cell.kind == COVARIANCE:
            joined[cell.row, cell.column] = joined[cell.column, cell.row] = True
    return Diagram(len(model.blocks[0].observed), arrows, values, joined)


def loadings_of(model: Model) -> tuple[tuple[int, int], ...]:
    """Return the loadings (latent, indicator) of a model that are free or not 0, in its order."""
    rows = zip(model.table.rows, model.cells, strict=True)
    return tuple((cell.column, cell.row) for row, cell in rows if row.op == "=~" and (row.free or row.ustart != 0.0))


@dataclass(frozen=True, eq=False)
class Estimated:
    """Loadings and paths of a model from its equations.

    Attributes
    ----------
    rows : tuple of int
        The rows of the parameter table that are loadings or paths.
    estimate : (r,) float
        NaN where an equation is not identified.
    slopes : (r, q) float
        Their derivatives with respect to the moments; 0 for what is fixed.
    inflation : (r,) float
        Standard errors count n - k - 1 observations instead of n: ``sqrt(n / (n - k - 1))``.
    status : tuple of str
        ``"estimated"``, ``"fixed"``, or why there is no estimate.
    standardized : (r,) float
    standardized_slopes : (r, q) float
    equations : tuple of Equation
    results : tuple of TwoStage or None
    rescaled : tuple of str
        Latent variables whose scale the model sets by a variance, and is here that of an indicator.
    moments : SampledMoments
    """

    rows: tuple[int, ...]
    estimate: Reals
    slopes: Reals
    inflation: Reals
    status: tuple[str, ...]
    standardized: Reals
    standardized_slopes: Reals
    equations: tuple[Equation, ...]
    results: tuple[TwoStage | None, ...]
    rescaled: tuple[str, ...]
    moments: SampledMoments

    def _errors(self, slopes: Reals) -> Reals:
        known = np.isfinite(slopes).all(axis=1)
        errors = np.full(len(slopes), np.nan)
        errors[known] = np.sqrt(np.maximum(np.diag(self.moments.spread(slopes[known])), 0.0)) * self.inflation[known]
        return errors

    def errors(self) -> Reals:
        """Return the standard errors (r,) of the estimates."""
        return self._errors(self.slopes)

    def standardized_errors(self) -> Reals:
        """Return the standard errors (r,) of the standardized estimates."""
        return self._errors(self.standardized_slopes)

    @cached_property
    def place(self) -> dict[int, int]:
        """Where each row of the parameter table stands here."""
        return {row: k for k, row in enumerate(self.rows)}


def estimate_equations(model: Model, moments: SampledMoments) -> Estimated:
    """Estimate all equations of a model of one block.

    Raises
    ------
    NotAvailableError
        See :func:`diagram_of`.
    """
    diagram, order = diagram_of(model), loadings_of(model)
    scalings = scalings_of(diagram, order)
    equations = equations_of(diagram, scalings, order)
    equations = tuple(_with_enough_rows(own, moments.n) for own in equations)
    results = tuple(None if own.problem else _fitted(own, moments) for own in equations)
    rows = tuple(k for k, row in enumerate(model.table.rows) if row.op in ("=~", "~"))
    estimate, slopes, inflation, status = _by_row(model, rows, scalings, equations, results, moments)
    size = len(diagram.arrows)
    paths, path_slopes = np.zeros((size, size)), np.zeros((size, size, slopes.shape[1]))
    for k, row in enumerate(rows):
        cell = model.cells[row]
        paths[cell.row, cell.column], path_slopes[cell.row, cell.column] = estimate[k], slopes[k]
    paths = np.where(diagram.arrows, paths, 0.0)
    variances, variance_slopes = latent_variances(diagram, paths, path_slopes, moments.cov)
    standard, standard_slopes = _standardized(model, rows, estimate, slopes, variances, variance_slopes)
    names = model.blocks[0].variables
    rescaled = tuple(names[k] for k in range(diagram.p, size) if scalings[k].observed >= 0 and not scalings[k].marked)
    return Estimated(rows, estimate, slopes, inflation, status, standard, standard_slopes, equations, results, rescaled, moments)


def _with_enough_rows(own: Equation, n: int) -> Equation:
    if own.problem or n > len(own.instruments) + 1:
        return own
    return replace(own, problem=f"not identified: {len(own.instruments)} instruments need more than {n} observations")


def _fitted(own: Equation, moments: SampledMoments) -> TwoStage:
    regressors, instruments = np.array(own.regressors, dtype=np.int64), np.array(own.instruments, dtype=np.int64)
    return two_stage(moments, own.outcome, regressors, instruments, own.offsets)


def _by_row(
    model: Model,
    rows: tuple[int, ...],
    scalings: tuple[Scaling, ...],
    equations: tuple[Equation, ...],
    results: tuple[TwoStage | None, ...],
    moments: SampledMoments,
) -> tuple[Reals, Reals, Reals, tuple[str, ...]]:
    """Return estimates, derivatives, inflation of errors and status of the rows of the parameter table."""
    p = len(moments.names)
    found = {(own.effect, cause): (own, result, k) for own, result in zip(equations, results, strict=True) for k, cause in enumerate(own.causes)}
    estimate, slopes = np.full(len(rows), np.nan), np.zeros((len(rows), p + p * (p + 1) // 2))
    inflation, status = np.ones(len(rows)), []
    for at, row in enumerate(rows):
        cell = model.cells[row]
        entry = found.get((cell.row, cell.column))
        if entry is None:
            value = model.table.rows[row].ustart
            estimate[at] = value if math.isfinite(value) and model.theta_of_row[row] < 0 else 1.0
            status.append("fixed")
            continue
        own, result, k = entry
        status.append(own.problem or "estimated")
        if result is None:
            slopes[at] = np.nan
            continue
        estimate[at], slopes[at] = own.factors[k] * result.coefficients[k], own.factors[k] * result.slopes[k]
        inflation[at] = math.sqrt(moments.n / (moments.n - len(own.causes) - 1.0))
    return estimate, slopes, inflation, tuple(status)


def _standardized(
    model: Model, rows: tuple[int, ...], estimate: Reals, slopes: Reals, variances: Reals, variance_slopes: Reals
) -> tuple[Reals, Reals]:
    """Return effects in units of standard deviations and their derivatives; NaN where a variance is not known or not positive."""
    usable = np.where(variances > 0.0, variances, np.nan)
    values, derivatives = np.full(estimate.size, np.nan), np.full(slopes.shape, np.nan)
    for at, row in enumerate(rows):
        i, j = model.cells[row].row, model.cells[row].column
        ratio = math.sqrt(usable[j] / usable[i])
        values[at] = estimate[at] * ratio
        change = variance_slopes[j] / usable[j] - variance_slopes[i] / usable[i]
        derivatives[at] = ratio * slopes[at] + 0.5 * values[at] * change
    return values, derivatives
