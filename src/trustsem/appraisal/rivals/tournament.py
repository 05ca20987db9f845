"""The theory against each of its rivals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.rivals.contenders import THEORY, Contender, LineUp, RivalsOption, line_up, log_likelihood, no_likelihood
from trustsem.appraisal.rivals.nested import Standing, stand
from trustsem.appraisal.rivals.rival_words import describe, general_notes
from trustsem.appraisal.told import Told, records
from trustsem.appraisal.verdicts import judge
from trustsem.appraisal.withholding import require_appraisal
from trustsem.fitting.fit import Fit
from trustsem.inference.model_choice import class_weights
from trustsem.inference.multiplicity import holm_adjusted
from trustsem.theory import Theory

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["Tournament", "tournament"]

_SIGN = MappingProxyType({"+": 1, "-": -1})
_COLUMNS = (
    "id",
    "title",
    "relation",
    "test",
    "statistic",
    "df",
    "p",
    "p_holm",
    "apart_p",
    "aic_diff",
    "bic_diff",
    "bic_weight",
    "class",
    "flag",
    "verdict",
    "reason",
)
_MODELS = ("name", "title", "class", "npar", "df", "logl", "aic", "bic", "aic_weight", "bic_weight", "flag")
_ADDED = ("rival", "cause", "effect", "sign", "std", "std_se", "ci_lower", "ci_upper", "sesoi", "verdict", "size_shown")


@dataclass(frozen=True, eq=False, repr=False)
class Tournament(Told):
    """The theory against each of its rivals; prints itself.

    Attributes
    ----------
    frame : DataFrame
        One row per rival: ``id title relation test statistic df p p_holm apart_p aic_diff bic_diff bic_weight class flag verdict reason``.
        Differences are rival less theory (positive: the theory is better); `p_holm` is adjusted within the difference tests, and within Vuong's
        tests; `apart_p` belongs to Vuong's first test; `class` names the models that imply the same moments, and `bic_weight` is that of the
        class; `flag` says what is wrong with the rival's solution.
    models : DataFrame
        One row for the theory and each rival that could be fitted: ``name title class npar df logl aic bic aic_weight bic_weight flag``.
    added : DataFrame
        The rivals' own claims, judged as those of the theory are, with Holm's correction within each rival: ``rival cause effect sign std std_se
        ci_lower ci_upper sesoi verdict size_shown``.
    fits : mapping of str to Fit
        By name; the theory's is ``"theory"``.
    heading : str
    notes : tuple of str
    """

    frame: pd.DataFrame
    models: pd.DataFrame
    added: pd.DataFrame
    fits: Mapping[str, Fit]
    heading: str
    notes: tuple[str, ...]
    shown = ("id", "title", "relation", "test", "p_holm", "bic_diff", "bic_weight", "verdict")

    def to_dict(self) -> dict[str, Any]:
        """Return heading, rows, models, the rivals' own claims and notes as JSON knows them."""
        return {**super().to_dict(), "models": records(self.models), "added": records(self.added)}


def tournament(appraisal: Appraisal, rivals: RivalsOption = None) -> Tournament:
    """Compare a theory with its rivals.

    Parameters
    ----------
    appraisal : Appraisal
    rivals : mapping of str to Theory or str, or sequence of str, optional
        Rivals of your own beside those of the theory: theories or model text about the same observed variables, by name. Or the names of those of the
        theory's rivals that are wanted.

    Returns
    -------
    Tournament
        With a row for every rival, also for those that cannot be stated for these data, which says why. Without verdicts if the theory's own fit
        has none.

    Raises
    ------
    OptionError
        For rivals that are neither, or a name that is taken or does not exist.
    ModelSyntaxError
        For model text that cannot be read.

    Notes
    -----
    Which rule leads to which verdict is on the page about rivals. Nested models: the chi-square difference, scaled where the fits are; nesting is
    verified (Bentler & Satorra 2010, doi 10.1037/a0019625). Others: Vuong's tests (Merkle, You & Preacher 2016, doi 10.1037/met0000038). Nothing is
    simulated.
    """
    require_appraisal("tournament", appraisal)
    line = line_up(appraisal, rivals)
    standings: list[Standing | None] = [
        stand(line.theory, one.fit, appraisal.alpha) if one.fit is not None and one.usable else None for one in line.rivals
    ]
    models = _models(appraisal, line)
    frame = _frame(appraisal, line, standings, models)
    told = [f"{row['id']} ({row['title']}): {row['reason']}" for row in frame.to_dict("records")] if not appraisal.withheld else []
    notes = (*([f"No verdicts: {appraisal.withheld}"] if appraisal.withheld else []), *told, *line.notes, *general_notes(line, models))
    heading = f"{appraisal.theory.title}: the theory against {len(line.rivals)} rivals"
    return Tournament(frame, models, _added(appraisal, line), MappingProxyType(line.fits), heading, tuple(notes))


def _models(appraisal: Appraisal, line: LineUp) -> pd.DataFrame:
    """Return one row for each model that may be compared."""
    import pandas as pd

    titles = {THEORY: appraisal.theory.title, **{one.name: one.title for one in line.rivals}}
    rows = []
    for name, fit in ({} if appraisal.withheld else line.fits).items():
        logl = log_likelihood(fit)
        aic, bic = (-2.0 * logl + penalty * fit.npar for penalty in (2.0, math.log(fit.nobs)))
        head = line.classes[name]
        rows.append((name, titles[name], line.members(head), fit.npar, fit.df, logl, aic, bic, math.nan, math.nan, _flag(fit)))
    frame = pd.DataFrame(rows, columns=list(_MODELS))
    heads = list(dict.fromkeys(frame["class"]))
    classes = np.array([heads.index(each) for each in frame["class"]], dtype=np.int64)
    for name in ("aic", "bic"):
        frame[f"{name}_weight"] = class_weights(frame[name].to_numpy(float), classes)
    return frame


def _flag(fit: Fit | None) -> str:
    """Return what is wrong with a solution, in a few words."""
    if fit is None:
        return ""
    if not fit.converged:
        return "not converged"
    if not fit.identified:
        return "not identified"
    return "" if fit.admissible else "inadmissible"


def _frame(appraisal: Appraisal, line: LineUp, standings: list[Standing | None], models: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    known = {str(row["name"]): row for row in models.to_dict("records")}
    holm = np.full(len(standings), np.nan)
    for family in ("difference", "Vuong"):
        places = [k for k, each in enumerate(standings) if each is not None and each.test == family]
        holm[places] = holm_adjusted(np.array([each.pvalue for each in standings if each is not None and each.test == family]))
    rows = []
    for one, standing, adjusted in zip(line.rivals, standings, holm.tolist(), strict=True):
        model = known.get(one.name)
        gaps = {f"{name}_diff": math.nan if model is None else float(model[name] - known[THEORY][name]) for name in ("aic", "bic")}
        verdict, reason = describe(one, standing, adjusted, gaps["bic_diff"], appraisal.alpha, appraisal.withheld, no_likelihood(line.theory))
        each = standing or Standing("")
        rows.append(
            {
                "id": one.name,
                "title": one.title,
                "relation": each.relation,
                "test": each.test,
                "statistic": each.statistic,
                "df": each.df,
                "p": each.pvalue,
                "p_holm": adjusted,
                "apart_p": each.apart_pvalue,
                **gaps,
                "bic_weight": math.nan if model is None else float(model["bic_weight"]),
                "class": "" if model is None else model["class"],
                "flag": _flag(one.fit),
                "verdict": verdict,
                "reason": reason,
            }
        )
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _added(appraisal: Appraisal, line: LineUp) -> pd.DataFrame:
    """Return the claims of the rivals that the theory does not make, judged."""
    import pandas as pd

    mine = {(claim.cause, claim.effect) for claim in appraisal.theory.claims}
    rows: list[tuple[Any, ...]] = []
    for one in line.rivals:
        if one.theory is not None and one.usable and one.fit is not None and line.classes[one.name] != THEORY:
            rows += _judged(one, one.theory, mine, appraisal)
    return pd.DataFrame(rows, columns=list(_ADDED))


def _judged(one: Contender, theory: Theory, mine: set[tuple[str, str]], appraisal: Appraisal) -> list[tuple[Any, ...]]:
    claims = [claim for claim in theory.claims if (claim.cause, claim.effect) not in mine and claim.sign in _SIGN]
    if not claims or one.fit is None:
        return []
    names = {node.name: node.variable for node in theory.nodes}
    table = one.fit.standardized_solution(level=appraisal.level)
    paths = table[table["op"] == "~"].set_index(["lhs", "rhs"])
    found = paths.loc[[(names[claim.effect], names[claim.cause]) for claim in claims]]
    estimate, se = found["est_std"].to_numpy(float), found["se"].to_numpy(float)
    sizes = np.array([claim.sesoi for claim in claims])
    verdicts, shown = ["no verdict"] * len(claims), [False] * len(claims)
    if np.all(np.isfinite(se)) and np.all(se > 0.0):
        judged = judge(estimate, se, sizes, [_SIGN[claim.sign] for claim in claims], appraisal.alpha)
        verdicts, shown = list(judged.verdict), [bool(each) for each in judged.size_shown]
    ends = zip(found["ci_lower"], found["ci_upper"], strict=True)
    return [
        (one.name, claim.cause, claim.effect, claim.sign, float(b), float(error), float(low), float(high), claim.sesoi, verdict, size)
        for claim, b, error, (low, high), verdict, size in zip(claims, estimate, se, ends, verdicts, shown, strict=True)
    ]
