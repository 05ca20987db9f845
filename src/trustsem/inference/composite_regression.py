"""Regressions between sums of items, as they are and corrected for the items' errors, with derivatives with respect to the moments of the items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trustsem.inference.moment_errors import covariance_columns
from trustsem.kernels.structure import Reals

__all__ = ["composite_moments", "corrected_moments", "standardized_regression"]


def composite_moments(cov: Reals, weights: Reals) -> tuple[Reals, Reals]:
    """Return the covariances (s, s) of weighted sums of items and their derivatives (s, s, q).

    Parameters
    ----------
    cov : (p, p) float
        Of the items.
    weights : (s, p) float
    """
    s, p = weights.shape
    outer = weights[:, None, :, None] * weights[None, :, None, :]
    return weights @ cov @ weights.T, covariance_columns(outer.reshape(s * s, p, p)).reshape(s, s, -1)


def corrected_moments(cov: Reals, slopes: Reals, true: Reals, true_slopes: Reals) -> tuple[Reals, Reals]:
    """Return covariances (s, s) and derivatives with the variances that the sums would have without errors of measurement.

    Parameters
    ----------
    cov, slopes : (s, s) and (s, s, q) float
    true, true_slopes : (s,) and (s, q) float
        Variance without error, which is reliability times variance.

    Notes
    -----
    Uncorrelated errors leave the covariances of two sums alone (Spearman 1904, doi 10.2307/1412159).
    """
    cov, slopes = cov.copy(), slopes.copy()
    diagonal = np.arange(len(cov))
    cov[diagonal, diagonal], slopes[diagonal, diagonal] = true, true_slopes
    return cov, slopes


def standardized_regression(cov: Reals, slopes: Reals, effect: int, causes: Sequence[int]) -> tuple[Reals, Reals]:
    """Return standardized least squares coefficients (k,) and their derivatives (k, q).

    Parameters
    ----------
    cov, slopes : (s, s) and (s, s, q) float
        Covariances and their derivatives with respect to the moments.
    effect : int
    causes : sequence of int
    """
    at = list(causes)
    inner = cov[np.ix_(at, at)]
    b = np.linalg.solve(inner, cov[at, effect])
    change = slopes[at, effect] - np.einsum("ijq,j->iq", slopes[np.ix_(at, at)], b)
    ratio = np.sqrt(np.diag(inner) / cov[effect, effect])
    value = b * ratio
    own = slopes[at, at] / np.diag(inner)[:, None] - slopes[effect, effect] / cov[effect, effect]
    return value, ratio[:, None] * np.linalg.solve(inner, change) + 0.5 * value[:, None] * own
