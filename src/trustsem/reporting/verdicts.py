"""How verdicts look in diagrams."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["ARROW_STYLES", "MISSING", "PLAIN", "VERDICT_STYLES", "VerdictStyle"]


class VerdictStyle(NamedTuple):
    """How a verdict looks: colour (safe for colour-blind readers), line width in points, dash pattern, sign."""

    colour: str
    width: float
    dashes: tuple[float, ...]
    sign: str


# Colours of Okabe & Ito (2008). The sign on each arrow and the line width say the same without colour.
VERDICT_STYLES: Mapping[str, VerdictStyle] = MappingProxyType(
    {
        "supported": VerdictStyle("#0072B2", 2.0, (), "\N{CHECK MARK}"),
        "supported but small": VerdictStyle("#56B4E9", 1.4, (), "(\N{CHECK MARK})"),
        "contradicted": VerdictStyle("#D55E00", 2.0, (), "\N{MULTIPLICATION X}"),
        "negligible": VerdictStyle("#8A8A8A", 0.8, (), "\N{ALMOST EQUAL TO}0"),
        "undetermined": VerdictStyle("#000000", 0.8, (1.0, 1.5), "?"),
    }
)
MISSING = "missing from the theory"
PLAIN = VerdictStyle("#000000", 1.0, (), "")
# An arrow that the theory leaves out and the data ask for is drawn as well, where local fit is shown.
ARROW_STYLES: Mapping[str, VerdictStyle] = MappingProxyType({**VERDICT_STYLES, MISSING: VerdictStyle("#CC3311", 1.4, (3.0, 1.6), "!")})
