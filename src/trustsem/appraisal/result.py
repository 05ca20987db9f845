"""What the data say of a theory: one frozen value, whose parts are computed when they are asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.structure import fit_saturated
from trustsem.appraisal.verdicts import RULE, Judgement, judge
from trustsem.display import bullet, escape, html_banner, html_table, number, text_table, wrap
from trustsem.fitting.fit import Fit
from trustsem.fitting.serialise import plain, versions
from trustsem.inference.fit_measures import Chisq
from trustsem.inference.small_sample import swain
from trustsem.theory import Proposition, Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCHEMA", "Appraisal"]

SCHEMA = "trustsem.appraisal/1"
ONE_WAVE = "Direction assumed, not tested: data of one wave cannot tell a cause from its effect."
UNADJUSTED = "Intervals are unadjusted for the number of propositions; p-values and verdicts are adjusted."
_DIRECTION = MappingProxyType({"+": 1, "-": -1})
_SMALLEST_P = 0.001
_SHOWN = ("cause", "effect", "sign", "est", "std", "ci_lower", "ci_upper", "p_zero", "verdict", "size_shown")


@dataclass(frozen=True, eq=False)
class Appraisal:
    """What the data say of a theory.

    Attributes
    ----------
    theory : Theory
        As appraised (constructs without data are projected out).
    fit : Fit
    claims : tuple of Proposition
        The propositions judged, in the order of the theory.
    sesoi : tuple of float
        Smallest effect size of interest of each claim, standardized.
    alpha, level : float
        Level of each family of tests, and confidence level.
    withheld : str
        Why there are no verdicts; empty if there are.
    estimation : tuple of str
        What the data decided about estimator and missing values, and why.
    own_rivals : tuple of (str, Theory or str)
        Rivals that the user added: name, and theory or model text.
    """

    theory: Theory
    fit: Fit
    claims: tuple[Proposition, ...]
    sesoi: tuple[float, ...]
    alpha: float
    level: float
    withheld: str
    estimation: tuple[str, ...] = ()
    own_rivals: tuple[tuple[str, Theory | str], ...] = ()

    @property
    def rule(self) -> str:
        """The rule behind the verdicts, in words."""
        return RULE

    @cached_property
    def saturated(self) -> Fit:
        """The saturated structure (see :mod:`trustsem.appraisal.structure`), fitted to the same rows in the same way."""
        return fit_saturated(self.fit)

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """Standardized solution with the unstandardized estimates beside it, for the rows of the claims."""
        standard = self.fit.standardized_solution(level=self.level)
        raw = self.fit.parameter_estimates(level=self.level)
        standard = standard.assign(est=raw["est"], se_est=raw["se"])
        paths = standard[standard["op"] == "~"].set_index(["lhs", "rhs"])
        names = {construct.name: construct.variable for construct in self.theory.nodes}
        return paths.loc[[(names[claim.effect], names[claim.cause]) for claim in self.claims]].reset_index()

    @property
    def _judged(self) -> np.ndarray:
        """Which claims (C,) state a direction; a derived arrow whose routes disagree does not."""
        return np.array([claim.sign in _DIRECTION for claim in self.claims], dtype=bool)

    @cached_property
    def judgement(self) -> Judgement | None:
        """Adjusted p-values and verdicts of the claims that state a direction; None if there can be none."""
        if self.withheld:
            return None
        table, judged = self.estimates, self._judged
        signs = [_DIRECTION[claim.sign] for claim in self.claims if claim.sign in _DIRECTION]
        estimate, error = table["est_std"].to_numpy(float), table["se"].to_numpy(float)
        return judge(estimate[judged], error[judged], np.array(self.sesoi)[judged], signs, self.alpha)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """One row per proposition.

        Columns: ``id cause effect sign est se std std_se ci_lower ci_upper`` (the interval is that of ``std``, unadjusted) ``p_zero p_equivalent
        p_size``
        (Holm-adjusted) ``sesoi verdict size_shown derived mark``.
        """
        import pandas as pd

        table, judged = self.estimates, self.judgement
        count, stated = len(self.claims), self._judged

        def spread(values: Any, otherwise: Any) -> np.ndarray:
            column = np.full(count, otherwise, dtype=object if isinstance(otherwise, str) else None)
            if judged is not None:
                column[stated] = values
            return column

        none = "no verdict" if judged is None else "no direction stated"
        return pd.DataFrame(
            {
                "id": [claim.id for claim in self.claims],
                "cause": [claim.cause for claim in self.claims],
                "effect": [claim.effect for claim in self.claims],
                "sign": [claim.sign for claim in self.claims],
                "est": table["est"].to_numpy(),
                "se": table["se_est"].to_numpy(),
                "std": table["est_std"].to_numpy(),
                "std_se": table["se"].to_numpy(),
                "ci_lower": table["ci_lower"].to_numpy(),
                "ci_upper": table["ci_upper"].to_numpy(),
                "p_zero": spread(judged and judged.p_zero, np.nan),
                "p_equivalent": spread(judged and judged.p_equivalent, np.nan),
                "p_size": spread(judged and judged.p_size, np.nan),
                "sesoi": list(self.sesoi),
                "verdict": spread(judged and list(judged.verdict), none),
                "size_shown": spread(judged and judged.size_shown, False),
                "derived": [claim.derived for claim in self.claims],
                "mark": [claim.mark for claim in self.claims],
            }
        )

    @cached_property
    def exact_fit(self) -> dict[str, Chisq]:
        """The test of exact fit: ``"plain"`` (scaled if the fit says so), and ``"swain"``, corrected for sample size, by which fit is judged."""
        scaled = self.fit.options.scaled_test is not None
        plain_test = Chisq(self.fit.scaled.statistic, self.fit.scaled.df) if scaled else self.fit.chisq
        variables = len(self.fit.model.blocks[0].observed)
        return {"plain": plain_test, "swain": swain(plain_test, variables, self.fit.nobs)}

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know about the verdicts."""
        lines = [f"No verdicts: {self.withheld}"] if self.withheld else []
        lines += [*self.estimation, ONE_WAVE, UNADJUSTED]
        if self.sesoi:
            sizes = sorted({*self.sesoi})
            shown = f"{sizes[0]:g}" if len(sizes) == 1 else f"{sizes[0]:g} to {sizes[-1]:g}"
            origin = self.theory.sesoi.provenance.meaning if self.sesoi == tuple(claim.sesoi for claim in self.claims) else "set by you"
            lines.append(f"Smallest effect size of interest d = {shown} (standardized; {origin}).")
        derived = [claim.path for claim in self.claims if claim.derived]
        if derived:
            lines.append(f"Derived, not stated by the theory: {', '.join(derived)}.")
        if self.fit.converged and self.fit.df > 0:
            plain_test, corrected = self.exact_fit["plain"], self.exact_fit["swain"]
            judged = "is rejected" if corrected.pvalue < self.alpha else "is not rejected"
            lines.append(
                f"Exact fit {judged}: chi-square({plain_test.df:g}) = {corrected.statistic:.2f}, p = {corrected.pvalue:.3f} with Swain's correction "
                f"(uncorrected {plain_test.statistic:.2f}, p = {plain_test.pvalue:.3f})."
            )
        lines += [
            f"{rival.id} ({rival.title}) cannot be told apart by these data: {rival.covariance_equivalent}"
            for rival in self.theory.rivals()
            if rival.covariance_equivalent
        ]
        lines += [str(warning) for warning in (*self.theory.warnings, *self.fit.warnings)]
        return tuple(lines)

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        rows = [[_cell(name, row[name]) for name in _SHOWN] for row in self.verdicts.to_dict("records")]
        header = ["cause", "effect", "sign", "est", "std", f"{self.level:.0%} CI", "", "p (Holm)", "verdict", "> d shown"]
        return header, rows

    def __str__(self) -> str:
        header, rows = self._cells()
        lines = [f"{self.theory.title}: appraisal on {self.fit.nobs} observations ({self.fit.options.estimator})", ""]
        lines += text_table(header, rows, align="lllrrrrrll")
        lines.append("")
        lines += wrap(self.rule, 110)
        for note in self.notes:
            lines += bullet(note)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header, rows = self._cells()
        banner = html_banner([f"No verdicts: {self.withheld}"]) if self.withheld else ""
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        table = html_table(header, rows, align="lllrrrrrll")
        return f"<h3>{escape(self.theory.title)}: appraisal</h3>{banner}{table}<p>{escape(self.rule)}</p><ul>{notes}</ul>"

    def to_json(self) -> str:
        """Return verdicts, rule, notes, conventions, versions and the fingerprint of the data as JSON."""
        records = [{name: plain(value) for name, value in row.items()} for row in self.verdicts.to_dict("records")]
        tests = {name: {"chisq": plain(test.statistic), "df": test.df, "pvalue": plain(test.pvalue)} for name, test in self.exact_fit.items()}
        return json.dumps(
            {
                "schema": SCHEMA,
                "versions": versions(),
                "theory": self.theory.id,
                "rule": self.rule,
                "alpha": self.alpha,
                "verdicts": records,
                "exact_fit": tests,
                "notes": list(self.notes),
                "conventions": self.fit.options.conventions(),
                "data": {"nobs": self.fit.nobs, "fingerprint": self.fit.sample.fingerprint()},
            },
            indent=2,
            ensure_ascii=False,
        )


def _cell(name: str, value: Any) -> str:
    if name == "size_shown":
        return "yes" if value else ""
    if name == "p_zero" and value < _SMALLEST_P:
        return f"< {number(_SMALLEST_P)}"
    return number(value) if isinstance(value, float) else str(value)
