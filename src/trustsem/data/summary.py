"""From published moments to a :class:`~trustsem.data.sample.Sample`: covariance matrices, means and numbers of observations."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trustsem.data.columns import check_names
from trustsem.data.groups import check_labels
from trustsem.data.matrices import read_square, read_vector
from trustsem.data.moments import check_covariance, join_names, scale_notice
from trustsem.data.sample import BlockSample, Sample
from trustsem.errors import DataError, OptionError, TrustsemWarning, closest

__all__ = ["sample_from_moments"]

_UNIT = 1e-8
_GROUP = "group"


def sample_from_moments(
    sample_cov: Any,
    sample_nobs: Any,
    sample_mean: Any = None,
    names: Sequence[str] | None = None,
    group_label: Sequence[str] | None = None,
) -> Sample:
    """Turn summary statistics into a sample.

    Parameters
    ----------
    sample_cov : DataFrame, array of shape (p, p), or dict or list of these
        Unbiased covariance matrix (divisor n - 1); for several groups a dict by group label, or a list. A lower triangle with zeros
        or NaN above the diagonal is completed. Rows labelled by text are put into the order of the columns.
    sample_nobs : int, or dict or list of int
        Number of observations, at least 2; one per group. It may be smaller than the number of variables: what matters is that the
        matrix is positive definite.
    sample_mean : Series, mapping or array of length p, or dict or list of these, optional
        Means, matched by name where they have names.
    names : sequence of str, optional
        Variables of an array; for a DataFrame the variables wanted, in the order wanted.
    group_label : sequence of str, optional
        Labels of the groups of a list; for a dict the groups wanted, in the order wanted.

    Returns
    -------
    Sample
        Without rows. Its `notices` hold TS-DATA-03 if a matrix has a unit diagonal (correlations), and TS-DATA-02 if variances
        differ by a factor above 1e6.

    Raises
    ------
    DataError
        If a matrix is not square, symmetric and positive definite, or means, names and groups do not fit each other.
    OptionError
        If `sample_nobs` is missing or not a whole number of at least 2, or `names` or `group_label` are malformed.
    """
    wanted = None if names is None else check_names(names)
    groups = _read_groups(sample_cov, group_label)
    counts = _per_group(sample_nobs, groups, "sample_nobs")
    means = _per_group(sample_mean, groups, "sample_mean")
    first: tuple[str, ...] | None = None
    blocks: list[BlockSample] = []
    for label, cov, count, mean in zip(groups.labels, groups.covs, counts, means, strict=True):
        where = f" of group {label!r}" if groups.several else ""
        variables, matrix = _read_matrix(cov, wanted, first, where)
        first = variables
        known = variables if wanted is None else tuple(getattr(cov, "columns", variables))
        vector = None if mean is None else read_vector(mean, variables, f"sample_mean={where}", known)
        blocks.append(BlockSample(label, _read_nobs(count, where), vector, matrix, None))
    return _wrap(first or (), blocks, groups.several)


class _Groups(NamedTuple):
    """The covariance matrices as given, one per group, and all labels that exist (more than are used if some were selected)."""

    labels: tuple[str, ...]
    covs: tuple[Any, ...]
    existing: tuple[str, ...]
    several: bool


def _read_groups(sample_cov: Any, group_label: Sequence[str] | None) -> _Groups:
    wanted = None if group_label is None else check_labels(group_label)
    if isinstance(sample_cov, Mapping):
        by_label = {str(label): cov for label, cov in sample_cov.items()}
        existing = tuple(by_label)
        if not by_label or len(by_label) < len(sample_cov):
            raise DataError(f"sample_cov= must hold one matrix per group, by distinct labels, not {[str(key) for key in sample_cov]!r}.")
        for label in wanted or ():
            if label not in by_label:
                raise DataError(f"sample_cov= has no group {label!r}.{closest(label, existing)} It has: {join_names(existing)}.")
        labels = wanted or existing
        return _Groups(labels, tuple(by_label[label] for label in labels), existing, True)
    if _is_list_of_matrices(sample_cov):
        labels = wanted or tuple(f"Group {at + 1}" for at in range(len(sample_cov)))
        if len(labels) != len(sample_cov):
            raise OptionError(f"group_label= has {len(labels)} labels, but sample_cov= has {len(sample_cov)} groups. Give one label per group.")
        return _Groups(labels, tuple(sample_cov), labels, True)
    if wanted is not None:
        raise OptionError("group_label= needs several groups. Pass sample_cov= as a dict by group label, or leave group_label= out.")
    return _Groups(("",), (sample_cov,), ("",), False)


def _is_list_of_matrices(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 3
    return isinstance(value, list | tuple) and any(_dimensions(element) == 2 for element in value)


def _dimensions(value: Any) -> int:
    """Return the number of dimensions of a frame, an array or nested lists (looking at first elements only)."""
    if hasattr(value, "shape"):
        return len(value.shape)
    if isinstance(value, list | tuple):
        return 1 + (_dimensions(value[0]) if value else 0)
    return 0


def _per_group(value: Any, groups: _Groups, option: str) -> tuple[Any, ...]:
    """Return one `value` per group: the value itself for one group, else from a dict by label or from a list."""
    if not groups.several:
        return (value,)
    if value is None and option == "sample_mean":
        return (None,) * len(groups.labels)
    if isinstance(value, Mapping):
        by_label = {str(label): item for label, item in value.items()}
        for label in by_label:
            if label not in groups.existing:
                raise DataError(f"{option}= has the group {label!r}, which sample_cov= has not.{closest(label, groups.existing)}")
        for label in groups.labels:
            if label not in by_label:
                raise DataError(f"{option}= has nothing for the group {label!r}. Give one entry per group: {join_names(groups.labels)}.")
        return tuple(by_label[label] for label in groups.labels)
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != len(groups.labels):
        raise OptionError(f"{option}= must be a dict or a list with one entry for each of {len(groups.labels)} groups: {join_names(groups.labels)}.")
    return tuple(value)


def _read_nobs(value: Any, where: str) -> int:
    if value is None:
        raise OptionError(f"sample_nobs={where} is missing. Give the number of observations behind the covariance matrix.")
    whole = isinstance(value, numbers.Integral) or (isinstance(value, numbers.Real) and float(value).is_integer())
    if isinstance(value, bool | np.bool_) or not whole or value < 2:
        raise OptionError(f"sample_nobs={where} must be a whole number of at least 2, not {value!r}. Give the number of observations.")
    return int(value)


def _read_matrix(cov: Any, names: Sequence[str] | None, first: tuple[str, ...] | None, where: str) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the variables and the checked matrix of one group, in the order of the first group."""
    matrix, found = read_square(cov, names, f"sample_cov={where}")
    variables = found if first is None else first
    if set(found) != set(variables):
        odd = join_names(sorted(set(found) ^ set(variables)))
        raise DataError(f"The groups of sample_cov= do not have the same variables: {odd} are in one only. Pass names= with the variables wanted.")
    index = [found.index(name) for name in variables]
    matrix = matrix[np.ix_(index, index)]
    check_covariance(matrix, variables, where)
    return variables, (matrix + matrix.T) / 2  # averages out the asymmetry that the check tolerates as rounding


def _wrap(names: tuple[str, ...], blocks: list[BlockSample], several: bool) -> Sample:
    places = [(f" in group {block.label!r}" if several else "", block.cov) for block in blocks]
    notices = (_correlation_notice(places), scale_notice(places, names))
    return Sample(
        names=names,
        blocks=tuple(blocks),
        group=_GROUP if several else None,
        dropped=(),
        n_read=sum(block.n for block in blocks),
        notices=tuple(notice for notice in notices if notice is not None),
    )


def _correlation_notice(places: Sequence[tuple[str, NDArray[np.float64]]]) -> TrustsemWarning | None:
    found = [where for where, cov in places if len(cov) > 1 and (np.abs(np.diagonal(cov) - 1.0) <= _UNIT).all()]
    return TrustsemWarning("TS-DATA-03", f"All variances of sample_cov= are 1{' and'.join(found)}.") if found else None
