"""The conditions of a study: what is varied, crossed or listed, and under which name each cell is known."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from trustsem.errors import OptionError, closest

__all__ = ["Condition", "canonical", "expand", "line_feeds"]


def line_feeds(text: str) -> str:
    """Return `text` with line feeds at the ends of its lines, as files have them: what is read back is then what was written."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def canonical(value: Any) -> str:
    """Return `value` as JSON in which equal values have equal texts: keys sorted, no spaces, whole numbers without a point."""
    return json.dumps(_whole(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_as_plain)


def _whole(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _whole(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_plain(value: Any) -> Any:
    if hasattr(value, "item"):
        return value.item()
    raise OptionError(f"The value {value!r} cannot be part of a study: no file can hold it. Use numbers, texts, lists and tables of those.")


@dataclass(frozen=True)
class Condition:
    """One cell of the design.

    Attributes
    ----------
    index : int
        Place in the design, counted from 0.
    settings : mapping of str to value
        What is particular about it.
    resolved : mapping of str to value
        The same under full names, ``Missing.rate`` for ``rate``: what its key is made of.
    """

    index: int
    settings: Mapping[str, Any]
    resolved: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        """Name of the condition, made of what it says: twelve hexadecimal digits that do not depend on the other conditions."""
        return self._digest[:12]

    @cached_property
    def entropy(self) -> tuple[int, ...]:
        """Four 32-bit numbers from the same digest, with which the random streams of its replications are seeded."""
        return tuple(int(self._digest[at : at + 8], 16) for at in range(0, 32, 8))

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(canonical(dict(self.resolved)).encode()).hexdigest()

    @property
    def label(self) -> str:
        """The settings in words."""
        return ", ".join(f"{name}={value}" for name, value in self.settings.items()) or "the only condition"


def expand(
    conditions: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]], known: Sequence[str], full: Mapping[str, str] = MappingProxyType({})
) -> tuple[Condition, ...]:
    """Return the cells of a design.

    Parameters
    ----------
    conditions : mapping of str to list, or sequence of mappings
        Factors with their levels, which are crossed (the last one varies fastest); or the cells themselves.
    known : sequence of str
        What may be varied.
    full : mapping of str to str
        Full names of those that have a short one.

    Raises
    ------
    OptionError
        For an unknown factor, a factor without levels, and cells that are the same.
    """
    if isinstance(conditions, Mapping):
        for name, levels in conditions.items():
            if isinstance(levels, str | Mapping) or not isinstance(levels, Sequence) or not len(levels):
                raise OptionError(f"conditions= gives {name!r} the levels {levels!r}. Give a list of at least one value, such as [200, 400].")
        names = list(conditions)
        cells = [dict(zip(names, cell, strict=True)) for cell in itertools.product(*conditions.values())]
    else:
        cells = [dict(cell) for cell in conditions]
    if not cells:
        raise OptionError("conditions= is an empty list. Give at least one condition, or leave conditions= out.")
    for cell in cells:
        for name in cell:
            if name not in known:
                raise OptionError(f"conditions= varies {name!r}, which this study does not have.{closest(name, known)} It has {', '.join(known)}.")
        names = [full.get(name, name) for name in cell]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise OptionError(f"conditions= gives {twice!r} two values in one condition, under its full and under its short name. Give it one.")
    found = tuple(Condition(index, cell, {full.get(name, name): value for name, value in cell.items()}) for index, cell in enumerate(cells))
    seen: dict[str, Condition] = {}
    for condition in found:
        twin = seen.setdefault(condition.key, condition)
        if twin is not condition:
            raise OptionError(f"Conditions {twin.index + 1} and {condition.index + 1} are the same ({condition.label}). Remove one of them.")
    return found
