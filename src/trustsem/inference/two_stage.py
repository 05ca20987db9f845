"""Two-stage least squares from covariances, equation by equation, with the derivatives that give robust errors and joint tests.

With v the instruments, z the explanatory variables and y the outcome of an equation, ``b = (C V^-1 C')^-1 C V^-1 c``, where V are the covariances of
the instruments, C those of z with v and c those of v with y.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from trustsem.inference.moment_errors import SampledMoments, pair_places
from trustsem.kernels.structure import Integers, Reals

__all__ = ["TwoStage", "two_stage"]

_SINGULAR = 1e-10


@dataclass(frozen=True, eq=False)
class TwoStage:
    """One equation estimated by two-stage least squares.

    Attributes
    ----------
    coefficients : (k,) float
    slopes : (k, q) float
        Their derivatives with respect to the moments, the instruments being uncorrelated with the error.
    vcov : (k, k) float
    variance : float
        Of the residual, divisor n - k - 1.
    statistic, df, pvalue : float, int, float
        Test of the surplus instruments; NaN without any.
    strength : float
        Smallest F of the first stage that a combination of the causes has; NaN where every cause is its own instrument.
    """

    coefficients: Reals
    slopes: Reals
    vcov: Reals
    variance: float
    statistic: float
    df: int
    pvalue: float
    strength: float


def two_stage(data: SampledMoments, outcome: int, regressors: Integers, instruments: Integers, offsets: Sequence[tuple[int, float]] = ()) -> TwoStage:
    """Estimate one equation.

    Parameters
    ----------
    data : SampledMoments
    outcome : int
    regressors : (k,) int
    instruments : (l,) int
        At least as many; a regressor may be among them.
    offsets : sequence of (int, float)
        Variables whose coefficients are known.

    Notes
    -----
    The classical covariance matrix is ``s2 (C V^-1 C')^-1 / n`` with divisor n - k - 1 in s2 (k coefficients and an intercept). It is what
    ``D G D' / n``
    with the normal-theory G of the moments gives, times n / (n - k - 1); the robust one has another G. The test of surplus instruments is that of
    Sargan
    (1958, doi 10.2307/1907619), ``(n - k - 1) g'V^-1 g / s2`` with g the covariances of instruments and residual and s2 with divisor n. Where errors
    are robust, it is divided by its mean under valid instruments over its degrees of freedom, as Satorra & Bentler (1994) do. The strength of
    the instruments is
    the statistic of Cragg & Donald (1993, doi 10.1017/S0266466600007519).
    """
    S, n, k, surplus = data.cov, data.n, regressors.size, instruments.size - regressors.size
    weights = np.zeros(len(S))  # the residual is this combination of the observed variables
    weights[outcome] = 1.0
    for place, value in offsets:
        weights[place] -= value
    V, C = S[np.ix_(instruments, instruments)], S[np.ix_(regressors, instruments)]
    projector = np.linalg.solve(V, C.T).T
    solver = np.linalg.solve(projector @ C.T, projector)
    b = solver @ (S[instruments] @ weights)
    np.subtract.at(weights, regressors, b)
    slopes = _covariance_slopes(solver, weights, instruments)
    free = n - k - 1.0
    variance = float(weights @ S @ weights)
    vcov = data.spread(slopes) * (n / free)
    g = S[instruments] @ weights
    statistic = pvalue = math.nan
    if surplus > 0:
        statistic = free * float(g @ np.linalg.solve(V, g)) / variance
        if data.robust:
            statistic /= _mean_over_df(data, weights, instruments, np.eye(instruments.size) - C.T @ solver, V, variance, surplus)
        pvalue = float(chdtrc(surplus, statistic))
    return TwoStage(b, slopes, vcov, variance * n / free, statistic, surplus, pvalue, _strength(S, n, regressors, instruments))


def _covariance_slopes(left: Reals, weights: Reals, instruments: Integers) -> Reals:
    """Return the derivatives (r, q) of ``left`` (r, l) times the covariances of the instruments with the combination `weights` (p,)."""
    p = weights.size
    places, result = pair_places(p), np.zeros((len(left), p + p * (p + 1) // 2))
    for column, z in enumerate(instruments.tolist()):
        result[:, places[z]] += np.outer(left[:, column], weights)
    return result


def _mean_over_df(data: SampledMoments, weights: Reals, instruments: Integers, rest: Reals, V: Reals, variance: float, df: int) -> float:
    """Return the mean of the test under valid instruments, over its degrees of freedom."""
    spread = data.spread(_covariance_slopes(rest, weights, instruments)) * data.n
    return float(np.trace(np.linalg.solve(V, spread))) / (variance * df)


def _strength(S: Reals, n: int, regressors: Integers, instruments: Integers) -> float:
    """Return the statistic of Cragg & Donald; what is its own instrument is partialled out first."""
    own = np.intersect1d(regressors, instruments)
    endogenous, excluded = np.setdiff1d(regressors, own), np.setdiff1d(instruments, own)
    if endogenous.size == 0 or excluded.size == 0:
        return math.nan
    if own.size:
        S = S - S[:, own] @ np.linalg.solve(S[np.ix_(own, own)], S[own])
    X, C = S[np.ix_(endogenous, endogenous)], S[np.ix_(endogenous, excluded)]
    explained = C @ np.linalg.solve(S[np.ix_(excluded, excluded)], C.T)
    left = X - explained
    shares = np.linalg.eigvals(np.linalg.solve(left, explained)).real if np.linalg.cond(left) < 1.0 / _SINGULAR else np.array([math.inf])
    return float(shares.min()) * (n - own.size - excluded.size - 1.0) / excluded.size
