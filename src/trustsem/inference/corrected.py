"""Fit of the model to incomplete data as it would be with complete data (Zhang & Savalei 2023, doi 10.1080/10705511.2022.2119434).

The discrepancy between saturated and implied moments is measured with the weights of complete data; its mean under a true model, which incomplete
(and non-normal) data make larger than the degrees of freedom, is subtracted. Fit measures so corrected do not depend on how much is missing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

from trustsem.inference.information import covariance_of_estimates
from trustsem.inference.stacked import StackedBlock
from trustsem.kernels.structure import Reals

__all__ = ["Corrected", "SaturatedPieces", "complete_discrepancy", "corrected_fit", "saturated_pieces"]


class Corrected(NamedTuple):
    """A complete-data statistic of incomplete data, and its mean under a true model."""

    statistic: float
    mean: float


class SaturatedPieces(NamedTuple):
    """What the correction needs of one block's saturated moments (r of them); the same for the model and for the baseline model.

    Attributes
    ----------
    complete : (r, r) float
        Information of a complete observation.
    weight : (r, r) float
        Information of the rows as they are, of the kind that the standard errors use (observed or expected).
    inverse : (r, r) float
        Its inverse.
    curvature : (r, r) float
        Inverse of the observed information.
    gamma : (r, r) float
        Asymptotic covariance matrix of the saturated moments.
    scores : (r, r) float or None
        Mean outer product of the casewise scores; None where normality is taken for granted.
    """

    complete: Reals
    weight: Reals
    inverse: Reals
    curvature: Reals
    gamma: Reals
    scores: Reals | None


def saturated_pieces(block: StackedBlock, *, observed: bool, scores: Reals | None) -> SaturatedPieces:
    """Return the pieces of one block.

    Parameters
    ----------
    block : StackedBlock
    observed : bool
        Whether standard errors use the observed information.
    scores : (r, r) float or None
        Mean outer product of the casewise scores, where normality is not taken for granted.
    """
    weight = block.information(structured=False, observed=observed)
    inverse = _inverse(weight)
    same = observed or block.missing is None
    curvature = inverse if same else _inverse(block.information(structured=False, observed=True))
    gamma = curvature if scores is None else curvature @ scores @ curvature
    return SaturatedPieces(block.complete_weight(), weight, inverse, curvature, gamma, scores)


def _inverse(matrix: Reals) -> Reals:
    """Invert a symmetric matrix: by its Cholesky factor if it is definite, which an observed information need not be."""
    factor, failed = dpotrf(matrix, lower=1)
    if failed:
        found = np.linalg.inv(matrix)
        return np.asarray(0.5 * (found + found.T), dtype=np.float64)
    found, _ = dpotri(factor, lower=1)
    return np.asarray(np.tril(found) + np.tril(found, -1).T, dtype=np.float64)


def complete_discrepancy(block: StackedBlock, mean: Reals, cov: Reals) -> float:
    """Return the complete-data maximum likelihood discrepancy between the saturated moments of `block` and other ones."""
    W = np.linalg.inv(cov)
    gap = block.mean - mean
    trace = float(np.sum(W * block.cov)) - len(gap)
    return trace + float(np.linalg.slogdet(cov)[1] - np.linalg.slogdet(block.cov)[1]) + float(gap @ W @ gap)


def corrected_fit(blocks: Sequence[StackedBlock], pieces: Sequence[SaturatedPieces], n: float, basis: Reals | None) -> Corrected:
    """Return the complete-data statistic of the model whose Jacobians and implied moments `blocks` hold, and its mean under a true model.

    Parameters
    ----------
    blocks : sequence of StackedBlock
    pieces : sequence of SaturatedPieces
    n : float
        Number of observations in all blocks.
    basis : (K, k) float or None
        Directions that constraints leave free.
    """
    size = blocks[0].delta.shape[1]
    bread, complete, meat, mixed = (np.zeros((size, size)) for _ in range(4))
    statistic = mean = 0.0
    for block, own in zip(blocks, pieces, strict=True):
        delta, share = block.delta, block.share
        statistic += n * share * complete_discrepancy(block, block.implied_mean, block.implied_cov)
        mean += float(np.sum(own.complete * own.gamma))
        weighted = own.complete @ delta
        bread += share * (delta.T @ own.weight @ delta)
        complete += share * (delta.T @ weighted)
        if own.scores is not None:
            meat += share * (delta.T @ own.scores @ delta)
            mixed += share * ((own.curvature @ weighted).T @ (own.scores @ delta))
    inverse, _ = covariance_of_estimates(bread, basis)
    if inverse is None:
        return Corrected(statistic, math.nan)
    if pieces[0].scores is None:
        return Corrected(statistic, mean - float(np.sum(inverse * complete)))
    return Corrected(statistic, mean - 2.0 * float(np.sum(inverse * mixed)) + float(np.sum((inverse @ complete) * (inverse @ meat).T)))
