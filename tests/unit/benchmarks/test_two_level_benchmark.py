"""The benchmark of two levels runs. Nothing here judges a time."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def test_two_levels_without_r(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    benchmark = importlib.import_module("benchmarks.two_level")
    size = benchmark.teams(1).groupby("team").size()
    assert (size.sum(), len(size)) == (2500, 200)
    assert size.nunique() > 15
    result = benchmark.run(None, rounds=1)
    assert "## Two levels" in result.lines
    assert set(result.numbers) == {"complete", "missing"}
