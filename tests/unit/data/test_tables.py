from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trustsem.data import read_table
from trustsem.data.tables import _exact_numbers
from trustsem.errors import DataError

DATA = pd.DataFrame({"x": [1.5, np.nan, 0.1 + 0.2], "n": [1, 2, 3], "g": ["a", "None", "b"]})


def refused(path: object) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_text_round_trips_with_every_digit(tmp_path: Path) -> None:
    DATA.to_csv(tmp_path / "d.csv", index=False)
    DATA.to_csv(tmp_path / "d.TSV", index=False, sep="\t")
    for name in ("d.csv", "d.TSV"):
        pd.testing.assert_frame_equal(read_table(tmp_path / name), DATA, check_exact=True)
    assert read_table(str(tmp_path / "d.csv")).shape == (3, 3)


def test_older_pandas_needs_an_option_to_read_every_digit() -> None:
    assert _exact_numbers("2.2.3") == _exact_numbers("3.0.1") == {"float_precision": "round_trip"}
    assert _exact_numbers("3.1.0rc1") == _exact_numbers("4.0.0") == {}


def test_binary_formats_round_trip(tmp_path: Path) -> None:
    DATA.to_parquet(tmp_path / "d.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "d.parquet"), DATA)
    answers = pd.DataFrame({"q": pd.Categorical(["no", "yes", "no"], categories=["no", "yes"], ordered=True), "x": [1.0, 2, 3]})
    answers.to_stata(tmp_path / "d.dta", write_index=False)
    read = read_table(tmp_path / "d.dta")
    assert read["q"].tolist() == [0, 1, 0]
    assert read["x"].tolist() == [1.0, 2.0, 3.0]


def test_missing_values_and_byte_order_mark(tmp_path: Path) -> None:
    file = write(tmp_path / "d.csv", "\ufeffx,y\n1,NA\n,2\nNaN,3\nN/A,4\nnull,5\nNULL,6\n#N/A,7\n8,nan\n")
    data = read_table(file)
    assert list(data) == ["x", "y"]
    assert data["x"].isna().sum() == 6
    assert data["y"].isna().sum() == 2


def test_places_that_are_not_files(tmp_path: Path) -> None:
    write(tmp_path / "survey.csv", "x\n1\n")
    assert "There is no file" in refused(tmp_path / "survy.csv")
    assert "Did you mean 'survey.csv'?" in refused(tmp_path / "survy.csv")
    assert "There is no folder" in refused(tmp_path / "nowhere" / "d.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder. Give the path of a file in it." in refused(tmp_path / "folder.csv")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "d.csv", "x\n1\n")

    def forbidden(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    assert "cannot be read: [Errno 13] Permission denied." in refused(file)


def test_endings(tmp_path: Path) -> None:
    for name in ("d.xlsx", "d.sav", "d"):
        message = refused(write(tmp_path / name, "x"))
        assert "Files that can be read end in .csv, .tsv, .parquet, .dta. Save it as CSV" in message


def test_nothing_in_it(tmp_path: Path) -> None:
    assert "is empty." in refused(write(tmp_path / "d.csv", ""))
    assert "is empty." in refused(write(tmp_path / "d.parquet", ""))
    assert "is not a table: No columns to parse from file." in refused(write(tmp_path / "d.csv", "\n\n"))
    assert "has no rows (and 2 columns)." in refused(write(tmp_path / "d.csv", "x,y\n"))


def test_content_that_is_not_what_the_ending_says(tmp_path: Path) -> None:
    garbage = bytes(range(256)) * 20
    assert "it holds binary zeros. Save it as CSV" in refused(write(tmp_path / "d.csv", garbage))
    assert "byte 0xe9 cannot be read. Save it as CSV" in refused(write(tmp_path / "d.csv", "x,y\né,1\n".encode("latin-1")))
    assert "is not a Parquet file, or is damaged" in refused(write(tmp_path / "d.parquet", garbage))
    assert "is not a Stata file, or is damaged" in refused(write(tmp_path / "d.dta", garbage))
    assert "is not a Stata file, or is damaged" in refused(write(tmp_path / "d.dta", b"x"))


def test_a_reader_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*args: object, **options: object) -> None:
        raise ImportError("Missing optional dependency 'pyarrow'.")

    monkeypatch.setattr(pd, "read_parquet", absent)
    assert "needs a package that is not installed: Missing optional dependency 'pyarrow'. Install it" in refused(write(tmp_path / "d.parquet", b"x"))


def test_lines_of_different_length(tmp_path: Path) -> None:
    assert "is not a table: Error tokenizing data" in refused(write(tmp_path / "d.csv", "x,y\n1,2\n1,2,3\n"))
    assert "has lines with more fields than the line of column names" in refused(write(tmp_path / "d.csv", "x,y\n1,2,3\n4,5,6\n"))
    assert "Line 3 of" in refused(write(tmp_path / "d.csv", "x,y\n1,2\n1\n3,4\n"))
    # A missing value in the last column is no short line, and blank lines are nothing.
    assert read_table(write(tmp_path / "d.csv", "x,y\n1,\n\n3,4\n"))["y"].isna().sum() == 1


def test_column_names(tmp_path: Path) -> None:
    assert "more than one column named 'x'. Rename" in refused(write(tmp_path / "d.csv", "x,y,x\n1,2,3\n"))
    assert "separated by semicolons. Read it as such with pandas, or save it with commas" in refused(write(tmp_path / "d.csv", "x;y\n1,5;2\n"))
    assert "separated by tabs. Read it as such with pandas, or end its name in .tsv" in refused(write(tmp_path / "d.csv", "x\ty\n1\t2\n"))
    assert "separated by commas. Read it as such with pandas, or end its name in .csv" in refused(write(tmp_path / "d.tsv", "x,y\n1,2\n"))
    assert list(read_table(write(tmp_path / "d.csv", "only\n1\n2\n"))) == ["only"]
