"""Factor scores of the rows of a fit, or of new rows, with whatever values are missing in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.data.columns import open_table
from trustsem.data.patterns import find_patterns
from trustsem.errors import DataError, OptionError
from trustsem.fitting.tables import by_group
from trustsem.inference.scores import bartlett_weights, latent_means, regression_weights
from trustsem.kernels.structure import Reals
from trustsem.model.problem import ImpliedBlock
from trustsem.options import choose

if TYPE_CHECKING:
    from trustsem.fitting.fit import Fit

__all__ = ["predict"]


def predict(fit: Fit, data: Any, method: str) -> Any:
    """See :meth:`Fit.predict`."""
    import pandas as pd

    choose("method", method, ("regression", "bartlett"))
    results = []
    if data is not None and len(fit.model.blocks) > 1:
        raise OptionError("predict(data=...) needs a single group. Fit the groups separately, or leave data= out.")
    for b, (layout, point) in enumerate(zip(fit.model.blocks, fit.implied_blocks, strict=True)):
        if not layout.latent:
            raise OptionError("The model has no latent variables, so there are no factor scores. Use `fit.implied()` and `fit.effects()` instead.")
        block = fit.sample.blocks[b]
        place = [fit.sample.names.index(name) for name in layout.observed]
        if data is not None:
            rows = open_table(data, layout.observed).matrix(layout.observed)
        elif block.rows is None:
            raise DataError("Factor scores need the rows of the data, but the model was fitted to summary statistics. Give predict(data=...).")
        else:
            rows = block.rows[:, place]
        if block.mean is None:
            raise DataError("Factor scores need means, but the model was fitted to a covariance matrix alone. Give sample_mean= as well.")
        centre = block.mean[place]
        level = latent_means(point, centre)
        if fit.model.has_means:
            centre, level = point.mean, point.mu[point.p :]
        results.append(pd.DataFrame(_scores(point, rows - centre, method) + level, columns=list(layout.latent)))
    return by_group(fit, results)


def _scores(point: ImpliedBlock, deviations: Reals, method: str) -> Reals:
    """Return the scores (n, q) about the latent means; a row without any value has none."""
    weigh = regression_weights if method == "regression" else bartlett_weights
    if not np.isnan(deviations).any():
        return np.asarray(deviations @ weigh(point).T)
    result = np.full((len(deviations), point.A.shape[0] - point.p), np.nan)
    patterns = find_patterns(deviations)
    for k, seen in enumerate(patterns.observed):
        members = patterns.order[patterns.start[k] : patterns.start[k + 1]]
        if seen.any():
            result[members] = deviations[np.ix_(members, np.flatnonzero(seen))] @ weigh(point, seen).T
    return result
