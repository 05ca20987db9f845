"""A bar that says how far a run is, how fast it goes and how long it will take."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["progress_bar"]


class _Silent:
    """A bar that nobody sees."""

    def update(self, count: int) -> None:
        """Do nothing."""


@contextmanager
def progress_bar(total: int, show: bool | None, title: str, done: int = 0) -> Iterator[Any]:
    """Show progress over `total` replications, of which `done` are there, on standard error; by default only where a person is watching."""
    if not (_watched() if show is None else show):
        yield _Silent()
        return
    from tqdm.std import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # no thread of its own: processes can then be forked

    with Bar(total=total, initial=done, desc=title, unit=" replications", smoothing=0.1, dynamic_ncols=True) as bar:
        yield bar


def _watched() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules
