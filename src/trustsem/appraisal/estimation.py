"""How a theory is fitted when nobody says how: what the data require, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustsem.data.columns import open_table
from trustsem.data.sample import Sample
from trustsem.kernels.structure import Reals
from trustsem.options import missing_treatment

__all__ = ["Choice", "choose_estimation"]

_MOST_CATEGORIES = 11  # an answer scale from 0 to 10; more distinct whole numbers are a count or a score
_ENOUGH_CATEGORIES = 5  # from which on treating answers as continuous does little harm (Rhemtulla, Brosseau-Liard & Savalei 2012)
_HEAVY = 3.0  # Mardia's standardized kurtosis from which normal-theory errors are not trusted
_TEAMS = ("team", "cluster", "unit", "site", "clinic", "ward", "school", "organisation", "organization", "department", "agency")


@dataclass(frozen=True)
class Choice:
    """Options for :func:`trustsem.sem`, with the reasons.

    Attributes
    ----------
    options : dict
        What was given, and what was chosen.
    reasons : tuple of str
        One sentence each.
    """

    options: Mapping[str, Any]
    reasons: tuple[str, ...]


def choose_estimation(data: Any, columns: Sequence[str], options: Mapping[str, Any]) -> Choice:
    """Choose estimator and treatment of missing values where the caller has not.

    Parameters
    ----------
    data : data frame, mapping, Sample or None
        None for summary statistics.
    columns : sequence of str
        The indicators of the theory.
    options : mapping
        As given; they are kept.

    Returns
    -------
    Choice
        MLR (robust, with several rows per team cluster-robust, standard errors and a scaled test) where answers come in categories, values are
        missing, rows come in teams, are weighted, or are far from normal; ML elsewhere. FIML where values are missing.

    Notes
    -----
    Five or more categories may be treated as continuous with robust errors (Rhemtulla, Brosseau-Liard & Savalei 2012, doi 10.1037/a0029315). Mardia's
    kurtosis: Mardia 1970 (doi 10.1093/biomet/57.3.519).
    """
    chosen = dict(options)
    if data is None or isinstance(data, Sample) or options.get("engine") == "semopy":
        return Choice(chosen, ())
    table = open_table(data, None)
    if table.n == 0:
        return Choice(chosen, ())  # nothing to be looked at; the fit says so
    rows = table.matrix(list(columns))
    holes = np.isnan(rows)
    categories = {name: count for name, column in zip(columns, rows.T, strict=True) if (count := _categories(column))}
    reasons = []
    if "estimator" not in options:
        why = _why_robust(rows, holes, len(categories), options)
        chosen["estimator"] = "MLR" if why else "ML"
        because = _listed(why) if why else "rows are complete and close to normal, and no teams or weights are named"
        reasons.append(f"Estimator {chosen['estimator']}, because {because}.")
    if "missing" not in options and holes.any() and chosen["estimator"] in ("ML", "MLR"):
        chosen["missing"] = "fiml_x"  # covariates with missing values keep their rows
        reasons.append(
            f"Missing values ({holes.mean():.1%}) by full information maximum likelihood (FIML), which assumes that they are missing at random."
        )
    elif missing_treatment(options.get("missing", "listwise")) == "listwise" and holes.any():
        lost = holes.any(axis=1).mean()
        reasons.append(f"Listwise deletion loses {lost:.0%} of the rows{'; use missing=' + repr('fiml') if lost > 0.1 else ''}.")
    reasons += _limits(categories, bool(holes.any()), options)
    reasons += _unused_teams(table, columns, options)
    return Choice(chosen, tuple(reasons))


def _categories(column: Reals) -> int:
    """Return the number of categories of answers; 0 for what is no scale of answers."""
    seen = np.unique(column[~np.isnan(column)])
    return int(seen.size) if 1 < seen.size <= _MOST_CATEGORIES and np.all(seen == np.round(seen)) else 0


def _why_robust(rows: Reals, holes: np.ndarray, n_ordinal: int, options: Mapping[str, Any]) -> list[str]:
    why = []
    if n_ordinal:
        why.append(f"{n_ordinal} of {rows.shape[1]} items are answers in categories")
    if holes.any():
        why.append("values are missing")
    if options.get("cluster") is not None:
        why.append(f"rows come in clusters ({options['cluster']})")
    if options.get("sampling_weights") is not None:
        why.append("rows are weighted")
    if not why and (kurtosis := _kurtosis(rows)) > _HEAVY:
        why.append(f"rows are far from normal (Mardia's standardized kurtosis {kurtosis:.1f})")
    return why


def _kurtosis(rows: Reals) -> float:
    """Return Mardia's kurtosis of complete rows, less its expectation, in standard errors; 0 where it does not exist."""
    n, p = rows.shape
    centred = rows - rows.mean(axis=0)
    cov = centred.T @ centred / n
    if n <= p + 1 or np.linalg.matrix_rank(cov) < p:
        return 0.0
    distances = np.einsum("ij,ji->i", centred, np.linalg.solve(cov, centred.T))
    expected = p * (p + 2.0) * (n - 1.0) / (n + 1.0)
    return float((np.mean(distances**2) - expected) / math.sqrt(8.0 * p * (p + 2.0) / n))


def _limits(categories: Mapping[str, int], incomplete: bool, options: Mapping[str, Any]) -> list[str]:
    if not categories:
        return []
    few = [name for name, count in categories.items() if count < _ENOUGH_CATEGORIES]
    lines = []
    if few:
        beside = [text for text, there in (("missing values", incomplete), ("clusters", options.get("cluster") is not None)) if there]
        also = f" (there are also {_listed(beside)}, which no ordinal estimator here handles)" if beside else ""
        shown = ", ".join(few[:6]) + (" ..." if len(few) > 6 else "")
        count = f"{len(few)} items have answers in fewer than five categories ({shown}){also}"
        lines.append(f"{count}: treated as continuous, which makes loadings and paths too small.")
    lines.append("The check by an ordinal estimator (WLSMV) is not available in this version.")
    return lines


def _unused_teams(table: Any, columns: Sequence[str], options: Mapping[str, Any]) -> list[str]:
    if options.get("cluster") is not None:
        return []
    found = [name for name in table.names if name not in columns and str(name).casefold() in _TEAMS]
    for name in found:
        if len(np.unique(table.values(name).astype(str))) < table.n:
            return [f"The data have a column {name!r}. If it says which rows belong together, give cluster={name!r}: errors are too small otherwise."]
    return []


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
