"""Models of several waves equal those written by hand and fitted by R's lavaan 0.6-14 (``make.R`` writes ``expected.json``)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import trustsem as ts
from helpers import DATA, quietly
from trustsem.appraisal.waves.waves import Waves, fit_waves

FOLDER = Path(__file__).parent
CASES: dict[str, Any] = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))["cases"]
CLOSE = {"rel": 1e-6, "abs": 1e-7}
SHORT = {"Relational": "Rel", "Trust": "Tru", "Motivation": "Mot"}


@cache
def fitted(name: str) -> Waves:
    case = CASES[name]
    own = FOLDER / f"{case['data']}.csv"
    frame = ts.load_dataset("panel") if case["data"] == "panel" else pd.read_csv(own if own.exists() else DATA / f"{case['data']}.csv")
    theory = ts.load_theory("metz2022").with_indicators(case["constructs"])
    # Found by themselves where names allow it: columns such as t1 and c1 do.
    waves = None if case["waves"][0].startswith("_") else case["waves"]
    found = quietly(fit_waves, theory, frame, waves=waves, **case["call"])
    assert isinstance(found, Waves)
    assert found.waves == tuple(case["waves"])
    return found


def by_hand(name: str, construct: str, wave: str) -> str:
    """Return the variable of the model written by hand."""
    form, column = CASES[name]["call"]["form"], CASES[name]["constructs"][construct]
    number = wave.removeprefix("_w")
    if form == "growth":
        initial = {"level": ("i", "I"), "slope": ("s", "S")}[wave]
        return f"{initial[0]}{column[0]}" if len(column) == 1 else f"{SHORT[construct]}{initial[1]}"
    if len(column) == 1:
        return f"{'w' if form == 'random_intercept' else ''}{column[0]}{number}"
    return f"{SHORT[construct]}{'W' if form == 'random_intercept' else ''}{number}"


def expected_rows(name: str) -> dict[tuple[str, str, str], dict[str, float]]:
    return {(row["lhs"], row["op"], row["rhs"]): row for row in EXPECTED[name]["rows"]}


@pytest.mark.parametrize("name", CASES)
def test_every_effect_from_wave_to_wave(name: str) -> None:
    rows, seen = expected_rows(name), 0
    for row in fitted(name).by_wave.to_dict("records"):
        want = rows[by_hand(name, row["effect"], row["to"]), "~", by_hand(name, row["cause"], row["from"])]
        assert [row[key] for key in ("est", "se", "std", "std_se")] == pytest.approx([want[key] for key in ("est", "se", "std", "std_se")], **CLOSE)
        seen += 1
    assert seen == sum(op == "~" for _, op, _ in rows)


@pytest.mark.parametrize("name", CASES)
def test_tests_and_likelihood(name: str) -> None:
    found, want = fitted(name), EXPECTED[name]
    assert found.fit.nobs == want["n"]
    measures = {key.replace(".", "_"): value for key, value in want["measures"].items()}
    assert found.fit.fit_measures(list(measures)).tolist() == pytest.approx(list(measures.values()), rel=1e-6)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "drop" in case])
def test_difference_without_the_added_effect(name: str) -> None:
    tests = fitted(name).tests
    assert tests is not None
    row = tests.frame.set_index("question").loc["Are the effects that you added needed?"]
    want = EXPECTED[name]["difference"]
    assert row[["chisq_diff", "df_diff"]].tolist() == pytest.approx([want["chisq_diff"], want["df_diff"]], rel=1e-6)
    assert row["pvalue"] == pytest.approx(want["pvalue"], rel=1e-6)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case["call"]["form"] == "growth"])
def test_mean_slopes(name: str) -> None:
    """The mean slope of a construct that nothing explains is the intercept of its slope."""
    row = fitted(name).autoregressions.set_index("construct").loc["Trust"]
    want = expected_rows(name)[by_hand(name, "Trust", "slope"), "~1", ""]
    assert [row["slope_mean"], row["slope_mean_se"]] == pytest.approx([want["est"], want["se"]], **CLOSE)
