"""What a model of several waves estimates, as tables: arrows averaged over waves, judged; autoregressions; levels and slopes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.appraisal.verdicts import Judgement, judge
from trustsem.appraisal.waves.wave_models import Arrow, WaveModel
from trustsem.fitting.fit import Fit
from trustsem.fitting.tables import delta_errors, row_values
from trustsem.inference.latent_means import latent_moments
from trustsem.inference.standardized import standardize
from trustsem.kernels.structure import Reals
from trustsem.theory import Proposition

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DIRECTION", "PathEstimates", "estimate_arrows", "growth_frame", "judge_arrows", "judged_frame", "path_frame", "transition_frame"]

DIRECTION = MappingProxyType({"+": 1, "-": -1})


class PathEstimates(NamedTuple):
    """Estimates (C,) of arrows, each averaged over the paths that stand for it, and their standardized form.

    Attributes
    ----------
    est, se, std, std_se : (C,) float
    std_slopes : (C, K) float
        Derivatives of `std` with respect to theta.
    """

    est: Reals
    se: Reals
    std: Reals
    std_se: Reals
    std_slopes: Reals


def _row_of_path(fit: Fit) -> dict[Arrow, int]:
    """Return the row of the parameter table of every path, by (effect, cause)."""
    return {(row.lhs, row.rhs): k for k, row in enumerate(fit.model.table.rows) if row.op == "~"}


def estimate_paths(fit: Fit, groups: Sequence[Sequence[tuple[str, str]]]) -> PathEstimates:
    """Return estimates of groups of paths (effect, cause), averaged within each group, with delta-method errors."""
    places, n_theta = _row_of_path(fit), fit.model.n_theta
    values, theta = row_values(fit), fit.model.theta_of_row
    std_values, std_slopes = standardize(fit.model, fit.implied_blocks, "std_all")
    est, std = np.zeros(len(groups)), np.zeros(len(groups))
    slopes, slopes_of_std = np.zeros((len(groups), n_theta)), np.zeros((len(groups), n_theta))
    for k, group in enumerate(groups):
        rows = [places[path] for path in group]
        est[k], std[k] = values[rows].mean(), std_values[rows].mean()
        np.add.at(slopes[k], theta[rows][theta[rows] >= 0], 1.0 / len(rows))
        slopes_of_std[k] = std_slopes[rows].mean(axis=0)
    vcov = fit.theta_vcov
    return PathEstimates(est, delta_errors(slopes, vcov), std, delta_errors(slopes_of_std, vcov), slopes_of_std)


def estimate_arrows(fit: Fit, model: WaveModel, arrows: Sequence[Arrow]) -> PathEstimates:
    """Return the estimates of arrows (cause, effect) of a model of waves."""
    return estimate_paths(fit, [model.endpoints(cause, effect) for cause, effect in arrows])


def _columns(found: PathEstimates, level: float) -> dict[str, Reals]:
    width = float(ndtri(0.5 + 0.5 * level)) * found.std_se
    return {
        "est": found.est,
        "se": found.se,
        "std": found.std,
        "std_se": found.std_se,
        "ci_lower": found.std - width,
        "ci_upper": found.std + width,
    }


def judge_arrows(found: PathEstimates, claims: Sequence[Proposition], alpha: float) -> tuple[Judgement, np.ndarray]:
    """Return the judgement of those claims that state a direction, and which (C,) these are."""
    stated = np.array([claim.sign in DIRECTION for claim in claims], dtype=bool)
    sesoi = np.array([claim.sesoi for claim in claims], dtype=np.float64)
    return judge(found.std[stated], found.std_se[stated], sesoi[stated], [DIRECTION[c.sign] for c in claims if c.sign in DIRECTION], alpha), stated


def judged_frame(
    fit: Fit, model: WaveModel, claims: Sequence[Proposition], added: Sequence[Proposition], withheld: str, alpha: float, level: float
) -> pd.DataFrame:
    """Return one row per arrow with its verdict; see :class:`trustsem.appraisal.waves.waves.Waves`."""
    import pandas as pd

    everything = (*claims, *added)
    found = estimate_arrows(fit, model, [(claim.cause, claim.effect) for claim in everything])
    judged, stated = (None, np.zeros(len(everything), dtype=bool)) if withheld else judge_arrows(found, everything, alpha)
    none = "no verdict" if judged is None else "no direction stated"

    def spread(values: Any, otherwise: Any) -> np.ndarray:
        column = np.full(len(everything), otherwise, dtype=object if isinstance(otherwise, str) else None)
        if judged is not None:
            column[stated] = values
        return column

    return pd.DataFrame(
        {
            "id": [claim.id for claim in everything],
            "cause": [claim.cause for claim in everything],
            "effect": [claim.effect for claim in everything],
            "sign": [claim.sign for claim in everything],
            **_columns(found, level),
            "p_zero": spread(judged and judged.p_zero, np.nan),
            "p_equivalent": spread(judged and judged.p_equivalent, np.nan),
            "p_size": spread(judged and judged.p_size, np.nan),
            "sesoi": [claim.sesoi for claim in everything],
            "verdict": spread(judged and list(judged.verdict), none),
            "size_shown": spread(judged and judged.size_shown, False),
            "added": [False] * len(claims) + [True] * len(added),
            "mark": [claim.mark for claim in everything],
        }
    )


def path_frame(fit: Fit, model: WaveModel, level: float) -> pd.DataFrame:
    """Return the effect of every construct on itself one wave later, averaged over the waves."""
    import pandas as pd

    names = [part.name for part in model.constructs]
    return pd.DataFrame({"construct": names, **_columns(estimate_arrows(fit, model, [(name, name) for name in names]), level)})


def transition_frame(fit: Fit, model: WaveModel, level: float) -> pd.DataFrame:
    """Return every effect of one wave on the next; of growth, every path between levels and between slopes."""
    import pandas as pd

    if model.form == "growth":
        keys = [(cause, effect, kind, kind) for cause, effect in model.arrows for kind in ("level", "slope")]
        paths = [((f"{effect}_{kind}", f"{cause}_{kind}"),) for cause, effect, kind, _ in keys]
    else:
        arrows = [*model.arrows, *((part.name, part.name) for part in model.constructs)]
        steps = list(pairwise(model.suffixes))
        keys = [(cause, effect, *step) for cause, effect in arrows for step in steps]
        paths = [(path,) for cause, effect in arrows for path in model.endpoints(cause, effect)]
    frame = pd.DataFrame(keys, columns=["cause", "effect", "from", "to"])
    return frame.assign(**_columns(estimate_paths(fit, paths), level))


def growth_frame(fit: Fit, model: WaveModel) -> pd.DataFrame:
    """Return mean and variance of the level and of the slope of every construct, with the test that the mean slope is 0.

    Means and variances are those implied for everybody: what arrows bring is included.
    """
    import pandas as pd

    layout, found = fit.model.blocks[0], latent_moments(fit.model, 0, fit.implied_blocks[0])
    mean_se, variance_se = (delta_errors(slopes, fit.theta_vcov) for slopes in (found.mean_slopes, found.variance_slopes))
    names = [part.name for part in model.constructs]
    columns: dict[str, Any] = {"construct": names}
    for kind in ("level", "slope"):
        at = [layout.latent.index(f"{name}_{kind}") for name in names]
        columns |= {
            f"{kind}_mean": found.mean[at],
            f"{kind}_mean_se": mean_se[at],
            f"{kind}_var": found.variance[at],
            f"{kind}_var_se": variance_se[at],
        }
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(columns["slope_mean_se"] > 0.0, columns["slope_mean"] / columns["slope_mean_se"], np.nan)
    return pd.DataFrame(columns | {"slope_p": 2.0 * ndtr(-np.abs(z))})
