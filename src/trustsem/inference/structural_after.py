"""Structural after measurement: covariances of latent variables from measurement parameters that were estimated before.

With loadings L, error covariances T and sample covariances S, and a mapping M with ``M L = I``, the covariances of the latent variables are
``V = M (S - T) M'`` (Rosseel & Loh 2024, doi 10.1037/met0000503). The mapping is that of maximum likelihood, ``(L'W L)^-1 L'W`` with W the inverse of
the covariances that the measurement model implies, which is the same as with the inverse of T where that exists.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trustsem.inference.moment_errors import covariance_columns
from trustsem.inference.saturated import lower_triangle
from trustsem.kernels.structure import Integers, Reals

__all__ = ["LatentCovariances", "distance_slopes", "latent_covariances", "latent_slopes", "two_step_covariance"]


@dataclass(frozen=True, eq=False)
class LatentCovariances:
    """Covariances of structural variables from those of their indicators.

    Attributes
    ----------
    mapping : (s, p) float
    cov : (s, s) float
    reliability : (s,) float
        Of the mapped variables: share of their variance that is not error.
    shrunk : float
        Share of the error covariances that was subtracted: 1, or less where subtracting all of them would leave no positive definite matrix.
    """

    mapping: Reals
    cov: Reals
    reliability: Reals
    shrunk: float


def latent_covariances(cov: Reals, implied: Reals, loadings: Reals, errors: Reals, n: int) -> LatentCovariances:
    """Return the covariances of the structural variables.

    Parameters
    ----------
    cov, implied, errors : (p, p) float
        Sample covariances, those of the measurement models (0 between blocks), and error covariances.
    loadings : (p, s) float
    n : int

    Notes
    -----
    If ``M S M'`` less ``M T M'`` is not positive definite, less of the latter is subtracted: with l the smallest root of ``|M S M' - l M T M'|``, the
    factor is ``l - 1 / (n - 1)`` instead of 1 (Fuller 1987, *Measurement Error Models*).
    """
    pulled = np.linalg.solve(implied, loadings)
    mapping = np.linalg.solve(loadings.T @ pulled, pulled.T)
    total, noise = mapping @ cov @ mapping.T, mapping @ errors @ mapping.T
    total, noise = 0.5 * (total + total.T), 0.5 * (noise + noise.T)
    factor = 1.0
    if np.linalg.eigvalsh(total - noise)[0] <= 0.0:
        root = 1.0 / float(np.linalg.eigvals(np.linalg.solve(total, noise)).real.max())
        factor = max(root - 1.0 / (n - 1.0), 0.0)
    own = total - factor * noise
    return LatentCovariances(mapping, own, np.diag(own) / np.diag(total), factor)


def latent_slopes(found: LatentCovariances, cells: Integers, cell_slopes: Reals) -> Reals:
    """Return the derivatives (r, q) of the distinct covariances (r = s (s + 1) / 2) of the structural variables with respect to the moments.

    Parameters
    ----------
    found : LatentCovariances
    cells : (k, 3) int
        Measurement parameters: 0 for a loading, with item and structural variable, 1 for an error covariance, with two items.
    cell_slopes : (k, q) float
        Their derivatives with respect to the moments.

    Notes
    -----
    ``dV = M dS M' - M dT M' - M dL V - V dL' M'``, as ``M L = I`` and ``S - T = L V L'`` under the model.
    """
    M, V = found.mapping, found.cov
    a, b = lower_triangle(len(V))
    result = covariance_columns(M[a][:, :, None] * M[b][:, None, :])
    for (kind, i, j), slopes in zip(cells.tolist(), cell_slopes, strict=True):
        if kind == 0:
            change = M[a, i] * V[j, b] + M[b, i] * V[j, a]
        else:
            change = (M[a, i] * M[b, j] + M[a, j] * M[b, i]) * (found.shrunk * (0.5 if i == j else 1.0))
        result -= np.outer(change, slopes)
    return result


def distance_slopes(delta: Reals, weight: Reals) -> Reals:
    """Return the derivatives (k, r) of estimates that minimise a distance between moments, with Jacobian `delta` (r, k) and `weight` (r, r)."""
    weighted = delta.T @ weight
    return np.asarray(np.linalg.solve(weighted @ delta, weighted))


def two_step_covariance(information: Reals, second: np.ndarray, first_vcov: Reals) -> Reals:
    """Return the covariance matrix of the parameters of the second step, given that those of the first were estimated.

    Parameters
    ----------
    information : (k, k) float
        Of all parameters in the joint model, for all observations.
    second : (k,) bool
        Which parameters belong to the second step.
    first_vcov : (f, f) float
        Covariance matrix of the others, from the first step.

    Notes
    -----
    ``I22^-1 + I22^-1 I21 V11 I12 I22^-1`` (Gong & Samaniego 1981, doi 10.1214/aos/1176345526; Yuan & Chan 2002; Rosseel & Loh 2024, eq. for the
    two-step corrected errors).
    """
    inverse = np.linalg.inv(information[np.ix_(second, second)])
    crossed = inverse @ information[np.ix_(second, ~second)]
    found = inverse + crossed @ first_vcov @ crossed.T
    return np.asarray(0.5 * (found + found.T)) if math.isfinite(float(found.sum())) else np.full_like(found, np.nan)
