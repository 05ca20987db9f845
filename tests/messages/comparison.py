"""Mistakes with comparisons of models: difference tests, Vuong's tests, Wald and score tests, and invariance over groups."""

from __future__ import annotations

from typing import Any

import trustsem as ts
from helpers import quietly
from messages.cases import DATA, ONE, TWO, Mistake, cfa, hopeless, sem
from messages.robust import MOMENTS
from messages.two_level import fit as two_level

NARROW = TWO + "\nf ~~ 0*g"
LABELLED = "f =~ x1 + a*x2 + b*x3\ng =~ x4 + c*x5 + x6"
SHARED = "f =~ x1 + k*x2 + k*x3"
FREE_SCALE = "f =~ NA*x1 + a*x2 + a*x3 + x4"


def anova(narrow: Any = None, /, **options: Any) -> Any:
    return quietly(ts.anova, cfa(TWO), cfa(NARROW) if narrow is None else narrow, **options)


def vuong(narrow: Any = None, /, **options: Any) -> Any:
    return quietly(ts.vuong, cfa(TWO), cfa(NARROW) if narrow is None else narrow, **options)


def invariance(text: Any = ONE, /, **options: Any) -> Any:
    return quietly(ts.invariance, text, DATA, **{"group": "school", **options})


def group_covariances(levels: Any) -> Any:
    parts = {str(label): part[["x1", "x2", "x3"]].cov() for label, part in DATA.groupby("school")}
    return quietly(ts.invariance, ONE, sample_cov=parts, sample_nobs=dict.fromkeys(parts, 150), levels=levels)


COMPARISONS: dict[str, Mistake] = {
    "one model to compare": Mistake(lambda: ts.anova(cfa()), ts.OptionError, ("anova()", "at least two fits", "got 1")),
    "three models for nested": Mistake(lambda: ts.nested(cfa(), cfa(), cfa()), ts.OptionError, ("nested()", "two fits", "got 3")),
    "text to compare": Mistake(lambda: anova(TWO), ts.OptionError, ("'fit2' is a str", "ts.sem()")),
    "two models of one name": Mistake(lambda: anova(fit1=cfa(NARROW)), ts.OptionError, ("'fit1'", "another name")),
    "comparison without convergence": Mistake(lambda: anova(hopeless()), ts.ConvergenceError, ("positive definite", "fit.warnings")),
    "other estimator": Mistake(
        lambda: anova(cfa(NARROW, estimator="GLS")), ts.OptionError, ("estimator='ML'", "estimator='GLS'", "Fit both with the same estimator=")
    ),
    "other groups": Mistake(lambda: anova(cfa(NARROW, group="school")), ts.DataError, ("Grant-White", "Fit both to the same groups")),
    "other variables": Mistake(lambda: anova(cfa(ONE)), ts.DataError, ("x4, x5, x6 in only one", "paths fixed to 0")),
    "covariate in one model": Mistake(
        lambda: ts.anova(sem(ONE + "\nf ~ x4"), sem(ONE + " + x4")), ts.DataError, ("x4 fixed covariate(s)", "fixed_x=False in both")
    ),
    "means in one model": Mistake(lambda: anova(cfa(NARROW, meanstructure=True)), ts.DataError, ("means", "meanstructure=True in both")),
    "other number of rows": Mistake(lambda: anova(cfa(NARROW, DATA[:-1])), ts.DataError, ("301 and 300 observations", "the same rows")),
    "other values": Mistake(lambda: anova(cfa(NARROW, DATA.assign(x4=-DATA["x4"]))), ts.DataError, ("differ in values", "the same rows")),
    "equal degrees of freedom": Mistake(lambda: anova(cfa(TWO, std_lv=True)), ts.OptionError, ("degrees of freedom (8)", "ts.vuong()")),
    "not nested": Mistake(
        lambda: ts.anova(cfa(TWO + "\nx1 ~~ x4"), cfa(NARROW + "\nx1 ~~ x5"), require_nested=True), ts.ModelError, ("is not nested in", "ts.vuong()")
    ),
    "unknown difference test": Mistake(lambda: anova(method="satorra_2001"), ts.OptionError, ("method='satorra_2001'", "'satorra_2000'")),
    "models without a test": Mistake(
        lambda: ts.anova(cfa(TWO, test="none"), cfa(NARROW, test="none")), ts.OptionError, ("test='none'", "Refit them with a test")
    ),
    "scaled difference of plain tests": Mistake(
        lambda: anova(method="satorra_2000"), ts.OptionError, ("method='satorra_2000'", "test='standard'", "estimator='MLR'")
    ),
    "level of Vuong's intervals": Mistake(lambda: vuong(level=95), ts.OptionError, ("level=95", "0.95")),
    "Vuong without a likelihood": Mistake(
        lambda: ts.vuong(cfa(estimator="GLS"), cfa(estimator="GLS")), ts.OptionError, ("estimator='GLS'", "Use estimator='ML'")
    ),
    "Vuong of moments": Mistake(lambda: ts.vuong(one := cfa(ONE, None, **MOMENTS), one), ts.DataError, ("rows of the data", "data=")),
    "Vuong without identification": Mistake(
        lambda: ts.vuong(loose := cfa("f =~ NA*x1 + x2 + x3\nx1 ~~ x4\nx4 ~~ x4"), loose),
        ts.IdentificationError,
        ("fit1", "singular", "fit.warnings"),
    ),
}

RESTRICTIONS: dict[str, Mistake] = {
    "Wald test without errors": Mistake(lambda: ts.wald_test(cfa(LABELLED, se="none"), "a == b"), ts.OptionError, ("se='none'", "leave se= out")),
    "Wald test of an inequality": Mistake(
        lambda: ts.wald_test(cfa(LABELLED), "a < b"), ts.OptionError, ("constraints='a < b'", "not an equality", "'a == b; c == 0'")
    ),
    "Wald test of a definition": Mistake(lambda: ts.wald_test(cfa(LABELLED), "e := a - b"), ts.OptionError, ("no equality", "'a == b; c == 0'")),
    "Wald test twice the same": Mistake(
        lambda: ts.wald_test(cfa(LABELLED), "a == b; 2*a == 2*b"), ts.OptionError, ("follows from the others", "Leave it out")
    ),
    "Wald test of no label": Mistake(lambda: ts.wald_test(cfa(LABELLED), "z == 1"), ts.ModelSyntaxError, ("'z'", "No parameter has the label")),
    "score test without equalities": Mistake(lambda: ts.score_test(cfa()), ts.OptionError, ("no equality", "Give add=")),
    "release and add": Mistake(lambda: ts.score_test(cfa(SHARED), release=["k"], add="x1 ~~ x2"), ts.OptionError, ("release=", "add=", "not both")),
    "release of what is free": Mistake(
        lambda: ts.score_test(cfa(LABELLED + "\na == b"), release="c == 0"), ts.OptionError, ("'c == 0'", "Equalities: a == b")
    ),
    "robust score test of least squares": Mistake(
        lambda: ts.score_test(cfa(estimator="GLS"), add="x1 ~~ x2", robust=True), ts.NotAvailableError, ("estimator='GLS'", "robust=False")
    ),
    "constraint to be added": Mistake(lambda: ts.score_test(cfa(LABELLED), add="a == b"), ts.OptionError, ("add='a == b'", "add='f1 =~ x5'")),
    "other variable to be added": Mistake(
        lambda: ts.score_test(cfa(), add="f =~ x9"), ts.OptionError, ("'x9'", "not in the model", "It has: x1, x2, x3, f")
    ),
    "free parameter to be added": Mistake(lambda: ts.score_test(cfa(), add="f =~ x2"), ts.OptionError, ("f=~x2 is free already", "fixed")),
    "score test without identification": Mistake(lambda: ts.score_test(cfa(FREE_SCALE)), ts.IdentificationError, ("not identified", "fit.warnings")),
}

INVARIANCE: dict[str, Mistake] = {
    "unknown level of invariance": Mistake(
        lambda: invariance(levels=("configural", "skalar")), ts.OptionError, ("'skalar'", "'scalar'", "Allowed are")
    ),
    "no levels": Mistake(lambda: invariance(levels=()), ts.OptionError, ("levels=[]", "at least one level")),
    "a level twice": Mistake(lambda: invariance(levels=("metric", "weak")), ts.OptionError, ("['metric', 'weak']", "only once")),
    "levels in a wrong order": Mistake(
        lambda: invariance(levels=("scalar", "metric")), ts.OptionError, ("wrong order", "configural, metric, scalar")
    ),
    "invariance and group_equal": Mistake(lambda: invariance(group_equal="loadings"), ts.OptionError, ("group_equal=", "levels=", "out")),
    "invariance of a table": Mistake(
        lambda: invariance(cfa(group="school").model.table), ts.OptionError, ("ParameterTable", "as text or as a Theory")
    ),
    "invariance over one group": Mistake(lambda: invariance(group=None), ts.DataError, ("there is one", "Give group=")),
    "intercepts without means": Mistake(
        lambda: group_covariances(("configural", "scalar")), ts.DataError, ("'scalar' needs means", "sample_mean=", "'metric'")
    ),
    "suggestions for no level": Mistake(lambda: invariance().suggestions("scaler"), ts.OptionError, ("'scaler'", "'scalar'", "Levels:")),
    "partial first level": Mistake(lambda: invariance().partial("configural"), ts.OptionError, ("'configural'", "first level", "metric, scalar")),
    "alpha of releases": Mistake(lambda: invariance().partial("scalar", alpha=5), ts.OptionError, ("alpha=5", "0.05")),
    "negative releases": Mistake(lambda: invariance().partial("scalar", max_releases=-1), ts.OptionError, ("max_releases=-1", "whole number")),
    "latent means of free intercepts": Mistake(
        lambda: invariance(levels="metric").latent_means(), ts.OptionError, ("intercepts are equal", "Include 'scalar' in levels=")
    ),
    "level of latent means": Mistake(lambda: invariance().latent_means(level=95), ts.OptionError, ("level=95", "0.95")),
}

LEVELS: dict[str, Mistake] = {
    "two levels in a Vuong test": Mistake(lambda: ts.vuong(one := two_level(), one), ts.NotAvailableError, ("vuong()", "fit1", "ts.anova()")),
    "two levels in a nesting check": Mistake(
        lambda: ts.nested(one := two_level(), one), ts.NotAvailableError, ("nested()", "two-level", "AIC or BIC")
    ),
    "two levels in a score test": Mistake(
        lambda: ts.score_test(two_level(), add="y1 ~~ y2"), ts.NotAvailableError, ("score_test()", "with and without what is tested", "ts.anova()")
    ),
}

MISTAKES = COMPARISONS | RESTRICTIONS | INVARIANCE | LEVELS
