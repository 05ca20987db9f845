"""Mistakes with sensitivity: claims, pairs, strengths, models and groups that it is not for."""

from __future__ import annotations

from functools import cache
from typing import Any

import trustsem as ts
from messages.cases import Mistake, quietly
from trustsem.appraisal.appraise import appraise
from trustsem.appraisal.result import Appraisal
from trustsem.appraisal.sensitivity.noninvariance import epc_interest
from trustsem.appraisal.sensitivity.sensitivity import sensitivity
from trustsem.appraisal.sensitivity.sensitivity_curve import sensitivity_curve

THEORY = ts.load_theory("metz2022").drop("Relational", "Technical", "Resilience", "Outcomes", "Commitment")
HOLZINGER = ts.load_dataset("holzinger_swineford")
FACTOR = "f =~ x1 + x2 + x3"
LEVELS = "level: 1\nw =~ y1 + y2 + y3\nlevel: 2\nb =~ y1 + y2 + y3"


@cache
def appraisal(**options: Any) -> Appraisal:
    return quietly(appraise, THEORY, ts.simulate(THEORY, n=200, seed=1), estimator="ML", **options)


def refitted(text: str) -> Appraisal:
    """The appraisal as if its theory had been written as `text`."""
    own = appraisal()
    fit = quietly(ts.sem, text, ts.simulate(THEORY, n=200, seed=1))
    return Appraisal(own.theory, fit, own.claims, own.sesoi, own.alpha, own.level, "")


def told(*arguments: Any, **options: Any) -> Any:
    return sensitivity(appraisal(), *arguments, **options)


def curve(*arguments: Any, **options: Any) -> Any:
    return sensitivity_curve(appraisal(), *arguments, **options)


def grouped(text: str = FACTOR, **options: Any) -> ts.Fit:
    return quietly(ts.sem, text, HOLZINGER, group="school", **options)


def two_levels() -> ts.Fit:
    rows = ts.simulate(
        ts.Population("w =~ y1 + y2 + y3", {"w=~y2": 1.0, "w=~y3": 1.0, "w~~w": 1.0, "y1~~y1": 1, "y2~~y2": 1, "y3~~y3": 1}), n=300, seed=1
    )
    return quietly(ts.sem, LEVELS, rows.assign(team=[k // 10 for k in range(300)]), cluster="team")


def constrained() -> Any:
    return sensitivity(refitted(THEORY.syntax().replace("Capability ~ Trust", "Capability ~ p*Trust\np > -1")))


def joined() -> Any:
    return sensitivity_curve(refitted(f"{THEORY.syntax()}\nTrust ~~ Capability"), "Trust -> Capability")


MISTAKES: dict[str, Mistake] = {
    "sensitivity of a claim that is not": Mistake(
        lambda: told(["Trust -> Capabilty"]), ts.OptionError, ("claims=", "Capabilty", "'Trust -> Capability'")
    ),
    "sensitivity with a ratio of nothing": Mistake(lambda: told(ratio=0), ts.OptionError, ("ratio=0", "positive")),
    "sensitivity with a ratio in words": Mistake(lambda: told(ratio="equal"), ts.OptionError, ("ratio='equal'", "positive")),
    "pairs in words": Mistake(lambda: told(pairs="all"), ts.OptionError, ("pairs='all'", "'mediators'")),
    "a pair of one": Mistake(lambda: told(pairs=[("Trust", "Trust")]), ts.OptionError, ("pairs=", "two constructs")),
    "a pair as one word": Mistake(lambda: told(pairs=["Trust"]), ts.OptionError, ("pairs=", "two constructs")),
    "a pair of strangers": Mistake(lambda: told(pairs=[("Trust", "Mood")]), ts.OptionError, ("pairs=", "'Mood'", "no construct")),
    "strengths beyond 1": Mistake(lambda: curve("Trust -> Capability", [0.1, 1.2]), ts.OptionError, ("strengths=", "1.2", "between -1 and 1")),
    "strengths in words": Mistake(lambda: curve("Trust -> Capability", ["strong"]), ts.OptionError, ("strengths=", "'strong'")),
    "curve by something else": Mistake(lambda: curve("Trust -> Capability", by="mood"), ts.OptionError, ("by='mood'", "'confounder'")),
    "curve without verdicts": Mistake(
        lambda: sensitivity_curve(appraisal(se="none"), "Trust -> Capability"), ts.NotAvailableError, ("no verdicts", "standard errors")
    ),
    "curve of what is free to covary": Mistake(joined, ts.NotAvailableError, ("Trust and Capability", "free to covary", "changes nothing")),
    "sensitivity under constraints": Mistake(constrained, ts.NotAvailableError, ("constraints", "Leave them out")),
    "equalities of one group": Mistake(lambda: epc_interest(quietly(ts.sem, FACTOR, HOLZINGER)), ts.OptionError, ("no equality", "group_equal=")),
    "groups without equalities": Mistake(lambda: epc_interest(grouped()), ts.OptionError, ("no equality", "group_equal=")),
    "equalities that touch no path": Mistake(lambda: epc_interest(grouped(group_equal=["loadings"])), ts.OptionError, ("no paths", "parameters=")),
    "a parameter of interest that is not": Mistake(
        lambda: epc_interest(grouped(group_equal=["loadings"]), ["f~~g"]), ts.OptionError, ("parameters=", "'f~~g'", "free parameter")
    ),
    "equalities of two levels": Mistake(lambda: epc_interest(two_levels()), ts.NotAvailableError, ("two levels", "cluster=")),
}
