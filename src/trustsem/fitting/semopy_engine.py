"""Point estimates from semopy, so that its users can compare; everything else it reports is left behind.

A fresh semopy model is made for every fit, because a refitted one keeps moments of the data before.
"""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import replace

import numpy as np

from trustsem.data.sample import Sample
from trustsem.errors import NotAvailableError
from trustsem.estimators import find
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import Fitter
from trustsem.fitting.search import Estimate
from trustsem.kernels.structure import Reals
from trustsem.model.problem import Problem, derivatives
from trustsem.model.ram import Model

__all__ = ["fit_with_semopy"]

_OBJECTIVES = {"ML": "MLW", "ULS": "ULS", "GLS": "GLS"}


def fit_with_semopy(fitter: Fitter, sample: Sample) -> Fit:
    """Fit with semopy.

    Returns
    -------
    Fit
        With semopy's point estimates, and without standard errors and tests (which semopy computes by other conventions).

    Raises
    ------
    NotAvailableError
        For groups, mean structures and constraints, naming the reason.
    """
    model = fitter.model
    _refuse(model)
    problem = find(fitter.options.estimator).prepare(model, sample, fitter.options.likelihood)
    theta, success = _estimate(problem, _OBJECTIVES[fitter.options.estimator])
    height, gradient, hessian = derivatives(problem, theta)
    decrement = float(gradient @ np.linalg.lstsq(hessian, gradient, rcond=None)[0]) if math.isfinite(height) else math.inf
    reason = "converged" if success else "semopy reported failure."
    estimate = Estimate(theta, height, success, reason, 0, decrement, np.empty((0, theta.size)), 0)
    options = replace(fitter.options, se="none", test="none", engine="semopy")
    return Fit(model, sample, problem, estimate, options, sample.notices)


def _refuse(model: Model) -> None:
    reasons = {
        "several groups (it fits them separately)": len(model.blocks) > 1,
        "a mean structure": model.has_means,
        "constraints (:= == < >)": bool(model.table.relations),
        "bounds": bool(np.isfinite(model.lower).any() or np.isfinite(model.upper).any()),
    }
    for reason, present in reasons.items():
        if present:
            raise NotAvailableError(f"engine='semopy' is not available for a model with {reason}. Leave engine= out to fit it with trustsem.")


def _text(model: Model) -> tuple[str, dict[str, str]]:
    """Write the model for semopy with every row explicit; variables get plain names, because semopy reads fewer than we do."""
    layout = model.blocks[0]
    plain = {name: f"v{k}" for k, name in enumerate(layout.variables)}
    lines = []
    written = set()
    for row, parameter in zip(model.table.rows, model.theta_of_row, strict=True):
        if row.exo:
            continue
        lhs, rhs = plain[row.lhs], plain[row.rhs]
        written.add(frozenset((lhs, rhs)))
        factor = f"p{parameter}" if parameter >= 0 else repr(row.ustart)
        lines.append(f"{lhs} {row.op} {factor}*{rhs}")
    # semopy frees covariances of its own accord; those that this model does not have are fixed at 0.
    names = [plain[name] for name in layout.variables if name not in layout.fixed]
    for k, first in enumerate(names):
        for second in names[:k]:
            if frozenset((first, second)) not in written:
                lines.append(f"{first} ~~ 0*{second}")
    return "\n".join(lines), plain


def _estimate(problem: Problem, objective: str) -> tuple[Reals, bool]:
    import pandas as pd
    import semopy

    model = problem.model
    text, plain = _text(model)
    observed = [plain[name] for name in model.blocks[0].observed]
    cov = pd.DataFrame(problem.blocks[0].cov, index=observed, columns=observed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = semopy.Model(text)
        result = fitted.fit(cov=cov, n_samples=problem.nobs, obj=objective, options={"ftol": 1e-14, "maxiter": 10000})
        table = fitted.inspect(se_robust=False)
    theta = np.full(model.n_theta, np.nan)
    values = {(row.lval, row.op, row.rval): float(row.Estimate) for row in table.itertuples()}
    for row, parameter in zip(model.table.rows, model.theta_of_row, strict=True):
        if parameter >= 0:
            lhs, rhs = plain[row.lhs], plain[row.rhs]
            key = {"=~": (rhs, "~", lhs), "~": (lhs, "~", rhs), "~~": (lhs, "~~", rhs)}[row.op]
            theta[parameter] = values[key] if key in values else values[(key[2], key[1], key[0])]
    return theta, bool(re.match("Optimization", str(result.message) if hasattr(result, "message") else "Optimization") or result.success)
