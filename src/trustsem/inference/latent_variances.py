"""Variances of latent variables, given the loadings of their indicators."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trustsem.inference.latent_to_observed import Diagram
from trustsem.inference.moment_errors import pair_places
from trustsem.kernels.structure import Reals

__all__ = ["latent_variances"]


class _Chain(NamedTuple):
    """An observed variable that depends on a latent variable and on nothing else but errors: its arrows from there, and whose errors those are."""

    item: int
    arrows: tuple[tuple[int, int], ...]
    errors: frozenset[int]


def latent_variances(diagram: Diagram, paths: Reals, slopes: Reals, cov: Reals) -> tuple[Reals, Reals]:
    """Return the variances (m,) of all variables and their derivatives (m, q) with respect to the moments.

    Parameters
    ----------
    diagram : Diagram
    paths : (m, m) float
        Estimated effects; NaN where there is no estimate.
    slopes : (m, m, q) float
        Their derivatives.
    cov : (p, p) float

    Notes
    -----
    With l the loadings of indicators whose errors are uncorrelated, the covariance of two of them is ``l_i l_j`` times the variance, which is
    estimated by least squares over all such pairs, of indicators scaled to variance 1 so that units do not matter: ``sum w_ij l_i l_j s_ij /
    sum w_ij (l_i l_j)^2`` with ``w_ij = 1 / (s_ii s_jj)``. That involves the measurement of this latent variable only. NaN if there is no such pair.
    """
    m, p = len(diagram.arrows), diagram.p
    q = p + p * (p + 1) // 2
    places = pair_places(p)
    variances, derivatives = np.full(m, np.nan), np.full((m, q), np.nan)
    variances[:p] = np.diag(cov)
    derivatives[:p] = 0.0
    derivatives[np.arange(p), np.diag(places)] = 1.0
    for latent in range(p, m):
        chains = _chains(diagram, latent)
        loads = np.array([np.prod([paths[arrow] for arrow in chain.arrows]) for chain in chains])
        changes = np.array([_product_slopes(chain.arrows, paths, slopes) for chain in chains]).reshape(len(chains), q)
        numerator = denominator = 0.0
        up, down = np.zeros(q), np.zeros(q)
        for b, one in enumerate(chains):
            for a, other in enumerate(chains[:b]):
                if not np.isfinite(loads[[a, b]]).all() or diagram.joined[np.ix_(list(one.errors), list(other.errors))].any():
                    continue
                product, change = loads[a] * loads[b], loads[a] * changes[b] + loads[b] * changes[a]
                s = cov[one.item, other.item]
                weight = 1.0 / (cov[one.item, one.item] * cov[other.item, other.item])
                numerator += weight * product * s
                denominator += weight * product**2
                up += weight * change * s
                up[places[one.item, other.item]] += weight * product
                down += 2.0 * weight * product * change
                for item in (one.item, other.item):
                    up[places[item, item]] -= weight * product * s / cov[item, item]
                    down[places[item, item]] -= weight * product**2 / cov[item, item]
        if denominator > 0.0:
            variances[latent] = numerator / denominator
            derivatives[latent] = (up - variances[latent] * down) / denominator
    return variances, derivatives


def _chains(diagram: Diagram, latent: int) -> list[_Chain]:
    """Return the observed variables that depend on `latent` through variables with one cause each."""
    single = diagram.arrows.sum(axis=1) == 1
    found: list[_Chain] = []
    waiting = [_Chain(latent, (), frozenset())]
    while waiting:
        chain = waiting.pop(0)
        for child in np.flatnonzero(diagram.arrows[:, chain.item] & single).tolist():
            if child in chain.errors or child == latent:
                continue
            further = _Chain(child, (*chain.arrows, (child, chain.item)), chain.errors | {child})
            (found if child < diagram.p else waiting).append(further)
    return found


def _product_slopes(arrows: tuple[tuple[int, int], ...], paths: Reals, slopes: Reals) -> Reals:
    """Return the derivatives (q,) of a product of effects."""
    total = np.zeros(slopes.shape[-1])
    for k, arrow in enumerate(arrows):
        others = np.prod([paths[other] for at, other in enumerate(arrows) if at != k])
        total = total + others * slopes[arrow]
    return total
