"""From the fits of imputed data sets to the pooled tests and fit measures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr, stdtrit

from trustsem.data.sample import BlockSample, Sample
from trustsem.estimators import find
from trustsem.fitting import tables
from trustsem.inference.fit_measures import BlockResiduals, Chisq, incremental_measures, residual_measures, rmsea_measures
from trustsem.inference.pooling import Increase, Pooled, PooledTest, d2, d3, d4, rubin
from trustsem.kernels.structure import Reals

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.fitting.fit import Fit

__all__ = ["averaged_sample", "comparable", "pooled_measures", "pooled_point", "pooled_table", "pooled_tests", "stacked_sample"]


def averaged_sample(samples: Sequence[Sample]) -> Sample:
    """Return the sample whose means and covariances are the averages over imputed data sets."""
    return _combined(samples, between=False)


def stacked_sample(samples: Sequence[Sample]) -> Sample:
    """Return the moments of all imputed data sets taken as one, with the number of rows of a single one.

    The moments with divisor n are those of the stacked rows, so that any discrepancy times n is the stacked statistic divided by m.
    """
    return _combined(samples, between=True)


def _combined(samples: Sequence[Sample], *, between: bool) -> Sample:
    blocks = []
    for parts in zip(*(sample.blocks for sample in samples), strict=True):
        first: BlockSample = parts[0]
        cov = np.mean([part.cov for part in parts], axis=0)
        means = np.array([part.mean for part in parts])
        if between:
            gaps = means - means.mean(axis=0)
            cov = cov + gaps.T @ gaps / len(parts) * (first.n / (first.n - 1.0))
        blocks.append(replace(first, mean=means.mean(axis=0), cov=cov, rows=None))
    return replace(samples[0], blocks=tuple(blocks), notices=())


def pooled_point(fits: Sequence[Fit]) -> Fit:
    """Return a fit moved to the average of all estimates and of all sample moments; its search and its tests mean nothing."""
    first = fits[0]
    sample = averaged_sample([fit.sample for fit in fits])
    problem = find(first.options.estimator).prepare(first.model, sample, first.options.likelihood)
    theta = np.mean([fit.estimate.theta for fit in fits], axis=0)
    return replace(first, sample=sample, problem=problem, estimate=replace(first.estimate, theta=theta))


def pooled_tests(kind: str, fits: Sequence[Fit], point: Fit, stacked: Fit | None) -> tuple[PooledTest, PooledTest]:
    """Return the pooled tests of the model and of the baseline model.

    Parameters
    ----------
    kind : {"D2", "D3", "D4"}
    fits : sequence of Fit
        At least two, all converged.
    point : Fit
        From :func:`pooled_point`.
    stacked : Fit or None
        The fit to the stacked sample; D2 needs none.
    """
    own = np.array([fit.chisq.statistic for fit in fits])
    own_baseline = np.array([fit.baseline.statistic for fit in fits])
    df, df_baseline = int(fits[0].df), int(fits[0].baseline.df)
    if stacked is None:
        return d2(own, df), d2(own_baseline, df_baseline)
    if kind == "D3":
        at_pooled, baseline_at_pooled = _at_pooled(point, stacked)
        return d3(own, at_pooled, df), d3(own_baseline, baseline_at_pooled, df_baseline)
    model = d4(own, stacked.chisq.statistic, df)
    # One increase for both, so that they can be compared: the baseline's own would be too large, because that model is far from true.
    increase = Increase(model.riv, df * (len(fits) - 1)) if df > 0 else None
    return model, d4(own_baseline, stacked.baseline.statistic, df_baseline, increase)


def _at_pooled(point: Fit, stacked: Fit) -> tuple[float, float]:
    """Return the mean likelihood-ratio statistics of model and baseline model with all parameters at their pooled values.

    The log-likelihood is linear in the moments of the data, so its mean over data sets is that of the stacked moments. Moments of fixed covariates
    are the same in both models, whose likelihoods given the covariates therefore differ as the joint ones do.
    """
    model = baseline = 0.0
    for layout, data, average, implied in zip(point.model.blocks, stacked.problem.blocks, point.problem.blocks, point.implied_blocks, strict=True):
        gap = np.zeros(len(layout.observed)) if data.mean is None else data.mean - implied.mean
        saturated = _deviance(data.cov, average.cov)
        x = [layout.observed.index(name) for name in layout.exogenous]
        independent = np.diag(np.diag(average.cov))
        independent[np.ix_(x, x)] = average.cov[np.ix_(x, x)]
        model += data.n * (_deviance(data.cov + np.outer(gap, gap), implied.sigma) - saturated)
        baseline += data.n * (_deviance(data.cov, independent) - saturated)
    return model, baseline


def _deviance(S: Reals, Sigma: Reals) -> float:
    """Return ``log|Sigma| + tr(S Sigma^-1)``; NaN if Sigma is not positive definite."""
    sign, logdet = np.linalg.slogdet(Sigma)
    return float(logdet + np.sum(np.linalg.inv(Sigma) * S)) if sign > 0 else math.nan


def comparable(kind: str, model: PooledTest, baseline: PooledTest) -> bool:
    """Return whether the pooled statistics of model and baseline are on one scale.

    D2 and D3 estimate the relative increase in variance anew for every test, and for a model as wrong as the baseline that estimate is too large. A
    baseline that does not fit worse than the model, or no worse than chance, shows it.
    """
    return kind == "D4" or model.df == 0 or (model.chisq >= 0.0 and baseline.chisq > max(model.chisq, float(baseline.df)))


def pooled_measures(kind: str, model: PooledTest, baseline: PooledTest, point: Fit) -> dict[str, float]:
    """Return the fit measures that follow from pooled chi-squares and averaged moments; NaN where they cannot be computed."""
    statistic = 0.0 if model.df == 0 else model.chisq if model.chisq >= 0.0 else math.nan
    chisq, against = Chisq(statistic, model.df), Chisq(baseline.chisq if baseline.chisq >= 0.0 else math.nan, baseline.df)
    result = {"npar": float(point.npar), "chisq": statistic, "df": float(model.df), "pvalue": model.pvalue}
    if not find(point.options.estimator).chisq_is_asymptotic:
        result["pvalue"] = math.nan
    result |= {"f": model.statistic if model.chisq >= 0.0 else math.nan, "df2": model.df2, "riv": model.riv}
    incremental, rmsea = incremental_measures(chisq, against), dict.fromkeys(rmsea_measures(Chisq(0.0, 0), 1.0, 1), math.nan)
    if not math.isnan(statistic):
        rmsea = rmsea_measures(chisq, point.problem.scale, len(point.problem.blocks))
    if math.isnan(statistic) or not comparable(kind, model, baseline):
        incremental = dict.fromkeys(incremental, math.nan) | {"baseline_chisq": against.statistic, "baseline_df": float(against.df)}
    incremental["baseline_pvalue"] = baseline.pvalue
    blocks = tuple(
        BlockResiduals(block.n, block.cov, implied.sigma, block.mean, None if block.mean is None else implied.mean)
        for block, implied in zip(point.problem.blocks, point.implied_blocks, strict=True)
    )
    return result | incremental | rmsea | residual_measures(blocks)


def pooled_table(first: Fit, fits: Sequence[Fit], point: Fit | None, *, standardized: bool, ci: bool, level: float) -> pd.DataFrame:
    """Return the rows of the parameter table and the defined parameters, pooled over `fits`; NaN without a `point`."""
    frame = tables.parameter_estimates(first, standardized=False, ci=ci, level=level)
    keys = [name for name in ("lhs", "op", "rhs", "group", "label") if name in frame]
    pooled = Pooled(*(np.full(len(frame), math.nan) for _ in Pooled._fields)) if point is None else _pooled_rows(fits)
    fixed = pooled.within == 0.0
    se = np.where(fixed, 0.0, np.sqrt(pooled.variance))
    df, fmi, riv = (np.where(fixed, math.nan, column) for column in (pooled.df, pooled.fmi, pooled.riv))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(fixed, math.nan, pooled.estimate / se)
    frame = frame[keys].assign(est=pooled.estimate, se=se, t=t, df=df, pvalue=2.0 * stdtr(df, -np.abs(t)))
    if ci:
        width = np.where(fixed, 0.0, stdtrit(df, 0.5 + 0.5 * level) * se)
        frame = frame.assign(ci_lower=pooled.estimate - width, ci_upper=pooled.estimate + width)
    frame = frame.assign(fmi=fmi, riv=riv)
    if standardized:
        for kind in ("std_lv", "std_all"):
            frame[kind] = math.nan if point is None else tables.standardized_values(point, kind)[0]
    return frame


def _pooled_rows(fits: Sequence[Fit]) -> Pooled:
    values, errors = [], []
    for fit in fits:
        defined, defined_errors = tables.definition_values(fit)
        values.append(np.concatenate([tables.row_values(fit), defined]))
        errors.append(np.concatenate([tables.row_errors(fit), defined_errors]))
    return rubin(np.array(values), np.array(errors) ** 2)
