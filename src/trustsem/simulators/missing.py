"""Item non-response: single values that are missing completely at random, at random, or not at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trustsem.errors import DataError, OptionError
from trustsem.kernels.structure import Reals
from trustsem.model.population import Population
from trustsem.options import choose
from trustsem.populations.holes import composite, probit_chances, standard_scores
from trustsem.populations.per_item import check_items, check_number, each_number, for_items, name_tuple, plain
from trustsem.simulators import Generator, Rows, Sampler, WrappedSampler, Wrapper

__all__ = ["Missing"]


@dataclass(frozen=True)
class Missing(Wrapper):
    """Single values are missing; a row may lose all of its values, and is kept.

    Parameters
    ----------
    inner : Generator
    rate : float or mapping of str to float
        Share of the values (of those that are there) that become missing, at least 0 and below 1; a mapping gives the columns too.
    mechanism : {"MCAR", "MAR", "MNAR"}
        Whether a value is missing depends on nothing, on the columns `on`, or on the value itself (Rubin 1976, Biometrika 63, 581-592).
    on : tuple of str
        Columns that missingness depends on under MAR: observed variables, or numeric columns that the inner generator adds, such as an arm.
        They never get holes of this generator, whatever the mechanism, so that mechanisms can be compared.
    strength : float
        Slope of the probit: P(missing) = Phi(a + strength z), where z is the standardized mean of the standardized `on` columns (MAR) or the
        standardized value itself (MNAR), within the sample. Positive: high values are missing more often; negative: low ones. The intercept a is
        solved in every sample, so that the expected share is exactly `rate`. A column that is constant in a sample contributes nothing.
    columns : tuple of str, optional
        Which observed variables get holes; by default all but `on`.

    Notes
    -----
    Given z, holes are independent of one another and (MCAR, MAR) of the values. Values are drawn before holes, so a seed gives the same values
    with and without this generator. `moments` of the sampler are those of the complete columns.

    Raises
    ------
    OptionError
        For options that are not possible, and, when prepared, for columns that are not there.
    DataError
        When rows are drawn, if a column of `on` is not there, is not numeric, or has holes itself: then the mechanism would not be MAR.
    """

    kind = "holes"

    inner: Generator
    rate: float | Mapping[str, float] = 0.1
    mechanism: str = "MCAR"
    on: tuple[str, ...] = ()
    strength: float = 1.0
    columns: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        self.check_inner()
        object.__setattr__(self, "rate", plain(self.rate))
        object.__setattr__(self, "strength", plain(self.strength))
        object.__setattr__(self, "on", name_tuple("on", self.on))
        if self.columns is not None:
            object.__setattr__(self, "columns", name_tuple("columns", self.columns))
        object.__setattr__(self, "mechanism", choose("mechanism", self.mechanism, ("mcar", "mar", "mnar")).upper())
        each_number("rate", self.rate, "a number of at least 0 and below 1, such as 0.1", 0.0, 1.0)
        check_number("strength", self.strength, "a finite number; negative if low values are missing more often")
        if self.mechanism == "MAR" and not self.on:
            raise OptionError("mechanism='MAR' needs on=: the columns that missingness depends on. Name one or more, such as on=('x1',).")
        spared = [name for name in (self.columns or ()) if name in self.on]
        spared += [name for name in self.on if isinstance(self.rate, Mapping) and name in self.rate]
        if spared:
            raise OptionError(f"Column {spared[0]!r} cannot both be in on= and get holes. Take it out of on=, or out of columns= and rate=.")
        if isinstance(self.rate, Mapping) and self.columns is not None:
            check_items("columns", self.columns, self.rate)
            check_items("rate", self.rate, self.columns)

    def prepare(self, population: Population) -> MissingSampler:
        """Return the sampler for `population`."""
        inner = self.inner.prepare(population)
        names = (inner.moments or inner.population or population).names
        wanted = self.columns
        if wanted is None:
            wanted = tuple(self.rate) if isinstance(self.rate, Mapping) else tuple(name for name in names if name not in self.on)
        check_items("rate" if self.columns is None else "columns", wanted, names)
        rates = for_items(self.rate, wanted)
        return MissingSampler(
            inner,
            np.array([names.index(name) for name in wanted], dtype=np.intp),
            np.array([rates[name] for name in wanted], dtype=float),
            self.mechanism,
            self.on,
            self.strength,
        )


@dataclass(frozen=True, eq=False)
class MissingSampler(WrappedSampler):
    """Draws rows and then holes.

    Attributes
    ----------
    inner : Sampler
    at : (q,) int
        Places of the columns that get holes.
    rates : (q,) float
    mechanism, on, strength
        As in `Missing`.
    """

    inner: Sampler
    at: np.ndarray
    rates: Reals
    mechanism: str
    on: tuple[str, ...]
    strength: float

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` rows with holes.

        Raises
        ------
        DataError
            If a column of `on` is not there, is not numeric, or has holes.
        """
        rows = self.inner.rows(n, rng)
        chosen = rows.values[:, self.at]
        chances = self._chances(rows, chosen)
        values = rows.values.copy()
        values[:, self.at] = np.where(rng.random(chosen.shape) < chances, np.nan, chosen)
        return Rows(rows.names, values, rows.extra)

    def _chances(self, rows: Rows, chosen: Reals) -> Reals:
        """Return the probabilities of holes, of a shape that broadcasts with `chosen`."""
        if self.mechanism == "MCAR":
            return self.rates
        if self.mechanism == "MNAR":
            return probit_chances(standard_scores(chosen), self.rates, self.strength)
        return probit_chances(composite(self._causes(rows))[:, None], self.rates, self.strength)

    def _causes(self, rows: Rows) -> Reals:
        """Return the columns `on` (n, q)."""
        causes = np.empty((len(rows.values), len(self.on)))
        for place, name in enumerate(self.on):
            column = rows.values[:, rows.names.index(name)] if name in rows.names else rows.extra.get(name)
            if column is None or column.dtype.kind not in "biuf":
                there = ", ".join([*rows.names, *rows.extra][:12])
                fault = "is not there" if column is None else "is not numeric"
                raise DataError(f"Column {name!r} of on= {fault}. Name numeric columns that the inner generator draws: {there}.")
            causes[:, place] = column
            if np.isnan(causes[:, place]).any():
                raise DataError(f"Column {name!r} of on= has holes itself, so values would not be missing at random. Name complete columns in on=.")
        return causes
