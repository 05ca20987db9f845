"""Vuong's (1989, doi 10.2307/1912557) comparison of models that need not be nested, for structural equation models as in Merkle, You & Preacher 2016.

Formulas on arrays; a unit is a row, or a cluster whose rows are added up (doi 10.1037/met0000038).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from trustsem.inference.weighted_chisq import weighted_chisq_tail
from trustsem.kernels.structure import Reals

__all__ = ["Distinguishability", "LikelihoodRatio", "distinguishability", "likelihood_ratio"]


class Distinguishability(NamedTuple):
    """Test of whether two models can be told apart at all: whether the variance of the casewise log-likelihood ratios is 0.

    Attributes
    ----------
    variance : float
        Of the ratios, divisor n.
    statistic, pvalue : float
        n times the variance, and its upper tail probability among sums of chi-squares with `weights`.
    weights : (k,) float
    """

    variance: float
    statistic: float
    pvalue: float
    weights: Reals


class LikelihoodRatio(NamedTuple):
    """The log-likelihood ratio, its z statistic, and the one-sided p-values: small if the first, or the second, model is closer to the truth."""

    ratio: float
    z: float
    pvalue_first: float
    pvalue_second: float


def ratio_weights(scores: tuple[Reals, Reals], inverses: tuple[Reals, Reals]) -> Reals:
    """Return the eigenvalues of Vuong's (1989) matrix W (equation 3.6), by which chi-squares are weighted if the models cannot be told apart.

    Parameters
    ----------
    scores : pair of (n, K) float
        Derivatives of every unit's log-likelihood, of the two models.
    inverses : pair of (K, K) float
        Inverse observed information of all units.
    """
    both = np.hstack(scores)
    meat = both.T @ both
    size = inverses[0].shape[0]
    bread = np.zeros_like(meat)
    bread[:size, :size], bread[size:, size:] = inverses[0], -inverses[1]
    # The eigenvalues of (meat bread) are those of (root' bread root), which is symmetric: they are real whatever the rounding.
    values, vectors = np.linalg.eigh(meat)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(np.linalg.eigvalsh(root.T @ bread @ root))


def distinguishability(ratios: Reals, scores: tuple[Reals, Reals], inverses: tuple[Reals, Reals]) -> Distinguishability:
    """Test whether the log-likelihood ratios `ratios` (n,) of the units vary more than estimation alone makes them; see :func:`ratio_weights`."""
    variance = float(np.var(ratios))
    statistic = variance * ratios.size
    weights = ratio_weights(scores, inverses) ** 2
    return Distinguishability(variance, statistic, weighted_chisq_tail(statistic, weights), weights)


def likelihood_ratio(ratios: Reals, penalty: float) -> LikelihoodRatio:
    """Return the test of which model is closer to the truth, for models that can be told apart.

    Parameters
    ----------
    ratios : (n,) float
        Log-likelihood of the first less that of the second model.
    penalty : float
        Subtracted from their sum: the difference in numbers of parameters for AIC, ``log(n) / 2`` times that for BIC.
    """
    ratio = float(ratios.sum()) - penalty
    spread = math.sqrt(ratios.size * float(np.var(ratios)))
    z = ratio / spread if spread > 0.0 else math.nan
    return LikelihoodRatio(ratio, z, float(ndtr(-z)), float(ndtr(z)))
