"""Whether a node of a path diagram can be an instrument, and given which others."""

from __future__ import annotations

from collections.abc import Collection

from trustsem.appraisal.diagrams.diagram import ancestors
from trustsem.appraisal.diagrams.moral import m_separated
from trustsem.appraisal.diagrams.separating import allowed_moral_graph, nearest_separator
from trustsem.appraisal.structure import Graph

__all__ = ["conditioned", "why_not"]


def conditioned(bare: Graph, node: str, cause: str, effect: str, allowed: Collection[str]) -> tuple[str, ...] | None:
    """Return what has to be held constant for a node to be an instrument; None if it cannot be one.

    Parameters
    ----------
    bare : Graph
        The diagram without what the effect consists of.
    node, cause, effect : str
    allowed : collection of str
        What may be held constant.
    """
    if m_separated(bare, node, effect) and not m_separated(bare, node, cause):
        return ()
    given = _nearest(bare, node, effect, allowed)
    if given is None or m_separated(bare, node, cause, given):
        return None
    return _reduced(bare, node, cause, effect, given)


def _nearest(bare: Graph, node: str, effect: str, allowed: Collection[str]) -> tuple[str, ...] | None:
    joined = allowed_moral_graph(bare, effect, node, [other for other in allowed if other != node])
    found = nearest_separator(joined, effect, node)
    return None if found is None else tuple(other for other in bare.nodes if other in found)


def _reduced(bare: Graph, node: str, cause: str, effect: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out, one after the other, what is not needed."""
    for member in given:
        fewer = tuple(other for other in given if other != member)
        if m_separated(bare, node, effect, fewer) and not m_separated(bare, node, cause, fewer):
            return _reduced(bare, node, cause, effect, fewer)
    return given


def why_not(bare: Graph, node: str, cause: str, effect: str, forbidden: Collection[str], allowed: Collection[str]) -> str:
    """Return why a node is no instrument."""
    if node in forbidden:
        return f"is changed by {cause} on its way to {effect}" if node in ancestors(bare, {effect}) else f"follows from what {cause} changes"
    if _nearest(bare, node, effect, allowed) is None:
        return f"goes with {effect} otherwise than through {cause}, whatever is held constant"
    return f"says nothing about {cause} once it is made independent of the rest of {effect}"
