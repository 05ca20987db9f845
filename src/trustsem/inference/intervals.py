"""Confidence intervals from draws of an estimate: formulas on arrays.

Draws are (B, Q): one row per draw, one column per quantity, NaN where a draw has no value. An interval that the draws cannot give is NaN: too few
of them for the level, or every one of them on one side of the estimate. A quantity that does not vary has itself as both ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.kernels.structure import Integers, Reals

__all__ = [
    "Interval",
    "acceleration",
    "basic",
    "bias_corrected_accelerated",
    "bias_correction",
    "draws_used",
    "normal",
    "percentile",
    "spread",
]

_ROUNDING = 1e-11  # of the size of a quantity: what it may vary by and still be a constant


class Interval(NamedTuple):
    """Lower and upper ends (Q,)."""

    lower: Reals
    upper: Reals


def draws_used(draws: Reals) -> Integers:
    """Return the number of draws (Q,) that have a value."""
    return np.asarray(np.isfinite(draws).sum(axis=0), dtype=np.int64)


def spread(draws: Reals) -> Reals:
    """Return the standard deviations (Q,) of the draws, divisor B - 1: the bootstrap standard errors. NaN for fewer than two draws."""
    used = draws_used(draws)
    finite = np.isfinite(draws)
    with np.errstate(all="ignore"):
        centred = np.where(finite, draws - _mean(draws), 0.0)
        result = np.sqrt((centred**2).sum(axis=0) / np.where(used > 1, used - 1, np.nan))
    return np.asarray(np.where(_constant(draws), 0.0, result))


def percentile(draws: Reals, level: float) -> Interval:
    """Return percentile intervals (Efron 1979; Davison & Hinkley 1997, section 5.3.1)."""
    tail = np.full(draws.shape[1], 0.5 - 0.5 * level)
    return _settled(draws, Interval(_quantile(draws, tail), _quantile(draws, 1.0 - tail)))


def basic(draws: Reals, estimate: Reals, level: float) -> Interval:
    """Return basic intervals, the percentiles reflected at `estimate` (Q,) (Davison & Hinkley 1997, section 5.2.1)."""
    lower, upper = percentile(draws, level)
    return Interval(2.0 * estimate - upper, 2.0 * estimate - lower)


def normal(draws: Reals, estimate: Reals, level: float) -> Interval:
    """Return normal intervals around `estimate` (Q,) less the bootstrap's estimate of its bias (Davison & Hinkley 1997, section 5.2.1)."""
    centre = 2.0 * estimate - _mean(draws)
    width = float(ndtri(0.5 + 0.5 * level)) * spread(draws)
    return _settled(draws, Interval(centre - width, centre + width))


def bias_correction(draws: Reals, estimate: Reals) -> Reals:
    """Return ``z0`` (Q,), the normal quantile of the share of draws below `estimate` (Q,) (Efron & Tibshirani 1993, equation 14.14).

    Draws equal to the estimate count half.
    """
    with np.errstate(all="ignore"):
        equal = np.abs(draws - estimate) <= _ROUNDING * np.abs(estimate)
        below = ((draws < estimate) & ~equal).sum(axis=0) + 0.5 * equal.sum(axis=0)
        return np.asarray(ndtri(below / draws_used(draws)))


def acceleration(left_out: Reals, stratum: Integers) -> Reals:
    """Return the acceleration ``a`` (Q,) from the jackknife.

    Parameters
    ----------
    left_out : (J, Q) float
        Estimates with one unit (or one part of the units) left out, NaN where there is none.
    stratum : (J,) int
        The group from which the unit was left out, counted from 0.

    Returns
    -------
    (Q,) float
        0 where the estimates do not vary.

    Notes
    -----
    ``a = sum d^3 / (6 (sum d^2)^1.5)``, with d the mean of a group's estimates less each of them (Efron & Tibshirani 1993, equation 14.15), times
    ``(J_g - 1) / J_g`` for the ``J_g`` units of the group, which matters with several groups (Davison & Hinkley 1997, section 5.3.2).
    """
    squares, cubes = np.zeros(left_out.shape[1]), np.zeros(left_out.shape[1])
    for group in range(int(stratum.max()) + 1):
        own = left_out[stratum == group]
        with np.errstate(all="ignore"):
            difference = np.where(np.isfinite(own), _mean(own) - own, 0.0) * ((len(own) - 1) / len(own))
        squares += (difference**2).sum(axis=0)
        cubes += (difference**3).sum(axis=0)
    varies = ~_constant(left_out) & (squares > 0.0)
    with np.errstate(all="ignore"):
        return np.asarray(np.where(varies, cubes / (6.0 * squares**1.5), 0.0))


def bias_corrected_accelerated(draws: Reals, estimate: Reals, level: float, acceleration: Reals | None = None) -> Interval:
    """Return BCa intervals (Efron 1987, doi 10.1080/01621459.1987.10478410); bias-corrected ones (Efron 1981) without an acceleration (Q,)."""
    start = bias_correction(draws, estimate)
    a = np.zeros(draws.shape[1]) if acceleration is None else acceleration
    ends = []
    for tail in (0.5 - 0.5 * level, 0.5 + 0.5 * level):
        with np.errstate(all="ignore"):
            moved = start + float(ndtri(tail))
            ends.append(_quantile(draws, ndtr(start + moved / (1.0 - a * moved))))
    return _settled(draws, Interval(ends[0], ends[1]))


def _mean(draws: Reals) -> Reals:
    finite = np.isfinite(draws)
    with np.errstate(all="ignore"):
        return np.asarray(np.where(finite, draws, 0.0).sum(axis=0) / finite.sum(axis=0))


def _constant(draws: Reals) -> np.ndarray:
    """Whether each quantity (Q,) has values, and they differ by rounding only."""
    finite = np.isfinite(draws)
    low = np.where(finite, draws, np.inf).min(axis=0, initial=np.inf)
    high = np.where(finite, draws, -np.inf).max(axis=0, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        return np.asarray(finite.any(axis=0) & (high - low <= _ROUNDING * np.maximum(np.abs(low), np.abs(high))))


def _settled(draws: Reals, interval: Interval) -> Interval:
    """Give quantities that do not vary their own value as interval."""
    constant, value = _constant(draws), np.where(np.isfinite(draws), draws, np.inf).min(axis=0, initial=np.inf)
    return Interval(np.where(constant, value, interval.lower), np.where(constant, value, interval.upper))


def _quantile(draws: Reals, probability: Reals) -> Reals:
    """Return for each column the quantile at its `probability` (Q,): the ``(B + 1) p``-th smallest draw.

    Between two draws the interpolation is linear on the scale of normal quantiles (Davison & Hinkley 1997, equation 5.8). NaN outside the draws.
    """
    if not len(draws):
        return np.full(draws.shape[1], np.nan)
    ordered = np.sort(np.where(np.isfinite(draws), draws, np.nan), axis=0)  # NaN last
    count = draws_used(draws)
    with np.errstate(invalid="ignore"):
        place = (count + 1.0) * probability
        place = np.where(np.abs(place - np.round(place)) < 1e-9 * (count + 1.0), np.round(place), place)
        inside = (place >= 1.0) & (place <= count)
        below = np.where(inside, np.floor(place), 1.0).astype(np.int64)
    above = np.minimum(below + 1, count)
    with np.errstate(all="ignore"):
        left, right = ndtri(below / (count + 1.0)), ndtri(above / (count + 1.0))
        share = np.where(above > below, (ndtri(place / (count + 1.0)) - left) / (right - left), 0.0)
    columns = np.arange(draws.shape[1])
    low, high = ordered[below - 1, columns], ordered[np.maximum(above, 1) - 1, columns]
    return np.asarray(np.where(inside, low + share * (high - low), np.nan))
