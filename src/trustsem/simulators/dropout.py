"""Drop-out from a panel: who leaves at a wave is not seen again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustsem.errors import OptionError, closest
from trustsem.model.population import Population
from trustsem.populations.holes import composite, probit_chances
from trustsem.populations.per_item import check_items, check_number, name_tuple, plain
from trustsem.simulators import Generator, Rows, Sampler, WrappedSampler, Wrapper

__all__ = ["Dropout"]

_WAVE = re.compile(r"(.+)_w(\d+)")
_RATE = "a number of at least 0 and below 1, such as 0.2, or a tuple of one for each wave after the first"


def base(name: str) -> str:
    """Return the name of a column without the wave at its end."""
    match = _WAVE.fullmatch(name)
    return match[1] if match else name


@dataclass(frozen=True)
class Dropout(Wrapper):
    """Monotone drop-out: who leaves at wave w has no values at waves w, w + 1, ...

    Parameters
    ----------
    inner : Generator
    rate : float or tuple of float
        Share of those still there who leave at each wave after the first, for all waves or wave by wave; at least 0 and below 1.
    on : "previous" or tuple of str
        What leaving depends on: columns of the wave before, by their name without the wave, such as ``("t1", "t2")`` for ``t1_w1`` and ``t2_w1`` at
        wave 2. "previous" are all columns of the wave before; ``()`` is leaving at random. Holes that another generator made are passed over; a
        person without any of the columns is taken for average.
    strength : float
        Slope of the probit: P(leave) = Phi(a + strength z), where z is the standardized mean of the standardized columns among those still there.
        Negative: those with low values leave. The intercept a is solved in every sample, so that the expected share is exactly `rate`.
    waves : tuple of tuples of str, optional
        Names of the columns of each wave, in order. By default the columns that end in ``_w1``, ``_w2``, ...; columns without a wave are never lost.

    Notes
    -----
    What leaving depends on has been observed (unless another generator made holes in it), so drop-out is missing at random. Values are drawn before
    drop-out, so a seed gives the same values with and without it. `moments` of the sampler are those of the complete columns.

    Raises
    ------
    OptionError
        For options that are not possible, and, when prepared, if there are no waves or columns that are not there.
    """

    kind = "holes"

    inner: Generator
    rate: float | tuple[float, ...] = 0.2
    on: str | tuple[str, ...] = "previous"
    strength: float = 1.0
    waves: tuple[tuple[str, ...], ...] | None = None

    def __post_init__(self) -> None:
        self.check_inner()
        object.__setattr__(self, "rate", plain(self.rate))
        object.__setattr__(self, "strength", plain(self.strength))
        if self.on != "previous":
            object.__setattr__(self, "on", name_tuple("on", self.on))
        for rate in self.rate if isinstance(self.rate, tuple) else (self.rate,):
            check_number("rate", rate, _RATE, 0.0, 1.0)
        check_number("strength", self.strength, "a finite number; negative if those with low values leave")
        if self.waves is not None:
            object.__setattr__(self, "waves", given_waves(self.waves))

    def prepare(self, population: Population) -> DropoutSampler:
        """Return the sampler for `population`."""
        inner = self.inner.prepare(population)
        names = (inner.moments or inner.population or population).names
        waves = found_waves(names) if self.waves is None else self.waves
        if not waves:
            raise OptionError(
                "Dropout finds no waves: no column ends in '_w1', '_w2', ... Name the columns of each wave in waves=; "
                f"there are {', '.join(names[:8])}."
            )
        for wave in waves:
            check_items("waves", wave, names)
        rates = self.rate if isinstance(self.rate, tuple) else (self.rate,) * (len(waves) - 1)
        if len(rates) != len(waves) - 1:
            raise OptionError(f"rate= has {len(rates)} numbers for {len(waves)} waves. Give one for each wave after the first: {len(waves) - 1}.")
        places = tuple(np.array([names.index(name) for name in wave], dtype=np.intp) for wave in waves)
        return DropoutSampler(inner, places, tuple(self._causes(waves, names)), rates, self.strength)

    def _causes(self, waves: Sequence[Sequence[str]], names: Sequence[str]) -> list[np.ndarray]:
        """Return, for each wave but the last, the places of the columns that leaving at the next one depends on."""
        found = []
        for wave in waves[:-1]:
            if self.on == "previous":
                causes = list(wave)
            else:
                known = {base(name): name for name in wave} | {name: name for name in wave}
                absent = [name for name in self.on if name not in known]
                if absent:
                    hint = closest(absent[0], known)
                    raise OptionError(
                        f"on= names {absent[0]!r}, which the wave of {wave[0]!r} does not have.{hint} It has {', '.join(map(base, wave))}."
                    )
                causes = [known[name] for name in self.on]
            found.append(np.array([names.index(name) for name in causes], dtype=np.intp))
        return found


def given_waves(waves: Any) -> tuple[tuple[str, ...], ...]:
    """Return `waves` as tuples of names.

    Raises
    ------
    OptionError
    """
    if isinstance(waves, str) or not isinstance(waves, Sequence) or not waves or any(not wave for wave in waves):
        raise OptionError(f"waves={waves!r} is not possible. Give a tuple of names for each wave, such as (('t1_w1',), ('t1_w2',)).")
    tuples = tuple(name_tuple("waves", wave) for wave in waves)
    name_tuple("waves", [name for wave in tuples for name in wave])
    return tuples


def found_waves(names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return the columns of each wave, by the number at the end of their names; the waves in the order of their numbers."""
    waves: dict[int, list[str]] = {}
    for name in names:
        match = _WAVE.fullmatch(name)
        if match:
            waves.setdefault(int(match[2]), []).append(name)
    return tuple(tuple(waves[number]) for number in sorted(waves))


@dataclass(frozen=True, eq=False)
class DropoutSampler(WrappedSampler):
    """Draws rows, of which some leave.

    Attributes
    ----------
    inner : Sampler
    waves : tuple of (p_w,) int
        Places of the columns of each wave.
    causes : tuple of (q_w,) int
        For each wave but the last, places of the columns that leaving at the next one depends on.
    rates : tuple of float
        For each wave after the first.
    strength : float
    """

    inner: Sampler
    waves: tuple[np.ndarray, ...]
    causes: tuple[np.ndarray, ...]
    rates: tuple[float, ...]
    strength: float

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` rows."""
        rows = self.inner.rows(n, rng)
        values = rows.values.copy()
        here = np.arange(n)
        for number, (causes, rate) in enumerate(zip(self.causes, self.rates, strict=True), start=1):
            # Without causes the composite is 0 for everybody: leaving at random.
            z = composite(rows.values[np.ix_(here, causes)])
            leaves = rng.random(len(here)) < probit_chances(z[:, None], np.array([rate]), self.strength)[:, 0]
            gone = here[leaves]
            for wave in self.waves[number:]:
                values[np.ix_(gone, wave)] = np.nan
            here = here[~leaves]
        return Rows(rows.names, values, rows.extra)
