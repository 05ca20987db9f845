"""The printed summary of a fit, in lavaan's order and layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trustsem.display import escape, heading, html_banner, number, pad_left, pad_right, pair, text_table, text_width, wrap
from trustsem.fitting.serialise import NOT_INSTALLED, to_html, to_json, versions
from trustsem.fitting.summary_measures import measure_sections, model_test, probability
from trustsem.fitting.tables import block_labels, row_values
from trustsem.spec.expressions import compile_expression

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.data.sample import BlockSample
    from trustsem.fitting.fit import Fit

__all__ = ["Summary", "summarise", "to_html", "to_json"]

_NAME_WIDTH, _COLUMN_WIDTH = 18, 9
_SHOWN_INDICES = 25
_COLUMNS = MappingProxyType(
    {
        "est": "Estimate",
        "se": "Std.Err",
        "z": "z-value",
        "pvalue": "P(>|z|)",
        "ci_lower": "ci.lower",
        "ci_upper": "ci.upper",
        "std_lv": "Std.lv",
        "std_all": "Std.all",
    }
)
_SECTIONS = ("Latent Variables", "Regressions", "Covariances", "Intercepts", "Variances")
_ERRORS = MappingProxyType({"robust_huber_white": "Sandwich", "robust_sem": "Robust.sem", "robust_cluster": "Robust.cluster"})
_SECTION_OF = MappingProxyType({"=~": "Latent Variables", "~": "Regressions", "~1": "Intercepts"})


@dataclass(frozen=True)
class Summary:
    """A summary that prints itself, at the prompt, with ``print`` and in a notebook.

    Attributes
    ----------
    text : str
    alerts : tuple of str
        What the reader has to know before the numbers; part of `text` as well.
    """

    text: str
    alerts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_html_(self) -> str:
        banner = html_banner(self.alerts) if self.alerts else ""
        return f'{banner}<pre style="line-height:1.25;color:inherit;background:transparent;">{escape(self.text)}</pre>'


class _Line(NamedTuple):
    """One line of a table of parameters; `cells` are blank where there is nothing to print."""

    name: str
    label: str
    cells: tuple[str, ...]


def summarise(fit: Fit, *, fit_measures: bool, standardized: bool, rsquare: bool, ci: bool, modindices: bool) -> Summary:
    """Return the summary of `fit`; see :meth:`Fit.summary`.

    Parameters
    ----------
    fit : Fit
    fit_measures : bool
        Add baseline model, incremental measures, likelihood, RMSEA and SRMR.
    standardized : bool
        Add columns ``Std.lv`` and ``Std.all``.
    rsquare : bool
        Add the explained variances.
    ci : bool
        Add 95 % confidence intervals.
    modindices : bool
        Add the largest modification indices.

    Returns
    -------
    Summary
    """
    parts = [_header(fit), _alerts(fit), _setting(fit), model_test(fit)]
    if fit_measures:
        parts += measure_sections(fit)
    parts += [_estimates_header(fit), *_estimate_sections(fit, standardized=standardized, rsquare=rsquare, ci=ci), _constraints(fit)]
    if modindices:
        parts.append(_modification(fit))
    parts.append(wrap("Conventions: " + ", ".join(f"{name}={value}" for name, value in fit.options.conventions().items()) + "."))
    text = "\n\n".join("\n".join(part) for part in parts if part)
    return Summary(text + "\n", tuple(str(warning) for warning in fit.warnings))


# The head: what was done, to what


def _header(fit: Fit) -> list[str]:
    iterations = fit.estimate.iterations
    after = f"after {iterations} iteration{'' if iterations == 1 else 's'}"
    ended = "ended normally" if fit.converged else "did NOT end normally"
    known = versions()["trustsem"]
    lines = [f"trustsem{'' if known == NOT_INSTALLED else ' ' + known} {ended} {after}"]
    return lines if fit.converged else [*lines, *wrap(fit.reason, indent="  ")]


def _alerts(fit: Fit) -> list[str]:
    lines: list[str] = []
    for warning in fit.warnings:
        lines += wrap(f"** WARNING {warning.code} ** {warning.detail}")
        lines += wrap(warning.remedy, indent="   ")
    return lines


def _setting(fit: Fit) -> list[str]:
    model = fit.model
    free = int(np.sum(model.theta_of_row >= 0))
    method = "SLSQP" if model.relations.equalities or model.relations.inequalities else "SCORING"
    lines = [
        pair("Estimator", fit.options.estimator),
        pair("Optimization method", method if fit.options.engine == "trustsem" else fit.options.engine.upper()),
        pair("Number of model parameters", str(free)),
    ]
    if free > fit.npar:
        lines.append(pair("Number of equality constraints", str(free - fit.npar)))
    if model.relations.inequalities:
        lines.append(pair("Number of inequality constraints", str(len(model.relations.inequalities))))
    return [*lines, "", *_observations(fit), *_sampling(fit)]


def _sampling(fit: Fit) -> list[str]:
    """Return what is special about the rows: missing values, clusters, weights."""
    sample = fit.sample
    lines = []
    if sample.incomplete:
        lines.append(pair("Number of missing patterns", *(str(_patterns(block)) for block in sample.blocks)))
    if sample.cluster is not None:
        counts = [0 if block.clusters is None else int(block.clusters.max()) + 1 for block in sample.blocks]
        lines.append(pair(f"Number of clusters [{sample.cluster}]", *(str(count) for count in counts)))
    if any(block.weights is not None for block in sample.blocks):
        lines.append(pair("Sampling weights", "yes"))
    return lines


def _patterns(block: BlockSample) -> int:
    return 1 if block.missing is None else len(block.missing.patterns.counts)


def _observations(fit: Fit) -> list[str]:
    sample = fit.sample
    lost = sample.n_dropped > 0
    if len(sample.blocks) == 1:
        if not lost:
            return [pair("Number of observations", str(sample.nobs))]
        return [pair("", "Used", "Total"), pair("Number of observations", str(sample.nobs), str(sample.nobs + sample.n_dropped))]
    label = "Number of observations per group:"
    lines = [pair(label, "Used", "Total") if lost else f"  {label}"]
    for block in sample.blocks:
        dropped = sum(record.count for record in sample.dropped if record.block == block.label)
        counts = (str(block.n), str(block.n + dropped)) if lost else (str(block.n),)
        lines.append(pair(block.label, *counts, indent=4))
    elsewhere = sum(record.count for record in sample.dropped if record.block not in sample.group_labels)
    return [*lines, pair("Rows in no group", "0", str(elsewhere), indent=4)] if elsewhere else lines


# Parameters


def _estimates_header(fit: Fit) -> list[str]:
    lines = [heading("Parameter Estimates"), ""]
    doubts = [text for text, holds in (("not converged", not fit.converged), ("inadmissible", fit.converged and not fit.admissible)) if holds]
    doubts += ["not identified"] if any(warning.code == "TS-ID-01" for warning in fit.warnings) else []
    if doubts:
        lines += [f"  ** This solution is {' and '.join(doubts)}: see the warning above. **", ""]
    if fit.options.se == "none":
        return [*lines, pair("Standard errors", "None")]
    lines.append(pair("Standard errors", _ERRORS.get(fit.options.se, fit.options.se.replace("_", "-").capitalize())))
    bread = fit.options.se in ("robust_huber_white", "robust_cluster")
    lines.append(pair("Information bread" if bread else "Information", fit.options.information.capitalize()))
    return lines


def _estimate_sections(fit: Fit, *, standardized: bool, rsquare: bool, ci: bool) -> list[list[str]]:
    frame = fit.parameter_estimates(standardized=standardized, ci=ci)
    columns = [name for name in _COLUMNS if name in frame and (name in ("est", "std_lv", "std_all") or fit.options.se != "none")]
    n_rows = len(fit.model.table.rows)
    explained = fit.rsquare() if rsquare else None
    found: list[tuple[str, list[str | _Line]]] = []
    for b, (layout, label) in enumerate(zip(fit.model.blocks, block_labels(fit), strict=True)):
        if layout.level == 1 and len(fit.sample.blocks) > 1:
            found.append(("", [f"Group {layout.group} [{fit.sample.blocks[layout.group - 1].label}]:"]))
        if fit.model.two_level:
            found.append(("", [f"Level {layout.level} [{'within' if layout.level == 1 else fit.sample.cluster}]:"]))
        found += _block_sections(fit, frame, columns, b + 1)
        if explained is not None:
            series = explained[label] if isinstance(explained, dict) else explained
            found.append(("R-Square", [_Line(f" {name}", "", (probability(float(value)),)) for name, value in series.items()]))
    definitions: list[str | _Line] = [_Line(f" {frame['lhs'].iloc[k]}", "", _cells(frame, columns, k, True)) for k in range(n_rows, len(frame))]
    found.append(("Defined Parameters", definitions))
    return _laid_out([(title, lines) for title, lines in found if lines], [_COLUMNS[name] for name in columns])


def _block_sections(fit: Fit, frame: pd.DataFrame, columns: Sequence[str], block: int) -> list[tuple[str, list[str | _Line]]]:
    rows = fit.model.table.rows
    endogenous = {row.lhs if row.op == "~" else row.rhs for row in rows if row.block == block and row.op in ("~", "=~")}
    sections: dict[str, list[str | _Line]] = {title: [] for title in _SECTIONS}
    last: dict[str, str] = {}
    for k, row in enumerate(rows):
        if row.block != block or row.exo:
            continue
        title = _SECTION_OF.get(row.op) or ("Variances" if row.lhs == row.rhs else "Covariances")
        residual = row.op in ("~~", "~1")
        single = title in ("Variances", "Intercepts")
        dot = "." if residual and row.lhs in endogenous else " "
        if not single and last.get(title) != row.lhs:
            sections[title].append(f" {dot}{row.lhs} {row.op}")
            last[title] = row.lhs
        name = row.lhs if single else row.rhs
        mark = "." if residual and name in endogenous else " "
        label = f"({row.label})" if row.label else ""
        sections[title].append(_Line(mark + name, label, _cells(frame, columns, k, bool(fit.model.theta_of_row[k] >= 0))))
    return list(sections.items())


def _cells(frame: pd.DataFrame, columns: Sequence[str], k: int, free: bool) -> tuple[str, ...]:
    """Return the cells of a row: a fixed parameter has no test, an estimated one without standard error says so."""
    cells = []
    for name in columns:
        value = float(frame[name].iloc[k])
        if name in ("se", "z", "pvalue"):
            cells.append("" if not free else number(value) or ("NA" if name == "se" else ""))
        else:
            cells.append(number(value) or "NA")
    return tuple(cells)


def _laid_out(sections: Sequence[tuple[str, Sequence[str | _Line]]], header: Sequence[str]) -> list[list[str]]:
    """Align all sections alike: lavaan's widths where the names fit, wider ones (never abbreviations) where they do not."""
    lines = [line for _, section in sections for line in section if isinstance(line, _Line)]
    widths = [max(_COLUMN_WIDTH, *(1 + len(line.cells[k]) for line in lines if k < len(line.cells))) for k in range(len(header))]
    room = max([_NAME_WIDTH, *(3 + text_width(line.name) + (text_width(line.label) + 1 if line.label else 0) for line in lines)])
    result = []
    for title, section in sections:
        if not title:
            result.append(["", *(str(line) for line in section)])
            continue
        titles = header[:1] if title == "R-Square" else header
        out = [heading(title), " " * room + "".join(pad_left(text, width) for text, width in zip(titles, widths, strict=False))]
        for line in section:
            if isinstance(line, str):
                out.append(line)
                continue
            start = pad_right(f"   {line.name}", room - text_width(line.label)) + line.label
            out.append((start + "".join(pad_left(cell, width) for cell, width in zip(line.cells, widths, strict=False))).rstrip())
        result.append(out)
    return result


def _constraints(fit: Fit) -> list[str]:
    rows = fit.model.table.rows
    relations = [relation for relation in fit.model.table.relations if relation.op != ":="]
    if not relations:
        return []
    index = {f".p{k + 1}.": k for k in range(len(rows))}
    for k, row in enumerate(rows):
        if row.label:
            index.setdefault(row.label, k)
    point = row_values(fit)
    lines = [heading("Constraints"), pair("", "|Slack|")]
    for relation in relations:
        slack = compile_expression(relation.left, index).value(point) - compile_expression(relation.right, index).value(point)
        first, second = (relation.rhs, relation.lhs) if relation.op == "<" else (relation.lhs, relation.rhs)
        lines.append(pair(f"{first} - ({second})", number(abs(slack)), indent=4))
    return lines


def _modification(fit: Fit) -> list[str]:
    title = heading("Modification Indices")
    if not fit.converged:
        return [title, "", "  Not available: the model did not converge."]
    frame = fit.modindices(sort=True)
    names = [name for name in frame.columns if name not in ("lhs", "op", "rhs", "group", "level")]
    keys = [name for name in frame.columns if name not in names]
    top = frame.head(_SHOWN_INDICES)
    rows = [[str(top[name].iloc[k]) for name in keys] + [probability(float(top[name].iloc[k])) for name in names] for k in range(len(top))]
    header = [*keys, *(name.replace("_", ".") for name in names)]
    lines = [title, "", *text_table(header, rows, align="rll" + "r" * (len(header) - 3))]
    more = len(frame) - _SHOWN_INDICES
    return [*lines, f"  ({more} smaller ones are in fit.modindices().)"] if more > 0 else lines
