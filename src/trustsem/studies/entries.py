"""A study as plain values: what is written to a study file and what its hash is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.errors import OptionError
from trustsem.simulators import Generator, Wrapper, find

if TYPE_CHECKING:
    from trustsem.studies.design import Analysis, Study

__all__ = ["generator_entry", "plain", "read_generator", "study_entry"]


def plain(value: Any) -> Any:
    """Return `value` made of lists, dicts, texts, numbers and truth values only."""
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list | np.ndarray):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise OptionError(f"The value {value!r} cannot be part of a study: no file can hold it. Use numbers, texts, lists and tables of those.")


def _changed(thing: Any, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fields of a record that are not what they are by default."""
    found = {}
    for option in fields(thing):
        value = plain(getattr(thing, option.name)) if option.name not in skip else None
        default = option.default_factory() if option.default_factory is not MISSING else option.default
        if value is not None and (default is MISSING or value != plain(default)):
            found[option.name] = value
    return found


def generator_entry(generator: Generator) -> dict[str, Any]:
    """Return a generator, with those that it wraps, as a table of a study file."""
    entry = {"kind": type(generator).__name__, **_changed(generator, ("inner",))}
    if isinstance(generator, Wrapper):
        entry["inner"] = generator_entry(generator.inner)
    return entry


def read_generator(entry: Mapping[str, Any]) -> Generator:
    """Return the generator that a table of a study file describes.

    Raises
    ------
    OptionError
        For an unknown kind or option, or a value that the generator refuses.
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("kind"), str):
        raise OptionError(f"A generator in a study file is a table with kind=, such as {{kind = 'Gaussian'}}, not {entry!r}.")
    kind = find(entry["kind"])
    options = {name: value for name, value in entry.items() if name != "kind"}
    if issubclass(kind, Wrapper):
        options["inner"] = read_generator(options.get("inner", {"kind": "Gaussian"}))
    known = [option.name for option in fields(kind)]  # type: ignore[arg-type]
    for name in options:
        if name not in known:
            raise OptionError(f"The generator {entry['kind']} has no option {name!r}. It has {', '.join(known) or 'none'}.")
    return kind(**options)


def analysis_entry(analysis: Analysis) -> dict[str, Any]:
    """Return an analysis as a table of a study file: its own fields, and beside them the options of the fit."""
    options: dict[str, Any] = plain(analysis.options)
    return _changed(analysis, ("options",)) | options


def study_entry(study: Study) -> dict[str, Any]:
    """Return a study as plain values, as they stand in a study file."""
    entry: dict[str, Any] = {"name": study.name}
    if study.description:
        entry["description"] = study.description
    conditions = plain(study.conditions)
    entry |= {"replications": int(study.replications), "seed": int(study.seed), "n": int(study.n), "population": study.source.entry()}
    entry |= {"generator": generator_entry(study.generator)}
    if conditions:
        entry["conditions"] = conditions
    entry["analyses"] = {name: analysis_entry(analysis) for name, analysis in study.analyses.items()}
    return entry
