"""Trials of strategies: who gets them, how much of them, and when."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from trustsem.errors import OptionError, closest
from trustsem.kernels.structure import Reals
from trustsem.model.population import Moments, Population
from trustsem.options import check_count, choose
from trustsem.populations.assignment import Law, beta, dealt, stepped
from trustsem.populations.enlarge import enlarged
from trustsem.populations.per_item import name_tuple
from trustsem.populations.roles import Roles, roles_of, single_block
from trustsem.simulators import Generator, Rows, Sampler, Wrapper, chain

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Trial"]

_DESIGNS = ("individual", "cluster", "stepped_wedge")


@dataclass(frozen=True)
class Trial(Wrapper):
    """Strategies given to some and not to others, which shift constructs and, along the population's paths, all that follows from these.

    A person with the strategies has each construct of `on` shifted by its effect times its standard deviation, times the dose received, times the
    fidelity with which it was delivered. Dose and fidelity do not depend on anything else.

    Parameters
    ----------
    inner : Generator
        How people differ without strategies.
    effect : float or mapping of str to float
        Shift at full dose and fidelity, in standard deviations of the construct without strategies: one number, or one for each construct of `on`.
    on : tuple of str
        Variables that are shifted, latent or observed; by default those named in `effect`, or else the constructs that nothing explains.
    design : {"individual", "cluster", "stepped_wedge"}
        Who is randomised: people, whole teams, or the period from which on a team has the strategies. In a stepped wedge the people of a team are
        spread evenly over the periods (each is seen once); no team has the strategies in period 0, one more part of the teams has them in each later
        one, and all teams in the last.
    share : float
        Share of people, or of teams, that get the strategies; met up to rounding. In a stepped wedge it is one half.
    periods : int
        Number of periods of a stepped wedge, at least 3.
    trend : float
        What each period adds to the constructs of `on`, in their standard deviations; for a stepped wedge.
    dose, dose_sd : float
        Mean and standard deviation over people of the dose received (a share of the sessions), which has a beta distribution.
    fidelity, fidelity_sd : float
        The same for fidelity, which is drawn for each team where there are teams.
    arm, period : str
        Names of the added columns: 0 or 1, and from 0. Columns ``dose`` and ``fidelity`` are added where they vary; they are 0 without strategies.

    Raises
    ------
    OptionError
        For options out of range. :meth:`prepare` raises it for names that the population does not have; drawing raises it if an arm is empty.

    Notes
    -----
    The sampler's population has the observed variable `arm` (and `period`) with its paths to `on`: the effects of having been assigned, at the
    average dose and fidelity. In an analysis model with ``Relational ~ arm`` write down the covariances of the exogenous constructs as well
    (``Relational ~~ Technical``): they are not automatic any more.

    Effects spread along the paths of the population, also where whole teams are randomised; contextual effects of the teams do not enlarge them.

    Stepped wedge: Hussey & Hughes (2007), doi 10.1016/j.cct.2006.05.007.
    """

    kind = "trial"
    wraps = ("distribution", "clusters")

    inner: Generator
    effect: float | Mapping[str, float] = 0.3
    on: tuple[str, ...] = ()
    design: Literal["individual", "cluster", "stepped_wedge"] = "individual"
    share: float = 0.5
    periods: int = 4
    trend: float = 0.0
    dose: float = 1.0
    dose_sd: float = 0.0
    fidelity: float = 1.0
    fidelity_sd: float = 0.0
    arm: str = "arm"
    period: str = "period"

    def __post_init__(self) -> None:
        self.check_inner()
        object.__setattr__(self, "on", name_tuple("on", self.on))
        sizes = self.effect.values() if isinstance(self.effect, Mapping) else [self.effect]
        if not sizes or not all(_is_number(value) for value in sizes):
            raise OptionError(f"effect={self.effect!r} is no effect. Give standard deviations: a number, or numbers by construct.")
        if isinstance(self.effect, Mapping):
            object.__setattr__(self, "effect", dict(self.effect))
            if self.on and set(self.on) != set(self.effect):
                raise OptionError(f"effect= and on= name different constructs: {sorted(self.effect)} and {sorted(self.on)}. Leave on= out.")
        choose("design", self.design, _DESIGNS)
        wedge = self.design == "stepped_wedge"
        if not _is_number(self.share) or not 0.0 < self.share < 1.0 or (wedge and self.share != 0.5):
            raise OptionError(f"share={self.share!r} is not possible. Give a number between 0 and 1; in a stepped wedge it is 0.5.")
        check_count("periods", self.periods, 3)
        if not _is_number(self.trend) or (self.trend and not wedge):
            raise OptionError(f"trend={self.trend!r} is not possible. Give a number with design='stepped_wedge', and leave it out otherwise.")
        for name in ("dose", "fidelity"):
            _check_beta(name, getattr(self, name), getattr(self, f"{name}_sd"))
        for name in (self.arm, self.period):
            if not isinstance(name, str) or not name.isidentifier() or self.arm == self.period:
                raise OptionError(f"arm={self.arm!r} and period={self.period!r} cannot be columns. Give two different names.")
        if self.design != "individual" and self._team is None:
            raise OptionError(f"design={self.design!r} needs people in teams. Put it around a generator of teams, such as `Clustered(Gaussian())`.")

    @property
    def _team(self) -> str | None:
        """Column of the teams, None if there are none."""
        return next((getattr(one, "team", None) for one in chain(self.inner) if one.kind == "clusters"), None)

    def prepare(self, population: Population) -> TrialSampler:
        """Return the sampler for `population`."""
        block, roles = single_block(population, "Trial"), roles_of(population)
        columns = [self.arm, *([self.period] if self.design == "stepped_wedge" else [])]
        columns += [name for name in ("dose", "fidelity") if getattr(self, f"{name}_sd") > 0.0]
        for name in columns:
            if name in roles.variables or name == self._team:
                raise OptionError(
                    f"There is a variable {name!r} already, which is a column of the trial. Rename it, or give another arm= or period=."
                )
        wedge, sd = self.design == "stepped_wedge", np.sqrt(np.diag(block.V))
        law = Law.of(wedge, self.share, self.periods, (self.dose, self.dose_sd), (self.fidelity, self.fidelity_sd))
        effects = self._effects(roles)
        places = roles.places(tuple(effects))
        units = dict(zip(effects, sd[places].tolist(), strict=True))
        shifts = {name: effect * units[name] for name, effect in effects.items()}
        shift, drift = block.B[:, places] @ np.array(list(shifts.values())), self.trend * block.B[:, places] @ sd[places]
        inner = self.inner.prepare(population)
        moments = law.moments(inner.moments, shift[: block.p], drift[: block.p])
        return TrialSampler(self._enlarged(population, shifts, units, law), moments, self, inner, self._team, roles, shift, drift, sd, law)

    def _effects(self, roles: Roles) -> dict[str, float]:
        """Return the effect on each construct that is shifted, in its standard deviations."""
        if isinstance(self.effect, Mapping):
            effects = {name: float(value) for name, value in self.effect.items()}
        else:
            effects = dict.fromkeys(self.on or roles.exogenous, float(self.effect))
        if not effects:
            raise OptionError("Every construct of the population is explained by others. Name what strategies shift in on=.")
        for name in effects:
            if name not in roles.variables:
                hint = closest(name, roles.variables)
                raise OptionError(f"The population has no {name!r} that strategies could shift.{hint} It has {', '.join(roles.constructs)}.")
        return effects

    def _enlarged(self, population: Population, shifts: Mapping[str, float], units: Mapping[str, float], law: Law) -> Population:
        """Return the population with the arm (and the period) as observed causes."""
        names = list(shifts)
        paths = {(name, self.arm): shifts[name] * law.received for name in names}
        covariances = {(self.arm, self.arm): law.arm_variance}
        means = {self.arm: law.share}
        if self.design == "stepped_wedge":
            paths |= {(name, self.period): self.trend * units[name] for name in names}
            covariances |= {(self.period, self.period): law.period_variance, (self.arm, self.period): law.arm_period}
            means |= {self.period: law.period_mean}
        if law.spread > 0.0:
            # What varies in dose and fidelity is left over when constructs are explained by the arm.
            left = law.share * law.spread
            covariances |= {(a, b): left * shifts[a] * shifts[b] for k, a in enumerate(names) for b in names[: k + 1]}
        return enlarged(population, paths, covariances, means)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


def _check_beta(name: str, mean: Any, sd: Any) -> None:
    if not _is_number(mean) or not 0.0 < mean <= 1.0:
        raise OptionError(f"{name}={mean!r} is no share. Give a number above 0 and at most 1.")
    most = math.sqrt(mean * (1.0 - mean))
    if not _is_number(sd) or not (sd == 0.0 or 0.0 < sd < most):
        raise OptionError(f"{name}_sd={sd!r} is not possible with {name}={mean!r}. Give 0, or a number below {most:.3g}.")


@dataclass(frozen=True, eq=False)
class TrialSampler:
    """Draws the rows of a trial.

    Attributes
    ----------
    population : Population
        With the arm (and the period) as observed variables.
    moments : Moments, or None
        Of the observed variables over both arms, as expected over randomisations.
    options : Trial
    inner : Sampler
        Draws rows without strategies.
    team : str, or None
        Column of the teams.
    roles : Roles
        Names of all m variables.
    shift, drift : (m,) float
        What full dose and fidelity, and what a period, add to each variable.
    sd : (m,) float
        Standard deviations without strategies.
    law : tuple of float
        Moments of arm, period and what is received.
    """

    population: Population
    moments: Moments | None
    options: Trial
    inner: Sampler
    team: str | None
    roles: Roles
    shift: Reals
    drift: Reals
    sd: Reals
    law: Law

    @property
    def metric(self) -> bool:
        """Whether columns are in the units of the population."""
        return self.inner.metric

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` rows.

        Raises
        ------
        OptionError
            If one arm, or a step of a stepped wedge, is left without anybody.
        """
        options = self.options
        rows = self.inner.rows(n, rng)
        p, extra = rows.values.shape[1], dict(rows.extra)
        team = None if self.team is None else extra[self.team] - 1
        values = rows.values
        if options.design == "individual" or team is None:
            arm = dealt(n, options.share, "people", rng)
        elif options.design == "cluster":
            arm = dealt(int(team[-1]) + 1, options.share, "teams", rng)[team]
        else:
            arm, period = stepped(team, options.periods, rng)
            extra[options.period] = period
            values = values + np.outer(period, self.drift[:p])
        extra[options.arm] = arm
        if options.dose_sd > 0.0:
            extra["dose"] = arm * beta(options.dose, options.dose_sd, n, rng)
        if options.fidelity_sd > 0.0:
            drawn = beta(options.fidelity, options.fidelity_sd, n if team is None else int(team[-1]) + 1, rng)
            extra["fidelity"] = arm * (drawn if team is None else drawn[team])
        received = arm * extra.get("dose", options.dose) * extra.get("fidelity", options.fidelity)
        return Rows(rows.names, values + np.outer(received, self.shift[:p]), extra)

    def estimands(self) -> pd.DataFrame:
        """Return the effect of the strategies on every construct.

        Returns
        -------
        DataFrame
            Columns ``construct itt full itt_std full_std``: the effect of being assigned (intention to treat), and that of full dose and fidelity, in
            the population's units and in standard deviations of the construct without strategies.
        """
        import pandas as pd

        at = self.roles.places(self.roles.constructs)
        full, sd = self.shift[at], self.sd[at]
        itt = full * self.law.received
        columns = {"construct": list(self.roles.constructs), "itt": itt, "full": full}
        return pd.DataFrame(columns | {"itt_std": itt / sd, "full_std": full / sd})
