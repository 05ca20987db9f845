"""Searching for the estimate: Fisher scoring, then a quasi-Newton fallback, then perturbed restarts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from trustsem.fitting.constrained import solve_constrained
from trustsem.kernels.scoring import CONVERGED, DECREMENT, ITERATION, ITERATION_LIMIT, STALLED, STATUS, VALUE, Search, X, advance, new_search, scoring
from trustsem.kernels.structure import Reals
from trustsem.model.problem import Objective, Problem, derivatives, value
from trustsem.model.starts import StartPlan, plain_start, start_values

__all__ = ["Estimate", "SearchOptions", "search"]

_REASONS = MappingProxyType(
    {
        CONVERGED: "converged",
        ITERATION_LIMIT: "The search reached its iteration limit before the gradient vanished.",
        STALLED: "The search stalled: no step lowered the discrepancy although the gradient is not zero.",
    }
)
_NEAR = 1e-2  # a decrement below which the Hessian need not be computed anew
_NO_START = "No admissible starting point was found: the implied covariance matrix is not positive definite at any of them."


@dataclass(frozen=True)
class SearchOptions:
    """When the search stops.

    Attributes
    ----------
    limit : int
        Iterations of each scoring run.
    tolerance : float
        Largest Newton decrement ``g' H^-1 g`` (twice the distance of the discrepancy from its minimum) before the last step, which is still taken.
    restarts : int
        Perturbed starts that are tried when all else fails.
    """

    limit: int = 500
    tolerance: float = 1e-15
    restarts: int = 6


@dataclass(frozen=True, eq=False)
class Estimate:
    """Where the search ended.

    Attributes
    ----------
    theta : (K,) float
    discrepancy : float
        Infinite if no start was admissible.
    converged : bool
    reason : str
        ``"converged"``, or why not.
    iterations : int
        In all runs together.
    decrement : float
        Newton decrement at theta (the scale-free measure of the gradient).
    binding : (a, K) float
        Derivatives of the nonlinear equalities and of the active inequalities at theta, which standard errors respect. Simple bounds are not among
        them: a standard error at a bound is that of the unbounded problem, and there is no test.
    n_equalities : int
        How many of the first rows of `binding` are equalities (they add degrees of freedom; active inequalities do not).
    """

    theta: Reals
    discrepancy: float
    converged: bool
    reason: str
    iterations: int
    decrement: float
    binding: Reals
    n_equalities: int


@dataclass(frozen=True, eq=False)
class _Run:
    x: Reals
    discrepancy: float
    iterations: int
    status: int
    decrement: float


def search(problem: Problem, plan: StartPlan, options: SearchOptions, start: Reals | None = None) -> Estimate:
    """Minimise the discrepancy of `problem`.

    Parameters
    ----------
    problem : Problem
    plan : StartPlan
        Where starting values come from.
    options : SearchOptions
    start : (K,) float, optional
        Used first instead of the computed start, but for elements that are NaN.

    Returns
    -------
    Estimate
        Not converging is a result with a reason, not an error.
    """
    unit = _unit(problem)
    if unit != 1.0:
        moments = problem.moments._replace(share=problem.moments.share / unit)
        # The unit is the size of the moments, far above that of the residuals: a finer tolerance keeps the digits of a small minimum.
        found = search(replace(problem, moments=moments), plan, replace(options, tolerance=1e-4 * options.tolerance), start)
        return replace(found, discrepancy=found.discrepancy * unit, decrement=found.decrement * unit)
    relations = problem.model.relations
    bounded = bool(np.isfinite(problem.model.lower).any() or np.isfinite(problem.model.upper).any())
    first = start_values(problem.model, plan, problem.blocks)
    if start is not None:
        first = np.where(np.isnan(start), first, start)
    if relations.equalities or relations.inequalities or (relations.basis is not None and bounded):
        return _search_constrained(problem, first, options)
    begin = _to_free(problem, first)
    if problem.objective is not None:
        # Cheap, and close to the minimum: the moments of the saturated model in place of the data.
        nearby = _score(replace(problem, objective=None), begin, options)
        begin = nearby.x if nearby.status == CONVERGED else begin
    runs = [_score(problem, begin, options)]
    if runs[-1].status != CONVERGED:
        runs.append(_score(problem, _to_free(problem, plain_start(problem.model, problem.blocks)), options))
    if runs[-1].status != CONVERGED:
        runs.append(_score(problem, _quasi_newton(problem, _best(runs).x), options))
    if not any(run.status == CONVERGED for run in runs):
        rng = np.random.default_rng(0)
        for _ in range(options.restarts):
            runs.append(_score(problem, _perturbed(problem, runs, rng), options))
            if runs[-1].status == CONVERGED:
                break
    return _conclude(problem, runs)


def _unit(problem: Problem) -> float:
    """Return the size of the discrepancy, so that tolerances do not depend on the units of the variables: 1 where it is scale-free."""
    moments = problem.moments
    if moments.discrepancy != 2:
        return 1.0
    sizes = [float(np.sum(np.tril(block.cov) ** 2)) for block in problem.blocks]
    unit = float(moments.share @ np.array(sizes))
    return 1.0 if abs(unit - 1.0) < 1e-9 else unit


def _best(runs: list[_Run]) -> _Run:
    return min(runs, key=lambda run: (run.status != CONVERGED, run.discrepancy))


def _conclude(problem: Problem, runs: list[_Run]) -> Estimate:
    best = _best(runs)
    theta = _to_theta(problem, best.x)
    binding = np.empty((0, problem.model.n_theta))
    reason = _REASONS.get(best.status, _NO_START)
    iterations = sum(run.iterations for run in runs)
    return Estimate(theta, best.discrepancy, best.status == CONVERGED, reason, iterations, best.decrement, binding, 0)


def _to_free(problem: Problem, theta: Reals) -> Reals:
    relations = problem.model.relations
    if relations.basis is None or relations.origin is None:
        return theta
    return np.asarray(relations.basis.T @ (theta - relations.origin))


def _to_theta(problem: Problem, x: Reals) -> Reals:
    relations = problem.model.relations
    if relations.basis is None or relations.origin is None:
        return x
    return np.asarray(relations.basis @ x + relations.origin)


def _score(problem: Problem, x: Reals, options: SearchOptions) -> _Run:
    model = problem.model
    mapped = model.relations.basis is not None
    if model.relations.basis is not None and model.relations.origin is not None:
        basis, origin = model.relations.basis, model.relations.origin
        lower, upper = np.full(x.size, -np.inf), np.full(x.size, np.inf)
    else:
        basis, origin = np.empty((0, 0)), np.empty(0)
        lower, upper = model.lower, model.upper
    run = new_search(x, basis, origin, mapped, lower, upper, model.n_theta, options.limit, options.tolerance)
    if problem.objective is None:
        scoring(problem.structure, problem.moments, run)
    else:
        _run(problem, problem.objective, run)
    return _Run(run.points[X], float(run.numbers[VALUE]), int(run.counts[ITERATION]), int(run.counts[STATUS]), float(run.numbers[DECREMENT]))


def _run(problem: Problem, objective: Objective, run: Search) -> None:
    """Run a search to its end over a discrepancy that is not one of moments alone.

    Near the minimum a Hessian hardly changes: where it is dear an earlier one serves, with what is learnt from the gradients.
    """
    fresh = True
    while True:
        height, run.gradient[:] = objective.slope(problem.structure, run.theta)
        if fresh and np.isfinite(height):
            run.hessian[:] = objective.expected(problem.structure, run.theta)
            fresh = False
        if not advance(run, height):
            return
        fresh = fresh or not objective.dear_hessian or run.numbers[DECREMENT] > _NEAR


def _metric(problem: Problem, hessian: Reals) -> Reals:
    """Return the size (r,) of each free coordinate that the Hessian (K, K) suggests."""
    basis = problem.model.relations.basis
    diagonal = np.diag(hessian) if basis is None else np.einsum("ki,kl,li->i", basis, hessian, basis)
    return np.asarray(1.0 / np.sqrt(np.maximum(diagonal, max(1e-30 * float(diagonal.max(initial=0.0)), 1e-300))))


def _quasi_newton(problem: Problem, x: Reals) -> Reals:
    """Return the best point of a bounded quasi-Newton search in parameters scaled by the expected Hessian."""
    from scipy.optimize import minimize

    theta = _to_theta(problem, x)
    height, _, hessian = derivatives(problem, theta)
    if not np.isfinite(height):
        return x
    basis = problem.model.relations.basis
    scale = _metric(problem, hessian)

    def objective(z: Reals) -> tuple[float, Reals]:
        height, gradient, _ = derivatives(problem, _to_theta(problem, z * scale))
        if not np.isfinite(height):
            return 1e10, np.zeros(z.size)
        return height, (gradient if basis is None else basis.T @ gradient) * scale

    bounds = None if basis is not None else list(zip(problem.model.lower / scale, problem.model.upper / scale, strict=True))
    found = minimize(objective, x / scale, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000, "maxcor": 30, "ftol": 1e-15})
    return np.asarray(found.x * scale)


def _perturbed(problem: Problem, runs: list[_Run], rng: np.random.Generator) -> Reals:
    """Return the best point so far with a fifth or so of each parameter's size added at random, or the plain start if that is not admissible."""
    best = _best(runs).x
    height, _, hessian = derivatives(problem, _to_theta(problem, best))
    for _ in range(20 if np.isfinite(height) else 0):
        trial = best * (1.0 + 0.2 * rng.standard_normal(best.size)) + 0.2 * _metric(problem, hessian) * rng.standard_normal(best.size)
        if np.isfinite(value(problem, _to_theta(problem, trial))):
            return trial
    return _to_free(problem, plain_start(problem.model, problem.blocks))


def _search_constrained(problem: Problem, start: Reals, options: SearchOptions) -> Estimate:
    solutions = []
    rng = np.random.default_rng(0)
    plain = plain_start(problem.model, problem.blocks)
    for attempt in range(2 + options.restarts):
        point = start if attempt == 0 else plain * (1.0 + 0.1 * (attempt - 1) * rng.standard_normal(plain.size))
        if not np.isfinite(value(problem, point)):
            continue
        solutions.append(solve_constrained(problem, point, options.limit, options.tolerance))
        if solutions[-1].converged:
            break
    if not solutions:
        empty = np.empty((0, start.size))
        return Estimate(start, np.inf, False, _NO_START, 0, np.inf, empty, 0)
    best = min(solutions, key=lambda solution: (not solution.converged, solution.discrepancy))
    reason = "converged" if best.converged else "The search did not find a point where the constraints hold and the discrepancy cannot be lowered."
    iterations = sum(solution.iterations for solution in solutions)
    return Estimate(best.theta, best.discrepancy, best.converged, reason, iterations, best.decrement, best.binding, best.n_equalities)
