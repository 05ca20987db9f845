"""Equality between parameters: ``equal()``, options over groups, and labels that are shared."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from trustsem.errors import ModelError, ModelSyntaxError, OptionError, closest
from trustsem.spec.defaults import Defaults
from trustsem.spec.names import block_names
from trustsem.spec.table import Row
from trustsem.spec.written import Written

__all__ = ["apply_equal", "apply_group_equal", "group_equal_option", "share_fixed_values"]

_Kind = Callable[[Row, set[str], set[str]], bool]

# For each option: does it speak about this row, given the latent and the exogenous names of the block?
_KINDS: Final[Mapping[str, _Kind]] = MappingProxyType(
    {
        "loadings": lambda row, latent, exogenous: row.op == "=~",
        "intercepts": lambda row, latent, exogenous: row.op == "~1" and row.lhs not in latent and row.lhs not in exogenous,
        "means": lambda row, latent, exogenous: row.op == "~1" and row.lhs in latent,
        "residuals": lambda row, latent, exogenous: row.op == "~~" and row.lhs == row.rhs and not {row.lhs} & (latent | exogenous),
        "residual.covariances": lambda row, latent, exogenous: (
            row.op == "~~" and row.lhs != row.rhs and not {row.lhs, row.rhs} & (latent | exogenous)
        ),
        "lv.variances": lambda row, latent, exogenous: row.op == "~~" and row.lhs == row.rhs and row.lhs in latent,
        # Covariances of a latent with an observed variable count here; the latent one stands on the left.
        "lv.covariances": lambda row, latent, exogenous: row.op == "~~" and row.lhs != row.rhs and row.lhs in latent,
        "regressions": lambda row, latent, exogenous: row.op == "~",
    }
)


def group_equal_option(group_equal: str | Sequence[str]) -> tuple[str, ...]:
    """Check and normalise ``group_equal=``.

    Parameters
    ----------
    group_equal : str or sequence of str
        Kinds of parameters; ``_`` and ``.`` mean the same.

    Returns
    -------
    tuple of str
        With dots, as in lavaan.

    Raises
    ------
    OptionError
        For an unknown kind.
    """
    given = (group_equal,) if isinstance(group_equal, str) else tuple(group_equal)
    kinds = tuple(str(kind).lower().replace("_", ".") for kind in given)
    for written, kind in zip(given, kinds, strict=True):
        if kind not in _KINDS:
            raise OptionError(f"Unknown kind {written!r} in group_equal=.{closest(kind, _KINDS)} Allowed: {', '.join(_KINDS)}.")
    return kinds


def apply_group_equal(
    blocks: list[list[Row]], kinds: Collection[str], partial: str | Sequence[str], defaults: Defaults, *, levels: int = 1, loosen: bool = True
) -> list[list[Row]]:
    """Set parameters equal over groups.

    Parameters
    ----------
    blocks : list of list of Row
        The complete rows of every group and level, group by group.
    kinds : collection of str
        From :func:`group_equal_option`.
    partial : sequence of str
        Parameters left free to differ, such as ``"f=~x2"`` or ``"x1~1"``.
    defaults : Defaults
        Decides which side effects equality has.
    levels : int
        Number of levels; equality holds within each.
    loosen : bool
        Whether it has them at all; not if the text spells out every group, as in lavaan.

    Returns
    -------
    list of list of Row
        Equal rows share the label ``.pN.``, N being the number of the row in the first group. With equal intercepts, automatic latent
        means are free from the second group on; with equal loadings and ``std_lv``, so are automatic latent variances.
    """
    exempt = _partial(blocks, partial)
    result = list(blocks)
    for level in range(levels):
        offset = sum(len(rows) for rows in blocks[:level])
        # Means of people's own parts are 0; those of the clusters carry the differences between groups.
        freed = set(kinds) if level == levels - 1 else set(kinds) - {"intercepts"}
        result[level::levels] = _equal_over_groups(blocks[level::levels], offset, kinds, exempt, (defaults, freed) if loosen else None)
    return result


def _equal_over_groups(
    blocks: list[list[Row]],
    offset: int,
    kinds: Collection[str],
    exempt: Collection[tuple[str, str, str]],
    loosen: tuple[Defaults, Collection[str]] | None,
) -> list[list[Row]]:
    """Set parameters of one level equal; its rows in the first group begin at `offset` in the table. Nothing is freed without `loosen`."""
    first = {(row.lhs, row.op, row.rhs): number for number, row in enumerate(blocks[0])}
    shared: dict[int, str] = {}
    result = []
    for group, rows in enumerate(blocks):
        names = block_names(rows)
        latent, exogenous = set(names.latent), set(names.exogenous)
        changed = []
        for row in rows:
            key = (row.lhs, row.op, row.rhs)
            if loosen is not None and group and not row.user:
                row = _loosened(row, latent, loosen[1], loosen[0])
            number = first.get(key)
            if group and number is not None and key not in exempt and any(_KINDS[kind](row, latent, exogenous) for kind in kinds):
                model = blocks[0][number]
                # What the user wrote differently for each group (labels, or fixed in one and free in the other) stays.
                if not row.label and not model.label and row.free and model.free:
                    shared[number] = f".p{offset + number + 1}."
                    row = row._replace(label=shared[number])
            changed.append(row)
        result.append(changed)
    result[0] = [row._replace(label=shared[number]) if number in shared else row for number, row in enumerate(result[0])]
    return result


def _loosened(row: Row, latent: set[str], kinds: Collection[str], defaults: Defaults) -> Row:
    """Free what equality over groups identifies."""
    if row.lhs not in latent:
        return row
    if row.op == "~1" and "intercepts" in kinds and "means" not in kinds:
        return row._replace(free=True, ustart=math.nan)
    if row.op == "~~" and row.lhs == row.rhs and defaults.std_lv and "loadings" in kinds and "lv.variances" not in kinds:
        return row._replace(free=True, ustart=math.nan)
    return row


def _partial(blocks: Sequence[Sequence[Row]], partial: str | Sequence[str]) -> set[tuple[str, str, str]]:
    """Find the parameters that ``group_partial=`` names."""
    if not partial:
        return set()
    keys = {row.name: (row.lhs, row.op, row.rhs) for rows in blocks for row in rows}
    keys |= {f"{row.rhs}~~{row.lhs}": (row.lhs, row.op, row.rhs) for rows in blocks for row in rows if row.op == "~~"}
    found = set()
    for written in (partial,) if isinstance(partial, str) else partial:
        name = "".join(written.split())
        if name not in keys:
            raise OptionError(f"group_partial= names {written!r}, which is not a parameter of the model.{closest(name, keys)}")
        found.add(keys[name])
    return found


def apply_equal(blocks: list[list[Row]], written: Sequence[Sequence[Written]], text: str) -> list[list[Row]]:
    """Turn ``equal("f=~x2")*`` into a shared label.

    Parameters
    ----------
    blocks : list of list of Row
        The complete rows of every group; the written ones come first.
    written : sequence of sequence of Written
        What was written for them.
    text : str
        The model text, for messages.

    Returns
    -------
    list of list of Row
        The row named gets the label ``.pN.`` (N its number) unless it has one, and the other row the same label.
    """
    if not any(entry.equal for block in written for entry in block):
        return blocks
    rows = [row for block in blocks for row in block]
    places = _places(blocks)
    offset = 0
    for block, entries in zip(blocks, written, strict=True):
        for number, entry in enumerate(entries):
            if entry.equal:
                target = _target(entry, rows[offset + number].group, places, text)
                if target == offset + number:
                    raise ModelSyntaxError("A parameter is always equal to itself.", text, entry.position, entry.length)
                label = rows[target].label or f".p{target + 1}."
                _relabel(rows, rows[offset + number].label, label)
                for place in (target, offset + number):
                    rows[place] = rows[place]._replace(label=label)
        offset += len(block)
    ends = [sum(len(block) for block in blocks[:number]) for number in range(len(blocks) + 1)]
    return [rows[start:end] for start, end in pairwise(ends)]


def _relabel(rows: list[Row], old: str, new: str) -> None:
    """Let everything that had the label `old` join `new`."""
    if old and old != new:
        for number, row in enumerate(rows):
            if row.label == old:
                rows[number] = row._replace(label=new)


def _places(blocks: Sequence[Sequence[Row]]) -> dict[tuple[str, int], int]:
    """Place of each parameter by name and group; labels and names with ``.g2`` are found from every group (group 0)."""
    places: dict[tuple[str, int], int] = {}
    number = 0
    for block in blocks:
        for row in block:
            names = [row.name] + ([f"{row.rhs}~~{row.lhs}"] if row.op == "~~" else [])
            for name in names:
                places[name, row.group] = number
                places[f"{name}.g{row.group}", 0] = number
                places.setdefault((name, 0), number)
            if row.label:
                places.setdefault((row.label, 0), number)
            number += 1
    return places


def _target(entry: Written, group: int, places: Mapping[tuple[str, int], int], text: str) -> int:
    name = "".join(entry.equal.split())
    for key in ((name, group), (name, 0)):
        if key in places:
            return places[key]
    known = {name for name, _ in places}
    raise ModelSyntaxError(
        f"equal() names {entry.equal!r}, which is not a parameter of the model.{closest(name, known)}", text, entry.position, entry.length
    )


def share_fixed_values(rows: list[Row]) -> list[Row]:
    """Fix every row that shares its label with a fixed one.

    Parameters
    ----------
    rows : list of Row
        All rows.

    Returns
    -------
    list of Row

    Raises
    ------
    ModelError
        If rows with one label are fixed to different values.
    """
    values: dict[str, float] = {}
    for row in rows:
        if row.label and not row.free and values.setdefault(row.label, row.ustart) != row.ustart:
            raise ModelError(
                f"The label {row.label!r} is given to parameters fixed to different values ({values[row.label]:g} and {row.ustart:g}); "
                "equal parameters have one value. Rename one label or change one value."
            )
    if not values:
        return rows
    return [row._replace(free=False, ustart=values[row.label]) if row.free and row.label in values else row for row in rows]
