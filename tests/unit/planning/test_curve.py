"""Curves through batches: against statsmodels, under separation, and the coverage of the search for a crossing on a known curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from trustsem.planning.curve import Curve, Prior, Tally, fit_curve, fit_probit
from trustsem.planning.search import Found, Task, first_levels, prior_for, search

FLAT = Prior(10.0, 0.0, 0.0, 1e4, 1e4)


def rates(levels: Sequence[float], hits: Sequence[int], trials: int) -> list[Tally]:
    return [Tally(level, trials, hit, trials, trials) for level, hit in zip(levels, hits, strict=True)]


def test_a_flat_prior_gives_the_probit_regression_of_statsmodels() -> None:
    import statsmodels.api as sm

    levels, hits = [60.0, 90.0, 130.0, 200.0], [31, 55, 78, 95]
    curve = fit_curve(rates(levels, hits, 100), "sqrt", "probit", FLAT)
    design = np.column_stack([np.ones(4), np.sqrt(levels) - 10.0])
    counts = np.column_stack([hits, 100 - np.array(hits)])
    oracle = sm.GLM(counts, design, family=sm.families.Binomial(sm.families.links.Probit())).fit(tol=1e-12)
    assert curve.coefficients == pytest.approx(oracle.params, rel=1e-6)
    # The same information: expected in both.
    assert np.sqrt(np.diag(curve.covariance)) == pytest.approx(oracle.bse, rel=1e-5)


def test_separated_batches_give_a_finite_curve() -> None:
    curve = fit_curve(
        rates([50.0, 60.0, 70.0, 80.0], [0, 0, 100, 100], 100), "sqrt", "probit", prior_for(65.0, 0.5, 0.84, (10, 1000), "sqrt", "probit")
    )
    assert 55.0 < curve.level(curve.crossing(0.5)) < 75.0
    assert np.all(np.isfinite(curve.covariance))


def test_the_maximum_is_found_from_a_prior_far_away() -> None:
    design = np.column_stack([np.ones(3), [-1.0, 0.0, 1.0]])
    beta, _ = fit_probit(design, np.array([500.0, 500.0, 500.0]), np.full(3, 1000.0), np.array([30.0, -20.0]), np.eye(2) * 1e-8)
    assert beta == pytest.approx([0.0, 0.0], abs=1e-4)


def test_the_line_through_widths_is_weighted_least_squares() -> None:
    levels, widths = np.array([50.0, 100.0, 200.0]), np.array([0.4, 0.29, 0.2])
    errors = np.array([0.01, 0.02, 0.003])
    tallies = [Tally(*case, 100, 100, 100, 100, mean, error**2) for case, mean, error in zip(levels[:, None], widths, errors, strict=True)]
    curve = fit_curve(tallies, "log", "log", Prior(4.0, 0.0, 0.0, 1e5, 1e5))
    slope, intercept = np.polyfit(np.log(levels) - 4.0, np.log(widths), 1, w=widths / errors)
    assert curve.coefficients == pytest.approx([intercept, slope], rel=1e-6)


@pytest.mark.parametrize("scale", ["sqrt", "log", "plain"])
@pytest.mark.parametrize("link", ["probit", "log"])
def test_the_crossing_is_where_the_curve_has_the_value(scale: str, link: str) -> None:
    curve = Curve(scale, link, 4.0, (-0.5, -0.3), ((0.01, 0.0), (0.0, 0.001)))
    level = curve.level(curve.crossing(0.6))
    assert curve.value(level)[0] == pytest.approx(0.6, rel=1e-9)
    low, high = curve.interval(0.6, 1.96)
    assert low < level < high


def test_the_error_of_the_value_is_by_the_delta_method() -> None:
    curve = Curve("plain", "probit", 0.0, (0.2, 0.1), ((0.04, 0.01), (0.01, 0.02)))
    h = 1e-6
    slope = np.array([(ndtr(0.2 + h + 0.3) - ndtr(0.2 + 0.3)) / h, (ndtr(0.2 + (0.1 + h) * 3) - ndtr(0.2 + 0.3)) / h])
    assert curve.value(3.0)[1] == pytest.approx(math.sqrt(slope @ np.array(curve.covariance) @ slope), rel=1e-4)


def test_scatter_beyond_chance_makes_errors_larger() -> None:
    levels = [60.0, 80.0, 100.0, 120.0, 140.0]
    smooth = fit_curve(rates(levels, [500, 560, 610, 650, 690], 1000), "sqrt", "probit", FLAT)
    rough = fit_curve(rates(levels, [600, 460, 710, 550, 790], 1000), "sqrt", "probit", FLAT)
    assert smooth.scatter == 1.0
    assert rough.scatter > 10.0


def known(truth: float, slope: float, rng: np.random.Generator, task: Task) -> Found:
    """Search on a curve that is known: probit of the rate is linear in the root of the level, .8 at `truth`."""

    def ask(levels: Sequence[float], count: int, batch: int) -> list[Tally]:
        chances = ndtr(ndtri(0.8) + slope * (np.sqrt(levels) - math.sqrt(truth)))
        return rates(levels, rng.binomial(count, chances).tolist(), count)

    return search(task, ask)


def task_from(start: float | None, slope: float | None, limits: tuple[float, float] = (10, 10_000), precision: float = 0.015) -> Task:
    prior = prior_for(start, slope, float(ndtri(0.8)), limits, "sqrt", "probit")
    return Task(0.8, "probit", "sqrt", limits, True, precision, 20_000, prior, first_levels(start, limits, "sqrt"))


@pytest.mark.parametrize("start", [150.0, 60.0, 500.0, None])
def test_intervals_cover_the_truth_as_often_as_they_say(start: float | None) -> None:
    """Also where theory begins too high or too low, or says nothing."""
    rng = np.random.default_rng(11)
    runs, covered, errors = 300, 0, []
    for _ in range(runs):
        found = known(150.0, 0.23, rng, task_from(start, None if start is None else 2.8 / math.sqrt(start)))
        assert found.end == "inside"
        assert found.at is not None
        low, high = found.curve.interval(0.8, 1.959964)
        covered += low <= 150.0 <= high
        errors.append(found.at / 150.0 - 1.0)
    assert abs(covered / runs - 0.95) < 3.0 * math.sqrt(0.95 * 0.05 / runs)
    assert abs(float(np.mean(errors))) < 0.01


def test_errors_are_as_small_as_asked() -> None:
    found = known(150.0, 0.23, np.random.default_rng(2), task_from(150.0, 0.23))
    assert found.at is not None
    assert found.curve.value(round(found.at))[1] <= 0.015
    low, high = found.curve.interval(0.8, 1.96)
    assert (high - low) / 2.0 <= 0.15 * found.at


def test_a_target_beyond_the_limits_is_not_reached() -> None:
    found = known(150.0, 0.23, np.random.default_rng(3), task_from(90.0, 0.3, (10, 100)))
    assert (found.end, found.at) == ("unreachable", None)
    assert max(one.level for one in found.tallies) == 100.0


def test_a_target_met_at_the_lower_limit_is_reported_there() -> None:
    found = known(150.0, 0.23, np.random.default_rng(3), task_from(150.0, 0.23, (250, 1000)))
    assert (found.end, found.at) == ("at the limit", 250.0)


def test_a_search_that_may_not_go_on_says_so() -> None:
    task = task_from(150.0, 0.23, precision=0.001)
    found = known(150.0, 0.23, np.random.default_rng(3), task)
    assert found.end == "out of replications"
    assert sum(one.replications for one in found.tallies) >= 20_000
