"""From 10 to 300 indicators and from a thousand to a million rows, each cell in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import trustsem as ts
from benchmarks.fit import Result
from benchmarks.lavaan import MISSING, Lavaan
from benchmarks.machine import peak_memory
from benchmarks.tables import table
from benchmarks.timing import seconds
from trustsem.data.frames import sample_from_frame

INDICATORS = (10, 30, 100, 300)
ROWS = (1_000, 100_000, 1_000_000)
LARGEST = 8e9  # bytes
COPIES = 2.2  # the frame and the sample's own rows, and what is in between
LAVAAN_UP_TO = 100  # indicators, at the fewest rows


def model_text(p: int) -> str:
    """Return a confirmatory factor model of correlated factors with five indicators each."""
    return "\n".join(f"f{k} =~ " + " + ".join(f"x{5 * k + j}" for j in range(5)) for k in range(p // 5))


def simulated(p: int, n: int) -> pd.DataFrame:
    """Return rows of that model: loadings .7, factor correlations .3, standardized; filled in chunks to save memory."""
    rng = np.random.default_rng(p)
    rows = np.empty((n, p))
    for first in range(0, n, 10_000):
        last = min(first + 10_000, n)
        general = rng.standard_normal((last - first, 1))
        factors = np.sqrt(0.3) * general + np.sqrt(0.7) * rng.standard_normal((last - first, p // 5))
        rows[first:last] = 0.7 * np.repeat(factors, 5, axis=1) + np.sqrt(0.51) * rng.standard_normal((last - first, p))
    return pd.DataFrame(rows, columns=[f"x{k}" for k in range(p)])


def measure(p: int, n: int) -> dict[str, Any]:
    """Time the stages of one fit (kernels compiled before), and the peak memory."""
    small = simulated(10, 100)
    warm = ts.compile(model_text(10)).fit(small)
    _ = warm.theta_vcov, warm.fit_measures()
    before = peak_memory()
    frame = simulated(p, n)
    stages: dict[str, Any] = {}

    def stage(name: str, begin: float) -> float:
        now = time.perf_counter()
        stages[name] = now - begin
        return now

    clock = time.perf_counter()
    fitter = ts.compile(model_text(p))
    clock = stage("compile", clock)
    sample = sample_from_frame(frame, fitter.observed)
    clock = stage("sample", clock)
    fit = fitter.fit(sample)
    clock = stage("fit", clock)
    _ = fit.theta_vcov
    clock = stage("errors", clock)
    fit.fit_measures()
    stage("measures", clock)
    sizes = {"parameters": fit.npar, "iterations": fit.estimate.iterations, "converged": fit.converged}
    return {**stages, **sizes, "before": before, "memory": peak_memory()}


def in_own_process(p: int, n: int) -> dict[str, Any]:
    """Return :func:`measure` of a new process."""
    done = subprocess.run([sys.executable, "-m", "benchmarks", "cell", str(p), str(n)], capture_output=True, text=True, check=True, env=os.environ)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(lavaan: Lavaan | None, *, indicators: tuple[int, ...] = INDICATORS, rows: tuple[int, ...] = ROWS) -> Result:
    """Measure and print the table."""
    result = Result(["## Larger models and samples", ""])
    lines, skipped = [], []
    for p in indicators:
        for n in rows:
            need = COPIES * 8.0 * p * n
            if need > LARGEST:
                skipped.append(f"{p} indicators with {n:,} rows skipped: about {need / 1e9:.0f} GB, more than {LARGEST / 1e9:.0f} GB.")
                continue
            cell = in_own_process(p, n)
            theirs = ""
            if n == min(rows) and p <= LAVAAN_UP_TO:
                cell["lavaan"] = None if lavaan is None else _lavaan_seconds(lavaan, p, n)
                theirs = MISSING if cell["lavaan"] is None else seconds(cell["lavaan"])
            result.numbers[f"{p} x {n}"] = cell
            stages = [seconds(cell[name]) for name in ("compile", "sample", "fit", "errors", "measures")]
            mark = "" if cell["converged"] else " (not converged)"
            lines.append([p, f"{n:,}", cell["parameters"], *stages, f"{cell['iterations']}{mark}", f"{cell['memory']:.0f} MB", theirs])
    header = ["indicators", "rows", "parameters", "compile", "sample", "fit", "errors", "fit measures", "iterations", "peak memory", "lavaan, all"]
    result.lines += [*table(header, lines), *([""] if skipped else []), *skipped]
    return result


def _lavaan_seconds(lavaan: Lavaan, p: int, n: int) -> float:
    """Return the median time of lavaan's fit, estimates and fit measures on the same rows."""
    with tempfile.TemporaryDirectory() as folder:
        model, data = Path(folder) / "model.txt", Path(folder) / "data.csv"
        model.write_text(model_text(p), encoding="utf-8")
        simulated(p, n).to_csv(data, index=False)
        lavaan.read(model, data)
        return float(np.median(lavaan.job("all")(3 if p < LAVAAN_UP_TO else 1)))
