"""Reading a table from a file, with one clear line where that fails."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from trustsem.data.moments import join_names
from trustsem.errors import DataError, closest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_table"]

# pandas would also take "None" and "-nan" and more; these are what other software writes.
_MISSING_TEXTS = ("", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null")
_PROBE_BYTES = 65_536
_SAVE_AS = "Save it as CSV (UTF-8, separated by commas) or Parquet."


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table from a CSV, TSV, Parquet or Stata file.

    Parameters
    ----------
    path : str or path
        The file; its ending (``.csv``, ``.tsv``, ``.parquet`` or ``.dta``) says what it is. Text is UTF-8 with the names of the
        columns in the first line; empty fields, NA, N/A, #N/A, NaN and NULL are missing values. Of a Stata file the numbers are
        read, not their labels.

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If the file does not exist, is a folder, is empty, or is not what its ending says: wrong encoding, binary content, lines of
        different length, two columns of one name.
    """
    file = Path(path).expanduser()
    ending = file.suffix.lower()
    reader = _READERS.get(ending)
    if reader is None:
        raise DataError(f"{str(file)!r} has the ending {ending!r}. Files that can be read end in {', '.join(_READERS)}. {_SAVE_AS}")
    if file.is_dir():
        raise DataError(f"{str(file)!r} is a folder. Give the path of a file in it.")
    if not file.exists():
        near = (
            closest(file.name, [entry.name for entry in file.parent.iterdir()])
            if file.parent.is_dir()
            else f" There is no folder {str(file.parent)!r}."
        )
        raise DataError(f"There is no file {str(file)!r}.{near} Check the path.")
    try:
        size = file.stat().st_size
        frame = reader(file) if size else None
    except OSError as error:
        raise DataError(f"{str(file)!r} cannot be read: {_first_line(error)}. {_SAVE_AS}") from None
    if frame is None:
        raise DataError(f"{str(file)!r} is empty. Give a file with a line of column names and a line per row.")
    if frame.empty:
        raise DataError(f"{str(file)!r} has no rows (and {len(frame.columns)} columns). Give a file with a line per row.")
    return frame


def _first_line(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0]
    return (text or type(error).__name__).rstrip(".")


def _read_text(file: Path, separator: str) -> pd.DataFrame:
    import pandas as pd

    with file.open("rb") as stream:
        if b"\0" in stream.read(_PROBE_BYTES):
            raise DataError(f"{str(file)!r} is not a text file in UTF-8: it holds binary zeros. {_SAVE_AS}")
    try:
        _check_header(file, separator)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Without index_col=False, lines with one field too many would lose their first column to the index.
            frame: pd.DataFrame = pd.read_csv(
                file,
                sep=separator,
                encoding="utf-8-sig",
                index_col=False,
                keep_default_na=False,
                na_values=list(_MISSING_TEXTS),
                low_memory=False,
                **_exact_numbers(pd.__version__),
            )
    except UnicodeDecodeError as error:
        raise DataError(f"{str(file)!r} is not a text file in UTF-8: byte {error.object[error.start]:#04x} cannot be read. {_SAVE_AS}") from None
    except pd.errors.ParserWarning:
        raise DataError(f"{str(file)!r} has lines with more fields than the line of column names. Correct the file.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise DataError(f"{str(file)!r} is not a table: {_first_line(error)}. Correct the file.") from None
    if len(frame) and frame.iloc[:, -1].isna().any():
        _check_short_lines(file, separator)
    return frame


def _exact_numbers(pandas_version: str) -> dict[str, Any]:
    """Return the option by which pandas reads every digit; from 3.1 on it always does, and deprecates the option."""
    major, minor = (int(part) for part in pandas_version.split(".")[:2])
    return {} if (major, minor) >= (3, 1) else {"float_precision": "round_trip"}


def _check_header(file: Path, separator: str) -> None:
    """Raise if a name occurs twice (pandas would rename it), or if the separator is another one."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        header = next(csv.reader(stream, delimiter=separator), [])
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise DataError(f"{str(file)!r} has more than one column named {join_names(repeated)}. Rename or remove all but one of each.")
    for other, name in ((";", "semicolons"), ("\t", "tabs"), (",", "commas")):
        if len(header) == 1 and other in header[0]:
            instead = (
                "end its name in .tsv"
                if other == "\t"
                else "save it with commas (and decimal points)"
                if separator == ","
                else "end its name in .csv"
            )
            raise DataError(f"{str(file)!r} seems to be separated by {name}. Read it as such with pandas, or {instead}.")


def _check_short_lines(file: Path, separator: str) -> None:
    """Raise if a line has too few fields, which pandas would take for missing values."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        lines = csv.reader(stream, delimiter=separator)
        width = len(next(lines))
        for fields in lines:
            if fields and len(fields) < width:
                place = f"Line {lines.line_num} of {str(file)!r}"
                raise DataError(f"{place} has {len(fields)} fields instead of {width}. Correct the file; mark missing values by NA.")


def _read_csv(file: Path) -> pd.DataFrame:
    return _read_text(file, ",")


def _read_tsv(file: Path) -> pd.DataFrame:
    return _read_text(file, "\t")


def _read_parquet(file: Path) -> pd.DataFrame:
    import pandas as pd

    return _guarded(file, "Parquet", lambda: pd.read_parquet(file))


def _read_stata(file: Path) -> pd.DataFrame:
    import pandas as pd

    return _guarded(file, "Stata", lambda: pd.read_stata(file, convert_categoricals=False))


def _guarded(file: Path, kind: str, read: Callable[[], Any]) -> pd.DataFrame:
    try:
        frame: pd.DataFrame = read()
    except ImportError as error:
        raise DataError(
            f"Reading {kind} files needs a package that is not installed: {_first_line(error)}. Install it, or save the file as CSV."
        ) from None
    except Exception as error:  # on a damaged file these readers raise whatever they stumble over
        raise DataError(f"{str(file)!r} is not a {kind} file, or is damaged: {_first_line(error)}. {_SAVE_AS}") from None
    return frame


_READERS = MappingProxyType({".csv": _read_csv, ".tsv": _read_tsv, ".parquet": _read_parquet, ".dta": _read_stata})
