"""Which model predicts answers that it has not seen: the log-likelihood of held-out rows, or teams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from trustsem.appraisal.rivals.contenders import THEORY, Contender, LineUp, RivalsOption, line_up, no_likelihood
from trustsem.appraisal.rivals.entrants import Entrant, entrants
from trustsem.appraisal.told import Told
from trustsem.appraisal.withholding import require_appraisal
from trustsem.data.patterns import find_patterns
from trustsem.data.resampling import resample, resampler
from trustsem.data.sample import BlockSample, Sample
from trustsem.errors import DataError, OptionError
from trustsem.inference.casewise import casewise_log_likelihoods
from trustsem.inference.model_choice import summed
from trustsem.kernels.structure import Integers, Reals
from trustsem.model.problem import sample_order
from trustsem.options import check_count

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["CrossValidation", "cross_validate", "fold_numbers", "held_out"]

_SAME = 1e-3  # a log-likelihood that the search does not find more exactly
_COLUMNS = ("id", "title", "class", "elpd", "diff", "se", "ci_lower", "ci_upper", "verdict", "reason")


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation(Told):
    """How well the theory and its rivals predict rows that they were not fitted to; prints itself.

    Attributes
    ----------
    frame : DataFrame
        One row per rival: ``id title class elpd diff se ci_lower ci_upper verdict reason``. `elpd` is the log-likelihood of all held-out rows, `diff`
        that of the rival less that of the theory (positive: the rival predicts better), with standard error and interval over teams or rows.
    theory_elpd : float
        The same of the theory.
    units : DataFrame
        One row per team or row of the data, one column per class of models: its held-out log-likelihood, averaged over repeats.
    folds, repeats, seed : int
    heading : str
    notes : tuple of str
    """

    frame: pd.DataFrame
    theory_elpd: float
    units: pd.DataFrame
    folds: int
    repeats: int
    seed: int
    heading: str
    notes: tuple[str, ...]
    shown = ("id", "title", "diff", "se", "ci_lower", "ci_upper", "verdict")

    def to_dict(self) -> dict[str, Any]:
        """Return heading, rows, notes, seed and the theory's own log-likelihood as JSON knows them."""
        own = None if math.isnan(self.theory_elpd) else self.theory_elpd
        return {**super().to_dict(), "theory_elpd": own, "folds": self.folds, "repeats": self.repeats, "seed": self.seed}


def cross_validate(appraisal: Appraisal, folds: int = 5, repeats: int = 1, *, seed: int = 1, rivals: RivalsOption = None) -> CrossValidation:
    """Compare a theory with its rivals by how well they predict held-out rows.

    Parameters
    ----------
    appraisal : Appraisal
    folds : int
        Number of parts; each is predicted from the others. Teams stay together.
    repeats : int
        How often the data are parted anew.
    seed : int
        Decides which team or row is in which part.
    rivals : optional
        As for :func:`trustsem.tournament`.

    Returns
    -------
    CrossValidation
        Without figures, and with the reason, if the appraisal has no verdicts, the estimator no likelihood, or the data no rows.

    Raises
    ------
    OptionError
        For fewer than two folds, more folds than teams or rows, or impossible rivals.

    Notes
    -----
    Of a row with missing values what was observed is predicted. Differences are summed over teams or rows, and their standard error is that of a sum
    of independent units (as in Vehtari, Gelman & Gabry 2017, doi 10.1007/s11222-016-9696-4), with quantiles of t. Parts share their training rows, so
    that the error is approximate; the page on rivals says how good it is. Nothing is simulated.
    """
    require_appraisal("cross_validate", appraisal)
    for name, value in (("folds", folds), ("repeats", repeats)):
        check_count(name, value, 2 if name == "folds" else 1)
    check_count("seed", seed, 0)
    line = line_up(appraisal, rivals)
    heading = f"{appraisal.theory.title}: prediction of held-out rows, theory against {len(line.rivals)} rivals"
    why = _why_not(appraisal, line)
    if why:
        return _nothing(line, why, (folds, repeats, seed), heading)
    sample = line.theory.sample
    source = resampler(sample, clusters=sample.blocks[0].clusters is not None)
    (unit,), (size,) = source.units, source.sizes
    if folds > size:
        what = "teams" if sample.blocks[0].clusters is not None else "rows"
        raise OptionError(f"folds={folds} are more than the {size} {what}. Give at most {size}.")
    running = entrants(line, exact=True)
    totals = np.zeros((len(running), size))
    for repeat in range(repeats):
        part = fold_numbers(size, folds, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(repeat,))))
        for fold in range(folds):
            inside = part[unit] == fold
            train = _training(sample, inside)
            for k, entrant in enumerate(running):
                found = held_out(entrant, train, sample, inside)
                np.add.at(totals[k], unit[inside], found / repeats)
    return _result(appraisal, line, running, totals, (folds, repeats, seed), heading)


def fold_numbers(size: int, folds: int, rng: np.random.Generator) -> Integers:
    """Return the part (size,) that each unit is in: parts differ by one unit at most."""
    return np.asarray(rng.permutation(np.arange(size) % folds), dtype=np.int64)


def _training(sample: Sample, inside: np.ndarray) -> Sample | None:
    """Return the rows that are not `inside` a part; None if they have no covariance matrix."""
    try:
        return resample(resampler(sample), [np.where(inside, 0, 1)])
    except DataError:
        return None


def held_out(entrant: Entrant, train: Sample | None, sample: Sample, inside: np.ndarray) -> Reals:
    """Return the log-likelihood of every row of `sample` that is `inside`, under the model fitted to `train`; NaN if that failed."""
    fit = None if train is None else entrant.fit(train)
    if fit is None:
        return np.full(int(inside.sum()), np.nan)
    block, trained = sample.blocks[0], fit.sample.blocks[0]
    assert block.rows is not None
    assert trained.mean is not None
    order = sample_order(fit.model, sample)[0]
    rows, point = block.rows[np.ix_(inside, order)], fit.implied_blocks[0]
    mean = point.mean if fit.model.has_means else trained.mean[order]
    found = casewise_log_likelihoods(rows, mean, point.sigma, find_patterns(rows) if np.isnan(rows).any() else None)
    return found if block.weights is None else found * block.weights[inside]


def _why_not(appraisal: Appraisal, line: LineUp) -> str:
    if appraisal.withheld:
        return appraisal.withheld
    if line.theory.sample.blocks[0].rows is None:
        return "rows cannot be held out of summary statistics. Appraise with data=."
    return no_likelihood(line.theory)


def _nothing(line: LineUp, why: str, numbers: tuple[int, int, int], heading: str) -> CrossValidation:
    import pandas as pd

    rows = [_row(one, line, "refused" if one.refusal else "no verdict", one.refusal or f"No verdicts: {why}") for one in line.rivals]
    return CrossValidation(pd.DataFrame(rows, columns=list(_COLUMNS)), math.nan, pd.DataFrame(), *numbers, heading, (f"No verdicts: {why}",))


def _row(one: Contender, line: LineUp, verdict: str, reason: str, numbers: Sequence[float] = (math.nan,) * 5) -> tuple[Any, ...]:
    head = line.classes.get(one.name)
    return one.name, one.title, "" if head is None else line.members(head), *numbers, verdict, reason


def _result(
    appraisal: Appraisal, line: LineUp, running: tuple[Entrant, ...], totals: Reals, numbers: tuple[int, int, int], heading: str
) -> CrossValidation:
    import pandas as pd

    by_name = dict(zip((entrant.name for entrant in running), totals, strict=True))
    rows = [_compared(one, line, by_name, appraisal.level) for one in line.rivals]
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    own = float(by_name[THEORY].sum())
    folds, repeats, seed = numbers
    block = line.theory.sample.blocks[0]
    units = totals.shape[1]
    notes = [
        f"{folds} parts{f', {repeats} times' if repeats > 1 else ''} (seed {seed}); {_units(block, units)} are the units, and stay together. "
        f"The theory predicts with a log-likelihood of {own:.1f}.",
        "diff > 0: the rival predicts better. A difference that is not shown is no evidence that there is none.",
        *line.notes,
        *(f"{row[0]} ({row[1]}): {row[-1]}" for row in rows if row[-1]),
    ]
    table = pd.DataFrame(totals.T, columns=[entrant.label for entrant in running])
    return CrossValidation(frame, own, table, folds, repeats, seed, heading, tuple(notes))


def _units(block: BlockSample, count: int) -> str:
    return f"{count} {'teams' if block.clusters is not None else 'rows'}"


def _compared(one: Contender, line: LineUp, totals: dict[str, Reals], level: float) -> tuple[Any, ...]:
    if one.refusal:
        return _row(one, line, "refused", one.refusal)
    if not one.usable:
        return _row(one, line, "no verdict", "The rival did not converge, or is not identified by these data.")
    mine, theirs = totals[THEORY], totals[line.classes[one.name]]
    if line.classes[one.name] == THEORY:
        return _row(one, line, "equivalent", "", (float(mine.sum()), 0.0, 0.0, 0.0, 0.0))
    gap, se = summed(theirs - mine)
    if not math.isfinite(gap):
        return _row(one, line, "no verdict", "A model could not be fitted to the rows outside of some part.")
    half = float(stdtrit(mine.size - 1, 0.5 + 0.5 * level)) * se
    verdict = "predicts better" if gap - half > _SAME else "predicts worse" if gap + half < -_SAME else "no difference shown"
    return _row(one, line, verdict, "", (float(theirs.sum()), gap, se, gap - half, gap + half))
