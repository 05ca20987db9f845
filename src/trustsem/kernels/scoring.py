"""Fisher scoring with Levenberg-Marquardt step control, in the metric of the expected Hessian's diagonal.

The metric makes the search, and the judgement of convergence, the same whatever the units of the variables. What the expected Hessian leaves out of
the Hessian (it matters where the model fits badly) is learnt from the gradients by symmetric rank-one updates, as Dennis, Gay & Welsch 1981
(doi 10.1145/355958.355965) do for nonlinear least squares; that makes the last steps converge superlinearly.

The algorithm asks for the discrepancy instead of calling it (:func:`advance`), so that one implementation serves the compiled loop over moments and
discrepancies that are evaluated elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.discrepancy import evaluate
from trustsem.kernels.linear import cholesky, multiply, solve_cholesky
from trustsem.kernels.structure import Integers, Moments, Reals, Structure

__all__ = ["CONVERGED", "ITERATION_LIMIT", "STALLED", "UNDEFINED_START", "Search", "advance", "new_search", "scoring"]

CONVERGED, ITERATION_LIMIT, STALLED, UNDEFINED_START = 0, 1, 2, 3

# A decrement below _ROUNDING is as good as zero if no step can make it smaller; _PATIENCE is how many steps may try.
_ROUNDING, _PATIENCE = 1e-12, 4
_TRIALS = 60  # steps tried in one iteration

# Rows of `Search.points`, of `Search.matrices`, of `Search.numbers` and of `Search.counts`.
X, TRIAL, STEP, G, BEFORE, BEST, G_TRIAL, SPARE, LOWER, UPPER = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
H, LEARNT, H_TRIAL = 0, 1, 2
VALUE, DAMPING, DECREMENT, PREDICTED, BEST_VALUE, BEST_DECREMENT, TOLERANCE = 0, 1, 2, 3, 4, 5, 6
ITERATION, TRIED, IDLE, STATUS, LIMIT = 0, 1, 2, 3, 4


class Search(NamedTuple):
    """A search under way.

    Attributes
    ----------
    theta, gradient, hessian : (K,), (K,) and (K, K) float
        Where the discrepancy is wanted next, and where its derivatives (the expected Hessian) are to be written.
    points : (10, r) float
        Where the search is in the free coordinates: x, trial point, step, gradient, the gradient before, best point, spare rows and bounds.
    matrices : (3, r, r) float
        Hessian, what was learnt to be added to it, and a spare one.
    basis, origin : (K, r) and (K,) float
        ``theta = basis x + origin`` if `mapped` (linear constraints), else theta is x.
    mapped : bool
    numbers, counts : (7,) float and (5,) int
        Value, damping and so on: see the names of their places in this module.
    """

    theta: Reals
    gradient: Reals
    hessian: Reals
    points: Reals
    matrices: Reals
    basis: Reals
    origin: Reals
    mapped: bool
    numbers: Reals
    counts: Integers


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


def new_search(
    start: Reals, basis: Reals, origin: Reals, mapped: bool, lower: Reals, upper: Reals, n_theta: int, limit: int, tolerance: float
) -> Search:
    """Return a search that wants the discrepancy at `start` first.

    Parameters
    ----------
    start : (r,) float
    basis, origin : (K, r) and (K,) float
        ``theta = basis x + origin`` if `mapped` (linear constraints), else theta is x.
    mapped : bool
    lower, upper : (r,) float
        Bounds on x.
    n_theta : int
        Number K of parameters.
    limit : int
        Largest number of iterations.
    tolerance : float
        Largest Newton decrement ``g' H^-1 g`` at convergence. Half of it is the distance of the discrepancy from its minimum,
        to first order, whatever the units of the parameters.
    """
    r = start.shape[0]
    points, matrices = np.zeros((10, r)), np.zeros((3, r, r))
    numbers, counts = np.zeros(7), np.zeros(5, np.int64)
    points[LOWER], points[UPPER], points[TRIAL] = lower, upper, np.clip(start, lower, upper)
    numbers[DECREMENT] = numbers[BEST_DECREMENT] = np.inf
    numbers[TOLERANCE], counts[LIMIT] = tolerance, limit
    theta = basis @ points[TRIAL] + origin if mapped else points[TRIAL].copy()
    return Search(theta, np.empty(n_theta), np.empty((n_theta, n_theta)), points, matrices, basis, origin, mapped, numbers, counts)


@kernel
def _propose(search: Search) -> None:
    """Ask for the discrepancy at x plus the step."""
    points, numbers = search.points, search.numbers
    clipped = _trial(points[X], points[STEP], points[LOWER], points[UPPER], points[TRIAL])
    numbers[PREDICTED] = 0.5 * numbers[DECREMENT]
    if clipped or numbers[DAMPING] > 0.0:
        numbers[PREDICTED] = _predict(points[G], search.matrices[H], search.matrices[LEARNT], points[X], points[TRIAL])
    _theta(points[TRIAL], search.basis, search.origin, search.mapped, search.theta)


@kernel
def _end(search: Search, status: int, point: Reals) -> bool:
    """End the search at `point` (r,)."""
    for k in range(point.shape[0]):
        search.points[X, k] = point[k]
    search.counts[STATUS] = status
    return False


@kernel
def _damped(search: Search) -> bool:
    """Compute the step with the present damping, more where that is needed for it to exist; False if it never does."""
    points, matrices, numbers = search.points, search.matrices, search.numbers
    while _step(points[G], matrices[H], matrices[LEARNT], points[X], points[LOWER], points[UPPER], numbers[DAMPING], points[STEP]) < 0.0:
        numbers[DAMPING] *= 10.0
        if numbers[DAMPING] > 1e12:
            return False
    return True


@kernel
def _begin_iteration(search: Search) -> bool:
    """Propose the next step from x, or end."""
    points, matrices, numbers, counts = search.points, search.matrices, search.numbers, search.counts
    g, h, learnt, x, lower, upper, step = points[G], matrices[H], matrices[LEARNT], points[X], points[LOWER], points[UPPER], points[STEP]
    if counts[ITERATION] == counts[LIMIT]:
        return _end(search, ITERATION_LIMIT, x)
    counts[ITERATION] += 1
    counts[TRIED] = 0
    decrement = _step(g, h, learnt, x, lower, upper, 0.0, step)
    if decrement < 0.0:
        # What was learnt has made the model indefinite: forget it. Without it only a singular Hessian can fail.
        learnt[:] = 0.0
        decrement = _step(g, h, learnt, x, lower, upper, 0.0, step)
        if decrement < 0.0:
            decrement = _step(g, h, learnt, x, lower, upper, 1e-10, step)
            numbers[DAMPING] = max(numbers[DAMPING], 1e-10)
    numbers[DECREMENT] = decrement
    if 0.0 <= decrement <= numbers[TOLERANCE]:
        # The step is there already, and so near the minimum it can only help: it doubles the number of correct digits for nothing.
        _trial(x, step, lower, upper, points[TRIAL])
        counts[ITERATION] -= 1
        return _end(search, CONVERGED, points[TRIAL])
    if numbers[DAMPING] > 0.0 and not _damped(search):
        numbers[DECREMENT] = np.inf
        return _end(search, STALLED, x)
    _propose(search)
    return True


@kernel
def _judge(search: Search, height: float) -> bool:
    """Whether the step to the trial point is good; adapt the damping to it."""
    points, matrices, numbers = search.points, search.matrices, search.numbers
    value, predicted, decrement = numbers[VALUE], numbers[PREDICTED], numbers[DECREMENT]
    # Promises below `quiet` may drown in the rounding errors of the discrepancy: then a step is good, too, if it makes the gradient smaller.
    noise, quiet = 1e-13 * max(1.0, abs(value)), 1e-9 * max(1.0, abs(value))
    gain = value - height
    accepted = np.isfinite(height) and gain >= 1e-4 * predicted
    if not accepted and np.isfinite(height) and predicted < quiet:
        _reduce(search.gradient, search.hessian, search.basis, search.mapped, points[G_TRIAL], matrices[H_TRIAL])
        after = _step(points[G_TRIAL], matrices[H_TRIAL], matrices[LEARNT], points[TRIAL], points[LOWER], points[UPPER], 0.0, points[SPARE])
        accepted = 0.0 <= after < decrement or (gain > -noise and predicted < noise)
    if not accepted:
        numbers[DAMPING] = max(8.0 * numbers[DAMPING], 1e-3)
    elif gain > 0.5 * predicted or predicted < quiet:
        numbers[DAMPING] = numbers[DAMPING] * 0.1 if numbers[DAMPING] > 1e-6 else 0.0
    elif gain < 0.1 * predicted:
        numbers[DAMPING] = max(4.0 * numbers[DAMPING], 1e-3)
    return bool(accepted)


@kernel
def _accept(search: Search, height: float) -> bool:
    """Move to the trial point; False if the search ends there."""
    points, matrices, numbers, counts = search.points, search.matrices, search.numbers, search.counts
    points[BEFORE] = points[G]
    numbers[VALUE] = height
    _reduce(search.gradient, search.hessian, search.basis, search.mapped, points[G], matrices[H])
    _learn(points[BEFORE], points[G], matrices[H], matrices[LEARNT], points[X], points[TRIAL])
    points[X] = points[TRIAL]
    if numbers[PREDICTED] < 1e-9 * max(1.0, abs(height)):
        # At the limit of rounding: remember where the gradient was smallest, and stop when it has not become much smaller for some steps.
        after = _step(points[G], matrices[H], matrices[LEARNT], points[X], points[LOWER], points[UPPER], 0.0, points[STEP])
        counts[IDLE] += 1
        if 0.0 <= after < numbers[BEST_DECREMENT]:
            counts[IDLE] = 0 if after < 0.25 * numbers[BEST_DECREMENT] else counts[IDLE]
            numbers[BEST_DECREMENT], numbers[BEST_VALUE] = after, height
            points[BEST] = points[X]
        if counts[IDLE] >= _PATIENCE and numbers[BEST_DECREMENT] <= _ROUNDING:
            numbers[VALUE], numbers[DECREMENT] = numbers[BEST_VALUE], numbers[BEST_DECREMENT]
            return _end(search, CONVERGED, points[BEST])
    return True


@kernel
def advance(search: Search, height: float) -> bool:
    """Take the discrepancy at ``search.theta``, whose derivatives have been written to `search`, and choose the next theta.

    Returns
    -------
    bool
        Whether the discrepancy is wanted at ``search.theta`` (else the search has ended).
    """
    points, numbers, counts = search.points, search.numbers, search.counts
    if counts[ITERATION] == 0:
        points[X] = points[TRIAL]
        numbers[VALUE] = height
        if not np.isfinite(height):
            return _end(search, UNDEFINED_START, points[X])
        if points.shape[1] == 0:
            numbers[DECREMENT] = 0.0
            return _end(search, CONVERGED, points[X])
        _reduce(search.gradient, search.hessian, search.basis, search.mapped, points[G], search.matrices[H])
        return _begin_iteration(search)
    if _judge(search, height):
        return _accept(search, height) and _begin_iteration(search)
    counts[TRIED] += 1
    if counts[TRIED] < _TRIALS and numbers[DAMPING] < 1e12 and _damped(search):
        _propose(search)
        return True
    return _end(search, CONVERGED if 0.0 <= numbers[DECREMENT] <= _ROUNDING else STALLED, points[X])


@kernel
def scoring(structure: Structure, moments: Moments, search: Search) -> None:
    """Minimise the discrepancy of `moments`: run `search` to its end."""
    height = evaluate(structure, moments, search.theta, search.gradient, search.hessian)
    while advance(search, height):
        height = evaluate(structure, moments, search.theta, search.gradient, search.hessian)
