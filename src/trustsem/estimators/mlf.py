"""Maximum likelihood with standard errors from the cross-products of the casewise scores (first-order information)."""

from __future__ import annotations

from trustsem.estimators.ml import MaximumLikelihood

__all__ = ["ESTIMATOR"]

ESTIMATOR = MaximumLikelihood(name="MLF", needs_rows=True, se="first_order")
