"""A bar that says how far a run is, how fast it goes and how long it will take."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(total: int, show: bool | None, title: str) -> Iterator[Any]:
    """Show progress over `total` replications on standard error; by default only where a person is watching."""
    from tqdm.std import tqdm

    shown = _watched() if show is None else show
    with tqdm(total=total, desc=title, unit=" replications", disable=not shown, smoothing=0.1, dynamic_ncols=True) as bar:
        yield bar


def _watched() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules
