"""How often verdicts are wrong where the truth is known: the full theory at n = 400 with two paths that are not there."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

import trustsem as ts
from trustsem.appraisal.verdicts import judge

pytestmark = pytest.mark.slow

N, REPLICATIONS, ALPHA = 400, 400, 0.05
ABSENT = {"Opportunity -> Commitment": 0.0, "Motivation -> Resilience": 0.0}


@cache
def verdicts() -> dict[str, list[str]]:
    """Return the verdicts on every claim in every replication."""
    theory = ts.load_theory("metz2022")
    population = theory.population("calibrated", paths=ABSENT)
    fitter = ts.compile(theory)
    order = [population.names.index(name) for name in fitter.observed]
    root = np.linalg.cholesky(population.cov[np.ix_(order, order)])
    rng = np.random.default_rng(20261123)
    rows = [k for k, row in enumerate(fitter.model.table.rows) if row.op == "~"]
    keys = [f"{fitter.model.table.rows[k].rhs} -> {fitter.model.table.rows[k].lhs}" for k in rows]
    found: dict[str, list[str]] = {key: [] for key in keys}
    for _ in range(REPLICATIONS):
        table = fitter.fit(rng.standard_normal((N, root.shape[0])) @ root.T).standardized_solution().iloc[rows]
        judged = judge(table["est_std"].to_numpy(), table["se"].to_numpy(), np.full(len(rows), 0.10), [1] * len(rows), ALPHA)
        for key, verdict in zip(keys, judged.verdict, strict=True):
            found[key].append(verdict)
    return found


def rate(key: str, *wanted: str) -> float:
    return float(np.mean([verdict in wanted for verdict in verdicts()[key]]))


def test_a_sign_is_rarely_claimed_where_there_is_no_effect() -> None:
    """Holm holds the chance of any false sign in the family at alpha, so that of the two absent paths together is at most that."""
    pairs = zip(*(verdicts()[key] for key in ABSENT), strict=True)
    false = float(np.mean([any(v in ("supported", "supported but small", "contradicted") for v in pair) for pair in pairs]))
    assert 0.0 < false <= ALPHA + 3.0 * math.sqrt(ALPHA * (1.0 - ALPHA) / REPLICATIONS), false


def test_a_present_effect_is_never_called_contradicted_or_negligible_here() -> None:
    present = [key for key in verdicts() if key not in ABSENT]
    assert max(rate(key, "contradicted") for key in present) <= 0.01
    assert rate("Trust -> Motivation", "supported") >= 0.99


def test_absent_effects_are_mostly_left_open_at_this_size() -> None:
    """400 people do not suffice to show |b| < .10 when 13 claims share the error rate: the honest verdict is "undetermined"."""
    for key in ABSENT:
        assert rate(key, "undetermined", "negligible") >= 0.95
        assert rate(key, "undetermined") > rate(key, "negligible")
