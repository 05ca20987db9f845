"""One block: the written parameters completed by the defaults, in lavaan's order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from trustsem.spec.defaults import Defaults
from trustsem.spec.names import BlockNames, block_names
from trustsem.spec.table import Row
from trustsem.spec.written import Written

__all__ = ["BlockPlace", "complete_block"]


class BlockPlace(NamedTuple):
    """Number of a block, its group and its level, all from 1."""

    block: int
    group: int
    level: int


def complete_block(
    written: Sequence[Written], defaults: Defaults, *, rank: Mapping[str, int], means: bool, place: BlockPlace, partner: Sequence[Written] = ()
) -> list[Row]:
    """Complete the parameters of one block.

    Parameters
    ----------
    written : sequence of Written
        What the user wrote for this block.
    defaults : Defaults
        What to fill in.
    rank : mapping of str to int
        Order of the variables: a covariance has the earlier one on the left.
    means : bool
        Whether the model has a mean structure.
    place : BlockPlace
    partner : sequence of Written
        What the user wrote for the group's other level.

    Returns
    -------
    list of Row
        The written rows in the order written, then variances, covariances of latent variables, of outcomes, moments of covariates, and
        intercepts.

    Notes
    -----
    The mean of a variable that is of both levels is one of level 2: its intercept at level 1 is 0, and so are all latent means there. A variable
    that is exogenous at one level and explained at the other is not fixed at either.
    """
    rows = _user_rows(written, block_names(written), defaults, rank, place)
    other = block_names(partner)
    names = block_names(rows)
    random = frozenset(other.observed) - frozenset(other.exogenous)
    taken = {(row.lhs, row.op, row.rhs) for row in rows}
    taken |= {(rhs, op, lhs) for lhs, op, rhs in taken if op == "~~"}
    single = _single_indicators(written) if defaults.auto_fix_single and defaults.auto_var else frozenset()
    centred = frozenset([*other.observed, *names.latent]) if partner and place.level == 1 else frozenset()
    for lhs, op, rhs, free, value, exo in _automatic(names, defaults, single, random, means):
        if (lhs, op, rhs) in taken:
            continue
        if op == "~1" and lhs in centred:
            free, value, exo = False, 0.0, False
        rows.append(Row(lhs, op, rhs, 0, *place, free, value, exo))
    return rows


def _user_rows(written: Sequence[Written], names: BlockNames, defaults: Defaults, rank: Mapping[str, int], place: BlockPlace) -> list[Row]:
    fix_first = defaults.auto_fix_first and not defaults.std_lv
    standardized = frozenset(names.latent) if defaults.std_lv else frozenset()
    scaled: set[str] = set()
    rows = []
    for lhs, op, rhs, fixed, freed, label, _, start, lower, upper, _, _ in written:
        free, value = True, start
        if fixed is not None:
            free, value = False, fixed
        elif not freed and ((op == "=~" and fix_first and lhs not in scaled) or (op == "~~" and lhs == rhs and lhs in standardized)):
            # Like lavaan, a starting value given where the scale is set becomes the fixed value.
            free, value = False, 1.0 if math.isnan(start) else start
        if op == "=~":
            scaled.add(lhs)
        elif op == "~~" and rank[lhs] > rank[rhs]:
            lhs, rhs = rhs, lhs
        rows.append(Row(lhs, op, rhs, 1, *place, free, value, False, label, lower, upper))
    return rows


def _single_indicators(written: Sequence[Written]) -> frozenset[str]:
    """Variables that are the only indicator of a latent variable and measure nothing else."""
    count: dict[str, int] = {}
    times: dict[str, int] = {}
    for row in written:
        if row.op == "=~":
            count[row.lhs] = count.get(row.lhs, 0) + 1
            times[row.rhs] = times.get(row.rhs, 0) + 1
    return frozenset(row.rhs for row in written if row.op == "=~" and row.lhs != row.rhs and count[row.lhs] == 1 and times[row.rhs] == 1)


_Automatic = tuple[str, str, str, bool, float, bool]


def _automatic(names: BlockNames, defaults: Defaults, single: frozenset[str], random: frozenset[str], means: bool) -> Iterator[_Automatic]:
    """Yield ``(lhs, op, rhs, free, value, exo)`` of everything the defaults may add; covariates that are `random` are not fixed."""
    exogenous = set(names.exogenous)
    latent = set(names.latent)
    free = defaults.auto_var
    fixed_x = defaults.fixed_x
    for name in names.observed:
        if name not in exogenous:
            zero = name in single or not free
            yield name, "~~", name, not zero, 0.0 if zero else math.nan, False
    for name in names.latent:
        if name in single or not (free or defaults.std_lv):
            yield name, "~~", name, False, 0.0, False
        else:
            yield name, "~~", name, not defaults.std_lv, 1.0 if defaults.std_lv else math.nan, False
    if defaults.auto_cov_lv_x:
        zero = defaults.orthogonal or defaults.orthogonal_x
        for one, other in combinations(names.latent_exogenous, 2):
            yield one, "~~", other, not zero, 0.0 if zero else math.nan, False
    if defaults.auto_cov_y:
        for one, other in combinations(names.outcomes, 2):
            zero = (defaults.orthogonal or defaults.orthogonal_y) and one in latent and other in latent
            yield one, "~~", other, not zero, 0.0 if zero else math.nan, False
    for number, one in enumerate(names.exogenous):
        for other in names.exogenous[number:]:
            fixed = fixed_x and not {one, other} & random
            zero = not fixed and not free and one == other
            yield one, "~~", other, not fixed and not zero, 0.0 if zero else math.nan, fixed
    if means:
        yield from _intercepts(names, defaults, random)


def _intercepts(names: BlockNames, defaults: Defaults, random: frozenset[str]) -> Iterator[_Automatic]:
    exogenous = set(names.exogenous) - random
    for name in names.observed:
        if name in exogenous and defaults.fixed_x:
            yield name, "~1", "", False, math.nan, True
        else:
            free = defaults.int_ov_free
            yield name, "~1", "", free, math.nan if free else 0.0, False
    for name in names.latent:
        free = defaults.int_lv_free
        yield name, "~1", "", free, math.nan if free else 0.0, False
