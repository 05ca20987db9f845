"""A theory as a theory file, which reads back as the same theory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from trustsem.errors import TheoryError
from trustsem.theory.marks import Fact, Provenance
from trustsem.theory.types import Coefficient

if TYPE_CHECKING:
    from trustsem.theory.theory import Theory

__all__ = ["dump_toml"]

Value = str | float | bool | Sequence[str] | Fact | None


def dump_toml(theory: Theory) -> str:
    """Return the text of a theory file.

    Raises
    ------
    TheoryError
        If the theory is a variant: a theory file does not state derived arrows or composites.
    """
    if theory.steps:
        changes = ", ".join(step.kind for step in theory.steps)
        raise TheoryError(f"{theory.id} was changed by {changes}, which a theory file does not state. Write theory.root and change what you read.")
    lines = _head(theory)
    for s in theory.sources:
        lines += _table("source", [("id", s.id), ("title", s.title), ("url", s.url), ("doi", s.doi)])
    lines += _core(theory)
    for m in theory.instruments:
        lines += _table("measure", [("id", m.id), ("construct", m.construct), ("name", m.name), *m.facts], m.provenance)
    for p in theory.presets:
        lines += _table("preset", [("name", p.name), ("title", p.title), ("rival", p.rival)], p.provenance)
        for key, joint, values in (("paths", "->", p.paths), ("correlations", "~~", p.correlations), ("residuals", "~~", p.residuals)):
            lines += _coefficients(key, joint, values)
    lines += _rivals(theory)
    for statement in theory.statements:
        lines += _table("statement", [("about", statement.about), ("text", statement.text)], statement.provenance)
    return "\n".join(lines) + "\n"


def _head(theory: Theory) -> list[str]:
    texts = [(key, getattr(theory, key)) for key in ("id", "title", "summary", "citation", "doi", "licence")]
    return _lines([*texts, ("sesoi", theory.sesoi), ("may_claim", theory.may_claim), ("may_not_claim", theory.may_not_claim)])


def _core(theory: Theory) -> list[str]:
    lines: list[str] = []
    for n in theory.nodes:
        keys: list[tuple[str, Value]] = [("name", n.name), ("title", n.title), ("definition", n.definition), ("tier", n.tier), ("level", n.level)]
        lines += _table("construct", [*keys, ("timing", n.timing), ("indicators", n.indicators), ("loading", n.loading)], n.provenance)
    for s in theory.practices:
        keys = [("id", s.id), ("title", s.title), ("construct", s.construct), ("indicator", s.indicator), ("activity", s.activity)]
        lines += _table("strategy", keys, s.provenance)
    for c in theory.claims:
        keys = [("id", c.id), ("cause", c.cause), ("effect", c.effect), ("sign", c.sign), ("statement", c.statement), ("sesoi", c.sesoi)]
        lines += _table("proposition", keys, c.provenance)
    for v in theory.covariances:
        lines += _table("covariance", [("left", v.left), ("right", v.right), ("free", v.free)], v.provenance)
    return lines


def _rivals(theory: Theory) -> list[str]:
    lines: list[str] = []
    for r in theory.contenders:
        lines += _table("rival", [("id", r.id), ("title", r.title), ("says", r.says), ("needs", r.needs), ("difference", r.difference)], r.provenance)
        lines += _lines([("equivalent", r.equivalent), ("refusal", r.refusal), ("requires", r.requires), ("measurement", r.measurement)])
        lines += [f"construct = {_inline(list(r.awaited._asdict().items()))}"] if r.awaited is not None else []
        lines += _lines([("remove", [" -> ".join(pair) for pair in r.remove]), ("uncorrelate", [" ~~ ".join(pair) for pair in r.uncorrelate])])
        if r.add:
            arrows = (
                _inline([("cause", c.cause), ("effect", c.effect), ("sign", c.sign), ("statement", c.statement), ("sesoi", c.sesoi)]) for c in r.add
            )
            lines += ["add = [", *(f"  {arrow}," for arrow in arrows), "]"]
    return lines


def _table(name: str, pairs: Iterable[tuple[str, Value]], provenance: Iterable[Provenance] = ()) -> list[str]:
    lines = ["", f"[[{name}]]", *_lines(pairs)]
    entries = [f"  {_inline(_standing(entry))}," for entry in provenance]
    return [*lines, "provenance = [", *entries, "]"] if entries else lines


def _coefficients(key: str, joint: str, values: Iterable[Coefficient]) -> list[str]:
    lines = [f"{json.dumps(f'{left} {joint} {right}')} = {value!r}" for left, right, value in values]
    return [f"[preset.{key}]", *lines] if lines else []


def _lines(pairs: Iterable[tuple[str, Value]]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in pairs if value is not None and value not in ("", (), [])]


def _standing(entry: Provenance) -> list[tuple[str, Value]]:
    return [("mark", entry.mark), ("what", entry.what), ("source", entry.sources), ("note", entry.note)]


def _inline(pairs: Iterable[tuple[str, Value]]) -> str:
    return f"{{ {', '.join(_lines(pairs))} }}"


def _value(value: Value) -> str:
    if isinstance(value, Fact):
        return _inline([("value", value.value), *_standing(value.provenance)])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return repr(value)
    return f"[{', '.join(_text(part) for part in value or ())}]"


def _text(value: str) -> str:
    # A JSON string is a TOML string, but for the delete character, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
