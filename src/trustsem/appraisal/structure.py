"""The structural part of a model: its graph, the model that says nothing about it, and the moments of its variables.

The structural variables are the latent variables and those observed ones that are not indicators. The *saturated structure* is the measurement part
with all of them free to covary: what it does not restrict, the structural part claims.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from trustsem.appraisal.refitting import refit
from trustsem.errors import NotAvailableError
from trustsem.fitting.fit import Fit
from trustsem.kernels.structure import COVARIANCE, INTERCEPT, PATH, Reals
from trustsem.spec.table import ParameterTable, Row

if TYPE_CHECKING:
    import networkx as nx

__all__ = [
    "Graph",
    "StructuralMoments",
    "canonical_dag",
    "fit_saturated",
    "graph_of_table",
    "saturated_table",
    "structural_moments",
    "structural_names",
]


@dataclass(frozen=True)
class Graph:
    """A path diagram of structural variables.

    Attributes
    ----------
    nodes : tuple of str
        In the order of the model.
    arrows : tuple of (str, str)
        Pairs (cause, effect).
    spouses : tuple of frozenset
        Pairs whose residuals (or, without causes, which themselves) are free to covary.
    """

    nodes: tuple[str, ...]
    arrows: tuple[tuple[str, str], ...]
    spouses: tuple[frozenset[str], ...]

    def parents(self, node: str) -> tuple[str, ...]:
        """Nodes with an arrow into `node`, in the order of the nodes."""
        return tuple(name for name in self.nodes if (name, node) in self.arrows)

    @property
    def exogenous(self) -> tuple[str, ...]:
        """Nodes without an arrow into them."""
        effects = {effect for _, effect in self.arrows}
        return tuple(name for name in self.nodes if name not in effects)

    def directed(self) -> nx.DiGraph:
        """Return the arrows alone as a networkx graph."""
        import networkx as nx

        graph = nx.DiGraph()
        graph.add_nodes_from(self.nodes)
        graph.add_edges_from(self.arrows)
        return graph


def structural_names(table: ParameterTable, block: int = 1) -> tuple[str, ...]:
    """Return the structural variables of a block: latent variables first, then observed ones that are no indicators, in the order of the table.

    Auxiliary variables, which take part in no path and covary with the errors of indicators, say nothing about the structure and are left out.
    """
    rows = [row for row in table.rows if row.block == block]
    latent = tuple(dict.fromkeys(row.lhs for row in rows if row.op == "=~"))
    indicators = {row.rhs for row in rows if row.op == "=~"}
    named = [name for row in rows if row.op in ("~", "~~") for name in (row.lhs, row.rhs)]
    on_paths = {name for row in rows if row.op == "~" for name in (row.lhs, row.rhs)}
    beside = {name for row in rows if row.op == "~~" and not {row.lhs, row.rhs}.isdisjoint(indicators) for name in (row.lhs, row.rhs)}
    left_out = indicators | set(latent) | (beside - on_paths)
    return (*latent, *dict.fromkeys(name for name in named if name not in left_out))


def graph_of_table(table: ParameterTable, block: int = 1) -> Graph:
    """Return the path diagram of the structural variables of one block.

    An arrow is a path that is free or fixed at something else than 0, a spouse edge a covariance that is free, fixed at something else than 0, or one
    of fixed covariates. Latent variables that measure a latent variable (second order) count as its effects.
    """
    names = structural_names(table, block)
    arrows: list[tuple[str, str]] = []
    spouses: list[frozenset[str]] = []
    for row in table.rows:
        if row.block != block or not (row.free or row.exo or row.ustart != 0.0):
            continue
        if row.op == "~" and {row.lhs, row.rhs} <= set(names):
            arrows.append((row.rhs, row.lhs))
        elif row.op == "=~" and row.rhs in names:
            arrows.append((row.lhs, row.rhs))
        elif row.op == "~~" and row.lhs != row.rhs and {row.lhs, row.rhs} <= set(names):
            spouses.append(frozenset((row.lhs, row.rhs)))
    return Graph(names, tuple(dict.fromkeys(arrows)), tuple(dict.fromkeys(spouses)))


def canonical_dag(graph: Graph) -> nx.DiGraph:
    """Return the directed graph in which every spouse edge is a common cause of its own, named by the pair (Richardson & Spirtes 2002).

    d-separation in it, among the nodes of `graph`, is m-separation in `graph`.
    """
    result = graph.directed()
    for pair in graph.spouses:
        one, other = sorted(pair)
        result.add_edges_from([((one, other), one), ((one, other), other)])
    return result


def saturated_table(table: ParameterTable) -> ParameterTable:
    """Return the saturated structure of a model: its measurement part, with every structural variable random and free to covary with the others.

    Raises
    ------
    NotAvailableError
        For two levels, and where structural and measurement part cannot be told apart (a path from or into an indicator, a constraint).
    """
    if table.n_levels > 1:
        raise NotAvailableError("The structural part of a two-level model is not taken apart. Fit the model at one level, with cluster=.")
    if any(relation.op != ":=" for relation in table.relations):
        raise NotAvailableError("The model has constraints between parameters, so its structural part cannot be freed alone. Leave them out.")
    rows: list[Row] = []
    for block in range(1, table.n_blocks + 1):
        names = structural_names(table, block)
        own = [row for row in table.rows if row.block == block]
        first = own[0]
        latent = {row.lhs for row in own if row.op == "=~"}
        marked = {row.lhs for row in own if row.op == "=~" and not row.free and row.ustart != 0.0}
        for row in own:
            inside = {row.lhs, row.rhs} <= set(names)
            if row.op == "~" and not inside:
                raise NotAvailableError(f"The path {row.lhs} ~ {row.rhs} joins measurement and structural part, which cannot be told apart then.")
            if row.op == "=~" and row.rhs in names:
                raise NotAvailableError(
                    f"{row.lhs} is measured by {row.rhs}, itself a structural variable; a factor of second order is not taken apart."
                )
            if row.op in ("=~",) or (row.op == "~~" and not inside) or (row.op == "~1" and row.lhs not in names):
                rows.append(row)
        blank = Row("", "~~", "", user=1, block=block, group=first.group, level=first.level)
        for name in names:
            unit = name in latent and name not in marked  # its scale is a variance of 1, which is all it can be here
            rows.append(blank._replace(lhs=name, rhs=name, free=not unit, ustart=1.0 if unit else np.nan))
        rows.extend(blank._replace(lhs=one, rhs=other) for one, other in combinations(names, 2))
        for name in names:
            if table.has_means:
                given = next((row for row in own if row.op == "~1" and row.lhs == name), None)
                rows.append(
                    given._replace(free=given.free or given.exo, exo=False) if given else blank._replace(lhs=name, op="~1", free=False, ustart=0.0)
                )
    return ParameterTable(tuple(rows), (), table.group_labels, table.n_groups, table.n_levels)


def fit_saturated(fit: Fit) -> Fit:
    """Fit the saturated structure of `fit`'s model to the same rows with the same options.

    Raises
    ------
    NotAvailableError
        See :func:`saturated_table`.
    """
    table = saturated_table(fit.model.table)
    return refit(fit, table)


@dataclass(frozen=True, eq=False)
class StructuralMoments:
    """Covariances of the m structural variables as a fit has them, with what their errors are.

    Attributes
    ----------
    names : tuple of str
    cov : (m, m) float
    vcov : (q, q) float
        Covariance matrix of the estimates of the q = m (m + 1) / 2 elements of the lower triangle, row by row (``numpy.tril_indices``).
    nobs : int
    """

    names: tuple[str, ...]
    cov: Reals
    vcov: Reals
    nobs: int


def structural_moments(fit: Fit, block: int = 0) -> StructuralMoments:
    """Return the model-implied covariances of the structural variables with their delta-method covariance matrix."""
    names = structural_names(fit.model.table, block + 1)
    layout, point = fit.model.blocks[block], fit.implied_blocks[block]
    at = np.array([layout.variables.index(name) for name in names], dtype=np.int64)
    i, j = np.tril_indices(len(names))
    slopes = _covariance_slopes(fit, block)[:, at[i], at[j]].T
    return StructuralMoments(names, point.V[np.ix_(at, at)].copy(), slopes @ fit.theta_vcov @ slopes.T, fit.nobs)


def _covariance_slopes(fit: Fit, block: int) -> Reals:
    """Return the derivatives (K, v, v) of the covariances of all variables of a block with respect to theta."""
    structure, point = fit.model.structure, fit.implied_blocks[block]
    slopes = np.zeros((structure.n_theta, *point.V.shape))
    for kind, row, column, theta, _, _ in structure.cells_of(block).tolist():
        if kind == INTERCEPT:
            continue
        left = point.B[:, row]
        right = point.V[:, column] if kind == PATH else point.B[:, column]
        outer = np.outer(left, right) * (0.5 if kind == COVARIANCE and row == column else 1.0)
        slopes[theta] += outer + outer.T
    return slopes
