"""Measurement first, structure second: estimates, their derivatives with respect to the moments, and errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from trustsem.appraisal.identification.measurement_blocks import Split, fit_blocks, random_table, unbiased
from trustsem.data.summary import sample_from_moments
from trustsem.estimators import find
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import make_fitter
from trustsem.fitting.tables import row_values
from trustsem.inference.information import covariance_of_estimates, expected_information
from trustsem.inference.moment_errors import SampledMoments, pair_places
from trustsem.inference.saturated import complete_information, lower_triangle
from trustsem.inference.standardized import standardize
from trustsem.inference.structural_after import LatentCovariances, distance_slopes, latent_covariances, latent_slopes, two_step_covariance
from trustsem.kernels.structure import Reals
from trustsem.model.jacobian import moment_slopes
from trustsem.model.problem import ImpliedBlock, implied
from trustsem.model.ram import Model, compile_model
from trustsem.options import FitOptions
from trustsem.spec.table import ParameterTable, Row

__all__ = ["Measured", "TwoSteps", "at_values", "estimate_in_two_steps", "measure", "two_step_errors"]


@dataclass(frozen=True, eq=False)
class Measured:
    """The first step: every measurement block fitted.

    Attributes
    ----------
    split : Split
    fits : tuple of Fit
        Of the blocks.
    values : dict
        Measurement parameters, free and fixed, by (lhs, op, rhs).
    free : tuple of tuple of str
        Those that were estimated and are not on a bound.
    slopes : (k, q) float
        Their derivatives with respect to the moments.
    vcov : (k, k) float
        Their covariance matrix, 0 between blocks.
    loadings, errors, implied : (p, s), (p, p) and (p, p) float
        Of all observed and structural variables; implied covariances are 0 between blocks.
    latent : LatentCovariances
    moments : SampledMoments
    problem : str
        Why there is no second step; empty if there can be one.
    """

    split: Split
    fits: tuple[Fit, ...]
    values: dict[tuple[str, str, str], float]
    free: tuple[tuple[str, str, str], ...]
    slopes: Reals
    vcov: Reals
    loadings: Reals
    errors: Reals
    implied: Reals
    latent: LatentCovariances
    moments: SampledMoments
    problem: str

    def latent_slopes(self) -> Reals:
        """Return the derivatives of the distinct covariances of the structural variables with respect to the moments."""
        names, own = self.moments.names, self.split.names
        cells = [(0, names.index(rhs), own.index(lhs)) if op == "=~" else (1, names.index(lhs), names.index(rhs)) for lhs, op, rhs in self.free]
        return latent_slopes(self.latent, np.array(cells, dtype=np.int64).reshape(-1, 3), self.slopes)


@dataclass(frozen=True, eq=False)
class TwoSteps:
    """The second step: the structural part.

    Attributes
    ----------
    measured : Measured
    fit : Fit
        Of the structural part to the covariances of the latent variables ("local"), or of the whole model with the measurement part held ("global").
    rows : tuple of Row
        The structural parameters.
    estimate, standardized : (r,) float
    slopes, standardized_slopes : (r, q) float
        Derivatives with respect to the moments; of fixed rows 0.
    """

    measured: Measured
    fit: Fit
    rows: tuple[Row, ...]
    estimate: Reals
    standardized: Reals
    slopes: Reals
    standardized_slopes: Reals


def _key(row: Row) -> tuple[str, str, str]:
    return (row.lhs, row.op, row.rhs)


def at_values(table: ParameterTable, values: Sequence[float]) -> tuple[Model, ImpliedBlock, Reals]:
    """Return a model with random covariates, its moments and its parameters where the rows of its table have the given values."""
    model = compile_model(random_table(table))
    theta = np.zeros(model.n_theta)
    for parameter, value in zip(model.theta_of_row.tolist(), values, strict=True):
        if parameter >= 0:
            theta[parameter] = value
    return model, implied(model.structure, theta)[0], theta


def measure(split: Split, moments: SampledMoments) -> Measured:
    """Take the first step.

    Raises
    ------
    IdentificationError
        If a measurement block has more parameters than moments.
    """
    fits = fit_blocks(split, moments)
    p, q = len(moments.names), len(moments.names) * (len(moments.names) + 3) // 2
    loadings, errors, whole = np.zeros((p, len(split.names))), np.zeros((p, p)), np.zeros((p, p))
    values: dict[tuple[str, str, str], float] = {}
    free: list[tuple[str, str, str]] = []
    slopes, covariances = [np.zeros((0, q))], []
    problem = ""
    for fit in fits:
        at = moments.at(fit.model.blocks[0].observed)
        whole[np.ix_(at, at)] = fit.implied_blocks[0].sigma
        own, moves, vcov = _block_estimates(fit, moments)
        if not np.isfinite(vcov).all():
            state = "is not identified by these data" if fit.converged else "did not converge"
            problem = problem or f"the measurement block of {', '.join(fit.model.blocks[0].latent)} {state}"
        free += own
        slopes.append(moves)
        covariances.append(vcov)
        for row, value in zip(fit.model.table.rows, row_values(fit).tolist(), strict=True):
            if row.op == "=~":
                loadings[moments.names.index(row.rhs), split.names.index(row.lhs)] = value
            elif row.lhs not in split.names:
                i, j = moments.names.index(row.lhs), moments.names.index(row.rhs)
                errors[i, j] = errors[j, i] = value
            else:
                continue
            values[_key(row)] = value
    for k, name in enumerate(split.names):
        if name in moments.names:
            i = moments.names.index(name)
            loadings[i, k], whole[i, i] = 1.0, moments.cov[i, i]
    nothing = LatentCovariances(np.full(loadings.T.shape, np.nan), np.full((len(split.names),) * 2, np.nan), np.full(len(split.names), np.nan), 1.0)
    latent = nothing if problem else latent_covariances(moments.cov, whole, loadings, errors, moments.n)
    return Measured(split, fits, values, tuple(free), np.vstack(slopes), _diagonal(covariances), loadings, errors, whole, latent, moments, problem)


def _diagonal(parts: Sequence[Reals]) -> Reals:
    size = sum(len(part) for part in parts)
    result, first = np.zeros((size, size)), 0
    for part in parts:
        result[first : first + len(part), first : first + len(part)] = part
        first += len(part)
    return result


def _block_estimates(fit: Fit, moments: SampledMoments) -> tuple[list[tuple[str, str, str]], Reals, Reals]:
    """Return the measurement parameters of a block, their derivatives with respect to all moments, and their covariance matrix."""
    model, block = fit.model, fit.implied_blocks[0]
    names, latent = model.blocks[0].observed, model.blocks[0].latent
    inside = (fit.estimate.theta > model.lower) & (fit.estimate.theta < model.upper)
    rows = {int(theta): model.table.rows[k] for k, theta in enumerate(model.theta_of_row) if theta >= 0}
    wanted = [k for k in range(model.n_theta) if inside[k] and not (rows[k].op == "~~" and rows[k].lhs in latent)]
    i, j = lower_triangle(block.p)
    delta = moment_slopes(model.structure, 0, block)[0][inside][:, i, j].T
    weight = complete_information(block.sigma)[block.p :, block.p :]
    place = np.cumsum(inside) - 1
    at = moments.at(names)
    slopes = np.zeros((len(wanted), len(moments.names) * (len(moments.names) + 3) // 2))
    inverse = covariance_of_estimates(delta.T @ weight @ delta * moments.n, None)[0] if fit.converged else None
    if inverse is None:
        return [_key(rows[k]) for k in wanted], np.full_like(slopes, np.nan), np.full((len(wanted), len(wanted)), np.nan)
    vcov, small = inverse, distance_slopes(delta, weight)
    slopes[:, pair_places(len(moments.names))[at[i], at[j]]] = small[place[wanted]]
    return [_key(rows[k]) for k in wanted], slopes, vcov[np.ix_(place[wanted], place[wanted])]


def estimate_in_two_steps(measured: Measured, method: str) -> TwoSteps:
    """Take the second step, by ``"local"`` or ``"global"`` SAM."""
    split, moments = measured.split, measured.moments
    if method == "local":
        model = compile_model(split.structural)
        names = model.blocks[0].observed
        at = np.array([split.names.index(name) for name in names])
        fit = make_fitter(model, FitOptions()).fit_moments(unbiased(measured.latent.cov[np.ix_(at, at)], moments.n), moments.n)
    else:
        fit = make_fitter(compile_model(_held(measured)), FitOptions()).fit_moments(_in_order(measured), moments.n)
    found = dict(zip([_key(row) for row in fit.model.table.rows], row_values(fit).tolist(), strict=True))
    values = [found[_key(row)] for row in split.structural.rows]
    structural, point, _ = at_values(split.structural, values)
    moves = _local_slopes(measured, structural, point) if method == "local" else _global_slopes(measured, values)
    standard, by_theta = standardize(structural, (point,), "std_all")
    slopes = np.zeros((len(values), moves.shape[1]))
    free = structural.theta_of_row >= 0
    slopes[free] = moves[structural.theta_of_row[free]]
    return TwoSteps(measured, fit, split.structural.rows, np.array(values), standard, slopes, by_theta @ moves)


def _in_order(measured: Measured) -> Reals:
    names = compile_model(measured.split.table).blocks[0].observed
    at = measured.moments.at(names)
    return unbiased(measured.moments.cov[np.ix_(at, at)], measured.moments.n)


def _held(measured: Measured) -> ParameterTable:
    """Return the whole model with the measurement part fixed at its estimates."""
    rows = tuple(
        row._replace(free=False, ustart=measured.values[_key(row)], lower=-np.inf, upper=np.inf, label="") if _key(row) in measured.values else row
        for row in measured.split.table.rows
    )
    return replace(measured.split.table, rows=rows, relations=())


def _local_slopes(measured: Measured, model: Model, point: ImpliedBlock) -> Reals:
    """Return the derivatives (K, q) of the structural parameters, estimated from the covariances of the structural variables."""
    names, own = model.blocks[0].observed, measured.split.names
    at = np.array([own.index(name) for name in names])
    i, j = lower_triangle(point.p)
    delta = moment_slopes(model.structure, 0, point)[0][:, i, j].T
    small = distance_slopes(delta, complete_information(point.sigma)[point.p :, point.p :])
    first = pair_places(len(own)) - len(own)
    return np.asarray(small @ measured.latent_slopes()[first[at[i], at[j]]])


def _global_slopes(measured: Measured, values: Sequence[float]) -> Reals:
    """Return the derivatives (K, q) of the structural parameters, estimated from all moments with the measurement part held."""
    split, moments = measured.split, measured.moments
    structural = dict(zip([_key(row) for row in split.structural.rows], values, strict=True))
    rows = split.table.rows
    known = {**measured.values, **structural}
    model, point, _ = at_values(split.table, [known.get(_key(row), row.ustart) for row in rows])
    at = moments.at(model.blocks[0].observed)
    i, j = lower_triangle(point.p)
    delta = moment_slopes(model.structure, 0, point)[0][:, i, j].T
    second = [int(model.theta_of_row[k]) for k, row in enumerate(rows) if _key(row) in structural and model.theta_of_row[k] >= 0]
    first = {_key(row): int(model.theta_of_row[k]) for k, row in enumerate(rows)}
    small = distance_slopes(delta[:, second], complete_information(point.sigma)[point.p :, point.p :])
    places = pair_places(len(moments.names))[at[i], at[j]]
    moves = np.zeros((len(second), measured.slopes.shape[1]))
    moves[:, places] = small
    return np.asarray(moves - small @ delta[:, [first[key] for key in measured.free]] @ measured.slopes)


def two_step_errors(found: TwoSteps) -> Reals:
    """Return the two-step standard errors (r,) of the structural parameters under normality; 0 for fixed rows."""
    measured = found.measured
    split, moments = measured.split, measured.moments
    model = compile_model(split.table)
    sample = sample_from_moments(_in_order(measured), moments.n, None, model.blocks[0].observed)
    problem = find("ML").prepare(model, sample, "normal")
    structural = {_key(row): k for k, row in enumerate(found.rows)}
    known = {**measured.values, **dict(zip(structural, found.estimate.tolist(), strict=True))}
    theta, second = np.zeros(model.n_theta), np.zeros(model.n_theta, dtype=bool)
    place = {}
    for k, row in enumerate(split.table.rows):
        if model.theta_of_row[k] >= 0:
            theta[model.theta_of_row[k]] = known[_key(row)]
            second[model.theta_of_row[k]] = _key(row) in structural
            place[_key(row)] = int(model.theta_of_row[k])
    first = np.zeros((model.n_theta, model.n_theta))
    at = [place[key] for key in measured.free]
    first[np.ix_(at, at)] = measured.vcov
    vcov = two_step_covariance(expected_information(problem, theta), second, first[np.ix_(~second, ~second)])
    errors = np.zeros(len(found.rows))
    own = np.cumsum(second) - 1
    for key, k in structural.items():
        if key in place:
            errors[k] = np.sqrt(vcov[own[place[key]], own[place[key]]])
    return errors
