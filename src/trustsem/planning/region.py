"""Power over one or two factors of the design: what was simulated, and a smooth surface through it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr

from trustsem.errors import OptionError
from trustsem.kernels.structure import Reals
from trustsem.options import check_count, choose
from trustsem.planning.claims import find_claims
from trustsem.planning.curve import Tally, fit_probit, forward
from trustsem.planning.question import ADJUSTMENTS, Question, tally
from trustsem.planning.setting import base_study, share, short
from trustsem.simulators import Generator
from trustsem.studies.design import Analysis
from trustsem.studies.prepare import prepare
from trustsem.studies.run import run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PowerRegion", "power_region"]

_Z = 1.959964
_ROOTED = ("n", "teams", "size")


@dataclass(frozen=True)
class PowerRegion:
    """Power over one or two factors.

    Attributes
    ----------
    what : str
        The propositions.
    factors : tuple of str
    alpha : float
    cells : tuple of tuple
        Levels of the factors in each condition.
    tallies : tuple of Tally
        What each condition gave.
    coefficients : tuple of float
        Of the probit surface: intercept, each factor (standardized, sizes as square roots), and the product of two; empty if a factor is not numeric.
    covariance : tuple of tuple of float
    centres, spreads : tuple of float
        With which factors are standardized.
    """

    what: str
    factors: tuple[str, ...]
    alpha: float
    cells: tuple[tuple[Any, ...], ...]
    tallies: tuple[Tally, ...]
    coefficients: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    centres: tuple[float, ...]
    spreads: tuple[float, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row per condition: factors, ``power mc_error replications successes converged smoothed smoothed_lower smoothed_upper``."""
        import pandas as pd

        table = pd.DataFrame(list(self.cells), columns=list(self.factors))
        rates = np.array([one.successes / one.replications for one in self.tallies])
        trials = np.array([one.replications for one in self.tallies])
        table["power"] = rates
        table["mc_error"] = np.sqrt(rates * (1.0 - rates) / trials)
        table["replications"] = trials
        table["successes"] = [one.successes for one in self.tallies]
        table["converged"] = [one.converged / one.replications for one in self.tallies]
        nothing = np.full((3, len(trials)), np.nan)
        smooth = self._smooth(np.array(self.cells, dtype=np.float64)) if self.coefficients else nothing
        return table.assign(smoothed=smooth[0], smoothed_lower=smooth[1], smoothed_upper=smooth[2])

    def surface(self, points: int = 25) -> pd.DataFrame:
        """Return the smooth surface on a grid over the levels: factors, ``power lower upper`` (a pointwise band of 95 %).

        Raises
        ------
        OptionError
            If a factor is not numeric.
        """
        import pandas as pd

        check_count("points", points, 2)
        if not self.coefficients:
            raise OptionError("A surface needs factors that are numbers. Look at .frame, which has all conditions.")
        levels = np.array(self.cells, dtype=np.float64)
        axes = [np.linspace(column.min(), column.max(), points) for column in levels.T]
        grid = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
        smooth = self._smooth(grid)
        return pd.DataFrame({**{name: grid[:, k] for k, name in enumerate(self.factors)}, "power": smooth[0], "lower": smooth[1], "upper": smooth[2]})

    def _smooth(self, levels: Reals) -> Reals:
        design = _design(levels, self.factors, self.centres, self.spreads)
        line = design @ np.array(self.coefficients)
        error = np.sqrt(np.einsum("ij,jk,ik->i", design, np.array(self.covariance), design))
        return np.asarray(ndtr(np.stack([line, line - _Z * error, line + _Z * error])))

    def __repr__(self) -> str:
        return f"Power for {self.what} (alpha = {self.alpha:g}) over {' and '.join(self.factors)}\n{self.frame.to_string(index=False)}"


def power_region(
    source: Any,
    proposition: str | Sequence[str] | None = None,
    *,
    factors: Mapping[str, Sequence[Any]],
    replications: int = 500,
    generator: Generator | None = None,
    analysis: Analysis | None = None,
    preset: str = "calibrated",
    alpha: float = 0.05,
    adjust: str = "none",
    n: int = 400,
    seed: int = 1,
    executor: Any = None,
    progress: bool | None = False,
) -> PowerRegion:
    """Simulate power over one or two factors of the design.

    Parameters
    ----------
    source, proposition, generator, analysis, preset, alpha, adjust, executor, progress
        As for :func:`plan`.
    factors : mapping of str to list
        One or two factors of a :class:`Study` with their levels, such as ``{"n": [200, 400, 800], "Missing.rate": [0.0, 0.1, 0.2]}``.
    replications : int
        Of each condition.
    n : int
        Number of rows where `factors` do not vary it.
    seed : int

    Returns
    -------
    PowerRegion
        Replications that failed count as not significant.

    Raises
    ------
    OptionError
        For more than two factors, and other options that are not possible.

    Notes
    -----
    The surface is a probit regression on both factors (sizes as square roots) and their product, with a weak normal prior.
    """
    share("alpha", alpha)
    check_count("replications", replications, 10)
    adjust = choose("adjust", adjust, ADJUSTMENTS)
    if not isinstance(factors, Mapping) or not 1 <= len(factors) <= 2:
        raise OptionError(f"factors={factors!r} is not possible. Give one or two factors with their levels, such as factors={{'n': [200, 400]}}.")
    chosen = replace(analysis or Analysis(standardized=True), measures=(), small_sample=False)
    base = base_study(source, generator=generator, analyses={"analysis": chosen}, preset=preset, seed=seed, n=n)
    study = replace(base, conditions=factors, replications=replications)
    first = prepare(study, study.cells[0]).analyses[0]
    claims = find_claims(proposition, study.source, first)
    family = claims.parameters
    if adjust == "holm":
        family = tuple(dict.fromkeys(find_claims(None, study.source, first, zero=True).parameters + claims.parameters))
    question = Question("power", claims, family, alpha, adjust)
    result = run(study, executor=executor, progress=progress)
    tallies = tuple(tally(question, math.nan, result, condition) for condition in range(len(study.cells)))
    cells = tuple(tuple(cell.settings.values()) for cell in study.cells)
    return PowerRegion(claims.text, tuple(factors), float(alpha), cells, tallies, *_fit(cells, tuple(factors), tallies))


def _fit(cells: Sequence[tuple[Any, ...]], factors: tuple[str, ...], tallies: Sequence[Tally]) -> tuple[Any, Any, Any, Any]:
    """Return coefficients, covariance, centres and spreads of the surface; empty where a factor is not numeric."""
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for cell in cells for value in cell):
        return (), (), (), ()
    levels = np.array(cells, dtype=np.float64)
    moved = np.column_stack([forward(levels[:, k], _scale(name)) for k, name in enumerate(factors)])
    centres, spreads = moved.mean(axis=0), moved.std(axis=0)
    centres, spreads = tuple(centres.tolist()), tuple(np.where(spreads > 0.0, spreads, 1.0).tolist())
    design = _design(levels, factors, centres, spreads)
    hits, trials = (np.array([getattr(one, name) for one in tallies], dtype=np.float64) for name in ("successes", "replications"))
    size = design.shape[1]
    beta, covariance = fit_probit(design, hits, trials, np.zeros(size), np.diag([1.0 / 9.0] + [1.0 / 4.0] * (size - 1)))
    return tuple(beta.tolist()), tuple(tuple(row) for row in covariance.tolist()), centres, spreads


def _design(levels: Reals, factors: Sequence[str], centres: Sequence[float], spreads: Sequence[float]) -> Reals:
    x = [(forward(levels[:, k], _scale(name)) - centres[k]) / spreads[k] for k, name in enumerate(factors)]
    columns = [np.ones(len(levels)), *x] + ([x[0] * x[1]] if len(x) == 2 else [])
    return np.column_stack(columns)


def _scale(name: str) -> str:
    return "sqrt" if short(name) in _ROOTED else "plain"
