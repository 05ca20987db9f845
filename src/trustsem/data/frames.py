"""From a data frame to a :class:`~trustsem.data.sample.Sample`: groups, missing values, and everything that can be wrong with data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trustsem.data.columns import Table, check_names, open_table
from trustsem.data.groups import Grouping, no_grouping, read_grouping
from trustsem.data.moments import SMALLEST_VARIANCE, check_covariance, join_names, moments, scale_notice
from trustsem.data.sample import BlockSample, DroppedRows, Sample, drop_record
from trustsem.errors import DataError, NotAvailableError, OptionError, TrustsemWarning, closest

__all__ = ["sample_from_frame", "sample_from_rows"]

_MISSING = ("listwise",)
# What lavaan calls its other treatments.
_MISSING_LATER = ("ml", "direct", "fiml", "ml_x", "direct_x", "fiml_x", "two_stage", "robust_two_stage", "pairwise", "available_cases")
_WORTH_A_WARNING = 0.10
_SCAN_ROWS = 8_192
_ROUNDING = 64 * np.finfo(np.float64).eps


class _Holes(NamedTuple):
    """Where values are missing: per row whether it is complete, per column how many are missing."""

    complete: NDArray[np.bool_]
    per_column: NDArray[np.intp]


def sample_from_frame(
    data: Any,
    names: Iterable[str] | None = None,
    *,
    group: str | None = None,
    missing: str = "listwise",
    group_label: Sequence[str] | None = None,
) -> Sample:
    """Turn a data frame into a sample.

    Parameters
    ----------
    data : DataFrame or mapping
        A pandas or polars DataFrame, another eager frame that narwhals supports, or a mapping of name to one-dimensional array.
        Only the columns named are read. Numbers, nullable numbers and truth values (as 0 and 1) are accepted, and Python numbers
        in columns of objects; text that looks like a number is not. NaN, None and null are missing values.
    names : iterable of str, optional
        The variables, in the order wanted. None: all columns that hold numbers, except `group`.
    group : str, optional
        Grouping variable, of any type. Groups come in order of first appearance in the data, for categories too, as in lavaan.
    missing : {"listwise"}
        Rows with a missing value are dropped; they are recorded in `Sample.dropped`.
    group_label : sequence of str, optional
        The groups to use, in this order. Rows of other groups are dropped and recorded.

    Returns
    -------
    Sample
        With one block per group. Its `notices` hold TS-DATA-01 if more than 10 % of the rows were dropped because of missing
        values, and TS-DATA-02 if variances differ by a factor above 1e6. They have not been issued as warnings.

    Raises
    ------
    DataError
        If a column is missing, ambiguous, not numeric, infinite or constant; if variables are collinear; if there are too few rows.
    OptionError
        If `names`, `group`, `missing` or `group_label` is malformed.
    NotAvailableError
        If `missing` names a treatment that this version does not have.
    """
    _check_missing(missing)
    wanted = None if names is None else check_names(names)
    table = open_table(data, _columns_to_read(wanted, group, group_label))
    if wanted is None:
        wanted = tuple(name for name in table.numeric_names() if name != group)
        if not wanted:
            raise DataError("data= has no numeric columns. Give a frame with at least one column of numbers.")
    if table.n == 0:
        raise DataError("data= has no rows. Give at least as many rows as variables, plus one.")
    grouping = no_grouping(table.n) if group is None else read_grouping(table.values(group), group, group_label)
    return _assemble(table, wanted, group, grouping)


def sample_from_rows(rows: NDArray[np.float64], names: tuple[str, ...]) -> Sample:
    """Turn an array into a sample of one group, by the shortest way: for whoever fits one model many times.

    Parameters
    ----------
    rows : ndarray of shape (n, p)
        Copied, so that later changes of the array do not reach the sample.
    names : tuple of str
        The p variables, in the order of the columns.

    Raises
    ------
    DataError
        As :func:`sample_from_frame`.
    """
    own = np.array(rows, dtype=np.float64, order="C", copy=True)
    if not len(own) or _find_holes(own, names) is not None:
        return sample_from_frame(dict(zip(names, own.T, strict=True)), names)
    block = _block(own, names, "", "", 0)
    notice = scale_notice([("", block.cov)], names)
    return Sample(names, (block,), None, (), len(own), () if notice is None else (notice,))


def _check_missing(missing: str) -> None:
    if missing in _MISSING:
        return
    if isinstance(missing, str) and missing.replace(".", "_") in _MISSING_LATER:
        raise NotAvailableError(f"missing={missing!r} is not available in this version. Available: {', '.join(map(repr, _MISSING))}.")
    hint = closest(missing, _MISSING) if isinstance(missing, str) else ""
    raise OptionError(f"missing={missing!r} is not a treatment of missing values.{hint} Available: {', '.join(map(repr, _MISSING))}.")


def _columns_to_read(names: tuple[str, ...] | None, group: str | None, group_label: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the columns that will be read (None: all), after checking that the options agree with each other."""
    if group is None:
        if group_label is not None:
            raise OptionError("group_label= needs group=. Name the grouping variable, or leave group_label= out.")
        return names
    if not isinstance(group, str):
        raise OptionError(f"group= must be the name of one column, not {group!r}.")
    if names is None:
        return None
    if group in names:
        raise OptionError(f"The grouping variable {group!r} is also among names=. Use another variable as group=, or take it out of the model.")
    return (*names, group)


def _assemble(table: Table, names: tuple[str, ...], group: str | None, grouping: Grouping) -> Sample:
    rows = table.matrix(names)
    holes = _find_holes(rows, names)
    keep = grouping.codes >= 0 if holes is None else holes.complete & (grouping.codes >= 0)
    dropped = _record_dropped(grouping, holes)
    missing = sum(record.count for record in dropped if record.reason != "group not selected")
    parts = _split(rows, grouping, keep)
    del rows
    blocks = tuple(_block(part, names, label, _where(group, label), missing) for label, part in zip(grouping.labels, parts, strict=True))
    chosen = table.n - sum(record.count for record in dropped if record.reason == "group not selected")
    notices = (
        _missing_notice(missing, chosen, names, holes),
        scale_notice([(_where(group, block.label), block.cov) for block in blocks], names),
    )
    return Sample(names, blocks, group, dropped, table.n, tuple(notice for notice in notices if notice is not None))


def _where(group: str | None, label: str) -> str:
    return "" if group is None else f" in group {label!r} of {group!r}"


def _find_holes(rows: NDArray[np.float64], names: Sequence[str]) -> _Holes | None:
    """Return where values are missing, None if nowhere; raise if values are infinite."""
    with np.errstate(all="ignore"):
        if np.isfinite(rows.sum()):
            return None
    n, p = rows.shape
    complete = np.empty(n, dtype=np.bool_)
    per_column = np.zeros(p, dtype=np.intp)
    infinite = np.zeros(p, dtype=np.intp)
    first_infinite = -1
    for start in range(0, n, _SCAN_ROWS):
        chunk = rows[start : start + _SCAN_ROWS]
        absent = np.isnan(chunk)
        boundless = np.isinf(chunk)
        complete[start : start + _SCAN_ROWS] = ~absent.any(axis=1)
        per_column += absent.sum(axis=0)
        infinite += boundless.sum(axis=0)
        if first_infinite < 0 and boundless.any():
            first_infinite = start + int(np.flatnonzero(boundless.any(axis=1))[0])
    if first_infinite >= 0:
        found = [f"{name!r} ({count})" for name, count in zip(names, infinite, strict=True) if count]
        raise DataError(
            f"data= holds infinite values in {', '.join(found)}, first in row {first_infinite} (counted from 0). "
            "Correct them, or mark them as missing (NaN)."
        )
    return None if complete.all() else _Holes(complete, per_column)


def _record_dropped(grouping: Grouping, holes: _Holes | None) -> tuple[DroppedRows, ...]:
    """Return what is not used: rows of groups not selected, without group, and with missing values (per group)."""
    found = [
        drop_record("group not selected", "", np.flatnonzero(grouping.codes == grouping.NOT_SELECTED)),
        drop_record("missing group", "", np.flatnonzero(grouping.codes == grouping.NO_GROUP)),
    ]
    if holes is not None:
        for code, label in enumerate(grouping.labels):
            found.append(drop_record("missing value", label, np.flatnonzero(~holes.complete & (grouping.codes == code))))
    return tuple(record for record in found if record.count)


def _split(rows: NDArray[np.float64], grouping: Grouping, keep: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    if len(grouping.labels) == 1:
        return [rows if keep.all() else rows[keep]]
    return [rows[keep & (grouping.codes == code)] for code in range(len(grouping.labels))]


def _block(rows: NDArray[np.float64], names: Sequence[str], label: str, where: str, missing: int) -> BlockSample:
    n, p = rows.shape
    lost = f" ({missing} rows of the data have missing values)" if missing else ""
    if n == 0:
        raise DataError(f"No row is complete{where}: every row has a missing value{lost}. Leave out the variables with most missing values.")
    if n < 2:
        raise DataError(f"Only one row can be used{where}{lost}. A covariance needs at least two rows; {p} variables need at least {p + 1}.")
    _check_constant(rows, names, where)
    if n <= p:
        raise DataError(
            f"{n} rows are too few for {p} variables{where}{lost}: their covariance matrix cannot be positive definite. "
            f"Use at least {p + 1} rows, or fewer variables."
        )
    with np.errstate(all="ignore"):  # overflow is reported by name below
        mean, cov = moments(rows)
    if not (np.isfinite(cov).all() and np.isfinite(mean).all()):
        largest = np.abs(rows).max(axis=0)
        at = int(np.argmax(largest))
        raise DataError(f"The values of {names[at]!r}{where} are too large to be squared (up to {largest[at]:g}). Rescale the variable.")
    at = int(np.argmin(np.diagonal(cov)))
    if cov[at, at] < SMALLEST_VARIANCE:
        raise DataError(f"The differences between the values of {names[at]!r}{where} are too small to be squared. Rescale the variable.")
    check_covariance(cov, names, f" of the data{where}")
    return BlockSample(label, n, mean, cov, rows)


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


def _missing_notice(missing: int, chosen: int, names: Sequence[str], holes: _Holes | None) -> TrustsemWarning | None:
    if missing <= _WORTH_A_WARNING * chosen:
        return None
    most = ""
    if holes is not None:
        worst = [at for at in np.argsort(-holes.per_column, kind="stable")[:3] if holes.per_column[at]]
        most = " Most values are missing in " + ", ".join(f"{names[at]!r} ({holes.per_column[at]})" for at in worst) + "."
    return TrustsemWarning("TS-DATA-01", f"{missing} of {chosen} rows ({100 * missing / chosen:.1f} %) were dropped.{most}")
