"""General equality and inequality constraints: scipy's SLSQP finds the active set, Newton steps on it give the last digits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trustsem.kernels.structure import Integers, Reals
from trustsem.model.problem import Problem, derivatives, value
from trustsem.model.relations import Difference

__all__ = ["Solution", "solve_constrained"]

_ACTIVE = 1e-6


@dataclass(frozen=True, eq=False)
class Solution:
    """End of a constrained search (the fields mean what they mean in ``Estimate``)."""

    theta: Reals
    discrepancy: float
    converged: bool
    iterations: int
    decrement: float
    binding: Reals
    n_equalities: int


@dataclass(frozen=True, eq=False)
class _Constraints:
    """All constraints of a problem as two vector functions: ``equal(theta) = 0`` and ``greater(theta) >= 0``.

    Both are multiplied by `units`, one number each, that make their values comparable whatever the units of the parameters.
    """

    equalities: tuple[Difference, ...]
    inequalities: tuple[Difference, ...]
    lower: Reals
    upper: Reals
    units: tuple[Reals, Reals]

    def equal(self, theta: Reals) -> Reals:
        return np.asarray(self.units[0] * np.array([difference.value(theta) for difference in self.equalities]))

    def equal_jacobian(self, theta: Reals) -> Reals:
        slopes = np.array([difference.gradient(theta) for difference in self.equalities])
        return np.asarray(self.units[0][:, None] * slopes.reshape(len(self.equalities), theta.size))

    def greater(self, theta: Reals) -> Reals:
        low, high = np.isfinite(self.lower), np.isfinite(self.upper)
        values = [difference.value(theta) for difference in self.inequalities]
        return np.asarray(self.units[1] * np.concatenate([values, (theta - self.lower)[low], (self.upper - theta)[high]]))

    def greater_jacobian(self, theta: Reals) -> Reals:
        identity = np.eye(theta.size)
        slopes = np.array([difference.gradient(theta) for difference in self.inequalities]).reshape(len(self.inequalities), theta.size)
        return np.asarray(self.units[1][:, None] * np.vstack([slopes, identity[np.isfinite(self.lower)], -identity[np.isfinite(self.upper)]]))


def solve_constrained(problem: Problem, start: Reals, limit: int, tolerance: float) -> Solution:
    """Minimise the discrepancy of `problem` from `start` (K,) under all of its constraints.

    Parameters
    ----------
    problem : Problem
    start : (K,) float
        A point where the discrepancy is finite; it need not satisfy the constraints.
    limit : int
        Iterations of each of the two stages.
    tolerance : float
        Largest decrement ``d' H d`` of the final Newton steps.
    """
    relations = problem.model.relations
    constraints = _constraints(problem, start)
    theta, iterations = _active_set(problem, constraints, start, limit)
    theta, active, decrement, more = _polish(problem, constraints, theta, limit, tolerance)
    feasible = bool(np.all(np.abs(constraints.equal(theta)) < 1e-7) and np.all(constraints.greater(theta) > -1e-7))
    # Linear equalities are accounted for by their basis, and bounds do not count: what remains are nonlinear equalities and active inequalities.
    rows = constraints.greater_jacobian(theta)[active[active < len(relations.inequalities)]]
    binding = np.nan_to_num(np.vstack([constraints.equal_jacobian(theta)[len(relations.linear) :], rows]), posinf=0.0, neginf=0.0)
    converged = feasible and decrement <= 1e-10
    return Solution(theta, value(problem, theta), converged, iterations + more, decrement, binding, len(relations.equalities))


def _constraints(problem: Problem, start: Reals) -> _Constraints:
    """Return the constraints in units of the search: a change by 1 is a step of length 1 in the metric of the Hessian's diagonal at `start`."""
    model = problem.model
    relations = model.relations
    equalities = relations.linear + relations.equalities
    plain = (
        np.ones(len(equalities)),
        np.ones(len(relations.inequalities) + int(np.sum(np.isfinite(model.lower)) + np.sum(np.isfinite(model.upper)))),
    )
    constraints = _Constraints(equalities, relations.inequalities, model.lower, model.upper, plain)
    scale = _metric(derivatives(problem, start)[2])

    def units(slopes: Reals) -> Reals:
        with np.errstate(all="ignore"):
            length = np.linalg.norm(slopes * scale, axis=1)
        return 1.0 / np.where(np.isfinite(length) & (length > 0.0), length, 1.0)

    return replace(constraints, units=(units(constraints.equal_jacobian(start)), units(constraints.greater_jacobian(start))))


def _metric(hessian: Reals) -> Reals:
    """Return the size (K,) of each parameter that the Hessian's diagonal suggests."""
    diagonal = np.diag(hessian)
    return np.asarray(1.0 / np.sqrt(np.maximum(diagonal, max(1e-30 * float(diagonal.max()), 1e-300))))


def _active_set(problem: Problem, constraints: _Constraints, start: Reals, limit: int) -> tuple[Reals, int]:
    from scipy.optimize import minimize

    scale = _metric(derivatives(problem, start)[2])

    def objective(z: Reals) -> tuple[float, Reals]:
        height, gradient, _ = derivatives(problem, z * scale)
        return (height, gradient * scale) if np.isfinite(height) else (1e10, np.zeros(z.size))

    conditions = [
        {"type": kind, "fun": lambda z, f=function: f(z * scale), "jac": lambda z, j=jacobian: j(z * scale) * scale}
        for kind, function, jacobian, present in (
            ("eq", constraints.equal, constraints.equal_jacobian, bool(constraints.equalities)),
            ("ineq", constraints.greater, constraints.greater_jacobian, constraints.greater(start).size > 0),
        )
        if present
    ]
    with np.errstate(all="ignore"):
        found = minimize(objective, start / scale, jac=True, method="SLSQP", constraints=conditions, options={"maxiter": limit, "ftol": 1e-13})
    theta = np.asarray(found.x * scale)
    return (theta if np.isfinite(value(problem, theta)) else start), int(found.nit)


def _polish(problem: Problem, constraints: _Constraints, theta: Reals, limit: int, tolerance: float) -> tuple[Reals, Integers, float, int]:
    """Newton steps on the active set; returns theta, the places of the active inequalities and bounds, the decrement and the number of steps."""
    n_equal = len(constraints.equalities)
    active = np.flatnonzero(constraints.greater(theta) < _ACTIVE)
    decrement, best = np.inf, (theta, np.inf)
    for iteration in range(1, limit + 1):
        _, gradient, hessian = derivatives(problem, theta)
        binding = np.vstack([constraints.equal_jacobian(theta), constraints.greater_jacobian(theta)[active]])
        gap = np.concatenate([constraints.equal(theta), constraints.greater(theta)[active]])
        if not (np.isfinite(binding).all() and np.isfinite(gap).all()):
            return theta, active, np.inf, iteration  # a constraint is not defined here
        scale = _metric(hessian)
        step, multipliers = _kkt_step(gradient, hessian, binding, gap, scale)
        wrong = np.flatnonzero(multipliers[n_equal:] < -1e-9 * float(np.abs(gradient * scale).max()))
        if wrong.size:
            active = np.delete(active, wrong)
            continue
        decrement = float(step @ hessian @ step)
        if decrement <= tolerance or (iteration > 20 and decrement < 1e-14 and decrement > 0.5 * best[1]):
            return (theta if decrement <= best[1] else best[0]), active, min(decrement, best[1]), iteration
        if decrement < best[1]:
            best = (theta, decrement)
        length = 1.0
        while length > 1e-6 and not np.isfinite(value(problem, theta + length * step)):
            length *= 0.5
        theta = theta + length * step
        entering = np.flatnonzero(constraints.greater(theta) < -_ACTIVE)
        if np.setdiff1d(entering, active).size:
            active = np.union1d(active, entering)
    return best[0], active, best[1], limit


def _kkt_step(gradient: Reals, hessian: Reals, binding: Reals, gap: Reals, scale: Reals) -> tuple[Reals, Reals]:
    """Return the step that solves the quadratic model on the linearised constraints, and the multipliers."""
    k, a = gradient.size, gap.size
    system = np.zeros((k + a, k + a))
    system[:k, :k] = hessian * np.outer(scale, scale)
    system[:k, k:] = (binding * scale).T
    system[k:, :k] = binding * scale
    solution = np.linalg.lstsq(system, np.concatenate([-gradient * scale, -gap]), rcond=1e-13)[0]
    return solution[:k] * scale, -solution[k:]
