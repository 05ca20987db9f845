"""Which of several designs gives most power for the same money: more people, more teams, or fewer questions for each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from trustsem.errors import OptionError, TrustsemError
from trustsem.options import check_count
from trustsem.planning.asymptotic import expected
from trustsem.planning.claims import Claims, find_claims
from trustsem.planning.costs import BestDesign, Costed, CostModel
from trustsem.planning.question import significant, workers
from trustsem.planning.setting import Setting, base_study, number, open_setting, share
from trustsem.simulators import Generator, Wrapper, chain, with_options
from trustsem.studies.design import Analysis
from trustsem.studies.run import run

__all__ = ["best_design"]

_OWN = ("generator", "analysis", "items", "waves")  # what a design may say beside factors of the study
_LARGEST = 200_000
_EXAMPLE = 600


def best_design(
    source: Any,
    proposition: str | Sequence[str] | None = None,
    *,
    budget: float,
    cost: CostModel,
    designs: Mapping[str, Mapping[str, Any]],
    generator: Generator | None = None,
    analysis: Analysis | None = None,
    preset: str = "calibrated",
    alpha: float = 0.05,
    simulate: int = 3,
    replications: int = 1000,
    seed: int = 1,
    executor: Any = None,
) -> BestDesign:
    """Return the design with most power for a budget.

    Parameters
    ----------
    source, proposition, preset, alpha, executor
        As for :func:`plan`. What counts is the smallest power over the propositions.
    budget : float
    cost : CostModel
    designs : mapping of str to mapping
        By name: factors of a :class:`Study` (``{"n": 300}``, ``{"Clustered.size": 5}``), and what differs of ``generator`` and ``analysis``. Without
        ``n``, as many people as the budget allows. Teams are counted from the data. ``items`` (questions that a person is asked) are the observed
        variables, less those that planned missing forms leave out; ``waves`` is 1 unless it is given.
    generator, analysis : optional
        Of designs that do not have their own.
    simulate : int
        How many designs to simulate: the best ones by large-sample theory, besides those that it says nothing about.
    replications : int
        Of each.
    seed : int
        The same for all designs.

    Returns
    -------
    BestDesign

    Raises
    ------
    OptionError
        For designs, budgets and costs that are not possible.
    """
    number("budget", budget)
    share("alpha", alpha)
    check_count("simulate", simulate, 1)
    check_count("replications", replications, 10)
    if not isinstance(cost, CostModel):
        raise OptionError(f"cost={cost!r} is no cost model. Give one such as `CostModel(per_person=20)`.")
    if not isinstance(designs, Mapping) or not designs or not all(isinstance(one, Mapping) for one in designs.values()):
        raise OptionError(f"designs={designs!r} is not possible. Give options by name, such as designs={{'short': {{'n': 300}}, 'long': {{}}}}.")
    screened: list[tuple[Costed, Setting, Claims]] = []
    dropped: list[Costed] = []
    for name, options in designs.items():
        own = _analysis(options.get("analysis", analysis))
        base = base_study(source, generator=options.get("generator", generator), analyses={"analysis": own}, preset=preset, seed=seed)
        factors = {key: value for key, value in options.items() if key not in (*_OWN, "n")}
        setting = open_setting(base, "n", factors, None)
        costed = _costed(name, setting, options, cost, float(budget))
        if costed.reason:
            dropped.append(costed)
            continue
        claims = find_claims(proposition, base.source, setting.prepared(costed.n).analyses[0])
        found = expected(setting, costed.n, claims.parameters)
        analytic = math.nan if found is None else float(found.power(costed.n, alpha).min())
        screened.append((replace(costed, analytic=analytic), setting, claims))
    screened.sort(key=lambda one: (not math.isnan(one[0].analytic), -one[0].analytic if not math.isnan(one[0].analytic) else 0.0))
    unknown = sum(math.isnan(one[0].analytic) for one in screened)
    done = []
    with workers(executor) as lent:
        for costed, setting, claims in screened[: simulate + unknown]:
            done.append(_simulated(costed, setting, claims, alpha, replications, seed, lent))
    done.sort(key=lambda one: -one.power)
    rest = [replace(one[0], reason="Large-sample theory ranks it below those simulated.") for one in screened[simulate + unknown :]]
    close = tuple(one.design for one in done[1:] if done[0].power - one.power < 2.0 * math.hypot(one.mc_error, done[0].mc_error))
    return BestDesign(done[0].design if done else None, float(budget), (*done, *rest, *dropped), float(alpha), replications, close)


def _analysis(analysis: Analysis | None) -> Analysis:
    return replace(analysis or Analysis(standardized=True), measures=(), small_sample=False)


def _costed(name: str, setting: Setting, options: Mapping[str, Any], cost: CostModel, budget: float) -> Costed:
    """Return a design with as many people as are affordable, or as it says."""
    waves = options.get("waves", 1)
    check_count("waves", waves, 1)
    items = float(number("items", options["items"])) if "items" in options else _asked(setting)

    def at(n: int) -> Costed:
        teams = _teams(setting, n)
        return Costed(name, n, teams, items, int(waves), cost.cost(n, teams, items, waves))

    if "n" in options:
        check_count("n", options["n"], 2)
        found = at(int(options["n"]))
        over = f"It costs {found.cost:,g}, more than the budget of {budget:,g}."
        return found if found.cost <= budget else replace(found, reason=over)
    low = len(setting.prepared(_EXAMPLE).analyses[0].fitter.observed) + 5
    try:
        smallest = at(low)
    except TrustsemError:  # fewer people than teams
        low = _EXAMPLE
        smallest = at(low)
    if smallest.cost > budget:
        return replace(smallest, reason=f"Even {low} people cost {smallest.cost:,g}, more than the budget of {budget:,g}.")
    high = low
    while at(high).cost <= budget and high < _LARGEST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at(middle).cost <= budget else (low, middle)
    return at(low)


def _teams(setting: Setting, n: int) -> int:
    """Return the number of teams among n rows."""
    names = [name for name in (getattr(one, "team", None) for one in chain(setting.base.generator)) if isinstance(name, str)]
    if not names:
        return 0
    rows = setting.prepared(n).sampler.rows(n, np.random.default_rng(0))
    return len(np.unique(rows.extra[names[0]])) if names[0] in rows.extra else 0


def _asked(setting: Setting) -> float:
    """Return the number of questions that a person is asked on average: without those that forms leave out."""
    prepared = setting.prepared(_EXAMPLE)
    count = float(len(prepared.sampler.rows(_EXAMPLE, np.random.default_rng(0)).names))
    population = setting.base.source.population({name: value for name, value in setting.fixed.items() if name in setting.base.source.factors()})
    for one in chain(_generator(setting)):
        if isinstance(one, Wrapper) and hasattr(one, "forms"):
            there = [np.isfinite(each.prepare(population).rows(_EXAMPLE, np.random.default_rng(0)).values).mean() for each in (one, one.inner)]
            count *= float(there[0] / there[1])
    return count


def _generator(setting: Setting) -> Generator:
    """Return the generator with the factors that are fixed."""
    changes: dict[str, dict[str, Any]] = {}
    options = setting.base.options()
    for name, value in setting.fixed.items():
        if name in options:
            kind, option = options[name]
            changes.setdefault(kind, {})[option] = value
    return with_options(setting.base.generator, changes)


def _simulated(costed: Costed, setting: Setting, claims: Claims, alpha: float, replications: int, seed: int, executor: Any) -> Costed:
    study = setting.study([setting.cell(costed.n)], replications, seed)
    result = run(study, executor=executor, chunk_size=25, progress=False)
    found = result.outcomes(0)
    rates = significant(found, result.layout[0].analyses[0].parameters, claims, alpha).mean(axis=0)
    weakest = int(np.argmin(rates))
    rate = float(rates[weakest])
    error = math.sqrt(rate * (1.0 - rate) / replications)
    return replace(costed, power=rate, mc_error=error, weakest=claims.labels[weakest], converged=float(found.converged.mean()))
