"""Imputation fills what is missing and nothing else, the same way for the same seed, and says clearly when it cannot."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import trustsem as ts
from trustsem.data.imputation import impute, progress_reporter


def incomplete(n: int = 150, seed: int = 1) -> pd.DataFrame:
    """Four correlated variables; `a` is complete, `b` and `c` are missing depending on it, `likert` takes five values."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal(n)
    b = 0.8 * a + 0.6 * rng.standard_normal(n)
    c = 0.5 * a + 0.5 * b + 0.5 * rng.standard_normal(n)
    likert = np.clip(np.round(3.0 + a + rng.standard_normal(n)), 1, 5)
    data = pd.DataFrame({"a": a, "b": b, "c": c, "likert": likert, "team": np.where(rng.random(n) < 0.5, "u", "v"), "note": "text"})
    for name in ("b", "c", "likert"):
        data.loc[rng.random(n) < 0.3 / (1.0 + np.exp(-a)) + 0.05, name] = np.nan
    return data


@pytest.mark.parametrize("method", ["pmm", "norm"])
@pytest.mark.parametrize("group", [None, "team"])
def test_only_what_is_missing_changes(method: str, group: str | None) -> None:
    data = incomplete()
    before = data.copy()
    made = impute(data, 3, seed=1, method=method, group=group)
    pd.testing.assert_frame_equal(data, before)
    assert len(made) == 3
    for frame in made:
        assert list(frame.columns) == list(data.columns)
        pd.testing.assert_frame_equal(frame[["a", "team", "note"]], data[["a", "team", "note"]])
        assert not frame[["b", "c", "likert"]].isna().any().any()
        for name in ("b", "c", "likert"):
            known = data[name].notna()
            assert (frame.loc[known, name] == data.loc[known, name]).all()
    gone = data["b"].isna()
    assert not np.allclose(made[0].loc[gone, "b"], made[1].loc[gone, "b"])


def test_matching_takes_observed_values_and_the_normal_method_does_not() -> None:
    data = incomplete()
    gone = data["likert"].isna()
    matched, normal = (impute(data, 2, seed=4, method=method)[0].loc[gone, "likert"] for method in ("pmm", "norm"))
    assert set(matched) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert not set(normal) & {1.0, 2.0, 3.0, 4.0, 5.0}


def test_matching_within_groups_takes_values_of_the_own_group() -> None:
    data = incomplete()
    data.loc[data["team"] == "v", "b"] += 100.0
    gone = data["b"].isna()
    for frame in impute(data, 2, seed=1, group="team"):
        assert ((frame.loc[gone, "b"] > 50.0) == (data.loc[gone, "team"] == "v")).all()


def test_the_seed_decides_and_global_state_is_untouched() -> None:
    data = incomplete()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = impute(data, 3, seed=7), impute(data, 5, seed=7), impute(data, 3, seed=8)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    once_more = impute(data, 3, seed=np.random.default_rng(7))
    for one, two, three, four in zip(first, again, other, once_more, strict=False):
        pd.testing.assert_frame_equal(one, two)
        pd.testing.assert_frame_equal(one, four)
        assert not one.equals(three)


def test_a_generator_moves_on() -> None:
    rng = np.random.default_rng(7)
    assert not impute(incomplete(), 2, seed=rng)[0].equals(impute(incomplete(), 2, seed=rng)[0])


def test_only_the_variables_named_are_completed_and_used() -> None:
    data = incomplete()
    made = impute(data, 2, seed=1, variables=["a", "b"])[0]
    assert made["c"].isna().equals(data["c"].isna())
    changed = data.assign(c=data["c"] * -3.0)
    assert impute(changed, 2, seed=1, variables=["a", "b"])[0]["b"].equals(made["b"])


def test_any_table_gives_the_same() -> None:
    data = incomplete()[["a", "b", "c"]]
    expected = impute(data, 2, seed=3)
    for table in (pl.DataFrame({name: data[name].to_numpy() for name in data}), {name: data[name].to_numpy() for name in data}):
        for one, two in zip(impute(table, 2, seed=3), expected, strict=True):
            pd.testing.assert_frame_equal(one, two)


def test_the_index_survives_and_integers_with_gaps_become_floats() -> None:
    data = incomplete()[["a", "b"]]
    data.index = data.index * 2 + 10
    data["whole"] = pd.array([None if k % 10 == 0 else k % 7 for k in range(len(data))], dtype="Int64")
    made = impute(data, 2, seed=3)[0]
    assert made.index.equals(data.index)
    assert made["whole"].dtype == np.float64
    assert set(made["whole"]) <= set(range(7))


def test_complete_data_come_back_m_times() -> None:
    data = incomplete().dropna()
    for frame in impute(data, 2, seed=1):
        pd.testing.assert_frame_equal(frame, data)


def test_names_that_look_like_formulas_are_names() -> None:
    data = incomplete()[["a", "b", "c"]].set_axis(["a:b", "I(x)", "1 + 1"], axis=1)
    assert not impute(data, 2, seed=1)[0].isna().any().any()


def test_a_predictor_that_is_constant_where_another_is_observed_does_no_harm() -> None:
    data = incomplete()[["a", "b"]]
    data["late"] = np.where(data["b"].isna(), np.arange(len(data)) % 3, 0.0)
    made = impute(data, 2, seed=1, method="norm")[0]
    assert made["b"].abs().max() < 10.0


def test_few_rows_leave_fewer_donors_than_usual() -> None:
    data = pd.DataFrame({"a": [1.0, 2.0, 4.0, 3.0, 6.0], "b": [1.0, 2.5, 3.0, np.nan, 5.0]})
    assert impute(data, 2, seed=1)[0]["b"].iloc[3] in {1.0, 2.5, 3.0, 5.0}


def test_imputations_keep_the_relations_and_the_spread() -> None:
    """With one predictor and values missing by it: slope and residual variance of the complete data come back, on average."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal(4000)
    y = 1.0 + 0.7 * x + 0.5 * rng.standard_normal(4000)
    data = pd.DataFrame({"x": x, "y": np.where(rng.random(4000) < 1.0 / (1.0 + np.exp(-x)), np.nan, y)})
    for method in ("norm", "pmm"):
        found = []
        for frame in impute(data, 5, seed=1, iterations=1, method=method):
            slope, level = np.polyfit(frame["x"], frame["y"], 1)
            found.append((slope, level, float(np.std(frame["y"] - level - slope * frame["x"]))))
        assert np.mean(found, axis=0) == pytest.approx([0.7, 1.0, 0.5], abs=0.04)


def test_draws_differ_between_imputations_as_their_posterior_says() -> None:
    """For one incomplete variable the between-imputation variance of its mean is known: that of the drawn level plus that of the noise."""
    rng = np.random.default_rng(3)
    n, gone = 60, 20
    x = rng.standard_normal(n)
    y = x + rng.standard_normal(n)
    y[:gone] = np.nan
    made = impute(pd.DataFrame({"x": x, "y": y}), 800, seed=1, iterations=1, method="norm")
    means = np.array([frame["y"].iloc[:gone].mean() for frame in made])
    seen = slice(gone, n)
    design = np.column_stack([np.ones(n - gone), x[seen]])
    slopes, rss = np.linalg.lstsq(design, y[seen], rcond=None)[:2]
    new = np.array([1.0, x[:gone].mean()])
    df = n - gone - 2
    variance = rss[0] / (df - 2) * (new @ np.linalg.inv(design.T @ design) @ new + 1.0 / gone)
    assert means.mean() == pytest.approx(float(new @ slopes), abs=4.0 * float(np.sqrt(variance / 800)))
    assert means.var() == pytest.approx(float(variance), rel=0.15)


# ---- progress -------------------------------------------------------------------------------------------------------------------------


def test_progress_is_one_line_or_a_call(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[int, int]] = []
    impute(incomplete(), 3, seed=1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert capsys.readouterr() == ("", "")
    impute(incomplete(), 2, seed=1, progress=True)
    assert capsys.readouterr() == ("", "\rImputing: 1 of 2\rImputing: 2 of 2\n")


def test_progress_that_is_neither_is_refused() -> None:
    with pytest.raises(ts.OptionError, match=r"progress='yes' is not a way to report\. Give True"):
        progress_reporter("yes", "Imputing")  # type: ignore[arg-type]


# ---- mistakes -------------------------------------------------------------------------------------------------------------------------


def with_column(**columns: object) -> pd.DataFrame:
    return incomplete().assign(**columns)


BAD_OPTIONS = {
    "one imputation": ({"m": 1}, "m=1 must be a whole number of at least 2"),
    "m is a fraction": ({"m": 2.5}, "m=2.5 must be a whole number"),
    "no sweeps": ({"iterations": 0}, "iterations=0 must be a whole number of at least 1"),
    "unknown method": ({"method": "mean"}, "Allowed are 'pmm', 'norm'"),
    "negative seed": ({"seed": -1}, "seed=-1 cannot seed a generator. Give a whole number"),
    "no seed": ({"seed": None}, "seed=None cannot seed a generator"),
    "variables is text": ({"variables": "a"}, "variables= must be a sequence of variable names"),
    "group is a number": ({"group": 3}, "group= must be the name of one column, not 3"),
    "group among variables": ({"variables": ["a", "b", "team"], "group": "team"}, "'team' is also among variables="),
}

BAD_DATA = {
    "only one variable": (incomplete()[["b", "note"]], {}, "nothing to predict missing values from"),
    "unknown variable": (incomplete(), {"variables": ["a", "bb"]}, "no column 'bb'. Did you mean 'b'"),
    "text variable": (incomplete(), {"variables": ["a", "note"]}, "'note' of data= holds text"),
    "never observed": (with_column(c=np.nan), {}, "'c' has no values. Leave out what was never observed"),
    "never observed in a group": (
        with_column(c=lambda d: d["c"].where(d["team"] == "u")),
        {"group": "team"},
        "'c' has no values in group 'v' of 'team'",
    ),
    "constant": (with_column(c=2.0), {}, "'c' is constant"),
    "more variables than rows": (
        incomplete(5).fillna(1.0).assign(b=[1.0, 2, 3, 4, np.nan], c=[1.0, 2, 3, 5, 4]),
        {},
        "too few to be predicted from",
    ),
    "infinite": (with_column(c=lambda d: d["c"].where(d.index > 0, np.inf)), {}, "'c' are infinite in some rows"),
    "no group": (
        with_column(team=lambda d: d["team"].where(d.index != 3)),
        {"group": "team"},
        r"1 row\(s\) have no value of the grouping variable",
    ),
    "a sum among its parts": (with_column(total=lambda d: d["a"] + d["b"] + d["c"]), {}, "'total' is a linear combination of 'a', 'b' and 'c'"),
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_options_are_refused(name: str) -> None:
    options, message = BAD_OPTIONS[name]
    with pytest.raises(ts.OptionError, match=message.replace(".", r"\.")):
        impute(incomplete(), **{"m": 2, "seed": 1, **options})


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_are_refused(name: str) -> None:
    data, options, message = BAD_DATA[name]
    with pytest.raises(ts.DataError, match=message):
        impute(data, 2, seed=1, **options)


def test_an_empty_row_is_refused() -> None:
    data = incomplete()[["a", "b"]]
    data.loc[3] = np.nan
    with pytest.raises(ts.DataError, match=r"1 row\(s\) hold no value at all, first row 3 .*dropna"):
        impute(data, 2, seed=1)
