"""The claims of a theory estimated in several ways from the same moments, each with its derivatives with respect to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trustsem.appraisal.identification.equations import Estimated, estimate_equations
from trustsem.appraisal.identification.measurement_blocks import split_model, unbiased, without_means
from trustsem.appraisal.identification.reading import reading_of_fit
from trustsem.appraisal.identification.two_steps import Measured, at_values, estimate_in_two_steps, measure
from trustsem.errors import TrustsemError
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import make_fitter
from trustsem.fitting.robust import moment_weights
from trustsem.fitting.tables import row_values
from trustsem.inference.composite_regression import composite_moments, corrected_moments, standardized_regression
from trustsem.inference.moment_errors import SampledMoments
from trustsem.inference.saturated import complete_information, lower_triangle
from trustsem.inference.standardized import standardize
from trustsem.inference.structural_after import distance_slopes
from trustsem.kernels.structure import Reals
from trustsem.model.jacobian import moment_slopes
from trustsem.model.ram import compile_model
from trustsem.options import FitOptions

if TYPE_CHECKING:
    from trustsem.appraisal.result import Appraisal

__all__ = ["METHODS", "ByMethod", "Standardized", "estimates_by_method"]

METHODS = ("ml", "miiv", "sam", "composite", "corrected")


@dataclass(frozen=True, eq=False)
class Standardized:
    """Standardized estimates of the claims by one method.

    Attributes
    ----------
    estimate : (C,) float
        NaN where there is none.
    slopes : (C, q) float
        Derivatives with respect to the moments.
    problem : tuple of str
        Why a claim has no estimate; empty where it has.
    """

    estimate: Reals
    slopes: Reals
    problem: tuple[str, ...]

    def errors(self, moments: SampledMoments) -> Reals:
        """Return standard errors (C,)."""
        return _spread(moments, self.slopes)

    def differences(self, other: Standardized, moments: SampledMoments) -> tuple[Reals, Reals]:
        """Return estimates less those of another method, and the standard errors of that."""
        return self.estimate - other.estimate, _spread(moments, self.slopes - other.slopes)


def _spread(moments: SampledMoments, slopes: Reals) -> Reals:
    known = np.isfinite(slopes).all(axis=1)
    errors = np.full(len(slopes), np.nan)
    errors[known] = np.sqrt(np.maximum(np.diag(moments.spread(slopes[known])), 0.0))
    return errors


@dataclass(frozen=True, eq=False)
class ByMethod:
    """The claims by every method of :data:`METHODS`.

    Attributes
    ----------
    found : dict of str to Standardized
    equations : Estimated or None
        Of the model-implied instruments.
    moments : SampledMoments
    """

    found: dict[str, Standardized]
    equations: Estimated | None
    moments: SampledMoments


def estimates_by_method(appraisal: Appraisal, sam: str = "local") -> ByMethod:
    """Estimate the claims of an appraisal in every way.

    Parameters
    ----------
    appraisal : Appraisal
    sam : {"local", "global"}

    Raises
    ------
    NotAvailableError
        For several groups, two levels and auxiliary variables.
    """
    fit = appraisal.fit
    reading = reading_of_fit(fit)
    moments = reading.moments
    variable = {node.name: node.variable for node in appraisal.theory.nodes}
    paths = [(variable[claim.effect], variable[claim.cause]) for claim in appraisal.claims]
    found = {"ml": _likelihood(fit, moments, paths)}
    equations: Estimated | None = None
    try:
        equations = estimate_equations(fit.model, moments)
        found["miiv"] = _instruments(equations, fit, paths)
    except TrustsemError as error:
        found["miiv"] = _nothing(paths, moments, str(error))
    try:
        measured = measure(split_model(fit.model), moments)
        problem = measured.problem
        if not problem:
            found["sam"] = _two_steps(measured, sam, paths)
            found["composite"], found["corrected"] = _composites(appraisal, measured, paths)
    except TrustsemError as error:
        problem = str(error)
    for name in ("sam", "composite", "corrected"):
        found.setdefault(name, _nothing(paths, moments, problem))
    return ByMethod(found, equations, moments)


def _nothing(paths: list[tuple[str, str]], moments: SampledMoments, reason: str) -> Standardized:
    p = len(moments.names)
    return Standardized(np.full(len(paths), np.nan), np.full((len(paths), p + p * (p + 1) // 2), np.nan), (reason,) * len(paths))


def _likelihood(fit: Fit, moments: SampledMoments, paths: list[tuple[str, str]]) -> Standardized:
    """Return the estimates of the fit; to first order they minimise a distance between the saturated and the implied moments.

    Of incomplete rows they are estimated from the saturated moments, as by the other methods: what the likelihood of the rows differs from that is
    no difference between methods, but would count as one.
    """
    if not fit.converged:
        return _nothing(paths, moments, "the fit did not converge")
    table = fit.model.table
    if moments.inverse is not None:
        table = without_means(table)
        second = make_fitter(compile_model(table), FitOptions())
        own = moments.at(second.observed)
        fit = second.fit_moments(unbiased(moments.cov[np.ix_(own, own)], moments.n), moments.n)
        if not fit.converged:
            return _nothing(paths, moments, "the fit to the saturated moments did not converge")
    model, point, theta = at_values(table, row_values(fit).tolist())
    covariances, means = moment_slopes(model.structure, 0, point)
    i, j = lower_triangle(point.p)
    delta = np.vstack([means.T, covariances[:, i, j].T])
    weight = complete_information(point.sigma)
    kept = np.ones(len(delta), dtype=bool)
    if not model.has_means:
        kept[: point.p] = False
    weight = weight[np.ix_(kept, kept)]
    if fit.problem.moments.discrepancy != 0 and not fit.model.blocks[0].fixed:
        weight, kept = moment_weights(fit, fit.stacked)[0], fit.stacked[0].kept
    inside = (theta > model.lower) & (theta < model.upper)
    moves = np.zeros((model.n_theta, len(delta)))
    moves[np.ix_(inside, kept)] = distance_slopes(delta[np.ix_(kept, inside)], weight)
    values, by_theta = standardize(model, (point,), "std_all")
    at = _places([(row.lhs, row.op, row.rhs) for row in model.table.rows], paths)
    return Standardized(values[at], by_theta[at] @ moves, ("",) * len(paths))


def _places(keys: list[tuple[str, str, str]], paths: list[tuple[str, str]]) -> list[int]:
    return [keys.index((effect, "~", cause)) for effect, cause in paths]


def _instruments(found: Estimated, fit: Fit, paths: list[tuple[str, str]]) -> Standardized:
    rows = [fit.model.table.rows[k] for k in found.rows]
    at = _places([(row.lhs, row.op, row.rhs) for row in rows], paths)
    reasons = []
    for k in at:
        known = np.isfinite(found.standardized[k])
        reasons.append("" if known else found.status[k] if found.status[k] != "estimated" else "a latent variance cannot be estimated")
    return Standardized(found.standardized[at], found.standardized_slopes[at], tuple(reasons))


def _two_steps(measured: Measured, method: str, paths: list[tuple[str, str]]) -> Standardized:
    found = estimate_in_two_steps(measured, method)
    if not found.fit.converged:
        return _nothing(paths, measured.moments, "the structural part did not converge")
    at = _places([(row.lhs, row.op, row.rhs) for row in found.rows], paths)
    return Standardized(found.standardized[at], found.standardized_slopes[at], ("",) * len(paths))


def _composites(appraisal: Appraisal, measured: Measured, paths: list[tuple[str, str]]) -> tuple[Standardized, Standardized]:
    """Return regressions of the means of the items, as they are and corrected for reliability.

    The reliability of a mean is that of the measurement blocks: the squared sum of its loadings times the variance of the latent variable, over its
    variance (McDonald 1999; composite reliability).
    """
    split, moments = measured.split, measured.moments
    weights = np.zeros((len(split.names), len(moments.names)))
    for node in appraisal.theory.nodes:
        k, items = split.names.index(node.variable), moments.at(node.indicators)
        weights[k, items] = np.where(measured.loadings[items, k] < 0.0, -1.0, 1.0) / items.size
    cov, slopes = composite_moments(moments.cov, weights)
    true, true_slopes = _true_variances(measured, weights, cov, slopes)
    results = []
    for own, moves in ((cov, slopes), corrected_moments(cov, slopes, true, true_slopes)):
        value, change = np.full(len(paths), np.nan), np.full((len(paths), slopes.shape[-1]), np.nan)
        for effect in dict.fromkeys(effect for effect, _ in paths):
            at = [k for k, path in enumerate(paths) if path[0] == effect]
            causes = [split.names.index(paths[k][1]) for k in at]
            value[at], change[at] = standardized_regression(own, moves, split.names.index(effect), causes)
        results.append(Standardized(value, change, ("",) * len(paths)))
    return results[0], results[1]


def _true_variances(measured: Measured, weights: Reals, cov: Reals, slopes: Reals) -> tuple[Reals, Reals]:
    """Return the variances (s,) that the composites would have without error, and their derivatives (s, q)."""
    split, names = measured.split, measured.moments.names
    true, moves = np.diag(cov).copy(), slopes[np.arange(len(cov)), np.arange(len(cov))].copy()
    latent_slopes = measured.latent_slopes()
    row, column = lower_triangle(len(split.names))
    for k, name in enumerate(split.names):
        if name in names:
            continue
        load, variance = float(weights[k] @ measured.loadings[:, k]), float(measured.latent.cov[k, k])
        change = np.zeros(moves.shape[1])
        for (lhs, op, rhs), own in zip(measured.free, measured.slopes, strict=True):
            if op == "=~" and lhs == name:
                change += weights[k, names.index(rhs)] * own
        true[k] = load**2 * variance
        moves[k] = 2.0 * load * variance * change + load**2 * latent_slopes[(row == k) & (column == k)][0]
    return true, moves
