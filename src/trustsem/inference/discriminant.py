"""Whether two factors are distinct: formulas on arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trustsem.inference.reliability import bilinear_slopes
from trustsem.kernels.structure import Integers, Reals
from trustsem.model.problem import ImpliedBlock
from trustsem.model.ram import Model

__all__ = ["Ratios", "correlation_slopes", "heterotrait_monotrait", "verdict"]

_LIMITS = (
    (1.0, "severe problem: the interval reaches 1"),
    (0.9, "moderate problem: the interval reaches .90"),
    (0.8, "marginal problem: the interval reaches .80"),
)


class Ratios(NamedTuple):
    """The heterotrait-monotrait ratio of correlations, from arithmetic and from geometric means; NaN where it is not defined."""

    htmt: float
    htmt2: float


def heterotrait_monotrait(correlations: Reals, first: Integers, second: Integers, absolute: bool) -> Ratios:
    """Return the heterotrait-monotrait ratios of two sets of items.

    Parameters
    ----------
    correlations : (p, p) float
        Correlations of the observed variables.
    first, second : (k,) and (l,) int
        Places of the items of the two factors, at least two each.
    absolute : bool
        Take absolute correlations, so that reversed items count as the others.

    Notes
    -----
    The mean correlation between items of different factors, divided by the geometric mean of the mean correlations within each factor (Henseler,
    Ringle & Sarstedt 2015, doi 10.1007/s11747-014-0403-8). It estimates the correlation of the factors if the standardized items of each have equal
    loadings. The second ratio has geometric means throughout and needs no equal loadings (Roemer, Schuberth & Henseler 2021, doi
    10.1108/IMDS-02-2021-0082).
    """
    R = np.abs(correlations) if absolute else correlations
    between = R[np.ix_(first, second)].ravel()
    within = [R[np.ix_(items, items)][np.tril_indices(len(items), -1)] for items in (first, second)]
    if min(len(first), len(second)) < 2:
        return Ratios(math.nan, math.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        plain = between.mean() / np.sqrt(within[0].mean()) / np.sqrt(within[1].mean())
        logs = [np.log(part).mean() for part in (between, *within)]
        return Ratios(float(plain), float(np.exp(logs[0] - 0.5 * (logs[1] + logs[2]))))


def correlation_slopes(model: Model, b: int, block: ImpliedBlock, pairs: Sequence[tuple[int, int]]) -> tuple[Reals, Reals]:
    """Return the correlations (P,) of `pairs` of variables of block `b` and their derivatives (P, K) with respect to theta."""
    values, slopes = np.empty(len(pairs)), np.empty((len(pairs), model.n_theta))
    unit = np.eye(len(block.V))
    for k, (i, j) in enumerate(pairs):
        d_ii, d_jj, d_ij = (bilinear_slopes(model.structure, b, block, unit[a], unit[c]) for a, c in ((i, i), (j, j), (i, j)))
        with np.errstate(invalid="ignore", divide="ignore"):
            size = np.sqrt(block.V[i, i] * block.V[j, j])
            values[k] = block.V[i, j] / size
            slopes[k] = d_ij / size - 0.5 * values[k] * (d_ii / block.V[i, i] + d_jj / block.V[j, j])
    return values, slopes


def verdict(lower: float, upper: float) -> str:
    """Return what the interval of a factor correlation says of two factors being distinct (Rönkkö & Cho 2022, doi 10.1177/1094428120968614).

    Parameters
    ----------
    lower, upper : float
        The end farther from 0 is judged, so that negative correlations count like positive ones.
    """
    reach = max(abs(lower), abs(upper))
    if math.isnan(reach):
        return "undetermined: there is no interval to judge by"
    for limit, words in _LIMITS:
        if reach >= limit:
            return words
    return "no problem: the interval stays below .80"
