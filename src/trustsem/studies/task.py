"""One replication: data are drawn and analysed. A pure function of a prepared condition and a number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trustsem.data.frames import sample_from_frame
from trustsem.fitting.fit import Fit
from trustsem.fitting.tables import definition_values, row_errors, row_values, standardized_errors, standardized_values
from trustsem.fitting.testing import small_sample_tests
from trustsem.kernels.structure import Reals
from trustsem.simulators import Rows
from trustsem.studies.prepare import SMALL_SAMPLE, PreparedAnalysis, PreparedCondition

__all__ = ["Chunk", "Outcome", "analyse", "fit_analysis", "run_chunk", "run_replication"]

CONVERGED = "converged"


class Outcome(NamedTuple):
    """What is kept of one analysis of one data set.

    Attributes
    ----------
    reason : str
        ``"converged"``, or why there are no results.
    admissible : bool
    est, se : (P,) float
        NaN where there are none.
    measures : (M,) float
    """

    reason: str
    admissible: bool
    est: Reals
    se: Reals
    measures: Reals


@dataclass(frozen=True, eq=False)
class Chunk:
    """The outcomes of some replications of one condition: one list per analysis, in the order of the replications.

    Attributes
    ----------
    condition : int
        Place of the condition.
    first : int
        Number of the first replication.
    outcomes : tuple of tuple of Outcome
        ``outcomes[analysis][replication - first]``.
    """

    condition: int
    first: int
    outcomes: tuple[tuple[Outcome, ...], ...]


def run_chunk(prepared: PreparedCondition, first: int, last: int) -> Chunk:
    """Return replications `first` (included) to `last` (excluded)."""
    found = [run_replication(prepared, replication) for replication in range(first, last)]
    return Chunk(prepared.condition.index, first, tuple(zip(*found, strict=True)))


def run_replication(prepared: PreparedCondition, replication: int) -> tuple[Outcome, ...]:
    """Draw the data of one replication and return the outcome of every analysis; a failure is an outcome with a reason."""
    try:
        rows = prepared.sampler.rows(prepared.n, prepared.stream(replication))
    except Exception as error:  # one bad data set must not stop a study; it is counted and can be replayed
        return tuple(_failure(analysis, f"data: {type(error).__name__}: {error}") for analysis in prepared.analyses)
    return tuple(analyse(analysis, rows) for analysis in prepared.analyses)


def analyse(analysis: PreparedAnalysis, rows: Rows) -> Outcome:
    """Return the outcome of one analysis of one data set."""
    try:
        fit = fit_analysis(analysis, rows)
        return _outcome(analysis, fit) if fit.converged else _failure(analysis, fit.reason)
    except Exception as error:
        return _failure(analysis, f"{type(error).__name__}: {error}")


def fit_analysis(analysis: PreparedAnalysis, rows: Rows) -> Fit:
    """Return the fit of one analysis to one data set."""
    if analysis.columns is not None:
        return analysis.fitter.fit(rows.values[:, analysis.columns])
    reading = dict(analysis.reading)
    return analysis.fitter.fit_sample(sample_from_frame(rows.columns(), reading.pop("names"), **reading))


def _failure(analysis: PreparedAnalysis, reason: str) -> Outcome:
    nothing = np.full(len(analysis.parameters), np.nan)
    return Outcome(reason, False, nothing, nothing, np.full(len(analysis.measures), np.nan))


def _outcome(analysis: PreparedAnalysis, fit: Fit) -> Outcome:
    rows = analysis.rows
    with np.errstate(all="ignore"):
        if analysis.analysis.standardized:
            values, slopes = standardized_values(fit, "std_all")
            errors = standardized_errors(fit, slopes)
            count = len(fit.model.table.rows)
            defined, defined_errors = values[count:], errors[count:]
        else:
            values, errors = row_values(fit), row_errors(fit)
            defined, defined_errors = definition_values(fit)
        est, se = np.concatenate([values[rows], defined]), np.concatenate([errors[rows], defined_errors])
        found = fit.measures(analysis.analysis.measures)
        measures = np.array([found.get(name, math.nan) for name in analysis.analysis.measures])
        if analysis.analysis.small_sample:
            corrected = small_sample_tests(fit)
            measures = np.append(measures, [corrected[name.removeprefix("pvalue_")].pvalue for name in SMALL_SAMPLE])
    return Outcome(CONVERGED, fit.admissible, est, se, measures)
