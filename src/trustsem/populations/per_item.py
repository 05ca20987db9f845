"""Options that are one value for all items, or a mapping of items to values."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from trustsem.errors import OptionError, closest

__all__ = ["check_items", "check_number", "each_number", "for_items", "name_tuple", "plain"]


def plain(value: Any) -> Any:
    """Return `value` with lists and arrays as tuples, mappings as dicts and numpy's numbers as Python's, at every depth."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return tuple(plain(one) for one in value)
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return value


def name_tuple(name: str, value: Any) -> tuple[str, ...]:
    """Return `value` as a tuple of distinct names; a single name may stand alone.

    Raises
    ------
    OptionError
    """
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or not all(isinstance(one, str) for one in value):
        raise OptionError(f"{name}={value!r} does not name columns. Give a tuple of names, such as ('x1', 'x2').")
    twice = [one for one in value if list(value).count(one) > 1]
    if twice:
        raise OptionError(f"{name}= names {twice[0]!r} more than once. Name every column once.")
    return tuple(value)


def check_items(name: str, wanted: Collection[str], items: Collection[str]) -> None:
    """Refuse names that are not among `items`.

    Raises
    ------
    OptionError
    """
    for one in wanted:
        if one not in items:
            some = ", ".join(list(items)[:8]) + (" ..." if len(items) > 8 else "")
            raise OptionError(f"{name}= names {one!r}, which is not there.{closest(str(one), items)} There are {some}.")


def for_items(value: Any, items: Collection[str]) -> dict[str, Any]:
    """Return the value of every item that has one: the items of a mapping, else all of `items` with the same value; none for None."""
    if value is None:
        return {}
    return dict(value) if isinstance(value, Mapping) else dict.fromkeys(items, value)


def check_number(name: str, value: Any, allowed: str, low: float = -math.inf, high: float = math.inf, of: str = "") -> None:
    """Refuse what is no finite number of the half-open interval from `low` up to `high`, in words `allowed`; `of` says whose it is.

    Raises
    ------
    OptionError
    """
    usable = isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
    if not usable or not low <= value < high:
        raise OptionError(f"{name}={value!r}{of} is not possible. Give {allowed}.")


def each_number(name: str, value: Any, allowed: str, low: float = -math.inf, high: float = math.inf) -> None:
    """Check a number, or every number of a mapping; None passes.

    Raises
    ------
    OptionError
    """
    if isinstance(value, Mapping):
        for item, one in value.items():
            check_number(name, one, allowed, low, high, f" of {item!r}")
    elif value is not None:
        check_number(name, value, allowed, low, high)
