"""Pooling what m imputed data sets say: Rubin's rules and the four pooled tests, on arrays.

Sources: Rubin 1987 (Multiple imputation for nonresponse in surveys, chapter 3); Barnard & Rubin 1999 (Biometrika 86, 948-955; degrees of freedom);
Li, Raghunathan & Rubin 1991 (JASA 86, 1065-1073; D1); Li, Meng, Raghunathan & Rubin 1991 (Statistica Sinica 1, 65-92; D2); Meng & Rubin 1992
(Biometrika 79, 103-111; D3); Chan & Meng 2022 (Statistica Sinica 32, 1489-1514; D4). Grund, Luedtke & Robitzsch 2023 (Psychological Methods 28,
1207-1221) compare the last three.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, fdtrc

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals

__all__ = ["Increase", "Pooled", "PooledTest", "d1", "d2", "d3", "d4", "rubin"]


class Pooled(NamedTuple):
    """Estimates pooled by Rubin's rules, each array of shape (K,).

    Attributes
    ----------
    estimate : (K,) float
        Means over imputations.
    within, between : (K,) float
        Mean of the squared standard errors, and variance of the estimates over imputations.
    variance : (K,) float
        ``within + (1 + 1/m) between``.
    df : (K,) float
        Degrees of freedom of the t distribution; infinite where nothing varies between imputations and the complete data are large.
    riv, fmi : (K,) float
        Relative increase in variance due to nonresponse, and fraction of missing information.
    """

    estimate: Reals
    within: Reals
    between: Reals
    variance: Reals
    df: Reals
    riv: Reals
    fmi: Reals


class PooledTest(NamedTuple):
    """A pooled test: F statistic (NaN where the formula gives none), its two degrees of freedom, and the relative increase in variance."""

    statistic: float
    df: int
    df2: float
    riv: float

    @property
    def pvalue(self) -> float:
        """Upper tail probability of F; NaN for a negative statistic, which has no reference distribution."""
        if not self.statistic >= 0.0:
            return math.nan
        if math.isinf(self.df2):
            return float(chdtrc(self.df, self.df * self.statistic))
        return float(fdtrc(self.df, self.df2, self.statistic))

    @property
    def chisq(self) -> float:
        """The statistic on the scale of a chi-square with `df` degrees of freedom."""
        return self.df * self.statistic


class Increase(NamedTuple):
    """A relative increase in variance and the degrees of freedom it is estimated with."""

    riv: float
    df: int


def rubin(estimates: Reals, variances: Reals, df_complete: float = math.inf) -> Pooled:
    """Pool estimates and their squared standard errors.

    Parameters
    ----------
    estimates, variances : (m, K) float
        One row per imputation.
    df_complete : float
        Degrees of freedom that a t-test would have had without missing values; infinite for maximum likelihood.

    Returns
    -------
    Pooled

    Raises
    ------
    OptionError
        If there is only one imputation.

    Notes
    -----
    With ``lambda = (1 + 1/m) B / T``, ``1/df = lambda^2 / (m - 1) + 1/df_obs`` where ``df_obs = (1 - lambda) df_complete (df_complete + 1) /
    (df_complete + 3)`` (Barnard & Rubin 1999, equation 3); ``fmi = (riv + 2/(df + 3)) / (1 + riv)`` (Rubin 1987, equation 3.1.10).
    """
    m = _count(estimates)
    within, between = variances.mean(axis=0), estimates.var(axis=0, ddof=1)
    extra = (1.0 + 1.0 / m) * between
    total = within + extra
    with np.errstate(divide="ignore", invalid="ignore"):
        riv, share = extra / within, extra / total
        rate = share**2 / (m - 1)
        if math.isfinite(df_complete):
            rate = rate + (df_complete + 3.0) / ((df_complete + 1.0) * df_complete * (1.0 - share))
        df = 1.0 / rate
        fmi = (riv + 2.0 / (df + 3.0)) / (1.0 + riv)
    return Pooled(estimates.mean(axis=0), within, between, total, df, riv, fmi)


def d1(estimates: Reals, vcovs: Reals, null: Reals | None = None) -> PooledTest:
    """Test that K parameters have the values `null`, by the pooled Wald statistic.

    Parameters
    ----------
    estimates : (m, K) float
    vcovs : (m, K, K) float
        Their covariance matrices.
    null : (K,) float, optional
        Zeros by default.

    Returns
    -------
    PooledTest

    Raises
    ------
    OptionError
        If there is only one imputation.

    Notes
    -----
    Li, Raghunathan & Rubin 1991: the between-imputation covariance is taken to be proportional to the one within.
    """
    m, k = _count(estimates), estimates.shape[1]
    distance = estimates.mean(axis=0) - (0.0 if null is None else null)
    within, between = vcovs.mean(axis=0), np.atleast_2d(np.cov(estimates.T))
    riv = (1.0 + 1.0 / m) * float(np.trace(np.linalg.solve(within, between))) / k
    statistic = float(distance @ np.linalg.solve(within, distance)) / (k * (1.0 + riv))
    return PooledTest(statistic, k, _li_df(k, m, riv), riv)


def d2(own: Reals, df: int) -> PooledTest:
    """Pool m chi-square statistics, knowing nothing else.

    Parameters
    ----------
    own : (m,) float
        The statistic of every imputed data set.
    df : int
        Its degrees of freedom.

    Returns
    -------
    PooledTest
        The statistic is negative where the statistics differ much between imputations.

    Raises
    ------
    OptionError
        If there is only one imputation.
    """
    m = _count(own)
    if df == 0:
        return _no_test()
    riv = (1.0 + 1.0 / m) * float(np.sqrt(np.maximum(own, 0.0)).var(ddof=1))
    statistic = (float(own.mean()) / df - (m + 1.0) / (m - 1.0) * riv) / (1.0 + riv)
    df2 = df ** (-3.0 / m) * (m - 1.0) * (1.0 + 1.0 / riv) ** 2 if riv > 0.0 else math.inf
    return PooledTest(statistic, df, df2, riv)


def d3(own: Reals, at_pooled: float, df: int) -> PooledTest:
    """Pool m likelihood-ratio tests by evaluating the likelihoods at the pooled estimates.

    Parameters
    ----------
    own : (m,) float
        Likelihood-ratio statistic of every imputed data set, at its own estimates.
    at_pooled : float
        Mean over data sets of the statistic with the parameters of both models at their pooled estimates; it can be negative.
    df : int
        Degrees of freedom.

    Returns
    -------
    PooledTest

    Raises
    ------
    OptionError
        If there is only one imputation.

    Notes
    -----
    The relative increase in variance is ``(m + 1) / (df (m - 1)) (mean(own) - at_pooled)``, not less than 0.
    """
    m = _count(own)
    if df == 0:
        return _no_test()
    riv = max((m + 1.0) / (df * (m - 1.0)) * (float(own.mean()) - at_pooled), 0.0)
    return PooledTest(at_pooled / (df * (1.0 + riv)), df, _li_df(df, m, riv), riv)


def d4(own: Reals, stacked: float, df: int, increase: Increase | None = None) -> PooledTest:
    """Pool m likelihood-ratio tests by one more, on the imputed data sets stacked.

    Parameters
    ----------
    own : (m,) float
        Likelihood-ratio statistic of every imputed data set.
    stacked : float
        The statistic of all of them taken as one data set, divided by m.
    df : int
        Degrees of freedom.
    increase : Increase, optional
        Where another test's is to be used. By default ``(m + 1) / (df (m - 1)) (mean(own) - stacked)``, not less than 0.

    Returns
    -------
    PooledTest
        Never negative.

    Raises
    ------
    OptionError
        If there is only one imputation.

    Notes
    -----
    Chan & Meng 2022: ``stacked / (df (1 + riv))`` against F with ``h (1 + 1/riv)^2`` denominator degrees of freedom, h being those of the increase.
    """
    m = _count(own)
    if df == 0:
        return _no_test()
    if increase is None:
        increase = Increase(max((m + 1.0) / (df * (m - 1.0)) * (float(own.mean()) - stacked), 0.0), df * (m - 1))
    riv = increase.riv
    df2 = increase.df * (1.0 + 1.0 / riv) ** 2 if riv > 0.0 else math.inf
    return PooledTest(stacked / (df * (1.0 + riv)), df, df2, riv)


def _count(per_imputation: Reals) -> int:
    m = int(per_imputation.shape[0])
    if m < 2:
        raise OptionError(
            f"Pooling needs at least two imputations, not {m}: their differences measure what the missing values cost. Give m=20 or so."
        )
    return m


def _no_test() -> PooledTest:
    """Return the test of a model without degrees of freedom."""
    return PooledTest(math.nan, 0, math.nan, math.nan)


def _li_df(k: int, m: int, riv: float) -> float:
    """Return the denominator degrees of freedom of D1 and D3 (Li, Raghunathan & Rubin 1991)."""
    if riv <= 0.0:
        return math.inf
    t = k * (m - 1.0)
    if t > 4.0:
        return 4.0 + (t - 4.0) * (1.0 + (1.0 - 2.0 / t) / riv) ** 2
    return 0.5 * t * (1.0 + 1.0 / k) * (1.0 + 1.0 / riv) ** 2
