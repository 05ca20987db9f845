"""The baseline model: observed variables uncorrelated, but for the covariances among exogenous covariates. No search is needed."""

from __future__ import annotations

import numpy as np

from trustsem.data.incomplete import incomplete_rows
from trustsem.data.saturated import available_moments
from trustsem.inference.fit_measures import Chisq
from trustsem.inference.likelihood import deviance
from trustsem.inference.two_level import two_level_baseline
from trustsem.kernels.structure import Reals
from trustsem.model.casewise import CasewiseLikelihood
from trustsem.model.problem import Problem
from trustsem.model.quadratic import QuadraticForm
from trustsem.model.two_level import TwoLevelLikelihood

__all__ = ["baseline_moments", "baseline_parameters", "baseline_test"]


def baseline_parameters(problem: Problem, b: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the means (p,) and covariances (p, p) of block `b` the baseline model leaves free.

    Covariances among exogenous covariates stay free whether or not they are parameters of the model, and means are saturated.
    """
    layout = problem.model.blocks[b]
    p = len(layout.observed)
    x = np.array([layout.observed.index(name) for name in layout.exogenous], dtype=np.int64)
    kept = np.eye(p, dtype=bool)
    kept[np.ix_(x, x)] = True
    return np.ones(p, dtype=bool), kept


def baseline_moments(problem: Problem, b: int) -> tuple[Reals, Reals]:
    """Return the means (p,) and covariances (p, p) that the likelihood of the baseline model is largest at.

    Incomplete variables that are independent of all others have the moments of their available values.
    """
    block = problem.blocks[b]
    mean = np.zeros(block.cov.shape[0]) if block.mean is None else block.mean
    fitted = np.where(baseline_parameters(problem, b)[1], block.cov, 0.0)
    if isinstance(problem.objective, CasewiseLikelihood):
        layout = problem.model.blocks[b]
        centre, spread = available_moments(problem.objective.missing[b].statistics)
        alone = np.array([name not in layout.exogenous for name in layout.observed])
        mean = np.where(alone, centre, mean)
        fitted[np.diag_indices(mean.size)] = np.where(alone, spread**2, np.diag(fitted))
        if not layout.fixed and not alone.all():
            _saturate_covariates(problem.objective.rows[b], problem.objective.missing[b].weights, np.flatnonzero(~alone), mean, fitted)
    return mean, fitted


def _saturate_covariates(rows: Reals, weights: Reals | None, x: np.ndarray, mean: Reals, cov: Reals) -> None:
    """Write the maximum likelihood moments of random covariates by themselves: nothing else tells about them in the baseline model."""
    seen = ~np.isnan(rows[:, x]).all(axis=1)
    _, mean[x], cov[np.ix_(x, x)] = incomplete_rows(rows[np.ix_(seen, x)], None if weights is None else weights[seen])


def baseline_test(problem: Problem) -> Chisq:
    """Return the chi-square statistic of the baseline model and its degrees of freedom.

    Notes
    -----
    For maximum likelihood the minimum is ``log|T| - log|S|``, T being S with zeros; for least squares it is that of a linear regression on the free
    cells.
    """
    if isinstance(problem.objective, TwoLevelLikelihood):
        return two_level_baseline(problem, problem.objective)
    total, df = 0.0, 0
    for b, (layout, block) in enumerate(zip(problem.model.blocks, problem.blocks, strict=True)):
        S = block.cov
        p = S.shape[0]
        x = np.array([layout.observed.index(name) for name in layout.exogenous], dtype=np.int64)
        _, kept = baseline_parameters(problem, b)
        df += p * (p - 1) // 2 - x.size * (x.size - 1) // 2
        if isinstance(problem.objective, CasewiseLikelihood):
            own = problem.objective.missing[b]
            discrepancy = (deviance(own.statistics, *baseline_moments(problem, b)) - own.deviance) / float(own.statistics.n_rows.sum())
        elif isinstance(problem.objective, QuadraticForm):
            discrepancy = _quadratic(problem, problem.objective, b)
        elif problem.moments.discrepancy == 0:
            fitted = np.where(kept, S, 0.0)
            discrepancy = float(np.linalg.slogdet(fitted)[1] - np.linalg.slogdet(S)[1])
        elif problem.moments.discrepancy == 1:
            given = np.zeros((p, p), dtype=bool)
            given[np.ix_(x, x)] = bool(layout.fixed)
            discrepancy = _generalized(S, kept & ~given, given)
        else:
            discrepancy = float(np.sum(np.where(kept, 0.0, S)[np.tril_indices(p, -1)] ** 2))
        total += problem.multiplier[b] * discrepancy
    return Chisq(max(total, 0.0), df)


def _quadratic(problem: Problem, form: QuadraticForm, b: int) -> float:
    """Return the least ``(s - D b)' V (s - D b)`` over the moments b that the baseline model leaves free."""
    means, kept = baseline_parameters(problem, b)
    i, j = np.tril_indices(means.size)
    free = np.concatenate([means, kept[i, j]])[form.kept[b]]
    design = np.eye(free.size)[:, free]
    weighted = form.weigh(b, design)
    s = form.moments[b]
    e = s - design @ np.linalg.solve(design.T @ weighted, weighted.T @ s)
    return float(e @ form.weigh(b, e))


def _generalized(S: Reals, free: np.ndarray, given: np.ndarray) -> float:
    """Return the least ``1/2 tr[(S^-1 (S - T))^2]`` over symmetric T with `free` cells, S in the `given` cells and zeros elsewhere.

    Variances are not allowed to be negative: those that would be are held at 0, one at a time.
    """
    W = np.linalg.inv(S)
    free = np.tril(free)
    while True:
        i, j = np.nonzero(free)
        weight = np.where(i == j, 0.5, 1.0)
        normal = 2.0 * np.outer(weight, weight) * (W[np.ix_(i, i)] * W[np.ix_(j, j)] + W[np.ix_(i, j)] * W[np.ix_(j, i)])
        T = np.where(given, S, 0.0)
        cells = np.linalg.solve(normal, 2.0 * weight * (W @ (S - T) @ W)[i, j])
        T[i, j] = cells
        T[j, i] = cells
        worst = int(np.argmin(np.diag(T)))
        if T[worst, worst] >= 0.0:
            E = W @ (S - T)
            return float(0.5 * np.sum(E * E.T))
        free[worst, worst] = False
