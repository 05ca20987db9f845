"""Who does the work: this process, threads, local processes, or the workers of a Dask cluster; all behind ``concurrent.futures.Executor``."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from trustsem.errors import OptionError, StudyError

__all__ = ["Crew", "crew", "one_thread"]

_KINDS = ("processes", "threads", "serial")


class _Here(Executor):
    """Does the work at once, in the calling thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit BLAS to one thread: results do not depend on the number of cores, and processes do not get in each other's way."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


class Crew:
    """Workers that chunks are handed to.

    Attributes
    ----------
    workers : int
        How many chunks are worked on at a time.
    """

    def __init__(self, make: Callable[[], Executor], workers: int, *, own: bool) -> None:
        self.workers = workers
        self._make = make
        self._own = own
        self._executor = make()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Hand over a piece of work."""
        return self._executor.submit(function, *arguments)

    def renew(self) -> bool:
        """Replace workers that died; return whether that is in our hands."""
        if not self._own:
            return False
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._make()
        return True

    def close(self) -> None:
        """Let own workers go."""
        if self._own:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def abandon(self) -> None:
        """Stop own workers in the middle of what they do."""
        if self._own:
            processes = list((getattr(self._executor, "_processes", None) or {}).values())
            self._executor.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()


def died(error: BaseException) -> bool:
    """Return whether `error` says that a worker died, not that the work went wrong."""
    return isinstance(error, BrokenProcessPool) or type(error).__name__ in ("KilledWorker", "CancelledError", "FutureCancelledError")


@contextmanager
def crew(executor: Any) -> Iterator[Crew]:
    """Return the crew that `executor` asks for.

    Parameters
    ----------
    executor : None, str, int, concurrent.futures.Executor, dask.distributed.Client
        None: local processes, one for each core. ``"processes"``, ``"threads"``, ``"serial"``, with a number as in ``"threads:4"``; a number
        alone means processes. A Dask client, or the address of a Dask scheduler such as ``"tcp://10.0.0.1:8786"``.

    Raises
    ------
    OptionError
        If it asks for nothing that exists.
    StudyError
        If a worker process asks for processes.
    """
    made, close = _make(executor)
    try:
        yield made
        made.close()
    except BaseException:
        made.abandon()
        raise
    finally:
        close()


def _make(executor: Any) -> tuple[Crew, Callable[[], None]]:
    if isinstance(executor, Executor):
        workers = getattr(executor, "_max_workers", None) or _cores()
        return Crew(lambda: executor, int(workers), own=False), _nothing
    if callable(getattr(executor, "get_executor", None)):
        return _dask(executor), _nothing
    if isinstance(executor, str) and "://" in executor:
        client = _client(executor)
        return _dask(client), client.close
    kind, _, number = str("processes" if executor is None else executor).partition(":")
    if isinstance(executor, int) and not isinstance(executor, bool):
        kind, number = "processes", str(executor)
    if kind not in _KINDS or (number and not (number.isdigit() and int(number) > 0)):
        raise OptionError(
            f"executor={executor!r} is not possible. Give 'processes', 'threads' or 'serial', a number of processes, an executor of "
            "concurrent.futures, a Dask client or the address of a Dask scheduler."
        )
    workers = int(number) if number else _cores()
    if kind == "serial" or (kind == "processes" and workers == 1):
        return Crew(_Here, 1, own=True), _nothing
    if kind == "processes" and multiprocessing.parent_process() is not None:
        # A script that starts processes is read again by each of them, unless they are forked; without this they would start processes too.
        raise StudyError(
            "run() was called in a worker process. In a script, put the call below `if __name__ == '__main__':`; in a worker, use executor='serial'."
        )
    make = (lambda: ThreadPoolExecutor(workers)) if kind == "threads" else (lambda: _processes(workers))
    return Crew(make, workers, own=True), _nothing


def _nothing() -> None:
    pass


def _processes(workers: int) -> Executor:
    # A forked process starts at once, with everything compiled; but forking is not safe where other threads may hold locks.
    forks = "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if forks else "spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_interrupts_to_the_caller)


def _leave_interrupts_to_the_caller() -> None:
    """Ignore Ctrl-C in a worker: the process that called it ends the run, and workers need not say so too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _dask(client: Any) -> Crew:
    # `pure=False`: Dask shall not take equal arguments for work that is done already.
    return Crew(lambda: client.get_executor(pure=False), max(1, sum(client.nthreads().values())), own=False)


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise OptionError(f"executor={address!r} is the address of a Dask scheduler, and Dask is not installed. Install `trustsem[dask]`.") from None
    try:
        make: Any = Client
        return make(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise OptionError(
            f"executor={address!r}: no Dask scheduler answers there ({error}). Check the address; start one by `dask scheduler`."
        ) from error


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
