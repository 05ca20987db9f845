"""What data would look like: one file per generator, nothing else in the folder.

A generator is a frozen record of options. It is *prepared* for a population once, which does all that does not depend on chance, and the sampler
that results draws rows as often as you like. Generators wrap one another: ``Missing(Likert(Clustered(Gaussian())))``. Adding one is adding a file.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from trustsem.errors import OptionError, closest
from trustsem.kernels.structure import Reals
from trustsem.model.population import Moments, Population
from trustsem.theory import Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Generator",
    "Rows",
    "Sampler",
    "WrappedSampler",
    "Wrapper",
    "available",
    "chain",
    "find",
    "pooled_moments",
    "populations_of",
    "simulate",
    "with_options",
]

KINDS = ("distribution", "clusters", "trial", "population", "response", "holes")


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows as they were drawn.

    Attributes
    ----------
    names : tuple of str
        The p observed variables.
    values : (n, p) float
        NaN where a value is missing.
    extra : mapping of str to array (n,)
        Further columns: teams, arms, groups.
    """

    names: tuple[str, ...]
    values: Reals
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    def columns(self) -> dict[str, np.ndarray]:
        """Return all columns by name, those of `extra` last."""
        return {name: self.values[:, at] for at, name in enumerate(self.names)} | dict(self.extra)

    def frame(self) -> pd.DataFrame:
        """Return the rows as a data frame, the columns of `extra` last."""
        import pandas as pd

        frame = pd.DataFrame(self.values, columns=list(self.names))
        return frame.assign(**self.extra) if self.extra else frame


class Sampler(Protocol):
    """A generator prepared for one population."""

    @property
    def population(self) -> Population | None:
        """The population whose parameters the data are about: estimands are read from it; None where only moments were given."""
        ...

    @property
    def moments(self) -> Moments | None:
        """Exact moments of the columns in the population; None where there is no closed form."""
        ...

    @property
    def metric(self) -> bool:
        """Whether the columns are in the units of the population; if not, only standardized parameters are comparable."""
        ...

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` rows."""
        ...


class WrappedSampler:
    """The sampler of a wrapper, which says of itself what the sampler inside says, unless it knows better."""

    inner: Sampler

    @property
    def population(self) -> Population | None:
        """The population of the inner sampler."""
        return self.inner.population

    @property
    def moments(self) -> Moments | None:
        """The moments of the inner sampler (before there were holes)."""
        return self.inner.moments

    @property
    def metric(self) -> bool:
        """Whether the inner sampler's columns are in the units of the population."""
        return self.inner.metric


class Generator(ABC):
    """Draws observations from a population; holds options only.

    Attributes
    ----------
    kind : str
        What it does, one of `KINDS`: which wrappers may stand around it depends on that.
    """

    kind: ClassVar[str]

    @abstractmethod
    def prepare(self, population: Population) -> Sampler:
        """Return the sampler for `population`: everything that does not depend on chance is done here."""

    def draw(self, population: Population, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """Return `n` rows: the population's observed variables in their order, and then what the generator adds."""
        return self.prepare(population).rows(n, rng).frame()

    def syntax(self, population: Population) -> str | None:
        """Return the model of the rows as text, where the generator gives them other names (waves); None where it is that of the population."""
        return None


class Wrapper(Generator):
    """A generator that changes what another one draws, or the population that it draws from.

    Attributes
    ----------
    inner : Generator
        What is wrapped; the first option of every wrapper.
    wraps : tuple of str
        Kinds that it can be put around.
    """

    wraps: ClassVar[tuple[str, ...]] = KINDS
    inner: Generator

    def syntax(self, population: Population) -> str | None:
        """Return that of the inner generator."""
        return self.inner.syntax(population)

    def check_inner(self) -> None:
        """Refuse what cannot be wrapped.

        Raises
        ------
        OptionError
        """
        own = type(self).__name__
        if not isinstance(self.inner, Generator):
            raise OptionError(f"{own} wraps a generator, not {self.inner!r}. Write, for example, `{own}(Gaussian())`.")
        for inner in chain(self.inner):
            if inner.kind not in self.wraps:
                name = type(inner).__name__
                remedy = "Use one of them." if name == own else f"Put {name} around {own}: `{name}({own}(...))`."
                raise OptionError(f"{own} cannot be put around {name}. {remedy}")


def chain(generator: Generator) -> Iterator[Generator]:
    """Yield `generator` and what it wraps, from the outside in."""
    yield generator
    if isinstance(generator, Wrapper):
        yield from chain(generator.inner)


def populations_of(sampler: Sampler) -> Mapping[str, Population] | None:
    """Return the populations of the groups that a sampler draws from, by label; None if there is one for all rows."""
    one: Any = sampler
    while one is not None:
        if getattr(one, "populations", None):
            found: Mapping[str, Population] = one.populations
            return found
        one = getattr(one, "inner", None)
    return None


def pooled_moments(sampler: Sampler) -> Moments | None:
    """Return means and covariances of all rows together, also of a mixture of groups, which is not normal; None if they are not known."""
    return sampler.moments or getattr(sampler, "pooled", None)


def available() -> dict[str, type[Generator]]:
    """Return every generator by the name of its class."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return {
        name: thing
        for module in modules
        for name, thing in vars(module).items()
        if isinstance(thing, type) and issubclass(thing, Generator) and thing.__module__ == module.__name__
    }


def find(name: str) -> type[Generator]:
    """Return the generator whose class is called `name`.

    Raises
    ------
    OptionError
        If there is none.
    """
    known = available()
    if name not in known:
        raise OptionError(f"There is no generator {name!r}.{closest(str(name), known)} There are {', '.join(sorted(known))}.")
    return known[name]


def with_options(generator: Generator, changes: Mapping[str, Mapping[str, Any]]) -> Generator:
    """Return `generator` with other options: ``{"Missing": {"rate": 0.2}}`` changes the one called Missing, wherever it stands.

    Raises
    ------
    OptionError
        For a generator that is not in the chain, an option that it does not have, or a value that it refuses.
    """
    names = [type(one).__name__ for one in chain(generator)]
    for name in changes:
        if name not in names:
            raise OptionError(f"The generator has no {name!r}: it is {' around '.join(names)}.{closest(name, names)}")
    own = dict(changes.get(type(generator).__name__, {}))
    options = [option.name for option in dataclasses.fields(generator)]  # type: ignore[arg-type]
    for option in own:
        if option not in options:
            raise OptionError(f"{type(generator).__name__} has no option {option!r}.{closest(option, options)} It has {', '.join(options)}.")
    if isinstance(generator, Wrapper):
        own["inner"] = with_options(generator.inner, {name: changes[name] for name in changes if name != type(generator).__name__})
    return dataclasses.replace(generator, **own)  # type: ignore[type-var]


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
        One column per observed variable, and after them the columns that the generator adds (team, arm, group).

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
    if generator is None:
        generator = find("Gaussian")()
    if not callable(getattr(generator, "draw", None)):
        raise OptionError(f"generator= has no method draw(): {generator!r}. Give a generator such as `ts.Gaussian()`.")
    return generator.draw(population, int(n), rng)
