"""Variables that are increasing functions of correlated normal scores: fast quantiles, and the correlations that the scores need.

Sources
-------
Cario, M. C., & Nelson, B. L. (1997). Modeling and generating random vectors with arbitrary marginal distributions and correlation matrix (NORTA).
Technical report, Northwestern University.
The expansion of the correlation in powers of the scores' correlation is Mehler's formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trustsem.kernels.structure import Reals
from trustsem.populations.pearson import Distribution

__all__ = ["Quantiles", "correlation_reach", "hermite_coefficients", "normal_grid", "solve_correlations", "tabulate"]

# Tables end where a normal score comes once in 10^17 draws; beyond, and where a table is not accurate, quantiles are computed.
REACH = 8.5
DENSITIES = (128, 512, 2048)
ACCURACY = 1e-9
PER_UNIT = 128
# Central differences of sixth order for the slopes at the nodes.
_SLOPES = (-1.0 / 60.0, 3.0 / 20.0, -3.0 / 4.0, 0.0, 3.0 / 4.0, -3.0 / 20.0, 1.0 / 60.0)


@dataclass(frozen=True, eq=False)
class Quantiles:
    """Quantile functions of p variables at normal scores.

    Attributes
    ----------
    distributions : tuple
        The different ones, M of them.
    of : (p,) int
        Which of them each variable has.
    tables : (4, sum of panels) float
        Coefficients of a cubic, lowest power first, for each panel of the scores from -REACH to REACH, one distribution after the other.
    density, start, panels : (p,) int
        Of each variable: panels per unit of the score, where its table begins, and how long it is.
    tabulated : (M,) bool
        Whether the table is accurate enough to be used.
    """

    distributions: tuple[Distribution, ...]
    of: np.ndarray
    tables: Reals
    density: np.ndarray
    start: np.ndarray
    panels: np.ndarray
    tabulated: np.ndarray

    def at(self, z: Reals) -> Reals:
        """Return values (n, p) at normal scores (n, p)."""
        position = (z + REACH) * self.density
        panel = np.clip(position.astype(np.intp), 0, self.panels - 1)
        position -= panel
        panel += self.start
        c0, c1, c2, c3 = (np.take(row, panel) for row in self.tables)
        values = ((c3 * position + c2) * position + c1) * position + c0
        far = np.abs(z) > REACH
        if far.any() or not self.tabulated.all():
            for at, distribution in enumerate(self.distributions):
                exact = (self.of == at) & (far | (not self.tabulated[at]))
                if exact.any():
                    values[exact] = distribution.at(z[exact])
        return np.asarray(values)


def tabulate(distributions: Sequence[Distribution], of: np.ndarray) -> Quantiles:
    """Return quick quantiles of the variables that have distributions ``distributions[of]``, from tables as coarse as is accurate enough."""
    tables, densities, tabulated = [], [], []
    for distribution in distributions:
        for density in DENSITIES:
            table, error = _table(distribution, density)
            if error < ACCURACY:
                break
        tabulated.append(error < ACCURACY)
        tables.append(table)
        densities.append(density)
    panels = np.array([table.shape[1] for table in tables])
    start = np.cumsum(panels) - panels
    of = np.asarray(of)
    return Quantiles(
        tuple(distributions), of, np.concatenate(tables, axis=1), np.array(densities)[of], start[of], panels[of], np.array(tabulated, dtype=bool)
    )


def _table(distribution: Distribution, density: int) -> tuple[Reals, float]:
    """Return coefficients (4, panels) of a monotone cubic in each panel, and a bound of its error in the fourth moment.

    Slopes are limited to three times the smaller of the neighbouring differences, which keeps a cubic monotone (Fritsch & Carlson 1980). The bound is
    relative to the fourth moment, and no lower moment errs by more.
    """
    panels = int(2 * REACH * density)
    margin = len(_SLOPES) // 2
    nodes = (np.arange(2 * (panels + 2 * margin) + 1) / 2 - margin) / density - REACH
    exact = distribution.at(nodes)
    wide, middle = exact[::2], exact[2 * margin + 1 : -2 * margin : 2]
    slope = -np.convolve(wide, _SLOPES, mode="valid")
    step = np.diff(wide)[margin - 1 : len(wide) - margin]
    slope = np.clip(slope, 0.0, 3.0 * np.minimum(step[:-1], step[1:]))
    value, rise, left, right = wide[margin : -margin - 1], step[1:-1], slope[:-1], slope[1:]
    table = np.stack([value, left, 3 * rise - 2 * left - right, left + right - 2 * rise])
    # A cubic errs most in the middle of a panel.
    error = np.abs(table.T @ [1.0, 0.5, 0.25, 0.125] - middle)
    z = nodes[2 * margin + 1 : -2 * margin : 2]
    weight = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) / density
    size = 1.0 + np.abs(middle)
    return table, float(4.0 * (weight @ (size**3 * error)) / (weight @ size**4))


def normal_grid() -> tuple[Reals, Reals]:
    """Return symmetric scores (G,) and weights (G,) of a trapezoidal rule for expectations of functions of a normal score."""
    z = np.arange(-14 * PER_UNIT, 14 * PER_UNIT + 1) / PER_UNIT
    return z, np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi) / PER_UNIT


def hermite_coefficients(values: Reals, z: Reals, weight: Reals, count: int) -> Reals:
    """Return coefficients (M, count) of functions (M, G) in the normalised Hermite polynomials of degree 1 to `count`."""
    weighted = values * weight
    coefficients = np.empty((len(values), count))
    before, now = np.zeros_like(z), np.ones_like(z)
    for k in range(count):
        before, now = now, (z * now - np.sqrt(k) * before) / np.sqrt(k + 1.0)
        coefficients[:, k] = weighted @ now
    return coefficients


def correlation_reach(values: Reals, weight: Reals) -> tuple[Reals, Reals]:
    """Return the least and the greatest correlation (M, M) of variables with these quantile functions (M, G): the Frechet bounds."""
    return (values * weight) @ values[:, ::-1].T, (values * weight) @ values.T


def solve_correlations(coefficients: Reals, first: np.ndarray, second: np.ndarray, target: Reals) -> tuple[Reals, Reals]:
    """Return the correlations (q,) of normal scores that give pairs of increasing functions the correlations `target`, and bounds (q,) of the error.

    Parameters
    ----------
    coefficients : (M, K) float
        Normalised Hermite coefficients of functions with variance one.
    first, second : (q,) int
        The functions of each pair.
    target : (q,) float
        Within what can be reached.

    Notes
    -----
    The correlation is the sum over k of first_k second_k r^k, and increases with r. What follows the K-th term is at most |r|^(K + 1) times the
    geometric mean of the variances that the first K coefficients leave out. Newton's method, kept inside a shrinking interval.
    """
    weights = (coefficients[first] * coefficients[second]).T
    low, high = np.full(len(target), -1.0), np.ones(len(target))
    r = np.clip(target, -0.99, 0.99)
    for _ in range(80):
        value, slope = np.zeros_like(r), np.zeros_like(r)
        for weight in weights[::-1]:
            slope = slope * r + value
            value = value * r + weight
        value, slope = value * r, slope * r + value
        low, high = np.where(value < target, r, low), np.where(value < target, high, r)
        step = (target - value) / np.maximum(slope, 1e-300)
        ahead = r + step
        ahead = np.where((ahead > low) & (ahead < high), ahead, 0.5 * (low + high))
        done = np.abs(ahead - r).max(initial=0.0) < 1e-15
        r = ahead
        if done:
            break
    left_out = np.maximum(1.0 - np.sum(coefficients**2, axis=1), 0.0)
    return r, np.abs(r) ** (coefficients.shape[1] + 1) * np.sqrt(left_out[first] * left_out[second])
