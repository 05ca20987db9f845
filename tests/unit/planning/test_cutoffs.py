"""Cut-offs for fit measures by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

import trustsem as ts
from helpers import quietly
from trustsem.planning.cutoffs import Cutoffs, cutoffs
from trustsem.planning.separation import quantile_error

TWO = ts.Population(
    "f=~x1+x2+x3\ng=~x4+x5+x6\nf~~g",
    {f"{name}": 1.0 for name in ("f=~x2", "f=~x3", "g=~x5", "g=~x6")}
    | {"f~~f": 0.5, "g~~g": 0.5, "f~~g": 0.2}
    | {f"x{i}~~x{i}": 0.5 for i in range(1, 7)},
)
STRONG = {"cross-loading": {"loadings": {"f=~x4": 0.4}}}
MEASURES = ("srmr", "rmsea", "cfi")


@pytest.fixture(scope="module")
def found() -> Cutoffs:
    return cutoffs(
        TWO, n=600, misfit=STRONG | {"none": {"paths": {}, "covariances": {"x1~~x2": 0.0}}}, measures=MEASURES, replications=300, executor="serial"
    )


def test_clear_misfit_has_a_cut_off_that_meets_both_demands(found: Cutoffs) -> None:
    table = found.frame[found.frame["misfit"] == "cross-loading"]
    assert table["measure"].tolist() == list(MEASURES)
    assert table["cutoff"].notna().all()
    assert (table["detected"] >= 0.95 - 1e-9).all()
    assert (table["rejected"] <= 0.05).all()
    assert (table["overlap"] < 0.1).all()
    assert table["mc_error"].between(1e-5, 0.02).all()
    # For measures of misfit the cut-off is above what true models give, for the CFI below.
    limits = table.set_index("measure")
    assert limits.loc["rmsea", "cutoff"] >= limits.loc["rmsea", "limit"]
    assert limits.loc["cfi", "cutoff"] <= limits.loc["cfi", "limit"]


def test_no_misfit_has_no_cut_off(found: Cutoffs) -> None:
    table = found.frame[found.frame["misfit"] == "none"]
    assert table["cutoff"].isna().all()
    assert (table["overlap"] > 0.8).all()
    assert (np.abs(table["detected"] - 0.05) < 4.0 * math.sqrt(2 * 0.05 * 0.95 / 300)).all()
    assert "Where there is none" in repr(found)


def test_limits_are_the_quantiles_of_the_true_model(found: Cutoffs) -> None:
    """The RMSEA's 95 % quantile follows from that of the chi-square: (chi - df) / (df n), under the square root."""
    from scipy.stats import chi2

    row = next(one for one in found.rows if one.measure == "rmsea")
    expected = math.sqrt((chi2.ppf(0.95, 8) - 8) / (8 * 600))
    assert abs(row.limit - expected) < 4.0 * row.limit_error


def test_the_same_seed_gives_the_same_whoever_works() -> None:
    options = {"n": 100, "misfit": STRONG, "replications": 40, "measures": ("srmr",)}
    one, other = (cutoffs(TWO, executor=executor, **options) for executor in ("serial", "threads:2"))  # type: ignore[arg-type]
    assert repr(one) == repr(other)


def test_a_fit_is_its_own_population() -> None:
    data = ts.simulate(TWO, n=300, seed=3)
    fit = quietly(ts.cfa, "f=~x1+x2+x3\ng=~x4+x5+x6", data)
    found = cutoffs(fit, misfit=STRONG, replications=40, executor="serial")
    assert found.n == 300
    assert {one.misfit for one in found.rows} == {"cross-loading"}


def test_covariates_of_a_fit_vary_in_its_population() -> None:
    data = ts.simulate(TWO, n=300, seed=3)
    fit = quietly(ts.sem, "f=~x1+x2+x3\nf~a*x4\nb:=2*a", data)
    found = cutoffs(fit, misfit={"residuals": {"covariances": {"x1~~x4": 0.3}}}, measures=("srmr",), replications=40, executor="serial")
    assert found.rows[0].used_true == 40


def test_misfit_of_a_theory_is_another_theory() -> None:
    theory = ts.load_theory("metz2022").strict()
    wrong = theory.with_path("Trust", "Outcomes", value=0.3)
    found = cutoffs(theory, n=200, misfit={"direct path": wrong}, measures=("srmr",), replications=40, executor="serial")
    assert found.rows[0].detected > 0.1


@pytest.mark.parametrize("q", [0.05, 0.5, 0.95])
def test_errors_of_quantiles_are_those_of_large_samples(q: float) -> None:
    values = np.random.default_rng(4).standard_normal(4000)
    expected = math.sqrt(q * (1.0 - q) / 4000) / norm.pdf(norm.ppf(q))
    assert quantile_error(values, q) == pytest.approx(expected, rel=0.25)


def test_the_error_of_a_quantile_is_that_of_the_bootstrap_without_its_noise() -> None:
    values = np.random.default_rng(5).standard_exponential(41)
    rng = np.random.default_rng(6)
    draws = np.median(rng.choice(values, (20_000, 41)), axis=1)
    assert quantile_error(values, 0.5) == pytest.approx(draws.std(), rel=0.02)
