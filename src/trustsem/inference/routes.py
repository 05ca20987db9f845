"""Effects along single routes of a path diagram and in total, with derivatives: products of paths (Wright 1934, doi 10.1214/aoms/1177732676).

Delta-method errors of products of paths are those of Sobel (1982, doi 10.2307/270723). A route is a sequence of cells (effect, cause) of ``A``;
effects are standardized by the standard deviations of first cause and last effect.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trustsem.inference.standardized import variance_derivatives
from trustsem.kernels.structure import PATH, Reals
from trustsem.model.problem import ImpliedBlock
from trustsem.model.ram import Model

__all__ = ["Route", "path_parameters", "response_slopes", "responses", "route_products", "route_slopes", "standardized_effects", "total_slopes"]

Route = tuple[tuple[int, int], ...]  # cells (effect, cause), from the first cause on


def path_parameters(model: Model, b: int) -> dict[tuple[int, int], int]:
    """Return the parameter of every free path (effect, cause) of block `b`."""
    return {(i, j): theta for kind, i, j, theta, _, _ in model.structure.cells_of(b).tolist() if kind == PATH}


def route_products(A: Reals, routes: Sequence[Route]) -> Reals:
    """Return the product (..., R) of the paths along every route; `A` is (..., m, m)."""
    found = np.ones((*A.shape[:-2], len(routes)))
    for k, route in enumerate(routes):
        for i, j in route:
            found[..., k] *= A[..., i, j]
    return found


def route_slopes(model: Model, b: int, block: ImpliedBlock, routes: Sequence[Route]) -> Reals:
    """Return the derivatives (R, K) of the products along routes."""
    free = path_parameters(model, b)
    slopes = np.zeros((len(routes), model.structure.n_theta))
    for k, route in enumerate(routes):
        paths = [block.A[cell] for cell in route]
        for at, cell in enumerate(route):
            if cell in free:
                slopes[k, free[cell]] += np.prod(paths[:at]) * np.prod(paths[at + 1 :])
    return slopes


def total_slopes(model: Model, b: int, block: ImpliedBlock, effects: Sequence[int], causes: Sequence[int]) -> Reals:
    """Return the derivatives (Q, K) of the total effects ``B[effect, cause]``: ``dB / dA[a, c] = B e_a e_c' B``."""
    slopes = np.zeros((len(effects), model.structure.n_theta))
    for (a, c), theta in path_parameters(model, b).items():
        slopes[:, theta] += block.B[list(effects), a] * block.B[c, list(causes)]
    return slopes


def standardized_effects(
    model: Model, b: int, block: ImpliedBlock, effects: Sequence[int], causes: Sequence[int], value: Reals, slopes: Reals
) -> tuple[Reals, Reals]:
    """Return effects (Q,) in standard deviations of their `effects` per standard deviation of their `causes`, and the derivatives (Q, K)."""
    variances, change = np.diag(block.V), variance_derivatives(model, b, block)
    top, bottom = list(causes), list(effects)
    with np.errstate(all="ignore"):
        ratio = np.sqrt(variances[top] / variances[bottom])
        relative = 0.5 * (change[top] / variances[top][:, None] - change[bottom] / variances[bottom][:, None])
    return value * ratio, ratio[:, None] * (slopes + value[:, None] * relative)


def responses(A: Reals, shift: Reals) -> Reals:
    """Return how far every variable (..., m) moves when some are moved, which then do not listen to their causes (Pearl's do operator).

    Parameters
    ----------
    A : (..., m, m) float
        Paths of a diagram without cycles.
    shift : (..., m) float
        How far each moved variable is moved; NaN for the variables that are not.
    """
    moved = ~np.isnan(shift)
    cut = np.where(moved[..., None], 0.0, A)
    identity = np.eye(A.shape[-1])
    return np.asarray(np.linalg.solve(identity - cut, np.where(moved, shift, 0.0)[..., None])[..., 0])


def response_slopes(model: Model, b: int, block: ImpliedBlock, shift: Reals, shift_slopes: Reals) -> Reals:
    """Return the derivatives (m, K) of :func:`responses`; `shift_slopes` (m, K) are those of the shifts, 0 for variables that are not moved."""
    moved = ~np.isnan(shift)
    inverse = np.linalg.inv(np.eye(moved.size) - np.where(moved[:, None], 0.0, block.A))
    change = inverse @ np.where(moved, shift, 0.0)
    slopes = np.asarray(inverse @ np.where(moved[:, None], shift_slopes, 0.0))
    for (a, c), theta in path_parameters(model, b).items():
        if not moved[a]:
            slopes[:, theta] += inverse[:, a] * change[c]
    return slopes
