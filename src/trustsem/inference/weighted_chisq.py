"""Sums of weighted chi-square variables, exactly."""

from __future__ import annotations

import math

import numpy as np

from trustsem.kernels.structure import Reals

__all__ = ["weighted_chisq_tail"]

_NODES = 28  # error of the contour sum: 2.85 ** -28, about 2e-13; more nodes would lose as much to rounding


def weighted_chisq_tail(statistic: float, weights: Reals) -> float:
    """Return the probability that ``sum(weights * z**2)`` exceeds `statistic`, the z being independent standard normal variables.

    Parameters
    ----------
    statistic : float
    weights : (k,) float
        Not negative. Without any positive weight the sum is 0.

    Returns
    -------
    float
        Right to about 12 decimals.

    Notes
    -----
    The distribution function has the Laplace transform ``prod(1 + 2 w s) ** -1/2 / s``, whose singularities all lie on the negative real axis. It is
    inverted by the trapezoidal rule on a parabola around that axis (Weideman & Trefethen 2007, doi 10.1090/S0025-5718-07-01945-X), which converges
    geometrically where the oscillating integral of Imhof (1961, doi 10.1093/biomet/48.3-4.419) converges slowly.
    """
    own = weights[weights > 0.0]
    if statistic <= 0.0 or own.size == 0:
        return 1.0 if own.size and statistic <= 0.0 else float(statistic < 0.0)
    if math.isnan(statistic) or not np.isfinite(own).all():
        return math.nan
    step, width = 3.0 / _NODES, math.pi * _NODES / 12.0
    u = step * (np.arange(_NODES) + 0.5)
    z = width * (1.0 + 1j * u) ** 2
    slope = 2j * width * (1.0 + 1j * u)
    # Each factor has its branch cut on the negative axis, which the principal root respects; the root of the product would not.
    transform = np.prod(1.0 / np.sqrt(1.0 + 2.0 * np.outer(own / statistic, z)), axis=0) / z
    below = step / math.pi * float(np.sum(np.exp(z) * transform * slope).imag)
    return min(max(1.0 - below, 0.0), 1.0)
