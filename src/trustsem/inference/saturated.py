"""Information of the saturated model: of the means and distinct covariances of one block, per observation.

Moments are ordered means first, then the lower triangle of the covariance matrix row by row. The weight matrices of sandwich estimators and of scaled
tests are these; sources are Browne 1984 (doi 10.1111/j.2044-8317.1984.tb00789.x) for complete data, Savalei & Bentler 2009
(doi 10.1080/10705510903008238) for incomplete data.
"""

from __future__ import annotations

import numpy as np

from trustsem.data.patterns import MissingPatterns
from trustsem.kernels.pairs import fold_pairs, pair_information
from trustsem.kernels.patterns import Patterns, pattern_products
from trustsem.kernels.structure import Integers, Reals

__all__ = ["complete_information", "incomplete_information", "lower_triangle", "normal_gamma", "saturated_scores"]

_CHUNK = 512


def lower_triangle(p: int) -> tuple[Integers, Integers]:
    """Return rows and columns of the p (p + 1) / 2 distinct elements of a covariance matrix, in the order used everywhere."""
    rows, columns = np.tril_indices(p)
    return rows.astype(np.int64), columns.astype(np.int64)


def _pairs(W: Reals) -> Reals:
    """Return the information (d, d) about the distinct covariances at the inverse covariance matrix W."""
    d = W.shape[0] * (W.shape[0] + 1) // 2
    result = np.empty((d, d))
    pair_information(np.ascontiguousarray(W), result)
    return result


def complete_information(cov: Reals, sample_cov: Reals | None = None, shift: Reals | None = None) -> Reals:
    """Return the information (q, q) of one complete observation about the moments, q = p + p (p + 1) / 2.

    Parameters
    ----------
    cov : (p, p) float
        Covariance matrix at which the information is wanted.
    sample_cov, shift : (p, p) and (p,) float, optional
        Sample covariances (divisor n) and ``xbar - mu``: if given, the observed information, else the expected one.
    """
    W = np.linalg.inv(cov)
    W = 0.5 * (W + W.T)
    p = W.shape[0]
    i, j = lower_triangle(p)
    result = np.zeros((p + i.size, p + i.size))
    result[:p, :p] = W
    result[p:, p:] = _pairs(W)
    if sample_cov is not None:
        gap = np.zeros(p) if shift is None else shift
        pull = W @ gap
        M = W @ sample_cov @ W + np.outer(pull, pull)
        weight = np.where(i == j, 0.5, 1.0)
        crossed = (
            W[np.ix_(i, i)] * M[np.ix_(j, j)]
            + W[np.ix_(i, j)] * M[np.ix_(j, i)]
            + W[np.ix_(j, i)] * M[np.ix_(i, j)]
            + W[np.ix_(j, j)] * M[np.ix_(i, i)]
        )
        result[p:, p:] = np.outer(weight, weight) * crossed - result[p:, p:]
        result[:p, p:] = weight * (W[:, i] * pull[j] + W[:, j] * pull[i])
        result[p:, :p] = result[:p, p:].T
    return result


def normal_gamma(cov: Reals) -> Reals:
    """Return the asymptotic covariance matrix (q, q) of means and distinct covariances of normal data: the inverse of their information."""
    p = cov.shape[0]
    i, j = lower_triangle(p)
    result = np.zeros((p + i.size, p + i.size))
    result[:p, :p] = cov
    result[p:, p:] = cov[np.ix_(i, i)] * cov[np.ix_(j, j)] + cov[np.ix_(i, j)] * cov[np.ix_(j, i)]
    return result


def incomplete_information(data: Patterns, mean: Reals, cov: Reals, *, observed: bool) -> Reals:
    """Return the information (q, q) of one observation about the moments, averaged over rows with missing values.

    Parameters
    ----------
    data : Patterns
    mean, cov : (p,) and (p, p) float
        Moments at which the information is wanted.
    observed : bool
        The observed information, else the expected one given which values are missing.

    Notes
    -----
    The sums over patterns of products of two elements of ``W_k`` are one matrix product; what the information of a pair of covariances needs of it is
    looked up. Memory does not grow with the number of patterns.
    """
    p = mean.size
    i, j = lower_triangle(p)
    W = np.linalg.inv(cov)
    W = 0.5 * (W + W.T)
    d = i.size
    total, single, lifted = np.zeros((d, d)), np.zeros(d), np.zeros((p, d))
    for first in range(0, data.n_rows.size, _CHUNK):
        last = min(first + _CHUNK, data.n_rows.size)
        weights, products, means = np.empty((last - first, d)), np.empty((last - first, d)), np.empty((last - first, p))
        if not pattern_products(data, W, mean, first, last, weights, products, means):
            return np.full((p + d, p + d), np.nan)
        count = data.n_rows[first:last]
        single += count @ weights
        other = products - 0.5 * count[:, None] * weights if observed else 0.5 * count[:, None] * weights
        total += weights.T @ other
        lifted += means.T @ weights
    weight = np.where(i == j, 0.5, 1.0)
    n = float(data.n_rows.sum())
    result = np.zeros((p + d, p + d))
    folded = np.empty((d, d))
    fold_pairs(total, p, folded)
    result[p:, p:] = folded / n
    square = np.empty((p, p))
    square[i, j] = square[j, i] = single
    result[:p, :p] = square / n
    if observed:
        place = np.empty((p, p), dtype=np.int64)
        place[i, j] = place[j, i] = np.arange(d)
        rows = np.arange(p)[:, None]
        # For the mean of a and the covariance of c and d: sum_k (W_ac y_d + W_ad y_c).
        result[:p, p:] = weight * (lifted[j[None, :], place[rows, i[None, :]]] + lifted[i[None, :], place[rows, j[None, :]]]) / n
        result[p:, :p] = result[:p, p:].T
    return result


def saturated_scores(rows: Reals, mean: Reals, cov: Reals, patterns: MissingPatterns | None = None) -> Reals:
    """Return the derivatives (n, q) of each row's log-likelihood with respect to the moments.

    Parameters
    ----------
    rows : (n, p) float
        NaN where missing, as `patterns` says.
    mean, cov : (p,) and (p, p) float
    patterns : MissingPatterns, optional
        None for complete rows.
    """
    n, p = rows.shape
    i, j = lower_triangle(p)
    weight = np.where(i == j, 0.5, 1.0)
    result = np.empty((n, p + i.size))
    if patterns is None:
        W = np.linalg.inv(cov)
        Y = (rows - mean) @ W
        result[:, :p] = Y
        result[:, p:] = weight * (Y[:, i] * Y[:, j] - W[i, j])
        return result
    for k, seen in enumerate(patterns.observed):
        members = patterns.order[patterns.start[k] : patterns.start[k + 1]]
        W = np.zeros((p, p))
        W[np.ix_(seen, seen)] = np.linalg.inv(cov[np.ix_(seen, seen)])
        Y = np.where(seen, rows[members] - mean, 0.0) @ W
        result[members, :p] = Y
        result[members, p:] = weight * (Y[:, i] * Y[:, j] - W[i, j])
    return result
