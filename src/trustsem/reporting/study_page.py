"""One self-contained HTML page about a simulation study."""

from __future__ import annotations

from trustsem.display import escape, html_page
from trustsem.errors import OptionError
from trustsem.fitting.serialise import versions
from trustsem.reporting.diagram import figure_bytes
from trustsem.reporting.page import figure, frame_table, paragraph, section, table_of_facts
from trustsem.reporting.study_plots import KINDS, plot_study
from trustsem.reporting.tables import all_tables
from trustsem.studies.files import study_text
from trustsem.studies.result import StudyResult

__all__ = ["study_page"]

_SHOWN = 400
HOW = (
    "Every value has its Monte Carlo standard error (mc_error). lower and upper bound a rate by what the replications without a result could have "
    "been. Formulas: Morris, White & Crowther (2019), Statistics in Medicine 38:2074-2102."
)


def study_page(result: StudyResult) -> str:
    """Return the page that :func:`trustsem.report` writes about a study."""
    study = result.study
    tables = all_tables(result)
    performance = tables["performance"]
    parts = [f"<h1>Simulation study: {escape(study.name)}</h1>"]
    if study.description:
        parts.append(paragraph(study.description))
    parts.append(section("What was done", f"<pre>{escape(repr(result))}</pre>"))
    for kind in KINDS:
        try:
            drawn = figure_bytes(plot_study(result, kind, None, None, None), "svg").decode()
        except OptionError as error:
            parts.append(section(kind.capitalize(), paragraph(f"No plot: {error}")))
            continue
        parts.append(section(kind.capitalize(), figure(drawn, f"Plot of {kind}; its numbers are in the table of performance", f"{kind}-")))
    more = f"The first {_SHOWN} of {len(performance)} rows; all of them are in performance.csv." if len(performance) > _SHOWN else ""
    parts.append(section("Performance", paragraph(HOW), frame_table(performance.head(_SHOWN)), paragraph(more)))
    parts.append(section("Distribution of fit measures", frame_table(tables["fit_indices"])))
    if len(tables["failures"]):
        parts.append(section("Without a result", frame_table(tables["failures"].head(_SHOWN))))
    facts = [("seed", str(study.seed)), ("hash of the study", study.hash), ("fingerprint of the results (SHA-256)", result.fingerprint())]
    parts.append(section("The study file", f"<pre>{escape(study_text(study))}</pre>", paragraph("Running it again gives the same results.")))
    parts.append(section("Provenance", table_of_facts([*versions().items(), *facts])))
    return html_page(f"Simulation study: {study.name}", "\n".join(parts))
