"""Every reported number equals that of R's lavaan 0.6-14, over the cases of ``lavaan/cases*.json`` (expected numbers: ``lavaan/expected``)."""

from __future__ import annotations

import functools
import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import trustsem as ts

# ---- tolerances ---------------------------------------------------------------------------------------------------------------------
# The stored lavaan solution is polished to a scaled gradient of about 1e-13, so what is left is our own stopping rule and rounding.
FMIN = 1e-9  # our minimum may not lie above lavaan's by more than this
REL = 1e-5  # relative difference of estimates, standard errors and everything smooth in them
IN_SE = 1e-4  # and, for numbers near zero, in standard errors: no printed digit or conclusion can change
LOOSE = 20.0  # factor where lavaan could not be polished (inequalities and bounds): its own optimiser is good to about four digits
CHI = 1e-6  # relative difference of chi-square and fit measures
FLOOR = 1e-6  # absolute floor of fit measures (chi-square of a saturated model is 1e-13 in one program and 1e-10 in the other)
P = 1e-5  # absolute difference of p-values (lavaan computes 1 - cdf, which is 0 below 1e-16)
ROOT = 1e-5  # RMSEA intervals: lavaan's root finder stops early; RMSEA itself is a square root of a number near zero
CELL = 1e-6  # moments and raw residuals, in units of sqrt(s_ii s_jj)
EXACT_CELL = 1e-8  # a residual below this (same units) is zero up to rounding; its standardized form is 0/0 in both programs
NOT_A_CELL = 1e4  # a larger "standardized" residual is a number divided by a variance of zero
PRINTED_SE = 1.23e-4  # lavaan prints 0 for a standardized standard error below eps ** (1 / 4) = 1.22e-4
STANDARDIZED = 1e-4  # normalized and standardized residuals (z scale), modification indices (chi-square scale)
HIDDEN = 6.1e-6  # lavaan hides modification indices whose information per observation is below eps ** (1 / 3), whatever the units; we do not
ZERO_MI = 1e-9  # a modification index below this is zero up to rounding; its expected parameter change is noise

HERE = Path(__file__).parent
CASES: dict[str, dict[str, Any]] = {
    case["name"]: case
    for file in ("cases.json", "cases_missing_robust.json")
    for case in json.loads((HERE / "lavaan" / file).read_text(encoding="utf-8"))
}
RESIDUALS = ("raw", "cor", "cor_bentler", "normalized", "standardized")
P_VALUES = frozenset({"pvalue", "baseline_pvalue", "rmsea_pvalue", "rmsea_notclose_pvalue"})

UNSTABLE = "badly scaled: with df = 1 every standardized residual is plus or minus sqrt(chi-square) = .097, lavaan prints .0005 to .012"
OWN_GROUP = "lavaan leaves out the sampling error that parameters shared with other groups bring in (see test_residual_calibration.py)"
SHARED = (
    "groups_metric groups_metric__gls groups_scalar groups_scalar__gls groups_scalar__wishart groups_scalar__observed "
    "groups_scalar__std_lv groups_strict groups_strict_means groups_scalar_partial groups_regressions groups_labels groups_single_label "
    "groups_constraint groups_path_iris_equal groups_covariance_input groups_covariance_means_input groups_covariance_means_input__wishart"
)
UNCENTRED = "without a mean structure lavaan adds the mean of the observed cause twice; with meanstructure=TRUE it gives our numbers"
MEDIATOR = (
    "lavaan gives an observed variable that a latent one causes, and that itself causes others, no part in Bartlett's score; as an effect it has one"
)
UNIT_WEIGHTS = "lavaan leaves the moments of random covariates out after inverting; ours is the published formula (see the ledger)"
INCOMPLETE_COVARIATES = "lavaan subtracts the likelihood of the covariates as if they were complete (see the ledger)"
NO_VARIANCE = "saturated means: lavaan divides rounding noise by a variance of zero"
EMPTY = "lavaan has scores for rows without any outcome"
TWO_STAGE = "lavaan has no scores for incomplete rows, or weighs modification indices by the saturated moments (see the ledger)"
SKIPPED = {
    **{(case, "residuals_standardized"): OWN_GROUP for case in SHARED.split()},
    ("mimic_direct_effect", "modindices_rows"): "lavaan does not offer loadings for an indicator with a regression of its own (x3 ~ sex); we do",
    ("equal_function", "rows"): "lavaan writes the two labels of one equality differently (.p2. and visual=~x2); we give both rows the same label",
    ("equal_function", "coef"): "as above",
    ("latent_from_observed_cause", "predict_regression"): UNCENTRED,
    ("interleaved_syntax", "predict_regression"): UNCENTRED,
    ("latent_from_observed_cause", "predict_bartlett"): MEDIATOR,
    ("interleaved_syntax", "predict_bartlett"): MEDIATOR,
    ("longley_regression", "modindices"): "saturated, nearly singular: the rows lavaan lists are rounding noise (27 before polishing, 5 after)",
    ("longley_regression", "modindices_rows"): "as above",
    ("path_cars__randx", "residuals_standardized"): UNSTABLE,
    ("path_cars__gls_randx", "residuals_standardized"): UNSTABLE,
    ("means_path_restricted__randx", "residuals_standardized"): "the same data and the same loss of digits",
}
for _case in CASES:
    if _case.startswith("two_stage"):
        SKIPPED |= {(_case, quantity): TWO_STAGE for quantity in ("modindices", "predict_regression", "predict_bartlett")}
for _reason, _cases in {
    NO_VARIANCE: "fiml_hs__expected fiml_hs__mlr_expected fiml_hs_mimic__expected fiml_iris_groups fiml_iris_groups_equal__mlr",
    OWN_GROUP: "fiml_groups_metric fiml_groups_scalar fiml_groups_scalar__mlr fiml_groups_scalar__expected fiml_groups_mimic fiml_groups_mimic__mlr "
    "fiml_bfi_groups robust_groups_scalar__mlm robust_groups_scalar__mlmv robust_groups_scalar__mlmvs robust_groups_scalar__mlr "
    "robust_groups_scalar__mlf robust_groups_metric__mlm robust_groups_metric__mlr robust_wages_groups__mlr robust_groups__browne "
    "ls_groups_scalar__wls",
}.items():
    SKIPPED |= {(_case, "residuals_standardized"): _reason for _case in _cases.split()}
for _reason, _cases in {
    EMPTY: "fiml_growth_holes fiml_growth_time_varying fiml_pupils fiml_pupils__mlr",
    UNCENTRED: "robust_epi__mlm robust_epi__mlr ls_epi__dwls",
}.items():
    SKIPPED |= {(_case, f"predict_{kind}"): _reason for _case in _cases.split() for kind in ("regression", "bartlett")}
SKIPPED |= {
    ("fiml_hs_second_order", "predict_bartlett"): "a factor without observed indicators has no score in lavaan, the score 0 here",
    ("fiml_iris_groups", "residuals_normalized"): "lavaan prints the raw residual of a mean that is zero up to rounding",
    ("fiml_iris_groups_equal__mlr", "residuals_normalized"): "as above",
}
# Fit measures that are not compared: pieces of their names, and why.
INCOMPARABLE = {
    **dict.fromkeys(("fiml_hs_mimic__randx", "fiml_burns__randx", "fiml_airquality", "fiml_survey", "fiml_freedman"), (("_robust",), UNIT_WEIGHTS)),
    **dict.fromkeys(("fiml_hs_mimic__mlx", "fiml_growth_holes__mlx", "fiml_pupils__mlx"), (("logl", "aic", "bic", "bic2"), INCOMPLETE_COVARIATES)),
    **dict.fromkeys(
        ("two_stage_hs", "two_stage_hs_robust", "two_stage_groups_robust"),
        (("logl", "aic", "bic", "ntotal", "baseline_", "cfi_", "tli_", "nnfi_", "rfi_", "nfi_", "ifi_", "rni_"), TWO_STAGE),
    ),
    **dict.fromkeys(
        ("ls_hs__wlsm", "ls_mimic__wlsmv", "ls_bfi__wlsm"),
        (("cfi_robust", "tli_robust", "nnfi_robust", "rni_robust"), "lavaan forgets the scaling factor where that of the baseline model is 1"),
    ),
    "ls_schools__wls": (("baseline_", "cfi", "tli", "nnfi", "rfi", "nfi", "ifi", "rni"), "lavaan's search for the baseline model stops too early"),
}
LAVAAN_WRONG = {
    ("fiml_freedman", "rfi"): "as below",
    ("fiml_one_factor_means_equal", "rfi"): "as below",
    ("means_equal__gls", "rfi"): "(chisq_b / df_b - chisq / df) / (chisq_b / df_b) is negative here; lavaan prints 1",
    ("longley_regression", "baseline_chisq"): "-N log(1 - R2) with NIST's certified R2 is 86.384; lavaan's determinant gives 86.580",
}


class Line(NamedTuple):
    """One comparison: what it is, our number, lavaan's, and how far apart they may be."""

    row: str
    ours: float
    theirs: float
    tolerance: float


@functools.cache
def expected(name: str) -> dict[str, Any]:
    return dict(json.loads((HERE / "lavaan" / "expected" / f"{name}.json").read_text(encoding="utf-8")))


@functools.cache
def read(file: str) -> pd.DataFrame:
    return pd.read_csv(HERE / "data" / file)


def square(file: str) -> pd.DataFrame:
    frame = read(file)
    return frame.set_axis(frame.columns, axis=0)


def summary_statistics(case: dict[str, Any], options: dict[str, Any]) -> None:
    cov, mean = case["sample_cov"], case.get("sample_mean")
    if isinstance(cov, dict):
        options["sample_cov"] = {label: square(file) for label, file in cov.items()}
        options["sample_nobs"] = dict(zip(cov, options["sample_nobs"], strict=True))
        if mean is not None:
            options["sample_mean"] = {label: pd.Series(mean[label], index=read(file).columns) for label, file in cov.items()}
        return
    options["sample_cov"] = square(cov)
    if mean is not None:
        options["sample_mean"] = pd.Series(mean, index=read(cov).columns)


@functools.cache
def fitted(name: str) -> Any:
    case = CASES[name]
    options = dict(case["options"])
    function = getattr(ts, options.pop("function", "sem"))
    if "data" in case:
        options["data"] = read(case["data"])
    else:
        summary_statistics(case, options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # improper solutions warn in both programs; the flag itself is compared
        return function(case["model"], **options)


def quiet(call: Callable[[], Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


# ---- comparing ----------------------------------------------------------------------------------------------------------------------


def number(value: Any) -> float:
    return math.nan if value is None else float(value)


def differs(line: Line) -> bool:
    if math.isnan(line.theirs) or math.isnan(line.ours):
        return math.isnan(line.theirs) != math.isnan(line.ours)
    return not abs(line.ours - line.theirs) <= line.tolerance


def check(case: str, quantity: str, lines: Iterable[Line]) -> None:
    rows = list(lines)
    wrong = [line for line in rows if differs(line)]
    shown = "\n".join(f"  {w.row}: ours {w.ours:.12g}, lavaan {w.theirs:.12g}, allowed {w.tolerance:.2g}" for w in wrong[:12])
    assert rows, f"{case}, {quantity}: nothing to compare"
    assert not wrong, f"{case}, {quantity}: {len(wrong)} of {len(rows)} numbers differ\n{shown}"


def slack(name: str) -> float:
    return 1.0 if expected(name)["polished"] else LOOSE


def key_of(name: str, row: dict[str, Any]) -> tuple[str, str, str, int]:
    """Return one spelling of a row's identity: text cells without missing marks, the group as lavaan's running number."""
    text = ["" if pd.isna(row[c]) else str(row[c]) for c in ("lhs", "op", "rhs")]
    groups = expected(name).get("groups", [])
    group = row.get("group", 1)
    if text[1] == ":=" or not groups:
        return (text[0], text[1], text[2], 0)
    return (text[0], text[1], text[2], groups.index(group) + 1 if group in groups else int(group))


def table(name: str, columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    length = len(columns["lhs"])
    return [{c: values[i] for c, values in columns.items() if len(values) == length} for i in range(length)]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def matched(name: str, quantity: str, ours: pd.DataFrame, theirs: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Pair the rows of two tables by identity (the order is the business of the `rows` quantities)."""

    def same(key: tuple[str, str, str, int]) -> tuple[str, str, str, int]:
        return (*sorted((key[0], key[2])), key[1], key[3]) if key[1] == "~~" else (key[0], key[2], key[1], key[3])  # type: ignore[return-value]

    index = {same(key_of(name, row)): row for row in records(ours)}
    missing = [key for row in theirs if same(key := key_of(name, row)) not in index]
    assert not missing, f"{name}, {quantity}: rows lavaan has and we have not: {missing[:12]}"
    for row in theirs:
        key = key_of(name, row)
        yield " ".join(map(str, key)).strip(), index[same(key)], row


def by_group(name: str, ours: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    groups = expected(name).get("groups")
    if not groups:
        yield "", ours, theirs
        return
    assert list(ours) == list(groups), f"{name}: groups are {list(ours)}, lavaan has {groups}"
    for label in groups:
        yield f"group {label} ", ours[label], theirs[label]


def cells(stored: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    names, values = stored["names"], iter(stored["lower"])
    for i, row in enumerate(names):
        for column in names[: i + 1]:
            yield row, column, number(next(values))


# ---- quantities ---------------------------------------------------------------------------------------------------------------------


def same_rows(name: str, quantity: str, ours: pd.DataFrame, theirs: list[dict[str, Any]]) -> None:
    left = [key_of(name, row) for row in records(ours)]
    right = [key_of(name, row) for row in theirs]
    first = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    extra, absent = [k for k in left if k not in set(right)], [k for k in right if k not in set(left)]
    assert left == right, (
        f"{name}, {quantity}: rows differ from row {first}: ours {left[first : first + 3]}, lavaan {right[first : first + 3]}; "
        f"only ours {extra[:8]}, only lavaan {absent[:8]} ({len(left)} and {len(right)} rows)"
    )


def estimate_lines(name: str, quantity: str, ours: pd.DataFrame, stored: dict[str, list[Any]], est: str, columns: tuple[str, ...]) -> Iterator[Line]:
    k = slack(name)
    for row, mine, theirs in matched(name, quantity, ours, table(name, stored)):
        value, se = number(theirs["est_std" if est == "est_std" else "est"]), number(theirs["se"])
        spread = 0.0 if math.isnan(se) else se
        allowed = {
            "se": k * REL * spread + 1e-7 * (est == "est_std") + 1e-12,
            "z": k * (REL * abs(number(theirs["z"])) + IN_SE),
            "pvalue": k * P,
        }
        mine_se = number(mine["se"])
        hidden = est == "est_std" and spread == 0.0 and mine_se < PRINTED_SE
        pinned = math.isnan(number(theirs["se"])) and mine_se == 0.0  # lavaan takes the root of +-1e-20
        for column in columns:
            if (hidden or pinned) and column not in {"est", "est_std", "std_lv", "std_all"}:
                continue
            default = k * (REL * max(abs(value), abs(number(theirs[column]))) + IN_SE * spread + 1e-9)
            yield Line(f"{row} [{column}]", number(mine[column]), number(theirs[column]), allowed.get(column, default))


def check_estimates(name: str, quantity: str) -> None:
    stored = expected(name)["estimates"]
    ours = quiet(lambda: fitted(name).parameter_estimates(standardized=True))
    columns = tuple(c for c in ("est", "se", "z", "pvalue", "ci_lower", "ci_upper", "std_lv", "std_all") if c in stored)
    check(name, quantity, estimate_lines(name, quantity, ours, stored, "est", columns))


def check_rows(name: str, quantity: str) -> None:
    stored = table(name, expected(name)["estimates"])
    ours = quiet(lambda: fitted(name).parameter_estimates())
    same_rows(name, quantity, ours, stored)
    labels = [str(row["label"]) for row in records(ours)] if "label" in ours else []
    theirs = [str(row["label"]) for row in stored] if "label" in expected(name)["estimates"] else labels
    wrong = [(key_of(name, stored[i]), a, b) for i, (a, b) in enumerate(zip(labels, theirs, strict=True)) if a != b and not b.startswith(".p")]
    assert not wrong, f"{name}, {quantity}: labels (row, ours, lavaan) {wrong[:8]}"


def check_standardized(name: str, quantity: str) -> None:
    ours = quiet(lambda: fitted(name).standardized_solution(type=quantity))
    check(
        name,
        quantity,
        estimate_lines(name, quantity, ours, expected(name)[quantity], "est_std", ("est_std", "se", "z", "pvalue", "ci_lower", "ci_upper")),
    )


def check_fmin(name: str, quantity: str) -> None:
    ours, theirs = float(quiet(lambda: fitted(name).fit_measures())["fmin"]), number(expected(name)["fmin"])
    assert ours <= theirs + slack(name) * FMIN * max(1.0, theirs), f"{name}, {quantity}: ours {ours:.15g} is above lavaan's {theirs:.15g}"


def is_noise(measure: str, stored: dict[str, Any]) -> bool:
    """Whether lavaan's value hangs on whether a number is exactly zero or 1e-14."""
    if measure.startswith("cn_"):
        return int(stored["df"]) == 0
    return measure == "rfi" and stored["chisq"] == stored["baseline_chisq"]


def check_fit_measures(name: str, quantity: str) -> None:
    stored = expected(name)["fit_measures"]
    ours = quiet(lambda: fitted(name).fit_measures())
    pieces = INCOMPARABLE.get(name, ((), ""))[0]
    stored = {measure: value for measure, value in stored.items() if not any(piece in measure for piece in pieces)}
    absent = [m for m in stored if m not in ours.index]
    assert not absent, f"{name}, {quantity}: measures lavaan has and we have not: {absent}"
    scale = max((v for _, s in sample_parts(name) for r, c, v in cells(s["cov"]) if r == c), default=1.0)
    lines = []
    for measure, value in stored.items():
        if is_noise(measure, expected(name)["fit_measures"]) or (name, measure) in LAVAAN_WRONG:
            continue
        theirs = number(value)
        tolerance = CHI * abs(theirs) + FLOOR
        if measure in P_VALUES:
            tolerance = P
        elif measure.startswith("rmsea"):
            tolerance = ROOT
        elif measure.startswith("rmr"):
            tolerance = CHI * (abs(theirs) + scale)
        lines.append(Line(measure, number(ours[measure]), theirs, slack(name) * tolerance))
    check(name, quantity, lines)


def check_status(name: str, quantity: str) -> None:
    fit, stored = fitted(name), expected(name)
    assert bool(fit.converged), f"{name}, {quantity}: did not converge ({fit.reason}); lavaan did"
    assert bool(fit.admissible) == stored["post_check"], f"{name}, {quantity}: admissible is {fit.admissible}, lavaan says {stored['post_check']}"
    assert int(fit.npar) == stored["fit_measures"]["npar"], f"{name}, {quantity}: npar {fit.npar}, lavaan {stored['fit_measures']['npar']}"


def standard_errors(name: str) -> list[float]:
    stored = expected(name)
    size = len(stored["coef"]["values"])
    return [math.sqrt(max(number(stored["vcov"][i * (i + 3) // 2]), 0.0)) for i in range(size)]


def check_coef(name: str, quantity: str) -> None:
    stored = expected(name)["coef"]
    ours = quiet(lambda: fitted(name).coef())
    wrong = [(a, b) for a, b in zip(ours.index, stored["names"], strict=True) if a != b and not b.startswith(".p")]
    assert not wrong, f"{name}, {quantity}: names (ours, lavaan) {wrong[:8]}"
    rows = zip(stored["names"], ours.to_numpy(), map(number, stored["values"]), standard_errors(name), strict=True)
    check(name, quantity, (Line(n, float(a), b, slack(name) * (REL * abs(b) + IN_SE * se)) for n, a, b, se in rows))


def check_vcov(name: str, quantity: str) -> None:
    stored, se = expected(name), standard_errors(name)
    ours = quiet(lambda: fitted(name).vcov()).to_numpy()
    names, values = stored["coef"]["names"], iter(stored["vcov"])
    assert ours.shape == (len(names), len(names)), f"{name}, {quantity}: shape {ours.shape}, lavaan has {len(names)} coefficients"
    lines = [
        Line(f"{names[i]} , {names[j]}", float(ours[i, j]), number(next(values)), slack(name) * 5 * REL * (se[i] * se[j] + 1e-12))
        for i in range(len(names))
        for j in range(i + 1)
    ]
    check(name, quantity, lines)


def sample_parts(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    stored = expected(name)["sample"]
    yield from (((g, stored[g]) for g in expected(name)["groups"]) if expected(name).get("groups") else (("", stored),))


def dict_of(stored: dict[str, Any] | None, label: str) -> dict[tuple[str, str], float]:
    part = stored[label] if stored and label else stored
    return {(r, c): v for r, c, v in cells(part["cov"])} if part else {}


def moment_lines(name: str, ours: Any, stored: Any, unit: str) -> Iterator[Line]:
    """Compare covariances and means by group; `unit` says on which scale a difference is judged."""
    samples, raw = dict(sample_parts(name)), expected(name)["residuals_raw"]
    for prefix, mine, theirs in by_group(name, ours, stored):
        label = prefix.removeprefix("group ").strip()
        sd = {r: math.sqrt(v) for r, c, v in cells(samples[label]["cov"]) if r == c}
        residual = raw[label] if label else raw
        normalized = dict_of(expected(name).get("residuals_normalized"), label)

        def relevant(row: str, column: str, normalized: dict[tuple[str, str], float] = normalized) -> bool:
            return abs(normalized.get((row, column), 1.0)) > STANDARDIZED

        zero = {(r, c): abs(v) < EXACT_CELL * sd[r] * sd[c] for r, c, v in cells(residual["cov"])}
        for row, column, value in cells(theirs["cov"]):
            if unit == "z" and (zero[row, column] or abs(value) > NOT_A_CELL or not relevant(row, column)):
                continue
            tolerance = {"moment": CELL * sd[row] * sd[column], "correlation": CELL, "z": STANDARDIZED * (1 + abs(value))}[unit]
            yield Line(f"{prefix}cov {row} {column}", float(mine["cov"].loc[row, column]), value, slack(name) * tolerance)
        assert ("mean" in theirs) == (mine.get("mean") is not None), f"{name}: {prefix}mean part is {mine.get('mean')}, lavaan has {'mean' in theirs}"
        for i, row in enumerate(theirs["cov"]["names"] if "mean" in theirs else ()):
            value = number(theirs["mean"][i])
            if unit == "z" and abs(number(residual["mean"][i])) < EXACT_CELL * (sd[row] + abs(number(samples[label]["mean"][i]))):
                continue
            tolerance = {"moment": CELL * (sd[row] + abs(value)), "correlation": CELL, "z": STANDARDIZED * (1 + abs(value))}[unit]
            yield Line(f"{prefix}mean {row}", float(mine["mean"].loc[row]), value, slack(name) * tolerance)


def check_implied(name: str, quantity: str) -> None:
    check(name, quantity, moment_lines(name, quiet(lambda: fitted(name).implied()), expected(name)["implied"], "moment"))


def check_residuals(name: str, quantity: str) -> None:
    kind = quantity.removeprefix("residuals_")
    unit = {"raw": "moment", "cor": "correlation", "cor_bentler": "correlation"}.get(kind, "z")
    lines = list(moment_lines(name, quiet(lambda: fitted(name).residuals(type=kind)), expected(name)[quantity], unit))
    if lines:  # a saturated model has nothing but exact zeros on the z scale
        check(name, quantity, lines)


def check_rsquare(name: str, quantity: str) -> None:
    ours, stored = quiet(lambda: fitted(name).rsquare()), expected(name)[quantity]
    lines = [Line(p + v, number(mine[v]), number(t[v]), slack(name) * REL) for p, mine, t in by_group(name, ours, stored) for v in t]
    check(name, quantity, lines)


def check_modindices_rows(name: str, quantity: str) -> None:
    """Check that we list lavaan's rows in its order, and besides them only rows that its scale-dependent threshold hides."""
    ours, theirs = quiet(lambda: fitted(name).modindices()), table(name, expected(name)["modindices"])
    keys = ["lhs", "op", "rhs"] + (["group"] if "group" in ours.columns else [])
    wanted = [tuple(row[key] for key in keys) for row in theirs]
    listed = list(ours[keys].itertuples(index=False, name=None))
    assert [row for row in listed if row in set(wanted)] == wanted, f"{name}, {quantity}: lavaan's rows are missing or in another order"
    hidden = ours.loc[[row not in set(wanted) for row in listed]]
    information = hidden["mi"] / hidden["epc"] ** 2 / fitted(name).nobs
    visible = hidden[(information > HIDDEN) & (hidden["mi"] > ZERO_MI)]
    assert visible.empty, f"{name}, {quantity}: rows that lavaan does not list\n{visible}"


def by_its_value(name: str, row: dict[str, Any]) -> bool:
    """Whether lavaan standardizes the value of a fixed variance, or of a covariance of covariates, in place of its expected change."""
    covariates = {variable for block in fitted(name).model.blocks for variable in block.exogenous}
    return row["op"] == "~~" and (row["lhs"] == row["rhs"] or {row["lhs"], row["rhs"]} <= covariates)


def check_modindices(name: str, quantity: str) -> None:
    stored = table(name, expected(name)["modindices"])
    ours = quiet(lambda: fitted(name).modindices())
    lines = []
    for row, mine, theirs in matched(name, quantity, ours, stored):
        mi = number(theirs["mi"])
        standardized = () if by_its_value(name, theirs) else ("sepc_lv", "sepc_all", "sepc_nox")
        lines.append(Line(f"{row} [mi]", number(mine["mi"]), mi, slack(name) * STANDARDIZED * (1 + mi)))
        if mi < ZERO_MI:
            continue
        for column in ("epc", *standardized):
            value = number(theirs[column])
            lines.append(Line(f"{row} [{column}]", number(mine[column]), value, slack(name) * STANDARDIZED * abs(value) * (1 + 1 / math.sqrt(mi))))
    check(name, quantity, lines)


def usable(name: str, row: pd.Series) -> bool:
    """Whether a row of the data takes part in the fit."""
    fit = fitted(name)
    values = row[list(fit.sample.names)].astype(float)
    if fit.options.missing == "listwise":
        return bool(values.notna().all())
    fixed = [x for block in fit.model.blocks for x in block.fixed] if fit.options.missing != "fiml_x" else []
    return bool(values.notna().any() and values[fixed].notna().all())


def check_scores(name: str, quantity: str) -> None:
    case, stored = CASES[name], expected(name)[quantity]
    scores = quiet(lambda: fitted(name).predict(method=quantity.removeprefix("predict_")))
    data = read(case["data"])
    lines = []
    for prefix, rows in [(g + " ", stored[g]) for g in expected(name).get("groups", [])] or [("", stored)]:
        index = data.index if not prefix else data.index[data[case["options"]["group"]].astype(str) == prefix.strip()]
        used = [i for i in index if usable(name, data.loc[i])]
        frame = (scores[prefix.strip()] if isinstance(scores, dict) else scores).set_axis(used)
        for i, values in zip(index[:5], rows["rows"], strict=True):
            size = np.nanmax(np.abs([number(v) for r in rows["rows"] for v in r]))
            if i not in frame.index:
                assert all(v is None for v in values), f"{name}, {quantity}: lavaan has scores for row {i}, which we dropped"
                continue
            pairs = zip(rows["names"], values, strict=True)
            lines += [Line(f"{prefix}row {i} {f}", float(frame.loc[i, f]), number(v), slack(name) * 10 * REL * size) for f, v in pairs]
    check(name, quantity, lines)


QUANTITIES: dict[str, tuple[str, Callable[[str, str], None]]] = {
    "status": ("fit_measures", check_status),
    "fmin": ("fit_measures", check_fmin),
    "rows": ("estimates", check_rows),
    "estimates": ("estimates", check_estimates),
    **{t: (t, check_standardized) for t in ("std_all", "std_lv", "std_nox")},
    "fit_measures": ("fit_measures", check_fit_measures),
    "coef": ("coef", check_coef),
    "vcov": ("vcov", check_vcov),
    "implied": ("implied", check_implied),
    **{f"residuals_{t}": (f"residuals_{t}", check_residuals) for t in RESIDUALS},
    "rsquare": ("rsquare", check_rsquare),
    "modindices_rows": ("modindices", check_modindices_rows),
    "modindices": ("modindices", check_modindices),
    "predict_regression": ("predict_regression", check_scores),
    "predict_bartlett": ("predict_bartlett", check_scores),
}


def stored_quantities() -> Iterator[tuple[str, str]]:
    """Pair each case with every quantity lavaan could compute for it."""
    for name in CASES:
        for quantity, (block, _) in QUANTITIES.items():
            content = expected(name).get(block)
            empty = not content or (quantity == "modindices" and not content["lhs"])
            if not empty and (name, quantity) not in SKIPPED:
                yield name, quantity


@pytest.mark.parametrize(("name", "quantity"), list(stored_quantities()))
def test_equals_lavaan(name: str, quantity: str) -> None:
    QUANTITIES[quantity][1](name, quantity)


def test_every_case_has_expected_numbers() -> None:
    files = {path.stem for path in (HERE / "lavaan" / "expected").glob("*.json")}
    assert files == set(CASES), f"cases without numbers {sorted(set(CASES) - files)}, numbers without case {sorted(files - set(CASES))}"
    failed = [name for name in CASES if not expected(name).get("converged")]
    assert not failed, f"cases lavaan itself could not fit: {failed}"
