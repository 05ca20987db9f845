"""Whether the factors of a model are distinct: correlations, ratios of correlations, constrained refits and merged factors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustsem.data.resampling import draw_counts, resample, resampler
from trustsem.errors import ModelError, OptionError, closest
from trustsem.fitting.factor_tables import CorrelationRows, correlation_row, merged_table, with_correlation
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import make_fitter
from trustsem.fitting.quality import delta_errors, normal_quantile
from trustsem.fitting.sem import ModelLike, cfa
from trustsem.fitting.tables import row_values
from trustsem.inference.discriminant import Ratios, correlation_slopes, heterotrait_monotrait, verdict
from trustsem.inference.fit_measures import Chisq
from trustsem.inference.intervals import percentile
from trustsem.inference.reliability import MEASURES, loading_cells, scale_values, scales
from trustsem.kernels.structure import Integers, Reals
from trustsem.model.ram import compile_model
from trustsem.options import check_count, check_level
from trustsem.spec.table import ParameterTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["discriminant_validity", "htmt", "merge_factors"]


class _Pair(NamedTuple):
    """Two factors of one block, by place."""

    block: int
    first: int
    second: int


def htmt(
    model: Fit | ModelLike, data: Any = None, *, absolute: bool = True, draws: int = 0, seed: int = 1, level: float = 0.95, **options: Any
) -> pd.DataFrame:
    """Return the heterotrait-monotrait ratios of correlations of every pair of factors.

    Parameters
    ----------
    model : Fit, str, ParameterTable or Theory
        A fit, or a model to be fitted by :func:`trustsem.cfa`; only the items of each factor and the correlations of the sample are used.
    data : data frame, mapping or Sample, optional
        Needed with a model, not with a fit.
    absolute : bool
        Take absolute correlations, so that reversed items count as the others. Otherwise the ratios are NaN where a mean correlation within a factor
        is negative, and `htmt2` where any correlation is.
    draws : int
        Number of bootstrap draws (of rows, or of whole clusters) for percentile intervals; none by default.
    seed, level : int, float
        Which draws, and the confidence level of the intervals.
    **options
        As for :func:`trustsem.sem`.

    Returns
    -------
    DataFrame
        Columns ``factor1 factor2 [group] htmt htmt2``, with `draws` also ``htmt_ci_lower`` and so on. Items that belong to both factors are left out
        of both; a ratio is NaN if fewer than two remain for either, and for factors that are measured only by other factors.

    Raises
    ------
    ModelError
        If there are no two factors to compare.
    """
    import pandas as pd

    fit = _as_fit(model, data, options)
    pairs = _pairs(fit)
    ratios = [_ratios(fit, pair, absolute) for pair in pairs]
    columns = _keys(fit, pairs) | {name: [getattr(ratio, name) for ratio in ratios] for name in Ratios._fields}
    if draws:
        check_count("draws", draws, 2)
        check_count("seed", seed, 0)
        check_level(level)
        columns |= _ratio_intervals(fit, pairs, absolute, draws, seed, level)
    return pd.DataFrame(columns)


def _ratio_intervals(fit: Fit, pairs: Sequence[_Pair], absolute: bool, draws: int, seed: int, level: float) -> dict[str, Any]:
    """Return percentile intervals of the ratios: only correlations are drawn anew, nothing is fitted."""
    source = resampler(fit.sample, clusters=fit.sample.cluster is not None)
    places = [[fit.sample.names.index(name) for name in layout.observed] for layout in fit.model.blocks]
    values = np.empty((draws, len(pairs), len(Ratios._fields)))
    for b in range(draws):
        drawn = resample(source, draw_counts(source, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(b,)))))
        covariances = [block.cov[np.ix_(place, place)] for block, place in zip(drawn.blocks, places, strict=True)]
        values[b] = [_ratios(fit, pair, absolute, covariances[pair.block]) for pair in pairs]
    columns = {}
    for k, name in enumerate(Ratios._fields):
        columns[f"{name}_ci_lower"], columns[f"{name}_ci_upper"] = percentile(values[:, :, k], level)
    return columns


def discriminant_validity(fit: Fit, *, cutoff: float = 0.9, level: float = 0.95, tests: bool = True) -> pd.DataFrame:
    """Return what speaks for and against every pair of factors being distinct.

    Parameters
    ----------
    fit : Fit
    cutoff : float
        Correlation, without its sign, from which two factors do not count as distinct.
    level : float
        Confidence level of the intervals.
    tests : bool
        Test each correlation against the cutoff and against 1: two refits per pair.

    Returns
    -------
    DataFrame
        One row per pair and group, columns ``factor1 factor2 [group]`` and

        ``r se ci_lower ci_upper`` : correlation of the factors, with a delta-method interval.

        ``htmt htmt2`` : see :func:`htmt`.

        ``ave1 ave2 fornell_larcker`` : average variances extracted of standardized indicators, and whether both exceed the squared correlation.

        ``chisq_diff_cutoff pvalue_cutoff chisq_diff_1 pvalue_1`` : chi-square difference tests (one degree of freedom) against the model in which the
        correlation, with the sign that it has, is at least the cutoff, or 1: a small p speaks for distinct factors. 0 where it is so already. NaN
        where the correlation is not a parameter (a factor is an outcome, or the correlation is fixed), where the fit has a scaled test (differences
        of plain chi-squares are not valid then), and where a refit did not converge. A correlation of 1 lies on the edge of what is possible, so that
        its p is too large.

        ``distinct`` : whether the whole interval lies within the cutoff; None without an interval, and for an inadmissible solution unless the
        interval reaches 1.

        ``verdict`` : classification by the far end of the interval.

    Raises
    ------
    ModelError
        If there are no two factors to compare.
    OptionError
        If `cutoff` or `level` is impossible.

    Notes
    -----
    Classification and tests: Rönkkö & Cho (2022, doi 10.1177/1094428120968614), who prefer them to the comparison of average variances extracted with
    squared correlations (Fornell & Larcker 1981, doi 10.1177/002224378101800104).
    """
    import pandas as pd

    quantile = normal_quantile(level)
    if not isinstance(cutoff, int | float | np.floating) or not 0.0 < cutoff < 1.0:
        raise OptionError(f"cutoff={cutoff!r} is not a correlation to compare with. Give a number between 0 and 1, such as 0.9.")
    pairs = _pairs(fit)
    r, errors = _correlations(fit, pairs)
    lower, upper = r - quantile * errors, r + quantile * errors
    ratios = [_ratios(fit, pair, True) for pair in pairs]
    ave = np.array([_extracted(fit, pair) for pair in pairs])
    columns = _keys(fit, pairs) | {"r": r, "se": errors, "ci_lower": lower, "ci_upper": upper}
    columns |= {name: [getattr(ratio, name) for ratio in ratios] for name in Ratios._fields}
    columns |= {"ave1": ave[:, 0], "ave2": ave[:, 1], "fornell_larcker": ave.min(axis=1) > r**2}
    if tests:
        for name, size in (("cutoff", float(cutoff)), ("1", 1.0)):
            found = [_difference(fit, pair, value, size) for pair, value in zip(pairs, r, strict=True)]
            columns |= {f"chisq_diff_{name}": [test.statistic for test in found], f"pvalue_{name}": [test.pvalue for test in found]}
    reach = np.maximum(np.abs(lower), np.abs(upper))
    # An inadmissible solution may say that there is a problem, but not that there is none.
    known = np.isfinite(reach) & (fit.admissible | (reach >= 1.0))
    columns["distinct"] = [bool(end < cutoff) if usable else None for end, usable in zip(reach, known, strict=True)]
    ends = zip(np.where(known, lower, np.nan), np.where(known, upper, np.nan), strict=True)
    columns["verdict"] = [verdict(float(low), float(high)) for low, high in ends]
    return pd.DataFrame(columns)


def merge_factors(model: Fit | ModelLike, first: str, second: str, data: Any = None, **options: Any) -> Fit:
    """Fit the rival model in which two factors are one, to the same data and with the same options.

    Parameters
    ----------
    model : Fit, str, ParameterTable or Theory
        A fit, or a model to be fitted by :func:`trustsem.cfa`.
    first, second : str
        The factors; the merged one keeps the name and the scale of `first` and has the items of both. Where both have the same relation with a third
        variable, that of `first` stays.
    data : data frame, mapping or Sample, optional
        Needed with a model, not with a fit.
    **options
        As for :func:`trustsem.sem`.

    Returns
    -------
    Fit
        Nested in the given model if that says nothing else of how the two differ.

    Raises
    ------
    ModelError
        For a name that is no factor, the same factor twice, and a constraint or definition that needs a parameter that is gone.
    """
    fit = _as_fit(model, data, options)
    factors = tuple(dict.fromkeys(name for layout in fit.model.blocks for name in layout.latent))
    for name in (first, second):
        if name not in factors:
            raise ModelError(f"{name!r} is not a factor of the model.{closest(str(name), factors)} Its factors are {', '.join(factors) or 'none'}.")
    if first == second:
        raise ModelError(f"{first!r} cannot be merged with itself. Name two factors.")
    return _refit(fit, merged_table(fit.model.table, first, second))


def _as_fit(model: Fit | ModelLike, data: Any, options: dict[str, Any]) -> Fit:
    if not isinstance(model, Fit):
        return cfa(model, data, **options)
    if data is not None or options:
        raise OptionError("A fit has its data and options already. Leave data= and the options out, or give the model instead of the fit.")
    return model


def _refit(fit: Fit, table: ParameterTable, start: Mapping[str, float] | None = None) -> Fit:
    """Fit another model to what `fit` was fitted to."""
    return make_fitter(compile_model(table), fit.options, start).fit_sample(fit.sample)


def _pairs(fit: Fit) -> list[_Pair]:
    """Return the pairs of factors of each block, without those of which one measures the other."""
    found = []
    for b, block in enumerate(fit.implied_blocks):
        mask = loading_cells(fit.model, b)
        factors = [place for place in range(block.p, len(mask)) if mask[:, place].any()]
        apart = [(f, g) for k, f in enumerate(factors) for g in factors[k + 1 :] if not (mask[f, g] or mask[g, f])]
        found += [_Pair(b, f, g) for f, g in apart]
    if not found:
        raise ModelError("The model has no two factors to compare. Give one with at least two, each measured by items of its own (f =~ x1 + x2).")
    return found


def _keys(fit: Fit, pairs: Sequence[_Pair]) -> dict[str, Any]:
    layouts = fit.model.blocks
    keys: dict[str, Any] = {
        "factor1": [layouts[pair.block].variables[pair.first] for pair in pairs],
        "factor2": [layouts[pair.block].variables[pair.second] for pair in pairs],
    }
    if fit.model.table.n_groups > 1:
        keys["group"] = [layouts[pair.block].group for pair in pairs]
    if fit.model.two_level:
        keys["level"] = [layouts[pair.block].level for pair in pairs]
    return keys


def _correlations(fit: Fit, pairs: Sequence[_Pair]) -> tuple[Reals, Reals]:
    """Return the correlation (P,) of each pair and its standard error (P,)."""
    values, slopes = [], []
    for b, block in enumerate(fit.implied_blocks):
        value, slope = correlation_slopes(fit.model, b, block, [(pair.first, pair.second) for pair in pairs if pair.block == b])
        values.append(value)
        slopes.append(slope)
    return np.concatenate(values), delta_errors(np.concatenate(slopes), fit.theta_vcov)


def _ratios(fit: Fit, pair: _Pair, absolute: bool, cov: Reals | None = None) -> Ratios:
    """Return the ratios of a pair, from the fit's sample moments or from other covariances (p, p) in their place."""
    mask = loading_cells(fit.model, pair.block)[: fit.implied_blocks[pair.block].p]
    own: list[Integers] = [np.flatnonzero(mask[:, f] & ~mask[:, g]) for f, g in ((pair.first, pair.second), (pair.second, pair.first))]
    if min(map(len, own)) < 2:
        return Ratios(math.nan, math.nan)
    cov = fit.problem.blocks[pair.block].cov if cov is None else cov
    sd = np.sqrt(np.diag(cov))
    return heterotrait_monotrait(cov / np.outer(sd, sd), own[0], own[1], absolute)


def _extracted(fit: Fit, pair: _Pair) -> tuple[float, float]:
    """Return the average variance extracted by each factor of a pair, of standardized indicators."""
    chosen = {scale.factor: scale for scale in scales(fit.model, fit.implied_blocks, False) if scale.block == pair.block}
    if not {pair.first, pair.second} <= set(chosen):
        return math.nan, math.nan
    values = scale_values(fit.model, fit.implied_blocks, [chosen[pair.first], chosen[pair.second]])[:, MEASURES.index("ave_std")]
    return float(values[0]), float(values[1])


def _difference(fit: Fit, pair: _Pair, r: float, least: float) -> Chisq:
    """Return the test of `fit`, where the correlation of a pair is `r`, against the model in which its size is at least `least`."""
    layout = fit.model.blocks[pair.block]
    rows = correlation_row(fit.model.table, pair.block + 1, layout.variables[pair.first], layout.variables[pair.second])
    if rows is None or fit.options.scaled_test is not None:
        return Chisq(math.nan, 1)
    if abs(r) >= least:
        return Chisq(0.0, 1)
    value = math.copysign(least, r)
    table = with_correlation(fit.model.table, rows, value)
    constrained = len(table.relations) > len(fit.model.table.relations)
    rival = _refit(fit, table, _start(fit, rows, value) if constrained else None)
    return Chisq(rival.chisq.statistic - fit.chisq.statistic, rival.df - fit.df)


def _start(fit: Fit, rows: CorrelationRows, value: float) -> Mapping[str, float]:
    """Return the estimates with a covariance that makes the correlation `value`: far from where the constraint holds, the search may get lost."""
    values = row_values(fit)
    covariance = fit.model.table.parameter_names()[fit.model.free_rows.index(rows.covariance)]
    estimates = {str(name): float(number) for name, number in fit.coef().items()}
    return estimates | {covariance: value * math.sqrt(abs(values[rows.first] * values[rows.second]))}
