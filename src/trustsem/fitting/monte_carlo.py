"""Monte Carlo intervals: draws of the parameters from the normal distribution that their standard errors describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trustsem.errors import OptionError
from trustsem.fitting import draws as tables
from trustsem.fitting.draws import Points, Quantities
from trustsem.fitting.fit import Fit
from trustsem.inference import intervals
from trustsem.inference.intervals import Interval
from trustsem.inference.many import borrowed_values
from trustsem.kernels.structure import Reals
from trustsem.options import check_count, check_level

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MonteCarloResult", "monte_carlo"]


@dataclass(frozen=True, eq=False)
class MonteCarloResult:
    """Draws of the parameters, and the tables that follow from them: all from the same draws.

    Attributes
    ----------
    fit : Fit
    seed : int
    theta : (B, K) float
        Draws of the distinct parameters.
    """

    fit: Fit
    seed: int
    theta: Reals

    def parameter_estimates(self, level: float = 0.95) -> pd.DataFrame:
        """Return one row per parameter, defined parameters included, with percentile intervals.

        Returns
        -------
        DataFrame
            Columns ``lhs op rhs [group] label est se ci_lower ci_upper n_used``: se is the standard deviation of the draws, n_used the number of
            them in which the quantity exists.

        Raises
        ------
        OptionError
            For a `level` that is no confidence level.
        """
        return tables.parameter_table(self._points, _ends(level))

    def standardized_solution(self, type: str = "std_all", level: float = 0.95) -> pd.DataFrame:
        """Return the standardized solution; `type` as in :meth:`Fit.standardized_solution`, the rest as in :meth:`parameter_estimates`."""
        return tables.standardized_table(self._points, type, _ends(level))

    def effects(self, standardized: bool = False, level: float = 0.95) -> pd.DataFrame:
        """Return every total, direct and indirect effect, plain or standardized; the rest as in :meth:`parameter_estimates`."""
        return tables.effects_table(self._points, standardized, _ends(level))

    def __repr__(self) -> str:
        return f"<MonteCarloResult: {len(self.theta)} draws, seed {self.seed}>"

    @property
    def _points(self) -> Points:
        borrowed = borrowed_values(self.fit.model, self.fit.problem.structure)
        return Points(self.fit, self.theta, np.broadcast_to(borrowed, (len(self.theta), borrowed.size)))


def _ends(level: float) -> tables.Ends:
    check_level(level)

    def ends(quantities: Quantities, values: Reals, estimate: Reals) -> Interval:
        return intervals.percentile(values, level)

    return ends


def monte_carlo(fit: Fit, draws: int = 20_000, *, seed: int) -> MonteCarloResult:
    """Draw the parameters of a fit from the normal distribution with its estimates as mean and their covariance matrix.

    Parameters
    ----------
    fit : Fit
        With standard errors.
    draws : int
        Number of draws.
    seed : int
        The same seed gives the same draws.

    Returns
    -------
    MonteCarloResult

    Raises
    ------
    OptionError
        If the fit has no covariance matrix of its estimates, or for a value that is not possible.

    Notes
    -----
    MacKinnon, Lockwood & Williams 2004 (doi 10.1207/s15327906mbr3901_4) for indirect effects, Preacher & Selig 2012
    (doi 10.1080/19312458.2012.679848) for any function of the parameters. The estimates themselves are taken to be normal; functions of them need
    not be. No refit is made and no rows are needed. Fixed covariates keep the moments of the sample.
    """
    check_count("draws", draws, 1)
    check_count("seed", seed, 0)
    if not np.isfinite(fit.theta_vcov).all():
        raise OptionError(
            "The fit has no covariance matrix of its estimates to draw from: it did not converge, is not identified, or was made with se='none'. "
            "Look at `fit.warnings`, or leave se= out."
        )
    rng = np.random.default_rng(seed)
    # Constraints make the covariance matrix singular, which a root by eigenvalues does not mind.
    values, vectors = np.linalg.eigh(fit.theta_vcov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    theta = fit.estimate.theta + rng.standard_normal((draws, values.size)) @ root.T
    return MonteCarloResult(fit, int(seed), theta)
