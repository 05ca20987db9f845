"""Verdicts on rivals, in a token and in a sentence.

==================  =========================================================================================================================
verdict             when
==================  =========================================================================================================================
refused             the rival cannot be stated for these data, is about other data, or cannot be fitted
no verdict          the theory's fit, or the rival's, gives none (not converged, not identified)
equivalent          both imply the same moments: no data of this kind can choose
rival preferred     the theory is nested in the rival and the difference test rejects the theory; or Vuong's tests and BIC are for the rival
theory preferred    the rival is nested in the theory and the test rejects the rival; or Vuong's tests and BIC are for the theory
not needed          the theory is nested in the rival and is not rejected: the rival's additional parameters are not shown to be needed
suffices            the rival is nested in the theory and is not rejected: what the theory has more is not shown to be needed
undecided           neither nested, and the tests do not choose
==================  =========================================================================================================================
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trustsem.appraisal.rivals.contenders import Contender, LineUp
from trustsem.appraisal.rivals.nested import EQUIVALENT, RIVAL_GENERAL, Standing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["describe", "general_notes"]


def describe(
    one: Contender, standing: Standing | None, adjusted: float, bic_diff: float, alpha: float, withheld: str, no_likelihood: str
) -> tuple[str, str]:
    """Return the verdict on a rival and the reason for it.

    Parameters
    ----------
    one : Contender
    standing : Standing or None
        None if the rival was not compared.
    adjusted : float
        Holm-adjusted p-value.
    bic_diff : float
        Rival less theory; NaN without a likelihood.
    alpha : float
    withheld : str
        Why the theory's fit gives no verdicts; empty if it does.
    no_likelihood : str
        Why there is no likelihood; empty if there is one.
    """
    if one.refusal:
        return "refused", one.refusal
    if withheld:
        return "no verdict", f"The theory's own fit gives no verdicts: {withheld}"
    if standing is None:
        fit = one.fit
        why = "did not converge" if fit is None or not fit.converged else f"is not identified by these data ({', '.join(fit.not_identified)})"
        return "no verdict", f"The rival {why}."
    verdict, reason = _judged(one, standing, adjusted, bic_diff, alpha)
    if one.equivalent and standing.relation != EQUIVALENT:
        reason += " The theory states that the two imply the same covariances, but as fitted here they do not."
    if one.fit is not None and not one.fit.admissible:
        reason += f" The rival's solution is inadmissible: {'; '.join(one.fit.inadmissible)}."
    criterion = "" if standing.relation == EQUIVALENT else _bic(bic_diff) or (no_likelihood and f"No BIC: {no_likelihood}")
    return verdict, " ".join(part for part in (reason, criterion, standing.caveat) if part)


def _judged(one: Contender, standing: Standing, adjusted: float, bic_diff: float, alpha: float) -> tuple[str, str]:
    if standing.relation == EQUIVALENT:
        return (
            "equivalent",
            one.equivalent or "Rival and theory imply the same moments. No data of this kind can choose between them; fit says nothing.",
        )
    if standing.test == "difference":
        return _of_difference(one, standing, adjusted, alpha)
    if standing.test == "Vuong":
        return _of_vuong(standing, adjusted, bic_diff, alpha)
    return "undecided", f"There is no test ({standing.relation})."


def _of_difference(one: Contender, standing: Standing, adjusted: float, alpha: float) -> tuple[str, str]:
    if math.isnan(adjusted):
        return "undecided", "The difference test does not exist here."
    test = f"chi-square difference({standing.df:g}) = {standing.statistic:.2f}, adjusted {_p(adjusted)}"
    general = standing.relation == RIVAL_GENERAL
    if adjusted < alpha:
        loser, winner = ("theory", "rival") if general else ("rival", "theory")
        return f"{winner} preferred", f"What the {loser} fixes and the {winner} leaves free is rejected ({test})."
    if general:
        more = "" if one.theory is None else " That does not show that it is absent: `added` has its size."
        return "not needed", f"What the rival adds is not shown to be needed ({test}).{more}"
    return "suffices", f"The rival says less, and is not rejected ({test})."


def _of_vuong(standing: Standing, adjusted: float, bic_diff: float, alpha: float) -> tuple[str, str]:
    if math.isnan(standing.pvalue):
        return "undecided", f"These data cannot tell the two apart (Vuong's variance test, {_p(standing.apart_pvalue)})."
    closer = "theory" if standing.statistic > 0.0 else "rival"
    test = f"Vuong's z = {standing.statistic:.2f}, adjusted {_p(adjusted)}"
    if adjusted >= alpha:
        return "undecided", f"The two can be told apart, but neither is shown to be closer to the data ({test})."
    if (bic_diff > 0.0) != (closer == "theory"):
        return "undecided", f"The {closer} is closer to the data ({test}), but not by BIC, which counts parameters."
    return f"{closer} preferred", f"The {closer} is closer to the data ({test})."


def _bic(bic_diff: float) -> str:
    if math.isnan(bic_diff):
        return ""
    return f"BIC is lower for the {'theory' if bic_diff > 0.0 else 'rival'}, by {abs(bic_diff):.1f}."


def _p(value: float) -> str:
    return "p < .001" if value < 0.0005 else f"p = {value:.3f}"


def general_notes(line: LineUp, models: pd.DataFrame) -> list[str]:
    """Return what holds for all of the comparisons."""
    rows = models.to_dict("records")
    if not rows:
        return []
    notes = ["p-values are Holm-adjusted within the difference tests and within Vuong's tests."]
    if any(math.isnan(row["bic"]) for row in rows):
        return notes
    own, best = rows[0], min(rows, key=lambda row: float(row["bic"]))
    notes.append(
        f"Weights of BIC: {own['bic_weight']:.3f} for the theory ({own['class']}), best is {best['class']} with {best['bic_weight']:.3f}. "
        "Models that imply the same share one weight."
    )
    block, nobs = line.theory.sample.blocks[0], line.theory.nobs
    if block.clusters is not None:
        teams = int(block.clusters.max()) + 1
        other = min(rows, key=lambda row: float(row["bic"]) + math.log(teams / nobs) * row["npar"])
        same = "the same model is" if other["class"] == best["class"] else f"{other['class']} is"
        notes.append(
            f"BIC counts the {nobs} rows as observations and their likelihood as that of independent rows; rows of a team are alike, so "
            f"that weights look surer than they are. If the {teams} teams were counted instead, {same} best."
        )
    return notes
