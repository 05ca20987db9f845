"""Diagonally weighted least squares with robust standard errors and the scaled test of Satorra & Bentler 1994."""

from __future__ import annotations

from trustsem.estimators.wls import WeightedLeastSquares

__all__ = ["ESTIMATOR"]

ESTIMATOR = WeightedLeastSquares(name="WLSM", diagonal=True, se="robust_sem", test=("standard", "satorra_bentler"))
