"""How the parts of a theory file hang together: every name exists, every id is given once, nothing goes round in circles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from trustsem.errors import TheoryError, closest
from trustsem.theory.added import enlarged
from trustsem.theory.columns import check_columns
from trustsem.theory.entry import Entry
from trustsem.theory.presets import latent_moments, standardized_arrays
from trustsem.theory.rival_claim import RivalClaim
from trustsem.theory.rivals import apply_rival
from trustsem.theory.types import Preset, arrow_key
from trustsem.theory.variants import check_acyclic

if TYPE_CHECKING:
    from trustsem.theory.theory import Theory

__all__ = ["validate"]

Locate = Callable[[str, int], Entry]


def validate(theory: Theory, entry: Locate) -> None:
    """Check a theory that was read.

    Parameters
    ----------
    theory : Theory
        What was read.
    entry : callable
        ``entry(table, index)`` returns the table of the file, for messages.

    Raises
    ------
    TheoryError
        Naming file, line and key.
    """
    _unique(theory, entry)
    _references(theory, entry)
    _propositions(theory, entry)
    _covariances(theory, entry)
    _rivals(theory, entry)
    _presets(theory, entry)


def _unique(theory: Theory, entry: Locate) -> None:
    lists: list[tuple[str, str, Sequence[str]]] = [
        ("source", "id", [s.id for s in theory.sources]),
        ("construct", "name", [n.name for n in theory.nodes]),
        ("strategy", "id", [s.id for s in theory.practices]),
        ("strategy", "indicator", [s.indicator for s in theory.practices]),
        ("proposition", "id", [c.id for c in theory.claims]),
        ("measure", "id", [m.id for m in theory.instruments]),
        ("preset", "name", [p.name for p in theory.presets]),
        ("rival", "id", [r.id for r in theory.contenders]),
        ("statement", "about", [s.about for s in theory.statements]),
    ]
    for table, key, names in lists:
        for index, name in enumerate(names):
            if name in names[:index]:
                entry(table, index).fail(key, f"{name!r} is given twice. Give every {table} its own {key}.")
    for index in range(len(theory.nodes)):
        try:
            check_columns(theory.nodes[: index + 1])
        except TheoryError as error:
            entry("construct", index).fail("indicators", str(error))


def _references(theory: Theory, entry: Locate) -> None:
    names = [node.name for node in theory.nodes]
    pairs: list[tuple[str, int, str, str]] = []
    pairs += [("proposition", i, key, name) for i, c in enumerate(theory.claims) for key, name in (("cause", c.cause), ("effect", c.effect))]
    pairs += [("covariance", i, key, name) for i, c in enumerate(theory.covariances) for key, name in (("left", c.left), ("right", c.right))]
    pairs += [("strategy", i, "construct", s.construct) for i, s in enumerate(theory.practices)]
    pairs += [("measure", i, "construct", m.construct) for i, m in enumerate(theory.instruments)]
    for i, r in enumerate(theory.contenders):
        own = r.awaited.name if r.awaited is not None else None
        pairs += [("rival", i, "add", name) for c in r.add for name in (c.cause, c.effect) if name != own]
    for table, index, key, name in pairs:
        if name not in names:
            entry(table, index).fail(key, f"{name!r} is no construct. The constructs are {', '.join(names)}.{closest(name, names)}", name)
    columns = {node.name: node.indicators for node in theory.nodes}
    for index, practice in enumerate(theory.practices):
        allowed = columns[practice.construct]
        if practice.indicator not in allowed:
            hint = closest(practice.indicator, allowed)
            problem = f"{practice.indicator!r} is no indicator of {practice.construct}, which has {', '.join(allowed)}.{hint}"
            entry("strategy", index).fail("indicator", problem)


def _propositions(theory: Theory, entry: Locate) -> None:
    seen: list[str] = []
    for index, claim in enumerate(theory.claims):
        if claim.cause == claim.effect:
            entry("proposition", index).fail("effect", f"{claim.cause} would cause itself. Name another construct.")
        if claim.path in seen:
            entry("proposition", index).fail("cause", f"{claim.path} is claimed twice. Keep one of the two propositions.")
        seen.append(claim.path)
    try:
        check_acyclic(theory)
    except TheoryError as error:
        entry("proposition", _closing(theory)).fail("effect", str(error))


def _closing(theory: Theory) -> int:
    """Return the proposition with which the first cycle closes."""
    reached: dict[str, set[str]] = {node.name: {node.name} for node in theory.nodes}
    for index, claim in enumerate(theory.claims):
        if claim.cause in reached[claim.effect]:
            return index
        for ends in reached.values():
            if claim.cause in ends:
                ends |= reached[claim.effect]
    return 0


def _covariances(theory: Theory, entry: Locate) -> None:
    effects = {claim.effect for claim in theory.claims}
    seen: list[frozenset[str]] = []
    for index, covariance in enumerate(theory.covariances):
        if len(covariance.pair) < 2:
            entry("covariance", index).fail("right", f"{covariance.left} would covary with itself. Name another construct.")
        if covariance.pair in seen:
            entry("covariance", index).fail("left", f"{covariance.left} ~~ {covariance.right} is given twice. Keep one of the two.")
        if not covariance.pair & effects:
            entry("covariance", index).fail("left", f"Nothing explains {covariance.left} and {covariance.right}: they covary anyway. Remove this.")
        seen.append(covariance.pair)


def _rivals(theory: Theory, entry: Locate) -> None:
    for index, rival in enumerate(theory.contenders):
        here = entry("rival", index)
        _requirement(theory, rival, here)
        changes = rival.add or rival.remove or rival.uncorrelate
        if rival.measurement and (changes or rival.refusal):
            here.fail("measurement", "A rival about the measurement changes no arrows and is not refused. Make it a rival of its own.")
        if rival.refusal or rival.measurement:
            continue
        if not changes:
            here.fail("add", "The rival changes nothing. Give add, remove, measurement, or the refusal that says why it is not fitted.")
        try:
            # The construct that it awaits stands in for itself, as a column of its own name.
            apply_rival(theory if rival.awaited is None else enlarged(theory, rival.awaited, (rival.awaited.name,)), rival)
        except TheoryError as error:
            here.fail("add", str(error))


def _requirement(theory: Theory, rival: RivalClaim, here: Entry) -> None:
    if (rival.requires == "construct") != (rival.awaited is not None):
        here.fail("requires", 'A rival that requires a construct names it, and no other does: requires = "construct", construct = { name = ... }.')
    if rival.requires not in ("", "construct") and not rival.refusal:
        here.fail("requires", f"The rival requires {rival.requires!r}, which a theory for one wave does not have. Give the refusal that says so.")
    if rival.awaited is None:
        return
    names = [node.name for node in theory.nodes]
    if rival.awaited.name in names:
        here.fail("construct", f"The theory has the construct {rival.awaited.name!r}. Give requires and construct for one that it does not have.")
    if rival.awaited.beside and rival.awaited.beside not in names:
        known = f"The constructs are {', '.join(names)}.{closest(rival.awaited.beside, names)}"
        here.fail("construct", f"{rival.awaited.beside!r} is no construct. {known}", rival.awaited.beside)


def _presets(theory: Theory, entry: Locate) -> None:
    rivals = {rival.id: rival for rival in theory.contenders if not (rival.refusal or rival.measurement or rival.awaited)}
    for index, preset in enumerate(theory.presets):
        here = entry("preset", index)
        if preset.rival and preset.rival not in rivals:
            hint = closest(preset.rival, rivals)
            here.fail("rival", f"{preset.rival!r} is no rival that can be fitted. There are {', '.join(rivals) or 'none'}.{hint}")
        target = apply_rival(theory, rivals[preset.rival]) if preset.rival else theory
        _preset(target, preset, here)


def _preset(theory: Theory, preset: Preset, here: Entry) -> None:
    paths = [claim.path for claim in theory.claims]
    given = [arrow_key(p.left, p.right) for p in preset.paths]
    _known(here, "paths", given, paths)
    for path in paths:
        if path not in given:
            here.fail("paths", f"{path} has no value. Give every path of the theory one, 0 if need be.")
    effects = {claim.effect for claim in theory.claims}
    exogenous = [node.name for node in theory.nodes if node.name not in effects]
    free = [f"{c.left} ~~ {c.right}" for c in theory.covariances]
    _known(here, "correlations", _both(preset.correlations), [f"{a} ~~ {b}" for a in exogenous for b in exogenous if a != b])
    _known(here, "residuals", _both(preset.residuals), [*free, *(" ~~ ".join(reversed(pair.split(" ~~ "))) for pair in free)])
    names = [node.name for node in theory.nodes]
    try:
        latent_moments(names, *standardized_arrays(names, preset.paths, preset.correlations + preset.residuals))
    except TheoryError as error:
        here.fail("paths", str(error))


def _both(values: Iterable[tuple[str, str, float]]) -> list[str]:
    return [f"{left} ~~ {right}" for left, right, _ in values]


def _known(here: Entry, key: str, given: Sequence[str], allowed: Sequence[str]) -> None:
    for text in given:
        if text not in allowed:
            here.fail(key, f"{text!r} is not in the theory. Allowed are {', '.join(allowed) or 'none'}.{closest(text, allowed)}", text)
