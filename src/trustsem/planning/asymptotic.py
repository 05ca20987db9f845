"""Standard errors that a design leads to in large samples, and the power that follows: no simulation, hence only as good as large-sample theory.

Where the moments of the data are known exactly and data are complete, the model is fitted to these moments. Otherwise it is fitted to one large
sample, and its standard errors are scaled by the square root of the number of rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.errors import TrustsemError
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import Fitter
from trustsem.fitting.sem import compile as compile_fitter
from trustsem.fitting.tables import row_values, standardized_values
from trustsem.kernels.structure import Reals
from trustsem.planning.setting import Setting
from trustsem.simulators import chain
from trustsem.studies.prepare import PreparedAnalysis, PreparedCondition, prepare
from trustsem.studies.task import fit_analysis

__all__ = ["Expected", "expected", "moments_fit", "wald_power"]

_ROWS, _COMPLETE_ROWS = 4000, 40000  # of the large sample, with and without holes
_ROUGH = 20_000  # draws for the joint power of several claims
_CANNOT = ("estimator", "se", "test", "missing", "cluster", "sampling_weights", "auxiliary", "bootstrap", "seed", "information")
_INCOMPLETE = ("holes", "clusters", "trial")
_HUGE = 10**6


@dataclass(frozen=True, eq=False)
class Expected:
    """Estimates in large samples.

    Attributes
    ----------
    value : (C,) float
        What the estimates approach.
    cov : (C, C) float
        Their covariance matrix times the number of rows.
    exact : bool
        Whether they come from the exact moments; otherwise from one large sample.
    """

    value: Reals
    cov: Reals
    exact: bool

    def errors(self, n: float) -> Reals:
        """Return standard errors (C,) at n rows."""
        return np.sqrt(np.diag(self.cov) / n)

    def power(self, n: float, alpha: float) -> Reals:
        """Return the power (C,) of the Wald test of each claim at n rows, in the direction of its value."""
        return np.asarray(ndtr(np.abs(self.value) / self.errors(n) - ndtri(1.0 - alpha / 2.0)))

    def required(self, alpha: float) -> Reals:
        """Return draws of the number of rows from which on all claims are significant: their quantiles are sample sizes for the joint power.

        Estimates are drawn from their normal distribution, always with the same random numbers.
        """
        sd = np.sqrt(np.diag(self.cov))
        values, vectors = np.linalg.eigh(self.cov / np.outer(sd, sd))
        noise = np.random.default_rng(20_240_501).standard_normal((_ROUGH // 2, sd.size))
        noise = np.vstack([noise, -noise]) @ (vectors * np.sqrt(np.maximum(values, 0.0))).T * np.sign(self.value)
        short = ndtri(1.0 - alpha / 2.0) - noise
        return np.asarray(((np.maximum(short, 0.0) * sd / np.abs(self.value)) ** 2).max(axis=1))


def wald_power(effect: float, se: float, alpha: float = 0.05) -> float:
    """Return the power of the two-sided Wald test.

    Parameters
    ----------
    effect, se : float
        True value, and standard error of its estimate.
    alpha : float

    Returns
    -------
    float
        ``Phi(|effect|/se - z) + Phi(-|effect|/se - z)``; `alpha` for an effect of 0.
    """
    ratio, z = abs(effect) / se, float(ndtri(1.0 - alpha / 2.0))
    return float(ndtr(ratio - z) + ndtr(-ratio - z))


def expected(setting: Setting, level: float, parameters: tuple[str, ...], analysis: int = 0) -> Expected | None:
    """Return what the estimates of some parameters approach; None where it cannot be found.

    Parameters
    ----------
    setting : Setting
    level : float
        Of the open factor; any possible one if `setting.scales`.
    parameters : tuple of str
        Their names.
    analysis : int
        Place of the analysis.
    """
    kinds = {generator.kind for generator in chain(setting.base.generator)}
    options = setting.base.analyses[list(setting.base.analyses)[analysis]].options
    try:
        if not kinds & set(_INCOMPLETE) and "group" not in options and (_is_normal(setting) or not _is_robust(setting.prepared(level), analysis)):
            prepared = setting.prepared(level)
            found = moments_fit(prepared, prepared.analyses[analysis])
            return None if found is None else _expected(found, prepared.analyses[analysis], parameters, _HUGE, exact=True)
        prepared = _large(setting, level)
        one = prepared.analyses[analysis]
        fit = fit_analysis(one, prepared.sampler.rows(prepared.n, np.random.default_rng(setting.base.seed)))
        if not fit.converged:
            return None
        sample = _expected(fit, one, parameters, prepared.n, exact="response" in kinds)
        # Answers attenuate what is estimated: estimates do not approach the truth, but what the moments of complete data say.
        known = None if "group" in options or sample is None else moments_fit(prepared, one)
        limit = None if known is None else _expected(known, one, parameters, _HUGE, exact=True)
        return sample if limit is None or sample is None else replace(sample, value=limit.value, exact=False)
    except TrustsemError:
        return None  # what is wrong is said by the simulation, which has a place for reasons


def _is_normal(setting: Setting) -> bool:
    """Whether rows are multivariate normal."""
    return all(type(one).__name__ == "Gaussian" if one.kind == "distribution" else one.kind == "population" for one in chain(setting.base.generator))


def _is_robust(prepared: PreparedCondition, analysis: int) -> bool:
    """Whether standard errors allow for rows that are not normal, so that moments alone do not tell them."""
    return prepared.analyses[analysis].fitter.options.se not in ("standard", "none")


def _large(setting: Setting, level: float) -> PreparedCondition:
    """Return the condition at a level, so many times over that the sample is large: with more teams, not larger ones."""
    cell = setting.cell(level)
    kinds = {generator.kind for generator in chain(setting.base.generator)}
    factor = max(1, math.ceil((_ROWS if "holes" in kinds else _COMPLETE_ROWS) / setting.rows(level)))
    cell |= {name: factor * count for name, count in setting.counts(cell).items()} | {"n": factor * setting.rows(level)}
    study = setting.study([cell], 1, setting.base.seed)
    return prepare(study, study.cells[0])


def moments_fit(prepared: PreparedCondition, analysis: PreparedAnalysis, n: int = _HUGE) -> Fit | None:
    """Return the fit by maximum likelihood to the exact moments of the data; None if they are not known or it fails."""
    moments = prepared.sampler.moments
    if moments is None:
        return None
    fitter = plain_fitter(analysis, prepared)
    at = [moments.names.index(name) for name in fitter.observed if name in moments.names]
    if len(at) < len(fitter.observed):
        return None
    fit = fitter.fit_moments(moments.cov[np.ix_(at, at)] * (n / (n - 1.0)), n, moments.mean[at] if fitter.model.has_means else None)
    return fit if fit.converged else None


def plain_fitter(analysis: PreparedAnalysis, prepared: PreparedCondition) -> Fitter:
    """Return the fitter of an analysis, by maximum likelihood if it would need rows."""
    options = {name: value for name, value in analysis.analysis.options.items() if name not in _CANNOT}
    if len(options) == len(analysis.analysis.options):
        return analysis.fitter
    return compile_fitter(analysis.fitter.model.table, function="lavaan", **options)


def _expected(fit: Fit, analysis: PreparedAnalysis, parameters: tuple[str, ...], n: int, *, exact: bool) -> Expected | None:
    values, slopes = _with_slopes(fit, analysis.analysis.standardized)
    names = fit.model.table.parameter_names()
    row_of = dict(reversed(list(zip(names, fit.model.free_rows, strict=True))))
    count = len(fit.model.table.rows)
    row_of |= {name: count + k for k, (name, _) in enumerate(fit.model.relations.definitions)}
    rows = [row_of[name] for name in parameters]
    cov = slopes[rows] @ fit.theta_vcov @ slopes[rows].T * n
    truth = analysis.truth[[analysis.parameters.index(name) for name in parameters]]
    value = values[rows] if exact else np.where(np.isfinite(truth), truth, values[rows])
    if not np.all(np.isfinite(cov)) or np.any(np.diag(cov) <= 0.0):
        return None
    return Expected(value, cov, exact)


def _with_slopes(fit: Fit, standardized: bool) -> tuple[Reals, Reals]:
    """Return all rows and definitions, and their derivatives with respect to theta."""
    if standardized:
        return standardized_values(fit, "std_all")
    theta, of_row = fit.estimate.theta, fit.model.theta_of_row
    slopes = np.zeros((of_row.size, theta.size))
    free = np.flatnonzero(of_row >= 0)
    slopes[free, of_row[free]] = 1.0
    definitions: list[Any] = [difference for _, difference in fit.model.relations.definitions]
    values = np.concatenate([row_values(fit), [difference.value(theta) for difference in definitions]])
    return values, np.vstack([slopes, *(difference.gradient(theta)[None, :] for difference in definitions)])


def quantile_size(needed: Reals, power: float, low: float, high: float) -> tuple[float, float]:
    """Return the number of rows at which the joint power is `power`, and the slope of its probit against the square root there."""
    n = min(max(float(np.quantile(needed, power)), low), high)
    ends = np.array([0.9, 1.1]) * n
    shares = np.clip([np.mean(needed <= end) for end in ends], 1e-3, 1.0 - 1e-3)
    slope = float(np.diff(ndtri(shares))[0] / np.diff(np.sqrt(ends))[0])
    return n, slope if slope > 0.0 else 1.0 / math.sqrt(n)
