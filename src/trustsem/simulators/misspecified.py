"""A truth that the analysis leaves something of out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from trustsem.errors import OptionError, TrustsemError
from trustsem.fitting.fitter import Fitter
from trustsem.fitting.sem import compile as compile_analysis
from trustsem.model.population import Moments, Population
from trustsem.populations.altering import alter
from trustsem.populations.coefficients import read_coefficients, read_confounders
from trustsem.populations.per_item import check_items, check_number, name_tuple, plain
from trustsem.populations.roles import roles_of
from trustsem.populations.standardizing import standardized
from trustsem.simulators import Generator, Rows, Sampler, WrappedSampler, Wrapper, pooled_moments
from trustsem.spec.table import ParameterTable

__all__ = ["Misspecified"]

_MANY = 1_000_000  # number of observations with which the moments of populations are fitted; it cancels
_STEPS = 80
_CLOSE = 1e-10
_NOTHING = 1e-6  # an RMSEA is a square root: below this it is rounding
_BORDER = 1e-4  # how closely, relatively, the largest possible factor is searched for


@dataclass(frozen=True)
class Misspecified(Wrapper):
    """Data from a population in which more is true than the analysis says.

    Variances of all variables and the other standardized coefficients stay as they are (see :func:`trustsem.populations.altering.alter`).

    Parameters
    ----------
    inner : Generator
    paths : mapping of str to float
        Standardized paths of the truth, such as ``{"Trust -> Outcomes": 0.12}``.
    covariances : mapping of str to float
        Residual correlations, such as ``{"c1~~c2": 0.2}``.
    loadings : mapping of str to float
        Standardized loadings, such as ``{"Trust=~c1": 0.3}``.
    confounder : mapping of str to tuple of float
        Unmeasured common causes with their standardized effects, such as ``{"Trust, Outcomes": (0.3, 0.3)}``: the residuals get the product of the
        effects as covariance.
    method : float
        Standardized loading of items on a common-method factor that is uncorrelated with everything.
    method_items : tuple of str
        Items that load on it; all by default.
    rmsea : float, optional
        Scale what is named by one factor such that the analysis has this RMSEA in the population. Everything named moves on the straight line from
        its value in the population (0 if it has none) through the value named.
    model : str, optional
        The analysis, as model text; by default the model of the population before it is changed.

    Raises
    ------
    OptionError
        For names and values that are not possible, also in :meth:`prepare`, which refuses an RMSEA that cannot be reached, too.
    ModelError
        In :meth:`prepare`, if the coefficients leave no residual variance to a variable.

    Notes
    -----
    The RMSEA of a population is sqrt(F / df), F the smallest discrepancy of maximum likelihood between its moments and the analysis (Steiger & Lind
    1980; Browne & Cudeck 1993). Common method variance as a factor: Podsakoff et al. (2003).
    """

    kind = "population"

    inner: Generator
    paths: Mapping[str, float] = field(default_factory=dict)
    covariances: Mapping[str, float] = field(default_factory=dict)
    loadings: Mapping[str, float] = field(default_factory=dict)
    confounder: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    method: float = 0.0
    method_items: tuple[str, ...] = ()
    rmsea: float | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        self.check_inner()
        for name in ("paths", "covariances", "loadings", "confounder", "method", "rmsea"):
            object.__setattr__(self, name, plain(getattr(self, name)))
        for name in ("paths", "covariances", "loadings"):
            read_coefficients(name, getattr(self, name))
        read_confounders("confounder", self.confounder)
        check_number("method", self.method, "a standardized loading between -1 and 1, such as 0.3", math.nextafter(-1.0, 0.0), 1.0)
        object.__setattr__(self, "method_items", name_tuple("method_items", self.method_items))
        if self.model is not None and not isinstance(self.model, str):
            raise OptionError(f"model= is a {type(self.model).__name__}. Give the analysis as model text.")
        if self.rmsea is not None:
            check_number("rmsea", self.rmsea, "an RMSEA of at least 0 and below 1, such as 0.05", 0.0, 1.0)
            if not (self.paths or self.covariances or self.loadings or self.confounder or self.method):
                raise OptionError(
                    f"rmsea={self.rmsea!r} scales misfit, and none is named. Name some in paths=, covariances=, loadings=, confounder= or method=, "
                    "such as paths={'Trust -> Outcomes': 0.1}."
                )

    def prepare(self, population: Population) -> MisspecifiedSampler:
        """Return the sampler for `population`."""
        analysis = _Analysis(population.table if self.model is None else self.model)
        altered = self.altered(population, 1.0 if self.rmsea is None else self._factor(population, analysis, self.rmsea))
        return MisspecifiedSampler(self.inner.prepare(altered), altered, analysis)

    def altered(self, population: Population, factor: float = 1.0) -> Population:
        """Return the population with what is named, scaled by `factor`.

        Raises
        ------
        OptionError, ModelError
        """
        own = standardized(population)
        place = {name: i for i, name in enumerate(own.names)}

        def scaled(option: str, given: Mapping[str, float], arrow: str) -> dict[str, float]:
            result = {}
            for (one, other), value in read_coefficients(option, given).items():
                matrix = own.correlations if option == "covariances" else own.paths
                start = float(matrix[place[other], place[one]]) if one in place and other in place else 0.0
                result[f"{one}{arrow}{other}"] = factor * value + (1.0 - factor) * start
            return result

        return alter(
            population,
            paths=scaled("paths", self.paths, "->"),
            covariances=scaled("covariances", self.covariances, "~~"),
            loadings=scaled("loadings", self.loadings, "=~"),
            confounder={names: tuple(factor * effect for effect in effects) for names, effects in self.confounder.items()},
            factors=self._method(population, factor),
        )

    def _method(self, population: Population, factor: float) -> dict[str, dict[str, float]]:
        if not self.method:
            return {}
        roles = roles_of(population)
        items = self.method_items or tuple(name for name in population.names if name not in roles.constructs) or population.names
        check_items("method_items", items, population.names)
        name = "Method"
        while name in roles.variables:
            name += "_"
        return {name: dict.fromkeys(items, factor * self.method)}

    def _factor(self, population: Population, analysis: _Analysis, wanted: float) -> float:
        """Return the factor at which the RMSEA is `wanted`, found by halving."""
        lowest = analysis.rmsea(self.altered(population, 0.0))  # refuses unknown names
        if abs(lowest - wanted) <= _NOTHING:
            return 0.0
        if lowest > wanted:
            raise OptionError(
                f"rmsea={wanted!r} is below that of the analysis before anything is changed, {lowest:.4f}. Ask for more, or change model=."
            )
        low, high, largest, bordering = 0.0, math.inf, lowest, False
        for _ in range(_STEPS):
            factor = (low + high) / 2.0 if math.isfinite(high) else max(1.0, 2.0 * low)
            found = self._height(population, analysis, factor)
            if abs(found - wanted) <= _CLOSE:
                return factor
            if found < wanted:
                low, largest = factor, found
            else:
                high, bordering = factor, math.isinf(found)
            if bordering and high - low < _BORDER * high:
                break
        raise OptionError(
            f"rmsea={wanted!r} cannot be reached: however large, the misfit that is named gives at most {largest:.4f}. Ask for less, or name "
            "more misfit."
        )

    def _height(self, population: Population, analysis: _Analysis, factor: float) -> float:
        """Return the RMSEA at a factor; infinite where there is no such population."""
        try:
            return analysis.rmsea(self.altered(population, factor))
        except TrustsemError:  # names were checked: no such population, or one on the border
            return math.inf


@dataclass(frozen=True)
class _Analysis:
    """A model to be fitted to moments of populations."""

    model: str | ParameterTable

    @cached_property
    def fitter(self) -> Fitter:
        return compile_analysis(self.model)

    def rmsea(self, population: Population) -> float:
        """Return the RMSEA of the model in `population`; infinite if the search does not end."""
        fitter = self.fitter
        check_items("model", fitter.observed, population.names)
        places = [population.names.index(name) for name in fitter.observed]
        cov = population.cov[np.ix_(places, places)] * (_MANY / (_MANY - 1.0))  # as if unbiased
        fit = fitter.fit_moments(cov, _MANY, population.mean[places] if fitter.model.has_means else None)
        if fit.df == 0:
            raise OptionError("model= has no degrees of freedom, hence no RMSEA. Give an analysis that claims something, or leave rmsea= out.")
        return math.sqrt(max(fit.chisq.statistic, 0.0) / _MANY / fit.df) if fit.converged else math.inf


@dataclass(frozen=True, eq=False)
class MisspecifiedSampler(WrappedSampler):
    """Draws from the altered population."""

    inner: Sampler
    altered: Population
    analysis: _Analysis

    @property
    def population(self) -> Population:
        """The altered population, or what the inner generator makes of it: estimands are the true values."""
        return self.inner.population or self.altered

    @property
    def pooled(self) -> Moments | None:
        """Moments of all rows, also where the inner generator draws groups that differ."""
        return pooled_moments(self.inner)

    def rows(self, n: int, rng: np.random.Generator) -> Rows:
        """Return `n` rows."""
        return self.inner.rows(n, rng)

    def population_rmsea(self) -> float:
        """Return the RMSEA of the analysis in the altered population.

        Raises
        ------
        OptionError
            If the analysis has no degrees of freedom, or variables that the population does not have.
        """
        return self.analysis.rmsea(self.altered)
