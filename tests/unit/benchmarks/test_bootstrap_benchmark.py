"""The benchmark of the bootstrap runs on a small model. Nothing here judges a time."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def test_bootstrap_without_r(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    path = tmp_path / "model.txt"
    path.write_text("visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6", encoding="utf-8")
    data = ROOT / "tests" / "reference" / "data" / "HolzingerSwineford1939.csv"
    result = importlib.import_module("benchmarks.bootstrap").run(None, model=path, data=data, draws=50, rounds=2)
    assert "## Bootstrap: 50 draws of 301 rows" in result.lines
    assert "\n".join(result.lines).count("not available") == 2
    assert set(result.numbers) == {"trustsem draws", "trustsem all"}
    assert result.numbers["trustsem all"]["runs"] == 2
