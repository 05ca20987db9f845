"""Means and covariances of complete rows, and the checks that a covariance matrix must pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trustsem.errors import DataError, TrustsemWarning

__all__ = ["available_pairs", "check_covariance", "dependent_variables", "join_names", "moments", "scale_notice", "weighted_moments"]

# Cells centred at a time. So small a product stays in the cache and on one thread of BLAS: no waiting for other threads where cores are
# shared, and the same bits whatever their number.
_CHUNK_CELLS = 8_192
# 1 - R^2 of a variable given those before it, below which it counts as a linear combination of them: what is left is rounding.
_COLLINEAR = 1e-12
_ASYMMETRY = 1e-8
SMALLEST_VARIANCE, _LARGEST_VARIANCE = 1e-280, 1e280
_SCALE_RATIO = 1e6


def moments(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means and the unbiased covariance matrix of complete rows.

    Corrected two-pass algorithm (Chan, Golub & LeVeque, 1983, The American Statistician 37, 242-247), chunk by chunk: no second
    array of the size of `rows` is allocated, and large means do not cost digits.

    Parameters
    ----------
    rows : ndarray of shape (n, p)
        Complete rows, n at least 2, C-contiguous for speed.

    Returns
    -------
    mean : ndarray of shape (p,)
    cov : ndarray of shape (p, p)
        Divisor ``n - 1``; exactly symmetric.
    """
    n, p = rows.shape
    step = max(64, _CHUNK_CELLS // max(p, 1))
    mean = rows.mean(axis=0)
    residual = np.zeros(p)
    products = np.zeros((p, p))
    for start in range(0, n, step):
        centred = rows[start : start + step] - mean
        residual += centred.sum(axis=0)
        products += centred.T @ centred
    residual /= n
    products -= n * np.outer(residual, residual)
    products += products.T.copy()
    products /= 2 * (n - 1)
    return mean + residual, products


def weighted_moments(rows: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weighted means (p,), and the weighted covariance matrix (p, p) times ``n / (n - 1)``, of complete rows (n, p).

    Parameters
    ----------
    rows : ndarray of shape (n, p)
    weights : ndarray of shape (n,)
        Positive; only their ratios matter.
    """
    n = len(rows)
    share = weights / weights.sum()
    mean = share @ rows
    centred = (rows - mean) * np.sqrt(share)[:, None]
    cov = centred.T @ centred * (n / (n - 1))
    return mean, 0.5 * (cov + cov.T)


def available_pairs(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means (p,) of the available values, and covariances (p, p) from the rows in which both values are available.

    Every covariance is about the means of the rows it is from; its divisor is their number less one, and the matrix is multiplied by ``(n - 1) / n``.
    """
    seen = ~np.isnan(rows)
    filled = np.where(seen, rows, 0.0)
    count = seen.T.astype(np.float64) @ seen
    mean = filled.sum(axis=0) / seen.sum(axis=0)
    shifted = np.where(seen, rows - mean, 0.0)
    moved = shifted.T @ seen  # [i, j]: sum of i over the rows in which both are available
    cov = (shifted.T @ shifted - moved * moved.T / count) / (count - 1.0)
    n = len(rows)
    return np.asarray(mean), np.asarray(cov * ((n - 1) / n))


def check_covariance(cov: NDArray[np.float64], names: Sequence[str], where: str = "") -> None:
    """Raise unless `cov` is a positive definite covariance matrix.

    Parameters
    ----------
    cov : ndarray of shape (p, p)
        The matrix.
    names : sequence of str
        Its p variables.
    where : str
        Put after "covariance matrix" in messages, such as ``" of group 'a'"``.

    Raises
    ------
    DataError
        If an element is not finite, the matrix is not symmetric (by how much, and where), a variance is not positive or cannot be
        computed with, or the matrix is not positive definite (smallest eigenvalue and variables involved).
    """
    what = f"The covariance matrix{where}"
    if not np.isfinite(cov).all():
        row, column = (int(at) for at in np.argwhere(~np.isfinite(cov))[0])
        raise DataError(
            f"{what} has the value {cov[row, column]} for {names[row]!r} and {names[column]!r}. Every element must be a finite number. "
            "Fill it in, or leave the variable out."
        )
    variances = np.diagonal(cov)
    if (variances <= 0).any():
        at = int(np.argmin(variances))
        raise DataError(
            f"{what} gives {names[at]!r} the variance {variances[at]:g}. A variance must be positive. Correct it, or leave the variable out."
        )
    _check_range(variances, names, what)
    scale = np.sqrt(variances)
    with np.errstate(over="ignore", invalid="ignore"):  # an absurd covariance overflows, and is refused below
        correlation = cov / scale / scale[:, None]
        gap = np.abs(correlation - correlation.T)
    if gap.max() > _ASYMMETRY:
        row, column = (int(at) for at in np.unravel_index(int(np.argmax(gap)), gap.shape))
        raise DataError(
            f"{what} is not symmetric: {cov[row, column]:g} for {names[row]!r} with {names[column]!r}, but {cov[column, row]:g} the other way "
            "round. Give a symmetric matrix, or its lower triangle with zeros above the diagonal."
        )
    beyond = np.abs(correlation) > 1.0 + _ASYMMETRY
    if beyond.any():
        row, column = (int(at) for at in np.argwhere(beyond)[0])
        raise DataError(
            f"{what} gives {names[row]!r} and {names[column]!r} the covariance {cov[row, column]:g}, a correlation of "
            f"{correlation[row, column]:.4g}: not positive definite. Correct it, or the two variances."
        )
    _check_positive_definite(correlation, names, what)


def _check_range(variances: NDArray[np.float64], names: Sequence[str], what: str) -> None:
    """Raise if a variance is so small or so large that products of variances leave the range of a double."""
    for at in (int(np.argmin(variances)), int(np.argmax(variances))):
        if not SMALLEST_VARIANCE <= variances[at] <= _LARGEST_VARIANCE:
            raise DataError(
                f"{what} gives {names[at]!r} the variance {variances[at]:g}. Computing needs variances between {SMALLEST_VARIANCE:g} and "
                f"{_LARGEST_VARIANCE:g}. Rescale the variable."
            )


def _check_positive_definite(correlation: NDArray[np.float64], names: Sequence[str], what: str) -> None:
    """Raise, naming the variables, unless a Cholesky factor with pivots clear of rounding exists."""
    try:
        pivots = np.linalg.cholesky(correlation).diagonal() ** 2
    except np.linalg.LinAlgError:
        pivots = np.zeros(1)
    if pivots.min() > _COLLINEAR:
        return
    values, vectors = np.linalg.eigh(correlation)
    involved, sentence = dependent_variables(correlation, names)
    if not involved:
        weights = np.abs(vectors[:, 0])
        involved = tuple(names[at] for at in np.argsort(-weights) if weights[at] >= 0.3 * weights.max())
        sentence = f"The variables most involved are {join_names(involved)}; their correlations contradict each other."
    raise DataError(
        f"{what} is not positive definite (smallest eigenvalue of the correlations: {values[0]:.3g}). {sentence} "
        "Leave one of them out, or correct the data."
    )


def dependent_variables(correlation: NDArray[np.float64], names: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the first variable that those before it determine, with those it depends on, and a sentence saying so.

    Parameters
    ----------
    correlation : ndarray of shape (p, p)
        Correlation matrix.
    names : sequence of str
        Its variables.

    Returns
    -------
    involved : tuple of str
        Empty if the matrix is indefinite rather than singular: then no variable is a combination of others.
    sentence : str
        Ready to be put into a message; empty with `involved`.
    """
    for last in range(1, len(names)):
        before, target = correlation[:last, :last], correlation[:last, last]
        weights = np.linalg.solve(before, target)
        left = 1.0 - float(target @ weights)
        if left > _COLLINEAR:
            continue
        if left < -1e-8:
            return (), ""
        others = tuple(names[at] for at in range(last) if abs(weights[at]) > 1e-6)
        if len(others) == 1:
            sign = "" if weights[np.argmax(np.abs(weights))] > 0 else "-"
            return (others[0], names[last]), f"{others[0]!r} and {names[last]!r} are the same variable up to scale (correlation {sign}1)."
        return (*others, names[last]), f"{names[last]!r} is a linear combination of {join_names(others)}."
    return (), ""


def scale_notice(blocks: Sequence[tuple[str, NDArray[np.float64]]], names: Sequence[str]) -> TrustsemWarning | None:
    """Return the notice TS-DATA-02 if the variances of a block differ by a factor above 1e6 (standard deviations by 1,000).

    Parameters
    ----------
    blocks : sequence of (str, ndarray of shape (p, p))
        A phrase such as ``" in group 'a'"`` and the covariance matrix of each block.
    names : sequence of str
        The p variables.
    """
    worst, detail = _SCALE_RATIO, ""
    for where, cov in blocks:
        variances = np.diagonal(cov)
        high, low = int(np.argmax(variances)), int(np.argmin(variances))
        ratio = variances[high] / variances[low]
        if ratio > worst:
            worst = ratio
            larger, smaller = f"{names[high]!r} ({variances[high]:.3g})", f"{names[low]!r} ({variances[low]:.3g})"
            detail = f"The variance of {larger} is {ratio:.2g} times that of {smaller}{where}."
    return TrustsemWarning("TS-DATA-02", detail) if detail else None


def join_names(names: Sequence[str], limit: int = 8) -> str:
    """Return quoted names as a list in words: ``'a', 'b' and 'c'``; beyond `limit` the rest is counted."""
    quoted = [repr(name) for name in names]
    if len(quoted) > limit:
        quoted = [*quoted[:limit], f"{len(names) - limit} more"]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
