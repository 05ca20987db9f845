"""Tetrads: differences of products of two covariances among four variables, which factor models make vanish. Formulas on arrays.

Sources: Bollen & Ting 1993 (Sociological Methodology 23:147-175), Bollen 1990 (simultaneous test, with and without normality), Hipp & Bollen 2003
(which tetrads are redundant, and that the choice among them matters in samples).
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, fdtrc

from trustsem.kernels.structure import Integers, Reals

__all__ = ["TetradTest", "independent_rows", "tetrad_jacobian", "tetrad_test", "tetrad_values", "tetrads_among"]

_RANK = 1e-7  # share of a row that must be left once the rows before it are taken out


class TetradTest(NamedTuple):
    """A simultaneous test that tetrads vanish.

    Attributes
    ----------
    statistic : float
    df : int
    pvalue : float
        By the chi-square distribution.
    pvalue_f : float
        By the F distribution, which allows for the covariances of the tetrads being estimated from so many rows or clusters; NaN if there are too
        few.
    values, se : (df,) float
        The tetrads and their standard errors.
    """

    statistic: float
    df: int
    pvalue: float
    pvalue_f: float
    values: Reals
    se: Reals


def tetrads_among(places: Integers) -> Integers:
    """Return the tetrads (3 C(k, 4), 4) among k variables: rows g, h, i, j stand for ``s_gh s_ij - s_gi s_hj``."""
    found = [tetrad for a, b, c, d in combinations(places.tolist(), 4) for tetrad in ((a, b, c, d), (a, b, d, c), (a, c, d, b))]
    return np.array(found, dtype=np.int64).reshape(-1, 4)


def tetrad_values(cov: Reals, tetrads: Integers) -> Reals:
    """Return the values (t,) of tetrads at a covariance matrix."""
    g, h, i, j = tetrads.T
    return np.asarray(cov[g, h] * cov[i, j] - cov[g, i] * cov[h, j])


def tetrad_jacobian(cov: Reals, tetrads: Integers) -> Reals:
    """Return the derivatives (t, q) of tetrads with respect to the lower triangle of the covariance matrix, row by row."""
    p = len(cov)
    g, h, i, j = tetrads.T
    result = np.zeros((len(tetrads), p * (p + 1) // 2))
    row = np.arange(len(tetrads))
    for a, b, slope in ((g, h, cov[i, j]), (i, j, cov[g, h]), (g, i, -cov[h, j]), (h, j, -cov[g, i])):
        high, low = np.maximum(a, b), np.minimum(a, b)
        result[row, high * (high + 1) // 2 + low] += slope
    return result


def independent_rows(matrix: Reals) -> Integers:
    """Return the rows of a matrix, taken in order, that do not depend on those before them."""
    size = np.linalg.norm(matrix, axis=1)
    left = matrix / np.where(size > 0.0, size, 1.0)[:, None]
    chosen: list[int] = []
    while True:
        free = np.flatnonzero(np.linalg.norm(left, axis=1) > _RANK)
        free = free[free > (chosen[-1] if chosen else -1)]
        if not free.size:
            return np.array(chosen, dtype=np.int64)
        chosen.append(int(free[0]))
        axis = left[free[0]] / np.linalg.norm(left[free[0]])
        for _ in range(2):  # twice, because once loses digits
            left = left - np.outer(left @ axis, axis)


def tetrad_test(cov: Reals, vcov: Reals, tetrads: Integers, units: int) -> TetradTest:
    """Test that some tetrads vanish, none of which follows from the others.

    Parameters
    ----------
    cov : (p, p) float
        Sample covariances.
    vcov : (q, q) float
        Covariance matrix of the q = p (p + 1) / 2 sample covariances (lower triangle, row by row), not times n.
    tetrads : (df, 4) int
    units : int
        Number of independent rows or clusters.

    Notes
    -----
    ``T = t' (D V D')^-1 t`` with D the derivatives at the sample covariances. With covariances from few units T is, near enough, Hotelling's:
    ``T (units - df) / ((units - 1) df)`` has an F distribution with df and units - df degrees of freedom.
    """
    values, slopes = tetrad_values(cov, tetrads), tetrad_jacobian(cov, tetrads)
    spread = slopes @ vcov @ slopes.T
    df = len(tetrads)
    unit = np.sqrt(np.diag(spread))
    scaled = values / unit
    statistic = float(scaled @ np.linalg.lstsq(spread / np.outer(unit, unit), scaled, rcond=None)[0])
    left = units - df
    pvalue_f = float(fdtrc(df, left, statistic * left / ((units - 1.0) * df))) if left > 0 else float("nan")
    return TetradTest(statistic, df, float(chdtrc(df, statistic)), pvalue_f, values, unit)
