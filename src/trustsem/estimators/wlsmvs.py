"""Diagonally weighted least squares with robust standard errors and the mean and variance adjusted test of Satorra & Bentler 1994."""

from __future__ import annotations

from trustsem.estimators.wls import WeightedLeastSquares

__all__ = ["ESTIMATOR"]

ESTIMATOR = WeightedLeastSquares(name="WLSMVS", diagonal=True, se="robust_sem", test=("standard", "mean_var_adjusted"))
