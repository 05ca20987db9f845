"""Severity and the chances of verdicts, against their definitions and against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from trustsem.appraisal.verdicts import holm, judge
from trustsem.inference.severity import chances, chances_in_family, holm_levels, severity_beyond


def test_severity_is_the_probability_of_a_less_favourable_result() -> None:
    estimate, se = np.array([0.2, -0.1]), np.array([0.05, 0.08])
    assert np.allclose(severity_beyond(estimate, se, 0.1), norm.cdf(estimate, loc=0.1, scale=se), rtol=1e-14)
    # That of b > 0 is one minus the one-sided p-value.
    assert np.allclose(severity_beyond(estimate, se, 0.0), 1.0 - norm.sf(estimate / se), rtol=1e-12)


@given(st.lists(st.floats(0.0, 0.2), min_size=1, max_size=8), st.sampled_from([0.01, 0.05, 0.2]))
@settings(max_examples=300, deadline=None)
def test_a_member_is_rejected_just_where_its_p_value_is_below_its_level(values: list[float], alpha: float) -> None:
    p = np.array(values)
    levels = holm_levels(p, alpha)
    assert np.all((levels >= alpha / p.size - 1e-15) & (levels <= alpha))
    adjusted = holm(p)
    decided = (np.abs(adjusted - alpha) > 1e-9) & (np.abs(p - levels) > 1e-12)  # ties are decided by rounding
    assert np.array_equal((p < levels)[decided], (adjusted < alpha)[decided])


def judged(values: np.ndarray, se: float, d: float, alpha: float) -> dict[str, float]:
    """Return shares of verdicts over equally likely estimates, by the rule itself."""
    verdicts, sizes = [], []
    for value in values:
        found = judge(np.array([value]), np.array([se]), np.array([d]), [1], alpha)
        verdicts.append(found.verdict[0])
        sizes.append(found.size_shown[0])
    share = {name: verdicts.count(name) / len(verdicts) for name in set(verdicts)}
    return {
        "supported": share.get("supported", 0.0) + share.get("supported but small", 0.0),
        "contradicted": share.get("contradicted", 0.0),
        "negligible": share.get("negligible", 0.0),
        "size_shown": float(np.mean(sizes)),
    }


@pytest.mark.parametrize(("value", "se", "d"), [(0.0, 0.07, 0.1), (-0.1, 0.03, 0.1), (0.1, 0.02, 0.1), (0.0, 0.02, 0.1), (0.3, 0.07, 0.2)])
def test_chances_of_one_claim_are_those_of_the_rule(value: float, se: float, d: float) -> None:
    quantiles = norm.ppf((np.arange(2000) + 0.5) / 2000, loc=value, scale=se)
    expected, found = judged(quantiles, se, d, 0.05), chances(value, np.asarray(se), d, 0.05, 0.05, 0.05)
    for name, share in expected.items():
        assert float(getattr(found, name)) == pytest.approx(share, abs=1.1e-3), name
    alone = chances_in_family(0, np.array([value]), np.array([[se**2]]), np.array([d]), 0.05)
    assert float(alone.denied) == pytest.approx(float(found.denied), abs=1e-12)
    assert float(alone.supported + alone.denied + alone.undetermined) == pytest.approx(1.0)


def test_chances_of_a_claim_among_others_are_those_of_the_rule() -> None:
    rng = np.random.default_rng(3)
    mean, d = np.array([-0.1, 0.25, 0.12, 0.0]), np.full(4, 0.1)
    root = rng.standard_normal((4, 4)) * 0.02 + np.diag([0.03, 0.05, 0.04, 0.05])
    cov = root @ root.T
    se = np.sqrt(np.diag(cov))
    draws = rng.standard_normal((5000, 4)) @ root.T + mean
    judgements = [judge(row, se, d, [1] * 4) for row in draws]
    verdicts, sizes = np.array([one.verdict for one in judgements]), np.array([one.size_shown for one in judgements])
    for member in range(4):
        found = chances_in_family(member, mean, cov, d, 0.05)
        own = verdicts[:, member]
        for share, expected in (
            (np.isin(own, ("supported", "supported but small")), found.supported),
            (own == "contradicted", found.contradicted),
            (own == "negligible", found.negligible),
            (sizes[:, member], found.size_shown),
        ):
            error = np.sqrt(max(share.mean() * (1 - share.mean()), 1e-4) / len(draws))
            assert abs(float(expected) - share.mean()) < 4 * error + 0.003
