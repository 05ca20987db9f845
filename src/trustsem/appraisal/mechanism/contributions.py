"""What predictors contribute to a fit's explained variance, as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trustsem.appraisal.mechanism.routes import Draws
from trustsem.appraisal.structure import structural_moments
from trustsem.inference.importance import importance, lmg_values, relative_weight_values
from trustsem.inference.quantities import Quantities
from trustsem.kernels.structure import INTERCEPT, Reals

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.fitting.fit import Fit

__all__ = ["Contributions", "contributions", "lead", "mean_errors", "set_table", "share_table"]


class Contributions(NamedTuple):
    """R squared and contributions as functions of the covariances of target and causes, whose errors are `vcov`."""

    rsquare: Quantities
    loss: Quantities
    lmg: Quantities
    weight: Quantities
    vcov: Reals


def contributions(fit: Fit, names: Sequence[str], drawn: Draws | None) -> Contributions:
    """Return what each variable contributes to the last."""
    moments = structural_moments(fit)
    at = [moments.names.index(name) for name in names]
    i, j = (np.array(at)[side] for side in np.tril_indices(len(at)))
    upper, lower = np.maximum(i, j), np.minimum(i, j)
    elements = upper * (upper + 1) // 2 + lower
    found = importance(moments.cov[np.ix_(at, at)])
    lmg, weights = (None, None) if drawn is None else (lmg_values(drawn.V), relative_weight_values(drawn.V))
    return Contributions(
        rsquare=Quantities(np.array([found.rsquare]), found.rsquare_slopes[None]),
        loss=Quantities(found.loss, found.loss_slopes),
        lmg=Quantities(found.lmg, found.lmg_slopes, lmg),
        weight=Quantities(found.weights, found.weight_slopes, weights),
        vcov=moments.vcov[np.ix_(elements, elements)],
    )


def mean_errors(fit: Fit, places: Sequence[int]) -> Reals:
    """Return the standard errors of the means of variables that nothing explains; NaN where means are not estimated."""
    own = {i: theta for kind, i, _, theta, _, _ in fit.model.structure.cells_of(0).tolist() if kind == INTERCEPT}
    variances = np.diag(fit.theta_vcov)
    with np.errstate(invalid="ignore"):
        return np.array([np.sqrt(variances[own[place]]) if place in own else math.nan for place in places])


def share_table(found: Contributions, level: float) -> pd.DataFrame:
    """Return the columns that share out R squared."""
    import pandas as pd

    loss, lmg, weight = (each.columns(found.vcov, level) for each in (found.loss, found.lmg, found.weight))
    columns = {"r2_loss": loss["est"], "r2_loss_se": loss["se"], "lmg": lmg["est"], "lmg_se": lmg["se"]}
    columns |= {"lmg_lower": lmg["ci_lower"], "lmg_upper": lmg["ci_upper"]}
    columns |= {name: lmg[name] for name in ("mc_lower", "mc_upper") if name in lmg}
    with np.errstate(all="ignore"):
        columns["lmg_share"] = lmg["est"] / found.rsquare.value
    if found.lmg.draws is not None:
        largest = np.argmax(np.nan_to_num(found.lmg.draws, nan=-np.inf), axis=1)
        columns["first"] = np.bincount(largest, minlength=len(lmg["est"])) / len(largest)
    rank = np.argsort(np.argsort(-lmg["est"], kind="stable"), kind="stable") + 1
    return pd.DataFrame({**columns, "rank": rank, "weight": weight["est"], "weight_se": weight["se"]})


def set_table(found: Contributions, frame: pd.DataFrame, level: float) -> pd.DataFrame:
    """Return contributions summed over the sets of strategies, and the difference of the two sets if there are two."""
    import pandas as pd

    names = [name for name in dict.fromkeys(frame["set"]) if name]
    weights = np.array([(frame["set"] == name).to_numpy(float) for name in names]).reshape(len(names), len(frame))
    means = [float(frame["mean"][frame["set"] == name].mean()) for name in names]
    if len(names) == 2:
        names, weights, means = [*names, f"{names[0]} less {names[1]}"], np.vstack([weights, weights[0] - weights[1]]), [*means, means[0] - means[1]]
    sums = found.lmg.mix(weights).columns(found.vcov, level)
    with np.errstate(all="ignore"):
        share = sums["est"] / found.rsquare.value[0]
    columns = {"lmg": sums["est"], "lmg_se": sums["se"], "pvalue": sums["pvalue"], "lmg_lower": sums["ci_lower"], "lmg_upper": sums["ci_upper"]}
    return pd.DataFrame({"set": names, "mean": means, **columns, "lmg_share": share})


def lead(found: Contributions, first: int, second: int) -> tuple[float, float]:
    """Return by how much the lmg of one predictor exceeds that of another, and the p-value of no difference."""
    weights = np.zeros((1, found.lmg.value.size))
    weights[0, [first, second]] = 1.0, -1.0
    told = found.lmg.mix(weights).columns(found.vcov, 0.95)
    return float(told["est"][0]), float(told["pvalue"][0])
