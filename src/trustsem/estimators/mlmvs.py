"""Maximum likelihood with robust standard errors and the mean and variance adjusted test of Satterthwaite, by Satorra & Bentler 1994.

For complete data that are not normal; the degrees of freedom are estimated.
"""

from __future__ import annotations

from trustsem.estimators.ml import MaximumLikelihood

__all__ = ["ESTIMATOR"]

ESTIMATOR = MaximumLikelihood(name="MLMVS", needs_rows=True, takes_incomplete_rows=False, se="robust_sem", test=("standard", "mean_var_adjusted"))
