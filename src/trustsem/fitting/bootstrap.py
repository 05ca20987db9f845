"""The bootstrap: a fitted model refitted to resamples of its rows; and what the draws say of everything that follows from the parameters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from trustsem.errors import NotAvailableError, OptionError
from trustsem.fitting import draws as tables
from trustsem.fitting.draws import Points, Quantities
from trustsem.fitting.fit import Fit
from trustsem.fitting.refits import draw_some, jackknife, prepare_refits
from trustsem.inference import intervals
from trustsem.inference.intervals import Interval
from trustsem.kernels.structure import Integers, Reals
from trustsem.options import check_count, check_level, choose

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BollenStineTest", "BootstrapResult", "Executor", "bootstrap"]

KINDS = ("nonparametric", "cluster", "bollen_stine")
INTERVALS = ("percentile", "bca", "bc", "basic", "normal")


class Executor(Protocol):
    """What runs chunks of draws: an executor of :mod:`concurrent.futures`, or anything with such a ``map``."""

    def map(self, fn: Callable[..., Any], /, *iterables: Iterable[Any]) -> Iterable[Any]:
        """Return the results of `fn` in order."""
        ...


class BollenStineTest(NamedTuple):
    """The test of exact fit by the bootstrap of Bollen & Stine (1992, doi 10.1177/0049124192021002004).

    Attributes
    ----------
    statistic : float
        Of the data.
    pvalue : float
        Share of the draws whose statistic is at least as large.
    mc_error : float
        Its Monte Carlo standard error, ``sqrt(p (1 - p) / B)`` with ``p = (r + 1) / (B + 2)`` for r such draws, so that it is not 0 where r is.
    n_used : int
        Number of draws B that converged.
    """

    statistic: float
    pvalue: float
    mc_error: float
    n_used: int


@dataclass(frozen=True, eq=False)
class BootstrapResult:
    """Draws of the parameters, and the tables that follow from them: all from the same draws.

    Attributes
    ----------
    fit : Fit
        The fit to the data.
    kind : {"nonparametric", "cluster", "bollen_stine"}
    seed : int
        Draw b used ``numpy.random.SeedSequence(seed, spawn_key=(b,))``.
    theta : (B, K) float
        Distinct parameters in each draw; NaN in draws that failed.
    borrowed : (B, R) float
        Moments of fixed covariates in each draw.
    statistic : (B,) float
        Chi-square of each draw.
    reasons : tuple of str
        ``"converged"`` or why not, for each draw.
    admissible : (B,) bool
        Whether the solution of each draw is admissible. Inadmissible draws are used: leaving them out would cut the distribution off.
    """

    fit: Fit
    kind: str
    seed: int
    theta: Reals
    borrowed: Reals
    statistic: Reals
    reasons: tuple[str, ...]
    admissible: np.ndarray

    @property
    def converged(self) -> np.ndarray:
        """Whether each draw (B,) converged; only those are used."""
        return np.array([reason == "converged" for reason in self.reasons])

    @property
    def failures(self) -> dict[str, int]:
        """Number of draws that failed, by reason."""
        return dict(Counter(reason for reason in self.reasons if reason != "converged"))

    @property
    def n_used(self) -> int:
        """Number of draws that are used."""
        return int(self.converged.sum())

    @property
    def test(self) -> BollenStineTest:
        """The test of exact fit.

        Raises
        ------
        OptionError
            If the draws are not those of ``kind="bollen_stine"``.
        """
        if self.kind != "bollen_stine":
            raise OptionError(f"kind={self.kind!r} draws from the data, not from a population in which the model holds. Use kind='bollen_stine'.")
        statistic, used = self.fit.chisq.statistic, self.n_used
        larger = int((self.statistic[self.converged] >= statistic).sum())
        p = (larger + 1) / (used + 2)
        return BollenStineTest(statistic, larger / used if used else math.nan, math.sqrt(p * (1.0 - p) / used) if used else math.nan, used)

    def parameter_estimates(self, ci: str = "percentile", level: float = 0.95) -> pd.DataFrame:
        """Return one row per parameter, defined parameters included.

        Parameters
        ----------
        ci : {"percentile", "bca", "bc", "basic", "normal"}
            ``"bca"`` refits the model once more for each row or cluster left out (at most 500 a group), ``"bc"`` corrects for bias only.
        level : float
            Confidence level.

        Returns
        -------
        DataFrame
            Columns ``lhs op rhs [group] label est se ci_lower ci_upper n_used``: se is the standard deviation of the draws, n_used their number.

        Raises
        ------
        OptionError
            For an unknown `ci` or `level`.
        """
        return tables.parameter_table(self._used, self._ends(ci, level))

    def standardized_solution(self, type: str = "std_all", ci: str = "percentile", level: float = 0.95) -> pd.DataFrame:
        """Return the standardized solution; `type` as in :meth:`Fit.standardized_solution`, the rest as in :meth:`parameter_estimates`."""
        return tables.standardized_table(self._used, type, self._ends(ci, level))

    def effects(self, standardized: bool = False, ci: str = "percentile", level: float = 0.95) -> pd.DataFrame:
        """Return every total, direct and indirect effect, plain or standardized; the rest as in :meth:`parameter_estimates`."""
        return tables.effects_table(self._used, standardized, self._ends(ci, level))

    def __repr__(self) -> str:
        failed = len(self.reasons) - self.n_used
        return f"<BootstrapResult: {self.kind}, {len(self.reasons)} draws, {failed} failed, seed {self.seed}>"

    @cached_property
    def _used(self) -> Points:
        return Points(self.fit, self.theta[self.converged], self.borrowed[self.converged])

    @cached_property
    def _left_out(self) -> tuple[Points, Integers]:
        """The jackknife, and the block from which each of its samples leaves something out."""
        found, blocks = jackknife(prepare_refits(self.fit, self.kind), self.seed)
        return Points(self.fit, np.array([draw.theta for draw in found]), np.array([draw.borrowed for draw in found])), blocks

    def _ends(self, ci: str, level: float) -> tables.Ends:
        ci = choose("ci", ci, INTERVALS)
        check_level(level)

        def ends(quantities: Quantities, values: Reals, estimate: Reals) -> Interval:
            if ci == "percentile":
                return intervals.percentile(values, level)
            if ci == "basic":
                return intervals.basic(values, estimate, level)
            if ci == "normal":
                return intervals.normal(values, estimate, level)
            a = None
            if ci == "bca":
                points, blocks = self._left_out
                a = intervals.acceleration(quantities(points), blocks)
            return intervals.bias_corrected_accelerated(values, estimate, level, a)

        return ends


def bootstrap(
    fit: Fit, draws: int = 1000, *, kind: str = "nonparametric", seed: int, executor: Executor | None = None, chunk_size: int = 50
) -> BootstrapResult:
    """Refit a model to resamples of its rows.

    Parameters
    ----------
    fit : Fit
        Converged, and fitted to rows.
    draws : int
        Number of resamples.
    kind : {"nonparametric", "cluster", "bollen_stine"}
        Draw rows within each group; whole clusters within each group; or rows transformed so that the model holds in them, for the test of exact
        fit.
    seed : int
        The same seed gives the same draws, whatever the executor, the number of its workers and the size of the chunks.
    executor : concurrent.futures.Executor, optional
        Runs chunks of draws side by side: a ``ThreadPoolExecutor`` (the search does not hold Python's lock) or a ``ProcessPoolExecutor``.
    chunk_size : int
        Number of draws that a worker makes at a time.

    Returns
    -------
    BootstrapResult
        A draw that fails is a result with a reason: see ``failures``.

    Raises
    ------
    OptionError
        For an unknown option or value, a fit that did not converge or has no chi-square to be tested, or clusters that are not known.
    DataError
        If the fit was made from moments, or there is nothing to resample.
    NotAvailableError
        For ``kind="bollen_stine"`` with incomplete or weighted rows, and for a fit by another engine.

    Notes
    -----
    Every search starts from the estimates, and from the computed starting values where that fails. Moments of fixed covariates are those of the
    resample. Groups keep their numbers of rows; with clusters the number of rows varies.
    """
    check_count("draws", draws, 1)
    check_count("seed", seed, 0)
    check_count("chunk_size", chunk_size, 1)
    kind = choose("kind", kind, KINDS)
    if not fit.converged:
        raise OptionError(f"A fit that did not converge cannot be bootstrapped. {fit.reason} Look at `fit.warnings` for what to do.")
    if fit.options.engine != "trustsem":
        raise NotAvailableError(f"The bootstrap of a fit with engine={fit.options.engine!r} is not available. Fit with engine='trustsem'.")
    if kind == "bollen_stine" and not math.isfinite(fit.chisq.statistic):
        raise OptionError("kind='bollen_stine' needs a chi-square, but the model was fitted with test='none'. Leave test= out.")
    job = partial(draw_some, prepare_refits(fit, kind), int(seed))
    chunks = [range(first, min(first + chunk_size, draws)) for first in range(0, draws, chunk_size)]
    found = [draw for part in (map if executor is None else executor.map)(job, chunks) for draw in part]
    return BootstrapResult(
        fit=fit,
        kind=kind,
        seed=int(seed),
        theta=np.array([draw.theta for draw in found]),
        borrowed=np.array([draw.borrowed for draw in found]),
        statistic=np.array([draw.statistic for draw in found]),
        reasons=tuple(draw.reason for draw in found),
        admissible=np.array([draw.admissible for draw in found]),
    )
