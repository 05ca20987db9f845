"""Answers on a K-point scale as a normal variable cut at thresholds: which thresholds give published figures, and what moments the answers have."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.kernels.structure import Reals

__all__ = [
    "answer_mean_sd",
    "answer_moments",
    "equal_thresholds",
    "rounded_normal",
    "sd_bounds",
    "threshold_covariances",
    "thresholds_of",
]

# The integrand is analytic; towards correlations of 1 its width shrinks with the distance from 1.
_NODES, _MANY_NODES, _STEEP = 24, 160, 0.9


def equal_thresholds(categories: int) -> Reals:
    """Return the K - 1 inner limits of K equally wide categories from -2.5 to 2.5; the outer categories are open.

    They are the symmetric condition of Rhemtulla, Brosseau-Liard and Savalei (2012), Psychological Methods 17, 354-373.
    """
    return -2.5 + 5.0 * np.arange(1, categories) / categories


def thresholds_of(proportions: Sequence[float]) -> Reals:
    """Return the K - 1 thresholds of a standard normal variable that give K categories these probabilities (which sum to 1)."""
    cumulated = np.minimum(np.cumsum(proportions)[:-1], 1.0)
    return np.asarray(ndtri(cumulated))


def answer_mean_sd(thresholds: Reals) -> tuple[float, float]:
    """Return mean and sd of the answers 1..K that `thresholds` (K - 1,) of a standard normal variable give."""
    above = ndtr(-np.asarray(thresholds))
    at = np.arange(1, len(above) + 1)
    mean = 1.0 + float(above.sum())
    # E(X - 1)^2 is the sum of (2k - 1) P(X > k).
    return mean, math.sqrt(max(float(((2.0 * at - 1.0) * above).sum()) - (mean - 1.0) ** 2, 0.0))


def sd_bounds(mean: float, categories: int) -> tuple[float, float]:
    """Return the smallest and the largest sd of answers 1..K with this mean.

    The smallest has all answers in the two categories around the mean, the largest has all in the two outer ones.
    """
    part = mean - math.floor(mean)
    return math.sqrt(part * (1.0 - part)), math.sqrt((mean - 1.0) * (categories - mean))


def rounded_normal(mean: Reals, sd: Reals, categories: Reals) -> tuple[Reals, Reals]:
    """Return mu and sigma of normal variables which, rounded to whole numbers and censored to 1..K, have a given mean and sd.

    Parameters
    ----------
    mean, sd : (p,) float
        With 1 < mean < K and an sd strictly between `sd_bounds`: then there is a solution. At a fixed sigma the mean grows with mu from 1 to K, and
        along the mu that keep the mean the sd goes from its lower bound (sigma to 0) to its upper one (sigma to infinity).
    categories : (p,) int
        K of each item, at least 3.

    Returns
    -------
    mu, sigma : (p,) float
        In points of the scale. Nested bisection for all items at once, then Newton's method for the last digits.
    """
    mean, sd = np.asarray(mean, float), np.asarray(sd, float)
    if not len(mean):
        return mean, sd
    k = np.arange(1, int(np.max(categories)))[:, None]
    used = k < np.asarray(categories)
    cuts = k + 0.5

    def moments(a: Reals, sigma: Reals) -> tuple[Reals, Reals]:
        # mu is written as a * sigma + middle, so that a stays small where sigma is huge.
        above = np.where(used, ndtr(a + (middle - cuts) / sigma), 0.0)
        first = above.sum(axis=0)
        return 1.0 + first, ((2 * k - 1) * above).sum(axis=0) - first**2

    middle = (1.0 + np.asarray(categories)) / 2.0
    target = sd**2
    low, high = np.full(len(mean), -14.0), np.full(len(mean), 14.0)
    for _ in range(50):
        half = (low + high) / 2.0
        spread = np.exp(half)
        reach = 40.0 + np.asarray(categories) / spread
        left, right = -reach, reach
        for _ in range(60):
            a = (left + right) / 2.0
            small = moments(a, spread)[0] < mean
            left, right = np.where(small, a, left), np.where(small, right, a)
        narrow = moments((left + right) / 2.0, spread)[1] < target
        low, high = np.where(narrow, half, low), np.where(narrow, high, half)
    a, spread = (left + right) / 2.0, np.exp((low + high) / 2.0)
    return _polished(a * spread + middle, spread, (mean, target), np.where(used, cuts, np.inf))


def _polished(mu: Reals, sigma: Reals, target: tuple[Reals, Reals], cuts: Reals) -> tuple[Reals, Reals]:
    """Return (mu, sigma) after Newton steps towards mean and variance; `cuts` (K - 1, p) is infinite where an item has fewer categories."""
    weight = 2.0 * np.arange(1, len(cuts) + 1)[:, None] - 1.0
    for _ in range(4):
        z = (mu - cuts) / sigma
        above, density = ndtr(z), np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
        slope = np.where(np.isfinite(z), density * np.where(np.isfinite(z), z, 0.0), 0.0)
        first = above.sum(axis=0)
        f, g = 1.0 + first - target[0], (weight * above).sum(axis=0) - first**2 - target[1]
        f_mu, f_sigma = density.sum(axis=0) / sigma, -slope.sum(axis=0) / sigma
        g_mu = (weight * density).sum(axis=0) / sigma - 2.0 * first * f_mu
        g_sigma = -(weight * slope).sum(axis=0) / sigma - 2.0 * first * f_sigma
        det = f_mu * g_sigma - f_sigma * g_mu
        usable = np.abs(det) > 1e-200
        det = np.where(usable, det, 1.0)
        mu = mu - np.where(usable, (g_sigma * f - f_sigma * g) / det, 0.0)
        sigma = sigma - np.where(usable, (f_mu * g - g_mu * f) / det, 0.0)
    return mu, sigma


def threshold_covariances(thresholds: Reals, corr: Reals) -> Reals:
    """Return the covariances (T, T) of the indicators z_s > thresholds_s of standard normal variables with correlations `corr` (T, T).

    P(z_s > h, z_t > k) - P(z_s > h) P(z_t > k) is the integral of the bivariate normal density at (h, k) over the correlation from 0 to rho (Plackett
    1954, Biometrika 41, 351-360). With the correlation written as a sine it becomes (Drezner and Wesolowsky 1990, Journal of Statistical Computation
    and Simulation 35, 101-107) the integral of exp(-(h^2 + k^2 - 2 h k sin t) / (2 cos^2 t)) / (2 pi) over t from 0 to arcsin(rho), which
    Gauss-Legendre quadrature gives to 14 decimals for correlations up to .999.

    Parameters
    ----------
    thresholds : (T,) float
        Finite.
    corr : (T, T) float
        Of absolute value below 1; what stands for two thresholds of one variable is of no meaning in the result.
    """
    rho = np.clip(corr, -1.0 + 1e-12, 1.0 - 1e-12)
    angle = np.arcsin(rho)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES if np.max(np.abs(rho), initial=0.0) <= _STEEP else _MANY_NODES)
    squares = thresholds[:, None] ** 2 + thresholds**2
    products = 2.0 * np.outer(thresholds, thresholds)
    total = np.zeros_like(rho)
    for node, weight in zip(nodes, weights, strict=True):
        sine = np.sin(0.5 * angle * (1.0 + node))
        total += weight * np.exp(-0.5 * (squares - products * sine) / (1.0 - sine**2))
    return total * angle / (4.0 * math.pi)


def answer_moments(mean: Reals, cov: Reals, thresholds: Sequence[Reals | None]) -> tuple[Reals, Reals]:
    """Return means (p,) and covariances (p, p) of normal variables of which some are cut into answers.

    Parameters
    ----------
    mean : (p,) float
    cov : (p, p) float
    thresholds : sequence of array or None
        Per variable its K - 1 thresholds in standard normal units; None leaves the variable as it is.

    Notes
    -----
    An answer is 1 plus the number of thresholds passed. The covariance of z_t with the indicator of z_s > h is rho times the density at h.
    """
    p = len(mean)
    finite = [np.empty(0) if own is None else np.asarray(own)[np.isfinite(own)] for own in thresholds]
    owner = np.repeat(np.arange(p), [len(own) for own in finite])
    flat = np.concatenate(finite)
    sds = np.sqrt(np.diag(cov))
    corr = cov / np.outer(sds, sds)
    cut = np.array([own is not None for own in thresholds])
    belongs = (owner[:, None] == np.arange(p)).astype(float)
    between = corr[np.ix_(owner, owner)]
    # Variances are filled in below; correlations of 1 would only ask for more nodes.
    between[owner[:, None] == owner] = 0.0
    both = belongs.T @ threshold_covariances(flat, between) @ belongs
    density = belongs.T @ (np.exp(-0.5 * flat**2) / math.sqrt(2.0 * math.pi))
    slope = np.where(cut, density, sds)
    result = np.where(np.outer(cut, cut), both, corr * np.outer(slope, slope))
    means = np.array(mean, float)
    for at, own in enumerate(thresholds):
        if own is not None:
            means[at], sd = answer_mean_sd(own)
            result[at, at] = sd**2
    return means, result
