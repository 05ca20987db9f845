"""Data like those observed, from another population: as many rows, in the same teams, with the same holes and the same answers in use.

Every observed variable is a normal variable cut (or, with many values, stepped) so that it takes the observed values as often as observed. The
correlations of the normal variables are chosen so that means and covariances of what is drawn are exactly those of the population.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from trustsem.data.incomplete import incomplete_rows
from trustsem.data.moments import moments, weighted_moments
from trustsem.data.sample import BlockSample, Sample
from trustsem.errors import NotAvailableError, OptionError
from trustsem.fitting.fit import Fit
from trustsem.inference.components import between_covariances
from trustsem.inference.marginals import Steps, coefficients, nearest_correlations, normal_covariances, steps_of, transformed_covariances
from trustsem.kernels.structure import Integers, Reals
from trustsem.model.population import Population
from trustsem.populations.levels import LevelShares, root_of, split_levels
from trustsem.populations.roles import roles_of

__all__ = ["Imitation", "Imitator", "imitate"]

_MOST = 0.9  # an intraclass correlation beyond which nothing would be a person's own
_SHIFT = 0.02  # a change of correlations that is worth saying


@dataclass(frozen=True, eq=False)
class Imitation:
    """The design of the data behind a fit, to be filled with values from a population.

    Attributes
    ----------
    sample : Sample
        The observed one: rows, holes, clusters.
    steps : tuple of Steps, or None
        What each variable does to its normal variable; None for summary statistics.
    icc : mapping of str to float
        Share of variance between clusters of each construct; empty without clusters.
    item_icc : mapping of str to float
        The same of the residual of each indicator.
    fixed : tuple of str
        Covariates whose moments the model takes as given.
    """

    sample: Sample
    steps: tuple[Steps, ...] | None
    icc: Mapping[str, float]
    item_icc: Mapping[str, float]
    fixed: tuple[str, ...] = ()

    @cached_property
    def series(self) -> Reals:
        """Hermite coefficients of each variable's steps."""
        return np.array([coefficients(one) for one in self.steps or ()])

    @property
    def said(self) -> tuple[str, ...]:
        """What of the design is reproduced, in sentences."""
        block = self.sample.blocks[0]
        lines = [f"{block.n:,} rows are drawn anew each time from a population with exactly the covariances that the model implies."]
        if self.steps is None:
            lines.append("Rows are multivariate normal and complete: only summary statistics are known of the data.")
            return tuple(lines)
        lines.append(
            "Each variable takes the values that were observed, as often as they were; the dependence between variables is that of normal variables."
        )
        if block.missing is not None:
            lines.append("Values are missing where they were in the observed rows, whatever the values drawn: missing completely at random.")
        if self.fixed:
            lines.append(f"Covariates that the model holds fixed are drawn anew with the others: {', '.join(self.fixed)}.")
        if self.sample.n_dropped:
            lines.append(f"Rows that were not used ({self.sample.n_dropped}) are not drawn either.")
        if block.clusters is not None:
            shares = sorted(self.icc.values())
            lines.append(
                f"Clusters have the observed sizes; constructs vary between them as estimated (intraclass correlations {shares[0]:.2f} to "
                f"{shares[-1]:.2f}), and the same paths hold within and between clusters."
            )
        if block.weights is not None:
            lines.append("Rows keep their sampling weights, which have nothing to do with the values drawn.")
        return tuple(lines)

    def of(self, population: Population) -> Imitator:
        """Return what draws such data from `population`."""
        at = [population.names.index(name) for name in self.sample.names]
        block = population.implied_blocks[0]
        cov, mean = block.sigma[np.ix_(at, at)], np.zeros(len(at))
        own = self.sample.blocks[0]
        if population.compiled.has_means:
            mean = block.mean[at]
        elif own.mean is not None:
            mean = np.array(own.mean)
        between = np.zeros_like(cov)
        notes: tuple[str, ...] = ()
        if own.clusters is not None:
            found, notes = self._between(population)
            between = found[np.ix_(at, at)]
        sd = np.sqrt(np.diag(cov))
        total, apart = cov / np.outer(sd, sd), between / np.outer(sd, sd)
        wanted = total
        if self.steps is not None:
            total, apart = normal_covariances(total, self.series), normal_covariances(apart, self.series)
            np.fill_diagonal(total, 1.0)
        values, vectors = np.linalg.eigh(apart)
        apart = (vectors * np.maximum(values, 0.0)) @ vectors.T
        within = _positive(nearest_correlations(total) - apart)
        if self.steps is not None:
            gap = np.abs(transformed_covariances(within + apart, self.series) - wanted)
            off = float(gap[~np.eye(len(gap), dtype=bool)].max(initial=0.0))
            if off > _SHIFT:
                notes = (*notes, f"Correlations of the variables drawn are off by up to {off:.2f}: with these values they cannot be had.")
        return Imitator(self.sample, self.steps, mean, sd, root_of(within), root_of(apart), notes)

    def _between(self, population: Population) -> tuple[Reals, tuple[str, ...]]:
        """Return the covariances of the observed variables between clusters, and what had to be changed for them to be possible."""
        roles, block = roles_of(population), population.implied_blocks[0]
        names = roles.variables
        residual = np.array([self.item_icc.get(name, 0.0) for name in names])
        common = float(np.mean(list(self.icc.values())))
        same = f"Constructs all have the mean intraclass correlation, {common:.2f}: their own are impossible together."
        attempts: list[tuple[Mapping[str, float], tuple[str, ...]]] = [(self.icc, ()), (dict.fromkeys(self.icc, common), (same,))]
        for shares, notes in attempts:
            wanted = np.array([shares.get(name, np.nan) for name in names])
            try:
                _, apart = split_levels(block, names, (LevelShares("icc", "item_icc", wanted, residual),))
            except OptionError:
                continue
            return (block.B @ apart @ block.B.T)[: block.p, : block.p], notes
        return common * block.sigma, (f"All variables have the intraclass correlation {common:.2f}: that of each is impossible.",)


@dataclass(frozen=True, eq=False)
class Imitator:
    """Draws samples.

    Attributes
    ----------
    template : Sample
        The observed one.
    steps : tuple of Steps, or None
    mean, sd : (p,) float
        Of what is drawn.
    within, between : (p, r) float
        Roots of the covariance matrices of the normal variables.
    notes : tuple of str
        What is not as it should be.
    """

    template: Sample
    steps: tuple[Steps, ...] | None
    mean: Reals
    sd: Reals
    within: Reals
    between: Reals
    notes: tuple[str, ...] = ()

    def rows(self, rng: np.random.Generator) -> Reals:
        """Return rows (n, p), with holes."""
        block = self.template.blocks[0]
        z = rng.standard_normal((block.n, self.within.shape[1])) @ self.within.T
        if block.clusters is not None:
            count = int(block.clusters.max()) + 1
            z += (rng.standard_normal((count, self.between.shape[1])) @ self.between.T)[block.clusters]
        if self.steps is not None:
            z = np.column_stack([one.at(z[:, k]) for k, one in enumerate(self.steps)])
        rows = z * self.sd + self.mean
        if block.missing is not None and block.rows is not None:
            rows[np.isnan(block.rows)] = np.nan
        return rows

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return a sample like the observed one.

        Raises
        ------
        DataError
            If its moments cannot be estimated.
        """
        return replace(self.template, blocks=(_filled(self.template.blocks[0], self.rows(rng)),), notices=())


def _filled(block: BlockSample, rows: Reals) -> BlockSample:
    """Return a block with other rows."""
    if block.rows is None:
        mean, cov = moments(rows)
        return replace(block, mean=None if block.mean is None else mean, cov=cov)
    if block.missing is None:
        mean, cov = moments(rows) if block.weights is None else weighted_moments(rows, block.weights)
        return replace(block, mean=mean, cov=cov, rows=rows)
    found, mean, cov = incomplete_rows(rows, block.weights)
    return replace(block, mean=mean, cov=cov * (block.n / (block.n - 1)), rows=rows, missing=found)


def _positive(matrix: Reals) -> Reals:
    """Return a positive semidefinite matrix with the same diagonal near to a matrix that should be one."""
    values, vectors = np.linalg.eigh(matrix)
    if values[0] >= 0.0:
        return matrix
    result = (vectors * np.maximum(values, 0.0)) @ vectors.T
    scale = np.sqrt(np.diag(matrix) / np.diag(result))
    return np.asarray(result * np.outer(scale, scale))


def imitate(fit: Fit, population: Population) -> Imitation:
    """Return the design of the data behind `fit`.

    Parameters
    ----------
    fit : Fit
    population : Population
        Its model at its estimates, from which shares of variance between clusters are taken.

    Raises
    ------
    NotAvailableError
        For several groups and for two levels.
    """
    if len(fit.model.blocks) > 1:
        raise NotAvailableError(
            "Data like those observed are drawn for one group and one level. Fit the groups one at a time, or one level with cluster=."
        )
    sample, fixed = fit.sample.select(fit.model.blocks[0].observed), fit.model.blocks[0].fixed
    block = sample.blocks[0]
    if block.rows is None:
        return Imitation(sample, None, {}, {}, fixed)
    steps = tuple(steps_of(column[~np.isnan(column)]) for column in block.rows.T)
    if block.clusters is None:
        return Imitation(sample, steps, {}, {}, fixed)
    icc, item_icc = _shares(population, sample.names, block.rows, block.clusters)
    return Imitation(sample, steps, icc, item_icc, fixed)


def _shares(population: Population, names: tuple[str, ...], rows: Reals, clusters: Integers) -> tuple[dict[str, float], dict[str, float]]:
    """Return the shares of variance between clusters of constructs, and of the residuals of their indicators.

    That of a construct is the ratio of the sums of the covariances of its indicators, between clusters and in total, in which residuals have no part.
    """
    roles, block = roles_of(population), population.implied_blocks[0]
    icc, item_icc = {}, {}
    for construct in roles.constructs:
        j = roles.variables.index(construct)
        own = [construct] if construct in names else [name for name in names if block.A[roles.variables.index(name), j] != 0.0]
        if not own:
            continue
        places = [roles.variables.index(name) for name in own]
        values = rows[:, [names.index(name) for name in own]]
        kept = ~np.isnan(values).any(axis=1)
        codes = clusters[kept]
        if not 1 < np.unique(codes).size < codes.size:
            continue
        between, total = between_covariances(values[kept], codes)
        if construct in names:
            icc[construct] = float(np.clip(between[0, 0] / total[0, 0], 0.0, _MOST))
            continue
        loading = block.A[places, j]
        sign = np.sign(np.outer(loading, loading))
        pairs = np.tril_indices(len(own), -1)
        ratio = (between * sign)[pairs].sum() / max((total * sign)[pairs].sum(), 1e-12) if len(own) > 1 else 0.0
        icc[construct] = float(np.clip(ratio, 0.0, _MOST))
        for k, (name, place) in enumerate(zip(own, places, strict=True)):
            left = between[k, k] - loading[k] ** 2 * icc[construct] * block.V[j, j]
            item_icc[name] = float(np.clip(left / block.S[place, place], 0.0, _MOST))
    return icc, item_icc
