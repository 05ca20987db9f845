"""Export to the language of dagitty."""

from __future__ import annotations

import re

from trustsem.spec.export.shared import one_level
from trustsem.spec.names import block_names
from trustsem.spec.table import ParameterTable

__all__ = ["to_dagitty"]


def to_dagitty(table: ParameterTable) -> str:
    """Write the arrows of a table as a dagitty graph.

    Parameters
    ----------
    table : ParameterTable
        The model. With several groups, an arrow of any group is drawn.

    Returns
    -------
    str
        ``dag { ... }``: one line per variable (latent ones marked), one per arrow, ``<->`` for a covariance. Parameters fixed to 0 are
        no arrows; means are not part of a graph.
    """
    one_level(table, "dagitty")
    names = block_names(table.rows)
    lines = [f"  {_name(variable)} [latent]" for variable in names.latent]
    lines.extend(f"  {_name(variable)}" for variable in names.observed)
    for row in table.rows:
        if row.lhs == row.rhs or row.op == "~1" or (not row.free and not row.exo and row.ustart == 0.0):
            continue
        start, arrow, end = {"=~": (row.lhs, "->", row.rhs), "~": (row.rhs, "->", row.lhs)}.get(row.op, (row.lhs, "<->", row.rhs))
        lines.append(f"  {_name(start)} {arrow} {_name(end)}")
    return "dag {\n" + "\n".join(dict.fromkeys(lines)) + "\n}\n"


def _name(variable: str) -> str:
    return variable if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", variable) else f'"{variable}"'
