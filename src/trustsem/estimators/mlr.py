"""Maximum likelihood with sandwich standard errors and the scaled test of Yuan & Bentler 2000 (doi 10.1111/0081-1750.00078), as in Mplus.

For data that are not normal, with or without missing values; the observed information is the bread of the sandwich.
"""

from __future__ import annotations

from trustsem.estimators.ml import MaximumLikelihood

__all__ = ["ESTIMATOR"]

ESTIMATOR = MaximumLikelihood(name="MLR", needs_rows=True, se="robust_huber_white", test=("standard", "yuan_bentler_mplus"), information="observed")
