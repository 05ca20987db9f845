"""Effects along routes, in total and their differences equal the defined parameters of R's lavaan 0.6-14, raw and standardized, with their errors.

So do the difference test of "through one construct only" and the arrows past it. ``make_cases.py`` writes the models, ``make.R`` the numbers.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.appraisal.mechanism.mechanism import Mechanism, mechanism
from trustsem.theory import parse_theory

FOLDER = Path(__file__).parent
CASES: dict[str, Any] = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))["cases"]


@cache
def told(name: str) -> Mechanism:
    case = CASES[name]
    theory = ts.load_theory("metz2022") if case["theory"] == "metz2022" else parse_theory(case["theory"])
    data = pd.read_csv(FOLDER / case["data"])
    settings = {"estimator": "ML", "missing": "listwise", **case["options"]}
    appraisal = quietly(ts.appraise, theory, data, **settings)
    assert appraisal.fit.nobs == EXPECTED[name]["nobs"]
    return mechanism(appraisal)


def found(name: str) -> pd.DataFrame:
    """Return what is computed here, in the order of the definitions of a case."""
    result = told(name)
    totals = result.frame[result.frame["kind"] == "total"]
    tables = {
        "total": totals.assign(key=totals["cause"] + " -> " + totals["outcome"]),
        "route": result.routes.frame.assign(key=result.routes.frame["route"]),
        "contrast": result.contrasts.frame.assign(key=result.contrasts.frame["on"]),
    }
    rows = []
    for entry in CASES[name]["definitions"]:
        table = tables[entry["kind"]]
        match = table[table["key"] == entry["key"]]
        if len(match):  # contrasts are made on first effects and outcomes only
            rows.append(match.iloc[0][["est", "se", "std", "std_se"]].tolist())
        else:
            assert entry["kind"] == "contrast"
            rows.append([np.nan] * 4)
    return pd.DataFrame(rows, columns=["est", "se", "std", "std_se"]).astype(float)


@pytest.mark.parametrize("name", CASES)
def test_effects_equal_defined_parameters(name: str) -> None:
    table = found(name)
    assert table.notna().all(axis=1).sum() >= len(table) - 5
    for column in table:
        have = table[column].notna().to_numpy()
        want = np.array(EXPECTED[name][column], dtype=float)
        np.testing.assert_allclose(table[column][have], want[have], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "freed" in case])
def test_through_one_construct_only_is_the_difference_test(name: str) -> None:
    bypass, want = told(name).bypass, EXPECTED[name]["test"]
    assert bypass is not None
    assert bypass.through == CASES[name]["through"]
    assert bypass.test.df == want["df"]
    assert bypass.test.statistic == pytest.approx(want["statistic"], rel=1e-6)
    assert bypass.test.pvalue == pytest.approx(want["pvalue"], rel=1e-5)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "freed" in case])
def test_arrows_past_it_equal_those_of_the_larger_model(name: str) -> None:
    bypass, want = told(name).bypass, EXPECTED[name]["paths"]
    assert bypass is not None
    assert bypass.fit is not None
    theory = ts.load_theory("metz2022") if CASES[name]["theory"] == "metz2022" else parse_theory(CASES[name]["theory"])
    variable = {node.name: node.variable for node in theory.nodes}
    place = {(lhs, rhs): k for k, (lhs, rhs) in enumerate(zip(want["lhs"], want["rhs"], strict=True))}
    rows = [place[variable[row.effect], variable[row.cause]] for row in bypass.frame.itertuples()]
    assert len(rows) == bypass.test.df
    np.testing.assert_allclose(bypass.frame["std"], np.array(want["std"])[rows], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(bypass.frame["se"], np.array(want["se"])[rows], rtol=1e-6)
