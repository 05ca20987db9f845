"""Starting values: loadings by FABIN 2 (Haegglund 1982, doi 10.1007/BF02293868), the rest by least squares given them.

A model is read once into a :class:`StartPlan`; what is repeated for every sample touches arrays only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trustsem.kernels.structure import COVARIANCE, INTERCEPT, PATH, Integers, Reals
from trustsem.model.problem import BlockMoments
from trustsem.model.ram import Model

Flags = NDArray[np.bool_]

__all__ = ["StartPlan", "plain_start", "plan_start", "start_values"]


@dataclass(frozen=True, eq=False)
class _Effects:
    """All variables with causes, as arrays of one width so that their regressions are solved together.

    Attributes
    ----------
    variable : (E,) int
        Places of the effects.
    causes, theta : (E, w) int
        Place and parameter (-1: fixed) of each cause; unused places repeat the effect itself.
    fixed : (E, w) float
        Fixed values, 0 for free and unused places.
    free, used : (E, w) bool
    """

    variable: Integers
    causes: Integers
    theta: Integers
    fixed: Reals
    free: Flags
    used: Flags


@dataclass(frozen=True, eq=False)
class _Factors:
    """Factors of one order, as a list of loadings.

    Attributes
    ----------
    factors : (F,) int
        Places of the factors.
    item, factor, anchor : (L,) int
        Each loading's indicator, factor (counted from 0) and that factor's reference indicator.
    theta, fixed : (L,)
        Parameter (-1: fixed) and fixed value of each loading.
    members : (L, m) bool
        Indicators of each loading's factor.
    size : (L,) int
        Number of indicators of each loading's factor.
    unit : (F,) float
        The fixed loading of the reference indicator; NaN where all loadings are free.
    known : (V,) int
        Variables whose covariances are known when these factors are started.
    """

    factors: Integers
    item: Integers
    factor: Integers
    anchor: Integers
    theta: Integers
    fixed: Reals
    members: Flags
    size: Integers
    unit: Reals
    known: Integers


@dataclass(frozen=True, eq=False)
class _BlockPlan:
    orders: tuple[_Factors, ...]
    effects: _Effects | None
    variance_theta: Integers
    variance_fixed: Reals
    covariances: tuple[tuple[int, int, int], ...]
    intercepts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class StartPlan:
    """Where starting values come from, block by block."""

    blocks: tuple[_BlockPlan, ...]


_Entries = dict[int, list[tuple[int, int, float]]]


def plan_start(model: Model) -> StartPlan:
    """Read `model` for :func:`start_values`."""
    return StartPlan(tuple(_plan_block(model, b) for b in range(len(model.blocks))))


def _plan_block(model: Model, b: int) -> _BlockPlan:
    layout = model.blocks[b]
    p, size = len(layout.observed), len(layout.variables)
    loadings: _Entries = {}
    effects: _Entries = {}
    variance_theta, variance_fixed = np.full(size, -1, dtype=np.int64), np.zeros(size)
    pairs, intercepts = [], []
    for k, (row, cell) in enumerate(zip(model.table.rows, model.cells, strict=True)):
        if row.block != b + 1:
            continue
        theta = int(model.theta_of_row[k])
        fixed = 0.0 if math.isnan(row.ustart) else row.ustart
        if cell.kind == PATH:
            target, key, other = (loadings, cell.column, cell.row) if row.op == "=~" else (effects, cell.row, cell.column)
            target.setdefault(key, []).append((other, theta, fixed))
        elif cell.kind == INTERCEPT:
            if theta >= 0:
                intercepts.append((cell.row, theta))
        elif cell.row == cell.column:
            variance_theta[cell.row], variance_fixed[cell.row] = theta, fixed
        elif theta >= 0:
            pairs.append((cell.row, cell.column, theta))
    dependent = set(effects) | {item for entries in loadings.values() for item, _, _ in entries}
    return _BlockPlan(
        orders=_plan_orders(loadings, p, size),
        effects=_plan_effects(effects) if effects else None,
        variance_theta=variance_theta,
        variance_fixed=variance_fixed,
        covariances=tuple((i, j, theta) for i, j, theta in pairs if i not in dependent and j not in dependent),
        intercepts=tuple(intercepts),
    )


def _plan_effects(entries: _Entries) -> _Effects:
    width = max(len(causes) for causes in entries.values())
    shape = (len(entries), width)
    variable = np.array(list(entries), dtype=np.int64)
    causes, theta = np.repeat(variable[:, None], width, axis=1), np.full(shape, -1, dtype=np.int64)
    fixed, used = np.zeros(shape), np.zeros(shape, dtype=bool)
    for e, listed in enumerate(entries.values()):
        for w, (cause, parameter, value) in enumerate(listed):
            causes[e, w], theta[e, w], fixed[e, w], used[e, w] = cause, parameter, 0.0 if parameter >= 0 else value, True
    return _Effects(variable, causes, theta, fixed, theta >= 0, used)


def _plan_orders(loadings: _Entries, p: int, size: int) -> tuple[_Factors, ...]:
    """Sort the factors into orders: those of observed variables first, then those of factors that are already there."""
    known = list(range(p))
    left = dict(loadings)
    orders = []
    while left:
        ready = {f: entries for f, entries in left.items() if all(item in known for item, _, _ in entries)}
        if not ready:
            break  # factors that indicate one another in a circle keep their default start
        orders.append(_plan_order(ready, known, size))
        known = known + list(ready)
        left = {f: entries for f, entries in left.items() if f not in ready}
    return tuple(orders)


def _plan_order(ready: _Entries, known: Sequence[int], size: int) -> _Factors:
    item, factor, anchor, theta, fixed, members, count, unit = [], [], [], [], [], [], [], []
    for number, entries in enumerate(ready.values()):
        reference = next((entry for entry in entries if entry[1] < 0 and entry[2] != 0.0), None)
        unit.append(math.nan if reference is None else reference[2])
        flags = np.zeros(size, dtype=bool)
        flags[[entry[0] for entry in entries]] = True
        for entry in entries:
            item.append(entry[0])
            theta.append(entry[1])
            fixed.append(entry[2])
            factor.append(number)
            anchor.append((reference or entries[0])[0])
            members.append(flags)
            count.append(len(entries))
    return _Factors(
        np.array(list(ready)),
        np.array(item),
        np.array(factor),
        np.array(anchor),
        np.array(theta),
        np.array(fixed),
        np.array(members),
        np.array(count),
        np.array(unit),
        np.array(known),
    )


def plain_start(model: Model, blocks: Sequence[BlockMoments]) -> Reals:
    """Return the cautious starting values (K,): loadings 1, half of every observed variance, nothing else.

    Used where the better informed start is not admissible; the user's starting values may be the reason, so they are left out.
    """
    theta = np.zeros(model.n_theta)
    for k, (row, cell) in enumerate(zip(model.table.rows, model.cells, strict=True)):
        parameter = model.theta_of_row[k]
        if parameter < 0:
            continue
        block = blocks[row.block - 1]
        p = block.cov.shape[0]
        if row.op == "=~":
            theta[parameter] = 1.0
        elif cell.kind == COVARIANCE and cell.row == cell.column:
            theta[parameter] = 0.5 * block.cov[cell.row, cell.row] if cell.row < p else 0.05
        elif cell.kind == INTERCEPT and cell.row < p and block.mean is not None:
            theta[parameter] = block.mean[cell.row]
    return theta


def start_values(model: Model, plan: StartPlan, blocks: Sequence[BlockMoments]) -> Reals:
    """Return starting values (K,) informed by the sample moments; they need not be admissible.

    Parameters
    ----------
    model : Model
    plan : StartPlan
        From :func:`plan_start`.
    blocks : sequence of BlockMoments
    """
    theta = np.zeros(model.n_theta)
    for layout, block_plan, block in zip(model.blocks, plan.blocks, blocks, strict=True):
        _start_block(theta, block_plan, block, len(layout.variables))
    return _with_user_start(model, theta)


def _with_user_start(model: Model, theta: Reals) -> Reals:
    return np.where(np.isnan(model.user_start), theta, model.user_start)


def _start_block(theta: Reals, plan: _BlockPlan, block: BlockMoments, size: int) -> None:
    p = block.cov.shape[0]
    total = np.zeros((size, size))  # covariances of all variables, filled as they become known
    total[:p, :p] = block.cov
    for k in range(p, size):
        total[k, k] = plan.variance_fixed[k] or 1.0
    residual = np.diag(total).copy()
    loadings = np.zeros((size, size))
    for order in plan.orders:
        _start_factors(theta, order, plan, total, residual, loadings)
    if plan.effects is not None:
        _start_effects(theta, plan.effects, total, residual)
    free = plan.variance_theta >= 0
    theta[plan.variance_theta[free]] = residual[free]
    for i, j, parameter in plan.covariances:
        theta[parameter] = total[i, j]
    if block.mean is not None:
        _start_means(theta, plan, block.mean, loadings, p)


def _start_effects(theta: Reals, effects: _Effects, total: Reals, residual: Reals) -> None:
    """Start the paths by the regressions of effects on causes, and the residual variances of the effects by what is left over."""
    y, causes, free = effects.variable, effects.causes, effects.free
    among = total[causes[:, :, None], causes[:, None, :]]
    across = total[causes, y[:, None]]
    target = np.where(free, across - (among @ effects.fixed[:, :, None])[:, :, 0], 0.0)
    unit = np.eye(free.shape[1])
    system = np.where(free[:, :, None] & free[:, None, :], among * (1.0 + 1e-6 * unit), unit)
    slopes = np.where(free, _solve_each(system, target), effects.fixed)
    theta[effects.theta[free]] = slopes[free]
    slopes = np.where(effects.used, slopes, 0.0)
    left = total[y, y] - (slopes[:, None, :] @ among @ slopes[:, :, None])[:, 0, 0]
    residual[y] = np.maximum(np.minimum(residual[y], left), 0.1 * total[y, y])


def _solve_each(systems: Reals, targets: Reals) -> Reals:
    """Solve small systems (E, w, w) for targets (E, w); least squares where one of them is singular."""
    try:
        return np.asarray(np.linalg.solve(systems, targets[:, :, None])[:, :, 0])
    except np.linalg.LinAlgError:
        return np.array([np.linalg.lstsq(system, target, rcond=None)[0] for system, target in zip(systems, targets, strict=True)])


def _start_factors(theta: Reals, order: _Factors, plan: _BlockPlan, total: Reals, residual: Reals, loadings: Reals) -> None:
    """Start the loadings of the factors of one `order`, and add the factors' covariances to `total`.

    Covariances among factors are those of least squares scores given the loadings, shrunk by a fifth so that the start is admissible.
    """
    weights, variances = _fabin(order, plan, total)
    free = order.theta >= 0
    theta[order.theta[free]] = weights[free]
    columns = order.factors
    loadings[order.item, columns[order.factor]] = weights
    residual[columns] = variances
    sd = np.sqrt(np.maximum(np.diag(total), 1e-300))
    known = order.known
    scaled = loadings[known[:, None], columns] / sd[known, None]
    communality = (scaled**2) @ variances
    measured = np.flatnonzero(communality > 0.0)
    residual[known[measured]] = np.clip(1.0 - communality[measured], 0.1, 0.9) * sd[known[measured]] ** 2
    inner = scaled.T @ scaled
    inner[np.diag_indices_from(inner)] += 1e-8 * (np.trace(inner) / columns.size + 1e-8)
    scores = np.linalg.solve(inner, scaled.T) / sd[known]
    across = scores @ total[known[:, None], known]
    limit = 0.8 * np.sqrt(np.outer(variances, variances))
    among = np.clip(across @ scores.T, -limit, limit)
    np.fill_diagonal(among, variances)
    total[columns[:, None], columns] = among
    total[columns[:, None], known] = across
    total[known[:, None], columns] = across.T


def _fabin(order: _Factors, plan: _BlockPlan, total: Reals) -> tuple[Reals, Reals]:
    """Return the loadings (L,) and the factor variances (F,) from the covariances of the indicators.

    FABIN 2 estimates the loading of an indicator as its regression on the reference indicator, with the factor's remaining indicators as
    instruments of
    equal weight. It works on correlations, so that the units of the indicators do not matter.
    """
    sd = np.sqrt(np.maximum(np.diag(total), 1e-300))
    own, other = order.item, order.anchor
    reference = own == other
    from_anchor = np.where(order.members, total[other] / (sd[other, None] * sd), 0.0)
    from_item = total[own] / (sd[own, None] * sd)
    first = total[other, own] / (sd[other] * sd[own])
    numerator = np.sum(from_anchor * from_item, axis=1) - 2.0 * first
    denominator = np.sum(from_anchor**2, axis=1) - 1.0 - first**2
    usable = (order.size >= 3) & (denominator > 1e-3)
    ratio = np.where(usable, numerator / np.where(usable, denominator, 1.0), np.where(first < 0.0, -1.0, 1.0))
    ratio = np.where(np.abs(ratio) < 0.1, np.where(ratio < 0.0, -0.1, 0.1), np.clip(ratio, -10.0, 10.0))
    ratio[reference] = 1.0
    count = order.factors.size
    others = np.bincount(order.factor[~reference], minlength=count)
    shared = np.bincount(order.factor[~reference], (first / ratio)[~reference], minlength=count)
    largest = np.zeros(count)
    np.maximum.at(largest, order.factor, ratio**2)
    ceiling = 0.9 / largest
    communality = np.clip(np.where(others > 0, shared / np.maximum(others, 1), 0.9), 0.1 * ceiling, ceiling)
    anchor_sd = np.zeros(count)
    anchor_sd[order.factor] = sd[other]
    fixed_variance = np.where(plan.variance_theta[order.factors] < 0, plan.variance_fixed[order.factors], np.nan)
    # With a reference loading the factor has its units; without one, those of its fixed variance (or 1).
    unit = np.where(np.isnan(order.unit), np.sqrt(communality / np.where(fixed_variance > 0.0, fixed_variance, 1.0)), order.unit / anchor_sd)
    variances = np.where(np.isnan(fixed_variance), communality / unit**2, fixed_variance)
    return np.where(order.theta >= 0, ratio * sd[own] * unit[order.factor], order.fixed), variances


def _start_means(theta: Reals, plan: _BlockPlan, mean: Reals, loadings: Reals, p: int) -> None:
    """Start free intercepts: of observed variables at their means unless latent means carry them."""
    free = dict(plan.intercepts)
    latent = [v for v in free if v >= p]
    if latent:
        bound = np.array([i for i in range(p) if i not in free], dtype=np.int64)
        if bound.size:
            weights = loadings[np.ix_(bound, np.array(latent))]
            solution = np.linalg.lstsq(weights, mean[bound], rcond=None)[0]
            for v, number in zip(latent, solution, strict=True):
                theta[free[v]] = number
    level = mean.copy()
    effects = plan.effects
    if effects is not None:
        # An intercept is what the observed causes leave of the mean (latent causes start at mean 0).
        slopes = np.where(effects.free, theta[effects.theta], effects.fixed) * (effects.used & (effects.causes < p))
        observed = np.append(mean, np.zeros(loadings.shape[0] - p))
        explained = np.einsum("ew,ew->e", slopes, observed[effects.causes])
        among = effects.variable < p
        level[effects.variable[among]] -= explained[among]
    for v, parameter in free.items():
        if v < p:
            theta[parameter] = level[v]
