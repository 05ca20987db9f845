"""Rows with missing values as the likelihood sees them: patterns, their sufficient statistics, and the saturated model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trustsem.data.patterns import MissingPatterns, find_patterns, reduce_patterns
from trustsem.data.saturated import saturated_moments
from trustsem.kernels.patterns import Patterns

__all__ = ["IncompleteRows", "incomplete_rows"]


@dataclass(frozen=True, eq=False)
class IncompleteRows:
    """What is known of the missing values of one block.

    Attributes
    ----------
    patterns : MissingPatterns
    statistics : Patterns
        Sufficient statistics of each pattern.
    deviance : float
        Minus twice the log-likelihood of the saturated model, without the constant ``log(2 pi)`` per value.
    converged : bool
        Whether the search for the saturated model ended.
    weights : (n,) float or None
        Sampling weights of the rows.
    """

    patterns: MissingPatterns
    statistics: Patterns
    deviance: float
    converged: bool
    weights: NDArray[np.float64] | None = None


def incomplete_rows(
    rows: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> tuple[IncompleteRows, NDArray[np.float64], NDArray[np.float64]]:
    """Return what is known of `rows` (n, p) with holes, and their maximum likelihood means (p,) and covariances (p, p), divisor n.

    Every pair of variables must be observed together in some row.
    """
    patterns = find_patterns(rows)
    statistics = reduce_patterns(rows, patterns, weights)
    found = saturated_moments(statistics)
    return IncompleteRows(patterns, statistics, found.deviance, found.converged, weights), found.mean, found.cov
