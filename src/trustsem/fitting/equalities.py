"""Which parameters a model holds equal over groups, and what releasing each would gain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trustsem.fitting.fit import Fit
from trustsem.fitting.restrictions import restrictions_of, score_at
from trustsem.fitting.tables import row_values
from trustsem.inference.multiplicity import holm_adjusted
from trustsem.inference.score_test import expected_changes, score_test

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["anchored", "equal_parameters", "release_table"]

_FEWEST = 2  # indicators that must stay equal for a latent variable to be comparable, and for that to be tested at all

Key = tuple[str, str, str]


def equal_parameters(fit: Fit) -> dict[Key, list[int]]:
    """Return the places, among the free rows, of the parameters that equality over groups (not a label of the user's) makes one."""
    table = fit.model.table
    found: dict[tuple[Key, str], list[int]] = {}
    for place, k in enumerate(fit.model.free_rows):
        row = table.rows[k]
        if row.label.startswith(".p"):
            found.setdefault(((row.lhs, row.op, row.rhs), row.label), []).append(place)
    return {key: places for (key, _), places in found.items() if len(places) > 1}


def release_table(fit: Fit, before: Fit | None, *, robust: bool) -> pd.DataFrame:
    """Return a score test for every parameter that is equal over groups in `fit`, and was not in `before`; see :meth:`Invariance.suggestions`."""
    import pandas as pd

    equal = equal_parameters(fit)
    earlier = {} if before is None else equal_parameters(before)
    new = {key: places for key, places in equal.items() if key not in earlier}
    rows = []
    if new:
        restrictions = restrictions_of(fit)
        slopes = np.array([restriction.slope for restriction in restrictions])
        internal = np.array([restriction.lhs.startswith(".p") for restriction in restrictions])
        at = score_at(fit, (), restrictions, robust=robust)
        values = row_values(fit)[list(fit.model.free_rows)]
        for key, places in new.items():
            released = internal & (slopes[:, places] != 0.0).any(axis=1)
            found = score_test(at, released)
            moved = (values + expected_changes(at, released))[places]
            gap = moved[1:] - moved[0]
            rows.append(("".join(key), found.statistic, found.df, found.pvalue, float(gap[np.argmax(np.abs(gap))])))
    frame = pd.DataFrame(rows, columns=["parameter", "x2", "df", "pvalue", "epc"])
    frame.insert(4, "pvalue_holm", holm_adjusted(frame["pvalue"].to_numpy(dtype=np.float64)))
    return frame.sort_values("x2", ascending=False, kind="stable").reset_index(drop=True)


def anchored(fit: Fit, parameter: str) -> bool:
    """Whether every latent variable that a loading or an intercept is about would keep two indicators that are equal over groups without it."""
    rows = [row for row in fit.model.table.rows if row.group == 1]
    (released,) = [row for row in rows if row.name == parameter]
    if released.op not in ("=~", "~1"):
        return True
    equal = set(equal_parameters(fit))
    held = {(row.lhs, row.op, row.rhs) for row in rows if (row.lhs, row.op, row.rhs) in equal or not row.free}
    loadings = [row for row in rows if row.op == "=~"]
    if released.op == "=~":
        keys = [[(row.lhs, "=~", row.rhs) for row in loadings if row.lhs == released.lhs]]
    else:
        factors = [row.lhs for row in loadings if row.rhs == released.lhs]
        keys = [[(row.rhs, "~1", "") for row in loadings if row.lhs == factor] for factor in factors]
    own = (released.lhs, released.op, released.rhs)
    return all(len([key for key in group if key in held and key != own]) >= _FEWEST for group in keys)
