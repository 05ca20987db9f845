"""statsmodels as an oracle: least squares for saturated path models, maximum likelihood for one factor."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.multivariate.factor import Factor
from statsmodels.regression.linear_model import OLS
from statsmodels.tools.tools import add_constant

import trustsem as ts

DATA = Path(__file__).parent / "data"
SAME = 1e-9
REGRESSIONS = {
    "attitude": ("attitude.csv", "rating", ["complaints", "learning", "raises"]),
    "swiss": ("swiss.csv", "Fertility", ["Agriculture", "Examination", "Education", "Catholic"]),
    "stackloss": ("stackloss.csv", "stack.loss", ["Air.Flow", "Water.Temp", "Acid.Conc."]),
    "school": ("HolzingerSwineford1939.csv", "x1", ["ageyr", "sex", "x9"]),
}
ONE_FACTOR = {
    "school": ("HolzingerSwineford1939.csv", ["x1", "x4", "x5", "x6", "x9"]),
    "attitude": ("attitude.csv", ["rating", "complaints", "learning", "raises"]),
    "trust": ("trust32.csv", ["t1", "t2", "t3", "t4", "t5"]),
}


def read(file: str) -> pd.DataFrame:
    return pd.read_csv(DATA / file)


@pytest.mark.parametrize("name", list(REGRESSIONS))
def test_saturated_path_model_is_least_squares(name: str) -> None:
    file, outcome, predictors = REGRESSIONS[name]
    data = read(file)
    reference = OLS(data[outcome], add_constant(data[predictors])).fit()
    fit = ts.sem(f"{outcome} ~ {' + '.join(predictors)}", data, meanstructure=True)
    own = fit.parameter_estimates().query("lhs == @outcome").set_index(["op", "rhs"])
    n, p = len(data), len(predictors) + 1
    keys = [("~1", ""), *(("~", x) for x in predictors)]
    assert fit.df == 0
    assert [own.est[key] for key in keys] == pytest.approx(reference.params.tolist(), rel=SAME)
    # Maximum likelihood divides the residual sum of squares by n, not by n - p.
    assert own.est["~~", outcome] == pytest.approx(reference.ssr / n, rel=SAME)
    assert [own.se[key] for key in keys] == pytest.approx((reference.bse * math.sqrt((n - p) / n)).tolist(), rel=SAME)
    assert own.se["~~", outcome] == pytest.approx(reference.ssr / n * math.sqrt(2 / n), rel=SAME)
    assert fit.rsquare()[outcome] == pytest.approx(reference.rsquared, rel=SAME)


@pytest.mark.parametrize("name", list(REGRESSIONS))
def test_log_likelihood_is_that_of_least_squares(name: str) -> None:
    """With fixed covariates the log-likelihood is that of the outcome given them, here and there."""
    file, outcome, predictors = REGRESSIONS[name]
    data = read(file)
    reference = OLS(data[outcome], add_constant(data[predictors])).fit()
    measures = ts.sem(f"{outcome} ~ {' + '.join(predictors)}", data, meanstructure=True).fit_measures()
    assert measures["logl"] == pytest.approx(reference.llf, rel=SAME)
    # The residual variance is a parameter to us, and not to statsmodels.
    assert measures["aic"] == pytest.approx(reference.aic + 2, rel=SAME)
    assert measures["bic"] == pytest.approx(reference.bic + math.log(len(data)), rel=SAME)
    # The baseline model has no predictors: its statistic is the likelihood ratio of the whole regression.
    assert measures["baseline_chisq"] == pytest.approx(2 * (reference.llf - OLS(data[outcome], np.ones(len(data))).fit().llf), rel=1e-8)


@pytest.mark.parametrize("name", list(ONE_FACTOR))
def test_one_factor_by_maximum_likelihood(name: str) -> None:
    """statsmodels analyses the correlations; the model is scale-free, so the standardized loadings are the same."""
    file, items = ONE_FACTOR[name]
    data = read(file)[items]
    reference = Factor(data, n_factor=1, method="ml").fit(opt={"gtol": 1e-7})
    fit = ts.cfa(f"f =~ {' + '.join(items)}", data, std_lv=True)
    solution = fit.standardized_solution()
    loadings = solution.est_std[solution.op == "=~"].to_numpy()
    theirs = reference.loadings[:, 0] * np.sign(reference.loadings[0, 0])
    assert loadings * np.sign(loadings[0]) == pytest.approx(theirs, abs=1e-6)  # statsmodels stops there
    assert 1.0 - loadings**2 == pytest.approx(reference.uniqueness, abs=1e-6)
