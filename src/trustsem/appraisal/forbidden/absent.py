"""Which arrows, residual covariances and loadings a model leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from trustsem.appraisal.structure import Graph
from trustsem.spec.table import ParameterTable

__all__ = ["Absent", "absent_arrows", "absent_covariances", "absent_loadings"]


class Absent(NamedTuple):
    """A parameter that a model fixes at 0.

    Attributes
    ----------
    kind : {"arrow", "covariance", "loading"}
    lhs, op, rhs : str
        As model text has it.
    """

    kind: str
    lhs: str
    op: str
    rhs: str

    @property
    def text(self) -> str:
        """As model text."""
        return f"{self.lhs} {self.op} {self.rhs}"

    def claim(self, names: Mapping[str, str]) -> str:
        """Return it as it is read, cause before effect, with the names of constructs for those of their variables."""
        lhs, rhs = names.get(self.lhs, self.lhs), names.get(self.rhs, self.rhs)
        return {"arrow": f"{rhs} -> {lhs}", "covariance": f"{lhs} <-> {rhs}", "loading": f"{lhs} -> {rhs}"}[self.kind]


def absent_arrows(graph: Graph, tier: Mapping[str, int]) -> tuple[Absent, ...]:
    """Return the arrows between constructs that nothing joins, each in the order of causes.

    Parameters
    ----------
    graph : Graph
        Without cycles.
    tier : mapping of str to int
        Place of each construct in the order of the theory.

    Notes
    -----
    Causes come before what they lead to. Where no chain of arrows leads from one to the other, the one of the lower tier comes first; within a tier
    both directions are given. Pairs without causes of their own are left to the covariances: an arrow between them says the same.
    """
    joined = {frozenset(arrow) for arrow in graph.arrows} | set(graph.spouses)
    later = {node: _descendants(graph, node) for node in graph.nodes}
    outer = set(graph.exogenous)
    found = []
    for one, other in combinations(sorted(graph.nodes, key=lambda node: (tier[node], graph.nodes.index(node))), 2):
        if frozenset((one, other)) in joined or {one, other} <= outer:
            continue
        forward = one not in later[other]
        backward = one in later[other] or (tier[one] == tier[other] and other not in later[one])
        found += [Absent("arrow", other, "~", one)] * forward + [Absent("arrow", one, "~", other)] * backward
    return tuple(found)


def absent_covariances(graph: Graph) -> tuple[Absent, ...]:
    """Return the residual covariances that are not free, of effects with each other, and of causes without causes with each other."""
    outer = set(graph.exogenous)
    return tuple(
        Absent("covariance", one, "~~", other)
        for one, other in combinations(graph.nodes, 2)
        if frozenset((one, other)) not in graph.spouses and (one in outer) == (other in outer)
    )


def absent_loadings(table: ParameterTable) -> tuple[Absent, ...]:
    """Return the loadings of every indicator on the factors that it does not belong to."""
    present = [(row.lhs, row.rhs) for row in table.rows if row.op == "=~"]
    factors = tuple(dict.fromkeys(factor for factor, _ in present))
    items: Sequence[str] = tuple(dict.fromkeys(item for _, item in present if item not in factors))
    return tuple(Absent("loading", factor, "=~", item) for item in items for factor in factors if (factor, item) not in set(present))


def _descendants(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        node = waiting.pop()
        for cause, effect in graph.arrows:
            if cause == node and effect not in found:
                found.add(effect)
                waiting.append(effect)
    return found
