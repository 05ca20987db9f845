"""Diagonally weighted least squares: ``F = sum (s_k - sigma_k)^2 / Gamma_kk``.

Only the variances of the sample moments are used, so that no large matrix is inverted. The statistic by itself is not chi-square distributed, and the
plain standard errors take the moments for independent: WLSM and WLSMV correct both.
"""

from __future__ import annotations

from trustsem.estimators.wls import WeightedLeastSquares

__all__ = ["ESTIMATOR"]

ESTIMATOR = WeightedLeastSquares(name="DWLS", diagonal=True)
