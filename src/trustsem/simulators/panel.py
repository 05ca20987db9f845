"""Several waves of the same people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals
from trustsem.model.population import Population
from trustsem.options import check_count, check_flag
from trustsem.populations.coefficients import read_coefficients
from trustsem.populations.per_item import check_items, check_number, each_number, plain
from trustsem.populations.roles import Roles, roles_of, single_block
from trustsem.populations.waves import Dynamics, Waves
from trustsem.simulators import Generator, Sampler, Wrapper

__all__ = ["Panel"]

_AUTOREGRESSION = 0.5  # of constructs that a mapping leaves out
_LEAST = 1e-10  # of a variance: what has to be left


@dataclass(frozen=True)
class Panel(Wrapper):
    """Waves in which each construct depends on itself and on others one wave before, and each wave by itself is the population given.

    Columns are ``t1_w1``, ``t1_w2``, ... A construct (a latent variable, or an observed one that is no indicator) is a trait, which lasts, and a part
    that moves: W_w = B W_{w-1} + e_w. Variances and covariances are the same in every wave, and equal to those of the population given, unless
    people grow at different rates.

    Parameters
    ----------
    inner : Generator
    waves : int
        Number of waves, at least 2.
    autoregression : float or mapping of str to float
        Standardized effect of a construct's moving part on itself one wave later, between -1 and 1; 0.5 for those that a mapping leaves out.
    lagged : mapping of str to float
        Standardized effects one wave later, such as ``{"Trust -> Motivation": 0.2, "Outcomes -> Trust": 0.1}``, of moving part on moving part. They
        replace, or are added to, those of `lag_share`.
    lag_share : float
        The population's own paths work one wave later with the size ``lag_share * path * (1 - autoregression of the effect)``. With 1, what a lasting
        change of the cause brings in the long run is the path. With 0, only `lagged` counts.
    trait : float or mapping of str to float
        Share of a construct's variance that lasts, at least 0 and below 1; 0 for those that a mapping leaves out.
    growth : float or mapping of str to float
        Mean slope per wave, in standard deviations of the construct.
    growth_sd : float or mapping of str to float
        Standard deviation of people's slopes, in the same units. Slopes are independent of each other and of where people begin.
    item_stability : float or mapping of str to float
        Correlation of an item's residual between any two waves, at least 0 and below 1.
    equal : bool
        Whether the matching model holds the effects of one wave on the next equal over waves, as they are in the population: they are then one
        parameter each, called ``Motivation_from_Trust``.

    Raises
    ------
    OptionError
        For options that are not possible, also in :meth:`prepare`, for names that the population does not have, and if autoregressions and lags would
        make variances grow.

    Notes
    -----
    With traits this is the random intercept cross-lagged panel model (Hamaker, Kuiper & Grasman 2015, doi 10.1037/a0038889), with latent variables
    its version with several indicators; without, the cross-lagged panel model. Where Phi are the covariances of the constructs, T those of the
    traits, T_ij = Phi_ij sqrt(t_i t_j), those of the moving parts are Phi - T, and the innovations of every wave have covariances
    (Phi - T) - B (Phi - T) B'.
    The sampler's population is the panel; its names are those of :meth:`syntax`, the matching analysis. As an analysis, traits need three waves.
    """

    kind = "population"

    inner: Generator
    waves: int = 3
    autoregression: float | Mapping[str, float] = _AUTOREGRESSION
    lagged: Mapping[str, float] = field(default_factory=dict)
    lag_share: float = 1.0
    trait: float | Mapping[str, float] = 0.0
    growth: float | Mapping[str, float] = 0.0
    growth_sd: float | Mapping[str, float] = 0.0
    item_stability: float | Mapping[str, float] = 0.0
    equal: bool = False

    def __post_init__(self) -> None:
        self.check_inner()
        for name in ("autoregression", "lagged", "lag_share", "trait", "growth", "growth_sd", "item_stability"):
            object.__setattr__(self, name, plain(getattr(self, name)))
        check_count("waves", self.waves, 2)
        check_flag("equal", self.equal)
        share = "a number of at least 0 and below 1, or one for each name"
        each_number("autoregression", self.autoregression, "a number between -1 and 1, or one for each construct", math.nextafter(-1.0, 0.0), 1.0)
        each_number("trait", self.trait, share, 0.0, 1.0)
        each_number("item_stability", self.item_stability, share, 0.0, 1.0)
        each_number("growth", self.growth, "a finite number, or one for each construct")
        each_number("growth_sd", self.growth_sd, "a number of at least 0, or one for each construct", 0.0)
        check_number("lag_share", self.lag_share, "a number of at least 0, such as 1", 0.0)
        read_coefficients("lagged", self.lagged)

    def prepare(self, population: Population) -> Sampler:
        """Return the sampler for the panel of `population`."""
        return self.inner.prepare(self.unfold(population).population)

    def syntax(self, population: Population) -> str:
        """Return the panel model of `population` with free parameters, as text for :func:`trustsem.sem` or lavaan."""
        return self.unfold(population).text

    def unfold(self, population: Population) -> Waves:
        """Return text and population of all waves.

        Raises
        ------
        OptionError
        """
        block, roles = single_block(population, "Panel"), roles_of(population)
        items = tuple(name for name in roles.variables if name not in roles.constructs)
        _refuse_roles(population, roles, items)
        at = roles.places(roles.constructs)
        phi, A = block.V[np.ix_(at, at)], block.A[np.ix_(at, at)]
        trait, sd = self._each("trait", roles.constructs), np.sqrt(np.diag(phi))
        lasting = phi * np.sqrt(np.outer(trait, trait))
        moving = phi - lasting
        own = self._each("autoregression", roles.constructs, _AUTOREGRESSION)
        B = np.diag(own) + self.lag_share * (1.0 - own)[:, None] * A * sd / sd[:, None]
        for (cause, effect), value in read_coefficients("lagged", self.lagged).items():
            check_items("lagged", (cause, effect), roles.constructs)
            B[roles.constructs.index(effect), roles.constructs.index(cause)] = value
        unit = np.sqrt(np.diag(moving))
        growth, growth_sd = self._each("growth", roles.constructs), self._each("growth_sd", roles.constructs)
        stability = self._each("item_stability", items)
        lags = B * unit[:, None] / unit
        dynamics = Dynamics(self.waves, roles.constructs, items, lags, moving, lasting, growth * sd, (growth_sd * sd) ** 2, stability)
        _refuse_impossible(dynamics, unit)
        at = roles.places(items)
        _refuse_stability(dynamics, block.S[np.ix_(at, at)])
        return Waves(population, dynamics, bool(self.equal))

    def _each(self, option: str, names: tuple[str, ...], otherwise: float = 0.0) -> Reals:
        """Return the value of an option for each of `names`."""
        value = getattr(self, option)
        if isinstance(value, Mapping):
            check_items(option, value, names)
            return np.array([value.get(name, otherwise) for name in names])
        return np.full(len(names), float(value))


def _refuse_roles(population: Population, roles: Roles, items: tuple[str, ...]) -> None:
    """Refuse what cannot be repeated wave by wave: factors of factors, and items that do more than indicate."""
    latent = population.compiled.blocks[0].latent
    measured = {row.lhs for row in population.table.rows if row.op == "=~" and row.rhs in items}
    above = [name for name in latent if name not in measured] + [row.lhs for row in population.table.rows if row.op == "=~" and row.rhs in latent]
    if above:
        raise OptionError(
            f"Panel needs latent variables with observed indicators, and {above[0]!r} has others or none. Leave it out of the population."
        )
    block, own, others = population.implied_blocks[0], roles.places(items), roles.places(roles.constructs)
    more = np.any(block.A[:, own] != 0.0, axis=0) | np.any(block.S[np.ix_(others, own)] != 0.0, axis=0)
    if more.any():
        name = items[int(np.argmax(more))]
        raise OptionError(f"Panel needs indicators that only indicate, and {name!r} causes, or covaries with a construct. Leave that out.")


def _refuse_impossible(dynamics: Dynamics, unit: Reals) -> None:
    """Refuse moving parts, or innovations, without a positive definite covariance matrix."""
    names = _culprits(dynamics.moving, unit, dynamics.constructs)
    if names:
        raise OptionError(f"trait= leaves no possible covariances for what moves of {names}. Give constructs shares that differ less.")
    names = _culprits(dynamics.innovations, unit, dynamics.constructs)
    if names:
        raise OptionError(
            f"The effects of one wave on the next would make the variances of {names} grow. Choose a smaller autoregression= or lag_share=, or "
            "smaller effects in lagged=."
        )


def _culprits(matrix: Reals, unit: Reals, names: tuple[str, ...]) -> str:
    """Return the names that weigh most in the direction in which `matrix` is not positive; empty if there is none."""
    values, vectors = np.linalg.eigh(matrix / np.outer(unit, unit))
    if values[0] >= _LEAST:
        return ""
    weights = np.abs(vectors[:, 0])
    return " and ".join(repr(name) for name, weight in zip(names, weights, strict=True) if weight > 0.5 * weights.max())


def _refuse_stability(dynamics: Dynamics, theta: Reals) -> None:
    """Refuse stable parts of items that, with the residual covariances within a wave, are impossible."""
    own = np.diag(theta)
    values, vectors = np.linalg.eigh(theta - np.diag(dynamics.stability * own)) if len(own) else (np.zeros(1), np.zeros((1, 1)))
    if values[0] < -_LEAST * max(float(own.max(initial=0.0)), _LEAST):
        names = [dynamics.items[i] for i in np.argsort(-np.abs(vectors[:, 0]))[:2]]
        raise OptionError(
            f"item_stability= is impossible with the residual correlations of {names[0]!r} and {names[1]!r} within a wave. Give these items less."
        )
