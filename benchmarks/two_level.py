"""Models of two levels: 2,500 people in 200 teams, speed against lavaan."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import trustsem as ts
from benchmarks.fit import Result
from benchmarks.lavaan import MISSING, Lavaan
from benchmarks.tables import goal, table
from benchmarks.timing import Run, ratio, seconds, spread, take_turns, timed

MODEL = """level: 1
fw =~ y1 + y2 + y3
gw =~ y4 + y5 + y6
level: 2
fb =~ y1 + y2 + y3
gb =~ y4 + y5 + y6
"""
TEAMS, PEOPLE, SHARE = 200, 2500, 0.1
# For each data set: least ratio, and the most time that a fit with everything may take.
GOALS = {"complete": (10.0, 0.030), "missing": (10.0, 0.300)}


def teams(seed: int) -> pd.DataFrame:
    """Return 2,500 people in 200 teams of 5 to 30 or so with six indicators of two factors, a fifth of whose variance lies between teams."""
    rng = np.random.default_rng(seed)
    chance = rng.uniform(0.1, 1.0, TEAMS)
    size = 5 + rng.multinomial(PEOPLE - 5 * TEAMS, chance / chance.sum())
    team = np.repeat(np.arange(TEAMS), size)
    loadings = np.kron(np.eye(2), np.array([[1.0], [0.8], [0.7]]))
    root = np.linalg.cholesky(np.array([[1.0, 0.4], [0.4, 1.0]])).T
    own = rng.standard_normal((PEOPLE, 2)) @ root @ loadings.T + rng.standard_normal((PEOPLE, 6))
    shared = 0.5 * rng.standard_normal((TEAMS, 2)) @ root @ loadings.T + 0.3 * rng.standard_normal((TEAMS, 6))
    return pd.DataFrame(own + shared[team], columns=[f"y{k + 1}" for k in range(6)]).assign(team=team)


def everything(data: pd.DataFrame, missing: str) -> None:
    """Fit, with standard errors, the test, and all fit measures (saturated and baseline model included)."""
    fit = ts.sem(MODEL, data, cluster="team", missing=missing)
    assert fit.converged
    fit.parameter_estimates()
    fit.fit_measures()


def run(lavaan: Lavaan | None, *, rounds: int = 3) -> Result:
    """Measure and print ratios."""
    whole = teams(1)
    holes = whole.mask(np.random.default_rng(2).random(whole.shape) < SHARE).assign(team=whole["team"])
    data = {"complete": (whole, "listwise"), "missing": (holes, "fiml")}
    result = Result(
        lines=["## Two levels", "", f"{PEOPLE:,} people in {TEAMS} teams of different size, six indicators, two factors at either level."]
    )
    result.lines += ["One call each: estimates, standard errors, test and all fit measures, with saturated and baseline model.", ""]
    rows = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = Path(folder) / "model.txt"
        model.write_text(MODEL, encoding="utf-8")
        for name, (frame, missing) in data.items():
            path = Path(folder) / f"{name}.csv"
            frame.to_csv(path, index=False)
            players: dict[str, Run] = {"trustsem": timed(lambda frame=frame, missing=missing: everything(frame, missing))}  # type: ignore[misc]
            if lavaan is not None:
                lavaan.read(model, path)
                players["lavaan"] = lavaan.job(f"two_level_{name}")
            times = take_turns(players, rounds if name == "complete" else 1, {"trustsem": 5})
            ours = spread(times["trustsem"])
            result.numbers[name] = ours._asdict()
            least, most = GOALS[name]
            if "lavaan" not in times:
                rows.append([name, seconds(ours.median), MISSING, "", f"{seconds(most)}", goal(ours.median <= most)])
                continue
            found = ratio(times["lavaan"], times["trustsem"])
            result.numbers[f"lavaan / trustsem, {name}"] = found._asdict()
            met = goal(found.median >= least and ours.median <= most)
            wanted = f"{least:.0f} times, {seconds(most)}"
            rows.append([name, seconds(ours.median), seconds(spread(times["lavaan"]).median), f"{found.median:.0f} times", wanted, met])
    result.lines += table(["data", "trustsem", "lavaan", "faster by", "goal", ""], rows)
    return result
