"""What the parts of an appraisal have in common: a table with a heading and notes, which prints itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trustsem.display import bullet, escape, html_table, number, text_table, wrap
from trustsem.fitting.serialise import plain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Told", "records"]

_WIDTH = 110
_SMALLEST_P = 0.001


class Told:
    """A result with one table, told in text, in HTML and as plain values.

    A subclass has the attributes `heading` (str), `frame` (DataFrame) and `notes` (sequence of str), and may name the columns to print in `shown`.
    Further tables, told in the same way, are its `parts`. As a dataclass it has ``repr=False``, so that it prints itself everywhere.
    """

    heading: str
    frame: pd.DataFrame
    notes: Sequence[str]
    shown: Sequence[str] | None = None

    @property
    def parts(self) -> tuple[Any, ...]:
        """Further tables, in the order in which they are printed."""
        return ()

    def _cells(self) -> tuple[list[str], list[list[str]], str]:
        columns = list(self.frame.columns if self.shown is None else self.shown)
        rows = [[_cell(name, value) for name, value in zip(columns, row, strict=True)] for row in self.frame[columns].itertuples(index=False)]
        sides = "".join("r" if self.frame[name].dtype.kind in "fiu" else "l" for name in columns)
        return columns, rows, sides

    def __str__(self) -> str:
        header, rows, sides = self._cells()
        lines = [*wrap(self.heading, _WIDTH), "", *text_table(header, rows, align=sides)]
        if self.notes:
            lines.append("")
        for note in self.notes:
            lines += bullet(note, _WIDTH)
        return "\n\n".join(["\n".join(lines), *map(str, self.parts)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        header, rows, sides = self._cells()
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        own = html_table(header, rows, caption=self.heading, align=sides) + (f"<ul>{notes}</ul>" if notes else "")
        return "\n".join([own, *(part._repr_html_() for part in self.parts)])

    def to_dict(self) -> dict[str, Any]:
        """Return heading, rows and notes as JSON knows them: NaN and infinities become None."""
        return {"heading": self.heading, "rows": records(self.frame), "notes": list(self.notes)}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as JSON knows them."""
    return [{str(name): plain(value) for name, value in zip(frame.columns, row, strict=True)} for row in frame.itertuples(index=False, name=None)]


def _cell(name: str, value: Any) -> str:
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return "yes" if value else "no"
    if isinstance(value, float):
        if name.startswith("p") and 0.0 <= value < _SMALLEST_P:
            return f"< {number(_SMALLEST_P)}"
        return number(value)
    return "" if value is None else str(value)
