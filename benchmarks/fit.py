"""Fitting the full theory: end to end, and again and again."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

import trustsem as ts
from benchmarks.lavaan import MISSING, Lavaan
from benchmarks.machine import peak_memory
from benchmarks.tables import goal, table
from benchmarks.timing import Run, ratio, seconds, spread, take_turns, timed

THEORY = Path(__file__).parent / "theory.txt"
DATA = Path(__file__).parents[1] / "tests" / "reference" / "data" / "trust32.csv"


@dataclass
class Result:
    """Printed lines and the numbers behind them."""

    lines: list[str] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)


def everything(model: str, data: pd.DataFrame) -> None:
    """Fit, with the tables that a user looks at."""
    fit = ts.sem(model, data)
    fit.parameter_estimates()
    fit.fit_measures()


def semopy_everything(model: str, data: pd.DataFrame) -> None:
    """Do the same with semopy, a fresh model each time."""
    import semopy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = semopy.Model(model)
        fitted.fit(data)
        fitted.inspect()
        semopy.calc_stats(fitted)


def contestants(model: str, data: pd.DataFrame) -> dict[str, Run]:
    """Return our contestants; the last four give standard errors and chi-square as well."""
    fitter = ts.compile(model, like=data)
    rows = data[list(fitter.observed)].to_numpy(copy=True)
    cov = data[list(fitter.observed)].cov().to_numpy(copy=True)

    def judged(fit: ts.Fit) -> None:
        assert fit.converged
        _ = fit.theta_vcov, fit.chisq.pvalue

    return {
        "sem": timed(lambda: ts.sem(model, data)),
        "all": timed(lambda: everything(model, data)),
        "data": timed(lambda: judged(fitter.fit(rows))),
        "moments": timed(lambda: judged(fitter.fit_moments(cov, len(rows)))),
    }


def run(lavaan: Lavaan | None, *, model: Path = THEORY, data: Path = DATA, rounds: int = 25) -> Result:
    """Measure and print ratios."""
    text, frame = model.read_text(encoding="utf-8"), pd.read_csv(data)
    players = {f"trustsem {name}": job for name, job in contestants(text, frame).items()}
    # A refit is what a loop repeats, so it is timed as part of one; a single call is what a person makes.
    repetitions = dict.fromkeys(players, 5) | {"trustsem data": 40, "trustsem moments": 40}
    players["semopy all"] = timed(lambda: semopy_everything(text, frame))
    if lavaan is not None:
        lavaan.read(model, data)
        if lavaan.ask("slim") != "slim TRUE":
            raise RuntimeError("lavaan's shortened refit does not give the numbers of its full one.")
        players |= {f"lavaan {name}": lavaan.job(name) for name in ("sem", "all", "data", "moments")}
    times = take_turns(players, rounds, repetitions)
    fit = ts.sem(text, frame)
    result = Result(numbers={name: spread(values)._asdict() for name, values in times.items()})
    result.lines = [f"## One model: {len(fit.sample.names)} indicators, {fit.npar} parameters, {fit.nobs} rows", ""]
    result.lines += table(["", "median (quartiles)"], [[name, spread(values)] for name, values in times.items()])
    result.lines += ["", *_ratios(times, lavaan is not None, result.numbers), "", *_memory(lavaan, result.numbers)]
    return result


def _ratios(times: dict[str, list[float]], with_lavaan: bool, numbers: dict[str, Any]) -> list[str]:
    refit = spread(times["trustsem data"]).median, spread(times["trustsem moments"]).median
    pairs = [
        ("fit, estimates, fit measures", "trustsem all", "lavaan all", 15.0),
        ("fit alone", "trustsem sem", "lavaan sem", 15.0),
        ("compiled refit on rows, against `sem()`", "trustsem data", "lavaan sem", 60.0),
        ("compiled refit on moments, against `sem()`", "trustsem moments", "lavaan sem", 60.0),
        ("compiled refit on rows, against lavaan's shortest", "trustsem data", "lavaan data", None),
        ("compiled refit on moments, against lavaan's shortest", "trustsem moments", "lavaan moments", None),
        ("fit, estimates, fit measures", "trustsem all", "semopy all", None),
    ]
    rows = []
    for what, fast, slow, wanted in pairs:
        if slow.startswith("lavaan") and not with_lavaan:
            rows.append([what, slow, MISSING, "", ""])
            continue
        found = ratio(times[slow], times[fast])
        numbers[f"{slow} / {fast}"] = found._asdict()
        shown = f"{found.median:.1f} times ({found.lower:.1f} to {found.upper:.1f})"
        rows.append(
            [what, slow.split()[0], shown, "" if wanted is None else f"{wanted:.0f} times", "" if wanted is None else goal(found.median >= wanted)]
        )
    rows.append(["compiled refit on rows", "", seconds(refit[0]), "1.5 ms", goal(refit[0] <= 1.5e-3)])
    rows.append(["compiled refit on moments", "", seconds(refit[1]), "1.5 ms", goal(refit[1] <= 1.5e-3)])
    return table(["trustsem is faster by", "than", "median (quartiles)", "goal", ""], rows)


def _memory(lavaan: Lavaan | None, numbers: dict[str, Any]) -> list[str]:
    theirs = MISSING if lavaan is None else f"{float(lavaan.ask('memory')):.0f} MB"
    numbers["memory_mb"] = peak_memory()
    return [f"Peak memory: this process (with trustsem, pandas, semopy) {peak_memory():.0f} MB; R with lavaan {theirs}."]
