"""Asymptotic covariance matrix of the means and distinct covariances of complete rows (Browne 1984, doi 10.1111/j.2044-8317.1984.tb00789.x)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gamma_matrix"]

Reals = NDArray[np.float64]


def gamma_matrix(
    rows: Reals, mean: Reals, kept: NDArray[np.bool_], covariates: NDArray[np.int64], weights: Reals | None = None, *, centre: Reals | None = None
) -> Reals:
    """Return n times the covariance matrix (r, r) of the sample moments, from fourth-order moments, divisor n.

    Parameters
    ----------
    rows : (n, p) float
        Complete rows.
    mean : (p,) float
        What products are taken about.
    kept : (q,) bool
        Which of the means and distinct covariances (lower triangle, row by row) are wanted.
    covariates : (k,) int
        Places of fixed covariates: what they predict of the moments does not vary over samples.
    weights : (n,) float, optional
        Sampling weights that add up to n.
    centre : (q,) float, optional
        Moments about which the products vary; their means by default.
    """
    z = _products(rows - mean)
    own = np.ones(len(z)) if weights is None else weights
    if covariates.size:
        design = np.column_stack([np.ones(len(z)), rows[:, covariates]])
        root = np.sqrt(own)[:, None]
        slopes = np.linalg.lstsq(design * root, rows * root, rcond=None)[0]
        z = z - _products(design @ slopes - mean)
    z = z[:, kept]
    middle = own @ z / own.sum() if centre is None else centre[kept]
    z = (z - middle) * own[:, None]
    return np.asarray(z.T @ z / len(z))


def _products(centred: Reals) -> Reals:
    """Return each row's deviations and their distinct products (n, q)."""
    i, j = np.tril_indices(centred.shape[1])
    return np.hstack([centred, centred[:, i] * centred[:, j]])
