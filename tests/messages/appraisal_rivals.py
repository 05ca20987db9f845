"""Mistakes with rivals."""

from __future__ import annotations

from typing import Any

import trustsem as ts
from messages.cases import Mistake
from trustsem.appraisal.appraise import appraise
from trustsem.appraisal.rivals.cross_validation import cross_validate
from trustsem.appraisal.rivals.distinguish import distinguishability
from trustsem.appraisal.rivals.selection import selection_frequency
from trustsem.appraisal.rivals.tournament import tournament

THEORY = ts.load_theory("metz2022").with_indicators({"Trust": ["t1", "t2", "t3"], "Motivation": ["m1", "m2", "m3"]})


def appraisal() -> Any:
    return appraise(THEORY, ts.simulate(ts.load_theory("metz2022"), n=200, seed=1), estimator="ML")


MISTAKES: dict[str, Mistake] = {
    "rivals that are text": Mistake(lambda: tournament(appraisal(), "R1"), ts.OptionError, ("rivals='R1'", "list of names")),
    "rivals that are numbers": Mistake(lambda: tournament(appraisal(), 3), ts.OptionError, ("rivals=3", "mapping of names")),  # type: ignore[arg-type]
    "a rival that does not exist": Mistake(lambda: tournament(appraisal(), ["R10c"]), ts.OptionError, ("'R10c'", "R10b", "Did you mean")),
    "a rival with the name of another": Mistake(lambda: tournament(appraisal(), {"R1": THEORY}), ts.OptionError, ("'R1'", "taken", "another name")),
    "a rival with the name of the theory": Mistake(lambda: tournament(appraisal(), {"theory": THEORY}), ts.OptionError, ("'theory'", "taken")),
    "a rival that is a number": Mistake(
        lambda: tournament(appraisal(), {"mine": 3}),  # type: ignore[dict-item]
        ts.OptionError,
        ("rivals['mine']", "int", "Theory or model text"),
    ),
    "a rival with a slip": Mistake(lambda: tournament(appraisal(), {"mine": "t1 ~ ~ t2"}), ts.ModelSyntaxError, ("line 1",)),
    "one fold": Mistake(lambda: cross_validate(appraisal(), folds=1), ts.OptionError, ("folds=1", "2")),
    "more folds than rows": Mistake(lambda: cross_validate(appraisal(), folds=201), ts.OptionError, ("folds=201", "200 rows", "at most 200")),
    "no repeats": Mistake(lambda: cross_validate(appraisal(), repeats=0), ts.OptionError, ("repeats=0",)),
    "no draws of a selection": Mistake(lambda: selection_frequency(appraisal(), 0, seed=1), ts.OptionError, ("draws=0",)),
    "no samples": Mistake(lambda: distinguishability(appraisal(), 0, seed=1), ts.OptionError, ("replications=0",)),
    "a rule that does not exist": Mistake(
        lambda: distinguishability(appraisal(), 1, seed=1, executor="serial").matrix("dic"), ts.OptionError, ("rule='dic'", "'bic'")
    ),
    "an executor that does not exist": Mistake(
        lambda: selection_frequency(appraisal(), 2, seed=1, executor="cloud"), ts.OptionError, ("executor='cloud'", "'serial'")
    ),
}
