"""Standardized coefficients as users write them: names joined by an operator, and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from trustsem.errors import OptionError

__all__ = ["items_of", "read_coefficients", "read_confounders", "read_number"]

_KEY = re.compile(r"\s*([\w.]+)\s*(->|=~|~~|~)\s*([\w.]+)\s*")
_ARROW = "'Trust -> Outcomes' or 'Outcomes~Trust'"
_OPERATORS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"paths": ("->", "~"), "lagged": ("->", "~"), "loadings": ("=~", "->"), "covariances": ("~~",)}
)
_EXAMPLES: Mapping[str, str] = MappingProxyType(
    {"paths": _ARROW, "lagged": _ARROW, "loadings": "'Trust=~c1'", "covariances": "'c1~~c2'", "confounder": "'Trust, Outcomes'"}
)

Pair = tuple[str, str]


def read_coefficients(option: str, given: Mapping[str, float] | None) -> dict[Pair, float]:
    """Read coefficients by the way they are written.

    Parameters
    ----------
    option : {"paths", "loadings", "covariances"}
    given : mapping of str to float
        Such as ``{"Trust -> Outcomes": 0.12}``, ``{"Outcomes~Trust": 0.12}``, ``{"Trust=~c1": 0.3}``, ``{"c1~~c2": 0.2}``.

    Returns
    -------
    dict of (str, str) to float
        By (cause, effect), or the two ends of a covariance.

    Raises
    ------
    OptionError
        For what is no mapping, keys that cannot be read, and values that are no numbers; correlations lie between -1 and 1.
    """
    found: dict[Pair, float] = {}
    for key, value in items_of(option, given):
        match = _KEY.fullmatch(key) if isinstance(key, str) else None
        if match is None or match[2] not in _OPERATORS[option] or match[1] == match[3]:
            raise OptionError(f"{option}= names {key!r}, which joins no two variables. Write {_EXAMPLES[option]}.")
        pair = (match[3], match[1]) if match[2] == "~" else (match[1], match[3])
        found[pair] = read_number(option, key, value, 1.0 if option == "covariances" else math.inf)
    return found


def read_confounders(option: str, given: Mapping[str, Sequence[float]] | None) -> dict[tuple[str, ...], tuple[float, ...]]:
    """Read unmeasured common causes such as ``{"Trust, Outcomes": (0.3, 0.3)}``.

    Returns
    -------
    dict of tuple of str to tuple of float
        Standardized effects by the variables that share the cause.

    Raises
    ------
    OptionError
    """
    found = {}
    for key, value in items_of(option, given):
        names = tuple(name.strip() for name in key.split(",")) if isinstance(key, str) else ()
        if len(set(names)) < 2 or len(set(names)) < len(names) or not all(names):
            raise OptionError(f"{option}= names {key!r}. Write at least two variables with a comma between them, such as 'Trust, Outcomes'.")
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != len(names):
            raise OptionError(f"{option}= gives {key!r} the effects {value!r}. Give one for each variable, such as (0.3, 0.3).")
        found[names] = tuple(read_number(option, key, effect, 1.0) for effect in value)
    return found


def read_number(option: str, key: str, value: object, limit: float = math.inf) -> float:
    """Return `value` as a number between -`limit` and `limit`.

    Raises
    ------
    OptionError
    """
    if isinstance(value, int | float | np.number) and not isinstance(value, bool) and abs(float(value)) < limit:
        return float(value)
    allowed = "Give a finite number." if math.isinf(limit) else f"Give a number between {-limit:g} and {limit:g}."
    raise OptionError(f"{option}= gives {key!r} the value {value!r}. {allowed}")


def items_of(option: str, given: object) -> list[tuple[str, object]]:
    """Return names and values of a mapping; of None there are none.

    Raises
    ------
    OptionError
        For what is no mapping.
    """
    if given is not None and not isinstance(given, Mapping):
        name = _EXAMPLES.get(option, "'Trust'").split("'")[1]
        raise OptionError(f"{option}={given!r} is not a mapping. Write names and numbers, such as {{'{name}': 0.2}}.")
    return list(given.items()) if given is not None else []
