"""The frozen parts of a theory: constructs, strategies, propositions, measures, presets."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

from trustsem.theory.marks import Fact, Provenance, weakest

__all__ = [
    "LEVELS",
    "SIGNS",
    "TIMINGS",
    "Coefficient",
    "Construct",
    "Measure",
    "Preset",
    "Proposition",
    "ResidualCovariance",
    "Step",
    "Strategy",
    "arrow_key",
]

SIGNS = ("+", "-")
LEVELS = ("individual", "dyad", "team", "organisation")
TIMINGS = ("wave", "once")


def arrow_key(cause: str, effect: str) -> str:
    """Return the way a path is written in theory files and messages: ``"Trust -> Motivation"``."""
    return f"{cause} -> {effect}"


class Coefficient(NamedTuple):
    """A standardized value of a preset between two constructs (a path from `left` to `right`, or a correlation)."""

    left: str
    right: str
    value: float


class Step(NamedTuple):
    """One change that led from a loaded theory to a variant; can be repeated on a rival.

    Attributes
    ----------
    kind : str
        Name of the function in :mod:`trustsem.theory.variants`.
    arguments : tuple
        Hashable arguments of that function.
    """

    kind: str
    arguments: tuple[object, ...] = ()


@dataclass(frozen=True)
class Construct:
    """Something the theory is about.

    Attributes
    ----------
    name : str
        Name in model text (the name of the latent variable).
    title, definition : str
        For people.
    tier : int
        Place in the order of the theory, from 1.
    level : str
        Whose state it is; one of :data:`LEVELS`.
    timing : str
        ``"wave"`` if it is rated anew in every wave, ``"once"`` if not.
    indicators : tuple of str
        Columns of the data. A single one is the construct itself: it has no measurement part.
    items : tuple of str
        Columns that are averaged into the single indicator (composite form only).
    loading : Fact or None
        Standardized loading of its indicators in presets.
    provenance : tuple of Provenance
        Where definition and place come from.
    """

    name: str
    title: str
    definition: str
    tier: int
    level: str
    timing: str
    indicators: tuple[str, ...]
    items: tuple[str, ...] = ()
    loading: Fact | None = None
    provenance: tuple[Provenance, ...] = ()

    @property
    def observed(self) -> bool:
        """Whether one column stands for the construct."""
        return len(self.indicators) == 1

    @property
    def variable(self) -> str:
        """Name of the variable in the model: the column if observed, else the latent variable."""
        return self.indicators[0] if self.observed else self.name

    @property
    def mark(self) -> str:
        """The weakest mark of its provenance."""
        return weakest(self.provenance)


@dataclass(frozen=True)
class Strategy:
    """Something that people do to set the theory in motion.

    Attributes
    ----------
    id, title : str
        Short and full name.
    construct : str
        The construct that it belongs to.
    indicator : str
        The column that it is rated in; empty where the data have none.
    activity : str
        An example.
    provenance : tuple of Provenance
        Where it comes from.
    """

    id: str
    title: str
    construct: str
    indicator: str
    activity: str
    provenance: tuple[Provenance, ...]

    @property
    def mark(self) -> str:
        """The weakest mark of its provenance."""
        return weakest(self.provenance)


@dataclass(frozen=True)
class Proposition:
    """A directed claim between two constructs.

    Attributes
    ----------
    id : str
        Name of the claim.
    cause, effect : str
        Names of constructs.
    sign : str
        ``"+"`` or ``"-"``; ``"?"`` for a derived arrow whose routes disagree.
    statement : str
        The claim in words.
    sesoi : float
        Smallest effect of interest, on the standardized scale.
    provenance : tuple of Provenance
        Where it comes from.
    derived : bool
        Whether the arrow follows from dropping a construct, or from another form of the strategies, instead of being stated.
    routes : tuple of str
        What a derived arrow stands for, and what a stated one carries besides itself after constructs were dropped.
    """

    id: str
    cause: str
    effect: str
    sign: str
    statement: str
    sesoi: float
    provenance: tuple[Provenance, ...]
    derived: bool = False
    routes: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The arrow as text."""
        return arrow_key(self.cause, self.effect)

    @property
    def mark(self) -> str:
        """The weakest mark of its provenance."""
        return weakest(self.provenance)


@dataclass(frozen=True)
class ResidualCovariance:
    """An association between two constructs that their causes in the theory do not account for.

    Attributes
    ----------
    left, right : str
        Names of constructs.
    provenance : tuple of Provenance
        Where it comes from.
    free : bool
        Estimated; otherwise fixed to zero.
    origin : str
        The dropped construct that it stands for, or also stands for; empty if there is none.
    stated : bool
        Whether the theory states it apart from that.
    """

    left: str
    right: str
    provenance: tuple[Provenance, ...]
    free: bool = True
    origin: str = ""
    stated: bool = True

    @property
    def pair(self) -> frozenset[str]:
        """The two names, in no order."""
        return frozenset((self.left, self.right))

    @property
    def mark(self) -> str:
        """The weakest mark of its provenance."""
        return weakest(self.provenance)


@dataclass(frozen=True)
class Measure:
    """An instrument for a construct; every fact about it has its own mark.

    Attributes
    ----------
    id, construct, name : str
        Name of the entry, the construct it may measure, name of the instrument.
    citation, doi, items, scale, reliability, structure, loading, licence : Fact or None
        What is known; None where nothing is.
    provenance : tuple of Provenance
        Why it is listed for this construct.
    """

    id: str
    construct: str
    name: str
    citation: Fact | None = None
    doi: Fact | None = None
    items: Fact | None = None
    scale: Fact | None = None
    reliability: Fact | None = None
    structure: Fact | None = None
    loading: Fact | None = None
    licence: Fact | None = None
    provenance: tuple[Provenance, ...] = ()

    @property
    def mark(self) -> str:
        """The weakest mark of its provenance (why it is listed; each fact has its own)."""
        return weakest(self.provenance)

    @property
    def facts(self) -> tuple[tuple[str, Fact], ...]:
        """The facts that are known, with their names."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return tuple((name, value) for name, value in pairs if isinstance(value, Fact))

    @property
    def unverified(self) -> tuple[str, ...]:
        """Names of the facts that nobody has checked."""
        return tuple(name for name, fact in self.facts if fact.mark == "K")


@dataclass(frozen=True)
class Preset:
    """Population values on the standardized scale.

    Attributes
    ----------
    name, title : str
        For choosing one.
    rival : str
        Id of the rival whose paths it gives; empty for the theory itself.
    paths : tuple of Coefficient
        One per arrow.
    correlations : tuple of Coefficient
        Between exogenous constructs; what is not listed is zero.
    residuals : tuple of Coefficient
        Residual correlations; what is not listed is zero.
    provenance : tuple of Provenance
        Where the values come from.
    """

    name: str
    title: str
    rival: str
    paths: tuple[Coefficient, ...]
    correlations: tuple[Coefficient, ...]
    residuals: tuple[Coefficient, ...]
    provenance: tuple[Provenance, ...]

    @property
    def mark(self) -> str:
        """The weakest mark of its provenance."""
        return weakest(self.provenance)
