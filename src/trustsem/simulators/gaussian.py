"""Multivariate normal data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trustsem.errors import OptionError
from trustsem.model.population import Population

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Gaussian"]


@dataclass(frozen=True)
class Gaussian:
    """Normal data whose expected moments are the population's, exactly.

    Parameters
    ----------
    empirical : bool
        Give the sample itself exactly the population's means and covariances (divisor n - 1).
    """

    empirical: bool = False

    def draw(self, population: Population, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """Return `n` independent rows.

        Raises
        ------
        OptionError
            If `empirical` asks for as many moments as there are rows.
        """
        import pandas as pd

        cov, names = population.cov, population.names
        p = len(names)
        noise = rng.standard_normal((n, p))
        if self.empirical:
            if n <= p:
                raise OptionError(f"empirical=True needs n={n} to exceed the number of variables ({p}). Draw more rows, or set empirical=False.")
            noise = noise - noise.mean(axis=0)
            own = np.linalg.cholesky(noise.T @ noise / (n - 1))
            noise = np.linalg.solve(own, noise.T).T
        return pd.DataFrame(noise @ np.linalg.cholesky(cov).T + population.mean, columns=list(names))
