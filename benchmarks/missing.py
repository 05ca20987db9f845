"""Full information maximum likelihood of the full theory with missing values: speed against lavaan, and memory with many patterns."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import trustsem as ts
from benchmarks.fit import DATA, THEORY, Result
from benchmarks.lavaan import MISSING, Lavaan
from benchmarks.tables import goal, table
from benchmarks.timing import Run, ratio, seconds, spread, take_turns, timed

SHARE = 0.08  # of the cells are missing at random
GOALS = {"ML": (40.0, 100.0), "MLR": (80.0, 80.0)}
ROWS, PATTERNS, VARIABLES, LIMIT = 100_000, 1_000, 20, 2048.0


def holes(data: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """Return `data` with a share of the cells missing, more of them in rows with a high first variable, which is always observed."""
    rng = np.random.default_rng(seed)
    first = data.iloc[:, 0].rank(pct=True).to_numpy()[:, None]
    chance = np.broadcast_to(2.0 * share * first * data.shape[1] / (data.shape[1] - 1), data.shape).copy()
    chance[:, 0] = 0.0
    return data.mask(rng.random(data.shape) < chance)


def everything(model: str, data: pd.DataFrame, estimator: str) -> None:
    """Fit, with standard errors, tests and all fit measures (the corrected ones included)."""
    fit = ts.sem(model, data, missing="fiml", estimator=estimator)
    assert fit.converged
    fit.parameter_estimates()
    fit.fit_measures()


def run(lavaan: Lavaan | None, *, model: Path = THEORY, data: Path = DATA, rounds: int = 3, memory: bool = True) -> Result:
    """Measure and print ratios."""
    text, frame = model.read_text(encoding="utf-8"), holes(pd.read_csv(data), SHARE, 1)
    result = Result(lines=["## Missing values", ""])
    with tempfile.TemporaryDirectory() as folder:
        incomplete = Path(folder) / "incomplete.csv"
        frame.to_csv(incomplete, index=False)
        players: dict[str, Run] = {f"trustsem {name}": timed(lambda name=name: everything(text, frame, name)) for name in GOALS}  # type: ignore[misc]
        if lavaan is not None:
            lavaan.read(model, incomplete)
            players |= {f"lavaan {name}": lavaan.job(f"fiml_{name}") for name in GOALS}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            times = take_turns(players, rounds, {f"trustsem {name}": 3 for name in GOALS})
    result.numbers = {name: spread(values)._asdict() for name, values in times.items()}
    result.lines += [
        f"Full theory, {len(frame)} rows, {100 * float(frame.isna().to_numpy().mean()):.1f} % of the cells missing at random. "
        "One call each: estimates, standard errors, tests and all fit measures.",
        "",
    ]
    rows = []
    for name, (least, aim) in GOALS.items():
        ours = times[f"trustsem {name}"]
        if f"lavaan {name}" not in times:
            rows.append([f"{name}, FIML", seconds(spread(ours).median), MISSING, "", "", ""])
            continue
        theirs = times[f"lavaan {name}"]
        found = ratio(theirs, ours)
        result.numbers[f"lavaan {name} / trustsem {name}"] = found._asdict()
        shown = f"{found.median:.0f} times ({found.lower:.0f} to {found.upper:.0f})"
        wanted = f"{least:.0f}" if aim == least else f"{least:.0f}, aim {aim:.0f}"
        rows.append([f"{name}, FIML", seconds(spread(ours).median), seconds(spread(theirs).median), shown, wanted, goal(found.median >= least)])
    result.lines += table(["", "trustsem", "lavaan", "faster by", "goal", ""], rows)
    if memory:
        peak = float(subprocess.run([sys.executable, "-m", "benchmarks.missing"], capture_output=True, text=True, check=True).stdout.split()[-1])
        result.numbers["peak memory in MiB"] = {"median": peak}
        result.lines += [
            "",
            f"Memory: {ROWS:,} rows of {VARIABLES} variables with {PATTERNS:,} patterns of missing values, MLR with fit measures, took "
            f"{peak:,.0f} MiB at its peak, Python and its libraries included (goal: {LIMIT:,.0f} MiB, {goal(peak <= LIMIT)}).",
        ]
    return result


def many_patterns() -> tuple[str, pd.DataFrame]:
    """Return a model and data with the numbers of rows and patterns that the memory goal names."""
    rng = np.random.default_rng(2)
    factors, items = 4, VARIABLES // 4
    scores = rng.standard_normal((ROWS, factors)) + rng.standard_normal((ROWS, 1))
    values = np.repeat(scores, items, axis=1) * 0.7 + rng.standard_normal((ROWS, VARIABLES))
    patterns = np.zeros((4 * PATTERNS, VARIABLES), dtype=bool)
    patterns[1:] = rng.random((4 * PATTERNS - 1, VARIABLES)) < 0.25
    patterns = np.unique(patterns, axis=0)
    patterns = patterns[rng.permutation(len(patterns))[:PATTERNS]]
    values[patterns[np.arange(ROWS) % PATTERNS]] = np.nan
    names = [f"y{k + 1}" for k in range(VARIABLES)]
    lines = [f"f{k + 1} =~ " + " + ".join(names[k * items : (k + 1) * items]) for k in range(factors)]
    return "\n".join(lines), pd.DataFrame(values, columns=names)


if __name__ == "__main__":
    from benchmarks.machine import peak_memory

    everything(*many_patterns(), "MLR")
    print(peak_memory())
