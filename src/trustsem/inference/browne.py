"""Browne's residual-based test (1984, doi 10.1111/j.2044-8317.1984.tb00789.x, proposition 4): right for any consistent estimator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trustsem.inference.information import covariance_of_estimates
from trustsem.kernels.structure import Reals

__all__ = ["residual_statistic"]


def residual_statistic(residuals: Sequence[Reals], gammas: Sequence[Reals], deltas: Sequence[Reals], shares: Reals, basis: Reals | None) -> float:
    """Return ``e' [G - G D (D' G D)^-1 D' G] e`` with ``G = Gamma^-1``; times N it is a chi-square statistic.

    Parameters
    ----------
    residuals : sequence of (r,) float
        Sample less implied moments of every block.
    gammas : sequence of (r, r) float
        Asymptotic covariance matrix of the moments of every block.
    deltas : sequence of (r, K) float
    shares : (G,) float
        Number of observations of every block relative to N.
    basis : (K, k) float or None
        Directions that constraints leave free.
    """
    size = deltas[0].shape[1]
    information, score, whole = np.zeros((size, size)), np.zeros(size), 0.0
    for e, gamma, delta, share in zip(residuals, gammas, deltas, shares, strict=True):
        weighted = np.linalg.solve(gamma, np.column_stack([e, delta]))
        whole += share * float(e @ weighted[:, 0])
        score += share * (delta.T @ weighted[:, 0])
        information += share * (delta.T @ weighted[:, 1:])
    inverse, _ = covariance_of_estimates(information, basis)
    return float("nan") if inverse is None else whole - float(score @ inverse @ score)
