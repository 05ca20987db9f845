from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from trustsem.data import cor2cov, cov_from_lower, sample_from_moments
from trustsem.data.matrices import read_square
from trustsem.errors import DataError, OptionError

R = pd.DataFrame([[1.0, 0.5], [0.5, 1.0]], index=["a", "b"], columns=["a", "b"])


def test_cor2cov() -> None:
    expected = pd.DataFrame([[4.0, 3.0], [3.0, 9.0]], index=["a", "b"], columns=["a", "b"])
    pd.testing.assert_frame_equal(cor2cov(R, [2, 3]), expected)
    pd.testing.assert_frame_equal(cor2cov(R, {"b": 3, "a": 2}), expected)
    pd.testing.assert_frame_equal(cor2cov(R, pd.Series([3, 2], index=["b", "a"])), expected)
    pd.testing.assert_frame_equal(cor2cov(R, pd.Series([2, 3])), expected)
    pd.testing.assert_frame_equal(cor2cov([[1, 0], [0.5, 1]], np.array([2, 3]), names=["a", "b"]), expected)
    pd.testing.assert_frame_equal(cor2cov(R, {"b": 3, "a": 2}, names=["b", "a"]), expected.loc[["b", "a"], ["b", "a"]])


@pytest.mark.parametrize(
    ("matrix", "sds", "match"),
    [
        ([[1, 0.5], [0.5, 2]], [1, 1], "its diagonal is 2 at 'b', not 1"),
        ([[1, 0.5], [0.5, np.nan]], [1, 1], "its diagonal is nan at 'b'"),
        ([[1, 1.5], [1.5, 1]], [1, 1], "has 1.5 for 'a' with 'b'"),
        (R, [1, 0], "sds= has 0 for 'b'"),
        (R, [1], r"sds= must have one value for each of 2 variables, not shape \(1,\). They are: a, b"),
        (R, [1, np.nan], "sds= has nan for 'b'"),
        (R, ["x", "y"], "sds= holds something that is not a number"),
        (R, {"a": 1, "c": 2}, "sds= has a value for 'c', which the matrix has not"),
        (R, {"a": 1}, "sds= has no value for 'b'"),
        (R, "12", "sds= must have one value|sds= holds something"),
    ],
)
def test_cor2cov_refuses(matrix: object, sds: object, match: str) -> None:
    with pytest.raises(DataError, match=match):
        cor2cov(matrix, sds, names=["a", "b"])


def test_cov_from_lower() -> None:
    text = """
        1.0
        0.5, 1.2;
        -.1  2e-1 3
    """
    expected = np.array([[1.0, 0.5, -0.1], [0.5, 1.2, 0.2], [-0.1, 0.2, 3.0]])
    matrix = cov_from_lower(text, names=["a", "b", "c"])
    np.testing.assert_array_equal(matrix, expected)
    assert list(matrix.columns) == list(matrix.index) == ["a", "b", "c"]
    pd.testing.assert_frame_equal(cov_from_lower([1, 0.5, 1.2, -0.1, 0.2, 3], ["a", "b", "c"]), matrix)
    assert list(cov_from_lower(text).columns) == ["V1", "V2", "V3"]


def test_cov_from_lower_without_diagonal() -> None:
    expected = [[1, 0.5, 0.1], [0.5, 1, 0.2], [0.1, 0.2, 1]]
    np.testing.assert_array_equal(cov_from_lower(".5 .1 .2", ["a", "b", "c"], diagonal=False), expected)
    np.testing.assert_array_equal(cov_from_lower(".5 .1 .2", diagonal=False), expected)


@pytest.mark.parametrize(
    ("given", "options", "match"),
    [
        ("1 0,x 1", {}, "Value 3 of the lower triangle is 'x', which is not a number"),
        ([1.0, None, 1.0], {}, "Value 2 of the lower triangle is None"),
        ("1 nan 1", {}, "Value 2 of the lower triangle is nan. Every element must be a finite number"),
        ("1 .5", {}, "2 values were given; in a lower triangle with its diagonal no number of variables has so many"),
        ("", {}, "0 values were given"),
        ("1 .5 1", {"names": ["a", "b", "c"]}, r"3 variables have 6 elements\. Pass diagonal=False, perhaps\."),
        ("1 .5 .5 1", {"names": ["a", "b"]}, "They look like the full matrix"),
    ],
)
def test_cov_from_lower_refuses(given: object, options: dict, match: str) -> None:
    with pytest.raises(DataError, match=match):
        cov_from_lower(given, **options)


def test_frames_are_read_by_label() -> None:
    shuffled = pd.DataFrame([[0.5, 3.0], [2.0, 0.5]], index=["b", "a"], columns=["a", "b"])
    matrix, names = read_square(shuffled, None, "sample_cov=")
    assert names == ("a", "b")
    np.testing.assert_array_equal(matrix, [[2.0, 0.5], [0.5, 3.0]])
    matrix, names = read_square(shuffled, ["b"], "sample_cov=")
    assert names == ("b",)
    np.testing.assert_array_equal(matrix, [[3.0]])
    unlabelled = pd.DataFrame([[2.0, 0.5], [0.5, 3.0]], columns=["a", "b"])
    assert read_square(unlabelled, None, "sample_cov=")[1] == ("a", "b")


@pytest.mark.parametrize("above", [0.0, np.nan])
def test_a_lower_triangle_is_completed(above: float) -> None:
    matrix, _ = read_square([[2.0, above], [0.5, 3.0]], ["a", "b"], "sample_cov=")
    np.testing.assert_array_equal(matrix, [[2.0, 0.5], [0.5, 3.0]])


def test_anything_else_is_left_to_the_checks() -> None:
    matrix, _ = read_square([[2.0, 0.5], [0.0, 3.0]], ["a", "b"], "sample_cov=")
    np.testing.assert_array_equal(matrix, [[2.0, 0.5], [0.0, 3.0]])
    matrix, _ = read_square([[2.0, 0.0], [0.0, 3.0]], ["a", "b"], "sample_cov=")
    np.testing.assert_array_equal(matrix, [[2.0, 0.0], [0.0, 3.0]])


@pytest.mark.parametrize(
    ("given", "names", "match"),
    [
        (np.eye(2), None, "sample_cov= has no variable names"),
        (np.eye(2), ["a"], "names= has 1 names, but sample_cov= has 2 variables"),
        (np.ones((2, 3)), ["a", "b"], r"must be a square matrix, not of shape \(2, 3\)"),
        ([], ["a"], r"must be a square matrix, not of shape \(0,\)"),
        ([["x"]], ["a"], "holds something that is not a number"),
        ([[1, 2], [3]], ["a", "b"], "holds something that is not a number"),
        (R, ["A"], r"sample_cov= has no variable 'A'\. Did you mean 'a'\? It has: a, b\."),
        (pd.DataFrame(np.eye(2), index=["a", "x"], columns=["a", "b"]), None, "there is no column 'x'"),
        (pd.DataFrame(np.eye(2), index=["a", "a"], columns=["a", "b"]), None, "The rows of sample_cov= are not its columns"),
        (pd.DataFrame(np.eye(2), columns=["a", "a"]), None, "sample_cov= has more than one column named 'a'"),
        (pd.DataFrame(np.eye(2)), None, "has a column named 0. Variable names must be text"),
    ],
)
def test_read_square_refuses(given: object, names: list[str] | None, match: str) -> None:
    with pytest.raises(DataError, match=match):
        read_square(given, names, "sample_cov=")


@pytest.mark.parametrize(
    ("names", "match"),
    [(["a", "a"], "'a' more than once"), ([1, 2], "must hold text, not 1"), ("ab", r"Write names=\['ab'\]"), ([], "names= is empty")],
)
def test_malformed_names(names: object, match: str) -> None:
    for call in (lambda: cov_from_lower("1 .5 1", names), lambda: cor2cov(R, [1, 1], names), lambda: sample_from_moments(R, 5, names=names)):
        with pytest.raises(OptionError, match=match):
            call()
