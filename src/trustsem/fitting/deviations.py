"""Standardized residual moments where they are not those of normal theory for complete rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustsem.inference.residuals import stacked_variances
from trustsem.inference.stacked import StackedBlock
from trustsem.kernels.structure import Reals
from trustsem.model.casewise import CasewiseLikelihood
from trustsem.model.quadratic import QuadraticForm

if TYPE_CHECKING:
    from trustsem.fitting.fit import Fit

__all__ = ["needs_stacked", "stacked_residuals"]


def needs_stacked(fit: Fit) -> bool:
    """Whether the sampling variances of the residuals are not those of normal theory for complete rows."""
    return fit.problem.objective is not None or fit.options.se not in ("standard", "none")


def stacked_residuals(fit: Fit, b: int, kind: str) -> tuple[Reals, Reals | None]:
    """Return the normalized or standardized residual covariances (p, p) and means (p,) of block `b`."""
    block, point, sample = fit.stacked[b], fit.implied_blocks[b], fit.problem.blocks[b]
    variances = stacked_variances(fit.stacked, _gammas(fit), _weights(fit), fit.free_basis, fit.problem.nobs, b, kind)
    p = point.p
    i, j = np.tril_indices(p)
    saturated = np.concatenate([block.mean, block.cov[i, j]])
    residual = saturated - np.concatenate([block.implied_mean, block.implied_cov[i, j]])
    sd = np.sqrt(np.diag(block.cov))
    own = np.concatenate([sd**2, (sd[i] * sd[j]) ** 2 + block.cov[i, j] ** 2]) / sample.n
    scaled = np.zeros(residual.size)
    usable = variances > 1e-13 * own[block.kept]
    kept = residual[block.kept]
    scaled[block.kept] = np.where(usable, kept / np.sqrt(np.where(usable, variances, 1.0)), 0.0)
    cov = np.empty((p, p))
    cov[i, j] = cov[j, i] = scaled[p:]
    return cov, scaled[:p] if sample.mean is not None else None


def _gammas(fit: Fit) -> list[Reals]:
    """Return the asymptotic covariance matrix of the saturated moments of every block."""
    robust = fit.options.se != "standard"
    if isinstance(fit.problem.objective, CasewiseLikelihood) or fit.options.se in ("robust_cluster", "first_order"):
        return [_casewise_gamma(fit, block, robust=robust) for block in fit.stacked]
    return list(fit.gammas)


def _casewise_gamma(fit: Fit, block: StackedBlock, *, robust: bool) -> Reals:
    from_scores = block.scores(structured=False) if robust else None
    n = block.share * fit.problem.nobs
    if fit.options.se == "first_order" and from_scores is not None:
        return np.asarray(np.linalg.inv(from_scores.T @ from_scores / n))
    inverse = np.linalg.inv(block.information(structured=False, observed=fit.options.information == "observed"))
    return np.asarray(inverse if from_scores is None else inverse @ (from_scores.T @ from_scores / n) @ inverse)


def _weights(fit: Fit) -> list[Reals]:
    """Return the weight matrix of every block's moments by which residuals are projected."""
    result = []
    for b, block in enumerate(fit.stacked):
        if isinstance(fit.problem.objective, QuadraticForm):
            result.append(fit.problem.objective.matrix(b))
        elif fit.options.se == "first_order":
            scores = block.scores(structured=True)
            result.append(scores.T @ scores / (block.share * fit.problem.nobs))
        else:
            result.append(block.information(structured=True, observed=fit.options.information == "observed"))
    return result
