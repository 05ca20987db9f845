"""Implied independencies among means of items: what a path analysis of scale scores would see. Descriptive only.

A mean of items measures its construct with error. What is given is then only partly given, and some of the dependence that it should take away
remains: a true theory of constructs implies that its composites are *not* independent. Beside every estimate stands what the theory, as fitted,
implies for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.forbidden.basis import Independence
from trustsem.errors import DataError
from trustsem.fitting.fit import Fit
from trustsem.inference.partial_correlation import partial_correlation
from trustsem.kernels.structure import Reals

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["composite_regressions", "composite_weights"]

_LEAST_SHARE = 0.5
_COLUMNS = ("statement", "b", "se", "p", "r", "r_implied", "n")


def composite_weights(fit: Fit) -> dict[str, dict[str, float]]:
    """Return for each structural variable the weights of the observed variables in its composite: the mean of its items, or itself."""
    table = fit.model.table
    items: dict[str, list[str]] = {}
    for row in table.rows:
        if row.op == "=~":
            items.setdefault(row.lhs, []).append(row.rhs)
    measured = {item for own in items.values() for item in own}
    weights = {name: dict.fromkeys(own, 1.0 / len(own)) for name, own in items.items()}
    return weights | {name: {name: 1.0} for name in fit.model.blocks[0].observed if name not in measured}


def composite_regressions(fit: Fit, statements: Sequence[Independence], labels: Mapping[str, str] = MappingProxyType({})) -> pd.DataFrame:
    """Regress, for each statement, the later composite on the earlier one and on what is given.

    Parameters
    ----------
    fit : Fit
        With rows.
    statements : sequence of Independence
    labels : mapping of str to str
        Names of constructs for those of their variables, in what is returned.

    Returns
    -------
    DataFrame
        One row per statement: ``statement b se p r r_implied n``: standardized regression coefficient of the earlier composite with standard
        error and unadjusted p-value; the partial correlation of the composites, and the one that the theory as fitted implies for them, which
        measurement error makes different from 0.

    Raises
    ------
    DataError
        If the rows are not known.

    Notes
    -----
    A composite is the mean of the items that were answered, if at least half of them were; rows that lack a composite of a statement are left out of
    its regression. Composites are standardized. Least squares; errors allow for clusters where there are clusters, else for unequal variances (HC3).
    """
    block = fit.sample.blocks[0]
    if block.rows is None:
        raise DataError("Composites need the rows of the data, but the model was fitted to summary statistics. Give data=.")
    import pandas as pd

    weights = composite_weights(fit)
    scores, implied = _composites(fit, block.rows, weights), _implied(fit, weights)
    names = list(weights)
    result = []
    for s in statements:
        wanted = [s.one, *s.given]
        kept = scores[[s.other, *wanted]].notna().all(axis=1).to_numpy()
        part = scores.loc[kept, [s.other, *wanted]]
        part = (part - part.mean()) / part.std()
        clusters = None if block.clusters is None else block.clusters[kept]
        found = _regression(part, s.other, wanted, clusters)
        at = [names.index(name) for name in (s.one, s.other, *s.given)]
        r = partial_correlation(np.cov(part[[s.one, s.other, *s.given]].to_numpy(), rowvar=False), 0, 1, range(2, len(at))).value
        expected = partial_correlation(implied, at[0], at[1], at[2:]).value
        result.append(
            (str(s.renamed(labels)), float(found.params[s.one]), float(found.bse[s.one]), float(found.pvalues[s.one]), r, expected, int(kept.sum()))
        )
    return pd.DataFrame(result, columns=list(_COLUMNS))


def _composites(fit: Fit, rows: Reals, weights: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    import pandas as pd

    place = {name: k for k, name in enumerate(fit.sample.names)}
    columns = {}
    for name, own in weights.items():
        part = rows[:, [place[item] for item in own]]
        answered = ~np.isnan(part)
        count = answered.sum(axis=1)
        mean = np.where(answered, part, 0.0).sum(axis=1) / np.maximum(count, 1)
        columns[name] = np.where(count >= _LEAST_SHARE * part.shape[1], mean, np.nan)
    return pd.DataFrame(columns)


def _implied(fit: Fit, weights: Mapping[str, Mapping[str, float]]) -> Reals:
    """Return the covariances (m, m) of the composites that the model implies."""
    observed = fit.model.blocks[0].observed
    W = np.array([[own.get(name, 0.0) for name in observed] for own in weights.values()])
    return np.asarray(W @ fit.implied_blocks[0].sigma @ W.T)


def _regression(part: pd.DataFrame, effect: str, causes: Sequence[str], clusters: Any) -> Any:
    import statsmodels.api as sm

    design = sm.add_constant(part[list(causes)])
    ordinary = sm.OLS(part[effect], design)
    if clusters is None:
        return ordinary.fit(cov_type="HC3")
    return ordinary.fit(cov_type="cluster", cov_kwds={"groups": clusters})
