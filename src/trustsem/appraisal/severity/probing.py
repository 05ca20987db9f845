"""Samples from worlds in which a claim is false, each analysed and judged as the data were."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trustsem.appraisal.severity.altered import claim_rows, moved
from trustsem.appraisal.severity.imitation import Imitator
from trustsem.appraisal.verdicts import judge
from trustsem.appraisal.withholding import why_withheld
from trustsem.errors import DataError
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import Fitter, make_fitter
from trustsem.fitting.tables import standardized_errors, standardized_values
from trustsem.options import FitOptions
from trustsem.studies.executors import one_thread

if TYPE_CHECKING:
    from trustsem.appraisal.result import Appraisal

__all__ = ["Fitters", "Outcome", "Trial", "Work", "fitters_like", "prepare_work", "stated"]


class Outcome(NamedTuple):
    """What one sample says of one claim.

    Attributes
    ----------
    verdict : str
        The verdict, or why there is none.
    size_shown : bool
    std, se : float
        Standardized estimate in the stated direction, and its standard error; NaN without a verdict.
    """

    verdict: str
    size_shown: bool = False
    std: float = math.nan
    se: float = math.nan


class Fitters(NamedTuple):
    """The fitter of a model from its estimates, and from computed values where that does not converge."""

    near: Fitter
    far: Fitter

    def fit(self, imitator: Imitator, rng: np.random.Generator) -> Fit | str:
        """Return the fit to a sample drawn, or why there is none."""
        try:
            sample = imitator.sample(rng)
            fit = self.near.fit_sample(sample)
            fit = fit if fit.converged else self.far.fit_sample(sample)
        except DataError:
            return "not analysable"
        return why_withheld(fit) or fit


class Trial(NamedTuple):
    """A claim at a value, and what draws from there.

    Attributes
    ----------
    claim : int
        Place among the claims that are judged.
    imitator : Imitator
    """

    claim: int
    imitator: Imitator


@dataclass(frozen=True, eq=False)
class Work:
    """What is needed to draw a sample from one of several worlds, to analyse it and to judge.

    Attributes
    ----------
    trials : tuple of Trial
    fitters : Fitters
    rows : tuple of int
        Row of the parameter table of each claim that is judged.
    sesoi : tuple of float
    signs : tuple of int
    alpha : float
    seed : int
    """

    trials: tuple[Trial, ...]
    fitters: Fitters
    rows: tuple[int, ...]
    sesoi: tuple[float, ...]
    signs: tuple[int, ...]
    alpha: float
    seed: int

    def __call__(self, items: Sequence[tuple[int, int]]) -> list[Outcome]:
        """Return what is found for each item (place of the trial, number of the replication)."""
        with one_thread():
            return [self._one(self.trials[trial], np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(k,)))) for trial, k in items]

    def _one(self, trial: Trial, rng: np.random.Generator) -> Outcome:
        fit = self.fitters.fit(trial.imitator, rng)
        if isinstance(fit, str):
            return Outcome(fit)
        values, slopes = standardized_values(fit, "std_all")
        rows = list(self.rows)
        estimate, se = values[rows], standardized_errors(fit, slopes[rows])
        if not (np.all(np.isfinite(se)) and np.all(se > 0.0)):
            return Outcome("no standard errors")
        found, at = judge(estimate, se, np.array(self.sesoi), self.signs, self.alpha), trial.claim
        return Outcome(found.verdict[at], bool(found.size_shown[at]), float(estimate[at]) * self.signs[at], float(se[at]))


def fitters_like(fit: Fit) -> Fitters:
    """Return fitters with the model and the options of `fit`, starting from its estimates; bootstrap errors become those of the information."""
    options: FitOptions = fit.options
    if options.se == "bootstrap":
        clustered = fit.sample.cluster is not None
        options = replace(options, se="robust_cluster" if clustered else "standard")
    start: Mapping[str, float] = {str(name): float(value) for name, value in fit.coef().items()}
    return Fitters(make_fitter(fit.model, options, start), make_fitter(fit.model, options))


def stated(appraisal: Appraisal) -> tuple[int, ...]:
    """Return the places of the claims that state a direction."""
    return tuple(k for k, claim in enumerate(appraisal.claims) if claim.sign in ("+", "-"))


def prepare_work(appraisal: Appraisal, trials: Sequence[Trial], seed: int) -> Work:
    """Return the work of analysing samples as the data of an appraisal were analysed, and of judging its claims."""
    places = stated(appraisal)
    rows = claim_rows(appraisal)
    return Work(
        tuple(trials),
        fitters_like(appraisal.fit),
        tuple(rows[k] for k in places),
        tuple(appraisal.sesoi[k] for k in places),
        tuple(int(moved(appraisal, 1.0, k)) for k in places),
        appraisal.alpha,
        seed,
    )
