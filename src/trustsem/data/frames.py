"""From a data frame to a :class:`~trustsem.data.sample.Sample`: groups, missing values, and everything that can be wrong with data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trustsem.data.blocks import BlockRows, make_block
from trustsem.data.columns import Table, check_names, open_table
from trustsem.data.groups import Grouping, no_grouping, read_grouping
from trustsem.data.moments import scale_notice
from trustsem.data.nesting import check_weights, read_clusters
from trustsem.data.sample import DroppedRows, Sample, drop_record
from trustsem.errors import DataError, OptionError, TrustsemWarning
from trustsem.options import missing_treatment

__all__ = ["sample_from_frame", "sample_from_rows"]

_WORTH_A_WARNING = 0.10
_SCAN_ROWS = 8_192


class _Holes(NamedTuple):
    """Where values are missing: per row whether it is complete, per column how many are missing."""

    complete: NDArray[np.bool_]
    per_column: NDArray[np.intp]


class _Reading(NamedTuple):
    """What is read besides the variables, and what becomes of incomplete rows."""

    group: str | None
    grouping: Grouping
    treatment: str
    required: tuple[str, ...]
    cluster: str | None
    weights: str | None


def sample_from_frame(
    data: Any,
    names: Iterable[str] | None = None,
    *,
    group: str | None = None,
    missing: str = "listwise",
    required: Iterable[str] = (),
    group_label: Sequence[str] | None = None,
    cluster: str | None = None,
    sampling_weights: str | None = None,
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
    missing : {"listwise", "fiml", "fiml_x", "two_stage", "robust_two_stage"}
        Listwise: rows with a missing value are dropped. Otherwise rows with some values are kept, and the moments are those of maximum likelihood
        (under their aliases ``"ml"``, ``"direct"``, ``"ml_x"`` too). What is dropped is recorded in `Sample.dropped`.
    required : iterable of str
        Variables without which a row is dropped even so (exogenous covariates); they matter to ``"fiml"`` and the two-stage methods.
    group_label : sequence of str, optional
        The groups to use, in this order. Rows of other groups are dropped and recorded.
    cluster, sampling_weights : str, optional
        Column that says which cluster (team) a row belongs to, and column of sampling weights.

    Returns
    -------
    Sample
        With one block per group. Its `notices` hold TS-DATA-01 if more than 10 % of the rows were dropped because of missing
        values, and TS-DATA-02 if variances differ by a factor above 1e6. They have not been issued as warnings.

    Raises
    ------
    DataError
        If a column is missing, ambiguous, not numeric, infinite or constant; if variables are collinear, or never observed together; if there
        are too few rows; if a row's cluster is not known, or a weight is not positive.
    OptionError
        If `names`, `group`, `missing` or `group_label` is malformed.
    NotAvailableError
        If `missing` names a treatment that this version does not have.
    """
    treatment = missing_treatment(missing)
    wanted = None if names is None else check_names(names)
    table = open_table(data, _columns_to_read(wanted, group, group_label, cluster, sampling_weights))
    if wanted is None:
        wanted = tuple(name for name in table.numeric_names() if name not in (group, cluster, sampling_weights))
        if not wanted:
            raise DataError("data= has no numeric columns. Give a frame with at least one column of numbers.")
    if table.n == 0:
        raise DataError("data= has no rows. Give at least as many rows as variables, plus one.")
    grouping = no_grouping(table.n) if group is None else read_grouping(table.values(group), group, group_label)
    reading = _Reading(group, grouping, treatment, tuple(required) if treatment not in ("listwise", "fiml_x") else (), cluster, sampling_weights)
    return _assemble(table, wanted, reading)


def sample_from_rows(rows: NDArray[np.float64], names: tuple[str, ...], missing: str = "listwise", required: Iterable[str] = ()) -> Sample:
    """Turn an array into a sample of one group, by the shortest way: for whoever fits one model many times.

    Parameters
    ----------
    rows : ndarray of shape (n, p)
        Copied, so that later changes of the array do not reach the sample.
    names : tuple of str
        The p variables, in the order of the columns.
    missing, required
        As for :func:`sample_from_frame`.

    Raises
    ------
    DataError
        As :func:`sample_from_frame`.
    """
    own = np.array(rows, dtype=np.float64, order="C", copy=True)
    if not len(own) or _find_holes(own, names) is not None:
        return sample_from_frame(dict(zip(names, own.T, strict=True)), names, missing=missing, required=required)
    block = make_block(BlockRows(own), names, "", "", "")
    notice = scale_notice([("", block.cov)], names)
    return Sample(names, (block,), None, (), len(own), () if notice is None else (notice,))


def _columns_to_read(
    names: tuple[str, ...] | None, group: str | None, group_label: Sequence[str] | None, cluster: str | None, weights: str | None
) -> tuple[str, ...] | None:
    """Return the columns that will be read (None: all), after checking that the options agree with each other."""
    if group is None and group_label is not None:
        raise OptionError("group_label= needs group=. Name the grouping variable, or leave group_label= out.")
    extra: list[str] = []
    for option, name, what in (("group", group, "grouping"), ("cluster", cluster, "cluster"), ("sampling_weights", weights, "weight")):
        if name is None:
            continue
        if not isinstance(name, str):
            raise OptionError(f"{option}= must be the name of one column, not {name!r}.")
        if names is not None and name in names:
            raise OptionError(f"The {what} variable {name!r} is also among names=. Use another variable as {option}=, or take it out of the model.")
        extra.append(name)
    return None if names is None else tuple(dict.fromkeys((*names, *extra)))


def _assemble(table: Table, names: tuple[str, ...], reading: _Reading) -> Sample:
    rows = table.matrix(names)
    holes = _find_holes(rows, names)
    unusable = _unusable(rows, names, holes, reading)
    codes = reading.grouping.codes
    dropped = _record_dropped(reading.grouping, unusable)
    keep = codes >= 0
    for _, which in unusable:
        keep = keep & ~which
    missing = sum(record.count for record in dropped if record.reason != "group not selected")
    lost = f" ({missing} rows of the data have missing values)" if missing else ""
    labels = reading.grouping.labels
    where = [_where(reading.group, label) for label in labels]
    parts = _split(table, rows, keep, reading)
    del rows
    blocks = tuple(make_block(part, names, label, place, lost) for label, place, part in zip(labels, where, parts, strict=True))
    chosen = table.n - sum(record.count for record in dropped if record.reason == "group not selected")
    notices = (
        _missing_notice(missing, chosen, names, holes),
        _saturated_notice([place for place, block in zip(where, blocks, strict=True) if block.missing is not None and not block.missing.converged]),
        scale_notice([(place, block.cov) for place, block in zip(where, blocks, strict=True)], names),
    )
    found = tuple(notice for notice in notices if notice is not None)
    return Sample(names, blocks, reading.group, dropped, table.n, found, reading.cluster)


def _unusable(rows: NDArray[np.float64], names: Sequence[str], holes: _Holes | None, reading: _Reading) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return why rows cannot be used, with the rows (n,) concerned; no row has two reasons."""
    if holes is None:
        return []
    if reading.treatment == "listwise":
        return [("missing value", np.asarray(~holes.complete))]
    absent = np.isnan(rows)
    empty = absent.all(axis=1)
    needed = [at for at, name in enumerate(names) if name in reading.required]
    return [("every value missing", np.asarray(empty)), ("missing covariate", np.asarray(absent[:, needed].any(axis=1) & ~empty))]


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


def _record_dropped(grouping: Grouping, unusable: Sequence[tuple[str, NDArray[np.bool_]]]) -> tuple[DroppedRows, ...]:
    """Return what is not used: rows of groups not selected, without group, and (per group) the unusable ones."""
    found = [
        drop_record("group not selected", "", np.flatnonzero(grouping.codes == grouping.NOT_SELECTED)),
        drop_record("missing group", "", np.flatnonzero(grouping.codes == grouping.NO_GROUP)),
    ]
    for reason, which in unusable:
        for code, label in enumerate(grouping.labels):
            found.append(drop_record(reason, label, np.flatnonzero(which & (grouping.codes == code))))
    return tuple(record for record in found if record.count)


def _split(table: Table, rows: NDArray[np.float64], keep: NDArray[np.bool_], reading: _Reading) -> list[BlockRows]:
    """Return the rows of every group, with clusters and weights."""
    codes = reading.grouping.codes
    clusters = None if reading.cluster is None else read_clusters(table.values(reading.cluster)[keep], reading.cluster)
    weights = None if reading.weights is None else check_weights(table.matrix([reading.weights])[keep, 0], reading.weights)
    if weights is not None:
        weights = weights * (weights.size / weights.sum())
    inside = codes[keep]
    parts = []
    for code in range(len(reading.grouping.labels)):
        mine = inside == code
        own = rows if keep.all() and mine.all() else rows[keep & (codes == code)]
        parts.append(BlockRows(own, None if weights is None else weights[mine], None if clusters is None else _numbered(clusters[mine])))
    return parts


def _numbered(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of one group's clusters counted from 0, in the order of appearance."""
    _, first, place = np.unique(codes, return_index=True, return_inverse=True)
    position = np.empty_like(first)
    position[np.argsort(first, kind="stable")] = np.arange(first.size)
    return position[place].astype(np.int64)


def _saturated_notice(places: Sequence[str]) -> TrustsemWarning | None:
    if not places:
        return None
    where = f" ({', '.join(place.strip() for place in places)})" if any(places) else ""
    return TrustsemWarning("TS-DATA-05", f"The means and covariances of the incomplete data were not found to full precision{where}.")


def _missing_notice(missing: int, chosen: int, names: Sequence[str], holes: _Holes | None) -> TrustsemWarning | None:
    if missing <= _WORTH_A_WARNING * chosen:
        return None
    most = ""
    if holes is not None:
        worst = [at for at in np.argsort(-holes.per_column, kind="stable")[:3] if holes.per_column[at]]
        most = " Most values are missing in " + ", ".join(f"{names[at]!r} ({holes.per_column[at]})" for at in worst) + "."
    return TrustsemWarning("TS-DATA-01", f"{missing} of {chosen} rows ({100 * missing / chosen:.1f} %) were dropped.{most}")
