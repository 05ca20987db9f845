from __future__ import annotations

import json
import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trustsem.errors import TrustsemWarning
from trustsem.fitting.search import SearchOptions
from trustsem.fitting.sem import cfa, growth, lavaan, sem
from trustsem.fitting.sem import compile as compiled
from trustsem.fitting.serialise import probability

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "reference" / "data"
THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
LABELS = """ind60 =~ x1 + x2 + x3
dem60 =~ y1 + a*y2 + b*y3 + c*y4
dem65 =~ y5 + a*y6 + b*y7 + c*y8
dem60 ~ p1*ind60
dem65 ~ p2*ind60 + p3*dem60
y1 ~~ y5
y2 ~~ y4 + y6
ind := p1*p3
tot := p1*p3 + p2"""


def quietly(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrustsemWarning)
        return function(*args, **options)


@pytest.fixture(scope="module")
def school():
    return pd.read_csv(DATA / "HolzingerSwineford1939.csv")


def with_missing(frame, rows):
    frame = frame.astype({"x1": float})
    frame.loc[rows, "x1"] = np.nan
    return frame


def _cfa(data):
    return cfa(THREE, data).summary(fit_measures=True, standardized=True, rsquare=True)


def _labels(_):
    return sem(LABELS, pd.read_csv(DATA / "PoliticalDemocracy.csv")).summary(ci=True)


def _groups(data):
    return cfa(THREE, data, group="school", group_equal="loadings").summary(fit_measures=True)


def _groups_missing(data):
    return quietly(cfa, THREE, with_missing(data, [0, 199]), group="school").summary()


def _path(data):
    return quietly(sem, "x1 ~ x4 + x7\nx2 ~ x1 + x4\nx1 ~ 1", with_missing(data, list(range(20)))).summary(standardized=True, rsquare=True)


def _uls(data):
    return cfa(THREE, data, estimator="ULS").summary(fit_measures=True)


def _saturated(data):
    return cfa("f =~ x1 + x2 + x3", data).summary(fit_measures=True)


def _growth(_):
    model = "i =~ 1*t1 + 1*t2 + 1*t3 + 1*t4\ns =~ 0*t1 + 1*t2 + 2*t3 + 3*t4\ni ~ x1\ns ~ x1"
    return growth(model, pd.read_csv(DATA / "Demo_growth.csv")).summary(standardized=True)


CASES = {
    "cfa": _cfa,
    "labels": _labels,
    "groups": _groups,
    "groups_missing": _groups_missing,
    "path": _path,
    "uls": _uls,
    "saturated": _saturated,
    "growth": _growth,
}
OTHER = re.compile(r"^lavaan|^trustsem|Optimization method|Information saturated|^\*\* WARNING|^   \S.*[.a-z]$|^Conventions|engine=")
NUMBER = re.compile(r"-?\d+\.\d{3}")


def comparable(text):
    """Return the lines that both programs print, without those about the search, warnings and conventions."""
    return [line.rstrip() for line in text.splitlines() if line.strip() and not OTHER.search(line)]


@pytest.mark.parametrize("name", CASES)
def test_prints_what_lavaan_prints(name, school):
    expected = comparable((HERE / "summaries" / f"{name}.txt").read_text())
    found = comparable(str(CASES[name](school)))
    # Columns and words are equal character by character; numbers up to lavaan's stopping rule.
    assert [NUMBER.sub(lambda m: "9" * len(m[0]), line) for line in found] == [NUMBER.sub(lambda m: "9" * len(m[0]), line) for line in expected]
    for mine, theirs in zip(found, expected, strict=True):
        numbers = [[float(value) for value in NUMBER.findall(line)] for line in (mine, theirs)]
        assert numbers[0] == pytest.approx(numbers[1], abs=0.00201), theirs


def test_summary_shows_itself(school):
    summary = cfa(THREE, school).summary()
    assert repr(summary) == str(summary) == summary.text
    assert summary.text.endswith("engine=trustsem.\n")
    assert "visual =~" in summary._repr_html_()
    assert 'role="alert"' not in summary._repr_html_()
    with pytest.raises(AttributeError):
        summary.text = ""


def test_header_counts_iterations(school):
    first = str(cfa(THREE, school).summary()).splitlines()[0]
    assert re.fullmatch(r"trustsem.* ended normally after \d+ iterations", first)


def test_no_confidence_intervals_and_no_standardized_columns_unless_asked(school):
    text = str(cfa(THREE, school).summary())
    assert "ci.lower" not in text
    assert "Std.all" not in text
    assert "R-Square" not in text
    assert "CFI" not in text


HEYWOOD = THREE + "\ng =~ visual + textual + speed\ng ~ ageyr + sex"


def test_an_inadmissible_solution_says_so_on_top_and_beside_the_numbers(school):
    fit = quietly(sem, HEYWOOD, school, fixed_x=False)
    text = str(fit.summary())
    alert = text.index("** WARNING TS-FIT-02 ** Inadmissible: the variance of visual is negative")
    assert alert < text.index("Estimator")
    assert text.index("** This solution is inadmissible: see the warning above. **") > text.index("Parameter Estimates:")
    assert "do not" in " ".join(text[alert : alert + 500].split())
    assert 'role="alert"' in fit.summary()._repr_html_()
    assert "NOT ADMISSIBLE" in fit._repr_html_()


def test_an_unidentified_solution_says_so_and_has_no_standard_errors(school):
    fit = quietly(sem, "visual =~ x4 + x5 + x6\ntextual =~ x4 + x5 + x6 + x7 + x8 + x9", school)
    text = str(fit.summary())
    assert text.index("** WARNING TS-ID-01 ** Not identified:") < text.index("Estimator")
    assert "** This solution is not identified: see the warning above. **" in text
    row = next(line for line in text.splitlines() if line.startswith("    x7"))
    assert re.fullmatch(r"    x7 +-?\d+\.\d{3} +NA", row)


def not_converging(data):
    """Return a fit whose search was stopped after one iteration."""
    fitter = compiled(THREE, function="cfa")
    return replace(fitter, search_options=SearchOptions(limit=1, restarts=0)).fit(data)


def test_a_search_that_failed_says_so(school):
    fit = not_converging(school)
    assert not fit.converged
    text = str(fit.summary(fit_measures=True, modindices=True, standardized=True, rsquare=True))
    assert "did NOT end normally after" in text.splitlines()[0]
    assert "** WARNING TS-FIT-01 **" in text
    assert "** This solution is not converged: see the warning above. **" in text
    assert "Fit measures are not available: the model did not converge." in text
    assert "Not available: the model did not converge." in text
    assert "Model Test User Model" not in text
    assert "NOT CONVERGED" in fit._repr_html_()
    content = json.loads(fit.to_json())
    assert content["status"]["converged"] is False
    assert content["status"]["reason"] == fit.reason
    assert content["warnings"][0]["code"] == "TS-FIT-01"


def test_without_standard_errors_only_estimates_are_printed(school):
    text = str(cfa(THREE, school, se="none", test="none").summary(fit_measures=True))
    assert "Std.Err" not in text
    assert "  Standard errors                                 None" in text
    assert "no test was asked for (test='none')" in text
    assert next(line for line in text.splitlines() if line.startswith("    x2")) == "    x2                0.554"


def test_constraints_and_modification_indices(school):
    model = "f =~ NA*x1 + l1*x1 + l2*x2 + l3*x3 + x4\nf ~~ 1*f\nl1 == l2\nx1 ~~ v*x1\nv > 0.1\nl3 < 9"
    lines = str(cfa(model, school).summary(modindices=True)).splitlines()
    assert "    l1 - (l2)                                    0.000" in lines
    assert "    v - (0.1)                                    0.693" in lines
    assert any(re.fullmatch(r"    9 - \(l3\) +8\.\d{3}", line) for line in lines)
    assert "  Number of equality constraints                     1" in lines
    assert "  Number of inequality constraints                   2" in lines
    table = lines[lines.index("Modification Indices:") + 2 :]
    assert table[0].split() == ["lhs", "op", "rhs", "mi", "epc", "sepc.lv", "sepc.all", "sepc.nox"]
    assert table[1].split()[:5] == ["x1", "~~", "x4", "17.104", "0.307"]


def test_only_the_largest_modification_indices_are_printed_and_the_rest_counted(school):
    fit = cfa(THREE, school)
    lines = str(fit.summary(modindices=True)).splitlines()
    start = lines.index("Modification Indices:")
    assert lines[start + 3].split()[:3] == ["visual", "=~", "x9"]
    assert f"  ({len(fit.modindices()) - 25} smaller ones are in fit.modindices().)" in lines


def test_long_names_and_labels_are_never_abbreviated(school):
    frame = school.rename(columns={"x7": "averyverylongname1", "x9": "another_long_name_xyz"})
    text = str(cfa("averylongfactorname =~ averyverylongname1 + alabelthatislong*x8 + another_long_name_xyz + x4", frame).summary())
    for name in ("    averyverylongname1 ", "   .another_long_name_xyz ", "    averylongfactorname "):
        assert any(line.startswith(name) for line in text.splitlines())
    assert re.search(r"^    x8 +\(alabelthatislong\)  ", text, re.MULTILINE)
    rows = [line for line in text.splitlines() if re.search(r"\d\.\d{3}$", line) and line.startswith("    ")]
    assert len({len(line) for line in rows if not line.endswith("1.000")}) == 1


def test_wide_characters_keep_columns_aligned(school):
    text = str(cfa("信頼 =~ x1 + x2 + x3", school).summary())
    line = next(line for line in text.splitlines() if line.startswith("    信頼"))
    other = next(line for line in text.splitlines() if line.startswith("   .x1"))
    assert len(line) + 2 == len(other)


def test_group_rows_without_a_group_are_counted(school):
    frame = school.astype({"school": object})
    frame.loc[3, "school"] = None
    text = str(quietly(cfa, THREE, frame, group="school").summary())
    assert re.search(r"    Rows in no group +0 +1\n", text)


# JSON


def test_json_holds_everything_needed_to_reproduce(school):
    fit = quietly(cfa, THREE, with_missing(school, [4, 5]), meanstructure=True)
    content = json.loads(fit.to_json())
    keys = [
        "schema",
        "versions",
        "model",
        "status",
        "nobs",
        "groups",
        "dropped",
        "npar",
        "df",
        "estimates",
        "fit_measures",
        "warnings",
        "conventions",
        "data",
    ]
    assert list(content) == keys
    assert content["schema"] == "trustsem.fit/1"
    assert set(content["versions"]) == {"trustsem", "numpy", "scipy", "numba", "python"}
    assert content["nobs"] == 299
    assert content["dropped"] == [{"reason": fit.sample.dropped[0].reason, "group": "", "count": 2}]
    assert content["data"] == {"variables": list(fit.sample.names), "fingerprint": fit.sample.fingerprint()}
    assert content["conventions"] == fit.options.conventions()
    frame = fit.parameter_estimates(standardized=True)
    assert [row["est"] for row in content["estimates"]] == frame["est"].tolist()
    assert [row["std_all"] for row in content["estimates"]] == frame["std_all"].tolist()
    assert content["estimates"][0]["z"] is None
    assert content["fit_measures"]["chisq"] == fit.fit_measures()["chisq"]
    assert content["warnings"] == [{"code": w.code, "detail": w.detail, "remedy": w.remedy} for w in fit.warnings]
    assert len(content["model"]["table"]) == len(fit.model.table.rows)


def test_json_is_the_same_every_time_and_has_no_nan(school):
    first, second = cfa(THREE, school).to_json(), cfa(THREE, school).to_json()
    assert first == second
    assert not re.search(r"\b(NaN|Infinity)\b", first)


def test_the_syntax_in_the_json_refits_to_the_same_numbers(school):
    fit = cfa(THREE, school)
    again = lavaan(json.loads(fit.to_json())["model"]["syntax"], school)
    assert again.chisq.df == fit.chisq.df
    assert again.chisq.statistic == pytest.approx(fit.chisq.statistic, rel=1e-10)


# HTML


def test_html_shows_state_measures_and_both_scales(school):
    html = cfa(THREE, school)._repr_html_()
    assert "301 observations, 21 parameters, df 24, converged" in html
    assert "85.306, df = 24, p &lt; .001" in html
    assert "0.092 [0.071, 0.114]" in html
    assert ">std. all</th>" in html
    assert ">0.772</td>" in html
    assert 'role="alert"' not in html
    assert "Conventions: estimator=ML" in html


def test_html_escapes_names(school):
    frame = school.rename(columns={"school": "<b>"})
    html = cfa(THREE, frame, group="<b>", group_label=["Pasteur", "Grant-White"])._repr_html_()
    assert "<b>" not in html
    assert ">Grant-White</td>" in html


def test_html_leaves_out_moments_of_covariates(school):
    html = sem("x1 ~ x4 + x7", school)._repr_html_()
    assert "x1 ~ x4" in html
    assert "x4 ~~ x7" not in html


def test_probability_has_no_leading_zero():
    assert probability(0.0123) == "= .012"
    assert probability(0.0004) == "< .001"
    assert probability(1.0) == "= 1.000"
