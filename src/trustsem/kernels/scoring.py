"""Fisher scoring with Levenberg-Marquardt step control, in the metric of the expected Hessian's diagonal.

The metric makes the search, and the judgement of convergence, the same whatever the units of the variables. What the expected Hessian leaves out of
the Hessian (it matters where the model fits badly) is learnt from the gradients by symmetric rank-one updates, as Dennis, Gay & Welsch 1981
(doi 10.1145/355958.355965) do for nonlinear least squares; that makes the last steps converge superlinearly.
"""

from __future__ import annotations

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.discrepancy import evaluate
from trustsem.kernels.linear import cholesky, multiply, solve_cholesky
from trustsem.kernels.structure import Moments, Reals, Structure

__all__ = ["CONVERGED", "ITERATION_LIMIT", "STALLED", "UNDEFINED_START", "scoring"]

CONVERGED, ITERATION_LIMIT, STALLED, UNDEFINED_START = 0, 1, 2, 3

# A decrement below _ROUNDING is as good as zero if no step can make it smaller; _PATIENCE is how many steps may try.
_ROUNDING, _PATIENCE = 1e-12, 4


@kernel
def _step(gradient: Reals, hessian: Reals, learnt: Reals, x: Reals, lower: Reals, upper: Reals, damping: float, step: Reals) -> float:
    """Write the damped step (r,) and return the Newton decrement ``-g' step`` (before clipping); negative if the system is not positive definite.

    Coordinates on a bound that the gradient pushes against are held.
    """
    r = x.shape[0]
    moving = np.empty(r, np.int64)
    count = 0
    largest = 0.0
    for k in range(r):
        step[k] = 0.0
        if not ((x[k] <= lower[k] and gradient[k] > 0.0) or (x[k] >= upper[k] and gradient[k] < 0.0)):
            moving[count] = k
            count += 1
            largest = max(largest, hessian[k, k])
    if count == 0:
        return 0.0
    system, factor = np.empty((count, count)), np.empty((count, count))
    scale, right, solution = np.empty(count), np.empty(count), np.empty(count)
    for a in range(count):
        scale[a] = 1.0 / np.sqrt(max(hessian[moving[a], moving[a]], max(1e-30 * largest, 1e-300)))
        right[a] = -gradient[moving[a]] * scale[a]
    for a in range(count):
        for b in range(a + 1):  # the lower triangle is all that the factorization reads
            system[a, b] = (hessian[moving[a], moving[b]] + learnt[moving[a], moving[b]]) * scale[a] * scale[b]
        system[a, a] += damping
    if not cholesky(system, factor):
        return -1.0
    solve_cholesky(factor, right, solution)
    decrement = 0.0
    for a in range(count):
        decrement += right[a] * solution[a]
        step[moving[a]] = solution[a] * scale[a]
    return decrement


@kernel
def _trial(x: Reals, step: Reals, lower: Reals, upper: Reals, trial: Reals) -> bool:
    """Write ``x + step``, clipped to the bounds; True if something was clipped."""
    clipped = False
    for k in range(x.shape[0]):
        wanted = x[k] + step[k]
        trial[k] = min(max(wanted, lower[k]), upper[k])
        clipped = clipped or trial[k] != wanted
    return clipped


@kernel
def _predict(g: Reals, h: Reals, learnt: Reals, x: Reals, trial: Reals) -> float:
    """Return the drop of the discrepancy that the quadratic model promises for going from `x` to `trial`."""
    r = x.shape[0]
    linear, quadratic = 0.0, 0.0
    for a in range(r):
        move = trial[a] - x[a]
        linear += g[a] * move
        row = 0.0
        for b in range(r):
            row += (h[a, b] + learnt[a, b]) * (trial[b] - x[b])
        quadratic += move * row
    return -(linear + 0.5 * quadratic)


@kernel
def _learn(before: Reals, g: Reals, h: Reals, learnt: Reals, x: Reals, trial: Reals) -> None:
    """Update `learnt` (r, r) so that ``(h + learnt) (trial - x)`` equals the change of the gradient."""
    r = x.shape[0]
    miss = np.empty(r)
    inner, size, length = 0.0, 0.0, 0.0
    for a in range(r):
        value = g[a] - before[a]
        for b in range(r):
            value -= (h[a, b] + learnt[a, b]) * (trial[b] - x[b])
        miss[a] = value
        # Norms in the metric of the Hessian's diagonal, so that the safeguard does not depend on units.
        scale = max(h[a, a], 1e-300)
        inner += value * (trial[a] - x[a])
        size += value * value / scale
        length += (trial[a] - x[a]) ** 2 * scale
    if abs(inner) > 1e-6 * np.sqrt(size * length) and inner != 0.0:
        for a in range(r):
            for b in range(r):
                learnt[a, b] += miss[a] * miss[b] / inner


@kernel
def _theta(x: Reals, basis: Reals, origin: Reals, mapped: bool, theta: Reals) -> None:
    """Write theta (K,) for the free coordinates `x` (r,): ``basis x + origin`` if `mapped`, else x itself."""
    for k in range(theta.shape[0]):
        if mapped:
            theta[k] = origin[k]
            for a in range(x.shape[0]):
                theta[k] += basis[k, a] * x[a]
        else:
            theta[k] = x[k]


@kernel
def _reduce(gradient: Reals, hessian: Reals, basis: Reals, mapped: bool, g: Reals, h: Reals) -> None:
    """Write gradient (r,) and Hessian (r, r) in the free coordinates."""
    if mapped:
        r, size = g.shape[0], gradient.shape[0]
        half = np.empty((size, r))
        multiply(hessian, basis, half)
        for a in range(r):
            g[a] = 0.0
            for k in range(size):
                g[a] += basis[k, a] * gradient[k]
            for b in range(r):
                h[a, b] = 0.0
                for k in range(size):
                    h[a, b] += basis[k, a] * half[k, b]
    else:
        for a in range(g.shape[0]):
            g[a] = gradient[a]
            for b in range(g.shape[0]):
                h[a, b] = hessian[a, b]


@kernel
def scoring(
    structure: Structure,
    moments: Moments,
    start: Reals,
    basis: Reals,
    origin: Reals,
    mapped: bool,
    lower: Reals,
    upper: Reals,
    limit: int,
    tolerance: float,
) -> tuple[Reals, float, int, int, float]:
    """Minimise the discrepancy.

    Parameters
    ----------
    structure : Structure
    moments : Moments
    start : (r,) float
    basis, origin : (K, r) and (K,) float
        ``theta = basis x + origin`` if `mapped` (linear constraints), else theta is x.
    mapped : bool
    lower, upper : (r,) float
        Bounds on x.
    limit : int
        Largest number of iterations.
    tolerance : float
        Largest Newton decrement ``g' H^-1 g`` at convergence. Half of it is the distance of the discrepancy from its minimum,
        to first order, whatever the units of the parameters.

    Returns
    -------
    x : (r,) float
    value : float
        Discrepancy at x.
    iterations : int
    status : int
        One of the codes of this module.
    decrement : float
        Newton decrement at x.
    """
    r, size = start.shape[0], structure.n_theta
    gradient, hessian, theta = np.empty(size), np.empty((size, size)), np.empty(size)
    x, trial, step = np.empty(r), np.empty(r), np.zeros(r)
    g, h, before, learnt = np.empty(r), np.empty((r, r)), np.empty(r), np.zeros((r, r))
    g_trial, h_trial, spare = np.empty(r), np.empty((r, r)), np.empty(r)
    _trial(start, step, lower, upper, x)
    _theta(x, basis, origin, mapped, theta)
    value = evaluate(structure, moments, theta, gradient, hessian)
    if not np.isfinite(value):
        return x, value, 0, UNDEFINED_START, np.inf
    if r == 0:
        return x, value, 0, CONVERGED, 0.0
    damping, decrement = 0.0, np.inf
    best, best_value, best_decrement, idle = np.empty(r), value, np.inf, 0
    _reduce(gradient, hessian, basis, mapped, g, h)
    for iteration in range(1, limit + 1):
        decrement = _step(g, h, learnt, x, lower, upper, 0.0, step)
        if decrement < 0.0:
            # What was learnt has made the model indefinite: forget it. Without it only a singular Hessian can fail.
            for a in range(r):
                for b in range(r):
                    learnt[a, b] = 0.0
            decrement = _step(g, h, learnt, x, lower, upper, 0.0, step)
            if decrement < 0.0:
                decrement = _step(g, h, learnt, x, lower, upper, 1e-10, step)
                damping = max(damping, 1e-10)
        if 0.0 <= decrement <= tolerance:
            # The step is there already, and so near the minimum it can only help: it doubles the number of correct digits for nothing.
            _trial(x, step, lower, upper, trial)
            return trial, value, iteration - 1, CONVERGED, decrement
        if damping > 0.0:
            while _step(g, h, learnt, x, lower, upper, damping, step) < 0.0:
                damping *= 10.0
                if damping > 1e12:
                    return x, value, iteration, STALLED, np.inf
        # Promises below `quiet` may drown in the rounding errors of the discrepancy: then a step is good, too, if it makes the gradient smaller.
        noise, quiet = 1e-13 * max(1.0, abs(value)), 1e-9 * max(1.0, abs(value))
        accepted, predicted = False, 0.0
        for _ in range(60):
            clipped = _trial(x, step, lower, upper, trial)
            predicted = _predict(g, h, learnt, x, trial) if clipped or damping > 0.0 else 0.5 * decrement
            _theta(trial, basis, origin, mapped, theta)
            # Derivatives at once: most steps are accepted, and then this is the only evaluation of the iteration.
            height = evaluate(structure, moments, theta, gradient, hessian)
            gain = value - height
            accepted = np.isfinite(height) and gain >= 1e-4 * predicted
            if not accepted and np.isfinite(height) and predicted < quiet:
                _reduce(gradient, hessian, basis, mapped, g_trial, h_trial)
                after = _step(g_trial, h_trial, learnt, trial, lower, upper, 0.0, spare)
                accepted = 0.0 <= after < decrement or (gain > -noise and predicted < noise)
            if accepted:
                if gain > 0.5 * predicted or predicted < quiet:
                    damping = damping * 0.1 if damping > 1e-6 else 0.0
                elif gain < 0.1 * predicted:
                    damping = max(4.0 * damping, 1e-3)
                break
            damping = max(8.0 * damping, 1e-3)
            while damping < 1e12 and _step(g, h, learnt, x, lower, upper, damping, step) < 0.0:
                damping *= 10.0
            if damping >= 1e12:
                break
        if not accepted:
            return x, value, iteration, CONVERGED if 0.0 <= decrement <= _ROUNDING else STALLED, decrement
        for a in range(r):
            before[a] = g[a]
        value = height
        _reduce(gradient, hessian, basis, mapped, g, h)
        _learn(before, g, h, learnt, x, trial)
        for a in range(r):
            x[a] = trial[a]
        if predicted < quiet:
            # At the limit of rounding: remember where the gradient was smallest, and stop when it has not become much smaller for some steps.
            after = _step(g, h, learnt, x, lower, upper, 0.0, step)
            idle += 1
            if 0.0 <= after < best_decrement:
                idle = 0 if after < 0.25 * best_decrement else idle
                best_decrement, best_value = after, value
                for a in range(r):
                    best[a] = x[a]
            if idle >= _PATIENCE and best_decrement <= _ROUNDING:
                return best, best_value, iteration, CONVERGED, best_decrement
    return x, value, limit, ITERATION_LIMIT, decrement
