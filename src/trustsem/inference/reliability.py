"""How well items measure factors: formulas on arrays, with derivatives for delta-method standard errors.

Coefficient alpha is a function of a covariance matrix; the others are functions of the paths A and the implied covariances V of a model. Of the paths
only the loadings (``=~``) count as measurement: with ``M`` the loadings in A, ``T = (I - M)^-1`` says how strongly each factor enters each item,
directly or through factors that it measures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trustsem.inference.standardized import variance_derivatives
from trustsem.kernels.structure import COVARIANCE, PATH, Integers, Reals, Structure
from trustsem.model.problem import ImpliedBlock, implied
from trustsem.model.ram import Model

__all__ = ["MEASURES", "Scale", "alpha", "alpha_error", "bilinear_slopes", "loading_cells", "quantities", "scale_slopes", "scale_values", "scales"]

MEASURES = ("omega", "omega_h", "ave", "ave_std", "h")


class Scale(NamedTuple):
    """The items of one factor in one block.

    Attributes
    ----------
    block : int
    factor : int
        Place of the factor among the block's variables.
    items : (k,) int
        Places of the observed variables that it measures, itself or through other factors.
    indicators : (q,) int
        Places of the variables, observed or latent, that it measures itself.
    signs : (k,) float
        1, or -1 for an item that enters the sum of the items reversed.
    """

    block: int
    factor: int
    items: Integers
    indicators: Integers
    signs: Reals


def loading_cells(model: Model, b: int) -> np.ndarray:
    """Return which cells (m, m) of A are loadings of block `b`: rows ``=~`` that are free or not 0."""
    size = len(model.blocks[b].variables)
    mask = np.zeros((size, size), dtype=bool)
    for k, (row, cell) in enumerate(zip(model.table.rows, model.cells, strict=True)):
        if row.block == b + 1 and row.op == "=~" and (model.theta_of_row[k] >= 0 or row.ustart != 0.0):
            mask[cell.row, cell.column] = True
    return mask


def scales(model: Model, blocks: Sequence[ImpliedBlock], reverse: bool) -> tuple[Scale, ...]:
    """Return the scale of every factor with items, block by block.

    Parameters
    ----------
    model : Model
    blocks : sequence of ImpliedBlock
        At the estimate: their loadings decide which items are reversed.
    reverse : bool
        Whether items whose loading has another sign than most are reversed.
    """
    found = []
    for b, block in enumerate(blocks):
        mask = loading_cells(model, b)
        effects = _effects(mask, block.A)
        reach = mask
        for _ in range(len(mask) - block.p):  # no chain of factors is longer
            reach = reach | (reach.astype(np.int64) @ mask.astype(np.int64) > 0)
        for factor in range(block.p, len(mask)):
            items = np.flatnonzero(reach[: block.p, factor])
            if items.size:
                negative = effects[items, factor] < 0.0
                negative = ~negative if 2 * int(negative.sum()) > items.size else negative
                signs = np.where(negative & reverse, -1.0, 1.0)
                found.append(Scale(b, factor, items, np.flatnonzero(mask[:, factor]), signs))
    return tuple(found)


def alpha(cov: Reals, signs: Reals) -> tuple[float, Reals]:
    """Return coefficient alpha (Cronbach 1951, doi 10.1007/BF02310555) and its derivatives (k, k) with respect to the covariances.

    Parameters
    ----------
    cov : (k, k) float
        Covariances of the items, of the sample or implied.
    signs : (k,) float
        -1 for items that are reversed, else 1.

    Returns
    -------
    value : float
        ``k / (k - 1) (1 - tr S / s'Ss)``; NaN for a single item.
    gradient : (k, k) float
        Each covariance and its mirror image counted separately.
    """
    k = len(cov)
    if k < 2:
        return math.nan, np.full((k, k), math.nan)
    total, trace, factor = float(signs @ cov @ signs), float(np.trace(cov)), k / (k - 1.0)
    gradient = factor * (trace / total**2 * np.outer(signs, signs) - np.eye(k) / total)
    return factor * (1.0 - trace / total), gradient


def alpha_error(cov: Reals, signs: Reals, n: float) -> float:
    """Return the standard error of the alpha of `n` normal observations (van Zyl, Neudecker & Nel 2000, doi 10.1007/BF02296146).

    With G the derivatives of alpha, its variance is ``2 tr(GSGS) / n``.
    """
    product = alpha(cov, signs)[1] @ cov
    return math.sqrt(2.0 * float(np.sum(product * product.T)) / n)


class _Parts(NamedTuple):
    """What the measures of one scale are made of; leading dimensions are draws."""

    effects: Reals  # T
    direct: Reals  # w'M: how each factor enters the sum of the items by itself
    load: Reals  # w'T: how the scale's factor enters it
    phi: Reals  # variance of the factor
    loadings: Reals  # of the indicators
    best: Reals  # weights of the most reliable sum of the items
    total: Reals  # variance of the sum of the items
    variances: Reals  # of the indicators


def _effects(mask: np.ndarray, A: Reals) -> Reals:
    return np.asarray(np.linalg.inv(np.eye(len(mask)) - np.where(mask, A, 0.0)))


def _weights(scale: Scale, size: int) -> Reals:
    weights = np.zeros(size)
    weights[scale.items] = scale.signs
    return weights


def _parts(mask: np.ndarray, block: ImpliedBlock, scale: Scale, cov: Reals | None) -> _Parts:
    A, V, items = block.A, block.V, scale.items
    effects, weights = _effects(mask, A), _weights(scale, len(mask))
    try:
        best = np.asarray(np.linalg.solve(V[..., items[:, None], items], effects[..., items, scale.factor, None])[..., 0], dtype=np.float64)
    except np.linalg.LinAlgError:  # items without errors of measurement that say the same
        best = np.full(effects[..., items, scale.factor].shape, math.nan, dtype=np.float64)
    total = weights @ V @ weights
    variances = np.diagonal(V, axis1=-2, axis2=-1)[..., scale.indicators]
    if cov is not None:
        total = np.broadcast_to(scale.signs @ cov[np.ix_(items, items)] @ scale.signs, np.shape(total))
        observed = scale.indicators < block.p
        variances = np.where(observed, np.diag(cov)[np.where(observed, scale.indicators, 0)], variances).astype(np.float64)
    loadings = A[..., scale.indicators, scale.factor]
    phi = V[..., scale.factor, scale.factor]
    return _Parts(effects, weights @ np.where(mask, A, 0.0), (weights @ effects)[..., scale.factor], phi, loadings, best, total, variances)


def scale_values(model: Model, blocks: Sequence[ImpliedBlock], chosen: Sequence[Scale], observed: Sequence[Reals] | None = None) -> Reals:
    """Return the measures of each scale (..., S, 5), in the order of :data:`MEASURES`.

    Parameters
    ----------
    model : Model
    blocks : sequence of ImpliedBlock
        Matrices (m, m), or (B, m, m) of B draws.
    chosen : sequence of Scale
    observed : sequence of (p, p) float, optional
        Sample covariances of every block: then these give the variances that omega, omega_h and ave divide by.

    Notes
    -----
    With w the signs of the items, ``c = T e_f`` the loadings of the factor f and ``L = w'M`` those of all factors on the sum of the items:

    - omega = ``L V L' / w'Vw``, the share of all factors (McDonald 1999, *Test theory*; with covariances of errors in the denominator: Bollen
      1980, doi 10.2307/2095172, Raykov 2001, doi 10.1348/000711001159582);
    - omega_h = ``(w'c)^2 V_ff / w'Vw``, the share of this factor (Zinbarg, Revelle, Yovel & Li 2005, doi 10.1007/s11336-003-0974-7);
    - ave = ``sum A_jf^2 V_ff / sum V_jj`` over its indicators j (Fornell & Larcker 1981, doi 10.1177/002224378101800104); ave_std is the mean of
      ``A_jf^2 V_ff / V_jj``, the same for indicators of variance 1;
    - h = ``V_ff c'V^-1 c`` over the items, the largest omega_h that weights can give (Li 1997, doi 10.1007/BF02295278); where errors are uncorrelated
      and the items measure one factor it is the H of Hancock & Mueller (2001).
    """
    columns = []
    masks = [loading_cells(model, b) for b in range(len(blocks))]
    with np.errstate(divide="ignore", invalid="ignore"):
        for scale in chosen:
            block = blocks[scale.block]
            part = _parts(masks[scale.block], block, scale, None if observed is None else observed[scale.block])
            common = np.einsum("...i,...ij,...j->...", part.direct, block.V, part.direct)
            implied_variances = np.diagonal(block.V, axis1=-2, axis2=-1)[..., scale.indicators]
            explained = part.loadings**2 * part.phi[..., None]
            values = (
                common / part.total,
                part.load**2 * part.phi / part.total,
                explained.sum(axis=-1) / part.variances.sum(axis=-1),
                (explained / implied_variances).mean(axis=-1),
                part.phi * np.sum(part.effects[..., scale.items, scale.factor] * part.best, axis=-1),
            )
            columns.append(np.stack(values, axis=-1))
    return np.stack(columns, axis=-2)


def quantities(model: Model, structure: Structure, theta: Reals, chosen: Sequence[Scale]) -> Reals:
    """Return the measures (S, 5) of each scale at `theta` (K,), in the order of :data:`MEASURES`."""
    return scale_values(model, implied(structure, theta), chosen)


def bilinear_slopes(structure: Structure, b: int, block: ImpliedBlock, u: Reals, w: Reals) -> Reals:
    """Return the derivatives (K,) of ``u'Vw`` for constant `u` and `w` (m,).

    Notes
    -----
    ``V = B S B'`` with ``B = (I - A)^-1``, so that ``dV = B dA V + V dA' B' + B dS B'``.
    """
    kind, row, column, theta = structure.cells_of(b)[:, :4].T
    uB, wB, Vu, Vw = u @ block.B, w @ block.B, block.V @ u, block.V @ w
    path = uB[row] * Vw[column] + wB[row] * Vu[column]
    covariance = (uB[row] * wB[column] + uB[column] * wB[row]) * np.where(row == column, 0.5, 1.0)
    slopes = np.zeros(structure.n_theta)
    np.add.at(slopes, theta, np.where(kind == PATH, path, np.where(kind == COVARIANCE, covariance, 0.0)))
    return slopes


def scale_slopes(model: Model, structure: Structure, blocks: Sequence[ImpliedBlock], chosen: Sequence[Scale]) -> Reals:
    """Return the derivatives (S, 5, K) of the measures of each scale with respect to theta."""
    found = [_slopes_of_scale(model, structure, blocks[scale.block], scale) for scale in chosen]
    return np.array(found).reshape(len(chosen), len(MEASURES), structure.n_theta)


def _slopes_of_scale(model: Model, structure: Structure, block: ImpliedBlock, scale: Scale) -> Reals:
    mask = loading_cells(model, scale.block)
    part, weights, size = _parts(mask, block, scale, None), _weights(scale, len(mask)), len(mask)
    kind, row, column, theta = structure.cells_of(scale.block)[:, :4].T
    loads = (kind == PATH) & mask[row, column]

    def through(multiplier: Reals) -> Reals:
        """Return the sums over cells of ``multiplier`` times the derivative of the cell's loading."""
        slopes = np.zeros(structure.n_theta)
        np.add.at(slopes, theta[loads], multiplier[loads])
        return slopes

    def of_form(u: Reals) -> Reals:
        return bilinear_slopes(structure, scale.block, block, u, u)

    def entering(u: Reals) -> Reals:
        """Return the derivatives of ``u'Te_f``."""
        return through((u @ part.effects)[row] * part.effects[column, scale.factor])

    variances = variance_derivatives(model, scale.block, block)
    d_phi, d_own = variances[scale.factor], variances[scale.indicators]
    own = column == scale.factor
    d_explained = np.array([through(2.0 * block.A[j, scale.factor] * part.phi * (own & (row == j))) for j in scale.indicators])
    d_explained += part.loadings[:, None] ** 2 * d_phi
    explained = part.loadings**2 * part.phi
    common, d_total = float(part.direct @ block.V @ part.direct), of_form(weights)
    d_common = of_form(part.direct) + through(2.0 * weights[row] * (block.V @ part.direct)[column])
    alone, d_alone = part.load**2 * part.phi, 2.0 * part.load * part.phi * entering(weights) + part.load**2 * d_phi
    best = np.zeros(size)
    best[scale.items] = part.best
    reached = float(part.best @ part.effects[scale.items, scale.factor])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.array(
            [
                (d_common - common / part.total * d_total) / part.total,
                (d_alone - alone / part.total * d_total) / part.total,
                (d_explained.sum(axis=0) - explained.sum() / part.variances.sum() * d_own.sum(axis=0)) / part.variances.sum(),
                ((d_explained - (explained / part.variances)[:, None] * d_own) / part.variances[:, None]).mean(axis=0),
                d_phi * reached + part.phi * (2.0 * entering(best) - of_form(best)),
            ]
        )
