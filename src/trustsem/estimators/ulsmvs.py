"""Unweighted least squares with robust standard errors and the mean and variance adjusted test of Satorra & Bentler 1994."""

from __future__ import annotations

from trustsem.estimators.uls import UnweightedLeastSquares

__all__ = ["ESTIMATOR"]

ESTIMATOR = UnweightedLeastSquares(name="ULSMVS", needs_rows=True, se="robust_sem", test=("standard", "mean_var_adjusted"))
