"""Running a study: chunks are handed to workers, and what they bring back is stored; one replication can be done again by itself."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from trustsem.errors import OptionError, StudyError
from trustsem.fitting.fit import Fit
from trustsem.options import check_count
from trustsem.simulators import Rows
from trustsem.studies.design import Study
from trustsem.studies.executors import Crew, crew, died, one_thread
from trustsem.studies.layout import layout_of
from trustsem.studies.prepare import PreparedCondition, prepare
from trustsem.studies.progress import progress_bar
from trustsem.studies.result import StudyResult
from trustsem.studies.stopping import StopRule, still_running
from trustsem.studies.store import FolderStore, MemoryStore, Store
from trustsem.studies.task import Chunk, fit_analysis, run_chunk

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Replay", "replay", "run"]

_ATTEMPTS = 3  # how often a chunk is given to new workers after its own died


class _Job(NamedTuple):
    condition: int
    first: int
    last: int


def run(
    study: Study,
    store: str | os.PathLike[str] | None = None,
    *,
    executor: Any = None,
    stop: StopRule | None = None,
    extend: bool = False,
    chunk_size: int = 50,
    progress: bool | None = None,
) -> StudyResult:
    """Run a simulation study, or go on with one that was interrupted.

    Parameters
    ----------
    study : Study
    store : path, optional
        Folder for the results. If it holds a part of them, the rest is done. Without it results are kept in memory.
    executor : str, int, concurrent.futures.Executor or Dask client, optional
        Who does the work: local processes by default, one for each core; ``"serial"``, ``"threads"``, ``"processes:8"``, a number of processes,
        any executor of concurrent.futures, a Dask client, or the address of a Dask scheduler. The results do not depend on it.
    stop : StopRule, optional
        When a condition has had enough replications; `study.replications` is the most that are made.
    extend : bool
        Allow a folder that holds the same study with fewer replications.
    chunk_size : int
        Number of replications that a worker makes at a time, and that are lost if it is interrupted. A folder keeps the size it was made with.
    progress : bool, optional
        Show a progress bar; by default on a terminal and in a notebook.

    Returns
    -------
    StudyResult

    Raises
    ------
    OptionError
        For an executor that does not exist.
    StudyError
        If the folder holds something else, is in use, or cannot be written, or if workers die again and again. What was finished is kept.
    TrustsemError
        If a condition is impossible; nothing has been run then.

    Notes
    -----
    Replications that fail are results with a reason: nothing is drawn again, and nothing stops the study.
    """
    check_count("chunk_size", chunk_size, 1)
    if not isinstance(study, Study):
        raise OptionError(
            f"run() needs a Study, not {type(study).__name__!r}. Build one with `ts.Study(...)`, or read one with `ts.load_study(path)`."
        )
    with ExitStack() as stack:
        stack.enter_context(one_thread())
        prepared = tuple(prepare(study, condition) for condition in study.cells)
        layout = tuple(layout_of(condition) for condition in prepared)
        place: Store
        if store is None:
            place = MemoryStore(layout, chunk_size)
        else:
            place = FolderStore.open(store, study, layout, chunk_size, extend=extend)
            stack.enter_context(place.locked())
        result = StudyResult(study, layout, place)
        rounds = _rounds(study, prepared, result, stop)
        jobs = next(rounds, None)
        if jobs is not None:
            total = study.replications * len(prepared)
            done = total - sum(job.last - job.first for job in jobs) if stop is None else 0
            bar = stack.enter_context(progress_bar(total, progress, study.name, done))
            workers = stack.enter_context(crew(executor))
            while jobs is not None:
                _work(workers, prepared, jobs, place, bar)
                jobs = next(rounds, None)
    return result


def _rounds(study: Study, prepared: Sequence[PreparedCondition], result: StudyResult, stop: StopRule | None) -> Iterator[list[_Job]]:
    """Yield what is to be done, round by round: everything at once, or by steps after each of which the stop rule is asked."""
    size = result.store.chunk_size
    if stop is None:
        jobs = _missing(study, range(len(prepared)), study.replications, result.store, size)
        if jobs:
            yield jobs
        return
    upto = 0
    running = list(range(len(prepared)))
    while running and upto < study.replications:
        upto = min(upto + stop.every, study.replications)
        jobs = _missing(study, running, upto, result.store, size)
        if jobs:
            yield jobs
        running = still_running(stop, result, running, upto)


def _missing(study: Study, conditions: Sequence[int], upto: int, store: Store, size: int) -> list[_Job]:
    """Return the chunks of `conditions` that are not there yet, up to replication `upto`."""
    done = store.done()
    jobs = []
    for condition in conditions:
        there = sorted(done[condition])
        at = 0
        for first, last in [*there, (upto, upto)]:
            while at < min(first, upto):
                end = min((at // size + 1) * size, first, upto)
                jobs.append(_Job(condition, at, end))
                at = end
            at = max(at, last)
    return jobs


def pinned_chunk(prepared: PreparedCondition, first: int, last: int) -> Chunk:
    """Return some replications of a condition, with BLAS limited to one thread."""
    with one_thread():
        return run_chunk(prepared, first, last)


def _work(workers: Crew, prepared: Sequence[PreparedCondition], jobs: Sequence[_Job], store: Store, bar: Any) -> None:
    """Have `jobs` done and stored. A few more than there are workers are under way at a time, so that memory does not grow with their number."""
    waiting = deque((job, 0) for job in jobs)
    running: dict[Future[Chunk], tuple[_Job, int]] = {}
    try:
        while waiting or running:
            _hand_out(workers, prepared, waiting, running)
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                job, attempt = running.pop(future)
                error = future.exception()
                if error is None:
                    store.add(future.result())
                    bar.update(job.last - job.first)
                elif died(error):
                    waiting.append((job, _again(job, attempt, error)))
                    for other, (lost, tries) in list(running.items()):
                        other.cancel()
                        waiting.append((lost, tries))
                    running.clear()
                    _renew(workers, error)
                    break
                else:
                    future.result()  # raises it
    finally:
        for future in running:
            future.cancel()


def _hand_out(
    workers: Crew, prepared: Sequence[PreparedCondition], waiting: deque[tuple[_Job, int]], running: dict[Future[Chunk], tuple[_Job, int]]
) -> None:
    """Give workers what they can hold."""
    while waiting and len(running) < 2 * workers.workers:
        job, attempt = waiting.popleft()
        try:
            running[workers.submit(pinned_chunk, prepared[job.condition], job.first, job.last)] = (job, attempt)
        except BrokenExecutor as error:  # a worker died before this was handed over; what is under way will say so too
            waiting.append((job, _again(job, attempt, error)))
            if running:
                return
            _renew(workers, error)


def _renew(workers: Crew, error: BaseException) -> None:
    if not workers.renew():
        raise StudyError(f"The workers of executor= died ({error}). Start new ones and run the study again: it goes on where it stopped.")


def _again(job: _Job, attempt: int, error: BaseException) -> int:
    if attempt + 1 >= _ATTEMPTS:
        raise StudyError(
            f"A worker died {_ATTEMPTS} times in replications {job.first} to {job.last - 1} of condition {job.condition + 1} ({error}). What was "
            "finished is kept. Look for a lack of memory, and use fewer processes: executor=1."
        )
    return attempt + 1


@dataclass(frozen=True, eq=False)
class Replay:
    """One replication, done again.

    Attributes
    ----------
    key : str
    rows : Rows
        The data.
    prepared : PreparedCondition
    """

    key: str
    rows: Rows
    prepared: PreparedCondition

    @property
    def data(self) -> pd.DataFrame:
        """The data as a data frame."""
        return self.rows.frame()

    def fit(self, analysis: str | None = None) -> Fit:
        """Fit one of the analyses (the first by default); what went wrong in the study is raised here.

        Raises
        ------
        OptionError
            If there is no such analysis.
        """
        names = [one.name for one in self.prepared.analyses]
        if analysis is not None and analysis not in names:
            raise OptionError(f"There is no analysis {analysis!r}. There are {', '.join(names)}.")
        return fit_analysis(self.prepared.analyses[0 if analysis is None else names.index(analysis)], self.rows)


def replay(result: StudyResult | Study, key: str | tuple[int, int]) -> Replay:
    """Do one replication of a study again, by itself.

    Parameters
    ----------
    result : StudyResult or Study
    key : str or (int, int)
        As in the column ``key`` of the results, such as ``"3f2a90c41b7e-17"``; or number of the condition (from 0) and of the replication.

    Returns
    -------
    Replay
        The same data as in the study, and the fits to them on request.

    Raises
    ------
    OptionError
        If the study has no such replication.
    """
    study = result.study if isinstance(result, StudyResult) else result
    condition, replication = _find(study, key)
    with one_thread():
        prepared = prepare(study, study.cells[condition])
        rows = prepared.sampler.rows(prepared.n, prepared.stream(replication))
    return Replay(f"{study.cells[condition].key}-{replication}", rows, prepared)


def _find(study: Study, key: str | tuple[int, int]) -> tuple[int, int]:
    keys = [cell.key for cell in study.cells]
    if isinstance(key, str):
        name, _, number = key.rpartition("-")
        if name in keys and number.isdigit():
            return keys.index(name), int(number)
    elif isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, int) for part in key) and 0 <= key[0] < len(keys) and key[1] >= 0:
        return key
    raise OptionError(
        f"key={key!r} is no replication of this study. Take one from the column 'key' of its results, or give (condition, replication)."
    )
