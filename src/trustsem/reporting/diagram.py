"""Path diagrams: causes on the left, effects on the right, numbers on the arrows, fit to print at a width of 7 inches."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustsem.errors import OptionError, closest
from trustsem.reporting.composition import compose
from trustsem.reporting.drawing import draw
from trustsem.reporting.files import write_bytes
from trustsem.reporting.graph import Graph, graph_of
from trustsem.reporting.typeface import typeface_for
from trustsem.reporting.verdicts import ARROW_STYLES
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for
from trustsem.spec.table import ParameterTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["diagram", "figure_bytes", "format_of"]

_FORMATS = ("svg", "pdf", "png")


def diagram(
    source: Any,
    *,
    estimates: str | None = "std_all",
    path: str | Path | None = None,
    indicators: bool | None = None,
    group: str | int | None = None,
    level: int = 1,
    labels: Mapping[str, str] | None = None,
    local_fit: bool = False,
) -> Figure:
    """Draw a model, a fit or an appraisal as a path diagram.

    Parameters
    ----------
    source : str, ParameterTable, Theory, Fit or Appraisal
        Model text is read with the defaults of :func:`trustsem.sem`.
    estimates : {"std_all", "est", None}
        Numbers on the arrows of a fit, with explained variances in the ovals.
    path : str or Path, optional
        Also write the figure there; the ending says how: ``.svg``, ``.pdf`` or ``.png`` (300 dots per inch). Equal input gives equal bytes.
    indicators : bool, optional
        Draw the indicators. By default if there are at most 15 of them (30 if the model is all measurement), and the figure says so if not.
    group : str or int, optional
        Group to draw: its label, or its number from 1. The first by default.
    level : int
        Level to draw, of a model of two levels.
    labels : mapping, optional
        Texts to be shown for variables. Names by default, with underscores as spaces where they are broken over lines.
    local_fit : bool
        Of an appraisal: also draw the arrows and residual covariances that the theory leaves out and the data ask for (:func:`trustsem.forbidden`).

    Returns
    -------
    matplotlib.figure.Figure
        At most 7 inches wide, unless there are too many tiers for letters of 8 points. Not registered with pyplot.

    Raises
    ------
    OptionError
        For a source, option, label or file format that does not exist.
    TrustsemError
        If `path` cannot be written.

    Notes
    -----
    Latent variables are ovals, observed ones boxes. Solid double arrows are covariances, dashed ones covariances of residuals. Arrows never pass
    through variables and numbers never cover one another; distances grow until that holds.
    """
    if path is not None:
        format_of(path)
    graph = graph_of(source, estimates=estimates, group=group, level=level, indicators=indicators, read=_read, local_fit=local_fit)
    texts = _texts(graph, labels or {})
    signs = "".join(style.sign for style in ARROW_STYLES.values())
    face = typeface_for([*texts.values(), *graph.notes, *graph.alerts, signs])
    figure = draw(graph, face, compose(graph, texts, face))
    if path is not None:
        write_bytes(path, figure_bytes(figure, format_of(path)))
    return figure


def _read(text: str) -> ParameterTable:
    return build_table(text, defaults_for("sem"))


def format_of(path: str | Path) -> str:
    """Return the format that the ending of a path asks for.

    Raises
    ------
    OptionError
        For an ending that is not known.
    """
    ending = Path(path).suffix.lower().lstrip(".")
    if ending not in _FORMATS:
        raise OptionError(f"path={str(path)!r} must end in .svg, .pdf or .png.{closest(ending, _FORMATS)}")
    return ending


def _texts(graph: Graph, labels: Mapping[str, str]) -> dict[str, str]:
    names = [node.name for node in graph.nodes]
    unknown = [name for name in labels if name not in names]
    if unknown:
        raise OptionError(f"labels= names {unknown[0]!r}, which is not in the diagram.{closest(unknown[0], names)}")
    return {name: str(labels.get(name, name)) for name in names}


def figure_bytes(figure: Figure, format: str) -> bytes:
    """Return a figure as the bytes of an SVG, PDF or PNG file, without date and with fixed identifiers."""
    import matplotlib

    buffer = io.BytesIO()
    metadata: dict[str, Any] = {
        "svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
        "pdf": dict.fromkeys(("CreationDate", "ModDate", "Creator", "Producer")),
        "png": {"Software": None},
    }[format]
    with matplotlib.rc_context({"svg.hashsalt": "trustsem", "svg.fonttype": "path", "pdf.fonttype": 42}):
        figure.savefig(buffer, format=format, metadata=metadata, dpi=300)
    return buffer.getvalue()
