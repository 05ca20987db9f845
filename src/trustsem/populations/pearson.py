"""Standardised Pearson distributions by their skewness and excess kurtosis, as quantiles at normal scores.

Every pair with kurtosis above skewness^2 - 2 belongs to exactly one of them. Each is a frozen record with a method ``at(z)``: the value that is
exceeded as often as a standard normal variable exceeds z.

Written in the right variable t (the logit of a beta variable, the logarithm of a gamma variable, the inverse hyperbolic sine of one of type IV) every
type has a density with one mode and tails that fall off at least exponentially. So one quadrature serves them all, which also keeps its digits where
the inverse incomplete beta functions of libraries do not: far out, and for very small or very large parameters.

Sources
-------
Pearson, K. (1895, 1916). Contributions to the mathematical theory of evolution. Philosophical Transactions of the Royal Society A, 186 and 216.
Johnson, N. L., Kotz, S., & Balakrishnan, N. (1994). Continuous univariate distributions (2nd ed., vol. 1), section 12.4.1.
Heinrich, J. (2004). A guide to the Pearson type IV distribution. CDF memo 6820 (for the parameters of type IV).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
from scipy import special

from trustsem.kernels.structure import Reals

__all__ = ["Beta", "BetaPrime", "Distribution", "Four", "Gamma", "InverseGamma", "Mirrored", "NearlyNormal", "pearson"]

# Nearer to the normal than this, the first terms of the Cornish-Fisher expansion are exact to about 1e-10, which the parameters of the types are not.
NEARLY_NORMAL = 1e-5
# Nearer to a border between types than this (relatively), the type of the border is taken: it differs by less than rounding does.
BORDER = 1e-12


class Distribution(Protocol):
    """A distribution with mean zero and variance one."""

    @property
    def type(self) -> str:
        """The number that Pearson gave it; "normal" for the normal."""
        ...

    def at(self, z: Reals) -> Reals:
        """Return quantiles, of the shape of `z`, at the probabilities that normal scores `z` have."""
        ...


def pearson(skewness: float, kurtosis: float) -> Distribution | None:
    """Return the Pearson distribution with this skewness and excess kurtosis; None if no distribution has them (kurtosis <= skewness^2 - 2)."""
    if kurtosis <= skewness * skewness - 2.0:
        return None
    skewness, kurtosis = float(skewness), float(kurtosis)
    if max(abs(skewness), abs(kurtosis)) < NEARLY_NORMAL:
        return NearlyNormal(skewness, kurtosis)
    positive = _positive(skewness * skewness, kurtosis)
    return Mirrored(positive) if skewness < 0.0 else positive


def _positive(beta1: float, kurtosis: float) -> Distribution:
    """Choose the type and its parameters for a skewness of sqrt(beta1)."""
    beyond = 2.0 * kurtosis - 3.0 * beta1  # negative: bounded on both sides; zero: gamma; positive: unbounded
    if abs(beyond) < BORDER * (1.0 + abs(kurtosis)):
        return Gamma(4.0 / beta1)
    size = 6.0 * (kurtosis + 2.0 - beta1) / abs(beyond)
    if beyond < 0.0:
        spread = beta1 * (size + 2.0) ** 2 / (16.0 * (size + 1.0))
        larger = 0.5 * size * (1.0 + np.sqrt(spread / (1.0 + spread)))
        # (1 - x) as (1 - x^2) / (1 + x): the smaller one keeps its digits near the gamma.
        smaller = 0.5 * size / (1.0 + spread) / (1.0 + np.sqrt(spread / (1.0 + spread)))
        return Beta(float(smaller), float(larger))
    spread = beta1 * (size - 2.0) ** 2 / (16.0 * (size - 1.0))
    if abs(spread - 1.0) < BORDER:
        return InverseGamma(size + 1.0)
    if spread > 1.0:
        root = np.sqrt(1.0 - 1.0 / spread)
        return BetaPrime(float(0.5 * size / spread / (root * (1.0 + root))), size + 1.0)
    return Four(size, float(size * np.sqrt(spread / (1.0 - spread))))


@dataclass(frozen=True)
class Mirrored:
    """Another one with the opposite skewness."""

    of: Distribution

    @property
    def type(self) -> str:
        """The type of what is mirrored."""
        return self.of.type

    def at(self, z: Reals) -> Reals:
        """Return quantiles at normal scores."""
        return -self.of.at(-np.asarray(z, dtype=float))


@dataclass(frozen=True)
class NearlyNormal:
    """The normal distribution, and what cannot be told from it by computing."""

    skewness: float
    kurtosis: float
    type: ClassVar[str] = "normal"

    def at(self, z: Reals) -> Reals:
        """Return quantiles at normal scores (Cornish & Fisher 1938, terms of first order)."""
        z = np.asarray(z, dtype=float)
        return z + self.skewness / 6.0 * (z * z - 1.0) + self.kurtosis / 24.0 * (z * z - 3.0) * z


@dataclass(frozen=True)
class _ByQuadrature(ABC):
    """What all types share: the distribution function of t - mode by Gauss-Legendre quadrature over panels, summed from either end, and its inverse.

    Attributes
    ----------
    edges : (1001,) float
        Ends of the panels, denser near the mode.
    below, above : (1001,) float
        Probability on either side of each edge; both are kept because each loses its digits in the other's tail.
    """

    type: ClassVar[str]
    # exp(-690) is about the least probability that is still a normal number.
    DEPTH: ClassVar[float] = 690.0
    PANELS: ClassVar[int] = 1000
    POINTS: ClassVar[int] = 12
    edges: Reals = field(init=False, repr=False, compare=False)
    below: Reals = field(init=False, repr=False, compare=False)
    above: Reals = field(init=False, repr=False, compare=False)
    total: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        width = self._width()
        low, high = (np.arcsinh(self._end(side, width) / width) for side in (-1.0, 1.0))
        edges = width * np.sinh(np.linspace(low, high, self.PANELS + 1))
        mass = self._mass(edges[:-1], edges[1:])
        total = float(mass.sum())
        below, above = np.append(0.0, np.cumsum(mass)) / total, np.append(np.cumsum(mass[::-1])[::-1], 0.0) / total
        for name, value in {"edges": edges, "below": below, "above": above, "total": total}.items():
            object.__setattr__(self, name, value)

    @abstractmethod
    def _width(self) -> float:
        """Return the length on which the density of t changes near its mode."""

    @abstractmethod
    def _log_density(self, t: Reals) -> Reals:
        """Return the logarithm of the density at mode + t over that at the mode."""

    @abstractmethod
    def _value(self, t: Reals) -> Reals:
        """Return the standardised value at mode + t; decreasing in t where `sign` is -1."""

    @property
    def _sign(self) -> float:
        return 1.0

    def _end(self, side: float, width: float) -> float:
        """Return where the density becomes negligible, by bisection."""
        near, far = 0.0, width
        while self._log_density(np.array(side * far)) > -self.DEPTH:
            near, far = far, 2.0 * far
        for _ in range(30):
            middle = 0.5 * (near + far)
            near, far = (middle, far) if self._log_density(np.array(side * middle)) > -self.DEPTH else (near, middle)
        return side * near

    def _mass(self, low: Reals, high: Reals) -> Reals:
        """Return integrals of the density, relative to its mode, over intervals no longer than a panel."""
        nodes, weights = np.polynomial.legendre.leggauss(self.POINTS)
        half = 0.5 * (high - low)
        return np.asarray(half * (np.exp(self._log_density((low + half)[..., None] + half[..., None] * nodes)) @ weights))

    def _invert(self, p: Reals, side: float) -> Reals:
        """Return t with probability `p` below (side 1) or above (side -1) it: Newton's method on the logarithms of probabilities."""
        edges, cumulated = self.edges, self.below if side > 0.0 else self.above
        known = cumulated > 0.0
        order = slice(None) if side > 0.0 else slice(None, None, -1)
        t = np.interp(np.log(p), np.log(cumulated[known])[order], edges[known][order])
        for _ in range(5):
            panel = np.clip(np.searchsorted(edges, t) - 1, 0, self.PANELS - 1)
            low, high, within = (edges[panel], t, cumulated[panel]) if side > 0.0 else (t, edges[panel + 1], cumulated[panel + 1])
            mass = np.maximum(within + self._mass(low, high) / self.total, np.finfo(float).tiny)
            step = (np.log(mass) - np.log(p)) * mass * self.total / np.exp(self._log_density(t))
            t = np.clip(t - side * step, edges[0], edges[-1])
        return np.asarray(t)

    def at(self, z: Reals) -> Reals:
        """Return quantiles, of the shape of `z`, at normal scores."""
        z = np.asarray(z, dtype=float) * self._sign
        t = np.empty(z.shape)
        left = z < 0.0
        t[left] = self._invert(special.ndtr(z[left]), 1.0)
        t[~left] = self._invert(special.ndtr(-z[~left]), -1.0)
        return self._value(t)


@dataclass(frozen=True)
class Beta(_ByQuadrature):
    """Types I and II: a beta variable on (0, 1); t is its logit."""

    a: float
    b: float
    type: ClassVar[str] = "I"

    def _width(self) -> float:
        return float(min(1.0, np.sqrt(1.0 / self.a + 1.0 / self.b)))

    def _log_density(self, t: Reals) -> Reals:
        share = self.a / (self.a + self.b)
        # log(1 - share + share e^t), without overflow and without cancellation near the mode.
        log = np.where(t < 30.0, np.log1p(share * np.expm1(np.minimum(t, 30.0))), t + np.log(share + (1.0 - share) * np.exp(-np.maximum(t, 30.0))))
        return np.asarray(self.a * t - (self.a + self.b) * log)

    def _value(self, t: Reals) -> Reals:
        below, above = self.a / (self.a + self.b), self.b / (self.a + self.b)
        logit = t + np.log(self.a / self.b)
        deviation = np.where(logit < 0.0, special.expit(logit) - below, above - special.expit(-logit))
        return np.asarray(deviation * np.sqrt(self.a + self.b + 1.0) / np.sqrt(below * above))


@dataclass(frozen=True)
class BetaPrime(Beta):
    """Type VI: the odds x / (1 - x) of a beta variable x (an F distribution but for its scale); t is the logarithm."""

    type: ClassVar[str] = "VI"

    def _value(self, t: Reals) -> Reals:
        a, b = self.a, self.b
        # odds times (b - 1) less a, with odds = e^t a / b
        return np.asarray(a * (np.expm1(t) - np.exp(t) / b) * np.sqrt((b - 2.0) / (a * (a + b - 1.0))))


@dataclass(frozen=True)
class Gamma(_ByQuadrature):
    """Type III: a gamma variable; t is its logarithm."""

    a: float
    type: ClassVar[str] = "III"

    def _width(self) -> float:
        return float(min(1.0, 1.0 / np.sqrt(self.a)))

    def _log_density(self, t: Reals) -> Reals:
        return np.asarray(self.a * (t - np.expm1(t)))

    def _value(self, t: Reals) -> Reals:
        return np.asarray(np.sqrt(self.a) * np.expm1(t))


@dataclass(frozen=True)
class InverseGamma(Gamma):
    """Type V: the inverse of a gamma variable."""

    type: ClassVar[str] = "V"

    @property
    def _sign(self) -> float:
        return -1.0

    def _value(self, t: Reals) -> Reals:
        return np.asarray((np.expm1(-t) - np.exp(-t) / self.a) * np.sqrt(self.a - 2.0))


@dataclass(frozen=True)
class Four(_ByQuadrature):
    """Types IV and VII (t): density proportional to (1 + y^2)^(-r/2 - 1) exp(nu arctan y); t is the inverse hyperbolic sine of y.

    Attributes
    ----------
    r, nu : float
        Shape; skewness is positive with nu >= 0.
    """

    r: float
    nu: float
    type: ClassVar[str] = "IV"

    def _mode(self) -> float:
        return float(np.arcsinh(self.nu / (self.r + 1.0)))

    def _width(self) -> float:
        return float(min(1.0, 1.0 / np.sqrt(self.r + 1.0)))

    def _log_density(self, t: Reals) -> Reals:
        mode = self._mode()
        # Differences of arctan(sinh) and of log cosh between mode + t and the mode, each without cancellation.
        angle = 2.0 * np.arctan(np.sinh(0.5 * t) / np.cosh(mode + 0.5 * t))
        log_cosh = np.log1p(special.expit(2.0 * mode) * np.expm1(t) + special.expit(-2.0 * mode) * np.expm1(-t))
        return np.asarray(self.nu * angle - (self.r + 1.0) * log_cosh)

    def _value(self, t: Reals) -> Reals:
        r, nu = self.r, self.nu
        return np.asarray((np.sinh(t + self._mode()) - nu / r) * (r * np.sqrt(r - 1.0) / np.hypot(r, nu)))
