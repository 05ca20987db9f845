"""A theory without some of its constructs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from trustsem.theory.marks import Provenance
from trustsem.theory.presets import project_preset
from trustsem.theory.projection import Absorption, Arrow, MixedGraph, Spouse, absorb, project
from trustsem.theory.types import Preset, Proposition, ResidualCovariance

if TYPE_CHECKING:
    from trustsem.theory.theory import Theory

__all__ = ["graph_of", "project_theory"]


def graph_of(theory: Theory) -> MixedGraph:
    """Return the graph of a theory, including that its predictors are correlated."""
    arrows = tuple(Arrow(c.cause, c.effect, c.sign, c.routes, stated=not c.derived) for c in theory.claims)
    spouses = {c.pair: Spouse(c.left, c.right, c.origin, stated=c.stated) for c in theory.covariances if c.free}
    effects = {claim.effect for claim in theory.claims}
    for one, two in combinations([node.name for node in theory.nodes if node.name not in effects], 2):
        spouses.setdefault(frozenset((one, two)), Spouse(one, two))
    return MixedGraph(tuple(node.name for node in theory.nodes), arrows, tuple(spouses.values()))


def project_theory(theory: Theory, removed: Sequence[str]) -> Theory:
    """Return the theory without `removed`, its presets included.

    Parameters
    ----------
    theory : Theory
        A theory.
    removed : sequence of str
        Names of some of its constructs.

    Returns
    -------
    Theory
        Derived claims are marked; a notice says what happened.
    """
    graph, absorptions = absorb(project(graph_of(theory), removed))
    left = set(graph.nodes)
    claims = _claims(theory, graph, removed)
    arrows = [(claim.cause, claim.effect) for claim in claims]
    return replace(
        theory,
        nodes=tuple(node for node in theory.nodes if node.name in left),
        practices=tuple(practice for practice in theory.practices if practice.construct in left),
        claims=claims,
        covariances=_covariances(theory, graph, removed),
        instruments=tuple(measure for measure in theory.instruments if measure.construct in left),
        presets=_presets(theory, removed, absorptions, arrows),
        notices=(*theory.notices, ("TS-THEORY-01", _notice(graph, claims, removed))),
    )


def _claims(theory: Theory, graph: MixedGraph, removed: Sequence[str]) -> tuple[Proposition, ...]:
    before = {(claim.cause, claim.effect): claim for claim in theory.claims}
    taken = {claim.id for claim in theory.claims}
    fresh = (name for name in (f"D{i}" for i in range(1, len(taken) + len(graph.arrows) + 1)) if name not in taken)
    claims = []
    for arrow in graph.arrows:
        known = before.get((arrow.cause, arrow.effect))
        what = f"derived by dropping {', '.join(removed)}"
        if known is None:
            verb = {"+": "raises", "-": "lowers", "?": "changes"}[arrow.sign]
            statement = f"{arrow.cause} {verb} {arrow.effect}, along what was dropped."
            note = Provenance("I", what=what, note=f"Stands for {'; '.join(arrow.routes)}.")
            size = float(theory.sesoi.value)
            known = Proposition(next(fresh), arrow.cause, arrow.effect, arrow.sign, statement, size, (note,), True, arrow.routes)
        elif known.routes != arrow.routes:
            new = "; ".join(route for route in arrow.routes if route not in known.routes)
            note = Provenance("I", what=what, note=f"Now also carries {new}.")
            known = replace(known, sign=arrow.sign, routes=arrow.routes, provenance=(*known.provenance, note))
        claims.append(known)
    return tuple(claims)


def _covariances(theory: Theory, graph: MixedGraph, removed: Sequence[str]) -> tuple[ResidualCovariance, ...]:
    before = {covariance.pair: covariance for covariance in theory.covariances}
    effects = {arrow.effect for arrow in graph.arrows}
    result = [c for c in theory.covariances if not c.free and c.pair <= set(graph.nodes) and c.pair not in {s.pair for s in graph.spouses}]
    for spouse in graph.spouses:
        if not spouse.pair & effects:
            continue  # predictors covary by default
        known = before.get(spouse.pair)
        if known is None or not known.free or known.origin != spouse.origin:
            note = f"Stands for what both share through {spouse.origin}."
            earlier = known.provenance if known is not None else ()
            provenance = (*earlier, Provenance("I", what=f"derived by dropping {', '.join(removed)}", note=note))
            stated = known is not None and known.stated and known.free
            known = ResidualCovariance(spouse.left, spouse.right, provenance, True, spouse.origin, stated)
        result.append(known)
    return tuple(result)


def _presets(theory: Theory, removed: Sequence[str], absorptions: Sequence[Absorption], arrows: Sequence[tuple[str, str]]) -> tuple[Preset, ...]:
    names = [node.name for node in theory.nodes]
    needed = {(claim.cause, claim.effect) for claim in theory.claims}
    fixed = {covariance.pair for covariance in theory.covariances if not covariance.free}
    presets = []
    for preset in theory.presets:
        if preset.rival:
            presets.append(preset)  # used by the rival only, which repeats the steps on its own values
        elif {(p.left, p.right) for p in preset.paths} >= needed:
            stated = replace(preset, residuals=tuple(r for r in preset.residuals if frozenset((r.left, r.right)) not in fixed))
            presets.append(project_preset(stated, names, removed, absorptions, arrows))
    return tuple(presets)


def _notice(graph: MixedGraph, claims: Sequence[Proposition], removed: Sequence[str]) -> str:
    derived = [f"{claim.path} ({'; '.join(claim.routes)})" for claim in claims if claim.derived]
    loaded = [f"{claim.path} ({'; '.join(claim.routes)})" for claim in claims if claim.routes and not claim.derived]
    pairs = {frozenset((claim.cause, claim.effect)): claim.path for claim in claims}
    bows = [pairs[spouse.pair] for spouse in graph.spouses if spouse.pair in pairs and not spouse.stated]
    parts = [f"Dropped: {', '.join(removed)}."]
    parts += [f"Derived arrows: {', '.join(derived)}."] if derived else []
    parts += [f"Arrows that now carry more than they claim: {', '.join(loaded)}."] if loaded else []
    parts += [f"Both an arrow and a residual covariance for {', '.join(bows)}: the model may not be identified."] if bows else []
    return " ".join(parts)
