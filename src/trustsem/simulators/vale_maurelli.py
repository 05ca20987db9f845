"""Non-normal data by power polynomials of normal scores."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals
from trustsem.model.population import Moments, Population, moments_of
from trustsem.populations.fleishman import fleishman, fleishman_kurtosis_range, hermite_weights, score_correlation
from trustsem.populations.nonnormal import ByVariable, by_variable, intermediate_root, plain_by_variable, worst_pair
from trustsem.simulators import Generator, Rows

__all__ = ["ValeMaurelli"]


@dataclass(frozen=True)
class ValeMaurelli(Generator):
    """Cubic polynomials of correlated normal scores, with exactly the population's means and covariances.

    Not every combination of skewness and kurtosis exists (`Pearson` has all), and where the polynomials increase the copula is that of normal data
    (Foldnes & Gronneberg 2015), so that such data are less of a trial for robust methods than their kurtosis suggests (`IndependentGenerator` is
    more).

    Parameters
    ----------
    skewness, kurtosis : float, mapping of str to float, or tuple of float
        Of the observed variables: one number for all, by name (zero for those left out), or in order. The kurtosis is in excess of the normal one.

    References
    ----------
    Fleishman, A. I. (1978). A method for simulating non-normal distributions. Psychometrika, 43, 521-532.
    Vale, C. D., & Maurelli, V. A. (1983). Simulating multivariate nonnormal distributions. Psychometrika, 48, 465-471.
    Foldnes, N., & Gronneberg, S. (2015). How general is the Vale-Maurelli simulation approach? Psychometrika, 80, 1066-1083.
    """

    kind = "distribution"

    skewness: ByVariable = 0.0
    kurtosis: ByVariable = 0.0

    def __post_init__(self) -> None:
        for option in ("skewness", "kurtosis"):
            object.__setattr__(self, option, plain_by_variable(option, getattr(self, option)))

    def prepare(self, population: Population | Moments) -> ValeMaurelliSampler:
        """Return the sampler for `population`: solve for the polynomials, and for the correlations of their normal scores.

        Raises
        ------
        OptionError
            If there is no polynomial, or no normal scores with the correlations needed.
        """
        moments = moments_of(population)
        targets = np.column_stack([by_variable(option, getattr(self, option), moments.names) for option in ("skewness", "kurtosis")])
        different, of = np.unique(targets, axis=0, return_inverse=True)
        polynomials = np.array([_polynomial(s, k, moments.names[int(np.argmax(of == at))]) for at, (s, k) in enumerate(different)])[of]
        scale = np.sqrt(np.diag(moments.cov))
        scores = _score_correlations(polynomials, moments.cov / np.outer(scale, scale), moments.names)
        root = intermediate_root(scores, "ValeMaurelli")
        return ValeMaurelliSampler(population if isinstance(population, Population) else None, moments, root, polynomials, scale)


def _polynomial(skewness: float, kurtosis: float, name: str) -> Reals:
    """Return the coefficients, or refuse.

    Raises
    ------
    OptionError
    """
    found = fleishman(skewness, kurtosis)
    if found is not None:
        return found
    wrong = f"ValeMaurelli cannot give {name!r} skewness={skewness:g} together with kurtosis={kurtosis:g}"
    least = skewness * skewness - 2.0
    if kurtosis <= least:
        raise OptionError(f"{wrong}: every distribution has kurtosis above skewness^2 - 2, which is {least:.4g} here. Raise kurtosis=.")
    reach = fleishman_kurtosis_range(skewness)
    allowed = (
        f"with this skewness a cubic polynomial has kurtosis from {reach[0]:.4g} to {reach[1]:.4g}" if reach else "no cubic polynomial is so skewed"
    )
    raise OptionError(f"{wrong}: {allowed}. Choose such values, or use Pearson, which has every kurtosis above {least:.4g} with this skewness.")


def _score_correlations(polynomials: Reals, target: Reals, names: tuple[str, ...]) -> Reals:
    """Return the correlation matrix (p, p) of the normal scores.

    Raises
    ------
    OptionError
        If some correlation cannot be reached.
    """
    weights = hermite_weights(polynomials)
    p = len(target)
    scores, excess, reach = np.eye(p), np.zeros((p, p)), np.zeros((p, p, 2))
    for i, j in combinations(range(p), 2):
        scores[i, j], *reach[i, j] = score_correlation(weights[i], weights[j], target[i, j])
        scores[j, i] = scores[i, j]
        excess[i, j] = excess[j, i] = max(target[i, j] - reach[i, j, 1], reach[i, j, 0] - target[i, j])
    if p > 1 and np.isnan(scores).any():
        i, j = worst_pair(np.where(np.isnan(scores), excess, -np.inf))
        low, high = reach[i, j]
        raise OptionError(
            f"ValeMaurelli cannot give {names[i]!r} and {names[j]!r} the correlation {target[i, j]:.4g} of the population: with these skewness= and "
            f"kurtosis= it is from {low:.4g} to {high:.4g}. Make the two more alike, or nearer to normal, or use IndependentGenerator."
        )
    return scores


@dataclass(frozen=True, eq=False)
class ValeMaurelliSampler:
    """Draws polynomials of normal scores.

    Attributes
    ----------
    root : (p, p) float
        Cholesky factor of the scores' correlations.
    polynomials : (p, 3) float
        Coefficients b, c, d.
    scale : (p,) float
        Standard deviations.
    """

    population: Population | None
    moments: Moments
    root: Reals
    polynomials: Reals
    scale: Reals
    metric: bool = True

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` independent rows."""
        z = rng.standard_normal((n, len(self.moments.names))) @ self.root.T
        b, c, d = self.polynomials.T * self.scale
        return Rows(self.moments.names, z * (b + z * (c + z * d)) + (self.moments.mean - c))
