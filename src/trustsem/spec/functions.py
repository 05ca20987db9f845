"""The functions and operators of expressions, each with its value and its derivative.

A value that does not exist (``log(-1)``) is NaN, one that overflows is infinite; nothing warns, so that a line search may step outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["BINARY", "FUNCTIONS", "Function"]


class Function(NamedTuple):
    """A function of one argument (or of several, for ``min`` and ``max``).

    Attributes
    ----------
    arity : tuple of int
        Smallest and largest number of arguments.
    value, slope : callable
        Of one float; for ``min`` and ``max`` of the values of all arguments, where the slope is the place of the argument chosen.
    """

    arity: tuple[int, int]
    value: Callable[..., float]
    slope: Callable[..., float]


def _guard(function: Callable[..., float]) -> Callable[..., float]:
    """Turn the exceptions of `math` into NaN or infinity."""

    def guarded(*arguments: float) -> float:
        try:
            return float(function(*arguments))
        except (ValueError, ZeroDivisionError):
            return math.nan
        except OverflowError:
            return math.inf

    return guarded


def _log(x: float) -> float:
    return math.log(x) if x > 0 or math.isnan(x) else (-math.inf if x == 0 else math.nan)


def _reciprocal(x: float) -> float:
    return 1.0 / x if x else math.copysign(math.inf, x)


def _one(value: Callable[[float], float], slope: Callable[[float], float]) -> Function:
    return Function((1, 1), _guard(value), _guard(slope))


def _first(choose: Callable[[tuple[float, ...]], float]) -> Callable[..., float]:
    return lambda *values: float(values.index(choose(values))) if not any(math.isnan(v) for v in values) else 0.0


def _extreme(choose: Callable[[tuple[float, ...]], float]) -> Callable[..., float]:
    return lambda *values: math.nan if any(math.isnan(v) for v in values) else choose(values)


_MANY: Final = 1_000

FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        "exp": _one(math.exp, math.exp),
        "log": _one(_log, _reciprocal),
        "log2": _one(lambda x: _log(x) / math.log(2.0), lambda x: _reciprocal(x) / math.log(2.0)),
        "log10": _one(lambda x: _log(x) / math.log(10.0), lambda x: _reciprocal(x) / math.log(10.0)),
        "log1p": _one(lambda x: math.log1p(x) if x != -1 else -math.inf, lambda x: _reciprocal(1.0 + x)),
        "expm1": _one(math.expm1, math.exp),
        "sqrt": _one(math.sqrt, lambda x: 0.5 * _reciprocal(math.sqrt(x))),
        "abs": _one(abs, lambda x: math.nan if math.isnan(x) else float((x > 0) - (x < 0))),
        "sin": _one(math.sin, math.cos),
        "cos": _one(math.cos, lambda x: -math.sin(x)),
        "tan": _one(math.tan, lambda x: 1.0 / math.cos(x) ** 2),
        "asin": _one(math.asin, lambda x: _reciprocal(math.sqrt(1.0 - x * x))),
        "acos": _one(math.acos, lambda x: -_reciprocal(math.sqrt(1.0 - x * x))),
        "atan": _one(math.atan, lambda x: 1.0 / (1.0 + x * x)),
        "sinh": _one(math.sinh, math.cosh),
        "cosh": _one(math.cosh, math.sinh),
        "tanh": _one(math.tanh, lambda x: 1.0 - math.tanh(x) ** 2),
        "asinh": _one(math.asinh, lambda x: 1.0 / math.sqrt(x * x + 1.0)),
        "acosh": _one(math.acosh, lambda x: _reciprocal(math.sqrt(x * x - 1.0))),
        "atanh": _one(math.atanh, lambda x: _reciprocal(1.0 - x * x)),
        "min": Function((1, _MANY), _extreme(min), _first(min)),
        "max": Function((1, _MANY), _extreme(max), _first(max)),
    }
)


def _divide(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)


def _power(a: float, b: float) -> float:
    if a == 0 and b < 0:
        return math.inf
    try:
        value = a**b
    except OverflowError:
        return math.inf if a > 0 or b % 2 == 0 else -math.inf
    return value if isinstance(value, float) else math.nan


def _power_slopes(a: float, b: float) -> tuple[float, float]:
    by_base = b * _power(a, b - 1.0) if b else 0.0
    # Only used where the exponent varies; for 0^b with b > 0 the limit is 0.
    by_exponent = 0.0 if a == 0 and b > 0 else _power(a, b) * _log(a)
    return by_base, by_exponent


class Operator(NamedTuple):
    """A binary operator: its value and its two partial derivatives."""

    value: Callable[[float, float], float]
    slopes: Callable[[float, float], tuple[float, float]]


BINARY: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        "+": Operator(lambda a, b: a + b, lambda a, b: (1.0, 1.0)),
        "-": Operator(lambda a, b: a - b, lambda a, b: (1.0, -1.0)),
        "*": Operator(lambda a, b: a * b, lambda a, b: (b, a)),
        "/": Operator(_divide, lambda a, b: (_divide(1.0, b), -_divide(_divide(a, b), b))),
        "^": Operator(_power, _power_slopes),
    }
)
