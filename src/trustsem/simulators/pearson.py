"""Non-normal data with Pearson distributions and a normal copula."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals
from trustsem.model.population import Moments, Population, moments_of
from trustsem.populations.nonnormal import ByVariable, by_variable, intermediate_root, plain_by_variable, worst_pair
from trustsem.populations.pearson import Distribution, pearson
from trustsem.populations.scores import Quantiles, correlation_reach, hermite_coefficients, normal_grid, solve_correlations, tabulate
from trustsem.simulators import Generator, Rows

__all__ = ["Pearson"]

# Terms of the expansion of a correlation; the second number is for distributions with nearly only two values.
TERMS = (60, 600)
ACCURACY = 1e-9


@dataclass(frozen=True)
class Pearson(Generator):
    """Pearson distributions joined by a normal copula, with exactly the population's means and covariances.

    Every possible combination of skewness and kurtosis is reached exactly: the marginal distributions are normal, beta, gamma, inverse gamma, beta
    prime, t or of type IV. High values of the kurtosis live far out in the tails, where even large samples rarely are.

    Parameters
    ----------
    skewness, kurtosis : float, mapping of str to float, or tuple of float
        Of the observed variables: one number for all, by name (zero for those left out), or in order. The kurtosis is in excess of the normal one and
        above skewness^2 - 2.

    References
    ----------
    Johnson, N. L., Kotz, S., & Balakrishnan, N. (1994). Continuous univariate distributions (2nd ed., vol. 1), section 12.4.1.
    Cario, M. C., & Nelson, B. L. (1997). Modeling and generating random vectors with arbitrary marginal distributions and correlation matrix.
    Technical report, Northwestern University.
    """

    kind = "distribution"

    skewness: ByVariable = 0.0
    kurtosis: ByVariable = 0.0

    def __post_init__(self) -> None:
        for option in ("skewness", "kurtosis"):
            object.__setattr__(self, option, plain_by_variable(option, getattr(self, option)))

    def prepare(self, population: Population | Moments) -> PearsonSampler:
        """Return the sampler for `population`: choose and tabulate the distributions, and solve for the correlations of the normal scores.

        Raises
        ------
        OptionError
            If no distribution has such a skewness and kurtosis, or no normal scores give such distributions the population's correlations.
        """
        moments = moments_of(population)
        targets = np.column_stack([by_variable(option, getattr(self, option), moments.names) for option in ("skewness", "kurtosis")])
        different, of = np.unique(targets, axis=0, return_inverse=True)
        distributions = [_distribution(s, k, moments.names[int(np.argmax(of == at))]) for at, (s, k) in enumerate(different)]
        scale = np.sqrt(np.diag(moments.cov))
        scores = moments.cov / np.outer(scale, scale)
        if targets.any():
            scores = _score_correlations(distributions, of, scores, moments.names)
        root = intermediate_root(scores, "Pearson")
        return PearsonSampler(population if isinstance(population, Population) else None, moments, root, tabulate(distributions, of), scale)


def _distribution(skewness: float, kurtosis: float, name: str) -> Distribution:
    """Return the distribution, or refuse.

    Raises
    ------
    OptionError
    """
    found = pearson(skewness, kurtosis)
    if found is None:
        raise OptionError(
            f"No distribution has skewness={skewness:g} together with kurtosis={kurtosis:g}, as asked for {name!r}: the kurtosis is above "
            f"skewness^2 - 2, which is {skewness * skewness - 2.0:.4g} here. Raise kurtosis=, or bring skewness= nearer to zero."
        )
    return found


def _score_correlations(distributions: list[Distribution], of: np.ndarray, target: Reals, names: tuple[str, ...]) -> Reals:
    """Return the correlation matrix (p, p) of the normal scores.

    Raises
    ------
    OptionError
        If some correlation cannot be reached, or not be computed.
    """
    scores = np.eye(len(target))
    if len(target) == 1:
        return scores
    z, weight = normal_grid()
    values = np.array([distribution.at(z) for distribution in distributions])
    low, high = (bound[np.ix_(of, of)] for bound in correlation_reach(values, weight))
    excess = np.maximum(target - high, low - target)
    i, j = worst_pair(excess)
    if excess[i, j] >= 0.0:
        raise OptionError(
            f"Pearson cannot give {names[i]!r} and {names[j]!r} the correlation {target[i, j]:.4g} of the population: variables with these skewness= "
            f"and kurtosis= correlate between {low[i, j]:.4g} and {high[i, j]:.4g}. Make the two more alike, or nearer to normal."
        )
    first, second = np.triu_indices(len(target), 1)
    for terms in TERMS:
        coefficients = hermite_coefficients(values, z, weight, terms)
        scores[first, second], error = solve_correlations(coefficients, of[first], of[second], target[first, second])
        if error.max() < ACCURACY:
            break
    else:
        at = int(np.argmax(error))
        raise OptionError(
            f"Pearson cannot compute the correlation of the normal scores of {names[first[at]]!r} and {names[second[at]]!r}: the variables have "
            f"nearly only two values (kurtosis= is too near to skewness^2 - 2) and correlate {target[first[at], second[at]]:.4g}. Raise kurtosis=."
        )
    scores[second, first] = scores[first, second]
    return scores


@dataclass(frozen=True, eq=False)
class PearsonSampler:
    """Draws quantiles at normal scores.

    Attributes
    ----------
    root : (p, p) float
        Cholesky factor of the scores' correlations.
    quantiles : Quantiles
        Of the standardised variables.
    scale : (p,) float
        Standard deviations.
    """

    population: Population | None
    moments: Moments
    root: Reals
    quantiles: Quantiles
    scale: Reals
    metric: bool = True

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` independent rows."""
        z = rng.standard_normal((n, len(self.moments.names))) @ self.root.T
        return Rows(self.moments.names, self.quantiles.at(z) * self.scale + self.moments.mean)
