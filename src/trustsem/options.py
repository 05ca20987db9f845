"""The options of a fit: one frozen record, checked on creation, with lavaan's names in snake_case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from trustsem.errors import NotAvailableError, OptionError, closest

__all__ = ["FitOptions", "choose", "refuse_later"]

_LATER: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        # Options whose only value today is the default: anything else is refused by name instead of being ignored.
        "ordered": (None, False, ()),
        "cluster": (None,),
        "sampling_weights": (None,),
        "bootstrap": (None,),
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
    se : {"standard", "none"}
        Kind of standard errors.
    test : {"standard", "none"}
        Kind of test statistic.
    missing : {"listwise"}
        What is done with missing values.
    engine : {"trustsem", "semopy"}
        Who minimises the discrepancy.
    """

    estimator: str = "ML"
    likelihood: str = "normal"
    information: str = "expected"
    se: str = "standard"
    test: str = "standard"
    missing: str = "listwise"
    engine: str = "trustsem"

    def __post_init__(self) -> None:
        choose("likelihood", self.likelihood, ("normal", "wishart"))
        choose("information", self.information, ("expected", "observed"))
        choose("se", self.se, ("standard", "none"))
        choose("test", self.test, ("standard", "none"))
        choose("engine", self.engine, ("trustsem", "semopy"))
        if self.likelihood == "wishart" and self.estimator != "ML":
            raise OptionError(f"likelihood='wishart' belongs to estimator='ML', not to {self.estimator!r}. Leave likelihood= out.")

    def conventions(self) -> dict[str, str]:
        """Return the conventions, as printed with every report."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}


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
