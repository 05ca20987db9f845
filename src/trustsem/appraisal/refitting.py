"""Another model fitted to what a fit was fitted to, with the same conventions."""

from __future__ import annotations

from dataclasses import replace

from trustsem.estimators import find
from trustsem.fitting.fit import Fit, check_counting_rule
from trustsem.fitting.fitter import make_fitter
from trustsem.fitting.nesting import shared_values
from trustsem.model.ram import compile_model
from trustsem.options import FitOptions
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for
from trustsem.spec.table import ParameterTable

__all__ = ["refit", "table_like"]


def table_like(fit: Fit, text: str) -> ParameterTable:
    """Return the parameter table of model text, read as the model of `fit` was: defaults of ``sem``, means if that has them."""
    fixed_x = any(layout.fixed for layout in fit.model.blocks) or find(fit.options.estimator).fixed_x
    defaults = replace(defaults_for("sem"), fixed_x=fixed_x, meanstructure=fit.model.has_means)
    return build_table(text, defaults, n_groups=fit.model.table.n_groups)


def refit(fit: Fit, model: str | ParameterTable, *, start: bool = True) -> Fit:
    """Fit another model to the rows and with the options of `fit`.

    Parameters
    ----------
    fit : Fit
    model : str or ParameterTable
        A model of (some of) the same observed variables.
    start : bool
        Begin where `fit` ended, as far as the two share parameters; from computed values if that does not converge.

    Returns
    -------
    Fit
        Warnings are recorded on it, not issued. Where `fit` has bootstrap errors, this one has robust ones: nothing is resampled.

    Raises
    ------
    ModelSyntaxError, ModelError, IdentificationError, DataError
        As :func:`trustsem.sem`.
    """
    table = table_like(fit, model) if isinstance(model, str) else model
    compiled = compile_model(table)
    check_counting_rule(compiled)
    options = _without_resampling(fit)
    far = make_fitter(compiled, options)
    sample = fit.sample.select(far.observed)
    if start and fit.converged:
        near = make_fitter(compiled, options, shared_values(fit, table)).fit_sample(sample)
        if near.converged:
            return near
    return far.fit_sample(sample)


def _without_resampling(fit: Fit) -> FitOptions:
    if fit.options.se != "bootstrap":
        return fit.options
    return replace(fit.options, se="robust_huber_white" if fit.sample.cluster is None else "robust_cluster")
