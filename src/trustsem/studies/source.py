"""Where the populations of a study come from: a theory with a preset, or a model with values; described so that it can be written to a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from trustsem.errors import OptionError, TrustsemError, closest
from trustsem.model.population import Population
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for
from trustsem.spec.export import to_lavaan
from trustsem.spec.table import ParameterTable
from trustsem.studies.conditions import line_feeds
from trustsem.theory import Theory, load_theory, parse_theory, theories
from trustsem.theory.rivals import repeat_step
from trustsem.theory.types import Step

__all__ = ["ModelSource", "Source", "TheorySource", "read_source", "source_of"]

ARROW = "->"


@dataclass(frozen=True)
class TheorySource:
    """The population that a theory has under one of its presets.

    Attributes
    ----------
    definition : str
        Name of a theory that comes with the package, or the text of a theory file.
    steps : tuple of Step
        What was changed of it.
    preset : str
    paths, loadings : mapping of str to float
        Standardized values that replace those of the preset.
    """

    definition: str
    steps: tuple[Step, ...] = ()
    preset: str = "calibrated"
    paths: Mapping[str, float] = field(default_factory=dict)
    loadings: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "definition", line_feeds(self.definition))

    @cached_property
    def theory(self) -> Theory:
        """The theory."""
        if self.definition not in theories() and "\n" not in self.definition.strip():
            raise OptionError(
                f"There is no theory {self.definition!r}.{closest(self.definition, theories())} Built in are {', '.join(theories())}; "
                "for another, put the text of its file here between triple quotes."
            )
        theory = load_theory(self.definition) if self.definition in theories() else parse_theory(self.definition, "the theory of the study")
        for step in self.steps:
            try:
                theory = repeat_step(theory, step)
            except (TypeError, ValueError, AttributeError) as error:  # arguments of another number or kind than the change has
                if isinstance(error, TrustsemError):
                    raise
                raise OptionError(
                    f"The step {[step.kind, *_plain(step.arguments)]!r} of [population] is not possible ({error}). "
                    "A step is the name of a change, then its arguments, such as ['drop', 'Resilience']."
                ) from error
        return theory

    @property
    def syntax(self) -> str:
        """The theory as model text."""
        return self.theory.syntax()

    @property
    def function(self) -> str:
        """Whose defaults :attr:`syntax` is read with."""
        return "sem"

    def factors(self) -> tuple[str, ...]:
        """Return what a condition may change: the preset, and paths and loadings by name."""
        arrows = [claim.path for claim in self.theory.claims]
        return ("preset", *arrows, *(f"loading: {node.name}" for node in self.theory.nodes if not node.observed))

    def population(self, changes: Mapping[str, Any]) -> Population:
        """Return the population with `changes`, which are among :meth:`factors`."""
        preset = changes.get("preset", self.preset)
        if not isinstance(preset, str):
            raise OptionError(f"preset={preset!r} is no preset. Give the name of one as text, such as 'calibrated'.")
        for name, value in changes.items():
            if name != "preset" and not _is_number(value):
                raise OptionError(f"conditions= gives {name!r} the level {value!r}. Give a standardized value, such as 0.3.")
        paths = {**self.paths, **{name: value for name, value in changes.items() if ARROW in name}}
        loadings = {**self.loadings, **{name.removeprefix("loading: "): value for name, value in changes.items() if name.startswith("loading: ")}}
        return self.theory.population(preset, paths=paths, loadings=loadings)

    def entry(self) -> dict[str, Any]:
        """Return the source as a table of a study file."""
        entry: dict[str, Any] = {"theory": self.definition, "preset": self.preset}
        if self.steps:
            entry["steps"] = [[step.kind, *_plain(step.arguments)] for step in self.steps]
        for name in ("paths", "loadings"):
            if getattr(self, name):
                entry[name] = dict(getattr(self, name))
        return entry


@dataclass(frozen=True)
class ModelSource:
    """A model in lavaan syntax with the values of its free parameters.

    Attributes
    ----------
    model : str
    values : mapping of str to float
    function : {"sem", "lavaan"}
        Whose defaults the text is read with.
    """

    model: str
    values: Mapping[str, float]
    function: str = "sem"

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", line_feeds(self.model))

    @property
    def syntax(self) -> str:
        """The model text."""
        return self.model

    @cached_property
    def own(self) -> Population:
        """The population without changes."""
        return self.population({})

    def factors(self) -> tuple[str, ...]:
        """Return what a condition may change: the parameters."""
        return tuple(self.values)

    def population(self, changes: Mapping[str, Any]) -> Population:
        """Return the population with `changes`."""
        if self.function == "sem":
            return Population(self.model, {**self.values, **changes})
        return Population(build_table(self.model, defaults_for("lavaan")), {**self.values, **changes})

    def entry(self) -> dict[str, Any]:
        """Return the source as a table of a study file."""
        entry: dict[str, Any] = {"model": self.model, "values": {name: float(value) for name, value in self.values.items()}}
        return entry if self.function == "sem" else entry | {"function": self.function}


Source = TheorySource | ModelSource


def source_of(population: Theory | Population | Source, preset: str = "calibrated") -> Source:
    """Return the description of a theory (with a preset) or of a population.

    Raises
    ------
    OptionError
        If it is neither.
    """
    if isinstance(population, TheorySource | ModelSource):
        return population
    if isinstance(population, Theory):
        root = population.root or population
        definition = root.id if root.id in theories() and load_theory(root.id) == root else root.to_toml()
        return TheorySource(definition, population.steps, preset)
    if isinstance(population, Population):
        if isinstance(population.model, str):
            return ModelSource(population.model, dict(population.values))
        return _from_table(population, population.model)
    raise OptionError(
        f"population= must be a Theory or a Population, not {type(population).__name__!r}. Build one with `ts.Population(model, values)`."
    )


def _from_table(population: Population, table: ParameterTable) -> ModelSource:
    """Return the description of a population that was made from a table: text in which nothing is left to defaults."""
    if any(row.label for row in table.rows) or table.n_blocks > 1:
        raise OptionError(
            "A population of a study is written to a file as text, and this one has labels or several groups. Build it from model text."
        )
    return ModelSource(to_lavaan(table), dict(population.values), "lavaan")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _holds_numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_is_number(part) for part in value.values())


def _holds_steps(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(step, list) and step and isinstance(step[0], str) for step in value)


# What the keys of [population] may hold, in code and in words.
_SHAPES: Mapping[str, tuple[Callable[[Any], bool], str]] = MappingProxyType(
    {
        "theory": (_is_text, "the name of a theory, such as 'metz2022', or the text of a theory file"),
        "preset": (_is_text, "the name of a preset, such as 'calibrated'"),
        "steps": (_holds_steps, "a list of changes, such as [['strict'], ['drop', 'Resilience']]"),
        "paths": (_holds_numbers, "a table of numbers, such as {'Trust -> Motivation' = 0.3}"),
        "loadings": (_holds_numbers, "a table of numbers, such as {Trust = 0.7}"),
        "model": (_is_text, "model text, such as 'y ~ x'"),
        "values": (_holds_numbers, "a table of numbers, such as {'y~x' = 0.3}"),
        "function": (lambda value: value in ("sem", "lavaan"), "'sem' or 'lavaan'"),
    }
)


def read_source(entry: Mapping[str, Any]) -> Source:
    """Return the source that a table of a study file describes.

    Raises
    ------
    OptionError
        For unknown or missing keys, and values of the wrong kind.
    """
    kind = "theory" if "theory" in entry else "model" if "model" in entry else None
    if kind is None:
        raise OptionError("The table [population] needs either theory= (a name such as 'metz2022') or model= with values=. Add one of them.")
    allowed = ("theory", "preset", "steps", "paths", "loadings") if kind == "theory" else ("model", "values", "function")
    for key in entry:
        if key not in allowed:
            raise OptionError(
                f"The table [population] has the unknown key {key!r}.{closest(key, allowed)} Allowed beside {kind}= are {', '.join(allowed[1:])}."
            )
    for key, value in entry.items():
        fits, wanted = _SHAPES[key]
        if not fits(value):
            raise OptionError(f"The table [population] has {key} = {value!r}. Give {wanted}.")
    if kind == "model":
        return ModelSource(entry["model"], dict(entry.get("values", {})), entry.get("function", "sem"))
    steps = tuple(Step(str(step[0]), _packed(step[1:])) for step in entry.get("steps", ()))
    return TheorySource(entry["theory"], steps, entry.get("preset", "calibrated"), dict(entry.get("paths", {})), dict(entry.get("loadings", {})))


def _plain(value: Any) -> Any:
    """Return nested tuples as lists, and None as an empty table: TOML has neither."""
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return {} if value is None else value


def _packed(value: Any) -> Any:
    """Undo :func:`_plain`."""
    if isinstance(value, list | tuple):
        return tuple(_packed(part) for part in value)
    return None if value == {} else value
