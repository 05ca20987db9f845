"""The standardized solution and its derivatives, from which delta-method standard errors follow."""

from __future__ import annotations

import math

import numpy as np

from trustsem.kernels.structure import COVARIANCE, INTERCEPT, PATH, Reals
from trustsem.model.layout import Cell
from trustsem.model.problem import ImpliedBlock
from trustsem.model.ram import Model

__all__ = ["Standardization", "scale_factor", "standardize", "variance_derivatives"]

_Variances = tuple[Reals, Reals]
Standardization = str  # "std_lv", "std_all" or "std_nox"


def variance_derivatives(model: Model, b: int, block: ImpliedBlock) -> Reals:
    """Return the derivatives (m, K) of the implied variances of all variables of block `b`."""
    structure = model.structure
    kind, row, column, theta = structure.cells_of(b)[:, :4].T
    other = np.where(kind == PATH, block.V[:, column], block.B[:, column])
    weight = np.where(kind == INTERCEPT, 0.0, np.where((kind == COVARIANCE) & (row == column), 0.5, 1.0))
    slopes = np.zeros((block.V.shape[0], structure.n_theta))
    np.add.at(slopes.T, theta, (2.0 * weight * block.B[:, row] * other).T)
    return slopes


def standardize(model: Model, blocks: tuple[ImpliedBlock, ...], kind: Standardization) -> tuple[Reals, Reals]:
    """Standardize every row of the parameter table.

    Parameters
    ----------
    model : Model
    blocks : tuple of ImpliedBlock
        At the estimate.
    kind : {"std_lv", "std_all", "std_nox"}
        Scale latent variables only, all variables, or all but the exogenous covariates to unit variance.

    Returns
    -------
    values : (rows,) float
    slopes : (rows, K) float
        Their derivatives with respect to theta.

    Notes
    -----
    A path is multiplied by the ratio of the standard deviations of cause and effect, an intercept divided by its variable's, a variance by the total
    variance; a covariance is divided by the residual standard deviations of its two variables, so that it becomes a (residual) correlation.
    """
    count = len(model.table.rows)
    values, slopes = np.full(count, np.nan), np.zeros((count, model.n_theta))
    for b, block in enumerate(blocks):
        scaled = _scaled_variables(model, b, block, kind)
        total = _unit_where(np.diag(block.V), variance_derivatives(model, b, block), scaled)
        residual = _unit_where(np.diag(block.S), _residual_derivatives(model, b, block), scaled)
        for k, (row, cell) in enumerate(zip(model.table.rows, model.cells, strict=True)):
            if row.block == b + 1:
                values[k], slopes[k] = _standardize_cell(block, cell, int(model.theta_of_row[k]), total, residual)
    return values, slopes


def _standardize_cell(block: ImpliedBlock, cell: Cell, theta: int, total: _Variances, residual: _Variances) -> tuple[float, Reals]:
    """Return the standardized value of one cell and its derivatives (K,); `theta` is its parameter, -1 if it is fixed."""
    i, j = cell.row, cell.column
    value = float((block.A, block.S, block.m[:, None])[cell.kind][i, j])
    variances, derivative = total if cell.kind != COVARIANCE or i == j else residual
    # Powers of the variances by which the value is multiplied.
    powers = {PATH: ((0.5, j), (-0.5, i)), INTERCEPT: ((-0.5, i),), COVARIANCE: ((-0.5, i), (-0.5, j))}[cell.kind]
    slope = np.zeros(derivative.shape[1])
    with np.errstate(all="ignore"):
        factor = float(np.prod([variances[index] ** power for power, index in powers]))
        factor = factor if math.isfinite(factor) else math.nan
        for power, index in powers:
            if derivative[index].any():  # a variance that is fixed (possibly at 0) contributes nothing
                slope += power * value * factor * derivative[index] / variances[index]
    if theta >= 0:
        slope[theta] += factor
    return value * factor, slope


def scale_factor(model: Model, b: int, block: ImpliedBlock, cell: Cell, kind: Standardization) -> float:
    """Return the factor that turns the parameter in `cell` of block `b` into its standardized form; NaN where a variance is zero."""
    scaled = _scaled_variables(model, b, block, kind)
    if kind == "std_nox" and cell.kind == PATH:
        scaled[cell.row] = True  # an effect is always scaled, even if it is a covariate as things are
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(np.where(scaled, np.diag(block.V), 1.0))
        residual_sd = np.sqrt(np.where(scaled, np.abs(np.diag(block.S)), 1.0))  # a negative variance still has a size
        i, j = cell.row, cell.column
        if cell.kind == PATH:
            factor = sd[j] / sd[i]
        elif cell.kind == INTERCEPT:
            factor = 1.0 / sd[i]
        else:
            factor = 1.0 / sd[i] ** 2 if i == j else 1.0 / (residual_sd[i] * residual_sd[j])
    return float(factor) if np.isfinite(factor) else np.nan


def _scaled_variables(model: Model, b: int, block: ImpliedBlock, kind: Standardization) -> np.ndarray:
    """Return which variables (m,) are scaled to unit variance."""
    scaled = np.ones(block.V.shape[0], dtype=bool)
    if kind == "std_lv":
        scaled[: block.p] = False
    elif kind == "std_nox":
        layout = model.blocks[b]
        scaled[: block.p] = [name not in layout.exogenous for name in layout.observed]
    return scaled


def _unit_where(variances: Reals, derivatives: Reals, scaled: np.ndarray) -> _Variances:
    """Replace the variances of variables that are not scaled by the constant 1."""
    return np.where(scaled, variances, 1.0), np.where(scaled[:, None], derivatives, 0.0)


def _residual_derivatives(model: Model, b: int, block: ImpliedBlock) -> Reals:
    structure = model.structure
    slopes = np.zeros((block.S.shape[0], structure.n_theta))
    for kind, row, column, theta in structure.cells_of(b)[:, :4].tolist():
        if kind == COVARIANCE and row == column:
            slopes[row, theta] += 1.0
    return slopes
