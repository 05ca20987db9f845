"""The latent-to-observed transformation and model-implied instruments.

Every latent variable is replaced by its scaling indicator less the error of that (Bollen 1996, doi 10.1007/BF02296323). What is left are equations
between observed variables, whose composite errors are correlated with some of the explanatory variables; observed variables that the model says to be
uncorrelated with the whole composite error are instruments (Bollen & Bauer 2004, doi 10.1177/0049124103260341).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from trustsem.kernels.structure import Reals

__all__ = ["Diagram", "Equation", "Scaling", "equations_of", "scalings_of"]


@dataclass(frozen=True, eq=False)
class Diagram:
    """A model of one block as a diagram, m variables of which the first p are observed.

    Attributes
    ----------
    p : int
    arrows : (m, m) bool
        ``arrows[i, j]``: j is a cause of i, freely or with a fixed effect that is not 0.
    value : (m, m) float
        Fixed effects; NaN where an effect is free, 0 where there is none.
    joined : (m, m) bool
        Which residuals covary; on the diagonal, which have a variance.
    """

    p: int
    arrows: np.ndarray
    value: Reals
    joined: np.ndarray

    def ancestors(self) -> np.ndarray:
        """Return which variables (m, m) each variable (row) depends on, itself included."""
        reach = self.arrows | np.eye(len(self.arrows), dtype=bool)
        for _ in range(max(1, math.ceil(math.log2(len(reach) + 1)))):
            reach = (reach.astype(np.int64) @ reach.astype(np.int64)) > 0
        return reach


class Scaling(NamedTuple):
    """How a variable is replaced by an observed one.

    Attributes
    ----------
    observed : int
        Place of the observed variable; -1 if there is none.
    factor : float
        The observed variable is `factor` times the variable, plus errors.
    errors : frozenset of int
        The variables whose residuals these errors are.
    marked : bool
        Whether the model fixes the loading; otherwise it is fixed to 1 here.
    """

    observed: int
    factor: float
    errors: frozenset[int]
    marked: bool = True


@dataclass(frozen=True)
class Equation:
    """One equation between observed variables.

    Attributes
    ----------
    effect : int
        The variable that the equation explains, in the diagram.
    causes : tuple of int
        Those of its causes whose effects are free.
    outcome : int
        The observed variable that stands for the effect; -1 if there is none.
    regressors : tuple of int
        The observed variables that stand for the causes.
    factors : tuple of float
        Each effect in the diagram is the coefficient of the regressor times its factor.
    offsets : tuple of (int, float)
        Observed variables with known coefficients, for causes with fixed effects.
    errors : frozenset of int
        The variables whose residuals make up the composite error.
    instruments : tuple of int
    problem : str
        Why the equation cannot be estimated; empty if it can.
    """

    effect: int
    causes: tuple[int, ...]
    outcome: int
    regressors: tuple[int, ...]
    factors: tuple[float, ...]
    offsets: tuple[tuple[int, float], ...]
    errors: frozenset[int]
    instruments: tuple[int, ...]
    problem: str = ""


def scalings_of(diagram: Diagram, order: Sequence[tuple[int, int]]) -> tuple[Scaling, ...]:
    """Return how each of the m variables is replaced.

    Parameters
    ----------
    diagram : Diagram
    order : sequence of (int, int)
        Loadings as (latent, indicator), in the order of the model: of the indicators that may scale a latent variable the first one with a fixed
        loading does, else the first. Indicators of several latent variables may not.
    """
    found: dict[int, Scaling] = {k: Scaling(k, 1.0, frozenset()) for k in range(diagram.p)}
    single = diagram.arrows.sum(axis=1) == 1

    def scale(latent: int, above: frozenset[int]) -> Scaling:
        if latent in found:
            return found[latent]
        own = [child for parent, child in order if parent == latent and single[child] and child not in above]
        fixed = [child for child in own if not math.isnan(diagram.value[child, latent])]
        result = Scaling(-1, math.nan, frozenset())
        for child in (*fixed, *own):
            inner = scale(child, above | {latent})
            if inner.observed >= 0:
                marked = child in fixed
                loading = float(diagram.value[child, latent]) if marked else 1.0
                result = Scaling(inner.observed, loading * inner.factor, inner.errors | {child}, marked and inner.marked)
                break
        found[latent] = result
        return result

    return tuple(scale(k, frozenset()) for k in range(len(diagram.arrows)))


def equations_of(diagram: Diagram, scalings: Sequence[Scaling], order: Sequence[tuple[int, int]]) -> tuple[Equation, ...]:
    """Return the equations with a coefficient to be estimated, indicators first, each with its instruments.

    Parameters
    ----------
    diagram : Diagram
    scalings : sequence of Scaling
        Of all variables.
    order : sequence of (int, int)
        Loadings as (latent, indicator), in the order of the model.
    """
    scaled_by = {(child, latent) for latent, child in _scaling_arrows(diagram, scalings, order)}
    free = diagram.arrows & np.isnan(diagram.value)
    for child, latent in scaled_by:
        free[child, latent] = False
    indicators = list(dict.fromkeys(child for _, child in order))
    rest = [k for k in range(len(diagram.arrows)) if k not in indicators]
    effects = [k for k in (*indicators, *sorted(rest, key=lambda k: (k < diagram.p, k))) if free[k].any()]
    ancestors, implied = diagram.ancestors(), _generic_covariances(diagram)
    touched = _touching(diagram, ancestors)
    return tuple(_equation(diagram, scalings, effect, free, touched, implied) for effect in effects)


def _scaling_arrows(diagram: Diagram, scalings: Sequence[Scaling], order: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the loadings (latent, indicator) that give the latent variables their scales."""
    result = []
    for latent in range(diagram.p, len(diagram.arrows)):
        own = scalings[latent]
        if own.observed >= 0:
            result.append(next((one, child) for one, child in order if one == latent and child in own.errors and diagram.arrows[child, latent]))
    return result


def _touching(diagram: Diagram, ancestors: np.ndarray) -> np.ndarray:
    """Return which residuals (m, m) each variable (row) is correlated with by the model."""
    return (ancestors.astype(np.int64) @ diagram.joined.astype(np.int64)) > 0


def _generic_covariances(diagram: Diagram) -> Reals:
    """Return covariances (m, m) of the variables at parameter values without special relations: what is not 0 there is not 0 in general."""
    m = len(diagram.arrows)
    spread = np.modf(np.arange(1.0, 2.0 * m * m + 1.0) * math.sqrt(2.0))[0].reshape(2, m, m)
    paths = np.where(diagram.arrows, np.where(np.isnan(diagram.value), 0.3 + 0.5 * spread[0], diagram.value), 0.0)
    half = np.tril(np.where(diagram.joined, 0.05 + 0.1 * spread[1], 0.0), -1)
    residual = half + half.T + np.diag(np.where(np.diag(diagram.joined), 1.0 + np.diag(spread[1]), 0.0))
    total = np.linalg.inv(np.eye(m) - paths)
    return np.asarray(total @ residual @ total.T)


def _equation(diagram: Diagram, scalings: Sequence[Scaling], effect: int, free: np.ndarray, touched: np.ndarray, implied: Reals) -> Equation:
    causes = tuple(int(k) for k in np.flatnonzero(free[effect]))
    given = tuple(int(k) for k in np.flatnonzero(diagram.arrows[effect] & ~free[effect]))
    own = scalings[effect]
    unscaled = [k for k in (effect, *causes, *given) if scalings[k].observed < 0]
    if unscaled:
        return Equation(effect, causes, own.observed, (), (), (), frozenset(), (), "no scaling indicator")
    if given and not all(scalings[k].marked for k in (effect, *given)):
        return Equation(effect, causes, own.observed, (), (), (), frozenset(), (), "an effect is fixed, but no loading gives its scale")
    errors = own.errors | {effect}
    for cause in (*causes, *given):
        errors |= scalings[cause].errors
    regressors = tuple(scalings[cause].observed for cause in causes)
    factors = tuple(scalings[cause].factor / own.factor for cause in causes)
    offsets = tuple((scalings[k].observed, float(diagram.value[effect, k]) * own.factor / scalings[k].factor) for k in given)
    valid = [z for z in range(diagram.p) if not touched[z, list(errors)].any()]
    useful = [z for z in valid if np.abs(implied[z, list(regressors)]).max() > 1e-9]
    problem = ""
    if len(useful) < len(causes):
        problem = f"not identified: {len(useful)} instrument{'' if len(useful) == 1 else 's'} for {len(causes)} coefficient"
        problem += "" if len(causes) == 1 else "s"
    elif np.linalg.matrix_rank(implied[np.ix_(useful, list(regressors))], tol=1e-8) < len(causes):
        problem = "not identified: the instruments cannot tell the causes apart"
    return Equation(effect, causes, own.observed, regressors, factors, offsets, frozenset(errors), tuple(useful), problem)
