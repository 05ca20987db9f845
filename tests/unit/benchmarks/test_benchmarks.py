"""The benchmarks run on a small model. Nothing here judges a time."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module", autouse=True)
def _importable() -> None:
    sys.path.insert(0, str(ROOT))


def module(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.{name}")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "model.txt"
    path.write_text("visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6", encoding="utf-8")
    return path


def test_fit_without_r(small: Path) -> None:
    data = ROOT / "tests" / "reference" / "data" / "HolzingerSwineford1939.csv"
    result = module("fit").run(None, model=small, data=data, rounds=2)
    text = "\n".join(result.lines)
    assert "6 indicators, 13 parameters, 301 rows" in text
    assert text.count("not available") == 7  # six ratios and R's memory
    assert set(result.numbers) >= {"trustsem all", "trustsem moments", "semopy all", "semopy all / trustsem all", "memory_mb"}
    assert "lavaan sem" not in result.numbers
    assert result.numbers["trustsem sem"]["runs"] == 10


def test_scale_skips_what_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    scale = module("scale")
    monkeypatch.setattr(scale, "in_own_process", scale.measure)
    monkeypatch.setattr(scale, "LARGEST", 1e6)
    result = scale.run(None, indicators=(10,), rows=(200, 1_000_000))
    assert list(result.numbers) == ["10 x 200"]
    assert result.numbers["10 x 200"]["parameters"] == 21
    assert result.numbers["10 x 200"]["converged"]
    assert "not available" in result.lines[4]
    assert re.search(r"10 indicators with 1,000,000 rows skipped: about .* GB", result.lines[-1])


def test_turns_and_ratios() -> None:
    timing = module("timing")
    calls: list[str] = []

    def player(name: str, seconds: float) -> object:
        def run(repetitions: int) -> list[float]:
            calls.append(name)
            return [seconds] * repetitions

        return run

    times = timing.take_turns({"a": player("a", 1.0), "b": player("b", 4.0)}, rounds=3, repetitions={"a": 2})
    assert calls == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert {name: len(values) for name, values in times.items()} == {"a": 6, "b": 3}
    assert timing.ratio(times["b"], times["a"]).median == 4.0
    assert timing.seconds(0.00123456) == "1.23 ms"
    assert timing.seconds(12.3456) == "12.35 s"


def test_pinning_needs_to_come_first() -> None:
    with pytest.raises(RuntimeError, match="before numpy"):
        module("machine").pin()


def test_machine_is_described_without_its_name() -> None:
    code = "from benchmarks.machine import describe, pin; print(*describe(pin()), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    import platform

    assert "one BLAS thread" in done.stdout
    assert "numpy" in done.stdout
    assert len(platform.node()) < 3 or platform.node() not in done.stdout
