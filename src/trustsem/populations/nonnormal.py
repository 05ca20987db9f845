"""Skewness and kurtosis asked for, variable by variable, and what is common to the generators that make normal scores non-normal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trustsem.errors import OptionError, closest
from trustsem.kernels.structure import Reals

__all__ = ["ByVariable", "by_variable", "intermediate_root", "plain_by_variable", "worst_pair"]

ByVariable = float | Mapping[str, float] | tuple[float, ...]
# Below this eigenvalue a correlation matrix of normal scores is singular for all that double precision can tell.
SINGULAR = 1e-12


def plain_by_variable(option: str, value: Any) -> ByVariable:
    """Return an option that is one number, or one per variable, as plain numbers.

    Parameters
    ----------
    option : str
        Its name, for messages.
    value : float, mapping of str to float, or sequence of float

    Returns
    -------
    float, dict or tuple

    Raises
    ------
    OptionError
        For anything that is not a finite number.
    """
    if isinstance(value, Mapping):
        return {str(name): _number(option, number, f" for {str(name)!r}") for name, number in value.items()}
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1):
        return tuple(_number(option, number, f" for variable {at + 1}") for at, number in enumerate(value))
    return _number(option, value)


def _number(option: str, value: Any, where: str = "") -> float:
    if not isinstance(value, int | float | np.number) or isinstance(value, bool | np.complexfloating) or not np.isfinite(value):
        shown = " ".join(repr(value).split())
        raise OptionError(
            f"{option}={shown[:80]}{where} is not a finite number. Give one number for all variables, a mapping of names to numbers, or one number "
            "per variable."
        )
    return float(value)


def by_variable(option: str, value: ByVariable, names: tuple[str, ...]) -> Reals:
    """Return the option's value (p,) for every variable; variables that a mapping leaves out get zero, which is the normal value.

    Raises
    ------
    OptionError
        For a variable that does not exist, or a tuple of the wrong length.
    """
    if isinstance(value, Mapping):
        for name in value:
            if name not in names:
                raise OptionError(f"{option}= names {name!r}, which is no observed variable.{closest(name, names)} There are {_some(names)}.")
        return np.array([value.get(name, 0.0) for name in names])
    if isinstance(value, tuple):
        if len(value) != len(names):
            raise OptionError(f"{option}= has {len(value)} numbers for {len(names)} variables. Give one for each of {_some(names)}, in this order.")
        return np.array(value)
    return np.full(len(names), value)


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")


def worst_pair(excess: Reals) -> tuple[int, int]:
    """Return row and column (row < column) of the largest entry of a symmetric matrix (p, p) off the diagonal; NaN counts as the largest."""
    upper = np.triu_indices(len(excess), 1)
    ranked = np.where(np.isnan(excess[upper]), np.inf, excess[upper])
    at = int(np.argmax(ranked))
    return int(upper[0][at]), int(upper[1][at])


def intermediate_root(correlations: Reals, generator: str) -> Reals:
    """Return the Cholesky factor (p, p) of the correlations of the normal scores.

    Raises
    ------
    OptionError
        If there are no normal variables with all these correlations at once.
    """
    least = float(np.linalg.eigvalsh(correlations)[0])
    if least <= SINGULAR:
        raise OptionError(
            f"{generator} needs correlations of its normal scores that cannot hold together: their matrix is not positive definite (smallest "
            f"eigenvalue {least:.3g}). Ask for skewness= and kurtosis= nearer to zero or more alike, or use IndependentGenerator, which needs no "
            "such matrix."
        )
    return np.asarray(np.linalg.cholesky(correlations))
