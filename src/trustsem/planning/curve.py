"""A curve fitted to what batches of replications gave: probit of a rate, or logarithm of a mean, against the transformed level.

In large samples the probit of the power of a Wald test is linear in the square root of the number of rows, and the logarithm of the width of an
interval is linear in its logarithm, with slope -1/2; over the neighbourhood of the answer both are nearly so in general.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, log_ndtr, ndtr, ndtri

from trustsem.kernels.structure import Reals

__all__ = ["Curve", "Prior", "Tally", "fit_curve", "fit_probit"]

_SCALES = ("sqrt", "log", "plain")


@dataclass(frozen=True)
class Tally:
    """What some replications at one level gave.

    Attributes
    ----------
    level : float
    replications, successes, converged, admissible : int
    mean, variance : float
        Of what is averaged over replications; the variance is that of the mean. NaN where rates are all that counts.
    """

    level: float
    replications: int
    successes: int
    converged: int
    admissible: int
    mean: float = math.nan
    variance: float = math.nan


@dataclass(frozen=True)
class Prior:
    """What is thought of a curve before there are data: independent normal distributions of its two coefficients.

    It is weak: it keeps the curve finite where successes and failures are separated, and gives way to some hundred replications.
    """

    centre: float
    intercept: float
    slope: float
    intercept_sd: float
    slope_sd: float


@dataclass(frozen=True)
class Curve:
    """A fitted curve.

    Attributes
    ----------
    scale : {"sqrt", "log", "plain"}
        How levels are transformed.
    link : {"probit", "log"}
    centre : float
        Transformed level where the intercept is taken.
    coefficients : tuple of float
        Intercept and slope.
    covariance : tuple of tuple of float
        Of the coefficients; enlarged where levels scatter around the curve more than chance allows.
    scatter : float
        Pearson's chi-square over its degrees of freedom where it is significant; otherwise 1.
    """

    scale: str
    link: str
    centre: float
    coefficients: tuple[float, float]
    covariance: tuple[tuple[float, float], tuple[float, float]]
    scatter: float = 1.0

    def linked(self, value: float) -> float:
        """Return a rate or mean as it is on the curve's own scale."""
        return float(ndtri(value)) if self.link == "probit" else math.log(value)

    def line(self, levels: Reals | float) -> tuple[Reals, Reals]:
        """Return the linear predictor at `levels`, and its standard errors."""
        x = np.column_stack([np.ones(np.size(levels)), forward(np.atleast_1d(levels), self.scale) - self.centre])
        return x @ np.array(self.coefficients), np.sqrt(np.einsum("ij,jk,ik->i", x, np.array(self.covariance), x))

    def unlinked(self, line: Reals) -> Reals:
        """Undo :meth:`linked`."""
        return np.asarray(ndtr(line) if self.link == "probit" else np.exp(line))

    def value(self, level: float) -> tuple[float, float]:
        """Return the curve at a level, and its standard error (that of a mean: relative)."""
        line, error = self.line(level)
        slope = math.exp(-(float(line[0]) ** 2) / 2.0) / math.sqrt(2.0 * math.pi) if self.link == "probit" else 1.0
        return float(self.unlinked(line)[0]), slope * float(error[0])

    def crossing(self, value: float, shift: float = 0.0) -> float:
        """Return the transformed level where the curve is at `value` (linked, and shifted)."""
        intercept, slope = self.coefficients
        return self.centre + (self.linked(value) + shift - intercept) / slope if slope != 0.0 else math.nan

    def level(self, transformed: float) -> float:
        """Return a transformed level as a level; infinite where there is none."""
        if self.scale == "plain" or math.isnan(transformed):
            return transformed
        return transformed * abs(transformed) if self.scale == "sqrt" else math.exp(min(transformed, 700.0))

    def interval(self, value: float, z: float) -> tuple[float, float]:
        """Return the levels between which the crossing lies: delta method on the transformed scale."""
        at = self.crossing(value)
        _, error = self.line(self.level(at))
        half = z * float(error[0]) / abs(self.coefficients[1])
        return self.level(at - half), self.level(at + half)


def forward(levels: Reals, scale: str) -> Reals:
    """Return levels as they are transformed for a curve."""
    return np.asarray(np.sqrt(np.maximum(levels, 0.0)) if scale == "sqrt" else np.log(levels) if scale == "log" else levels, dtype=np.float64)


def fit_curve(tallies: Sequence[Tally], scale: str, link: str, prior: Prior) -> Curve:
    """Return the curve through batches of replications.

    Parameters
    ----------
    tallies : sequence of Tally
    scale : {"sqrt", "log", "plain"}
    link : {"probit", "log"}
    prior : Prior
    """
    x = forward(np.array([one.level for one in tallies]), scale) - prior.centre
    design = np.column_stack([np.ones(x.size), x])
    mean, precision = np.array([prior.intercept, prior.slope]), np.diag([prior.intercept_sd**-2.0, prior.slope_sd**-2.0])
    if link == "probit":
        trials = np.array([one.replications for one in tallies], dtype=np.float64)
        hits = np.array([one.successes for one in tallies], dtype=np.float64)
        beta, covariance = fit_probit(design, hits, trials, mean, precision)
        rate = np.clip(ndtr(design @ beta), 1e-6, 1.0 - 1e-6)
        chi = float(np.sum((hits - trials * rate) ** 2 / (trials * rate * (1.0 - rate))))
    else:
        usable = np.array([one.mean > 0.0 and one.variance > 0.0 for one in tallies])
        design = design[usable]
        heights = np.array([one.mean for one in tallies])[usable]
        weights = heights**2 / np.array([one.variance for one in tallies])[usable]  # the variance of a logarithm, by the delta method
        covariance = np.linalg.inv(design.T @ (design * weights[:, None]) + precision)
        beta = covariance @ (design.T @ (weights * np.log(heights)) + precision @ mean)
        chi = float(np.sum(weights * (np.log(heights) - design @ beta) ** 2))
    spare = len(design) - 2
    # Enlarged only where chance hardly explains it: otherwise the errors of a straight curve would be enlarged half of the time.
    scatter = chi / spare if spare >= 2 and float(chdtrc(spare, chi)) < 0.05 else 1.0
    (a, b), (c, d) = (scatter * covariance).tolist()
    return Curve(scale, link, prior.centre, (float(beta[0]), float(beta[1])), ((a, b), (c, d)), scatter)


def fit_probit(design: Reals, hits: Reals, trials: Reals, mean: Reals, precision: Reals) -> tuple[Reals, Reals]:
    """Return the probit regression of rates, with a normal prior of its coefficients: most probable values and inverse information.

    Parameters
    ----------
    design : (L, K) float
    hits, trials : (L,) float
    mean : (K,) float
    precision : (K, K) float
        Of the prior. Positive definite, so that there is always one finite maximum, also where rates are all 0 or 1.
    """

    def height(beta: Reals) -> float:
        eta, off = design @ beta, beta - mean
        return float(hits @ log_ndtr(eta) + (trials - hits) @ log_ndtr(-eta) - 0.5 * off @ precision @ off)

    beta = np.zeros(len(mean))  # where rates tell most, so that the first step is a sensible one
    for _ in range(100):
        eta = design @ beta
        log_density = -0.5 * eta**2 - 0.5 * math.log(2.0 * math.pi)
        up, down = np.exp(log_density - log_ndtr(eta)), np.exp(log_density - log_ndtr(-eta))
        information = design.T @ (design * (trials * up * down)[:, None]) + precision  # phi^2 / (p (1 - p)), without overflow
        step = np.linalg.solve(information, design.T @ (hits * up - (trials - hits) * down) - precision @ (beta - mean))
        now, factor = height(beta), 1.0
        while not height(beta + factor * step) >= now and factor > 1e-6:
            factor *= 0.5
        beta = beta + factor * step
        if float(np.max(np.abs(factor * step))) < 1e-10:
            break
    return beta, np.linalg.inv(information)
