from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from trustsem.data.groups import no_grouping, read_grouping
from trustsem.errors import DataError, OptionError


def test_no_grouping() -> None:
    grouping = no_grouping(3)
    assert grouping.labels == ("",)
    assert grouping.codes.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("values", "labels", "codes"),
    [
        (np.array([3, 1, 3, 2]), ("3", "1", "2"), [0, 1, 0, 2]),
        (np.array([2.0, np.nan, 1.0, 2.0]), ("2", "1"), [0, -1, 1, 0]),
        (np.array([2.5, -0.0, 1e300]), ("2.5", "0", "1e+300"), [0, 1, 2]),
        (np.array(["b", None, "a"], dtype=object), ("b", "a"), [0, -1, 1]),
        (np.array(["b", pd.NA, "a"], dtype=object), ("b", "a"), [0, -1, 1]),
        (np.array(["b", "a"]), ("b", "a"), [0, 1]),
        (np.array([False, True]), ("False", "True"), [0, 1]),
    ],
)
def test_labels_in_order_of_appearance(values: np.ndarray, labels: tuple[str, ...], codes: list[int]) -> None:
    grouping = read_grouping(values, "g", None)
    assert grouping.labels == labels
    assert grouping.codes.tolist() == codes


def test_selection() -> None:
    grouping = read_grouping(np.array([3.0, 1.0, np.nan, 2.0, 3.0]), "g", ["2", "3"])
    assert grouping.labels == ("2", "3")
    assert grouping.codes.tolist() == [1, -2, -1, 0, 1]
    assert read_grouping(np.array([3, 1]), "g", [1]).labels == ("1",)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([None, None], "missing in every row"),
        (["a", " "], "holds blank text"),
        ([1, "1"], "Different values of the grouping variable 'g' read '1' as text"),
        ([[1], [2]], "holds values that are not labels"),
    ],
)
def test_values_that_are_not_groups(values: list[object], match: str) -> None:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    with pytest.raises(DataError, match=match):
        read_grouping(column, "g", None)


def test_labels_that_do_not_exist() -> None:
    with pytest.raises(DataError, match=r"has no group 'Pastor'\. Did you mean 'Pasteur'\? It has: 'Pasteur' and 'Grant-White'\."):
        read_grouping(np.array(["Pasteur", "Grant-White"], dtype=object), "school", ["Pastor"])


@pytest.mark.parametrize(("labels", "match"), [("a", r"Write group_label=\['a'\]"), ([], "at least one label"), (["a", "a"], "each only once")])
def test_malformed_labels(labels: object, match: str) -> None:
    with pytest.raises(OptionError, match=match):
        read_grouping(np.array(["a", "b"], dtype=object), "g", labels)
