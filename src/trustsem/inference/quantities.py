"""Functions of the parameters that carry their derivatives, and their values in draws of the parameters, through sums and ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.inference import intervals
from trustsem.kernels.structure import Reals

__all__ = ["Quantities", "delta_errors", "percentile_errors", "wald_pvalues"]

_ROUNDING = 1e-13  # of the largest variance that the derivatives allow: what is smaller is rounding
_ROUNDING_OF_SLOPES = 1e-11


@dataclass(frozen=True, eq=False)
class Quantities:
    """Some functions of the parameters.

    Attributes
    ----------
    value : (Q,) float
    slopes : (Q, K) float
        Derivatives with respect to theta.
    draws : (B, Q) float or None
        Values in draws of theta.
    """

    value: Reals
    slopes: Reals
    draws: Reals | None = None

    def mix(self, weights: Reals) -> Quantities:
        """Return the weighted sums with `weights` (P, Q), one row per sum."""
        return Quantities(weights @ self.value, weights @ self.slopes, None if self.draws is None else self.draws @ weights.T)

    def times(self, other: Quantities) -> Quantities:
        """Return the products with `other`, one by one."""
        draws = None if self.draws is None or other.draws is None else self.draws * other.draws
        return Quantities(self.value * other.value, self.slopes * other.value[:, None] + other.slopes * self.value[:, None], draws)

    def take(self, places: Sequence[int]) -> Quantities:
        """Return some of them, in the order of `places`."""
        at = np.array(places, dtype=np.int64)
        return Quantities(self.value[at], self.slopes[at], None if self.draws is None else self.draws[:, at])

    def over(self, other: Quantities) -> Quantities:
        """Return the ratios to `other`, one by one; NaN where that is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(other.value != 0.0, self.value / other.value, np.nan)
            less = value[:, None] * other.slopes
            change = self.slopes - less
            # A ratio that is constant (a part that is the whole) has derivatives of rounding errors, which would be tested.
            change[np.abs(change) <= _ROUNDING_OF_SLOPES * (np.abs(self.slopes) + np.abs(less))] = 0.0
            slopes = change / other.value[:, None]
            draws = None if self.draws is None or other.draws is None else self.draws / other.draws
        return Quantities(value, slopes, draws)

    def columns(self, vcov: Reals, level: float) -> dict[str, Reals]:
        """Return ``est se pvalue ci_lower ci_upper``, with draws also ``mc_lower mc_upper``.

        Parameters
        ----------
        vcov : (K, K) float
            Covariance matrix of the estimates.
        level : float
            Confidence level.

        Notes
        -----
        Standard errors and p-values are those of the delta method; so is the interval, unless there are draws, whose percentiles it then is, with
        the Monte Carlo errors of its ends.
        """
        se = delta_errors(self.slopes, vcov)
        result = {"est": self.value, "se": se, "pvalue": wald_pvalues(self.value, se)}
        if self.draws is None:
            width = float(ndtri(0.5 + 0.5 * level)) * se
            return result | {"ci_lower": self.value - width, "ci_upper": self.value + width}
        lower, upper = intervals.percentile(self.draws, level)
        low, high = percentile_errors(self.draws, level)
        return result | {"ci_lower": lower, "ci_upper": upper, "mc_lower": low, "mc_upper": high}


def delta_errors(slopes: Reals, vcov: Reals) -> Reals:
    """Return the standard errors (Q,) of functions with derivatives `slopes` (Q, K); 0 for what does not vary, up to rounding."""
    with np.errstate(all="ignore"):
        variances = np.einsum("qk,qk->q", slopes @ vcov, slopes)
        largest = (np.abs(slopes) @ np.sqrt(np.diag(vcov))) ** 2
        return np.asarray(np.sqrt(np.where(variances <= _ROUNDING * largest, 0.0, variances)))


def wald_pvalues(value: Reals, se: Reals) -> Reals:
    """Return two-sided p-values of "is 0"; NaN where there is no standard error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(2.0 * ndtr(-np.abs(np.where(se > 0.0, value / se, np.nan))))


def percentile_errors(draws: Reals, level: float) -> tuple[Reals, Reals]:
    """Return the Monte Carlo errors (Q,), (Q,) of both percentiles: half the distance of the order statistics one binomial error to either side.

    The number of draws below a quantile is binomial, so that its rank is known to ``sqrt(B p (1 - p))`` (David & Nagaraja 2003, section 7.1).
    """
    columns = [column[np.isfinite(column)] for column in draws.T]
    ends = [[_quantile_error(column, tail) for column in columns] for tail in (0.5 - 0.5 * level, 0.5 + 0.5 * level)]
    return np.array(ends[0], dtype=np.float64), np.array(ends[1], dtype=np.float64)


def _quantile_error(values: Reals, tail: float) -> float:
    if values.size < 2:
        return math.nan
    error = math.sqrt(tail * (1.0 - tail) / values.size)
    if not error < tail < 1.0 - error:
        return math.nan  # too few draws for this level
    low, high = np.quantile(values, [tail - error, tail + error])
    return float(0.5 * (high - low))
