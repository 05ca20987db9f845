"""Differences between groups in the means of latent variables: formulas on arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trustsem.inference.standardized import variance_derivatives
from trustsem.kernels.structure import INTERCEPT, PATH, Reals
from trustsem.model.problem import ImpliedBlock
from trustsem.model.ram import Model

__all__ = ["LatentMoments", "MeanDifference", "latent_moments", "mean_difference"]


class LatentMoments(NamedTuple):
    """Implied means and variances (q,) of the latent variables of a block, and their derivatives (q, K)."""

    mean: Reals
    variance: Reals
    mean_slopes: Reals
    variance_slopes: Reals


class MeanDifference(NamedTuple):
    """Differences (q,) between two groups and standardized ones (Cohen's d), each with derivatives (q, K)."""

    difference: Reals
    d: Reals
    difference_slopes: Reals
    d_slopes: Reals


def latent_moments(model: Model, b: int, block: ImpliedBlock) -> LatentMoments:
    """Return the latent moments of block `b` at the estimate."""
    p = block.p
    slopes = np.zeros((model.n_theta, block.mu.size))
    for kind, i, j, k, _, _ in model.structure.cells_of(b).tolist():
        if kind == INTERCEPT:
            slopes[k] += block.B[:, i]
        elif kind == PATH:
            slopes[k] += block.B[:, i] * block.mu[j]
    return LatentMoments(block.mu[p:], np.diag(block.V)[p:], slopes.T[p:], variance_derivatives(model, b, block)[p:])


def mean_difference(group: LatentMoments, reference: LatentMoments, n: int, n_reference: int) -> MeanDifference:
    """Return the difference of `group` from `reference`, plain and in units of the pooled latent standard deviation.

    Notes
    -----
    Cohen's d with the variance pooled over the two groups in proportion to their sizes (Hancock 2001, doi 10.1007/BF02294440). The derivatives count
    the estimation of the variances as well.
    """
    difference, slopes = group.mean - reference.mean, group.mean_slopes - reference.mean_slopes
    share = n / (n + n_reference)
    pooled = share * group.variance + (1.0 - share) * reference.variance
    pooled_slopes = share * group.variance_slopes + (1.0 - share) * reference.variance_slopes
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(pooled)
        d = difference / sd
        d_slopes = slopes / sd[:, None] - (0.5 * d / pooled)[:, None] * pooled_slopes
    return MeanDifference(difference, d, slopes, d_slopes)
