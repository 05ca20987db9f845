"""Which covariance matrices an acyclic path diagram can have.

With x = A x + e and covariances Psi of e, every covariance that the diagram leaves out is an equation (I - A)_u S (I - A)_v' = 0. Taken in causal
order, with the coefficients of earlier variables known, each is linear in the coefficients of v. A matrix S belongs to the diagram if the
equations of every variable have a solution; the coefficients are identified if it is the only one, as it is for almost all matrices of a diagram
in which no two variables are joined by both an arrow and a covariance (Brito & Pearl 2002, doi 10.1207/S15328007SEM0904_1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trustsem.kernels.structure import Reals

__all__ = ["Pattern", "belongs", "drawn_covariance"]

_RANK = 1e-9
_RESIDUAL = 1e-8


@dataclass(frozen=True)
class Pattern:
    """An acyclic path diagram of m variables by numbers.

    Attributes
    ----------
    order : tuple of int
        The variables, causes first.
    parents : tuple of tuple of int
        By variable.
    spouses : tuple of frozenset of int
        By variable: those with whose error its own covaries.
    """

    order: tuple[int, ...]
    parents: tuple[tuple[int, ...], ...]
    spouses: tuple[frozenset[int], ...]


def drawn_covariance(pattern: Pattern, rng: np.random.Generator) -> Reals:
    """Return a covariance matrix (m, m) of the diagram, with coefficients and covariances drawn at random.

    Error covariances are small enough for their matrix to be dominated by its diagonal, hence positive definite.
    """
    m = len(pattern.order)
    A, psi = np.zeros((m, m)), np.diag(rng.uniform(0.8, 1.2, m))
    for v in range(m):
        for u in pattern.parents[v]:
            A[v, u] = rng.uniform(0.4, 0.9) * rng.choice((-1.0, 1.0))
        for u in pattern.spouses[v]:
            if u < v:
                widest = max(len(pattern.spouses[u]), len(pattern.spouses[v]))
                psi[u, v] = psi[v, u] = rng.uniform(0.4, 0.7) * rng.choice((-1.0, 1.0)) / widest
    B = np.linalg.inv(np.eye(m) - A)
    return np.asarray(B @ psi @ B.T)


def belongs(S: Reals, pattern: Pattern) -> bool | None:
    """Return whether a covariance matrix can be that of a diagram.

    Parameters
    ----------
    S : (m, m) float
        Positive definite.
    pattern : Pattern

    Returns
    -------
    bool or None
        None if the equations do not settle the coefficients of a variable, so that those that follow cannot be set up.
    """
    rows = np.eye(len(pattern.order))  # of I - A, as far as they are known
    done: list[int] = []
    settled = True
    for v in pattern.order:
        free = [u for u in done if u not in pattern.spouses[v]]
        parents: Sequence[int] = pattern.parents[v]
        known = rows[free] @ S
        if parents:
            left, right = known[:, parents], known[:, v]
            if len(free) < len(parents):
                settled = False
                break
            coefficients, _, rank, _ = np.linalg.lstsq(left, right, rcond=_RANK)
            if rank < len(parents):
                settled = False
                break
            rows[v, parents] = -coefficients
            missed = right - left @ coefficients
        else:
            missed = known[:, v]
        if missed.size and float(np.max(np.abs(missed))) > _RESIDUAL * float(np.max(np.abs(S))):
            return False
        done.append(v)
    return True if settled else None
