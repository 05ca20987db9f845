"""Means and covariances of rows with holes: the saturated model by maximum likelihood.

EM steps (Orchard & Woodbury 1972; Little & Rubin 2019, ch. 11) with Anderson acceleration (Walker & Ni 2011, doi 10.1137/10078356X), which is given
up for one step whenever it would lower the likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trustsem.kernels.patterns import Patterns, pattern_sums

__all__ = ["Saturated", "available_moments", "saturated_moments"]

Reals = NDArray[np.float64]

_WINDOW = 8
_TOLERANCE = 1e-11
_LIMIT = 2_000


@dataclass(frozen=True, eq=False)
class Saturated:
    """Maximum likelihood moments of incomplete rows.

    Attributes
    ----------
    mean, cov : (p,) and (p, p) float
        Divisor n.
    deviance : float
        Minus twice the log-likelihood, without the constant ``log(2 pi)`` per value.
    converged : bool
    iterations : int
    """

    mean: Reals
    cov: Reals
    deviance: float
    converged: bool
    iterations: int


class _Point(NamedTuple):
    """Moments, minus twice the log-likelihood there, and how far an EM step goes from them."""

    mean: Reals
    cov: Reals
    deviance: float
    mean_step: Reals
    cov_step: Reals


def saturated_moments(data: Patterns) -> Saturated:
    """Maximise the likelihood of the saturated model.

    Parameters
    ----------
    data : Patterns
        Every pair of variables must be observed together in some pattern, or its covariance cannot be estimated.

    Returns
    -------
    Saturated
    """
    centre, spread = available_moments(data)
    seen = np.ones((data.n_rows.size, centre.size), dtype=bool)
    seen[np.repeat(np.arange(data.n_rows.size), np.diff(data.gap_start)), data.gaps] = False
    of_vector = np.repeat(np.arange(data.n_rows.size), np.diff(data.start))
    first = np.zeros(len(data.vectors), dtype=bool)
    first[data.start[:-1]] = True
    masked = np.where(seen[of_vector], (data.vectors - np.where(first[:, None], centre, 0.0)) / spread, 0.0)
    scaled = data._replace(vectors=masked)
    values = float(data.n_rows @ (np.log(spread) * seen).sum(axis=1))
    found = _accelerate(scaled)
    return Saturated(
        centre + spread * found.mean, found.cov * np.outer(spread, spread), found.deviance + 2.0 * values, found.converged, found.iterations
    )


def available_moments(data: Patterns) -> tuple[Reals, Reals]:
    """Return mean and standard deviation (p,), divisor n, of the observed values of each variable."""
    p = data.vectors.shape[1]
    seen = np.ones((data.n_rows.size, p))
    seen[np.repeat(np.arange(data.n_rows.size), np.diff(data.gap_start)), data.gaps] = 0.0
    means = data.vectors[data.start[:-1]]
    count = data.n_rows @ seen
    total = data.n_rows @ (means * seen)
    centre = total / count
    square = data.n_rows @ (((means - centre) * seen) ** 2)
    spread = (data.vectors**2).sum(axis=0) - (means**2).sum(axis=0)
    return centre, np.sqrt((square + spread) / count)


def _evaluate(data: Patterns, mean: Reals, cov: Reals) -> _Point | None:
    """Return the likelihood at some moments and the EM step from them; None if they are not positive definite."""
    try:
        factor = np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        return None
    W = np.linalg.inv(cov)
    R, pull = np.empty_like(cov), np.empty_like(mean)
    deviance = pattern_sums(data, 0.5 * (W + W.T), 2.0 * float(np.log(np.diag(factor)).sum()), mean, R, pull)
    if not np.isfinite(deviance):
        return None
    n = float(data.n_rows.sum())
    shift = cov @ pull / n
    change = -(cov @ R @ cov) / n - np.outer(shift, shift)
    return _Point(mean, cov, deviance, shift, 0.5 * (change + change.T))


def _flat(mean: Reals, cov: Reals) -> Reals:
    return np.concatenate([mean, cov[np.tril_indices(mean.size)]])


def _unflat(x: Reals, p: int) -> tuple[Reals, Reals]:
    cov = np.zeros((p, p))
    cov[np.tril_indices(p)] = x[p:]
    return x[:p], cov + np.tril(cov, -1).T


def _accelerate(data: Patterns) -> Saturated:
    """Run the accelerated EM algorithm on data in standard units."""
    p = data.vectors.shape[1]
    point = _evaluate(data, np.zeros(p), np.eye(p))
    assert point is not None  # unit variances and no covariances are positive definite
    points: list[Reals] = []
    steps: list[Reals] = []
    for iteration in range(_LIMIT):
        step = _flat(point.mean_step, point.cov_step)
        if np.abs(step).max() <= _TOLERANCE:
            return Saturated(point.mean + point.mean_step, point.cov + point.cov_step, point.deviance, True, iteration)
        x = _flat(point.mean, point.cov)
        points, steps = [*points[-_WINDOW:], x], [*steps[-_WINDOW:], step]
        trial = None
        if len(points) > 1:
            differences = np.diff(np.array(steps), axis=0)
            weights = np.linalg.lstsq(differences.T, step, rcond=1e-10)[0]
            mixed = x + step - weights @ (np.diff(np.array(points), axis=0) + differences)
            trial = _evaluate(data, *_unflat(mixed, p))
        if trial is None or trial.deviance > point.deviance + 1e-12 * abs(point.deviance):
            # An EM step never lowers the likelihood.
            points, steps = points[-1:], steps[-1:]
            trial = _evaluate(data, point.mean + point.mean_step, point.cov + point.cov_step)
            if trial is None:
                break
        point = trial
    return Saturated(point.mean, point.cov, point.deviance, False, _LIMIT)
