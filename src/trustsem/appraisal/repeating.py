"""The same work done many times, on several cores, with a bar that says how long it will take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from trustsem.studies.executors import crew, one_thread
from trustsem.studies.progress import progress_bar

__all__ = ["repeat"]

Item = TypeVar("Item")
Result = TypeVar("Result")
_PIECES = 8  # per worker: few enough to be cheap, many enough for a bar that moves


def repeat(
    work: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item], *, executor: Any = None, progress: bool | None = None, title: str = ""
) -> list[Result]:
    """Return the results of `work` on all items, in order.

    Parameters
    ----------
    work : callable
        Takes some of the items and returns a result for each; it and they can be pickled. Whatever is random comes from the item, so that the
        results do not depend on who does the work.
    items : sequence
    executor : optional
        As for :func:`trustsem.run`: None for one process for each core, a number of processes, ``"serial"``, ``"threads"``, or an executor.
    progress : bool, optional
        Show a bar; by default where a person is watching.
    title : str
        Of the bar.

    Raises
    ------
    OptionError
        For an executor that does not exist.
    """
    if not items:
        return []
    with progress_bar(len(items), progress, title) as bar, crew(executor) as workers:
        size = max(1, -(-len(items) // (_PIECES * workers.workers)))
        pieces = [items[first : first + size] for first in range(0, len(items), size)]
        results: list[Result] = []
        waiting = [workers.submit(_alone, work, piece) for piece in pieces]
        for piece, future in zip(pieces, waiting, strict=True):
            results += future.result()
            bar.update(len(piece))
    return results


def _alone(work: Callable[[Sequence[Item]], list[Result]], piece: Sequence[Item]) -> list[Result]:
    """Do the work with one BLAS thread, so that workers do not get in each other's way."""
    with one_thread():
        return work(piece)
