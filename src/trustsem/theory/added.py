"""Theories with a construct more, or with one construct taken apart into several."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING

from trustsem.errors import TheoryError
from trustsem.theory.columns import check_columns, is_name
from trustsem.theory.marks import Provenance
from trustsem.theory.rival_claim import Awaited
from trustsem.theory.types import Construct, Preset, Proposition, ResidualCovariance, Step
from trustsem.theory.variants import find_construct, recorded, unused_id

if TYPE_CHECKING:
    from trustsem.theory.theory import Theory

__all__ = ["enlarged", "split", "with_construct"]

_VERBS = MappingProxyType({"+": "raises", "-": "lowers", "?": "changes"})


def with_construct(theory: Theory, name: str, columns: tuple[str, ...], beside: str | None, title: str, definition: str) -> Theory:
    """See :meth:`trustsem.theory.Theory.with_construct`."""
    _check_new(theory, name)
    known = next((claim.awaited for claim in theory.contenders if claim.awaited is not None and claim.awaited.name == name), None)
    given = Awaited(
        name,
        title or (known.title if known else name),
        definition or (known.definition if known else "Added by the user."),
        beside or "",
    )
    changed = enlarged(theory, given, columns)
    check_columns(changed.nodes)
    return recorded(changed, theory, Step("with_construct", (name, columns, beside, title, definition)))


def enlarged(theory: Theory, new: Awaited, columns: tuple[str, ...]) -> Theory:
    """Return the theory with a construct more, which has the causes of the construct next to which it stands.

    Raises
    ------
    TheoryError
        If there is no construct to stand next to.
    """
    added = Provenance("I", what="place in the theory", note="Added by the user.")
    if not new.beside:
        first = min(node.tier for node in theory.nodes)
        node = Construct(new.name, new.title, new.definition, first, "individual", "wave", columns, provenance=(added,))
        return replace(theory, nodes=(*theory.nodes, node))
    neighbour = find_construct(theory, new.beside)
    node = Construct(new.name, new.title, new.definition, neighbour.tier, neighbour.level, neighbour.timing, columns, provenance=(added,))
    changed = replace(theory, nodes=(*theory.nodes, node))
    for claim in [claim for claim in theory.claims if claim.effect == new.beside]:
        note = Provenance("I", what="arrow", note=f"As {claim.path}; {new.name} was added by the user.")
        statement = f"{claim.cause} {_VERBS[claim.sign]} {new.name}."
        arrow = Proposition(unused_id(changed, "A"), claim.cause, new.name, claim.sign, statement, claim.sesoi, (note,))
        changed = replace(changed, claims=(*changed.claims, arrow))
    if len(changed.claims) == len(theory.claims):
        return changed  # predictors covary anyway
    return replace(changed, covariances=(*changed.covariances, *(_joined(other, new.name) for other in _neighbours(theory, new.beside))))


def _neighbours(theory: Theory, name: str) -> tuple[str, ...]:
    """Return a construct and those that stand next to it: they have the same causes, and a free residual covariance with it."""

    def causes(effect: str) -> set[str]:
        return {claim.cause for claim in theory.claims if claim.effect == effect}

    joined = {other for c in theory.covariances if c.free and name in c.pair for other in c.pair}
    return (name, *(node.name for node in theory.nodes if node.name in joined - {name} and causes(node.name) == causes(name)))


def _joined(one: str, other: str) -> ResidualCovariance:
    note = Provenance("I", note=f"{other} stands next to {one}: which of the two leads to the other is left open.")
    return ResidualCovariance(one, other, (note,))


def split(theory: Theory, name: str, parts: tuple[tuple[str, tuple[str, ...]], ...]) -> Theory:
    """See :meth:`trustsem.theory.Theory.split`."""
    node = find_construct(theory, name)
    _check_parts(theory, node, parts)
    names = tuple(part for part, _ in parts)
    owner = {column: part for part, columns in parts for column in columns}
    note = Provenance("I", what="one side of a construct", note=f"A part of {name}, taken apart by the user.")
    members = tuple(
        replace(node, name=part, title=f"{node.title}: {part}", indicators=columns, provenance=(*node.provenance, note)) for part, columns in parts
    )
    changed = replace(
        theory,
        nodes=tuple(one for old in theory.nodes for one in (members if old is node else (old,))),
        practices=tuple(replace(p, construct=owner.get(p.indicator, names[0])) if p.construct == name else p for p in theory.practices),
        claims=tuple(new for claim in theory.claims for new in _claims(claim, name, names)),
        covariances=_covariances(theory, name, names),
        instruments=tuple(measure for measure in theory.instruments if measure.construct != name),
        presets=tuple(preset if preset.rival else _without(preset, name) for preset in theory.presets),
    )
    check_columns(changed.nodes)
    return recorded(changed, theory, Step("split", (name, parts)))


def _check_new(theory: Theory, name: str) -> None:
    if not isinstance(name, str) or not is_name(name):
        raise TheoryError(f"The name {name!r} cannot stand in model text. Use letters, digits, '_' and '.', no digit first.")
    if any(node.name == name for node in theory.nodes):
        raise TheoryError(f"{theory.id} has the construct {name!r} already. Give the new one another name.")


def _check_parts(theory: Theory, node: Construct, parts: tuple[tuple[str, tuple[str, ...]], ...]) -> None:
    if node.observed:
        raise TheoryError(f"{node.name} is one column, {node.variable!r}, which has no parts. Give its items with with_indicators() first.")
    if len(parts) < 2:
        raise TheoryError(f"parts= has {len(parts)} part of {node.name}. Give at least two, such as {{'A': ['x1', 'x2'], 'B': ['x3', 'x4']}}.")
    for part, _ in parts:
        _check_new(theory, part)
    given = [column for _, columns in parts for column in columns]
    strange = [column for column in given if column not in node.indicators]
    absent = [column for column in node.indicators if column not in given]
    if strange or absent:
        problem = f"name {', '.join(strange)}, no column of {node.name}" if strange else f"leave out {', '.join(absent)}"
        raise TheoryError(
            f"The parts {problem}. Give each of {', '.join(node.indicators)} to one part, or change the columns with with_indicators()."
        )


def _claims(claim: Proposition, name: str, parts: tuple[str, ...]) -> tuple[Proposition, ...]:
    if name not in (claim.cause, claim.effect):
        return (claim,)
    note = Provenance("I", what=f"derived by taking {name} apart", note=f"Follows from {claim.path} if it holds for each part.")
    result = []
    for part in parts:
        cause, effect = (part if end == name else end for end in (claim.cause, claim.effect))
        statement = f"{cause} {_VERBS[claim.sign]} {effect}" + (f", the other parts of {name} being equal." if claim.cause == name else ".")
        known = (*claim.provenance, note)
        result.append(Proposition(f"{claim.id}.{part}", cause, effect, claim.sign, statement, claim.sesoi, known, True, (f"part of {claim.path}",)))
    return tuple(result)


def _covariances(theory: Theory, name: str, parts: tuple[str, ...]) -> tuple[ResidualCovariance, ...]:
    result: list[ResidualCovariance] = []
    for covariance in theory.covariances:
        if name in covariance.pair:
            ends = [[*parts] if end == name else [end] for end in (covariance.left, covariance.right)]
            result += [replace(covariance, left=left, right=right) for left in ends[0] for right in ends[1]]
        else:
            result.append(covariance)
    if any(claim.effect == name for claim in theory.claims):
        note = Provenance("I", note=f"Both are sides of {name}.")
        result += [ResidualCovariance(left, right, (note,)) for left, right in combinations(parts, 2)]
    return tuple(result)


def _without(preset: Preset, name: str) -> Preset:
    """Return a preset without the values that belong to a construct: nothing says how its parts share them."""
    paths, correlations, residuals = (
        tuple(c for c in values if name not in (c.left, c.right)) for values in (preset.paths, preset.correlations, preset.residuals)
    )
    return replace(preset, paths=paths, correlations=correlations, residuals=residuals)
