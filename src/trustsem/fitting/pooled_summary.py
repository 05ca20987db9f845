"""The printed summary of a fit to imputed data."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from trustsem.display import heading, number, pair, text_table, wrap

if TYPE_CHECKING:
    from trustsem.fitting.imputed import ImputedFit

__all__ = ["pooled_text"]

_MEASURES = MappingProxyType(
    {
        "chisq": "Test statistic",
        "df": "Degrees of freedom",
        "f": "F statistic",
        "df2": "Denominator degrees of freedom",
        "pvalue": "P-value (F)",
        "riv": "Relative increase in variance",
        "cfi": "Comparative Fit Index (CFI)",
        "tli": "Tucker-Lewis Index (TLI)",
        "rmsea": "RMSEA",
        "srmr": "SRMR (averaged moments)",
    }
)


def pooled_text(fit: ImputedFit, fit_measures: bool, standardized: bool) -> str:
    """Return the summary of `fit`; see :meth:`ImputedFit.summary`."""
    lines = [f"Pooled over {len(fit.usable)} of {fit.m} imputed data sets ({fit.fitter.options.estimator}, {fit.nobs} observations)", ""]
    for warning in fit.warnings:
        lines += [*wrap(f"** WARNING {warning.code} ** {warning.detail}"), *wrap(warning.remedy, indent="   "), ""]
    for note in fit.notes:
        lines += [*wrap(f"** {note}"), ""]
    if fit_measures and fit.tests is not None:
        measures = fit.fit_measures()
        lines += [heading(f"Model Test User Model (pooled by {fit.pooled_test})"), ""]
        lines += [pair(label, number(float(measures[name]), 0 if name == "df" else 3) or "NA") for name, label in _MEASURES.items()]
        lines.append("")
    frame = fit.parameter_estimates(standardized=standardized, ci=False)
    keys = [name for name in ("lhs", "op", "rhs", "group", "label") if name in frame]
    columns = [name for name in frame.columns if name not in keys]
    rows = [[str(row[name]) for name in keys] + [number(float(row[name])) for name in columns] for row in frame.to_dict("records")]
    lines += [heading("Parameter Estimates"), "", *text_table([*keys, *columns], rows, align="l" * len(keys) + "r" * len(columns))]
    return "\n".join(lines) + "\n"
