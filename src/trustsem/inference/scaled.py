"""Tests of fit whose reference distribution is corrected for data that are not normal.

Satorra & Bentler 1994 (mean, and mean and variance adjusted), Asparouhov & Muthen 2010 (scaled and shifted), Yuan & Bentler 2000 with the variant of
Mplus (doi 10.1111/0081-1750.00078), and for incomplete data Savalei & Bentler 2009.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc

from trustsem.inference.fit_measures import Chisq
from trustsem.inference.information import covariance_of_estimates
from trustsem.kernels.structure import Reals

__all__ = ["ScaledTest", "Traces", "moment_traces", "scale_test"]


class Traces(NamedTuple):
    """What a scaled test needs: the mean of the statistic's distribution and, where it is used, the sum of squares of its weights.

    Attributes
    ----------
    first, second : float
        ``tr(U Gamma)`` and ``tr(U Gamma U Gamma)``; the second is NaN for the tests that do not use it.
    saturated, model : float
        Of Yuan & Bentler's test: the traces of the saturated model and of the model, whose difference is `first`. NaN for the others.
    """

    first: float
    second: float
    saturated: float = math.nan
    model: float = math.nan


@dataclass(frozen=True)
class ScaledTest:
    """A scaled test of fit.

    Attributes
    ----------
    name : str
    statistic, df : float
    scaling, shift : float
        ``statistic = chisq / scaling + shift``.
    factor : float
        Mean of the unscaled statistic over its degrees of freedom: what the robust fit measures use.
    traces : Traces
    """

    name: str
    statistic: float
    df: float
    scaling: float
    shift: float
    factor: float
    traces: Traces

    @property
    def pvalue(self) -> float:
        """Upper tail probability; NaN without degrees of freedom."""
        return float(chdtrc(self.df, max(self.statistic, 0.0))) if self.df > 0 else math.nan


def moment_traces(weights: Sequence[Reals], gammas: Sequence[Reals], deltas: Sequence[Reals], shares: Sequence[float], basis: Reals | None) -> Traces:
    """Return ``tr(U Gamma)`` and ``tr(U Gamma U Gamma)`` with ``U = W - W D (D' W D)^-1 D' W``.

    Parameters
    ----------
    weights, gammas : sequence of (r, r) float
        Weight matrix and asymptotic covariance matrix of the moments of every block.
    deltas : sequence of (r, K) float
    shares : sequence of float
    basis : (K, k) float or None
        Directions that constraints leave free.
    """
    size = deltas[0].shape[1]
    information, meat, bent = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, size))
    first = second = 0.0
    for W, gamma, delta, share in zip(weights, gammas, deltas, shares, strict=True):
        product = W @ gamma
        first += float(np.trace(product))
        second += float(np.sum(product * product.T))
        weighted = W @ delta
        spread = gamma @ weighted
        information += share * (delta.T @ weighted)
        meat += share * (weighted.T @ spread)
        bent += share * (spread.T @ W @ spread)
    inverse, _ = covariance_of_estimates(information, basis)
    if inverse is None:
        return Traces(math.nan, math.nan)
    folded = inverse @ meat
    return Traces(first - float(np.trace(folded)), second - 2.0 * float(np.sum(inverse * bent)) + float(np.sum(folded * folded.T)))


def scale_test(name: str, chisq: Chisq, traces: Traces) -> ScaledTest:
    """Scale the test `chisq`; without degrees of freedom there is nothing to scale.

    Parameters
    ----------
    name : str
        One of ``options.SCALED_TESTS``.
    chisq : Chisq
    traces : Traces
    """
    x, df = chisq
    t1, t2 = traces.first, traces.second
    if df == 0:
        return ScaledTest(name, x, 0.0, math.nan, 0.0, math.nan, traces)
    factor = t1 / df
    if name == "mean_var_adjusted":
        return ScaledTest(name, x * t1 / t2, t1 * t1 / t2, t2 / t1, 0.0, factor, traces)
    if name == "scaled_shifted":
        stretch = math.sqrt(df / t2) if t2 > 0 else math.nan
        shift = df - stretch * t1
        return ScaledTest(name, stretch * x + shift, float(df), 1.0 / stretch, shift, factor, traces)
    return ScaledTest(name, x / factor, float(df), factor, 0.0, factor, traces)
