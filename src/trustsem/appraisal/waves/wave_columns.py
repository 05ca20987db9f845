"""Which columns of the data are which construct in which wave, and composites of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustsem.appraisal.waves.wave_models import Repeated
from trustsem.data.columns import open_table
from trustsem.data.sample import Sample
from trustsem.data.summary import sample_from_moments
from trustsem.errors import DataError, NotAvailableError, OptionError
from trustsem.theory import Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["WaveData", "composite_rows", "named_columns", "read_waves"]

_SUFFIX = re.compile(r"(?:[._][A-Za-z]*|[A-Za-z]+)\d+")
_KEPT = ("cluster", "sampling_weights")
_COMPOSITES = "Composites are means of all items of a wave, missing where one of them is; measurement error in them is part of what they say."


class WaveData(NamedTuple):
    """Data of several waves, as :func:`trustsem.sem` takes them.

    Attributes
    ----------
    data : object
        A frame or a Sample; None for summary statistics, which are among the options.
    options : dict
    constructs : tuple of Repeated
    suffixes : tuple of str
    notes : tuple of str
    """

    data: Any
    options: dict[str, Any]
    constructs: tuple[Repeated, ...]
    suffixes: tuple[str, ...]
    notes: tuple[str, ...]


def read_waves(theory: Theory, data: Any, waves: Sequence[str] | None, measurement: str, options: Mapping[str, Any]) -> WaveData:
    """Find the columns of every construct in every wave.

    Parameters
    ----------
    theory : Theory
        Whose indicators are the names of the columns without the wave.
    data : data frame or Sample, optional
        Or ``sample_cov`` and ``sample_nobs`` among the options.
    waves : sequence of str, optional
        What the names of the columns of a wave end in; found if left out.
    measurement : {"latent", "composite"}
    options : mapping
        Options of :func:`trustsem.sem`.

    Raises
    ------
    DataError
        If there are fewer than two waves, or columns are missing.
    OptionError
        If `waves` are not names.
    NotAvailableError
        For several groups, and for composites of a Sample.
    """
    moments = _moments(data, options)
    if options.get("group") is not None or (moments is not None and len(moments.blocks) > 1):
        raise NotAvailableError("The waves of several groups are not fitted together. Fit one group at a time, to the rows of that group.")
    names = open_table(data, None).names if moments is None else moments.names
    suffixes = _find_suffixes(theory, names) if waves is None else _given_suffixes(theory, names, waves)
    items = [node.indicators for node in theory.nodes]
    constructs = tuple(
        Repeated(node.name, tuple(tuple(item + suffix for item in own) for suffix in suffixes), own)
        for node, own in zip(theory.nodes, items, strict=True)
    )
    if measurement == "latent" or not any(part.latent for part in constructs):
        return WaveData(data, dict(options), constructs, suffixes, ())
    groups = {
        part.columns[wave][0] if not part.latent else part.name + suffix: part.columns[wave]
        for part in constructs
        for wave, suffix in enumerate(suffixes)
    }
    averaged = tuple(
        part if not part.latent else Repeated(part.name, tuple((part.name + suffix,) for suffix in suffixes), (part.name,)) for part in constructs
    )
    if moments is None:
        return WaveData(composite_rows(data, groups, named_columns(options)), dict(options), averaged, suffixes, (_COMPOSITES,))
    return WaveData(None, _composite_moments(moments, groups, options), averaged, suffixes, (_COMPOSITES,))


def _moments(data: Any, options: Mapping[str, Any]) -> Sample | None:
    """Return the sample that the options or `data` are already; None if there are rows to be read."""
    if isinstance(data, Sample):
        return data
    if data is None and options.get("sample_cov") is not None:
        return sample_from_moments(options["sample_cov"], options.get("sample_nobs"), options.get("sample_mean"))
    return None


def _find_suffixes(theory: Theory, names: Sequence[str]) -> tuple[str, ...]:
    items = [item for node in theory.nodes for item in node.indicators]
    endings = {name[len(item) :] for item in items for name in names if name.startswith(item) and _SUFFIX.fullmatch(name[len(item) :])}
    known = set(names)
    counts = {ending: sum(item + ending in known for item in items) for ending in endings}
    whole = [ending for ending, count in counts.items() if count == len(items)]
    if len(whole) >= 2:
        return tuple(sorted(whole, key=lambda ending: (int(re.findall(r"\d+", ending)[-1]), ending)))
    if not counts:
        raise DataError(
            f"The data have no column such as '{items[0]}_w1' and '{items[0]}_w2', so there is one wave, or waves are named otherwise. Say what "
            "names end in, such as waves=['_t1', '_t2'], or use ts.appraise() for one wave."
        )
    fullest = max(counts, key=lambda ending: counts[ending])
    absent = [item + fullest for item in items if item + fullest not in known]
    what = (
        f"lack {len(absent)} of {len(items)} columns of the wave {fullest!r}: {', '.join(absent[:6])}{' ...' if len(absent) > 6 else ''}"
        if absent
        else (f"have all columns of one wave only, {fullest!r}")
    )
    raise DataError(f"The data {what}. Map the columns that every wave has with `theory.with_indicators({{construct: [names without the wave]}})`.")


def _given_suffixes(theory: Theory, names: Sequence[str], waves: Sequence[str]) -> tuple[str, ...]:
    if isinstance(waves, str) or not all(isinstance(wave, str) for wave in waves) or len(set(waves)) != len(waves) or len(waves) < 2:
        raise OptionError(f"waves={waves!r} are not the endings of at least two waves. Give a list such as ['_w1', '_w2', '_w3'].")
    known = set(names)
    for wave in waves:
        absent = [item + wave for node in theory.nodes for item in node.indicators if item + wave not in known]
        if absent:
            raise DataError(
                f"The data have no column {absent[0]!r} ({len(absent)} columns of the wave {wave!r} are missing). Map the columns that every wave "
                "has with `theory.with_indicators({construct: [names without the wave]})`."
            )
    return tuple(waves)


def named_columns(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns that options of a fit name besides the variables of the model."""
    auxiliary = options.get("auxiliary") or ()
    return tuple(options[name] for name in _KEPT if options.get(name) is not None) + (
        (auxiliary,) if isinstance(auxiliary, str) else tuple(auxiliary)
    )


def composite_rows(data: Any, groups: Mapping[str, Sequence[str]], others: Sequence[str] = ()) -> pd.DataFrame:
    """Return a frame with the mean of each group of columns, missing where one of them is, and the columns `others` as they are.

    Raises
    ------
    NotAvailableError
        For a Sample.
    DataError
        If a column is missing or does not hold numbers.
    """
    import pandas as pd

    columns = [name for group in groups.values() for name in group]
    table = open_table(data, [*columns, *others])
    rows = table.matrix(columns)
    result: dict[str, Any] = {}
    at = 0
    for name, group in groups.items():
        result[name] = rows[:, at : at + len(group)].mean(axis=1)
        at += len(group)
    return pd.DataFrame(result | {name: table.values(name) for name in others})


def _composite_moments(sample: Sample, groups: Mapping[str, Sequence[str]], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with the moments of composites instead of those of items."""
    import pandas as pd

    block = sample.blocks[0]
    if block.rows is not None:
        raise NotAvailableError("Composites are not made of a Sample, whose rows are settled already. Give the data frame, or measurement='latent'.")
    weights = np.zeros((len(groups), len(sample.names)))
    for k, group in enumerate(groups.values()):
        weights[k, [sample.names.index(name) for name in group]] = 1.0 / len(group)
    labels = list(groups)
    cov = pd.DataFrame(weights @ block.cov @ weights.T, index=labels, columns=labels)
    mean = None if block.mean is None else pd.Series(weights @ block.mean, index=labels)
    return {**options, "sample_cov": cov, "sample_nobs": block.n, "sample_mean": mean}
