"""Theories made from theories: functions that take one and return another, and remember how."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from trustsem.errors import TheoryError, closest
from trustsem.theory.columns import check_columns
from trustsem.theory.dropping import project_theory
from trustsem.theory.marks import Provenance
from trustsem.theory.projection import topological
from trustsem.theory.types import SIGNS, Coefficient, Construct, Preset, Proposition, Step, arrow_key

if TYPE_CHECKING:
    from trustsem.theory.theory import Theory

__all__ = [
    "check_acyclic",
    "column_pairs",
    "drop",
    "find_construct",
    "find_preset",
    "recorded",
    "strict",
    "unused_id",
    "with_indicators",
    "with_path",
    "without_path",
]


def recorded(theory: Theory, before: Theory, step: Step) -> Theory:
    """Return `theory`, remembering that it came from `before` by `step`."""
    return replace(theory, root=before.root or before, steps=(*before.steps, step))


def find_construct(theory: Theory, name: str) -> Construct:
    """Return the construct of that name.

    Raises
    ------
    TheoryError
        If there is none.
    """
    for node in theory.nodes:
        if node.name == name:
            return node
    names = [node.name for node in theory.nodes]
    hint = closest(name, names) if isinstance(name, str) else ""
    raise TheoryError(f"{theory.id} has no construct {name!r}. It has {', '.join(names)}.{hint}")


def find_preset(theory: Theory, name: str) -> Preset:
    """Return the preset of that name.

    Raises
    ------
    TheoryError
        If there is none.
    """
    for preset in theory.presets:
        if preset.name == name:
            return preset
    names = [preset.name for preset in theory.presets]
    raise TheoryError(f"{theory.id} has no preset {name!r}. It has {', '.join(names) or 'none'}.{closest(name, names)}")


def check_acyclic(theory: Theory) -> None:
    """Refuse claims that lead from a construct back to itself.

    Raises
    ------
    TheoryError
        Naming the constructs involved.
    """
    names = [node.name for node in theory.nodes]
    order = topological(names, [(claim.cause, claim.effect) for claim in theory.claims])
    if len(order) < len(names):
        circle = ", ".join(name for name in names if name not in order)
        raise TheoryError(
            f"The claims form a cycle among (or before) {circle}. "
            "Remove one of the arrows; feedback takes several waves, with a construct for each wave."
        )


def with_path(theory: Theory, cause: str, effect: str, sign: str, sesoi: float | None, statement: str, value: float | None) -> Theory:
    """See :meth:`trustsem.theory.Theory.with_path`."""
    find_construct(theory, cause)
    find_construct(theory, effect)
    if any((claim.cause, claim.effect) == (cause, effect) for claim in theory.claims):
        raise TheoryError(f"{theory.id} has the path {arrow_key(cause, effect)} already. Remove it first with without_path().")
    if sign not in SIGNS:
        raise TheoryError(f"sign={sign!r} is not a direction. Give '+' or '-'.")
    size = float(theory.sesoi.value) if sesoi is None else sesoi
    if not (math.isfinite(size) and size > 0):
        raise TheoryError(f"sesoi={size} is no smallest effect of interest. Give a standardized size above 0.")
    if value is not None and not -1 < value < 1:
        raise TheoryError(f"value={value} is no standardized path. Give a value between -1 and 1.")
    verb = "raises" if sign == "+" else "lowers"
    claim = Proposition(
        id=unused_id(theory, "A"),
        cause=cause,
        effect=effect,
        sign=sign,
        statement=statement or f"{cause} {verb} {effect}.",
        sesoi=size,
        provenance=(Provenance("I", what="arrow", note="Added by the user."),),
    )
    presets = theory.presets
    if value is not None:
        added = Coefficient(cause, effect, value)
        presets = tuple(preset if preset.rival else replace(preset, paths=(*preset.paths, added)) for preset in presets)
    changed = replace(theory, claims=(*theory.claims, claim), presets=presets)
    check_acyclic(changed)
    return recorded(changed, theory, Step("with_path", (cause, effect, sign, sesoi, statement, value)))


def unused_id(theory: Theory, letter: str) -> str:
    """Return the first id of a claim, of a letter and a number, that is not taken."""
    taken = {claim.id for claim in theory.claims}
    return next(name for name in (f"{letter}{i}" for i in range(1, len(taken) + 2)) if name not in taken)


def without_path(theory: Theory, cause: str, effect: str) -> Theory:
    """See :meth:`trustsem.theory.Theory.without_path`."""
    find_construct(theory, cause)
    find_construct(theory, effect)
    kept = tuple(claim for claim in theory.claims if (claim.cause, claim.effect) != (cause, effect))
    if len(kept) == len(theory.claims):
        paths = [claim.path for claim in theory.claims]
        key = arrow_key(cause, effect)
        raise TheoryError(f"{theory.id} has no path {key}. It has {', '.join(paths) or 'none'}.{closest(key, paths)}")
    presets = tuple(
        preset if preset.rival else replace(preset, paths=tuple(p for p in preset.paths if (p.left, p.right) != (cause, effect)))
        for preset in theory.presets
    )
    return recorded(replace(theory, claims=kept, presets=presets), theory, Step("without_path", (cause, effect)))


def strict(theory: Theory) -> Theory:
    """See :meth:`trustsem.theory.Theory.strict`."""
    fixed = tuple(replace(c, free=False) if c.stated and not c.origin else c for c in theory.covariances)
    return recorded(replace(theory, covariances=fixed), theory, Step("strict"))


def drop(theory: Theory, *names: str) -> Theory:
    """See :meth:`trustsem.theory.Theory.drop`."""
    for name in names:
        find_construct(theory, name)
    if len(set(names)) >= len(theory.nodes):
        raise TheoryError(f"Nothing is left of {theory.id} without {', '.join(names)}. Keep at least one construct.")
    return recorded(project_theory(theory, tuple(dict.fromkeys(names))), theory, Step("drop", tuple(names)))


def column_pairs(indicators: Mapping[str, Sequence[str] | str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the mapping of :meth:`trustsem.theory.Theory.with_indicators` as a tuple.

    Raises
    ------
    TheoryError
        If it is not a mapping to columns.
    """
    if not isinstance(indicators, Mapping) or not indicators:
        raise TheoryError(f"indicators={indicators!r} names no columns. Give a dict such as {{'Trust': ['t1', 't2', 't3']}}.")
    pairs = []
    for name, columns in indicators.items():
        given = (columns,) if isinstance(columns, str) else tuple(columns) if isinstance(columns, Sequence) else ()
        if not given or not all(isinstance(column, str) for column in given):
            raise TheoryError(f"indicators[{name!r}] is {columns!r}. Give the name of one column or a list of names.")
        pairs.append((name, given))
    return tuple(pairs)


def with_indicators(theory: Theory, pairs: tuple[tuple[str, tuple[str, ...]], ...]) -> Theory:
    """See :meth:`trustsem.theory.Theory.with_indicators`."""
    chosen = dict(pairs)
    for name in chosen:
        find_construct(theory, name)
    absent = tuple(node.name for node in theory.nodes if node.name not in chosen)
    rest = project_theory(theory, absent) if absent else theory
    nodes = tuple(_mapped(node, chosen[node.name]) for node in rest.nodes)
    check_columns(nodes)
    columns = {column for node in nodes for column in (*node.indicators, *node.items)}
    practices = tuple(practice if practice.indicator in columns else replace(practice, indicator="") for practice in rest.practices)
    return recorded(replace(rest, nodes=nodes, practices=practices), theory, Step("with_indicators", (pairs,)))


def _mapped(node: Construct, columns: tuple[str, ...]) -> Construct:
    if not node.items:
        return replace(node, indicators=columns)
    # A composite: several columns are what it is the mean of, one column is the composite itself.
    return replace(node, items=columns) if len(columns) > 1 else replace(node, indicators=columns, items=())
