"""If one of the models were true, with this design, how often would it be chosen? A simulated confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.repeating import repeat
from trustsem.appraisal.rivals.contenders import RivalsOption, line_up, log_likelihood, no_likelihood
from trustsem.appraisal.rivals.entrants import Entrant, best, criteria, entrants, left_out
from trustsem.appraisal.rivals.nested import RIVAL_GENERAL, difference_of
from trustsem.appraisal.rivals.resembling import Design, Truth, design_of, draw, truth_of
from trustsem.appraisal.told import Told
from trustsem.appraisal.withholding import require_appraisal
from trustsem.errors import DataError
from trustsem.fitting.fit import Fit
from trustsem.fitting.nesting import check_nesting
from trustsem.inference.model_choice import proportion_error
from trustsem.inference.multiplicity import holm_adjusted
from trustsem.options import check_count, choose

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["RULES", "Distinguishability", "distinguishability"]

RULES = ("bic", "aic", "test")
_COLUMNS = ("truth", "rule", "chosen", "share", "mc_error", "replications")
_OFTEN = 0.8
_SAME = 1e-6  # of log-likelihoods


@dataclass(frozen=True, eq=False, repr=False)
class Distinguishability(Told):
    """How often each model would be chosen if each in turn were true; prints the matrix of choices by BIC.

    Attributes
    ----------
    frame : DataFrame
        One row per truth, rule and model chosen: ``truth rule chosen share mc_error replications``. Shares of one truth and rule add up to 1. Models
        that imply the same are one class, named by all of its members.
    classes : tuple of str
    replications, seed : int
        Samples for each truth.
    failures : mapping of str to int
        By class, in how many samples the model could not be fitted, and so not be chosen.
    heading : str
    notes : tuple of str
    """

    frame: pd.DataFrame
    classes: tuple[str, ...]
    replications: int
    seed: int
    failures: Mapping[str, int]
    heading: str
    notes: tuple[str, ...]

    def matrix(self, rule: str = "bic") -> pd.DataFrame:
        """Return the shares by one rule: a row for each truth, a column for each model chosen.

        Raises
        ------
        OptionError
            For a rule that does not exist.
        """
        rule = choose("rule", rule, RULES)
        table = self.frame[self.frame["rule"] == rule].pivot_table(index="truth", columns="chosen", values="share", sort=False)
        return table.reindex(index=[name for name in self.classes if name in table.index], columns=list(self.classes))

    def _cells(self) -> tuple[list[str], list[list[str]], str]:
        rows = []
        for truth in self.classes:
            part = self.frame[(self.frame["truth"] == truth) & (self.frame["rule"] == "bic")]
            cells = [f"{share:.2f} ({error:.2f})" for share, error in zip(part["share"], part["mc_error"], strict=True)]
            if cells:
                rows.append([truth, *cells])
        return ["if true", *self.classes], rows, "l" + "r" * len(self.classes)

    def to_dict(self) -> dict[str, Any]:
        """Return heading, rows, notes, seed, numbers of samples and failures as JSON knows them."""
        return {**super().to_dict(), "replications": self.replications, "seed": self.seed, "failures": dict(self.failures)}


@dataclass(frozen=True, eq=False)
class _Job:
    """What every replication needs."""

    truths: tuple[Truth | None, ...]
    running: tuple[Entrant, ...]
    design: Design
    general: tuple[int, ...]  # places of the models that the theory is nested in
    alpha: float
    seed: int


def distinguishability(
    appraisal: Appraisal,
    replications: int = 200,
    *,
    seed: int,
    rivals: RivalsOption = None,
    executor: Any = None,
    progress: bool | None = None,
) -> Distinguishability:
    """Simulate data from each model in turn, at its estimates and with the design of these data, and count which model is chosen.

    Parameters
    ----------
    appraisal : Appraisal
    replications : int
        Samples for each model.
    seed : int
        Equal seeds give equal results, whatever the executor.
    rivals : optional
        As for :func:`trustsem.tournament`. Fewer rivals take less time.
    executor, progress : optional
        As for :func:`trustsem.run`.

    Returns
    -------
    Distinguishability
        Empty, with the reason, if the appraisal has no verdicts or the estimator no likelihood.

    Raises
    ------
    OptionError
        For numbers that are none, an executor that does not exist, or impossible rivals.

    Notes
    -----
    Three rules choose: the lowest BIC; the lowest AIC; and the difference test, which keeps the theory unless a model that it is nested in is
    preferred at the level of the appraisal (Holm-adjusted; of several the one with the smallest p-value). Samples are normal, with the means and
    covariances that the model implies, the observed number of rows, holes at the observed places, and teams of the observed sizes whose members are
    as alike as the observed items on average; answers in categories are not reproduced. This is the parametric bootstrap of a choice of models
    (Wagenmakers, Ratcliff, Gomez & Iverson 2004, J Math Psychol 48:28-50).

    A model in which factors of the theory merge (one general factor, say) can be chosen, but is no truth: the others have no unique solution there.
    Nor is one that at its estimates is the theory.
    """
    require_appraisal("distinguishability", appraisal)
    check_count("replications", replications, 1)
    check_count("seed", seed, 0)
    line = line_up(appraisal, rivals)
    heading = f"{appraisal.theory.title}: what would be chosen by BIC, if each model in turn were true"
    why = appraisal.withheld or no_likelihood(line.theory)
    if why:
        return _result((), (), np.empty((0, 0, 0), dtype=np.int64), {}, (replications, seed), heading, [f"No figures: {why}"])
    heads, design = line.heads, design_of(line.theory)
    running = entrants(line, tested=True)
    general = tuple(k for k, (name, fit) in enumerate(heads.items()) if k and _is_general(name, line.theory, fit))
    merged = {name for name, fit in heads.items() if _merges(name, line.theory, fit)}
    same = {name for name, fit in heads.items() if fit is not line.theory and abs(log_likelihood(fit) - log_likelihood(line.theory)) < _SAME}
    truths = tuple(None if name in merged | same else truth_of(fit, design) for name, fit in heads.items())
    job = _Job(truths, running, design, general, appraisal.alpha, seed)
    items = [(k, number) for number in range(replications) for k, truth in enumerate(truths) if truth is not None]
    found = np.array(repeat(partial(_choices, job), items, executor=executor, progress=progress, title="samples"), dtype=np.int64)
    chosen = found[:, : len(RULES)].reshape(replications, -1, len(RULES))
    failed = {entrant.label: int(count) for entrant, count in zip(running, found[:, len(RULES) :].sum(axis=0), strict=True)}
    classes = tuple(entrant.label for entrant in running)
    true = tuple(label for label, truth in zip(classes, truths, strict=True) if truth is not None)
    notes = [f"{replications} samples for each model (seed {seed}); in brackets: Monte Carlo errors. {design.words}"]
    if merged:
        notes.append(
            f"Not simulated, because the theory's factors merge in it and other models have no unique solution there: {', '.join(sorted(merged))}."
        )
    if same:
        notes.append(f"Not simulated, because at its estimates it is the theory (what it adds is estimated as 0): {', '.join(sorted(same))}.")
    return _result(true, classes, chosen, failed, (replications, seed), heading, [*notes, *left_out(line), *line.notes])


def _merges(name: str, theory: Fit, fit: Fit) -> bool:
    fewer = len(fit.model.blocks[0].latent) < len(theory.model.blocks[0].latent)
    return fewer and bool(check_nesting(name, fit, "theory", theory).nested)


def _is_general(name: str, theory: Fit, fit: Fit) -> bool:
    return fit.df < theory.df and bool(check_nesting("theory", theory, name, fit).nested)


def _choices(job: _Job, items: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return for each of some samples the place of the model chosen by each rule (-1: none), and which models failed (0 or 1)."""
    found = []
    for truth, number in items:
        rng = np.random.default_rng(np.random.SeedSequence(job.seed, spawn_key=(number, truth)))
        own = job.truths[truth]
        assert own is not None
        try:
            sample = draw(own, job.design, rng)
            fits = [entrant.fit(sample) for entrant in job.running]
        except DataError:
            fits = [None] * len(job.running)
        values = [criteria(fit) for fit in fits]
        choices = [best([each.bic for each in values]), best([each.aic for each in values]), _by_test(job, fits)]
        found.append([*choices, *(int(fit is None) for fit in fits)])
    return found


def _by_test(job: _Job, fits: Sequence[Fit | None]) -> int:
    """Return the place of the model that the difference tests choose: 0 is the theory."""
    theory = fits[0]
    if theory is None or not theory.options.tests:
        return -1
    pvalues = np.full(len(fits), np.nan)
    for k in job.general:
        wide = fits[k]
        if wide is not None:
            pvalues[k] = difference_of(RIVAL_GENERAL, theory, wide).pvalue
    adjusted = holm_adjusted(pvalues)
    if not np.any(adjusted < job.alpha):
        return 0
    return int(np.nanargmin(pvalues))


def _result(
    true: tuple[str, ...],
    classes: tuple[str, ...],
    chosen: np.ndarray,
    failed: Mapping[str, int],
    numbers: tuple[int, int],
    heading: str,
    notes: list[str],
) -> Distinguishability:
    import pandas as pd

    replications, seed = numbers
    rows = []
    for t, truth in enumerate(true):
        for r, rule in enumerate(RULES):
            made = chosen[:, t, r]
            used = int((made >= 0).sum())
            for k, label in enumerate(classes):
                share = float((made == k).sum()) / used if used else math.nan
                rows.append((truth, rule, label, share, proportion_error(share, used) if used else math.nan, used))
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    return Distinguishability(frame, classes, replications, seed, dict(failed), heading, (*notes, *_weak(frame)))


def _weak(frame: pd.DataFrame) -> list[str]:
    """Return a sentence on the models that would not be recognised, and one on the test."""
    if not len(frame):
        return []
    right = frame[(frame["truth"] == frame["chosen"]) & (frame["rule"] == "bic")]
    weak = [f"{row['truth']} ({row['share']:.2f})" for row in right.to_dict("records") if row["share"] < _OFTEN]
    notes = ["Each model is true at the values estimated from these data: an arrow estimated near 0 makes a rival hard to recognise."]
    if weak:
        notes.append(f"If true, BIC would choose it in fewer than {_OFTEN:.0%} of samples: {', '.join(weak)}. A choice against it says little.")
    return notes
