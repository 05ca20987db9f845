"""Second derivatives of the implied moments, contracted with what the Hessian of a discrepancy multiplies them by."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.structure import COVARIANCE, INTERCEPT, PATH, Reals, Structure
from trustsem.model.problem import ImpliedBlock

__all__ = ["second_derivatives"]


def second_derivatives(structure: Structure, b: int, block: ImpliedBlock, R: Reals, pull: Reals) -> Reals:
    """Return ``tr(R Sigma_kl) - 2 pull' mu_kl`` for all pairs of cells (C, C) of block `b`.

    Parameters
    ----------
    structure : Structure
    b : int
    block : ImpliedBlock
    R : (p, p) float
        Derivative of the discrepancy with respect to the implied covariances.
    pull : (p,) float
        Minus half its derivative with respect to the implied means; zeros where there are none.
    """
    kind, row, column = structure.cells_of(b)[:, :3].T
    p, B, V, mu = block.p, block.B, block.V, block.mu
    lifted = B[:p].T @ R
    GB, GBV = lifted @ B[:p], lifted @ V[:p]
    drift = B[:p].T @ pull
    weight = np.where((kind == COVARIANCE) & (row == column), 0.5, 1.0)
    paths, covariances, intercepts = (np.flatnonzero(kind == code) for code in (PATH, COVARIANCE, INTERCEPT))
    extra = np.zeros((kind.size, kind.size))
    i, j = row[paths], column[paths]
    feedback = B[np.ix_(j, i)]  # [k, l]: effect of l's outcome on k's cause
    part = feedback.T * GBV[np.ix_(i, j)].T + feedback * GBV[np.ix_(i, j)] + V[np.ix_(j, j)] * GB[np.ix_(i, i)]
    bend = feedback * drift[i][:, None] * mu[j][None, :]
    extra[np.ix_(paths, paths)] = 2.0 * (part - bend - bend.T)
    a, c = row[covariances], column[covariances]
    mixed = 2.0 * weight[covariances] * (GB[np.ix_(i, a)] * B[np.ix_(j, c)] + GB[np.ix_(i, c)] * B[np.ix_(j, a)])
    extra[np.ix_(paths, covariances)] = mixed
    extra[np.ix_(covariances, paths)] = mixed.T
    level = -2.0 * drift[i][:, None] * B[np.ix_(j, row[intercepts])]
    extra[np.ix_(paths, intercepts)] = level
    extra[np.ix_(intercepts, paths)] = level.T
    return extra
