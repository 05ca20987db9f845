"""Comparisons equal those of R's lavaan 0.6-14 and semTools 0.5-6 (``make.R`` writes ``expected.json`` from ``cases.json``).

Where they are not followed:

* The degrees of freedom of a total score test are those that releasing the restrictions identifies; lavaan counts the restrictions (``hs_groups``,
  equal intercepts: 12 and not 15, because intercepts and latent means are not identified together). The statistic is the same.
* Satorra & Bentler's (2010) test for MLR: lavaan takes the Hessian of the general model away from its minimum, where it depends on how the model is
  scaled (``hs_mlr``: another number with std.lv=TRUE) and need not be definite. Ours takes the expected information; lavaan's is computed here.
* The same test where the general model fixes what the restricted one frees (metric and scalar invariance: latent means) is not compared: lavaan puts
  the restricted estimates into the general model parameter by parameter, and so at moments that the restricted model does not imply.
* lavaan's score test of a parameter that the text fixes (``0*x``) is 0, where its modification index is not; ours is the modification index.
* For GLS lavaan's expected changes have the wrong sign: freed parameters move the other way (``hs_gls``).
* Expected changes are NaN where the larger model is not identified; lavaan's come from a generalised inverse.
"""

from __future__ import annotations

import json
import math
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import DATA, quietly
from trustsem.fitting.comparison import Comparison, anova
from trustsem.fitting.nesting import at_restricted, nested
from trustsem.fitting.restrictions import restrictions_of
from trustsem.fitting.score import score_test
from trustsem.fitting.wald import wald_test
from trustsem.inference.difference import satorra_bentler

FOLDER = Path(__file__).parent
CASES: dict[str, Any] = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))["cases"]
CLOSE = {"rel": 1e-6, "abs": 1e-7}


def tasks(kind: str) -> list[tuple[str, int]]:
    return [(name, k) for name, case in CASES.items() for k in range(len(case.get(kind, ())))]


@cache
def fitted(name: str, model: str) -> ts.Fit:
    case = CASES[name]
    written = case["models"][model]
    options = case.get("options", {}) | written.get("options", {})
    frame = pd.read_csv(DATA / f"{case['data']}.csv")
    fit = quietly(getattr(ts, case["function"]), "\n".join(written["text"]), frame, **options)
    assert isinstance(fit, ts.Fit)
    return fit


def compared(name: str, spec: dict[str, Any]) -> Comparison:
    fits = {model: fitted(name, model) for model in spec["models"]}
    found = quietly(anova, method=spec.get("method", "default"), scaled_shifted=spec.get("shifted", True), **fits)
    assert isinstance(found, Comparison)
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_fits_are_the_same(name: str) -> None:
    for model, expected in EXPECTED[name]["fits"].items():
        assert fitted(name, model).df == expected["df"]
        assert fitted(name, model).chisq.statistic == pytest.approx(expected["chisq"], **CLOSE)


@pytest.mark.parametrize(("name", "k"), tasks("lrt"))
def test_difference_tests(name: str, k: int) -> None:
    spec, expected = CASES[name]["lrt"][k], EXPECTED[name]["lrt"][k]
    found = compared(name, spec)
    frame = found.frame.copy()
    if found.method == "satorra_bentler_2010" and fitted(name, spec["models"][0]).options.scaled_test == "yuan_bentler_mplus":
        frame.loc[frame.index[1], ["chisq_diff", "pvalue"]] = by_hessian(*(fitted(name, model) for model in spec["models"]))
    assert list(frame.index) == expected["models"]
    assert (found.method != "standard") is expected["scaled"]
    for column in ("df", "aic", "bic", "chisq", "chisq_diff", "df_diff", "pvalue", "rmsea"):
        values = expected.get(column)
        if not values:
            assert frame[column].isna().all()
            continue
        for number, value in zip(frame[column], values, strict=True):
            if value in (None, "NA"):
                assert math.isnan(number), column
            else:
                assert number == pytest.approx(float(value), **CLOSE), column


def by_hessian(general: ts.Fit, restricted: ts.Fit) -> tuple[float, float]:
    """Return the test with the general model's own scaling factor at the restricted estimates."""
    moved = at_restricted(general, restricted)
    assert moved is not None
    found = satorra_bentler(restricted.chisq, restricted.scaled.scaling, general.chisq, moved.scaled.scaling)
    return found.statistic, found.pvalue


@pytest.mark.parametrize(("name", "k"), tasks("score"))
def test_score_tests(name: str, k: int) -> None:
    spec, expected = CASES[name]["score"][k], EXPECTED[name]["score"][k]
    fit = fitted(name, spec["model"])
    release = spec.get("release")
    names = [restriction.name for restriction in restrictions_of(fit)]
    found = score_test(fit, release=None if release is None else [names[number - 1] for number in release], add=spec.get("add"))
    total = expected["total"]
    assert found.total.statistic == pytest.approx(total["x2"], **CLOSE)
    identified = bool(found.epc["epc"].notna().any())
    assert found.total.df == (total["df"] if identified else 12)
    listed = {key: value if isinstance(value, list) else [value] for key, value in expected["uni"].items()}
    assert list(found.univariate["lhs"]) == listed["lhs"]
    np.testing.assert_allclose(found.univariate["x2"], listed["x2"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.univariate["pvalue"], listed["p"], rtol=1e-6, atol=1e-7)
    if identified:
        assert found.total.pvalue == pytest.approx(total["p"], **CLOSE)
        sign = -1.0 if fit.options.estimator == "GLS" else 1.0
        assert compared_changes(found.epc, expected["epc"], sign) >= len(fit.model.free_rows)


def compared_changes(table: pd.DataFrame, expected: dict[str, Any], sign: float) -> int:
    """Compare the expected changes of the parameters that both have; return how many."""
    group = table["group"] if "group" in table else pd.Series(1, index=table.index)
    own = {key: value for *key, value in zip(table["lhs"], table["op"], table["rhs"], group, table["epc"], strict=True) for key in [tuple(key)]}
    blocks = expected["block"] or [1] * len(expected["lhs"])
    count = 0
    for lhs, op, rhs, block, change in zip(expected["lhs"], expected["op"], expected["rhs"], blocks, expected["epc"], strict=True):
        if change is not None and (lhs, op, rhs, block) in own:
            assert own[lhs, op, rhs, block] == pytest.approx(sign * change, rel=1e-5, abs=1e-6), (lhs, op, rhs, block)
            count += 1
    return count


def test_expected_changes_of_least_squares_point_where_the_freed_parameters_go() -> None:
    """The sign in which lavaan is not followed."""
    equal, free = fitted("hs_gls", "equal"), fitted("hs_gls", "free")
    moved = free.parameter_estimates()["est"] - equal.parameter_estimates()["est"]
    change = score_test(equal).epc["epc"]
    assert np.corrcoef(moved[change.notna()], change.dropna())[0, 1] > 0.9


@pytest.mark.parametrize(("name", "k"), tasks("wald"))
def test_wald_tests(name: str, k: int) -> None:
    spec, expected = CASES[name]["wald"][k], EXPECTED[name]["wald"][k]
    found = wald_test(fitted(name, spec["model"]), spec["constraints"])
    assert found.df == expected["df"]
    assert found.statistic == pytest.approx(expected["stat"], **CLOSE)
    assert found.pvalue == pytest.approx(expected["p"], **CLOSE)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "net" in case])
def test_nesting(name: str) -> None:
    expected = EXPECTED[name]["net"]
    models = expected["models"]
    order = sorted(range(len(models)), key=lambda place: expected["df"][place])
    for one, other in combinations(order, 2):
        row, column = (one, other) if expected["df"][one] > expected["df"][other] else (other, one)
        found = nested(fitted(name, models[row]), fitted(name, models[column]))
        assert found.nested is expected["nested"][row][column], (models[row], models[column])
