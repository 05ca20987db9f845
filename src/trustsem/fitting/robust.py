"""What a fit says when normality, complete rows or independent rows are not taken for granted: which formula with which matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trustsem.data.gamma import gamma_matrix
from trustsem.errors import DataError, OptionError
from trustsem.fitting.two_level import scaled_two_level
from trustsem.inference.baseline import baseline_moments, baseline_parameters
from trustsem.inference.corrected import Corrected, SaturatedPieces, corrected_fit, saturated_pieces
from trustsem.inference.information import covariance_of_estimates
from trustsem.inference.sandwich import cross_products, score_meat
from trustsem.inference.saturated import lower_triangle
from trustsem.inference.scaled import ScaledTest, Traces, moment_traces, scale_test
from trustsem.inference.stacked import StackedBlock
from trustsem.kernels.structure import Reals
from trustsem.model.casewise import CasewiseLikelihood
from trustsem.model.problem import Problem
from trustsem.model.quadratic import QuadraticForm
from trustsem.model.two_level import TwoLevelLikelihood

if TYPE_CHECKING:
    from trustsem.data.sample import BlockSample
    from trustsem.fitting.fit import Fit

__all__ = ["baseline_blocks", "casewise_scores", "corrected_measures", "robust_covariance", "scaled_baseline", "scaled_model"]


TWO_STAGE = ("two_stage", "robust_two_stage")


def casewise_scores(fit: Fit) -> tuple[Reals, ...]:
    """Return the weighted derivatives (n, K) of every row's log-likelihood at the estimate, block by block; of two levels, every cluster's."""
    objective = fit.problem.objective
    if isinstance(objective, TwoLevelLikelihood):
        return objective.scores(fit.problem.structure, fit.estimate.theta)
    if isinstance(objective, CasewiseLikelihood):
        found = objective.scores(fit.problem.structure, fit.estimate.theta)
        weights = [block.weights for block in fit.stacked]
        return tuple(part if own is None else part * own[:, None] for part, own in zip(found, weights, strict=True))
    return tuple(block.scores(structured=True) @ block.delta for block in fit.stacked)


def robust_covariance(fit: Fit, bread: Reals) -> Reals:
    """Return the covariance matrix (K, K) of the estimates that ``se=`` asks for.

    Parameters
    ----------
    fit : Fit
    bread : (K, K) float
        Inverse information of all observations, of the kind that ``information=`` asks for.

    Raises
    ------
    DataError
        If the rows are not known, or are incomplete where that is not allowed.
    """
    kind = fit.options.se
    if kind == "standard":
        return bread
    if kind in ("robust_sem", *TWO_STAGE):
        hessian = kind == "robust_sem" and fit.options.information == "observed" and fit.problem.moments.discrepancy == 0
        deltas, weights, gammas, shares = _moment_pieces(fit, observed=hessian)
        inner = sum(share * delta.T @ W @ delta for delta, W, share in zip(deltas, weights, shares, strict=True))
        inverse = bread * fit.problem.scale if hessian else covariance_of_estimates(np.asarray(inner), fit.free_basis)[0]
        if inverse is None:
            return np.full_like(bread, np.nan)
        total = np.zeros_like(bread)
        for delta, W, gamma, share in zip(deltas, weights, gammas, shares, strict=True):
            # The estimates' derivatives with respect to the moments, in units in which the moments' sampling variances are 1.
            unit = np.sqrt(np.diag(gamma))
            influence = (inverse @ (W @ delta).T) * unit
            total += share * influence @ (gamma / np.outer(unit, unit)) @ influence.T
        return total / fit.problem.scale
    meat = fit.score_meat
    if kind == "first_order":
        inverse, _ = covariance_of_estimates(meat, fit.free_basis)
        return np.full_like(bread, np.nan) if inverse is None else inverse
    return np.asarray(bread @ meat @ bread)


def _moment_pieces(fit: Fit, *, observed: bool) -> tuple[list[Reals], list[Reals], list[Reals], list[float]]:
    """Return Jacobian, weight matrix and asymptotic covariance matrix of the moments, and share, of every block (complete rows)."""
    blocks = fit.stacked
    return [block.delta for block in blocks], moment_weights(fit, blocks, observed=observed), list(fit.gammas), [block.share for block in blocks]


def moment_weights(fit: Fit, blocks: Sequence[StackedBlock], *, observed: bool = False) -> list[Reals]:
    """Return the weight matrix (r, r) that the estimator gives the moments of every block."""
    problem = fit.problem
    if fit.options.missing in TWO_STAGE:
        return [block.complete_weight() for block in blocks]
    result = []
    for b, block in enumerate(blocks):
        if isinstance(problem.objective, QuadraticForm):
            result.append(problem.objective.matrix(b))
        elif problem.moments.discrepancy == 1:
            result.append(block.complete_weight())
        elif problem.moments.discrepancy == 2:
            result.append(np.eye(len(block.delta)))
        else:
            result.append(block.information(structured=True, observed=observed))
    return result


def meat_of(blocks: Sequence[StackedBlock]) -> Reals:
    """Return the sum (K, K) of the outer products of the scores of `blocks`, at their implied moments."""
    return score_meat([block.scores(structured=True) @ block.delta for block in blocks], [block.clusters for block in blocks])


def gammas_of(problem: Problem, blocks: Sequence[StackedBlock]) -> tuple[Reals, ...]:
    """Return the asymptotic covariance matrix of the moments of every block (complete rows).

    Raises
    ------
    DataError
        If the rows are not known, or are incomplete.
    """
    result = []
    for layout, block in zip(problem.model.blocks, blocks, strict=True):
        if block.rows is None:
            raise DataError("Robust standard errors and tests need the rows of the data, not summary statistics. Give data=.")
        if block.missing is not None:
            raise DataError("Robust standard errors and tests of this kind need complete rows. Use estimator='MLR', or missing='listwise'.")
        places = np.array([layout.observed.index(name) for name in layout.fixed], dtype=np.int64)
        result.append(gamma_matrix(block.rows, block.mean, block.kept, places, block.weights))
    return tuple(result)


def two_stage_gammas(fit: Fit) -> tuple[Reals, ...]:
    """Return the asymptotic covariance matrix of the saturated moments of incomplete rows (Savalei & Bentler 2009; robust: Savalei & Falk 2014).

    The saturated model is that of the first stage, auxiliary variables included; only the moments of the model's variables are returned.
    """
    result = []
    names = fit.sample.names
    for layout, block, own in zip(fit.model.blocks, fit.sample.blocks, fit.stacked, strict=True):
        first = _first_stage(block, own)
        i, j = lower_triangle(len(names))
        x = np.array([name in layout.fixed for name in names])
        counted = np.concatenate([~x, ~(x[i] & x[j])])
        full = replace(first, kept=counted)
        inverse = np.linalg.inv(full.information(structured=False, observed=True))
        if fit.options.missing == "robust_two_stage":
            scores = full.scores(structured=False)
            inverse = inverse @ (cross_products(scores, block.clusters) / (own.share * fit.problem.nobs)) @ inverse
        place = np.array([names.index(name) for name in layout.observed])
        where = np.concatenate([place, len(names) + _pair_places(place)])[own.kept]
        position = np.cumsum(counted) - 1
        wanted = position[where]
        result.append(0.5 * (inverse + inverse.T)[np.ix_(wanted, wanted)])
    return tuple(result)


def _first_stage(block: BlockSample, own: StackedBlock) -> StackedBlock:
    """Return the saturated moments of all variables of the first stage, in place of those of the model's variables."""
    mean = np.zeros(block.cov.shape[0]) if block.mean is None else block.mean
    cov = block.cov * ((block.n - 1) / block.n)
    return replace(own, mean=mean, cov=cov, implied_mean=mean, implied_cov=cov, missing=block.missing, rows=block.rows)


def _pair_places(place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the covariances of some variables stand among those of all, both counted row by row below the diagonal."""
    i, j = lower_triangle(place.size)
    high, low = np.maximum(place[i], place[j]), np.minimum(place[i], place[j])
    return np.asarray(high * (high + 1) // 2 + low)


def pieces_of(fit: Fit) -> tuple[SaturatedPieces, ...]:
    """Return what scaled tests and corrected fit measures need of the saturated model of every block."""
    robust, first_order = any(name.startswith("yuan") for name in fit.options.test), fit.options.se == "first_order"
    result = []
    for block in fit.stacked:
        scores = None
        if robust or first_order:
            casewise = block.scores(structured=False)
            scores = cross_products(casewise, block.clusters) / (block.share * fit.problem.nobs)
        pieces = saturated_pieces(block, observed=fit.options.information == "observed", scores=scores if robust else None)
        # Where errors are those of the scores' cross-products, so is the information that the estimates use.
        result.append(pieces._replace(weight=scores) if first_order and not robust and scores is not None else pieces)
    return tuple(result)


def baseline_blocks(problem: Problem, blocks: Sequence[StackedBlock]) -> tuple[StackedBlock, ...]:
    """Return the moments of every block with the baseline model in place of the model: each of its parameters is a moment."""
    columns = []
    for b, block in enumerate(blocks):
        means, covariances = baseline_parameters(problem, b)
        i, j = lower_triangle(means.size)
        columns.append(np.concatenate([means, covariances[i, j]])[block.kept])
    total = sum(int(free.sum()) for free in columns)
    result, first = [], 0
    for b, (block, free) in enumerate(zip(blocks, columns, strict=True)):
        delta = np.zeros((free.size, total))
        delta[np.flatnonzero(free), first + np.arange(int(free.sum()))] = 1.0
        first += int(free.sum())
        mean, cov = baseline_moments(problem, b)
        implied_mean = mean if problem.model.has_means else block.implied_mean
        result.append(replace(block, delta=delta, implied_mean=implied_mean, implied_cov=cov))
    return tuple(result)


def scaled_model(fit: Fit, name: str | None = None) -> ScaledTest:
    """Return the scaled test of the model called `name`; by default the one that fit measures report."""
    name = name or _scaled_name(fit)
    if fit.model.two_level:
        return scaled_two_level(fit, name, baseline=False)
    if name.startswith("yuan"):
        weighted = any(block.weights is not None for block in fit.stacked)
        exact = (fit.options.estimator == "MLR" or weighted) and fit.options.information == "observed"
        inverse = fit.inverse_information * fit.problem.nobs if exact else None
        traces = _yuan_traces(fit, name, fit.stacked, fit.score_meat, inverse, fit.free_basis)
    else:
        traces = _satorra_traces(fit, fit.stacked, fit.free_basis)
    return scale_test(name, fit.chisq, traces)


def scaled_baseline(fit: Fit) -> ScaledTest:
    """Return the scaled test of the baseline model."""
    name = _scaled_name(fit)
    if fit.model.two_level:
        return scaled_two_level(fit, name, baseline=True)
    blocks = baseline_blocks(fit.problem, fit.stacked)
    satorra = not name.startswith("yuan")
    traces = _satorra_traces(fit, blocks, None) if satorra else _yuan_traces(fit, name, blocks, meat_of(blocks), None, None)
    return scale_test(name, fit.baseline, traces)


def _scaled_name(fit: Fit) -> str:
    name = fit.options.scaled_test
    if name is None:
        raise OptionError(f"There is no scaled test with test={'+'.join(fit.options.test)!r}. Use estimator='MLR', or test='satorra_bentler'.")
    return name


def _satorra_traces(fit: Fit, blocks: Sequence[StackedBlock], basis: Reals | None) -> Traces:
    weights = moment_weights(fit, blocks, observed=fit.options.information == "observed")
    return moment_traces(weights, fit.gammas, [block.delta for block in blocks], [block.share for block in blocks], basis)


def _yuan_traces(fit: Fit, name: str, blocks: Sequence[StackedBlock], meat: Reals, inverse: Reals | None, basis: Reals | None) -> Traces:
    """Return the traces of Yuan & Bentler's test; `inverse` is the inverse information of one observation, if it is not that of the moments."""
    observed = fit.options.information == "observed"
    n = fit.problem.nobs
    pieces = [(own.inverse, own.scores) for own in fit.saturated_pieces if own.scores is not None]
    saturated = sum(float(np.sum(inner * scores)) for inner, scores in pieces)
    if inverse is None:
        inner = sum(block.share * (block.delta.T @ block.information(structured=True, observed=observed) @ block.delta) for block in blocks)
        inverse, _ = covariance_of_estimates(np.asarray(inner), basis)
    model = math.nan if inverse is None else float(np.sum(inverse * meat)) / n
    if name == "yuan_bentler_mplus":
        return Traces(saturated - model, math.nan, saturated, model)
    weights = [block.information(structured=True, observed=observed) for block in blocks]
    gammas = [
        own.gamma if own.inverse is own.curvature else own.inverse @ scores @ own.inverse
        for own, (_, scores) in zip(fit.saturated_pieces, pieces, strict=True)
    ]
    first = moment_traces(weights, gammas, [block.delta for block in blocks], [block.share for block in blocks], basis).first
    return Traces(first, math.nan, saturated, model)


def corrected_measures(fit: Fit) -> tuple[Corrected, Corrected]:
    """Return the complete-data statistics of model and baseline model, and their means under a true model."""
    model = corrected_fit(fit.stacked, fit.saturated_pieces, fit.problem.nobs, fit.free_basis)
    if fit.reference is not None:
        return model, corrected_measures(fit.reference)[0]
    return model, corrected_fit(baseline_blocks(fit.problem, fit.stacked), fit.saturated_pieces, fit.problem.nobs, None)
