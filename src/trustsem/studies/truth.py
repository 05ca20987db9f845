"""What an analysis should find: the parameters of the population, read in the metric of the analysis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trustsem.kernels.structure import INTERCEPT, PATH, Reals
from trustsem.model.population import Population
from trustsem.model.ram import Model
from trustsem.studies.metric import marginal

__all__ = ["true_values"]


def true_values(populations: Sequence[Population | None], model: Model, standardized: bool) -> dict[str, float]:
    """Return the value in the population of every parameter of an analysis that the population has too.

    Parameters
    ----------
    populations : sequence of Population or None
        One for each group of the analysis; None where it is not known. Several for an analysis without groups: what is true is what they share.
    model : Model
        Of the analysis.
    standardized : bool
        Standardized values (``std_all``) instead of those in the metric of the analysis.

    Returns
    -------
    dict of str to float
        By the names of :meth:`ParameterTable.parameter_names` and of defined parameters; NaN for what is not a parameter of the population: a
        variable that it does not have, a latent variable whose scale the analysis fixes in a way that the population cannot be expressed in, and,
        of a model of two levels, everything but the paths within.

    Notes
    -----
    The value of a path between two variables of the population is the population's own, 0 if there is no such path; where the analysis leaves
    variables out, effects that run through them are added (latent projection). The estimand is the truth, not what a misspecified analysis converges
    to. What the analysis does not explain has its total variances and covariances. Latent variables are in the metric, and in the place, that fixed
    values of the analysis give them. Of data with contextual effects the truth is that of people within teams; of groups analysed together, that
    within groups.
    """
    if model.table.n_groups == 1 and len(populations) > 1:
        each = [true_values([one], model, standardized) for one in populations]
        return {name: value if all(_same(value, other[name]) for other in each) else math.nan for name, value in each[0].items()}
    values = np.full(len(model.table.rows), math.nan)
    for group, population in enumerate(populations):
        if population is not None:
            _fill(values, group + 1, population, model, standardized)
    names = model.table.parameter_names()
    found: dict[str, float] = {}
    for name, row in zip(names, model.free_rows, strict=True):
        found[name] = float(values[row]) if _same(found.get(name, values[row]), values[row]) else math.nan  # a label holds rows together
    return found | _definitions(model, values)


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-9 * max(1.0, abs(one))


def _fill(values: Reals, group: int, population: Population, model: Model, standardized: bool) -> None:
    """Enter the true values of the rows of one group."""
    own = marginal(population, model, group, values)
    if standardized:
        own = own.scaled(1.0 / np.sqrt(np.diag(own.V)))
    residuals, intercepts = own.residuals, own.intercepts
    with np.errstate(all="ignore"):
        sd = np.sqrt(np.diag(residuals))
    for k, row in enumerate(model.table.rows):
        kind = model.cells[k].kind
        left, right = (row.rhs, row.lhs) if row.op == "=~" else (row.lhs, row.rhs)  # effect and cause, where it is a path
        here = row.group == group and row.level == 1 and left in own.place and (kind == INTERCEPT or right in own.place)
        # Of two levels the paths within are those of the population; variances, and what is standardized by them, are not.
        if not here or (model.two_level and (standardized or kind != PATH)):
            continue
        i = own.place[left]
        if kind == INTERCEPT:
            values[k] = intercepts[i]
            continue
        j = own.place[right]
        values[k] = own.A[i, j] if kind == PATH else residuals[i, j] / (sd[i] * sd[j] if standardized and i != j else 1.0)


def _definitions(model: Model, values: Reals) -> dict[str, float]:
    """Return the defined parameters at the true values; NaN where one of those is."""
    relations = model.relations
    if not relations.definitions:
        return {}
    first = [int(np.argmax(model.theta_of_row == k)) for k in range(model.n_theta)]
    point = values[np.array(first + list(relations.fixed_rows), dtype=np.int64)]
    with np.errstate(all="ignore"):
        return {name: float(difference.value_at(point)) for name, difference in relations.definitions}
