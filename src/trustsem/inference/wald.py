"""The Wald (1943) test of restrictions on the parameters."""

from __future__ import annotations

import math

import numpy as np

from trustsem.inference.fit_measures import Chisq
from trustsem.kernels.structure import Reals

__all__ = ["wald"]

_RELATIVE = 1e-12


def wald(values: Reals, slopes: Reals, vcov: Reals) -> Chisq:
    """Return the Wald statistic ``h' (H V H')^-1 h`` and its degrees of freedom.

    Parameters
    ----------
    values : (q,) float
        h, the restrictions at the estimates: each is 0 where it holds.
    slopes : (q, K) float
        H, their derivatives with respect to the parameters; where a restriction is not linear this is the delta method.
    vcov : (K, K) float
        V, covariance matrix of the estimates.

    Returns
    -------
    Chisq
        The statistic is NaN if a restriction follows from the others or from the model, or V does not exist.
    """
    spread = slopes @ vcov @ slopes.T
    scale = np.sqrt(np.abs(np.diag(spread)))
    # A restriction that the model fulfils anyway has no variance but for rounding.
    bound = np.sqrt(_RELATIVE * slopes**2 @ np.diag(vcov))
    if not np.isfinite(spread).all() or np.any(scale <= bound):
        return Chisq(math.nan, len(values))
    root, vectors = np.linalg.eigh(spread / np.outer(scale, scale))
    if root[0] <= _RELATIVE * root[-1]:
        return Chisq(math.nan, len(values))
    return Chisq(float(np.sum((vectors.T @ (values / scale)) ** 2 / root)), len(values))
