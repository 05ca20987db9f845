"""Resampling the rows of a sample: which rows are drawn how often, and the sample that they make.

A resample is held as counts, one per row. With complete rows its moments are the moments weighted by the counts, so that no row is copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trustsem.data.blocks import BlockRows, make_block
from trustsem.data.moments import moments, weighted_moments
from trustsem.data.sample import BlockSample, Sample
from trustsem.errors import DataError, OptionError

__all__ = ["Resampler", "bollen_stine_rows", "draw_counts", "leave_out_counts", "resample", "resampler", "with_rows"]

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]

_COLLINEAR = 1e-12  # share of a variable's variance that the others leave, below which it is rounding
_FOLDS = 500


@dataclass(frozen=True, eq=False)
class Resampler:
    """A sample with the units that are drawn from it.

    Attributes
    ----------
    sample : Sample
    units : tuple of (n,) int
        For each block the unit that each row belongs to, counted from 0: the row itself, or its cluster.
    """

    sample: Sample
    units: tuple[Integers, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of units in each block."""
        return tuple(int(unit.max()) + 1 for unit in self.units)


def resampler(sample: Sample, *, clusters: bool = False) -> Resampler:
    """Make `sample` ready to be resampled: rows within each group, or whole clusters of rows within each group.

    Raises
    ------
    DataError
        If the sample has no rows (it was made from moments), or a group has only one cluster.
    OptionError
        If clusters are wanted and the sample has none.
    """
    units = []
    for block in sample.blocks:
        if block.rows is None:
            raise DataError("Resampling needs the rows of the data, but the sample holds moments only. Fit the model to rows.")
        if not clusters:
            units.append(np.arange(block.n))
            continue
        if block.clusters is None:
            raise OptionError("kind='cluster' needs to know which cluster each row belongs to. Fit with cluster=, or choose kind='nonparametric'.")
        if block.clusters.max() < 1:
            where = f" in group {block.label!r}" if block.label else ""
            raise DataError(f"There is only one cluster{where}, so clusters cannot be resampled. At least two are needed in every group.")
        units.append(block.clusters)
    return Resampler(sample, tuple(units))


def draw_counts(source: Resampler, rng: np.random.Generator) -> tuple[Integers, ...]:
    """Draw as many units from each block as it has, with replacement; return how often each row is drawn, per block (n,).

    Whole clusters differ in size, so that the number of rows differs from draw to draw (Davison & Hinkley 1997, section 3.8).
    """
    found = []
    for unit, size in zip(source.units, source.sizes, strict=True):
        times = np.bincount(rng.integers(0, size, size), minlength=size)
        found.append(times if size == unit.size else times[unit])
    return tuple(found)


def leave_out_counts(source: Resampler, rng: np.random.Generator, folds: int = _FOLDS) -> Iterator[tuple[int, tuple[Integers, ...]]]:
    """Yield the samples of the jackknife: the block from which each leaves something out, and its counts.

    Each sample leaves out one unit of one block. Blocks of more than `folds` units are cut at random into that many parts, which are left out
    one by one (Efron & Narasimhan 2020, doi 10.1080/10618600.2020.1714633).
    """
    full = tuple(np.ones(unit.size, dtype=np.int64) for unit in source.units)
    for b, (unit, size) in enumerate(zip(source.units, source.sizes, strict=True)):
        part = np.arange(size) if size <= folds else rng.permutation(size) % folds
        for left in range(min(size, folds)):
            yield b, (*full[:b], np.where(part[unit] == left, 0, 1), *full[b + 1 :])


def resample(source: Resampler, counts: Sequence[Integers], *, rows: bool = False) -> Sample:
    """Return the sample in which each row occurs as often as `counts` say, per block (n,).

    Incomplete or weighted rows are repeated, with their holes and weights; of others only the moments are made, unless `rows` are wanted too.

    Raises
    ------
    DataError
        If the rows have no positive definite covariance matrix (too few different rows, or a variable that does not vary).
    """
    sample = source.sample
    n = sum(int(count.sum()) for count in counts)
    weight = sum(float(count @ block.weights) for block, count in zip(sample.blocks, counts, strict=True) if block.weights is not None)
    blocks = []
    for block, count in zip(sample.blocks, counts, strict=True):
        if block.missing is None and block.weights is None and not rows:
            blocks.append(_moments_drawn(block, count))
        else:
            blocks.append(_rows_drawn(block, count, sample.names, n / weight if weight else 1.0))
    return replace(sample, blocks=tuple(blocks), n_read=n, notices=(), dropped=())


def _moments_drawn(block: BlockSample, counts: Integers) -> BlockSample:
    assert block.rows is not None
    n, drawn = int(counts.sum()), np.flatnonzero(counts)
    if drawn.size <= block.rows.shape[1]:
        raise _no_covariance(block)
    mean, cov = weighted_moments(block.rows[drawn], counts[drawn].astype(np.float64))
    # The divisor belongs to the number of rows drawn, not to that of different rows.
    cov *= (drawn.size - 1) / drawn.size * (n / (n - 1))
    if not _is_definite(cov):
        raise _no_covariance(block)
    return BlockSample(block.label, n, mean, cov, None)


def _rows_drawn(block: BlockSample, counts: Integers, names: tuple[str, ...], scale: float) -> BlockSample:
    assert block.rows is not None
    order = np.repeat(np.arange(counts.size), counts)
    weights = None if block.weights is None else block.weights[order] * scale
    part = BlockRows(block.rows[order], weights, None if block.clusters is None else _clusters_drawn(block.clusters, counts, order))
    try:
        return make_block(part, names, block.label, "", "")
    except DataError as error:
        raise _no_covariance(block) from error


def _clusters_drawn(clusters: Integers, counts: Integers, order: Integers) -> Integers:
    """Return the clusters of the rows drawn, numbered from 0: each copy of a cluster is one of its own."""
    copy = np.arange(order.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.asarray(np.unique(clusters[order] * (int(counts.max()) + 1) + copy, return_inverse=True)[1], dtype=np.int64)


def _no_covariance(block: BlockSample) -> DataError:
    where = f" in group {block.label!r}" if block.label else ""
    return DataError(f"The resample has no positive definite covariance matrix{where}.")


def _is_definite(cov: Reals) -> bool:
    """Whether every variable keeps a share of its variance, given those before it, that is clear of rounding."""
    variances = np.diagonal(cov)
    if not (variances > 0.0).all():
        return False
    try:
        pivots = np.linalg.cholesky(cov).diagonal() ** 2
    except np.linalg.LinAlgError:
        return False
    return bool((pivots > _COLLINEAR * variances).all())


def bollen_stine_rows(rows: Reals, mean: Reals, cov: Reals, new_mean: Reals, new_cov: Reals) -> Reals:
    """Return `rows` (n, p), of moments `mean` and `cov`, transformed linearly to have the moments `new_mean` and `new_cov` exactly.

    ``z = (y - ybar) S^-1/2 Sigma^1/2 + mu`` with symmetric roots (Bollen & Stine 1992, doi 10.1177/0049124192021002004): the resamples then come
    from a population in which the model holds, with the shape of the data otherwise kept.

    Raises
    ------
    DataError
        If `new_cov` is not positive definite.
    """
    values, vectors = np.linalg.eigh(cov)
    new_values, new_vectors = np.linalg.eigh(new_cov)
    if new_values[0] <= 0.0:
        raise DataError(
            f"The implied covariance matrix is not positive definite (smallest eigenvalue {new_values[0]:.3g}), so data cannot be made to follow it. "
            "Choose another model, or kind='nonparametric'."
        )
    inverse_root = (vectors / np.sqrt(values)) @ vectors.T
    root = (new_vectors * np.sqrt(new_values)) @ new_vectors.T
    return np.asarray((rows - mean) @ (inverse_root @ root) + new_mean)


def with_rows(sample: Sample, rows: Sequence[Reals]) -> Sample:
    """Return a sample of the same variables and groups with other complete rows (n, p), one array per block, and their moments."""
    blocks = []
    for block, own in zip(sample.blocks, rows, strict=True):
        mean, cov = moments(own) if block.weights is None else weighted_moments(own, block.weights)
        blocks.append(replace(block, mean=mean, cov=cov, rows=own))
    return replace(sample, blocks=tuple(blocks))
