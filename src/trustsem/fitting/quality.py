"""The table of how reliably the items of a fitted model measure its factors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from trustsem.errors import ModelError, OptionError
from trustsem.inference.intervals import percentile, spread
from trustsem.inference.reliability import MEASURES, Scale, alpha, alpha_error, quantities, scale_slopes, scale_values, scales
from trustsem.kernels.structure import Reals
from trustsem.options import check_level

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.fitting.fit import Fit

__all__ = ["delta_errors", "normal_quantile", "reliability"]


def reliability(
    fit: Fit, *, obs_var: bool = False, reverse: bool = True, ci: bool = True, level: float = 0.95, draws: Reals | None = None
) -> pd.DataFrame:
    """Return how reliably the sum of a factor's items measures it, one row per factor and group.

    Parameters
    ----------
    fit : Fit
    obs_var : bool
        Divide by the observed variances of the items instead of the implied ones in `omega`, `omega_h` and `ave`. They then have no standard errors,
        because they are not functions of the parameters alone.
    reverse : bool
        Reverse items whose loading has another sign than most; they have a minus in the column `items`. Otherwise items are summed as they are.
    ci : bool
        Add standard errors and confidence intervals.
    level : float
        Confidence level.
    draws : (B, K) float, optional
        Draws of the parameters (bootstrap), from which standard errors and percentile intervals are taken instead of the delta method. Those of
        alpha, a function of the sample, stay as they are.

    Returns
    -------
    DataFrame
        Columns ``factor [group] items alpha omega omega_h ave ave_std h``; with `ci` also each name followed by ``_se _ci_lower _ci_upper``.

        ``alpha`` : coefficient alpha of the sample; its standard error assumes normal observations, and is NaN with robust standard errors and with
        missing values.

        ``omega``, ``omega_h`` : share of all factors, and of this factor alone, in the variance of the sum. They differ where items measure several
        factors; for a general factor `omega_h` is omega hierarchical.

        ``ave``, ``ave_std`` : average variance extracted, for the indicators as they are and for standardized ones.

        ``h`` : reliability of the most reliable weighted sum of the items.

    Raises
    ------
    ModelError
        If the model has no factors with items.
    OptionError
        If `level` or the shape of `draws` is impossible.
    """
    import pandas as pd

    quantile = normal_quantile(level)
    model = fit.model
    chosen = scales(model, fit.implied_blocks, reverse)
    if not chosen:
        raise ModelError("The model has no latent variable with items, so there is no reliability to report. Define one, such as f =~ x1 + x2 + x3.")
    covs = [block.cov for block in fit.problem.blocks]
    first, first_errors = _alphas(fit, chosen)
    values = scale_values(model, fit.implied_blocks, chosen, covs if obs_var else None)
    columns: dict[str, Any] = {"factor": [model.blocks[scale.block].variables[scale.factor] for scale in chosen]}
    if model.table.n_groups > 1:
        columns["group"] = [model.blocks[scale.block].group for scale in chosen]
    if model.two_level:
        columns["level"] = [model.blocks[scale.block].level for scale in chosen]
    columns["items"] = [_item_names(fit, scale) for scale in chosen]
    names = ("alpha", *MEASURES)
    estimates = np.column_stack([first, values])
    columns |= dict(zip(names, estimates.T, strict=True))
    if ci:
        errors, lower, upper = _intervals(fit, chosen, values, quantile, level, draws)
        if obs_var:
            for array in (errors, lower, upper):
                array[:, :3] = np.nan
        errors = np.column_stack([first_errors, errors])
        lower = np.column_stack([first - quantile * first_errors, lower])
        upper = np.column_stack([first + quantile * first_errors, upper])
        for k, name in enumerate(names):
            columns |= {f"{name}_se": errors[:, k], f"{name}_ci_lower": lower[:, k], f"{name}_ci_upper": upper[:, k]}
    return pd.DataFrame(columns)


def normal_quantile(level: float) -> float:
    """Return how many standard errors an interval reaches to each side.

    Raises
    ------
    OptionError
        If `level` is no confidence level.
    """
    check_level(level)
    return float(ndtri(0.5 + 0.5 * level))


def delta_errors(slopes: Reals, vcov: Reals) -> Reals:
    """Return the standard errors (...,) of functions of theta with derivatives `slopes` (..., K); NaN where vcov (K, K) is."""
    moved = np.where(slopes != 0.0, np.einsum("...k,kl->...l", slopes, vcov), 0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(np.maximum(np.sum(moved * slopes, axis=-1), 0.0)))


def _alphas(fit: Fit, chosen: tuple[Scale, ...]) -> tuple[Reals, Reals]:
    """Return the alpha (S,) of each scale in the sample and its standard error (S,)."""
    values, errors = np.empty(len(chosen)), np.full(len(chosen), math.nan)
    usable = fit.options.se == "standard" and not fit.sample.incomplete and not fit.model.two_level
    for k, scale in enumerate(chosen):
        block = fit.problem.blocks[scale.block]
        cov = block.cov[np.ix_(scale.items, scale.items)]
        values[k] = alpha(cov, scale.signs)[0]
        if usable:
            errors[k] = alpha_error(cov, scale.signs, block.n)
    return values, errors


def _intervals(fit: Fit, chosen: tuple[Scale, ...], values: Reals, quantile: float, level: float, draws: Reals | None) -> tuple[Reals, Reals, Reals]:
    """Return standard errors and ends of the intervals of the measures (S, 5)."""
    structure = fit.problem.structure
    if draws is None:
        errors = delta_errors(scale_slopes(fit.model, structure, fit.implied_blocks, chosen), fit.theta_vcov)
        return errors, values - quantile * errors, values + quantile * errors
    points = np.asarray(draws, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != fit.model.n_theta:
        raise OptionError(f"draws= has shape {points.shape}. Give one row per draw and one column for each of the {fit.model.n_theta} parameters.")
    many = np.array([quantities(fit.model, structure, theta, chosen).ravel() for theta in points]).reshape(len(points), values.size)
    ends = percentile(many, level)
    return spread(many).reshape(values.shape), ends.lower.reshape(values.shape), ends.upper.reshape(values.shape)


def _item_names(fit: Fit, scale: Scale) -> str:
    names = fit.model.blocks[scale.block].observed
    return " ".join(("-" if sign < 0.0 else "") + names[item] for item, sign in zip(scale.items.tolist(), scale.signs, strict=True))
