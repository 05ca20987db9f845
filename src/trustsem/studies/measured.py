"""The performance of one analysis in one condition, as rows of a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trustsem.studies.chunks import Outcomes
from trustsem.studies.layout import AnalysisLayout
from trustsem.studies.performance import MEASURES, RATES, Measured, Replications, rate

__all__ = ["COLUMNS", "FIT_RATES", "measured"]

# What is said of the analysis as a whole, beside the measures of single parameters.
FIT_RATES = ("convergence", "admissibility", "rejection")
COLUMNS = ("value", "mc_error", "lower", "upper", "n_used", "replications")


def measured(
    analysis: AnalysisLayout, found: Outcomes, wanted: Sequence[str], parameters: Sequence[str] | None, usable: str, level: float
) -> list[dict[str, Any]]:
    """Return the measures of one analysis in one condition as rows."""
    rows = [
        {"parameter": "", "truth": math.nan, "measure": name, **_row(_fit_rate(name, analysis, found, level), len(found), name == "rejection")}
        for name in FIT_RATES
        if name in wanted
    ]
    kept = found.usable(usable)
    for at, parameter in enumerate(analysis.parameters):
        truth = float(analysis.truth[at])
        if (parameters is None and math.isnan(truth)) or (parameters is not None and parameter not in parameters):
            continue
        est, se = (found.est[kept, at], found.se[kept, at]) if len(found) else (np.empty(0), np.empty(0))
        replications = Replications(est, se, truth, level)
        for name in wanted:
            if name in MEASURES:
                with np.errstate(all="ignore"):
                    value = MEASURES[name](replications)
                if (value.n_used and not math.isnan(value.value)) or (not len(est) and len(found) and name in _rates_of(truth)):
                    rows.append({"parameter": parameter, "truth": truth, "measure": name, **_row(value, len(found), name in RATES)})
    return rows


def _rates_of(truth: float) -> tuple[str, ...]:
    """Return the rates that a parameter with this true value has: they are shown, with their bounds, also where no replication has a result."""
    return () if math.isnan(truth) else ("coverage", "type_1_error") if truth == 0.0 else ("coverage", "power")


def _fit_rate(name: str, analysis: AnalysisLayout, found: Outcomes, level: float) -> Measured:
    if name == "convergence":
        return rate(found.converged)
    if name == "admissibility":
        return rate(found.converged & found.admissible)
    pvalue = next((one for one in ("pvalue_scaled", "pvalue") if one in analysis.measures), None)
    if pvalue is None or not len(found):
        return Measured(math.nan, math.nan, 0)
    values = found.measures[:, analysis.measures.index(pvalue)]
    return rate(values[np.isfinite(values)] < 1.0 - level)


def _row(value: Measured, n: int, bounded: bool) -> dict[str, Any]:
    """Return a measure with its bounds: all unusable replications on one side, or all on the other."""
    hits = value.value * value.n_used if value.n_used else 0.0
    lower, upper = (hits / n, (hits + n - value.n_used) / n) if bounded and n else (math.nan, math.nan)
    return {"value": value.value, "mc_error": value.mc_error, "lower": lower, "upper": upper, "n_used": value.n_used, "replications": n}
