"""Compiled expressions: value and exact gradient (forward mode) at a parameter vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trustsem.spec.functions import BINARY, FUNCTIONS

__all__ = ["Program"]

type_of_code = tuple[str, int, float, str]


@dataclass(frozen=True)
class Program:
    """An expression whose names are places in theta. Can be pickled.

    Attributes
    ----------
    code : tuple
        Postfix steps ``(text, arity, number or place among the names, kind)``.
    places : tuple of int
        Place in theta of each name used.
    """

    code: tuple[type_of_code, ...]
    places: tuple[int, ...]

    def value(self, theta: Sequence[float] | NDArray[np.float64]) -> float:
        """Evaluate at `theta`.

        Parameters
        ----------
        theta : array of shape (n,)
            Parameters.

        Returns
        -------
        float
            NaN where the expression is undefined.
        """
        inputs = [float(theta[place]) for place in self.places]
        stack: list[float] = []
        for text, arity, number, kind in self.code:
            if arity == 0:
                stack.append(inputs[int(number)] if kind == "name" else number)
                continue
            operands = stack[len(stack) - arity :]
            del stack[len(stack) - arity :]
            stack.append(_apply(kind, text, operands))
        return stack[0]

    def gradient(self, theta: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Differentiate at `theta`, exactly.

        Parameters
        ----------
        theta : array of shape (n,)
            Parameters.

        Returns
        -------
        array of shape (n,)
            Derivative of the value by each parameter; at a kink (``abs(0)``) a value between the one-sided ones.
        """
        inputs = [float(theta[place]) for place in self.places]
        unit = np.eye(len(inputs))
        none = np.zeros(len(inputs))
        stack: list[tuple[float, NDArray[np.float64]]] = []
        with np.errstate(all="ignore"):
            for text, arity, number, kind in self.code:
                if arity == 0:
                    stack.append((inputs[int(number)], unit[int(number)]) if kind == "name" else (number, none))
                    continue
                operands = stack[len(stack) - arity :]
                del stack[len(stack) - arity :]
                stack.append(_differentiate(kind, text, operands))
        result = np.zeros(len(theta))
        np.add.at(result, list(self.places), stack[0][1])
        return result


def _apply(kind: str, text: str, operands: list[float]) -> float:
    if kind == "function":
        return FUNCTIONS[text].value(*operands)
    if text == "negate":
        return -operands[0]
    return BINARY[text].value(operands[0], operands[1])


def _differentiate(kind: str, text: str, operands: list[tuple[float, NDArray[np.float64]]]) -> tuple[float, NDArray[np.float64]]:
    """Value and gradient of one step by the chain rule."""
    values = [operand[0] for operand in operands]
    value = _apply(kind, text, values)
    if kind == "function":
        slope = FUNCTIONS[text].slope(*values)
        return value, operands[int(slope)][1] if text in {"min", "max"} else _scaled(slope, operands[0][1])
    if text == "negate":
        return value, -operands[0][1]
    by_left, by_right = BINARY[text].slopes(values[0], values[1])
    return value, _scaled(by_left, operands[0][1]) + _scaled(by_right, operands[1][1])


def _scaled(slope: float, gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slope times gradient, where an infinite slope of something that does not move contributes nothing."""
    return slope * gradient if np.isfinite(slope) else np.where(gradient == 0.0, 0.0, slope * gradient)
