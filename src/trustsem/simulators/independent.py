"""Non-normal data as linear combinations of independent non-normal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals
from trustsem.model.nonnormal import ByVariable, by_variable, plain_by_variable
from trustsem.model.pearson import Distribution, pearson
from trustsem.model.population import Moments, Population, moments_of
from trustsem.model.scores import Quantiles, tabulate
from trustsem.options import choose
from trustsem.simulators import Generator, Rows

__all__ = ["IndependentGenerator"]

# Relative to the largest target, what a system of linear equations may leave over and still count as solved.
SOLVED = 1e-8


@dataclass(frozen=True)
class IndependentGenerator(Generator):
    """Linear combinations X = mean + A Z of independent components, with exactly the population's means and covariances.

    The components have Pearson distributions whose skewness and kurtosis give the variables those asked for. The dependence of the variables is not
    that of a normal distribution, as it is with polynomials or quantiles of normal scores.

    Parameters
    ----------
    skewness, kurtosis : float, mapping of str to float, or tuple of float
        Of the observed variables: one number for all, by name (zero for those left out), or in order. The kurtosis is in excess of the normal one.
    root : {"symmetric", "cholesky"}
        Which root A of the covariance matrix. With a symmetric one the distribution does not depend on the order of the variables, but it does on
        their units; with a Cholesky root it is the other way round.

    References
    ----------
    Foldnes, N., & Olsson, U. H. (2016). A simple simulation technique for nonnormal data with prespecified skewness, kurtosis, and covariance matrix.
    Multivariate Behavioral Research, 51, 207-219.
    """

    kind = "distribution"

    skewness: ByVariable = 0.0
    kurtosis: ByVariable = 0.0
    root: str = "symmetric"

    def __post_init__(self) -> None:
        for option in ("skewness", "kurtosis"):
            object.__setattr__(self, option, plain_by_variable(option, getattr(self, option)))
        object.__setattr__(self, "root", choose("root", self.root, ("symmetric", "cholesky")))

    def prepare(self, population: Population | Moments) -> IndependentSampler:
        """Return the sampler for `population`: solve for the moments of the components and tabulate their distributions.

        Raises
        ------
        OptionError
            If the components would need moments that no distribution has.
        """
        moments = moments_of(population)
        root = _symmetric_root(moments.cov) if self.root == "symmetric" else np.asarray(np.linalg.cholesky(moments.cov))
        # Of variables with variance one: skewness_i = sum over j of a_ij^3 skewness_j, kurtosis_i = sum over j of a_ij^4 kurtosis_j.
        shares = root / np.sqrt(np.diag(moments.cov))[:, None]
        target = [by_variable(option, getattr(self, option), moments.names) for option in ("skewness", "kurtosis")]
        skewness, kurtosis = (
            _solve(shares**power, wanted, option) for power, wanted, option in zip((3, 4), target, ("skewness", "kurtosis"), strict=True)
        )
        # Equal components share a table although rounding makes them differ.
        needed = np.column_stack([skewness, kurtosis]).round(12) + 0.0
        _check(needed, np.column_stack(target), moments.names, self.root)
        different, of = np.unique(needed, axis=0, return_inverse=True)
        distributions: list[Distribution] = [found for moment in different if (found := pearson(*moment)) is not None]
        return IndependentSampler(population if isinstance(population, Population) else None, moments, root, tabulate(distributions, of))


def _symmetric_root(cov: Reals) -> Reals:
    values, vectors = np.linalg.eigh(cov)
    return np.asarray((vectors * np.sqrt(values)) @ vectors.T)


def _solve(matrix: Reals, target: Reals, option: str) -> Reals:
    """Return the components' moments; of several solutions, where the equations are singular, the smallest.

    Raises
    ------
    OptionError
        If there is no solution.
    """
    found = np.asarray(np.linalg.lstsq(matrix, target, rcond=1e-10)[0])
    if np.abs(matrix @ found - target).max() > SOLVED * max(1.0, float(np.abs(target).max())):
        raise OptionError(
            f"IndependentGenerator cannot reach these values of {option}= with root='symmetric': for this covariance matrix the equations for its "
            "components are singular and have no solution. Use root='cholesky', Pearson, or ValeMaurelli."
        )
    return found


def _check(needed: Reals, target: Reals, names: tuple[str, ...], root: str) -> None:
    """Refuse components that cannot exist.

    Raises
    ------
    OptionError
    """
    excess = needed[:, 1] - needed[:, 0] ** 2 + 2.0
    at = int(np.argmin(excess))
    if excess[at] <= 0.0:
        other = "cholesky" if root == "symmetric" else "symmetric"
        raise OptionError(
            f"IndependentGenerator cannot give {names[at]!r} skewness={target[at, 0]:g} together with kurtosis={target[at, 1]:g}: its component "
            f"would need skewness {needed[at, 0]:.4g} and kurtosis {needed[at, 1]:.4g}, and every distribution has kurtosis above skewness^2 - 2. "
            f"Bring skewness= nearer to zero, raise kurtosis=, try root={other!r}, or use Pearson, which has all that is possible."
        )


@dataclass(frozen=True, eq=False)
class IndependentSampler:
    """Draws linear combinations of independent components.

    Attributes
    ----------
    root : (p, p) float
        Root of the covariance matrix.
    quantiles : Quantiles
        Of the components.
    """

    population: Population | None
    moments: Moments
    root: Reals
    quantiles: Quantiles
    metric: bool = True

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` independent rows."""
        z = rng.standard_normal((n, len(self.moments.names)))
        return Rows(self.moments.names, self.quantiles.at(z) @ self.root.T + self.moments.mean)
