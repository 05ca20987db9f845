"""Point estimates from semopy, so that its users can compare; everything else it reports is left behind.

A fresh semopy model is made for every fit, because a refitted one keeps moments of the data before. semopy divides moments by N whatever the
estimator, and so does this engine, where :mod:`trustsem.estimators` divides by N - 1 for least squares. Its ULS is the textbook's
``1/2 tr[(S - Sigma)^2]``, which counts variances half as much as ours does; the minima agree where every variance is fitted exactly.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from trustsem.data.sample import Sample
from trustsem.errors import NotAvailableError
from trustsem.estimators import find
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import Fitter
from trustsem.fitting.search import Estimate
from trustsem.kernels.structure import COVARIANCE, Reals
from trustsem.model.problem import Problem, derivatives
from trustsem.model.ram import Model
from trustsem.model.starts import plain_start

__all__ = ["fit_with_semopy"]

_OBJECTIVES = MappingProxyType({"ML": "MLW", "ULS": "ULS", "GLS": "GLS"})
_OPTIONS = MappingProxyType({"ftol": 1e-14, "maxiter": 10_000})  # at its defaults semopy stops at three or four digits
_NO_MINIMUM = (
    "semopy reported success, but the gradient is not zero where it stopped (Newton decrement {:.2g}); it does not let variances be negative."
)
_LARGEST_DECREMENT = 1e-7  # twice the distance from the minimum that still counts as having found it


def fit_with_semopy(fitter: Fitter, sample: Sample) -> Fit:
    """Fit with semopy.

    Parameters
    ----------
    fitter : Fitter
    sample : Sample
        One group, complete.

    Returns
    -------
    Fit
        With semopy's point estimates, and without standard errors and tests (which semopy computes by other conventions).

    Raises
    ------
    NotAvailableError
        For missing values, groups, mean structures, constraints, bounds and starting values, and for models that semopy
        cannot express; naming the reason.
    """
    model = fitter.model
    _refuse(fitter, sample)
    estimator = find(fitter.options.estimator)
    problem = estimator.prepare(model, sample if estimator.has_likelihood else _divided_by_n(sample), fitter.options.likelihood)
    options = replace(fitter.options, se="none", test=("none",), engine="semopy")
    return Fit(model, sample, problem, _estimate(problem, _OBJECTIVES[estimator.name]), options, sample.notices)


def _refuse(fitter: Fitter, sample: Sample) -> None:
    model = fitter.model
    loose = _without_fixed_loading(model)
    reasons = {
        f"missing values ({sample.n_dropped} incomplete rows; semopy has no listwise deletion)": sample.n_dropped > 0,
        "several groups (semopy fits them separately)": len(model.blocks) > 1,
        "a mean structure": model.has_means,
        "constraints (:= == < >)": bool(model.table.relations),
        "bounds": bool(np.isfinite(model.lower).any() or np.isfinite(model.upper).any()),
        "starting values (semopy chooses its own)": fitter.start is not None or not bool(np.isnan(model.user_start).all()),
        f"a latent variable without a fixed loading ({', '.join(loose)}; semopy does not come back from that)": bool(loose),
    }
    for reason, present in reasons.items():
        if present:
            raise NotAvailableError(f"engine='semopy' is not available with {reason}. Leave engine= out to fit with trustsem.")


def _without_fixed_loading(model: Model) -> list[str]:
    rows = list(zip(model.table.rows, model.theta_of_row, strict=True))
    measured = dict.fromkeys(row.lhs for row, _ in rows if row.op == "=~")
    anchored = {row.lhs for row, parameter in rows if row.op == "=~" and parameter < 0}
    return [name for name in measured if name not in anchored]


def _divided_by_n(sample: Sample) -> Sample:
    """Return the sample with covariances that have divisor n where least squares expects n - 1."""
    return replace(sample, blocks=tuple(replace(block, cov=block.cov * ((block.n - 1) / block.n)) for block in sample.blocks))


def _estimate(problem: Problem, objective: str) -> Estimate:
    import pandas as pd

    model = problem.model
    plain = {name: f"v{k}" for k, name in enumerate(model.blocks[0].variables)}
    observed = [plain[name] for name in model.blocks[0].observed]
    cov = pd.DataFrame(problem.blocks[0].cov, index=observed, columns=observed)
    with _quiet():
        fitted = _semopy_model(model, plain)
        try:
            result = fitted.fit(cov=cov, n_samples=problem.nobs, obj=objective, options=dict(_OPTIONS))
        except (np.linalg.LinAlgError, ValueError) as error:
            return _failed(problem, f"semopy stopped with {type(error).__name__}: {error}")
        theta = _read(model, plain, fitted)
    height, gradient, hessian = derivatives(problem, theta)
    if not math.isfinite(height):
        return _failed(problem, "semopy ended where the discrepancy is not defined.")
    decrement = _decrement(gradient, hessian)
    success, reason = bool(result.success), "converged"
    if not success:
        reason = f"semopy reported: {result.message}."
    elif objective != "ULS" and not decrement <= _LARGEST_DECREMENT:
        success, reason = False, _NO_MINIMUM.format(decrement)
    return Estimate(theta, height, success, reason, int(result.n_it), decrement, np.empty((0, theta.size)), 0)


def _decrement(gradient: Reals, hessian: Reals) -> float:
    """Return the Newton decrement ``g' H^-1 g``, in parameters scaled so that the Hessian has a unit diagonal."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(hessian), 1e-300))
    scaled = gradient * scale
    return float(scaled @ np.linalg.lstsq(hessian * np.outer(scale, scale), scaled, rcond=None)[0])


def _failed(problem: Problem, reason: str) -> Estimate:
    start = plain_start(problem.model, problem.blocks)
    return Estimate(start, math.inf, False, reason, 0, math.inf, np.empty((0, start.size)), 0)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep semopy from writing to the root logger (which would install a handler for the whole process) and from warning about its own code."""
    root, silence = logging.getLogger(), logging.NullHandler()
    root.addHandler(silence)
    root.addFilter(_drop)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.removeFilter(_drop)
        root.removeHandler(silence)


def _drop(record: logging.LogRecord) -> bool:
    return "semopy" not in record.pathname


def _semopy_model(model: Model, plain: dict[str, str]) -> Any:
    """Return a semopy model with exactly the parameters of `model`; variables get plain names, because semopy reads fewer than we do."""
    import semopy

    lines = []
    written = set()
    for k, (row, parameter) in enumerate(zip(model.table.rows, model.theta_of_row, strict=True)):
        if not row.exo:
            lhs, rhs = plain[row.lhs], plain[row.rhs]
            written.add((row.op, frozenset((lhs, rhs))))
            factor = f"p{parameter}" if parameter >= 0 else repr(_fixed_value(model, k))
            lines.append(f"{lhs} {row.op} {factor}*{rhs}")
    try:
        # semopy frees covariances of its own accord; those that this model does not have are fixed at 0.
        freed = semopy.Model("\n".join(lines)).inspect().query("op == '~~'")
        extra = [(row.lval, row.rval) for row in freed.itertuples() if ("~~", frozenset((row.lval, row.rval))) not in written]
        return semopy.Model("\n".join([*lines, *(f"{first} ~~ 0.0*{second}" for first, second in extra)]))
    except (ValueError, KeyError) as error:
        names = {short: name for name, short in plain.items()}
        about = names.get(str(error).split("'")[1], "") if "'" in str(error) else ""
        place = f" about {about!r}" if about else ""
        raise NotAvailableError(
            f"engine='semopy' is not available for this model: semopy cannot express what it says{place} (it knows no covariance between a latent "
            "variable and a residual, and no variable without a path). Leave engine= out to fit with trustsem."
        ) from error


def _fixed_value(model: Model, row: int) -> float:
    """Return the value of a fixed row (its own, or that of a row whose label it shares)."""
    cell = model.cells[row]
    values = model.structure.fixed_covariances if cell.kind == COVARIANCE else model.structure.fixed_paths
    return float(values[cell.row * len(model.blocks[0].variables) + cell.column])


def _read(model: Model, plain: dict[str, str], fitted: Any) -> Reals:
    """Return semopy's estimates as theta (K,)."""
    table = fitted.inspect(information=None)  # no standard errors: they are not wanted, and computing them can fail
    values = {(row.lval, row.op, row.rval): row.Estimate for row in table.itertuples()}
    theta = np.full(model.n_theta, np.nan)
    for row, parameter in zip(model.table.rows, model.theta_of_row, strict=True):
        if parameter >= 0:
            lhs, rhs = plain[row.lhs], plain[row.rhs]
            # A loading is a regression of the indicator to semopy.
            key = (rhs, "~", lhs) if row.op == "=~" else (lhs, row.op, rhs)
            theta[parameter] = float(values[key] if key in values else values[key[2], key[1], key[0]])
    return theta
