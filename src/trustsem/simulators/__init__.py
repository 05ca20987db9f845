"""What data would look like: one file per generator, nothing else in the folder.

A generator is a frozen record of options with a method ``draw(population, n, rng)``. Adding one is adding a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from trustsem.errors import OptionError
from trustsem.model.population import Population
from trustsem.simulators.gaussian import Gaussian
from trustsem.theory import Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Generator", "simulate"]


class Generator(Protocol):
    """Draws observations from a population."""

    def draw(self, population: Population, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """Return `n` rows with the population's observed variables as columns."""
        ...


def simulate(
    source: Theory | Population,
    *,
    n: int,
    seed: int | np.random.Generator,
    generator: Generator | None = None,
    preset: str = "calibrated",
) -> pd.DataFrame:
    """Simulate data from a theory or a population.

    Parameters
    ----------
    source : Theory or Population
    n : int
        Number of rows, at least 1.
    seed : int or numpy Generator
        The same seed gives the same data.
    generator : Generator, optional
        How observations are drawn; multivariate normal by default.
    preset : str
        Which population values of the theory to use; ignored for a population.

    Returns
    -------
    DataFrame
        One column per observed variable.

    Raises
    ------
    OptionError
        If n is not a positive whole number, the seed is not usable, or the source is neither a theory nor a population.
    TheoryError
        For an unknown preset.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise OptionError(f"n={n!r} is not a number of rows. Give a whole number of at least 1.")
    if isinstance(source, Population):
        population = source
    elif isinstance(source, Theory):
        population = source.population(preset)
    else:
        raise OptionError(f"simulate() needs a Theory or a Population, not {type(source).__name__!r}. Build one with `ts.Population(model, values)`.")
    if isinstance(seed, np.random.Generator):
        rng = seed
    elif isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0:
        rng = np.random.default_rng(int(seed))
    else:
        raise OptionError(f"seed={seed!r} cannot seed a generator. Give a whole number of at least 0, or a numpy Generator.")
    if generator is not None and not callable(getattr(generator, "draw", None)):
        raise OptionError(f"generator= has no method draw(): {generator!r}. Give a generator such as `ts.Gaussian()`.")
    return (Gaussian() if generator is None else generator).draw(population, int(n), rng)
