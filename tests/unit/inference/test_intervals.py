"""Intervals against spelled-out formulas, scipy, and the intervals that lavaan makes of its own draws."""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from trustsem.inference import intervals

PHI = NormalDist()
REFERENCE = Path(__file__).parents[2] / "reference" / "bootstrap" / "intervals.json"


def column(values: list[float] | np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=float)[:, None]


def spelled_quantile(values: list[float], p: float) -> float:
    """Order statistic (B + 1) p, interpolated on the scale of normal quantiles."""
    ordered, size = sorted(values), len(values)
    place = (size + 1) * p
    k = math.floor(place)
    if abs(place - round(place)) < 1e-9:
        return ordered[round(place) - 1]
    left, right, here = (PHI.inv_cdf(x / (size + 1)) for x in (k, k + 1, place))
    return ordered[k - 1] + (here - left) / (right - left) * (ordered[k] - ordered[k - 1])


def spelled_bca(values: list[float], estimate: float, left_out: list[float], level: float) -> tuple[float, float]:
    below = sum(1.0 if value < estimate else 0.5 if value == estimate else 0.0 for value in values)
    z0 = PHI.inv_cdf(below / len(values))
    centre = sum(left_out) / len(left_out)
    a = sum((centre - x) ** 3 for x in left_out) / (6.0 * sum((centre - x) ** 2 for x in left_out) ** 1.5)
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        z = z0 + PHI.inv_cdf(tail)
        ends.append(spelled_quantile(values, PHI.cdf(z0 + z / (1.0 - a * z))))
    return ends[0], ends[1]


def resampled(statistic: object, data: np.ndarray, draws: int, seed: int) -> tuple[float, list[float], list[float]]:
    rng = np.random.default_rng(seed)
    n = len(data)
    values = [float(statistic(data[rng.integers(0, n, n)])) for _ in range(draws)]  # type: ignore[operator]
    left_out = [float(statistic(np.delete(data, k, axis=0))) for k in range(n)]  # type: ignore[operator]
    return float(statistic(data)), values, left_out  # type: ignore[operator]


def correlation(rows: np.ndarray) -> float:
    return float(np.corrcoef(rows.T)[0, 1])


CASES = {
    "mean": (np.mean, np.random.default_rng(3).exponential(size=40)),
    "correlation": (correlation, np.random.default_rng(4).multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 30)),
}


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("case", CASES)
def test_bca_is_what_its_definition_says(case: str, level: float) -> None:
    estimate, values, left_out = resampled(*CASES[case], draws=777, seed=1)
    a = intervals.acceleration(column(left_out), np.zeros(len(left_out), dtype=np.int64))
    found = intervals.bias_corrected_accelerated(column(values), np.array([estimate]), level, a)
    assert (found.lower[0], found.upper[0]) == pytest.approx(spelled_bca(values, estimate, left_out, level), rel=1e-12)
    assert abs(a[0]) > 0.01  # the case is one in which the acceleration matters


@pytest.mark.parametrize("case", CASES)
def test_bca_agrees_with_scipy(case: str) -> None:
    """The draws and z0 are shared; scipy interpolates between draws in another way, so the ends differ by a gap between neighbours at most."""
    stats = pytest.importorskip("scipy.stats")
    statistic, data = CASES[case]

    def on_axis(*samples: np.ndarray, axis: int = -1) -> np.ndarray:
        stacked = np.stack(samples, axis=-1)
        flat = np.moveaxis(stacked, axis - 1 if axis < 0 else axis, -2)
        return np.apply_along_axis(lambda row: statistic(row.reshape(flat.shape[-2:]).squeeze()), -1, flat.reshape(*flat.shape[:-2], -1))

    samples = (data,) if data.ndim == 1 else tuple(data.T)
    theirs = stats.bootstrap(samples, on_axis, n_resamples=1999, paired=True, vectorized=True, method="BCa", rng=np.random.default_rng(5))
    values = np.sort(theirs.bootstrap_distribution)
    left_out = np.array([statistic(np.delete(data, k, axis=0)) for k in range(len(data))])
    a = intervals.acceleration(column(left_out), np.zeros(len(data), dtype=np.int64))
    ours = intervals.bias_corrected_accelerated(column(values), np.array([statistic(data)]), 0.95, a)
    for mine, other in zip((ours.lower[0], ours.upper[0]), theirs.confidence_interval, strict=True):
        place = int(np.searchsorted(values, other))
        assert values[max(place - 2, 0)] <= mine <= values[place + 1]
    assert ours.lower[0] != pytest.approx(intervals.percentile(column(values), 0.95).lower[0], rel=1e-4)


def test_the_acceleration_of_a_mean_is_a_sixth_of_its_skewness() -> None:
    values = np.random.default_rng(0).exponential(size=200)
    n = len(values)
    left_out = (values.sum() - values) / (n - 1)
    skewness = np.mean((values - values.mean()) ** 3) / values.std() ** 3
    found = intervals.acceleration(column(left_out), np.zeros(n, dtype=np.int64))
    assert found[0] == pytest.approx(skewness / (6.0 * math.sqrt(n)), rel=1e-10)


def test_the_acceleration_of_a_difference_of_means_counts_each_group_by_its_size() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.exponential(size=30), rng.exponential(size=80)
    left_out = np.concatenate(
        [(first.sum() - first) / 29 - second.mean(), first.mean() - (second.sum() - second) / 79],
    )
    found = intervals.acceleration(column(left_out), np.repeat([0, 1], [30, 80]))
    influence = [(first - first.mean()) / 30, -(second - second.mean()) / 80]
    cubes, squares = (sum(float((part**power).sum()) for part in influence) for power in (3, 2))
    assert found[0] == pytest.approx(cubes / (6.0 * squares**1.5), rel=1e-10)


def test_leaving_out_parts_gives_nearly_the_same_acceleration() -> None:
    rng = np.random.default_rng(2)
    values = rng.exponential(size=2000)
    whole = intervals.acceleration(column((values.sum() - values) / 1999), np.zeros(2000, dtype=np.int64))
    part = rng.permutation(2000) % 500
    left_out = np.array([values[part != k].mean() for k in range(500)])
    parts = intervals.acceleration(column(left_out), np.zeros(500, dtype=np.int64))
    # The error of the parts' skewness is about sqrt(15 / 500) of a sixth of 1 / sqrt(500).
    assert abs(parts[0] - whole[0]) < 3.0 * math.sqrt(15.0 / 500.0) / 6.0 / math.sqrt(500.0)


@pytest.mark.parametrize("kind", ["percentile", "basic", "normal", "bc"])
def test_intervals_are_those_of_lavaan(kind: str) -> None:
    case = json.loads(REFERENCE.read_text(encoding="utf-8"))
    draws, estimate = np.array(case["draws"]), np.array(case["estimate"])
    wanted = case["intervals"][kind]
    found = {
        "percentile": lambda: intervals.percentile(draws, 0.95),
        "basic": lambda: intervals.basic(draws, estimate, 0.95),
        "normal": lambda: intervals.normal(draws, estimate, 0.95),
        "bc": lambda: intervals.bias_corrected_accelerated(draws, estimate, 0.95),
    }[kind]()
    lower, upper = np.array(wanted["lower"])[: draws.shape[1]], np.array(wanted["upper"])[: draws.shape[1]]
    if kind == "normal":  # lavaan divides by B, we by B - 1
        middle, half = (lower + upper) / 2, (upper - lower) / 2 * math.sqrt(len(draws) / (len(draws) - 1))
        lower, upper = middle - half, middle + half
    np.testing.assert_allclose(found.lower, lower, atol=1e-9)
    np.testing.assert_allclose(found.upper, upper, atol=1e-9)


def test_standard_errors_are_those_of_lavaan_but_for_the_divisor() -> None:
    case = json.loads(REFERENCE.read_text(encoding="utf-8"))
    draws = np.array(case["draws"])
    size = len(draws)
    np.testing.assert_allclose(intervals.spread(draws) * math.sqrt((size - 1) / size), case["se"][: draws.shape[1]], atol=1e-9)


@pytest.mark.parametrize("draws", [19, 100, 1000])
def test_percentiles_are_order_statistics(draws: int) -> None:
    values = np.random.default_rng(draws).standard_normal(draws).tolist()
    found = intervals.percentile(column(values), 0.9)
    assert found.lower[0] == pytest.approx(spelled_quantile(values, 0.05), abs=1e-14)
    assert found.upper[0] == pytest.approx(spelled_quantile(values, 0.95), abs=1e-14)


def test_basic_and_normal_are_reflected_at_the_estimate() -> None:
    values = column(np.random.default_rng(0).exponential(size=500))
    estimate = np.array([0.8])
    lower, upper = intervals.percentile(values, 0.95)
    assert intervals.basic(values, estimate, 0.95) == (1.6 - upper, 1.6 - lower)
    found = intervals.normal(values, estimate, 0.95)
    width = PHI.inv_cdf(0.975) * values.std(ddof=1)
    assert (found.lower[0], found.upper[0]) == pytest.approx((1.6 - values.mean() - width, 1.6 - values.mean() + width))


def test_ties_count_half() -> None:
    values = column([1.0] * 20 + [2.0] * 30 + [3.0] * 50)
    assert intervals.bias_correction(values, np.array([2.0]))[0] == pytest.approx(PHI.inv_cdf(0.35))
    # Equal but for rounding is equal.
    assert intervals.bias_correction(values, np.array([2.0 + 1e-14]))[0] == pytest.approx(PHI.inv_cdf(0.35))


def test_draws_without_a_value_are_left_out() -> None:
    values = np.random.default_rng(0).standard_normal(200)
    holes = np.insert(values, [0, 50, 200], np.nan)
    both = np.column_stack([holes, np.insert(values, 100, [0.1, 0.2, 0.3])])
    estimate = np.array([0.1, 0.1])
    assert intervals.draws_used(both).tolist() == [200, 203]
    assert intervals.spread(both)[0] == pytest.approx(values.std(ddof=1), rel=1e-14)
    for function in (intervals.normal, intervals.basic, intervals.bias_corrected_accelerated):
        whole, part = function(column(values), estimate[:1], 0.9), function(both, estimate, 0.9)
        assert (part.lower[0], part.upper[0]) == pytest.approx((whole.lower[0], whole.upper[0]), rel=1e-14)
    left_out = np.column_stack([values, np.where(np.arange(200) < 2, np.nan, values)])
    a = intervals.acceleration(left_out, np.zeros(200, dtype=np.int64))
    assert a[0] != a[1]
    assert np.isfinite(a).all()


def test_what_does_not_vary_is_its_own_interval() -> None:
    values = np.column_stack([np.full(50, 1.0), np.full(50, 0.0), 2.0 + 1e-13 * np.random.default_rng(0).standard_normal(50)])
    estimate = np.array([1.0, 0.0, 2.0])
    a = intervals.acceleration(values, np.zeros(50, dtype=np.int64))
    assert a.tolist() == [0.0, 0.0, 0.0]
    assert intervals.spread(values).tolist() == [0.0, 0.0, 0.0]
    found = [
        intervals.percentile(values, 0.99),
        intervals.normal(values, estimate, 0.99),
        intervals.basic(values, estimate, 0.99),
        intervals.bias_corrected_accelerated(values, estimate, 0.99, a),
    ]
    for interval in found:
        np.testing.assert_allclose(interval.lower, estimate, atol=1e-12)
        np.testing.assert_allclose(interval.upper, estimate, atol=1e-12)


def test_an_interval_that_the_draws_cannot_give_is_nan() -> None:
    few = column(np.arange(10.0))
    assert np.isnan(intervals.percentile(few, 0.95)).all()
    assert not np.isnan(intervals.percentile(few, 0.80)).any()
    beyond = intervals.bias_corrected_accelerated(few, np.array([20.0]), 0.80)
    assert np.isnan(beyond).all()
    assert np.isnan(intervals.percentile(np.empty((0, 2)), 0.95)).all()
    assert np.isnan(intervals.percentile(np.full((10, 2), np.nan), 0.95)).all()
    assert np.isnan(intervals.spread(np.array([[1.0, np.nan]] + [[np.nan, np.nan]] * 3))[1])
