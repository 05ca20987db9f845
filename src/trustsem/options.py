"""The options of a fit: one frozen record, checked on creation, with lavaan's names in snake_case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np

from trustsem.errors import NotAvailableError, OptionError, closest

__all__ = ["FitOptions", "check_count", "check_flag", "check_level", "choose", "missing_treatment", "refuse_later"]

_LATER: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        # Options whose only value today is the default: anything else is refused by name instead of being ignored.
        "ordered": (None, False, ()),
        "parameterization": (None, "delta"),
        "conditional_x": (None, False),
        "effect_coding": (None, False, ()),
    }
)


def choose(name: str, value: object, allowed: tuple[str, ...]) -> str:
    """Return `value` in lower case if it is one of `allowed`.

    Raises
    ------
    OptionError
        Naming the option, the value and what is allowed.
    """
    text = value.lower() if isinstance(value, str) else value
    if text not in allowed:
        raise OptionError(f"Unknown {name}={value!r}. Allowed are {', '.join(map(repr, allowed))}.{closest(str(value), allowed)}")
    return str(text)


SE_KINDS = (
    "standard",
    "none",
    "robust_sem",
    "robust_huber_white",
    "first_order",
    "robust_cluster",
    "bootstrap",
    "two_stage",
    "robust_two_stage",
)
SCALED_TESTS = ("satorra_bentler", "mean_var_adjusted", "scaled_shifted", "yuan_bentler", "yuan_bentler_mplus")
RESIDUAL_TESTS = ("browne_residual_adf", "browne_residual_nt", "browne_residual_adf_model", "browne_residual_nt_model")
TESTS = ("standard", "none", *SCALED_TESTS, *RESIDUAL_TESTS)


@dataclass(frozen=True)
class FitOptions:
    """How a model is fitted, apart from the model and the data.

    Attributes
    ----------
    estimator : str
        Name of the estimator, in upper case.
    likelihood : {"normal", "wishart"}
        Divide moments by N and multiply the discrepancy by N, or use N - 1 for both.
    information : {"expected", "observed"}
        Information matrix behind the standard errors.
    se : str
        Kind of standard errors, one of `SE_KINDS`.
    test : tuple of str
        Kinds of test statistics, of `TESTS`; scaled ones come with the standard one.
    missing : {"listwise", "fiml", "fiml_x", "two_stage", "robust_two_stage"}
        What is done with missing values.
    engine : {"trustsem", "semopy"}
        Who minimises the discrepancy.
    """

    estimator: str = "ML"
    likelihood: str = "normal"
    information: str = "expected"
    se: str = "standard"
    test: tuple[str, ...] = ("standard",)
    missing: str = "listwise"
    engine: str = "trustsem"

    def __post_init__(self) -> None:
        choose("likelihood", self.likelihood, ("normal", "wishart"))
        choose("information", self.information, ("expected", "observed"))
        choose("se", self.se, SE_KINDS)
        choose("engine", self.engine, ("trustsem", "semopy"))
        for name in self.test:
            choose("test", name, TESTS)
        if self.likelihood == "wishart" and self.estimator != "ML":
            raise OptionError(f"likelihood='wishart' belongs to estimator='ML', not to {self.estimator!r}. Leave likelihood= out.")

    @property
    def tests(self) -> bool:
        """Whether the model is tested at all."""
        return "none" not in self.test

    @property
    def scaled_test(self) -> str | None:
        """The scaled test that fit measures report beside the standard one; None if there is none."""
        return next((name for name in self.test if name in SCALED_TESTS), None)

    def conventions(self) -> dict[str, str]:
        """Return the conventions, as printed with every report."""
        texts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: "+".join(value) if isinstance(value, tuple) else str(value) for name, value in texts.items()}


_TREATMENTS: Mapping[str, str] = MappingProxyType(
    {name: name for name in ("listwise", "fiml", "fiml_x", "two_stage", "robust_two_stage")}
    | {"ml": "fiml", "direct": "fiml", "ml_x": "fiml_x", "direct_x": "fiml_x"}
)
_TREATMENTS_LATER = ("pairwise", "available_cases", "doubly_robust")


def missing_treatment(missing: str) -> str:
    """Return the treatment of missing values that `missing` names: listwise, fiml, fiml_x, two_stage or robust_two_stage.

    Raises
    ------
    NotAvailableError
        If lavaan has it and this version does not.
    OptionError
        If there is none.
    """
    name = missing.lower().replace(".", "_") if isinstance(missing, str) else missing
    if isinstance(name, str) and name in _TREATMENTS:
        return _TREATMENTS[name]
    allowed = tuple(dict.fromkeys(_TREATMENTS.values()))
    if name in _TREATMENTS_LATER:
        raise NotAvailableError(f"missing={missing!r} is not available in this version. Available: {', '.join(map(repr, allowed))}.")
    hint = closest(name, _TREATMENTS) if isinstance(name, str) else ""
    raise OptionError(f"missing={missing!r} is not a treatment of missing values.{hint} Available: {', '.join(map(repr, allowed))}.")


def refuse_later(options: Mapping[str, Any]) -> None:
    """Refuse, by name, the options that this version knows but cannot honour.

    Raises
    ------
    NotAvailableError
    """
    for name, allowed in _LATER.items():
        value = options.get(name)
        if not any(value is default or (type(value) is type(default) and value == default) for default in allowed):
            raise NotAvailableError(f"{name}={value!r} is not available yet. Leave {name}= out.")


def check_level(level: float) -> None:
    """Refuse what is no confidence level.

    Raises
    ------
    OptionError
    """
    if not isinstance(level, int | float | np.floating) or not 0.0 < level < 1.0:
        raise OptionError(f"level={level!r} is not a confidence level. Give a number between 0 and 1, such as 0.95.")


def check_flag(name: str, value: Any) -> None:
    """Refuse values that Python would take for true or false, and are neither.

    Raises
    ------
    OptionError
    """
    if not isinstance(value, bool | np.bool_):
        raise OptionError(f"{name}={value!r} is not a yes or no. Give True or False, or leave {name}= out.")


def check_count(name: str, value: int, least: int) -> None:
    """Refuse what is no whole number of at least `least`.

    Raises
    ------
    OptionError
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise OptionError(f"{name}={value!r} is not possible. Give a whole number of at least {least}.")
