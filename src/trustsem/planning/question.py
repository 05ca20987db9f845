"""What is asked of every replication: that claims are significant, that intervals are narrow, or that the right model wins."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals
from trustsem.planning.claims import Claims
from trustsem.planning.curve import Tally
from trustsem.planning.setting import Setting
from trustsem.studies.chunks import Outcomes
from trustsem.studies.executors import Crew, crew
from trustsem.studies.result import StudyResult
from trustsem.studies.run import run

__all__ = ["ADJUSTMENTS", "GOALS", "Question", "batch_seed", "places_of", "significant", "simulate_levels", "tally", "workers"]

GOALS = ("power", "ci_width", "model_choice")
ADJUSTMENTS = ("none", "holm")


@dataclass(frozen=True)
class Question:
    """What is asked of every replication.

    Attributes
    ----------
    goal : {"power", "ci_width", "model_choice"}
    claims : Claims or None
        None for the choice between models.
    family : tuple of str
        Names of all parameters that p-values are adjusted for.
    alpha : float
        Level of tests; intervals are at 1 - alpha.
    adjust : {"none", "holm"}
    """

    goal: str
    claims: Claims | None
    family: tuple[str, ...]
    alpha: float
    adjust: str


def significant(found: Outcomes, known: Sequence[str], claims: Claims, alpha: float, adjust: str = "none", family: Sequence[str] = ()) -> np.ndarray:
    """Return which claims (R, C) are significant, in the direction of their true value, in each replication; those that failed have none.

    Parameters are looked up by name among those of the analysis, `known`: with the number of waves, for instance, their places change. With
    ``adjust="holm"`` p-values are adjusted within `family` (Holm 1979, Scand J Stat 6:65-70).
    """
    places = places_of(claims.parameters, known)
    with np.errstate(all="ignore"):
        if adjust == "none":
            hits = np.abs(found.est[:, places] / found.se[:, places]) > float(ndtri(1.0 - alpha / 2.0))
        else:
            members = places_of(family, known)
            hits = _holm(2.0 * ndtr(-np.abs(found.est[:, members] / found.se[:, members])))[:, [members.index(place) for place in places]] < alpha
        usable = found.converged[:, None] & np.isfinite(found.se[:, places]) & (found.se[:, places] > 0.0)
        return np.asarray(hits & usable & (np.sign(found.est[:, places]) == np.sign(claims.truth)))


def places_of(names: Sequence[str], known: Sequence[str]) -> list[int]:
    """Return where parameters stand among those of an analysis."""
    place = {name: at for at, name in enumerate(known)}
    return [place[name] for name in names]


def _holm(pvalues: Reals) -> Reals:
    """Return Holm-adjusted p-values within each row; a test that does not exist counts as not significant."""
    filled = np.where(np.isfinite(pvalues), pvalues, 1.0)
    order = np.argsort(filled, axis=1, kind="stable")
    stepped = np.maximum.accumulate(np.take_along_axis(filled, order, axis=1) * np.arange(filled.shape[1], 0, -1), axis=1)
    adjusted = np.empty_like(filled)
    np.put_along_axis(adjusted, order, np.minimum(stepped, 1.0), axis=1)
    return adjusted


def tally(question: Question, level: float, result: StudyResult, condition: int) -> Tally:
    """Return what the replications of one condition gave. Whatever failed is no success."""
    found, known = result.outcomes(condition, 0), result.layout[condition].analyses[0].parameters
    mean = variance = math.nan
    converged, admissible = found.converged, found.converged & found.admissible
    if question.goal == "model_choice":
        other = result.outcomes(condition, 1)
        at = [layout.measures.index("bic") for layout in result.layout[condition].analyses]
        converged, admissible = converged & other.converged, admissible & other.admissible
        hits = converged & (found.measures[:, at[0]] < other.measures[:, at[1]])
    elif question.goal == "power":
        assert question.claims is not None
        hits = significant(found, known, question.claims, question.alpha, question.adjust, question.family).all(axis=1)
    else:
        assert question.claims is not None
        widths = 2.0 * float(ndtri(1.0 - question.alpha / 2.0)) * found.se[converged][:, places_of(question.claims.parameters, known)]
        widths = widths[np.all(np.isfinite(widths) & (widths > 0.0), axis=1)]
        hits = converged
        if len(widths) > 1:
            worst = int(np.argmax(widths.mean(axis=0)))  # every claim is to be known as well as that
            mean, variance = float(widths[:, worst].mean()), float(widths[:, worst].var(ddof=1) / len(widths))
    return Tally(level, len(found), int(hits.sum()), int(converged.sum()), int(admissible.sum()), mean, variance)


class _Lent(Executor):
    """Workers that are kept between studies: starting them anew for every batch would take longer than the batch."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._max_workers = crew.workers

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand over a piece of work."""
        return self._crew.submit(partial(fn, **kwargs), *args)


@contextmanager
def workers(executor: Any) -> Iterator[Executor]:
    """Return workers for several studies."""
    with crew(executor) as members:
        yield _Lent(members)


def batch_seed(seed: int, batch: int) -> int:
    """Return the seed of a batch: no two batches draw the same data, also where they are at the same level."""
    return int(np.random.SeedSequence(seed, spawn_key=(batch,)).generate_state(1)[0])


def simulate_levels(
    setting: Setting, question: Question, levels: Sequence[float], replications: int, batch: int, executor: Any, progress: bool | None
) -> list[Tally]:
    """Return what `replications` at each of `levels` give."""
    study = setting.study([setting.cell(level) for level in levels], replications, batch_seed(setting.base.seed, batch))
    result = run(study, executor=executor, chunk_size=25, progress=progress)
    return [tally(question, level, result, condition) for condition, level in enumerate(levels)]


def chosen_goal(goal: Any, adjust: Any, options: Mapping[str, Any]) -> None:
    """Refuse options that do not go together with the goal.

    Raises
    ------
    OptionError
    """
    if goal == "ci_width" and options["target"] is None:
        raise OptionError("goal='ci_width' needs target=: the average width of the intervals that is wanted, such as target=0.2.")
    if goal != "ci_width" and options["target"] is not None:
        raise OptionError(f"target={options['target']!r} is the width of intervals and belongs to goal='ci_width'. Give power= instead.")
    if goal == "model_choice" and options["rival"] is None:
        raise OptionError("goal='model_choice' needs rival=: the other model, as model text or a Theory.")
    if goal != "model_choice" and options["rival"] is not None:
        raise OptionError(f"rival= belongs to goal='model_choice', and goal={goal!r}. Leave rival= out.")
    if goal == "model_choice" and options["proposition"] is not None:
        raise OptionError("proposition= is not used with goal='model_choice', which is about whole models. Leave proposition= out.")
    if goal != "power" and adjust != "none":
        raise OptionError(f"adjust={adjust!r} is about p-values and belongs to goal='power'. Leave adjust= out.")
