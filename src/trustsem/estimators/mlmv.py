"""Maximum likelihood with robust standard errors and the scaled and shifted test of Asparouhov & Muthen 2010.

For complete data that are not normal; the reference distribution has the right mean and variance, and the degrees of freedom stay.
"""

from __future__ import annotations

from trustsem.estimators.ml import MaximumLikelihood

__all__ = ["ESTIMATOR"]

ESTIMATOR = MaximumLikelihood(name="MLMV", needs_rows=True, takes_incomplete_rows=False, se="robust_sem", test=("standard", "scaled_shifted"))
