"""How much each of several correlated predictors contributes to R squared, from covariances; with derivatives.

The last variable of a covariance matrix is the one explained, the p before it are the predictors.

- *Semipartial*: what R squared loses without the predictor.
- *LMG* (Lindeman, Merenda & Gold 1980; general dominance of Budescu 1993, doi 10.1037/0033-2909.114.3.542; the Shapley value): what R squared gains
  by the predictor, averaged over all orders in which predictors can enter. Not negative; adds up to R squared (Groemping 2007,
  doi 10.1198/000313007X188252).
- *Relative weights* (Johnson 2000, doi 10.1207/S15327906MBR3501_1): R squared shared out over the uncorrelated variables nearest to the predictors,
  and from these over the predictors. Close to LMG as a rule, but criticised as having no foundation (Thomas, Zumbo, Kwan & Schweitzer 2014,
  doi 10.1080/00273171.2014.905766).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from trustsem.kernels.structure import Reals

__all__ = ["MOST_PREDICTORS", "Importance", "importance", "lmg_values", "relative_weight_values", "subset_rsquares"]

MOST_PREDICTORS = 14  # 2^14 subsets
_AT_ONCE = 2**22  # numbers held at a time


class Importance(NamedTuple):
    """Contributions of p predictors, and their derivatives with respect to the q elements of the lower triangle of the covariances, row by row.

    Attributes
    ----------
    rsquare : float
    rsquare_slopes : (q,) float
    loss : (p,) float
        What R squared loses without each predictor.
    loss_slopes : (p, q) float
    lmg : (p,) float
    lmg_slopes : (p, q) float
    weights : (p,) float
        Relative weights.
    weight_slopes : (p, q) float
    """

    rsquare: float
    rsquare_slopes: Reals
    loss: Reals
    loss_slopes: Reals
    lmg: Reals
    lmg_slopes: Reals
    weights: Reals
    weight_slopes: Reals


def importance(cov: Reals) -> Importance:
    """Return the contributions of predictors with derivatives.

    Parameters
    ----------
    cov : (p + 1, p + 1) float
        Positive definite; at most ``MOST_PREDICTORS`` predictors.

    Notes
    -----
    With b the coefficients of a subset of predictors (0 elsewhere), v the variance explained from and u = (b, -1), the derivative of R squared with
    respect to the covariances is ``(-u u' + (1 - R squared) e e') / v``, e picking the variable explained. LMG is a weighted sum of R squared over
    all subsets.
    """
    p = len(cov) - 1
    squares, slopes = _subsets_with_slopes(cov)
    shares = _lmg_weights(p)
    whole = 2**p - 1
    without = [whole - 2**k for k in range(p)]
    weights, weight_slopes = _weights_with_slopes(cov)
    return Importance(
        rsquare=float(squares[whole]),
        rsquare_slopes=slopes[whole],
        loss=squares[whole] - squares[without],
        loss_slopes=slopes[whole] - slopes[without],
        lmg=shares @ squares,
        lmg_slopes=shares @ slopes,
        weights=weights,
        weight_slopes=weight_slopes,
    )


def _subsets_with_slopes(cov: Reals) -> tuple[Reals, Reals]:
    """Return R squared of every subset (2^p,), predictor k being bit k, and its derivatives (2^p, q)."""
    p = len(cov) - 1
    i, j = np.tril_indices(p + 1)
    twice = np.where(i == j, 1.0, 2.0)  # an element off the diagonal stands in two places
    last = (i == p) & (j == p)
    squares, slopes = np.zeros(2**p), np.zeros((2**p, i.size))
    for subset in range(1, 2**p):
        inside = [k for k in range(p) if subset >> k & 1]
        u = np.zeros(p + 1)
        u[inside] = np.linalg.solve(cov[np.ix_(inside, inside)], cov[inside, p])
        squares[subset] = u @ cov[p] / cov[p, p]
        u[p] = -1.0
        slopes[subset] = (-twice * u[i] * u[j] + last * (1.0 - squares[subset])) / cov[p, p]
    return squares, slopes


def subset_rsquares(cov: Reals) -> Reals:
    """Return R squared (B, 2^p) of every subset of predictors in each of several covariance matrices (B, p + 1, p + 1); predictor k is bit k.

    Predictors are taken out one after the other, conditioned on or left out, so that the matrices shrink as their number grows.
    """
    p = cov.shape[-1] - 1
    left = np.asarray(cov)[None]
    for _ in range(p):
        rest, column = left[..., 1:, 1:], left[..., 1:, 0]
        with np.errstate(all="ignore"):
            given = rest - column[..., :, None] * column[..., None, :] / left[..., :1, :1]
        left = np.concatenate([rest, given])
    with np.errstate(all="ignore"):
        return np.asarray(1.0 - left[..., 0, 0].T / cov[:, -1, -1][:, None])


def _lmg_weights(p: int) -> Reals:
    """Return the weights (p, 2^p) with which R squared of every subset enters the LMG of every predictor."""
    sizes = np.array([subset.bit_count() for subset in range(2**p)])
    order = np.array([math.factorial(k) * math.factorial(p - 1 - k) / math.factorial(p) for k in range(p)] + [0.0])
    inside = np.arange(2**p)[None, :] >> np.arange(p)[:, None] & 1 == 1
    return np.asarray(np.where(inside, order[np.maximum(sizes - 1, 0)], -order[sizes]))


def lmg_values(cov: Reals) -> Reals:
    """Return LMG (B, p) in each of several covariance matrices (B, p + 1, p + 1)."""
    p = cov.shape[-1] - 1
    shares = _lmg_weights(p)
    step = max(1, _AT_ONCE // (2**p * 4))
    return np.concatenate([subset_rsquares(cov[first : first + step]) @ shares.T for first in range(0, len(cov), step)])


def relative_weight_values(cov: Reals) -> Reals:
    """Return relative weights (B, p) in each of several covariance matrices (B, p + 1, p + 1)."""
    p = cov.shape[-1] - 1
    with np.errstate(all="ignore"):
        sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
        R = cov / (sd[:, :, None] * sd[:, None, :])
    usable = np.isfinite(R).all(axis=(1, 2))
    result = np.full((len(cov), p), np.nan)
    values, vectors = np.linalg.eigh(R[usable][:, :p, :p])
    with np.errstate(all="ignore"):
        root = (vectors * np.sqrt(values)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
        inverse = (vectors / np.sqrt(values)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
        beta = (inverse @ R[usable][:, :p, p, None])[..., 0]
        result[usable] = (root**2 @ (beta**2)[..., None])[..., 0]
    return result


def _weights_with_slopes(cov: Reals) -> tuple[Reals, Reals]:
    """Return relative weights (p,) with derivatives (p, q): those of the symmetric root follow in the basis of the eigenvectors."""
    p = len(cov) - 1
    sd = np.sqrt(np.diag(cov))
    R = cov / np.outer(sd, sd)
    values, vectors = np.linalg.eigh(R[:p, :p])
    roots = np.sqrt(values)
    root, inverse = (vectors * roots) @ vectors.T, (vectors / roots) @ vectors.T
    beta = inverse @ R[:p, p]
    slopes = []
    for i, j in zip(*np.tril_indices(p + 1), strict=True):
        change = np.zeros((p + 1, p + 1))
        change[i, j] = change[j, i] = 1.0 / (sd[i] * sd[j])
        half = 0.5 * np.diag(change)
        change -= half[:, None] * R + half * R
        d_root = vectors @ (vectors.T @ change[:p, :p] @ vectors / (roots[:, None] + roots)) @ vectors.T
        d_beta = inverse @ (change[:p, p] - d_root @ beta)
        slopes.append(2.0 * (root * d_root) @ beta**2 + 2.0 * root**2 @ (beta * d_beta))
    return root**2 @ beta**2, np.array(slopes).T
