"""One self-contained HTML page about a fit, an appraisal or a simulation study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trustsem.display import escape, html_banner, html_page, html_table, number
from trustsem.errors import OptionError
from trustsem.fitting.serialise import key_measures, shown_estimates, versions
from trustsem.reporting.diagram import diagram, figure_bytes
from trustsem.reporting.files import write_text
from trustsem.reporting.graph import is_appraisal
from trustsem.reporting.page import figure, frame_table, paragraph, section, table_of_facts
from trustsem.reporting.plots import plot_part
from trustsem.reporting.study_page import study_page
from trustsem.reporting.tables import by_group, fit_of, residual_correlations
from trustsem.spec.export import to_lavaan
from trustsem.studies.result import StudyResult

__all__ = ["report", "report_html"]

_LARGEST, _MATRIX = 15, 14
_SHOWN = ("id", "cause", "effect", "sign", "std", "ci_lower", "ci_upper", "p_zero", "verdict", "size_shown", "severity")


def report(source: Any, path: str | Path) -> Path:
    """Write one HTML page about a fit, an appraisal or a simulation study: pictures, tables, warnings, conventions and provenance.

    Parameters
    ----------
    source : Fit, Appraisal or StudyResult
    path : str or Path
        Where to write. The page loads nothing from elsewhere, so it can be mailed and archived; equal input gives equal bytes.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    OptionError
        For something else than a fit, an appraisal or the result of a study, and for a path that cannot be written.
    """
    return write_text(path, report_html(source))


def report_html(source: Any) -> str:
    """Return the page that :func:`report` writes."""
    if isinstance(source, StudyResult):
        return study_page(source)
    fit = fit_of(source)
    theory = getattr(getattr(source, "theory", None), "title", "")
    title = f"Appraisal of {theory or 'a theory'}" if is_appraisal(source) else f"Fit of a model to {fit.nobs} observations"
    parts = [f"<h1>{escape(title)}</h1>", _state(fit)]
    if is_appraisal(source):
        parts.append(_verdicts(source))
    parts += [
        _diagrams(source, fit),
        _measures(fit),
        *_parts(source),
        _estimates(fit),
        _explained(fit),
        _effects(fit),
        _residuals(fit),
        _model(fit),
        _provenance(source, fit),
    ]
    return html_page(title, "\n".join(parts))


def _state(fit: Any) -> str:
    said = "The search converged." if fit.converged else f"The search did NOT converge: {fit.reason}"
    if fit.converged and not fit.admissible:
        said += " The solution is NOT admissible."
    return paragraph(said) + (html_banner([str(warning) for warning in fit.warnings]) if fit.warnings else "")


def _verdicts(appraisal: Any) -> str:
    rule, notes = getattr(appraisal, "rule", ""), list(getattr(appraisal, "notes", ()))
    listed = f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>" if notes else ""
    table = appraisal.verdicts
    # The verdict has to be seen without scrolling; what is left out here is in the tables.
    short = table[[name for name in _SHOWN if name in table]]
    return section("Verdicts", frame_table(short), paragraph(str(rule)) if rule else "", listed)


def _parts(source: Any) -> list[str]:
    """Return a section for each part of an appraisal; a part that these data do not allow says why."""
    if not is_appraisal(source):
        return []
    sections = []
    for name in source.parts:
        part = source.part(name)
        drawn = plot_part(part)
        words = f"Picture of {name.replace('_', ' ')}; its numbers are in the table"
        picture = "" if drawn is None else figure(figure_bytes(drawn, "svg").decode(), words, f"{name}-")
        sections.append(section(name.replace("_", " ").capitalize(), part._repr_html_(), picture))
    return sections


def _diagrams(source: Any, fit: Any) -> str:
    figures = []
    for k, layout in enumerate(fit.model.blocks):
        try:
            local = is_appraisal(source) and "forbidden" in getattr(source, "parts", ()) and not source.withheld
            svg = figure_bytes(diagram(source, group=layout.group, level=layout.level, local_fit=local), "svg").decode()
        except OptionError as error:
            figures.append(paragraph(f"No diagram: {error}"))
            continue
        figures.append(figure(svg, "Path diagram; its numbers are in the table of estimates", f"d{k + 1}-"))
    return section("Diagram", *figures)


def _measures(fit: Any) -> str:
    pairs = key_measures(fit)
    every = fit.fit_measures()
    rows = [[str(name), number(float(value), 4)] for name, value in every.items()]
    more = f"<details><summary>All {len(rows)} fit measures</summary>{html_table(['measure', 'value'], rows, align='lr')}</details>"
    return section("Fit", html_table([name for name, _ in pairs], [[value for _, value in pairs]]), more)


def _estimates(fit: Any) -> str:
    header, rows = shown_estimates(fit)
    note = "SE, interval and p belong to the unstandardized estimate; a cell is blank where the parameter is fixed."
    return section("Estimates", html_table(header, rows, align="l" * (len(header) - 5) + "r" * 5), paragraph(note))


def _explained(fit: Any) -> str:
    groups = by_group(fit, fit.rsquare())
    tables = [
        html_table(["variable", "R\N{SUPERSCRIPT TWO}"], [[str(n), number(float(v))] for n, v in s.items()], caption=g, align="lr")
        for g, s in groups
        if len(s)
    ]
    return section("Explained variance", *tables) if tables else ""


def _effects(fit: Any) -> str:
    frame = fit.effects(standardized=True)
    if frame.empty:
        return ""
    indicators = {row.rhs for row in fit.model.table.rows if row.op == "=~"}
    kept = frame[~frame["lhs"].isin(indicators)].reset_index(drop=True)
    if kept.empty:
        return ""
    return section("Total, direct and indirect effects", frame_table(kept), paragraph("Effects on indicators are left out here."))


def _residuals(fit: Any) -> str:
    if not fit.converged:
        return ""
    parts = []
    for group, moments in by_group(fit, fit.residuals("cor")):
        matrix = moments["cov"]
        names = [str(name) for name in matrix.index]
        if len(names) <= _MATRIX:
            rows = [[name, *(number(float(matrix.iloc[i, j])) if j < i else "" for j in range(len(names) - 1))] for i, name in enumerate(names) if i]
            parts.append(html_table(["", *names[:-1]], rows, caption=group, align="l" + "r" * (len(names) - 1)))
    if not parts:
        frame = residual_correlations(fit)
        largest = frame.iloc[frame["residual"].abs().sort_values(ascending=False, kind="stable").index[:_LARGEST]]
        parts = [frame_table(largest), paragraph(f"The {len(largest)} largest of {len(frame)} in absolute value.")]
    return section("Residual correlations", paragraph("Sample minus implied correlations."), *parts)


def _model(fit: Any) -> str:
    return section(
        "Model", f"<details><summary>As lavaan syntax, nothing left to defaults</summary><pre>{escape(to_lavaan(fit.model.table))}</pre></details>"
    )


def _provenance(source: Any, fit: Any) -> str:
    sample = fit.sample
    facts = [(name, value) for name, value in versions().items()]
    facts += [(f"seed ({name})", str(seed)) for name, seed in getattr(source, "seeds", {}).items()]
    facts += [("data fingerprint (SHA-256)", sample.fingerprint()), ("observations", str(fit.nobs))]
    facts += [(f"observations in {block.label}", str(block.n)) for block in sample.blocks if len(sample.blocks) > 1]
    facts += [(f"rows dropped{f' in {record.block}' if record.block else ''}", f"{record.count} ({record.reason})") for record in sample.dropped]
    facts += list(fit.options.conventions().items())
    return section("Conventions and provenance", table_of_facts(facts))
