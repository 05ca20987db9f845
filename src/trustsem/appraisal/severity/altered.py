"""The fitted model as a population, in which single paths take other values; and how large standard errors would be there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from trustsem.errors import ModelError
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import Fitter, make_fitter
from trustsem.fitting.tables import row_values, standardized_values
from trustsem.kernels.structure import Reals
from trustsem.model.population import Population
from trustsem.options import FitOptions
from trustsem.populations.altering import alter

if TYPE_CHECKING:
    from trustsem.appraisal.result import Appraisal

__all__ = ["Alterations", "alterations", "claim_rows", "moved", "population_of"]

_CLOSE = 1e-4  # how near the estimate from exact moments must be to the value asked for


def population_of(fit: Fit) -> Population:
    """Return the fitted model with its estimates as a population; covariates that were fixed get the moments that they had.

    Raises
    ------
    ModelError
        If the estimates are no possible population.
    """
    table = fit.model.table
    rows = tuple(row._replace(free=True, exo=False, ustart=math.nan) if row.exo else row for row in table.rows)
    released = replace(table, rows=rows)
    values = [float(value) for row, value in zip(rows, row_values(fit), strict=True) if row.free]
    return Population(released, dict(zip(released.parameter_names(), values, strict=True)))


def claim_rows(appraisal: Appraisal) -> tuple[int, ...]:
    """Return the row of the parameter table that each claim is."""
    names = {construct.name: construct.variable for construct in appraisal.theory.nodes}
    place = {(row.lhs, row.rhs): k for k, row in enumerate(appraisal.fit.model.table.rows) if row.op == "~"}
    return tuple(place[names[claim.effect], names[claim.cause]] for claim in appraisal.claims)


@dataclass(frozen=True, eq=False)
class Alterations:
    """What is needed to set single paths of a fitted model to other values.

    Attributes
    ----------
    population : Population
        The fitted model at its estimates.
    fitter : Fitter
        Its model, by plain maximum likelihood, for exact moments.
    nobs : int
    rows : tuple of int
        The row of the parameter table that each claim is.
    ratio : (C,) float
        Standard errors as observed, divided by those of plain maximum likelihood with complete, independent, normal rows: what missing values,
        teams and the shape of the data cost.
    """

    population: Population
    fitter: Fitter
    nobs: int
    rows: tuple[int, ...]
    ratio: Reals

    def path(self, k: int) -> str:
        """Return claim k as text."""
        row = self.fitter.model.table.rows[self.rows[k]]
        return f"{row.lhs}~{row.rhs}"

    def at(self, k: int, value: float) -> Population:
        """Return the population with the path of claim k at a standardized value; other standardized paths and all variances stay.

        Raises
        ------
        ModelError
            If there is no such population.
        """
        return alter(self.population, paths={self.path(k): value})

    def estimates(self, k: int, value: float) -> tuple[Reals, Reals]:
        """Return what the estimates (C,) of all claims would approach where the path of claim k has a value, and their covariance matrix (C, C).

        Raises
        ------
        ModelError
            If there is no such population, or the model does not have it.
        """
        found, cov = _exact(self.fitter, self.at(k, value), self.nobs, self.rows)
        if not abs(found[k] - value) < _CLOSE:
            raise ModelError(f"The model ties {self.path(k)} to other parameters, so it cannot be {value:g} alone. Leave the constraint out.")
        return found, cov * np.outer(self.ratio, self.ratio)

    def error(self, k: int, value: float) -> float:
        """Return the standard error of claim k where its path has a standardized value.

        Raises
        ------
        ModelError
            If there is no such population, or the model does not have it.
        """
        return math.sqrt(self.estimates(k, value)[1][k, k])


def _exact(fitter: Fitter, population: Population, n: int, rows: Sequence[int]) -> tuple[Reals, Reals]:
    """Return standardized values (C,) of rows of the parameter table, and their covariance matrix, at the exact moments of a population."""
    at = [population.names.index(name) for name in fitter.observed]
    mean = population.mean[at] if fitter.model.has_means else None
    fit = fitter.fit_moments(population.cov[np.ix_(at, at)] * (n / (n - 1.0)), n, mean)
    if not fit.converged:
        return np.full(len(rows), np.nan), np.full((len(rows), len(rows)), np.nan)
    values, slopes = standardized_values(fit, "std_all")
    own = slopes[list(rows)]
    return values[list(rows)], own @ fit.theta_vcov @ own.T


def alterations(appraisal: Appraisal) -> Alterations:
    """Return what is needed to set the claims of an appraisal to other values; not for one that has no verdicts."""
    fit, rows = appraisal.fit, claim_rows(appraisal)
    population = population_of(fit)
    fitter = make_fitter(fit.model, FitOptions())
    observed = appraisal.estimates["se"].to_numpy(float)
    return Alterations(population, fitter, fit.nobs, rows, observed / np.sqrt(np.diag(_exact(fitter, population, fit.nobs, rows)[1])))


def moved(appraisal: Appraisal, value: float, k: int) -> float:
    """Return a value in the stated direction of claim k as the value of its path."""
    return -value if appraisal.claims[k].sign == "-" else value
