"""Where the results of a study are kept: chunks that are only ever added, in a folder or in memory."""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from trustsem.errors import StudyError, TrustsemWarning
from trustsem.studies.chunks import Outcomes, chunk_bytes, chunk_table, join, outcomes_of, read_bytes
from trustsem.studies.design import Study
from trustsem.studies.files import load_study, study_text
from trustsem.studies.layout import ConditionLayout, layout_entry, read_layout
from trustsem.studies.task import Chunk

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FolderStore", "MemoryStore", "Store", "differences"]

SCHEMA = 1
_NAME = re.compile(r"c(\d+)-r(\d+)-(\d+)\.parquet")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
Range = tuple[int, int]


class Store(Protocol):
    """What a run needs of the place where results are kept."""

    chunk_size: int

    def done(self) -> list[set[Range]]:
        """Return the ranges (first, last + 1) of replications of every condition that are there."""
        ...

    def add(self, chunk: Chunk) -> None:
        """Keep a chunk."""
        ...

    def outcomes(self, condition: int, analysis: int) -> Outcomes:
        """Return everything that is there of an analysis of a condition."""
        ...


class MemoryStore:
    """Keeps chunks in memory."""

    def __init__(self, layout: Sequence[ConditionLayout], chunk_size: int) -> None:
        self.chunk_size = chunk_size
        self._tables: list[list[tuple[Range, pa.Table]]] = [[] for _ in layout]

    def done(self) -> list[set[Range]]:
        """Return the ranges of replications of every condition that are there."""
        return [{place for place, _ in tables} for tables in self._tables]

    def add(self, chunk: Chunk) -> None:
        """Keep a chunk."""
        self._tables[chunk.condition].append((_range(chunk), chunk_table(chunk)))

    def outcomes(self, condition: int, analysis: int) -> Outcomes:
        """Return everything that is there of an analysis of a condition."""
        return _joined([table for _, table in self._tables[condition]], analysis)


class FolderStore:
    """Keeps chunks as Parquet files in a folder: written whole under another name, then renamed, and never changed.

    The folder holds ``study.toml`` (the study), ``layout.json`` (what the columns mean, true values included), ``run.json`` (versions) and
    ``chunks/``.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._sound: set[str] = set()  # chunks that were read, so that they need not be checked again
        about = self._about()
        self.chunk_size = int(about["chunk_size"])
        self.versions: Mapping[str, str] = about["versions"]

    @classmethod
    def open(
        cls, folder: str | os.PathLike[str], study: Study, layout: Sequence[ConditionLayout], chunk_size: int, *, extend: bool = False
    ) -> FolderStore:
        """Open the folder of a study, making it if it is not there.

        Raises
        ------
        StudyError
            If the folder holds something else, or another study; the message names the difference.
        """
        place = Path(folder)
        if (place / "run.json").exists():
            _check_same(place, study, extend)
            if load_study(place).hash != study.hash:
                _describe(place, study, layout, cls(place).chunk_size)
            if not (place / "layout.json").exists():  # deleted because it was damaged: it follows from the study
                _write(place / "layout.json", _layout_bytes(layout))
            there = cls(place)
            _warn_of_other_versions(there)
            return there
        strangers = _strangers(place) if place.is_dir() else []
        if place.exists() and (not place.is_dir() or strangers):
            what = f"holds {strangers[0]!r} and no study" if strangers else "is not a folder"
            raise StudyError(f"store={str(place)!r} {what}. Give the path of a new or empty folder, or of one that a study was run into.")
        _make(place)
        _describe(place, study, layout, chunk_size)
        return cls(place)

    def _about(self) -> dict[str, Any]:
        try:
            about: dict[str, Any] = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise StudyError(f"The folder {str(self.folder)!r} holds no results of a study. Give the folder that a study was run into.") from None
        except (OSError, ValueError) as error:
            raise StudyError(f"The file {str(self.folder / 'run.json')!r} is damaged ({error}). Restore it from a copy.") from error
        if about.get("schema") != SCHEMA:
            raise StudyError(f"The folder {str(self.folder)!r} has results in format {about.get('schema')}, and this version reads format {SCHEMA}.")
        return about

    @property
    def layout(self) -> tuple[ConditionLayout, ...]:
        """What the columns are."""
        try:
            return read_layout(json.loads((self.folder / "layout.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            place = str(self.folder / "layout.json")
            raise StudyError(f"The file {place!r} is damaged ({error}). Delete it and run the study again: it is made anew.") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, so that no other run writes into it. The lock goes with the process, however it ends.

        Raises
        ------
        StudyError
            If another run holds it.
        """
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.folder / "lock", timeout=0):
                yield
        except Timeout:
            raise StudyError(f"Another run is writing into {str(self.folder)!r}. Wait until it has ended, or give another folder.") from None

    def done(self) -> list[set[Range]]:
        """Return the ranges of replications of every condition that are there."""
        found: list[set[Range]] = [set() for _ in self.layout]
        for place in self._files():
            condition, first, last = _place(place)
            if place.name not in self._sound:
                self._read(place)  # a damaged chunk is found before work begins
                self._sound.add(place.name)
            found[condition].add((first, last))
        return found

    def add(self, chunk: Chunk) -> None:
        """Write a chunk; what is there is not overwritten.

        Raises
        ------
        StudyError
            If it cannot be written, or is there already.
        """
        first, last = _range(chunk)
        place = self.folder / "chunks" / f"c{chunk.condition:04d}-r{first:07d}-{last:07d}.parquet"
        if place.exists():
            raise StudyError(
                f"The file {str(place)!r} is there already and is not overwritten. Another run may have written it; run the study again."
            )
        _write(place, chunk_bytes(chunk_table(chunk)))
        self._sound.add(place.name)

    def outcomes(self, condition: int, analysis: int) -> Outcomes:
        """Return everything that is there of an analysis of a condition."""
        return _joined([self._read(place) for place in self._files() if _place(place)[0] == condition], analysis)

    def _files(self) -> list[Path]:
        return sorted(place for place in (self.folder / "chunks").glob("*.parquet") if _NAME.fullmatch(place.name))

    def _read(self, place: Path) -> pa.Table:
        try:
            return read_bytes(place.read_bytes())
        except Exception as error:  # pyarrow has a class of its own for each way in which a file can be damaged
            raise StudyError(
                f"The chunk {str(place)!r} is damaged ({error}). Delete it and run the study again: only its replications are repeated, and the "
                "result is the same."
            ) from error


def _range(chunk: Chunk) -> Range:
    return chunk.first, chunk.first + len(chunk.outcomes[0])


def _place(path: Path) -> tuple[int, int, int]:
    found = _NAME.fullmatch(path.name)
    assert found is not None
    condition, first, last = (int(number) for number in found.groups())
    return condition, first, last


def _joined(tables: Sequence[pa.Table], analysis: int) -> Outcomes:
    if not tables:
        nothing = np.empty((0, 0))
        return Outcomes(np.empty(0, dtype=np.int64), np.empty(0, dtype=object), np.empty(0, dtype=bool), nothing, nothing, nothing)
    return join([outcomes_of(table, analysis) for table in tables])


def _strangers(place: Path) -> list[str]:
    """Return what is in a folder that a run which was interrupted before its first chunk would not have left there."""
    own = {"study.toml", "layout.json", "lock"} | (set() if any((place / "chunks").glob("*")) else {"chunks"})
    return sorted(entry.name for entry in place.iterdir() if entry.name not in own and not entry.name.startswith("."))


def _make(place: Path) -> None:
    try:
        (place / "chunks").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"store={str(place)!r} cannot be made ({error}). Give a path where you may write.") from error


def _describe(place: Path, study: Study, layout: Sequence[ConditionLayout], chunk_size: int) -> None:
    """Write what the folder is about; run.json comes last, so that a folder with it is complete."""
    about = {"schema": SCHEMA, "hash": study.hash, "chunk_size": chunk_size, "versions": _versions()}
    _write(place / "study.toml", study_text(study).encode())
    _write(place / "layout.json", _layout_bytes(layout))
    _write(place / "run.json", json.dumps(about, indent=1).encode())


def _layout_bytes(layout: Sequence[ConditionLayout]) -> bytes:
    return json.dumps(layout_entry(layout), indent=1, ensure_ascii=False).encode()


def _versions() -> dict[str, str]:
    return {name: _version(name) for name in ("trustsem", "numpy", "scipy", "numba")} | {"python": platform.python_version()}


def _warn_of_other_versions(there: FolderStore) -> None:
    now = _versions()
    changed = [
        f"{name} {there.versions.get(name, 'unknown')} there, {version} now" for name, version in now.items() if there.versions.get(name) != version
    ]
    if changed:
        warnings.warn(TrustsemWarning("TS-STUDY-01", f"{str(there.folder)!r}: {'; '.join(changed)}."), stacklevel=4)


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:  # a source tree that was not installed
        return "unknown"


def _write(place: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, whatever happens."""
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(place)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        what = "the disk is full" if error.errno in _FULL else f"it cannot be written ({error})"
        raise StudyError(
            f"The file {str(place)!r} was not kept, because {what}; everything before it is safe. Make room or give yourself the right to write, and "
            "run the study again: it goes on where it stopped."
        ) from error


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Return where two studies, as plain values, differ: one phrase each."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [*old, *(name for name in new if name not in old)]
        return [phrase for name in names for phrase in differences(old.get(name), new.get(name), f"{path}.{name}" if path else str(name))]
    return [] if old == new else [f"{path}: {old!r} there, {new!r} now"]


def _check_same(place: Path, study: Study, extend: bool) -> None:
    there = load_study(place)
    if there.hash == study.hash:
        return
    found = [phrase for phrase in differences(there.entry(), study.entry()) if not phrase.startswith(("name:", "description:"))]
    more = len(found) == 1 and found[0].startswith("replications:") and study.replications > there.replications
    if more and extend:
        return
    remedy = "Give extend=True to add replications, or another folder." if more else "Give another folder, or the study that is there."
    raise StudyError(f"The folder {str(place)!r} holds another study. It differs in {'; '.join(found)}. {remedy}")
