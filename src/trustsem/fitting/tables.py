"""The tables of a fit: arrays with names on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.fitting.deviations import needs_stacked, stacked_residuals
from trustsem.fitting.missing import missing_information
from trustsem.fitting.two_level import refuse_two_levels
from trustsem.inference import residuals as residual_formulas
from trustsem.inference.effects import effects_of_block
from trustsem.inference.standardized import standardize
from trustsem.kernels.structure import Reals
from trustsem.options import check_level, choose

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.fitting.fit import Fit

__all__ = [
    "block_labels",
    "coefficients",
    "covariance",
    "effects",
    "implied_moments",
    "parameter_estimates",
    "residuals",
    "rsquare",
    "standardized_errors",
    "standardized_solution",
]

_ROUNDING = 1e-14  # relative to a variance


def row_values(fit: Fit) -> Reals:
    """Return the value of every row of the parameter table, free or fixed."""
    values = np.array([row.ustart for row in fit.model.table.rows])
    for k, (row, cell) in enumerate(zip(fit.model.table.rows, fit.model.cells, strict=True)):
        block = fit.implied_blocks[row.block - 1]
        matrix = (block.A, block.S, block.m)[cell.kind]
        values[k] = matrix[cell.row] if cell.kind == 2 else matrix[cell.row, cell.column]
    return values


def row_errors(fit: Fit) -> Reals:
    """Return the standard error of every row: 0 for fixed rows."""
    theta = fit.model.theta_of_row
    errors = np.zeros(theta.size)
    free = theta >= 0
    with np.errstate(invalid="ignore"):
        errors[free] = np.sqrt(np.diag(fit.theta_vcov))[theta[free]]
    return errors


def rows_on_bounds(fit: Fit) -> np.ndarray:
    """Return which rows (rows,) hold a parameter that sits on one of its bounds, where a z-test has no meaning."""
    model, theta = fit.model, fit.estimate.theta
    on_bound = np.append((theta <= model.lower) | (theta >= model.upper), False)
    return np.asarray(on_bound[model.theta_of_row])


def definition_values(fit: Fit) -> tuple[Reals, Reals]:
    """Return values (D,) and delta-method standard errors (D,) of the defined parameters."""
    definitions = fit.model.relations.definitions
    theta, vcov = fit.estimate.theta, fit.theta_vcov
    values = np.array([difference.value(theta) for _, difference in definitions])
    slopes = np.array([difference.gradient(theta) for _, difference in definitions]).reshape(len(definitions), theta.size)
    return values, delta_errors(slopes, vcov)


def delta_errors(slopes: Reals, vcov: Reals) -> Reals:
    """Return the standard errors (R,) of functions with derivatives `slopes` (R, K): 0 where constraints pin a function, up to rounding."""
    with np.errstate(all="ignore"):
        variances = np.einsum("rk,kl,rl->r", slopes, vcov, slopes, optimize=True)
        largest = (np.abs(slopes) @ np.sqrt(np.diag(vcov))) ** 2
        return np.asarray(np.sqrt(np.where(variances <= _ROUNDING * largest, 0.0, variances)))


def _inference_columns(estimate: Reals, errors: Reals, ci: bool, level: float) -> dict[str, Reals]:
    """Return se, z, p and interval; rows without a standard error have no test."""
    check_level(level)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(errors > 0.0, estimate / errors, np.nan)
    columns = {"se": errors, "z": z, "pvalue": 2.0 * ndtr(-np.abs(z))}
    if ci:
        width = float(ndtri(0.5 + 0.5 * level)) * errors
        columns |= {"ci_lower": estimate - width, "ci_upper": estimate + width}
    return columns


def _keys(fit: Fit, with_definitions: bool = True) -> dict[str, list[Any]]:
    rows = fit.model.table.rows
    definitions = [name for name, _ in fit.model.relations.definitions] if with_definitions else []
    expressions = {relation.lhs: relation.rhs for relation in fit.model.table.relations if relation.op == ":="}
    keys: dict[str, list[Any]] = {
        "lhs": [row.lhs for row in rows] + definitions,
        "op": [row.op for row in rows] + [":="] * len(definitions),
        "rhs": [row.rhs for row in rows] + [expressions[name] for name in definitions],
    }
    if fit.model.table.n_groups > 1:
        keys["group"] = [row.group for row in rows] + [0] * len(definitions)
    if fit.model.two_level:
        keys["level"] = [row.level for row in rows] + [0] * len(definitions)
    keys["label"] = [row.label for row in rows] + definitions
    return keys


def coefficients(fit: Fit) -> pd.Series[float]:
    """See :meth:`Fit.coef`."""
    import pandas as pd

    rows = list(fit.model.free_rows)
    return pd.Series(row_values(fit)[rows], index=list(fit.model.table.parameter_names()), dtype=float)


def covariance(fit: Fit) -> pd.DataFrame:
    """See :meth:`Fit.vcov`."""
    import pandas as pd

    theta = fit.model.theta_of_row[list(fit.model.free_rows)]
    names = list(fit.model.table.parameter_names())
    matrix = np.where((theta[:, None] >= 0) & (theta[None, :] >= 0), fit.theta_vcov[np.ix_(theta, theta)], 0.0)
    return pd.DataFrame(matrix, index=names, columns=names)


def parameter_estimates(fit: Fit, *, standardized: bool, ci: bool, level: float, fmi: bool = False) -> pd.DataFrame:
    """See :meth:`Fit.parameter_estimates`."""
    import pandas as pd

    defined, defined_errors = definition_values(fit)
    estimate = np.concatenate([row_values(fit), defined])
    errors = np.concatenate([row_errors(fit), defined_errors])
    columns: dict[str, Any] = {**_keys(fit), "est": estimate, **_inference_columns(estimate, errors, ci, level)}
    columns["pvalue"][: len(fit.model.table.rows)][rows_on_bounds(fit)] = np.nan
    if standardized:
        for kind in ("std_lv", "std_all"):
            columns[kind] = standardized_values(fit, kind)[0]
    if fmi:
        columns["fmi"] = missing_information(fit)
    return pd.DataFrame(columns)


def standardized_values(fit: Fit, kind: str) -> tuple[Reals, Reals]:
    """Return standardized values of all rows and definitions, and their derivatives with respect to theta."""
    values, slopes = standardize(fit.model, fit.implied_blocks, kind)
    relations = fit.model.relations
    if not relations.definitions:
        return values, slopes
    first_row = [int(np.flatnonzero(fit.model.theta_of_row == k)[0]) for k in range(fit.model.n_theta)]
    rows = np.array(first_row + list(relations.fixed_rows), dtype=np.int64)
    point = values[rows]
    defined = np.array([difference.value_at(point) for _, difference in relations.definitions])
    outer = np.array([difference.gradient_at(point) for _, difference in relations.definitions])
    return np.concatenate([values, defined]), np.vstack([slopes, outer @ slopes[rows]])


def standardized_solution(fit: Fit, *, kind: str, ci: bool, level: float) -> pd.DataFrame:
    """See :meth:`Fit.standardized_solution`."""
    import pandas as pd

    choose("type", kind, ("std_all", "std_lv", "std_nox"))
    values, slopes = standardized_values(fit, kind)
    errors = standardized_errors(fit, slopes)
    return pd.DataFrame({**_keys(fit), "est_std": values, **_inference_columns(values, errors, ci, level)})


def standardized_errors(fit: Fit, slopes: Reals) -> Reals:
    """Return the standard errors (R,) of standardized values with derivatives `slopes` (R, K) with respect to theta."""
    errors = delta_errors(slopes, fit.theta_vcov)
    # A row that does not move with theta (to rounding) is a constant: no error, no test.
    with np.errstate(invalid="ignore"):
        spread = np.sqrt(np.diag(fit.theta_vcov))
    constant = (np.abs(slopes) * np.where(np.isfinite(spread), spread, 1.0)).max(axis=1, initial=0.0) < 1e-12
    return np.where(constant | (errors < 1e-9), 0.0, errors)


def by_group(fit: Fit, results: Sequence[Any]) -> Any:
    """Return the result of the only block, or results by group label; of two levels, by ``within`` and ``between`` (after the label)."""
    if len(results) == 1:
        return results[0]
    return dict(zip(block_labels(fit), results, strict=True))


def block_labels(fit: Fit) -> list[str]:
    """Return a name for each block of the model."""
    groups = [block.label or str(k + 1) for k, block in enumerate(fit.sample.blocks)]
    if not fit.model.two_level:
        return groups
    return [f"{label} {level}".strip() for label in (groups if len(groups) > 1 else [""]) for level in ("within", "between")]


def _moments_as_frames(names: Sequence[str], cov: Reals, mean: Reals | None) -> dict[str, Any]:
    import pandas as pd

    labels = list(names)
    return {"cov": pd.DataFrame(cov, index=labels, columns=labels), "mean": None if mean is None else pd.Series(mean, index=labels, dtype=float)}


def implied_moments(fit: Fit) -> Any:
    """See :meth:`Fit.implied`."""
    results = [
        _moments_as_frames(layout.observed, point.sigma, point.mean if fit.model.has_means else None)
        for layout, point in zip(fit.model.blocks, fit.implied_blocks, strict=True)
    ]
    return by_group(fit, results)


def residuals(fit: Fit, kind: str) -> Any:
    """See :meth:`Fit.residuals`."""
    if choose("type", kind, ("raw", "cor", "cor_bollen", "cor_bentler", "normalized", "standardized")) in ("normalized", "standardized"):
        refuse_two_levels(fit.model, f"residuals(type={kind!r})")
    results = []
    for b, layout in enumerate(fit.model.blocks):
        observed = fit.options.information == "observed"
        if kind in ("normalized", "standardized") and needs_stacked(fit):
            cov, mean = stacked_residuals(fit, b, kind)
        else:
            cov, mean = residual_formulas.block_residuals(fit.problem, fit.implied_blocks, fit.free_basis, b, kind, observed=observed)
        results.append(_moments_as_frames(layout.observed, cov, mean))
    return by_group(fit, results)


def rsquare(fit: Fit) -> Any:
    """See :meth:`Fit.rsquare`."""
    import pandas as pd

    results = []
    for b, (layout, point) in enumerate(zip(fit.model.blocks, fit.implied_blocks, strict=True)):
        endogenous = {
            cell.row
            for row, cell in zip(fit.model.table.rows, fit.model.cells, strict=True)
            if row.block == b + 1 and cell.kind == 0 and cell.row != cell.column
        }
        with np.errstate(divide="ignore", invalid="ignore"):
            explained = 1.0 - np.diag(point.S) / np.diag(point.V)
        explained[explained > 1.0] = np.nan  # a negative residual variance explains nothing
        places = [k for k in range(len(layout.variables)) if k in endogenous]
        results.append(pd.Series({layout.variables[k]: explained[k] for k in places}, dtype=float))
    return by_group(fit, results)


def effects(fit: Fit, *, standardized: bool, ci: bool, level: float) -> pd.DataFrame:
    """See :meth:`Fit.effects`."""
    import pandas as pd

    frames = []
    for b, (layout, point) in enumerate(zip(fit.model.blocks, fit.implied_blocks, strict=True)):
        table = effects_of_block(fit.model, b, point)
        names = layout.variables
        columns: dict[str, Any] = {
            "effect": list(table.kind),
            "lhs": [names[i] for i in table.effect],
            "op": ["~"] * len(table.kind),
            "rhs": [names[j] for j in table.cause],
        }
        if fit.model.table.n_groups > 1:
            columns["group"] = layout.group
        if fit.model.two_level:
            columns["level"] = layout.level
        columns["est"] = table.value
        columns |= _inference_columns(table.value, delta_errors(table.slopes, fit.theta_vcov), ci, level)
        if standardized:
            with np.errstate(divide="ignore", invalid="ignore"):
                sd = np.sqrt(np.diag(point.V))
                columns["est_std"] = table.value * sd[list(table.cause)] / sd[list(table.effect)]
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
