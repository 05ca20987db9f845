"""The verdicts of an appraisal as a function of how strong something is that the theory left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from trustsem.appraisal.sensitivity.holding import Holding, Kept, keep
from trustsem.appraisal.verdicts import Judgement, judge
from trustsem.fitting.robust import robust_covariance
from trustsem.fitting.tables import delta_errors
from trustsem.inference.held import Held, Saddle, held_at, held_values, leftover, saddle, total_effect
from trustsem.inference.information import covariance_of_estimates
from trustsem.kernels.structure import Integers, Reals

if TYPE_CHECKING:
    from trustsem.appraisal.result import Appraisal

__all__ = ["Course", "Point", "margin_of"]

_FARTHEST_Z, _SMALLEST_P = 37.0, 1e-300
_DEPTH = 4
_TINY = 1e-6
_NO_RESIDUAL = _ROUNDING = 1e-9
_DIRECTION = MappingProxyType({"+": 1, "-": -1})


@dataclass(frozen=True, eq=False)
class Point:
    """The theory fitted with something held at one strength.

    Attributes
    ----------
    at : float
        The coordinate.
    kept : Kept or None
        None if the search did not converge.
    std : (C + T,) float
        Standardized estimates of the claims, and of the total effects that the course follows.
    slack : float
        Smallest eigenvalue of what is left of the residual covariances; negative if the strength is impossible.
    trouble : str
        Why this is no possible strength; empty if it is.
    given : (C + T,) float or None
        Standard errors of a point that is guessed, not fitted.
    """

    course: Course
    at: float
    kept: Kept | None
    std: Reals
    slack: float
    trouble: str
    given: Reals | None = None

    @cached_property
    def se(self) -> Reals:
        """Standard errors (C + T,) of the standardized estimates."""
        if self.given is not None:
            return self.given
        course = self.course
        own = np.append(course.own_errors, np.ones(len(course.totals)))  # nobody asks for those of the total effects
        found = own if self.at == 0.0 else course.errors(self) * course.ratio
        course.errors_at[self.at] = found
        return found

    @cached_property
    def judgement(self) -> Judgement | None:
        """The rule of the appraisal applied to these estimates; None where there are no standard errors."""
        course = self.course
        if self.kept is None or not course.stated.any():
            return None
        claims = np.flatnonzero(course.stated)
        std, se = self.std[claims], self.se[claims]
        if not (np.isfinite(se).all() and (se > 0.0).all()):
            return None
        appraisal = course.appraisal
        return judge(std, se, np.array(appraisal.sesoi)[course.stated], course.signs, appraisal.alpha)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The verdict of every claim."""
        words = np.full(len(self.course.stated), "no direction stated", dtype=object)
        words[self.course.stated] = "no verdict" if self.judgement is None else self.judgement.verdict
        return tuple(words)

    @property
    def chisq_change(self) -> float:
        """By how much the chi-square statistic is above that of the theory (not scaled)."""
        start = self.course.start.kept
        if self.kept is None or start is None:
            return math.nan
        return float(self.course.holding.problem.scale * (self.kept.fit.estimate.discrepancy - start.fit.estimate.discrepancy))


@dataclass(frozen=True, eq=False)
class Course:
    """An appraisal with something added that is held at a strength; remembers what it has fitted.

    Attributes
    ----------
    appraisal : Appraisal
    holding : Holding
    targets : callable
        From the coordinate to the values (H,) at which parameters are held.
    removed : callable or None
        From the coordinate to the standardized effects (m,) that the common cause has on all variables, if it is not a variable of the model.
    limit : float
        Largest size of the coordinate.
    impossible : str
        What is wrong beyond what is possible.
    totals : tuple of (int, int)
        Pairs (cause, effect) of variables whose total effects are followed too.
    """

    appraisal: Appraisal
    holding: Holding
    targets: Callable[[float], Reals]
    removed: Callable[[float], Reals] | None = None
    limit: float = 1.0
    impossible: str = ""
    totals: tuple[tuple[int, int], ...] = ()
    points: dict[float, Point] = field(default_factory=dict)
    errors_at: dict[float, Reals] = field(default_factory=dict)
    saddles: dict[float, Saddle] = field(default_factory=dict)

    @cached_property
    def stated(self) -> np.ndarray:
        """Which claims (C,) state a direction."""
        return np.array([claim.sign in _DIRECTION for claim in self.appraisal.claims], dtype=bool)

    @cached_property
    def signs(self) -> tuple[int, ...]:
        """The directions of those that do."""
        return tuple(_DIRECTION[claim.sign] for claim in self.appraisal.claims if claim.sign in _DIRECTION)

    @cached_property
    def claimed(self) -> Held:
        """Where the paths of the claims are."""
        table, cells = self.holding.model.table, self.holding.model.cells
        places = {(row.lhs, row.rhs): cell for row, cell in zip(table.rows, cells, strict=True) if row.op == "~"}
        names = {construct.name: construct.variable for construct in self.appraisal.theory.nodes}
        return held_at(self.holding.model, [places[names[claim.effect], names[claim.cause]] for claim in self.appraisal.claims])

    @cached_property
    def among(self) -> Integers:
        """Variables that have a residual."""
        fit, names = self.appraisal.fit, self.holding.model.blocks[0].variables
        block = fit.implied_blocks[0]
        share = np.diag(block.S) / np.where(np.diag(block.V) > 0.0, np.diag(block.V), 1.0)
        with_residual = {name for name, own in zip(fit.model.blocks[0].variables, share, strict=True) if own > _NO_RESIDUAL}
        return np.array([k for k, name in enumerate(names) if name in with_residual], dtype=np.int64)

    @cached_property
    def start(self) -> Point:
        """The theory itself."""
        return self.at(0.0)

    @property
    def own_errors(self) -> Reals:
        """Standard errors (C,) that the appraisal has."""
        return self.appraisal.estimates["se"].to_numpy(float)

    @cached_property
    def ratio(self) -> Reals:
        """What standard errors (C + T,) are multiplied by, so that they begin where those of the appraisal are.

        1 but for bootstrap errors, and for fixed covariates, which are random here.
        """
        fit, ratio = self.appraisal.fit, np.ones(len(self.start.std))
        if fit.options.se == "bootstrap" or any(layout.fixed for layout in fit.model.blocks):
            with np.errstate(all="ignore"):
                ratio[: len(self.stated)] = self.own_errors / self.errors(self.start)[: len(self.stated)]
        return ratio

    def errors(self, point: Point) -> Reals:
        """Return the standard errors (C + T,) that the fit at a point has by itself."""
        if point.kept is None:
            return np.full(len(point.std), np.nan)
        return delta_errors(self.paths(point.kept)[1], self._covariance(point.at, point.kept))

    def _covariance(self, at: float, kept: Kept) -> Reals:
        """Return the covariance matrix (K, K) of the estimates; a Hessian that is dear is used again for the next search nearby."""
        fit, problem = kept.fit, kept.fit.problem
        if problem.objective is None or fit.options.information != "observed":
            return fit.theta_vcov
        hessian = problem.objective.hessian(problem.structure, fit.estimate.theta, problem.shares)
        fresh = saddle(hessian, fit.estimate.binding)
        if fresh is not None:
            self.saddles[at] = fresh
        inverse, _ = covariance_of_estimates(hessian * (0.5 * problem.scale), fit.free_basis)
        return np.full_like(hessian, np.nan) if inverse is None else robust_covariance(fit, inverse)

    def paths(self, kept: Kept) -> tuple[Reals, Reals]:
        """Return the standardized estimates (C + T,) and their derivatives (C + T, K) with respect to theta."""
        block = kept.fit.implied_blocks[0]
        values, slopes = held_values(self.claimed, self.holding.model, block, kept.fit.estimate.theta)
        if self.totals:
            found = [total_effect(self.holding.model, block, cause, effect) for cause, effect in self.totals]
            values, slopes = np.append(values, [value for value, _ in found]), np.vstack([slopes, [slope for _, slope in found]])
        return values, slopes

    def at(self, coordinate: float) -> Point:
        """Return the point at a value of the coordinate, fitted from the nearest one."""
        if coordinate not in self.points:
            self.points[coordinate] = self._fitted(coordinate, _DEPTH)
        return self.points[coordinate]

    def _fitted(self, coordinate: float, depth: int) -> Point:
        known = [point for point in self.points.values() if point.kept is not None]
        near = min(known, key=lambda point: abs(point.at - coordinate), default=None)
        kept = keep(self.holding, self.targets(coordinate), None if near is None or near.kept is None else self._refreshed(near.at, near.kept))
        if kept is None and near is not None and depth > 0:
            middle = 0.5 * (near.at + coordinate)  # a step that was too long is taken in two
            if middle not in self.points:
                self.points[middle] = self._fitted(middle, depth - 1)
            if self.points[middle].kept is not None:
                return self._fitted(coordinate, depth - 1)
        if kept is not None:
            slack = leftover(kept.fit.implied_blocks[0], self.among, None if self.removed is None else self.removed(coordinate))
            std = self.paths(kept)[0]
        if kept is None or not (math.isfinite(slack) and np.isfinite(std).all()):
            return Point(self, coordinate, None, np.full(len(self.stated) + len(self.totals), np.nan), -math.inf, "the fit did not converge")
        return Point(self, coordinate, kept, std, slack, self.impossible if slack < -_ROUNDING else "")

    def _refreshed(self, at: float, kept: Kept) -> Kept:
        return replace(kept, saddle=self.saddles[at]) if at in self.saddles else kept

    @cached_property
    def rates(self) -> Reals:
        """Derivatives (C,) of the standardized estimates with respect to the coordinate, at the start."""
        start = self.start
        if start.kept is None:
            return np.full(len(start.std), np.nan)
        ahead = (self.targets(_TINY) - self.targets(0.0)) / _TINY
        step, _ = start.kept.saddle.solve(np.zeros(self.holding.model.n_theta), ahead)
        return np.asarray(self.paths(start.kept)[1] @ step)


def margin_of(course: Course, claims: Sequence[int]) -> Callable[[Point], float]:
    """Return how far a point is from where one of `claims` gets another verdict than at the start: negative beyond, in standard errors or so.

    It is continuous in the estimates, as Holm's adjusted p-values are. NaN without verdicts.
    """
    level = float(-ndtri(0.5 * course.appraisal.alpha))
    verdicts = np.array(course.start.verdicts, dtype=object)[list(claims)]
    places = np.cumsum(course.stated)[list(claims)] - 1
    has_sign = np.isin(verdicts, ("supported", "supported but small", "contradicted"))
    is_small = np.isin(verdicts, ("supported but small", "negligible"))
    either = verdicts == "contradicted"

    def margin(point: Point) -> float:
        judged = point.judgement
        if judged is None:
            return math.nan
        signed, small = (_z(p[places]) - level for p in (judged.p_zero, judged.p_equivalent))
        size = np.where(either, np.inf, np.where(is_small, small, -small))
        return float(np.minimum(np.where(has_sign, signed, -signed), size).min())

    return margin


def _z(pvalues: Reals) -> Reals:
    return np.asarray(np.minimum(-ndtri(0.5 * np.maximum(pvalues, _SMALLEST_P)), _FARTHEST_Z))
