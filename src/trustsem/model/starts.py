"""Starting values: loadings by FABIN 2 (Haegglund 1982, doi 10.1007/BF02293868), the rest by least squares given them.

A model is read once into a :class:`StartPlan`; what is repeated for every sample touches arrays only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trustsem.kernels.structure import COVARIANCE, INTERCEPT, PATH, Integers, Reals
from trustsem.model.problem import BlockMoments
from trustsem.model.ram import Model

__all__ = ["StartPlan", "plain_start", "plan_start", "start_values"]


@dataclass(frozen=True, eq=False)
class _Slots:
    """Parameters of one kind that share an effect or a factor: places, parameter (-1: fixed) and fixed value of each."""

    variable: int
    others: Integers
    theta: Integers
    fixed: Reals


@dataclass(frozen=True, eq=False)
class _BlockPlan:
    factors: tuple[_Slots, ...]  # one for each latent variable with indicators, first-order first
    n_first_order: int
    effects: tuple[_Slots, ...]  # one for each variable with causes by `~`
    causes_done: tuple[int, ...]
    variances: _Slots
    covariances: tuple[tuple[int, int, int], ...]
    intercepts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class StartPlan:
    """Where starting values come from, block by block."""

    blocks: tuple[_BlockPlan, ...]


def plan_start(model: Model) -> StartPlan:
    """Read `model` for :func:`start_values`."""
    return StartPlan(tuple(_plan_block(model, b) for b in range(len(model.blocks))))


def _plan_block(model: Model, b: int) -> _BlockPlan:
    layout = model.blocks[b]
    p, size = len(layout.observed), len(layout.variables)
    loadings: dict[int, list[tuple[int, int, float]]] = {}
    effects: dict[int, list[tuple[int, int, float]]] = {}
    variance_theta, variance_fixed = np.full(size, -1, dtype=np.int64), np.zeros(size)
    covariances, intercepts = [], []
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
            covariances.append((cell.row, cell.column, theta))

    def slots(variable: int, entries: Sequence[tuple[int, int, float]]) -> _Slots:
        others, theta, fixed = zip(*entries, strict=True)
        return _Slots(variable, np.array(others), np.array(theta), np.array(fixed))

    first = [slots(f, entries) for f, entries in loadings.items() if all(other < p for other, _, _ in entries)]
    done = {factor.variable for factor in first} | set(range(p))
    higher = [slots(f, entries) for f, entries in loadings.items() if f not in done]
    return _BlockPlan(
        factors=tuple(first + higher),
        n_first_order=len(first),
        effects=tuple(slots(effect, entries) for effect, entries in effects.items()),
        causes_done=tuple(sorted(done)),
        variances=_Slots(0, np.arange(size), variance_theta, variance_fixed),
        covariances=tuple(covariances),
        intercepts=tuple(intercepts),
    )


def plain_start(model: Model, blocks: Sequence[BlockMoments]) -> Reals:
    """Return the cautious starting values (K,): loadings 1, half of every observed variance, nothing else.

    Used where the better informed start is not admissible.
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
    return _with_user_start(model, theta)


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
        total[k, k] = plan.variances.fixed[k] or 1.0
    residual = np.diag(total).copy()
    loadings = np.zeros((size, size))
    _start_factors(theta, plan.factors[: plan.n_first_order], plan, total, residual, loadings)
    _start_factors(theta, plan.factors[plan.n_first_order :], plan, total, residual, loadings)
    for effect in plan.effects:
        y, causes = effect.variable, effect.others
        free = effect.theta >= 0
        among = total[np.ix_(causes, causes)]
        slope = effect.fixed.copy()
        if free.any():
            target = total[causes, y][free] - among[np.ix_(free, ~free)] @ slope[~free]
            ridge = among[np.ix_(free, free)] + 1e-6 * np.diag(np.diag(among)[free])
            slope[free] = np.linalg.lstsq(ridge, target, rcond=None)[0]
            theta[effect.theta[free]] = slope[free]
        explained = float(slope @ among @ slope)
        residual[y] = max(min(residual[y], total[y, y] - explained), 0.1 * total[y, y])
    free = plan.variances.theta >= 0
    theta[plan.variances.theta[free]] = residual[free]
    dependent = {effect.variable for effect in plan.effects}
    indicators = {int(i) for factor in plan.factors for i in factor.others}
    for i, j, parameter in plan.covariances:
        plain = i in dependent or j in dependent or i in indicators or j in indicators
        theta[parameter] = 0.0 if plain else total[i, j]
    if block.mean is not None:
        _start_means(theta, plan, block.mean, loadings, p)


def _start_factors(theta: Reals, factors: Sequence[_Slots], plan: _BlockPlan, total: Reals, residual: Reals, loadings: Reals) -> None:
    """Start the loadings of `factors`, and add the covariances of the factors to `total`."""
    if not factors:
        return
    for factor in factors:
        f, items = factor.variable, factor.others
        free = factor.theta >= 0
        within = total[np.ix_(items, items)]
        fixed_variance = plan.variances.theta[f] < 0
        weights, variance = _fabin(within, factor.fixed, free, plan.variances.fixed[f] if fixed_variance else math.nan)
        theta[factor.theta[free]] = weights[free]
        loadings[items, f] = weights
        total[f, f] = variance
        residual[f] = variance
    columns = np.array([factor.variable for factor in factors])
    rows = np.unique(np.concatenate([factor.others for factor in factors]))
    scale = np.sqrt(np.maximum(np.diag(total)[rows], 1e-300))
    scaled = loadings[np.ix_(rows, columns)] / scale[:, None]
    communality = np.einsum("ij,j,ij->i", scaled, np.diag(total)[columns], scaled)
    residual[rows] = np.clip(1.0 - communality, 0.1, 0.9) * scale**2
    inner = scaled.T @ scaled
    inner[np.diag_indices_from(inner)] += 1e-8 * (np.trace(inner) / len(columns) + 1e-8)
    weights = np.linalg.solve(inner, scaled.T) / scale
    among = weights @ total[np.ix_(rows, rows)] @ weights.T
    sd = np.sqrt(np.maximum(np.diag(total)[columns], 1e-300))
    limit = 0.8 * np.outer(sd, sd)
    np.fill_diagonal(among, sd**2)
    among = np.clip(among, -limit, limit) + np.diag(0.2 * sd**2)
    total[np.ix_(columns, columns)] = among
    known = np.array(plan.causes_done)
    known = known[~np.isin(known, columns)]
    across = weights @ total[np.ix_(rows, known)]
    total[np.ix_(columns, known)] = across
    total[np.ix_(known, columns)] = across.T


def _fabin(within: Reals, fixed: Reals, free: np.ndarray, factor_variance: float) -> tuple[Reals, float]:
    """Return loadings (k,) and factor variance from the indicators' covariance matrix (k, k).

    FABIN 2 estimates the loading of j as the regression of j on the reference indicator, with the remaining indicators as instruments of equal
    weight. It works on correlations, so that the units of the indicators do not matter.
    """
    sd = np.sqrt(np.maximum(np.diag(within), 1e-300))
    correlation = within / np.outer(sd, sd)
    k = sd.size
    anchors = np.flatnonzero(~free & (fixed != 0.0))
    reference = int(anchors[0]) if anchors.size else 0
    ratio = np.ones(k)
    first = correlation[reference]
    if k >= 3:
        squared = first @ correlation
        numerator = squared - first - first * 1.0
        denominator = squared[reference] - 1.0 - first**2
        usable = denominator > 1e-3
        ratio = np.where(usable, numerator / np.where(usable, denominator, 1.0), 1.0)
    elif k == 2:
        ratio = np.where(first < 0, -1.0, 1.0)
    ratio = np.where(np.abs(ratio) < 0.1, np.where(ratio < 0, -0.1, 0.1), np.clip(ratio, -10.0, 10.0))
    ratio[reference] = 1.0
    others = np.arange(k) != reference
    communality = float(np.mean(first[others] / ratio[others])) if k > 1 else 0.9
    ceiling = 0.9 / float(np.max(ratio**2))
    communality = min(max(communality, 0.1 * ceiling), ceiling)
    standard = ratio * sd
    if anchors.size:
        unit = fixed[reference] / standard[reference]
        weights = np.where(free, standard * unit, fixed)
        variance = communality / unit**2 if math.isnan(factor_variance) else factor_variance
        return weights, variance
    variance = factor_variance if factor_variance > 0 else 1.0
    return np.where(free, standard * math.sqrt(communality / variance), fixed), variance


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
    slopes = {effect.variable: effect for effect in plan.effects}
    for v, parameter in free.items():
        if v < p:
            theta[parameter] = mean[v]
            effect = slopes.get(v)
            if effect is not None:
                observed = effect.others < p
                values = np.where(effect.theta >= 0, theta[effect.theta], effect.fixed)
                theta[parameter] -= float(values[observed] @ mean[effect.others[observed]])
