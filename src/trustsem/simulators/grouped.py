"""Several groups of people, each with a population of its own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from trustsem.errors import OptionError
from trustsem.kernels.structure import Integers, Reals
from trustsem.model.population import Moments, Population
from trustsem.options import check_flag
from trustsem.populations.altering import alter
from trustsem.populations.coefficients import items_of, read_coefficients, read_number
from trustsem.populations.per_item import check_items, plain
from trustsem.simulators import Generator, Rows, Sampler, Wrapper, chain, pooled_moments

__all__ = ["Grouped"]

Values = Mapping[str, Mapping[str, float]]
_ROUNDING = 1e-9


def _halves() -> dict[str, float]:
    return {"a": 0.5, "b": 0.5}


@dataclass(frozen=True)
class Grouped(Wrapper):
    """Rows of several groups, such as practitioners and community members, that differ in what is said here and are alike otherwise.

    The population of a group is the one given with some standardized coefficients set to other values, every total variance held (see
    :func:`trustsem.populations.altering.alter`).

    Parameters
    ----------
    inner : Generator
        Draws the rows of every group, from its own population.
    shares : mapping of str to float
        Share of the rows that each group has; they add up to 1. The first group is the one that `population` of the sampler is about.
    paths : mapping of str to mapping
        Standardized paths by group, such as ``{"b": {"Trust -> Motivation": 0.2}}``.
    means : mapping of str to mapping
        How far means move, in standard deviations, such as ``{"b": {"Trust": -0.3}}``; what a variable causes moves with it.
    loadings : mapping of str to mapping
        Standardized loadings by group, such as ``{"b": {"Trust=~t2": 0.4}}``: measurement that is not invariant.
    group : str
        Name of the added column.
    random : bool
        Draw the group of every row, so that the numbers vary from sample to sample; otherwise they are the shares of n, rounded such that they
        add up.

    Raises
    ------
    OptionError
        For options that are not possible, also in :meth:`prepare`, and for names that the population does not have.
    ModelError
        In :meth:`prepare`, if coefficients leave no residual variance to a variable.

    Notes
    -----
    Rows are sorted by group. Numbers of teams and of organisations go on from group to group: nobody's team is another group's. Answers are made
    outside (``Likert(Grouped(...))``), with the same thresholds for all: inside, differences between means would vanish.

    The sampler's `moments` are None where groups differ, because a mixture of normal distributions is not normal; `pooled` are the exact means and
    covariances of the mixture.
    """

    kind = "population"
    wraps = ("distribution", "clusters", "trial", "population", "holes")

    inner: Generator
    shares: Mapping[str, float] = field(default_factory=_halves)
    paths: Values = field(default_factory=dict)
    means: Values = field(default_factory=dict)
    loadings: Values = field(default_factory=dict)
    group: str = "group"
    random: bool = False

    def __post_init__(self) -> None:
        self.check_inner()
        for name in ("shares", "paths", "means", "loadings"):
            object.__setattr__(self, name, plain(getattr(self, name)))
        _check_shares(self.shares)
        for option in ("paths", "means", "loadings"):
            for label, given in items_of(option, getattr(self, option)):
                check_items(option, (label,), self.shares)
                if not isinstance(given, Mapping):
                    raise OptionError(f"{option}= gives the group {label!r} {given!r}. Give a mapping of names to numbers.")
                if option == "means":
                    for name, value in given.items():
                        read_number(option, name, value)
                else:
                    read_coefficients(option, given)
        if not isinstance(self.group, str) or not self.group.isidentifier():
            raise OptionError(f"group={self.group!r} cannot be a column. Give a name such as 'group'.")
        for inner in chain(self.inner):
            if isinstance(inner, Grouped) and inner.group == self.group:
                raise OptionError(f"group={self.group!r} is the column of two Grouped generators. Give them different names.")
        check_flag("random", self.random)

    def prepare(self, population: Population) -> GroupedSampler:
        """Return the sampler for `population`."""
        if self.group in population.compiled.blocks[0].variables:
            raise OptionError(f"The population has a variable {self.group!r}. Give another name in group=.")
        populations = {
            label: alter(population, paths=self.paths.get(label), means=self.means.get(label), loadings=self.loadings.get(label))
            for label in self.shares
        }
        samplers = tuple(self.inner.prepare(own) for own in populations.values())
        counted = tuple(name for inner in chain(self.inner) if inner.kind == "clusters" for name in _texts(inner))
        shares = np.array(list(self.shares.values()), dtype=float)
        drawn = {label: sampler.population or populations[label] for label, sampler in zip(populations, samplers, strict=True)}
        return GroupedSampler(drawn, samplers, shares / shares.sum(), self.group, self.random, counted)


@dataclass(frozen=True, eq=False)
class GroupedSampler:
    """Draws rows group by group.

    Attributes
    ----------
    populations : mapping of str to Population
        By the label of the group.
    samplers : tuple of Sampler
        One for each group.
    shares : (G,) float
    group : str
        Name of the added column.
    random : bool
    counted : tuple of str
        Columns that number teams or organisations.
    """

    populations: Mapping[str, Population]
    samplers: tuple[Sampler, ...]
    shares: Reals
    group: str
    random: bool
    counted: tuple[str, ...]

    @property
    def population(self) -> Population:
        """The population of the first group; for the others see `populations`."""
        return next(iter(self.populations.values()))

    @property
    def moments(self) -> Moments | None:
        """Exact moments of the columns, if they are the same in all groups and known; else None."""
        first, *others = [sampler.moments for sampler in self.samplers]
        if first is None:
            return None
        alike = all(
            own is not None and own.names == first.names and np.array_equal(own.mean, first.mean) and np.array_equal(own.cov, first.cov)
            for own in others
        )
        return first if alike else None

    @cached_property
    def pooled(self) -> Moments | None:
        """Exact means and covariances of all groups together, if those of each are known."""
        return _mixture(self.samplers, self.shares)

    @property
    def metric(self) -> bool:
        """Whether columns are in the units of the population."""
        return all(sampler.metric for sampler in self.samplers)

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` rows, sorted by group."""
        counts = rng.multinomial(n, self.shares) if self.random else _rounded(n, self.shares)
        parts = [sampler.rows(int(count), rng) for sampler, count in zip(self.samplers, counts, strict=True) if count]
        names = parts[0].names
        values = [part.values if part.names == names else part.values[:, [part.names.index(name) for name in names]] for part in parts]
        extra = {name: self._joined(name, [part.extra[name] for part in parts]) for name in parts[0].extra}
        return Rows(names, np.concatenate(values), {**extra, self.group: np.repeat(np.array(list(self.populations)), counts)})

    def _joined(self, name: str, columns: list[np.ndarray]) -> np.ndarray:
        """Return a column of all groups; numbers of teams go on where those of the group before ended."""
        if name in self.counted:
            last = 0
            for k, column in enumerate(columns):
                columns[k] = column + last
                last = int(columns[k].max())
        return np.concatenate(columns)


def _check_shares(shares: object) -> None:
    usable = isinstance(shares, Mapping) and len(shares) > 0 and all(isinstance(label, str) and label for label in shares)
    if not isinstance(shares, Mapping) or not usable:
        raise OptionError(f"shares={shares!r} does not name groups. Give shares by label, such as {{'practitioner': 0.4, 'member': 0.6}}.")
    numbers = [read_number("shares", label, value) for label, value in shares.items()]
    if min(numbers) <= 0.0 or not math.isclose(sum(numbers), 1.0, abs_tol=_ROUNDING):
        raise OptionError(f"shares={shares!r} are no shares: they add up to {sum(numbers):g}. Give positive numbers that add up to 1.")


def _texts(generator: Generator) -> list[str]:
    """Return the options of a generator that are text: of one that makes clusters, the names of its columns."""
    values = [getattr(generator, option.name) for option in dataclasses.fields(generator)]  # type: ignore[arg-type]
    return [value for value in values if isinstance(value, str)]


def _rounded(n: int, shares: Reals) -> Integers:
    """Return whole numbers that add up to `n`, the largest remainders rounded up."""
    exact = n * shares
    counts = np.floor(exact + _ROUNDING).astype(np.int64)
    largest = np.argsort(counts - exact, kind="stable")
    counts[largest[: n - int(counts.sum())]] += 1
    return counts


def _mixture(samplers: tuple[Sampler, ...], shares: Reals) -> Moments | None:
    """Return the moments of all groups together, if each has them."""
    own = [pooled_moments(sampler) for sampler in samplers]
    names = own[0].names if own[0] is not None else ()
    means, seconds = [], []
    for moments in own:
        if moments is None or set(moments.names) != set(names):
            return None
        order = [moments.names.index(name) for name in names]
        means.append(moments.mean[order])
        seconds.append(moments.cov[np.ix_(order, order)] + np.outer(means[-1], means[-1]))
    mean = np.tensordot(shares, np.array(means), 1)
    return Moments(names, mean, np.tensordot(shares, np.array(seconds), 1) - np.outer(mean, mean))
