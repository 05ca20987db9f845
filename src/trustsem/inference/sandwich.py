"""Covariances of the estimates that do not rely on normality: sandwiches (Huber 1967; White 1982; Browne 1984; Satorra & Bentler 1994)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trustsem.errors import DataError
from trustsem.inference.saturated import lower_triangle
from trustsem.inference.stacked import StackedBlock
from trustsem.kernels.structure import Reals

__all__ = ["cross_products", "gamma_matrix", "score_meat"]


def gamma_matrix(block: StackedBlock, covariates: NDArray[np.int64]) -> Reals:
    """Return the asymptotic covariance matrix (r, r) of the moments of complete rows (Browne 1984), divisor n.

    Parameters
    ----------
    block : StackedBlock
    covariates : (k,) int
        Places of fixed covariates: what they predict of the moments does not vary over samples.

    Raises
    ------
    DataError
        If the rows are not known, or are incomplete.
    """
    if block.rows is None:
        raise DataError("Robust standard errors and tests need the rows of the data, not summary statistics. Give data=.")
    if block.missing is not None:
        raise DataError("This test needs complete rows. Use estimator='MLR' for data with missing values.")
    z = _products(block.rows - block.mean)
    weights = np.ones(len(z)) if block.weights is None else block.weights
    if covariates.size:
        design = np.column_stack([np.ones(len(z)), block.rows[:, covariates]])
        root = np.sqrt(weights)[:, None]
        slopes = np.linalg.lstsq(design * root, block.rows * root, rcond=None)[0]
        z = z - _products(design @ slopes - block.mean)
    z = z[:, block.kept]
    n = float(len(z))
    centred = (z - weights @ z / weights.sum()) * weights[:, None]
    return np.asarray(centred.T @ centred / n)


def _products(centred: Reals) -> Reals:
    """Return each row's deviations and their distinct products (n, q)."""
    i, j = lower_triangle(centred.shape[1])
    return np.hstack([centred, centred[:, i] * centred[:, j]])


def cross_products(scores: Reals, clusters: NDArray[np.int64] | None) -> Reals:
    """Return the sum (k, k) of the outer products of the rows of `scores` (n, k), or of their sums within clusters."""
    if clusters is None:
        return np.asarray(scores.T @ scores)
    totals = np.zeros((int(clusters.max()) + 1, scores.shape[1]))
    np.add.at(totals, clusters, scores)
    return np.asarray(totals.T @ totals)


def score_meat(scores: Sequence[Reals], clusters: Sequence[NDArray[np.int64] | None]) -> Reals:
    """Return the sum over blocks of the outer products of casewise scores (n, K), summed within clusters first."""
    return np.asarray(sum(cross_products(part, own) for part, own in zip(scores, clusters, strict=True)))
