"""The population as an analysis sees it: variables that it leaves out projected out, latent variables in its units and where it puts them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from trustsem.kernels.structure import PATH, Reals
from trustsem.model.population import Population
from trustsem.model.ram import Model
from trustsem.spec.table import Row

__all__ = ["Marginal", "marginal"]


@dataclass(frozen=True, eq=False)
class Marginal:
    """A population over the m variables of an analysis.

    Attributes
    ----------
    place : mapping of str to int
        Where each variable stands.
    A : (m, m) float
        Paths.
    G : (m, m) float
        What takes the variables to what the analysis leaves unexplained of them; NaN in rows of variables with a cause that the population lacks.
    V : (m, m) float
        Covariances.
    mu : (m,) float
        Means.
    """

    place: Mapping[str, int]
    A: Reals
    G: Reals
    V: Reals
    mu: Reals

    @property
    def residuals(self) -> Reals:
        """Covariances (m, m) of what is left unexplained: of what the analysis does not explain, the total ones."""
        found = self.G @ self.V @ self.G.T
        sd = np.sqrt(np.diag(self.V))
        return np.asarray(np.where(np.abs(found) < 1e-12 * np.outer(sd, sd), 0.0, found))

    @property
    def intercepts(self) -> Reals:
        """What is left unexplained of the means (m,)."""
        return np.asarray(self.G @ self.mu)

    def scaled(self, factor: Reals) -> Marginal:
        """Return the population with every variable multiplied by its `factor` (m,)."""
        ratio = factor[:, None] / factor
        return replace(self, A=self.A * ratio, G=self.G * ratio, V=self.V * np.outer(factor, factor), mu=self.mu * factor)


def marginal(population: Population, model: Model, group: int, values: Reals) -> Marginal:
    """Return the population over the variables of one group of an analysis, in the metric of the analysis.

    Parameters
    ----------
    population : Population
    model : Model
        Of the analysis.
    group : int
        Counted from 1.
    values : (rows,) float
        True values of the rows of groups before this one, NaN elsewhere: what is held equal to them has the same.

    Notes
    -----
    With u the variables left out and o the others, the paths are A_oo + A_ou (I - A_uu)^-1 A_uo (a variable's effect on itself, left over from a
    loop, divides the row). Units and places of latent variables are those that fixed loadings, variances and intercepts give them; where the
    variance is fixed, the first loading is positive.
    """
    own = [(k, row) for k, row in enumerate(model.table.rows) if row.group == group and row.level == 1]
    found = _projected(population, model, own)
    observed = set(population.compiled.blocks[0].observed)
    latent = [name for name in dict.fromkeys(row.lhs for _, row in own if row.op == "=~") if name in found.place and name not in observed]
    known = _Known(model, own, values)
    found = found.scaled(_factors(found, known, latent))
    return replace(found, mu=_located(found, known, latent)) if model.has_means and latent else found


@dataclass(frozen=True, eq=False)
class _Known:
    """The rows (place, row) of one group of an analysis, and what is known of values from groups before."""

    model: Model
    rows: list[tuple[int, Row]]
    values: Reals

    def given(self, k: int, row: Row) -> float:
        """Return the value of a row that is fixed, or held equal to one of a group before; NaN if it is free."""
        if not row.free:
            return row.ustart
        same = [other for other in range(k) if self.model.theta_of_row[other] == self.model.theta_of_row[k] and not math.isnan(self.values[other])]
        return float(self.values[same[0]]) if same else math.nan


def _projected(population: Population, model: Model, own: list[tuple[int, Row]]) -> Marginal:
    block, layout = population.implied_blocks[0], population.compiled.blocks[0]
    wanted = {name for _, row in own for name in (row.lhs, row.rhs)}
    kept = [i for i, name in enumerate(layout.variables) if name in wanted]
    left = [i for i, name in enumerate(layout.variables) if name not in wanted]
    through = np.linalg.solve(np.eye(len(left)) - block.A[np.ix_(left, left)], block.A[np.ix_(left, kept)])
    A = block.A[np.ix_(kept, kept)] + block.A[np.ix_(kept, left)] @ through
    A = np.where(np.eye(len(kept), dtype=bool), 0.0, A / (1.0 - np.diag(A))[:, None])
    place = {layout.variables[i]: at for at, i in enumerate(kept)}
    explained, unknown = np.zeros((2, len(kept)), dtype=bool)
    for k, row in own:
        effect, cause = (row.rhs, row.lhs) if row.op == "=~" else (row.lhs, row.rhs)
        if model.cells[k].kind == PATH and (row.free or row.ustart != 0.0) and effect in place:
            explained[place[effect]] = True
            unknown[place[effect]] |= cause not in place
    G = np.eye(len(kept)) - np.where(explained[:, None], A, 0.0)
    G[unknown] = np.nan
    return Marginal(place, A, G, block.V[np.ix_(kept, kept)], block.mu[kept])


def _factors(found: Marginal, known: _Known, latent: list[str]) -> Reals:
    """Return by what every variable (m,) is multiplied in the metric of the analysis; latent variables that indicate others come first."""
    factor, residuals = np.ones(len(found.V)), found.residuals
    waiting = list(latent)
    while waiting:
        above = {name: {row.rhs for _, row in known.rows if row.op == "=~" and row.lhs == name} & set(waiting) for name in waiting}
        name = next((name for name in waiting if not above[name]), waiting[0])
        factor[found.place[name]] = _factor(found, known, name, factor, residuals)
        waiting.remove(name)
    return factor


def _factor(found: Marginal, known: _Known, name: str, factor: Reals, residuals: Reals) -> float:
    j = found.place[name]
    loadings = [(k, row, found.place[row.rhs]) for k, row in known.rows if row.op == "=~" and row.lhs == name and row.rhs in found.place]
    for equal in (False, True):  # fixed loadings first, then those held equal to a group before
        for k, row, i in loadings:
            value = known.given(k, row) if row.free is equal else math.nan
            if not math.isnan(value) and value != 0.0 and not (equal and found.A[i, j] == 0.0):
                return float(found.A[i, j] * factor[i] / value) if found.A[i, j] != 0.0 else math.nan
        for _, row in known.rows:
            if not equal and not row.free and row.op == "~~" and row.lhs == row.rhs == name and row.ustart > 0.0:
                if not residuals[j, j] > 0.0:
                    return math.nan
                sign = next((math.copysign(1.0, found.A[i, j]) for _, _, i in loadings if found.A[i, j] != 0.0), 1.0)
                return sign * math.sqrt(row.ustart / residuals[j, j])
    return 1.0  # scaled by something else: taken as it is


def _located(found: Marginal, known: _Known, latent: list[str]) -> Reals:
    """Return the means (m,), latent variables moved to where fixed intercepts, or those of a group before, put them.

    A fixed intercept of a latent variable, or where that is free the first known one of its indicators, is one linear equation in the latent means.
    """
    at = [found.place[name] for name in latent]
    intercepts = {row.lhs: known.given(k, row) for k, row in known.rows if row.op == "~1"}
    equations, wanted = [], []
    for name in latent:
        indicators = [row.rhs for _, row in known.rows if row.op == "=~" and row.lhs == name and row.rhs in found.place]
        anchors = [one for one in (name, *indicators) if not math.isnan(intercepts.get(one, 0.0))]
        if anchors and np.isfinite(found.G[found.place[anchors[0]]]).all():
            i = found.place[anchors[0]]
            equations.append(found.G[i, at])
            wanted.append(intercepts.get(anchors[0], 0.0) - float(found.G[i] @ found.mu))
    mu = found.mu.copy()
    if equations:
        mu[at] += np.linalg.lstsq(np.array(equations), np.array(wanted), rcond=None)[0]
    return mu
