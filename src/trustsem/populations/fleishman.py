"""Fleishman's power polynomials and the correlations of Vale and Maurelli.

A polynomial is written by its coefficients (b, c, d) of ``Y = -c + b Z + c Z^2 + d Z^3`` with Z standard normal; Y has mean zero.

Sources
-------
Fleishman, A. I. (1978). A method for simulating non-normal distributions. Psychometrika, 43, 521-532.
Vale, C. D., & Maurelli, V. A. (1983). Simulating multivariate nonnormal distributions. Psychometrika, 48, 465-471.
"""

from __future__ import annotations

import numpy as np

from trustsem.kernels.structure import Reals

__all__ = ["fleishman", "fleishman_kurtosis_range", "fleishman_moments", "hermite_weights", "increasing", "score_correlation"]

# With s = b^2, t = d / b and c^2 = (1 - s p(t)) / 2 from the variance, the equation of the squared skewness is a cubic in s and that of the kurtosis
# a quadratic, whose coefficients are made of these polynomials in t (ascending).
_P = (1.0, 6.0, 15.0)
_Q = (1.0, 24.0, 105.0)
_QUADRATIC_1 = (0.0, 12.0, 75.0)
_QUADRATIC_2 = (-0.5, -17.0, -162.0, -585.0, -832.5)
# The resultant has degree 12 in t; its roots of interest have modulus about this.
_DEGREE, _RADIUS = 12, 0.3


def fleishman_moments(b: Reals, c: Reals, d: Reals) -> tuple[Reals, Reals, Reals]:
    """Return variance, and skewness and excess kurtosis as they are if the variance is one (Fleishman 1978, equations 11, 17 and 18)."""
    variance = b**2 + 6 * b * d + 2 * c**2 + 15 * d**2
    skewness = 2 * c * (b**2 + 24 * b * d + 105 * d**2 + 2)
    kurtosis = 24 * (b * d + c**2 * (1 + b**2 + 28 * b * d) + d**2 * (12 + 48 * b * d + 141 * c**2 + 225 * d**2))
    return variance, skewness, kurtosis


def increasing(b: float, c: float, d: float) -> bool:
    """Return whether the polynomial increases everywhere, so that it is a quantile function of a normal score."""
    return b > 0.0 and (c * c < 3.0 * b * d or (c == 0.0 and d == 0.0))


def fleishman(skewness: float, kurtosis: float) -> Reals | None:
    """Return coefficients (b, c, d) of the polynomial with mean 0, variance 1, and this skewness and excess kurtosis; None if there is none.

    Of several solutions an increasing one comes first, then the one nearest to the normal (1, 0, 0). Z and -Z are alike, so the sign of (b, d) is
    free: it is chosen such that Y and Z correlate positively.
    """
    if skewness == 0.0 and kurtosis == 0.0:
        return np.array([1.0, 0.0, 0.0])
    found = [polished for start in _starts(skewness, kurtosis) if (polished := _polish(start, skewness, kurtosis)) is not None]
    found = [x if x[0] + 3 * x[2] >= 0.0 else x * np.array([-1.0, 1.0, -1.0]) for x in found]
    # Rounding keeps copies of one solution from competing over the last digits.
    return min(found, key=lambda x: (not increasing(*x), round(float(np.sum((x - [1.0, 0.0, 0.0]) ** 2)), 9), tuple(x)), default=None)


def _starts(skewness: float, kurtosis: float) -> list[Reals]:
    """Return approximations to all real solutions: roots of the resultant of the two equations in s."""
    # Ascending in t; 2 (1 - s p)(2 + s q)^2 = skewness^2, and the quadratic is the kurtosis over 24.
    p, q = np.array(_P), np.array(_Q)
    square = np.convolve(q, q)
    cubic = (-2 * np.convolve(p, square), 2 * (square - 4 * np.convolve(p, q)), 8 * (q - p), np.array([8.0 - skewness**2]))
    quadratic = (np.array(_QUADRATIC_2), np.array(_QUADRATIC_1), np.array([0.5 - kurtosis / 24.0]))
    n_points = _DEGREE + 4
    points = _RADIUS * np.exp(2j * np.pi * np.arange(n_points) / n_points)
    sylvester = np.zeros((n_points, 5, 5), dtype=complex)
    for polynomials, shifts, first in ((cubic, 2, 0), (quadratic, 3, 2)):
        for shift in range(shifts):
            for at, polynomial in enumerate(polynomials):
                sylvester[:, first + shift, shift + at] = np.polyval(polynomial[::-1], points)
    resultant = (np.fft.fft(np.linalg.det(sylvester)).real / n_points)[: _DEGREE + 1]
    starts = []
    for root in np.roots(resultant[::-1]) * _RADIUS:
        # Where solutions meet, rounding makes a pair of complex roots of them.
        if abs(root.imag) < 0.03 * (1.0 + abs(root)):
            t = root.real
            for s in np.roots([np.polyval(polynomial[::-1], t) for polynomial in quadratic]):
                b = np.sqrt(max(s.real, 0.0))
                c = np.sqrt(max(0.5 * (1.0 - b * b * np.polyval(p[::-1], t)), 0.0))
                starts += [np.array([b, sign * c, b * t]) for sign in ((1.0, -1.0) if c > 0.0 else (1.0,))]
    return starts


def _polish(start: Reals, skewness: float, kurtosis: float) -> Reals | None:
    """Return the solution that Newton's method finds from `start`; None if it finds none."""
    x = start
    for _ in range(60):
        residual = np.array(fleishman_moments(*x)) - [1.0, skewness, kurtosis]
        if np.abs(residual).max() < 1e-13 * (1.0 + abs(kurtosis)):
            break
        step = np.linalg.lstsq(_slopes(*x), residual, rcond=1e-12)[0]
        x = x - step * min(1.0, 0.3 / max(float(np.abs(step).max()), 1e-300))
    residual = np.array(fleishman_moments(*x)) - [1.0, skewness, kurtosis]
    return np.where(np.abs(x) < 1e-15, 0.0, x) if np.abs(residual).max() < 1e-10 * (1.0 + abs(kurtosis)) else None


def _slopes(b: float, c: float, d: float) -> Reals:
    """Return derivatives (3, 3) of variance, skewness and kurtosis."""
    return np.array(
        [
            [2 * b + 6 * d, 4 * c, 6 * b + 30 * d],
            [2 * c * (2 * b + 24 * d), 2 * (b**2 + 24 * b * d + 105 * d**2 + 2), 2 * c * (24 * b + 210 * d)],
            [
                24 * (d + c**2 * (2 * b + 28 * d) + 48 * d**3),
                24 * (2 * c * (1 + b**2 + 28 * b * d) + 282 * c * d**2),
                24 * (b + 28 * b * c**2 + 2 * d * (12 + 141 * c**2) + 144 * b * d**2 + 900 * d**3),
            ],
        ]
    )


def fleishman_kurtosis_range(skewness: float, n_angles: int = 4000) -> tuple[float, float] | None:
    """Return the least and the greatest excess kurtosis that a polynomial has beside this skewness, to about four digits; None if it never has it.

    The normalised Hermite coefficients (b + 3d, sqrt(2) c, sqrt(6) d) lie on the unit sphere, where the skewness of every longitude is a cubic in the
    sine of the latitude.
    """
    angle = np.linspace(-0.5 * np.pi, 0.5 * np.pi, n_angles)
    d1 = np.sin(angle) / np.sqrt(6.0)
    b1 = np.cos(angle) - 3 * d1
    slope = b1**2 + 24 * b1 * d1 + 105 * d1**2
    slope = np.where(np.abs(slope) < 1e-9, 1e-9, slope)
    # skewness = sqrt(2) u ((1 - u^2) slope + 2), that is u^3 - u (1 + 2 / slope) + skewness / (sqrt(2) slope) = 0: one companion matrix for each.
    companion = np.zeros((n_angles, 3, 3))
    companion[:, 1, 0] = companion[:, 2, 1] = 1.0
    companion[:, 0, 2], companion[:, 1, 2] = -skewness / np.sqrt(2.0) / slope, 1.0 + 2.0 / slope
    roots = np.linalg.eigvals(companion)
    real = (np.abs(roots.imag) < 1e-7) & (np.abs(roots.real) <= 1.0)
    if not real.any():
        return None
    at, u = np.nonzero(real)[0], roots.real[real]
    scale = np.sqrt(1.0 - u**2)
    kurtosis = fleishman_moments(scale * b1[at], u / np.sqrt(2.0), scale * d1[at])[2]
    return float(kurtosis.min()), float(kurtosis.max())


def hermite_weights(coefficients: Reals) -> Reals:
    """Return the normalised Hermite coefficients (p, 3) of polynomials (p, 3); their squares sum to the variance."""
    b, c, d = coefficients.T
    return np.column_stack([b + 3 * d, np.sqrt(2.0) * c, np.sqrt(6.0) * d])


def score_correlation(first: Reals, second: Reals, target: float) -> tuple[float, float, float]:
    """Return the correlation of two normal scores that gives their polynomials the correlation `target`, and the least and greatest possible ones.

    Parameters
    ----------
    first, second : (3,) float
        Normalised Hermite coefficients. The polynomials' correlation is the sum over k of first_k second_k r^k (Vale & Maurelli 1983, equation 11).
    target : float

    Returns
    -------
    correlation, low, high : float
        The solution nearest to zero in [-1, 1], NaN if there is none; the range of what can be reached.
    """
    weights = first * second
    turning = _real_roots(np.array([3 * weights[2], 2 * weights[1], weights[0]]))
    reach = np.polyval([weights[2], weights[1], weights[0], 0.0], np.array([-1.0, 1.0, *turning[np.abs(turning) < 1.0]]))
    roots = _real_roots(np.array([weights[2], weights[1], weights[0], -target]))
    inside = roots[np.abs(roots) <= 1.0]
    low, high = float(reach.min()), float(reach.max())
    if not inside.size:
        return np.nan, low, high
    r = float(min(inside, key=lambda root: (round(abs(root), 12), -root)))
    for _ in range(3):
        slope = np.polyval([3 * weights[2], 2 * weights[1], weights[0]], r)
        if slope != 0.0:
            r -= float((np.polyval([weights[2], weights[1], weights[0], 0.0], r) - target) / slope)
    return r, low, high


def _real_roots(polynomial: Reals) -> Reals:
    roots = np.roots(np.where(np.abs(polynomial) < 1e-14, 0.0, polynomial))
    return np.asarray(roots.real[np.abs(roots.imag) < 1e-9])
