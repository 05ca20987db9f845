"""How often each model would be chosen, if the sample had been another: the bootstrap of a choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.repeating import repeat
from trustsem.appraisal.rivals.contenders import LineUp, RivalsOption, line_up, no_likelihood
from trustsem.appraisal.rivals.entrants import Criteria, Entrant, best, criteria, entrants, left_out, title_of
from trustsem.appraisal.told import Told
from trustsem.appraisal.withholding import require_appraisal
from trustsem.data.resampling import Resampler, draw_counts, resample, resampler
from trustsem.errors import DataError
from trustsem.inference.model_choice import proportion_error
from trustsem.options import check_count

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["SelectionFrequency", "selection_frequency"]

_COLUMNS = ("class", "title", "bic_share", "bic_mc_error", "aic_share", "aic_mc_error", "failed")


@dataclass(frozen=True, eq=False, repr=False)
class SelectionFrequency(Told):
    """How often each class of models that imply the same has the lowest BIC, and the lowest AIC, over resamples; prints itself.

    Attributes
    ----------
    frame : DataFrame
        One row per class, the theory's first: ``class title bic_share bic_mc_error aic_share aic_mc_error failed`` (the last is the share of draws in
        which it could not be fitted, and so not be chosen).
    draws, used, seed : int
        Resamples, and those in which some model could be fitted.
    heading : str
    notes : tuple of str
    """

    frame: pd.DataFrame
    draws: int
    used: int
    seed: int
    heading: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return heading, rows, notes, seed and numbers of draws as JSON knows them."""
        return {**super().to_dict(), "draws": self.draws, "used": self.used, "seed": self.seed}


def selection_frequency(
    appraisal: Appraisal, draws: int = 200, *, seed: int, rivals: RivalsOption = None, executor: Any = None, progress: bool | None = None
) -> SelectionFrequency:
    """Resample the data and count how often each model has the lowest BIC, and the lowest AIC.

    Parameters
    ----------
    appraisal : Appraisal
    draws : int
        Number of resamples: of teams if there are teams, else of rows.
    seed : int
        Equal seeds give equal results, whatever the executor.
    rivals : optional
        As for :func:`trustsem.tournament`.
    executor, progress : optional
        As for :func:`trustsem.run`.

    Returns
    -------
    SelectionFrequency
        Empty, with the reason, if the appraisal has no verdicts, the estimator no likelihood, or the data no rows.

    Raises
    ------
    OptionError
        For numbers that are none, an executor that does not exist, or impossible rivals.

    Notes
    -----
    Lubke et al. (2017, doi 10.1080/10705511.2016.1252265). A resample holds rows more than once, as if there were fewer of them with more noise in
    common: models with more parameters are chosen somewhat too often. The shares say how stable the choice is, not how probable a model is.
    """
    require_appraisal("selection_frequency", appraisal)
    check_count("draws", draws, 1)
    check_count("seed", seed, 0)
    line = line_up(appraisal, rivals)
    heading = f"{appraisal.theory.title}: which model is chosen in resamples"
    why = appraisal.withheld or no_likelihood(line.theory)
    if not why and line.theory.sample.blocks[0].rows is None:
        why = "summary statistics cannot be resampled. Appraise with data=."
    if why:
        return _result(line, (), [], (draws, seed), heading, (f"No figures: {why}",), "")
    sample = line.theory.sample
    clusters = sample.blocks[0].clusters is not None
    source, running = resampler(sample, clusters=clusters), entrants(line)
    found = repeat(partial(_draws, source, running, seed), range(draws), executor=executor, progress=progress, title="resamples")
    units = "teams" if clusters else "rows"
    notes = (
        f"{draws} resamples of {source.sizes[0]} {units} (seed {seed}). The shares say how stable the choice is, not how probable a model is; "
        "models with more parameters are chosen somewhat too often.",
        *left_out(line),
        *line.notes,
    )
    return _result(line, running, found, (draws, seed), heading, notes, appraisal.theory.title)


def _draws(source: Resampler, running: tuple[Entrant, ...], seed: int, numbers: Sequence[int]) -> list[list[Criteria]]:
    """Return AIC and BIC of every entrant for each of some draws, which have streams of random numbers of their own."""
    found = []
    for number in numbers:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        try:
            sample = resample(source, draw_counts(source, rng))
        except DataError:
            found.append([criteria(None)] * len(running))
            continue
        found.append([criteria(entrant.fit(sample)) for entrant in running])
    return found


def _result(
    line: LineUp,
    running: tuple[Entrant, ...],
    found: list[list[Criteria]],
    numbers: tuple[int, int],
    heading: str,
    notes: tuple[str, ...],
    own: str,
) -> SelectionFrequency:
    import pandas as pd

    draws, seed = numbers
    values = np.array(found, dtype=float).reshape(len(found), len(running), 2)
    known = np.isfinite(values[:, :, 1])
    used = int(known.any(axis=1).sum())
    winners = [np.array([best(row) for row in values[:, :, k]], dtype=np.int64) for k in (1, 0)]
    rows = []
    for k, entrant in enumerate(running):
        shares = [float((each == k).sum()) / used if used else float("nan") for each in winners]
        cells = [number for share in shares for number in (share, proportion_error(share, used))]
        rows.append((entrant.label, title_of(line, entrant.name, own), *cells, float(1.0 - known[:, k].mean())))
    return SelectionFrequency(pd.DataFrame(rows, columns=list(_COLUMNS)), draws, used, seed, heading, notes)
