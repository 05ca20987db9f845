"""Which variables of a model are constructs, which are only items, and in which order causes come before effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals
from trustsem.model.population import Population
from trustsem.model.problem import ImpliedBlock

__all__ = ["Roles", "causal_order", "roles_of", "single_block"]


@dataclass(frozen=True)
class Roles:
    """The variables of a model by role.

    Attributes
    ----------
    variables : tuple of str
        All m variables, the p observed ones first.
    constructs : tuple of str
        Latent variables, and observed variables that are no indicators: what a theory speaks of.
    exogenous : tuple of str
        Constructs to which no path leads and from which one leads to another construct; where there are no paths between constructs, all of them.
    """

    variables: tuple[str, ...]
    constructs: tuple[str, ...]
    exogenous: tuple[str, ...]

    def places(self, names: tuple[str, ...]) -> list[int]:
        """Return where `names` stand among the variables."""
        return [self.variables.index(name) for name in names]


def single_block(population: Population, what: str) -> ImpliedBlock:
    """Return RAM matrices of a population of one group and one level.

    Raises
    ------
    OptionError
        If it has several blocks; `what` is the generator that cannot handle them.
    """
    table = population.table
    if table.n_blocks != 1:
        raise OptionError(f"{what} needs a population of one group and one level, not {table.n_groups} and {table.n_levels}. Give each its own.")
    return population.implied_blocks[0]


def roles_of(population: Population) -> Roles:
    """Return the roles of the variables (of the first block)."""
    layout = population.compiled.blocks[0]
    observed = set(layout.observed)
    rows = [row for row in population.table.rows if row.block == 1]
    items = {row.rhs for row in rows if row.op == "=~" and row.rhs in observed}
    constructs = tuple(name for name in layout.variables if name not in items)
    paths = [(row.rhs, row.lhs) for row in rows if row.op == "~"]
    # A factor of higher order causes the factors that indicate it.
    paths += [(row.lhs, row.rhs) for row in rows if row.op == "=~" and row.rhs not in items and row.rhs != row.lhs]
    caused = {effect for _, effect in paths}
    causing = {cause for cause, effect in paths if effect not in items}
    exogenous = tuple(name for name in constructs if name in causing and name not in caused)
    return Roles(layout.variables, constructs, exogenous or tuple(name for name in constructs if name not in caused))


def causal_order(A: Reals) -> list[int] | None:
    """Return the variables in an order in which causes come first.

    Parameters
    ----------
    A : (m, m) float
        Paths, ``A[i, j]`` from j to i.

    Returns
    -------
    list of int, or None
        None if the paths form a loop.
    """
    waits = A != 0.0
    left = list(range(len(A)))
    order: list[int] = []
    while left:
        ready = [i for i in left if not np.any(waits[i, left])]
        if not ready:
            return None
        order += ready
        left = [i for i in left if i not in ready]
    return order
