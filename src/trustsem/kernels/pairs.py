"""Matrices over pairs of variables: what the information about distinct covariances is made of. Pairs (i, j), i >= j, are counted row by row."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.compiled import kernel
from trustsem.kernels.structure import Reals

__all__ = ["fold_pairs", "pair_information"]


@kernel
def pair_information(W: Reals, result: Reals) -> None:
    """Write ``1/2 D' (W x W) D`` to `result` (d, d), d = p (p + 1) / 2, for symmetric W (p, p); D is the duplication matrix."""
    p = W.shape[0]
    row = 0
    for a in range(p):
        for b in range(a + 1):
            left = 0.5 if a == b else 1.0
            column = 0
            for c in range(p):
                for d in range(c + 1):
                    weight = left * (0.5 if c == d else 1.0)
                    result[row, column] = weight * (W[a, c] * W[b, d] + W[a, d] * W[b, c])
                    column += 1
            row += 1


@kernel
def fold_pairs(products: Reals, p: int, result: Reals) -> None:
    """Sum products of elements of two symmetric matrices over what the information of two covariances is made of.

    Parameters
    ----------
    products : (d, d) float
        ``sum_k K_x P_y`` for the pairs x, y of two families of symmetric matrices.
    p : int
    result : (d, d) float
        Overwritten with ``c_ab c_cd sum_k (K_ac P_bd + K_bd P_ac + K_ad P_bc + K_bc P_ad)``, c being 1/2 for a variance and 1 for a covariance.
    """
    place = np.empty((p, p), np.int64)
    count = 0
    for i in range(p):
        for j in range(i + 1):
            place[i, j] = count
            place[j, i] = count
            count += 1
    row = 0
    for a in range(p):
        for b in range(a + 1):
            left = 0.5 if a == b else 1.0
            column = 0
            for c in range(p):
                ac, bc = place[a, c], place[b, c]
                for d in range(c + 1):
                    bd, ad = place[b, d], place[a, d]
                    weight = left * (0.5 if c == d else 1.0)
                    result[row, column] = weight * (products[ac, bd] + products[bd, ac] + products[ad, bc] + products[bc, ad])
                    column += 1
            row += 1
