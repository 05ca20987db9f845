"""Whatever a frame holds, reading it gives a usable sample or a DataError: nothing else, and no warning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from trustsem.data import Sample, read_table, sample_from_frame, sample_from_moments
from trustsem.errors import DataError

NAMES = ("x1", "x2", "x3", "x4")

T = TypeVar("T")


def attempt(call: Callable[[], T]) -> T | str:
    """Return what was asked for, or the message of the DataError."""
    try:
        return call()
    except DataError as error:
        return str(error)


def is_one_sentence_after_another(message: str) -> bool:
    return "\n" not in message and message.endswith(".")


anything_float = st.floats(allow_nan=True, allow_infinity=True)
usual_float = st.floats(-100, 100, width=32)
mostly_usual = st.one_of(usual_float, usual_float, usual_float, st.just(float("nan")), anything_float)
odd_object = st.one_of(
    st.none(),
    st.just(pd.NA),
    st.integers(),
    anything_float,
    st.booleans(),
    st.decimals(),
    st.text(max_size=3),
    st.complex_numbers(),
    st.lists(st.integers(), max_size=2),
)


def columns(n: int) -> st.SearchStrategy[object]:
    def sized(values: st.SearchStrategy[object]) -> st.SearchStrategy[list[object]]:
        return st.lists(values, min_size=n, max_size=n)

    def series(values: st.SearchStrategy[object], dtype: str) -> st.SearchStrategy[object]:
        return sized(values).map(lambda column: pd.Series(column, dtype=dtype))

    return st.one_of(
        series(usual_float, "float64"),
        series(mostly_usual, "float64"),
        series(anything_float, "float64"),
        series(usual_float, "float32"),
        series(st.integers(-5, 5), "int64"),
        series(st.integers(0, 200), "uint8"),
        series(st.booleans(), "bool"),
        series(st.one_of(st.none(), st.integers(-(2**62), 2**62)), "Int64"),
        series(st.one_of(st.none(), st.booleans()), "boolean"),
        series(st.one_of(st.none(), usual_float), "object"),
        series(odd_object, "object"),
        series(st.one_of(st.none(), st.text(max_size=3)), "str"),
        series(st.sampled_from(["lo", "hi"]), "category"),
        series(st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2020, 1, 1)), "datetime64[us]"),
    )


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, str | None]:
    n = draw(st.integers(0, 12))
    p = draw(st.integers(0, 4))
    data = {name: draw(columns(n)) for name in NAMES[:p]}
    if draw(st.booleans()):
        data["g"] = draw(columns(n))
        return pd.DataFrame(data), "g"
    return pd.DataFrame(data), None


def check(sample: Sample, n_read: int) -> None:
    assert sample.n_read == n_read
    assert sample.nobs + sample.n_dropped == n_read
    for block in sample.blocks:
        p = len(sample.names)
        assert block.rows is not None
        assert block.mean is not None
        assert block.rows.shape == (block.n, p)
        assert block.n > p
        assert np.isfinite(block.rows).all()
        assert np.isfinite(block.mean).all()
        np.testing.assert_array_equal(block.cov, block.cov.T)
        scale = np.sqrt(np.diagonal(block.cov))
        assert np.linalg.eigvalsh(block.cov / scale / scale[:, None])[0] > 0
    dropped = [at for record in sample.dropped for at in record.index]
    assert len(set(dropped)) == sample.n_dropped
    assert all(0 <= at < n_read for at in dropped)


@settings(max_examples=400, deadline=None)
@given(tables(), st.booleans())
def test_any_pandas_frame(table: tuple[pd.DataFrame, str | None], by_name: bool) -> None:
    data, group = table
    names = [name for name in data if name != group] or None if by_name else None
    found = attempt(lambda: sample_from_frame(data, names, group=group))
    if isinstance(found, str):
        assert is_one_sentence_after_another(found)
    else:
        check(found, len(data))


@settings(max_examples=150, deadline=None)
@given(tables())
def test_a_mapping_and_polars_agree_with_pandas(table: tuple[pd.DataFrame, str | None]) -> None:
    data, group = table

    names = [name for name in data if name != group] or None

    def outcome(given_data: object) -> str:
        found = attempt(lambda: sample_from_frame(given_data, names, group=group))
        return "refused" if isinstance(found, str) else found.fingerprint()

    expected = outcome(data)
    assert outcome({name: data[name] for name in data}) == expected
    if all(dtype.kind in "fiub" for dtype in data.dtypes):
        assert outcome(pl.from_pandas(data, nan_to_null=False)) == expected


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 60), st.integers(1, 4), st.floats(-1e6, 1e6), st.floats(1e-3, 1e3), st.randoms(use_true_random=False))
def test_moments_follow_shift_and_scale(n: int, p: int, shift: float, scale: float, random) -> None:
    n = max(n, p + 1)
    rows = np.random.default_rng(random.getrandbits(32)).normal(size=(n, p))
    names = NAMES[:p]
    plain = sample_from_frame(dict(zip(names, rows.T, strict=True))).blocks[0]
    moved = sample_from_frame(dict(zip(names, (rows * scale + shift).T, strict=True))).blocks[0]
    spread = scale * np.sqrt(np.diagonal(plain.cov))
    rounding = 1e-15 * (abs(shift) + scale * 10) / spread.min()
    np.testing.assert_allclose(moved.cov / spread / spread[:, None], plain.cov * scale**2 / spread / spread[:, None], atol=1e-13 + 100 * rounding)
    np.testing.assert_allclose(moved.mean, plain.mean * scale + shift, atol=1e-14 * (abs(shift) + 10 * scale))


matrix_element = st.one_of(st.floats(-3, 3), st.sampled_from([0.0, 1.0, float("nan"), float("inf"), -1.0, 1e300, 5e-324]))


@settings(max_examples=300, deadline=None)
@given(st.data(), st.integers(1, 4))
def test_any_matrix_gives_a_sample_or_a_data_error(data: st.DataObject, p: int) -> None:
    values = data.draw(st.lists(matrix_element, min_size=p * p, max_size=p * p))
    matrix = np.array(values).reshape(p, p)
    if data.draw(st.booleans()):
        matrix = np.tril(matrix) + np.tril(matrix, -1).T
    if data.draw(st.booleans()):
        matrix[np.diag_indices(p)] = np.abs(matrix[np.diag_indices(p)]) + 4
    mean = data.draw(st.one_of(st.none(), st.lists(matrix_element, max_size=5)))
    found = attempt(lambda: sample_from_moments(matrix, 10, mean, names=NAMES[:p]))
    if isinstance(found, str):
        assert is_one_sentence_after_another(found)
    else:
        cov = found.blocks[0].cov
        np.linalg.cholesky(cov)
        np.testing.assert_array_equal(cov, cov.T)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([".csv", ".tsv", ".parquet", ".dta", ".txt"]),
    st.one_of(st.binary(max_size=200), st.text('xy1,.\n\t" ;é', max_size=60).map(str.encode)),
)
def test_any_file_gives_a_frame_or_a_data_error(tmp_path_factory, ending: str, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / f"fuzz{ending}"
    file.write_bytes(content)
    found = attempt(lambda: read_table(file))
    if isinstance(found, str):
        assert is_one_sentence_after_another(found)
    else:
        assert len(found) > 0
