"""Every mistake that the core answers with an error: what is done, the class of the error, and the parts of the message that help.

`helpful` are fragments: what is wrong with the value, what is allowed, what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import trustsem as ts
from helpers import Case, correlations, holzinger, model_of, quietly
from trustsem.data.sample import Sample
from trustsem.fitting.fitter import make_fitter
from trustsem.inference.residuals import block_residuals
from trustsem.model.ram import compile_model
from trustsem.options import FitOptions
from trustsem.spec.table import ParameterTable, Row

ONE = "f =~ x1 + x2 + x3"
TWO = "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6"
NORMAL = {"y~x": 0.5, "y~~y": 1.0, "x~~x": 1.0}

DATA = holzinger()
COV = DATA[["x1", "x2", "x3", "x4", "x5", "x6"]].cov()
HEYWOOD = correlations(".9 .8 .5", "a b c")


class Mistake(NamedTuple):
    """Something wrong: the call, the error it raises, and fragments of the message."""

    call: Callable[[], Any]
    error: type[ts.TrustsemError]
    helpful: tuple[str, ...]


def sem(text: Any = TWO, data: Any = DATA, /, **options: Any) -> Any:
    return quietly(ts.sem, text, data, **options)


def cfa(text: Any = ONE, data: Any = DATA, /, **options: Any) -> Any:
    return quietly(ts.cfa, text, data, **options)


def option(name: str, value: Any, *helpful: str, error: type[ts.TrustsemError] = ts.OptionError, **more: Any) -> tuple[str, Mistake]:
    return f"{name}={value!r}", Mistake(lambda: sem(**{name: value}, **more), error, (f"{name}=", *helpful))


def table(*rows: Row, **more: Any) -> ParameterTable:
    return ParameterTable(tuple(rows), **more)


def unknown_mean_prediction() -> Any:
    return cfa(ONE, None, sample_cov=COV, sample_nobs=301).predict(data=DATA)


def population(**changes: Any) -> ts.Population:
    return ts.Population("y ~ x", {**NORMAL, **changes})


def hopeless() -> ts.Fit:
    """A fit that cannot converge: no point has a positive definite covariance matrix."""
    return cfa("f =~ x1 + x2 + x3\nx1 ~~ -1*x1")


def flags() -> dict[str, Mistake]:
    names = {
        "std_lv": "yes",
        "fixed_x": "no",
        "meanstructure": "maybe",
        "orthogonal": 2,
        "auto_var": 1,
        "int_ov_free": "TRUE",
        "sample_cov_rescale": "no",
    }
    return dict(option(name, value, "not a yes or no", "True or False") for name, value in names.items())


def later() -> dict[str, Mistake]:
    """Options that lavaan users know and that would change the result."""
    known = {"ordered": ["x1"], "parameterization": "theta"}
    known |= {"conditional_x": True, "effect_coding": True}
    made = [option(name, value, "not available yet", f"Leave {name}= out", error=ts.NotAvailableError) for name, value in known.items()]
    return dict([*made, option("ordered", True, "not available yet", error=ts.NotAvailableError)])


SEM: dict[str, Mistake] = {
    "model is None": Mistake(lambda: sem(None), ts.OptionError, ("model=", "NoneType", "model syntax")),
    "model is a list": Mistake(lambda: sem([ONE]), ts.OptionError, ("model=", "list", "ParameterTable")),
    "model is empty": Mistake(lambda: sem(" # nothing\n"), ts.ModelError, ("empty", "f =~ x1")),
    "groups of a sample": Mistake(lambda: sem(ONE, cfa().sample, group="school"), ts.OptionError, ("group='school'", "Sample")),
    "no data": Mistake(lambda: sem(ONE, None), ts.DataError, ("data=", "sample_cov=", "sample_nobs=")),
    "data and moments": Mistake(lambda: sem(ONE, DATA, sample_cov=COV, sample_nobs=301), ts.DataError, ("not both",)),
    "data and sample_nobs": Mistake(lambda: sem(ONE, DATA, sample_nobs=301), ts.DataError, ("sample_nobs=", "Leave sample_nobs= out")),
    "data and sample_mean": Mistake(lambda: sem(ONE, DATA, sample_mean=[1, 2, 3]), ts.DataError, ("sample_mean=", "Leave sample_mean= out")),
    "moments without nobs": Mistake(lambda: sem(ONE, None, sample_cov=COV), ts.OptionError, ("sample_nobs=", "missing")),
    "group_label without groups": Mistake(
        lambda: sem(ONE, None, sample_cov=COV, sample_nobs=301, group_label=["a"]), ts.OptionError, ("group_label=", "dict by group label")
    ),
    "means wanted, none given": Mistake(
        lambda: sem(ONE, None, sample_cov=COV, sample_nobs=301, meanstructure=True), ts.DataError, ("sample_mean=", "meanstructure=False")
    ),
    "unknown option": Mistake(lambda: sem(estimater="ML"), ts.OptionError, ("estimater=", "'estimator'", "help(")),
    "group_equal is a number": Mistake(lambda: sem(group="school", group_equal=3), ts.OptionError, ("group_equal=3", "group_equal=['loadings']")),
    "group_partial is a list of numbers": Mistake(lambda: sem(group="school", group_partial=[1]), ts.OptionError, ("group_partial=[1]",)),
    "unknown group_equal": Mistake(lambda: sem(group="school", group_equal="loading"), ts.OptionError, ("'loadings'", "group_equal=")),
    "start names nothing": Mistake(lambda: sem(start={"f=~x22": 1.0}), ts.OptionError, ("start=", "f=~x22", "'f=~x2'")),
    "start is text": Mistake(lambda: sem(start={"f=~x2": "a"}), ts.OptionError, ("start=", "'f=~x2'", "finite number")),
    "start is infinite": Mistake(lambda: sem(start={"f=~x2": np.inf}), ts.OptionError, ("start=", "inf", "finite number")),
    "Wishart without ML": Mistake(lambda: sem(likelihood="wishart", estimator="GLS"), ts.OptionError, ("likelihood='wishart'", "'GLS'", "out")),
    "counting rule": Mistake(lambda: cfa("f =~ x1 + x2"), ts.IdentificationError, ("4 free", "3 sample moments", "Fix or equate")),
    "nothing but covariates": Mistake(
        lambda: sem(table(Row("x1", "~~", "x1", free=False, exo=True))), ts.ModelError, ("fixed covariate", "fixed_x=False")
    ),
    "contradictory equalities": Mistake(
        lambda: cfa("f =~ x1 + a*x2 + b*x3\na == 1\na == 2"), ts.ModelError, ("contradict one another", "Remove one")
    ),
    "bounds the wrong way round": Mistake(
        lambda: cfa("f =~ x1 + lower(2)*x2 + upper(1)*x2 + x3"), ts.ModelError, ("lower bound 2", "upper bound 1", "lower <= upper")
    ),
    "unknown compile function": Mistake(lambda: ts.compile(ONE, function="efa"), ts.OptionError, ("'efa'", "'cfa'")),
    **dict(
        [
            option("estimator", "PML", "not available yet", "Available are", error=ts.NotAvailableError),
            option("estimator", "MLL", "Available are", "'ML'"),
            option("estimator", 3, "Available are"),
            option("likelihood", "foo", "'normal', 'wishart'"),
            option("information", "first", "'expected', 'observed'"),
            option("information", "expect", "Did you mean 'expected'"),
            option("engine", "mplus", "'trustsem', 'semopy'"),
            option("bounds", "wide", "'pos_var'", "lower(0)*x"),
            option("start", "simple", "mapping", "'str'"),
            option("group", 3, "name of a column"),
            option("group", ["school"], "name of a column"),
        ]
    ),
    **flags(),
    **later(),
}

FITTER: dict[str, Mistake] = {
    "array with the wrong columns": Mistake(lambda: ts.compile(ONE).fit(np.ones((9, 2))), ts.DataError, ("(9, 2)", "3 columns: x1, x2, x3")),
    "array with one dimension": Mistake(lambda: ts.compile(ONE).fit(np.ones(9)), ts.DataError, ("(9,)", "x1, x2, x3")),
    "array of text": Mistake(lambda: ts.compile(ONE).fit(np.array([["a", "b", "c"]] * 9)), ts.DataError, ("<U1", "astype(float)")),
    "other number of groups": Mistake(lambda: ts.compile(ONE).fit(cfa(group="school").sample), ts.DataError, ("1 group(s)", "the sample 2", "like=")),
    "sample without a variable": Mistake(
        lambda: ts.compile(ONE).fit(Sample(("x1", "x2", "x33"), cfa().sample.blocks, None, (), 301, ())), ts.DataError, ("x3", "'x33'")
    ),
    "sample without means": Mistake(lambda: ts.compile(ONE, meanstructure=True).fit_moments(COV, 301), ts.DataError, ("sample_mean=",)),
    "start of a fitter": Mistake(
        lambda: make_fitter(model_of(Case(ONE)), FitOptions(), {"g=~x2": 1.0}), ts.OptionError, ("start=", "g=~x2", "'f=~x2'")
    ),
}

MODEL: dict[str, Mistake] = {
    "no observed variable": Mistake(
        lambda: compile_model(table(Row("f", "=~", "g"), Row("g", "=~", "f"))), ts.ModelError, ("no observed variables", "=~")
    ),
    "empty group": Mistake(lambda: compile_model(table(Row("y", "~~", "y"), n_groups=2)), ts.ModelError, ("Block 2", "no parameters", "header")),
    "operator without an estimator": Mistake(
        lambda: compile_model(table(Row("y", "|", "t1"), Row("y", "~~", "y"))), ts.NotAvailableError, ("'|'", "=~, ~, ~~ and ~1")
    ),
    "the same place twice": Mistake(
        lambda: compile_model(table(Row("f", "=~", "x"), Row("x", "~", "f"))), ts.ModelError, ("x ~ f", "f =~ x", "once")
    ),
    "a cause of itself": Mistake(
        lambda: compile_model(table(Row("x", "~", "x"), Row("x", "~~", "x"))), ts.ModelError, ("'x'", "both sides", "remove")
    ),
    "population without values": Mistake(lambda: ts.Population("y ~ x", {"y~x": 0.5}), ts.ModelError, ("y~~y", "x~~x", "every free parameter")),
    "population with too many values": Mistake(lambda: population(**{"y~z": 1.0}), ts.ModelError, ("'y~z'", "no free parameter", "'y~x'")),
    "population without variance": Mistake(lambda: population(**{"y~~y": -3.0}), ts.ModelError, ("positive definite", "variance")),
    "population with text": Mistake(lambda: population(**{"y~x": "big"}), ts.ModelError, ("'y~x'", "'big'", "finite number")),
    "population with nan": Mistake(lambda: population(**{"y~x": np.nan}), ts.ModelError, ("'y~x'", "nan", "finite number")),
    "population from a list": Mistake(lambda: ts.Population("y ~ x", [1, 2, 3]), ts.ModelError, ("values=", "mapping", "'list'")),
}

FIT: dict[str, Mistake] = {
    "unknown fit measure": Mistake(lambda: cfa().fit_measures("cfii"), ts.OptionError, ("'cfii'", "ML", "'cfi'")),
    "fit measure that is no text": Mistake(lambda: cfa().fit_measures(3), ts.OptionError, ("'3'",)),
    "fit measure of another estimator": Mistake(lambda: cfa(estimator="GLS").fit_measures("aic"), ts.OptionError, ("'aic'", "GLS")),
    "residual type": Mistake(lambda: cfa().residuals("studentized"), ts.OptionError, ("type='studentized'", "'normalized'")),
    "residuals of ULS": Mistake(lambda: cfa(estimator="ULS").residuals("standardized"), ts.OptionError, ("ULS", "type='cor'")),
    "standardized type": Mistake(lambda: cfa().standardized_solution("all"), ts.OptionError, ("type='all'", "'std_all'")),
    "level in percent": Mistake(lambda: cfa().parameter_estimates(level=95), ts.OptionError, ("level=95", "0.95")),
    "level as text": Mistake(lambda: cfa().effects(level="a"), ts.OptionError, ("level='a'", "0.95")),
    "score method": Mistake(lambda: cfa().predict(method="EBM"), ts.OptionError, ("method='EBM'", "'regression', 'bartlett'")),
    "scores without latents": Mistake(lambda: sem("x1 ~ x2").predict(), ts.OptionError, ("no latent variables", "effects()")),
    "scores without rows": Mistake(
        lambda: cfa(ONE, None, sample_cov=COV, sample_nobs=301).predict(), ts.DataError, ("rows of the data", "predict(data=...)")
    ),
    "scores without means": Mistake(unknown_mean_prediction, ts.DataError, ("covariance matrix alone", "sample_mean=")),
    "scores of new rows in groups": Mistake(lambda: cfa(group="school").predict(data=DATA), ts.OptionError, ("data=", "single group")),
    "modification threshold": Mistake(lambda: cfa().modindices(minimum="a"), ts.OptionError, ("minimum='a'", "3.84")),
    "not converged": Mistake(lambda: hopeless().require_converged(), ts.ConvergenceError, ("positive definite", "fit.warnings")),
    "residual formula of ULS": Mistake(
        lambda: block_residuals((f := cfa(estimator="ULS")).problem, f.implied_blocks, None, 0, "normalized"), ts.OptionError, ("ULS",)
    ),
}

SIMULATE: dict[str, Mistake] = {
    "no rows": Mistake(lambda: ts.simulate(population(), n=0, seed=1), ts.OptionError, ("n=0", "at least 1")),
    "rows as float": Mistake(lambda: ts.simulate(population(), n=10.0, seed=1), ts.OptionError, ("n=10.0", "whole number")),
    "rows as truth": Mistake(lambda: ts.simulate(population(), n=True, seed=1), ts.OptionError, ("n=True",)),
    "source is text": Mistake(lambda: ts.simulate("y ~ x", n=10, seed=1), ts.OptionError, ("'str'", "ts.Population(")),
    "seed is negative": Mistake(lambda: ts.simulate(population(), n=10, seed=-1), ts.OptionError, ("seed=-1", "numpy Generator")),
    "seed is None": Mistake(lambda: ts.simulate(population(), n=10, seed=None), ts.OptionError, ("seed=None", "whole number")),
    "generator is a number": Mistake(
        lambda: ts.simulate(population(), n=10, seed=1, generator=3), ts.OptionError, ("generator=", "draw()", "Gaussian()")
    ),
    "too few empirical rows": Mistake(
        lambda: ts.simulate(population(), n=2, seed=1, generator=ts.Gaussian(empirical=True)), ts.OptionError, ("empirical=True", "n=2", "(2)")
    ),
}

SEMOPY: dict[str, Mistake] = {
    "semopy with standard errors": Mistake(lambda: sem(engine="semopy", se="standard"), ts.NotAvailableError, ("se='standard'", "engine='semopy'")),
    "semopy with groups": Mistake(
        lambda: sem(engine="semopy", group="school"), ts.NotAvailableError, ("engine=", "several groups", "Leave engine= out")
    ),
    "semopy with means": Mistake(lambda: sem(engine="semopy", meanstructure=True), ts.NotAvailableError, ("engine=", "mean structure")),
    "semopy with constraints": Mistake(lambda: sem("x1 ~ a*x2 + b*x3\na == b", engine="semopy"), ts.NotAvailableError, ("constraints",)),
    "semopy with bounds": Mistake(lambda: sem(engine="semopy", bounds="pos_var"), ts.NotAvailableError, ("bounds",)),
    "semopy with starting values": Mistake(lambda: sem(engine="semopy", start={"f=~x2": 1.0}), ts.NotAvailableError, ("starting values",)),
    "semopy with missing values": Mistake(
        lambda: sem(ONE, DATA.assign(x1=DATA["x1"].where(DATA.index > 3)), engine="semopy"), ts.NotAvailableError, ("4 incomplete rows",)
    ),
    "semopy with a lone variable": Mistake(lambda: sem(ONE + "\nx4 ~~ x4", engine="semopy"), ts.NotAvailableError, ("'x4'", "without a path")),
    "semopy without markers": Mistake(lambda: sem(engine="semopy", std_lv=True), ts.NotAvailableError, ("fixed loading", "f, g")),
}

MISTAKES = {**SEM, **FITTER, **MODEL, **FIT, **SIMULATE, **SEMOPY}

BAD_DATA: dict[str, pd.DataFrame] = {
    "missing column": DATA.rename(columns={"x3": "X33"}),
    "constant": DATA.assign(x2=3.0),
    "duplicate": DATA.assign(x2=DATA["x1"]),
    "duplicate names": pd.concat([DATA, DATA[["x1"]]], axis=1),
    "collinear": DATA.assign(x3=DATA["x1"] + DATA["x2"]),
    "text": DATA.assign(x2="a"),
    "numbers as text": DATA.assign(x2=DATA["x2"].astype(str)),
    "infinite": DATA.assign(x2=DATA["x2"].where(DATA["x2"] < 9, np.inf)),
    "all missing": DATA.assign(x2=np.nan),
    "complex": DATA.assign(x2=DATA["x2"] + 1j),
    "dates": DATA.assign(x2=pd.Timestamp("2020-01-01")),
    "categories": DATA.assign(x2=DATA["school"].astype("category")),
    "no rows": DATA.iloc[:0],
    "one row": DATA.iloc[:1],
    "two rows": DATA.iloc[:2],
    "fewer rows than variables": DATA.iloc[:3],
    "too small to square": DATA.assign(x1=DATA["x1"] * 1e-170, x2=DATA["x2"] * 1e-170, x3=DATA["x3"] * 1e-170),
    "too large to square": DATA.assign(x1=DATA["x1"] * 1e160),
}
