"""Parameters held at standardized values, against the same conditions written as nonlinear constraints in lavaan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trustsem as ts
from trustsem.appraisal.sensitivity.holding import keep, prepare_holding
from trustsem.spec.table import Row

TEXT = """
visual =~ x1 + x2 + x3
textual =~ x4 + x5 + x6
speed =~ x7 + x8 + x9
textual ~ visual
speed ~ textual
"""
CASES = json.loads((Path(__file__).parent / "expected.json").read_text(encoding="utf-8"))["cases"]
DATA = ts.load_dataset("holzinger_swineford")


def name_of(case: dict[str, Any]) -> str:
    return f"{case['kind']} {case['at']} {case['estimator']}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_estimates_and_errors_equal_those_of_lavaan(case: dict[str, Any]) -> None:
    more: list[Row] = []
    if case["kind"] == "common cause":
        held = [Row(case["left"], "~~", case["right"])]
    elif case["kind"] == "method":
        held = [Row("method", "=~", f"x{k}") for k in range(1, 10)]
        more = [Row("method", "~~", "method", free=False, ustart=1.0)]
    else:
        held = [Row("speed", "=~", "x6")]
    holding = prepare_holding(ts.sem(TEXT, DATA, estimator=case["estimator"]), [*held, *more], held)
    start = keep(holding, np.zeros(len(held)))
    kept = keep(holding, np.full(len(held), case["at"]), start)
    assert kept is not None
    table = kept.fit.standardized_solution()
    paths = table[table["op"] == "~"].set_index(["lhs", "rhs"]).loc[list(zip(case["lhs"], case["rhs"], strict=True))]
    # lavaan's own search stops at about 1e-6.
    np.testing.assert_allclose(paths["est_std"], case["std"], atol=3e-6)
    np.testing.assert_allclose(paths["se"], case["se"], atol=5e-6)
    assert kept.fit.chisq.statistic == pytest.approx(case["chisq"], abs=1e-4)
    assert kept.fit.df == case["df"]
