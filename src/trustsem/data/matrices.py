"""Covariance matrices as people have them: correlations with standard deviations, and lower triangles typed from a paper."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trustsem.data.columns import check_names
from trustsem.data.moments import join_names
from trustsem.errors import DataError, closest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cor2cov", "cov_from_lower", "fill_lower", "read_square", "read_vector"]

_SEPARATORS = re.compile(r"[\s,;]+")
_UNIT = 1e-8


def cor2cov(R: Any, sds: Any, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Turn a correlation matrix and standard deviations into a covariance matrix.

    Parameters
    ----------
    R : DataFrame or array of shape (p, p)
        Correlations; a lower triangle with zeros or NaN above the diagonal will do.
    sds : Series, mapping or sequence of length p
        Standard deviations, all positive; matched by name where they have names.
    names : sequence of str, optional
        The p variables, needed if `R` has no labels.

    Returns
    -------
    DataFrame of shape (p, p)
        Covariances, with the variables as row and column labels.

    Raises
    ------
    DataError
        If `R` is not a correlation matrix or the standard deviations do not fit it.
    OptionError
        If `names` are not distinct texts.
    """
    matrix, labels = read_square(R, names, "R=")
    off = np.abs(np.diagonal(matrix) - 1.0)
    if not (off <= _UNIT).all():
        at = int(np.argmax(~(off <= _UNIT)))
        raise DataError(
            f"R= is not a correlation matrix: its diagonal is {matrix[at, at]:g} at {labels[at]!r}, not 1. Pass covariances as sample_cov=."
        )
    beyond = np.argwhere(~(np.abs(matrix) <= 1.0 + _UNIT))
    if len(beyond):
        row, column = (int(at) for at in beyond[0])
        raise DataError(
            f"R= has {matrix[row, column]:g} for {labels[row]!r} with {labels[column]!r}. Correlations lie between -1 and 1. Correct this element."
        )
    scale = read_vector(sds, labels, "sds=")
    if not (scale > 0).all():
        at = int(np.argmin(scale))
        raise DataError(f"sds= has {scale[at]:g} for {labels[at]!r}. Standard deviations are positive. Correct it, or leave the variable out.")
    return _labelled(matrix * scale * scale[:, None], labels)


def cov_from_lower(text_or_values: str | Iterable[float], names: Sequence[str] | None = None, diagonal: bool = True) -> pd.DataFrame:
    """Read a symmetric matrix from its lower triangle, row by row, as papers print it.

    Parameters
    ----------
    text_or_values : str or iterable of float
        The elements of the lower triangle, row by row. Text is split at blanks, line ends, commas and semicolons.
    names : sequence of str, optional
        The p variables; V1, V2, ... by default.
    diagonal : bool
        Whether the diagonal is there. If not, it is 1: the elements are correlations.

    Returns
    -------
    DataFrame of shape (p, p)
        The symmetric matrix, with the variables as row and column labels.

    Raises
    ------
    DataError
        If an element is not a number, or their count is not that of a lower triangle of p variables.
    OptionError
        If `names` are not distinct texts.

    Examples
    --------
    >>> cov_from_lower("1.0  0.5 1.2", names=["trust", "commitment"])
                trust  commitment
    trust         1.0         0.5
    commitment    0.5         1.2
    """
    values = _read_values(text_or_values)
    wanted = None if names is None else check_names(names)
    shift = 0 if diagonal else 1
    p = _size_of_triangle(len(values), shift) if wanted is None else len(wanted)
    if p < 1 or len(values) != (p * (p + 1)) // 2 - shift * p:
        needed = p * (p + 1) // 2 - shift * p
        form = "with" if diagonal else "without"
        full = " They look like the full matrix; give its lower triangle only." if len(values) == p * p > 1 else ""
        other = p * (p - 1) // 2 + shift * p
        switch = f" Pass diagonal={not diagonal}, perhaps." if len(values) == other and not full and wanted is not None else ""
        whose = f"{p} variables have {needed} elements" if wanted is not None else "no number of variables has so many"
        raise DataError(
            f"{len(values)} values were given; in a lower triangle {form} its diagonal {whose}.{full}{switch} Check the values and names=."
        )
    matrix = np.eye(p)
    matrix[np.tril_indices(p, -shift)] = values
    labels = tuple(f"V{at + 1}" for at in range(p)) if wanted is None else wanted
    return _labelled(np.tril(matrix) + np.tril(matrix, -1).T, labels)


def _read_values(given: str | Iterable[float]) -> NDArray[np.float64]:
    tokens: list[Any] = (
        [token for token in _SEPARATORS.split(given) if token] if isinstance(given, str) else list(np.ravel(np.asarray(given, dtype=object)))
    )
    values = np.empty(len(tokens))
    for at, token in enumerate(tokens):
        try:
            values[at] = float(token)
        except (TypeError, ValueError, OverflowError):
            raise DataError(f"Value {at + 1} of the lower triangle is {token!r}, which is not a number. Write decimals with a point: 0.45.") from None
    if not np.isfinite(values).all():
        at = int(np.argmin(np.isfinite(values)))
        raise DataError(f"Value {at + 1} of the lower triangle is {values[at]}. Every element must be a finite number.")
    return values


def _size_of_triangle(count: int, shift: int) -> int:
    """Return p such that a lower triangle has `count` elements, or 0 if there is none."""
    p = round((np.sqrt(8 * count + 1) - 1) / 2)
    return p + shift if count and p * (p + 1) // 2 == count else 0


def _distinct(columns: Sequence[Any], option: str) -> tuple[str, ...]:
    """Return the column labels of a matrix, after making sure that they can be names of variables."""
    for label in columns:
        if not isinstance(label, str):
            raise DataError(f"{option} has a column named {label!r}. Variable names must be text.")
    labels = tuple(columns)
    repeated = [label for at, label in enumerate(labels) if label in labels[:at]]
    if repeated:
        raise DataError(f"{option} has more than one column named {join_names(repeated)}. Name every variable once.")
    return labels


def _labelled(matrix: NDArray[np.float64], labels: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(matrix, index=list(labels), columns=list(labels))


def read_square(given: Any, names: Sequence[str] | None, option: str) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return a square matrix and its variable names.

    Parameters
    ----------
    given : DataFrame or array of shape (p, p)
        A frame brings its column names; its rows, if labelled by text, are put into the order of the columns.
    names : sequence of str or None
        For an array: the names of its variables. For a frame: the variables wanted, in the order wanted.
    option : str
        The argument as messages call it, such as ``"sample_cov="``.

    Raises
    ------
    DataError
        If the matrix is not square or not numeric, or the names do not fit.
    OptionError
        If `names` are not distinct texts.
    """
    columns = getattr(given, "columns", None)
    if columns is None:
        matrix = fill_lower(_numeric_square(given, option))
        if names is None:
            raise DataError(f"{option} has no variable names. Pass names=, or a DataFrame whose columns are named.")
        labels = check_names(names)
        if len(labels) != len(matrix):
            raise DataError(f"names= has {len(labels)} names, but {option} has {len(matrix)} variables. Give one name per variable, in order.")
        return matrix, labels
    labels = _distinct(list(columns), option)
    matrix = fill_lower(_numeric_square(_rows_like_columns(given, labels, option), option))
    if names is None:
        return matrix, labels
    wanted = check_names(names)
    index = [_position(name, labels, option) for name in wanted]
    return matrix[np.ix_(index, index)], wanted


def _rows_like_columns(frame: Any, labels: tuple[str, ...], option: str) -> NDArray[Any]:
    """Return the values of a frame; rows labelled by text must be the columns' and are put into their order."""
    index = getattr(frame, "index", None)
    rows = [] if index is None else list(index)
    values = np.asarray(frame.to_numpy())
    if len(rows) != len(labels) or not any(isinstance(row, str) for row in rows) or tuple(rows) == labels:
        return values
    if set(rows) != set(labels):
        odd = next((row for row in rows if row not in labels), rows[0])
        raise DataError(f"The rows of {option} are not its columns: there is no column {odd!r}.{closest(str(odd), labels)} Label both alike.")
    return values[[rows.index(label) for label in labels]]


def _numeric_square(given: Any, option: str) -> NDArray[np.float64]:
    try:
        matrix = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{option} holds something that is not a number. Give a square matrix of numbers.") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise DataError(f"{option} must be a square matrix, not of shape {matrix.shape}. Give one row and one column per variable.")
    return matrix


def fill_lower(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a lower triangle (zeros or NaN above the diagonal) as a symmetric matrix; anything else as it is."""
    above = matrix[np.triu_indices_from(matrix, 1)]
    below = matrix[np.tril_indices_from(matrix, -1)]
    if len(above) and np.isfinite(below).all() and (np.isnan(above).all() or (not above.any() and below.any())):
        return np.asarray(np.tril(matrix) + np.tril(matrix, -1).T)
    return matrix


def read_vector(given: Any, labels: tuple[str, ...], option: str, known: Sequence[str] | None = None) -> NDArray[np.float64]:
    """Return one finite number per variable, matched by name where `given` (a Series or mapping) has names.

    Parameters
    ----------
    given : Series, mapping or sequence
        The numbers.
    labels : tuple of str
        The p variables wanted.
    option : str
        The argument as messages call it, such as ``"sample_cov="``.
    known : sequence of str, optional
        Names that `given` may have besides `labels`.

    Returns
    -------
    ndarray of shape (p,)

    Raises
    ------
    DataError
        If names or the number of values do not fit, or a value is not a finite number.
    """
    keys = _text_keys(given)
    if keys is not None:
        for key in keys:
            if key not in labels and key not in (known or ()):
                raise DataError(
                    f"{option} has a value for {key!r}, which the matrix has not.{closest(str(key), labels)} It has: {', '.join(labels)}."
                )
        for label in labels:
            if label not in keys:
                raise DataError(f"{option} has no value for {label!r}.{closest(label, keys)} Give one value per variable.")
        given = [given[label] for label in labels]
    try:
        vector = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{option} holds something that is not a number. Give one number per variable.") from None
    if vector.shape != (len(labels),):
        raise DataError(f"{option} must have one value for each of {len(labels)} variables, not shape {vector.shape}. They are: {', '.join(labels)}.")
    if not np.isfinite(vector).all():
        at = int(np.argmin(np.isfinite(vector)))
        raise DataError(f"{option} has {vector[at]} for {labels[at]!r}. Every value must be a finite number.")
    return vector


def _text_keys(given: Any) -> list[str] | None:
    """Return the names that a mapping or a Series labelled by text brings."""
    if isinstance(given, Mapping):
        return list(given)
    index = getattr(given, "index", None)
    if index is None or callable(index):  # lists have a method of this name
        return None
    keys = list(index)
    return keys if any(isinstance(key, str) for key in keys) else None


def _position(name: str, labels: tuple[str, ...], option: str) -> int:
    if name not in labels:
        raise DataError(f"{option} has no variable {name!r}.{closest(name, labels)} It has: {', '.join(labels)}.")
    return labels.index(name)
