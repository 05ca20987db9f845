"""Which variables a block mentions, in which role and in lavaan's order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["BlockNames", "block_names"]


class _Named(Protocol):
    @property
    def lhs(self) -> str: ...
    @property
    def op(self) -> str: ...
    @property
    def rhs(self) -> str: ...
    @property
    def user(self) -> int: ...
    @property
    def exo(self) -> bool: ...


@dataclass(frozen=True)
class BlockNames:
    """Names of the variables of a block.

    Attributes
    ----------
    observed : tuple of str
        Indicators, then outcomes, then predictors, then variables with covariances or intercepts only.
    latent : tuple of str
        Variables that are measured by others, in order of appearance.
    exogenous : tuple of str
        Observed predictors that nothing explains and about whose moments the text says nothing: their moments may be taken from the
        sample.
    latent_exogenous : tuple of str
        Latent variables that nothing explains.
    outcomes : tuple of str
        Variables that are explained, explain nothing and measure nothing, latent ones first.
    """

    observed: tuple[str, ...]
    latent: tuple[str, ...]
    exogenous: tuple[str, ...]
    latent_exogenous: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()


def block_names(rows: Iterable[_Named]) -> BlockNames:
    """Sort the variables of one block into their roles.

    Parameters
    ----------
    rows : iterable of Row
        The rows of one block; automatic rows may be left out.

    Returns
    -------
    BlockNames

    Notes
    -----
    `observed`, `latent` and `exogenous` are what lavaan's ``lavNames(fit, type)`` gives for "ov", "lv" and "ov.x".
    """
    # Dicts serve as ordered sets.
    latent: dict[str, None] = {}
    measures: dict[str, None] = {}
    effects: dict[str, None] = {}
    causes: dict[str, None] = {}
    left: dict[str, None] = {}
    right: dict[str, None] = {}
    alone: dict[str, None] = {}
    random: set[str] = set()
    for row in rows:
        op = row.op
        if op == "=~":
            latent[row.lhs] = None
            measures[row.rhs] = None
        elif op == "~":
            effects[row.lhs] = None
            causes[row.rhs] = None
        elif op == "~~":
            left[row.lhs] = None
            right[row.rhs] = None
            if row.user and not row.exo:
                random.add(row.lhs)
                random.add(row.rhs)
        elif op == "~1":
            alone[row.lhs] = None
            if row.user and not row.exo:
                random.add(row.lhs)
    observed = {name: None for group in (measures, effects, causes, left, right, alone) for name in group if name not in latent}
    exogenous = tuple(name for name in causes if name not in latent and name not in measures and name not in effects and name not in random)
    explained = effects.keys() | measures.keys()
    last = [name for name in effects if name not in causes and name not in measures]
    return BlockNames(
        observed=tuple(observed),
        latent=tuple(latent),
        exogenous=exogenous,
        latent_exogenous=tuple(name for name in latent if name not in explained),
        outcomes=tuple([name for name in latent if name in last] + [name for name in last if name not in latent]),
    )
