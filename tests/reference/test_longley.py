"""NIST's Longley regression (higher level of difficulty) as a path model: nine digits, in any units and any order."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trustsem as ts

FOLDER = Path(__file__).parents[2] / "data" / "real" / "longley"
CERTIFIED: dict[str, Any] = tomllib.loads((FOLDER / "manifest.toml").read_text(encoding="utf-8"))["certified"]
OUTCOME, *PREDICTORS = ("TOTEMP", "GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR")
N, P = 16, 7
UNITS = {"TOTEMP": 1e3, "GNPDEFL": 1e-2, "GNP": 1e6, "UNEMP": 1e-3, "ARMED": 7.0, "POP": 1e-4, "YEAR": 1 / 365.25}
TS_DATA_02 = "ignore:.TS-DATA-02:trustsem.errors.TrustsemWarning"  # variances differ by more than 1e6: that is what the test is about
DIGITS = {"estimate": 9.0, "residual": 9.0, "standard_error": 7.0}  # errors come from inverting an information matrix with condition number 1e9

pytestmark = [pytest.mark.filterwarnings(TS_DATA_02)]


def digits(value: float, certified: float) -> float:
    """Return the number of correct digits: -log10 of the relative error, 15 for equality."""
    error = abs(value - certified) / abs(certified)
    return 15.0 if error == 0.0 else -math.log10(error)


def fit(frame: pd.DataFrame, predictors: list[str], **options: Any) -> ts.Fit:
    return ts.sem(f"{OUTCOME} ~ {' + '.join(predictors)}", frame, **options)


def regression(result: ts.Fit, units: dict[str, float]) -> dict[str, dict[str, float]]:
    """Return intercept and slopes in the original units, with unbiased standard errors; and the residual sd."""
    table = result.parameter_estimates()
    own = table[table.lhs == OUTCOME].set_index(["op", "rhs"])
    unbias = math.sqrt(N / (N - P))  # maximum likelihood divides the residual sum of squares by n
    scale = {("~1", ""): 1.0 / units[OUTCOME]} | {("~", x): units[x] / units[OUTCOME] for x in PREDICTORS}
    estimate = {op_rhs[1] or "intercept": float(own.est[op_rhs]) * factor for op_rhs, factor in scale.items()}
    error = {op_rhs[1] or "intercept": float(own.se[op_rhs]) * factor * unbias for op_rhs, factor in scale.items()}
    residual = math.sqrt(float(own.est["~~", OUTCOME])) * unbias / units[OUTCOME]
    return {"estimate": estimate, "standard_error": error, "residual": {"sd": residual}}


def certified() -> dict[str, dict[str, float]]:
    names = ["intercept", *PREDICTORS]
    return {
        "estimate": dict(zip(names, CERTIFIED["estimate"], strict=True)),
        "standard_error": dict(zip(names, CERTIFIED["standard_error"], strict=True)),
        "residual": {"sd": CERTIFIED["residual_standard_deviation"]},
    }


@pytest.fixture(scope="module")
def longley() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "data.csv")


def variants() -> list[tuple[str, dict[str, float], list[str]]]:
    same = dict.fromkeys(UNITS, 1.0)
    return [
        ("as published", same, PREDICTORS),
        ("other units", UNITS, PREDICTORS),
        ("other order", same, PREDICTORS[::-1]),
        ("other units and order", UNITS, [PREDICTORS[k] for k in (3, 0, 5, 1, 4, 2)]),
    ]


@pytest.mark.parametrize(("units", "predictors"), [v[1:] for v in variants()], ids=[v[0] for v in variants()])
@pytest.mark.parametrize("quantity", ["estimate", "standard_error", "residual"])
def test_certified_digits(longley: pd.DataFrame, units: dict[str, float], predictors: list[str], quantity: str) -> None:
    """Units multiply the data, and the columns of the frame are in another order than the model."""
    frame = (longley * pd.Series(units))[longley.columns[::-1]]
    found = regression(fit(frame, predictors, meanstructure=True), units)[quantity]
    measured = {name: digits(found[name], value) for name, value in certified()[quantity].items()}
    print({name: round(value, 1) for name, value in measured.items()})  # shown with -s
    assert min(measured.values()) >= DIGITS[quantity], measured


@pytest.mark.parametrize(("units", "predictors"), [v[1:] for v in variants()], ids=[v[0] for v in variants()])
def test_r_squared(longley: pd.DataFrame, units: dict[str, float], predictors: list[str]) -> None:
    found = fit(longley * pd.Series(units), predictors).rsquare()[OUTCOME]
    assert digits(found, CERTIFIED["r_squared"]) >= 9.0


def test_slopes_do_not_need_the_means(longley: pd.DataFrame) -> None:
    """From the covariance matrix alone: what the digits lost in forming it leave."""
    cov = longley.cov()
    table = fit(longley, PREDICTORS).parameter_estimates()
    again = ts.sem(f"{OUTCOME} ~ {' + '.join(PREDICTORS)}", sample_cov=cov, sample_nobs=N).parameter_estimates()
    slopes = [digits(float(v), c) for v, c in zip(table.est[: P - 1], CERTIFIED["estimate"][1:], strict=True)]
    from_cov = [digits(float(v), c) for v, c in zip(again.est[: P - 1], CERTIFIED["estimate"][1:], strict=True)]
    assert min(slopes) >= 9.0
    assert min(from_cov) >= 9.0


def test_residuals_of_a_saturated_model_are_zero(longley: pd.DataFrame) -> None:
    result = fit(longley, PREDICTORS, meanstructure=True)
    assert result.converged
    assert result.df == 0
    assert np.abs(result.residuals("cor")["cov"].to_numpy()).max() < 1e-9
