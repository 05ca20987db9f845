"""What the first call of a process costs: with an empty cache of compiled kernels, and with a full one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.fit import DATA, THEORY, Result
from benchmarks.tables import goal, table
from benchmarks.timing import spread

ROOT = Path(__file__).parents[1]
CHILD = """
import json, sys, time
begin = time.perf_counter()
import numpy, pandas
after_pandas = time.perf_counter()
import trustsem as ts
after_import = time.perf_counter()
text, frame = open(sys.argv[1], encoding="utf-8").read(), pandas.read_csv(sys.argv[2])
before_fit = time.perf_counter()
fit = ts.sem(text, frame)
after_fit = time.perf_counter()
fit.parameter_estimates()
fit.fit_measures()
after_tables = time.perf_counter()
sys.path.insert(0, sys.argv[3])
from benchmarks.machine import peak_memory
print(json.dumps({
    "numpy and pandas": after_pandas - begin,
    "trustsem": after_import - after_pandas,
    "first sem()": after_fit - before_fit,
    "first tables": after_tables - after_fit,
    "memory": peak_memory(),
}))
"""


def fresh_process(cache: str, model: Path = THEORY, data: Path = DATA) -> dict[str, float]:
    """Fit in a new process whose kernels are cached in `cache`; return seconds of each stage, and the whole."""
    import trustsem

    source = str(Path(trustsem.__file__).parents[1])
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])}
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(model), str(data), str(ROOT)], env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found | {"whole process": time.perf_counter() - begin}


def run(*, cold_runs: int = 3, warm_runs: int = 9) -> Result:
    """Measure and print the stages."""
    cold = []
    for _ in range(cold_runs):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(fresh_process(folder))
    with tempfile.TemporaryDirectory() as folder:
        fresh_process(folder)
        warm = [fresh_process(folder) for _ in range(warm_runs)]
    stages = [name for name in cold[0] if name != "memory"]
    medians = [{name: spread([one[name] for one in runs]) for name in (*stages, "memory")} for runs in (cold, warm)]
    counted = ("numpy and pandas", "trustsem", "first sem()")
    totals = [spread([sum(one[name] for name in counted) for one in runs]) for runs in (cold, warm)]
    rows: list[list[Any]] = [[name, medians[0][name], medians[1][name]] for name in stages]
    rows.append(["imports and first sem()", totals[0], totals[1]])
    rows.append(["goal for that", f"15 s: {goal(totals[0].median < 15.0)}", f"1.5 s: {goal(totals[1].median < 1.5)}"])
    rows.append(["peak memory", *(f"{one['memory'].median:.0f} MB" for one in medians)])
    header = ["stage", f"empty cache ({cold_runs} runs)", f"full cache ({warm_runs} runs)"]
    numbers = {kind: _plain(one) for kind, one in zip(("cold", "warm"), medians, strict=True)}
    return Result(["## First call in a new process", "", *table(header, rows)], numbers)


def _plain(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value._asdict() for name, value in one.items()}
