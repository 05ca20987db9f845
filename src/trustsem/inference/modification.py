"""Score tests for parameters that are not free (Soerbom 1989, doi 10.1007/BF02294623): modification indices and expected changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trustsem.inference.information import weight_matrix
from trustsem.inference.saturated import incomplete_information, lower_triangle
from trustsem.kernels.structure import Integers, Reals, Structure
from trustsem.model.casewise import CasewiseLikelihood
from trustsem.model.extend import extend_structure
from trustsem.model.jacobian import moment_slopes
from trustsem.model.layout import Cell
from trustsem.model.problem import ImpliedBlock, Problem, derivatives, implied
from trustsem.model.quadratic import QuadraticForm
from trustsem.model.two_level import TwoLevelLikelihood

__all__ = ["score_tests"]

_RELATIVE = 1e-9  # share of a candidate's information that must remain, given the free parameters, for it to be identified


def score_tests(problem: Problem, theta: Reals, candidates: Sequence[tuple[int, Cell]], values: Reals, vcov: Reals) -> tuple[Reals, Reals]:
    """Test, one at a time, whether freeing a cell would lower the discrepancy.

    Parameters
    ----------
    problem : Problem
    theta : (K,) float
        The estimate.
    candidates : sequence of (block, Cell)
        Cells that are not free.
    values : (M,) float
        The values at which they are fixed.
    vcov : (K, K) float
        Inverse expected information of the free parameters, within their constraints.

    Returns
    -------
    mi : (M,) float
        Modification index: expected drop of the chi-square statistic, on one degree of freedom. NaN where the cell is not identified.
    epc : (M,) float
        Expected parameter change.
    """
    size = problem.model.n_theta
    structure = extend_structure(problem.structure, candidates)
    point = np.concatenate([theta, values])
    _, gradient, hessian = derivatives(replace(problem, structure=structure), point, problem.shares)
    likelihood = problem.moments.discrepancy == 0
    if not likelihood:
        # The scores of least squares weigh blocks by n - 1, the information by n.
        _, gradient, _ = derivatives(replace(problem, structure=structure), point, problem.multiplier / problem.nobs)
    # Half the Hessian is the information of one observation; `vcov` is the inverse of `scale` times that.
    across, raw, score = 0.5 * hessian[size:, :size], 0.5 * np.diag(hessian)[size:], -0.5 * gradient[size:]
    if problem.moments.discrepancy != 2 and not isinstance(problem.objective, QuadraticForm):  # which does not see those moments
        _condition_on_covariates(problem, structure, point, size, across, raw, None if likelihood else score)
    conditional = raw - np.einsum("mk,kl,ml->m", across, vcov * problem.scale, across)
    identified = conditional > _RELATIVE * np.maximum(raw, 1e-300)
    with np.errstate(all="ignore"):
        epc = np.where(identified, score / conditional, np.nan)
        mi = np.where(identified, problem.nobs * score * epc, np.nan)
    return mi, epc


def _condition_on_covariates(problem: Problem, structure: Structure, point: Reals, size: int, across: Reals, raw: Reals, score: Reals | None) -> None:
    """Leave the moments of fixed covariates out of the information on candidates that would change them (and out of the `score`), in place.

    Those moments are not modelled, so they carry no information; free parameters do not touch them. lavaan leaves them in the score of maximum
    likelihood.
    """
    blocks = implied(structure, point)
    shares = problem.shares
    for b, (layout, block) in enumerate(zip(problem.model.blocks, blocks, strict=True)):
        if not layout.fixed:
            continue
        x = np.array([layout.observed.index(name) for name in layout.fixed], dtype=np.int64)
        if isinstance(problem.objective, TwoLevelLikelihood):
            _leave_out(structure, b, block, x, size, raw)
            continue
        casewise = problem.objective if isinstance(problem.objective, CasewiseLikelihood) else None
        if casewise is not None:
            _condition_incomplete(problem, casewise, structure, b, block, size, across, raw)
            continue
        W = weight_matrix(problem, b, block)
        slopes, drifts = moment_slopes(structure, b, block)
        for m in range(size, structure.n_theta):
            touched = slopes[m][np.ix_(x, x)].any() or drifts[m][x].any()
            if not touched:
                continue
            cov, mean = slopes[m].copy(), drifts[m].copy()
            cov[np.ix_(x, x)], mean[x] = 0.0, 0.0
            weighted, lifted = W @ cov @ W, W @ mean
            across[m - size] = shares[b] * (0.5 * np.tensordot(slopes[:size], weighted, axes=2) + drifts[:size] @ lifted)
            raw[m - size] = shares[b] * (0.5 * float(np.sum(weighted * cov)) + float(mean @ lifted))
            if score is not None:
                sample = problem.blocks[b]
                gap = sample.mean - block.mean if sample.mean is not None else np.zeros(block.p)
                score[m - size] = (
                    problem.multiplier[b] / problem.nobs * (0.5 * float(np.sum(weighted * (sample.cov - block.sigma))) + float(gap @ lifted))
                )


def _condition_incomplete(
    problem: Problem, casewise: CasewiseLikelihood, structure: Structure, b: int, block: ImpliedBlock, size: int, across: Reals, raw: Reals
) -> None:
    """Do the same for block `b` of incomplete rows, whose information about the moments is that of all patterns together."""
    layout, share = problem.model.blocks[b], problem.shares[b]
    i, j = lower_triangle(block.p)
    x = np.array([name in layout.fixed for name in layout.observed])
    kept = np.concatenate([~x, ~(x[i] & x[j])])
    slopes, drifts = moment_slopes(structure, b, block)
    delta = np.hstack([drifts, slopes[:, i, j]])
    information = incomplete_information(casewise.missing[b].statistics, block.mean, block.sigma, observed=False)[np.ix_(kept, kept)]
    for m in range(size, structure.n_theta):
        if delta[m][~kept].any():
            weighted = information @ delta[m][kept]
            across[m - size] = share * (delta[:size][:, kept] @ weighted)
            raw[m - size] = share * float(delta[m][kept] @ weighted)


def _leave_out(structure: Structure, b: int, block: ImpliedBlock, x: Integers, size: int, raw: Reals) -> None:
    """Leave out candidates that would change moments of the fixed covariates `x` of block `b`: what is left of them is not identified."""
    slopes, drifts = moment_slopes(structure, b, block)
    for m in range(size, structure.n_theta):
        if slopes[m][np.ix_(x, x)].any() or drifts[m][x].any():
            raw[m - size] = 0.0
