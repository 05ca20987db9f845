"""Mistakes with multiple imputation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import trustsem as ts
from helpers import quietly
from messages.cases import DATA, ONE, Mistake
from trustsem.fitting.imputed import sem_mi as fit_imputed
from trustsem.inference.pooling import rubin


def holes() -> pd.DataFrame:
    return DATA[["x1", "x2", "x3"]].mask(DATA.index.to_numpy()[:, None] % 10 == np.arange(3))


def sem_mi(data: Any = (DATA, DATA), /, **options: Any) -> Any:
    return quietly(fit_imputed, ONE, list(data) if isinstance(data, tuple) else data, **options)


MISTAKES: dict[str, Mistake] = {
    "one imputation": Mistake(lambda: rubin(np.ones((1, 2)), np.ones((1, 2))), ts.OptionError, ("at least two imputations", "Give m=20")),
    "one imputed data set": Mistake(lambda: sem_mi((DATA,)), ts.OptionError, ("1 imputed data set", "at least two")),
    "imputed sets of other rows": Mistake(lambda: sem_mi((DATA, DATA[:200])), ts.DataError, ("numbers of rows: 200, 301", "completions")),
    "imputed sets with holes": Mistake(lambda: sem_mi((DATA, holes())), ts.DataError, ("Imputed data set 2", "missing values", "Impute them")),
    "imputed moments": Mistake(lambda: sem_mi(sample_nobs=301), ts.NotAvailableError, ("sample_nobs=", "Leave sample_nobs= out")),
    "imputed and incomplete": Mistake(lambda: sem_mi(missing="fiml"), ts.OptionError, ("missing='fiml'", "Leave missing= out")),
    "imputed scaled test": Mistake(lambda: sem_mi(estimator="MLM"), ts.NotAvailableError, ("'satorra_bentler'", "test='standard'")),
    "imputed least squares": Mistake(lambda: sem_mi(estimator="GLS"), ts.OptionError, ("pooled_test='D4'", "Use pooled_test='D2'")),
    "unknown pooled measure": Mistake(lambda: sem_mi().fit_measures("cfii"), ts.OptionError, ("'cfii'", "'cfi'")),
}
