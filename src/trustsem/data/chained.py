"""One chain of imputations: statsmodels' bookkeeping, and draws that suit small samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.imputation.mice import MICEData

__all__ = ["impute_rows"]

Reals = NDArray[np.float64]

DONORS = 5  # Morris, White & Royston 2014, BMC Medical Research Methodology 14, 75: more donors bias relations towards zero
_RIDGE = 1e-5  # relative to the variances of the predictors, so that near collinearity does not blow up the draws


class _Draw(NamedTuple):
    """What a regression predicts: for observed rows at the estimate, for missing rows at a draw from the posterior, with its residual SD."""

    observed: Reals
    missing: Reals
    spread: float


class _Chain(MICEData):  # type: ignore[misc]
    """Chained equations in which each step is a draw from the posterior of a linear regression.

    The base class keeps the rows and which of them are missing. Its own draws are replaced, for three reasons. It looks for donors among predictions
    at the *same* drawn coefficients as those of the rows with missing values, so that their uncertainty cancels (with one predictor wholly) and
    intervals come out too narrow; it draws from 20 donors, which biases relations towards zero unless the sample is large; and it starts every chain
    at the same values. It draws nothing itself here, so that no random state but `rng` is touched.
    """

    def __init__(self, rows: Reals, rng: np.random.Generator, method: str) -> None:
        names = [f"v{j}" for j in range(rows.shape[1])]  # the base class reads names as formulas, so it gets harmless ones
        super().__init__(pd.DataFrame(rows, columns=names))
        self.generator, self.method = rng, method
        missing = np.isnan(rows).sum(axis=0)
        self.order = [names[j] for j in np.argsort(missing, kind="stable") if missing[j]]
        for name in self.order:
            observed = self.data[name].to_numpy()[self.ix_obs[name]]
            self._store_changes(name, rng.choice(observed, size=len(self.ix_miss[name])))

    def sweep(self) -> None:
        """Impute every incomplete variable once, those with fewest missing values first."""
        for name in self.order:
            self.update(name)

    def perturb_params(self, vname: str) -> None:
        """Draw the regression of one variable on all others."""
        rows = self.data.to_numpy()
        at = self.data.columns.get_loc(vname)
        self.params[vname] = _regression_draw(rows[:, at], np.delete(rows, at, axis=1), self.ix_obs[vname], self.ix_miss[vname], self.generator)

    def impute(self, vname: str) -> None:
        """Fill in one variable from the regression just drawn."""
        draw: _Draw = self.params[vname]
        if self.method == "norm":
            values = draw.missing + draw.spread * self.generator.standard_normal(draw.missing.size)
        else:
            values = self.data[vname].to_numpy()[self.ix_obs[vname]][_donors(draw.observed, draw.missing, self.generator)]
        self._store_changes(vname, values)


def _regression_draw(y: Reals, predictors: Reals, observed: NDArray[np.intp], missing: NDArray[np.intp], rng: np.random.Generator) -> _Draw:
    """Draw coefficients and residual variance from their posterior under a flat prior (Rubin 1987, section 5.3)."""
    centre, spread = predictors[observed].mean(axis=0), predictors[observed].std(axis=0)
    scale = np.where(spread > 0.0, 1.0 / np.where(spread > 0.0, spread, 1.0), 0.0)  # a predictor that is constant here predicts nothing
    X, target = (predictors[observed] - centre) * scale, y[observed]
    gram = X.T @ X
    gram[np.diag_indices_from(gram)] = np.where(spread > 0.0, np.diag(gram) * (1.0 + _RIDGE), 1.0)
    root = np.linalg.cholesky(gram)
    slopes = np.linalg.solve(gram, X.T @ (target - target.mean()))
    fitted = target.mean() + X @ slopes
    n, p = X.shape
    sigma = float(np.sqrt(np.sum((target - fitted) ** 2) / rng.chisquare(n - p - 1)))
    drawn = slopes + sigma * np.linalg.solve(root.T, rng.standard_normal(p))
    level = target.mean() + sigma / np.sqrt(n) * rng.standard_normal()
    return _Draw(fitted, level + (predictors[missing] - centre) * scale @ drawn, sigma)


def _donors(observed: Reals, wanted: Reals, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return, for each predicted value in `wanted` (k,), the place in `observed` (n,) of one of its nearest neighbours, drawn at random.

    Neighbours at equal distance are drawn from at random too: the rows are shuffled before they are sorted.
    """
    n, donors = observed.size, min(DONORS, observed.size)
    shuffled = rng.permutation(n)
    order = shuffled[np.argsort(observed[shuffled], kind="stable")]
    window = min(2 * donors, n)
    start = np.clip(np.searchsorted(observed[order], wanted) - donors, 0, n - window)
    candidates = order[start[:, None] + np.arange(window)]
    distance = np.abs(observed[candidates] - wanted[:, None])
    nearest = np.argpartition(distance, donors - 1, axis=1)[:, :donors] if donors < window else np.tile(np.arange(window), (wanted.size, 1))
    chosen = nearest[np.arange(wanted.size), rng.integers(0, donors, size=wanted.size)]
    return np.asarray(candidates[np.arange(wanted.size), chosen], dtype=np.intp)


def impute_rows(rows: Reals, iterations: int, method: str, rng: np.random.Generator) -> Reals:
    """Return `rows` (n, p) with every NaN replaced by a draw, at the end of one chain.

    Parameters
    ----------
    rows : (n, p) float
        Every row and every column holds a value; every incomplete column has more values than there are columns.
    iterations : int
        Number of sweeps over the variables.
    method : {"pmm", "norm"}
        Observed values of rows with similar predictions, or draws from the normal predictive distribution.
    rng : Generator

    Returns
    -------
    (n, p) float
    """
    chain = _Chain(rows, rng, method)
    for _ in range(iterations):
        chain.sweep()
    return np.array(chain.data.to_numpy(), dtype=np.float64)
