"""The array form of a model and of the moments it is matched to. Blocks of different size lie end to end.

Variables of a block are ordered observed first. ``A`` holds the paths (row: effect, column: cause), ``S`` the covariances and
``m`` the intercepts; a *cell* says which entry of which of them a parameter fills.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CELLS",
    "COLUMNS",
    "COVARIANCE",
    "INTERCEPT",
    "MEANS",
    "OBSERVED",
    "PATH",
    "PATHS",
    "RECURSIVE",
    "SQUARE",
    "VARIABLES",
    "VECTOR",
    "Integers",
    "Moments",
    "Reals",
    "Structure",
]

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

PATH, COVARIANCE, INTERCEPT = 0, 1, 2

# Columns of `Structure.blocks`. PATHS, CELLS and COLUMNS are where the block's rows in these tables begin; the column after is where they end.
OBSERVED, VARIABLES, RECURSIVE, MEANS, SQUARE, VECTOR, PATHS, CELLS, COLUMNS = 0, 1, 2, 3, 4, 5, 6, 8, 10


class Structure(NamedTuple):
    """Which cells the parameters fill, and the values of all the others. Few arrays, because each costs compilation time.

    Attributes
    ----------
    blocks : (G, 12) int
        For each block: number of observed and of all variables, 1 if its paths form no cycle, 1 if it has a mean structure, where its matrices and
        vectors begin in the ``fixed_*`` arrays, and first and last row (exclusive) in `paths`, `cells` and `columns`.
    paths : (P, 2) int
        Effect and cause of every path that is free or not zero, sorted so that a cause's own causes come first (recursive blocks).
    cells : (C, 6) int
        Matrix, row, column (row >= column in ``S``) and parameter of each free cell, and the pair (u, v) of columns of ``Z`` whose product is its
        derivative (see :mod:`trustsem.kernels.discrepancy`), counted within the block.
    columns : (Q, 2) int
        A column of ``Z``: column `index` of ``B`` (0, index) or of ``B S B'`` (1, index).
    fixed_paths, fixed_covariances : (sum of m^2,) float
    fixed_intercepts : (sum of m,) float
        The matrices with zeros in the free cells.
    n_theta : int
        Number of parameters.
    """

    blocks: Integers
    paths: Integers
    cells: Integers
    columns: Integers
    fixed_paths: Reals
    fixed_covariances: Reals
    fixed_intercepts: Reals
    n_theta: int

    def cells_of(self, block: int) -> Integers:
        """Return the cells (c, 6) of one block."""
        return self.cells[self.blocks[block, CELLS] : self.blocks[block, CELLS + 1]]

    def paths_of(self, block: int) -> Integers:
        """Return the paths (p, 2) of one block."""
        return self.paths[self.blocks[block, PATHS] : self.blocks[block, PATHS + 1]]


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
