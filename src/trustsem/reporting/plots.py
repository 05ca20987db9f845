"""One function for every plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from trustsem.errors import OptionError
from trustsem.options import choose
from trustsem.reporting.diagram import figure_bytes, format_of
from trustsem.reporting.files import write_bytes
from trustsem.reporting.mechanism_plots import MECHANISMS, plot_mechanism
from trustsem.reporting.planning_plots import PLANNED, plot_planned
from trustsem.reporting.rival_plots import RIVALLED, plot_rivals
from trustsem.reporting.sensitivity_plots import SENSITIVE, plot_sensitivity
from trustsem.reporting.study_plots import KINDS, plot_study
from trustsem.studies.result import StudyResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot", "plot_part"]

_DRAWN: tuple[tuple[tuple[type, ...], Callable[[Any], Any]], ...] = (
    (PLANNED, plot_planned),
    (MECHANISMS, plot_mechanism),
    (RIVALLED, plot_rivals),
    (SENSITIVE, plot_sensitivity),
)


def plot(
    source: Any,
    kind: str | None = None,
    *,
    x: str | None = None,
    parameters: str | Sequence[str] | None = None,
    analyses: str | Sequence[str] | None = None,
    path: str | Path | None = None,
) -> Figure:
    """Plot the results of a simulation study, what came of a plan, or a part of an appraisal.

    Parameters
    ----------
    source : StudyResult, Plan, PowerRegion, BestDesign, Cutoffs, or a part of an appraisal
        Parts with a picture are mechanism, rivals, cross_validation and sensitivity; and the results of :func:`trustsem.strategy_profile`,
        :func:`trustsem.selection_frequency` and :func:`trustsem.distinguishability`. The options that follow are for studies.
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
    figure: Any
    if isinstance(source, StudyResult):
        figure = plot_study(source, choose("kind", "power" if kind is None else kind, KINDS), x, parameters, analyses)
    else:
        draw = next((draw for types, draw in _DRAWN if isinstance(source, types)), None)
        if draw is None:
            raise OptionError(
                f"plot() needs the result of a study, a plan or a part of an appraisal, not {type(source).__name__!r}. For a theory, fit or "
                "appraisal use `ts.diagram`."
            )
        figure = draw(source)
    if path is not None:
        write_bytes(path, figure_bytes(figure, format_of(path)))
    return cast("Figure", figure)


def plot_part(part: Any) -> Figure | None:
    """Return the picture of a part of an appraisal; None if it has none, or nothing to be drawn."""
    draw = next((draw for types, draw in _DRAWN if isinstance(part, types)), None)
    return None if draw is None or part.frame.empty else draw(part)
