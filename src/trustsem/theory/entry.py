"""One table of a theory file, read strictly: every key is known, has the right type, and an error names file, line and key."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from trustsem.errors import TheoryError, closest
from trustsem.theory.lines import Places
from trustsem.theory.marks import MARKS, Fact, Provenance

__all__ = ["Entry"]

_SOURCED = ("P", "P2", "S")


class Entry:
    """One table of a theory file.

    Parameters
    ----------
    values : mapping
        As tomllib gives it.
    file : str
        Name of the file, for messages.
    places : Places
        Lines of the file.
    table : str
        Name of the table; empty for the top of the file.
    index : int
        Which of the tables of that name, counted from 0.
    sources : collection of str
        Ids that provenance may name.
    """

    def __init__(self, values: Mapping[str, Any], file: str, places: Places, table: str, index: int, sources: Sequence[str]) -> None:
        self.values = values
        self.file = file
        self.places = places
        self.table = table
        self.index = index
        self.sources = sources

    def fail(self, key: str, problem: str, token: str = "") -> NoReturn:
        """Raise a TheoryError about `key`, with the line of `token` in it."""
        line = self.places.line(self.table, self.index, key, token)
        where = f"[{self.table}] {key}".strip() if self.table else key
        raise TheoryError(f"{self.file}, line {line}, {where}: {problem}")

    def only(self, allowed: Iterable[str]) -> None:
        """Refuse keys that are not allowed."""
        known = list(allowed)
        for key in self.values:
            if key not in known:
                self.fail(key, f"Unknown key {key!r}. Allowed are {', '.join(known)}.{closest(key, known)}")

    def _get(self, key: str, default: object, kind: type | tuple[type, ...], words: str) -> Any:
        if key not in self.values:
            if default is None:
                self.fail(key, f"The key {key!r} is missing. Give {words}.")
            return default
        value = self.values[key]
        # In TOML true is no number, in Python it is.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.fail(key, f"{value!r} is not {words}. Give {words}.")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text; required if there is no default."""
        value = str(self._get(key, default, str, "a text"))
        if default is None and not value.strip():
            self.fail(key, f"The key {key!r} is empty. Give a text.")
        return " ".join(value.split())

    def integer(self, key: str) -> int:
        """Return a whole number from 1."""
        value = int(self._get(key, None, int, "a whole number"))
        if value < 1:
            self.fail(key, f"{value} is out of range. Give a whole number from 1.")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        return bool(self._get(key, default, bool, "true or false"))

    def number(self, key: str, value: object, low: float, high: float, token: str = "") -> float:
        """Return `value`, a number between `low` and `high`, both excluded."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(key, f"{value!r} is not a number. Give a number.", token)
        if not low < value < high:
            self.fail(key, f"{value} is out of range. Give a number between {low:g} and {high:g}.", token)
        return float(value)

    def positive(self, key: str, default: float) -> float:
        """Return a number above 0."""
        return self.number(key, self.values.get(key, default), 0.0, math.inf)

    def choice(self, key: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Return one of several words."""
        value = self.text(key, default)
        if value not in allowed:
            self.fail(key, f"{value!r} is not allowed. Allowed are {', '.join(map(repr, allowed))}.{closest(value, allowed)}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; empty if the key is missing."""
        values = self._get(key, [], list, "a list of texts")
        for value in values:
            if not isinstance(value, str):
                self.fail(key, f"{value!r} is not a text. Give a list of texts.", str(value))
        return tuple(values)

    def table_of(self, key: str) -> Mapping[str, Any]:
        """Return a table; empty if the key is missing."""
        values: Mapping[str, Any] = self._get(key, {}, dict, "a table")
        return values

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        """Return a list of tables; empty if the key is missing."""
        values = self._get(key, [], list, "a list of tables")
        for value in values:
            if not isinstance(value, dict):
                self.fail(key, f"{value!r} is not a table. Give a list of tables, each in braces.", str(value))
        return list(values)

    def provenance(self) -> tuple[Provenance, ...]:
        """Return where the entry comes from: the keys ``mark source note``, or a list ``provenance`` with one entry for each part."""
        if "provenance" not in self.values:
            return (self._provenance("mark", {k: self.values[k] for k in ("mark", "source", "note") if k in self.values}),)
        if "mark" in self.values:
            self.fail("mark", "Both 'mark' and 'provenance' are given. Keep one of them.")
        entries = self.tables("provenance")
        if not entries:
            self.fail("provenance", "The list is empty. Give at least one entry with a mark.")
        return tuple(self._provenance("provenance", entry) for entry in entries)

    def _provenance(self, key: str, values: Mapping[str, Any]) -> Provenance:
        allowed = ("mark", "what", "source", "note")
        for name, value in values.items():
            if name not in allowed:
                self.fail(key, f"Unknown key {name!r}. Allowed are {', '.join(allowed)}.{closest(name, allowed)}", name)
            if not isinstance(value, str) and not (name == "source" and isinstance(value, list)):
                self.fail(name if name in self.values else key, f"{value!r} is not a text. Give a text.", str(value))
        mark = values.get("mark")
        if mark is None:
            self.fail(key, f"The key 'mark' is missing. Give one of {', '.join(MARKS)}: {'; '.join(MARKS.values())}.")
        if mark not in MARKS:
            self.fail(key, f"Unknown mark {mark!r}. Allowed are {', '.join(MARKS)}: {'; '.join(MARKS.values())}.", f'"{mark}"')
        given = values.get("source", [])
        sources = (given,) if isinstance(given, str) else tuple(given)
        for source in sources:
            if source not in self.sources:
                hint = closest(str(source), self.sources)
                self.fail("source" if "source" in self.values else key, f"Unknown source {source!r}. Give it a [[source]] table.{hint}", str(source))
        if mark in _SOURCED and not sources:
            self.fail(key, f"The mark {mark!r} ({MARKS[mark]}) needs a source. Name one, or mark the claim as inferred ('I').", f'"{mark}"')
        return Provenance(mark, values.get("what", ""), sources, " ".join(values.get("note", "").split()))

    def fact(self, key: str, *, number: bool = False) -> Fact | None:
        """Return a value with its mark, or None if the key is missing; a number lies between 0 and 1."""
        if key not in self.values:
            return None
        values = self._get(key, None, dict, 'a table such as { value = ..., mark = "I" }')
        value = values.get("value")
        if number:
            value = self.number(key, value, 0.0, 1.0)
        elif not isinstance(value, str) or not value:
            self.fail(key, f'{value!r} is not a text. Give value = "...".')
        return Fact(value, self._provenance(key, {k: v for k, v in values.items() if k != "value"}))
