"""Medians with spread, of contestants that take turns so that drift of the machine cancels."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

Run = Callable[[int], list[float]]  # number of repetitions -> seconds of each


class Spread(NamedTuple):
    """Median and quartiles of a measurement, in seconds."""

    median: float
    lower: float
    upper: float
    runs: int

    def __str__(self) -> str:
        return f"{seconds(self.median)} ({seconds(self.lower)} to {seconds(self.upper)})"


def spread(values: Sequence[float]) -> Spread:
    lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75])
    return Spread(float(median), float(lower), float(upper), len(values))


def seconds(value: float) -> str:
    """Return a time with its unit."""
    return f"{value:.2f} s" if value >= 1.0 else f"{1e3 * value:.3g} ms"


def timed(call: Callable[[], object]) -> Run:
    """Return a contestant that times `call`, each repetition by itself."""

    def run(repetitions: int) -> list[float]:
        found = []
        for _ in range(repetitions):
            begin = time.perf_counter()
            call()
            found.append(time.perf_counter() - begin)
        return found

    return run


def take_turns(contestants: Mapping[str, Run], rounds: int, repetitions: Mapping[str, int]) -> dict[str, list[float]]:
    """Let every contestant run its repetitions in every round, after one that does not count; return all their times."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for run in contestants.values():
        run(1)
    for turn in range(rounds):
        order = list(contestants) if turn % 2 == 0 else list(contestants)[::-1]
        for name in order:
            times[name] += contestants[name](repetitions.get(name, 1))
    return times


def ratio(slow: Sequence[float], fast: Sequence[float]) -> Spread:
    """Return by how much `fast` is faster: medians of one over medians of the other, round by round."""
    rounds = min(len(slow), len(fast))
    blocks = [np.median(part) for part in np.array_split(slow, rounds)], [np.median(part) for part in np.array_split(fast, rounds)]
    return spread([float(a / b) for a, b in zip(*blocks, strict=True)])
