"""Which group each row belongs to, in the order of first appearance or in the order asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trustsem.data.moments import join_names
from trustsem.errors import DataError, OptionError, closest

__all__ = ["Grouping", "check_labels", "no_grouping", "read_grouping"]


@dataclass(frozen=True, eq=False)
class Grouping:
    """The group of every row.

    Parameters
    ----------
    labels : tuple of str
        The groups, in order.
    codes : ndarray of shape (n,)
        Position in `labels`, or one of the negative constants.
    """

    NO_GROUP: ClassVar[int] = -1
    NOT_SELECTED: ClassVar[int] = -2

    labels: tuple[str, ...]
    codes: NDArray[np.intp]


def no_grouping(n: int) -> Grouping:
    """Return the grouping of n rows into one group without a label."""
    return Grouping(("",), np.zeros(n, dtype=np.intp))


def read_grouping(values: NDArray[Any], group: str, group_label: Sequence[str] | None) -> Grouping:
    """Return the groups found in a column.

    Parameters
    ----------
    values : ndarray of shape (n,)
        The column, of any type; NaN, None and null mean that the group is missing.
    group : str
        Its name, for messages.
    group_label : sequence of str or None
        Groups to use, in this order; None for all, in order of first appearance.

    Raises
    ------
    DataError
        If the values cannot be told apart as text, none is known, or a group asked for does not exist.
    OptionError
        If `group_label` is malformed.
    """
    import pandas as pd

    try:
        codes, found = pd.factorize(values)
    except TypeError as error:
        raise DataError(f"The grouping variable {group!r} holds values that are not labels ({error}). Use text or numbers.") from None
    labels = tuple(_label(value) for value in found)
    if not labels:
        raise DataError(f"The grouping variable {group!r} is missing in every row. Use another variable as group=.")
    if any(not label.strip() for label in labels):
        raise DataError(f"The grouping variable {group!r} holds blank text. Give these rows a label, or mark them as missing (None).")
    repeated = [label for at, label in enumerate(labels) if label in labels[:at]]
    if repeated:
        raise DataError(f"Different values of the grouping variable {group!r} read {join_names(repeated)} as text. Use one type of value for it.")
    codes = np.asarray(codes, dtype=np.intp)
    if group_label is None:
        return Grouping(labels, codes)
    return _select(labels, codes, group, check_labels(group_label))


def _label(value: Any) -> str:
    """Return the label as R would print it: whole numbers without decimals."""
    if isinstance(value, float | np.floating):
        number = float(value)
        if number.is_integer() and abs(number) < 1e15:
            return str(int(number))
    return str(value)


def check_labels(group_label: Sequence[str]) -> tuple[str, ...]:
    """Return the labels as texts, after making sure that they are distinct and that there is one.

    Raises
    ------
    OptionError
        If they are not.
    """
    if isinstance(group_label, str):
        raise OptionError(f"group_label= must be a sequence of labels, not the text {group_label!r}. Write group_label=[{group_label!r}].")
    wanted = tuple(_label(label) for label in group_label)
    if not wanted or len(set(wanted)) < len(wanted):
        raise OptionError(f"group_label= must hold at least one label and each only once, not {list(wanted)!r}.")
    return wanted


def _select(labels: tuple[str, ...], codes: NDArray[np.intp], group: str, wanted: tuple[str, ...]) -> Grouping:
    position = {label: at for at, label in enumerate(labels)}
    for label in wanted:
        if label not in position:
            raise DataError(f"The grouping variable {group!r} has no group {label!r}.{closest(label, labels)} It has: {join_names(labels)}.")
    # The extra last place serves code -1, which stays -1.
    new = np.full(len(labels) + 1, Grouping.NOT_SELECTED, dtype=np.intp)
    new[-1] = Grouping.NO_GROUP
    for at, label in enumerate(wanted):
        new[position[label]] = at
    return Grouping(wanted, new[codes])
