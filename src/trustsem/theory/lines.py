"""Where in a theory file something stands: tomllib reads values, this finds their lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["Places", "find_places"]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+))*)\s*=""")
_TOKEN = re.compile(r'"""|\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}]')


@dataclass(frozen=True)
class Places:
    """Lines of a TOML text.

    Attributes
    ----------
    lines : tuple of str
        The text.
    headers : dict
        First line of (table, index), counted from 1; ``("", 0)`` is the top.
    keys : dict
        First and last line of (table, index, key).
    """

    lines: tuple[str, ...]
    headers: dict[tuple[str, int], int] = field(default_factory=dict)
    keys: dict[tuple[str, int, str], tuple[int, int]] = field(default_factory=dict)

    def line(self, table: str, index: int, key: str = "", token: str = "") -> int:
        """Return the line of a token within a key, else of the key, else of the table's header.

        Parameters
        ----------
        table : str
            Name of the table; empty for the top of the file.
        index : int
            Which of the tables of that name, counted from 0.
        key, token : str
            The key, and text to look for in its value.
        """
        sub = self.keys.get((table, index, key)) or self.keys.get((f"{table}.{key}", index, token))
        if sub is None:
            return self.headers.get((f"{table}.{key}", index), self.headers.get((table, index), 1))
        first, last = sub
        matches = (number for number in range(first, last + 1) if token and token in self.lines[number - 1])
        return next(matches, first)


def find_places(text: str) -> Places:
    """Return the lines of the tables and keys of a TOML text that tomllib has accepted."""
    places = Places(tuple(text.split("\n")))
    places.headers["", 0] = 1
    counts: dict[str, int] = {}
    table, index, key = "", 0, ""
    depth, quote = 0, ""
    for number, line in enumerate(places.lines, 1):
        if depth == 0 and not quote:
            header, start = _HEADER.match(line), _KEY.match(line)
            if header:
                table, index = _enter(header, counts)
                places.headers[table, index] = number
                continue
            if start:
                key = start.group(1).strip("\"'")
                places.keys[table, index, key] = (number, number)
        elif key:
            places.keys[table, index, key] = (places.keys[table, index, key][0], number)
        depth, quote = _state(line, depth, quote)
    return places


def _enter(header: re.Match[str], counts: dict[str, int]) -> tuple[str, int]:
    table = header.group(2)
    if header.group(1) == "[[":
        counts[table] = counts.get(table, -1) + 1
        return table, counts[table]
    # A plain table belongs to the last table of the list it is in: [preset.paths] to the last [[preset]].
    return table, counts.get(table.rpartition(".")[0], 0)


def _state(line: str, depth: int, quote: str) -> tuple[int, str]:
    """Return how many brackets, and which long quote, are open after `line`."""
    position = 0
    while True:
        if quote:
            end = line.find(quote, position)
            if end < 0:
                return depth, quote
            position, quote = end + 3, ""
        match = _TOKEN.search(line, position)
        if match is None:
            return depth, quote
        found, position = match.group(), match.end()
        if found in ('"""', "'''"):
            quote = found
        elif found in "[{":
            depth += 1
        elif found in "]}":
            depth -= 1
