"""The data sets that come with the library: rows, or published summary statistics."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trustsem.data.sample import Sample
from trustsem.data.summary import sample_from_moments
from trustsem.data.tables import read_table
from trustsem.errors import OptionError, closest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["datasets", "load_codebook", "load_dataset", "load_summary"]

_KINDS = ("real", "simulated")


class _Shipped(NamedTuple):
    """A shipped data set: where it is, and what its manifest says."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def table(self) -> Path:
        return self.folder / "data.csv"

    @property
    def codebook(self) -> Path:
        return self.folder / "codebook.csv"

    @property
    def is_summary(self) -> bool:
        return bool(self.manifest.get("kind") == "summary")


def _root() -> Path:
    """Return the folder that holds real/ and simulated/: inside an installed package, or at the top of a source checkout."""
    here = Path(__file__).resolve()
    installed = here.parents[1] / "shipped"
    return installed if installed.is_dir() else here.parents[3] / "data"


def _shipped() -> dict[str, _Shipped]:
    found = {}
    for kind in _KINDS:
        for path in sorted((_root() / kind).glob("*/manifest.toml")):
            found[path.parent.name] = _Shipped(path.parent, tomllib.loads(path.read_text(encoding="utf-8")))
    return found


def _find(name: str) -> _Shipped:
    shipped = _shipped()
    if name not in shipped:
        raise OptionError(f"There is no data set {name!r}.{closest(str(name), shipped)} There are: {', '.join(shipped)}.")
    return shipped[name]


def datasets() -> pd.DataFrame:
    """List the data sets that come with the library.

    Returns
    -------
    DataFrame
        One row per data set: `name`, `kind` ("rows": use :func:`load_dataset`; "summary": use :func:`load_summary`), `rows` (number
        of observations), `columns` (number of variables), `source` and `terms` of use.
    """
    import pandas as pd

    rows = []
    for name, shipped in _shipped().items():
        manifest = shipped.manifest
        kind = "summary" if shipped.is_summary else "rows"
        rows.append((name, kind, manifest["n"], len(manifest["columns"]), manifest["source"], manifest["terms"]))
    return pd.DataFrame(rows, columns=["name", "kind", "rows", "columns", "source", "terms"])


def load_dataset(name: str) -> pd.DataFrame:
    """Load a data set that comes with the library.

    Parameters
    ----------
    name : str
        Its name in :func:`datasets`.

    Returns
    -------
    DataFrame
        One row per observation.

    Raises
    ------
    OptionError
        If there is no such data set, or only its summary statistics are known.
    """
    shipped = _find(name)
    if shipped.is_summary:
        raise OptionError(f"Of {name!r} only summary statistics are known, not the rows. Use load_summary({name!r}).")
    return read_table(shipped.table)


def load_codebook(name: str) -> pd.DataFrame:
    """Load what the columns of a data set are that comes with the library.

    Parameters
    ----------
    name : str
        Its name in :func:`datasets`.

    Returns
    -------
    DataFrame
        One row per column of the data, in their order: `column` and `text` (wording or meaning). For simulated data also `construct` of the theory
        (empty if there is none), `role` ("item", "identifier", "arm", "received" or "group"), `scale`, share of values `missing`, and `min`, `max`,
        `mean` and `sd` of the values there are, where these make sense.

    Raises
    ------
    OptionError
        If there is no such data set.
    """
    import pandas as pd

    shipped = _find(name)
    if not shipped.codebook.exists():
        return pd.DataFrame(list(shipped.manifest["columns"].items()), columns=["column", "text"])
    return read_table(shipped.codebook).fillna({"construct": ""})


def load_summary(name: str) -> Sample:
    """Load published summary statistics that come with the library.

    Parameters
    ----------
    name : str
        Its name in :func:`datasets`.

    Returns
    -------
    Sample
        Without rows; its `notices` say so if the matrix holds correlations.

    Raises
    ------
    OptionError
        If there is no such data set, or its rows are known.
    """
    shipped = _find(name)
    if not shipped.is_summary:
        raise OptionError(f"{name!r} has rows. Use load_dataset({name!r}).")
    return sample_from_moments(read_table(shipped.table).set_index("variable"), shipped.manifest["n"])
