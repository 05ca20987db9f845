"""Corrections of the exact-fit test, which rejects true models too often in small samples."""

from __future__ import annotations

import math

from trustsem.inference.fit_measures import Chisq

__all__ = ["swain"]


def swain(test: Chisq, n_variables: int, n: int) -> Chisq:
    """Return the test statistic with Swain's correction (1975; Herzog & Boomsma 2009, doi 10.1080/10705510802561279).

    Parameters
    ----------
    test : Chisq
        The uncorrected maximum likelihood test of a covariance structure.
    n_variables : int
        Number p of observed variables.
    n : int
        Number of observations.

    Returns
    -------
    Chisq
        The statistic times ``1 - [p (2 p^2 + 3 p - 1) - q (2 q^2 + 3 q - 1)] / (12 df (n - 1))`` with
        ``q = (sqrt(1 + 4 p (p + 1) - 8 df) - 1) / 2``. Unchanged without degrees of freedom.
    """
    p, df = n_variables, test.df
    if df <= 0:
        return test
    q = (math.sqrt(max(1.0 + 4.0 * p * (p + 1.0) - 8.0 * df, 0.0)) - 1.0) / 2.0
    factor = 1.0 - (p * (2.0 * p**2 + 3.0 * p - 1.0) - q * (2.0 * q**2 + 3.0 * q - 1.0)) / (12.0 * df * (n - 1.0))
    return Chisq(test.statistic * factor, df)
