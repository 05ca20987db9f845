"""How much is needed of what makes data informative, found by simulation with a stated error, with the answer of large-sample theory beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from trustsem.errors import OptionError
from trustsem.options import check_count, choose
from trustsem.planning.answer import Plan, level_row
from trustsem.planning.asymptotic import moments_fit
from trustsem.planning.claims import find_claims
from trustsem.planning.curve import Curve, Tally
from trustsem.planning.question import ADJUSTMENTS, GOALS, Question, chosen_goal, simulate_levels, workers
from trustsem.planning.rough import Rough, rough_choice, rough_claims
from trustsem.planning.search import Found, Task, first_levels, prior_for, search
from trustsem.planning.setting import Setting, base_study, number, open_setting, share
from trustsem.simulators import Generator
from trustsem.studies.design import Analysis
from trustsem.studies.prepare import PreparedCondition
from trustsem.theory import Theory

__all__ = ["plan"]

_Z = 1.959964


def plan(
    source: Any,
    proposition: str | Sequence[str] | None = None,
    *,
    power: float = 0.8,
    over: str = "n",
    goal: str = "power",
    target: float | None = None,
    rival: str | Theory | None = None,
    generator: Generator | None = None,
    analysis: Analysis | None = None,
    preset: str = "calibrated",
    start: float | None = None,
    limits: Sequence[float] | None = None,
    precision: float = 0.01,
    alpha: float = 0.05,
    adjust: str = "none",
    fixed: Mapping[str, Any] | None = None,
    most: int = 20_000,
    seed: int = 1,
    executor: Any = None,
    progress: bool | None = False,
) -> Plan:
    """Find how many people (or teams, waves, ...) are needed.

    Parameters
    ----------
    source : Theory or Population
        What is taken to be true.
    proposition : str or sequence of str, optional
        ``"Trust -> Outcomes"``, the number of a claim (``"P3"``), or a parameter such as ``"Outcomes~Trust"``; several, or ``"all"`` (the default):
        all of them have to be significant in the same sample.
    power : float
        Share of samples in which that should be so (``goal="model_choice"``: in which the right model has the lower BIC).
    over : str
        What is to be found: ``"n"``, ``"teams"`` or ``"size"`` of a generator with teams (the number of rows follows), or any other factor of a
        :class:`Study`, such as ``"Missing.rate"``; those need `limits`, and are whole numbers if these are.
    goal : {"power", "ci_width", "model_choice"}
        Significance in the true direction; average width of the intervals; or choice between the analysis and `rival` by BIC.
    target : float, optional
        For ``goal="ci_width"``: the average width at which each interval should be. Its level is 1 - alpha.
    rival : str or Theory, optional
        For ``goal="model_choice"``: the other model.
    generator : Generator, optional
        Multivariate normal by default.
    analysis : Analysis, optional
        Standardized estimates of the model of the population by maximum likelihood by default.
    preset : str
        Of a theory.
    start : float, optional
        Where to begin; what large-sample theory says by default.
    limits : (float, float), optional
        Lowest and highest value to look at.
    precision : float
        Largest Monte Carlo standard error of the power (of the width: relative) at the answer. Half the interval of the answer, relative to it, is at
        most ten times as much.
    alpha : float
        Level of the two-sided tests.
    adjust : {"none", "holm"}
        Whether p-values are adjusted for all propositions, as :func:`appraise` does.
    fixed : mapping of str to value, optional
        Other factors of the study that are not as usual.
    most : int
        Largest number of replications.
    seed : int
    executor : optional
        As for :func:`run`. The answer does not depend on it.
    progress : bool, optional
        As for :func:`run`, for each batch.

    Returns
    -------
    Plan

    Raises
    ------
    OptionError
        For options that are not possible, and for propositions whose value in the population is 0.
    TrustsemError
        If the population or the model is impossible.

    Notes
    -----
    Stochastic root finding: batches of replications near the current solution, a probit curve (of the logarithm of widths: a line) through those near
    the target, and the next batch where it crosses the target, until the errors are small enough. The interval is by the delta method; errors are
    enlarged if levels scatter around the curve more than chance allows. Every batch is a :class:`Study` with a seed of its own.
    """
    goal, adjust = choose("goal", goal, GOALS), choose("adjust", adjust, ADJUSTMENTS)
    chosen_goal(goal, adjust, {"target": target, "rival": rival, "proposition": proposition})
    wanted = number("target", target) if goal == "ci_width" else share("power", power)
    share("alpha", alpha)
    number("precision", precision)
    check_count("most", most, 500)
    analyses = _analyses(analysis or Analysis(standardized=True), rival)
    setting = open_setting(base_study(source, generator=generator, analyses=analyses, preset=preset, seed=seed), over, fixed, limits)
    question, variables = _question(setting, goal, proposition, alpha, adjust, limits)
    low, high = setting.limits(limits, variables)
    rough = (rough_choice if goal == "model_choice" else rough_claims)(setting, question, wanted, (low, high))
    begin = rough.level if start is None else number("start", start)
    scale, link = ("sqrt" if setting.growing else "plain", "probit") if goal != "ci_width" else ("log" if setting.growing else "plain", "log")
    linked = math.log(wanted) if link == "log" else Curve(scale, link, 0.0, (0.0, 1.0), ((1.0, 0.0), (0.0, 1.0))).linked(wanted)
    prior = prior_for(begin, rough.slope, linked, (low, high), scale, link)
    task = Task(wanted, link, scale, (low, high), setting.whole, precision, most, prior, first_levels(begin, (low, high), scale))
    with workers(executor) as lent:
        found = search(task, lambda levels, count, batch: simulate_levels(setting, question, levels, count, batch, lent, progress))
    return _answered(setting, question, task, found, rough)


def _analyses(analysis: Analysis, rival: str | Theory | None) -> dict[str, Analysis]:
    """Return the analyses of every replication; only what is used of their fit measures is computed."""
    if rival is None:
        return {"analysis": replace(analysis, measures=(), small_sample=False)}
    # A likelihood given the covariates cannot be compared between models that have other covariates.
    options = {"fixed_x": False, **analysis.options}
    own = replace(analysis, measures=("bic",), small_sample=False, options=options)
    return {"analysis": own, "rival": replace(own, model=rival, function="sem")}


def _question(setting: Setting, goal: str, proposition: Any, alpha: float, adjust: str, limits: Sequence[float] | None) -> tuple[Question, int]:
    """Return the question, and the number of observed variables."""
    # The size of the example does not matter: it is where names and true values are read.
    low, high = setting.limits(limits, 100)
    prepared = setting.prepared(high if setting.growing and limits is not None else low)
    analysis = prepared.analyses[0]
    if goal == "model_choice":
        _refuse_wrong_model(prepared)
        return Question(goal, None, (), alpha, adjust), len(analysis.fitter.observed)
    source = setting.base.source
    claims = find_claims(proposition, source, analysis, zero=goal == "ci_width")
    family = claims.parameters
    if adjust == "holm":
        family = tuple(dict.fromkeys(find_claims(None, source, analysis, zero=True).parameters + claims.parameters))
    return Question(goal, claims, family, alpha, adjust), len(analysis.fitter.observed)


def _refuse_wrong_model(prepared: PreparedCondition) -> None:
    """Refuse to call a model right that is not true in the population, such as a theory with the preset of a rival."""
    found = moments_fit(prepared, prepared.analyses[0])
    if found is not None and found.estimate.discrepancy > 1e-6:
        raise OptionError(
            "goal='model_choice' asks how often the right model wins, but the model of the analysis is not true in this population. Choose a preset= "
            "that belongs to it, or give the true model as analysis=Analysis(model=...) and the other one as rival=."
        )


def _answered(setting: Setting, question: Question, task: Task, found: Found, rough: Rough) -> Plan:
    """Return what was found as a plan."""
    answer: int | float | None = None
    interval = None
    if found.at is not None:
        rising = (found.curve.coefficients[1] > 0) == (task.link == "probit")
        to_level: Callable[[float], float] = partial(_rounded, rising=rising) if setting.whole else float
        answer = to_level(found.at)
        if found.end != "at the limit":
            ends = found.curve.interval(task.target, _Z)
            interval = (float(to_level(ends[0])), float(to_level(ends[1])))
    value, error = _best(task, found) if answer is None else found.curve.value(float(answer))
    near = _around(found.tallies, float(answer) if answer is not None else None)
    return Plan(
        what=_what(setting, question),
        over=setting.over,
        goal=question.goal,
        target=task.target,
        alpha=question.alpha,
        answer=answer,
        interval=interval,
        power=value,
        mc_error=error * (value if task.link == "log" and answer is not None else 1.0),
        convergence=sum(one.converged for one in near) / sum(one.replications for one in near),
        analytic=rough.answer,
        analytic_note=rough.note,
        reason=_reason(setting, task, found, value, error),
        limits=task.limits,
        tallies=found.tallies,
        fitted=found.curve,
        rows=None if answer is None else setting.rows(float(answer)),
    )


def _rounded(level: float, *, rising: bool) -> int:
    """Return the whole level on the side where the target is met; 1e-9 is rounding."""
    return math.ceil(level - 1e-9) if rising else math.floor(level + 1e-9)


def _what(setting: Setting, question: Question) -> str:
    if question.claims is None:
        return "the right model has the lower BIC"
    if question.goal == "ci_width":
        return question.claims.text
    return f"{question.claims.text}, significant{' after the adjustment of Holm' if question.adjust == 'holm' else ''}"


def _around(tallies: Sequence[Tally], answer: float | None) -> list[Tally]:
    """Return the batches nearest to the answer: those that are as near as one in ten, or the nearest one."""
    if answer is None:
        return list(tallies)
    gaps = [abs(one.level - answer) for one in tallies]
    return [one for one, gap in zip(tallies, gaps, strict=True) if gap <= max(0.1 * abs(answer), min(gaps))]


def _best(task: Task, found: Found) -> tuple[float, float]:
    """Return the best value seen at a level, and its standard error."""
    rows = [
        level_row("level", "ci_width" if task.link == "log" else "power", level, [one for one in found.tallies if one.level == level])
        for level in {one.level for one in found.tallies}
    ]
    best = (min if task.link == "log" else max)((row for row in rows if not math.isnan(row["value"])), key=lambda row: row["value"])
    return best["value"], best["mc_error"]


def _reason(setting: Setting, task: Task, found: Found, value: float, error: float) -> str:
    low, high = (f"{limit:g}" for limit in task.limits)
    what = "average width" if task.link == "log" else "rate"
    if found.end == "at the limit":
        return f"The target is met already at the limit {setting.over} = {found.at:g}. Widen limits= to find the answer beyond it."
    if found.end == "unreachable":
        return (
            f"The target is not reached for {setting.over} between {low} and {high}: the best {what} seen is {value:.3f} (Monte Carlo error "
            f"{error:.3f}), with a target of {task.target:g}. Widen limits=, ask for less, or change the design (items, generator=, analysis=)."
        )
    if found.end == "undecided":
        return f"After {task.most} replications it is not clear whether the target is reached within the limits. Raise most=, or precision=."
    if found.end == "out of replications":
        return f"The errors are larger than precision={task.precision:g} asks for: the limit of {task.most} replications was reached. Raise most=."
    return ""
