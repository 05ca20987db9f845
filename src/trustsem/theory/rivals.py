"""Rivals: what else could be true, as theories for the same data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trustsem.errors import TheoryError, closest
from trustsem.theory import added, forms, text, variants
from trustsem.theory.dropping import graph_of
from trustsem.theory.measuring import general_factor, method_factor
from trustsem.theory.projection import MixedGraph
from trustsem.theory.rival_claim import RivalClaim
from trustsem.theory.types import Preset, Step, arrow_key

if TYPE_CHECKING:
    from trustsem.theory.theory import Theory

__all__ = ["STEPS", "Rival", "apply_rival", "contend", "repeat_step", "rival_theory", "with_rival"]

STEPS = ("with_indicators", "with_path", "without_path", "drop", "strict", "with_strategies", "with_construct", "split", "with_rival")


@dataclass(frozen=True)
class Rival:
    """A rival of a theory, as far as it can be stated for the same data.

    Attributes
    ----------
    claim : RivalClaim
        What it says.
    theory : Theory or None
        The rival theory; None if it is refused, or is no theory but another model of the measurement.
    refusal : str or None
        Why it cannot be stated; None if it can.
    covariance_equivalent : str or None
        Why no covariances can tell the two apart; None if they can.
    written : str
        The model of a rival that is no theory; empty for the others. :attr:`syntax` gives either.
    """

    claim: RivalClaim
    theory: Theory | None
    refusal: str | None
    covariance_equivalent: str | None
    written: str = ""

    @property
    def id(self) -> str:
        """Id of the rival."""
        return self.claim.id

    @property
    def title(self) -> str:
        """Title of the rival."""
        return self.claim.title

    @property
    def syntax(self) -> str | None:
        """The model of the rival as lavaan syntax; None if it is refused."""
        return self.theory.syntax() if self.theory is not None else self.written or None

    def __str__(self) -> str:
        return text.rival(self.claim, self.refusal, self.covariance_equivalent)

    def _repr_html_(self) -> str:
        return text.block(str(self))


def contend(theory: Theory, claim: RivalClaim) -> Rival:
    """Return a rival of a theory for the same data.

    Parameters
    ----------
    theory : Theory
        A theory or a variant.
    claim : RivalClaim
        What the rival says about the theory that the variant was made from.

    Returns
    -------
    Rival
        With a theory or a model of the measurement, or with the reason why there is none.
    """
    refusal = claim.refusal or _unmeasured(theory, claim)
    if refusal:
        return Rival(claim, None, refusal, None)
    try:
        if claim.measurement:
            return Rival(claim, None, None, None, _measurement(theory, claim))
        rival = rival_theory(theory, claim)
    except TheoryError as error:
        return Rival(claim, None, f"The rival cannot be stated for this variant. {error}", None)
    if _shape(rival) == _shape(theory):
        return Rival(claim, None, "The rival says the same as this variant of the theory.", None)
    return Rival(claim, rival, None, _equivalent(theory, claim))


def _unmeasured(theory: Theory, claim: RivalClaim) -> str:
    """Return why the construct that a rival is about is not where the rival needs it; empty if it is."""
    if claim.awaited is None:
        return ""
    name, title, _, beside = claim.awaited
    if not any(node.name == name for node in theory.nodes):
        return f"The data need a measure of {name} ({title.lower()}): {claim.remedy}."
    # Arguments of the step: name, columns, beside, title, definition.
    places = [step.arguments[2] or "" for step in theory.steps if step.kind == "with_construct" and step.arguments[0] == name]
    if places != [beside]:
        return f"{name} stands elsewhere in this variant than the rival has it. Start from the theory without it: {claim.remedy}."
    return ""


def _measurement(theory: Theory, claim: RivalClaim) -> str:
    return method_factor(theory) if claim.measurement == "method" else general_factor(theory)


def rival_theory(theory: Theory, claim: RivalClaim) -> Theory:
    """Return the rival of the theory that a variant was made from, changed in the same way.

    A rival about a construct that the theory had not is stated as soon as a step has added it.

    Raises
    ------
    TheoryError
        If the rival, or a change to it, is impossible.
    """
    awaited = claim.awaited
    rival = theory.root or theory
    if awaited is None:
        rival = apply_rival(rival, claim)
    for step in theory.steps:
        rival = repeat_step(rival, step)
        if awaited is not None and step.kind == "with_construct" and step.arguments[0] == awaited.name:
            rival = with_rival(rival, claim.id)
    return rival


def with_rival(theory: Theory, name: str) -> Theory:
    """Return the theory as one of its rivals would have it; a step, so that what a rival did to a variant can be repeated.

    Raises
    ------
    TheoryError
        As :func:`apply_rival`, and if there is no such rival.
    """
    for claim in theory.contenders:
        if claim.id == name:
            lost = [construct for new in claim.add for construct in (new.cause, new.effect) if construct not in {n.name for n in theory.nodes}]
            if lost and claim.awaited is not None:
                raise TheoryError(f"It is about {lost[0]}, which was dropped. Add {claim.awaited.name} before other constructs are dropped.")
            return variants.recorded(apply_rival(theory, claim), theory, Step("with_rival", (name,)))
    known = [claim.id for claim in theory.contenders]
    raise TheoryError(f"{theory.id} has no rival {name!r}. It has {', '.join(known) or 'none'}.{closest(name, known)}")


def apply_rival(theory: Theory, claim: RivalClaim) -> Theory:
    """Return the theory as the rival would have it.

    Parameters
    ----------
    theory : Theory
        A theory as loaded.
    claim : RivalClaim
        What to change.

    Returns
    -------
    Theory
        Without rivals of its own; with the presets of the theory and of the rival.

    Raises
    ------
    TheoryError
        If it adds an arrow that is there, removes what is not, or makes a cycle.
    """
    paths = {(c.cause, c.effect) for c in theory.claims}
    pairs = {covariance.pair for covariance in theory.covariances}
    for new in claim.add:
        variants.find_construct(theory, new.cause)
        variants.find_construct(theory, new.effect)
        if (new.cause, new.effect) in paths:
            raise TheoryError(f"The rival {claim.id} adds {new.path}, which the theory has already. Remove it from the rival.")
    for cause, effect in claim.remove:
        if (cause, effect) not in paths:
            raise TheoryError(f"The rival {claim.id} removes {arrow_key(cause, effect)}, which the theory does not have. Remove it from the rival.")
    gone = {frozenset(pair) for pair in claim.uncorrelate}
    for pair in claim.uncorrelate:
        if frozenset(pair) not in pairs:
            raise TheoryError(f"The rival {claim.id} removes {' ~~ '.join(pair)}, which the theory does not have. Remove it from the rival.")
    rival = replace(
        theory,
        id=f"{theory.id}/{claim.id}",
        title=f"{theory.title}: {claim.title}",
        claims=(*(c for c in theory.claims if (c.cause, c.effect) not in claim.remove), *claim.add),
        covariances=tuple(c for c in theory.covariances if c.pair not in gone),
        presets=tuple(_adapted(p, claim) for p in theory.presets if p.rival in ("", claim.id)),
        contenders=(),
    )
    variants.check_acyclic(rival)
    return rival


def _adapted(preset: Preset, claim: RivalClaim) -> Preset:
    gone = {frozenset(pair) for pair in claim.uncorrelate}
    return replace(
        preset,
        rival="",
        paths=tuple(p for p in preset.paths if (p.left, p.right) not in claim.remove),
        residuals=tuple(r for r in preset.residuals if frozenset((r.left, r.right)) not in gone),
    )


def repeat_step(theory: Theory, step: Step) -> Theory:
    """Return `theory` with one change more.

    Raises
    ------
    TheoryError
        If there is no such change, or the theory does not allow it.
    """
    if step.kind not in STEPS:
        raise TheoryError(f"A theory cannot be changed by {step.kind!r}.{closest(step.kind, STEPS)} Possible are {', '.join(STEPS)}.")
    if step.kind == "with_rival":
        return with_rival(theory, *map(str, step.arguments))
    home = {"with_strategies": forms, "with_construct": added, "split": added}.get(step.kind, variants)
    result: Theory = getattr(home, step.kind)(theory, *step.arguments)
    return result


def _shape(theory: Theory) -> tuple[object, ...]:
    arrows = frozenset((claim.cause, claim.effect) for claim in theory.claims)
    return arrows, frozenset(covariance.pair for covariance in theory.covariances if covariance.free), tuple(node.variable for node in theory.nodes)


def _equivalent(theory: Theory, claim: RivalClaim) -> str | None:
    names = {node.name for node in theory.nodes}
    if not claim.equivalent or any(step.kind == "strict" for step in theory.steps):
        return None
    if all({new.cause, new.effect} <= names for new in claim.add):
        return claim.equivalent if _swaps(graph_of(theory), claim) else None
    whole = theory.root or theory
    return f"Before constructs were dropped: {claim.equivalent}" if _swaps(graph_of(whole), claim) else None


def _swaps(graph: MixedGraph, claim: RivalClaim) -> bool:
    """Whether the added arrows only say otherwise what free residual covariances say.

    That is so if every added arrow s -> c replaces s <-> c, the parents of s are parents of c, and the partners of s are partners of c or
    joined to it by an added arrow as well (the condition of :func:`trustsem.theory.projection.absorb`, read backwards).
    """
    swapped = {frozenset((new.cause, new.effect)) for new in claim.add}
    if swapped != {frozenset(pair) for pair in claim.uncorrelate} or claim.remove:
        return False
    for new in claim.add:
        sources = {other.cause for other in claim.add if other.effect == new.effect}
        partners = set(graph.partners(new.effect))
        if new.cause not in partners or not set(graph.parents(new.cause)) <= set(graph.parents(new.effect)):
            return False
        if not set(graph.partners(new.cause)) - {new.effect} <= sources | partners:
            return False
    return True
