"""Reading the named columns of whatever table the user has into one array of doubles."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trustsem.data.moments import join_names
from trustsem.errors import DataError, OptionError, closest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table", "check_names", "open_table"]

_ACCEPTED = "a pandas or polars DataFrame (or another eager frame that narwhals supports), or a mapping of name to one-dimensional array"
# Up to this many cells a block-wise conversion is faster; beyond it, memory matters more.
_SMALL_CELLS = 1_000_000
_STACK_ROWS = 4_096
_NUMERIC_KINDS = frozenset("fiub")
_KINDS = MappingProxyType({"M": "dates or times", "m": "dates or times", "c": "complex numbers"})
_REMEDIES = MappingProxyType(
    {
        "text": "Code the answers as numbers; if the text is numbers, convert it with `pandas.to_numeric`.",
        "categories": "Replace them by numbers, such as `data[name].cat.codes` in pandas or `pl.col(name).to_physical()` in polars.",
        "dates or times": "Convert it to a number, such as days since the start of the study.",
        "complex numbers": "Give its real part, or leave the column out.",
        "something other than numbers": "Convert it to numbers, or leave the column out.",
    }
)


@dataclass(frozen=True)
class Table:
    """An open table: its column names, its number of rows, and how to get a column.

    Parameters
    ----------
    names : tuple of str
        Column names in order.
    n : int
        Number of rows.
    fetch : callable
        Returns a column as a narwhals Series or a NumPy array.
    frame : pandas.DataFrame or None
        The frame itself, where its float columns can be read block-wise.
    """

    names: tuple[str, ...]
    n: int
    fetch: Callable[[str], Any]
    frame: pd.DataFrame | None = None

    def matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the columns as a fresh C-contiguous array of shape (n, p); missing values are NaN.

        Raises
        ------
        DataError
            If a column does not hold numbers.
        """
        if self.frame is not None and self.n * len(names) <= _SMALL_CELLS:
            part = self.frame if tuple(names) == self.names else self.frame[list(names)]
            if all(isinstance(dtype, np.dtype) and dtype.kind in _NUMERIC_KINDS for dtype in part.dtypes):
                return np.array(part.to_numpy(dtype=np.float64), order="C", copy=True)
        columns = [_floats(name, self.fetch(name)) for name in names]
        rows = np.empty((self.n, len(names)))
        for start in range(0, self.n, _STACK_ROWS):
            stop = start + _STACK_ROWS
            for at, column in enumerate(columns):
                rows[start:stop, at] = column[start:stop]
        return rows

    def values(self, name: str) -> NDArray[Any]:
        """Return a column of any type as it is, for use as a grouping variable."""
        column = self.fetch(name)
        return column if isinstance(column, np.ndarray) else np.asarray(column.to_numpy())

    def numeric_names(self) -> tuple[str, ...]:
        """Return the names of the columns that hold numbers (or truth values), in order."""
        return tuple(name for name in self.names if _holds_numbers(self.fetch(name)))


def open_table(data: Any, names: Sequence[str] | None) -> Table:
    """Open a frame or a mapping of arrays.

    Parameters
    ----------
    data : object
        A DataFrame that narwhals supports eagerly, or a mapping of name to one-dimensional array.
    names : sequence of str or None
        The columns that will be read; None for all. Columns that will not be read may be anything, even ambiguous.

    Raises
    ------
    DataError
        If `data` is of another type, a name occurs twice, is not text, or does not exist, or the columns differ in length.
    """
    import narwhals as nw

    if nw.dependencies.is_pandas_dataframe(data):
        return _open_pandas(data, names)
    if isinstance(data, Mapping):
        return _open_mapping(data, names)
    try:
        frame = nw.from_native(data, eager_only=True)
    except TypeError:
        kind = type(data).__name__
        remedy = ""
        if hasattr(data, "collect"):
            remedy = " Collect it first: `data.collect()`."
        elif isinstance(data, np.ndarray):
            remedy = " Name its columns: `pandas.DataFrame(array, columns=[...])`."
        raise DataError(f"data= must be {_ACCEPTED}, not {kind!r}.{remedy}") from None
    columns = tuple(frame.columns)
    _require(columns, names)
    return Table(columns, len(frame), frame.get_column)


def _open_pandas(data: pd.DataFrame, names: Sequence[str] | None) -> Table:
    import narwhals as nw

    labels = data.columns
    if labels.is_unique:
        repeated: list[Any] = []
    else:
        repeated = [label for label in labels[labels.duplicated()].unique() if names is None or label in names]
    if repeated:
        raise DataError(f"data= has more than one column named {join_names(repeated)}. Rename or remove all but one of each.")
    if names is None and any(not isinstance(label, str) for label in labels):
        label = next(label for label in labels if not isinstance(label, str))
        raise DataError(f"data= has a column whose name is not text: {label!r}. Rename the columns, as by `data.columns = data.columns.map(str)`.")
    columns = tuple(labels)
    _require(columns, names)
    return Table(columns, len(data), lambda name: nw.from_native(data[name], series_only=True), data)


def _open_mapping(data: Mapping[Any, Any], names: Sequence[str] | None) -> Table:
    columns = tuple(data)
    if names is None and any(not isinstance(label, str) for label in columns):
        label = next(label for label in columns if not isinstance(label, str))
        raise DataError(f"data= has a key that is not text: {label!r}. Use text as names of the variables.")
    _require(columns, names)
    arrays = {name: _one_dimensional(name, data[name]) for name in (columns if names is None else names)}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        first = next(iter(lengths))
        other = next(name for name, length in lengths.items() if length != lengths[first])
        raise DataError(
            f"The arrays of data= differ in length: {lengths[first]} values in {first!r}, {lengths[other]} in {other!r}. "
            "Give one value per row for every variable; mark missing ones as NaN."
        )
    return Table(columns, next(iter(lengths.values()), 0), arrays.__getitem__)


def _one_dimensional(name: str, value: Any) -> NDArray[Any]:
    if isinstance(value, np.ma.MaskedArray):
        value = np.array(value.tolist(), dtype=object)
    try:
        array = np.asarray(value)
    except ValueError:  # ragged nested sequences
        array = np.empty(())
    if array.ndim != 1:
        raise DataError(f"data[{name!r}] must be a one-dimensional array, not {type(value).__name__} of {_shape(value)}. Give one value per row.")
    return array


def _shape(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"shape {shape}" if shape is not None else "another shape"


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return `names` as a tuple, after making sure that they are distinct texts.

    Raises
    ------
    OptionError
        If they are not, or if there are none.
    """
    if isinstance(names, str):
        raise OptionError(f"names= must be a sequence of variable names, not the text {names!r}. Write names=[{names!r}].")
    wanted = tuple(names)
    if not wanted:
        raise OptionError("names= is empty. Name at least one variable, or pass None for all numeric columns.")
    for name in wanted:
        if not isinstance(name, str):
            raise OptionError(f"names= must hold text, not {name!r}.")
    repeated = [name for at, name in enumerate(wanted) if name in wanted[:at]]
    if repeated:
        raise OptionError(f"names= holds {join_names(repeated)} more than once. Name every variable once.")
    return wanted


def _require(columns: tuple[Any, ...], names: Sequence[str] | None) -> None:
    """Raise if one of `names` is not among `columns`."""
    if names is None:
        return
    known = set(columns)
    absent = [name for name in names if name not in known]
    if not absent:
        return
    texts = [column for column in columns if isinstance(column, str)]
    hints = [(name, found) for name in absent if (found := closest(name, texts))]
    hint = "".join(found if len(absent) == 1 else f" For {name!r}:{found}" for name, found in hints)
    exist = f"It has {len(columns)} columns: {', '.join(str(column) for column in columns[:12])}{', ...' if len(columns) > 12 else ''}."
    raise DataError(f"data= has no column{'s' if len(absent) > 1 else ''} {join_names(absent)}.{hint} {exist if columns else 'It has no columns.'}")


def _floats(name: str, column: Any) -> NDArray[np.float64]:
    """Return a column as doubles (no copy where it holds doubles already), or refuse it by what it holds."""
    if isinstance(column, np.ndarray):
        return _array_floats(name, column)
    import narwhals as nw

    dtype = column.dtype
    if dtype == nw.Float64:
        return np.asarray(column.to_numpy())
    if dtype.is_numeric() or dtype == nw.Boolean:
        return np.asarray(column.cast(nw.Float64).to_numpy())
    if dtype == nw.String:
        raise _not_numbers(name, "text", column.drop_nulls().to_list())
    if dtype in (nw.Categorical, nw.Enum):
        raise _not_numbers(name, "categories", column.drop_nulls().to_list())
    if dtype.is_temporal():
        raise _not_numbers(name, "dates or times", column.drop_nulls().to_list())
    return _array_floats(name, np.asarray(column.to_numpy()))


def _array_floats(name: str, array: NDArray[Any]) -> NDArray[np.float64]:
    kind = array.dtype.kind
    if kind in _NUMERIC_KINDS:
        return array.astype(np.float64, copy=False)
    if kind in "USO":
        values = array.tolist()
        odd = [value for value in values if not (_is_number(value) or _is_missing(value))]
        if odd:
            raise _not_numbers(name, "text" if isinstance(odd[0], str | bytes) else "something other than numbers", odd)
        try:
            return np.array([np.nan if _is_missing(value) else float(value) for value in values], dtype=np.float64)
        except (OverflowError, ValueError) as error:
            raise DataError(f"Column {name!r} of data= holds a number that does not fit a double ({error}). Rescale the column.") from None
    raise _not_numbers(name, _KINDS.get(kind, "something other than numbers"), array.tolist())


def _not_numbers(name: str, what: str, values: Sequence[Any]) -> DataError:
    example = f", such as {_short(values[0])}" if len(values) else ""
    return DataError(f"Column {name!r} of data= holds {what}{example}; numbers are needed. {_REMEDIES[what]}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real | Decimal | np.bool_)


def _is_missing(value: Any) -> bool:
    # pandas.NA answers every comparison with itself, so it is recognised by its type.
    return value is None or type(value).__name__ == "NAType"


def _holds_numbers(column: Any) -> bool:
    import narwhals as nw

    if not isinstance(column, np.ndarray):
        dtype = column.dtype
        if dtype.is_numeric() or dtype == nw.Boolean:
            return True
        if dtype != nw.Object and dtype != nw.Unknown:
            return False
        column = np.asarray(column.to_numpy())
    if column.dtype.kind in _NUMERIC_KINDS:
        return True
    if column.dtype.kind != "O":
        return False
    values = column.tolist()
    return any(_is_number(value) for value in values) and all(_is_number(value) or _is_missing(value) for value in values)
