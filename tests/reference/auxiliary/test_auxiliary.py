"""Auxiliary variables as saturated correlates give semTools' numbers (expected.json, made by make.R)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trustsem as ts

HERE = Path(__file__).parent
STORED = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
DATA = pd.read_csv(HERE.parent / "data" / "hs_mcar.csv")


@pytest.mark.parametrize("estimator", STORED["fits"])
def test_saturated_correlates_equal_semtools(estimator: str) -> None:
    fit = ts.cfa(STORED["model"], DATA, missing="fiml", auxiliary=["x7", "x8"], estimator=estimator)
    expected = STORED["fits"][estimator]
    ours = fit.parameter_estimates()
    values = {frozenset((row.lhs, row.rhs)) | {row.op}: (row.est, row.se) for row in ours.itertuples()}
    assert len(values) == len(ours)
    for row in expected["estimates"]:
        est, se = values[frozenset((row["lhs"], row["rhs"])) | {row["op"]}]
        assert est == pytest.approx(row["est"], abs=2e-5), row
        assert se == pytest.approx(row["se"], abs=2e-5), row
    measures = fit.fit_measures()
    for name, value in expected["measures"].items():
        assert measures[name.replace(".", "_")] == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize("missing", ["two_stage", "robust_two_stage"])
def test_two_stages_and_casewise_likelihood_agree_up_to_sampling_error(missing: str) -> None:
    first = ts.cfa(STORED["model"], DATA, missing="fiml", auxiliary=["x7", "x8"]).parameter_estimates()
    second = ts.cfa(STORED["model"], DATA, missing=missing, auxiliary=["x7", "x8"]).parameter_estimates()
    both = second.merge(first, on=["lhs", "op", "rhs"], suffixes=("", "_fiml"))
    assert len(both) == len(second)
    free = both["se"] > 0
    assert (np.abs(both["est"] - both["est_fiml"])[free] < 0.3 * both["se_fiml"][free]).all()


def test_auxiliary_variables_leave_the_degrees_of_freedom_alone() -> None:
    plain = ts.cfa(STORED["model"], DATA, missing="fiml")
    helped = ts.cfa(STORED["model"], DATA, missing="fiml", auxiliary="x7")
    assert helped.df == plain.df
    assert helped.baseline.df == plain.baseline.df
    grouped = ts.sem("x1 ~ x2 + x3\nx4 ~ x1", DATA, missing="fiml", auxiliary=["x7"], group="school")
    assert grouped.df == 4
    assert grouped.converged
