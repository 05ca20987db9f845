"""Factor scores of people and of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.errors import NotAvailableError, OptionError
from trustsem.fitting.two_level import likelihood_of
from trustsem.inference.scores import bartlett_weights, pattern_scores
from trustsem.kernels.two_level_rows import solve_at

if TYPE_CHECKING:
    from trustsem.fitting.fit import Fit
    from trustsem.kernels.structure import Reals

__all__ = ["level_scores"]


def level_scores(fit: Fit, data: Any, method: str, level: int) -> list[Any]:
    """Return the factor scores of one level, one frame per group.

    There is a row for each person (level 1), or for each cluster in order of appearance (level 2). What a cluster's people share is predicted from
    all that is known of the cluster, and taken off what they have (level 1), or used in place of observed variables (level 2).

    Raises
    ------
    OptionError
        For a level without latent variables, or that does not exist.
    NotAvailableError
        For new data.
    """
    import pandas as pd

    if level not in (1, 2):
        raise OptionError(f"level={level!r} does not exist. Give 1 (people) or 2 (clusters).")
    if data is not None:
        raise NotAvailableError("predict(data=...) is not available for a model of two levels. Leave data= out.")
    result = []
    for g in range(len(likelihood_of(fit).groups)):
        layout = fit.model.blocks[2 * g + level - 1]
        if not layout.latent:
            raise OptionError(f"The model has no latent variables at level {level}, so there are no factor scores. Give the other level=.")
        values = (_people if level == 1 else _clusters)(fit, g, method)
        result.append(pd.DataFrame(values, columns=list(layout.latent)))
    return result


def _people(fit: Fit, g: int, method: str) -> Reals:
    """Return the scores (n, q) of the people of one group; of somebody without any value, those that the cluster implies."""
    group, point = likelihood_of(fit).groups[g], fit.implied_blocks[2 * g]
    levels, solved = solve_at(fit.problem.structure, 2 * g, group.rows, fit.estimate.theta, derivatives=True)
    assert solved is not None  # the likelihood is defined at the estimate
    shared = levels.mean[group.rows.own.shape[1] :] + solved.shift
    deviations = group.values[:, list(group.within)] - shared[group.codes]
    return np.asarray(pattern_scores(point, deviations, method) + point.mu[point.p :])


def _clusters(fit: Fit, g: int, method: str) -> Reals:
    """Return the scores (J, q) of the clusters of one group."""
    group, point = likelihood_of(fit).groups[g], fit.implied_blocks[2 * g + 1]
    levels, solved = solve_at(fit.problem.structure, 2 * g, group.rows, fit.estimate.theta, derivatives=True)
    assert solved is not None
    place = group.rows.place
    if method == "regression":
        scores = solved.a[:, place] @ point.V[: point.p, point.p :]
    else:
        scores = (solved.a @ levels.between)[:, place] @ bartlett_weights(point).T
    return np.asarray(scores + point.mu[point.p :])
