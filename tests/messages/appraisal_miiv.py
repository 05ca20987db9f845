"""Mistakes with instruments, structure after measurement, and several methods side by side."""

from __future__ import annotations

import pandas as pd

import trustsem as ts
from messages.cases import COV, DATA, ONE, TWO, Mistake, quietly
from trustsem.appraisal.identification.equations import estimate_equations
from trustsem.appraisal.identification.miiv import miiv
from trustsem.appraisal.identification.reading import read_model
from trustsem.appraisal.identification.sam import sam
from trustsem.appraisal.identification.triangulate import triangulate
from trustsem.data.frames import sample_from_frame

PATH = f"{TWO}\ng ~ f"
GROUPS = "x9 ~ x7\nx8 ~ x7"


def two_levels() -> ts.Fit:
    frame = pd.DataFrame({"y": range(40), "x": [k * k % 7 for k in range(40)], "team": [k % 8 for k in range(40)]})
    return quietly(ts.sem, "level: 1\ny ~ x\nlevel: 2\ny ~~ y", frame, cluster="team")


def with_auxiliary() -> ts.Fit:
    holes = DATA[["x1", "x2", "x3", "x4"]].copy()
    holes.loc[:9, "x1"] = float("nan")
    return quietly(ts.sem, ONE, holes, missing="fiml", auxiliary=["x4"])


MISTAKES = {
    "data for a fit": Mistake(lambda: miiv(ts.sem(PATH, DATA), DATA), ts.OptionError, ("miiv() takes data and options from the fit", "Leave data=")),
    "options for a fit": Mistake(
        lambda: sam(ts.sem(PATH, DATA), missing="fiml"), ts.OptionError, ("sam() takes data", "Leave data= and options out")
    ),
    "starts for equations": Mistake(
        lambda: miiv(PATH, DATA, start={"g~f": 1.0}), ts.OptionError, ("start=", "no meaning for miiv()", "Leave start= out")
    ),
    "groups of equations": Mistake(lambda: miiv(PATH, DATA, group="school"), ts.NotAvailableError, ("one group", "leave group= out")),
    "a sample of groups": Mistake(
        lambda: miiv(GROUPS, sample_from_frame(DATA, ["x7", "x8", "x9"], group="school")),
        ts.NotAvailableError,
        ("one group", "has 2", "Read the rows"),
    ),
    "a fit of groups": Mistake(lambda: miiv(ts.sem(PATH, DATA, group="school")), ts.NotAvailableError, ("There are 2 groups", "without group=")),
    "a fit of two levels": Mistake(lambda: sam(two_levels()), ts.NotAvailableError, ("two levels", "Use one level, with cluster=")),
    "a fit with auxiliary variables": Mistake(lambda: miiv(with_auxiliary()), ts.NotAvailableError, ("Auxiliary", "without auxiliary=")),
    "robust errors of a matrix": Mistake(
        lambda: miiv(TWO, sample_cov=COV, sample_nobs=301, estimator="MLR"), ts.DataError, ("needs the rows", "Give data=", "estimator='ML'")
    ),
    "equations without data": Mistake(lambda: miiv(TWO), ts.DataError, ("miiv() needs either data= or sample_cov=", "not neither")),
    "equations with equal loadings": Mistake(
        lambda: miiv("f =~ x1 + k*x2 + k*x3", DATA), ts.NotAvailableError, ("holds parameters equal", "one by one", "Leave the constraints out")
    ),
    "equations with a constraint": Mistake(
        lambda: estimate_equations(*model_and_moments("f =~ x1 + a*x2 + b*x3\na > b")), ts.NotAvailableError, ("constrains them otherwise",)
    ),
    "level of equations": Mistake(lambda: miiv(TWO, DATA, level=95), ts.OptionError, ("level=95", "such as 0.95")),
    "kind of two steps": Mistake(lambda: sam(PATH, DATA, "glocal"), ts.OptionError, ("method='glocal'", "'local', 'global'")),
    "kind of two steps beside others": Mistake(
        lambda: triangulate(quietly(ts.appraise, "metz2022", ts.load_dataset("trust_survey")), sam="both"),
        ts.OptionError,
        ("sam='both'", "'local', 'global'"),
    ),
    "steps with equal loadings": Mistake(
        lambda: sam("f =~ x1 + k*x2 + k*x3\nx9 ~ f", DATA), ts.NotAvailableError, ("holds parameters equal", "Leave the shared labels out")
    ),
    "error joined with a structural variable": Mistake(
        lambda: sam(f"{TWO}\ng ~ f\nx9 ~ g\nx1 ~~ x9", DATA), ts.NotAvailableError, ("x1 ~~ x9 joins an indicator", "Leave it out")
    ),
    "unknown block": Mistake(lambda: sam(PATH, DATA, blocks=[["f"], ["h"]]), ts.OptionError, ("blocks= names 'h'", "no latent variable")),
    "blocks that leave one out": Mistake(
        lambda: sam(PATH, DATA, blocks=["f"]), ts.OptionError, ("name each latent variable once: f, g", "It names f")
    ),
    "blocks that part what belongs together": Mistake(
        lambda: sam(f"{PATH}\nx1 ~~ x4", DATA, blocks=["f", "g"]), ts.OptionError, ("parts f and g", "x1 ~~ x4 joins", "one block")
    ),
    "a block that nothing identifies": Mistake(
        lambda: sam("f =~ x1 + x2\nx9 ~ f", DATA), ts.IdentificationError, ("4 free parameters but only 3", "add indicators")
    ),
}


def model_and_moments(text: str) -> tuple[object, object]:
    reading = read_model(text, DATA, {}, "miiv")
    return reading.model, reading.moments
