"""Diagonally weighted least squares with robust standard errors and the scaled and shifted test of Asparouhov & Muthen 2010."""

from __future__ import annotations

from trustsem.estimators.wls import WeightedLeastSquares

__all__ = ["ESTIMATOR"]

ESTIMATOR = WeightedLeastSquares(name="WLSMV", diagonal=True, se="robust_sem", test=("standard", "scaled_shifted"))
