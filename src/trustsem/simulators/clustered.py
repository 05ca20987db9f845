"""People in teams, and teams in organisations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from trustsem.errors import OptionError, closest
from trustsem.kernels.structure import Reals
from trustsem.model.population import Moments, Population
from trustsem.model.problem import ImpliedBlock
from trustsem.options import check_count
from trustsem.populations.assignment import team_sizes
from trustsem.populations.levels import LevelShares, root_of, split_levels
from trustsem.populations.roles import Roles, causal_order, roles_of, single_block
from trustsem.simulators import Generator, Rows, Sampler, Wrapper

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Clustered"]

_LEAST = 1e-10  # of a variance: what has to be left within teams


@dataclass(frozen=True)
class Clustered(Wrapper):
    """People in teams (in organisations), with given intraclass correlations of the constructs.

    The population's paths hold at each level, and what they leave unexplained is split over the levels: these add up to the population, and each
    construct has exactly the share of variance between teams that was asked for. Constructs are latent variables, and observed ones that are no
    indicators.

    Parameters
    ----------
    inner : Generator
        How people differ within teams; team and organisation parts are normal.
    icc : float or mapping of str to float
        Share of a construct's variance that lies between the teams of an organisation: one number for all constructs, or one each. The disturbance of
        a construct that a mapping leaves out lies within teams: between them it has what its causes bring.
    teams : int, optional
        Number of teams that the rows drawn are shared out among (in each group of `Grouped`). By default as many as give teams of at most `size`.
    size : int
        People per team, where `teams` is not given.
    size_cv : float
        Coefficient of variation of the team sizes; 0 makes them differ by at most one. Otherwise one person per team is set and the others are shared
        out in proportion to gamma variates (the shares are Dirichlet). Under about 0.3 people of standard deviation sizes are as good as equal.
    contextual : mapping of str to float
        What is added to a path between teams, in the population's units, such as ``{"Commitment~Trust": 0.2}``: the effect of the team's trust beyond
        that of one's own. It adds to the total variance, and to the ICC of what it leads to: `icc` is met as if it were not there.
    organisations : int, optional
        Number of organisations to which teams are dealt in order, in numbers that differ by at most one.
    icc_organisation : float or mapping of str to float
        Share of a construct's variance that lies between organisations, in addition to `icc`: members of one team correlate by the sum.
    item_icc : float or mapping of str to float
        Share of the variance of the indicators' residuals that lies between teams.
    team, organisation : str
        Names of the added columns, which count from 1. Rows are sorted by team.

    Raises
    ------
    OptionError
        For options out of range. :meth:`prepare` raises it for names that the population does not have, and for ICCs that are impossible together,
        with the range that is possible; drawing raises it for more teams than rows.

    Notes
    -----
    Contextual effects as differences between the paths at two levels: Luedtke et al. (2008), doi 10.1037/a0012869. The default of `icc` is usual for
    perceptions of teams.
    """

    kind = "clusters"
    wraps = ("distribution",)

    inner: Generator
    icc: float | Mapping[str, float] = 0.12
    teams: int | None = None
    size: int = 10
    size_cv: float = 0.0
    contextual: Mapping[str, float] = field(default_factory=dict)
    organisations: int | None = None
    icc_organisation: float | Mapping[str, float] = 0.0
    item_icc: float | Mapping[str, float] = 0.0
    team: str = "team"
    organisation: str = "organisation"

    def __post_init__(self) -> None:
        self.check_inner()
        for name in ("icc", "icc_organisation", "item_icc"):
            _check_shares(name, getattr(self, name))
            if isinstance(getattr(self, name), Mapping):
                object.__setattr__(self, name, dict(getattr(self, name)))
        check_count("size", self.size, 1)
        for name in ("teams", "organisations"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name), 1)
        if not _is_number(self.size_cv) or self.size_cv < 0.0:
            raise OptionError(f"size_cv={self.size_cv!r} is no coefficient of variation. Give a number of at least 0, such as 0.4.")
        if not isinstance(self.contextual, Mapping) or not all(_is_number(value) for value in self.contextual.values()):
            raise OptionError(f"contextual={self.contextual!r} is not possible. Give numbers by path, such as {{'Commitment~Trust': 0.2}}.")
        object.__setattr__(self, "contextual", dict(self.contextual))
        for name in (self.team, self.organisation):
            if not isinstance(name, str) or not name.isidentifier() or self.team == self.organisation:
                raise OptionError(f"team={self.team!r} and organisation={self.organisation!r} cannot be columns. Give two different names.")
        if self.organisations is None and self.icc_organisation:
            raise OptionError(f"icc_organisation={self.icc_organisation!r} needs organisations. Give their number in organisations=.")

    def prepare(self, population: Population) -> ClusteredSampler:
        """Return the sampler for `population`."""
        block, roles = single_block(population, "Clustered"), roles_of(population)
        for name in (self.team, *([self.organisation] if self.organisations else [])):
            if name in roles.variables:
                raise OptionError(f"The population has a variable {name!r}. Give another name in team= or organisation=.")
        within, *above = split_levels(block, roles.variables, self._levels(roles))
        extra = self._extra_paths(roles, block)
        between = np.linalg.inv(np.eye(len(block.A)) - block.A - extra)
        levels = [block.B @ within @ block.B.T, *(between @ part @ between.T for part in above)]
        p, names = block.p, population.names
        own = Moments(names, population.mean, levels[0][:p, :p])
        _refuse_nothing_within(own, population.cov)
        # Distributions take moments alone: what they draw here is one level of a population.
        inner = self.inner.prepare(cast(Population, own))
        zero = np.zeros(p)
        organisations = Moments(names, zero, levels[2][:p, :p]) if self.organisations else None
        all_between = Moments(names, zero, sum((level[:p, :p] for level in levels[1:]), np.zeros((p, p))))
        moments = None if inner.moments is None else Moments(names, inner.moments.mean, inner.moments.cov + all_between.cov)
        roots = tuple(root_of(level[:p, :p]) for level in levels[1:])
        return ClusteredSampler(population, moments, own, all_between, organisations, self, inner, roots, tuple(map(np.diag, levels)), extra)

    def _levels(self, roles: Roles) -> list[LevelShares]:
        items = tuple(name for name in roles.variables if name not in roles.constructs)
        residual = np.nan_to_num(_shares("item_icc", self.item_icc, items, "indicator", roles.variables))
        levels = [LevelShares("icc", "item_icc", _shares("icc", self.icc, roles.constructs, "construct", roles.variables), residual)]
        if self.organisations:
            wanted = _shares("icc_organisation", self.icc_organisation, roles.constructs, "construct", roles.variables)
            levels.append(LevelShares("icc_organisation", "item_icc", wanted, np.zeros(len(wanted))))
        return levels

    def _extra_paths(self, roles: Roles, block: ImpliedBlock) -> Reals:
        extra = np.zeros_like(block.A)
        for path, value in self.contextual.items():
            effect, _, cause = (part.strip() for part in str(path).partition("~"))
            for name in (effect, cause):
                if name not in roles.variables:
                    raise OptionError(f"contextual= names {path!r}, but there is no {name!r}.{closest(name, roles.variables)} Write 'effect~cause'.")
            extra[roles.variables.index(effect), roles.variables.index(cause)] = float(value)
        if self.contextual and causal_order((block.A != 0.0) + (extra != 0.0)) is None:
            raise OptionError(f"contextual= adds {', '.join(self.contextual)}, with which paths form a loop. Remove what closes it.")
        return extra


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)


def _check_shares(option: str, given: float | Mapping[str, float]) -> None:
    for value in given.values() if isinstance(given, Mapping) else [given]:
        if not _is_number(value) or not 0.0 <= value < 1.0:
            raise OptionError(f"{option}={given!r} is no share of variance. Give a number from 0 to below 1, or a mapping of names to such numbers.")


def _shares(option: str, given: float | Mapping[str, float], allowed: Sequence[str], what: str, variables: Sequence[str]) -> Reals:
    """Return shares (m,) for the variables, NaN where none is given."""
    shares = dict(given) if isinstance(given, Mapping) else dict.fromkeys(allowed, given)
    for name in shares:
        if name not in allowed:
            known = f"It has {', '.join(allowed)}." if allowed else "It has none."
            raise OptionError(f"{option}= names {name!r}, which is no {what} of the population.{closest(name, allowed)} {known}")
    return np.array([shares.get(name, np.nan) for name in variables], dtype=float)


def _refuse_nothing_within(within: Moments, total: Reals) -> None:
    """Refuse variables, or sums of them, that do not vary within teams."""
    spread = np.sqrt(np.diag(total))
    values, vectors = np.linalg.eigh(within.cov / np.outer(spread, spread))
    if values[0] < _LEAST:
        worst = within.names[int(np.argmax(np.abs(vectors[:, 0])))]
        raise OptionError(f"Nothing of {worst!r} would be its own within teams. Make the ICC of it and of its causes smaller in icc= or item_icc=.")


@dataclass(frozen=True, eq=False)
class ClusteredSampler:
    """Draws people in teams.

    Attributes
    ----------
    population : Population
        Its parameters hold within and between teams, but for contextual effects.
    moments : Moments, or None
        Of all rows.
    within, between : Moments
        Of the deviations from the team (with the population's means), and of the teams: the total is their sum.
    organisations : Moments, or None
        The part of `between` that lies between organisations.
    options : Clustered
    inner : Sampler
        Draws the deviations from the team.
    roots : tuple of (p, r) float
        Roots of the covariance matrices of teams and of organisations.
    variances : tuple of (m,) float
        Variances of all variables, observed and latent: within teams, of teams, of organisations.
    extra : (m, m) float
        What is added to the paths between teams.
    """

    population: Population
    moments: Moments | None
    within: Moments
    between: Moments
    organisations: Moments | None
    options: Clustered
    inner: Sampler
    roots: tuple[Reals, ...]
    variances: tuple[Reals, ...]
    extra: Reals

    @property
    def metric(self) -> bool:
        """Whether columns are in the units of the population."""
        return self.inner.metric

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` rows, sorted by team.

        Raises
        ------
        OptionError
            For more teams than rows, more organisations than teams, or team sizes that cannot vary so much.
        """
        options = self.options
        sizes = team_sizes(n, options.teams or math.ceil(n / options.size), float(options.size_cv), rng)
        teams, count = len(sizes), options.organisations
        people = self.inner.rows(n, rng)
        parts = rng.standard_normal((teams, self.roots[0].shape[1])) @ self.roots[0].T
        extra = {**people.extra, options.team: np.repeat(np.arange(1, teams + 1), sizes)}
        if count is not None:
            if count > teams:
                raise OptionError(f"organisations={count} are more than the {teams} teams. Ask for fewer, or for more teams.")
            home = np.arange(teams) * count // teams
            parts = parts + (rng.standard_normal((count, self.roots[1].shape[1])) @ self.roots[1].T)[home]
            extra[options.organisation] = np.repeat(home + 1, sizes)
        return Rows(people.names, people.values + np.repeat(parts, sizes, axis=0), extra)

    def iccs(self) -> pd.DataFrame:
        """Return exact intraclass correlations, contextual effects included.

        Returns
        -------
        DataFrame
            Columns ``variable latent icc``, and with organisations ``icc_organisation``, in shares of the total variance; observed variables first.
        """
        import pandas as pd

        layout = self.population.compiled.blocks[0]
        total = np.sum(self.variances, axis=0)
        shares = [np.divide(part, total, out=np.zeros_like(total), where=total > 0.0) for part in self.variances[1:]]
        columns: dict[str, Any] = {"variable": list(layout.variables), "latent": [name in layout.latent for name in layout.variables]}
        return pd.DataFrame(columns | dict(zip(("icc", "icc_organisation"), shares, strict=False)))

    def estimands(self) -> pd.DataFrame:
        """Return the paths between constructs at both levels.

        Returns
        -------
        DataFrame
            Columns ``lhs op rhs within between contextual``; the last is the difference of the two before it.
        """
        import pandas as pd

        roles, A = roles_of(self.population), self.population.implied_blocks[0].A
        places = roles.places(roles.constructs)
        found = [(i, j) for i in places for j in places if A[i, j] or self.extra[i, j]]
        found += [(int(i), int(j)) for i, j in np.argwhere(self.extra) if (i, j) not in found]
        records = [(roles.variables[i], "~", roles.variables[j], A[i, j], A[i, j] + self.extra[i, j], self.extra[i, j]) for i, j in found]
        return pd.DataFrame(records, columns=["lhs", "op", "rhs", "within", "between", "contextual"])
