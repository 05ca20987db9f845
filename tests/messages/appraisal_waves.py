"""Mistakes with several waves, roles and levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import trustsem as ts
from messages.cases import Mistake, quietly
from trustsem.appraisal.groups.homology import homology
from trustsem.appraisal.groups.roles import compare_roles
from trustsem.appraisal.waves.waves import fit_waves
from trustsem.data.frames import sample_from_rows

PAIR = ts.load_theory("metz2022").with_indicators({"Relational": ["x1", "x2"], "Trust": "y"})
COLUMNS = tuple(f"{name}_w{w}" for w in (1, 2) for name in ("x1", "x2", "y"))
ROWS = np.random.default_rng(1).standard_normal((60, 6))
PANEL = pd.DataFrame(ROWS, columns=COLUMNS)
ROLES = PANEL[["x1_w1", "x2_w1", "y_w1"]].set_axis(["x1", "x2", "y"], axis=1).assign(role=["a", "b"] * 30, team=np.arange(60) // 3)
SINGLE = ts.load_theory("metz2022").with_indicators({"Relational": "x1", "Trust": "y"})


def waves(data: Any = PANEL, theory: Any = PAIR, **options: Any) -> Any:
    return quietly(fit_waves, theory, data, **options)


def roles(data: Any = ROLES, theory: Any = PAIR, **options: Any) -> Any:
    return quietly(compare_roles, theory, data, **options)


def levels(data: Any = ROLES, **options: Any) -> Any:
    return quietly(homology, PAIR, data, **{"cluster": "team", **options})


MISTAKES: dict[str, Mistake] = {
    "waves of a number": Mistake(lambda: waves(theory=3), ts.TheoryError, ("fit_waves()", "'int'")),
    "waves of one construct": Mistake(lambda: waves(constructs=["Trust"]), ts.OptionError, ("constructs=['Trust']", "at least two")),
    "waves of an unknown construct": Mistake(lambda: waves(constructs=["Trust", "Trst"]), ts.TheoryError, ("'Trst'", "Did you mean")),
    "waves of groups": Mistake(lambda: waves(group="role"), ts.NotAvailableError, ("several groups", "one group at a time")),
    "waves of which there is one": Mistake(lambda: waves(ROLES), ts.DataError, ("'x1_w1'", "waves=", "ts.appraise()")),
    "a wave without a column": Mistake(lambda: waves(PANEL.drop(columns="x2_w2")), ts.DataError, ("one wave only, '_w1'", "with_indicators")),
    "waves that all lack a column": Mistake(
        lambda: waves(PANEL.drop(columns=["x2_w1", "x2_w2"])), ts.DataError, ("lack 1 of 3", "x2_w", "with_indicators")
    ),
    "waves by one name": Mistake(lambda: waves(waves="_w1"), ts.OptionError, ("waves='_w1'", "['_w1', '_w2', '_w3']")),
    "waves that are not there": Mistake(lambda: waves(waves=["_w1", "_w3"]), ts.DataError, ("'x1_w3'", "with_indicators")),
    "composites of a sample": Mistake(
        lambda: waves(sample_from_rows(ROWS, COLUMNS), measurement="composite"), ts.NotAvailableError, ("Sample", "measurement='latent'")
    ),
    "a form that is none": Mistake(lambda: waves(form="crosslagged"), ts.OptionError, ("form='crosslagged'", "cross_lagged")),
    "random intercepts of two waves": Mistake(lambda: waves(form="random_intercept"), ts.OptionError, ("at least 3 waves", "form='cross_lagged'")),
    "lags of growth": Mistake(lambda: waves(form="growth", lagged="Trust -> Relational"), ts.OptionError, ("lagged=", "form='cross_lagged'")),
    "a lag that is no arrow": Mistake(lambda: waves(lagged="Trust Relational"), ts.OptionError, ("'Trust Relational'", "'Outcomes -> Trust'")),
    "a lag of a wrong sign": Mistake(lambda: waves(lagged={"Trust -> Relational": "up"}), ts.OptionError, ("'up'", "'+' or '-'")),
    "a lag that is there": Mistake(lambda: waves(lagged="Relational -> Trust"), ts.OptionError, ("already", "Leave it out")),
    "growth with free intercepts": Mistake(
        lambda: waves(PANEL.assign(x1_w3=0.1, x2_w3=0.2, y_w3=0.3), form="growth", invariance="loadings"),
        ts.OptionError,
        ("invariance='loadings'", "Leave invariance= out"),
    ),
    "equal intercepts without means": Mistake(
        lambda: waves(None, sample_cov=PANEL.cov(), sample_nobs=60, invariance="scalar"), ts.NotAvailableError, ("means", "sample_mean=")
    ),
    "times of lags": Mistake(lambda: waves(times=[0, 1]), ts.OptionError, ("times=[0, 1]", "form='growth'")),
    "alpha of waves": Mistake(lambda: waves(alpha=5), ts.OptionError, ("alpha=5", "0.05")),
    "sesoi of waves": Mistake(lambda: waves(sesoi=0.0), ts.OptionError, ("sesoi=0.0", "positive number")),
    "roles of pairs": Mistake(lambda: roles(dyad="pair"), ts.NotAvailableError, ("dyad='pair'", "one row per rating", "the rater")),
    "alpha of roles": Mistake(lambda: roles(alpha=1.5), ts.OptionError, ("alpha=1.5", "0.05")),
    "roles without a column": Mistake(lambda: roles(group="rolle"), ts.DataError, ("no column 'rolle'", "group=")),
    "one role": Mistake(lambda: roles(ROLES.assign(role="a"), theory=SINGLE), ts.DataError, ("there is one", "group=")),
    "profiles without rows": Mistake(
        lambda: roles(None, sample_cov={k: ROLES[["x1", "x2", "y"]].cov() for k in "ab"}, sample_nobs={"a": 30, "b": 30}, profile=True),
        ts.NotAvailableError,
        ("profile=True", "data frame"),
    ),
    "alpha of levels": Mistake(lambda: levels(alpha="5%"), ts.OptionError, ("alpha='5%'", "0.05")),
    "levels without rows": Mistake(lambda: levels(None), ts.NotAvailableError, ("rows and their teams", "cluster=")),
    "levels of groups": Mistake(lambda: levels(group="role"), ts.NotAvailableError, ("one group at a time", "group=")),
}
