"""A fit as JSON for machines, and as a compact HTML fragment for notebooks."""

from __future__ import annotations

import json
import math
import platform
from typing import TYPE_CHECKING, Any

from trustsem.display import escape, html_banner, html_table, number
from trustsem.spec.export import to_lavaan

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.fitting.fit import Fit

__all__ = ["NOT_INSTALLED", "SCHEMA", "installed_version", "key_measures", "plain", "shown_estimates", "to_html", "to_json", "versions"]

SCHEMA = "trustsem.fit/1"
NOT_INSTALLED = "not installed"
_OPEN_ROWS = 40


def installed_version(package: str) -> str:
    """Return the installed version of `package`, or ``"not installed"`` (a source tree on the path)."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED


def versions() -> dict[str, str]:
    """Return the versions that a reader needs to reproduce the numbers."""
    return {name: installed_version(name) for name in ("trustsem", "numpy", "scipy", "numba")} | {"python": platform.python_version()}


def plain(value: Any) -> Any:
    """Return a value of a table as JSON knows it: NaN and infinities become None, NumPy scalars Python's."""
    if isinstance(value, str) or value is None:
        return value
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): plain(value) for name, value in zip(frame.columns, row, strict=True)} for row in frame.itertuples(index=False, name=None)]


def to_json(fit: Fit) -> str:
    """Return `fit` as JSON text; see :meth:`Fit.to_json`.

    Returns
    -------
    str
        An object with, in this order: ``schema`` (``"trustsem.fit/1"``), ``versions``, ``model`` (``syntax`` in lavaan's language, ``table``),
        ``status``, ``nobs``, ``groups``, ``dropped``, ``npar``, ``df``, ``estimates`` (with ``std_lv`` and ``std_all``), ``fit_measures``,
        ``warnings`` (``code``, ``detail``, ``remedy``), ``conventions`` and ``data`` (``variables``, ``fingerprint``). NaN and infinities are null.
    """
    sample = fit.sample
    content = {
        "schema": SCHEMA,
        "versions": versions(),
        "model": {"syntax": to_lavaan(fit.model.table), "table": _records(fit.model.table.frame())},
        "status": {
            "converged": fit.converged,
            "reason": fit.reason,
            "iterations": fit.estimate.iterations,
            "admissible": fit.admissible,
            "inadmissible": list(fit.inadmissible),
            "identified": fit.identified,
            "not_identified": list(fit.not_identified),
        },
        "nobs": fit.nobs,
        "groups": [{"label": block.label, "nobs": block.n} for block in sample.blocks],
        "dropped": [{"reason": record.reason, "group": record.block, "count": record.count} for record in sample.dropped],
        "npar": fit.npar,
        "df": fit.df,
        "estimates": _records(fit.parameter_estimates(standardized=True)),
        "fit_measures": {str(name): plain(value) for name, value in fit.fit_measures().items()},
        "warnings": [{"code": warning.code, "detail": warning.detail, "remedy": warning.remedy} for warning in fit.warnings],
        "conventions": fit.options.conventions(),
        "data": {"variables": list(sample.names), "fingerprint": sample.fingerprint()},
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def key_measures(fit: Fit) -> list[tuple[str, str]]:
    """Return the measures that a paper reports, as (name, value) texts; without a test only the number of parameters."""
    found = fit.fit_measures()
    if "cfi" not in found:
        return [("Parameters", str(fit.npar))]
    p = found["pvalue"]
    test = f"{number(found['chisq'])}, df = {fit.df}" + (f", p {probability(p)}" if not math.isnan(p) else "")
    interval = f"{number(found['rmsea'])} [{number(found['rmsea_ci_lower'])}, {number(found['rmsea_ci_upper'])}]"
    lines = [("Chi-square", test)]
    if "chisq_scaled" in found:
        scaled = found["pvalue_scaled"]
        tail = f", p {probability(scaled)}" if not math.isnan(scaled) else ""
        lines.append(("Scaled chi-square", f"{number(found['chisq_scaled'])}, df = {number(found['df_scaled']).removesuffix('.000')}{tail}"))
    lines += [
        ("CFI", number(found["cfi"])),
        ("TLI", number(found["tli"])),
        ("RMSEA [90 % CI]", interval),
        ("SRMR", number(found["srmr"])),
    ]
    for label, name in (("Robust CFI", "cfi_robust"), ("Robust TLI", "tli_robust"), ("Robust RMSEA", "rmsea_robust")):
        if name in found:
            lines.append((label, number(found[name])))
    return lines + ([("AIC", number(found["aic"])), ("BIC", number(found["bic"]))] if "aic" in found else [])


def probability(p: float) -> str:
    """Return ``= .012`` or ``< .001``."""
    return "< .001" if p < 0.0005 else f"= {number(p).removeprefix('0')}"


def shown_estimates(fit: Fit) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the estimates, unstandardized and standardized side by side.

    Rows of fixed covariates are left out: their values are the sample's. A cell without a value is blank.
    """
    frame = fit.parameter_estimates(standardized=True)
    rows = fit.model.table.rows
    groups = fit.sample.group_labels if len(fit.sample.blocks) > 1 else ()
    header = [*(["group"] if groups else []), "parameter", "label", "est", "SE", "95 % CI", "p", "std. all"]
    body = []
    for k in range(len(frame)):
        if k < len(rows) and rows[k].exo:
            continue
        cell = {name: frame[name].iloc[k] for name in frame.columns}
        free = k >= len(rows) or fit.model.theta_of_row[k] >= 0
        tested = free and number(cell["se"]) != ""
        interval = f"[{number(cell['ci_lower'])}, {number(cell['ci_upper'])}]" if tested else ""
        p = "" if math.isnan(cell["pvalue"]) else probability(cell["pvalue"]).removeprefix("= ")
        name = f"{cell['lhs']} {cell['op']} {cell['rhs']}".strip()
        group = [groups[rows[k].group - 1] if k < len(rows) else ""] if groups else []
        error = number(cell["se"]) if tested else "NA" if free and fit.options.se != "none" else ""
        body.append([*group, name, str(cell["label"]), number(cell["est"]) or "NA", error, interval, p, number(cell["std_all"])])
    return header, body


def to_html(fit: Fit) -> str:
    """Return `fit` as an HTML fragment: what happened, key fit measures, warnings, estimates."""
    state = "converged" if fit.converged else "NOT CONVERGED"
    facts = [fit.options.estimator, f"{fit.nobs} observations", f"{fit.npar} parameters", f"df {fit.df}", state]
    facts += [] if fit.admissible else ["NOT ADMISSIBLE"]
    parts = [f"<p><strong>trustsem fit</strong>: {escape(', '.join(facts))}</p>"]
    if fit.warnings:
        parts.append(html_banner([str(warning) for warning in fit.warnings]))
    measures = key_measures(fit)
    parts.append(html_table([name for name, _ in measures], [[value for _, value in measures]]))
    header, rows = shown_estimates(fit)
    texts = len(header) - 5
    table = html_table(header, rows, align="l" * texts + "r" * 5)
    opened = " open" if len(rows) <= _OPEN_ROWS else ""
    parts.append(f"<details{opened}><summary>{len(rows)} parameters</summary>{table}</details>")
    conventions = ", ".join(f"{name}={value}" for name, value in fit.options.conventions().items())
    parts.append(f'<p style="opacity:.75">Conventions: {escape(conventions)}.</p>')
    return f'<div class="trustsem">{"".join(parts)}</div>'
