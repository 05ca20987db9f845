"""Under values missing at random, pooled intervals cover and pooled tests keep their level; leaving rows out does not cover."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

import trustsem as ts
from helpers import quietly
from trustsem.data.imputation import impute
from trustsem.fitting.imputed import ImputedFit, sem_mi

pytestmark = pytest.mark.slow

TEXT = "z ~ a*x + m*1\ny ~ b*x\nx ~ l*1\nz ~~ 0*y\nmean_z := m + a*l"
TRUE = {"a": 0.5, "b": 0.4, "mean_z": 0.0}
REPLICATIONS, N, M = 300, 250, 10


class Rates(NamedTuple):
    cover: dict[str, float]
    listwise: dict[str, float]
    rejected: dict[str, float]


def draw(rng: np.random.Generator) -> pd.DataFrame:
    """About a third of z and y missing, more where x is large."""
    x = rng.standard_normal(N)
    data = pd.DataFrame({"x": x, "z": 0.5 * x + math.sqrt(0.75) * rng.standard_normal(N), "y": 0.4 * x + rng.standard_normal(N)})
    chance = 1.0 / (1.0 + np.exp(0.8 - x))
    for name in ("z", "y"):
        data.loc[rng.random(N) < chance, name] = np.nan
    return data


def covered(frame: pd.DataFrame) -> np.ndarray:
    rows = frame.set_index("label").loc[list(TRUE)]
    true = np.array(list(TRUE.values()))
    return ((rows["ci_lower"] <= true) & (true <= rows["ci_upper"])).to_numpy()


@pytest.fixture(scope="module", params=["norm", "pmm"])
def rates(request: pytest.FixtureRequest) -> Rates:
    rng = np.random.default_rng(11)
    pooled, single, rejected = [], [], []
    for _ in range(REPLICATIONS):
        data = draw(rng)
        made = impute(data, M, iterations=5, method=request.param, seed=rng)
        fit = quietly(sem_mi, TEXT, made, fixed_x=False)
        pooled.append(covered(fit.parameter_estimates()))
        single.append(covered(quietly(ts.sem, TEXT, data, fixed_x=False).parameter_estimates()))
        rejected.append([ImputedFit(fit.fits, fit.fitter, kind).fit_measures()["pvalue"] < 0.05 for kind in ("D2", "D3", "D4")])
    names = list(TRUE)
    return Rates(
        *(dict(zip(keys, np.mean(v, axis=0).tolist(), strict=True)) for keys, v in ((names, pooled), (names, single), (("D2", "D3", "D4"), rejected)))
    )


def test_pooled_intervals_cover(rates: Rates, request: pytest.FixtureRequest) -> None:
    """Matching has no donors where most values are missing, and pulls slopes towards zero there (R's mice does the same): it covers less."""
    error = math.sqrt(0.95 * 0.05 / REPLICATIONS)
    least = 0.95 - 3.5 * error if "norm" in request.node.name else 0.85
    for name, rate in rates.cover.items():
        assert rate >= least, (name, rate)


def test_leaving_rows_out_misses_the_mean(rates: Rates) -> None:
    assert rates.listwise["mean_z"] < 0.5


def test_pooled_tests_keep_their_level(rates: Rates) -> None:
    error = math.sqrt(0.95 * 0.05 / REPLICATIONS)
    for name, rate in rates.rejected.items():
        assert rate <= 0.05 + 3.5 * error, (name, rate)
