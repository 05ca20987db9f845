"""Probabilities that values are missing: a probit in standard scores whose intercept gives a target rate exactly."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.kernels.structure import Reals

__all__ = ["composite", "probit_chances", "standard_scores"]

_NEWTON_STEPS, _STEPS, _TOLERANCE = 8, 80, 1e-11


def standard_scores(values: Reals) -> Reals:
    """Return columns (n, p) with mean 0 and sd 1 over the values that are there (divisor n); NaN stays, and a constant column is 0."""
    present = ~np.isnan(values)
    count = np.maximum(present.sum(axis=0), 1)
    centred = values - np.where(present, values, 0.0).sum(axis=0) / count
    sd = np.sqrt((np.where(present, centred, 0.0) ** 2).sum(axis=0) / count)
    # A constant column is constant up to rounding only.
    varies = sd > 1e-12 * np.maximum(np.abs(np.where(present, values, 0.0)).max(axis=0, initial=0.0), 1e-300)
    return np.asarray(np.where(varies, centred / np.where(varies, sd, 1.0), np.where(present, 0.0, np.nan)))


def composite(values: Reals) -> Reals:
    """Return the standardized mean (n,) of the standardized columns of `values` (n, p) over those that a row has; 0 for a row that has none."""
    z = standard_scores(values)
    present = ~np.isnan(z)
    count = present.sum(axis=1)
    mean = np.where(present, z, 0.0).sum(axis=1) / np.maximum(count, 1)
    mean[count == 0] = np.nan
    return np.nan_to_num(standard_scores(mean[:, None])[:, 0])


def probit_chances(z: Reals, rates: Reals, strength: float) -> Reals:
    """Return the probabilities Phi(a + strength z) whose means over the rows are `rates`.

    Parameters
    ----------
    z : (n, p) or (n, 1) float
        What they depend on; NaN rows of a column do not count, and their probability is 0.
    rates : (p,) float
        At least 0 and below 1.
    strength : float

    Returns
    -------
    chances : (n, p) float

    Notes
    -----
    For normal z the intercept is Phi^-1(rate) sqrt(1 + strength^2). From there Newton's method on the probit of the mean, which is nearly linear in
    a, needs two or three steps; bisection between the intercepts at which every row has at most, and at least, the rate takes over if it does not.
    """
    if strength == 0.0 or not len(z):
        return np.where(np.isnan(z), 0.0, rates)
    if z.shape[1] == 1 and len(rates) > 1:
        distinct, place = np.unique(rates, return_inverse=True)
        return _chances(np.repeat(z, len(distinct), axis=1), distinct, strength)[:, place]
    return _chances(z, rates, strength)


def _chances(z: Reals, rates: Reals, strength: float) -> Reals:
    """Do the work of `probit_chances` for z of full width."""
    absent = np.isnan(z)
    holes = bool(absent.any())
    push = strength * (np.where(absent, 0.0, z) if holes else z)
    count = np.maximum(len(z) - absent.sum(axis=0), 1)
    empty = absent.all(axis=0)
    wanted = np.where(rates > 0.0, rates, 0.5)
    probit = ndtri(wanted)
    low, high = probit - push.max(axis=0), probit - push.min(axis=0)
    a = np.clip(probit * np.sqrt(1.0 + strength**2), low, high)
    for step in range(_STEPS):
        score = a + push
        chances = ndtr(score)
        if holes:
            chances[absent] = 0.0
        mean = chances.sum(axis=0) / count
        error = np.where(empty, 0.0, mean - wanted)
        if np.max(np.abs(error), initial=0.0) < _TOLERANCE:
            break
        low, high = np.where(error < 0.0, a, low), np.where(error < 0.0, high, a)
        before, a = a, (low + high) / 2.0
        if step < _NEWTON_STEPS:
            at = ndtri(np.clip(mean, 1e-300, 1.0 - 1e-16))
            density = np.exp(-0.5 * score**2)
            if holes:
                density[absent] = 0.0
            slope = density.sum(axis=0) / count * np.exp(0.5 * at**2)
            newton = before - (at - probit) / np.where(slope > 1e-12, slope, np.nan)
            a = np.where((newton > low) & (newton < high), newton, a)
    return np.where(rates > 0.0, chances, 0.0)
