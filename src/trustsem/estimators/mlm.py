"""Maximum likelihood with robust standard errors and the scaled test of Satorra & Bentler 1994.

For complete data that are not normal; the reference distribution has the right mean.
"""

from __future__ import annotations

from trustsem.estimators.ml import MaximumLikelihood

__all__ = ["ESTIMATOR"]

ESTIMATOR = MaximumLikelihood(name="MLM", needs_rows=True, takes_incomplete_rows=False, se="robust_sem", test=("standard", "satorra_bentler"))
