"""Performance measures against spelled-out definitions, and their Monte Carlo errors against the spread over repeated studies."""

from __future__ import annotations

import math

import numpy as np
import pytest

import trustsem as ts
from trustsem.studies.performance import MEASURES, Replications

Z = 1.959963984540054
TRUTH, SE, R = 0.3, 0.12, 400


def draw(rng, truth=TRUTH, count=R):
    """Estimates that are a little biased, with standard errors that vary."""
    est = truth + 0.02 + SE * rng.standard_normal(count)
    return Replications(est, SE * np.sqrt(rng.chisquare(60, count) / 60), truth, 0.95)


def spelled_out(r):
    """Return every measure by its definition, replication by replication."""
    lower, upper = r.est - Z * r.se, r.est + Z * r.se
    significant = np.abs(r.est / r.se) > Z
    n = r.n
    found = {
        "bias": sum(r.est) / n - r.truth,
        "empirical_se": math.sqrt(sum((r.est - r.est.mean()) ** 2) / (n - 1)),
        "model_se": math.sqrt(sum(r.se**2) / n),
        "rmse": math.sqrt(sum((r.est - r.truth) ** 2) / n),
        "coverage": sum((lower <= r.truth) & (r.truth <= upper)) / n,
        "bias_eliminated_coverage": sum((lower <= r.est.mean()) & (r.est.mean() <= upper)) / n,
        "ci_width": sum(upper - lower) / n,
    }
    found["se_ratio"] = found["model_se"] / found["empirical_se"]
    if r.truth == 0:
        return found | {"type_1_error": sum(significant) / n}
    found |= {"relative_bias": found["bias"] / r.truth, "power": sum(significant) / n}
    found["type_s_error"] = sum(r.est[significant] < 0) / sum(significant)
    found["type_m_error"] = sum(np.abs(r.est[significant])) / sum(significant) / r.truth
    return found


@pytest.mark.parametrize("truth", [TRUTH, 0.0])
def test_values_are_those_of_the_definitions(truth):
    r = draw(np.random.default_rng(1), truth)
    wanted = spelled_out(r)
    for name, function in MEASURES.items():
        value = function(r)
        if name in wanted:
            assert value.value == pytest.approx(wanted[name], rel=1e-12), name
            assert value.n_used > 0
        else:
            assert math.isnan(value.value), name


@pytest.mark.parametrize("name", sorted(set(MEASURES) - {"type_1_error", "type_s_error"}))
def test_monte_carlo_errors_are_the_spread_over_studies(name):
    """3,000 studies of 400 replications: the mean of the stated errors is the standard deviation of the measure (to 4 errors of that)."""
    rng = np.random.default_rng(7)
    truth = 0.15 if name == "type_m_error" else TRUTH  # few are significant, and they exaggerate
    values = [MEASURES[name](draw(rng, truth)) for _ in range(3_000)]
    spread = np.std([value.value for value in values], ddof=1)
    stated = math.sqrt(np.mean([value.mc_error**2 for value in values]))
    assert stated / spread == pytest.approx(1.0, abs=4.0 / math.sqrt(2 * 3_000) + 0.01)


def test_rates_of_sign_errors_and_type_1_errors_are_proportions():
    r = draw(np.random.default_rng(2), 0.0)
    value = MEASURES["type_1_error"](r)
    assert value.mc_error == pytest.approx(math.sqrt(value.value * (1 - value.value) / R))
    weak = Replications(0.05 + SE * np.random.default_rng(3).standard_normal(R), np.full(R, SE), 0.05, 0.95)
    wrong = MEASURES["type_s_error"](weak)
    assert wrong.value > 0
    assert wrong.mc_error == pytest.approx(math.sqrt(wrong.value * (1 - wrong.value) / wrong.n_used))
    assert wrong.n_used < R


def test_nothing_is_said_without_replications_or_errors():
    nothing = Replications(np.empty(0), np.empty(0), TRUTH, 0.95)
    constant = Replications(np.full(5, 1.0), np.zeros(5), 1.0, 0.95)  # a standardized variance
    for name, function in MEASURES.items():
        assert function(nothing).n_used == 0, name
        if name in ("coverage", "power", "ci_width", "model_se", "se_ratio", "type_s_error", "type_m_error", "bias_eliminated_coverage"):
            assert function(constant).n_used == 0, name


def test_without_a_true_value_nothing_is_compared_with_it():
    unknown = Replications(np.array([0.1, 0.4]), np.array([0.1, 0.1]), math.nan, 0.95)
    for name in ("coverage", "power", "type_1_error", "type_s_error", "type_m_error", "bias", "relative_bias", "rmse"):
        value = MEASURES[name](unknown)
        assert value.n_used == 0 or math.isnan(value.value), name
    study = ts.Study(ts.Population("y ~ x", {"y~x": 0.3, "y~~y": 0.91, "x~~x": 1.0}), replications=5, n=50, generator=ts.Likert(ts.Gaussian()))
    table = ts.run(study, executor="serial").performance(parameters="y~x")
    assert set(table["measure"]) == {
        "empirical_se",
        "model_se",
        "se_ratio",
        "bias_eliminated_coverage",
        "ci_width",
        "convergence",
        "admissibility",
        "rejection",
    }


def test_where_nothing_has_a_result_rates_are_still_bounded():
    study = ts.Study(ts.Population("y ~ x", {"y~x": 0.3, "y~~y": 0.91, "x~~x": 1.0}), conditions={"n": [2, 50]}, replications=5)
    result = ts.run(study, executor="serial")
    row = result.performance("power", parameters="y~x").iloc[0]
    assert math.isnan(row["value"])
    assert (row["lower"], row["upper"], row["n_used"], row["replications"]) == (0.0, 1.0, 0, 5)
    assert result.table(["power"], bounds=True)["power"].iloc[0] == "no result [0.000, 1.000]"


def test_conditions_with_different_factors_have_all_columns():
    population = ts.Population("y ~ x", {"y~x": 0.3, "y~~y": 0.91, "x~~x": 1.0})
    study = ts.Study(population, conditions=[{"n": 30}, {"y~x": 0.5, "n": 40}], replications=3)
    result = ts.run(study, executor="serial")
    assert result.factors == ("n", "y~x")
    assert list(result.performance("bias", parameters="y~x")["y~x"].fillna(-1)) == [-1, 0.5]
    assert list(result.table("bias", parameters="y~x").columns) == ["n", "y~x", "analysis", "parameter", "bias"]


def test_replications_for_a_wanted_error():
    assert ts.replications_for(0.01, proportion=0.5) == 2500
    assert ts.replications_for(0.005, proportion=0.95) == 1900  # Morris, White & Crowther (2019), section 5.3: coverage to half a point
    assert ts.replications_for(0.02, sd=0.5) == 625


def test_the_errors_of_a_study_hold_over_other_seeds():
    """The same study with 60 other seeds: power and bias scatter as their Monte Carlo errors say."""
    population = ts.Population("y ~ x", {"y~x": 0.3, "y~~y": 0.91, "x~~x": 1.0})
    found = []
    for seed in range(60):
        result = ts.run(ts.Study(population, replications=100, n=60, seed=seed), executor="serial")
        found.append(result.performance(["power", "bias", "coverage"], parameters="y~x").set_index("measure"))
    for measure in ("power", "bias", "coverage"):
        values = np.array([table.loc[measure, "value"] for table in found])
        errors = np.array([table.loc[measure, "mc_error"] for table in found])
        ratio = values.std(ddof=1) / math.sqrt((errors**2).mean())
        assert ratio == pytest.approx(1.0, abs=4.0 / math.sqrt(2 * 60))
