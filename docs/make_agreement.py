"""Writes the page "Agreement with other software": our numbers beside those of lavaan (stored), NIST (certified) and semopy (run live).

``python docs/make_agreement.py`` writes ``docs/agreement.md``; ``--check`` compares it with what would be written. Our numbers and lavaan's must
be the same to one unit of the last digit shown, and no count of digits may cross six; semopy's numbers, which depend on where its optimiser stops,
must be the same to a relative 1e-5, and its digits to one.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import pandas as pd  # noqa: E402

import trustsem as ts  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "agreement.md"
REFERENCE = ROOT / "tests" / "reference"
TIGHT = {"ftol": 1e-14, "maxiter": 10_000}
MOST_DIGITS = 11  # lavaan's numbers are stored with twelve
SEMOPY_DIGITS = 6  # what lies beyond depends on the order in which semopy walks through its sets
SEMOPY_TOLERANCE = 1e-5
LAST_DIGIT = 1e-6  # one unit of the seventh
FIRM_DIGITS = 6  # digits beyond are a matter of rounding, so of the machine; fewer are a change
NONE = ""
ONE_RUN = "semopy (one run)"  # not reproducible, so not compared

CASES = {
    "cfa3": ("Holzinger and Swineford: three factors, nine tests", "cfa"),
    "democracy": ("Political democracy: three factors, two regressions, correlated residuals", "sem"),
    "path_swiss": ("Path model with covariates: Swiss fertility, 1888", "sem"),
    "groups_scalar": ("Two schools: equal loadings and intercepts", "cfa"),
    "growth_predictors": ("Linear growth with two predictors", "growth"),
    "theory_strict": ("The full theory: 32 indicators, nine constructs, 78 parameters", "sem"),
}
MEASURES = ("chisq", "df", "pvalue", "cfi", "tli", "rmsea", "srmr", "logl", "aic", "bic")
SEMOPY_MEASURES = {
    "chisq": "chi2",
    "df": "DoF",
    "pvalue": "chi2 p-value",
    "cfi": "CFI",
    "tli": "TLI",
    "rmsea": "RMSEA",
    "logl": "LogLik",
    "aic": "AIC",
    "bic": "BIC",
}
NOT_SEMOPY = {
    "groups_scalar": "semopy fits groups one by one, so it has no model with parameters in common.",
    "growth_predictors": "`semopy.Model` has no means, and `semopy.ModelMeans` counts the moments of the means wrongly in its degrees of freedom.",
}

INTRODUCTION = """# Agreement with other software

Written by `docs/make_agreement.py`; a test compares this page with what the code gives today.

- **lavaan** is version 0.6-14. Its numbers are stored (`tests/reference/lavaan/expected`), after Newton steps from where its optimiser
  stops. Hundreds of cases are compared in the tests; these are the best known. Where the two differ on purpose is in [the ledger](ledger.md).
- **semopy** is version 2.3.11, run when the page was written: a fresh model, `options={"ftol": 1e-14, "maxiter": 10000}` (by default it stops
  after three or four digits).
- **Digits** are digits in common: -log10 of the relative difference, rounded down, at most 11 (lavaan's numbers are stored with 12). A number that is
  zero up to rounding in both has none. semopy's are at most 6: beyond that it differs from run to run.

semopy's fit indices are shown as semopy prints them. These are not differences of opinion:

- With observed exogenous variables its degrees of freedom count their moments but not their parameters; chi-square's p, CFI, TLI and RMSEA follow.
- Its "LogLik" is the minimum of the discrepancy, not a log-likelihood; its AIC and BIC are computed from that.
- Its RMSEA divides by N - 1 where maximum likelihood has N. It has no SRMR, and its GFI is the NFI (not shown).

Standard errors and estimates of the two programs agree for complete data and maximum likelihood, as the tables show.
"""


class Row(NamedTuple):
    """One number: its name, ours, lavaan's and semopy's (NaN where there is none)."""

    name: str
    ours: float
    lavaan: float
    semopy: float


def digits(ours: float, theirs: float, most: int = MOST_DIGITS) -> str:
    """Return the digits in common, as text; at most `most`."""
    if math.isnan(ours) or math.isnan(theirs) or max(abs(ours), abs(theirs)) < 1e-9:
        return NONE
    if ours == theirs:
        return f"{most}"
    common = -math.log10(abs(ours - theirs) / max(abs(ours), abs(theirs)))
    return f"{max(0, min(most, math.floor(common)))}"


def shown(value: float, significant: int = 7) -> str:
    """Return a number with so many significant digits."""
    if math.isnan(value):
        return NONE
    if abs(value) < 1e-9:
        return "0"
    return f"{value:.{significant}g}"


def number(value: Any) -> float:
    return math.nan if value is None else float(value)


# ---- the three sources ------------------------------------------------------------------------------------------------------------------


def stored(name: str) -> dict[str, Any]:
    return dict(json.loads((REFERENCE / "lavaan" / "expected" / f"{name}.json").read_text(encoding="utf-8")))


def case(name: str) -> dict[str, Any]:
    cases = json.loads((REFERENCE / "lavaan" / "cases.json").read_text(encoding="utf-8"))
    return next(one for one in cases if one["name"] == name)


def our_fit(one: dict[str, Any]) -> tuple[ts.Fit, pd.DataFrame]:
    options = dict(one["options"])
    data = pd.read_csv(REFERENCE / "data" / one["data"])
    function = getattr(ts, options.pop("function", "sem"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ts.TrustsemWarning)
        return function(one["model"], data, **options), data


def semopy_numbers(model: str, data: pd.DataFrame) -> tuple[dict[tuple[str, str, str], tuple[float, float]], dict[str, float]]:
    """Return semopy's estimates with standard errors, by lavaan's operators, and its fit indices."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import semopy

        fitted = semopy.Model(model)
        fitted.fit(data, options=TIGHT)
        table, indices = fitted.inspect(), semopy.calc_stats(fitted)
    estimates = {}
    for row in table.to_dict("records"):
        error = row["Std. Err"]
        estimates[row["lval"], row["op"], row["rval"]] = (float(row["Estimate"]), math.nan if error == "-" else float(error))
    return estimates, {name: float(indices[column].iloc[0]) for name, column in SEMOPY_MEASURES.items()}


# ---- tables -----------------------------------------------------------------------------------------------------------------------------


def estimate_rows(fit: ts.Fit, theirs: dict[str, Any], semopy: dict[tuple[str, str, str], tuple[float, float]]) -> Iterator[tuple[Row, Row]]:
    """Pair estimate and standard error of every free parameter with lavaan's and semopy's."""
    groups = theirs.get("groups", [])
    table = theirs["estimates"]
    index = {}
    for k in range(len(table["lhs"])):
        group = table["group"][k] if groups else 1
        index[table["lhs"][k], table["op"][k], table["rhs"][k], group] = number(table["est"][k]), number(table["se"][k])
    for row in fit.parameter_estimates().to_dict("records"):
        if not row["se"] > 0.0:
            continue
        group = row.get("group", 1)
        key = (row["lhs"], row["op"], row["rhs"])
        lavaan = index.get((*key, group)) or index[*key[::-1], group]
        swapped = (key[2], "~", key[0]) if key[1] == "=~" else key
        other = semopy.get(swapped) or semopy.get(swapped[::-1]) or (math.nan, math.nan)
        label = " ".join(part for part in key if part) + (f" ({groups[group - 1]})" if groups else "")
        yield Row(label, row["est"], lavaan[0], other[0]), Row(label, row["se"], lavaan[1], other[1])


def measure_rows(fit: ts.Fit, theirs: dict[str, Any], semopy: dict[str, float]) -> list[Row]:
    ours = fit.fit_measures()
    found = theirs["fit_measures"]
    return [Row(name, float(ours[name]), number(found[name]), semopy.get(name, math.nan)) for name in MEASURES if name in ours and name in found]


def markdown(header: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1), *("| " + " | ".join(row) + " |" for row in rows)]


def cells(row: Row, with_semopy: bool) -> list[str]:
    found = [shown(row.ours), shown(row.lavaan), digits(row.ours, row.lavaan)]
    return [*found, shown(row.semopy, SEMOPY_DIGITS), digits(row.ours, row.semopy, SEMOPY_DIGITS)] if with_semopy else found


def section(name: str) -> list[str]:
    """Return the part of the page about one case."""
    title, _ = CASES[name]
    one, theirs = case(name), stored(name)
    fit, data = our_fit(one)
    with_semopy = name not in NOT_SEMOPY
    estimates, indices = semopy_numbers(one["model"], data) if with_semopy else ({}, {})
    pairs = list(estimate_rows(fit, theirs, estimates))
    measures = measure_rows(fit, theirs, indices)
    columns = ["trustsem", "lavaan", "digits"] + (["semopy", "semopy digits"] if with_semopy else [])
    worst = [min(int(found) for row in rows if (found := digits(row.ours, row.lavaan))) for rows in zip(*pairs, strict=True)]
    lines = [f"## {title}", "", f"{fit.nobs} observations, {fit.npar} parameters, case `{name}` of the reference tests."]
    lines.append(f"At least {min(*worst, 7)} digits are those of lavaan, in all estimates and standard errors.")
    if not with_semopy:
        lines.append(f"semopy is not shown: {NOT_SEMOPY[name]}")
    lines += ["", "### Fit", "", *markdown(["measure", *columns], [[f"`{row.name}`", *cells(row, with_semopy)] for row in measures])]
    lines += ["", "### Estimates", "", *markdown(["parameter", *columns], [[f"`{row.name}`", *cells(row, with_semopy)] for row, _ in pairs])]
    lines += ["", "### Standard errors", "", *markdown(["parameter", *columns], [[f"`{row.name}`", *cells(row, with_semopy)] for _, row in pairs])]
    return lines


def longley() -> list[str]:
    """Return the part about NIST's certified regression."""
    folder = ROOT / "data" / "real" / "longley"
    manifest = tomllib.loads((folder / "manifest.toml").read_text(encoding="utf-8"))
    certified = manifest["certified"]
    data = pd.read_csv(folder / "data.csv")
    outcome, *predictors = data.columns
    model = f"{outcome} ~ {' + '.join(predictors)}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ts.TrustsemWarning)
        fit = ts.sem(model, data, meanstructure=True)
    own = fit.parameter_estimates().query("lhs == @outcome").set_index(["op", "rhs"])
    semopy, _ = semopy_numbers(model, data)
    theirs = stored("longley_regression")["estimates"]
    # R's copy of the data has other units; the stored numbers are brought back to NIST's.
    units = dict(zip(predictors, (1.0, 1e3, 10.0, 10.0, 1e3, 1.0), strict=True))
    names = dict(zip(("GNP.deflator", "GNP", "Unemployed", "Armed.Forces", "Population", "Year"), predictors, strict=True))
    unbias = math.sqrt(len(data) / (len(data) - len(predictors) - 1))
    lavaan: dict[str, tuple[float, float]] = {}
    for k, (lhs, op, rhs) in enumerate(zip(theirs["lhs"], theirs["op"], theirs["rhs"], strict=True)):
        if lhs == "Employed":
            value, error = number(theirs["est"][k]), number(theirs["se"][k])
            if op == "~":
                lavaan[names[rhs]] = 1e3 * value / units[names[rhs]], 1e3 * error / units[names[rhs]] * unbias
            elif op == "~1":
                lavaan["intercept"] = 1e3 * value, 1e3 * error * unbias
            else:
                lavaan["residual sd"] = 1e3 * math.sqrt(value) * unbias, math.nan
    rows = []
    for kind, column in (("estimate", "est"), ("standard_error", "se")):
        for name, value in zip(["intercept", *predictors], certified[kind], strict=True):
            key = ("~1", "") if name == "intercept" else ("~", name)
            factor = 1.0 if column == "est" else unbias
            other = semopy.get((outcome, "~", name), (math.nan, math.nan))[column == "se"] * factor
            label = name if column == "est" else f"{name} (standard error)"
            rows.append((label, value, float(own[column][key]) * factor, lavaan[name][column == "se"], other))
    residual = math.sqrt(float(own.est["~~", outcome])) * unbias
    other = math.sqrt(semopy[outcome, "~~", outcome][0]) * unbias
    rows.append(("residual sd", certified["residual_standard_deviation"], residual, lavaan["residual sd"][0], other))
    rows.append(
        ("R-square", certified["r_squared"], float(fit.rsquare()[outcome]), number(stored("longley_regression")["rsquare"]["Employed"]), math.nan)
    )
    lines = ["## Longley's regression, with NIST's certified values", ""]
    lines.append("A regression on six nearly collinear series, as a path model in NIST's units. Standard errors and the residual standard")
    lines.append("deviation have the divisor n - p, as NIST's; maximum likelihood divides by n. Digits are digits in common with NIST")
    lines.append("(lavaan's R-square is stored with ten). semopy calls its result a success; what it is varies from run to run.")
    header = ["number", "NIST", "trustsem", "digits", "lavaan", "lavaan digits", ONE_RUN, f"{ONE_RUN} digits"]
    body = [[f"`{n}`", shown(c), shown(a), digits(a, c), shown(b), digits(b, c), shown(s, SEMOPY_DIGITS), digits(s, c)] for n, c, a, b, s in rows]
    return [*lines, "", *markdown(header, body)]


def page() -> str:
    parts = [INTRODUCTION.strip(), *("\n".join(section(name)) for name in CASES), "\n".join(longley())]
    return "\n\n".join(parts) + "\n"


# ---- comparing --------------------------------------------------------------------------------------------------------------------------


def differences(written: str, fresh: str) -> list[str]:
    """Return the lines that differ by more than semopy's optimiser may."""
    before, after = written.splitlines(), fresh.splitlines()
    if len(before) != len(after):
        return [f"{len(before)} lines, {len(after)} expected"]
    found, columns = [], []
    for old, new in zip(before, after, strict=True):
        parts, others = ([cell.strip() for cell in line.strip("|").split("|")] for line in (old, new))
        if new.startswith("|") and "trustsem" in others:
            columns = others
        same = old == new or (len(parts) == len(others) == len(columns) and all(map(_same, columns, parts, others)))
        if not same:
            found.append(f"- {old}\n+ {new}")
    return found


def _same(column: str, old: str, new: str) -> bool:
    if column.startswith(ONE_RUN):
        return True
    if old == new or NONE in (old, new):
        return old == new
    try:
        before, after = float(old), float(new)
    except ValueError:
        return False
    if column.endswith("digits"):
        return min(before, FIRM_DIGITS) == min(after, FIRM_DIGITS) if column != "semopy digits" else abs(before - after) <= 1
    return math.isclose(before, after, rel_tol=SEMOPY_TOLERANCE if column == "semopy" else LAST_DIGIT)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the page instead of writing it")
    check = parser.parse_args().check
    if os.environ.get("PYTHONHASHSEED") != "0":  # semopy's numbers depend on the order of its sets: start again with a fixed one
        return subprocess.run([sys.executable, *sys.argv], env={**os.environ, "PYTHONHASHSEED": "0"}, check=False).returncode
    if not check:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    found = differences(PAGE.read_text(encoding="utf-8"), page())
    print("\n".join(found) or "The page is up to date.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
