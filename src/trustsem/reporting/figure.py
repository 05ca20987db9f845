"""A matplotlib figure that notebooks show by themselves, without pyplot and whatever backend is chosen."""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["OwnFigure"]

_SCREEN_DPI = 150


class OwnFigure(Figure):
    """A figure with its own canvas and its own representation in Jupyter."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height))
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_SCREEN_DPI)
        return buffer.getvalue()
