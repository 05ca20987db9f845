"""Paths and means compared over groups: Wald tests, equivalence, and differences of observed means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.appraisal.refitting import refit
from trustsem.appraisal.verdicts import holm
from trustsem.errors import TrustsemError
from trustsem.fitting.fit import Fit
from trustsem.fitting.tables import delta_errors, row_errors, row_values
from trustsem.inference.standardized import standardize
from trustsem.inference.wald import wald
from trustsem.kernels.structure import Reals
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PathRow", "joint_wald", "observed_mean_table", "path_comparison"]


class PathRow(NamedTuple):
    """One path in all groups.

    Attributes
    ----------
    cause, effect : str
        Constructs.
    lhs, rhs : str
        Variables of the path: effect and cause.
    sesoi : float
        Smallest difference of interest, on the standardized scale.
    asked : bool
        Whether the question is about it.
    """

    cause: str
    effect: str
    lhs: str
    rhs: str
    sesoi: float
    asked: bool


def path_comparison(fit: Fit, paths: Sequence[PathRow], alpha: float, level: float, usable: bool) -> pd.DataFrame:
    """Compare paths over the groups of a fit.

    Parameters
    ----------
    fit : Fit
        With loadings equal over groups and paths free.
    paths : sequence of PathRow
    alpha, level : float
        Level of the tests, and confidence level.
    usable : bool
        Whether anything is concluded.

    Returns
    -------
    DataFrame
        ``cause effect asked``, for every group ``est_<group> se_<group> std_<group>``, ``wald df p_equal`` (Holm-adjusted among the paths asked
        about, and among the others), ``gap gap_lower gap_upper`` (the largest difference between two groups on the standardized scale, and its
        unadjusted interval), ``p_same`` (that all differences are below the smallest one of interest: the largest p-value of two one-sided tests over
        all pairs of groups, Holm-adjusted) and ``verdict``: "differs", "differs, but little", "the same" (shown to be), "undetermined", "no verdict".

    Notes
    -----
    Differences are of unstandardized paths, multiplied by the ratio of the pooled standard deviations of cause and effect, so that groups that
    differ in spread alone do not differ here.
    """
    import pandas as pd

    labels = fit.sample.group_labels
    places = {(row.lhs, row.rhs, row.block): k for k, row in enumerate(fit.model.table.rows) if row.op == "~"}
    values, errors, theta = row_values(fit), row_errors(fit), fit.model.theta_of_row
    standard = standardize(fit.model, fit.implied_blocks, "std_all")[0]
    found, quantile = [], float(ndtri(0.5 + 0.5 * level))
    for path in paths:
        rows = [places[path.lhs, path.rhs, block + 1] for block in range(len(labels))]
        slopes = np.zeros((len(rows), fit.model.n_theta))
        slopes[np.arange(len(rows)), theta[rows]] = 1.0
        test = wald(values[rows][1:] - values[rows][0], slopes[1:] - slopes[0], fit.theta_vcov)
        ratio = _spread_ratio(fit, path)
        gaps, gap_errors, p_same = [], [], 0.0
        for one, other in combinations(range(len(rows)), 2):
            gap = ratio * float(values[rows[other]] - values[rows[one]])
            error = ratio * float(delta_errors((slopes[other] - slopes[one])[None], fit.theta_vcov)[0])
            p_same = max(p_same, float(ndtr((abs(gap) - path.sesoi) / error))) if error > 0.0 else math.nan
            gaps.append(gap)
            gap_errors.append(error)
        widest = int(np.argmax(np.abs(gaps)))
        by_group = {
            f"{kind}_{label}": array[row] for label, row in zip(labels, rows, strict=True) for kind, array in _kinds(values, errors, standard)
        }
        width = quantile * gap_errors[widest]
        found.append(
            {
                "cause": path.cause,
                "effect": path.effect,
                "asked": path.asked,
                **by_group,
                "wald": test.statistic,
                "df": test.df,
                "p_equal": test.pvalue,
            }
            | {"gap": gaps[widest], "gap_lower": gaps[widest] - width, "gap_upper": gaps[widest] + width, "p_same": p_same}
        )
    return _judged(pd.DataFrame(found), alpha, usable)


def joint_wald(fit: Fit, paths: Sequence[PathRow]) -> tuple[float, float]:
    """Return the Wald statistic that `paths` are equal over groups, all at once, and its p-value."""
    blocks = range(1, len(fit.sample.group_labels) + 1)
    places = {(row.lhs, row.rhs, row.block): k for k, row in enumerate(fit.model.table.rows) if row.op == "~"}
    values, theta = row_values(fit), fit.model.theta_of_row
    found, slopes = [], []
    for path in paths:
        rows = [places[path.lhs, path.rhs, block] for block in blocks]
        unit = np.zeros((len(rows), fit.model.n_theta))
        unit[np.arange(len(rows)), theta[rows]] = 1.0
        found.append(values[rows][1:] - values[rows][0])
        slopes.append(unit[1:] - unit[0])
    test = wald(np.concatenate(found), np.vstack(slopes), fit.theta_vcov)
    return test.statistic, test.pvalue


def _kinds(values: Reals, errors: Reals, standard: Reals) -> tuple[tuple[str, Reals], ...]:
    return (("est", values), ("se", errors), ("std", standard))


def _spread_ratio(fit: Fit, path: PathRow) -> float:
    """Return the ratio of the standard deviations of cause and effect, pooled over groups."""
    counts = np.array([block.n for block in fit.sample.blocks], dtype=np.float64)
    pooled = []
    for name in (path.rhs, path.lhs):
        own = [point.V[at, at] for layout, point in zip(fit.model.blocks, fit.implied_blocks, strict=True) for at in [layout.variables.index(name)]]
        pooled.append(float(np.average(own, weights=counts)))
    return math.sqrt(pooled[0] / pooled[1]) if min(pooled) > 0.0 else math.nan


def _judged(frame: pd.DataFrame, alpha: float, usable: bool) -> pd.DataFrame:
    for name in ("p_equal", "p_same"):
        for asked in (True, False):
            part = (frame["asked"] == asked).to_numpy()
            values = frame.loc[part, name].to_numpy(float)
            frame.loc[part, name] = holm(values) if np.isfinite(values).all() else math.nan
    differs, same = frame["p_equal"] < alpha, frame["p_same"] < alpha
    words = np.where(differs & same, "differs, but little", np.where(differs, "differs", np.where(same, "the same", "undetermined")))
    return frame.assign(verdict=words if usable else "no verdict")


def observed_mean_table(fit: Fit, names: Sequence[str], level: float) -> pd.DataFrame | None:
    """Return differences of the means of observed constructs from those of the first group, in the columns of ``Invariance.latent_means``.

    Parameters
    ----------
    fit : Fit
        Of several groups.
    names : sequence of str
        Observed variables of the model.
    level : float
        Confidence level.

    Returns
    -------
    DataFrame or None
        None where the sample has no means. Means and variances are those of the saturated model of these variables, so that missing values, teams and
        weights count as in `fit`.
    """
    import pandas as pd

    if not names or any(block.mean is None for block in fit.sample.blocks):
        return None
    text = "\n".join([*(f"{name} ~~ {name}\n{name} ~ 1" for name in names), *(f"{one} ~~ {other}" for one, other in combinations(names, 2))])
    labels = fit.sample.group_labels
    table = build_table(text, defaults_for("sem"), n_groups=len(labels), group_labels=labels)
    try:
        means = refit(fit, table, start=False)
    except TrustsemError:
        return None
    quantile, vcov, rows = float(ndtri(0.5 + 0.5 * level)), means.theta_vcov, []
    places = {(row.lhs, row.op, row.block): k for k, row in enumerate(means.model.table.rows) if row.op == "~1" or row.lhs == row.rhs}
    values, theta = row_values(means), means.model.theta_of_row
    counts = [block.n for block in fit.sample.blocks]
    for b, label in enumerate(labels[1:], start=1):
        share = counts[b] / (counts[0] + counts[b])
        for name in names:
            (own, first), (own_var, first_var) = (([places[name, op, block + 1] for block in (b, 0)]) for op in ("~1", "~~"))
            slope, spread = np.zeros(means.model.n_theta), np.zeros(means.model.n_theta)
            slope[theta[[own, first]]] = (1.0, -1.0)
            spread[theta[[own_var, first_var]]] = (share, 1.0 - share)
            gap, pooled = values[own] - values[first], share * values[own_var] + (1.0 - share) * values[first_var]
            d = gap / math.sqrt(pooled)
            se, d_se = delta_errors(np.array([slope, slope / math.sqrt(pooled) - 0.5 * d / pooled * spread]), vcov)
            rows.append((name, label, labels[0], gap, se, gap / se, 2.0 * ndtr(-abs(gap / se)), gap - quantile * se, gap + quantile * se, d, d_se))
    columns = ["latent", "group", "reference", "difference", "se", "z", "pvalue", "ci_lower", "ci_upper", "d", "d_se"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(d_ci_lower=frame["d"] - quantile * frame["d_se"], d_ci_upper=frame["d"] + quantile * frame["d_se"])
