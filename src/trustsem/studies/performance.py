"""Performance measures with their Monte Carlo standard errors: formulas on arrays, one function and one row for each.

Formulas: Morris, White & Crowther (2019), Using simulation studies to evaluate statistical methods, Statistics in Medicine 38:2074-2102,
doi 10.1002/sim.8086, table 6. Type S and type M errors: Gelman & Carlin (2014), doi 10.1177/1745691614551642.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from trustsem.kernels.structure import Reals

__all__ = ["MEASURES", "RATES", "Measured", "Replications"]


class Measured(NamedTuple):
    """A performance measure.

    Attributes
    ----------
    value : float
    mc_error : float
        Monte Carlo standard error.
    n_used : int
        Replications that it is made of.
    """

    value: float
    mc_error: float
    n_used: int


NOTHING = Measured(math.nan, math.nan, 0)


@dataclass(frozen=True, eq=False)
class Replications:
    """The usable replications of one parameter.

    Attributes
    ----------
    est, se : (R,) float
        Estimates and their standard errors.
    truth : float
        NaN if the parameter has no true value.
    level : float
        Confidence level of intervals; tests are at 1 - level.
    """

    est: Reals
    se: Reals
    truth: float
    level: float

    @property
    def known(self) -> bool:
        """Whether there is a true value to compare with."""
        return math.isfinite(self.truth)

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.est)

    @property
    def quantile(self) -> float:
        """Half the width of an interval in standard errors."""
        return float(ndtri(0.5 + 0.5 * self.level))

    @property
    def tested(self) -> np.ndarray:
        """Which replications (R,) have a standard error that is not zero, so that there is a test and an interval."""
        return np.asarray(np.isfinite(self.se) & (self.se > 0))

    @property
    def rejects(self) -> np.ndarray:
        """Whether each replication with a test rejects the hypothesis that the parameter is 0."""
        with np.errstate(all="ignore"):
            return np.asarray((np.abs(self.est / self.se) > self.quantile)[self.tested])

    def covers(self, point: float) -> np.ndarray:
        """Whether the interval of each replication with one holds `point`."""
        return np.asarray((np.abs(self.est - point) <= self.quantile * self.se)[self.tested])


def rate(hits: np.ndarray) -> Measured:
    """Return a proportion with its binomial standard error."""
    n = len(hits)
    if n == 0:
        return NOTHING
    p = float(np.mean(hits))
    return Measured(p, math.sqrt(p * (1.0 - p) / n), n)


def mean(values: Reals) -> Measured:
    """Return a mean with its standard error."""
    n = len(values)
    if n == 0:
        return NOTHING
    return Measured(float(values.mean()), float(values.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan, n)


def bias(r: Replications) -> Measured:
    """Return the mean of the estimates less the true value."""
    return mean(r.est - r.truth)


def relative_bias(r: Replications) -> Measured:
    """Return the bias divided by the true value."""
    return mean(r.est / r.truth - 1.0) if r.truth != 0 else NOTHING


def empirical_se(r: Replications) -> Measured:
    """Return the standard deviation of the estimates."""
    if r.n < 2:
        return NOTHING
    sd = float(r.est.std(ddof=1))
    return Measured(sd, sd / math.sqrt(2.0 * (r.n - 1)), r.n)


def model_se(r: Replications) -> Measured:
    """Return the root of the mean of the squared standard errors."""
    squares = r.se[r.tested] ** 2
    n = len(squares)
    if n < 2:
        return NOTHING
    value = math.sqrt(squares.mean())
    return Measured(value, math.sqrt(squares.var(ddof=1) / (4.0 * n * value**2)), n)


def se_ratio(r: Replications) -> Measured:
    """Return the model standard error divided by the empirical one."""
    model, empirical = model_se(r), empirical_se(r)
    if not model.n_used or not empirical.value > 0:
        return NOTHING
    ratio = model.value / empirical.value
    relative = (model.mc_error / model.value) ** 2 + 1.0 / (2.0 * (r.n - 1))
    return Measured(ratio, ratio * math.sqrt(relative), model.n_used)


def rmse(r: Replications) -> Measured:
    """Return the root of the mean squared error."""
    squares = (r.est - r.truth) ** 2
    if r.n < 2 or not squares.mean() > 0:
        return NOTHING
    value = math.sqrt(squares.mean())
    return Measured(value, float(squares.std(ddof=1)) / math.sqrt(r.n) / (2.0 * value), r.n)  # that of the mean squared error, by the delta method


def coverage(r: Replications) -> Measured:
    """Return how often intervals hold the true value."""
    return rate(r.covers(r.truth)) if r.known else NOTHING


def bias_eliminated_coverage(r: Replications) -> Measured:
    """Return how often intervals hold the mean of the estimates."""
    return rate(r.covers(float(r.est.mean()))) if r.n else NOTHING


def power(r: Replications) -> Measured:
    """Return how often zero is rejected, where the true value is not zero."""
    return rate(r.rejects) if r.known and r.truth != 0 else NOTHING


def type_1_error(r: Replications) -> Measured:
    """Return how often zero is rejected, where the true value is zero."""
    return rate(r.rejects) if r.truth == 0 else NOTHING


def ci_width(r: Replications) -> Measured:
    """Return the mean width of the intervals."""
    return mean(2.0 * r.quantile * r.se[r.tested])


def type_s_error(r: Replications) -> Measured:
    """Return how often the sign is wrong among the estimates that are significant."""
    found = r.est[r.tested][r.rejects]
    return rate(np.sign(found) != np.sign(r.truth)) if r.known and r.truth != 0 else NOTHING


def type_m_error(r: Replications) -> Measured:
    """Return by which factor the estimates that are significant exaggerate, on average."""
    found = r.est[r.tested][r.rejects]
    return mean(np.abs(found / r.truth)) if r.known and r.truth != 0 else NOTHING


# A new measure is a new function and a new row here.
MEASURES: Mapping[str, Callable[[Replications], Measured]] = MappingProxyType(
    {
        "bias": bias,
        "relative_bias": relative_bias,
        "empirical_se": empirical_se,
        "model_se": model_se,
        "se_ratio": se_ratio,
        "rmse": rmse,
        "coverage": coverage,
        "bias_eliminated_coverage": bias_eliminated_coverage,
        "power": power,
        "type_1_error": type_1_error,
        "ci_width": ci_width,
        "type_s_error": type_s_error,
        "type_m_error": type_m_error,
    }
)
# Rates over all replications, of which the unusable ones could have gone either way: they have bounds for the worst case.
RATES = ("coverage", "power", "type_1_error")
