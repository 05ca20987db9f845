"""Power by formula: published tables, closed forms, scipy's distributions and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2, ncx2, norm

import trustsem as ts
from trustsem.planning.analytic import needed_noncentrality, required_n, rmsea_power, rmsea_required_n, satorra_saris, wald_power
from trustsem.studies.design import Analysis, Study
from trustsem.studies.run import run

CHAIN = ts.Population("m~x\ny~m+x", {"m~x": 0.3, "y~m": 0.3, "y~x": 0.15, "m~~m": 1.0, "y~~y": 1.0, "x~~x": 1.0})
LABELS = ts.Population("m~a*x\ny~b*m+x\nab:=a*b", {"a": 0.3, "b": 0.3, "y~x": 0.15, "m~~m": 1.0, "y~~y": 1.0, "x~~x": 1.0})

# MacCallum, Browne & Sugawara (1996), table 2, df = 5 and n = 100, 200, 300, 400, 500: close (.05, .08), not-close (.05, .01), exact fit (0, .05).
TABLE_2 = {
    (0.05, 0.08): (0.127, 0.199, 0.269, 0.335, 0.397),
    (0.05, 0.01): (0.081, 0.124, 0.181, 0.248, 0.324),
    (0.0, 0.05): (0.112, 0.188, 0.273, 0.362, 0.449),
}
# Table 4: df, smallest n for a power of .80 of the test of close and of not-close fit.
TABLE_4 = ((2, 3488, 2382), (50, 214, 268), (100, 132, 178))


@pytest.mark.parametrize("hypotheses", TABLE_2)
def test_power_of_tests_of_fit_is_as_published(hypotheses: tuple[float, float]) -> None:
    found = [round(rmsea_power(5, n, *hypotheses), 3) for n in (100, 200, 300, 400, 500)]
    assert found == list(TABLE_2[hypotheses])


@pytest.mark.parametrize(("df", "close", "not_close"), TABLE_4)
def test_sizes_for_tests_of_fit_are_as_published(df: int, close: int, not_close: int) -> None:
    # Their search stopped near the power: with 2 degrees of freedom the table is off by 6 of 3494.
    assert rmsea_required_n(df) == pytest.approx(close, rel=0.002)
    assert rmsea_required_n(df, rmsea_a=0.01) == pytest.approx(not_close, abs=1)


@pytest.mark.parametrize(("df", "n"), [(1, 50), (55, 200), (400, 1000)])
@pytest.mark.parametrize(("null", "true"), [(0.05, 0.08), (0.0, 0.05), (0.05, 0.01), (0.05, 0.0)])
def test_power_of_tests_of_fit_is_that_of_scipy(df: int, n: int, null: float, true: float) -> None:
    laws = [ncx2(df, (n - 1) * df * rmsea**2) if rmsea else chi2(df) for rmsea in (null, true)]
    expected = laws[1].sf(laws[0].isf(0.05)) if true > null else laws[1].cdf(laws[0].ppf(0.05))
    assert rmsea_power(df, n, null, true) == pytest.approx(expected, abs=1e-8)


def test_the_size_is_the_smallest_that_is_enough() -> None:
    n = rmsea_required_n(24, 0.9)
    assert rmsea_power(24, n) >= 0.9 > rmsea_power(24, n - 1)
    assert rmsea_required_n(2000, 0.8, 0.05, 0.5) == 2


def test_the_noncentrality_of_a_path_is_its_partial_correlation() -> None:
    """Fixing one path of a saturated model raises the discrepancy by log(residual variance without it / with it)."""
    found = satorra_saris(CHAIN, "x -> y", 200)
    without = 1.0 + 0.15**2 * (1.0 - 0.3**2 / 1.09)  # y given m alone
    assert found.discrepancy == pytest.approx(math.log(without), rel=1e-6)
    assert (found.df, found.n) == (1, 200)
    assert found.power == pytest.approx(ncx2.sf(chi2.isf(0.05, 1), 1, 200 * math.log(without)), abs=1e-7)


def test_a_restriction_is_a_path_a_label_several_or_a_model() -> None:
    one = satorra_saris(LABELS, "m -> y", 150)
    assert one == satorra_saris(LABELS, "b", 150) == satorra_saris(LABELS, "y~m", 150)
    assert one.power == pytest.approx(satorra_saris(CHAIN, "m ~ x\ny ~ x\nm ~~ 0*y", 150).power, rel=1e-8)
    both = satorra_saris(CHAIN, ["y~m", "y~x"], 150)
    assert both.df == 2
    assert both.noncentrality > one.noncentrality


def test_nothing_to_detect_is_detected_at_the_level() -> None:
    none = ts.Population("y~x", {"y~x": 0.0, "y~~y": 1.0, "x~~x": 1.0})
    assert satorra_saris(none, "y~x", 100).power == pytest.approx(0.05, abs=1e-6)
    assert wald_power(0.0, 0.1) == pytest.approx(0.05)


def test_simulated_power_agrees_with_satorra_and_saris() -> None:
    reps, n = 1500, 400
    analysis = Analysis(model="m~x\ny~m", measures=("pvalue",))
    study = Study(CHAIN, {"restricted": analysis}, n=n, replications=reps, seed=5)
    pvalues = run(study, executor="serial", progress=False).outcomes(0).measures[:, 0]
    expected = satorra_saris(CHAIN, "y~x", n).power
    assert 0.6 < expected < 0.95
    assert abs(float(np.mean(pvalues < 0.05)) - expected) < 4.0 * math.sqrt(expected * (1.0 - expected) / reps)


def test_required_n_inverts_the_power() -> None:
    n = required_n(CHAIN, "y~x", power=0.9)
    assert satorra_saris(CHAIN, "y~x", n).power >= 0.9 > satorra_saris(CHAIN, "y~x", n - 1).power


def test_required_n_of_wald_is_the_textbook_formula() -> None:
    # Plain estimates: the standard error of a simple regression is sqrt(residual variance / (n variance of x)).
    line = ts.Population("y~x", {"y~x": 0.3, "y~~y": 2.0, "x~~x": 4.0})
    expected = ((norm.isf(0.025) + norm.isf(0.2)) / 0.3) ** 2 * 2.0 / 4.0
    assert required_n(line, "y~x", method="wald", analysis=Analysis()) == math.ceil(expected)
    se = math.sqrt(2.0 / 4.0 / expected)
    assert wald_power(0.3, se) == pytest.approx(0.8, abs=1e-4)  # the other tail is what is missing


@pytest.mark.parametrize(("df", "power"), [(1, 0.8), (3, 0.5), (20, 0.95)])
def test_the_noncentrality_for_a_power_has_that_power(df: int, power: float) -> None:
    assert ncx2.sf(chi2.isf(0.05, df), df, needed_noncentrality(df, power, 0.05)) == pytest.approx(power, abs=1e-7)


def test_a_theory_is_a_source_too() -> None:
    theory = ts.load_theory("metz2022").strict()
    found = satorra_saris(theory, "Commitment -> Outcomes", 100)
    assert found.df == 1
    assert found == satorra_saris(theory, "P12", 100)
    model = satorra_saris(theory, theory.without_path("Commitment", "Outcomes"), 100)
    assert (model.df, model.noncentrality) == (1, pytest.approx(found.noncentrality, rel=1e-5))
