"""Every test and every kind of standard error that a fit could have had, taken from one and the same fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from trustsem.appraisal.severity.imitation import Imitator
from trustsem.appraisal.severity.probing import Fitters
from trustsem.errors import DataError
from trustsem.estimators import find
from trustsem.fitting.fit import Fit
from trustsem.fitting.robust import TWO_STAGE, scaled_model
from trustsem.fitting.tables import standardized_errors, standardized_values
from trustsem.fitting.testing import small_sample_tests
from trustsem.inference.fit_measures import Chisq
from trustsem.inference.small_sample import swain
from trustsem.kernels.structure import Reals
from trustsem.options import FitOptions
from trustsem.studies.executors import one_thread

__all__ = ["Finding", "Regime", "Ways", "all_tests_of", "ways_of"]

_MEAN_SCALED = ("satorra_bentler", "yuan_bentler", "yuan_bentler_mplus")


class Ways(NamedTuple):
    """How a fit may be tested and its errors computed.

    Attributes
    ----------
    errors : tuple of (str, FitOptions)
        Kinds of standard errors, with options under which a fit has them.
    tests : tuple of FitOptions
        Options under which a fit has the scaled tests.
    own_error, own_test : str
        What the fit itself uses.
    """

    errors: tuple[tuple[str, FitOptions], ...]
    tests: tuple[FitOptions, ...]
    own_error: str
    own_test: str


class Finding(NamedTuple):
    """What one sample gives.

    Attributes
    ----------
    reason : str
        Why there is nothing; empty if there is.
    statistics, pvalues : (T,) float
        Of every test.
    estimates : (R,) float
        Standardized.
    errors : (W, R) float
        Standard errors of each kind.
    """

    reason: str
    statistics: Reals
    pvalues: Reals
    estimates: Reals
    errors: Reals


def ways_of(fit: Fit) -> Ways:
    """Return the ways of testing `fit` and of computing its errors that its data allow and that leave the estimates what they are."""
    own = fit.options
    block = fit.sample.blocks[0]
    clustered, weighted = block.clusters is not None, block.weights is not None
    own_test = own.scaled_test or "standard"
    kind = own.se if own.se != "bootstrap" else "robust_cluster" if clustered else "standard"
    mine = replace(own, se=kind)
    free = find(own.estimator).has_likelihood and own.missing not in TWO_STAGE and own.likelihood == "normal"
    if not free or block.rows is None:
        return Ways(((kind, mine),), (own,) if own.scaled_test else (), kind, own_test)
    complete, fiml = block.missing is None, own.missing != "listwise"
    robust = "robust_cluster" if clustered else "robust_huber_white"
    sandwich = replace(own, estimator="MLR", information="observed", se=robust, test=("standard", "yuan_bentler_mplus"))
    errors = {"standard": replace(own, information="observed" if fiml else "expected", se="standard", test=("standard",)), sandwich.se: sandwich}
    tests = [sandwich]
    if complete and not fiml and not clustered and not weighted:
        names = ("standard", "satorra_bentler", "mean_var_adjusted", "scaled_shifted")
        scaled = replace(own, estimator="MLM", information="expected", se="robust_sem", test=names)
        errors["robust_sem"] = scaled
        tests.insert(0, scaled)
    if own.scaled_test is not None:  # as it was computed
        tests = [replace(one, test=tuple(name for name in one.test if name != own.scaled_test)) for one in tests]
        tests.insert(0, replace(own, test=("standard", own.scaled_test)))
    return Ways(tuple((errors | {kind: mine}).items()), tuple(tests), kind, own_test)


def all_tests_of(fit: Fit, ways: Ways) -> dict[str, Chisq]:
    """Return every test of exact fit by name; none without degrees of freedom."""
    if fit.df <= 0 or not fit.options.tests:
        return {}
    found = {"standard": fit.chisq}
    likelihood = find(fit.options.estimator).has_likelihood
    if likelihood:
        found |= small_sample_tests(fit)
    for options in ways.tests:
        other = replace(fit, options=options)
        for name in options.test:
            if name == "standard":
                continue
            test = scaled_model(other, name)
            found[name] = Chisq(test.statistic, test.df)
            if likelihood and name in _MEAN_SCALED:
                found[f"swain ({name})"] = swain(found[name], len(fit.model.blocks[0].observed), fit.nobs)
    return found


@dataclass(frozen=True, eq=False)
class Regime:
    """The fitted model as the truth, the design of the data, and what is looked at in every sample.

    Attributes
    ----------
    imitator : Imitator
    fitters : Fitters
    ways : Ways
    rows : tuple of int
        Rows of the parameter table whose intervals are looked at.
    tests : tuple of str
        Names of the tests.
    seed : int
    """

    imitator: Imitator
    fitters: Fitters
    ways: Ways
    rows: tuple[int, ...]
    tests: tuple[str, ...]
    seed: int

    def __call__(self, numbers: Sequence[int]) -> list[Finding]:
        """Return what is found in the samples of these numbers."""
        with one_thread():
            return [self._one(np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(k,)))) for k in numbers]

    def _one(self, rng: np.random.Generator) -> Finding:
        fit = self.fitters.fit(self.imitator, rng)
        if isinstance(fit, str):
            return self._nothing(fit)
        rows = list(self.rows)
        values, slopes = standardized_values(fit, "std_all")
        try:
            errors = [standardized_errors(replace(fit, options=options), slopes[rows]) for _, options in self.ways.errors]
            tests = all_tests_of(fit, self.ways)
        except DataError as error:
            return self._nothing(str(error))
        statistics = np.array([[tests[name].statistic, tests[name].pvalue] for name in self.tests]).reshape(-1, 2)
        return Finding("", statistics[:, 0], statistics[:, 1], values[rows], np.array(errors))

    def _nothing(self, reason: str) -> Finding:
        none = np.full(len(self.tests), np.nan)
        return Finding(reason, none, none, np.full(len(self.rows), np.nan), np.full((len(self.ways.errors), len(self.rows)), np.nan))
