"""What a theory forbids: every absent arrow and every absent residual covariance is a claim, and is tested as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from trustsem.appraisal.forbidden.absences import ABSENCE_RULE, HIGH_POWER, judge_absences
from trustsem.appraisal.forbidden.absent import Absent, absent_arrows, absent_covariances, absent_loadings
from trustsem.appraisal.forbidden.sizes import check_size, construct_names, smallest_size
from trustsem.appraisal.identification.observed_moments import is_robust
from trustsem.appraisal.refitting import refit
from trustsem.appraisal.structure import graph_of_table
from trustsem.appraisal.told import Told, records
from trustsem.appraisal.withholding import require_appraisal
from trustsem.display import wrap
from trustsem.errors import IdentificationError, TrustsemError
from trustsem.fitting.fit import Fit
from trustsem.fitting.restrictions import added_cells, restrictions_of, score_at
from trustsem.inference.single_changes import detectable, same_direction, single_changes
from trustsem.inference.standardized import scale_factor
from trustsem.options import check_flag
from trustsem.spec.table import ParameterTable, Row

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["Forbidden", "forbidden"]

LOADING_SIZE = 0.20
_SHOWN = ("claim", "std", "se", "ci_lower", "ci_upper", "p_zero", "p_equivalent", "power", "verdict", "std_refit")
SCORE_NOTE = (
    "Score tests at the estimates of the theory: `std` is the expected standardized value if this one parameter alone were free, not an estimate of "
    "the model that frees it; `std_refit` is that, for violations. Standard errors take the standardization as known. Intervals are unadjusted."
)


@dataclass(frozen=True, eq=False, repr=False)
class Forbidden(Told):
    """Tests of what a theory leaves out; prints itself.

    Attributes
    ----------
    frame : DataFrame
        One row per absent arrow and per absent residual covariance: ``kind claim lhs op rhs epc std se ci_lower ci_upper x2 p p_zero p_equivalent
        p_size sesoi power mde verdict size_shown conventional same_as std_refit reason``.

        ``epc`` is the expected parameter change, ``std`` the standardized one with its standard error and unadjusted interval, ``x2`` and ``p`` the
        score test, ``p_zero p_equivalent p_size`` Holm-adjusted p-values (b = 0, |b| >= d, |b| <= d); ``power`` that of the unadjusted test for a
        violation of size ``sesoi``, ``mde`` the size found with 80 % power; ``conventional`` the judgement from significance and power of Saris,
        Satorra & van der Veld (2009); ``same_as`` the claims that are, near the estimates, the same claim.
    loadings : DataFrame or None
        The same for loadings on other factors, where they were asked for.
    robust : bool
        Whether the tests are right without normality and independent rows.
    heading, notes
        As printed.
    """

    frame: pd.DataFrame
    loadings: pd.DataFrame | None
    robust: bool
    heading: str
    notes: tuple[str, ...]
    shown = _SHOWN

    @property
    def counts(self) -> dict[str, int]:
        """How many claims have which verdict."""
        return {str(verdict): int(count) for verdict, count in self.frame["verdict"].value_counts(sort=False).items()}

    def to_dict(self) -> dict[str, Any]:
        """Return heading, rows, notes, and the loadings if there are any, as JSON knows them."""
        return super().to_dict() | ({} if self.loadings is None else {"loadings": records(self.loadings)})

    def __str__(self) -> str:
        text = super().__str__()
        if self.loadings is None:
            return text
        wanted = self.loadings[self.loadings["verdict"] == "violated"]
        lines = [f"Loadings on other factors: {len(self.loadings)} tested, {len(wanted)} violated (d = {LOADING_SIZE:g})."]
        lines += wrap("; ".join(f"{row.claim} {row.std:.2f}" for row in wanted.itertuples()), 110) if len(wanted) else []
        return "\n".join([text, "", *lines])


def forbidden(
    appraisal: Appraisal, *, sesoi: float | None = None, loadings: bool = False, loading_sesoi: float = LOADING_SIZE, refits: bool = True
) -> Forbidden:
    """Test every arrow and every residual covariance that a theory leaves out.

    Parameters
    ----------
    appraisal : Appraisal
    sesoi : float, optional
        Smallest size of interest d of a violation, on the standardized scale (of a residual covariance: as a correlation); that of the claims if they
        have one in common, else that of the theory.
    loadings : bool
        Test loadings of items on other factors too; a table of its own.
    loading_sesoi : float
        Smallest standardized loading of interest.
    refits : bool
        Refit the model with each violation freed, to see its size.

    Returns
    -------
    Forbidden

    Raises
    ------
    OptionError
        For a size that is not positive.

    Notes
    -----
    Arrows are taken in the order of the theory: from a construct to a later one. Arrows back, which one wave cannot tell from arrows forward, are not
    tested. Score tests and expected changes: Saris, Satorra & Soerbom 1987; where the fit has robust standard errors those of Boos (1992, doi
    10.1080/00031305.1992.10475921), summed by cluster. Power and the conventional judgement: Saris, Satorra & van der Veld (2009, doi
    10.1080/10705510903203433). The rule of the verdicts: :mod:`trustsem.appraisal.forbidden.absences`.
    """
    require_appraisal("forbidden", appraisal)
    size = smallest_size(appraisal, sesoi)
    check_size("loading_sesoi", loading_sesoi)
    check_flag("loadings", loadings)
    check_flag("refits", refits)
    fit, graph = appraisal.fit, graph_of_table(appraisal.fit.model.table)
    tier = {node.variable: node.tier for node in appraisal.theory.nodes}
    claims = (*absent_arrows(graph, tier), *absent_covariances(graph))
    reason = appraisal.withheld or _unavailable(fit)
    robust = not reason and is_robust(fit)
    frame = _tested(appraisal, claims, size, robust, reason)
    if refits and not reason:
        frame["std_refit"] = [_refitted(fit, row) if row.verdict == "violated" else np.nan for row in frame.itertuples()]
    crossed = _tested(appraisal, absent_loadings(fit.model.table), loading_sesoi, robust, reason) if loadings else None
    return Forbidden(frame, crossed, robust, _heading(frame, reason), _notes(frame, size, robust, reason))


def _unavailable(fit: Fit) -> str:
    if fit.options.missing in ("two_stage", "robust_two_stage"):
        return f"score tests of a fit in two stages (missing={fit.options.missing!r}) are not available. Use missing='fiml'."
    if fit.problem.moments.discrepancy != 0:
        return f"score tests need a likelihood, which estimator={fit.options.estimator!r} does not have. Use estimator='ML' or 'MLR'."
    return ""


def _tested(appraisal: Appraisal, claims: Sequence[Absent], sesoi: float, robust: bool, reason: str) -> pd.DataFrame:
    """Return the table of some absent parameters."""
    import pandas as pd

    names = construct_names(appraisal)
    told = [claim.claim(names) for claim in claims]
    frame = pd.DataFrame([(c.kind, t, c.lhs, c.op, c.rhs) for c, t in zip(claims, told, strict=True)], columns=["kind", "claim", "lhs", "op", "rhs"])
    epc, factor, error, likeness = _changes(appraisal.fit, claims, robust) if claims and not reason else _nothing(len(claims))
    std, se = epc * factor, error * np.abs(factor)
    width = float(ndtri(0.5 + 0.5 * appraisal.level)) * se
    same = np.abs(likeness) > 1.0 - 1e-6
    frame = frame.assign(epc=epc, std=std, se=se, ci_lower=std - width, ci_upper=std + width, x2=(std / se) ** 2)
    parts = []
    for kind in dict.fromkeys(frame["kind"]):
        at = np.flatnonzero(frame["kind"] == kind)
        found = judge_absences(std[at], se[at], sesoi, appraisal.alpha, same_direction(likeness[np.ix_(at, at)]))
        part = {"p": found.pvalue, "p_zero": found.p_zero, "p_equivalent": found.p_equivalent, "p_size": found.p_size, "sesoi": sesoi}
        part |= {"power": found.power, "mde": detectable(se[at], HIGH_POWER, appraisal.alpha), "verdict": list(found.verdict)}
        parts.append(pd.DataFrame(part | {"size_shown": found.size_shown, "conventional": list(found.conventional)}, index=at))
    frame = frame.join(pd.concat(parts)) if parts else frame.reindex(columns=[*frame.columns, *_JUDGED])
    frame["same_as"] = ["; ".join(other for k, other in enumerate(told) if row[k] and k != own) for own, row in enumerate(same)]
    frame["std_refit"] = np.nan
    frame["reason"] = reason
    if reason:
        frame["verdict"] = "no verdict"
    else:
        frame.loc[frame["std"].isna(), "reason"] = "not identified: the rest of the model can take its place"
    return frame


_JUDGED = ("p", "p_zero", "p_equivalent", "p_size", "sesoi", "power", "mde", "verdict", "size_shown", "conventional")


def _nothing(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    unknown = np.full(count, np.nan)
    return unknown, unknown, unknown, np.zeros((count, count))


def _changes(fit: Fit, claims: Sequence[Absent], robust: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return expected changes, the factors that standardize them, standard errors, and how alike the claims are."""
    added = {(c.row.lhs, c.row.op, c.row.rhs): c for c in added_cells(fit, "\n".join(claim.text for claim in claims))}
    additions = tuple(added[claim.lhs, claim.op, claim.rhs] for claim in claims)
    try:
        restrictions = restrictions_of(fit, additions)
        found = single_changes(score_at(fit, additions, restrictions, robust=robust))
    except IdentificationError:
        return _nothing(len(claims))
    own = slice(len(restrictions) - len(additions), None)
    factor = np.array([scale_factor(fit.model, c.block, fit.implied_blocks[c.block], c.cell, "std_all") for c in additions])
    return found.change[own], factor, found.se[own], found.likeness[own, own]


def _refitted(fit: Fit, claim: Any) -> float:
    """Return the standardized estimate of a parameter in the model that frees it; NaN if that has no admissible solution."""
    table = fit.model.table
    added = Row(claim.lhs, claim.op, claim.rhs, user=1)
    pair = {claim.lhs, claim.rhs}
    rows = tuple(row for row in table.rows if not (row.op == claim.op and {row.lhs, row.rhs} == pair and len(pair) == 2))
    try:
        found = refit(fit, ParameterTable((*rows, added), table.relations, table.group_labels, table.n_groups, table.n_levels))
    except TrustsemError:
        return float("nan")
    if not (found.converged and found.admissible and found.identified):
        return float("nan")
    standard = found.standardized_solution()
    return float(standard["est_std"].iloc[len(rows)])


def _heading(frame: pd.DataFrame, reason: str) -> str:
    arrows = int((frame["kind"] == "arrow").sum())
    text = f"What the theory forbids: {arrows} absent arrows and {len(frame) - arrows} absent residual covariances"
    if reason:
        return f"{text}; no verdicts"
    counted = ", ".join(f"{int((frame['verdict'] == name).sum())} {name}" for name in ("holds", "violated", "cannot tell"))
    return f"{text}: {counted}"


def _notes(frame: pd.DataFrame, size: float, robust: bool, reason: str) -> tuple[str, ...]:
    lines = [f"No verdicts: {reason}"] if reason else []
    if not len(frame):
        return (*lines, "Every pair of constructs is joined, so the theory forbids no arrow and no residual covariance.")
    lines += [ABSENCE_RULE, f"Smallest size of interest d = {size:g}: of arrows standardized, of residual covariances as correlations.", SCORE_NOTE]
    if not reason:
        lines.append("The tests are robust: right without normality." if robust else "The tests assume normality.")
    lines += _both_ways(frame)
    silent = frame[frame["reason"].str.startswith("not identified")]
    if len(silent):
        lines.append(f"Not identified, hence not tested: {', '.join(silent['claim'])}.")
    lines.append("Arrows back to an earlier construct are not tested: one wave cannot tell them from arrows forward.")
    return tuple(lines)


def _both_ways(frame: pd.DataFrame) -> list[str]:
    """Return the note on claims that are the same claim."""
    same = frame[(frame["kind"] == "arrow") & (frame["same_as"] != "")]
    groups = dict.fromkeys(frozenset((str(claim), *str(alike).split("; "))) for claim, alike in zip(same["claim"], same["same_as"], strict=True))
    told = [" = ".join(sorted(group)) for group in groups]
    return [f"Cannot be told apart, and counted once within a family: {'; '.join(told)}."] if told else []
