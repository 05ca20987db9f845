"""Whether a solution can be a set of moments at all: what is wrong is named, nothing is clipped."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.structure import Reals
from trustsem.model.problem import ImpliedBlock
from trustsem.model.ram import Model

__all__ = ["inadmissible"]

_TOLERANCE = 1e-6
_ROUNDING = 1e-10  # share of the total variance by which a variance that is held at 0 may fall below it


def _not_definite(matrix: Reals, variances: Reals) -> bool:
    """Whether `matrix` (k, k), in units in which the total `variances` (k,) are 1, has a negative eigenvalue."""
    if matrix.shape[0] < 2:
        return False
    size = np.sqrt(np.where(variances == 0.0, 1.0, np.abs(variances)))
    return bool(np.linalg.eigvalsh(matrix / np.outer(size, size))[0] < -_TOLERANCE)


def inadmissible(model: Model, blocks: tuple[ImpliedBlock, ...]) -> tuple[str, ...]:
    """Return what is inadmissible about a solution, one phrase each; empty if nothing is.

    Parameters
    ----------
    model : Model
    blocks : tuple of ImpliedBlock
        At the estimate.
    """
    problems = []
    for layout, block in zip(model.blocks, blocks, strict=True):
        where = (f" at level {layout.level}" if model.two_level else "") + (f" in group {layout.group}" if model.table.n_groups > 1 else "")
        p = block.p
        if not np.all(np.isfinite(block.V)):
            problems.append(f"the paths have no finite solution{where}")
            continue
        for i, name in enumerate(layout.variables):
            if block.S[i, i] < -_ROUNDING * abs(block.V[i, i]):
                problems.append(f"the variance of {name} is negative ({block.S[i, i]:.4g}){where}")
            elif i >= p and block.V[i, i] < 0.0:
                problems.append(f"the total variance of {name} is negative ({block.V[i, i]:.4g}){where}")
        if _not_definite(block.V[p:, p:], np.diag(block.V)[p:]):
            problems.append(f"the covariance matrix of the latent variables is not positive definite{where}")
        if _not_definite(block.S[:p, :p], np.diag(block.V)[:p]):
            problems.append(f"the residual covariance matrix of the observed variables is not positive definite{where}")
    return tuple(problems)
