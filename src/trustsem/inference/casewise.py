"""The log-likelihood of every row."""

from __future__ import annotations

import math

import numpy as np

from trustsem.data.patterns import MissingPatterns
from trustsem.kernels.structure import Reals

__all__ = ["casewise_log_likelihoods"]


def casewise_log_likelihoods(rows: Reals, mean: Reals, cov: Reals, patterns: MissingPatterns | None = None) -> Reals:
    """Return the normal log-likelihood (n,) of every row.

    Parameters
    ----------
    rows : (n, p) float
        NaN where missing, as `patterns` says.
    mean, cov : (p,) and (p, p) float
    patterns : MissingPatterns, optional
        None for complete rows. Of an incomplete row only what was observed counts.
    """
    if patterns is None:
        return _of_pattern(rows, mean, cov)
    result = np.empty(len(rows))
    for k, seen in enumerate(patterns.observed):
        members = patterns.order[patterns.start[k] : patterns.start[k + 1]]
        result[members] = _of_pattern(rows[members][:, seen], mean[seen], cov[np.ix_(seen, seen)])
    return result


def _of_pattern(rows: Reals, mean: Reals, cov: Reals) -> Reals:
    """Return the log-likelihood of rows in which the same variables were observed."""
    root = np.linalg.cholesky(cov)
    z = np.linalg.solve(root, (rows - mean).T)
    constant = len(mean) * math.log(2.0 * math.pi) + 2.0 * float(np.sum(np.log(np.diag(root))))
    return np.asarray(-0.5 * (constant + np.sum(z * z, axis=0)))
