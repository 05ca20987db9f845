"""Patterns of missing values: which rows have which holes, and the sufficient statistics of each pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trustsem.kernels.patterns import Patterns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MissingPatterns", "coverage_frame", "find_patterns", "pattern_frame", "reduce_patterns"]


@dataclass(frozen=True, eq=False)
class MissingPatterns:
    """The patterns of missing values of n rows.

    Attributes
    ----------
    observed : (P, p) bool
        Which variables each pattern observes; the most frequent pattern comes first.
    start : (P + 1,) int
        Where each pattern begins in `order`.
    order : (n,) int
        Places of the rows, pattern by pattern.
    """

    observed: NDArray[np.bool_]
    start: NDArray[np.int64]
    order: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of rows (P,) of each pattern."""
        return np.diff(self.start)

    @cached_property
    def gap_start(self) -> NDArray[np.int64]:
        """Where each pattern's missing variables begin in `gaps` (P + 1,)."""
        return np.concatenate([[0], np.cumsum((~self.observed).sum(axis=1))]).astype(np.int64)

    @cached_property
    def gaps(self) -> NDArray[np.int64]:
        """Missing variables, pattern by pattern."""
        return np.nonzero(~self.observed)[1].astype(np.int64)

    def coverage(self) -> NDArray[np.float64]:
        """Return the share of rows (p, p) in which both of two variables are observed."""
        weighted = self.observed * self.counts[:, None]
        return np.asarray(self.observed.T.astype(np.float64) @ weighted / self.counts.sum())


def find_patterns(rows: NDArray[np.float64]) -> MissingPatterns:
    """Find the patterns of missing values (NaN) in `rows` (n, p)."""
    packed = np.packbits(np.isnan(rows), axis=1)
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, place, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    rank = np.lexsort((first, -counts))  # most frequent first, then in order of appearance
    position = np.empty_like(rank)
    position[rank] = np.arange(rank.size)
    order = np.argsort(position[place], kind="stable").astype(np.int64)
    start = np.concatenate([[0], np.cumsum(counts[rank])]).astype(np.int64)
    return MissingPatterns(~np.isnan(rows[first[rank]]), start, order)


def reduce_patterns(rows: NDArray[np.float64], patterns: MissingPatterns, weights: NDArray[np.float64] | None = None) -> Patterns:
    """Reduce `rows` (n, p) to the sufficient statistics of each pattern: its mean, and vectors with the cross-products of its centred rows.

    A pattern keeps no more vectors than it has rows, nor more than 1 + its number of observed variables.

    Parameters
    ----------
    rows : (n, p) float
    patterns : MissingPatterns
    weights : (n,) float, optional
        Weight of each row, 1 by default.
    """
    counts = np.empty(len(patterns.observed))
    start = [0]
    kept: list[NDArray[np.float64]] = []
    for k, seen in enumerate(patterns.observed):
        members = patterns.order[patterns.start[k] : patterns.start[k + 1]]
        part = rows[members]
        share = np.ones(len(members)) if weights is None else weights[members]
        counts[k] = share.sum()
        if len(members) == 1:
            vectors = np.where(seen, part, 0.0)
        else:
            vectors = np.zeros((1 + min(len(members), int(seen.sum())), rows.shape[1]))
            mean = share @ part[:, seen] / counts[k]
            centred = (part[:, seen] - mean) * np.sqrt(share)[:, None]
            vectors[0, seen] = mean
            vectors[1:, seen] = centred if len(members) <= seen.sum() else np.linalg.qr(centred, mode="r")
        kept.append(vectors)
        start.append(start[-1] + len(vectors))
    return Patterns(counts, patterns.gap_start, patterns.gaps, np.array(start, dtype=np.int64), np.concatenate(kept))


def pattern_frame(patterns: MissingPatterns, names: Sequence[str]) -> pd.DataFrame:
    """Return a table of the patterns: number of rows, then 1 where a variable is observed and 0 where it is missing."""
    import pandas as pd

    return pd.DataFrame({"n": patterns.counts} | {name: patterns.observed[:, k].astype(int) for k, name in enumerate(names)})


def coverage_frame(patterns: MissingPatterns, names: Sequence[str]) -> pd.DataFrame:
    """Return the share of rows in which both of two variables are observed."""
    import pandas as pd

    return pd.DataFrame(patterns.coverage(), index=list(names), columns=list(names))
