"""Rivals: what else could be true, as theories for the same data."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trustsem.errors import TheoryError
from trustsem.theory import forms, variants
from trustsem.theory.types import Preset, RivalClaim, Step, arrow_key

if TYPE_CHECKING:
    from trustsem.theory.theory import Theory

__all__ = ["apply_rival", "contend"]


def contend(theory: Theory, claim: RivalClaim) -> tuple[Theory | None, str | None, str | None]:
    """Return a rival of a theory for the same data.

    Parameters
    ----------
    theory : Theory
        A theory or a variant.
    claim : RivalClaim
        What the rival says about the theory that the variant was made from.

    Returns
    -------
    theory : Theory or None
        The rival; None if it is refused.
    refusal : str or None
        Why.
    equivalent : str or None
        Why covariances cannot tell the two apart; None if they can.
    """
    if claim.refusal:
        return None, claim.refusal, None
    try:
        rival = apply_rival(theory.root or theory, claim)
        for step in theory.steps:
            rival = _repeat(rival, step)
    except TheoryError as error:
        return None, f"The rival cannot be stated for this variant. {error}", None
    if _shape(rival) == _shape(theory):
        return None, "The rival says the same as this variant of the theory.", None
    return rival, None, claim.equivalent if claim.equivalent and _swaps(theory, claim) else None


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


def _repeat(theory: Theory, step: Step) -> Theory:
    # with_strategies lives in another module than the other steps.
    function = getattr(forms, step.kind, None) or getattr(variants, step.kind)
    result: Theory = function(theory, *step.arguments)
    return result


def _shape(theory: Theory) -> tuple[object, ...]:
    arrows = frozenset((claim.cause, claim.effect) for claim in theory.claims)
    return arrows, frozenset(covariance.pair for covariance in theory.covariances if covariance.free), tuple(node.variable for node in theory.nodes)


def _swaps(theory: Theory, claim: RivalClaim) -> bool:
    """Whether the variant has all that the equivalence rests on: the free covariances that the rival turns into arrows, and all claims."""
    names = {node.name for node in theory.nodes}
    free = {covariance.pair for covariance in theory.covariances if covariance.free}
    whole = theory.root is None or names >= {node.name for node in theory.root.nodes} or theory.form == "predictors"
    return whole and all(frozenset(pair) in free for pair in claim.uncorrelate)
