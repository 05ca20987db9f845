"""The observed moments of a fit with the errors that belong to them: without normality, with missing values, in clusters."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from trustsem.errors import DataError
from trustsem.fitting.fit import Fit
from trustsem.fitting.robust import TWO_STAGE
from trustsem.inference.sandwich import cross_products
from trustsem.inference.saturated import normal_gamma
from trustsem.kernels.structure import Reals

__all__ = ["ObservedMoments", "is_robust", "observed_moments"]

_SANDWICHES = ("robust_sem", "robust_huber_white", "robust_cluster", "bootstrap", "robust_two_stage")


class ObservedMoments(NamedTuple):
    """Sample covariances of the observed variables of a model.

    Attributes
    ----------
    names : tuple of str
    cov : (p, p) float
        Divisor n; of incomplete rows by maximum likelihood.
    vcov : (q, q) float
        Covariance matrix of the q = p (p + 1) / 2 covariances, lower triangle row by row.
    units : int
        Number of independent rows or clusters.
    robust : bool
        Whether `vcov` is right without normality (and, where there are clusters, without independence within them).
    """

    names: tuple[str, ...]
    cov: Reals
    vcov: Reals
    units: int
    robust: bool


def is_robust(fit: Fit) -> bool:
    """Whether a fit has rows, and standard errors that do not assume normality."""
    return fit.options.se in _SANDWICHES and fit.sample.blocks[0].rows is not None


def observed_moments(fit: Fit, robust: bool | None = None) -> ObservedMoments:
    """Return the covariances of the observed variables of a model of one block.

    Parameters
    ----------
    fit : Fit
        Without fixed covariates.
    robust : bool, optional
        Errors that do not assume normality; by default where the fit has such.

    Raises
    ------
    DataError
        If robust errors are asked for without rows.

    Notes
    -----
    In two stages the errors are those of the first. Else they are the sandwich of the saturated model: its information and the cross-products of its
    casewise scores, summed by cluster (Yuan & Bentler 2000, doi 10.1111/0081-1750.00078). Of complete, independent rows that
    is the fourth-order matrix of Browne (1984).
    """
    block, names = fit.stacked[0], fit.model.blocks[0].observed
    p = len(names)
    wanted = is_robust(fit) if robust is None else robust
    if wanted and block.rows is None:
        raise DataError("Errors without normality need the rows of the data, not summary statistics. Give data=, or robust=False.")
    n = fit.problem.nobs
    if fit.options.missing in TWO_STAGE:
        wanted = fit.options.missing == "robust_two_stage"
        vcov = fit.gammas[0][-(p * (p + 1) // 2) :, -(p * (p + 1) // 2) :] / n
    elif block.missing is None and not wanted:
        vcov = normal_gamma(block.cov)[p:, p:] / n
    else:
        # Means and covariances together: with missing values the information about the two is not separate.
        kept = np.ones(p + p * (p + 1) // 2, dtype=bool)
        whole = replace(block, kept=kept)
        inverse = np.linalg.inv(n * whole.information(structured=False, observed=True))
        if wanted:
            inverse = inverse @ cross_products(whole.scores(structured=False), block.clusters) @ inverse
        vcov = 0.5 * (inverse + inverse.T)[p:, p:]
    units = int(n) if block.clusters is None else int(block.clusters.max()) + 1
    return ObservedMoments(names, block.cov, vcov, units, wanted)
