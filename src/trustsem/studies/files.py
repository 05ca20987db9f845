"""Study files: a study written as TOML, read back, and a commented skeleton to start from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import tomli_w

from trustsem.errors import OptionError, closest
from trustsem.studies.design import Analysis, Study
from trustsem.studies.entries import read_generator
from trustsem.studies.source import read_source

__all__ = ["load_study", "parse_study", "study_skeleton", "study_text"]

_KEYS = ("name", "description", "replications", "seed", "n", "population", "generator", "conditions", "analyses")
_OWN = tuple(field.name for field in fields(Analysis) if field.name != "options")


def study_text(study: Study) -> str:
    """Return a study as the text of a study file; :func:`parse_study` gives an equal study."""
    return tomli_w.dumps(study.entry(), multiline_strings=True)


def load_study(path: str | os.PathLike[str]) -> Study:
    """Read a study file.

    Parameters
    ----------
    path : str or path
        A ``.toml`` file, or a folder that a study was run into.

    Raises
    ------
    OptionError
        If it cannot be read, or does not describe a study.
    """
    place = Path(path)
    place = place / "study.toml" if place.is_dir() else place
    try:
        text = place.read_text(encoding="utf-8-sig")  # editors on Windows put a mark before the text
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"The study file {str(place)!r} cannot be read ({error}). Give the path of a text file in UTF-8.") from error
    return parse_study(text, place.name)


def parse_study(text: str, file: str = "study.toml") -> Study:
    """Read a study from the text of a study file.

    Raises
    ------
    OptionError
        If it is not TOML, or has unknown or missing keys.
    """
    try:
        entry = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise OptionError(f"The study file {file} is not TOML ({error}). Look for a missing quote, bracket or equals sign.") from error
    for name in entry:
        if name not in _KEYS:
            raise OptionError(f"The study file {file} has the unknown key {name!r}.{closest(name, _KEYS)} Allowed are {', '.join(_KEYS)}.")
    for name, kind in (("population", Mapping), ("analyses", Mapping), ("conditions", Mapping | list)):
        if name in entry and not isinstance(entry[name], kind):
            raise OptionError(f"The study file {file}: {name} must be a table, not {entry[name]!r}. Write `[{name}]` and its keys below.")
    if "population" not in entry:
        raise OptionError(f"The study file {file} has no [population]. Add the table with theory= or model=.")
    analyses = entry.get("analyses", {"ML": {}})
    given: dict[str, Any] = {name: entry[name] for name in ("name", "description", "replications", "seed", "n", "conditions") if name in entry}
    if "generator" in entry:
        given["generator"] = read_generator(entry["generator"])
    study = Study(read_source(entry["population"]), {name: _analysis(name, table, file) for name, table in analyses.items()}, **given)
    study.entry()  # refuses dates and times, which TOML has and a study does not
    return study


def _analysis(name: str, entry: Any, file: str) -> Analysis:
    if not isinstance(entry, Mapping):
        raise OptionError(f"The study file {file}: analyses.{name} must be a table, not {entry!r}. Write `[analyses.{name}]` and its keys below.")
    own = {key: value for key, value in entry.items() if key in _OWN}
    return Analysis(**own, options={key: value for key, value in entry.items() if key not in _OWN})


_SKELETON = '''# A simulation study for trustsem: edit, then `trustsem study run STUDY.toml RESULTS`.
# Every value that is commented out is the default.

name = "my study"
description = "What the study is to find out."
replications = 500        # of each condition; `trustsem study run --until power=0.01` may stop earlier
seed = 20261              # the same seed gives the same results, whatever the number of processes
# n = 400                 # rows, where conditions do not vary them

# What the data are drawn from: a theory of change with population values ...
[population]
theory = "metz2022"
preset = "calibrated"     # or "conservative", "comb"; see `trustsem theory`
# steps = [["strict"]]    # changes: ["drop", "Resilience"], ["without_path", "Motivation", "Resilience"], ...
# [population.paths]      # standardized paths to replace or to add
# "Trust -> Motivation" = 0.3
# ... or any model in lavaan syntax:
# model = "y ~ x"
# values = {"y~x" = 0.3, "y~~y" = 0.91, "x~~x" = 1.0}

# How rows are drawn. Generators wrap one another, from the outside in.
[generator]
kind = "Missing"          # holes: completely at random, 8 % of the cells
rate = 0.08
[generator.inner]
kind = "Gaussian"         # multivariate normal

# What is varied: factors with their levels, which are crossed. Factors are n, preset, paths of the theory, and options of the generators.
[conditions]
n = [150, 300, 600]
"Missing.rate" = [0.0, 0.08]
# "Trust -> Motivation" = [0.1, 0.3]

# What is done with each data set. Options are those of ts.sem().
[analyses.FIML]
missing = "fiml"
[analyses.two_stage]
missing = "two_stage"
# model = """..."""       # lavaan syntax; by default the model of the population
# standardized = true     # keep the standardized solution
# small_sample = true     # keep the tests of Bartlett, Swain and Yuan
'''


def study_skeleton() -> str:
    """Return a commented study file to start from."""
    return _SKELETON
