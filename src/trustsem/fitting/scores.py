"""Factor scores of the rows of a fit, or of new rows, with whatever values are missing in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trustsem.data.columns import open_table
from trustsem.errors import DataError, OptionError
from trustsem.fitting.level_scores import level_scores
from trustsem.fitting.tables import by_group
from trustsem.inference.scores import latent_means, pattern_scores
from trustsem.options import choose

if TYPE_CHECKING:
    from trustsem.fitting.fit import Fit

__all__ = ["predict"]


def predict(fit: Fit, data: Any, method: str, level: int) -> Any:
    """See :meth:`Fit.predict`."""
    import pandas as pd

    choose("method", method, ("regression", "bartlett"))
    if fit.model.two_level:
        found = level_scores(fit, data, method, level)
        return found[0] if len(found) == 1 else dict(zip(fit.sample.group_labels, found, strict=True))
    if level != 1:
        raise OptionError(f"level={level!r} does not exist: the model has one level. Leave level= out.")
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
        means = latent_means(point, centre)
        if fit.model.has_means:
            centre, means = point.mean, point.mu[point.p :]
        results.append(pd.DataFrame(pattern_scores(point, rows - centre, method) + means, columns=list(layout.latent)))
    return by_group(fit, results)
