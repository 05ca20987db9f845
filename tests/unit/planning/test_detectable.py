"""The smallest effect that a design detects: closed form, simulation, and what cannot be."""

from __future__ import annotations

import math

import pytest

import trustsem as ts
from trustsem.planning.detectable import minimum_detectable_effect
from trustsem.simulators.gaussian import Gaussian
from trustsem.simulators.missing import Missing
from trustsem.studies.design import Analysis

LINE = ts.Population("y~x", {"y~x": 0.3, "y~~y": 1.0, "x~~x": 1.0})
CHAIN = ts.Population("m~a*x\ny~b*m+x\nab:=a*b", {"a": 0.35, "b": 0.3, "y~x": 0.2, "m~~m": 1.0, "y~~y": 1.0, "x~~x": 1.0})
BOTH = 1.959963985 + 0.841621234


@pytest.mark.parametrize("n", [60, 200])
def test_a_simple_regression_has_a_closed_form(n: int) -> None:
    """Plain slope of standardized variables: b / sqrt((1 - b^2) / n) = 2.80, so b^2 = c / (1 + c) with c = 2.80^2 / n."""
    c = BOTH**2 / n
    found = minimum_detectable_effect(LINE, "x -> y", n, analysis=Analysis())
    assert found.effect == pytest.approx(math.sqrt(c / (1.0 + c)), abs=2e-5)
    assert found.present == pytest.approx(0.3)


def test_standardized_estimates_have_another_closed_form() -> None:
    """The variance of r is (1 - r^2)^2 (1 - r^2 / 2) / n if the predictor's variance is known: delta method over slope and residual variance."""
    found = minimum_detectable_effect(LINE, "y~x", 100)
    assert found.effect is not None
    r = found.effect
    assert r * math.sqrt(100) / ((1.0 - r**2) * math.sqrt(1.0 - r**2 / 2.0)) == pytest.approx(BOTH, abs=1e-3)


def test_simulation_agrees() -> None:
    found = minimum_detectable_effect(CHAIN, "m -> y", 400, check=1500, executor="serial", seed=3)
    assert found.effect is not None
    assert 0.05 < found.effect < 0.3
    assert abs(found.simulated - 0.8) < 4.0 * found.mc_error
    assert found.mc_error == pytest.approx(math.sqrt(found.simulated * (1.0 - found.simulated) / 1500))
    assert "Simulated power" in repr(found)


def test_labels_are_names_too_and_larger_samples_detect_less() -> None:
    sizes = [minimum_detectable_effect(CHAIN, "b", n).effect for n in (50, 100, 400)]
    assert None not in sizes
    assert sizes == sorted(sizes, reverse=True)  # type: ignore[type-var]
    assert minimum_detectable_effect(CHAIN, "m -> y", 50).effect == sizes[0]


def test_an_effect_that_is_negative_stays_negative() -> None:
    down = ts.Population("y~x", {"y~x": -0.3, "y~~y": 1.0, "x~~x": 1.0})
    assert minimum_detectable_effect(down, "y~x", 100).effect == pytest.approx(-(minimum_detectable_effect(LINE, "y~x", 100).effect or 0.0))


def test_an_effect_that_is_absent_may_be_asked_for() -> None:
    none = ts.Population("y~x", {"y~x": 0.0, "y~~y": 1.0, "x~~x": 1.0})
    expected = minimum_detectable_effect(LINE, "y~x", 100).effect
    assert minimum_detectable_effect(none, "y~x", 100).effect == pytest.approx(expected, rel=1e-9)


def test_missing_values_need_larger_effects() -> None:
    holes = minimum_detectable_effect(LINE, "y~x", 100, generator=Missing(Gaussian(), rate=0.3))
    whole = minimum_detectable_effect(LINE, "y~x", 100)
    assert holes.effect is not None
    assert whole.effect is not None
    assert holes.effect > 1.2 * whole.effect  # half of the rows are complete


def test_a_sample_too_small_for_any_effect_says_so() -> None:
    strong = ts.Population("y~x+z\nx~~z", {"y~x": 0.1, "y~z": 0.9, "x~~z": 0.0, "y~~y": 0.18, "x~~x": 1.0, "z~~z": 1.0})
    found = minimum_detectable_effect(strong, "z -> y", 6, power=0.999, analysis=Analysis(), alpha=1e-6)
    assert found.effect is None
    assert "No possible effect" in found.reason
    assert "Raise n=" in repr(found)


def test_paths_of_a_theory_are_varied_with_the_variances_held() -> None:
    theory = ts.load_theory("metz2022").strict()
    found = minimum_detectable_effect(theory, "P3", 150)
    assert found.effect is not None
    assert found.effect < found.present
    assert found.proposition == "P3"
