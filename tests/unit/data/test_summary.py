from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

from trustsem.data import sample_from_moments
from trustsem.errors import DataError, OptionError

COV = pd.DataFrame([[2.0, 0.5, 0.1], [0.5, 3.0, 0.2], [0.1, 0.2, 4.0]], index=list("abc"), columns=list("abc"))


def test_one_group_from_a_frame() -> None:
    sample = sample_from_moments(COV, 100, {"c": 3.0, "a": 1.0, "b": 2.0})
    (block,) = sample.blocks
    assert sample.names == ("a", "b", "c")
    assert sample.group is None
    assert (sample.n_read, block.n, block.label, block.rows) == (100, 100, "", None)
    assert sample.notices == ()
    np.testing.assert_array_equal(block.cov, COV)
    np.testing.assert_array_equal(block.mean, [1, 2, 3])


def test_other_ways_to_say_the_same() -> None:
    expected = sample_from_moments(COV, 100, [1.0, 2.0, 3.0]).fingerprint()
    means = pd.Series([1.0, 2.0, 3.0], index=list("abc"))
    for cov, mean, names in [
        (COV.to_numpy(), np.array([1.0, 2, 3]), list("abc")),
        (COV.to_numpy().tolist(), (1, 2, 3), tuple("abc")),
        (np.tril(COV), means, iter("abc")),
        (COV.loc[["c", "a", "b"]], means[["b", "c", "a"]], None),
        (pl.from_pandas(COV), means, None),
    ]:
        assert sample_from_moments(cov, np.int64(100), mean, names).fingerprint() == expected
    assert sample_from_moments(COV, 100.0, means).fingerprint() == expected


def test_names_select_from_a_frame() -> None:
    sample = sample_from_moments(COV, 10, {"a": 1.0, "b": 2.0, "c": 3.0}, names=["c", "a"])
    assert sample.names == ("c", "a")
    np.testing.assert_array_equal(sample.blocks[0].cov, [[4.0, 0.1], [0.1, 2.0]])
    np.testing.assert_array_equal(sample.blocks[0].mean, [3, 1])


def test_the_users_matrix_is_not_shared() -> None:
    matrix = COV.to_numpy(copy=True)
    sample = sample_from_moments(matrix, 10, names=list("abc"))
    assert not np.shares_memory(sample.blocks[0].cov, matrix)


def test_fewer_observations_than_variables_are_accepted() -> None:
    assert sample_from_moments(COV, 2).nobs == 2


def test_groups_by_label() -> None:
    other = COV.loc[["b", "c", "a"], ["b", "c", "a"]] * 2
    sample = sample_from_moments({"u": COV, 2: other}, {"2": 20, "u": 10}, {"u": [1, 2, 3], 2: {"b": 5, "c": 6, "a": 4}})
    assert sample.group == "group"
    assert sample.group_labels == ("u", "2")
    assert (sample.nobs, sample.n_read) == (30, 30)
    np.testing.assert_array_equal(sample.blocks[1].cov, COV * 2)
    np.testing.assert_array_equal(sample.blocks[1].mean, [4, 5, 6])
    chosen = sample_from_moments({"u": COV, "v": other}, {"u": 10, "v": 20}, group_label=["v"])
    assert chosen.group_labels == ("v",)
    assert chosen.names == ("b", "c", "a")


@pytest.mark.parametrize("several", [[COV, COV * 2], (COV, COV * 2)])
def test_groups_in_a_list(several: object) -> None:
    sample = sample_from_moments(several, [10, 20])
    assert sample.group_labels == ("Group 1", "Group 2")
    assert sample.blocks[0].mean is None
    assert sample_from_moments(several, [10, 20], group_label=["x", "y"]).group_labels == ("x", "y")


def test_groups_in_arrays() -> None:
    stacked = np.array([COV, COV * 2])
    for several in (stacked, list(stacked), stacked.tolist()):
        sample = sample_from_moments(several, np.array([10, 20]), np.array([[1.0, 2, 3], [4, 5, 6]]), names=iter("abc"))
        np.testing.assert_array_equal(sample.blocks[1].cov, COV * 2)
        np.testing.assert_array_equal(sample.blocks[1].mean, [4, 5, 6])


def test_correlations_are_noticed() -> None:
    (notice,) = sample_from_moments([[1, 0.5], [0.5, 1]], 10, names=["a", "b"]).notices
    assert notice.code == "TS-DATA-03"
    assert notice.detail == "All variances of sample_cov= are 1."
    (notice,) = sample_from_moments({"u": np.eye(2), "v": np.diag([1.0, 2.0])}, [10, 10], names=["a", "b"]).notices
    assert notice.detail == "All variances of sample_cov= are 1 in group 'u'."
    assert sample_from_moments([[1.0]], 10, names=["a"]).notices == ()


def test_scales_are_noticed() -> None:
    (notice,) = sample_from_moments(np.diag([1.0, 2e6]), 10, names=["a", "b"]).notices
    assert notice.code == "TS-DATA-02"


def test_rounding_asymmetry_is_averaged_out() -> None:
    cov = COV.to_numpy(copy=True)
    cov[0, 1] += 1e-12
    (block,) = sample_from_moments(cov, 10, names=list("abc")).blocks
    np.testing.assert_array_equal(block.cov, block.cov.T)


@pytest.mark.parametrize(
    ("nobs", "match"),
    [
        (None, "sample_nobs= is missing. Give the number"),
        (1, "whole number of at least 2, not 1"),
        (10.5, "not 10.5"),
        (True, "not True"),
        ("10", "not '10'"),
        (np.nan, "not nan"),
        (np.inf, "not inf"),
        ([10], r"not \[10\]"),
    ],
)
def test_numbers_of_observations(nobs: object, match: str) -> None:
    with pytest.raises(OptionError, match=match):
        sample_from_moments(COV, nobs)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"sample_mean": [1, 2]}, r"sample_mean= must have one value for each of 3 variables, not shape \(2,\)"),
        ({"sample_mean": {"a": 1, "b": 2, "d": 3}}, "sample_mean= has a value for 'd', which the matrix has not"),
        ({"sample_mean": {"a": 1, "b": 2}}, "sample_mean= has no value for 'c'"),
        ({"sample_mean": [1, 2, np.inf]}, "sample_mean= has inf for 'c'"),
        ({"sample_cov": -COV}, "gives 'c' the variance -4"),
        ({"sample_cov": COV.replace(0.5, 5.0)}, "not positive definite"),
        ({"sample_cov": {"u": COV, "v": -COV}, "sample_nobs": [10, 10]}, "The covariance matrix of group 'v' gives 'c' the variance -4"),
        ({"sample_cov": {"u": COV, "v": COV.iloc[:2, :2]}, "sample_nobs": [10, 10]}, "do not have the same variables: 'c' are in one only"),
        (
            {"sample_cov": {"u": COV, "v": np.ones(3)}, "sample_nobs": [10, 10]},
            r"sample_cov= of group 'v' must be a square matrix, not of shape \(3,\)",
        ),
        ({"sample_cov": {}, "sample_nobs": []}, "must hold one matrix per group"),
        ({"sample_cov": {1: COV, "1": COV}, "sample_nobs": [10, 10]}, "by distinct labels"),
        ({"sample_cov": {"u": COV}, "sample_nobs": {"u": 10}, "group_label": ["U"]}, "sample_cov= has no group 'U'. Did you mean 'u'"),
        ({"sample_cov": {"u": COV, "v": COV}, "sample_nobs": {"u": 10, "w": 10}}, "sample_nobs= has the group 'w', which sample_cov= has not"),
        ({"sample_cov": {"u": COV, "v": COV}, "sample_nobs": {"u": 10}}, "sample_nobs= has nothing for the group 'v'"),
    ],
)
def test_moments_that_do_not_fit(options: dict, match: str) -> None:
    with pytest.raises(DataError, match=match):
        sample_from_moments(**({"sample_cov": COV, "sample_nobs": 10} | options))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"group_label": ["a"]}, "group_label= needs several groups"),
        ({"sample_cov": [COV, COV], "sample_nobs": [10, 10], "group_label": ["a"]}, "group_label= has 1 labels, but sample_cov= has 2 groups"),
        ({"sample_cov": [COV, COV], "sample_nobs": 10}, "sample_nobs= must be a dict or a list with one entry for each of 2 groups"),
        ({"sample_cov": [COV, COV], "sample_nobs": None}, "sample_nobs= must be a dict or a list"),
        ({"sample_cov": [COV, COV], "sample_nobs": [10, None]}, "sample_nobs= of group 'Group 2' is missing"),
        ({"sample_cov": [COV, COV], "sample_nobs": [10, 10], "sample_mean": [1, 2, 3]}, "sample_mean= must be a dict or a list"),
    ],
)
def test_options_that_do_not_fit(options: dict, match: str) -> None:
    with pytest.raises(OptionError, match=match):
        sample_from_moments(**({"sample_cov": COV, "sample_nobs": 10} | options))
