"""Partial correlations and how they move with the covariances they are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trustsem.kernels.structure import Reals

__all__ = ["PartialCorrelation", "partial_correlation"]


class PartialCorrelation(NamedTuple):
    """A partial correlation and its derivatives.

    Attributes
    ----------
    value : float
        NaN where the covariance matrix is not positive definite.
    slopes : (q,) float
        With respect to the lower triangle of the whole covariance matrix, row by row.
    """

    value: float
    slopes: Reals

    def error(self, vcov: Reals) -> float:
        """Return the delta-method standard error, given the covariance matrix (q, q) of the estimated covariances."""
        return math.sqrt(max(float(self.slopes @ vcov @ self.slopes), 0.0))


def partial_correlation(cov: Reals, one: int, other: int, given: Sequence[int] = ()) -> PartialCorrelation:
    """Return the correlation of two variables given others.

    Parameters
    ----------
    cov : (m, m) float
    one, other : int
        Places of the two.
    given : sequence of int
        Places of the others.

    Notes
    -----
    With P the inverse of the covariance matrix of all of them, ``r = -P12 / sqrt(P11 P22)``, and dP = -P dM P.
    """
    at = np.array([one, other, *given])
    part = cov[np.ix_(at, at)]
    i, j = np.tril_indices(len(cov))
    if np.linalg.eigvalsh(part)[0] <= 0.0:
        return PartialCorrelation(np.nan, np.full(i.size, np.nan))
    P = np.linalg.inv(part)
    scale = np.sqrt(P[0, 0] * P[1, 1])
    value = -P[0, 1] / scale
    # d r = -dP01 / scale - r / 2 (dP00 / P00 + dP11 / P11), and dPab = -sum over k, l of P[a, k] P[b, l] dM[k, l].
    weights = np.outer(P[0], P[1]) / scale + 0.5 * value * (np.outer(P[0], P[0]) / P[0, 0] + np.outer(P[1], P[1]) / P[1, 1])
    full = np.zeros_like(cov)
    full[np.ix_(at, at)] = weights
    slopes = full[i, j] + np.where(i == j, 0.0, full[j, i])
    return PartialCorrelation(float(value), slopes)
