"""Parameters held at standardized values: what the conditions are as functions of theta, and the steps that keep them.

A parameter of a model may be meant in units that the model itself implies: a loading of 0.3 in standard deviations of factor and item, a covariance
that a common cause of two variables adds to their residuals, in theirs. Held at such a value, it is a condition that is not linear in theta.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dgetrf, dgetrs

from trustsem.inference.standardized import variance_derivatives
from trustsem.kernels.structure import COVARIANCE, PATH, Integers, Reals
from trustsem.model.layout import Cell
from trustsem.model.problem import ImpliedBlock
from trustsem.model.ram import Model

__all__ = ["Held", "Saddle", "held_at", "held_values", "leftover", "saddle", "total_effect"]


class Held(NamedTuple):
    """Which H parameters of the only block are held.

    Attributes
    ----------
    theta : (H,) int
        Places in theta.
    variables : (H, 2) int
        The two variables of each, among all variables of the block.
    powers : (H, 2) float
        Powers of their variances by which the parameter is multiplied.
    """

    theta: Integers
    variables: Integers
    powers: Reals


def held_at(model: Model, cells: list[Cell]) -> Held:
    """Return the parameters in `cells` as held: paths in standard deviations of effect and cause, covariances in those of both variables.

    Unlike a residual correlation, the standardized form of a covariance is here its share of the *total* standard deviations, so that the product of
    the standardized effects of a common cause is a covariance.
    """
    structure = model.structure
    place = {Cell(*row[:3]): int(row[3]) for row in structure.cells_of(0).tolist()}
    theta = np.array([place[cell] for cell in cells], dtype=np.int64)
    powers = np.array([(-0.5, -0.5 if cell.kind == COVARIANCE else 0.5) for cell in cells])
    return Held(theta, np.array([(cell.row, cell.column) for cell in cells], dtype=np.int64), powers)


def held_values(held: Held, model: Model, block: ImpliedBlock, theta: Reals) -> tuple[Reals, Reals]:
    """Return the standardized values (H,) of held parameters and their derivatives (H, K) with respect to theta; NaN where a variance is negative."""
    variances, slopes = np.diag(block.V), variance_derivatives(model, 0, block)
    i, j = held.variables.T
    with np.errstate(all="ignore"):
        scale = variances[i] ** held.powers[:, 0] * variances[j] ** held.powers[:, 1]
        values = theta[held.theta] * scale
        relative = (held.powers[:, :1] / variances[i][:, None]) * slopes[i] + (held.powers[:, 1:] / variances[j][:, None]) * slopes[j]
        result = values[:, None] * relative
    result[np.arange(len(values)), held.theta] += scale
    return values, result


def total_effect(model: Model, block: ImpliedBlock, cause: int, effect: int) -> tuple[float, Reals]:
    """Return the standardized total effect of one variable of the only block on another, and its derivatives (K,) with respect to theta."""
    total = float(block.B[effect, cause])
    slope = np.zeros(model.n_theta)
    for kind, row, column, theta in model.structure.cells_of(0)[:, :4].tolist():
        if kind == PATH:
            slope[theta] += block.B[effect, row] * block.B[column, cause]
    variances, slopes = np.diag(block.V), variance_derivatives(model, 0, block)
    with np.errstate(all="ignore"):
        scale = float(np.sqrt(variances[cause] / variances[effect]))
        relative = slopes[cause] / variances[cause] - slopes[effect] / variances[effect]
    return total * scale, scale * (slope + 0.5 * total * relative)


class Saddle(NamedTuple):
    """The equations of a step of Newton's method under H conditions, solved once for many right hand sides.

    Attributes
    ----------
    factors : tuple of array
        LU decomposition of ``[[D H D, D G'], [G D, 0]]``, D the diagonal of `scale`, which makes the parameters comparable.
    scale : (K,) float
    hessian : (K, K) float
    """

    factors: tuple[Reals, Integers]
    scale: Reals
    hessian: Reals

    def solve(self, downhill: Reals, change: Reals) -> tuple[Reals, Reals]:
        """Return step (K,) and change of the multipliers (H,) for a slope `downhill` (K,) and a wanted `change` (H,) of the conditions."""
        size = self.scale.size
        found, _ = dgetrs(*self.factors, np.concatenate([downhill * self.scale, change]))
        return found[:size] * self.scale, found[size:]


def saddle(hessian: Reals, conditions: Reals) -> Saddle | None:
    """Factor the equations of a step; None if they are singular.

    Parameters
    ----------
    hessian : (K, K) float
    conditions : (H, K) float
        Derivatives of the conditions.
    """
    if not (np.isfinite(hessian).all() and np.isfinite(conditions).all()):
        return None
    size, count = len(hessian), len(conditions)
    diagonal = np.diag(hessian)
    scale = 1.0 / np.sqrt(np.maximum(diagonal, 1e-8 * float(diagonal.max(initial=0.0)) + 1e-300))
    system = np.zeros((size + count, size + count))
    system[:size, :size] = hessian * np.outer(scale, scale)
    system[size:, :size] = conditions * scale
    system[:size, size:] = system[size:, :size].T
    factor, pivots, singular = dgetrf(system)
    return None if singular else Saddle((factor, pivots), scale, hessian)


def leftover(block: ImpliedBlock, among: Integers, removed: Reals | None = None) -> float:
    """Return the smallest eigenvalue of the residual covariances of the variables `among`, in their standard deviations; negative if impossible.

    Parameters
    ----------
    block : ImpliedBlock
    among : (k,) int
    removed : (m,) float, optional
        Standardized effects of a common cause on all variables, whose part is taken out of the residuals first.
    """
    with np.errstate(all="ignore"):
        sd = np.sqrt(np.diag(block.V))
        matrix = block.S / np.outer(sd, sd)
    if removed is not None:
        matrix = matrix - np.outer(removed, removed)
    matrix = matrix[np.ix_(among, among)]
    return float(np.linalg.eigvalsh(matrix)[0]) if np.isfinite(matrix).all() else -np.inf
