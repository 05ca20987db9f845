"""Non-normal data as linear combinations of independent non-normal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals
from trustsem.model.population import Moments, Population, moments_of
from trustsem.options import choose
from trustsem.populations.nonnormal import ByVariable, by_variable, plain_by_variable
from trustsem.populations.pearson import Distribution, pearson
from trustsem.populations.scores import Quantiles, tabulate
from trustsem.simulators import Generator, Rows

__all__ = ["IndependentGenerator"]


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
        # One solution always: elementwise powers of a positive definite matrix are positive definite (Schur), those of a triangular one triangular.
        shares = root / np.sqrt(np.diag(moments.cov))[:, None]
        target = [by_variable(option, getattr(self, option), moments.names) for option in ("skewness", "kurtosis")]
        needed = np.column_stack([np.linalg.solve(shares**power, wanted) for power, wanted in zip((3, 4), target, strict=True)])
        # Equal components share a table although rounding makes them differ.
        needed = needed.round(12) + 0.0
        _check(needed, np.column_stack(target), moments.names, self.root)
        different, of = np.unique(needed, axis=0, return_inverse=True)
        distributions: list[Distribution] = [found for moment in different if (found := pearson(*moment)) is not None]
        return IndependentSampler(population if isinstance(population, Population) else None, moments, root, tabulate(distributions, of))


def _symmetric_root(cov: Reals) -> Reals:
    values, vectors = np.linalg.eigh(cov)
    return np.asarray((vectors * np.sqrt(values)) @ vectors.T)


def _check(needed: Reals, target: Reals, names: tuple[str, ...], root: str) -> None:
    """Refuse components that cannot exist.

    Raises
    ------
    OptionError
    """
    at = int(np.argmin(needed[:, 1] - needed[:, 0] ** 2))
    if pearson(*needed[at]) is None:
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
