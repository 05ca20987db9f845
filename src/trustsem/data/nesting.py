"""Columns that say how rows were sampled: which cluster (team) a row belongs to, and its sampling weight."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trustsem.data.groups import Grouping, read_grouping
from trustsem.errors import DataError

__all__ = ["check_weights", "read_clusters"]


def read_clusters(values: NDArray[Any], name: str) -> NDArray[np.int64]:
    """Return the number (n,) of each row's cluster, counted from 0 in the order of appearance.

    Raises
    ------
    DataError
        If a row's cluster is missing, or there is only one cluster.
    """
    found = read_grouping(values, name, None)
    lost = np.flatnonzero(found.codes == Grouping.NO_GROUP)
    if lost.size:
        raise DataError(
            f"The cluster variable {name!r} is missing in {lost.size} rows, first in row {lost[0]} (counted from 0). "
            "Which cluster a row belongs to must be known: fill it in, or leave these rows out."
        )
    if len(found.labels) < 2:
        raise DataError(f"The cluster variable {name!r} has one value only, {found.labels[0]!r}. At least two clusters are needed.")
    return found.codes.astype(np.int64)


def check_weights(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Return the sampling weights (n,) after checking that they are positive numbers.

    Raises
    ------
    DataError
        If a weight is missing, infinite, zero or negative.
    """
    for wrong, what in ((np.isnan(values), "missing"), (np.isinf(values), "infinite"), (values < 0, "negative"), (values == 0, "zero")):
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise DataError(
                f"The sampling weight {name!r} is {what} in {int(wrong.sum())} rows, first in row {at} (counted from 0). "
                "Weights are positive numbers: correct them, or leave these rows out."
            )
    return values
