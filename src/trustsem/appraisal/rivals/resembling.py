"""Samples that resemble the observed one in size, teams and holes, from a model at its estimates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trustsem.data.blocks import BlockRows, make_block
from trustsem.data.sample import Sample
from trustsem.fitting.fit import Fit
from trustsem.inference.model_choice import anova_iccs
from trustsem.kernels.structure import Integers, Reals

__all__ = ["Design", "Truth", "design_of", "draw", "truth_of"]


@dataclass(frozen=True, eq=False)
class Design:
    """What of the observed sample is reproduced.

    Attributes
    ----------
    sample : Sample
        Whose names and number of rows are reproduced.
    holes : (n, p) bool or None
        Where values are missing.
    clusters : (n,) int or None
        The team of each row.
    icc : float
        How alike members of a team are, in everything.
    """

    sample: Sample
    holes: np.ndarray | None
    clusters: Integers | None
    icc: float

    @property
    def words(self) -> str:
        """What is reproduced and what is not."""
        block = self.sample.blocks[0]
        parts = [f"{block.n} rows"]
        if self.holes is not None:
            parts.append(f"holes at the observed places ({100 * float(self.holes.mean()):.1f} %)")
        if self.clusters is not None:
            parts.append(f"teams of the observed sizes, with an intraclass correlation of {self.icc:.2f} for everything (the items' average)")
        lost = ["categories and skewness of answers: samples are normal"]
        if self.holes is not None:
            lost.append("what holes depend on")
        if block.weights is not None:
            lost.append("sampling weights")
        return f"Reproduced: {', '.join(parts)}. Not reproduced: {'; '.join(lost)}."


@dataclass(frozen=True, eq=False)
class Truth:
    """Means (p,) and a root (p, p) of the covariances of a model, in the order of the sample's variables."""

    mean: Reals
    root: Reals


def design_of(fit: Fit) -> Design:
    """Return the design of the sample of a fit."""
    block = fit.sample.blocks[0]
    holes = None if block.rows is None or not np.isnan(block.rows).any() else np.isnan(block.rows)
    clusters = None if block.rows is None else block.clusters
    icc = 0.0 if clusters is None or block.rows is None else float(anova_iccs(block.rows, clusters).mean())
    return Design(replace(fit.sample, dropped=(), notices=()), holes, clusters, icc)


def truth_of(fit: Fit, design: Design) -> Truth:
    """Return the moments that a model implies at its estimates."""
    observed, names = fit.model.blocks[0].observed, design.sample.names
    order = np.array([observed.index(name) for name in names], dtype=np.int64)
    point, block = fit.implied_blocks[0], design.sample.blocks[0]
    saturated = np.zeros(len(names)) if block.mean is None else block.mean
    mean = point.mean[order] if fit.model.has_means else saturated
    return Truth(np.asarray(mean), np.asarray(np.linalg.cholesky(point.sigma[np.ix_(order, order)]), dtype=np.float64))


def draw(truth: Truth, design: Design, rng: np.random.Generator) -> Sample:
    """Draw a sample: normal, with the truth's moments over all rows; members of a team share a part with the share `icc` of all (co)variances.

    Raises
    ------
    DataError
        If the rows have no positive definite covariance matrix.
    """
    block = design.sample.blocks[0]
    noise = rng.standard_normal((block.n, truth.mean.size))
    if design.clusters is not None:
        shared = rng.standard_normal((int(design.clusters.max()) + 1, truth.mean.size))
        noise = np.sqrt(1.0 - design.icc) * noise + np.sqrt(design.icc) * shared[design.clusters]
    rows = truth.mean + noise @ truth.root.T
    if design.holes is not None:
        rows[design.holes] = np.nan
    made = make_block(BlockRows(rows, None, design.clusters), design.sample.names, block.label, "", "")
    return replace(design.sample, blocks=(made,))
