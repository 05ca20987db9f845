"""Multivariate normal data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trustsem.errors import ModelError, OptionError
from trustsem.model.population import Moments, Population, moments_of
from trustsem.options import check_flag
from trustsem.simulators import Generator, Rows

__all__ = ["Gaussian"]


@dataclass(frozen=True)
class Gaussian(Generator):
    """Normal data whose expected moments are the population's, exactly.

    Parameters
    ----------
    empirical : bool
        Give the sample itself exactly the population's means and covariances (divisor n - 1).
    """

    kind = "distribution"

    empirical: bool = False

    def __post_init__(self) -> None:
        check_flag("empirical", self.empirical)

    def prepare(self, population: Population | Moments) -> GaussianSampler:
        """Return the sampler for `population`."""
        moments = moments_of(population)
        try:
            root = np.linalg.cholesky(moments.cov)
        except np.linalg.LinAlgError:
            raise ModelError(
                "The covariance matrix of the population is not positive definite to the precision of the computer. Look for variances that differ "
                "by many orders of magnitude, and for variables that are all but determined by others."
            ) from None
        return GaussianSampler(population if isinstance(population, Population) else None, moments, root, self.empirical)


@dataclass(frozen=True, eq=False)
class GaussianSampler:
    """Draws normal rows."""

    population: Population | None
    moments: Moments
    root: np.ndarray
    empirical: bool
    metric: bool = True

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` independent rows.

        Raises
        ------
        OptionError
            If `empirical` asks for as many moments as there are rows.
        """
        p = len(self.moments.names)
        noise = rng.standard_normal((n, p))
        if self.empirical:
            if n <= p:
                raise OptionError(f"empirical=True needs n={n} to exceed the number of variables ({p}). Draw more rows, or set empirical=False.")
            noise = noise - noise.mean(axis=0)
            own = np.linalg.cholesky(noise.T @ noise / (n - 1))
            noise = np.linalg.solve(own, noise.T).T
        return Rows(self.moments.names, noise @ self.root.T + self.moments.mean)
