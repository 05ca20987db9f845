"""Refitting a model to resamples of the rows that it was fitted to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from trustsem.data.resampling import Resampler, bollen_stine_rows, draw_counts, leave_out_counts, resample, resampler, with_rows
from trustsem.errors import DataError, NotAvailableError
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import Fitter, make_fitter
from trustsem.fitting.search import SearchOptions
from trustsem.fitting.two_level import refuse_two_levels
from trustsem.inference.many import borrowed_values
from trustsem.kernels.structure import Integers, Reals
from trustsem.model.problem import sample_order

__all__ = ["Draw", "Refits", "draw_some", "jackknife", "prepare_refits"]

# How far a draw may be from its minimum before the last step, which is still taken: in standard errors (the metric of the information matrix). The
# last digits, which the spread of the draws hides, would cost half as much again.
_DISTANCE = 1e-3


class Draw(NamedTuple):
    """What is kept of one refit.

    Attributes
    ----------
    theta : (K,) float
        NaN if it failed.
    borrowed : (R,) float
        Moments of fixed covariates.
    statistic : float
        Chi-square.
    reason : str
        ``"converged"`` or why not.
    admissible : bool
    """

    theta: Reals
    borrowed: Reals
    statistic: float
    reason: str
    admissible: bool


@dataclass(frozen=True, eq=False)
class Refits:
    """What every refit needs: fitters that start from the estimates and from computed values, and the rows."""

    near: Fitter
    far: Fitter
    source: Resampler
    rows: bool  # whether moments are not enough to be fitted


def prepare_refits(fit: Fit, kind: str) -> Refits:
    """Return what is needed to refit `fit` to resamples of a `kind` (see :func:`trustsem.fitting.bootstrap.bootstrap`)."""
    # The information is N / 2 times the Hessian of the discrepancy, so that the squared distance is N / 2 times the decrement.
    options = SearchOptions(tolerance=2.0 * _DISTANCE**2 / fit.nobs)
    # Robust errors and tests would ask for rows; a draw needs neither, and its statistic is the plain one.
    plain = replace(fit.options, se="none", test=("standard",))
    far = replace(make_fitter(fit.model, plain), search_options=options)
    start: Mapping[str, float] = {str(name): float(value) for name, value in fit.coef().items()}
    return Refits(replace(far, start=start), far, _source(fit, kind), fit.problem.objective is not None)


def _source(fit: Fit, kind: str) -> Resampler:
    """Return what is resampled: the fit's rows, or those that follow the model."""
    if kind != "cluster":
        refuse_two_levels(fit.model, f"kind={kind!r}", "Choose kind='cluster'.")
    if kind != "bollen_stine":
        return resampler(fit.sample, clusters=kind == "cluster")
    source = resampler(fit.sample)
    if any(block.missing is not None or block.weights is not None for block in fit.sample.blocks):
        raise NotAvailableError("kind='bollen_stine' is not available for incomplete or weighted rows. Choose kind='nonparametric' or 'cluster'.")
    rows = []
    places = sample_order(fit.model, fit.sample)
    for block, order, moments, point in zip(fit.sample.blocks, places, fit.problem.blocks, fit.implied_blocks, strict=True):
        assert block.rows is not None
        own = block.rows.copy()
        mean = block.rows[:, order].mean(axis=0)
        target = point.mean if fit.model.has_means else mean
        own[:, order] = bollen_stine_rows(own[:, order], mean, moments.cov, target, point.sigma)
        rows.append(own)
    return replace(source, sample=with_rows(fit.sample, rows))


def draw_some(refits: Refits, seed: int, numbers: Sequence[int]) -> list[Draw]:
    """Return the draws of these `numbers`: each has a stream of random numbers of its own."""
    found = []
    for number in numbers:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        found.append(_fit_counts(refits, draw_counts(refits.source, rng)))
    return found


def jackknife(refits: Refits, seed: int) -> tuple[list[Draw], Integers]:
    """Return the refits with one unit left out (or one part of the units, if they are many), and the block (J,) that it is left out of."""
    found = [(b, _fit_counts(refits, counts)) for b, counts in leave_out_counts(refits.source, np.random.default_rng(seed))]
    return [draw for _, draw in found], np.array([b for b, _ in found], dtype=np.int64)


def _fit_counts(refits: Refits, counts: Sequence[Integers]) -> Draw:
    """Refit to the resample that `counts` describe."""
    model = refits.near.model
    nothing, no_moments = np.full(model.n_theta, np.nan), np.full(len(model.borrowed), np.nan)
    try:
        sample = resample(refits.source, counts, rows=refits.rows)
        fit = refits.near.fit_sample(sample)
        if not fit.converged:
            fit = refits.far.fit_sample(sample)
    except DataError as error:
        return Draw(nothing, no_moments, math.nan, str(error), False)
    if not fit.converged:
        return Draw(nothing, no_moments, math.nan, fit.reason, False)
    return Draw(fit.estimate.theta, borrowed_values(model, fit.problem.structure), fit.chisq.statistic, "converged", fit.admissible)
