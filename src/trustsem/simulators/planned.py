"""Planned missing data: nobody is asked everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustsem.errors import OptionError
from trustsem.model.population import Population
from trustsem.options import check_count
from trustsem.populations.per_item import check_items, name_tuple
from trustsem.simulators import Generator, Rows, Sampler, WrappedSampler, Wrapper

__all__ = ["PlannedMissing"]


@dataclass(frozen=True)
class PlannedMissing(Wrapper):
    """Every person gets one of several forms of the questionnaire, each of which lacks one block of items.

    With three forms this is the three-form design of Graham, Taylor, Olchowski and Cumsille (2006), Psychological Methods 11, 323-343.

    Parameters
    ----------
    inner : Generator
    forms : int
        Number of forms, and of blocks; at least 3, because with two the items of one block would never be seen together with those of the other.
    anchors : tuple of str
        Items that everybody is asked.
    blocks : tuple of tuples of str, optional
        Items of each block; all others are anchors. By default the items other than `anchors` are dealt to the blocks in turn, in their order,
        so that the items of each construct are spread.

    Notes
    -----
    Form f lacks block f. Forms are dealt at random, and equally often: their numbers differ by at most one. The column ``form`` is added. Values
    are drawn before forms, so a seed gives the same values with and without this generator. `moments` are those of the complete columns.

    Raises
    ------
    OptionError
        For options that are not possible, and, when prepared, for items that are not there or too few.
    """

    kind = "holes"

    inner: Generator
    forms: int = 3
    anchors: tuple[str, ...] = ()
    blocks: tuple[tuple[str, ...], ...] | None = None

    def __post_init__(self) -> None:
        self.check_inner()
        check_count("forms", self.forms, 3)
        object.__setattr__(self, "forms", int(self.forms))
        object.__setattr__(self, "anchors", name_tuple("anchors", self.anchors))
        if self.blocks is not None:
            object.__setattr__(self, "blocks", self._given_blocks(self.blocks))

    def _given_blocks(self, blocks: Any) -> tuple[tuple[str, ...], ...]:
        """Return `blocks` as tuples of names."""
        if isinstance(blocks, str) or not isinstance(blocks, Sequence) or any(not block for block in blocks):
            raise OptionError(f"blocks={blocks!r} is not possible. Give a tuple of items for each block, such as (('x1', 'x2'), ('x3',), ('x4',)).")
        if len(blocks) != self.forms:
            raise OptionError(f"blocks= has {len(blocks)} blocks for forms={self.forms}. Give as many blocks as forms.")
        tuples = tuple(name_tuple("blocks", block) for block in blocks)
        dealt = name_tuple("blocks", [name for block in tuples for name in block])
        both = [name for name in dealt if name in self.anchors]
        if both:
            raise OptionError(f"Item {both[0]!r} is in blocks= and in anchors=. Take it out of one of them.")
        return tuples

    def prepare(self, population: Population) -> PlannedSampler:
        """Return the sampler for `population`."""
        inner = self.inner.prepare(population)
        names = (inner.moments or inner.population or population).names
        check_items("anchors", self.anchors, names)
        dealt = [name for name in names if name not in self.anchors]
        if self.blocks is None and len(dealt) < self.forms:
            raise OptionError(f"There are {len(dealt)} items for forms={self.forms} blocks. Name fewer anchors=, or give fewer forms=.")
        blocks = tuple(tuple(dealt[first :: self.forms]) for first in range(self.forms)) if self.blocks is None else self.blocks
        lacks = np.zeros((self.forms, len(names)), dtype=bool)
        for form, block in enumerate(blocks):
            check_items("blocks", block, names)
            lacks[form, [names.index(name) for name in block]] = True
        return PlannedSampler(inner, lacks)


@dataclass(frozen=True, eq=False)
class PlannedSampler(WrappedSampler):
    """Draws rows and deals forms.

    Attributes
    ----------
    inner : Sampler
    lacks : (forms, p) bool
        Whether a form lacks a column.
    """

    inner: Sampler
    lacks: np.ndarray

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` rows.

        Raises
        ------
        OptionError
            If there is a column called form already.
        """
        rows = self.inner.rows(n, rng)
        if "form" in rows.names or "form" in rows.extra:
            raise OptionError("PlannedMissing adds a column 'form', but there is one already. Use it once, and give the variable another name.")
        # Which forms are dealt once more than the others is left to chance too.
        forms = rng.permutation((np.arange(n) + rng.integers(len(self.lacks))) % len(self.lacks))
        return Rows(rows.names, np.where(self.lacks[forms], np.nan, rows.values), {**rows.extra, "form": forms + 1})
