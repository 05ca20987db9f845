"""Which tests and intervals to trust in the regime of one's own data: a small simulation with the fitted model as the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from trustsem.appraisal.repeating import repeat
from trustsem.appraisal.severity.altered import population_of
from trustsem.appraisal.severity.calibrating import Finding, Regime, all_tests_of, ways_of
from trustsem.appraisal.severity.imitation import imitate
from trustsem.appraisal.severity.probing import fitters_like
from trustsem.appraisal.told import Told
from trustsem.appraisal.withholding import why_withheld
from trustsem.errors import NotAvailableError, OptionError
from trustsem.fitting.fit import Fit
from trustsem.fitting.tables import standardized_values
from trustsem.kernels.structure import Reals
from trustsem.options import check_count

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["Calibration", "calibrate"]

_LIMITS = (0.5, 1.5)  # of the nominal rate of errors: Bradley's liberal criterion
_CLEAR = 2.0  # Monte Carlo standard errors
_SHOWN = ("kind", "name", "yours", "rate", "nominal", "mc_error", "verdict", "pvalue", "pvalue_simulated")
_COLUMNS = ("kind", "name", "yours", "rate", "nominal", "mc_error", "verdict", "pvalue", "pvalue_simulated", "n_used")
_MEANING = (
    "The fitted model is the truth here. rate: of a test, how often it rejects this true model; of an interval, how often it covers the true value, "
    "on average over {count} standardized parameters. mc_error: Monte Carlo standard error of the rate.",
    "verdict: fit for use if the rate of errors is between half and one and a half times the nominal one (Bradley 1978, Br J Math Stat Psychol 31, "
    "144-152); unclear if it is outside by less than two Monte Carlo standard errors, or if two of them are more than the nominal rate.",
)


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(Told):
    """How tests and intervals behave in the regime of the data.

    Attributes
    ----------
    frame : DataFrame
        One row per test and kind of interval: ``kind`` ("test" or "interval"), ``name yours`` (whether the fit uses it) ``rate nominal mc_error
        verdict``; of tests ``pvalue`` in the data, and ``pvalue_simulated``, the share of samples with a statistic at least as large; ``n_used``.
    parameters : DataFrame
        One row per parameter and kind of interval: ``lhs op rhs name true bias sd mean_se coverage mc_error``, standardized.
    heading : str
    notes : tuple of str
    replications : int
    failures : mapping of str to int
        Samples that gave nothing, by reason.
    seed : int
    """

    heading: str
    frame: pd.DataFrame
    parameters: pd.DataFrame
    notes: tuple[str, ...]
    replications: int
    failures: Mapping[str, int]
    seed: int
    shown = _SHOWN


def calibrate(
    fit: Fit | Appraisal,
    *,
    replications: int = 500,
    alpha: float = 0.05,
    seed: int = 1,
    executor: Any = None,
    progress: bool | None = None,
) -> Calibration:
    """Simulate how tests and intervals behave in the regime of the data, and say which to trust.

    Parameters
    ----------
    fit : Fit or Appraisal
        Its estimates are the truth of the simulation.
    replications : int
    alpha : float
        Nominal size of the tests; intervals have the level 1 - alpha.
    seed : int
        Replication k draws from ``SeedSequence(seed, spawn_key=(k,))``.
    executor, progress : optional
        As for :func:`trustsem.run`. Results do not depend on them.

    Returns
    -------
    Calibration
        Empty, with the reason, if the fit is no possible truth: not converged, not identified, or inadmissible.

    Raises
    ------
    OptionError
        For an alpha that is no level.
    NotAvailableError
        For several groups and for two levels.

    Notes
    -----
    Samples have the rows, teams and holes of the data, and variables that take the observed values as often as observed. Every test and every kind
    of standard error that belongs to the same estimates is looked at: the plain chi-square, its corrections for small samples (Bartlett, Swain,
    Yuan), the scaled tests (with Swain's correction where their mean is scaled), and standard errors by information and by sandwiches.
    """
    check_count("replications", replications, 1)
    check_count("seed", seed, 0)
    if not isinstance(alpha, int | float) or not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r} is not a significance level. Give a number between 0 and 1, such as 0.05.")
    found = fit if isinstance(fit, Fit) else fit.fit
    if len(found.model.blocks) > 1:
        raise NotAvailableError("Calibration is for one group and one level. Fit the groups one at a time, or one level with cluster=.")
    heading = f"Calibration at {found.nobs:,} rows: {replications:,} samples from the fitted model"
    withheld = why_withheld(found)
    if withheld:
        return _empty(heading, f"No calibration: {withheld}", int(seed))
    ways = ways_of(found)
    population = population_of(found)
    imitation = imitate(found, population)
    imitator = imitation.of(population)
    observed = all_tests_of(found, ways)
    regime = Regime(imitator, fitters_like(found), ways, _rows(found), tuple(observed), int(seed))
    samples = repeat(regime, range(replications), executor=executor, progress=progress, title="calibrate")
    return _told(found, regime, samples, heading, alpha, (*imitation.said, *imitator.notes))


def _rows(fit: Fit) -> tuple[int, ...]:
    """Return the rows of the parameter table whose intervals are looked at: paths; without them loadings and covariances of latent variables."""
    rows, latent = fit.model.table.rows, set(fit.model.blocks[0].latent)
    paths = tuple(k for k, row in enumerate(rows) if row.free and row.op == "~")
    if paths:
        return paths
    return tuple(k for k, row in enumerate(rows) if row.free and (row.op == "=~" or (row.op == "~~" and row.lhs != row.rhs and row.lhs in latent)))


def _empty(heading: str, reason: str, seed: int) -> Calibration:
    import pandas as pd

    return Calibration(heading, pd.DataFrame(columns=list(_COLUMNS)), pd.DataFrame(), (reason,), 0, {}, seed)


def _told(fit: Fit, regime: Regime, samples: Sequence[Finding], heading: str, alpha: float, said: Sequence[str]) -> Calibration:
    """Return the result of what was found in the samples."""
    import pandas as pd

    failures: dict[str, int] = {}
    for one in samples:
        if one.reason:
            failures[one.reason] = failures.get(one.reason, 0) + 1
    usable = [one for one in samples if not one.reason]
    if not usable:
        return _empty(heading, f"No calibration: none of {len(samples)} samples could be analysed. {next(iter(failures))}", regime.seed)
    tests, (intervals, parameters) = _test_rows(fit, regime, usable, alpha), _interval_rows(fit, regime, usable, alpha)
    frame = pd.DataFrame([*tests, *intervals], columns=list(_COLUMNS))
    lost = sum(failures.values())
    notes = [
        *_recommended(tests, "test", "rejects the true model in", alpha),
        *_recommended(intervals, "interval", "covers in", 1.0 - alpha),
        _MEANING[0].format(count=len(regime.rows)),
        _MEANING[1],
        *([f"{lost} of {len(samples)} samples gave nothing: {'; '.join(f'{count} times {why}' for why, count in failures.items())}"] if lost else []),
        *said,
    ]
    return Calibration(heading, frame, pd.DataFrame(parameters), tuple(notes), len(samples), failures, regime.seed)


def _test_rows(fit: Fit, regime: Regime, usable: Sequence[Finding], alpha: float) -> list[dict[str, Any]]:
    """Return one row per test."""
    observed = all_tests_of(fit, regime.ways)
    rows = []
    for at, name in enumerate(regime.tests):
        statistics = np.array([one.statistics[at] for one in usable])
        pvalues = np.array([one.pvalues[at] for one in usable])
        known = np.isfinite(pvalues)
        count = int(known.sum())
        rate = float(np.mean(pvalues[known] < alpha)) if count else math.nan
        error = math.sqrt(rate * (1.0 - rate) / count) if count else math.nan
        own = observed[name]
        # Statistics of tests with estimated degrees of freedom are compared by their p-values.
        extreme = pvalues[known] <= own.pvalue if name == "mean_var_adjusted" else statistics[known] >= own.statistic
        rows.append(
            {
                "kind": "test",
                "name": name,
                "yours": name == regime.ways.own_test,
                "rate": rate,
                "nominal": alpha,
                "mc_error": error,
                "verdict": _verdict(rate, alpha, error, ("rejects too often", "rejects too seldom")),
                "pvalue": own.pvalue,
                "pvalue_simulated": (1.0 + float(extreme.sum())) / (1.0 + count) if count else math.nan,
                "n_used": count,
            }
        )
    return rows


def _interval_rows(fit: Fit, regime: Regime, usable: Sequence[Finding], alpha: float) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return one row per kind of interval, and one per parameter and kind."""
    z = float(ndtri(1.0 - alpha / 2.0))
    true = standardized_values(fit, "std_all")[0][list(regime.rows)]
    estimates: Reals = np.array([one.estimates for one in usable])
    rows, parameters = [], []
    for at, (name, _) in enumerate(regime.ways.errors):
        errors = np.array([one.errors[at] for one in usable])
        known = np.isfinite(errors).all(axis=1)
        count = int(known.sum())
        covered = np.abs(estimates[known] - true) <= z * errors[known]
        each = covered.mean(axis=1) if count else np.array([math.nan])
        rate, error = float(each.mean()), float(each.std(ddof=1) / math.sqrt(count)) if count > 1 else math.nan
        rows.append(
            {
                "kind": "interval",
                "name": name,
                "yours": name == regime.ways.own_error,
                "rate": rate,
                "nominal": 1.0 - alpha,
                "mc_error": error,
                "verdict": _verdict(1.0 - rate, alpha, error, ("too narrow", "too wide")),
                "pvalue": math.nan,
                "pvalue_simulated": math.nan,
                "n_used": count,
            }
        )
        for k, row in enumerate(regime.rows):
            share = float(covered[:, k].mean()) if count else math.nan
            cell = fit.model.table.rows[row]
            spread = float(estimates[:, k].std(ddof=1)) if len(estimates) > 1 else math.nan
            own = {
                "lhs": cell.lhs,
                "op": cell.op,
                "rhs": cell.rhs,
                "name": name,
                "true": float(true[k]),
                "bias": float(estimates[:, k].mean() - true[k]),
            }
            own |= {"sd": spread, "mean_se": float(errors[known, k].mean()) if count else math.nan, "coverage": share}
            parameters.append(own | {"mc_error": math.sqrt(share * (1.0 - share) / count) if count else math.nan})
    return rows, parameters


def _verdict(rate: float, alpha: float, error: float, words: tuple[str, str]) -> str:
    """Return what to think of a rate of errors."""
    if math.isnan(rate):
        return "cannot tell"
    low, high = (limit * alpha for limit in _LIMITS)
    if low <= rate <= high and _CLEAR * error <= alpha:
        return "fit for use"
    if low - _CLEAR * error <= rate <= high + _CLEAR * error:
        return "unclear"
    return words[0] if rate > high else words[1]


def _recommended(rows: Sequence[Mapping[str, Any]], what: str, does: str, nominal: float) -> list[str]:
    """Return which test or interval to trust, and what to think of the fit's own."""
    known = [row for row in rows if not math.isnan(row["rate"])]
    if not known:
        return []
    best = min(known, key=lambda row: (abs(row["rate"] - nominal), not row["yours"]))
    share = f"{does} {best['rate']:.3f} of samples (Monte Carlo error {best['mc_error']:.3f}; nominal {nominal:g})"
    plural = {"test": "tests", "interval": "intervals"}[what]
    if best["verdict"] == "fit for use":
        lines = [f"Of the {plural}, trust {best['name']!r} here: it {share}."]
    else:
        lines = [f"None of the {plural} is known to be good here; the nearest is {best['name']!r}, which {share}."]
    own = next((row for row in known if row["yours"]), None)
    if own is not None and own is not best:
        lines.append(f"Your own, {own['name']!r}, {does} {own['rate']:.3f} of samples (Monte Carlo error {own['mc_error']:.3f}): {own['verdict']}.")
    return lines
