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


_CANCELLED = 1e-6  # what is left of the difference of two large numbers is not to be trusted below this share


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
    found = Traces(first - float(np.trace(folded)), second - 2.0 * float(np.sum(inverse * bent)) + float(np.sum(folded * folded.T)))
    lost = found.first < _CANCELLED * first or found.second < _CANCELLED * second
    return (_projected_traces(weights, gammas, deltas, shares, basis) or found) if lost else found


def _projected_traces(
    weights: Sequence[Reals], gammas: Sequence[Reals], deltas: Sequence[Reals], shares: Sequence[float], basis: Reals | None
) -> Traces | None:
    """Return the traces by projection, slower but without differences of large numbers; None if a weight matrix is not definite.

    With ``W = L L'`` and Q an orthonormal basis of what is orthogonal to ``L' D``, ``U = L Q Q' L'``.
    """
    try:
        factors = [np.linalg.cholesky(W) for W in weights]
    except np.linalg.LinAlgError:
        return None
    inside = [delta if basis is None else delta @ basis for delta in deltas]
    tall = np.vstack([np.sqrt(share) * (L.T @ delta) for L, delta, share in zip(factors, inside, shares, strict=True)])
    # Columns of one length: which directions they span does not depend on it, how well it can be told does.
    length = np.sqrt(np.sum(tall**2, axis=0))
    Q = np.linalg.qr(tall / np.where(length > 0.0, length, 1.0), mode="complete")[0][:, tall.shape[1] :]
    spread, start = np.zeros((Q.shape[1], Q.shape[1])), 0
    for L, gamma in zip(factors, gammas, strict=True):
        part = L @ Q[start : start + len(L)]
        spread += part.T @ gamma @ part
        start += len(L)
    return Traces(float(np.trace(spread)), float(np.sum(spread * spread.T)))


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
