"""semopy 2.3.11 as an oracle (a fresh model and a tight stopping rule each time), and the engine that hands its numbers over.

Two conventions of semopy matter: moments are divided by N whatever the objective (we follow lavaan: N - 1 for GLS and ULS), and ULS is
``1/2 tr[(S - Sigma)^2]``, which has our minimum where every variance is fitted exactly.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts

HERE = Path(__file__).parent
TIGHT = {"ftol": 1e-14, "maxiter": 10_000}
OBJECTIVES = {"ML": "MLW", "GLS": "GLS", "ULS": "ULS"}
CLOSE = 1e-6  # of the size of the estimate, or of a standard error where that is larger
UNITS = pytest.mark.filterwarnings("ignore:.TS-DATA-02:trustsem.errors.TrustsemWarning")

THREE_FACTORS = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
DEMOCRACY = """ind60 =~ x1 + x2 + x3
dem60 =~ y1 + y2 + y3 + y4
dem65 =~ y5 + y6 + y7 + y8
dem60 ~ ind60
dem65 ~ ind60 + dem60
y1 ~~ y5
y2 ~~ y4
y2 ~~ y6
y3 ~~ y7
y4 ~~ y8
y6 ~~ y8"""
MEDIATION = "rating ~ learning + complaints\nlearning ~ complaints"
COVARIATES = f"{THREE_FACTORS}\nvisual ~ ageyr + sex\ntextual ~ visual"
EQUAL = DEMOCRACY.replace("y2 + y3", "b*y2 + c*y3").replace("y6 + y7", "b*y6 + c*y7")
THEORY = (HERE.parents[1] / "benchmarks" / "theory.txt").read_text(encoding="utf-8")
HOLZINGER, POLITICS = "HolzingerSwineford1939.csv", "PoliticalDemocracy.csv"
MODELS = {
    "three factors": (THREE_FACTORS, HOLZINGER),
    "democracy": (DEMOCRACY, POLITICS),
    "mediation": (MEDIATION, "attitude.csv"),
    "covariates": (COVARIATES, HOLZINGER),
    "equal loadings": (EQUAL, POLITICS),
    "theory": (THEORY, "trust32.csv"),
}


def read(file: str) -> pd.DataFrame:
    return pd.read_csv(HERE / "data" / file)


def semopy_estimates(model: str, data: pd.DataFrame, estimator: str) -> dict[tuple[str, str, str], float]:
    """Return semopy's own estimates under lavaan's operators."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import semopy

        fitted = semopy.Model(model)
        assert fitted.fit(data, obj=OBJECTIVES[estimator], options=TIGHT).success
        table = fitted.inspect()
    return {(row.lval, row.op, row.rval): float(row.Estimate) for row in table.itertuples()}


def with_divisor_n(model: str, data: pd.DataFrame, estimator: str) -> ts.Fit:
    """Fit by trustsem to moments with semopy's divisor."""
    fitter = ts.compile(model, estimator=estimator, fixed_x=True)  # semopy knows no other
    cov = data[list(fitter.observed)].cov()
    factor = 1.0 if estimator == "ML" else (len(data) - 1) / len(data)  # maximum likelihood divides by N by itself
    return fitter.fit_moments(cov * factor, len(data))


def free_rows(fit: ts.Fit) -> pd.DataFrame:
    table = fit.parameter_estimates()
    return table[(table.se > 0) | table.se.isna()]


def compare(fit: ts.Fit, theirs: dict[tuple[str, str, str], float], errors: np.ndarray) -> int:
    count = 0
    for row, error in zip(free_rows(fit).itertuples(), errors, strict=True):
        key = (row.rhs, "~", row.lhs) if row.op == "=~" else (row.lhs, row.op, row.rhs)
        value = theirs.get(key, theirs.get(key[::-1]))
        assert value is not None, key
        assert abs(row.est - value) <= CLOSE * max(abs(value), error), (key, row.est, value)
        count += 1
    return count


@UNITS
@pytest.mark.parametrize("estimator", ["ML", "GLS", "ULS"])
@pytest.mark.parametrize("name", list(MODELS))
def test_estimates_agree(name: str, estimator: str) -> None:
    text, file = MODELS[name]
    data = read(file)
    ours = with_divisor_n(text, data, estimator)
    assert ours.converged
    assert compare(ours, semopy_estimates(text, data, estimator), free_rows(ours).se.to_numpy()) >= ours.npar


@pytest.mark.parametrize("estimator", ["GLS", "ULS"])
def test_semopy_divides_by_n(estimator: str) -> None:
    """With our divisor N - 1, loadings stay and variances differ by exactly (N - 1) / N."""
    data = read(HOLZINGER)
    theirs = semopy_estimates(THREE_FACTORS, data, estimator)
    table = free_rows(ts.sem(THREE_FACTORS, data, estimator=estimator)).set_index(["lhs", "op", "rhs"])
    assert theirs["x2", "~", "visual"] == pytest.approx(table.est["visual", "=~", "x2"], rel=CLOSE)
    assert theirs["x2", "~~", "x2"] / table.est["x2", "~~", "x2"] == pytest.approx(300 / 301, rel=CLOSE)


def test_uls_of_semopy_is_the_textbook_form() -> None:
    """With a fixed residual variance the two forms have different minima, each lower in its own."""
    text, data = "f =~ x1 + x2 + x3 + x4\nx1 ~~ 0.4*x1", read(HOLZINGER)
    ours = with_divisor_n(text, data, "ULS")
    theirs = ts.sem(text, data, estimator="ULS", engine="semopy")
    ours_gap, theirs_gap = ours.residuals()["cov"].to_numpy(), theirs.residuals()["cov"].to_numpy()
    assert (np.tril(ours_gap) ** 2).sum() < (np.tril(theirs_gap) ** 2).sum() - 1e-6
    assert (ours_gap**2).sum() > (theirs_gap**2).sum() + 1e-6


# ---- the engine -------------------------------------------------------------------------------------------------------------------------


@UNITS
@pytest.mark.parametrize("estimator", ["ML", "GLS", "ULS"])
@pytest.mark.parametrize("name", list(MODELS))
def test_engine_returns_semopys_numbers(name: str, estimator: str) -> None:
    text, file = MODELS[name]
    data = read(file)
    fit = ts.sem(text, data, estimator=estimator, fixed_x=True, engine="semopy")
    assert fit.converged
    assert fit.reason == "converged"
    errors = free_rows(with_divisor_n(text, data, estimator)).se.to_numpy()
    assert compare(fit, semopy_estimates(text, data, estimator), errors) >= fit.npar


def test_engine_gives_neither_errors_nor_tests() -> None:
    fit = ts.sem(THREE_FACTORS, read(HOLZINGER), engine="semopy")
    free = free_rows(fit)
    assert len(free) == fit.npar == 21
    assert free[["se", "z", "pvalue", "ci_lower", "ci_upper"]].isna().all(axis=None)
    assert np.isnan(fit.vcov().to_numpy()).all()
    assert set(fit.fit_measures().index) == {"npar", "fmin"}
    assert fit.options.engine == "semopy"
    assert np.isnan(fit.chisq.statistic)
    assert "engine=semopy" in str(fit.summary(fit_measures=True))


def test_engine_starts_fresh_every_time() -> None:
    """A refitted semopy model remembers the data before; ours must not."""
    data = read(HOLZINGER)
    half = data.iloc[:150]
    first = ts.sem(THREE_FACTORS, data, engine="semopy").coef()
    other = ts.sem(THREE_FACTORS, half, engine="semopy").coef()
    again = ts.sem(THREE_FACTORS, data, engine="semopy").coef()
    assert (first == again).all()
    assert (first != other).all()


def test_engine_reads_moments() -> None:
    data = read(HOLZINGER)
    cov = data[[f"x{k}" for k in range(1, 10)]].cov()
    from_cov = ts.sem(THREE_FACTORS, sample_cov=cov, sample_nobs=len(data), engine="semopy").coef()
    assert from_cov.to_numpy() == pytest.approx(ts.sem(THREE_FACTORS, data, engine="semopy").coef().to_numpy(), rel=1e-6)


def test_engine_fixes_what_the_model_fixes() -> None:
    """semopy would free the covariances of exogenous latent variables, and knows no default of ours."""
    orthogonal = ts.cfa(THREE_FACTORS, read(HOLZINGER), orthogonal=True, engine="semopy")
    reference = ts.cfa(THREE_FACTORS, read(HOLZINGER), orthogonal=True)
    assert orthogonal.npar == reference.npar == 18
    assert orthogonal.coef().to_numpy() == pytest.approx(reference.coef().to_numpy(), rel=1e-5)
    fixed = ts.sem(f"{THREE_FACTORS}\nx1 ~~ 0.5*x1\nvisual ~~ 0.3*speed", read(HOLZINGER), engine="semopy").parameter_estimates()
    assert fixed.est[(fixed.lhs == "x1") & (fixed.rhs == "x1")].item() == 0.5
    assert ts.sem(f"{THREE_FACTORS}\nx1 ~~ 0.5*x1", read(HOLZINGER), engine="semopy").npar == 20


def holed() -> pd.DataFrame:
    data = read(HOLZINGER)
    data.loc[:4, "x1"] = np.nan
    return data


REFUSALS: dict[str, tuple[str, dict[str, Any], str]] = {
    "groups": (THREE_FACTORS, {"group": "school"}, "several groups"),
    "means": (THREE_FACTORS, {"meanstructure": True}, "a mean structure"),
    "equality": ("f =~ x1 + a*x2 + b*x3 + x4\na == b", {}, "constraints"),
    "definition": ("f =~ x1 + a*x2 + b*x3 + x4\nd := a*b", {}, "constraints"),
    "bounds": (THREE_FACTORS, {"bounds": "pos_var"}, "bounds"),
    "start option": (THREE_FACTORS, {"start": {"visual=~x2": 0.5}}, "starting values"),
    "start modifier": ("f =~ x1 + start(0.5)*x2 + x3 + x4", {}, "starting values"),
    "no fixed loading": (THREE_FACTORS, {"std_lv": True}, "without a fixed loading .visual, textual, speed"),
    "residual with latent": ("f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6\nf ~~ x4", {}, "cannot express"),
    "no path": ("x1 ~~ x2\nx2 ~~ x3", {}, "cannot express"),
}


@pytest.mark.parametrize("name", list(REFUSALS))
def test_engine_refuses(name: str) -> None:
    text, options, reason = REFUSALS[name]
    with pytest.raises(ts.NotAvailableError, match=rf"engine='semopy' is not available .*{reason}.*Leave engine= out"):
        ts.sem(text, read(HOLZINGER), engine="semopy", **options)


def test_engine_refuses_missing_values() -> None:
    with pytest.raises(ts.NotAvailableError, match=r"missing values \(5 incomplete rows"):
        ts.sem(THREE_FACTORS, holed(), engine="semopy")


def test_engine_does_not_believe_a_wrong_success() -> None:
    """semopy keeps variances from being negative, and calls the point where it was held a success."""
    with pytest.warns(ts.TrustsemWarning, match="TS-FIT-01"):
        fit = ts.cfa(THREE_FACTORS, read("hs_small.csv"), engine="semopy")
    assert not fit.converged
    assert "gradient is not zero" in fit.reason


def test_engine_reports_failure_as_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import semopy

    def fail(*_: Any, **__: Any) -> None:
        raise np.linalg.LinAlgError("singular")

    monkeypatch.setattr(semopy.Model, "fit", fail)
    with pytest.warns(ts.TrustsemWarning, match="TS-FIT-01"):
        fit = ts.sem(THREE_FACTORS, read(HOLZINGER), engine="semopy")
    assert not fit.converged
    assert fit.reason == "semopy stopped with LinAlgError: singular"
    assert fit.fit_measures().index.tolist() == ["npar", "fmin"]


def test_engine_leaves_logging_alone() -> None:
    root = logging.getLogger()
    handlers, filters = list(root.handlers), list(root.filters)
    ts.sem(THREE_FACTORS, read(HOLZINGER), engine="semopy")
    assert root.handlers == handlers
    assert root.filters == filters
