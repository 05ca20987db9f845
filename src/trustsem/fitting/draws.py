"""The tables of a fit with intervals from draws of its parameters instead of the delta method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from trustsem.fitting.fit import Fit
from trustsem.inference.effects import EffectTable, effects_of_block
from trustsem.inference.intervals import Interval, draws_used, spread
from trustsem.inference.many import Stack, defined_values, effect_values, implied_many, row_values, standardized_values
from trustsem.kernels.structure import Reals
from trustsem.options import choose

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Points", "effects_table", "parameter_table", "standardized_table"]

Quantities = Callable[["Points"], Reals]
Ends = Callable[[Quantities, Reals, Reals], Interval]  # the quantities as a function of points, their draws (B, Q) and estimates (Q,)

_TESTS = frozenset({"est", "est_std", "se", "z", "pvalue"})


@dataclass(frozen=True, eq=False)
class Points:
    """Values of theta with the moments of fixed covariates that belong to them, and what follows from them.

    Attributes
    ----------
    fit : Fit
        Where they come from.
    theta : (B, K) float
    borrowed : (B, R) float
    """

    fit: Fit
    theta: Reals
    borrowed: Reals

    @cached_property
    def effect_tables(self) -> tuple[EffectTable, ...]:
        """The effects of each block that the estimate has."""
        return tuple(effects_of_block(self.fit.model, b, block) for b, block in enumerate(self.fit.implied_blocks))

    def parameters(self) -> Reals:
        """Return the rows of the parameter table, followed by the defined parameters."""
        return self._each(lambda stack: self._with_definitions(row_values(self.fit.model, stack)))

    def standardized(self, kind: str) -> Reals:
        """Return the standardized rows of the parameter table, followed by the defined parameters."""
        return self._each(lambda stack: self._with_definitions(standardized_values(self.fit.model, stack, kind)))

    def effects(self, standardized: bool) -> Reals:
        """Return the effects of all blocks."""

        def values(stack: Stack) -> Reals:
            plain, factors = effect_values(stack, self.effect_tables)
            return plain * factors if standardized else plain

        return self._each(values)

    def _with_definitions(self, rows: Reals) -> Reals:
        return np.hstack([rows, defined_values(self.fit.model, rows)])

    def _each(self, function: Callable[[Stack], Reals]) -> Reals:
        found = [function(stack) for _, stack in implied_many(self.fit.model, self.fit.problem.structure, self.theta, self.borrowed)]
        return np.concatenate(found) if found else function(_no_stack(self.fit))


def _no_stack(fit: Fit) -> Stack:
    """Return matrices of no draws at all."""
    return tuple(block._replace(**{name: getattr(block, name)[None][:0] for name in ("A", "S", "m", "B", "V", "mu")}) for block in fit.implied_blocks)


def _table(table: pd.DataFrame, name: str, quantities: Quantities, draws: Points, ends: Ends, fixed: tuple[int, ...] = ()) -> pd.DataFrame:
    """Return a table of the fit with standard errors and intervals from draws instead of its own tests.

    Rows `fixed` are moments of fixed covariates: they move other quantities from draw to draw, but are no parameters and have no error themselves.
    """
    estimate = table[name].to_numpy()
    values = quantities(draws)
    values[:, list(fixed)] = estimate[list(fixed)]
    lower, upper = ends(quantities, values, estimate)
    keys = table[[column for column in table.columns if column not in _TESTS]]
    return keys.assign(**{name: estimate, "se": spread(values), "ci_lower": lower, "ci_upper": upper, "n_used": draws_used(values)})


def parameter_table(draws: Points, ends: Ends) -> pd.DataFrame:
    """Return the parameter table: columns ``lhs op rhs [group] label est se ci_lower ci_upper n_used``."""
    table = draws.fit.parameter_estimates(ci=False)
    return _table(table, "est", Points.parameters, draws, ends, draws.fit.model.borrowed)


def standardized_table(draws: Points, kind: str, ends: Ends) -> pd.DataFrame:
    """Return the standardized solution: columns ``lhs op rhs [group] label est_std se ci_lower ci_upper n_used``."""
    kind = choose("type", kind, ("std_all", "std_lv", "std_nox"))
    table = draws.fit.standardized_solution(type=kind, ci=False)
    return _table(table, "est_std", lambda points: points.standardized(kind), draws, ends, draws.fit.model.borrowed)


def effects_table(draws: Points, standardized: bool, ends: Ends) -> pd.DataFrame:
    """Return the effects: columns ``effect lhs op rhs [group] est se ci_lower ci_upper n_used``; `est_std` for `est` if standardized."""
    table = draws.fit.effects(standardized=standardized, ci=False)
    name = "est_std" if standardized else "est"
    return _table(table, name, lambda points: points.effects(standardized), draws, ends)
