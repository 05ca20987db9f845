"""What several models of the same data share: weights of information criteria, tests at a boundary, sums over units with their errors."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import chdtrc

from trustsem.kernels.structure import Integers, Reals

__all__ = ["anova_iccs", "boundary_pvalue", "class_weights", "proportion_error", "summed"]


def class_weights(values: Reals, classes: Integers) -> Reals:
    """Return the weights of models by an information criterion, one weight for each class of models that imply the same.

    Parameters
    ----------
    values : (k,) float
        AIC or BIC of each model; NaN for those without one.
    classes : (k,) int
        Models of the same number imply the same moments. They share one weight, because data cannot prefer one of them.

    Returns
    -------
    (k,) float
        ``exp(-(value - best) / 2)``, divided by its sum over the classes: each model shows the weight of its class. NaN stays NaN.

    Notes
    -----
    Weights of BIC approximate probabilities of the models, given that one of the classes is true and that all are as likely beforehand (Raftery 1995,
    doi 10.2307/271063); weights of AIC are those of Burnham & Anderson (2004, doi 10.1177/0049124104268644).
    """
    result = np.full(values.shape, np.nan)
    known = np.isfinite(values)
    if not known.any():
        return result
    raw = np.exp(-0.5 * (values[known] - values[known].min()))
    # One member stands for its class: the first, as members differ by rounding only.
    _, first, place = np.unique(classes[known], return_index=True, return_inverse=True)
    result[known] = (raw[first] / raw[first].sum())[place]
    return result


def boundary_pvalue(statistic: float, df: float) -> float:
    """Return the p-value of a difference test of `df` parameters one of which is a variance, 0 at the edge of what it can be.

    The distribution is the even mixture of chi-squares with ``df - 1`` and ``df`` degrees of freedom (Self & Liang 1987, doi
    10.1080/01621459.1987.10478472; for structural equation models Stoel, Garre, Dolan & van den Wittenboer 2006, doi 10.1037/1082-989X.11.4.439).
    `statistic` is that of the model in which the variance is not negative: 0 where its estimate would be.
    """
    if math.isnan(statistic):
        return math.nan
    if statistic <= 0.0:
        return 1.0
    lower = float(chdtrc(df - 1.0, statistic)) if df > 1.0 else 0.0
    return 0.5 * lower + 0.5 * float(chdtrc(df, statistic))


def summed(units: Reals) -> tuple[float, float]:
    """Return the sum over independent units (u,) and its standard error, ``sqrt(u)`` times their standard deviation (divisor u - 1)."""
    if units.size < 2:
        return float(units.sum()), math.nan
    return float(units.sum()), math.sqrt(units.size) * float(np.std(units, ddof=1))


def proportion_error(share: float, count: int) -> float:
    """Return the Monte Carlo standard error of a `share` of `count` draws, by Agresti & Coull's shrunken share, so that it is not 0 at 0 or 1."""
    if count == 0:
        return math.nan
    shrunken = (share * count + 1.0) / (count + 2.0)
    return math.sqrt(shrunken * (1.0 - shrunken) / count)


def anova_iccs(rows: Reals, clusters: Integers) -> Reals:
    """Return the intraclass correlation (p,) of each column from its analysis of variance over clusters; 0 where it would be negative.

    Parameters
    ----------
    rows : (n, p) float
        NaN where missing; what was observed counts.
    clusters : (n,) int
        Counted from 0.

    Notes
    -----
    ``(B - W) / (B + (m - 1) W)`` with mean squares between and within clusters and ``m = (n - sum of squared sizes / n) / (clusters - 1)``
    (Donner 1986, Int Stat Rev 54:67-82).
    """
    seen = ~np.isnan(rows)
    values = np.where(seen, rows, 0.0)
    teams = np.zeros((int(clusters.max()) + 1, len(clusters)))
    teams[clusters, np.arange(len(clusters))] = 1.0
    sizes, sums = teams @ seen, teams @ values
    n, filled = sizes.sum(axis=0), (sizes > 0.0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(sizes > 0.0, sums / sizes, 0.0)
        between = (sizes * (means - values.sum(axis=0) / n) ** 2).sum(axis=0) / (filled - 1.0)
        within = (np.where(seen, rows - means[clusters], 0.0) ** 2).sum(axis=0) / (n - filled)
        size = (n - (sizes**2).sum(axis=0) / n) / (filled - 1.0)
        found = (between - within) / (between + (size - 1.0) * within)
    return np.where(np.isfinite(found), np.clip(found, 0.0, 1.0), 0.0)
