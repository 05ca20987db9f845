"""Auxiliary variables as saturated correlates (Graham 2003, doi 10.1207/S15328007SEM1001_4): they tell about what is missing, no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trustsem.errors import OptionError
from trustsem.spec.names import block_names
from trustsem.spec.table import ParameterTable, Row

__all__ = ["baseline_table", "with_auxiliary"]


def _correlates(row: Row, names: Sequence[str], observed: Sequence[str]) -> list[Row]:
    """Return the rows that relate the auxiliary variables `names` to each other and to the `observed` variables of the block of `row`."""
    found = []
    for k, name in enumerate(names):
        found += [row._replace(lhs=name, op="~~", rhs=other) for other in (name, *names[:k], *observed)]
        found.append(row._replace(lhs=name, op="~1", rhs=""))
    return found


def with_auxiliary(table: ParameterTable, names: Sequence[str]) -> ParameterTable:
    """Add auxiliary variables that covary with each other, with covariates and with the residuals of all other observed variables.

    The number of degrees of freedom does not change.

    Raises
    ------
    OptionError
        If a variable is part of the model already.
    """
    rows = list(table.rows)
    for block in range(1, table.n_blocks + 1):
        own = [row for row in table.rows if row.block == block]
        observed = block_names(own).observed
        for name in names:
            if name in observed or name in block_names(own).latent:
                raise OptionError(f"auxiliary= names {name!r}, which the model has already. Leave it out of auxiliary=.")
        rows += _correlates(_blank(own[0]), names, observed)
    return replace(table, rows=tuple(rows))


def baseline_table(table: ParameterTable, names: Sequence[str]) -> ParameterTable:
    """Return the baseline model with auxiliary variables: these covary with everything, covariates with each other, the rest with nothing."""
    rows: list[Row] = []
    for block in range(1, table.n_blocks + 1):
        own = [row for row in table.rows if row.block == block]
        found = block_names(own)
        blank = _blank(own[0])
        observed = [name for name in found.observed if name not in names]
        covariates = [name for name in found.exogenous if name not in names]
        rows += [blank._replace(lhs=name, op="~~", rhs=name) for name in observed]
        rows += [blank._replace(lhs=name, op="~~", rhs=other) for k, name in enumerate(covariates) for other in covariates[:k]]
        rows += [blank._replace(lhs=name, op="~1", rhs="") for name in observed]
        rows += _correlates(blank, names, observed)
    return ParameterTable(tuple(rows), n_groups=table.n_groups, n_levels=table.n_levels)


def _blank(row: Row) -> Row:
    """Return a free parameter without name in the block of `row`."""
    return Row("", "~~", "", user=0, block=row.block, group=row.group, level=row.level)
