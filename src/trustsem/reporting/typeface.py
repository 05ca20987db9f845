"""The letters of diagrams: which fonts draw them, and how much room they take."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

__all__ = ["MISSING", "Typeface", "typeface_for", "wrapped"]

MISSING = "\N{WHITE SQUARE}"
# Families that cover what DejaVu Sans, which comes with matplotlib, lacks; used only if installed.
_FALLBACKS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "IPAGothic", "IPAexGothic", "Hiragino Sans", "Yu Gothic", "MS Gothic",
    "Microsoft YaHei", "SimHei", "PingFang SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Malgun Gothic", "NanumGothic", "Apple SD Gothic Neo",
    "Noto Sans", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Bengali", "Noto Sans Tamil", "Noto Sans Ethiopic", "Arial Unicode MS",
    "FreeSans", "Unifont",
)  # fmt: skip


class Typeface(NamedTuple):
    """Font families in order of preference, and the characters that none of them has."""

    families: tuple[str, ...]
    lacking: frozenset[str]

    def drawable(self, text: str) -> str:
        """Return `text` with a white square for every character that cannot be drawn."""
        return "".join(MISSING if letter in self.lacking else letter for letter in text)

    def properties(self, size: float, bold: bool = False) -> FontProperties:
        """Return matplotlib's font properties at `size` points."""
        from matplotlib.font_manager import FontProperties

        return FontProperties(family=list(self.families), size=size, weight="bold" if bold else "normal")

    def size_of(self, lines: Iterable[str], size: float, bold: bool = False) -> tuple[float, float]:
        """Return width and height, in inches, of lines of text at `size` points."""
        from matplotlib.textpath import text_to_path

        texts = list(lines)
        properties = self.properties(size, bold)
        widths = [text_to_path.get_text_width_height_descent(text, properties, ismath=False)[0] for text in texts]
        return max(widths, default=0.0) / 72.0, len(texts) * 1.2 * size / 72.0


@cache
def _characters_of(family: str) -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(family, fallback_to_default=False)).get_charmap())


@cache
def _installed() -> tuple[str, ...]:
    from matplotlib.font_manager import fontManager

    names = {entry.name for entry in fontManager.ttflist}
    return tuple(family for family in _FALLBACKS if family in names)


def typeface_for(texts: Iterable[str]) -> Typeface:
    """Return the typeface for `texts`: DejaVu Sans, and installed families that have the characters it lacks."""
    families = ["DejaVu Sans"]
    lacking = {letter for text in texts for letter in text if not letter.isspace() and ord(letter) not in _characters_of("DejaVu Sans")}
    for family in _installed() if lacking else ():
        covered = {letter for letter in lacking if ord(letter) in _characters_of(family)}
        if covered:
            families.append(family)
            lacking -= covered
    return Typeface(tuple(families), frozenset(lacking))


def wrapped(text: str, limit: int) -> tuple[str, ...]:
    """Return `text` on lines of about `limit` characters, broken at spaces and underscores (which become spaces at a break)."""
    if len(text) <= limit:
        return (text,)
    lines, line = [], ""
    for word in text.replace("_", " ").split():
        joined = f"{line} {word}" if line else word
        if line and len(joined) > limit:
            lines.append(line)
            joined = word
        line = joined
    return (*lines, line)
