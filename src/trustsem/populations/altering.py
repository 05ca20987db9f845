"""A population with some standardized coefficients set to other values, every total variance held.

Everything happens in the standardized metric: the residual variances that keep the variances at 1 are solved for in causal order, and the result is
put back into the units of the population.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

import numpy as np

from trustsem.errors import ModelError, OptionError, closest
from trustsem.kernels.structure import Reals
from trustsem.model.population import Population
from trustsem.populations.coefficients import items_of, read_coefficients, read_confounders, read_number
from trustsem.populations.rebuilding import Raw, rebuilt
from trustsem.populations.standardizing import Errors, Standardized, solve_errors, standardized

__all__ = ["alter"]


@dataclass
class _Change:
    """What is asked for, as arrays over the variables of the population and the factors added to them."""

    names: list[str]
    paths: Reals
    correlations: Reals
    common: Reals
    shifts: dict[int, float] = field(default_factory=dict)
    rows: list[tuple[str, str, str]] = field(default_factory=list)  # (lhs, op, rhs) of the coefficients named

    def place(self, option: str, name: str) -> int:
        if name not in self.names:
            raise OptionError(f"{option}= names {name!r}, which the population does not have.{closest(name, self.names)}")
        return self.names.index(name)


def _change(own: Standardized, factors: Mapping[str, Mapping[str, float]]) -> _Change:
    """Return no change yet, with room for the factors."""
    for name in factors:
        if name in own.names:
            raise OptionError(f"factors= names {name!r}, which the population has already. Give the new factor a name of its own.")
    size, more = len(own.names), len(factors)
    paths, correlations = np.zeros((size + more, size + more)), np.eye(size + more)
    paths[:size, :size], correlations[:size, :size] = own.paths, own.correlations
    change = _Change([*own.names, *factors], paths, correlations, np.zeros_like(paths))
    for name, loadings in factors.items():
        for item, loading in loadings.items():
            change.paths[change.place("factors", item), change.place("factors", name)] = read_number("factors", item, loading)
            change.rows.append((name, "=~", item))
    return change


def alter(
    population: Population,
    *,
    paths: Mapping[str, float] | None = None,
    covariances: Mapping[str, float] | None = None,
    loadings: Mapping[str, float] | None = None,
    means: Mapping[str, float] | None = None,
    confounder: Mapping[str, Sequence[float]] | None = None,
    factors: Mapping[str, Mapping[str, float]] | None = None,
) -> Population:
    """Return a population with some standardized coefficients set to other values, or added.

    Parameters
    ----------
    population : Population
        Of one block.
    paths : mapping of str to float, optional
        Standardized paths, such as ``{"Trust -> Outcomes": 0.12}`` or ``{"Outcomes~Trust": 0.12}``.
    covariances : mapping of str to float, optional
        Correlations of residuals (of the variables themselves where nothing points to them), such as ``{"c1~~c2": 0.2}``.
    loadings : mapping of str to float, optional
        Standardized loadings, such as ``{"Trust=~c1": 0.3}``.
    means : mapping of str to float, optional
        How far the mean of a variable moves, in its standard deviations. What it causes moves with it, except the variables named here, which move
        as far as is said here.
    confounder : mapping of str to sequence of float, optional
        Unmeasured common causes and their standardized effects, such as ``{"Trust, Outcomes": (0.3, 0.3)}``. They become covariances of the
        residuals, to which they add the products of the effects.
    factors : mapping of str to mapping, optional
        New latent variables, uncorrelated with all others, with their standardized loadings: ``{"Method": {"t1": 0.2, "t2": 0.2}}``.

    Returns
    -------
    Population
        Variances of all variables, other standardized paths and other residual correlations are those of `population`, and so are means that
        nothing moves. Coefficients that were not in the model, or fixed at another value, are free. A latent variable whose marker loading (or
        fixed variance) would no longer hold takes the unit in which it does. Rows that shared a label and no longer have the same value lose
        it; constraints and definitions stay as written.

    Raises
    ------
    OptionError
        For names and values that cannot be read, or are not in the population.
    ModelError
        For several blocks, for paths in a cycle, and for coefficients that leave a variable no residual variance.
    """
    read = {
        "paths": read_coefficients("paths", paths),
        "loadings": read_coefficients("loadings", loadings),
        "covariances": read_coefficients("covariances", covariances),
    }
    common = read_confounders("confounder", confounder)
    shifts = {key: read_number("means", key, value) for key, value in items_of("means", means)}
    if not (any(read.values()) or common or shifts or factors):
        return population
    own = standardized(population)
    change = _change(own, factors or {})
    latent = {*population.compiled.blocks[0].latent, *(factors or ())}
    _enter(change, read, common, own.certain, latent)
    change.shifts = {change.place("means", name): value for name, value in shifts.items()}
    order = _causal_order(change)
    errors = solve_errors(change.paths, change.correlations, order, certain=own.certain, common=change.common if common else None)
    _refuse_short(change, errors, own.certain, bool(read["covariances"]))
    extra = len(change.names) - len(own.names)
    sd = np.concatenate([own.sd, np.ones(extra)])
    mean = np.concatenate([own.mean, np.zeros(extra)]) / sd + _moved(change, order)
    raw = Raw(tuple(change.names), change.paths, errors.psi, sd, mean, tuple(order))
    return rebuilt(population, raw, change.rows, tuple(factors or ()), with_means=bool(shifts))


def _enter(
    change: _Change,
    read: Mapping[str, Mapping[tuple[str, str], float]],
    common: Mapping[tuple[str, ...], tuple[float, ...]],
    certain: frozenset[int],
    latent: set[str],
) -> None:
    """Enter what was read into the arrays."""
    for option in ("paths", "loadings"):
        for (cause, effect), value in read[option].items():
            change.paths[change.place(option, effect), change.place(option, cause)] = value
            if option == "loadings" and cause not in latent:
                raise OptionError(f"loadings= names {cause!r}, which is not latent. Write a path: paths={{'{cause} -> {effect}': ...}}.")
            change.rows.append((cause, "=~", effect) if option == "loadings" else (effect, "~", cause))
    for (one, other), value in read["covariances"].items():
        i, j = change.place("covariances", one), change.place("covariances", other)
        without = [name for name, place in ((one, i), (other, j)) if place in certain]
        if without:
            raise ModelError(
                f"The variable {without[0]!r} has no residual that could correlate with another. Name a variable that has one in covariances=."
            )
        change.correlations[i, j] = change.correlations[j, i] = value
        change.rows.append((one, "~~", other))
    for names, effects in common.items():
        places = [change.place("confounder", name) for name in names]
        change.common[np.ix_(places, places)] += np.outer(effects, effects)
        change.rows += [(one, "~~", other) for at, one in enumerate(names) for other in names[at + 1 :]]


def _causal_order(change: _Change) -> list[int]:
    causes = {i: np.flatnonzero(row).tolist() for i, row in enumerate(change.paths)}
    try:
        return list(TopologicalSorter(causes).static_order())
    except CycleError as error:
        cycle = [change.names[i] for i in error.args[1]]
        raise ModelError(f"The paths form a cycle: {' -> '.join(cycle)}. Leave one of them out.") from None


def _refuse_short(change: _Change, errors: Errors, certain: frozenset[int], correlated: bool) -> None:
    if errors.short is not None:
        name, explained = change.names[errors.short], errors.explained
        if errors.short in certain:
            raise ModelError(
                f"The variable {name!r} has no residual, and the coefficients would explain {explained:.2f} of its variance instead of all. "
                "Change something else, or give it a residual variance."
            )
        raise ModelError(
            f"The coefficients would explain {explained:.2f} of the variance of {name!r} and leave no residual variance. Make them smaller."
        )
    if correlated and np.linalg.eigvalsh(change.correlations)[0] <= 0.0:
        raise ModelError("The residual correlations are impossible together: their matrix is not positive definite. Make covariances= smaller.")


def _moved(change: _Change, order: Sequence[int]) -> Reals:
    """Return how far every mean moves, in standard deviations."""
    moved = np.zeros(len(change.names))
    for i in order:
        moved[i] = change.shifts[i] if i in change.shifts else change.paths[i] @ moved
    return moved
