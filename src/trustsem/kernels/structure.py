"""The array form of a model and of the moments it is matched to. Blocks of different size lie end to end.

Variables of a block are ordered observed first. ``A`` holds the paths (row: effect, column: cause), ``S`` the covariances and
``m`` the intercepts; a *cell* says which entry of which of them a parameter fills.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["COVARIANCE", "INTERCEPT", "PATH", "Integers", "Moments", "Reals", "Structure"]

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

PATH, COVARIANCE, INTERCEPT = 0, 1, 2


class Structure(NamedTuple):
    """Which cells the parameters fill, and the values of all the others.

    Attributes
    ----------
    n_observed, n_variables : (G,) int
        Number of observed and of all variables in each block.
    square, vector : (G + 1,) int
        Where each block's matrices and vectors begin in the ``fixed_*`` arrays.
    recursive : (G,) int
        1 if the block's paths form no cycle.
    path_start : (G + 1,) int
        Where each block's paths begin in `path_row` and `path_column`.
    path_row, path_column : (P,) int
        Every path that is free or not zero, sorted so that a cause's own causes come first (recursive blocks).
    cell_start : (G + 1,) int
        Where each block's cells begin in the ``cell_*`` arrays.
    cell_kind, cell_row, cell_column, cell_theta : (C,) int
        Matrix, place (row >= column in ``S``) and parameter of each free cell.
    cell_u, cell_v : (C,) int
        The pair of columns of ``Z`` whose product is the cell's derivative (see :mod:`trustsem.kernels.discrepancy`).
    z_start : (G + 1,) int
        Where each block's columns of ``Z`` begin.
    z_kind, z_index : (Q,) int
        A column of ``Z``: column `z_index` of ``B`` (kind 0) or of ``B S B'`` (kind 1).
    has_means : (G,) int
        1 if the block has a mean structure.
    fixed_paths, fixed_covariances : (sum of m^2,) float
    fixed_intercepts : (sum of m,) float
        The matrices with zeros in the free cells.
    n_theta : int
        Number of parameters.
    """

    n_observed: Integers
    n_variables: Integers
    square: Integers
    vector: Integers
    recursive: Integers
    path_start: Integers
    path_row: Integers
    path_column: Integers
    cell_start: Integers
    cell_kind: Integers
    cell_row: Integers
    cell_column: Integers
    cell_theta: Integers
    cell_u: Integers
    cell_v: Integers
    z_start: Integers
    z_kind: Integers
    z_index: Integers
    has_means: Integers
    fixed_paths: Reals
    fixed_covariances: Reals
    fixed_intercepts: Reals
    n_theta: int


class Moments(NamedTuple):
    """Sample moments of every block, laid end to end, and what the discrepancy needs of them.

    Attributes
    ----------
    discrepancy : int
        0 maximum likelihood, 1 generalized least squares, 2 unweighted least squares.
    start, mean_start : (G + 1,) int
        Where each block's matrices (p x p) and means (p) begin.
    share : (G,) float
        Weight of each block's discrepancy; sums to 1.
    cov, mean : float
        Sample covariances and means.
    weight : float
        The weight matrix of least squares (p x p a block); unused, and of length 1, for maximum likelihood.
    constant : (G,) float
        Added to each block's discrepancy so that a perfect fit is 0 (maximum likelihood: ``-log|S| - p``).
    """

    discrepancy: int
    start: Integers
    mean_start: Integers
    share: Reals
    cov: Reals
    mean: Reals
    weight: Reals
    constant: Reals
