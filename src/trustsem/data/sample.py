"""The observed data as everything downstream sees them: per block the number of rows, the moments and, if known, the rows."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trustsem.data.incomplete import IncompleteRows, incomplete_rows
from trustsem.errors import DataError, TrustsemWarning, closest

__all__ = ["BlockSample", "DroppedRows", "Sample", "drop_record"]

MAX_RECORDED_ROWS = 1_000
_HASH_ROWS = 4_096


def _read_only(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a read-only C-contiguous view (or copy, where the layout demands it) without touching the flags of `array`."""
    view = np.ascontiguousarray(array, dtype=np.float64).view()
    view.setflags(write=False)
    return view


@dataclass(frozen=True, eq=False)
class BlockSample:
    """The data of one block (group).

    Parameters
    ----------
    label : str
        Group label as text; ``""`` where there is one group without a grouping variable.
    n : int
        Number of rows used.
    mean : ndarray of shape (p,) or None
        Means, in the units of the data; None where only a covariance matrix is known. Of incomplete rows the maximum likelihood means.
    cov : ndarray of shape (p, p)
        Covariance matrix with divisor ``n - 1``. Of incomplete rows that of maximum likelihood, times ``n / (n - 1)``.
    rows : ndarray of shape (n, p) or None
        The rows used, C-contiguous; None for summary statistics. Missing values (NaN) only where `missing` is given.
    missing : IncompleteRows or None
        Patterns of missing values; None if the rows are complete.
    weights : ndarray of shape (n,) or None
        Sampling weights, scaled to add up to the number of rows.
    clusters : ndarray of shape (n,) or None
        Number of each row's cluster, counted from 0 within the block.

    Notes
    -----
    The arrays are read-only, also after pickling.
    """

    label: str
    n: int
    mean: NDArray[np.float64] | None
    cov: NDArray[np.float64]
    rows: NDArray[np.float64] | None
    missing: IncompleteRows | None = None
    weights: NDArray[np.float64] | None = None
    clusters: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        for name in ("mean", "cov", "rows", "weights"):
            array = getattr(self, name)
            if array is not None:
                object.__setattr__(self, name, _read_only(array))

    @property
    def size(self) -> float:
        """Number of observations: of rows, or the sum of their weights."""
        return float(self.n) if self.weights is None else float(self.weights.sum())

    def __reduce__(self) -> tuple[Any, ...]:
        # Unpickled arrays are writable; going through the constructor makes them read-only again.
        return BlockSample, tuple(getattr(self, field.name) for field in fields(self))

    def __repr__(self) -> str:
        held = "rows" if self.rows is not None else "moments" if self.mean is not None else "covariances"
        return f"BlockSample(label={self.label!r}, n={self.n}, p={self.cov.shape[0]}, {held})"

    def select(self, index: NDArray[np.intp]) -> BlockSample:
        """Return the block with the variables at positions `index`, in that order."""
        rows = None if self.rows is None else np.take(self.rows, index, axis=1)
        if self.missing is not None and rows is not None:
            return self._select_incomplete(rows)
        return replace(self, mean=None if self.mean is None else self.mean[index], cov=self.cov[np.ix_(index, index)], rows=rows)

    def _select_incomplete(self, rows: NDArray[np.float64]) -> BlockSample:
        """Return the block of other columns of incomplete rows: what is missing, and so the moments, have changed."""
        kept = ~np.isnan(rows).all(axis=1)
        weights = None if self.weights is None else self.weights[kept]
        clusters = None if self.clusters is None else self.clusters[kept]
        rows = rows[kept]
        found, mean, cov = incomplete_rows(rows, weights)
        n = len(rows)
        return BlockSample(self.label, n, mean, cov * (n / (n - 1)), rows, found, weights, clusters)


@dataclass(frozen=True)
class DroppedRows:
    """Rows that were read and not used.

    Parameters
    ----------
    reason : str
        Why, such as ``"missing value"``.
    block : str
        Label of the group concerned; ``""`` where there is none.
    count : int
        Number of rows dropped; exact.
    index : tuple of int
        Positions of the rows in the data as read, counted from 0; at most the first 1,000.
    """

    reason: str
    block: str
    count: int
    index: tuple[int, ...]


def drop_record(reason: str, block: str, positions: NDArray[np.intp]) -> DroppedRows:
    """Return the record of the rows at `positions` (counted from 0) having been dropped."""
    return DroppedRows(reason, block, len(positions), tuple(positions[:MAX_RECORDED_ROWS].tolist()))


@dataclass(frozen=True, eq=False)
class Sample:
    """Observed data, ready to be analysed.

    Parameters
    ----------
    names : tuple of str
        The p observed variables, in the order of every array below.
    blocks : tuple of BlockSample
        One per group.
    group : str or None
        Name of the grouping variable.
    dropped : tuple of DroppedRows
        What was read and not used, and why.
    n_read : int
        Number of rows read; for summary statistics the number of rows they describe.
    notices : tuple of TrustsemWarning
        What the caller should warn of; nothing has been issued yet.
    cluster : str or None
        Name of the variable that says which cluster (team) a row belongs to.
    """

    names: tuple[str, ...]
    blocks: tuple[BlockSample, ...]
    group: str | None
    dropped: tuple[DroppedRows, ...]
    n_read: int
    notices: tuple[TrustsemWarning, ...]
    cluster: str | None = None

    @property
    def nobs(self) -> int:
        """Number of rows used, over all groups."""
        return sum(block.n for block in self.blocks)

    @property
    def group_labels(self) -> tuple[str, ...]:
        """Labels of the groups, in the order of `blocks`."""
        return tuple(block.label for block in self.blocks)

    @property
    def n_dropped(self) -> int:
        """Number of rows read and not used."""
        return sum(record.count for record in self.dropped)

    @property
    def incomplete(self) -> bool:
        """Whether rows with missing values are among those used."""
        return any(block.missing is not None for block in self.blocks)

    def __repr__(self) -> str:
        groups = f", groups={list(self.group_labels)}" if self.group is not None else ""
        dropped = f", dropped={self.n_dropped}" if self.n_dropped else ""
        return f"Sample(variables={len(self.names)}, nobs={self.nobs}{groups}{dropped})"

    def select(self, names: Iterable[str]) -> Sample:
        """Return the sample of some of the variables.

        Parameters
        ----------
        names : iterable of str
            The variables wanted, in the order wanted.

        Returns
        -------
        Sample
            With the same rows: rows dropped because of a variable that is no longer there stay dropped. Incomplete rows in which every
            value wanted is missing are dropped and recorded.

        Raises
        ------
        DataError
            If a name does not exist, is given twice, or none is given.
        """
        wanted = tuple(names)
        if wanted == self.names:
            return self
        position = {name: at for at, name in enumerate(self.names)}
        for name in wanted:
            if name not in position:
                raise DataError(f"The sample has no variable {name!r}.{closest(name, self.names)} It has: {', '.join(self.names)}.")
        if not wanted or len(set(wanted)) < len(wanted):
            raise DataError(f"names= must hold at least one variable and each only once, not {list(wanted)!r}.")
        index = np.array([position[name] for name in wanted], dtype=np.intp)
        blocks = tuple(block.select(index) for block in self.blocks)
        lost = tuple(
            DroppedRows("every value missing", before.label, before.n - after.n, ()) for before, after in zip(self.blocks, blocks, strict=True)
        )
        return replace(self, names=wanted, blocks=blocks, dropped=self.dropped + tuple(record for record in lost if record.count))

    def fingerprint(self) -> str:
        """Return the SHA-256 (hexadecimal) of the variable names, group labels, numbers of rows and values.

        The values are the rows where they are known, else the moments. They enter as little-endian IEEE doubles with ``-0.0`` as
        ``0.0``, so that equal values give equal fingerprints on every machine.
        """
        digest = hashlib.sha256()
        texts = (*self.names, "", self.group or "", *self.group_labels)
        for text in texts:
            encoded = text.encode()
            digest.update(struct.pack("<q", len(encoded)) + encoded)
        for block in self.blocks:
            arrays = [block.mean, block.cov] if block.rows is None else [block.rows]
            arrays += [] if block.weights is None else [block.weights]
            arrays += [] if block.clusters is None else [block.clusters.astype(np.float64)]
            digest.update(struct.pack("<qq", block.n, len(arrays)))
            for array in arrays:
                _hash_array(digest, array)
        return digest.hexdigest()


def _hash_array(digest: Any, array: NDArray[np.float64] | None) -> None:
    if array is None:
        digest.update(b"none")
        return
    for start in range(0, len(array), _HASH_ROWS):
        chunk = array[start : start + _HASH_ROWS] + 0.0  # -0.0 + 0.0 is 0.0
        digest.update(chunk.astype("<f8", copy=False).tobytes())
