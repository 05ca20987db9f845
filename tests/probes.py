"""Small populations and generators that tests put inside other generators."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trustsem.model.population import Moments, Population
from trustsem.simulators import Generator, Rows, Sampler, Wrapper


def one_factor(names: str | list[str], loading: float = 0.7, mean: float = 0.0, sd: float = 1.0) -> Population:
    """A population of items of equal loadings (on unit variance), means and sds."""
    items = names.split() if isinstance(names, str) else names
    text = "factor =~ " + " + ".join(f"NA*{item}" for item in items) + "\nfactor ~~ 1*factor\n" + "\n".join(f"{item} ~ 1" for item in items)
    values = {f"factor=~{item}": loading * sd for item in items} | {f"{item}~~{item}": (1.0 - loading**2) * sd**2 for item in items}
    return Population(text, values | {f"{item}~1": mean for item in items})


@dataclass(frozen=True, eq=False)
class ProbeSampler:
    inner: Sampler
    probe: Probe
    metric: bool = True

    @property
    def population(self) -> Population | None:
        return self.inner.population

    @property
    def moments(self) -> Moments | None:
        return self.inner.moments if self.probe.exact else None

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        rows = self.inner.rows(n, rng)
        values = rows.values.copy()
        if self.probe.squared:
            values = values**2
        for name in self.probe.holes:
            values[::7, rows.names.index(name)] = np.nan
        for name, value in self.probe.constant.items():
            values[:, rows.names.index(name)] = value
        return Rows(rows.names, values, {**rows.extra, **{name: np.resize(column, n) for name, column in self.probe.extra.items()}})


@dataclass(frozen=True)
class Probe(Wrapper):
    """Changes rows in plain ways: squares, holes in every seventh row, constant columns, columns that repeat some values."""

    kind = "trial"

    inner: Generator
    exact: bool = True
    squared: bool = False
    holes: tuple[str, ...] = ()
    constant: dict[str, float] = field(default_factory=dict)
    extra: dict[str, list[object]] = field(default_factory=dict)

    def prepare(self, population: Population) -> ProbeSampler:
        return ProbeSampler(self.inner.prepare(population), self)


@dataclass(frozen=True)
class TeamProbe(Probe):
    """The same, of the kind that leaves normal columns normal."""

    kind = "clusters"
