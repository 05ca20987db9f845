"""Residual moments, raw and scaled (Bentler 1995; Maydeu-Olivares & Shi 2017, doi 10.1027/1614-2241/a000123)."""

from __future__ import annotations

import numpy as np

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals
from trustsem.model.jacobian import moment_slopes
from trustsem.model.problem import ImpliedBlock, Problem

__all__ = ["block_residuals"]


def block_residuals(
    problem: Problem, theta: Reals, blocks: tuple[ImpliedBlock, ...], vcov: Reals, b: int, kind: str
) -> tuple[Reals, Reals | None]:
    """Return the residual covariances (p, p) and means (p,) of block `b`; the means are None if they are not modelled.

    Parameters
    ----------
    problem : Problem
    theta : (K,) float
    blocks : tuple of ImpliedBlock
        At `theta`.
    vcov : (K, K) float
        Covariance matrix of the estimates (expected information).
    b : int
        Block, counted from 0.
    kind : {"raw", "cor", "cor_bollen", "cor_bentler", "normalized", "standardized"}
    """
    sample, point = problem.blocks[b], blocks[b]
    S, Sigma = sample.cov, point.sigma
    cov = S - Sigma
    mean = sample.mean - point.mean if sample.mean is not None else None
    if kind == "raw":
        return cov, mean
    sd, implied_sd = np.sqrt(np.diag(S)), np.sqrt(np.diag(Sigma))
    if kind == "cor_bentler":
        return cov / np.outer(sd, sd), None if mean is None else mean / sd
    if kind in ("cor", "cor_bollen"):
        correlation = S / np.outer(sd, sd) - Sigma / np.outer(implied_sd, implied_sd)
        if sample.mean is None:
            return correlation, None
        return correlation, sample.mean / sd - point.mean / implied_sd
    if problem.moments.discrepancy == 2:
        raise OptionError(f"residuals(type={kind!r}) needs a discrepancy with a distribution theory, which ULS lacks. Use type='cor'.")
    variances = _sampling_variances(problem, b) if kind == "normalized" else _residual_variances(problem, blocks, vcov, b)
    n = sample.n
    return _divide(cov, np.sqrt(np.maximum(variances[0], 0.0) / n)), None if mean is None else _divide(mean, np.sqrt(np.maximum(variances[1], 0.0) / n))


def _divide(residual: Reals, error: Reals) -> Reals:
    """Divide, leaving 0 where the moment is reproduced by construction and so has no sampling error of its own."""
    usable = error > 1e-8 * max(float(error.max()), 1e-300)
    return np.where(usable, residual / np.where(usable, error, 1.0), 0.0)


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


def _scores(problem: Problem, point: ImpliedBlock, b: int) -> tuple[Reals, Reals, Reals, Reals, Reals]:
    """Return, for block `b`, the slopes of its moments, their covariances with the scores, and the covariances (K, K) of the scores of one observation."""
    S = problem.blocks[b].cov
    M, x = _covariate_part(problem, b)
    slopes, drifts = moment_slopes(problem.structure, b, point)
    W = np.linalg.inv(point.sigma if problem.moments.discrepancy == 0 else S)
    weighted = W @ slopes @ W
    weighted[:, x[:, None], x[None, :]] = 0.0
    lifted = drifts @ W
    lifted[:, x] = 0.0
    shared = S @ weighted @ S - M @ weighted @ M
    shared_means = lifted @ (S - M)
    scores = 0.5 * np.tensordot(weighted, shared, axes=([1, 2], [1, 2]))
    if problem.blocks[b].mean is not None:
        scores = scores + shared_means @ lifted.T
    return slopes, drifts, shared, shared_means, scores


def _residual_variances(problem: Problem, blocks: tuple[ImpliedBlock, ...], vcov: Reals, b: int) -> tuple[Reals, Reals]:
    """Return n times the variances of the residual covariances (p, p) and means (p,) of block `b`.

    Notes
    -----
    Residuals are ``Q s`` with ``Q = I - J (J'WJ)^-1 J'W``; their variances are the diagonal of ``Q Gamma Q'`` with Gamma from the sample. Column k of
    ``W J`` is kept as the matrix ``W dSigma_k W``, so that nothing larger than (K, p, p) is formed.
    """
    pieces = [_scores(problem, point, g) for g, point in enumerate(blocks)]
    slopes, drifts, shared, shared_means, _ = pieces[b]
    n = problem.blocks[b].n
    bread = vcov * (problem.scale / problem.nobs)
    meat = sum(block.n * piece[4] for block, piece in zip(problem.blocks, pieces, strict=True))
    spread = n * (bread @ meat @ bread)
    variances, mean_variances = _sampling_variances(problem, b)
    fitted = np.tensordot(spread, slopes, axes=(1, 0)) - 2.0 * n * np.tensordot(bread, shared, axes=(1, 0))
    variances = variances + np.einsum("kij,kij->ij", slopes, fitted)
    fitted_means = spread @ drifts - 2.0 * n * (bread @ shared_means)
    return variances, mean_variances + np.einsum("ki,ki->i", drifts, fitted_means)
