"""Total, direct and indirect effects (Bollen 1987, doi 10.2307/271028), with derivatives for delta-method standard errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trustsem.kernels.structure import PATH, Reals, Structure
from trustsem.model.problem import ImpliedBlock
from trustsem.model.ram import Model

__all__ = ["EffectTable", "effects_of_block"]


class EffectTable(NamedTuple):
    """Effects of one block.

    Attributes
    ----------
    kind : tuple of str
        ``"total"``, ``"direct"`` or ``"indirect"``.
    effect, cause : (E,) int
        Places of the two variables.
    value : (E,) float
    slopes : (E, K) float
        Derivatives with respect to theta.
    """

    kind: tuple[str, ...]
    effect: tuple[int, ...]
    cause: tuple[int, ...]
    value: Reals
    slopes: Reals


def effects_of_block(model: Model, b: int, block: ImpliedBlock) -> EffectTable:
    """Return every effect of one variable of block `b` on another that some chain of paths carries.

    Notes
    -----
    Total effects are ``B - I`` with ``B = (I - A)^-1``, direct effects A, indirect effects their difference;
    ``dB / dA[a, c] = B e_a e_c' B``. In a model with cycles a variable may have a total effect on itself.
    """
    structure = model.structure
    size = block.A.shape[0]
    linked = _linked(structure, b, size)
    identity = np.eye(size)
    cells = [(a, c, k) for kind, a, c, k, _, _ in structure.cells_of(b).tolist() if kind == PATH]
    kinds, effects, causes, values, slopes = [], [], [], [], []
    for i, j in zip(*np.nonzero(linked), strict=True):
        total, direct = np.zeros(structure.n_theta), np.zeros(structure.n_theta)
        is_path = False
        for a, c, k in cells:
            total[k] += block.B[i, a] * block.B[c, j]
            if (a, c) == (i, j):
                direct[k] += 1.0
                is_path = True
        is_path = is_path or block.A[i, j] != 0.0
        whole = block.B[i, j] - identity[i, j]
        parts = [("total", whole, total)]
        if is_path:
            parts.append(("direct", block.A[i, j], direct))
        rest = total - direct if is_path else total
        if not is_path or np.any(rest != 0.0) or abs(whole - block.A[i, j]) > 1e-14:
            parts.append(("indirect", whole - (block.A[i, j] if is_path else 0.0), rest))
        for kind, value, slope in parts:
            kinds.append(kind)
            effects.append(int(i))
            causes.append(int(j))
            values.append(value)
            slopes.append(slope)
    shape = (len(values), structure.n_theta)
    return EffectTable(tuple(kinds), tuple(effects), tuple(causes), np.array(values), np.array(slopes).reshape(shape))


def _linked(structure: Structure, b: int, size: int) -> np.ndarray:
    """Return which variable (column) reaches which (row) along paths that are free or not zero."""
    reach = np.zeros((size, size), dtype=bool)
    effect, cause = structure.paths_of(b).T
    reach[effect, cause] = True
    while True:
        longer = reach | (reach.astype(np.int64) @ reach.astype(np.int64) > 0)
        if np.array_equal(longer, reach):
            return reach
        reach = longer
