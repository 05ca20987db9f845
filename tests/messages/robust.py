"""Mistakes with missing values, robust errors and tests, clusters and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import trustsem as ts
from messages.cases import COV, DATA, ONE, TWO, Mistake, cfa, option, sem

HOLES = DATA.mask(np.random.default_rng(4).random(DATA.shape) < 0.1).assign(school=DATA["school"])
APART = DATA.assign(x1=DATA["x1"].where(DATA.index < 150), x2=DATA["x2"].where(DATA.index >= 150))
FEW = DATA[:30]
MOMENTS = {"sample_cov": COV, "sample_nobs": 301}


def weights(**changes: Any) -> pd.DataFrame:
    weight = np.linspace(0.5, 2.0, len(DATA))
    for place, value in changes.items():
        weight[int(place.removeprefix("row"))] = value
    return DATA.assign(w=weight)


MISTAKES: dict[str, Mistake] = {
    "incomplete rows for least squares": Mistake(lambda: sem(missing="fiml", estimator="GLS"), ts.OptionError, ("missing='fiml'", "'GLS'", "MLR")),
    "auxiliary variables without missing values": Mistake(lambda: sem(auxiliary=["x7"]), ts.OptionError, ("auxiliary=['x7']", "missing='fiml'")),
    "auxiliary variable of the model": Mistake(lambda: sem(auxiliary=["x1"], missing="fiml"), ts.OptionError, ("auxiliary=", "'x1'", "Leave it out")),
    "auxiliary variable of the model in two stages": Mistake(
        lambda: sem(auxiliary="x1", missing="two_stage"), ts.OptionError, ("auxiliary=", "'x1'", "Leave it out")
    ),
    "independent rows in clusters": Mistake(lambda: sem(estimator="MLM", cluster="agemo"), ts.OptionError, ("robust_sem", "independent", "'MLR'")),
    "sandwich of least squares": Mistake(lambda: sem(estimator="GLS", se="robust_huber_white"), ts.OptionError, ("needs a likelihood", "'MLR'")),
    "two-stage errors alone": Mistake(lambda: sem(se="two_stage"), ts.OptionError, ("se='two_stage'", "missing='two_stage'")),
    "cluster errors without clusters": Mistake(lambda: sem(se="robust_cluster"), ts.OptionError, ("se='robust_cluster'", "cluster=")),
    "no tests, table wanted": Mistake(lambda: sem(test="none").tests(), ts.OptionError, ("test='none'", "Leave test= out")),
    "no scaled test": Mistake(lambda: sem().scaled, ts.OptionError, ("no scaled test", "estimator='MLR'")),
    "robust from moments": Mistake(lambda: cfa(ONE, None, estimator="MLM", **MOMENTS), ts.DataError, ("'MLM'", "rows of the data", "data=")),
    "weighted least squares from moments": Mistake(
        lambda: cfa(ONE, None, estimator="WLS", **MOMENTS), ts.DataError, ("rows of the data", "estimator='GLS'")
    ),
    "weighted least squares of few rows": Mistake(
        lambda: sem(TWO, FEW[:20], estimator="WLS"), ts.DataError, ("21 sample moments", "20 rows", "estimator='DWLS'")
    ),
    "weighted least squares with holes": Mistake(
        lambda: ts.compile(ONE, estimator="WLS").fit_sample(cfa(ONE, HOLES, missing="fiml").sample), ts.DataError, ("complete rows", "listwise")
    ),
    "robust.sem with holes": Mistake(
        lambda: cfa(ONE, HOLES, missing="fiml", se="robust_sem").theta_vcov, ts.DataError, ("complete rows", "estimator='MLR'")
    ),
    "gammas of moments": Mistake(lambda: cfa(ONE, None, **MOMENTS).gammas, ts.DataError, ("rows of the data", "data=")),
    "deviations of moments": Mistake(lambda: cfa(ONE, None, **MOMENTS).stacked[0].scores(structured=True), ts.DataError, ("rows of the data",)),
    "Browne's test with holes": Mistake(
        lambda: cfa(ONE, HOLES, missing="fiml", test="browne_residual_nt").tests(), ts.DataError, ("browne_residual_nt", "complete rows")
    ),
    "Browne's test of moments": Mistake(
        lambda: cfa(ONE, None, test="browne_residual_adf", **MOMENTS).tests(), ts.DataError, ("browne_residual_adf", "browne_residual_nt")
    ),
    "Browne's test with covariates": Mistake(
        lambda: sem("x1 ~ x2\nx3 ~ x1", meanstructure=True, test="browne_residual_nt").tests(), ts.OptionError, ("fixed_x=False",)
    ),
    "small samples by least squares": Mistake(lambda: sem(estimator="GLS").tests(small_sample=True), ts.OptionError, ("small_sample=True", "'ML'")),
    "lost information of complete rows": Mistake(lambda: sem().parameter_estimates(fmi=True), ts.OptionError, ("fmi=True", "missing='fiml'")),
    "patterns of moments": Mistake(lambda: cfa(ONE, None, **MOMENTS).missing_patterns(), ts.DataError, ("rows", "data=")),
    "never observed together": Mistake(lambda: cfa(ONE, APART, missing="fiml"), ts.DataError, ("'x1' and 'x2'", "no row", "Leave one")),
    "all values of a variable missing": Mistake(lambda: cfa(ONE, DATA.assign(x2=np.nan), missing="fiml"), ts.DataError, ("'x2'", "no value")),
    "one value of a variable": Mistake(
        lambda: cfa(ONE, DATA.assign(x2=DATA["x2"].where(DATA.index == 3)), missing="fiml"), ts.DataError, ("'x2'", "single value")
    ),
    "all rows missing": Mistake(lambda: cfa(ONE, DATA.assign(x1=np.nan, x2=np.nan, x3=np.nan), missing="fiml"), ts.DataError, ("No row",)),
    "cluster of moments": Mistake(lambda: cfa(ONE, None, cluster="school", **MOMENTS), ts.OptionError, ("cluster=", "data=")),
    "cluster unknown in a row": Mistake(
        lambda: cfa(ONE, DATA.assign(team=DATA["school"].where(DATA.index != 7)), cluster="team"), ts.DataError, ("'team'", "row 7", "fill it in")
    ),
    "one cluster": Mistake(lambda: cfa(ONE, DATA.assign(team="a"), cluster="team"), ts.DataError, ("'team'", "one value", "two clusters")),
    "negative weight": Mistake(lambda: cfa(ONE, weights(row3=-1.0), sampling_weights="w"), ts.DataError, ("'w'", "negative", "row 3")),
    "zero weight": Mistake(lambda: cfa(ONE, weights(row3=0.0), sampling_weights="w"), ts.DataError, ("'w'", "zero", "row 3")),
    "missing weight": Mistake(lambda: cfa(ONE, weights(row3=np.nan), sampling_weights="w"), ts.DataError, ("'w'", "missing", "row 3")),
    "variable as cluster": Mistake(lambda: cfa(ONE, cluster="x1"), ts.OptionError, ("'x1'", "cluster=", "out of the model")),
    "cluster is a number": Mistake(lambda: cfa(ONE, cluster=3), ts.OptionError, ("cluster=", "name of one column", "3")),
    "rows without a value in the model": Mistake(
        lambda: ts.compile("f =~ x1 + x2 + x3", missing="fiml").fit_sample(sparse()), ts.DataError, ("no value at all", "these variables alone")
    ),
    **dict(
        [
            option("missing", "fimml", "not a treatment", "'fiml'"),
            option("missing", "pairwise", "not available", error=ts.NotAvailableError),
            option("se", "robustt", "Unknown se=", "'robust_sem'"),
            option("test", "santorra", "Unknown test="),
        ]
    ),
}


def sparse() -> ts.Sample:
    from trustsem.data.frames import sample_from_frame

    data = DATA[["x1", "x2", "x3", "x4"]].mask(DATA.index.to_numpy()[:, None] % 9 == np.arange(4))
    data.loc[5, ["x1", "x2", "x3"]] = np.nan
    return sample_from_frame(data, missing="fiml")
