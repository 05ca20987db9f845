"""Derivatives of the implied moments with respect to every parameter, spelled out as dense arrays."""

from __future__ import annotations

import numpy as np

from trustsem.kernels.structure import COVARIANCE, INTERCEPT, MEANS, PATH, Reals, Structure
from trustsem.model.problem import ImpliedBlock

__all__ = ["moment_slopes", "stacked_jacobian"]


def moment_slopes(structure: Structure, b: int, block: ImpliedBlock) -> tuple[Reals, Reals]:
    """Return the derivatives of implied covariances (K, p, p) and means (K, p) of block `b`."""
    p = block.p
    covariances, means = np.zeros((structure.n_theta, p, p)), np.zeros((structure.n_theta, p))
    for kind, i, j, k, _, _ in structure.cells_of(b).tolist():
        u = block.B[:p, i]
        if kind == INTERCEPT:
            means[k] += u
            continue
        product = np.outer(u, block.V[:p, j] if kind == PATH else block.B[:p, j])
        covariances[k] += product if kind == COVARIANCE and i == j else product + product.T
        if kind == PATH:
            means[k] += u * block.mu[j]
    return covariances, means


def stacked_jacobian(structure: Structure, blocks: tuple[ImpliedBlock, ...]) -> Reals:
    """Return the Jacobian (moments, K): for each block the distinct covariances, then the means if they are modelled."""
    parts = []
    for b, block in enumerate(blocks):
        covariances, means = moment_slopes(structure, b, block)
        rows, columns = np.tril_indices(block.p)
        parts.append(covariances[:, rows, columns].T)
        if structure.blocks[b, MEANS]:
            parts.append(means.T)
    return np.vstack(parts)
