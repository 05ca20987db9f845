"""A model fitted while some of its parameters are held at standardized values."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from trustsem.data.sample import Sample
from trustsem.errors import NotAvailableError
from trustsem.estimators import find
from trustsem.fitting.fit import Fit
from trustsem.fitting.robust import TWO_STAGE
from trustsem.fitting.search import Estimate
from trustsem.fitting.tables import row_values
from trustsem.inference.held import Held, Saddle, held_at, held_values, saddle
from trustsem.kernels.structure import Reals
from trustsem.model.problem import Problem, derivatives, implied
from trustsem.model.ram import Model, compile_model
from trustsem.spec.table import ParameterTable, Row

__all__ = ["Holding", "Kept", "enlarged", "keep", "prepare_holding"]

_LIMIT = 80
_TOLERANCE = 1e-13  # decrement d' H d of a step, before the last one, which is still taken
_GAP = 1e-8
_HALVINGS = 12
_DEGENERATE = 1e-3
_FINE = 1e-9
_RENEWALS = 4


@dataclass(frozen=True, eq=False)
class Holding:
    """What a fit was fitted to, with a larger model some of whose parameters are held.

    Attributes
    ----------
    fit : Fit
        Of the smaller model.
    model : Model
        The larger one.
    problem : Problem
    held : Held
    start : (K,) float
        The smaller model's estimates, with zeros for what it does not have.
    """

    fit: Fit
    model: Model
    problem: Problem
    held: Held
    start: Reals


@dataclass(frozen=True, eq=False)
class Kept:
    """End of a search with parameters held.

    Attributes
    ----------
    fit : Fit
    multipliers : (H,) float
        Of the conditions; how fast the discrepancy would fall if they were let go.
    saddle : Saddle
        From which a search nearby may start.
    """

    fit: Fit
    multipliers: Reals
    saddle: Saddle


def enlarged(table: ParameterTable, more: list[Row]) -> ParameterTable:
    """Return a table with rows added, or freed where it has them; covariates become random, because what is added may touch their moments."""
    rows = [row._replace(free=True, exo=False, ustart=np.nan) if row.exo else row for row in table.rows]
    for new in more:
        same = [k for k, row in enumerate(rows) if row.op == new.op and _ends(row) == _ends(new)]
        rows = [row for k, row in enumerate(rows) if k not in same] + [new]
    return replace(table, rows=tuple(rows))


def _ends(row: Row) -> object:
    return frozenset((row.lhs, row.rhs)) if row.op == "~~" else (row.lhs, row.rhs)


def prepare_holding(fit: Fit, more: list[Row], held: list[Row]) -> Holding:
    """Compile the model of a fit with rows added, some of which are held, and match it to the same data.

    Raises
    ------
    NotAvailableError
        For models with constraints between parameters.
    """
    table = fit.model.table
    if any(relation.op != ":=" for relation in table.relations):
        raise NotAvailableError("The model has constraints between parameters, under which nothing can be held at a value. Leave them out.")
    model = compile_model(replace(enlarged(table, more), relations=()))
    problem = find(fit.options.estimator).prepare(model, _seen(fit), fit.options.likelihood)
    values = dict(zip(((row.op, _ends(row)) for row in table.rows), row_values(fit), strict=True))
    start = np.zeros(model.n_theta)
    for row, place in zip(model.table.rows, model.theta_of_row, strict=True):
        if place >= 0:
            start[place] = values.get((row.op, _ends(row)), 0.0)
    cells = dict(zip(model.table.rows, model.cells, strict=True))
    return Holding(fit, model, problem, held_at(model, [cells[row] for row in held]), start)


def _seen(fit: Fit) -> Sample:
    """Return what the estimator saw: in two stages it sees the moments of the first, not the rows."""
    if fit.options.missing not in TWO_STAGE:
        return fit.sample
    return replace(fit.sample, blocks=tuple(replace(block, missing=None) for block in fit.sample.blocks))


def keep(holding: Holding, targets: Reals, near: Kept | None = None) -> Kept | None:
    """Fit the larger model with its held parameters at standardized values.

    Parameters
    ----------
    holding : Holding
    targets : (H,) float
    near : Kept, optional
        A fit at other values, from which the search starts.

    Returns
    -------
    Kept or None
        None if the search did not converge.

    Notes
    -----
    A minimum under conditions (Aitchison & Silvey 1958) by Broyden's method, which begins with the Hessian of a fit nearby and learns from the
    gradients, because a Hessian costs twenty gradients where values are missing.
    """
    problem = holding.problem
    theta = holding.start if near is None else near.fit.estimate.theta
    multipliers = np.zeros(len(targets)) if near is None else near.multipliers
    equations = None if near is None else near.saddle
    _, gradient = _slope(problem, theta)
    memory: list[Reals] = []
    before, renewed = np.inf, 0
    for iteration in range(1, _LIMIT + 1):
        values, conditions = held_values(holding.held, holding.model, implied(problem.structure, theta)[0], theta)
        if equations is None and renewed > _RENEWALS:
            break  # far from a minimum: a shorter way there is better
        if equations is None:
            renewed += problem.objective is not None
            equations, memory = saddle(_hessian(problem, theta), conditions), []
        if equations is None or not np.isfinite(values).all():
            break
        gap = targets - values
        step, more = _learned(equations, *equations.solve(-gradient - conditions.T @ multipliers, gap), memory)
        decrement = float(step @ equations.hessian @ step)
        moved = _move(problem, theta, step)
        if moved is None:
            break
        shortened, theta, height, gradient = moved
        multipliers = multipliers + more
        if decrement <= _TOLERANCE * _unit(problem) and np.abs(gap).max() <= _GAP:
            return _kept(holding, theta, height, multipliers, equations, iteration)
        if shortened or (decrement > before and decrement > _FINE) or problem.objective is None:
            equations = None
        before = decrement
    return None


def _learned(equations: Saddle, step: Reals, more: Reals, memory: list[Reals]) -> tuple[Reals, Reals]:
    """Return a step with what earlier steps (in `memory`, to which it is added) taught of the equations: Broyden's method (Kelley 1995, ch. 7)."""
    taken = np.concatenate([step / equations.scale, more])
    for last, following in itertools.pairwise(memory):
        taken = taken + following * (last @ taken) / (last @ last)
    if memory:
        share = (memory[-1] @ taken) / (memory[-1] @ memory[-1])
        taken = taken / (1.0 - share) if abs(1.0 - share) > _DEGENERATE else taken
    memory.append(taken)
    return taken[: step.size] * equations.scale, taken[step.size :]


def _slope(problem: Problem, theta: Reals) -> tuple[float, Reals]:
    if problem.objective is not None:
        return problem.objective.slope(problem.structure, theta)
    height, gradient, _ = derivatives(problem, theta)
    return height, gradient


def _hessian(problem: Problem, theta: Reals) -> Reals:
    if problem.objective is not None:
        return problem.objective.hessian(problem.structure, theta)
    return derivatives(problem, theta)[2]


def _unit(problem: Problem) -> float:
    """Return the size of the discrepancy where it has the units of the variables."""
    if problem.moments.discrepancy != 2:
        return 1.0
    return float(np.sum(np.tril(problem.blocks[0].cov) ** 2))


def _move(problem: Problem, theta: Reals, step: Reals) -> tuple[bool, Reals, float, Reals] | None:
    """Return whether a step had to be shortened for the discrepancy to be defined, then theta, discrepancy and gradient; None if it never is."""
    for halving in range(_HALVINGS):
        height, gradient = _slope(problem, theta + step)
        if np.isfinite(height):
            return halving > 0, theta + step, height, gradient
        step = 0.5 * step
    return None


def _kept(holding: Holding, theta: Reals, height: float, multipliers: Reals, equations: Saddle, iterations: int) -> Kept:
    _, conditions = held_values(holding.held, holding.model, implied(holding.problem.structure, theta)[0], theta)
    estimate = Estimate(theta, height, True, "converged", iterations, 0.0, conditions, len(conditions))
    options = holding.fit.options
    if options.se == "bootstrap":
        options = replace(options, se=find(options.estimator).se)  # draws of the larger model would take long
    return Kept(Fit(holding.model, holding.fit.sample, holding.problem, estimate, options), multipliers, equations)
