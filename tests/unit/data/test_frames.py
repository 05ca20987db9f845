from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest

from trustsem.data import DroppedRows, sample_from_frame
from trustsem.errors import DataError, NotAvailableError, OptionError


def frame(n: int = 30, p: int = 3, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(rng.normal(size=(n, p)) + 0.5 * rng.normal(size=(n, 1)), columns=[f"x{at + 1}" for at in range(p)])


def refused(data: object, *args: object, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        sample_from_frame(data, *args, **options)
    message = str(caught.value)
    assert message[0].isupper() or message.startswith(("'", "data", "sample")) or message[0].isdigit()
    assert message.endswith(".")
    assert "\n" not in message
    return message


def test_moments_and_rows() -> None:
    data = frame()
    sample = sample_from_frame(data, ["x3", "x1"])
    block = sample.blocks[0]
    assert sample.names == ("x3", "x1")
    assert sample.group is None
    assert sample.notices == ()
    assert sample.dropped == ()
    np.testing.assert_array_equal(block.rows, data[["x3", "x1"]].to_numpy())
    np.testing.assert_allclose(block.mean, data[["x3", "x1"]].mean(), rtol=1e-14)
    np.testing.assert_allclose(block.cov, data[["x3", "x1"]].cov(), rtol=1e-13)


@pytest.mark.parametrize("names", [["x1", "x2", "x3"], ["x2"]])
def test_rows_are_never_the_users_memory(names: list[str]) -> None:
    values = np.random.default_rng(0).normal(size=(20, 3))
    data = pd.DataFrame(values, columns=["x1", "x2", "x3"], copy=False)
    for given in (data, {"x1": values[:, 0], "x2": values[:, 1], "x3": values[:, 2]}, pl.from_numpy(values, ["x1", "x2", "x3"])):
        sample = sample_from_frame(given, names)
        assert not np.shares_memory(sample.blocks[0].rows, values)


def test_every_accepted_table_gives_the_same_sample() -> None:
    data = frame()
    tables = [
        data,
        data.convert_dtypes(dtype_backend="pyarrow"),
        data.astype("Float64"),
        data.astype(object),
        pl.from_pandas(data),
        pl.from_pandas(data).to_arrow(),
        {name: data[name].to_numpy() for name in data},
        {name: data[name].tolist() for name in data},
        {name: data[name] for name in data},
    ]
    prints = {sample_from_frame(table, ["x1", "x2", "x3"]).fingerprint() for table in tables}
    assert len(prints) == 1


def test_large_and_small_tables_are_read_alike() -> None:
    data = pd.concat([frame(n=200_000, p=4), pd.DataFrame({"i": np.arange(200_000), "b": np.arange(200_000) % 3 == 0})], axis=1)
    sample = sample_from_frame(data)
    assert sample.names == ("x1", "x2", "x3", "x4", "i", "b")
    np.testing.assert_array_equal(sample.blocks[0].rows, data.to_numpy(dtype=float))


def test_memory_stays_near_one_array() -> None:
    data = frame(n=150_000, p=8)
    data.iloc[::3, 0] = np.nan
    size = 150_000 * 8 * 8
    for given, limit in ((data, 2.2), (data.fillna(0.0), 1.3)):
        tracemalloc.start()
        sample_from_frame(given, list(data))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < limit * size


def test_only_named_columns_are_read() -> None:
    data = frame()
    data["text"] = "a"
    data["inf"] = np.inf
    twice = pd.concat([data, data[["text"]]], axis=1)
    assert sample_from_frame(twice, ["x1", "x2"]).nobs == 30
    assert sample_from_frame({"x1": [1.0, 2, 4], "text": [["a"], ["b", "c"]]}, ["x1"]).nobs == 3


def test_names_none_takes_every_column_of_numbers() -> None:
    data = frame(p=2)
    data["text"] = list("ab") * 15
    data["flag"] = data["x1"] > 0
    data["object"] = pd.Series([0.5, None, *np.arange(28)], dtype=object)
    data["when"] = pd.Timestamp("2020-01-01")
    data["g"] = np.arange(30) % 2
    assert sample_from_frame(data, group="g").names == ("x1", "x2", "flag", "object")
    as_mapping = {name: data[name].to_numpy() for name in data}
    assert sample_from_frame(as_mapping, group="g").names == ("x1", "x2", "flag", "object")
    assert "has no numeric columns" in refused(data[["text"]])
    assert "has no numeric columns" in refused(pd.DataFrame())
    assert "has no numeric columns" in refused({})


def test_truth_values_are_zero_and_one() -> None:
    flags = pd.Series([True, False, True, True])
    sample = sample_from_frame({"flag": flags})
    np.testing.assert_array_equal(sample.blocks[0].rows[:, 0], [1, 0, 1, 1])
    sample = sample_from_frame(pd.DataFrame({"flag": pd.array([True, None, False, True], dtype="boolean")}))
    assert sample.nobs == 3


# ---- missing values ----


def test_listwise_deletion_is_recorded() -> None:
    data = frame(n=50)
    data.loc[[3, 7], "x1"] = np.nan
    data.loc[7, "x2"] = np.nan
    sample = sample_from_frame(data)
    assert sample.nobs == 48
    assert sample.n_read == 50
    assert sample.dropped == (DroppedRows("missing value", "", 2, (3, 7)),)
    assert sample.notices == ()
    np.testing.assert_array_equal(sample.blocks[0].rows, data.dropna().to_numpy())


def test_positions_do_not_depend_on_the_index() -> None:
    data = frame(n=20)
    data.loc[4, "x1"] = np.nan
    data.index = pd.Index(range(100, 120))
    assert sample_from_frame(data).dropped[0].index == (4,)


def test_notice_above_ten_percent() -> None:
    data = frame(n=100)
    data.loc[:9, "x2"] = np.nan
    assert sample_from_frame(data).notices == ()
    data.loc[50, "x3"] = np.nan
    (notice,) = sample_from_frame(data).notices
    assert notice.code == "TS-DATA-01"
    assert notice.detail == "11 of 100 rows (11.0 %) were dropped. Most values are missing in 'x2' (10), 'x3' (1)."


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, None, 3, 5, 2], dtype="Int64"),
        pd.array([1.0, None, 3, 5, 2], dtype="Float64"),
        pd.Series([1, None, 3, 5, 2], dtype=object),
        pd.Series([1, pd.NA, 3.0, 5, True], dtype=object),
        np.array([1, np.nan, 3, 5, 2], dtype=np.float32),
        np.ma.array([1, 9, 3, 5, 2], mask=[0, 1, 0, 0, 0]),
        pl.Series([1, None, 3, 5, 2]),
        pd.array([1, None, 3, 5, 2], dtype="int64[pyarrow]"),
    ],
)
def test_every_kind_of_missing_value(column: object) -> None:
    others = {"y": [1.0, 2, 0, 1, 7]}
    sample = sample_from_frame({"x": column, **others})
    assert sample.dropped == (DroppedRows("missing value", "", 1, (1,)),)
    np.testing.assert_array_equal(sample.blocks[0].rows[:3, 0], [1, 3, 5])
    if not isinstance(column, pl.Series | np.ma.MaskedArray):
        assert sample_from_frame(pd.DataFrame({"x": column, **others})).dropped == sample.dropped


def test_missing_options() -> None:
    with pytest.raises(NotAvailableError, match=r"missing='pairwise' is not available in this version\. Available: 'listwise', 'fiml', "):
        sample_from_frame(frame(), missing="pairwise")
    with pytest.raises(OptionError, match=r"missing='listwize' is not a treatment of missing values\. Did you mean 'listwise'\?"):
        sample_from_frame(frame(), missing="listwize")
    with pytest.raises(OptionError, match="missing=None is not"):
        sample_from_frame(frame(), missing=None)


# ---- groups ----


def test_groups_come_in_order_of_appearance() -> None:
    data = frame()
    # Levels in another order than the appearance: lavaan 0.6-14 goes by appearance too, for factors as for text.
    data["g"] = pd.Categorical(["b", "a", "c"] * 10, categories=["a", "b", "c"])
    sample = sample_from_frame(data, ["x1", "x2"], group="g")
    assert sample.group == "g"
    assert sample.group_labels == ("b", "a", "c")
    for label, block in zip("bac", sample.blocks, strict=True):
        part = data.loc[data["g"] == label, ["x1", "x2"]]
        np.testing.assert_array_equal(block.rows, part.to_numpy())
        np.testing.assert_allclose(block.cov, part.cov(), rtol=1e-13)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, dict])
def test_rows_without_a_group_are_dropped_and_recorded(make) -> None:
    x = np.random.default_rng(0).normal(size=10)
    x[3] = np.nan
    sample = sample_from_frame(make({"x": x, "g": ["b", None, "a", "a", "b", "a", "b", None, "a", "b"]}), ["x"], group="g")
    assert sample.group_labels == ("b", "a")
    assert sample.dropped == (DroppedRows("missing group", "", 2, (1, 7)), DroppedRows("missing value", "a", 1, (3,)))
    assert sample.n_dropped == 3
    assert sample.nobs == 7
    assert [notice.code for notice in sample.notices] == ["TS-DATA-01"]


def test_rows_without_a_group_alone_can_be_worth_a_warning() -> None:
    data = {"x": np.random.default_rng(0).normal(size=10), "g": ["a", None, None, *"aabbab", "b"]}
    (notice,) = sample_from_frame(data, ["x"], group="g").notices
    assert notice.detail == "2 of 10 rows (20.0 %) were dropped."


def test_group_label_selects_and_orders() -> None:
    data = frame()
    data["g"] = ["a", "b", "c"] * 10
    sample = sample_from_frame(data, ["x1"], group="g", group_label=["c", "a"])
    assert sample.group_labels == ("c", "a")
    assert sample.dropped == (DroppedRows("group not selected", "", 10, tuple(range(1, 30, 3))),)
    assert sample.notices == ()
    np.testing.assert_array_equal(sample.blocks[0].rows[:, 0], data.loc[data["g"] == "c", "x1"])


def test_group_options() -> None:
    data = frame()
    data["g"] = ["a", "b"] * 15
    with pytest.raises(OptionError, match="group_label= needs group="):
        sample_from_frame(data, ["x1"], group_label=["a"])
    with pytest.raises(OptionError, match="must be the name of one column"):
        sample_from_frame(data, ["x1"], group=["g"])
    with pytest.raises(OptionError, match="The grouping variable 'x1' is also among names="):
        sample_from_frame(data, ["x1"], group="x1")
    assert "has no column 'G'. Did you mean 'g'?" in refused(data, ["x1"], group="G")


def test_errors_name_the_group() -> None:
    data = frame()
    data["g"] = ["a", "b"] * 15
    constant = data.copy()
    constant.loc[constant["g"] == "b", "x2"] = 4.0
    assert "'x2' is constant in group 'b' of 'g' ('x2' is always 4)" in refused(constant, ["x1", "x2"], group="g")
    few = data.iloc[:29].copy()
    few["g"] = ["a"] * 26 + ["b"] * 3
    assert "3 rows are too few for 3 variables in group 'b' of 'g'" in refused(few, ["x1", "x2", "x3"], group="g")
    few["g"] = ["a"] * 28 + ["b"]
    assert "Only one row can be used in group 'b' of 'g'." in refused(few, ["x1"], group="g")
    few.loc[28, "x1"] = np.nan
    assert "No row is complete in group 'b' of 'g'" in refused(few, ["x1"], group="g")


# ---- what can be wrong ----


def test_missing_columns() -> None:
    assert refused(frame(), ["x1", "X2"]).startswith("data= has no column 'X2'. Did you mean 'x2'")
    message = refused(frame(), ["x11", "zzz"])
    assert message.startswith("data= has no columns 'x11' and 'zzz'. For 'x11': Did you mean 'x1'")
    assert "It has 3 columns: x1, x2, x3." in message
    assert "It has no columns." in refused(pd.DataFrame(), ["x1"])
    assert "x12, ..." in refused(frame(p=13), ["q"])
    assert "has no column 'q'" in refused(pl.from_pandas(frame()), ["q"])
    assert "has no column 'q'" in refused({"a": [1.0]}, ["q"])


def test_names_must_be_distinct_texts() -> None:
    for names, match in [
        ("x1", r"Write names=\['x1'\]"),
        ([], "names= is empty"),
        ([1], "must hold text, not 1"),
        (["x1", "x2", "x1"], "'x1' more than once"),
    ]:
        with pytest.raises(OptionError, match=match):
            sample_from_frame(frame(), names)


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (["a", "b", None] * 10, "holds text, such as 'a'"),
        (["1.5", "2"] * 15, "if the text is numbers, convert it with `pandas.to_numeric`"),
        (pd.Categorical(["low", "high"] * 15), "holds categories, such as 'low'"),
        (pd.Categorical([1, 2] * 15), "holds categories, such as 1"),
        (pd.date_range("2020-01-01", periods=30), "holds dates or times, such as "),
        (pd.to_timedelta(np.arange(30), unit="D"), "holds dates or times"),
        (pd.period_range("2020-01", periods=30, freq="M"), "holds something other than numbers, such as Period("),
        (np.full(30, 1 + 2j), "holds complex numbers, such as (1+2j)"),
        (pd.Series([1, "x" * 90] * 15, dtype=object), "holds text, such as 'xxx"),
        (pd.Series([1, [2]] * 15, dtype=object), "holds something other than numbers, such as [2]"),
    ],
)
def test_columns_that_are_not_numbers(column: object, what: str) -> None:
    message = refused(frame().assign(bad=column), ["x1", "bad"])
    assert message.startswith("Column 'bad' of data= ")
    assert what in message
    assert len(message) < 250
    array = np.asarray(column)
    if array.dtype.kind != "i":  # categories that are numbers are numbers again
        assert "Column 'bad' of data= holds" in refused({"x1": np.arange(30.0), "bad": array}, ["x1", "bad"])


def test_polars_columns_that_are_not_numbers() -> None:
    data = pl.from_pandas(frame()).with_columns(
        pl.Series("c", ["u", "v"] * 15, dtype=pl.Categorical),
        pl.Series("e", ["u", "v"] * 15, dtype=pl.Enum(["u", "v"])),
        pl.Series("l", [[1], [2, 3]] * 15),
        pl.Series("o", [{1}, {2}] * 15, dtype=pl.Object),
    )
    assert "holds categories, such as 'u'" in refused(data, ["x1", "c"])
    assert "holds categories, such as 'u'" in refused(data, ["x1", "e"])
    assert "something other than numbers" in refused(data, ["x1", "l"])
    assert "something other than numbers, such as {1}" in refused(data, ["x1", "o"])
    assert sample_from_frame(data).names == ("x1", "x2", "x3")


def test_numbers_that_do_not_fit() -> None:
    column = pd.Series([10**400, *range(29)], dtype=object)
    assert "holds a number that does not fit a double" in refused(frame().assign(big=column), ["big"])


def test_infinite_values() -> None:
    data = frame(n=20_000)
    data.loc[15_000, "x2"] = np.inf
    data.loc[15_003, ["x2", "x3"]] = -np.inf
    data.loc[2, "x1"] = np.nan
    assert "infinite values in 'x2' (2), 'x3' (1), first in row 15000 (counted from 0)" in refused(data)


def test_constant_columns() -> None:
    assert "'x2' is constant ('x2' is always 0.1): there is no variance to explain." in refused(frame().assign(x2=0.1))
    assert "'x1' and 'x3' are constant ('x1' is always 7)" in refused(frame().assign(x1=7, x3=[2.0, *[2.0 + 4e-16] * 28, 2.0]))
    # A constant with a missing value, and one whose ends alone agree.
    data = frame().assign(x2=[np.nan, *[3.0] * 29])
    assert "'x2' is constant" in refused(data)
    data["x2"] = [1.0, *range(28), 1.0]
    assert sample_from_frame(data).nobs == 30


def test_a_large_mean_is_not_a_constant() -> None:
    sample = sample_from_frame({"x": 1e12 + np.array([0.0, 1, 0, 1])})
    assert sample.blocks[0].cov[0, 0] == pytest.approx(1 / 3, rel=1e-14)


def test_duplicate_column_names() -> None:
    data = pd.concat([frame(), frame()[["x1", "x2"]]], axis=1)
    assert refused(data, ["x1", "x3"]) == "data= has more than one column named 'x1'. Rename or remove all but one of each."
    assert "more than one column named 'x1' and 'x2'" in refused(data)


def test_column_names_that_are_not_text() -> None:
    assert "whose name is not text: 0" in refused(pd.DataFrame(np.eye(4)))
    assert "a key that is not text: 5" in refused({5: [1.0]})
    mixed = frame()
    mixed[7] = 1.0
    assert sample_from_frame(mixed, ["x1", "x2"]).nobs == 30


def test_identical_and_collinear_columns() -> None:
    data = frame(p=5)
    assert "'x1' and 'x4' are the same variable up to scale (correlation 1)." in refused(data.assign(x4=data["x1"]))
    assert "(correlation -1)" in refused(data.assign(x4=3 - 2 * data["x1"]))
    message = refused(data.assign(total=data.sum(axis=1)))
    assert "'total' is a linear combination of 'x1', 'x2', 'x3', 'x4' and 'x5'." in message
    assert message.startswith("The covariance matrix of the data is not positive definite")


def test_too_few_rows() -> None:
    assert "Only one row can be used. A covariance needs at least two rows; 3 variables need at least 4." in refused(frame(n=1))
    assert refused(frame(n=3)).startswith(
        "3 rows are too few for 3 variables: their covariance matrix cannot be positive definite. Use at least 4 rows"
    )
    assert sample_from_frame(frame(n=4)).nobs == 4
    assert "data= has no rows" in refused(frame(n=0))
    assert "data= has no rows" in refused(pl.from_pandas(frame(n=0)), ["x1"])
    holed = frame(n=6)
    holed.iloc[:3, 0] = np.nan
    assert "3 rows are too few for 3 variables (3 rows of the data have missing values)" in refused(holed)


def test_all_rows_missing() -> None:
    data = frame()
    data.loc[:14, "x1"] = np.nan
    data.loc[15:, "x2"] = np.nan
    message = refused(data)
    assert message.startswith("No row is complete: every row has a missing value (30 rows of the data have missing values).")
    assert "No row is complete" in refused(pl.DataFrame({"x": [None, None]}), ["x"])


def test_values_beyond_the_range_of_squares() -> None:
    assert "The values of 'x2' are too large to be squared (up to" in refused(frame().assign(x2=lambda d: d["x2"] * 1e200))
    assert "too large to be squared (up to 1.7" in refused({"x": [1.7e308, -1.7e308, 0, 1.7e308]})
    assert "differences between the values of 'x2' are too small to be squared" in refused(frame().assign(x2=lambda d: d["x2"] * 1e-200))


def test_scale_notice() -> None:
    data = frame().assign(x2=lambda d: d["x2"] * 5_000)
    (notice,) = sample_from_frame(data).notices
    assert notice.code == "TS-DATA-02"
    assert notice.detail.startswith("The variance of 'x2' (")
    assert sample_from_frame(frame().assign(x2=lambda d: d["x2"] * 500)).notices == ()


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (np.eye(3), "not 'ndarray'. Name its columns: `pandas.DataFrame(array, columns=[...])`."),
        (pl.LazyFrame({"a": [1.0]}), "not 'LazyFrame'. Collect it first"),
        ([[1.0]], "not 'list'."),
        (None, "not 'NoneType'."),
        ("data.csv", "not 'str'."),
        (pd.Series([1.0]), "not 'Series'."),
        (pl.Series([1.0]), "not 'Series'."),
    ],
)
def test_unsupported_tables(data: object, part: str) -> None:
    message = refused(data, ["a"])
    assert message.startswith("data= must be a pandas or polars DataFrame")
    assert part in message


def test_mappings_of_other_shapes() -> None:
    assert "differ in length: 3 values in 'a', 2 in 'b'" in refused({"a": [1.0, 2, 3], "b": [1, 2]})
    assert "data['a'] must be a one-dimensional array, not ndarray of shape (2, 2)" in refused({"a": np.eye(2)})
    assert "data['a'] must be a one-dimensional array, not float of another shape" in refused({"a": 1.0})
    assert "must be a one-dimensional array, not list" in refused({"a": [[1, 2], [3]]})
