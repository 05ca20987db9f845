"""Writes the page "How far to trust a test": how often tests of a true model reject it, and intervals hold the truth, by size and kind of data.

``python docs/make_calibration.py`` writes the tables of ``docs/calibration.md`` from the stored results, ``docs/calibration.json``; ``--measure``
measures them anew first (half an hour on one core; with names of rows, only these), and ``--check`` verifies that the page is what would be written
and that the first replications of every row still give the stored statistics.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import numpy as np  # noqa: E402
from scipy.special import ndtri  # noqa: E402

import regimes  # noqa: E402
import trustsem as ts  # noqa: E402
from trustsem.data.frames import sample_from_frame  # noqa: E402

PAGE = ROOT / "docs" / "calibration.md"
STORE = ROOT / "docs" / "calibration.json"
THEORY = ROOT / "benchmarks" / "theory.txt"
SEED = 20261124
PROBES = 5  # replications that --check repeats
PROBE_TOLERANCE = 1e-6
REGIME_REPLICATIONS = 2000
SIZES = (150, 400, 1000)
TEAMS = (10, 20, 30, 100)
TEAM_ROWS, TEAM_ICC = 900, 0.10
MISSING = 0.08
Z = float(ndtri(0.975))

Rows = regimes.Rows


class Setting(NamedTuple):
    """One row to be measured: what is drawn, how it is fitted, how often."""

    draw: Callable[[np.random.Generator], Any]
    options: Mapping[str, Any]
    replications: int
    small_sample: bool = False


# ---- the full theory ----------------------------------------------------------------------------------------------------------------------


@cache
def population() -> tuple[tuple[str, ...], Rows, dict[str, float]]:
    """Return names, root of the covariance matrix and true values of the strict form of the built-in theory."""
    true = ts.load_theory("metz2022").strict().population("calibrated")
    names = ts.compile(THEORY.read_text(encoding="utf-8")).observed
    order = [true.names.index(name) for name in names]
    return names, np.linalg.cholesky(true.cov[np.ix_(order, order)]), dict(true.values)


def normal(rng: np.random.Generator, n: int) -> Rows:
    """Return normal rows (n, 32)."""
    root = population()[1]
    return np.asarray(rng.standard_normal((n, len(root))) @ root.T)


def heavy(rng: np.random.Generator, n: int) -> Rows:
    """Return heavy-tailed rows with the same covariance matrix, made as in the regime of nine items."""
    root = population()[1]
    noise = (rng.gamma(4.0, size=(n, len(root))) - 4.0) / 2.0
    scale = np.where(rng.random(n) < 1.0 / 3.0, 2.0, 0.5)
    return np.asarray(noise @ root.T * np.sqrt(scale)[:, None])


def holed(rng: np.random.Generator, n: int) -> Rows:
    """Return normal rows of which 8 % of the values are missing completely at random."""
    rows = normal(rng, n)
    rows[rng.random(rows.shape) < MISSING] = np.nan
    return rows


def teams(rng: np.random.Generator, count: int) -> Any:
    """Return 900 normal rows in `count` teams of one size; a tenth of the variance of everything lies between teams."""
    names, root, _ = population()
    ids = np.repeat(np.arange(count), TEAM_ROWS // count)
    between, within = rng.standard_normal((count, len(names))), rng.standard_normal((len(ids), len(names)))
    rows = (math.sqrt(TEAM_ICC) * between[ids] + math.sqrt(1.0 - TEAM_ICC) * within) @ root.T
    return sample_from_frame(dict(zip(names, rows.T, strict=True)) | {"team": ids}, names, cluster="team")


def settings() -> dict[str, Setting]:
    """Return every row about the full theory, by name."""
    found = {}
    scaled = ("satorra_bentler", "scaled_shifted", "mean_var_adjusted", "yuan_bentler_mplus")
    for n in SIZES:
        found[f"normal, n = {n}"] = Setting(lambda rng, n=n: normal(rng, n), {"test": scaled}, 1000, small_sample=True)
        found[f"heavy, n = {n}"] = Setting(lambda rng, n=n: heavy(rng, n), {"se": "robust_sem", "test": scaled}, 1000)
        found[f"8 % missing, n = {n}"] = Setting(lambda rng, n=n: holed(rng, n), {"missing": "fiml", "estimator": "MLR"}, 1000)
    for count in TEAMS:
        found[f"{count} teams, n = {TEAM_ROWS}"] = Setting(lambda rng, count=count: teams(rng, count), {"cluster": "team"}, 1000)
    return found


# ---- measuring ----------------------------------------------------------------------------------------------------------------------------


def measure(setting: Setting, replications: int) -> dict[str, Any]:
    """Return rejection rates by test, the coverage of intervals of paths, how many replications converged, and the first statistics."""
    fitter = ts.compile(THEORY.read_text(encoding="utf-8"), **setting.options)
    true, rng = population()[2], np.random.default_rng(SEED)
    rejected, covered, statistics, failed = [], [], [], 0
    for _ in range(replications):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ts.TrustsemWarning)
            fit = fitter.fit(setting.draw(rng))
        if not fit.converged:
            failed += 1
            continue
        tests = fit.tests(small_sample=setting.small_sample).set_index("test")
        rejected.append(np.where(tests["pvalue"].isna(), np.nan, tests["pvalue"] < 0.05))
        statistics.append(tests["chisq"].to_numpy())
        paths = fit.parameter_estimates(ci=False).query("op == '~'")
        gap = paths["est"].to_numpy() - np.array([true[f"{lhs}~{rhs}"] for lhs, rhs in zip(paths["lhs"], paths["rhs"], strict=True)])
        covered.append(np.abs(gap) <= Z * paths["se"].to_numpy())
    return {
        "replications": len(rejected),
        "failed": failed,
        "rejected": _rates(dict(zip(tests.index, np.mean(rejected, axis=0).tolist(), strict=True))),
        "covered": round(float(np.mean(covered)), 5),
        "probe": _digits(statistics[:PROBES]),
    }


def measure_regime(name: str, replications: int) -> dict[str, Any]:
    """Return the same for a case of the regime of nine items."""
    found = regimes.measured(name, replications, SEED)
    rates = np.array(list(found.covered.values()))
    return {
        "replications": replications,
        "failed": 0,
        "rejected": _rates(found.rejected),
        "covered": round(float(rates.mean()), 5),
        "lowest": round(float(rates.min()), 5),
        "highest": round(float(rates.max()), 5),
        "indirect": found.covered["indirect:=a*b"],
        "probe": _digits(found.statistics[:PROBES]),
    }


def _rates(rates: Mapping[str, float]) -> dict[str, float | None]:
    return {test: round(rate, 5) if math.isfinite(rate) else None for test, rate in rates.items()}


def _digits(statistics: Sequence[Sequence[float]]) -> list[list[float | None]]:
    return [[float(f"{value:.10g}") if math.isfinite(value) else None for value in row] for row in statistics]


def rows() -> dict[str, Callable[[int | None], dict[str, Any]]]:
    """Return what measures every row, given a number of replications or the usual one."""
    found: dict[str, Callable[[int | None], dict[str, Any]]] = {}
    for name in regimes.CASES:
        found[f"nine items | {name}"] = lambda count, name=name: measure_regime(name, count or REGIME_REPLICATIONS)
    for name, setting in settings().items():
        found[f"full theory | {name}"] = lambda count, setting=setting: measure(setting, count or setting.replications)
    return found


def measure_and_store(wanted: Sequence[str]) -> None:
    """Measure the rows whose names contain one of `wanted`, all if there are none, and store them one by one."""
    stored = json.loads(STORE.read_text(encoding="utf-8")) if STORE.exists() else {}
    for name, run in rows().items():
        if not wanted or any(word in name for word in wanted):
            stored[name] = run(None)
            print(name, stored[name]["rejected"], stored[name]["covered"], flush=True)
            text = json.dumps({key: stored[key] for key in rows() if key in stored}, indent=1)
            STORE.write_text(text + "\n", encoding="utf-8")


def stale() -> list[str]:
    """Return the rows that are not stored, or whose first replications give other statistics now."""
    stored = json.loads(STORE.read_text(encoding="utf-8"))
    found = [name for name in stored if name not in rows()]
    for name, run in rows().items():
        if name not in stored:
            found.append(name)
            continue
        before, now = stored[name]["probe"], run(PROBES)["probe"]
        pairs = [pair for old, new in zip(before, now, strict=True) for pair in zip(old, new, strict=True)]
        if not all(old == new if None in (old, new) else math.isclose(old, new, rel_tol=PROBE_TOLERANCE) for old, new in pairs):
            found.append(name)
    return found


# ---- the page -----------------------------------------------------------------------------------------------------------------------------

SHORT = {
    "standard": "standard",
    "satorra_bentler": "Satorra-Bentler",
    "mean_var_adjusted": "mean and variance adjusted",
    "scaled_shifted": "scaled and shifted",
    "yuan_bentler": "Yuan-Bentler",
    "yuan_bentler_mplus": "Yuan-Bentler (Mplus)",
    "browne_residual_nt": "Browne NT",
    "browne_residual_nt_model": "Browne NT (model)",
    "browne_residual_adf": "Browne ADF",
    "browne_residual_adf_model": "Browne ADF (model)",
    "bartlett": "Bartlett",
    "swain": "Swain",
    "yuan": "Yuan",
}


def percent(rate: float | None) -> str:
    """Return a share as a percentage with one decimal; a dash where there is none."""
    return "–" if rate is None else f"{100.0 * rate:.1f} %"


def table(header: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as lines of markdown."""
    return [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}", *(f"| {' | '.join(line)} |" for line in body)]


def regime_tests(stored: Mapping[str, Any]) -> list[str]:
    """Return the table of rejection rates of the regime of nine items; in bold what theory promises."""
    body = []
    for name, case in regimes.CASES.items():
        for test, rate in stored[f"nine items | {name}"]["rejected"].items():
            if rate is not None:
                shown = percent(rate)
                body.append((name, SHORT[test], f"**{shown}**" if test in case.promised else shown))
    return table(("data and options", "test", "rejected"), body)


def regime_intervals(stored: Mapping[str, Any]) -> list[str]:
    """Return the table of coverage rates of the regime of nine items."""
    body = []
    for name, case in regimes.CASES.items():
        row = stored[f"nine items | {name}"]
        mean = percent(row["covered"])
        cells = (percent(row["lowest"]), percent(row["highest"]), percent(row["indirect"]))
        body.append((name, f"**{mean}**" if case.covers else mean, *cells))
    return table(("data and options", "covered, mean", "lowest parameter", "highest", "indirect effect"), body)


def theory_tests(stored: Mapping[str, Any]) -> list[str]:
    """Return the table of rejection rates of the full theory by size."""
    body = []
    for kind in ("normal", "heavy", "8 % missing"):
        found = [stored[f"full theory | {kind}, n = {n}"] for n in SIZES]
        body += [(kind, SHORT[test], *(percent(row["rejected"][test]) for row in found)) for test in found[0]["rejected"]]
    return table(("data", "test", *(f"n = {n:,}" for n in SIZES)), body)


def theory_intervals(stored: Mapping[str, Any]) -> list[str]:
    """Return the table of coverage rates of the full theory's paths by size."""
    kinds = {"normal": "standard", "heavy": "robust_sem", "8 % missing": "robust_huber_white"}
    body = [(kind, errors, *(percent(stored[f"full theory | {kind}, n = {n}"]["covered"]) for n in SIZES)) for kind, errors in kinds.items()]
    return table(("data", "standard errors", *(f"n = {n:,}" for n in SIZES)), body)


def theory_teams(stored: Mapping[str, Any]) -> list[str]:
    """Return the table of few clusters."""
    body = []
    for count in TEAMS:
        row = stored[f"full theory | {count} teams, n = {TEAM_ROWS}"]
        rates = row["rejected"]
        body.append((str(count), str(TEAM_ROWS // count), percent(rates["standard"]), percent(rates["yuan_bentler_mplus"]), percent(row["covered"])))
    return table(("teams", "of size", "standard test", SHORT["yuan_bentler_mplus"], "paths covered"), body)


TABLES = {
    "regime_tests": regime_tests,
    "regime_intervals": regime_intervals,
    "theory_tests": theory_tests,
    "theory_intervals": theory_intervals,
    "theory_teams": theory_teams,
}


def page(text: str) -> str:
    """Return the page `text` with its tables, which stand between marks, written anew."""
    stored = json.loads(STORE.read_text(encoding="utf-8"))
    for name, make in TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = before + begin + "\n" + "\n".join(make(stored)) + "\n\n" + end + rest.split(end)[1]
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs="*", metavar="ROW", help="measure all rows anew, or those whose names contain one of these words")
    parser.add_argument("--check", action="store_true", help="verify page and stored results instead of writing")
    arguments = parser.parse_args()
    if arguments.measure is not None:
        measure_and_store(arguments.measure)
    written = PAGE.read_text(encoding="utf-8")
    if not arguments.check:
        PAGE.write_text(page(written), encoding="utf-8")
        return 0
    found = stale() + ([f"{PAGE.name} is not what would be written"] if page(written) != written else [])
    print("\n".join(found) or "The page is up to date.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
