"""Robust tests reject a true model, and robust intervals cover, as often as theory promises: nine items, n = 1,000.

What the cases are is in ``regimes.py``; the rates of more replications, and of the tests that are known to miss, are on the page "How far to trust a
test" of the documentation.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from regimes import CASES, measured, within

pytestmark = pytest.mark.slow

REPLICATIONS, SEED = 800, 20260401


def test_every_kind_of_robust_test_is_promised_somewhere() -> None:
    from trustsem.options import SCALED_TESTS

    promised = {test for case in CASES.values() for test in case.promised}
    assert {"standard", *SCALED_TESTS, "browne_residual_nt", "browne_residual_nt_model"} <= promised


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.promised])
def test_true_models_are_rejected_as_often_as_promised(name: str) -> None:
    found = measured(name, REPLICATIONS, SEED)
    error = math.sqrt(0.05 * 0.95 / REPLICATIONS)
    for test in CASES[name].promised:
        rate = found.rejected[test]
        assert within(rate, 0.05, REPLICATIONS), f"{name}, {test}: {rate:.4f} (Monte Carlo error {error:.4f})"


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.covers])
def test_intervals_cover_as_often_as_promised(name: str) -> None:
    found = measured(name, REPLICATIONS, SEED)
    for parameter in ("x=~x2", "m~x", "y~m", "x~~x", "indirect:=a*b"):
        rate = found.covered[parameter]
        assert within(rate, 0.95, REPLICATIONS), f"{name}, {parameter}: {rate:.4f}"
    wrong = {key: rate for key, rate in found.covered.items() if not within(rate, 0.95, REPLICATIONS)}
    # Of up to 31 rates at 3 standard errors one beyond would be chance; two would not.
    assert len(wrong) <= 1, f"{name}: {wrong}"


def test_what_the_corrections_are_for() -> None:
    """The same data without them: the test rejects far too often, and intervals do not cover."""
    heavy = measured("heavy: ML", 200, SEED)
    assert heavy.rejected["standard"] > 0.30
    assert float(np.mean(list(heavy.covered.values()))) < 0.90
    teams = measured("100 teams of 10: ML", 200, SEED)
    assert float(np.mean(list(teams.covered.values()))) < 0.93
    listwise = measured("missing at random, normal: listwise", 200, SEED)
    assert listwise.covered["y1~1"] < 0.50
