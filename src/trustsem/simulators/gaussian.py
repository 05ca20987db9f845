"""Multivariate normal data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trustsem.errors import OptionError
from trustsem.model.population import Moments, Population, moments_of
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

    def prepare(self, population: Population | Moments) -> GaussianSampler:
        """Return the sampler for `population`."""
        moments = moments_of(population)
        return GaussianSampler(population if isinstance(population, Population) else None, moments, np.linalg.cholesky(moments.cov), self.empirical)


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
