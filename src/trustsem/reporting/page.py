"""What pages are made of: sections, paragraphs, tables of data frames, figures that can share a page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trustsem.display import escape, html_table, number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["figure", "frame_table", "paragraph", "section", "table_of_facts"]


_PVALUES = ("p", "pvalue", "p_zero", "p_equivalent", "p_size", "p_holm")
_SMALLEST_P = 0.001


def section(title: str, *parts: str) -> str:
    """Return a section with a heading; `parts` are HTML."""
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def paragraph(text: str) -> str:
    """Return a paragraph; nothing for no text."""
    return f"<p>{escape(text)}</p>" if text else ""


def frame_table(frame: pd.DataFrame, *, caption: str = "") -> str:
    """Return a DataFrame as an HTML table: numbers with three decimals on the right, the rest on the left."""
    numeric = [frame[name].dtype.kind in "fc" for name in frame.columns]
    rows = [
        [_cell(str(name), value, is_number) for name, value, is_number in zip(frame.columns, record, numeric, strict=True)]
        for record in frame.itertuples(index=False, name=None)
    ]
    return html_table([str(name) for name in frame.columns], rows, caption=caption, align="".join("r" if is_number else "l" for is_number in numeric))


def _cell(name: str, value: Any, is_number: bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_number and name in _PVALUES and 0.0 <= value < _SMALLEST_P:
        return f"< {_SMALLEST_P:g}"
    return number(float(value)) if is_number else str(value)


def figure(svg: str, words: str, prefix: str) -> str:
    """Return an SVG as a figure with a description; its identifiers start with `prefix`, so that several of them can share a page."""
    inner = svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{escape(words)}"', 1)
    renamed = re.sub(r'((?:\bid="|href="#|url\(#))', rf"\g<1>{prefix}", inner)
    return f"<figure>{renamed}</figure>"


def table_of_facts(facts: Iterable[tuple[str, object]]) -> str:
    """Return a table of two columns: what, and its value."""
    return html_table(["", ""], [[name, str(value)] for name, value in facts], align="ll")
