"""What follows from a two-level likelihood: log-likelihoods, baseline model, residuals of each level, and traces for robust tests."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trustsem.data.patterns import find_patterns, reduce_patterns
from trustsem.data.two_level import TwoLevelData, sort_clusters
from trustsem.data.two_level_saturated import independent_levels
from trustsem.data.two_level_shapes import TwoLevelMoments, deviance_per_person, free_structure, n_people, parameters_of, shape_of
from trustsem.inference.fit_measures import Chisq
from trustsem.kernels.patterns import pattern_sums
from trustsem.kernels.structure import COVARIANCE, Integers, Reals, Structure
from trustsem.model.layout import BlockLayout
from trustsem.model.problem import ImpliedBlock, Problem
from trustsem.model.two_level import TwoLevelLikelihood

__all__ = ["intraclass_correlations", "level_residuals", "saturated_traces", "two_level_baseline", "two_level_likelihoods"]

_LOG_2_PI = math.log(2.0 * math.pi)


def two_level_likelihoods(problem: Problem, objective: TwoLevelLikelihood, theta: Reals) -> tuple[float, float]:
    """Return the log-likelihood at `theta` (K,) and that of the saturated model, both conditional on fixed covariates."""
    unrestricted = 0.0
    for g, group in enumerate(objective.groups):
        own = group.rows.seen.sum() + np.sum(~np.isnan(group.values[:, list(group.within)]))
        unrestricted -= 0.5 * (group.saturated.deviance + _LOG_2_PI * float(own))
        unrestricted += 0.5 * _covariate_deviance(problem, g, group)
    return unrestricted - 0.5 * problem.scale * objective.value(problem.structure, theta), unrestricted


def _covariate_deviance(problem: Problem, g: int, group: TwoLevelData) -> float:
    """Return minus twice the log-likelihood of the fixed covariates of one group, at the moments that the model gives them."""
    places = [_places(problem.model.blocks[2 * g + level], fixed=True) for level in (0, 1)]
    columns = [[(group.within, group.between)[level][k] for k in places[level]] for level in (0, 1)]
    means, covs = [], []
    for level in (0, 1):
        block = problem.blocks[2 * g + level]
        means.append(np.zeros(len(block.cov))[places[level]] if block.mean is None else block.mean[places[level]])
        covs.append(block.cov[np.ix_(places[level], places[level])])
    if set(columns[0]) & set(columns[1]):
        data = sort_clusters(group.values, group.codes, columns[0], columns[1])
        free = free_structure(shape_of(data))
        point = parameters_of(free, TwoLevelMoments(covs[0], means[0], covs[1], means[1], math.nan, 0, True), np.empty((0, 0)))
        count = float(data.seen.sum() + np.sum(~np.isnan(group.values[:, columns[0]])))
        return deviance_per_person(data, free, point, np.empty(0), np.empty((0, 0))) * n_people(data) + _LOG_2_PI * count
    first = [int(np.flatnonzero(group.codes == j)[0]) for j in range(group.n_clusters)] if columns[1] else []
    return _normal_deviance(group.values[:, columns[0]], means[0], covs[0]) + _normal_deviance(group.values[first][:, columns[1]], means[1], covs[1])


def _places(layout: BlockLayout, *, fixed: bool) -> Integers:
    """Return the places of the fixed, or of all, exogenous covariates among the observed variables of a block."""
    return np.array([layout.observed.index(name) for name in (layout.fixed if fixed else layout.exogenous)], dtype=np.int64)


def _normal_deviance(rows: Reals, mean: Reals, cov: Reals) -> float:
    """Return minus twice the log-likelihood of rows (n, p), NaN where missing; those without any value say nothing."""
    seen = ~np.isnan(rows)
    rows = rows[seen.any(axis=1)]
    if not rows.size:
        return 0.0
    W = np.linalg.inv(cov)
    data = reduce_patterns(rows, find_patterns(rows), None)
    total = pattern_sums(data, 0.5 * (W + W.T), float(np.linalg.slogdet(cov)[1]), mean, np.empty_like(cov), np.empty_like(mean))
    return float(total) + _LOG_2_PI * float(seen.sum())


def _exogenous(problem: Problem, g: int) -> tuple[list[bool], list[bool]]:
    layouts = problem.model.blocks[2 * g : 2 * g + 2]
    first, second = ([name in layout.exogenous for name in layout.observed] for layout in layouts)
    return first, second


def _baseline_fit(problem: Problem, g: int, group: TwoLevelData) -> TwoLevelMoments:
    return independent_levels(group.rows if group.moments is None else group.moments, _exogenous(problem, g))


def two_level_baseline(problem: Problem, objective: TwoLevelLikelihood) -> Chisq:
    """Return the chi-square statistic of the independence model: at either level only exogenous covariates covary, among themselves."""
    total, df = 0.0, 0
    for g, group in enumerate(objective.groups):
        total += _baseline_fit(problem, g, group).deviance - group.saturated.deviance
        for marked in _exogenous(problem, g):
            p, x = len(marked), sum(marked)
            df += p * (p - 1) // 2 - x * (x - 1) // 2
    return Chisq(max(total, 0.0), df)


def saturated_traces(problem: Problem, objective: TwoLevelLikelihood) -> tuple[float, float]:
    """Return ``tr(A^-1 B)`` of the saturated and of the baseline model.

    A is the observed information, B the sum of the outer products of the clusters' scores. Moments of fixed covariates are not parameters
    (Yuan & Bentler 2000; for clusters Asparouhov & Muthen 2005).
    """
    saturated = baseline = 0.0
    for g, group in enumerate(objective.groups):
        shape = shape_of(group.rows)
        fixed = [[name in layout.fixed for name in layout.observed] for layout in problem.model.blocks[2 * g : 2 * g + 2]]
        saturated += _trace(group, free_structure(shape), group.saturated, fixed)
        baseline += _trace(group, free_structure(shape, *_exogenous(problem, g)), _baseline_fit(problem, g, group), fixed)
    return saturated, baseline


def _trace(group: TwoLevelData, structure: Structure, moments: TwoLevelMoments, fixed: Sequence[Sequence[bool]]) -> float:
    alone = TwoLevelLikelihood((group,), np.array([float(len(group.values)), 0.0]))
    theta = parameters_of(structure, moments, np.empty((0, 0)))
    kept = np.ones(theta.size, dtype=bool)
    for level in (0, 1):
        for kind, i, j, k, _, _ in structure.cells_of(level).tolist():
            kept[k] = not (fixed[level][i] and (kind != COVARIANCE or fixed[level][j]))
    information = 0.5 * alone.hessian(structure, theta)[np.ix_(kept, kept)]
    scores = alone.scores(structure, theta)[0][:, kept]
    return float(np.sum(np.linalg.solve(information, scores.T) * scores.T))


def level_residuals(problem: Problem, points: Sequence[ImpliedBlock]) -> dict[str, float]:
    """Return SRMR within and between, and their sum: root mean square differences of correlations, the zeros of the diagonal among them."""
    sums = {"srmr_within": 0.0, "srmr_between": 0.0}
    for b, (block, point) in enumerate(zip(problem.blocks, points, strict=True)):
        i, j = np.tril_indices(point.p)
        gap = _correlations(block.cov) - _correlations(point.sigma)
        share = problem.shares[b - b % 2]
        sums["srmr_between" if b % 2 else "srmr_within"] += float(share) * math.sqrt(float(np.mean(gap[i, j] ** 2)))
    return {"srmr": sum(sums.values())} | sums


def _correlations(cov: Reals) -> Reals:
    """Return correlations (p, p); those of a variable without variance are 0."""
    sd = np.sqrt(np.maximum(np.diag(cov), 0.0))
    unit = np.outer(sd, sd)
    return np.asarray(np.divide(cov, unit, out=np.zeros_like(cov), where=unit > 0.0))


def intraclass_correlations(group: TwoLevelData) -> Reals:
    """Return the share of each variable of level 1 (p1,) that lies between clusters, by the saturated model; 0 for those of level 1 only."""
    moments, shape = group.saturated, shape_of(group.rows)
    between = np.zeros(shape.p1)
    level = shape.place >= shape.own
    between[shape.place[level] - shape.own] = np.diag(moments.between)[level]
    return np.asarray(between / (between + np.diag(moments.within)))
