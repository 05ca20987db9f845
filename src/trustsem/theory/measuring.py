"""Rivals about the measurement: all items share a factor, or nothing but one factor is behind them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trustsem.errors import TheoryError

if TYPE_CHECKING:
    from trustsem.theory.theory import Theory

__all__ = ["general_factor", "method_factor"]

_FEWEST = 3


def method_factor(theory: Theory, name: str = "SameSource") -> str:
    """Return the theory with a factor more, on which all items load alike and which is uncorrelated with everything.

    Parameters
    ----------
    theory : Theory
        With at least one construct that has several columns; single columns stay out of the factor.
    name : str
        Name of the factor; underscores are appended while it is taken.

    Returns
    -------
    str
        lavaan syntax with one free parameter more, the variance of the factor: all loadings are fixed to 1, so that they are equal in the units of
        the items.

    Raises
    ------
    TheoryError
        If every construct is one column.
    """
    latent = [node for node in theory.nodes if not node.observed]
    if not latent:
        raise TheoryError("Every construct is one column: there are no items to load on a factor of their own.")
    items = [column for node in latent for column in node.indicators]
    factor = _free(name, theory)
    effects = {claim.effect for claim in theory.claims}
    # sem() lets latent predictors covary; the factor is one.
    apart = [f"{factor} ~~ 0*{node.name}" for node in latent if node.name not in effects]
    lines = ["# Same source", f"{factor} =~ {' + '.join(f'1*{item}' for item in items)}", *apart]
    return theory.syntax() + "\n".join(lines) + "\n"


def general_factor(theory: Theory, name: str = "General") -> str:
    """Return a model in which one factor is behind all columns of the theory.

    Raises
    ------
    TheoryError
        If there are fewer than three columns.
    """
    columns = [column for node in theory.nodes for column in node.indicators]
    if len(columns) < _FEWEST:
        raise TheoryError(f"One factor behind {len(columns)} columns is not identified. It takes at least three.")
    return f"# Measurement\n{_free(name, theory)} =~ {' + '.join(columns)}\n"


def _free(name: str, theory: Theory) -> str:
    taken: Iterable[str] = {text for node in theory.nodes for text in (node.name, *node.indicators)}
    while name in taken:
        name += "_"
    return name
