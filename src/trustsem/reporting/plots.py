"""One function for every plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustsem.errors import OptionError
from trustsem.options import choose
from trustsem.reporting.diagram import figure_bytes, format_of
from trustsem.reporting.files import write_bytes
from trustsem.reporting.planning_plots import PLANNED, plot_planned
from trustsem.reporting.study_plots import KINDS, plot_study
from trustsem.studies.result import StudyResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot"]


def plot(
    source: Any,
    kind: str | None = None,
    *,
    x: str | None = None,
    parameters: str | Sequence[str] | None = None,
    analyses: str | Sequence[str] | None = None,
    path: str | Path | None = None,
) -> Figure:
    """Plot the results of a simulation study, or what came of a plan.

    Parameters
    ----------
    source : StudyResult, Plan, PowerRegion, BestDesign or Cutoffs
        The options that follow are for studies.
    kind : {"power", "coverage", "bias", "zip", "convergence"}, optional
        Power curves, coverage or (relative) bias with Monte Carlo bands, one panel for each parameter; intervals sorted by their distance from the
        true value (Morris, White & Crowther 2019); shares of results that converged and are admissible. Power by default.
    x : str, optional
        Factor on the horizontal axis; n, or the first numeric one, by default.
    parameters, analyses : str or sequence of str, optional
        Which; paths with a true value, and all analyses, by default.
    path : str or Path, optional
        Also write the figure there; the ending says how: ``.svg``, ``.pdf`` or ``.png``.

    Returns
    -------
    matplotlib.figure.Figure
        Not registered with pyplot.

    Raises
    ------
    OptionError
        For something that cannot be plotted, and for an unknown kind, factor, parameter or analysis.
    """
    if path is not None:
        format_of(path)
    if isinstance(source, PLANNED):
        figure = plot_planned(source)
    elif isinstance(source, StudyResult):
        figure = plot_study(source, choose("kind", "power" if kind is None else kind, KINDS), x, parameters, analyses)
    else:
        raise OptionError(
            f"plot() needs the result of a study or a plan, not {type(source).__name__!r}. For a theory, fit or appraisal use `ts.diagram`."
        )
    if path is not None:
        write_bytes(path, figure_bytes(figure, format_of(path)))
    return figure
