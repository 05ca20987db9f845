"""How an appraisal tells its verdicts: as text, as HTML, and with what a reader has to know beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trustsem.display import bullet, escape, html_banner, html_table, number, text_table, wrap

if TYPE_CHECKING:
    from trustsem.appraisal.result import Appraisal

__all__ = ["html_of", "notes_of", "text_of"]

ONE_WAVE = "Direction assumed, not tested: data of one wave cannot tell a cause from its effect."
UNADJUSTED = "Intervals are unadjusted for the number of propositions; p-values and verdicts are adjusted."
_SMALLEST_P = 0.001
_SHOWN = ("cause", "effect", "sign", "est", "std", "ci_lower", "ci_upper", "p_zero", "verdict", "size_shown", "severity")
_ALIGN = "lllrrrrrllr"


def text_of(appraisal: Appraisal) -> str:
    """Return verdicts, rule and notes as text."""
    header, rows = _cells(appraisal)
    fit = appraisal.fit
    lines = [f"{appraisal.theory.title}: appraisal on {fit.nobs} observations ({fit.options.estimator})", ""]
    lines += text_table(header, rows, align=_ALIGN)
    lines.append("")
    lines += wrap(appraisal.rule, 110)
    for note in appraisal.notes:
        lines += bullet(note)
    return "\n".join(lines)


def html_of(appraisal: Appraisal) -> str:
    """Return the same as HTML."""
    header, rows = _cells(appraisal)
    banner = html_banner([f"No verdicts: {appraisal.withheld}"]) if appraisal.withheld else ""
    notes = "".join(f"<li>{escape(note)}</li>" for note in appraisal.notes)
    table = html_table(header, rows, align=_ALIGN)
    return f"<h3>{escape(appraisal.theory.title)}: appraisal</h3>{banner}{table}<p>{escape(appraisal.rule)}</p><ul>{notes}</ul>"


def _cells(appraisal: Appraisal) -> tuple[list[str], list[list[str]]]:
    rows = [[_cell(name, row[name]) for name in _SHOWN] for row in appraisal.verdicts.to_dict("records")]
    header = ["cause", "effect", "sign", "est", "std", f"{appraisal.level:.0%} CI", "", "p (Holm)", "verdict", "> d shown", "severity"]
    return header, rows


def _cell(name: str, value: Any) -> str:
    if name == "size_shown":
        return "yes" if value else ""
    if name == "p_zero" and value < _SMALLEST_P:
        return f"< {number(_SMALLEST_P)}"
    return number(value) if isinstance(value, float) else str(value)


def notes_of(appraisal: Appraisal) -> tuple[str, ...]:
    """Return what a reader has to know about the verdicts."""
    theory, fit = appraisal.theory, appraisal.fit
    lines = [f"No verdicts: {appraisal.withheld}"] if appraisal.withheld else []
    lines += [*_coding_notes(appraisal), *appraisal.estimation, ONE_WAVE, UNADJUSTED, *_size_note(appraisal)]
    derived = [claim.path for claim in appraisal.claims if claim.derived]
    if derived:
        lines.append(f"Derived, not stated by the theory: {', '.join(derived)}.")
    lines += _exact_fit_notes(appraisal)
    lines += [
        f"{rival.id} ({rival.title}) cannot be told apart by these data: {rival.covariance_equivalent}"
        for rival in theory.rivals()
        if rival.covariance_equivalent
    ]
    lines += [str(warning) for warning in (*theory.warnings, *fit.warnings)]
    lines.append(f"Further parts, by appraisal.part(name): {', '.join(appraisal.parts)}.")
    return tuple(lines)


def _coding_notes(appraisal: Appraisal) -> list[str]:
    """Return what has to be said of constructs whose items point in different directions."""
    fit = appraisal.fit
    if not fit.converged or fit.model.table.n_groups > 1:
        return []
    point, layout = fit.implied_blocks[0], fit.model.blocks[0]
    lines = []
    for node in appraisal.theory.nodes:
        if node.variable in layout.latent:
            column = layout.variables.index(node.variable)
            loadings = {item: float(point.A[layout.variables.index(item), column]) for item in node.indicators if item in layout.variables}
            against = [item for item, loading in loadings.items() if loading < 0.0]
            if against:
                first = next(iter(loadings))
                lines.append(
                    f"Items of {node.name} point in different directions: {', '.join(against)} against {first}, which sets its direction. "
                    f"Every verdict on {node.name} turns round if {first} is the item that is coded the other way. Recode before reading them."
                )
    return lines


def _size_note(appraisal: Appraisal) -> list[str]:
    if not appraisal.sesoi:
        return []
    sizes = sorted({*appraisal.sesoi})
    shown = f"{sizes[0]:g}" if len(sizes) == 1 else f"{sizes[0]:g} to {sizes[-1]:g}"
    own = appraisal.sesoi == tuple(claim.sesoi for claim in appraisal.claims)
    usual = set(appraisal.sesoi) <= {float(appraisal.theory.sesoi.value)}
    origin = "set by you" if not own else appraisal.theory.sesoi.provenance.meaning if usual else "as the claims of the theory state"
    return [f"Smallest effect size of interest d = {shown} (standardized; {origin})."]


def _exact_fit_notes(appraisal: Appraisal) -> list[str]:
    fit = appraisal.fit
    if not (fit.converged and fit.df > 0):
        return []
    plain_test, corrected = appraisal.exact_fit["plain"], appraisal.exact_fit["swain"]
    judged = "is rejected" if corrected.pvalue < appraisal.alpha else "is not rejected"
    lines = [
        f"Exact fit {judged}: chi-square({plain_test.df:g}) = {corrected.statistic:.2f}, p = {corrected.pvalue:.3f} with Swain's correction "
        f"(uncorrected {plain_test.statistic:.2f}, p = {plain_test.pvalue:.3f})."
    ]
    clusters = [int(block.clusters.max()) + 1 for block in fit.sample.blocks if block.clusters is not None]
    if clusters and sum(clusters) < fit.df:
        lines.append(
            f"With {sum(clusters)} clusters for {fit.df} degrees of freedom this test rejects true models too often, correction or not. "
            "ts.calibrate(appraisal.fit) measures how often, and gives a simulated p."
        )
    return lines
