"""What equality of measurement over groups does to the paths: the expected change of the parameters of interest.

Loadings or intercepts that are held equal over groups although they are not bias the paths. Without refitting, the score test of every equality says
by how much each path would change if that equality were let go (EPC-interest: Oberski 2014, doi 10.1093/pan/mpt014). That is what matters, not
whether the equality is rejected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.told import Told
from trustsem.errors import NotAvailableError, OptionError, closest
from trustsem.fitting.fit import Fit
from trustsem.fitting.restrictions import Restriction, restrictions_of, score_at
from trustsem.fitting.tables import block_labels, row_errors, row_values
from trustsem.inference.score_test import expected_changes, score_test
from trustsem.inference.standardized import scale_factor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EPCInterest", "epc_interest"]


@dataclass(frozen=True, eq=False, repr=False)
class EPCInterest(Told):
    """How much the paths would change if one equality over groups were let go.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        One row per path and group: ``parameter group est se std released change change_std est_then x2 pvalue``: the equality that moves the path
        most, the expected change (raw, and standardized), the path that would then be expected, and the score test of that equality.
    notes : tuple of str
    all : DataFrame
        The same for every equality: one row per path, group and equality.
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    all: pd.DataFrame
    shown = ("parameter", "group", "est", "std", "released", "change", "change_std", "pvalue")


def epc_interest(fit: Fit, parameters: Sequence[str] | None = None, *, robust: bool = False) -> EPCInterest:
    """Return by how much paths are expected to change if one equality over groups were let go.

    Parameters
    ----------
    fit : Fit
        Of several groups with equalities (``group_equal=``).
    parameters : sequence of str, optional
        Which parameters matter, such as ``["Capability~Trust"]``; all paths between constructs by default.
    robust : bool
        Score tests that do not assume normality (as for :func:`trustsem.score_test`); the expected changes are the same.

    Returns
    -------
    EPCInterest

    Raises
    ------
    OptionError
        If there are no groups or no equalities over them, and for parameters that are not free.
    NotAvailableError
        For models of two levels.
    """
    import pandas as pd

    if fit.model.two_level:
        raise NotAvailableError("Equalities of a model of two levels are not tested. Fit the groups at one level, with cluster=.")
    restrictions = restrictions_of(fit.require_converged()) if fit.model.table.n_groups > 1 else []
    if not restrictions:
        raise OptionError("The fit has no equality over groups that could be let go. Fit several groups with group_equal=['loadings'].")
    wanted = _wanted(fit, parameters)
    at = score_at(fit, (), restrictions, robust=robust)
    own = [_own(fit, place) for place in wanted]
    rows: list[dict[str, Any]] = []
    for k, restriction in enumerate(restrictions):
        alone = np.arange(len(restrictions)) == k
        test = score_test(at, alone)
        changes = expected_changes(at, alone)
        found = {"released": _told(fit, restriction), "x2": test.statistic, "pvalue": test.pvalue}
        for place, path in zip(wanted, own, strict=True):
            change = float(changes[place])
            moved = {"change": change, "change_std": change * path["factor"], "est_then": path["est"] + change}
            rows.append(path | found | moved)
    columns = ["parameter", "group", "est", "se", "std", "released", "change", "change_std", "est_then", "x2", "pvalue"]
    every = pd.DataFrame(rows)[columns]
    size = every["change_std"].abs().fillna(-1.0).to_numpy().reshape(len(restrictions), len(wanted))
    worst = size.argmax(axis=0) * len(wanted) + np.arange(len(wanted))
    notes = (
        "change: expected, without refitting, if the one equality that moves the path most were let go; change_std: standardized.",
        "An equality that is rejected but changes no path does no harm; one that is not rejected may, if there is little power.",
    )
    heading = f"What {len(restrictions)} equalities over groups do to {len(wanted)} paths"
    return EPCInterest(heading, every.iloc[worst].reset_index(drop=True), notes, every)


def _wanted(fit: Fit, parameters: Sequence[str] | None) -> list[int]:
    """Return the places of the parameters of interest among the free rows."""
    rows = [fit.model.table.rows[k] for k in fit.model.free_rows]
    names = [row.name for row in rows]
    if parameters is None:
        chosen = [k for k, row in enumerate(rows) if row.op == "~"]
        if not chosen:
            raise OptionError("The model has no paths between constructs. Name what matters in parameters=, such as ['f~1'].")
        return chosen
    places: list[int] = []
    for name in (parameters,) if isinstance(parameters, str) else parameters:
        wanted = "".join(str(name).split())
        if wanted not in names:
            raise OptionError(f"parameters= names {name!r}, which is no free parameter.{closest(wanted, names)}")
        places += [k for k, own in enumerate(names) if own == wanted]
    return places


def _told(fit: Fit, restriction: Restriction) -> str:
    """Return an equality in words: the parameter, and the groups in which it is the same."""
    rows = [fit.model.table.rows[k] for k in fit.model.free_rows]
    sides = [rows[k] for k in np.flatnonzero(restriction.slope)]
    if len(sides) != 2 or sides[0].name != sides[1].name:
        return restriction.name
    labels = block_labels(fit)
    return f"{sides[0].name} ({labels[sides[0].block - 1]} = {labels[sides[1].block - 1]})"


def _own(fit: Fit, place: int) -> dict[str, Any]:
    """Return what is said of one parameter of interest whatever is let go."""
    at = fit.model.free_rows[place]
    row, cell = fit.model.table.rows[at], fit.model.cells[at]
    factor = scale_factor(fit.model, row.block - 1, fit.implied_blocks[row.block - 1], cell, "std_all")
    estimate = float(row_values(fit)[at])
    return {
        "parameter": row.name,
        "group": block_labels(fit)[row.block - 1],
        "est": estimate,
        "se": float(row_errors(fit)[at]),
        "std": estimate * factor,
        "factor": factor,
    }
