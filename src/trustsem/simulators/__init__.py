"""What data would look like: one file per generator, nothing else in the folder.

A generator is a frozen record of options with a method ``draw(population, n, rng)``. Adding one is adding a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from trustsem.model.population import Population

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Generator"]


class Generator(Protocol):
    """Draws observations from a population."""

    def draw(self, population: Population, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """Return `n` rows with the population's observed variables as columns."""
        ...
