"""Corrections of the exact-fit test, which rejects true models too often in small samples."""

from __future__ import annotations

import math

from trustsem.inference.fit_measures import Chisq

__all__ = ["bartlett", "swain", "yuan"]


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


def bartlett(test: Chisq, n_variables: int, n_factors: int, n: int) -> Chisq:
    """Return the test statistic with Bartlett's correction for factor models (1950; Nevitt & Hancock 2004, doi 10.1207/S15327906MBR3903_3).

    Parameters
    ----------
    test : Chisq
        The uncorrected maximum likelihood test.
    n_variables, n_factors : int
        Numbers p of observed variables and k of factors.
    n : int
        Number of observations.

    Returns
    -------
    Chisq
        The statistic times ``1 - (2 p + 4 k + 5) / (6 (n - 1))``.
    """
    return Chisq(test.statistic * (1.0 - (2.0 * n_variables + 4.0 * n_factors + 5.0) / (6.0 * (n - 1.0))), test.df)


def yuan(test: Chisq, n_variables: int, n_factors: int, n: int) -> Chisq:
    """Return the test statistic with Yuan's correction (2005, doi 10.1207/s15327906mbr4001_5).

    Parameters
    ----------
    test : Chisq
        The uncorrected maximum likelihood test.
    n_variables, n_factors : int
        Numbers p of observed variables and k of factors.
    n : int
        Number of observations.

    Returns
    -------
    Chisq
        The statistic times ``1 - (2 p + 2 k + 7) / (6 (n - 1))``.
    """
    return Chisq(test.statistic * (1.0 - (2.0 * n_variables + 2.0 * n_factors + 7.0) / (6.0 * (n - 1.0))), test.df)
