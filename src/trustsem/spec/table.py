"""The parameter table: one row per parameter, as data.

The table is what model text becomes and what a model is compiled from. It is immutable; equality of parameters is a shared
label, every other relation between parameters is a :class:`Relation`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.spec.expressions import Expression

__all__ = ["ParameterTable", "Relation", "Row"]


class Row(NamedTuple):
    """One parameter of one block.

    Attributes
    ----------
    lhs, op, rhs : str
        As in lavaan; ``rhs`` is empty for intercepts (``op == "~1"``).
    user : int
        1 if the user wrote the row, 0 if a default added it.
    block, group, level : int
        Counted from 1.
    free : bool
        Whether the value is estimated.
    ustart : float
        The fixed value of a fixed row, the user's starting value of a free row, NaN where there is none.
    exo : bool
        A moment of a fixed exogenous covariate: not free, its value is the sample's.
    label : str
        Rows with the same non-empty label have the same value. Labels ``.pN.`` are internal: they come from ``equal()`` and from
        equality over groups, and N is the number of the first row concerned.
    lower, upper : float
        Bounds; infinite where there is none.
    """

    lhs: str
    op: str
    rhs: str
    user: int = 1
    block: int = 1
    group: int = 1
    level: int = 1
    free: bool = True
    ustart: float = math.nan
    exo: bool = False
    label: str = ""
    lower: float = -math.inf
    upper: float = math.inf

    @property
    def name(self) -> str:
        """Name of the parameter without its label and block: ``lhs``, ``op`` and ``rhs`` together."""
        return f"{self.lhs}{self.op}{self.rhs}"


class Relation(NamedTuple):
    """A definition (``:=``) or a constraint (``==``, ``<``, ``>``) between parameters.

    Attributes
    ----------
    op : str
        One of ``:= == < >``.
    lhs, rhs : str
        The two sides as written (white space removed).
    left, right : Expression
        The two sides, every name in them the label of a parameter (names of defined parameters are expanded).
        For a definition, `left` is the name itself.
    """

    op: str
    lhs: str
    rhs: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class ParameterTable:
    """A model as a table of parameters.

    Attributes
    ----------
    rows : tuple of Row
        The parameters, in lavaan's order (what the user wrote, then what the defaults added; block by block).
    relations : tuple of Relation
        Definitions and constraints, in the order of the text.
    group_labels : tuple of str
        Labels written in ``group:`` headers; empty where the text has none.
    n_groups, n_levels : int
        Blocks are the pairs (group, level), group by group.
    """

    rows: tuple[Row, ...]
    relations: tuple[Relation, ...] = ()
    group_labels: tuple[str, ...] = ()
    n_groups: int = 1
    n_levels: int = 1

    @property
    def n_blocks(self) -> int:
        """Number of blocks (groups times levels)."""
        return self.n_groups * self.n_levels

    @property
    def has_means(self) -> bool:
        """Whether the model has a mean structure."""
        return any(row.op == "~1" for row in self.rows)

    def parameter_names(self) -> tuple[str, ...]:
        """Names of the free rows, as lavaan's ``coef()`` gives them.

        Returns
        -------
        tuple of str
            The label where there is one (also an internal one), else ``lhs``, ``op``, ``rhs`` together, with ``.g2`` appended in group 2 and so on
            (then ``.l2`` at level 2).
        """
        names = []
        for row in self.rows:
            if row.free:
                suffix = (f".g{row.group}" if row.group > 1 else "") + (f".l{row.level}" if row.level > 1 else "")
                names.append(row.label or row.name + suffix)
        return tuple(names)

    def frame(self) -> pd.DataFrame:
        """Return the table as a DataFrame with lavaan's columns.

        Returns
        -------
        DataFrame
            Columns ``id lhs op rhs user block group level free ustart exo label lower upper``; ``free`` counts the free rows from 1.
            Definitions and constraints follow the parameters, with block 0.
        """
        import pandas as pd

        records = []
        free = 0
        for row in self.rows:
            free += row.free
            number = free if row.free else 0
            records.append((*row[:7], number, row.ustart, int(row.exo), row.label, row.lower, row.upper))
        for relation in self.relations:
            label = relation.lhs if relation.op == ":=" else ""
            records.append((relation.lhs, relation.op, relation.rhs, 1, 0, 0, 0, 0, math.nan, 0, label, -math.inf, math.inf))
        columns = ["lhs", "op", "rhs", "user", "block", "group", "level", "free", "ustart", "exo", "label", "lower", "upper"]
        frame = pd.DataFrame(records, columns=columns)
        frame.insert(0, "id", range(1, len(frame) + 1))
        return frame
