"""Where a claim comes from: marks, sources, facts that carry their standing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["MARKS", "UNVERIFIED", "Fact", "Provenance", "Source", "Statement", "weakest"]

MARKS: Mapping[str, str] = MappingProxyType(
    {
        # From the strongest standing to the weakest.
        "P": "stated by the paper",
        "P2": "stated by the same group elsewhere",
        "S": "stated by another source",
        "C": "computed from a source's numbers",
        "I": "inferred here",
        "K": "not verified",
    }
)
UNVERIFIED = "[not verified]"


@dataclass(frozen=True)
class Source:
    """Something that was read, and where it is.

    Attributes
    ----------
    id : str
        How provenance entries refer to it.
    title, url, doi : str
        Description and place; empty where there is none.
    """

    id: str
    title: str
    url: str = ""
    doi: str = ""


@dataclass(frozen=True)
class Provenance:
    """Where a claim, or part of one, comes from.

    Attributes
    ----------
    mark : str
        A key of :data:`MARKS`.
    what : str
        The part of the claim that this is about; empty for the whole.
    sources : tuple of str
        Ids of sources.
    note : str
        What a reader should know about it.
    """

    mark: str
    what: str = ""
    sources: tuple[str, ...] = ()
    note: str = ""

    @property
    def meaning(self) -> str:
        """The mark in words."""
        return MARKS[self.mark]


def weakest(entries: Iterable[Provenance]) -> str:
    """Return the weakest mark of several parts: a claim stands no firmer than its weakest part."""
    order = tuple(MARKS)
    return max((entry.mark for entry in entries), key=order.index, default="I")


@dataclass(frozen=True)
class Fact:
    """A value and where it comes from.

    Attributes
    ----------
    value : str or float
        The value.
    provenance : Provenance
        Its standing.
    """

    value: str | float
    provenance: Provenance

    @property
    def mark(self) -> str:
        """The mark of the value."""
        return self.provenance.mark

    def __str__(self) -> str:
        # An unverified value is never shown without saying so.
        return f"{self.value} {UNVERIFIED}" if self.mark == "K" else str(self.value)


@dataclass(frozen=True)
class Statement:
    """Something a theory says, or leaves open, that is not an arrow.

    Attributes
    ----------
    about, text : str
        Subject and statement.
    provenance : tuple of Provenance
        Where it comes from.
    """

    about: str
    text: str
    provenance: tuple[Provenance, ...]

    @property
    def mark(self) -> str:
        """The weakest mark of its provenance."""
        return weakest(self.provenance)
