"""The table of differences between groups in the means of latent variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from trustsem.fitting.fit import Fit
from trustsem.fitting.quality import delta_errors, normal_quantile
from trustsem.inference.latent_means import latent_moments, mean_difference

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["latent_mean_table"]


def latent_mean_table(fit: Fit, level: float) -> pd.DataFrame:
    """Return how far the latent means of every other group are from those of the first; see :meth:`Invariance.latent_means`.

    Raises
    ------
    OptionError
        If `level` is no confidence level.
    """
    import pandas as pd

    quantile = normal_quantile(level)
    labels, blocks = fit.sample.group_labels, fit.sample.blocks
    moments = [latent_moments(fit.model, b, block) for b, block in enumerate(fit.implied_blocks)]
    frames = []
    for b in range(1, len(moments)):
        found = mean_difference(moments[b], moments[0], blocks[b].n, blocks[0].n)
        se, d_se = (delta_errors(slopes, fit.theta_vcov) for slopes in (found.difference_slopes, found.d_slopes))
        with np.errstate(invalid="ignore", divide="ignore"):
            z = np.where(se > 0.0, found.difference / se, np.nan)
        columns = {
            "latent": fit.model.blocks[b].latent,
            "group": labels[b],
            "reference": labels[0],
            "difference": found.difference,
            "se": se,
            "z": z,
            "pvalue": 2.0 * ndtr(-np.abs(z)),
            "ci_lower": found.difference - quantile * se,
            "ci_upper": found.difference + quantile * se,
            "d": found.d,
            "d_se": d_se,
            "d_ci_lower": found.d - quantile * d_se,
            "d_ci_upper": found.d + quantile * d_se,
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)
