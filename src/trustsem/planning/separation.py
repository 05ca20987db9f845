"""How well a fit measure tells two distributions apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals

__all__ = ["Cutoff", "compared", "quantile_error"]

_RISING = ("cfi", "tli", "nnfi", "nfi", "rfi", "ifi", "rni", "gfi", "agfi", "mfi", "pvalue")  # more is better


@dataclass(frozen=True)
class Cutoff:
    """What one fit measure can tell of one misfit.

    Attributes
    ----------
    misfit, measure : str
    cutoff : float
        The misfit is detected where the measure is worse than this; NaN if no value meets both demands.
    mc_error : float
        Its Monte Carlo standard error.
    detected, rejected : float
        Shares of misspecified and of true models on the wrong side of the cut-off; where there is none, of `limit`.
    limit : float
        The strictest value at which at most the share allowed of true models is rejected.
    limit_error : float
        Its Monte Carlo standard error.
    overlap : float
        Smallest sum of both shares of errors (misfit not detected, true model rejected) over all cut-offs: 0 if the distributions are apart, 1 if
        they are the same.
    used_true, used_misfit : int
        Replications that converged.
    """

    misfit: str
    measure: str
    cutoff: float
    mc_error: float
    detected: float
    rejected: float
    limit: float
    limit_error: float
    overlap: float
    used_true: int
    used_misfit: int


def compared(misfit: str, measure: str, true: Reals, wrong: Reals, detect: float, reject: float) -> Cutoff:
    """Return what a measure can tell."""
    true, wrong = true[np.isfinite(true)], wrong[np.isfinite(wrong)]
    if len(true) < 20 or len(wrong) < 20:
        raise OptionError(
            f"measures= names {measure!r}, which {len(true)} replications of the true model and {len(wrong)} with the misfit {misfit!r} have. At "
            "least 20 are needed: raise replications=, or look at the analysis."
        )
    sign = -1.0 if measure.split("_")[0] in _RISING else 1.0  # after this, more is worse
    good, bad = np.sort(sign * true), np.sort(sign * wrong)
    limit, candidate = float(np.quantile(good, 1.0 - reject)), float(np.quantile(bad, 1.0 - detect))
    # Of equal values (a CFI of 1) only those beyond the limit are rejected.
    exists = float(np.mean(good >= candidate)) <= reject
    at = candidate if exists else limit
    points = np.concatenate([good, bad])
    errors = np.searchsorted(bad, points, "left") / len(bad) + 1.0 - np.searchsorted(good, points, "left") / len(good)
    detected, rejected = (float(np.mean(sorted_ >= at)) if exists else float(np.mean(sorted_ > at)) for sorted_ in (bad, good))
    return Cutoff(
        misfit,
        measure,
        sign * candidate if exists else math.nan,
        quantile_error(bad, 1.0 - detect) if exists else math.nan,
        detected,
        rejected,
        sign * limit,
        quantile_error(good, 1.0 - reject),
        min(1.0, float(errors.min())),
        len(true),
        len(wrong),
    )


def quantile_error(values: Reals, q: float) -> float:
    """Return the standard error of a sample quantile.

    Parameters
    ----------
    values : (R,) float
    q : float
        Between 0 and 1.

    Notes
    -----
    Maritz & Jarrett (1978), A note on estimating the variance of the sample median, J Am Stat Assoc 73, 194-196, for any quantile: the standard
    deviation of an order statistic of samples drawn from `values`. No density is estimated.
    """
    ordered = np.sort(values)
    count = ordered.size
    order = math.floor(q * count + 0.5)
    order = min(max(order, 1), count)
    weights = np.diff(betainc(order, count - order + 1, np.arange(count + 1) / count))
    middle = float(weights @ ordered)
    return math.sqrt(max(float(weights @ (ordered - middle) ** 2), 0.0))
