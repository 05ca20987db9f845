"""Text and HTML primitives: numbers, aligned lines and tables, and a page that needs nothing but itself."""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Sequence

__all__ = [
    "bullet",
    "escape",
    "heading",
    "html_banner",
    "html_page",
    "html_table",
    "number",
    "pad_left",
    "pad_right",
    "pair",
    "text_table",
    "text_width",
    "wrap",
]

LINE = 54

# Only inherited colours and a translucent grey: readable on a light and on a dark notebook theme.
_RULE = "1px solid rgba(128,128,128,.45)"
_CELL = "padding:.15em .6em;border:none;background:transparent;color:inherit;"
_BANNER = "border:2px solid #d55e00;border-left-width:8px;padding:.4em .8em;margin:.5em 0;max-width:60em;"


def number(value: float | int | None, digits: int = 3) -> str:
    """Return `value` with a fixed number of decimals; blank for None and NaN, without decimals for whole numbers of type int.

    Parameters
    ----------
    value : float, int or None
    digits : int
        Decimals.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, int):
        return str(value)
    return f"{value + 0.0:.{digits}f}"  # -0.0 + 0.0 is 0.0


def text_width(text: str) -> int:
    """Return the number of columns that `text` takes on a terminal: wide characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def pad_right(text: str, width: int) -> str:
    """Return `text` followed by spaces up to `width` columns."""
    return text + " " * (width - text_width(text))


def pad_left(text: str, width: int) -> str:
    """Return `text` preceded by spaces up to `width` columns."""
    return " " * (width - text_width(text)) + text


def heading(title: str) -> str:
    """Return the line that opens a section."""
    return f"{title}:"


def pair(label: str, *values: str, indent: int = 2) -> str:
    """Return a line with a label on the left and values on the right.

    Parameters
    ----------
    label : str
    *values : str
        The first ends in column 54, every other takes 12 more columns.
    indent : int
        Spaces before the label.
    """
    left = " " * indent + label
    if not values:
        return left
    gap = max(1, LINE - text_width(left) - text_width(values[0]))
    return left + " " * gap + values[0] + "".join(pad_left(value, 12) for value in values[1:])


def wrap(text: str, width: int = 78, indent: str = "") -> list[str]:
    """Break `text` at spaces into lines of at most `width` columns, each preceded by `indent`; longer words keep their length."""
    lines: list[str] = []
    line = indent
    for word in text.split():
        joined = f"{line} {word}" if line.strip() else f"{indent}{word}"
        if text_width(joined) > width and line.strip():
            lines.append(line)
            joined = f"{indent}{word}"
        line = joined
    return [*lines, line] if line.strip() else lines


def bullet(text: str, width: int = 110) -> list[str]:
    """Break `text` into lines of at most `width` columns, as an item of a list: a dash, and what follows indented below it."""
    lines = wrap(text, width, "  ")
    return [f"- {lines[0][2:]}", *lines[1:]] if lines else []


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, align: str | None = None, indent: int = 2) -> list[str]:
    """Return the lines of a table with columns as wide as their widest cell.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequence of str
        As long as the header.
    align : str, optional
        One letter per column, ``l`` or ``r``; right by default.
    indent : int
        Spaces before every line.
    """
    sides = align or "r" * len(header)
    grid = [list(header), *map(list, rows)]
    widths = [max(text_width(line[k]) for line in grid) for k in range(len(header))]
    lines = []
    for line in grid:
        cells = [pad_right(cell, width) if side == "l" else pad_left(cell, width) for cell, width, side in zip(line, widths, sides, strict=True)]
        lines.append((" " * indent + " ".join(cells)).rstrip())
    return lines


def escape(text: object) -> str:
    """Return `text` with the characters that mean something in HTML replaced."""
    return html.escape(str(text), quote=True)


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str = "", align: str | None = None) -> str:
    """Return an HTML table; every cell is escaped.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequence of str
        As long as the header.
    caption : str
        Shown above the table.
    align : str, optional
        One letter per column, ``l`` or ``r``; right by default.
    """
    # Numbers stay on one line.
    sides = ["left" if side == "l" else "right;white-space:nowrap" for side in (align or "r" * len(header))]

    def line(cells: Sequence[str], tag: str, rule: str) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        parts = (f'<{tag}{scope} style="{_CELL}text-align:{side};{rule}">{escape(cell)}</{tag}>' for cell, side in zip(cells, sides, strict=True))
        return f"<tr>{''.join(parts)}</tr>"

    title = (
        f'<caption style="caption-side:top;text-align:left;font-weight:bold;padding:.3em 0;color:inherit;">{escape(caption)}</caption>'
        if caption
        else ""
    )
    body = "".join(line(row, "td", "") for row in rows)
    style = f"border-collapse:collapse;border-top:{_RULE};border-bottom:{_RULE};font-variant-numeric:tabular-nums;margin:.5em 0;"
    return f'<table style="{style}">{title}<thead>{line(header, "th", f"border-bottom:{_RULE};")}</thead><tbody>{body}</tbody></table>'


def html_banner(lines: Sequence[str]) -> str:
    """Return a framed box, one paragraph per line; each line is escaped."""
    return f'<div role="alert" style="{_BANNER}">{"".join(f"<p>{escape(line)}</p>" for line in lines)}</div>'


def html_page(title: str, body: str, *, language: str = "en") -> str:
    """Return a complete HTML page that loads nothing from elsewhere.

    Parameters
    ----------
    title : str
        Escaped here.
    body : str
        HTML, already escaped.
    language : str
        Language tag of the page.
    """
    style = (
        ":root{color-scheme:light dark}"
        "body{font-family:system-ui,'Segoe UI','DejaVu Sans',sans-serif;line-height:1.45;max-width:62rem;margin:2rem auto;padding:0 1rem}"
        "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}"
        "table{font-size:.9rem;display:block;overflow-x:auto}p{margin:.3em 0}"
        "figure{margin:1rem 0;padding:.5rem;background:#fff}figure svg{max-width:100%;height:auto}"
        "pre{overflow-x:auto;font-size:.85rem}"
        "@media print{body{max-width:none;margin:0}h2{break-after:avoid}table,figure{break-inside:avoid}}"
    )
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
