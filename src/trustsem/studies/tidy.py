"""Everything that a study kept, as tidy data frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.display import number
from trustsem.studies.layout import ConditionLayout

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.studies.result import StudyResult

__all__ = ["estimates", "fits", "printed", "shown"]


def shown(layout: ConditionLayout) -> dict[str, Any]:
    """Return the settings of a condition as values for columns."""
    return {name: value if isinstance(value, str | bool | int | float) else str(value) for name, value in layout.settings.items()}


def fits(result: StudyResult) -> pd.DataFrame:
    """See :attr:`StudyResult.fits`."""
    import pandas as pd

    parts = []
    for condition, layout in enumerate(result.layout):
        for at, analysis in enumerate(layout.analyses):
            found = result.outcomes(condition, at)
            columns: dict[str, Any] = {factor: [value] * len(found) for factor, value in shown(layout).items()}
            columns["key"] = [f"{layout.key}-{replication}" for replication in found.replication]
            columns |= {"replication": found.replication, "analysis": analysis.name}
            columns |= {"reason": found.reason, "converged": found.converged, "admissible": found.admissible}
            if len(found):
                columns |= {name: found.measures[:, column] for column, name in enumerate(analysis.measures)}
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def estimates(result: StudyResult) -> pd.DataFrame:
    """See :attr:`StudyResult.estimates`."""
    import pandas as pd

    parts = []
    for condition, layout in enumerate(result.layout):
        for at, analysis in enumerate(layout.analyses):
            found = result.outcomes(condition, at)
            count, size = len(found), len(analysis.parameters)
            columns: dict[str, Any] = {factor: [value] * (count * size) for factor, value in shown(layout).items()}
            columns["key"] = np.repeat([f"{layout.key}-{replication}" for replication in found.replication], size)
            columns |= {"replication": np.repeat(found.replication, size), "analysis": analysis.name}
            columns["parameter"] = np.tile(np.array(analysis.parameters, dtype=object), count)
            columns |= {"truth": np.tile(analysis.truth, count), "est": found.est.ravel(), "se": found.se.ravel()}
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def printed(tall: pd.DataFrame, keys: Sequence[str], measures: Sequence[str], digits: int, bounds: bool) -> pd.DataFrame:
    """Return a table for print from one of performance: a row for each combination of `keys`, a column of text for each measure."""
    import pandas as pd

    rows: dict[tuple[Any, ...], dict[str, str]] = {}
    for record in tall.to_dict("records"):
        known = record["value"] == record["value"]
        text = f"{number(record['value'], digits)} ({number(record['mc_error'], digits)})" if known else "no result"
        if bounds and record["lower"] == record["lower"]:
            text += f" [{number(record['lower'], digits)}, {number(record['upper'], digits)}]"
        rows.setdefault(tuple(record[name] for name in keys), {})[record["measure"]] = text
    return pd.DataFrame([{**dict(zip(keys, key, strict=True)), **{name: cells.get(name, "") for name in measures}} for key, cells in rows.items()])
