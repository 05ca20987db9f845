"""What the theory forbids, against R's lavaan 0.6-14 and tetrads written out in R (``make.R`` writes ``expected.json`` from ``cases.json``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import DATA, quietly
from trustsem.appraisal.forbidden.forbidden import forbidden
from trustsem.appraisal.forbidden.independencies import independencies
from trustsem.appraisal.forbidden.tetrads import tetrads
from trustsem.theory import Theory

HERE = Path(__file__).parent
CASES: dict[str, Any] = json.loads((HERE / "cases.json").read_text(encoding="utf-8"))
EXPECTED: dict[str, Any] = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))["cases"]
SMALL = {"Relational": ["vul", "aut", "bid"], "Trust": ["t1", "t2", "t3"], "Motivation": ["m1", "m2", "m3"], "Outcomes": ["acc", "app", "fea"]}
FITTED = [name for name, case in CASES.items() if "statements" in case]
CHANGED = [name for name, case in CASES.items() if "added" in case]
TETRADS = [name for name, case in CASES.items() if "tetrads" in case]


def data_of(case: dict[str, Any]) -> pd.DataFrame:
    return ts.load_dataset("survey") if case["data"] == "survey" else pd.read_csv(DATA / f"{case['data']}.csv")


def theory_of(case: dict[str, Any]) -> Theory:
    theory = ts.load_theory("metz2022")
    if case["theory"] == "default":
        return theory
    if case["theory"] == "small":
        return theory.with_indicators(SMALL)
    return theory.with_indicators({node.name: node.indicators[0] for node in theory.nodes}).strict()


def appraised(name: str) -> Any:
    case = CASES[name]
    theory = theory_of(case)
    assert theory.syntax() == case["text"]
    options = {"missing": "listwise", "fixed_x": False, **case["options"]}
    return quietly(ts.appraise, theory, data_of(case), **options)


@pytest.mark.parametrize("name", FITTED)
def test_partial_correlations(name: str) -> None:
    result = independencies(appraised(name))
    wanted = EXPECTED[name]["partial"]
    assert [(s.one, s.other, list(s.given)) for s in result.basis.statements] == [
        (s["one"], s["other"], s["given"]) for s in CASES[name]["statements"]
    ]
    assert np.allclose(result.frame["r"], wanted["r"], rtol=1e-6, atol=1e-7)
    assert np.allclose(result.frame["se"], wanted["se"], rtol=1e-5)


@pytest.mark.parametrize("name", FITTED)
def test_all_at_once(name: str) -> None:
    joint = independencies(appraised(name)).joint_frame.set_index("test")
    wanted = EXPECTED[name]
    scaled = "scaled" if "scaled" in joint.index else "plain"
    assert joint.loc["plain", "statistic"] == pytest.approx(wanted["chisq"]["fit"] - wanted["chisq"]["wide"], rel=1e-6)
    assert joint.loc[scaled, "statistic"] == pytest.approx(wanted["joint"]["statistic"], rel=1e-5)
    assert joint.loc[scaled, "df"] == wanted["joint"]["df"]


@pytest.mark.parametrize("name", CHANGED)
def test_expected_changes(name: str) -> None:
    frame = forbidden(appraised(name), refits=False).frame
    for row, wanted in zip(frame.itertuples(), EXPECTED[name]["changes"], strict=True):
        assert row.x2 == pytest.approx(wanted["mi"], rel=1e-5, abs=1e-7), row.claim
        assert row.epc == pytest.approx(wanted["epc"], rel=1e-5, abs=1e-7), row.claim
        assert row.std == pytest.approx(wanted["sepc"], rel=1e-5, abs=1e-7), row.claim


@pytest.mark.parametrize("name", TETRADS)
def test_tetrads(name: str) -> None:
    case = CASES[name]
    for robust, kind in ((False, "normal"), (True, "free")):
        result = tetrads(quietly(ts.cfa, case["text"], data_of(case)), robust=robust)
        tested = result.frame[result.frame["df"] > 0].set_index("of")
        assert tested.index.tolist() == [part["of"] for part in case["tetrads"]]
        for part, wanted in zip(case["tetrads"], EXPECTED[name], strict=True):
            own = [f"{g}~~{h} {i}~~{j} - {g}~~{i} {h}~~{j}" for g, h, i, j in part["tetrads"]]
            assert result.each.loc[result.each["of"] == part["of"], "tetrad"].tolist() == own
            assert tested.loc[part["of"], "statistic"] == pytest.approx(wanted[kind], rel=1e-6)
