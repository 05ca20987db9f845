"""Mistakes with models of two levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import trustsem as ts
from messages.cases import Mistake

RNG = np.random.default_rng(8)
TEAM = np.repeat(np.arange(40), 6)
PARTS = RNG.standard_normal((240, 4)) + RNG.standard_normal((240, 1)) + (RNG.standard_normal((40, 4)) * 0.5 + RNG.standard_normal((40, 1)))[TEAM]
DATA = pd.DataFrame(PARTS, columns=["y1", "y2", "y3", "y4"]).assign(
    team=TEAM, w=RNG.standard_normal(40)[TEAM], v=RNG.standard_normal(40)[TEAM], weight=1.0, row=np.arange(240)
)
MODEL = "level: 1\nf =~ y1 + y2 + y3\nlevel: 2\ng =~ y1 + y2 + y3\ng ~ w"
FLAT = "level: 1\ny1 ~~ y2\nlevel: 2\ny1 ~~ y2"


def fit(model: str = MODEL, data: pd.DataFrame = DATA, **options: Any) -> ts.Fit:
    return ts.sem(model, data, **({"cluster": "team"} | options))


MISTAKES: dict[str, Mistake] = {
    "levels without clusters": Mistake(lambda: ts.sem(MODEL, DATA), ts.OptionError, ("'level:'", "cluster= is missing")),
    "levels by least squares": Mistake(lambda: fit(estimator="GLS"), ts.NotAvailableError, ("estimator='GLS'", "'ML' or 'MLR'")),
    "levels with weights": Mistake(lambda: fit(sampling_weights="weight"), ts.NotAvailableError, ("sampling_weights=", "Leave it out")),
    "levels in two stages": Mistake(lambda: fit(missing="two_stage"), ts.NotAvailableError, ("missing='two_stage'", "'fiml'")),
    "levels with another test": Mistake(lambda: fit(test="satorra_bentler"), ts.NotAvailableError, ("test='satorra_bentler'", "yuan_bentler_mplus")),
    "levels of a frame without clusters": Mistake(lambda: ts.compile(MODEL, cluster="team").fit(DATA), ts.DataError, ("Give data= and cluster=",)),
    "every row a cluster": Mistake(lambda: fit(cluster="row"), ts.DataError, ("one row only", "check cluster=")),
    "level 2 varies within": Mistake(lambda: fit(data=DATA.assign(w=DATA["y4"])), ts.DataError, ("'w'", "level 2 only", "Mention it at level 1")),
    "level 1 does not vary within": Mistake(lambda: fit(data=DATA.assign(y3=DATA["v"])), ts.DataError, ("'y3'", "level 2 only")),
    "third level": Mistake(lambda: fit(MODEL + "\nlevel: 3\ny1 ~ w"), ts.NotAvailableError, ("'level: 3'", "third level")),
    "levels out of order": Mistake(lambda: fit("level: 2\ny1 ~ w\nlevel: 1\ny1 ~~ y1"), ts.ModelSyntaxError, ("'level: 2'", "'level: 1'")),
    "scores of a third level": Mistake(lambda: fit().predict(level=3), ts.OptionError, ("level=3", "1 (people) or 2 (clusters)")),
    "scores of new people": Mistake(lambda: fit().predict(data=DATA), ts.NotAvailableError, ("predict(data=...)", "Leave data= out")),
    "scores without factors": Mistake(lambda: fit(FLAT).predict(), ts.OptionError, ("level 1", "Give the other level=")),
    "scores of level 2 of one": Mistake(lambda: ts.sem("f =~ y1 + y2 + y3", DATA).predict(level=2), ts.OptionError, ("level=2", "one level")),
    "intraclass correlations of one level": Mistake(lambda: ts.icc(ts.sem("y1 ~ y2", DATA)), ts.OptionError, ("one level", "'level: 2'")),
    "standardized residuals of levels": Mistake(lambda: fit().residuals("normalized"), ts.NotAvailableError, ("residuals(type='normalized')",)),
    "bootstrap of people": Mistake(lambda: ts.bootstrap(fit(), draws=5, seed=1), ts.NotAvailableError, ("'nonparametric'", "kind='cluster'")),
    "diagram of a third level": Mistake(lambda: ts.diagram(MODEL, level=3), ts.OptionError, ("level=3", "2 level(s)")),
    "export of levels": Mistake(lambda: ts.to_mplus(fit().model.table), ts.NotAvailableError, ("Mplus", "lavaan")),
}
