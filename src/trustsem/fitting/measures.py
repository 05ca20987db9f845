"""All fit measures of a fit, gathered from the formulas of :mod:`trustsem.inference.fit_measures`."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from trustsem.data.moments import available_pairs
from trustsem.fitting.robust import TWO_STAGE, corrected_measures
from trustsem.inference.fit_measures import (
    BlockResiduals,
    Chisq,
    absolute_measures,
    goodness_of_fit,
    incremental_measures,
    information_criteria,
    residual_measures,
    rmsea_measures,
    robust_measures,
)
from trustsem.inference.likelihood import log_likelihoods
from trustsem.inference.two_level import level_residuals
from trustsem.model.casewise import CasewiseLikelihood
from trustsem.model.problem import block_values
from trustsem.model.quadratic import QuadraticForm

if TYPE_CHECKING:
    from trustsem.estimators import Estimator
    from trustsem.fitting.fit import Fit
    from trustsem.inference.scaled import ScaledTest

__all__ = ["MEASURE_NAMES", "all_measures", "robust_statistics"]

# Every name that a fit may have, whatever the estimator; a test compares.
_NAMES = """
npar fmin chisq df pvalue chisq_scaled df_scaled pvalue_scaled chisq_scaling_factor baseline_chisq baseline_df baseline_pvalue
baseline_chisq_scaled baseline_df_scaled baseline_pvalue_scaled baseline_chisq_scaling_factor cfi tli cfi_scaled tli_scaled cfi_robust tli_robust
nnfi rfi nfi pnfi ifi rni nnfi_scaled rfi_scaled nfi_scaled pnfi_scaled ifi_scaled rni_scaled nnfi_robust rni_robust logl unrestricted_logl aic bic
ntotal bic2 scaling_factor_h1 scaling_factor_h0 rmsea rmsea_ci_lower rmsea_ci_upper rmsea_ci_level rmsea_pvalue rmsea_close_h0
rmsea_notclose_pvalue rmsea_notclose_h0 rmsea_scaled rmsea_ci_lower_scaled rmsea_ci_upper_scaled rmsea_pvalue_scaled rmsea_notclose_pvalue_scaled
rmsea_robust rmsea_ci_lower_robust rmsea_ci_upper_robust rmsea_pvalue_robust rmsea_notclose_pvalue_robust rmr rmr_nomean srmr srmr_bentler
srmr_bentler_nomean crmr crmr_nomean srmr_mplus srmr_mplus_nomean srmr_within srmr_between cn_05 cn_01 gfi agfi pgfi mfi ecvi
"""
MEASURE_NAMES = tuple(_NAMES.split())


# Names by which groups of measures are recognised.
_LIKELIHOOD = ("logl", "unrestricted_logl", "aic", "bic", "bic2", "ntotal")
_RESIDUAL = ("rmr", "srmr", "crmr")
_ABSOLUTE = ("cn_", "gfi", "agfi", "pgfi", "mfi", "ecvi")


def _asked(wanted: Collection[str] | None, group: tuple[str, ...]) -> bool:
    return wanted is None or any(name.startswith(group) for name in wanted)


def all_measures(fit: Fit, estimator: Estimator, wanted: Collection[str] | None = None) -> dict[str, float]:
    """Return every fit measure that the estimator supports, in lavaan's order.

    With `wanted`, groups of measures that none of them belongs to are not computed: in a loop over samples they would take most of the time.
    """
    robust = wanted is None or any(name.endswith("_robust") for name in wanted)
    problem, options = fit.problem, fit.options
    n = problem.nobs
    result = {"npar": float(fit.npar), "fmin": _minimum(fit, estimator)}
    if not options.tests or not fit.converged:
        return result
    model, baseline = fit.chisq, fit.baseline
    pvalue = model.pvalue if estimator.chisq_is_asymptotic else math.nan
    result |= {"chisq": model.statistic, "df": float(model.df), "pvalue": pvalue}
    scaled = options.scaled_test is not None
    if scaled:
        result |= _test_measures(fit.scaled, "")
    incremental = incremental_measures(model, baseline)
    compared = ("baseline_chisq", "baseline_df", "baseline_pvalue")
    result |= {name: incremental[name] for name in compared}
    if not estimator.chisq_is_asymptotic:
        result["baseline_pvalue"] = math.nan
    if scaled:
        result |= _test_measures(fit.scaled_baseline, "baseline_")
    adjusted = _scaled_incremental(fit) if scaled else {}
    corrected = _robust_incremental(fit) if robust else {}
    for names in (("cfi", "tli"), ("nnfi", "rfi", "nfi", "pnfi", "ifi", "rni")):
        result |= {name: incremental[name] for name in names}
        result |= {f"{name}_scaled": adjusted[name] for name in names if name in adjusted}
        result |= {f"{name}_robust": corrected[name] for name in names if name in corrected}
    if estimator.has_likelihood and options.missing not in TWO_STAGE and _asked(wanted, _LIKELIHOOD):
        logl, unrestricted = log_likelihoods(problem, fit.estimate.theta)
        result |= information_criteria(logl, unrestricted, fit.npar, n)
    if scaled and not math.isnan(fit.scaled.traces.saturated):
        result |= _likelihood_scaling(fit)
    # The divisor of the noncentrality is the multiplier of the chi-square: N for normal maximum likelihood, N - G for the rest.
    result |= rmsea_measures(model, problem.scale, fit.model.table.n_groups) | _other_rmsea(fit, robust)
    if fit.model.two_level:
        return result | level_residuals(problem, fit.implied_blocks)
    if _asked(wanted, _RESIDUAL):
        result |= residual_measures(_block_residuals(fit))
    if not _asked(wanted, _ABSOLUTE):
        return result
    absolute = absolute_measures(model, fit.npar, problem.scale)
    good = goodness_of_fit(_lack_of_fit(fit), fit.df, _all_moments(fit))
    return result | {name: absolute[name] for name in ("cn_05", "cn_01")} | good | {name: absolute[name] for name in ("mfi", "ecvi")}


def _test_measures(test: ScaledTest, prefix: str) -> dict[str, float]:
    names = ("chisq_scaled", "df_scaled", "pvalue_scaled", "chisq_scaling_factor")
    return {prefix + name: value for name, value in zip(names, (test.statistic, test.df, test.pvalue, test.scaling), strict=True)}


def _scaled_incremental(fit: Fit) -> dict[str, float]:
    """Return the incremental measures of the scaled statistics."""
    found = incremental_measures(Chisq(fit.scaled.statistic, fit.scaled.df), Chisq(fit.scaled_baseline.statistic, fit.scaled_baseline.df))
    return {name: value for name, value in found.items() if not name.startswith("baseline")}


def _corrects(fit: Fit) -> bool:
    """Whether robust fit measures are those of incomplete data."""
    return fit.options.missing in ("fiml", "fiml_x") and not fit.model.two_level


def _is_robust(fit: Fit) -> bool:
    return _corrects(fit) or fit.options.scaled_test not in (None, "mean_var_adjusted")


def robust_statistics(fit: Fit) -> tuple[tuple[Chisq, float], tuple[Chisq, float]]:
    """Return the statistics of model and baseline model behind the robust measures, and their means under a true model."""
    if _corrects(fit):
        model, baseline = corrected_measures(fit)
        return (Chisq(model.statistic, fit.chisq.df), model.mean), (Chisq(baseline.statistic, fit.baseline.df), baseline.mean)
    return (fit.chisq, fit.scaled.factor * fit.chisq.df), (fit.baseline, fit.scaled_baseline.factor * fit.baseline.df)


def _robust_incremental(fit: Fit) -> dict[str, float]:
    if not _is_robust(fit):
        return {}
    (model, mean), (baseline, baseline_mean) = fit.robust_statistics
    return robust_measures(model, mean, baseline, baseline_mean)


def _other_rmsea(fit: Fit, robust: bool) -> dict[str, float]:
    """Return the RMSEA of the scaled statistic, and the robust one (Brosseau-Liard, Savalei & Li 2012), with intervals and tests."""
    n, groups = fit.problem.scale, fit.model.table.n_groups
    kept = ("rmsea", "rmsea_ci_lower", "rmsea_ci_upper", "rmsea_pvalue", "rmsea_notclose_pvalue")
    result: dict[str, float] = {}
    if fit.options.scaled_test is not None:
        test = fit.scaled
        point = rmsea_measures(Chisq(test.statistic, test.df), n, groups)
        # Only the scaled and shifted statistic is referred to a noncentral chi-square itself; the others to that of their estimated mean.
        plain = test.name == "scaled_shifted" or test.df == 0
        interval = point if plain else rmsea_measures(Chisq(fit.chisq.statistic, test.traces.first), n, groups)
        result |= {f"{name}_scaled": (point if name == "rmsea" else interval)[name] for name in kept}
    if robust and _is_robust(fit):
        (model, mean), _ = fit.robust_statistics
        scaling = mean / model.df if model.df > 0 else 1.0
        statistic = model.statistic / scaling
        if fit.options.scaled_test == "scaled_shifted" and not _corrects(fit) and model.df > 0:
            statistic, scaling = fit.scaled.statistic, fit.scaled.scaling
        corrected = rmsea_measures(Chisq(statistic, model.df), n / scaling, groups)
        result |= {f"{name}_robust": corrected[name] for name in kept}
    return result


def _likelihood_scaling(fit: Fit) -> dict[str, float]:
    """Return the scaling factors of the two log-likelihoods, per parameter."""
    traces = fit.scaled.traces
    free = int(np.sum(fit.model.theta_of_row >= 0))
    return {"scaling_factor_h1": traces.saturated / fit.model.n_moments, "scaling_factor_h0": traces.model / free if free else math.nan}


def _minimum(fit: Fit, estimator: Estimator) -> float:
    """Return lavaan's fmin: half the discrepancy, blocks weighted by their share of the observations."""
    problem = fit.problem
    if estimator.has_likelihood:
        return 0.5 * fit.estimate.discrepancy
    return 0.5 * fit.estimate.discrepancy * problem.scale / problem.nobs


def _block_residuals(fit: Fit) -> tuple[BlockResiduals, ...]:
    return tuple(
        BlockResiduals(share * fit.problem.nobs, block.cov, point.sigma, block.mean, point.mean if block.mean is not None else None)
        for block, point, share in zip(fit.problem.blocks, fit.implied_blocks, fit.problem.shares, strict=True)
    )


def _all_moments(fit: Fit) -> int:
    """Return the number of sample moments, those of fixed covariates included."""
    sizes = [len(layout.observed) for layout in fit.model.blocks]
    return sum(p * (p + 1) // 2 + (p if fit.model.has_means else 0) for p in sizes)


def _lack_of_fit(fit: Fit) -> float:
    """Return the weighted squares of the residual moments relative to those of the sample moments, averaged over blocks with weights n.

    Moments of fixed covariates are left out (but not for unweighted least squares). The weight is that of the discrepancy at the estimate.
    """
    problem = fit.problem
    if isinstance(problem.objective, CasewiseLikelihood):
        return _incomplete_lack_of_fit(fit, problem.objective)
    if isinstance(problem.objective, QuadraticForm):
        return _quadratic_lack_of_fit(fit, problem.objective)
    lack = 0.0
    for layout, block, point, share in zip(fit.model.blocks, problem.blocks, fit.implied_blocks, problem.shares, strict=True):
        kept = np.ones((point.p, point.p))
        x = [layout.observed.index(name) for name in layout.fixed]
        kind = problem.moments.discrepancy
        if kind == 2:
            x = []
        kept[np.ix_(x, x)] = 0.0
        at = block.cov if fit.options.missing in TWO_STAGE else point.sigma
        weight = np.linalg.inv(at) if kind == 0 else np.linalg.inv(block.cov) if kind == 1 else None
        squares = []
        for matrix, vector in (
            (block.cov - point.sigma, None if block.mean is None else block.mean - point.mean),
            (block.cov, block.mean),
        ):
            cells = matrix * kept
            value = float(np.sum(np.tril(cells) ** 2)) if weight is None else 0.5 * float(np.sum((weight @ cells) * (weight @ cells).T))
            if vector is not None:
                means = vector.copy()
                means[x] = 0.0
                value += float(means @ means) if weight is None else float(means @ weight @ means)
            squares.append(value)
        lack += share * (squares[0] / squares[1])
    return lack


def _incomplete_lack_of_fit(fit: Fit, objective: CasewiseLikelihood) -> float:
    """Return the same for rows with missing values: moments of the available values, weighted by the expected information of the rows as they are."""
    lack = 0.0
    for block, rows in zip(fit.stacked, objective.rows, strict=True):
        mean, cov = available_pairs(rows) if block.weights is None else (block.mean, block.cov)
        i, j = np.tril_indices(mean.size)
        sample = np.concatenate([mean, cov[i, j]])[block.kept]
        gap = sample - np.concatenate([block.implied_mean, block.implied_cov[i, j]])[block.kept]
        weight = block.information(structured=True, observed=False)
        lack += block.share * float(gap @ weight @ gap) / float(sample @ weight @ sample)
    return lack


def _quadratic_lack_of_fit(fit: Fit, form: QuadraticForm) -> float:
    """Return the same for a quadratic form: its value relative to that of the sample moments themselves."""
    problem = fit.problem
    values = block_values(problem, fit.estimate.theta)
    whole = [float(s @ form.weigh(b, s)) for b, s in enumerate(form.moments)]
    return float(sum(share * value / total for share, value, total in zip(problem.shares, values, whole, strict=True)))
