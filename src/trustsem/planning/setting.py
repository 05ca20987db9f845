"""What is planned: a study in which one factor is left open."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from trustsem.errors import OptionError, closest
from trustsem.model.population import Population
from trustsem.simulators import Generator, chain, find
from trustsem.spec.table import ParameterTable
from trustsem.studies.design import Analysis, Study
from trustsem.studies.prepare import PreparedCondition, prepare

__all__ = ["Setting", "base_study", "number", "open_setting", "share", "short", "unlabelled"]

_SIZES = ("n", "teams", "size")  # more of these is more data
_MOST = 10_000


@dataclass(frozen=True)
class Setting:
    """A study with one factor left open.

    Attributes
    ----------
    base : Study
        Without conditions.
    over : str
        The open factor: ``"n"``, or any other that the study has.
    fixed : mapping of str to value
        The other factors that are not as in `base`.
    people : int or None
        Where teams or their size are varied: what the number of rows is this multiple of. None if it does not follow from `over`.
    whole : bool
        Whether only whole numbers make sense.
    """

    base: Study
    over: str = "n"
    fixed: Mapping[str, Any] = field(default_factory=dict)
    people: int | None = None
    whole: bool = True

    @property
    def growing(self) -> bool:
        """Whether more of `over` is more data."""
        return short(self.over) in _SIZES

    @property
    def scales(self) -> bool:
        """Whether standard errors fall with the square root of the number of rows: not where the same teams get more people."""
        return self.growing and short(self.over) != "size" and not (self.over == "n" and self.counts(self.fixed))

    def counts(self, cell: Mapping[str, Any]) -> dict[str, int]:
        """Return the numbers of teams and of organisations that do not follow from the number of rows, by the names that conditions have for them."""
        found: dict[str, int] = {}
        for generator in chain(self.base.generator):
            for option in ("teams", "organisations"):
                names = (option, f"{type(generator).__name__}.{option}")
                name = next((name for name in names if name in cell), names[1])
                value = cell.get(name, getattr(generator, option, None))
                if isinstance(value, int | np.integer) and name in self.base.options():
                    found[name] = int(value)
        return found

    def cell(self, level: float) -> dict[str, Any]:
        """Return the condition at one level of `over`."""
        value = round(level) if self.whole else float(level)
        cell = {**self.fixed, self.over: value}
        return cell if self.people is None else cell | {"n": round(value * self.people)}

    def rows(self, level: float) -> int:
        """Return the number of rows at one level of `over`."""
        return int(self.cell(level).get("n", self.base.n))

    def study(self, cells: Sequence[Mapping[str, Any]], replications: int, seed: int) -> Study:
        """Return the study of some conditions."""
        return replace(self.base, conditions=[dict(cell) for cell in cells], replications=replications, seed=seed)

    def prepared(self, level: float) -> PreparedCondition:
        """Return one condition made ready."""
        study = self.study([self.cell(level)], 1, self.base.seed)
        return prepare(study, study.cells[0])

    def limits(self, given: Sequence[float] | None, variables: int) -> tuple[float, float]:
        """Return the lowest and highest level to look at.

        Raises
        ------
        OptionError
            If they are needed and not given, or are no limits.
        """
        if given is None:
            if not self.growing:
                raise OptionError(f"over={self.over!r} needs limits=(lowest, highest): what is possible or affordable. Give two numbers.")
            least = max(10, variables + 5, 2 * max(self.counts(self.fixed).values(), default=0))
            per = self.people or 1
            return (least, max(_MOST, 4 * least)) if self.over == "n" else (max(2, math.ceil(least / per)), max(4, _MOST // max(per, 5)))
        try:
            low, high = (float(limit) for limit in given)
        except (TypeError, ValueError):
            low, high = math.nan, math.nan
        if not (math.isfinite(low) and math.isfinite(high) and low < high) or (self.growing and low < 1):
            raise OptionError(f"limits={given!r} are no limits. Give two numbers, the lower one first, such as limits=(50, 2000).")
        return low, high


def base_study(
    source: Any, *, generator: Generator | None = None, analyses: Mapping[str, Analysis], preset: str = "calibrated", n: int = 400, seed: int = 1
) -> Study:
    """Return the study without conditions that everything is planned with."""
    drawn = find("Gaussian")() if generator is None else generator
    return Study(written(source), analyses, seed=seed, n=n, generator=drawn, preset=preset, name="planning")


def written(source: Any) -> Any:
    """Return `source`; a population is checked here, so that a mistake in it is found before anything else is done."""
    if isinstance(source, str | ParameterTable):
        raise OptionError("A model alone has no population values. Give a Theory, or `ts.Population(model, values)`.")
    return source


def open_setting(base: Study, over: str, fixed: Mapping[str, Any] | None, limits: Sequence[float] | None) -> Setting:
    """Return `base` with the factor `over` left open and others held.

    Raises
    ------
    OptionError
        For factors that the study does not have, or that are given twice.
    """
    held = dict(fixed or {})
    known = base.factors()
    for option, name in [("over", over), *(("fixed", name) for name in held)]:
        if name not in known:
            raise OptionError(f"{option}= names {name!r}, which is no factor here.{closest(str(name), known)} There are {', '.join(known)}.")
    if over in held:
        raise OptionError(f"fixed= holds {over!r}, which over= leaves open. Take it out of fixed=.")
    people = None
    other = {"teams": "size", "size": "teams"}.get(short(over))
    if other is not None and "n" not in held:
        people = _other(base, other, held)
    ends = () if limits is None else tuple(limits)
    whole = short(over) in _SIZES or (bool(ends) and all(isinstance(end, int | np.integer) and not isinstance(end, bool) for end in ends))
    return Setting(base, over, held, people, whole)


def short(name: str) -> str:
    """Return an option without the name of its generator."""
    return name.rpartition(".")[2]


def _other(base: Study, other: str, held: Mapping[str, Any]) -> int:
    """Return the number of people per team, or of teams, that stays as it is."""
    for name, value in held.items():
        if short(name) == other:
            return int(value)
    for generator in chain(base.generator):
        value = getattr(generator, other, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    open_ = "size" if other == "teams" else "teams"
    raise OptionError(f"over={open_!r} leaves open how many rows there are. Give fixed={{{other!r}: 30}}, or fixed={{'n': 300}}.")


def unlabelled(population: Population) -> Population:
    """Return the same population without labels, definitions and constraints, which the text of a study could not hold once values are changed."""
    table = population.table
    if table.n_blocks > 1 or not (table.relations or any(row.label for row in table.rows)):
        return population
    values = [float(population.values[name]) for name in table.parameter_names()]
    plain = replace(table, rows=tuple(row._replace(label="") for row in table.rows), relations=())
    return Population(plain, dict(zip(plain.parameter_names(), values, strict=True)))


def share(option: str, value: Any) -> float:
    """Return `value` if it is strictly between 0 and 1.

    Raises
    ------
    OptionError
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0.0 < value < 1.0:
        raise OptionError(f"{option}={value!r} is not between 0 and 1. Give a number such as 0.8 or 0.05.")
    return float(value)


def number(option: str, value: Any, least: float = 0.0) -> float:
    """Return `value` if it is a finite number above `least`.

    Raises
    ------
    OptionError
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value) or not value > least:
        raise OptionError(f"{option}={value!r} is not possible. Give a number above {least:g}.")
    return float(value)
