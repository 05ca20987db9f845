"""Residual moments, raw and scaled (Bentler 1995; Maydeu-Olivares & Shi 2017, doi 10.1027/1614-2241/a000123)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trustsem.errors import OptionError
from trustsem.inference.information import covariance_of_estimates
from trustsem.inference.stacked import StackedBlock
from trustsem.kernels.structure import Reals
from trustsem.model.jacobian import moment_slopes
from trustsem.model.problem import ImpliedBlock, Problem

__all__ = ["block_residuals", "stacked_variances"]


class _Pieces(NamedTuple):
    """Of one block: slopes of its moments, their covariances with the scores, and of one observation the scores' covariances and the information."""

    slopes: Reals
    drifts: Reals
    shared: Reals
    shared_means: Reals
    scores: Reals
    information: Reals


def block_residuals(
    problem: Problem, blocks: tuple[ImpliedBlock, ...], basis: Reals | None, b: int, kind: str, *, observed: bool = False
) -> tuple[Reals, Reals | None]:
    """Return the residual covariances (p, p) and means (p,) of block `b`; the means are None if they are not modelled.

    Parameters
    ----------
    problem : Problem
    blocks : tuple of ImpliedBlock
        At the estimate.
    basis : (K, r) float or None
        Directions that constraints leave free (see ``null_basis``).
    b : int
        Block, counted from 0.
    kind : {"raw", "cor", "cor_bollen", "cor_bentler", "normalized", "standardized"}
    observed : bool
        Whether standardized residuals weigh by observed information.
    """
    sample, point = problem.blocks[b], blocks[b]
    S, Sigma = sample.cov, point.sigma
    cov = S - Sigma
    mean = sample.mean - point.mean if sample.mean is not None else None
    if kind == "raw":
        return cov, mean
    with np.errstate(invalid="ignore"):  # a negative implied variance has no correlations
        sd, implied_sd = np.sqrt(np.diag(S)), np.sqrt(np.diag(Sigma))
    if kind == "cor_bentler":
        return cov / np.outer(sd, sd), None if mean is None else mean / sd
    if kind in ("cor", "cor_bollen"):
        correlation = S / np.outer(sd, sd) - Sigma / np.outer(implied_sd, implied_sd)
        return correlation, None if mean is None else mean / sd
    if problem.moments.discrepancy == 2:
        raise OptionError(f"residuals(type={kind!r}) needs a discrepancy with a distribution theory, which ULS lacks. Use type='cor'.")
    variances = _sampling_variances(problem, b) if kind == "normalized" else _residual_variances(problem, blocks, basis, b, observed)
    own = np.outer(sd, sd) ** 2 + S**2  # what the sampling variance would be if no moment were given
    scaled = _divide(cov, variances[0] / sample.n, own / sample.n)
    return scaled, None if mean is None else _divide(mean, variances[1] / sample.n, sd**2 / sample.n)


def _divide(residual: Reals, variance: Reals, own: Reals) -> Reals:
    """Divide by the standard error, leaving 0 where the moment is reproduced by construction: nothing is left of its `own` sampling variance."""
    if np.isnan(variance).any():
        return np.full_like(residual, np.nan)
    usable = variance > 1e-13 * own
    return np.where(usable, residual / np.sqrt(np.where(usable, variance, 1.0)), 0.0)


def _covariate_part(problem: Problem, b: int) -> tuple[Reals, np.ndarray]:
    """Return the part (p, p) of the sample covariances that fixed covariates carry, and the places of the covariates."""
    layout, S = problem.model.blocks[b], problem.blocks[b].cov
    x = np.array([layout.observed.index(name) for name in layout.fixed], dtype=np.int64)
    if x.size == 0:
        return np.zeros_like(S), x
    return S[:, x] @ np.linalg.solve(S[np.ix_(x, x)], S[x, :]), x


def _sampling_variances(problem: Problem, b: int) -> tuple[Reals, Reals]:
    """Return n times the normal-theory sampling variances of covariances (p, p) and means (p,), given the fixed covariates."""
    S = problem.blocks[b].cov
    M, _ = _covariate_part(problem, b)

    def gamma(matrix: Reals) -> Reals:
        diagonal = np.diag(matrix)
        return np.outer(diagonal, diagonal) + matrix**2

    return gamma(S) - gamma(M), np.diag(S) - np.diag(M)


def _scores(problem: Problem, point: ImpliedBlock, b: int, observed: bool) -> _Pieces:
    """Return what the variances of the residuals of block `b` are made of.

    The weight is the information of the saturated model at the implied moments, expected or (if `observed`) observed.
    """
    S = problem.blocks[b].cov
    M, x = _covariate_part(problem, b)
    slopes, drifts = moment_slopes(problem.structure, b, point)
    W = _inverse(point.sigma if problem.moments.discrepancy == 0 else S, None)
    weighted, lifted = W @ slopes @ W, drifts @ W
    if observed and problem.moments.discrepancy == 0:
        sample = problem.blocks[b]
        pull = W @ (sample.mean - point.mean) if sample.mean is not None else np.zeros(point.p)
        crossed = (W @ S @ W + np.outer(pull, pull)) @ slopes @ W + lifted[:, :, None] * pull
        weighted = crossed + crossed.transpose(0, 2, 1) - weighted
        lifted = lifted + (slopes @ pull) @ W
    weighted[:, x[:, None], x[None, :]] = 0.0
    lifted[:, x] = 0.0
    shared, shared_means = S @ weighted @ S - M @ weighted @ M, lifted @ (S - M)
    scores = 0.5 * np.tensordot(weighted, shared, axes=([1, 2], [1, 2]))
    information = 0.5 * np.tensordot(slopes, weighted, axes=([1, 2], [1, 2]))
    if problem.blocks[b].mean is not None:
        scores = scores + shared_means @ lifted.T
        information = information + drifts @ lifted.T
    return _Pieces(slopes, drifts, shared, shared_means, scores, information)


def _residual_variances(problem: Problem, blocks: tuple[ImpliedBlock, ...], basis: Reals | None, b: int, observed: bool) -> tuple[Reals, Reals]:
    """Return n times the variances of the residual covariances (p, p) and means (p,) of block `b`.

    Notes
    -----
    Residuals are ``Q s`` with ``Q = I - J (J'WJ)^-1 J'W``; their variances are the diagonal of ``Q Gamma Q'`` with Gamma from the sample. Column k of
    ``W J`` is kept as the matrix ``W dSigma_k W``, so that nothing larger than (K, p, p) is formed. Parameters shared between blocks carry the
    sampling error of all of them.
    """
    pieces = [_scores(problem, point, g, observed) for g, point in enumerate(blocks)]
    own, n = pieces[b], problem.blocks[b].n
    sizes = [block.n for block in problem.blocks]
    information = sum(size * piece.information for size, piece in zip(sizes, pieces, strict=True))
    meat = sum(size * piece.scores for size, piece in zip(sizes, pieces, strict=True))
    bread = _inverse(np.asarray(information), basis)
    spread = n * (bread @ meat @ bread)
    variances, mean_variances = _sampling_variances(problem, b)
    fitted = np.tensordot(spread, own.slopes, axes=(1, 0)) - 2.0 * n * np.tensordot(bread, own.shared, axes=(1, 0))
    variances = variances + np.einsum("kij,kij->ij", own.slopes, fitted)
    fitted_means = spread @ own.drifts - 2.0 * n * (bread @ own.shared_means)
    return variances, mean_variances + np.einsum("ki,ki->i", own.drifts, fitted_means)


def _inverse(information: Reals, basis: Reals | None) -> Reals:
    """Return the inverse of a definite matrix within the free directions; NaN if there is none."""
    inverse, _ = covariance_of_estimates(information, basis)
    return np.full_like(information, np.nan) if inverse is None else inverse


def stacked_variances(
    blocks: Sequence[StackedBlock], gammas: Sequence[Reals], weights: Sequence[Reals], basis: Reals | None, n: float, b: int, kind: str
) -> Reals:
    """Return the sampling variances (r,) of the residual moments of block `b`, for any asymptotic covariance matrix of the moments.

    Parameters
    ----------
    blocks : sequence of StackedBlock
    gammas, weights : sequence of (r, r) float
        Asymptotic covariance matrix, and weight matrix, of the moments of every block.
    basis : (K, k) float or None
        Directions that constraints leave free.
    n : float
        Number of observations in all blocks.
    b : int
    kind : {"normalized", "standardized"}
        Variances of the sample moments, or of the residuals themselves.
    """
    if kind == "normalized":
        return np.asarray(np.diag(gammas[b]) / (blocks[b].share * n))
    information = sum(block.share * block.delta.T @ W @ block.delta for block, W in zip(blocks, weights, strict=True))
    bread = _inverse(np.asarray(information), basis)
    total = np.zeros(len(blocks[b].delta))
    for g, (block, W, gamma) in enumerate(zip(blocks, weights, gammas, strict=True)):
        influence = -block.share * (blocks[b].delta @ bread @ (W @ block.delta).T)
        if g == b:
            influence += np.eye(len(influence))
        total += np.einsum("rs,st,rt->r", influence, gamma, influence, optimize=True) / (block.share * n)
    return total
