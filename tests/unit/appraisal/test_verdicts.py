"""The rule that turns estimates into verdicts."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from trustsem.appraisal.verdicts import VERDICTS, holm, judge
from trustsem.errors import OptionError


@pytest.mark.parametrize("size", [0, 1, 2, 13, 50])
def test_holm_equals_statsmodels(size: int) -> None:
    pvalues = np.random.default_rng(size).uniform(size=size) ** 3
    expected = multipletests(pvalues, method="holm")[1] if size else pvalues
    np.testing.assert_allclose(holm(pvalues), expected, rtol=1e-14)


def test_holm_keeps_ties_equal() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.01, 0.9])), [0.04, 0.08, 0.04, 0.9])


@pytest.mark.parametrize(
    ("estimate", "se", "sign", "verdict", "size_shown"),
    [
        (0.50, 0.05, 1, "supported", True),
        (0.12, 0.03, 1, "supported", False),
        (0.03, 0.01, 1, "supported but small", False),
        (-0.50, 0.05, 1, "contradicted", False),
        (-0.50, 0.05, -1, "supported", True),
        (0.01, 0.02, 1, "negligible", False),
        (0.05, 0.10, 1, "undetermined", False),
    ],
)
def test_each_verdict_is_reached(estimate: float, se: float, sign: int, verdict: str, size_shown: bool) -> None:
    judged = judge(np.array([estimate]), np.array([se]), np.array([0.10]), [sign])
    assert judged.verdict == (verdict,)
    assert bool(judged.size_shown[0]) is size_shown
    assert verdict in VERDICTS


def test_more_claims_make_every_claim_harder() -> None:
    alone = judge(np.array([0.11]), np.array([0.05]), np.array([0.1]), [1])
    among = judge(np.full(10, 0.11), np.full(10, 0.05), np.full(10, 0.1), [1] * 10)
    assert alone.verdict == ("supported",)
    assert among.verdict == ("undetermined",) * 10


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1])
def test_alpha_is_a_level(alpha: float) -> None:
    with pytest.raises(OptionError, match="not a significance level"):
        judge(np.array([0.1]), np.array([0.1]), np.array([0.1]), [1], alpha)


@pytest.mark.parametrize("se", [np.nan, 0.0, -1.0, np.inf])
def test_no_verdict_without_a_standard_error(se: float) -> None:
    with pytest.raises(OptionError, match="no standard error"):
        judge(np.array([0.1]), np.array([se]), np.array([0.1]), [1])
