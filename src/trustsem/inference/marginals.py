"""Variables with given distributions and given covariances: normal variables, each transformed so that it takes observed values as often as observed.

The transformation of a standard normal z is a step function g(z). Its Hermite series gives the covariance of two such variables as a power series in
the correlation of their normal variables, ``cov(g(z1), h(z2)) = sum over k of a_k b_k rho^k`` (Cario & Nelson 1997, "NORTA"; for ordinal variables
Ferrari & Barbiero 2012, Multivariate Behavioral Research 47, 566-589), which is inverted to find the correlation that the normal variables must have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from trustsem.kernels.structure import Reals

__all__ = ["Steps", "coefficients", "nearest_correlations", "normal_covariances", "steps_of", "transformed_covariances"]

TERMS = 80
_HALVINGS = 40
_LEAST = 1e-8


@dataclass(frozen=True, eq=False)
class Steps:
    """A standardized step function of a standard normal variable.

    Attributes
    ----------
    cuts : (v - 1,) float
        Where it steps, in increasing order.
    values : (v,) float
        What it takes, with mean 0 and variance 1.
    """

    cuts: Reals
    values: Reals

    def at(self, z: Reals) -> Reals:
        """Return its values at `z`, of any shape."""
        return self.values[np.searchsorted(self.cuts, z)]


def steps_of(values: Reals) -> Steps:
    """Return the step function that takes the values (n,) that were observed as often as they were; they must differ."""
    found, counts = np.unique(values, return_counts=True)
    share = counts / counts.sum()
    mean = float(share @ found)
    sd = math.sqrt(float(share @ (found - mean) ** 2))
    return Steps(ndtri(np.cumsum(share)[:-1]), (found - mean) / sd)


def coefficients(steps: Steps, terms: int = TERMS) -> Reals:
    """Return the coefficients (terms,) of the normalized Hermite polynomials of degree 1, 2, ... in a step function.

    ``a_k = sum over steps of height phi(cut) h_(k-1)(cut) / sqrt(k)`` by partial integration; the squares add up to the variance, 1.
    """
    weight = np.diff(steps.values) * np.exp(-0.5 * steps.cuts**2) / math.sqrt(2.0 * math.pi)
    before, now = np.zeros_like(steps.cuts), np.ones_like(steps.cuts)
    result = np.empty(terms)
    for k in range(terms):
        result[k] = weight @ now / math.sqrt(k + 1.0)
        before, now = now, (steps.cuts * now - math.sqrt(k) * before) / math.sqrt(k + 1.0)
    return result


def normal_covariances(target: Reals, series: Reals) -> Reals:
    """Return the covariances of the normal variables that give the transformed ones given covariances.

    Parameters
    ----------
    target : (p, p) float
        Covariances between standardized variables, such as correlations; every element is solved for by itself, also on the diagonal (where it is
        the covariance of two different cases on one variable).
    series : (p, terms) float
        Their :func:`coefficients`.

    Returns
    -------
    (p, p) float
        Between -1 and 1; the nearest possible value where a target is out of reach.
    """
    products = _products(series)
    low, high = -np.ones_like(target), np.ones_like(target)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        small = _power_series(products, middle) < target
        low, high = np.where(small, middle, low), np.where(small, high, middle)
    return 0.5 * (low + high)


def transformed_covariances(normal: Reals, series: Reals) -> Reals:
    """Return the covariances (p, p) of transformed variables from those of their normal variables: :func:`normal_covariances` the other way."""
    return _power_series(_products(series), normal)


def _products(series: Reals) -> Reals:
    """Return the coefficients (terms, p, p) of the power series of every pair."""
    return np.ascontiguousarray(np.moveaxis(series[:, None, :] * series[None, :, :], 2, 0))


def _power_series(products: Reals, at: Reals) -> Reals:
    """Return the sum over k of ``products[k - 1] * at**k`` by Horner's rule."""
    total = np.zeros_like(at)
    for one in products[::-1]:
        total = (total + one) * at
    return total


def nearest_correlations(matrix: Reals) -> Reals:
    """Return a correlation matrix near to a symmetric matrix with unit diagonal.

    Negative eigenvalues are set to almost 0 and the diagonal to 1 again (Rebonato & Jaeckel's spectral method).
    """
    values, vectors = np.linalg.eigh(matrix)
    if values[0] >= _LEAST:
        return matrix
    raised = (vectors * np.maximum(values, _LEAST)) @ vectors.T
    sd = np.sqrt(np.diag(raised))
    return np.asarray(raised / np.outer(sd, sd))
