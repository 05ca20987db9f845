"""Population values: from the standardized paths of a preset to the value of every free parameter.

Every construct and every indicator has variance 1 in the population. A latent variable with marker loading 1 then has the variance
lambda^2 of its first indicator's standardized loading lambda, and everything else follows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trustsem.errors import TheoryError, closest
from trustsem.populations.standardizing import solve_errors
from trustsem.theory.projection import Absorption, project_values, topological
from trustsem.theory.types import Coefficient, Construct, Preset, arrow_key

if TYPE_CHECKING:
    from trustsem.theory.theory import Theory

__all__ = ["implied_loading", "latent_moments", "population_values", "project_preset", "split_preset", "standardized_arrays"]

FALLBACK_LOADING = 0.75


def implied_loading(alpha: float, items: int) -> float:
    """Return the loading that `items` equally good items need for a reliability of `alpha`.

    Parameters
    ----------
    alpha : float
        Cronbach's alpha, between 0 and 1.
    items : int
        Number of items, at least 2.

    Returns
    -------
    float
        Standardized loading: the square root of the average inter-item correlation r in alpha = k r / (1 + (k - 1) r).

    Raises
    ------
    TheoryError
        If `alpha` or `items` is out of range.
    """
    if not 0 < alpha < 1 or items < 2:
        raise TheoryError(f"alpha={alpha} with items={items} implies no loading. Give a reliability between 0 and 1 and at least 2 items.")
    return math.sqrt(alpha / (items - (items - 1) * alpha))


def latent_moments(names: Sequence[str], A: NDArray[np.float64], R: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return error covariances and correlations of constructs from standardized paths.

    Parameters
    ----------
    names : sequence of str
        The k constructs, for messages.
    A : ndarray, shape (k, k)
        Standardized paths, ``A[i, j]`` from j to i, without cycles.
    R : ndarray, shape (k, k)
        Correlations of the errors (of the constructs themselves where nothing points to them), unit diagonal.

    Returns
    -------
    Psi : ndarray, shape (k, k)
        Covariances of the errors, such that every construct has variance 1.
    Phi : ndarray, shape (k, k)
        Correlations of the constructs.

    Raises
    ------
    TheoryError
        If the paths form a cycle, or leave no positive error variance for a construct, or the correlations of the errors are impossible.

    Notes
    -----
    The error variances are those of :func:`trustsem.populations.standardizing.solve_errors`.
    """
    k = len(names)
    if np.linalg.eigvalsh(R)[0] <= 0:
        raise TheoryError("The correlations of the preset are impossible together: their matrix is not positive definite. Make them smaller.")
    order = [names.index(name) for name in topological(names, [(names[j], names[i]) for i, j in np.argwhere(A)])]
    if len(order) < k:
        raise TheoryError(f"The paths among {', '.join(names[i] for i in range(k) if i not in order)} form a cycle. Remove one of them.")
    errors = solve_errors(A, R, order)
    if errors.short is not None:
        raise TheoryError(f"The paths to {names[errors.short]!r} explain {errors.explained:.2f} of its variance of 1. Make them smaller.")
    return errors.psi, errors.phi


def standardized_arrays(
    names: Sequence[str], paths: Iterable[Coefficient], correlations: Iterable[Coefficient]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coefficients as matrices.

    Parameters
    ----------
    names : sequence of str
        The k constructs.
    paths, correlations : iterable of Coefficient
        Standardized paths, and correlations of errors.

    Returns
    -------
    A, R : ndarray, shape (k, k)
        As :func:`latent_moments` takes them.
    """
    index = {name: i for i, name in enumerate(names)}
    A, R = np.zeros((len(index), len(index))), np.eye(len(index))
    for cause, effect, value in paths:
        A[index[effect], index[cause]] = value
    for left, right, value in correlations:
        R[index[left], index[right]] = R[index[right], index[left]] = value
    return A, R


def project_preset(
    preset: Preset, names: Sequence[str], removed: Sequence[str], absorptions: Sequence[Absorption], arrows: Sequence[tuple[str, str]]
) -> Preset:
    """Return the preset of a theory without some constructs; the correlations of the others do not change.

    Parameters
    ----------
    preset : Preset
        With a value for every arrow between `names`.
    names, removed : sequence of str
        Constructs before, and those that go.
    absorptions : sequence of Absorption
        Bows folded into arrows.
    arrows : sequence of (str, str)
        Arrows (cause, effect) after.

    Returns
    -------
    Preset
        With derived values.
    """
    A, R = standardized_arrays(names, preset.paths, preset.correlations + preset.residuals)
    Psi, _ = latent_moments(names, A, R)
    left, A, Psi = project_values(names, A, Psi, removed, absorptions)
    index = {name: i for i, name in enumerate(left)}
    sd = np.sqrt(np.diag(Psi))
    ends = {effect for _, effect in arrows}
    exogenous: list[Coefficient] = []
    residuals: list[Coefficient] = []
    for i, one in enumerate(left):
        for j in range(i + 1, len(left)):
            value = float(Psi[i, j] / (sd[i] * sd[j]))
            if value:
                (residuals if {one, left[j]} & ends else exogenous).append(Coefficient(one, left[j], value))
    paths = tuple(Coefficient(cause, effect, float(A[index[effect], index[cause]])) for cause, effect in arrows)
    return replace(preset, paths=paths, correlations=tuple(exogenous), residuals=tuple(residuals))


def split_preset(preset: Preset, groups: Mapping[str, tuple[Sequence[str], float]]) -> Preset:
    """Return the preset in which constructs are replaced by their indicators as predictors.

    Parameters
    ----------
    preset : Preset
        Of the reflective form.
    groups : mapping of str to (sequence of str, float)
        For each replaced construct the names of the predictors and their standardized loading lambda.

    Returns
    -------
    Preset
        Predictors of one construct correlate lambda^2, those of two constructs so that the composites correlate as the constructs did;
        every predictor has the same path, such that the composite has the construct's.
    """
    parts = {name: (tuple(items), math.sqrt(len(items) + len(items) * (len(items) - 1) * loading**2)) for name, (items, loading) in groups.items()}

    def members(name: str) -> tuple[tuple[str, ...], float]:
        return parts.get(name, ((name,), 1.0))

    paths = [Coefficient(item, p.right, p.value / members(p.left)[1]) for p in preset.paths for item in members(p.left)[0]]
    correlations = []
    for left, right, value in preset.correlations:
        (one, sd_one), (two, sd_two) = members(left), members(right)
        between = value * sd_one * sd_two / (len(one) * len(two))
        correlations += [Coefficient(a, b, between) for a in one for b in two]
    for items, loading in groups.values():
        correlations += [Coefficient(a, b, loading**2) for i, a in enumerate(items) for b in items[i + 1 :]]
    return replace(preset, paths=tuple(paths), correlations=tuple(correlations))


def population_values(theory: Theory, preset: Preset, paths: Mapping[str, float], loadings: Mapping[str, float]) -> dict[str, float]:
    """Return the value of every parameter of the theory's model.

    Parameters
    ----------
    theory : Theory
        The variant whose model gets the values.
    preset : Preset
        One of its presets.
    paths : mapping of str to float
        Standardized values that replace, or add to, those of the preset; keys such as ``"Trust -> Outcomes"``.
    loadings : mapping of str to float
        Standardized loadings that replace those of the constructs.

    Returns
    -------
    dict of str to float
        Unstandardized values by parameter name (``"Trust~Relational"``), marker loadings left out. Includes the variances and covariances of
        observed predictors.

    Raises
    ------
    TheoryError
        If a path has no value, or a value belongs to nothing.
    """
    names = [construct.name for construct in theory.nodes]
    known = {arrow_key(p.left, p.right): p.value for p in preset.paths}
    claimed = [claim.path for claim in theory.claims]
    for given, allowed, what in ((paths, claimed, "paths"), (loadings, names, "loadings")):
        for key in given:
            if key not in allowed:
                raise TheoryError(f"{what}= names {key!r}, which is not in {theory.id}. Allowed are {', '.join(allowed)}.{closest(key, allowed)}")
    values = {**known, **paths}
    missing = [path for path in claimed if path not in values]
    if missing:
        raise TheoryError(f"The preset {preset.name!r} has no value for {', '.join(missing)}. Give it as paths={{{missing[0]!r}: 0.2}}.")
    A, R = standardized_arrays(names, [Coefficient(c.cause, c.effect, values[c.path]) for c in theory.claims], _associations(theory, preset))
    Psi, _ = latent_moments(names, A, R)
    lam = {c.name: _loading(c, loadings) for c in theory.nodes}
    return {**_measurement(theory.nodes, lam), **_structure(theory, A, Psi, lam)}


def _associations(theory: Theory, preset: Preset) -> list[Coefficient]:
    free = {covariance.pair for covariance in theory.covariances if covariance.free}
    return [*preset.correlations, *(r for r in preset.residuals if frozenset((r.left, r.right)) in free)]


def _loading(construct: Construct, loadings: Mapping[str, float]) -> float:
    stated = FALLBACK_LOADING if construct.loading is None else float(construct.loading.value)
    value = loadings.get(construct.name, stated)
    if not 0 < value < 1:
        raise TheoryError(f"The loading of {construct.name!r} is {value}. Give a standardized loading between 0 and 1 in loadings=.")
    return 1.0 if construct.observed else value


def _measurement(constructs: Iterable[Construct], lam: Mapping[str, float]) -> dict[str, float]:
    values: dict[str, float] = {}
    for construct in constructs:
        if construct.observed:
            continue
        for column in construct.indicators:
            # All indicators load alike, so the ratio to the marker's loading is 1.
            values[f"{construct.name}=~{column}"] = 1.0
            values[f"{column}~~{column}"] = 1.0 - lam[construct.name] ** 2
    return values


def _structure(theory: Theory, A: NDArray[np.float64], Psi: NDArray[np.float64], lam: Mapping[str, float]) -> dict[str, float]:
    variable = [construct.variable for construct in theory.nodes]
    scale = [lam[construct.name] for construct in theory.nodes]
    values: dict[str, float] = {}
    for i in range(len(variable)):
        values[f"{variable[i]}~~{variable[i]}"] = float(Psi[i, i]) * scale[i] ** 2
        for j in range(len(variable)):
            if i != j:
                values[f"{variable[i]}~~{variable[j]}"] = float(Psi[i, j]) * scale[i] * scale[j]
                values[f"{variable[i]}~{variable[j]}"] = float(A[i, j]) * scale[i] / scale[j]
    return values
