"""Splitting what a population leaves unexplained over levels (people, teams, organisations), so that constructs get given intraclass correlations.

With the same paths at each level, ``V = B S B'`` is the sum of ``B S_l B'`` if the disturbance covariances S are the sum of the S_l. At each level
above the people ``S_l = D R D``: the disturbances keep their correlations R, and D is found construct by construct, causes first, from the variance
that the construct is to have at that level. The people get what is left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals
from trustsem.model.problem import ImpliedBlock
from trustsem.populations.roles import causal_order

__all__ = ["LevelShares", "root_of", "split_levels"]

_ROUNDING = 1e-9  # of a variance: what arithmetic may lose
_STEPS = 201  # shares that are tried to say which would do


@dataclass(frozen=True, eq=False)
class LevelShares:
    """What is wanted of one level above the people.

    Attributes
    ----------
    option, own_option : str
        Names of the user's options for `wanted` and `own`, for messages.
    wanted : (m,) float
        Share of each variable's variance at this level; NaN for variables whose share follows from `own` and from their causes.
    own : (m,) float
        Share of the variance of the disturbance at this level, where `wanted` is NaN.
    """

    option: str
    own_option: str
    wanted: Reals
    own: Reals

    def share(self, variable: int) -> tuple[str, float]:
        """Return by which option one variable has its share, and the share."""
        if np.isnan(self.wanted[variable]):
            return self.own_option, float(self.own[variable])
        return self.option, float(self.wanted[variable])

    def changed(self, variable: int, share: float) -> LevelShares:
        """Return the shares with another one for one variable."""
        array = "own" if np.isnan(self.wanted[variable]) else "wanted"
        values = getattr(self, array).copy()
        values[variable] = share
        return replace(self, **{array: values})


class _Failure(NamedTuple):
    """Which variable cannot have its share at which level."""

    level: int
    variable: int


def split_levels(block: ImpliedBlock, names: Sequence[str], levels: Sequence[LevelShares]) -> tuple[Reals, ...]:
    """Split the disturbance covariances over levels.

    Parameters
    ----------
    block : ImpliedBlock
        RAM matrices of m variables.
    names : sequence of str
        The variables.
    levels : sequence of LevelShares
        The levels above the people, from the bottom up.

    Returns
    -------
    tuple of (m, m) float
        Disturbance covariances of the people and of each level; they add up to ``block.S``.

    Raises
    ------
    OptionError
        If a construct cannot have its share, or what is left for the people is no covariance matrix; if paths form a loop and the shares differ.

    Notes
    -----
    With w the effects of the causes times their disturbances' standard deviations at a level, construct j has the variance
    w' R w + 2 d g + d^2 there, g = R_j w, which is solved for the standard deviation d of its own disturbance.
    """
    if causal_order(block.A) is None:
        _refuse_different(levels, names, block)
    parts = _attempt(block, levels)
    if isinstance(parts, _Failure):
        raise OptionError(_message(block, names, levels, parts))
    return parts


def _refuse_different(levels: Sequence[LevelShares], names: Sequence[str], block: ImpliedBlock) -> None:
    """Refuse unequal shares in a loop; equal ones are given by the same share of every disturbance."""
    for level in levels:
        latent = level.wanted[~np.isnan(level.wanted)]
        if latent.size and (np.ptp(latent) > 0.0 or any(np.isnan(level.wanted[k]) for k in _in_loops(block.A))):
            loop = ", ".join(names[k] for k in _in_loops(block.A))
            raise OptionError(f"{level.option}= differs between constructs, but paths form a loop ({loop}). Give a number for all constructs.")


def _in_loops(A: Reals) -> list[int]:
    """Return the variables that are among their own causes."""
    reach = (A != 0.0).astype(float)
    for _ in range(int(np.ceil(np.log2(max(2, len(A)))))):
        reach = ((reach + reach @ reach) > 0.0).astype(float)
    return [int(k) for k in np.flatnonzero(np.diag(reach))]


def _attempt(block: ImpliedBlock, levels: Sequence[LevelShares]) -> tuple[Reals, ...] | _Failure:
    variance = np.maximum(np.diag(block.S), 0.0)
    sd = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        R = np.where(np.outer(sd, sd) > 0.0, block.S / np.outer(sd, sd), 0.0)
    np.fill_diagonal(R, 1.0)
    order = causal_order(block.A)
    left = variance.copy()
    parts = []
    for number, level in enumerate(levels):
        if order is None:
            deviations = np.sqrt(np.where(np.isnan(level.wanted), level.own, level.wanted)) * sd
        else:
            found = _deviations(block, R, level, sd, np.sqrt(left), order, number)
            if isinstance(found, _Failure):
                return found
            deviations = found
        left = np.maximum(left - deviations**2, 0.0)
        parts.append(R * np.outer(deviations, deviations))
    within = block.S - sum(parts)
    scale = np.where(sd > 0.0, sd, 1.0)
    values, vectors = np.linalg.eigh(within / np.outer(scale, scale))
    if parts and values[0] < -_ROUNDING:
        candidates = np.abs(vectors[:, 0]) * ~np.isnan(levels[0].wanted)
        return _Failure(0, int(np.argmax(candidates if candidates.any() else np.abs(vectors[:, 0]))))
    return (within, *parts)


def _deviations(block: ImpliedBlock, R: Reals, level: LevelShares, sd: Reals, most: Reals, order: Sequence[int], number: int) -> Reals | _Failure:
    """Return the standard deviations (m,) of the disturbances at one level, each at most `most`."""
    d = np.zeros(len(sd))
    for j in order:
        if np.isnan(level.wanted[j]):
            d[j] = np.sqrt(level.own[j]) * sd[j]
            continue
        w = block.B[j] * d  # d[j] is still 0
        explained, g, total = float(w @ R @ w), float(R[j] @ w), float(block.V[j, j])
        ends = [0.0, float(np.clip(-g, 0.0, most[j])), float(most[j])]
        possible = [explained + 2.0 * x * g + x * x for x in ends]
        target = level.wanted[j] * total
        low, high = min(possible), max(possible)
        if not low - _ROUNDING * total <= target <= high + _ROUNDING * total:
            return _Failure(number, j)
        half = np.sqrt(max(g * g + target - explained, 0.0))
        larger = half - g
        d[j] = np.clip(larger if larger <= most[j] * (1.0 + 1e-6) + 1e-12 else -g - half, 0.0, most[j])
    return d


def _message(block: ImpliedBlock, names: Sequence[str], levels: Sequence[LevelShares], failure: _Failure) -> str:
    option, wanted = levels[failure.level].share(failure.variable)
    start = f"{option}= asks for {wanted:g} of the variance of {names[failure.variable]!r}. While others keep their shares,"
    found = _range(block, levels, failure)
    if found is None:
        return f"{start} no other share is possible either. Change those of its causes, or of what it correlates with, as well."
    low, high = math.ceil(found[0] * 1e3 - 0.01) / 1e3, math.floor(found[1] * 1e3 + 0.01) / 1e3
    why = "causes bring a part along, its disturbance cannot give more than it has, and what correlates needs similar shares"
    return f"{start} between {low:g} and {high:g} is possible: {why}. Change it, or the others."


def _range(block: ImpliedBlock, levels: Sequence[LevelShares], failure: _Failure) -> tuple[float, float] | None:
    """Return the smallest and the largest share that a variable could have, None if there is none."""

    def possible(share: float) -> bool:
        changed = levels[failure.level].changed(failure.variable, share)
        return not isinstance(_attempt(block, (*levels[: failure.level], changed, *levels[failure.level + 1 :])), _Failure)

    tried = np.linspace(0.0, 1.0, _STEPS).tolist()
    doing = [share for share in tried if possible(share)]
    if not doing:
        return None
    ends = []
    for end, step in ((doing[0], -1.0), (doing[-1], 1.0)):
        inside, outside = end, end + step / (_STEPS - 1)
        while abs(outside - inside) > 1e-7 and 0.0 <= outside <= 1.0:
            middle = 0.5 * (inside + outside)
            inside, outside = (middle, outside) if possible(middle) else (inside, middle)
        ends.append(inside)
    return ends[0], ends[1]


def root_of(cov: Reals) -> Reals:
    """Return a root (p, r) of a positive semidefinite matrix of rank r: ``root @ root.T`` is the matrix.

    Column by column, as Cholesky's, leaving out columns whose pivot is nothing: unlike eigenvectors, whose signs (and, where roots are equal,
    directions) are left to the machine, it is determined by the matrix, so that draws are the same everywhere.
    """
    rest, columns = np.array(cov, dtype=np.float64), []
    least = 1e-11 * max(float(np.diag(rest).max(initial=0.0)), np.finfo(float).tiny)
    for k in range(len(rest)):
        if rest[k, k] > least:
            column = rest[:, k] / np.sqrt(rest[k, k])
            column[:k] = 0.0
            columns.append(column)
            rest = rest - np.outer(column, column)
    return np.column_stack(columns) if columns else np.zeros((len(rest), 0))
