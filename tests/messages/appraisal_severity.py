"""Mistakes with severity, probe and calibration."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

import trustsem as ts
from messages.cases import Mistake, quietly
from trustsem.appraisal.severity.altered import alterations, population_of
from trustsem.appraisal.severity.calibrate import calibrate
from trustsem.appraisal.severity.imitation import imitate
from trustsem.appraisal.severity.probe import probe


@cache
def appraisal() -> Any:
    whole = ts.load_theory("metz2022")
    theory = whole.drop(*(one.name for one in whole.nodes if one.name not in ("Trust", "Capability", "Motivation")))
    return quietly(ts.appraise, theory, ts.load_dataset("survey"), estimator="MLR", missing="fiml")


@cache
def groups() -> Any:
    data = ts.load_dataset("survey").dropna()
    return quietly(ts.cfa, "Trust =~ t1 + t2 + t3", data.assign(half=np.arange(len(data)) % 2), group="half")


def tied() -> Any:
    names = ["x1", "x2", "y"]
    whole = ts.load_theory("metz2022")
    theory = whole.drop(*(one.name for one in whole.nodes if one.name not in ("Relational", "Technical", "Trust")))
    theory = theory.with_indicators({"Relational": ["x1"], "Technical": ["x2"], "Trust": ["y"]})
    cov = pd.DataFrame([[1.0, 0.2, 0.3], [0.2, 1.0, 0.3], [0.3, 0.3, 1.0]], index=names, columns=names)
    given = quietly(ts.appraise, theory, sample_cov=cov, sample_nobs=200)
    return replace(given, fit=quietly(ts.sem, "y ~ a*x1 + a*x2", sample_cov=cov, sample_nobs=200))


MISTAKES: dict[str, Mistake] = {
    "probe of a claim that is none": Mistake(
        lambda: probe(appraisal(), "Trust -> Motivaton", executor="serial"), ts.OptionError, ("claims= names", "Did you mean", "There are")
    ),
    "probe of an unknown world": Mistake(lambda: probe(appraisal(), worlds=("2d",), executor="serial"), ts.OptionError, ("'2d'", "'-d'")),
    "probe without replications": Mistake(lambda: probe(appraisal(), replications=0), ts.OptionError, ("replications=0", "at least 1")),
    "alteration of one of two equal paths": Mistake(lambda: alterations(tied()).error(0, 0.0), ts.ModelError, ("ties", "Leave the constraint out")),
    "imitation of several groups": Mistake(
        lambda: imitate(groups(), population_of(appraisal().fit)), ts.NotAvailableError, ("one group", "one at a time")
    ),
    "calibration of several groups": Mistake(lambda: calibrate(groups()), ts.NotAvailableError, ("one group", "one at a time")),
    "calibration at an impossible level": Mistake(lambda: calibrate(appraisal(), alpha=5), ts.OptionError, ("alpha=5", "between 0 and 1")),
}
