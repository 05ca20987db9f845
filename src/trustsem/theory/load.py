"""Reading theories: those that come with the package, and the user's own."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from trustsem.errors import TheoryError, closest
from trustsem.theory.entry import Entry
from trustsem.theory.lines import find_places
from trustsem.theory.marks import Fact, Provenance
from trustsem.theory.read import (
    KEYS,
    read_construct,
    read_covariance,
    read_measure,
    read_preset,
    read_proposition,
    read_rival,
    read_source,
    read_statement,
    read_strategy,
)
from trustsem.theory.theory import Theory
from trustsem.theory.validate import validate

__all__ = ["load_theory", "parse_theory", "theories"]

T = TypeVar("T")
DEFAULT_SESOI = Fact(0.10, Provenance("I", what="default", note="A standardized path below .10 is taken as too small to matter."))


def theories() -> tuple[str, ...]:
    """Return the names of the theories that come with the package."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in files("trustsem.theory").iterdir() if entry.name.endswith(".toml")))


def load_theory(name_or_path: str | os.PathLike[str], *, strategies: str = "reflective") -> Theory:
    """Read a theory.

    Parameters
    ----------
    name_or_path : str or path
        Name of a theory that comes with the package (see :func:`theories`), or the path of a ``.toml`` file.
    strategies : {"reflective", "composites", "predictors"}
        How the strategies enter (see :meth:`Theory.with_strategies`).

    Returns
    -------
    Theory

    Raises
    ------
    TheoryError
        If there is no such theory or file, or the file is not a theory; it names file, line and key.
    """
    if isinstance(name_or_path, str) and name_or_path in theories():
        text = files("trustsem.theory").joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8")
        return parse_theory(text, f"{name_or_path}.toml").with_strategies(strategies)
    path = Path(name_or_path)
    if path.suffix != ".toml":
        known = theories()
        raise TheoryError(f"There is no theory {str(path)!r}. Built in are {', '.join(known)}; a file ends in .toml.{closest(str(path), known)}")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TheoryError(f"The theory file {str(path)!r} cannot be read ({error}). Give the path of a text file in UTF-8.") from error
    return parse_theory(text, path.name).with_strategies(strategies)


def parse_theory(text: str, file: str = "theory.toml") -> Theory:
    """Read a theory from the text of a theory file.

    Parameters
    ----------
    text : str
        TOML.
    file : str
        Name for messages.

    Returns
    -------
    Theory

    Raises
    ------
    TheoryError
        Naming file, line and key.
    """
    text = text.replace("\r\n", "\n")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        line = place.group(1) if place else str(text.count("\n") + 1)
        raise TheoryError(f"{file}, line {line}: The file is not TOML ({error}). Look for a missing quote, bracket or equals sign.") from error
    theory, entry = _assemble(values, file, text)
    validate(theory, entry)
    return theory


def _assemble(values: dict[str, Any], file: str, text: str) -> tuple[Theory, Callable[[str, int], Entry]]:
    places = find_places(text)
    sources: list[str] = []
    top = Entry(values, file, places, "", 0, sources)
    top.only(KEYS[""])

    def entry(table: str, index: int) -> Entry:
        return Entry(values[table][index], file, places, table, index, sources)

    def each(table: str, read: Callable[[Entry], T]) -> tuple[T, ...]:
        found = [entry(table, index) for index in range(len(top.tables(table)))]
        for one in found:
            one.only(KEYS[table])
        return tuple(read(one) for one in found)

    read_sources = each("source", read_source)
    sources.extend(source.id for source in read_sources)
    sesoi = top.fact("sesoi", number=True) or DEFAULT_SESOI
    size = float(sesoi.value)
    nodes = each("construct", read_construct)
    if not nodes:
        top.fail("construct", "The theory has no constructs. Give at least one [[construct]].")
    theory = Theory(
        id=top.text("id"),
        title=top.text("title"),
        summary=top.text("summary", ""),
        citation=top.text("citation", ""),
        doi=top.text("doi", ""),
        licence=top.text("licence", ""),
        sesoi=sesoi,
        nodes=nodes,
        practices=each("strategy", read_strategy),
        claims=each("proposition", lambda one: read_proposition(one, size)),
        covariances=each("covariance", read_covariance),
        instruments=each("measure", read_measure),
        presets=each("preset", read_preset),
        contenders=each("rival", lambda one: read_rival(one, size)),
        statements=each("statement", read_statement),
        sources=read_sources,
        may_claim=top.texts("may_claim"),
        may_not_claim=top.texts("may_not_claim"),
    )
    return theory, entry
