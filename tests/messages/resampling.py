"""Mistakes with the bootstrap, with draws of the parameters, and with standard errors from resamples."""

from __future__ import annotations

from typing import Any

import trustsem as ts
from messages.cases import ONE, Mistake, cfa, hopeless
from messages.robust import HOLES, MOMENTS, weights


def bootstrap(fit: ts.Fit | None = None, draws: Any = 2, /, **options: Any) -> ts.BootstrapResult:
    return ts.bootstrap(cfa() if fit is None else fit, draws, **{"seed": 1, **options})


def monte_carlo(draws: Any = 5, /, **options: Any) -> ts.MonteCarloResult:
    return ts.monte_carlo(cfa(), draws, **{"seed": 1, **options})


MISTAKES: dict[str, Mistake] = {
    "no draws": Mistake(lambda: bootstrap(None, 0), ts.OptionError, ("draws=0", "whole number", "at least 1")),
    "draws as float": Mistake(lambda: bootstrap(None, 10.0), ts.OptionError, ("draws=10.0", "whole number")),
    "draws as truth": Mistake(lambda: monte_carlo(True), ts.OptionError, ("draws=True", "whole number")),
    "seed of the bootstrap": Mistake(lambda: bootstrap(seed=-1), ts.OptionError, ("seed=-1", "at least 0")),
    "empty chunks": Mistake(lambda: bootstrap(chunk_size=0), ts.OptionError, ("chunk_size=0", "at least 1")),
    "unknown kind of bootstrap": Mistake(lambda: bootstrap(kind="parametric"), ts.OptionError, ("kind='parametric'", "'bollen_stine'")),
    "bootstrap without convergence": Mistake(
        lambda: bootstrap(hopeless()), ts.OptionError, ("did not converge", "positive definite", "fit.warnings")
    ),
    "bootstrap of semopy": Mistake(lambda: bootstrap(cfa(engine="semopy")), ts.NotAvailableError, ("engine='semopy'", "engine='trustsem'")),
    "bootstrap of moments": Mistake(lambda: bootstrap(cfa(ONE, None, **MOMENTS)), ts.DataError, ("rows of the data", "Fit the model to rows")),
    "Bollen-Stine without a test": Mistake(
        lambda: bootstrap(cfa(test="none"), kind="bollen_stine"), ts.OptionError, ("kind='bollen_stine'", "test='none'", "Leave test= out")
    ),
    "Bollen-Stine of incomplete rows": Mistake(
        lambda: bootstrap(cfa(ONE, HOLES, missing="fiml"), kind="bollen_stine"), ts.NotAvailableError, ("incomplete", "kind='nonparametric'")
    ),
    "Bollen-Stine of weighted rows": Mistake(
        lambda: bootstrap(cfa(ONE, weights(), sampling_weights="w"), kind="bollen_stine"), ts.NotAvailableError, ("weighted", "'cluster'")
    ),
    "cluster bootstrap without clusters": Mistake(lambda: bootstrap(kind="cluster"), ts.OptionError, ("kind='cluster'", "Fit with cluster=")),
    "exact fit from ordinary draws": Mistake(lambda: bootstrap().test, ts.OptionError, ("kind='nonparametric'", "Use kind='bollen_stine'")),
    "unknown interval": Mistake(lambda: bootstrap().parameter_estimates(ci="bcaa"), ts.OptionError, ("ci='bcaa'", "'bca'")),
    "bootstrap level in percent": Mistake(lambda: bootstrap().parameter_estimates(level=95), ts.OptionError, ("level=95", "0.95")),
    "Monte Carlo level as text": Mistake(lambda: monte_carlo().effects(level="a"), ts.OptionError, ("level='a'", "between 0 and 1")),
    "Monte Carlo type": Mistake(lambda: monte_carlo().standardized_solution("all"), ts.OptionError, ("type='all'", "'std_all'")),
    "Monte Carlo without errors": Mistake(
        lambda: ts.monte_carlo(cfa(se="none"), seed=1), ts.OptionError, ("no covariance matrix", "se='none'", "leave se= out")
    ),
    "one draw for standard errors": Mistake(
        lambda: cfa(se="bootstrap", bootstrap=1), ts.DataError, ("1 of 1 bootstrap draws", "at least two", "bootstrap=1000")
    ),
    "draws without their errors": Mistake(lambda: cfa(bootstrap=100), ts.OptionError, ("bootstrap=100", "se='standard'", "give se='bootstrap'")),
    "seed without draws": Mistake(lambda: cfa(seed=3, se="robust_sem"), ts.OptionError, ("seed=3", "se='robust_sem'", "Leave seed= out")),
}
