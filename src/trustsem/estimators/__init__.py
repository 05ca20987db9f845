"""How model and data are matched: one file per estimator, found by its name.

An estimator module exposes ``ESTIMATOR``, an object that satisfies :class:`Estimator`. Adding one is adding a file.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import Protocol, cast

from trustsem.data.sample import Sample
from trustsem.errors import NotAvailableError, OptionError, closest
from trustsem.model.problem import Problem
from trustsem.model.ram import Model

__all__ = ["Estimator", "available", "find"]


_LATER = ("PML",)


class Estimator(Protocol):
    """What the rest of the library may ask of an estimator. It holds options only.

    Attributes
    ----------
    name : str
        As users write it.
    has_likelihood : bool
        Whether the discrepancy is that of a likelihood (log-likelihood, AIC and BIC exist).
    chisq_is_asymptotic : bool
        Whether the statistic is asymptotically chi-square under normality, so that it has a p-value.
    fixed_x : bool
        Whether exogenous covariates are fixed unless the user says otherwise.
    takes_incomplete_rows : bool
        Whether rows with missing values can be used.
    needs_rows : bool
        Whether summary statistics are not enough for it.
    se, test, information : str, tuple of str, str
        Kinds of standard errors, of tests and of information unless the user says otherwise.
    """

    @property
    def name(self) -> str:
        """As users write it."""
        ...

    @property
    def has_likelihood(self) -> bool:
        """Whether the discrepancy is that of a likelihood."""
        ...

    @property
    def chisq_is_asymptotic(self) -> bool:
        """Whether the statistic is asymptotically chi-square under normality."""
        ...

    @property
    def fixed_x(self) -> bool:
        """Whether exogenous covariates are fixed by default."""
        ...

    @property
    def takes_incomplete_rows(self) -> bool:
        """Whether rows with missing values can be used."""
        ...

    @property
    def needs_rows(self) -> bool:
        """Whether summary statistics are not enough."""
        ...

    @property
    def se(self) -> str:
        """Kind of standard errors by default."""
        ...

    @property
    def test(self) -> tuple[str, ...]:
        """Kinds of tests by default."""
        ...

    @property
    def information(self) -> str:
        """Kind of information by default."""
        ...

    def prepare(self, model: Model, sample: Sample, likelihood: str) -> Problem:
        """Match `model` to `sample`: the moments with the estimator's divisor, in the model's order."""
        ...


def available() -> tuple[str, ...]:
    """Return the names of all estimators, in upper case."""
    return tuple(sorted(module.name.upper() for module in pkgutil.iter_modules(__path__)))


def find(name: str) -> Estimator:
    """Return the estimator called `name`, in any case.

    Raises
    ------
    NotAvailableError
        If lavaan has it and this version does not.
    OptionError
        If there is none.
    """
    loaded = sys.modules.get(f"{__name__}.{name.lower()}") if isinstance(name, str) else None
    if loaded is None:
        if isinstance(name, str) and name.upper() in _LATER:
            raise NotAvailableError(f"estimator={name!r} is not available yet. Available are {', '.join(available())}.")
        if not isinstance(name, str) or name.upper() not in available():
            near = closest(str(name).upper(), available())
            raise OptionError(f"Unknown estimator={name!r}. Available are {', '.join(available())}.{near}")
        loaded = importlib.import_module(f"{__name__}.{name.lower()}")
    return cast(Estimator, loaded.ESTIMATOR)
