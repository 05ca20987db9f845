"""Score tests: what would be gained by releasing equalities or by freeing parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trustsem.display import escape, html_table, number, text_table
from trustsem.errors import NotAvailableError, OptionError, closest
from trustsem.fitting.comparable import refuse_levels
from trustsem.fitting.fit import Fit
from trustsem.fitting.restrictions import Restriction, added_cells, restrictions_of, score_at
from trustsem.fitting.tables import row_values
from trustsem.inference import score_test as formulas
from trustsem.inference.fit_measures import Chisq
from trustsem.inference.score_test import RestrictedScore
from trustsem.inference.standardized import scale_factor
from trustsem.kernels.structure import Reals
from trustsem.model.candidates import Candidate
from trustsem.spec.table import Row

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ScoreTest", "score_test"]


@dataclass(frozen=True, eq=False)
class ScoreTest:
    """Score tests of restrictions; prints itself.

    Attributes
    ----------
    total : Chisq
        The test of all of them together (``statistic``, ``df``, ``pvalue``).
    univariate : DataFrame
        One row per restriction: ``lhs op rhs x2 df pvalue epc``; epc is the expected value of lhs less rhs if this restriction alone is released.
    epc : DataFrame
        One row per parameter: ``lhs op rhs [group] label est epc epv sepc_lv sepc_all``, the expected changes if all are released together; NaN for
        fixed parameters and where the model without them is not identified.
    robust : bool
        Whether the tests are right without normality.
    """

    total: Chisq
    univariate: pd.DataFrame
    epc: pd.DataFrame
    robust: bool

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        rows = []
        for name, x2, df, p, epc in self.univariate[["lhs", "x2", "df", "pvalue", "epc"]].itertuples(index=False):
            rows.append([name, "==", "", number(x2), str(int(df)), number(p), number(epc)])
        for line, rhs in zip(rows, self.univariate["rhs"], strict=True):
            line[2] = rhs
        return ["lhs", "op", "rhs", "x2", "df", "pvalue", "epc"], rows

    @property
    def _heading(self) -> str:
        kind = "Robust score test" if self.robust else "Score test"
        return f"{kind}: {number(self.total.statistic)} on {int(self.total.df)} df, p = {number(self.total.pvalue)}"

    def __str__(self) -> str:
        header, rows = self._cells()
        return "\n".join([self._heading, "", *text_table(header, rows, align="lllrrrr")])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header, rows = self._cells()
        return f"<p>{escape(self._heading)}</p>" + html_table(header, rows, align="lllrrrr")


def score_test(fit: Fit, release: Sequence[str] | str | None = None, add: str | None = None, *, robust: bool = False) -> ScoreTest:
    """Test restrictions without refitting.

    Parameters
    ----------
    fit : Fit
    release : str or sequence of str, optional
        Equalities to be tested, as ``univariate`` names them (``".p2. == .p38."``, ``"a == b"``), or parameters (``"visual=~x2"``), which stands for
        all equalities that hold that parameter equal over groups or labels. All equalities by default.
    add : str, optional
        Parameters to be tested instead, in model syntax (``"f1 =~ x5"``): fixed ones, and such as are not in the model.
    robust : bool
        The generalised score test, which does not assume normality; needs rows.

    Returns
    -------
    ScoreTest

    Raises
    ------
    OptionError
        If `release` or `add` names what there is not, if both are given, or if there is no equality to be released.
    NotAvailableError
        For a `robust` test of a least squares fit, and for two-level models.
    IdentificationError
        If the model is not identified.
    ConvergenceError
        If the fit did not converge.

    Notes
    -----
    Formulas and sources: :mod:`trustsem.inference.score_test`. The information is the expected one, as for modification indices.
    """
    refuse_levels({"it": fit.require_converged()}, "score_test")
    if robust and fit.problem.moments.discrepancy != 0:
        raise NotAvailableError(f"robust=True is not available for estimator={fit.options.estimator!r}. Use estimator='MLR', or robust=False.")
    if release is not None and add is not None:
        raise OptionError("Give either release= or add=, not both: the one tests equalities of the model, the other parameters that are not in it.")
    additions = () if add is None else added_cells(fit, add)
    restrictions = restrictions_of(fit, additions)
    added = np.arange(len(restrictions)) >= len(restrictions) - len(additions)
    tested = chosen_restrictions(fit, restrictions, release) if add is None else added
    at = score_at(fit, additions, restrictions, robust=robust)
    changes = formulas.expected_changes(at, tested)
    return ScoreTest(formulas.score_test(at, tested), _univariate(restrictions, at, tested), _changes_table(fit, additions, changes), robust)


def chosen_restrictions(fit: Fit, restrictions: Sequence[Restriction], release: Sequence[str] | str | None) -> np.ndarray:
    """Return which (q,) of the restrictions `release` names.

    Raises
    ------
    OptionError
    """
    if not restrictions:
        raise OptionError("The model has no equality to be released. Give add= to test parameters that are fixed or not in the model.")
    if release is None:
        return np.ones(len(restrictions), dtype=bool)
    rows = [fit.model.table.rows[k] for k in fit.model.free_rows]
    tested = np.zeros(len(restrictions), dtype=bool)
    for name in (release,) if isinstance(release, str) else release:
        wanted = "".join(str(name).split())
        places = [k for k, row in enumerate(rows) if wanted in (row.name, f"{row.rhs}~~{row.lhs}" if row.op == "~~" else "")]
        named = ["".join(restriction.name.split()) == wanted for restriction in restrictions]
        held = [restriction.lhs.startswith(".p") and bool(restriction.slope[places].any()) for restriction in restrictions]
        if not any(named) and not any(held):
            known = [restriction.name for restriction in restrictions]
            raise OptionError(f"release= names {name!r}, which no equality holds.{closest(str(name), known)} Equalities: {', '.join(known[:8])}.")
        tested |= np.array(named) | np.array(held)
    return tested


def _univariate(restrictions: Sequence[Restriction], at: RestrictedScore, tested: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for k in np.flatnonzero(tested).tolist():
        alone = np.arange(tested.size) == k
        found = formulas.score_test(at, alone)
        change = float(restrictions[k].slope @ formulas.expected_changes(at, alone))
        rows.append((restrictions[k].lhs, "==", restrictions[k].rhs, found.statistic, found.df, found.pvalue, change))
    return pd.DataFrame(rows, columns=["lhs", "op", "rhs", "x2", "df", "pvalue", "epc"])


def _changes_table(fit: Fit, additions: Sequence[Candidate], changes: Reals) -> pd.DataFrame:
    import pandas as pd

    table, count = fit.model.table, len(fit.model.free_rows)
    rows: list[Row] = [*table.rows, *(candidate.row for candidate in additions)]
    cells = [*fit.model.cells, *(candidate.cell for candidate in additions)]
    estimates = np.concatenate([row_values(fit), [candidate.value for candidate in additions]])
    change = np.full(len(rows), np.nan)
    change[list(fit.model.free_rows)] = changes[:count]
    change[len(table.rows) :] = changes[count:]
    blocks = fit.implied_blocks
    columns: dict[str, object] = {"lhs": [row.lhs for row in rows], "op": [row.op for row in rows], "rhs": [row.rhs for row in rows]}
    if table.n_groups > 1:
        columns["group"] = [row.group for row in rows]
    columns |= {"label": [row.label for row in rows], "est": estimates, "epc": change, "epv": estimates + change}
    for kind in ("std_lv", "std_all"):
        factors = [scale_factor(fit.model, row.block - 1, blocks[row.block - 1], cell, kind) for row, cell in zip(rows, cells, strict=True)]
        columns["sepc_" + kind.removeprefix("std_")] = change * np.array(factors)
    return pd.DataFrame(columns)
