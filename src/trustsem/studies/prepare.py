"""A condition made ready: the sampler, and every analysis compiled. All that does not depend on chance is done here, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustsem.data.groups import read_grouping
from trustsem.errors import OptionError, closest
from trustsem.fitting.fitter import Fitter
from trustsem.fitting.sem import compile as compile_fitter
from trustsem.kernels.structure import Integers, Reals
from trustsem.simulators import Rows, Sampler, populations_of, with_options
from trustsem.studies.conditions import Condition
from trustsem.studies.design import Analysis, Study
from trustsem.studies.truth import true_values

__all__ = ["PreparedAnalysis", "PreparedCondition", "prepare"]

_SAMPLE_OPTIONS = ("group", "cluster", "sampling_weights", "auxiliary")
SMALL_SAMPLE = ("pvalue_bartlett", "pvalue_swain", "pvalue_yuan")


@dataclass(frozen=True, eq=False)
class PreparedAnalysis:
    """One analysis of one condition, ready to be fitted to rows.

    Attributes
    ----------
    name : str
    analysis : Analysis
    fitter : Fitter
    columns : (p,) int or None
        Where the model's variables stand in the rows; None if more than these is needed (groups, clusters), and rows are read by name.
    reading : mapping
        How rows are read by name.
    parameters : tuple of str
        Distinct free parameters and defined ones.
    rows : (K,) int
        Row of the model's table of each free one.
    truth : (P,) float
        Values of `parameters` in the population; NaN where they have none.
    measures : tuple of str
        Fit measures that are kept.
    """

    name: str
    analysis: Analysis
    fitter: Fitter
    columns: Integers | None
    reading: Mapping[str, Any]
    parameters: tuple[str, ...]
    rows: Integers
    truth: Reals
    measures: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PreparedCondition:
    """A condition with everything that its replications share.

    Attributes
    ----------
    condition : Condition
    n : int
        Number of rows.
    seed : int
        Of the study.
    sampler : Sampler
    analyses : tuple of PreparedAnalysis
    """

    condition: Condition
    n: int
    seed: int
    sampler: Sampler
    analyses: tuple[PreparedAnalysis, ...]

    def stream(self, replication: int) -> np.random.Generator:
        """Return the random numbers of one replication: they depend on the seed, on what the condition says, and on the number."""
        sequence = np.random.SeedSequence(self.seed, spawn_key=(*self.condition.entropy, replication))
        return np.random.Generator(np.random.PCG64DXSM(sequence))


def prepare(study: Study, condition: Condition) -> PreparedCondition:
    """Return `condition` of `study` made ready.

    Raises
    ------
    TrustsemError
        If the population or a model of it is impossible; the message begins with the condition.
    """
    settings = dict(condition.settings)
    n = int(settings.pop("n", study.n))
    changes: dict[str, dict[str, Any]] = {}
    options = study.options()
    for name in [name for name in settings if name in options]:
        kind, option = options[name]
        changes.setdefault(kind, {})[option] = settings.pop(name)
    generator, population = with_options(study.generator, changes), study.source.population(settings)
    sampler, text = generator.prepare(population), generator.syntax(population)
    own = (study.source.syntax, study.source.function) if text is None else (text, "sem")
    example = sampler.rows(n, np.random.default_rng(0))  # for the names of the columns, and of the groups; these numbers are used nowhere
    analyses = tuple(_prepare_analysis(name, analysis, own, sampler, example) for name, analysis in study.analyses.items())
    return PreparedCondition(condition, n, study.seed, sampler, analyses)


def _prepare_analysis(name: str, analysis: Analysis, own: tuple[str, str], sampler: Sampler, example: Rows) -> PreparedAnalysis:
    text, function = own if analysis.model is None else (analysis.model, analysis.function)
    fitter = compile_fitter(text, like=example.columns() if "group" in analysis.options else None, function=function, **analysis.options)
    names = fitter.model.table.parameter_names()
    row_of = dict(reversed(list(zip(names, fitter.model.free_rows, strict=True))))
    distinct = tuple(dict.fromkeys(names))  # rows that share a label are one parameter
    parameters = distinct + tuple(name for name, _ in fitter.model.relations.definitions)
    truth = _truth(sampler, fitter, analysis, example)
    return PreparedAnalysis(
        name=name,
        analysis=analysis,
        fitter=fitter,
        columns=_columns(name, fitter, analysis, example),
        reading=_reading(fitter, analysis),
        parameters=parameters,
        rows=np.array([row_of[name] for name in distinct], dtype=np.int64),
        truth=np.array([truth.get(name, np.nan) for name in parameters]),
        measures=analysis.measures + (SMALL_SAMPLE if analysis.small_sample else ()),
    )


def _truth(sampler: Sampler, fitter: Fitter, analysis: Analysis, example: Rows) -> dict[str, float]:
    """Return the true values: none where data are not in the units of the population and plain estimates are kept."""
    if not (sampler.metric or analysis.standardized):
        return {}
    groups = populations_of(sampler)
    if "group" not in analysis.options:
        return true_values([sampler.population] if groups is None else list(groups.values()), fitter.model, analysis.standardized)
    column = analysis.options["group"]
    labels = read_grouping(example.columns()[column], column, None).labels
    known = {str(label): population for label, population in (groups or {}).items()}
    return true_values([known.get(label) for label in labels], fitter.model, analysis.standardized)


def _reading(fitter: Fitter, analysis: Analysis) -> dict[str, Any]:
    """Return how rows are read by name; in two stages auxiliary variables are read with those of the model."""
    extra = analysis.options.get("auxiliary", ())
    extra = (extra,) if isinstance(extra, str) else tuple(extra)
    given = {name: analysis.options[name] for name in ("group", "cluster", "sampling_weights") if name in analysis.options}
    names = fitter.observed + tuple(name for name in extra if name not in fitter.observed)
    return {"names": names, "missing": fitter.options.missing, "required": fitter.covariates, **given}


def _columns(name: str, fitter: Fitter, analysis: Analysis, example: Rows) -> Integers | None:
    there = example.columns()
    absent = [variable for variable in fitter.observed if variable not in there]
    if absent:
        raise OptionError(
            f"The analysis {name!r} has the variable {absent[0]!r}, which the data of this study lack.{closest(absent[0], there)} "
            f"They have {', '.join(there)}."
        )
    if any(option in analysis.options for option in _SAMPLE_OPTIONS) or any(variable in example.extra for variable in fitter.observed):
        return None
    place = {variable: at for at, variable in enumerate(example.names)}
    return np.array([place[variable] for variable in fitter.observed], dtype=np.int64)
