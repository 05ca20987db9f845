"""Outcomes as columns, and as the bytes of a Parquet file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.kernels.structure import Integers, Reals
from trustsem.studies.task import Chunk

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Outcomes", "chunk_bytes", "chunk_table", "join", "outcomes_of", "read_bytes"]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of R replications of one condition under one analysis, as columns.

    Attributes
    ----------
    replication : (R,) int
    reason : (R,) str
        ``"converged"``, or why not.
    admissible : (R,) bool
    est, se : (R, P) float
    measures : (R, M) float
    """

    replication: Integers
    reason: np.ndarray
    admissible: np.ndarray
    est: Reals
    se: Reals
    measures: Reals

    @property
    def converged(self) -> np.ndarray:
        """Which replications (R,) have results."""
        return np.asarray(self.reason == "converged")

    def usable(self, which: str) -> np.ndarray:
        """Return which replications (R,) are usable: ``"converged"`` ones, or those that are ``"admissible"`` as well."""
        return self.converged & self.admissible if which == "admissible" else self.converged

    def first(self, count: int) -> Outcomes:
        """Return the outcomes of replications 0 to `count` - 1."""
        kept = self.replication < count
        return Outcomes(*(getattr(self, name)[kept] for name in ("replication", "reason", "admissible", "est", "se", "measures")))

    def __len__(self) -> int:
        return len(self.replication)


def chunk_table(chunk: Chunk) -> pa.Table:
    """Return a chunk as a table: one row per analysis and replication, with the numbers of its parameters and fit measures as lists."""
    import pyarrow as pa

    kept = [(number, chunk.first + at, one) for number, ones in enumerate(chunk.outcomes) for at, one in enumerate(ones)]
    outcomes = [one for _, _, one in kept]
    columns: dict[str, Any] = {
        "analysis": pa.array([number for number, _, _ in kept], pa.int16()),
        "replication": pa.array([replication for _, replication, _ in kept], pa.int64()),
        "reason": pa.array([one.reason for one in outcomes], pa.string()),
        "admissible": pa.array([bool(one.admissible) for one in outcomes], pa.bool_()),
    }
    for name in ("est", "se", "measures"):
        columns[name] = _lists([getattr(one, name) for one in outcomes])
    return pa.table(columns)


def _lists(rows: Sequence[Reals]) -> pa.Array:
    import pyarrow as pa

    ends = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
    values = np.concatenate(rows) if rows else np.empty(0)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values, pa.float64()))


def chunk_bytes(table: pa.Table) -> bytes:
    """Return a table as a Parquet file with checksums; equal tables give equal bytes."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True, use_dictionary=["reason"])
    return sink.getvalue()


def read_bytes(content: bytes) -> pa.Table:
    """Return the table in a Parquet file; checksums are verified."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(content), page_checksum_verification=True)


def outcomes_of(table: pa.Table, analysis: int) -> Outcomes:
    """Return the outcomes of one analysis in a table."""
    import pyarrow.compute as pc

    part = table.filter(pc.equal(table.column("analysis"), analysis)).combine_chunks()
    count = part.num_rows

    def matrix(name: str) -> Reals:
        column = part.column(name)
        flat = np.concatenate([np.asarray(piece.flatten().to_numpy(zero_copy_only=False)) for piece in column.chunks] or [np.empty(0)])
        return flat.reshape(count, -1) if count else np.empty((0, 0))

    return Outcomes(
        part.column("replication").to_numpy(),
        np.array(part.column("reason").to_pylist(), dtype=object),
        np.array(part.column("admissible").to_pylist(), dtype=bool),
        matrix("est"),
        matrix("se"),
        matrix("measures"),
    )


def join(parts: Sequence[Outcomes]) -> Outcomes:
    """Return outcomes one after the other, in the order of the replications."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return parts[0]
    replication = np.concatenate([part.replication for part in filled])
    order = np.argsort(replication, kind="stable")

    def column(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in filled])[order]

    return Outcomes(replication[order], *(column(name) for name in ("reason", "admissible", "est", "se", "measures")))
