"""Mistakes with appraisals: theories, sizes, rivals and parts."""

from __future__ import annotations

from typing import Any

import numpy as np

import trustsem as ts
from messages.cases import Mistake, quietly
from trustsem.appraisal.forbidden.tetrads import tetrads
from trustsem.appraisal.refitting import refit
from trustsem.appraisal.structure import saturated_table
from trustsem.appraisal.verdicts import judge

THEORY = ts.load_theory("metz2022")
SURVEY = ts.load_dataset("trust_survey")


def appraise(theory: Any = THEORY, data: Any = SURVEY, **options: Any) -> Any:
    return quietly(ts.appraise, theory, data, **options)


def table(text: str) -> Any:
    return quietly(ts.sem, text, SURVEY).model.table


def two_levels() -> Any:
    teams = SURVEY.assign(team=[k // 10 for k in range(len(SURVEY))])
    return quietly(ts.sem, "level: 1\nt1 ~ t2\nlevel: 2\nt1 ~ t2", teams, cluster="team").model.table


ONE_CLAIM = (np.array([0.2]), np.array([0.1]), np.array([0.1]))
FACTORS = "Trust =~ t1 + t2 + t3\nMotivation =~ m1 + m2 + m3\nMotivation ~ Trust\n"

MISTAKES: dict[str, Mistake] = {
    "no theory": Mistake(lambda: appraise(3), ts.TheoryError, ("appraise() needs a Theory", "'int'")),
    "an appraisal at no level": Mistake(lambda: appraise(alpha=1.5), ts.OptionError, ("alpha=1.5 is not a significance level", "such as 0.05")),
    "sizes of no proposition": Mistake(lambda: appraise(sesoi={"P99": 0.1}), ts.OptionError, ("'P99'", "does not have")),
    "a size of interest of nothing": Mistake(lambda: appraise(sesoi=0.0), ts.OptionError, ("is 0.0", "between 0 and 1")),
    "a size of interest in words": Mistake(lambda: appraise(sesoi={"P1": "small"}), ts.OptionError, ("'P1' is 'small'", "such as 0.1")),
    "a size of interest without end": Mistake(lambda: appraise(sesoi=float("inf")), ts.OptionError, ("is inf", "between 0 and 1")),
    "an own rival under the name of another": Mistake(
        lambda: appraise(rivals={"R1": "Trust ~ Relational"}), ts.OptionError, ("'R1'", "another name")
    ),
    "an own rival that is no model": Mistake(
        lambda: appraise(rivals={"mine": "a ~~~ b"}), ts.OptionError, ("rivals['mine'] is no model", "Correct the text")
    ),
    "a part of a number": Mistake(
        lambda: ts.forbidden(3), ts.OptionError, ("forbidden() needs an Appraisal, not 'int'", "ts.appraise(theory, data)")
    ),
    "a part named by a list": Mistake(lambda: appraise().part(["severity"]), ts.OptionError, ("has no part", "severity")),
    "sensitivity of no claim": Mistake(lambda: ts.sensitivity(appraise(), []), ts.OptionError, ("claims= names no claim", "leave it out")),
    "rivals that are none": Mistake(lambda: appraise(rivals=["Trust ~ Relational"]), ts.OptionError, ("rivals= must be a mapping", "with_path")),
    "data without the indicators": Mistake(
        lambda: appraise(data=SURVEY.drop(columns="t1")), ts.DataError, ("lack 1 of the theory's 32 indicators: t1", "with_indicators")
    ),
    "a part that there is not": Mistake(lambda: appraise().part("forbiden"), ts.OptionError, ("has no part 'forbiden'", "Did you mean 'forbidden'")),
    "a judgement at no level": Mistake(
        lambda: judge(*ONE_CLAIM, [1], 0.0), ts.OptionError, ("alpha=0.0 is not a significance level", "such as 0.05")
    ),
    "a judgement without an error": Mistake(
        lambda: judge(ONE_CLAIM[0], np.array([np.nan]), ONE_CLAIM[2], [1]), ts.OptionError, ("no standard error", "Look at the fit's warnings")
    ),
    "tetrads of a constrained model": Mistake(
        lambda: tetrads(quietly(ts.sem, "Trust =~ t1 + a*t2 + b*t3 + t4\na == b", SURVEY)), ts.NotAvailableError, ("constraints", "Leave them out")
    ),
    "the structure of two levels": Mistake(lambda: saturated_table(two_levels()), ts.NotAvailableError, ("two-level model", "at one level")),
    "the structure of a constrained model": Mistake(
        lambda: saturated_table(table("Trust =~ t1 + a*t2 + b*t3\na == b")),
        ts.NotAvailableError,
        ("constraints between parameters", "Leave them out"),
    ),
    "the structure with a path into an indicator": Mistake(
        lambda: saturated_table(table(FACTORS + "t1 ~ m1")), ts.NotAvailableError, ("The path t1 ~ m1", "cannot be told apart")
    ),
    "the structure of a second order": Mistake(
        lambda: saturated_table(table("A =~ t1 + t2 + t3\nB =~ m1 + m2 + m3\nC =~ k1 + k2 + k3\nG =~ A + B + C")),
        ts.NotAvailableError,
        ("G is measured by A", "second order"),
    ),
    "refitting more parameters than moments": Mistake(
        lambda: refit(quietly(ts.sem, "t1 ~ t2", SURVEY), "t1 ~ a*t2\nt1 ~~ t2\nt2 ~~ t2\nt2 ~ t1"), ts.IdentificationError, ("free parameters",)
    ),
}
