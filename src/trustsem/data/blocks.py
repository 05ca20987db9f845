"""From the rows of one group to its moments, and everything that can be wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trustsem.data.incomplete import incomplete_rows
from trustsem.data.moments import SMALLEST_VARIANCE, check_covariance, join_names, moments, weighted_moments
from trustsem.data.sample import BlockSample
from trustsem.errors import DataError

__all__ = ["BlockRows", "make_block"]

_ROUNDING = 64 * np.finfo(np.float64).eps


class BlockRows(NamedTuple):
    """The rows (n, p) of one group, with sampling weights (n,) and cluster numbers (n,) where there are any."""

    rows: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None
    clusters: NDArray[np.int64] | None = None


def make_block(part: BlockRows, names: Sequence[str], label: str, where: str, lost: str) -> BlockSample:
    """Return the sample of one block.

    Parameters
    ----------
    part : BlockRows
        Missing values (NaN) are allowed; a row must have some value.
    names : sequence of str
        The p variables.
    label : str
        The group's.
    where : str
        Put into messages, such as ``" in group 'a' of 'site'"``.
    lost : str
        What was dropped before, put into messages that rows are too few.

    Raises
    ------
    DataError
        If there are too few rows, a column is constant, or no covariance matrix exists.
    """
    n, p = part.rows.shape
    if n == 0:
        raise DataError(f"No row is complete{where}: every row has a missing value{lost}. Leave out the variables with most missing values.")
    if n < 2:
        raise DataError(f"Only one row can be used{where}{lost}. A covariance needs at least two rows; {p} variables need at least {p + 1}.")
    with np.errstate(all="ignore"):
        complete = not np.isnan(part.rows.sum())
    complete = complete or not np.isnan(part.rows).any()
    if complete:
        _check_constant(part.rows, names, where)
    else:
        _check_columns(part.rows, names, where)
    if n <= p:
        raise DataError(
            f"{n} rows are too few for {p} variables{where}{lost}: their covariance matrix cannot be positive definite. "
            f"Use at least {p + 1} rows, or fewer variables."
        )
    if not complete:
        return _incomplete_block(part, names, label, where)
    with np.errstate(all="ignore"):  # overflow is reported by name below
        mean, cov = moments(part.rows) if part.weights is None else weighted_moments(part.rows, part.weights)
    _check_range(part.rows, mean, cov, names, where)
    check_covariance(cov, names, f" of the data{where}")
    return BlockSample(label, n, mean, cov, part.rows, None, part.weights, part.clusters)


def _check_range(rows: NDArray[np.float64], mean: NDArray[np.float64], cov: NDArray[np.float64], names: Sequence[str], where: str) -> None:
    """Raise if squares of the values, or of their differences, leave the range of a double."""
    if not (np.isfinite(cov).all() and np.isfinite(mean).all()):
        largest = np.nanmax(np.abs(rows), axis=0)
        at = int(np.argmax(largest))
        raise DataError(f"The values of {names[at]!r}{where} are too large to be squared (up to {largest[at]:g}). Rescale the variable.")
    at = int(np.argmin(np.diagonal(cov)))
    if cov[at, at] < SMALLEST_VARIANCE:
        raise DataError(f"The differences between the values of {names[at]!r}{where} are too small to be squared. Rescale the variable.")


def _incomplete_block(part: BlockRows, names: Sequence[str], label: str, where: str) -> BlockSample:
    seen = (~np.isnan(part.rows)).astype(np.float64)
    together = seen.T @ seen
    if (together < 2).any():
        i, j = (int(at) for at in np.argwhere(together < 2)[0])
        rows = "no row" if together[i, j] == 0 else "only one row"
        raise DataError(
            f"The variables {names[i]!r} and {names[j]!r} are observed together in {rows}{where}, so their covariance cannot be estimated. "
            "Leave one of them out, or collect data in which both are observed."
        )
    with np.errstate(all="ignore"):
        spread, centre = np.nanvar(part.rows, axis=0), np.nanmean(part.rows, axis=0)
    _check_range(part.rows, centre, np.diag(spread), names, where)
    n = len(part.rows)
    found, mean, cov = incomplete_rows(part.rows, part.weights)
    cov = cov * (n / (n - 1))
    check_covariance(cov, names, f" of the incomplete data{where}")
    return BlockSample(label, n, mean, cov, part.rows, found, part.weights, part.clusters)


def _check_columns(rows: NDArray[np.float64], names: Sequence[str], where: str) -> None:
    """Raise if a column with holes has fewer than two values, or one value only."""
    for at, name in enumerate(names):
        values = rows[:, at][~np.isnan(rows[:, at])]
        if values.size < 2:
            found = "has no value at all" if values.size == 0 else "has a single value"
            raise DataError(f"The variable {name!r} {found}{where}: its moments cannot be estimated. Leave it out.")
        _check_constant(values[:, None], [name], where)


def _check_constant(rows: NDArray[np.float64], names: Sequence[str], where: str) -> None:
    """Raise if a column has one value only, or differs by rounding only."""
    with np.errstate(over="ignore"):
        suspects = np.flatnonzero(np.abs(rows[0] - rows[-1]) <= _ROUNDING * np.abs(rows[0]))
    constant: list[int] = []
    for at in suspects.tolist():
        low, high = rows[:, at].min(), rows[:, at].max()
        if high / 2 - low / 2 <= _ROUNDING * max(abs(low), abs(high)):  # halved, so that the difference cannot overflow
            constant.append(at)
    if constant:
        found = join_names([names[at] for at in constant])
        raise DataError(
            f"{found} {'is' if len(constant) == 1 else 'are'} constant{where} ({names[constant[0]]!r} is always {rows[0, constant[0]]:g}): "
            "there is no variance to explain. Leave out what is constant."
        )
