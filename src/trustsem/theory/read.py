"""The tables of a theory file as the types of a theory, without looking at how they hang together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from trustsem.errors import closest
from trustsem.theory.columns import is_name
from trustsem.theory.entry import Entry
from trustsem.theory.marks import Source, Statement
from trustsem.theory.rival_claim import MEASUREMENTS, REQUIRES, Awaited, RivalClaim
from trustsem.theory.types import (
    LEVELS,
    SIGNS,
    TIMINGS,
    Coefficient,
    Construct,
    Measure,
    Preset,
    Proposition,
    ResidualCovariance,
    Strategy,
)

__all__ = ["FACTS", "KEYS", "read_construct", "read_covariance", "read_measure", "read_preset", "read_proposition", "read_rival", "read_source"]
__all__ += ["read_statement", "read_strategy"]

_STANDING = ("mark", "source", "note", "provenance")
FACTS = ("citation", "doi", "items", "scale", "reliability", "structure", "loading", "licence")
KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "": (
            *("id", "title", "summary", "citation", "doi", "licence", "sesoi", "may_claim", "may_not_claim"),
            *("source", "construct", "strategy", "proposition", "covariance", "measure", "preset", "rival", "statement"),
        ),
        "source": ("id", "title", "url", "doi"),
        "construct": ("name", "title", "definition", "tier", "level", "timing", "indicators", "loading", *_STANDING),
        "strategy": ("id", "title", "construct", "indicator", "activity", *_STANDING),
        "proposition": ("id", "cause", "effect", "sign", "statement", "sesoi", *_STANDING),
        "covariance": ("left", "right", "free", *_STANDING),
        "measure": ("id", "construct", "name", *FACTS, *_STANDING),
        "preset": ("name", "title", "rival", "paths", "correlations", "residuals", *_STANDING),
        "rival": (
            *("id", "title", "says", "add", "remove", "uncorrelate", "needs", "difference", "equivalent", "refusal"),
            *("requires", "construct", "measurement", *_STANDING),
        ),
        "statement": ("about", "text", *_STANDING),
    }
)


def read_source(entry: Entry) -> Source:
    """Return a [[source]]."""
    return Source(entry.text("id"), entry.text("title"), entry.text("url", ""), entry.text("doi", ""))


def read_construct(entry: Entry) -> Construct:
    """Return a [[construct]]; without indicators it is a column of its own name."""
    name = entry.text("name")
    if not is_name(name):
        entry.fail("name", f"{name!r} cannot stand in model text. Use letters, digits, '_' and '.', no digit first.")
    return Construct(
        name=name,
        title=entry.text("title", name),
        definition=entry.text("definition"),
        tier=entry.integer("tier"),
        level=entry.choice("level", LEVELS, "individual"),
        timing=entry.choice("timing", TIMINGS, "wave"),
        indicators=entry.texts("indicators") or (name,),
        loading=entry.fact("loading", number=True),
        provenance=entry.provenance(),
    )


def read_strategy(entry: Entry) -> Strategy:
    """Return a [[strategy]]."""
    return Strategy(
        entry.text("id"), entry.text("title"), entry.text("construct"), entry.text("indicator"), entry.text("activity"), entry.provenance()
    )


def read_proposition(entry: Entry, sesoi: float) -> Proposition:
    """Return a [[proposition]]."""
    return Proposition(
        id=entry.text("id"),
        cause=entry.text("cause"),
        effect=entry.text("effect"),
        sign=entry.choice("sign", SIGNS),
        statement=entry.text("statement"),
        sesoi=entry.positive("sesoi", sesoi),
        provenance=entry.provenance(),
    )


def read_covariance(entry: Entry) -> ResidualCovariance:
    """Return a [[covariance]]."""
    return ResidualCovariance(entry.text("left"), entry.text("right"), entry.provenance(), entry.flag("free", True))


def read_measure(entry: Entry) -> Measure:
    """Return a [[measure]]."""
    facts = {key: entry.fact(key, number=key == "loading") for key in FACTS}
    return Measure(entry.text("id"), entry.text("construct"), entry.text("name"), **facts, provenance=entry.provenance())


def read_preset(entry: Entry) -> Preset:
    """Return a [[preset]]; its pairs are checked against the theory elsewhere."""
    return Preset(
        name=entry.text("name"),
        title=entry.text("title"),
        rival=entry.text("rival", ""),
        paths=_coefficients(entry, "paths", "->"),
        correlations=_coefficients(entry, "correlations", "~~"),
        residuals=_coefficients(entry, "residuals", "~~"),
        provenance=entry.provenance(),
    )


def _coefficients(entry: Entry, key: str, joint: str) -> tuple[Coefficient, ...]:
    result = []
    for text, value in entry.table_of(key).items():
        left, right = _pair(entry, key, text, joint)
        result.append(Coefficient(left, right, entry.number(key, value, -1.0, 1.0, text)))
    return tuple(result)


def _pair(entry: Entry, key: str, text: str, joint: str) -> tuple[str, str]:
    left, found, right = (part.strip() for part in text.partition(joint))
    if not (left and found and right):
        entry.fail(key, f"{text!r} is not a pair. Write it as 'A {joint} B'.", text)
    return left, right


def read_rival(entry: Entry, sesoi: float) -> RivalClaim:
    """Return a [[rival]]."""
    name = entry.text("id")
    provenance = entry.provenance()
    add = []
    for number, values in enumerate(entry.tables("add"), 1):
        arrow = Entry({"provenance": [{"mark": "I"}], **values}, entry.file, entry.places, "rival", entry.index, entry.sources)
        _only(entry, "add", values, ("cause", "effect", "sign", "statement", "sesoi"))
        claim = Proposition(
            id=f"{name}.{number}",
            cause=arrow.text("cause"),
            effect=arrow.text("effect"),
            sign=arrow.choice("sign", SIGNS, "+"),
            statement=arrow.text("statement"),
            sesoi=arrow.positive("sesoi", sesoi),
            provenance=provenance,
        )
        add.append(claim)
    return RivalClaim(
        id=name,
        title=entry.text("title"),
        says=entry.text("says"),
        add=tuple(add),
        remove=tuple(_pair(entry, "remove", text, "->") for text in entry.texts("remove")),
        uncorrelate=tuple(_pair(entry, "uncorrelate", text, "~~") for text in entry.texts("uncorrelate")),
        needs=entry.text("needs"),
        difference=entry.text("difference"),
        equivalent=entry.text("equivalent", ""),
        refusal=entry.text("refusal", ""),
        provenance=provenance,
        requires=entry.choice("requires", REQUIRES, ""),
        awaited=_awaited(entry),
        measurement=entry.choice("measurement", MEASUREMENTS, ""),
    )


def _awaited(entry: Entry) -> Awaited | None:
    values = entry.table_of("construct")
    if not values:
        return None
    _only(entry, "construct", values, Awaited._fields)
    new = Entry(values, entry.file, entry.places, "rival", entry.index, entry.sources)
    name = new.text("name")
    if not is_name(name):
        entry.fail("construct", f"{name!r} cannot stand in model text. Use letters, digits, '_' and '.', no digit first.")
    return Awaited(name, new.text("title", name), new.text("definition"), new.text("beside", ""))


def _only(entry: Entry, where: str, values: Mapping[str, Any], allowed: Sequence[str]) -> None:
    for key in values:
        if key not in allowed:
            entry.fail(where, f"Unknown key {key!r}. Allowed are {', '.join(allowed)}.{closest(key, allowed)}", key)


def read_statement(entry: Entry) -> Statement:
    """Return a [[statement]]."""
    return Statement(entry.text("about"), entry.text("text"), entry.provenance())
