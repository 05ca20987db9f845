"""What a rival of a theory says differently, before it is applied to a theory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from trustsem.theory.marks import Provenance, weakest
from trustsem.theory.types import Proposition

__all__ = ["MEASUREMENTS", "REQUIRES", "Awaited", "RivalClaim"]

REQUIRES = ("", "construct", "split", "interaction", "teams", "groups", "waves")
MEASUREMENTS = ("", "method", "general")


class Awaited(NamedTuple):
    """A construct that a rival is about and that the theory does not have.

    Attributes
    ----------
    name, title, definition : str
        As those of a construct.
    beside : str
        The construct next to which it stands; empty for a predictor.
    """

    name: str
    title: str
    definition: str
    beside: str = ""


@dataclass(frozen=True)
class RivalClaim:
    """What a rival says differently.

    Attributes
    ----------
    id, title, says : str
        Name, and the difference in words.
    add : tuple of Proposition
        Arrows added.
    remove : tuple of (str, str)
        Arrows removed, as (cause, effect).
    uncorrelate : tuple of (str, str)
        Residual covariances removed.
    needs : str
        Data it takes to tell the two apart.
    difference : str
        What would be seen if the rival were right.
    equivalent : str
        Why the rival cannot be told from the theory by its covariances; empty if it can.
    refusal : str
        Why it is not fitted; empty if it is.
    provenance : tuple of Provenance
        Where the rival comes from.
    requires : str
        What it takes beyond the constructs of the theory in one wave; one of :data:`REQUIRES`, empty for nothing.
    awaited : Awaited or None
        The construct that has to be measured, if `requires` is ``"construct"``.
    measurement : str
        For a rival about the measurement: ``"method"`` adds one factor on which all items load alike, ``"general"`` puts one factor in the place
        of all constructs. Empty for the others.
    """

    id: str
    title: str
    says: str
    add: tuple[Proposition, ...]
    remove: tuple[tuple[str, str], ...]
    uncorrelate: tuple[tuple[str, str], ...]
    needs: str
    difference: str
    equivalent: str
    refusal: str
    provenance: tuple[Provenance, ...]
    requires: str = ""
    awaited: Awaited | None = None
    measurement: str = ""

    @property
    def mark(self) -> str:
        """The weakest mark of its provenance."""
        return weakest(self.provenance)

    @property
    def remedy(self) -> str:
        """The call that gives the theory the construct that the rival is about; empty if it is about none."""
        if self.awaited is None:
            return ""
        beside = f", beside={self.awaited.beside!r}" if self.awaited.beside else ""
        return f"theory.with_construct({self.awaited.name!r}, [...]{beside})"
