"""A simulation study as a value: what is drawn, how it is analysed, how often, and from which seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from trustsem.errors import OptionError, closest
from trustsem.fitting.measures import MEASURE_NAMES
from trustsem.options import check_count, choose
from trustsem.simulators import Generator, chain, find
from trustsem.studies.conditions import Condition, canonical, expand, line_feeds
from trustsem.studies.entries import study_entry
from trustsem.studies.source import Source, TheorySource, source_of
from trustsem.theory import Theory

__all__ = ["Analysis", "Study"]

MEASURES = ("chisq", "df", "pvalue", "cfi", "tli", "rmsea", "srmr")
_MOST = 100_000_000  # rows of a data set, and replications: more are slips of the keyboard
FUNCTIONS = ("sem", "cfa", "growth", "lavaan")
Conditions = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, init=False)
class Analysis:
    """What is done with every data set: a model and how it is fitted.

    Parameters
    ----------
    model : str or Theory, optional
        lavaan syntax; the model of the population if left out (of all waves, for a panel).
    function : {"sem", "cfa", "growth", "lavaan"}
        Whose defaults to apply.
    standardized : bool
        Keep standardized estimates and standard errors instead of plain ones.
    small_sample : bool
        Keep the p-values of the corrections of Bartlett, Swain and Yuan (maximum likelihood, one group).
    measures : tuple of str
        Fit measures to keep, under the names of :meth:`Fit.fit_measures`; those that the estimator does not have are NaN.
    options : mapping, optional
        As for :func:`trustsem.sem`, also as arguments of their own: ``Analysis(estimator="MLR", missing="fiml", cluster="team")``.
    **more
        Further options of the fit.
    """

    model: Any = None
    function: str = "sem"
    standardized: bool = False
    small_sample: bool = False
    measures: tuple[str, ...] = MEASURES
    options: Mapping[str, Any] = field(default_factory=dict)

    def __init__(
        self,
        model: Any = None,
        *,
        function: str = "sem",
        standardized: bool = False,
        small_sample: bool = False,
        measures: str | Sequence[str] = MEASURES,
        options: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        given = {"model": model, "function": function, "standardized": standardized, "small_sample": small_sample, "measures": measures}
        for name, value in (given | {"options": {**(options or {}), **more}}).items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        if isinstance(self.model, Theory):
            object.__setattr__(self, "model", self.model.syntax())
        elif not isinstance(self.model, str | None):
            raise OptionError(f"model= of an analysis must be model text or a Theory, not {type(self.model).__name__!r}.")
        elif self.model is not None:
            object.__setattr__(self, "model", line_feeds(self.model))
        object.__setattr__(self, "function", choose("function", self.function, FUNCTIONS))
        for name in ("standardized", "small_sample"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(f"{name}={getattr(self, name)!r} of an analysis is neither true nor false. Give one of them.")
        given: Any = self.measures
        measures = (given,) if isinstance(given, str) else given
        if not isinstance(measures, Sequence) or not all(isinstance(name, str) for name in measures):
            raise OptionError(f"measures={measures!r} of an analysis are no names of fit measures. Give a list such as ['chisq', 'cfi'].")
        for name in measures:
            if name not in MEASURE_NAMES:
                raise OptionError(f"measures= names {name!r}, which is no fit measure.{closest(name, MEASURE_NAMES)}")
        object.__setattr__(self, "measures", tuple(measures))
        for name in ("group_label", "start", "sample_cov", "sample_nobs", "engine"):
            if name in self.options:
                raise OptionError(f"options= of an analysis cannot hold {name!r}: the data of every replication are new. Leave it out.")


@dataclass(frozen=True)
class Study:
    """The complete description of a simulation study. Running it changes nothing in it.

    Parameters
    ----------
    population : Theory, Population or Source
        What the data are drawn from.
    analyses : mapping of str to Analysis, optional
        By name; one with the defaults, called ``"ML"``, if left out.
    conditions : mapping of str to list, or list of mappings, optional
        Factors with their levels, which are crossed, or the cells themselves. Factors are ``"n"``, what the population knows (``"preset"``,
        ``"Trust -> Outcomes"``, ``"loading: Trust"`` for a theory, names of parameters for a model) and options of the generator
        (``"Missing.rate"``, or ``"rate"`` alone where only one generator of the chain has it).
    replications : int
        Of each condition.
    seed : int
        Replication r of a condition has a stream of random numbers of its own, made of the seed, the condition and r.
    n : int
        Number of rows where conditions do not vary it.
    generator : Generator, optional
        Multivariate normal by default.
    preset : str
        Of a theory.
    name, description : str
        For people.

    Raises
    ------
    OptionError
        For anything that cannot be run.
    """

    population: Any
    analyses: Mapping[str, Analysis] = field(default_factory=lambda: {"ML": Analysis()})
    conditions: Conditions = field(default_factory=dict)
    replications: int = 1000
    seed: int = 1
    n: int = 400
    generator: Generator = field(default_factory=lambda: find("Gaussian")())
    preset: str = "calibrated"
    name: str = "study"
    description: str = ""

    def __post_init__(self) -> None:
        check_count("replications", self.replications, 1)
        if self.replications > _MOST:
            raise OptionError(f"replications={self.replications} would never end. Give at most {_MOST:,}.")
        check_count("seed", self.seed, 0)
        check_count("n", self.n, 1)
        for name in ("name", "description"):
            if not isinstance(getattr(self, name), str):
                raise OptionError(f"{name}={getattr(self, name)!r} is no text. Put it between quotes.")
            object.__setattr__(self, name, line_feeds(getattr(self, name)))
        object.__setattr__(self, "population", source_of(self.population, self.preset))
        if not isinstance(self.generator, Generator):
            raise OptionError(f"generator={self.generator!r} is not a generator. Give one such as `ts.Gaussian()`.")
        if isinstance(self.population, TheorySource):
            object.__setattr__(self, "preset", self.population.preset)
        if isinstance(self.analyses, Analysis):
            object.__setattr__(self, "analyses", {self.analyses.options.get("estimator", "ML"): self.analyses})
        if not isinstance(self.analyses, Mapping) or not self.analyses:
            raise OptionError("analyses= must be a mapping of names to Analysis, with at least one. Write `analyses={'ML': ts.Analysis()}`.")
        for name, analysis in self.analyses.items():
            if not isinstance(name, str) or not isinstance(analysis, Analysis):
                raise OptionError(f"analyses= holds {name!r}: {analysis!r}. Give a name and an Analysis, as in `{{'ML': ts.Analysis()}}`.")
        object.__setattr__(self, "conditions", _copied(self.conditions))
        for condition in self.cells:
            n = condition.settings.get("n", self.n)
            check_count("n", n, 1)
            if n > _MOST:
                raise OptionError(f"n={n} rows do not fit into memory. Give at most {_MOST:,}.")

    @property
    def source(self) -> Source:
        """Where the populations come from."""
        source: Source = self.population
        return source

    @cached_property
    def cells(self) -> tuple[Condition, ...]:
        """The conditions, in order."""
        full = {name: ".".join(place) for name, place in self.options().items()}
        return expand(self.conditions, self.factors(), full)

    def factors(self) -> tuple[str, ...]:
        """Return the names of everything that a condition may vary."""
        return ("n", *self.source.factors(), *self.options())

    def options(self) -> dict[str, tuple[str, str]]:
        """Return the options of the generators: (class, option) by the names under which conditions may vary them."""
        found: dict[str, tuple[str, str]] = {}
        short: dict[str, list[tuple[str, str]]] = {}
        for generator in chain(self.generator):
            kind = type(generator).__name__
            for option in fields(generator):  # type: ignore[arg-type]
                if option.name != "inner":
                    found[f"{kind}.{option.name}"] = (kind, option.name)
                    short.setdefault(option.name, []).append((kind, option.name))
        return found | {name: places[0] for name, places in short.items() if len(places) == 1}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of everything in the study that matters for its results; name and description do not."""
        entry = {name: value for name, value in self.entry().items() if name not in ("name", "description")}
        return hashlib.sha256(canonical(entry).encode()).hexdigest()

    def entry(self) -> dict[str, Any]:
        """Return the study as plain values, as they stand in a study file."""
        return study_entry(self)

    def __repr__(self) -> str:
        analyses = ", ".join(self.analyses)
        return f"<Study {self.name!r}: {len(self.cells)} conditions x {self.replications} replications, analyses {analyses}, seed {self.seed}>"


def _copied(conditions: Conditions) -> Conditions:
    if isinstance(conditions, Mapping):
        return {name: list(levels) if isinstance(levels, Sequence) and not isinstance(levels, str) else levels for name, levels in conditions.items()}
    if isinstance(conditions, list | tuple) and all(isinstance(cell, Mapping) for cell in conditions):
        return [dict(cell) for cell in conditions]
    raise OptionError(f"conditions={conditions!r} is neither factors with levels nor a list of conditions. Write `conditions={{'n': [200, 400]}}`.")
