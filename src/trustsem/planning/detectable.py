"""The smallest effect that a design detects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from trustsem.display import wrap
from trustsem.errors import OptionError, TrustsemError
from trustsem.options import check_count
from trustsem.planning.asymptotic import expected
from trustsem.planning.claims import Claims, find_claims
from trustsem.planning.question import Question, batch_seed, tally
from trustsem.planning.setting import Setting, base_study, open_setting, share, unlabelled
from trustsem.populations.altering import alter
from trustsem.simulators import Generator
from trustsem.studies.design import Analysis
from trustsem.studies.run import run
from trustsem.studies.source import TheorySource

__all__ = ["DetectableEffect", "minimum_detectable_effect"]

_STEP, _CLOSE = 0.05, 1e-5


@dataclass(frozen=True)
class DetectableEffect:
    """The smallest effect that a design detects.

    Attributes
    ----------
    proposition : str
    effect : float or None
        Standardized; None if no possible effect is detected so often.
    n : int
    power : float
        That is wanted.
    alpha : float
    present : float
        What the effect is in the population given.
    simulated, mc_error : float
        Power at `effect` by simulation, with its Monte Carlo standard error; NaN if it was not simulated.
    replications : int
    reason : str
        Why there is none; empty if there is one.
    """

    proposition: str
    effect: float | None
    n: int
    power: float
    alpha: float
    present: float
    simulated: float = math.nan
    mc_error: float = math.nan
    replications: int = 0
    reason: str = ""

    def __repr__(self) -> str:
        head = f"Smallest effect of {self.proposition} that n = {self.n:,} detects with power {self.power:g} (alpha = {self.alpha:g})"
        if self.effect is None:
            return "\n".join([*wrap(head), *wrap(self.reason, indent="  ")])
        lines = [*wrap(head), f"  Standardized path {self.effect:.3f}, by large-sample theory; in the population given it is {self.present:.3f}"]
        if self.replications:
            lines.append(f"  Simulated power there {self.simulated:.3f} (Monte Carlo error {self.mc_error:.3f}), {self.replications:,} replications")
        return "\n".join(lines)


def minimum_detectable_effect(
    source: Any,
    proposition: str,
    n: int,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    generator: Generator | None = None,
    analysis: Analysis | None = None,
    preset: str = "calibrated",
    fixed: Mapping[str, Any] | None = None,
    check: int = 0,
    seed: int = 1,
    executor: Any = None,
) -> DetectableEffect:
    """Return the smallest standardized path that a design detects with a given power.

    Parameters
    ----------
    source : Theory or Population
        Everything but the path stays as it is: other standardized paths and all total variances.
    proposition : str
        A path: ``"Trust -> Outcomes"`` or ``"Outcomes~Trust"``.
    n : int
        Number of rows.
    power, alpha : float
    generator, analysis, preset, fixed, executor
        As for :func:`plan`.
    check : int
        Replications with which the power at the effect found is simulated; none by default.
    seed : int

    Returns
    -------
    DetectableEffect
        The effect has the sign that it has in the population.

    Raises
    ------
    OptionError
        For a proposition that is not a path of population and analysis, and other options that are not possible.

    Notes
    -----
    Power by large-sample theory (the Wald test at the exact moments, or at one large sample where these are not known), solved for the path.
    """
    check_count("n", n, 2)
    check_count("check", check, 0)
    share("power", power)
    share("alpha", alpha)
    chosen = replace(analysis or Analysis(standardized=True), measures=(), small_sample=False)
    base = base_study(source, generator=generator, analyses={"analysis": chosen}, preset=preset, seed=seed, n=int(n))
    setting = open_setting(base, "n", fixed, None)
    prepared = setting.prepared(n)
    if not isinstance(proposition, str) or proposition == "all":
        raise OptionError(f"proposition={proposition!r} is not one path. Give one, such as 'Trust -> Outcomes'.")
    claims = find_claims(proposition, base.source, prepared.analyses[0], zero=True)
    table = prepared.analyses[0].fitter.model.table
    names = dict(zip(table.parameter_names(), (row for row in table.rows if row.free), strict=True))
    row = names.get(claims.parameters[0])
    if row is None or row.op != "~":
        raise OptionError(f"proposition={proposition!r} is not a path, and only paths are varied. Give one, such as 'Trust -> Outcomes'.")
    varied = _Varied(setting, row.rhs, row.lhs, -1 if claims.truth[0] < 0 else 1)
    effect, reason = _solve(varied, claims, int(n), power, alpha)
    answer = DetectableEffect(claims.labels[0], effect, int(n), float(power), float(alpha), claims.truth[0], reason=reason)
    if effect is None or not check:
        return answer
    own = varied.at(effect)
    study = own.study([own.cell(n)], check, batch_seed(seed, 0))
    truth = Claims(claims.labels, claims.parameters, (effect,))
    found = tally(Question("power", truth, claims.parameters, alpha, "none"), float(n), run(study, executor=executor, progress=False), 0)
    rate = found.successes / check
    return replace(answer, simulated=rate, mc_error=math.sqrt(rate * (1.0 - rate) / check), replications=check)


@dataclass(frozen=True)
class _Varied:
    """A setting with one path at any value."""

    setting: Setting
    cause: str
    effect: str
    sign: int

    def at(self, value: float) -> Setting:
        """Return the setting with the path at a standardized value."""
        base, source = self.setting.base, self.setting.base.source
        if isinstance(source, TheorySource):
            variable = {node.name: node.variable for node in source.theory.nodes}
            for claim in source.theory.claims:
                if (variable[claim.cause], variable[claim.effect]) == (self.cause, self.effect):
                    return replace(self.setting, fixed={**self.setting.fixed, claim.path: value})
        population = alter(unlabelled(source.population({})), paths={f"{self.effect}~{self.cause}": value})
        own = {
            name: one if one.model is not None else replace(one, model=source.syntax, function=source.function) for name, one in base.analyses.items()
        }
        return replace(self.setting, base=replace(base, population=population, analyses=own))


def _solve(varied: _Varied, claims: Claims, n: int, power: float, alpha: float) -> tuple[float | None, str]:
    """Return the path with the wanted power, or why there is none."""
    from scipy.optimize import brentq

    def height(size: float) -> float:
        found = expected(varied.at(varied.sign * size), n, claims.parameters)
        return math.nan if found is None else float(found.power(n, alpha)[0]) - power

    low, best = 0.0, 0.0
    for step in range(1, round(1.0 / _STEP)):
        high = step * _STEP
        try:
            now = height(high)
        except TrustsemError:  # nothing is left unexplained: there is no such population
            break
        if math.isnan(now):
            break
        best = now + power
        if now >= 0.0:
            tiny = max(low, 1e-6)
            return varied.sign * (float(brentq(height, tiny, high, xtol=_CLOSE)) if height(tiny) < 0.0 else tiny), ""
        low = high
    return None, f"No possible effect is detected so often: the largest path looked at, {varied.sign * low:.2f}, has a power of {best:.3f}. Raise n=."
