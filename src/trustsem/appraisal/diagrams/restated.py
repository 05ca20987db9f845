"""The measurement part of a model with another path diagram of its constructs, as model text."""

from __future__ import annotations

import math
from itertools import combinations

from trustsem.appraisal.structure import Graph, structural_names
from trustsem.spec.table import ParameterTable, Row
from trustsem.theory import Theory
from trustsem.theory.marks import Provenance
from trustsem.theory.syntax import lavaan_syntax
from trustsem.theory.types import Proposition, ResidualCovariance

__all__ = ["restated_table", "restated_theory"]

_NOTE = (Provenance("I", note="An equivalent model."),)


def restated_theory(theory: Theory, graph: Graph) -> str:
    """Return the model text of a theory with another diagram among its constructs, for ``sem``."""
    claims = [
        Proposition(f"E{number}", cause, effect, "?", f"{cause} -> {effect}", float(theory.sesoi.value), _NOTE)
        for number, (cause, effect) in enumerate(graph.arrows)
    ]
    return lavaan_syntax(theory.nodes, claims, _covariances(graph))


def _covariances(graph: Graph) -> list[ResidualCovariance]:
    """Return the covariances of a diagram, and those of predictors that it does not have as fixed to zero."""
    outer = graph.exogenous
    effects = {effect for _, effect in graph.arrows}
    pairs = [sorted(pair, key=graph.nodes.index) for pair in graph.spouses if pair & effects]
    result = [ResidualCovariance(one, other, _NOTE) for one, other in pairs]
    apart = [(one, other) for one, other in combinations(outer, 2) if frozenset((one, other)) not in graph.spouses]
    return result + [ResidualCovariance(one, other, _NOTE, free=False) for one, other in apart]


def restated_table(table: ParameterTable, graph: Graph) -> ParameterTable:
    """Return a model of one block with another diagram among its structural variables: effects and covariances free, covariates random."""
    names = structural_names(table)
    latent = {row.lhs for row in table.rows if row.op == "=~"}
    scaled = {row.lhs for row in table.rows if row.op == "=~" and not row.free and row.ustart != 0.0}
    rows = [row._replace(exo=False, free=row.free or row.exo) for row in table.rows if _measures(row, set(names))]
    rows += [Row(effect, "~", cause) for cause, effect in graph.arrows]
    for name in names:
        unit = name in latent and name not in scaled
        rows.append(Row(name, "~~", name, free=not unit, ustart=1.0 if unit else math.nan))
    rows += [Row(*_pair(pair, names), free=True) for pair in graph.spouses]
    return ParameterTable(tuple(rows))


def _measures(row: Row, names: set[str]) -> bool:
    return row.op in ("=~", "~1") or (row.op == "~~" and not {row.lhs, row.rhs} <= names)


def _pair(pair: frozenset[str], names: tuple[str, ...]) -> tuple[str, str, str]:
    one, other = sorted(pair, key=names.index)
    return one, "~~", other
