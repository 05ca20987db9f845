"""Chi-square difference tests of nested models, plain and for data that are not normal: formulas on arrays.

Index 0 is the restricted model, 1 the general one. Sources: Steiger, Shapiro & Browne 1985 (plain), Satorra 2000 (doi 10.1007/978-1-4615-4603-0_17),
Satorra & Bentler 2001 (doi 10.1007/BF02296192) and 2010 (doi 10.1007/s11336-009-9135-y), Asparouhov & Muthen 2010 (scaled and shifted).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from trustsem.inference.fit_measures import Chisq
from trustsem.inference.scaled import Traces
from trustsem.kernels.structure import Reals

__all__ = [
    "DIFFERENCE_METHODS",
    "DifferenceTest",
    "difference_rmsea",
    "mean_adjusted",
    "mean_var_adjusted",
    "plain_difference",
    "restriction_traces",
    "restrictions_between",
    "satorra_bentler",
    "scaled_difference",
    "scaled_shifted",
]

DIFFERENCE_METHODS = ("standard", "satorra_bentler_2001", "satorra_bentler_2010", "satorra_2000")


class DifferenceTest(NamedTuple):
    """A difference test: the plain difference divided by `scaling`, plus `shift`, against a chi-square distribution.

    Attributes
    ----------
    statistic : float
        NaN where the scaling is not positive: then the statistic does not exist.
    df : float
        Not a whole number where mean and variance are adjusted.
    scaling, shift : float
    """

    statistic: float
    df: float
    scaling: float = 1.0
    shift: float = 0.0

    @property
    def pvalue(self) -> float:
        """Upper tail probability; NaN without a statistic."""
        if math.isnan(self.statistic) or not self.df > 0:
            return math.nan
        return float(chdtrc(self.df, max(self.statistic, 0.0)))


def plain_difference(restricted: Chisq, general: Chisq) -> DifferenceTest:
    """Return the difference of two statistics (Steiger, Shapiro & Browne 1985), which assumes normality."""
    return DifferenceTest(restricted.statistic - general.statistic, restricted.df - general.df)


def satorra_bentler(restricted: Chisq, restricted_factor: float, general: Chisq, general_factor: float) -> DifferenceTest:
    """Return the scaled difference from two scaling factors.

    Parameters
    ----------
    restricted, general : Chisq
        Statistics without scaling.
    restricted_factor : float
        Scaling factor of the restricted model.
    general_factor : float
        Scaling factor of the general model: at its own estimates (Satorra & Bentler 2001; the test's scaling may then be negative and the statistic
        NaN), or at those of the restricted model (2010; positive where both come from the same weights).
    """
    plain = plain_difference(restricted, general)
    spread = restricted.df * restricted_factor - (general.df * general_factor if general.df > 0 else 0.0)
    return scaled_difference(plain, spread)


def scaled_difference(plain: DifferenceTest, mean: float) -> DifferenceTest:
    """Return the difference scaled so that its `mean` under the restricted model becomes its degrees of freedom; NaN if that is not positive."""
    scaling = mean / plain.df
    return DifferenceTest(plain.statistic / scaling if scaling > 0.0 else math.nan, plain.df, scaling)


def restrictions_between(restricted: Reals, general: Reals) -> Reals:
    """Return the restrictions (m, k1) on the parameters of the general model that make it the restricted one.

    Parameters
    ----------
    restricted : (r, k0) float
        Derivatives of the stacked moments with respect to the parameters of the restricted model, within its constraints.
    general : (r, k1) float
        The same of the general model, k1 > k0.

    Notes
    -----
    Near the restricted model the general one's parameters move along ``H`` with ``restricted = general H``; the rows returned are an orthonormal
    basis of what is orthogonal to H (the delta method of Satorra 2000).
    """
    along = np.linalg.lstsq(general, restricted, rcond=None)[0]
    left, _, _ = np.linalg.svd(along)
    return np.ascontiguousarray(left[:, restricted.shape[1] :].T)


def restriction_traces(restrictions: Reals, inverse: Reals, meat: Reals) -> Traces:
    """Return ``tr(U Gamma)`` and ``tr(U Gamma U Gamma)`` of Satorra's (2000) test of m restrictions.

    Parameters
    ----------
    restrictions : (m, k) float
        A, derivatives of the restrictions with respect to the parameters of the general model.
    inverse : (k, k) float
        P, inverse information of one observation.
    meat : (k, k) float
        M, the information's counterpart without normality: ``D' W Gamma W D``, or the mean outer product of the casewise scores.

    Notes
    -----
    With ``U = W D P A' (A P A')^-1 A P D' W`` the traces are those of ``X = (A P A')^-1 A P M P A'`` and of ``X X``: the mean, and half the
    variance, of the statistic's asymptotic distribution.
    """
    reach = restrictions @ inverse
    X = np.linalg.solve(reach @ restrictions.T, reach @ meat @ reach.T)
    return Traces(float(np.trace(X)), float(np.sum(X * X.T)))


def scaled_shifted(plain: DifferenceTest, traces: Traces) -> DifferenceTest:
    """Return the difference stretched and shifted to the mean and variance of a chi-square with the difference's degrees of freedom."""
    stretch = math.sqrt(plain.df / traces.second)
    shift = plain.df - stretch * traces.first
    return DifferenceTest(stretch * plain.statistic + shift, plain.df, 1.0 / stretch, shift)


def mean_adjusted(plain: DifferenceTest, traces: Traces) -> DifferenceTest:
    """Return the difference scaled to the mean of a chi-square with the difference's degrees of freedom."""
    return scaled_difference(plain, traces.first)


def mean_var_adjusted(plain: DifferenceTest, traces: Traces) -> DifferenceTest:
    """Return the difference with scaling and degrees of freedom that give the mean and the variance that it has."""
    scaling = traces.second / traces.first
    return DifferenceTest(plain.statistic / scaling, traces.first**2 / traces.second, scaling)


def difference_rmsea(test: DifferenceTest, n: float, n_groups: int) -> float:
    """Return the RMSEA of a plain difference (Browne & Du Toit 1992; Savalei, Brace & Fouladi 2023, doi 10.1037/met0000537)."""
    return math.sqrt(max(0.0, (test.statistic - test.df) / (test.df * n)) * n_groups)
