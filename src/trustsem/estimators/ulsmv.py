"""Unweighted least squares with robust standard errors and the scaled and shifted test of Asparouhov & Muthen 2010."""

from __future__ import annotations

from trustsem.estimators.uls import UnweightedLeastSquares

__all__ = ["ESTIMATOR"]

ESTIMATOR = UnweightedLeastSquares(name="ULSMV", needs_rows=True, se="robust_sem", test=("standard", "scaled_shifted"))
