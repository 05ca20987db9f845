"""The standardized metric: a population in it, and the error variances that keep every variance at 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trustsem.errors import ModelError
from trustsem.kernels.structure import Reals
from trustsem.model.population import Population

__all__ = ["Errors", "Standardized", "solve_errors", "standardized"]

_ROUNDING = 1e-9


class Errors(NamedTuple):
    """Errors of variables with variance 1.

    Attributes
    ----------
    psi, phi : (k, k) float
        Covariances of the errors, and of the variables.
    short : int or None
        The first variable whose variance cannot be 1; then the matrices are unfinished.
    explained : float
        How much of its variance is explained.
    """

    psi: Reals
    phi: Reals
    short: int | None
    explained: float


class Standardized(NamedTuple):
    """A population in the standardized metric.

    Attributes
    ----------
    names : tuple of str
        The m variables, observed ones first.
    paths : (m, m) float
        Standardized paths and loadings, ``[i, j]`` from j to i.
    correlations : (m, m) float
        Correlations of the residuals, unit diagonal.
    certain : frozenset of int
        Variables without a residual.
    sd, mean : (m,) float
        Standard deviations and means.
    """

    names: tuple[str, ...]
    paths: Reals
    correlations: Reals
    certain: frozenset[int]
    sd: Reals
    mean: Reals


def solve_errors(A: Reals, R: Reals, order: Sequence[int], *, certain: frozenset[int] = frozenset(), common: Reals | None = None) -> Errors:
    """Solve for the error variances that give every variable variance 1.

    Parameters
    ----------
    A : (k, k) float
        Standardized paths, ``A[i, j]`` from j to i.
    R : (k, k) float
        Correlations of the errors, unit diagonal.
    order : sequence of int
        The variables, causes first.
    certain : frozenset of int
        Variables without an error.
    common : (k, k) float, optional
        Covariances C that unmeasured common causes add to the errors.

    Returns
    -------
    Errors

    Notes
    -----
    In causal order, with s^2 the variance of the own error of variable i, a' Phi a its explained part, g the covariance of that part with the own
    error divided by s, and h its covariance with the common causes: 1 = a' Phi a + 2 s g + s^2 + 2 h + C_ii, solved for s.
    """
    k = len(A)
    total = np.zeros((k, k))  # (I - A)^-1, filled row by row in causal order
    sd = np.zeros(k)
    for i in order:
        effects = A[i] @ total
        explained = effects @ ((R * np.outer(sd, sd)) @ effects)
        g = effects @ (R[:, i] * sd)
        if common is not None:
            explained += effects @ (common @ effects) + 2.0 * (effects @ common[:, i]) + common[i, i]
        inside = g * g + 1.0 - explained
        if i in certain:
            if abs(1.0 - explained) > _ROUNDING:
                return Errors(total, total, i, float(explained))
        else:
            sd[i] = math.sqrt(inside) - g if inside > 0 else 0.0
            if sd[i] <= 0:
                return Errors(total, total, i, float(explained))
        total[i] = effects
        total[i, i] = 1.0
    psi = R * np.outer(sd, sd)
    if common is not None:
        psi = psi + common
    return Errors(psi, total @ psi @ total.T, None, 0.0)


def standardized(population: Population) -> Standardized:
    """Return the coefficients of a population in the standardized metric.

    Raises
    ------
    ModelError
        If the population has several blocks, or a variable a negative residual variance.
    """
    if len(population.compiled.blocks) > 1:
        raise ModelError(
            f"The population has {len(population.compiled.blocks)} blocks (groups or levels), and changes are made to one. Give the population of "
            "one group."
        )
    block, names = population.implied_blocks[0], population.compiled.blocks[0].variables
    own = np.diag(block.S)
    if own.min() < 0.0:
        raise ModelError(f"The residual variance of {names[int(own.argmin())]!r} is negative. Give a population without negative variances.")
    sd, error = np.sqrt(np.diag(block.V)), np.sqrt(own)
    correlations = block.S / np.outer(np.where(error > 0.0, error, 1.0), np.where(error > 0.0, error, 1.0))
    np.fill_diagonal(correlations, 1.0)
    unit = np.where(sd > 0.0, sd, 1.0)
    return Standardized(names, block.A * unit / unit[:, None], correlations, frozenset(np.flatnonzero(own == 0.0).tolist()), unit, block.mu)
