"""The bootstrap of the full theory, with everything that follows from its draws."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import trustsem as ts
from benchmarks.fit import DATA, THEORY, Result
from benchmarks.lavaan import MISSING, Lavaan
from benchmarks.tables import goal, table
from benchmarks.timing import Run, ratio, seconds, spread, take_turns, timed
from trustsem.fitting.bootstrap import bootstrap

LAVAAN_DRAWS = 10  # of each call in lavaan.R
WANTED, LEAST = 60.0, 30.0


def contestants(model: str, data: pd.DataFrame, draws: int) -> dict[str, Run]:
    """Return our contestants: the draws alone, and with all tables that are made of them."""
    fit = ts.sem(model, data)

    def everything() -> None:
        found = bootstrap(fit, draws, seed=1)
        assert found.n_used > 0.9 * draws
        found.parameter_estimates()
        found.standardized_solution()
        found.effects()

    return {"trustsem draws": timed(lambda: bootstrap(fit, draws, seed=1)), "trustsem all": timed(everything)}


def run(lavaan: Lavaan | None, *, model: Path = THEORY, data: Path = DATA, draws: int = 1000, rounds: int = 5) -> Result:
    """Measure and print ratios; lavaan makes fewer draws, and its time is scaled to as many."""
    text, frame = model.read_text(encoding="utf-8"), pd.read_csv(data)
    players = contestants(text, frame, draws)
    if lavaan is not None:
        lavaan.read(model, data)
        lavaan.ask("whole")
        players |= {"lavaan draws": lavaan.job("bootstrap_coef"), "lavaan all": lavaan.job("bootstrap")}
    times = take_turns(players, rounds, {})
    for name in ("lavaan draws", "lavaan all"):
        times[name] = [value * draws / LAVAAN_DRAWS for value in times.get(name, [])]
    result = Result(numbers={name: spread(values)._asdict() for name, values in times.items() if values})
    result.lines = [f"## Bootstrap: {draws:,} draws of {len(frame):,} rows", ""]
    result.lines += [
        f"Nonparametric, serial. lavaan's `bootstrapLavaan` was given {LAVAAN_DRAWS} draws at a time, and its time scaled to {draws:,}.",
        "Everything: parameters and standardized solution; for trustsem also all total, direct and indirect effects, and the intervals.",
        "",
    ]
    rows = []
    for what, name in (("parameters alone", "draws"), ("everything", "all")):
        ours, theirs = times[f"trustsem {name}"], times[f"lavaan {name}"]
        if not theirs:
            rows.append([what, seconds(spread(ours).median), MISSING, "", "", ""])
            continue
        found = ratio(theirs, ours)
        result.numbers[f"lavaan {name} / trustsem {name}"] = found._asdict()
        shown = f"{found.median:.1f} times ({found.lower:.1f} to {found.upper:.1f})"
        aim = [f"{LEAST:.0f}, aim {WANTED:.0f}", goal(found.median >= LEAST)] if name == "all" else ["", ""]
        rows.append([what, seconds(spread(ours).median), seconds(spread(theirs).median), shown, *aim])
    result.lines += table(["", "trustsem", "lavaan, scaled", "faster by", "goal", ""], rows)
    return result
