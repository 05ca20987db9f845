"""Models and data that lead nowhere good: the result says so, with the right code, and every table can still be made without a bare warning."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import correlations, holzinger, quietly
from trustsem.errors import WARNING_REMEDIES

DATA = holzinger()
ITEMS = [f"x{k}" for k in range(1, 10)]
ONE = "f =~ x1 + x2 + x3"
TWO = ONE + "\ng =~ x4 + x5 + x6"
HEYWOOD = correlations(".9 .8 .5", "a b c")
TWINS = correlations(".5 0 0 0 0 .5", "a b c d")


class Odd(NamedTuple):
    """A model, how it is fitted, and what has to be said: converged, admissible, identified, and the codes of the warnings."""

    call: Any
    state: str  # letters: c converged, a admissible, i identified
    codes: tuple[str, ...] = ()


def fit(function: str, text: str, *, cov: pd.DataFrame | None = None, data: pd.DataFrame = DATA, **options: Any) -> Any:
    if cov is not None:
        return lambda: getattr(ts, function)(text, sample_cov=cov, sample_nobs=500, **options)
    return lambda: getattr(ts, function)(text, data, **options)


ODD: dict[str, Odd] = {
    # nothing wrong, but at an edge
    "one variable": Odd(fit("sem", "x1 ~~ x1"), "cai"),
    "one mean": Odd(fit("sem", "x1 ~ 1"), "cai"),
    "one fixed variance": Odd(fit("lavaan", "x1 ~~ 1.5*x1"), "cai"),
    "no free parameter": Odd(fit("lavaan", "f =~ 1*x1 + 1*x2 + 1*x3\nf ~~ .5*f\nx1 ~~ .8*x1\nx2 ~~ .8*x2\nx3 ~~ .8*x3"), "cai"),
    "just identified": Odd(fit("cfa", ONE), "cai"),
    "saturated path": Odd(fit("sem", "x1 ~ x2"), "cai"),
    "only covariances": Odd(fit("sem", "x1 ~~ x2 + x3\nx2 ~~ x3"), "cai"),
    "only intercepts": Odd(fit("sem", "x1 ~ 1\nx2 ~ 1"), "cai"),
    "only fixed intercepts": Odd(fit("sem", "x1 ~ 0*1\nx2 ~ 0*1"), "cai"),
    "perfect fit": Odd(fit("cfa", "f =~ a + b + c + d", cov=2.0 * (correlations(".5 .5 .5 .5 .5 .5", "a b c d"))), "cai"),
    "disconnected": Odd(fit("sem", ONE + "\nx5 ~ x6"), "cai"),
    "redundant equalities": Odd(fit("cfa", "f =~ x1 + a*x2 + b*x3\na == b\n2*a == 2*b\na - b == 0"), "cai"),
    "loop through three": Odd(fit("sem", "x1 ~ a*x2\nx2 ~ a*x3\nx3 ~ a*x1"), "cai"),
    "feedback with a singular start": Odd(fit("sem", "x1 ~ start(1)*x2 + x4\nx2 ~ start(1)*x1 + x5"), "cai"),
    "inadmissible start in the text": Odd(fit("cfa", "f =~ x1 + start(-5)*x2 + start(9)*x3\ng =~ x4 + x5 + x6\nf ~~ start(-3)*g"), "cai"),
    "absurd start": Odd(fit("cfa", "f =~ x1 + start(1e300)*x2 + x3"), "cai"),
    "inadmissible start by name": Odd(fit("cfa", TWO, start={"f=~x2": -50.0, "f~~g": -30.0}), "cai"),
    "a definition that is a number": Odd(fit("cfa", "f =~ x1 + a*x2 + x3\nz := 3"), "cai"),
    "tiny units": Odd(fit("cfa", TWO, data=DATA[ITEMS] * 1e-12), "cai"),
    "huge units": Odd(fit("cfa", TWO, data=DATA[ITEMS] * 1e12), "cai"),
    "far from zero": Odd(fit("cfa", TWO, data=DATA[ITEMS] + 1e8, meanstructure=True), "cai"),
    "groups of very different size": Odd(
        fit("cfa", ONE, data=pd.concat([*[DATA.assign(part="big")] * 300, DATA.head(12).assign(part="small")]), group="part", group_equal="loadings"),
        "cai",
    ),
    "a group of its own": Odd(fit("cfa", TWO, data=DATA.assign(part="all"), group="part"), "cai"),
    "repeated index": Odd(fit("cfa", TWO, data=pd.concat([DATA, DATA])), "cai"),
    # data
    "units far apart": Odd(fit("cfa", TWO, data=DATA.assign(x1=DATA["x1"] * 1e12, x2=DATA["x2"] * 1e-12)), "cai", ("TS-DATA-02",)),
    "a correlation matrix": Odd(fit("cfa", "f =~ a + b + c", cov=correlations(".5 .5 .5", "a b c")), "cai", ("TS-DATA-03",)),
    "incomplete rows": Odd(fit("cfa", ONE, data=DATA.assign(x1=DATA["x1"].where(DATA["x1"] > 5))), "cai", ("TS-DATA-01",)),
    "resamples in which a covariate is constant": Odd(
        fit("sem", "x1 ~ x2", data=DATA.head(6).assign(x2=[0.0, 0.0, 0.0, 0.0, 0.0, 1.0]), se="bootstrap", bootstrap=40, seed=2),
        "cai",
        ("TS-BOOT-01",),
    ),
    "more parameters than rows": Odd(fit("sem", "x1 ~ x2 + x3", data=DATA.head(4), fixed_x=False), "cai", ("TS-DATA-04",)),
    # not identified
    "free scale": Odd(fit("cfa", "f =~ NA*x1 + x2 + x3 + x4"), "ca", ("TS-ID-01",)),
    "two factors with two indicators each, apart": Odd(fit("cfa", "f =~ x1 + x2\ng =~ x4 + x5\nf ~~ 0*g"), "ca", ("TS-ID-01",)),
    "identified only if the factors are correlated": Odd(fit("cfa", "f =~ a + b\ng =~ c + d", cov=3.0 * TWINS), "ca", ("TS-ID-01",)),
    "factor without a loading": Odd(fit("cfa", "f =~ x1 + 0*x2 + 0*x3"), "ca", ("TS-ID-01",)),
    "marker of zero": Odd(fit("cfa", "f =~ 0*x1 + x2 + x3"), "ca", ("TS-ID-01",)),
    # inadmissible: shown, not clipped
    "Heywood": Odd(fit("cfa", "f =~ a + b + c", cov=2.0 * HEYWOOD), "ci", ("TS-FIT-02",)),
    "factors correlated beyond one": Odd(
        fit("cfa", "f =~ a + b\ng =~ c + d", cov=2.0 * correlations(".3 .6 .6 .6 .6 .3", "a b c d")), "ci", ("TS-FIT-02",)
    ),
    # at a bound
    "bounded variance": Odd(fit("cfa", "f =~ a + b + c", cov=2.0 * HEYWOOD, bounds="pos_var"), "cai", ("TS-FIT-03",)),
    "lower() in the text": Odd(fit("cfa", "f =~ a + b + c\na ~~ lower(0)*a", cov=2.0 * HEYWOOD), "cai", ("TS-FIT-03",)),
    "inequality": Odd(fit("cfa", "f =~ a + b + c\na ~~ v*a\nv > 0", cov=2.0 * HEYWOOD), "cai", ("TS-FIT-03",)),
    "inequality in tiny units": Odd(fit("cfa", "f =~ a + b + c\na ~~ v*a\nv > 0", cov=1e-12 * HEYWOOD), "cai", ("TS-FIT-03",)),
    "inequality in huge units": Odd(fit("cfa", "f =~ a + b + c\na ~~ v*a\nv > 0", cov=1e12 * HEYWOOD), "cai", ("TS-FIT-03",)),
    # not converged
    "contradictory inequalities": Odd(fit("cfa", "f =~ x1 + a*x2 + x3\na > 2\na < 1"), "ai", ("TS-FIT-01", "TS-FIT-03")),
    "an equality without a solution": Odd(fit("cfa", "f =~ x1 + a*x2 + x3\na^2 == -1"), "", ("TS-FIT-01",)),
    "an equality outside a bound": Odd(fit("cfa", "f =~ x1 + a*x2 + lower(1)*x2 + x3\na == .5"), "ai", ("TS-FIT-01",)),
    "an inequality that is false": Odd(fit("cfa", "f =~ x1 + a*x2 + x3\n0*a > 1"), "ai", ("TS-FIT-01",)),
    "a constraint undefined at the start": Odd(fit("cfa", "f =~ x1 + a*x2 + b*x3\nlog(-a) == b"), "ai", ("TS-FIT-01",)),
    "an inequality undefined at the start": Odd(fit("cfa", "f =~ x1 + a*x2 + b*x3\nlog(-a) > b"), "ai", ("TS-FIT-01",)),
    "a negative fixed variance": Odd(fit("cfa", ONE + "\nx1 ~~ -1*x1"), "", ("TS-FIT-01", "TS-FIT-02")),
    "a fixed feedback loop of one": Odd(fit("sem", "x1 ~ 1*x2 + x4\nx2 ~ 1*x1 + x5"), "", ("TS-FIT-01", "TS-FIT-02")),
    "no variance anywhere": Odd(fit("lavaan", "f =~ 1*x1 + 1*x2 + 1*x3\nf ~~ .5*f"), "", ("TS-FIT-01",)),
}


def state(found: ts.Fit) -> str:
    return "c" * found.converged + "a" * found.admissible + "i" * found.identified


@pytest.mark.parametrize("name", ODD)
def test_the_result_says_what_it_is(name: str) -> None:
    odd = ODD[name]
    with warnings.catch_warnings(record=True) as issued:
        warnings.simplefilter("always")
        found = odd.call()
    codes = [warning.code for warning in found.warnings]
    for code in odd.codes:
        assert code in codes
    assert [str(item.message) for item in issued] == [str(warning) for warning in found.warnings]
    assert all(item.filename == __file__ for item in issued), "a warning points into the library instead of the caller's line"
    if "c" in odd.state:
        assert state(found) == odd.state
        assert codes == list(odd.codes)
        assert found.reason == "converged"
        assert np.isfinite(found.estimate.discrepancy)
    else:
        assert not found.converged
        assert found.reason[0].isupper()
        assert found.reason.endswith(".")


@pytest.mark.parametrize("name", ODD)
def test_every_table_can_be_made(name: str) -> None:
    """Warnings are errors here: a bare numpy warning fails the test."""
    found = quietly(ODD[name].call)
    table = found.parameter_estimates(standardized=True)
    assert len(table) == len(found.model.table.rows) + len(found.model.relations.definitions)
    found.fit_measures()
    found.standardized_solution()
    for kind in ("raw", "cor", "cor_bentler", "normalized", "standardized"):
        found.residuals(kind)
    found.modindices()
    found.rsquare()
    found.effects(standardized=True)
    found.implied()
    found.vcov()
    assert str(found.summary(fit_measures=True, standardized=True, rsquare=True, modindices=True))
    assert found.to_json()
    assert found._repr_html_()
    assert repr(found)


@pytest.mark.parametrize("name", [name for name, odd in ODD.items() if "c" not in odd.state or "i" not in odd.state])
def test_without_convergence_or_identification_there_are_no_errors_and_no_verdict(name: str) -> None:
    found = quietly(ODD[name].call)
    free = found.model.theta_of_row >= 0
    errors = found.parameter_estimates()["se"].to_numpy()[: free.size]
    assert np.isnan(errors[free]).all()
    if not found.converged:
        assert np.isnan(found.chisq.statistic)
        assert "pvalue" not in found.fit_measures().index
        with pytest.raises(ts.ConvergenceError):
            found.require_converged()
    else:
        assert found.require_converged() is found


def test_the_parameters_that_are_not_identified_are_named() -> None:
    free = quietly(ODD["free scale"].call)
    assert set(free.not_identified) == {"f=~x1", "f=~x2", "f=~x3", "f=~x4", "f~~f"}
    apart = quietly(ODD["two factors with two indicators each, apart"].call)
    assert set(apart.not_identified) == {"f=~x2", "x1~~x1", "x2~~x2", "f~~f", "g=~x5", "x4~~x4", "x5~~x5", "g~~g"}
    half = quietly(ts.cfa, "f =~ x1 + x2 + x3\ng =~ x4 + x5\nf ~~ 0*g", DATA)
    assert set(half.not_identified) == {"g=~x5", "x4~~x4", "x5~~x5", "g~~g"}
    assert "Not identified: " in str(half.warnings[0])
    assert all(name in str(half.warnings[0]) for name in half.not_identified)


def test_a_heywood_case_is_named_and_not_clipped() -> None:
    found = quietly(ODD["Heywood"].call)
    assert found.coef()["a~~a"] < -0.5
    assert "the variance of a is negative (-0.87" in found.inadmissible[0]
    assert found.inadmissible[0] in str(found.warnings[0])
    assert np.isnan(found.rsquare()["a"])


def test_a_latent_correlation_beyond_one_is_named() -> None:
    found = quietly(ODD["factors correlated beyond one"].call)
    assert found.inadmissible == ("the covariance matrix of the latent variables is not positive definite",)
    table = found.standardized_solution()
    assert table[(table.lhs == "f") & (table.rhs == "g")]["est_std"].item() > 1.0


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_inadmissibility_does_not_depend_on_the_units(unit: float) -> None:
    cov = unit * 2.0 * correlations(".3 .6 .6 .6 .6 .3", "a b c d")
    assert quietly(ts.cfa, "f =~ a + b\ng =~ c + d", sample_cov=cov, sample_nobs=500).inadmissible


def test_a_bound_that_holds_has_no_test() -> None:
    found = quietly(ODD["bounded variance"].call)
    table = found.parameter_estimates().set_index(["lhs", "op", "rhs"])
    assert table.loc[("a", "~~", "a"), "est"] == 0.0
    assert np.isnan(table.loc[("a", "~~", "a"), "pvalue"])
    assert not np.isnan(table.loc[("b", "~~", "b"), "pvalue"])


def test_what_constraints_pin_has_no_error() -> None:
    found = quietly(ts.cfa, "f =~ x1 + x2 + x3\ng =~ x4 + c*x5 + d*x6\nd < 0.5\nc == d\nz := c*d", DATA)
    table = found.parameter_estimates().set_index("label")
    assert table.loc["c", "est"] == pytest.approx(0.5)
    assert (table.loc[["c", "d", "z"], "se"] == 0.0).all()
    assert table.loc[["c", "d", "z"], "z"].isna().all()


def test_a_partial_start_is_used_and_completed() -> None:
    """Regression: the unnamed parameters were left at NaN, which threw the user's values away."""
    plain = quietly(ts.cfa, TWO, DATA)
    near = quietly(ts.cfa, TWO, DATA, start=plain)
    some = quietly(ts.cfa, TWO, DATA, start={"f=~x2": float(plain.coef()["f=~x2"]), "f=~x3": float(plain.coef()["f=~x3"])})
    assert near.estimate.iterations <= 1
    assert some.estimate.iterations <= plain.estimate.iterations + 2
    np.testing.assert_allclose(some.coef(), plain.coef(), rtol=1e-6)


def test_a_saturated_model_fits_perfectly() -> None:
    """Regression: CFI was 0 where the baseline's chi-square lies below its degrees of freedom and ours is 1e-27."""
    swiss = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0, 5.0, 7.0], "b": [2.0, 1.0, 3.5, 2.5, 3.0, 1.5]})
    for estimator in ("ML", "GLS"):
        measures = quietly(ts.sem, "a ~ b", swiss, estimator=estimator).fit_measures()
        assert measures["baseline_chisq"] < measures["baseline_df"]
        assert measures["cfi"] == 1.0
        assert measures["rmsea"] == 0.0


def test_a_minimum_at_infinity_is_never_reported_as_a_clean_solution() -> None:
    """Two indicators that share nothing but the third: the discrepancy falls for ever, to 0."""
    found = quietly(ts.cfa, "f =~ a + b + c", sample_cov=3.0 * correlations(".4 .4 0", "a b c"), sample_nobs=500)
    assert not (found.converged and found.admissible and found.identified)
    assert {warning.code for warning in found.warnings} & {"TS-FIT-01", "TS-ID-01"}


def test_abs_is_not_linear() -> None:
    """Regression: a constraint was called linear after a look at positive values only."""
    mirrored = DATA.assign(x2=-DATA["x2"])
    found = quietly(ts.cfa, "f =~ x1 + a*x2 + b*x3\ng =~ x4 + x5 + x6\nabs(a) == b", mirrored)
    plain = quietly(ts.cfa, "f =~ x1 + a*x2 + b*x3\ng =~ x4 + x5 + x6\na == b", DATA)
    assert found.converged
    assert found.coef()["a"] == pytest.approx(-found.coef()["b"], abs=1e-7)
    assert found.estimate.discrepancy == pytest.approx(plain.estimate.discrepancy, abs=1e-10)
    assert found.df == plain.df


def test_every_code_of_the_core_occurs_here() -> None:
    occurring = {code for odd in ODD.values() for code in odd.codes}
    elsewhere = {
        "TS-MODEL-01": "unit/spec",
        "TS-STUDY-01": "unit/studies",
        "TS-THEORY-01": "unit/theory",
        "TS-DATA-05": "unit/data",
        "TS-CMP-01": "unit/fitting",
        "TS-CMP-02": "unit/fitting",
        "TS-CLUSTER-01": "unit/fitting",
        "TS-CLUSTER-02": "unit/fitting",
    }
    assert occurring | set(elsewhere) == set(WARNING_REMEDIES)
