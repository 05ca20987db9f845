"""What a comparison of roles says, in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from trustsem.appraisal.told import Told
from trustsem.display import number
from trustsem.fitting.fit import Fit
from trustsem.fitting.invariance import Invariance
from trustsem.theory import Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Answers", "RoleAnswers", "answer_roles"]


class RoleAnswers(NamedTuple):
    """What the answers are drawn from; see :class:`trustsem.appraisal.groups.roles.Roles`."""

    theory: Theory
    fit: Fit
    invariance: Invariance | None
    untested: str
    omnibus: pd.DataFrame
    frame: pd.DataFrame
    means: Told | None
    has_profiles: bool
    withheld: str
    alpha: float


class Answers(NamedTuple):
    """The answers to the three questions, and what limits them."""

    sentences: tuple[str, ...]
    limits: tuple[str, ...]


def answer_roles(found: RoleAnswers) -> Answers:
    """Return the answers; where invariance is rejected they say that they are not licensed."""
    if found.withheld:
        return Answers((), ())
    sentences = (f"Same way? {_same_way(found)}", f"Practised how? {_practised(found)}", f"Who less? {_who_less(found)}")
    return Answers(sentences, tuple(_limits(found)))


def _p(value: float) -> str:
    return "p < .001" if value < 0.001 else f"p = {number(value)}"


def _step(found: RoleAnswers, level: str) -> float:
    """Return the p-value of the step to a level of invariance; NaN if it was not tested."""
    if found.invariance is None or level not in found.invariance.frame.index:
        return math.nan
    return float(found.invariance.frame["pvalue_diff"].to_dict()[level])


def _same_way(found: RoleAnswers) -> str:
    test, asked = found.omnibus.to_dict("records")[0], found.frame[found.frame["asked"]]
    about = " and ".join(dict.fromkeys(asked["effect"]))
    shown = f"chi-square({test['df_diff']:g}) = {number(test['chisq_diff'])}, {_p(test['pvalue'])}"
    rejected = test["pvalue"] < found.alpha
    if math.isnan(test["pvalue"]):
        text = f"That the paths from the strategies to {about} are equal over groups could not be tested as a whole."
    elif rejected:
        text = f"No: that the paths from the strategies to {about} are equal over groups is rejected ({shown})."
    elif (asked["p_same"] < found.alpha).all():
        text = f"Yes: the paths from the strategies to {about} differ by less than the smallest difference of interest ({shown} for equality)."
    else:
        text = f"Not decided: equal paths from the strategies to {about} are not rejected ({shown}), nor are differences of interest ruled out."
    single = [row for row in asked.to_dict("records") if row["verdict"].startswith("differs")]
    for row in single:
        text += f" {row['cause']} -> {row['effect']} differs by up to {number(abs(row['gap']))} ({_p(row['p_equal'])})."
    if rejected and not single:
        text += " Which path differs is not shown: no single one is, after adjustment."
    metric = _step(found, "metric")
    if metric < found.alpha:
        text += (
            f" This is not licensed as it stands: equal loadings are rejected ({_p(metric)}), so paths may differ because items mean other things."
        )
    return text


def _practised(found: RoleAnswers) -> str:
    if found.has_profiles:
        return "See the profile of strategies of every group below."
    if not found.theory.practices:
        return "The theory lists no single strategies."
    return "Ask with profile=True, or ts.strategy_profile(theory.with_strategies('predictors'), rows of one group)."


def _who_less(found: RoleAnswers) -> str:
    if found.means is None:
        return "The data have no means, or none that can be compared."
    explained = list(dict.fromkeys(found.frame.loc[found.frame["asked"], "effect"]))
    rows = found.means.frame[found.means.frame["construct"].isin(explained)]
    shown = rows[rows["p_holm"] < found.alpha]
    parts = [
        f"{row['group']} {'lower' if row['d'] < 0.0 else 'higher'} in {row['construct']} than {row['reference']}, by d = {number(row['d'])} "
        f"({number(row['d_ci_lower'])} to {number(row['d_ci_upper'])})"
        for row in shown.to_dict("records")
    ]
    names = " and ".join(explained)
    text = f"{'; '.join(parts)}." if parts else f"No group is shown to differ from {rows['reference'].iloc[0]} in {names}."
    failed = [(what, p) for what, p in (("loadings", _step(found, "metric")), ("intercepts", _step(found, "scalar"))) if p < found.alpha]
    if failed:
        text += f" This is not licensed as it stands: equal {failed[0][0]} are rejected ({_p(failed[0][1])}), so means may differ because answers do."
    return text


def _limits(found: RoleAnswers) -> list[str]:
    lines = []
    if found.invariance is None:
        lines.append(found.untested)
    else:
        failed = next((level for level in ("metric", "scalar") if _step(found, level) < found.alpha), "")
        if failed:
            first = found.invariance.suggestions(failed).sort_values("x2", ascending=False).iloc[0]
            lines.append(
                f"The {failed} step fails most at {first['parameter']} (score test {number(first['x2'])}, Holm-adjusted {_p(first['pvalue_holm'])}). "
                f"Releasing it, group_partial=[{first['parameter']!r}], is a choice after looking: say so, or test it on other data."
            )
    smallest = min(block.n for block in found.fit.sample.blocks)
    lines.append(f"Groups were not assigned: what differs between them may be due to who is in them. The smallest has {smallest} rows.")
    return lines
