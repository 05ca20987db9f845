"""Constraints and definitions as functions of theta."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trustsem.errors import ModelError
from trustsem.kernels.structure import Integers, Reals
from trustsem.spec.expressions import Expression, compile_expression
from trustsem.spec.programs import Program
from trustsem.spec.table import ParameterTable, Relation

__all__ = ["Difference", "Relations", "compile_relations", "free_directions"]

_PROBES = 3


@dataclass(frozen=True)
class Difference:
    """``left - right`` of a relation; a definition has no right side."""

    left: Program
    right: Program | None
    constants: tuple[float, ...]

    def value_at(self, point: Reals) -> float:
        """Return the difference at `point`, theta followed by the values of the fixed rows."""
        return self.left.value(point) - (self.right.value(point) if self.right is not None else 0.0)

    def gradient_at(self, point: Reals) -> Reals:
        """Return the derivative of the difference with respect to every element of `point`."""
        slope = self.left.gradient(point)
        return np.asarray(slope if self.right is None else slope - self.right.gradient(point), dtype=np.float64)

    def value(self, theta: Reals) -> float:
        """Return the difference at `theta` (K,)."""
        return self.value_at(np.concatenate([theta, self.constants]))

    def gradient(self, theta: Reals) -> Reals:
        """Return the derivative (K,) of the difference at `theta`."""
        return self.gradient_at(np.concatenate([theta, self.constants]))[: theta.size]


@dataclass(frozen=True, eq=False)
class Relations:
    """What the model says about its parameters beyond shared labels.

    Attributes
    ----------
    basis, origin : (K, r) and (K,) float, or None
        All theta that satisfy the linear equalities are ``basis x + origin``; None where there is no linear equality.
    linear_rank : int
        Number of parameters that the linear equalities remove.
    linear, equalities : tuple of Difference
        Linear equalities (for the general solver), and the others; each holds where it is 0.
    inequalities : tuple of Difference
        Each holds where it is >= 0.
    definitions : tuple of (str, Difference)
        Names and values of the defined parameters.
    fixed_rows : tuple of int
        Rows of the table whose values follow theta in the arguments of every :class:`Difference`.
    """

    basis: Reals | None
    origin: Reals | None
    linear_rank: int
    linear: tuple[Difference, ...]
    equalities: tuple[Difference, ...]
    inequalities: tuple[Difference, ...]
    definitions: tuple[tuple[str, Difference], ...]
    fixed_rows: tuple[int, ...] = ()


def compile_relations(table: ParameterTable, theta_of_row: Integers, n_theta: int, fixed_by_label: Mapping[str, float]) -> Relations:
    """Compile the relations of `table`.

    Raises
    ------
    ModelError
        For linear equalities that contradict one another.
    """
    if not table.relations:
        return Relations(None, None, 0, (), (), (), ())
    index, constants = _label_index(table, theta_of_row, n_theta, fixed_by_label)

    def program(expression: Expression) -> Program:
        return compile_expression(expression, index)

    def difference(relation: Relation) -> Difference:
        return Difference(program(relation.left), program(relation.right), constants)

    linear: list[Difference] = []
    equalities: list[Difference] = []
    inequalities, definitions = [], []
    for relation in table.relations:
        if relation.op == ":=":
            definitions.append((relation.lhs, Difference(program(relation.right), None, constants)))
        elif relation.op == "==":
            (linear if _is_linear(difference(relation), n_theta) else equalities).append(difference(relation))
        elif relation.op == ">":
            inequalities.append(difference(relation))
        else:
            inequalities.append(Difference(program(relation.right), program(relation.left), constants))
    basis, origin, rank = _solve_linear(tuple(linear), n_theta)
    fixed_rows = tuple(k for k, place in enumerate(theta_of_row) if place < 0)
    return Relations(basis, origin, rank, tuple(linear), tuple(equalities), tuple(inequalities), tuple(definitions), fixed_rows)


def _label_index(
    table: ParameterTable, theta_of_row: Integers, n_theta: int, fixed_by_label: Mapping[str, float]
) -> tuple[dict[str, int], tuple[float, ...]]:
    """Give every label (and every ``.pN.`` of row N) a place in ``[theta, constants]``."""
    index: dict[str, int] = {}
    constants: list[float] = []
    for k, row in enumerate(table.rows):
        place = int(theta_of_row[k])
        if place < 0:
            place = n_theta + len(constants)
            constants.append(fixed_by_label.get(row.label, row.ustart))
        index[f".p{k + 1}."] = place
        if row.label:
            index.setdefault(row.label, place)
    return index, tuple(constants)


def _is_linear(difference: Difference, n_theta: int) -> bool:
    """Whether the gradient is the same wherever one looks (a fixed set of generic points)."""
    sides = (difference.left, difference.right)
    if any(kind == "function" for side in sides if side is not None for _, _, _, kind in side.code):
        return False  # it may have a kink where nobody looked
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        slopes = [difference.gradient(rng.uniform(0.1, 2.0, n_theta)) for _ in range(_PROBES)]
    return all(np.all(np.isfinite(slope)) and np.allclose(slope, slopes[0], rtol=1e-12, atol=1e-12) for slope in slopes)


def _solve_linear(linear: tuple[Difference, ...], n_theta: int) -> tuple[Reals | None, Reals | None, int]:
    if not linear:
        return None, None, 0
    zero = np.zeros(n_theta)
    matrix = np.array([difference.gradient(zero) for difference in linear])
    target = np.array([-difference.value(zero) for difference in linear])
    origin = np.zeros(n_theta)
    for touching, members in _components(matrix):
        part = matrix[np.ix_(touching, members)]
        length = np.linalg.norm(part, axis=1)
        origin[members] = np.linalg.lstsq(part / length[:, None], target[touching] / length, rcond=1e-12)[0]
    size = np.abs(matrix) @ np.abs(origin) + np.abs(target)
    if np.any(np.abs(matrix @ origin - target) > 1e-9 * size):
        raise ModelError("The linear equality constraints contradict one another, so no parameter values satisfy them. Remove one of them.")
    basis = free_directions(matrix)
    return basis, origin, n_theta - basis.shape[1]


def free_directions(rows: Reals) -> Reals:
    """Return an orthonormal basis (K, r) of the directions in which no row of `rows` (a, K) changes.

    Parameters that no row ties together stay apart: mixing those in different units would cost digits.
    """
    size = rows.shape[1]
    rows = np.where(np.abs(rows) < 1e-15 * np.abs(rows).max(axis=1, keepdims=True, initial=0.0), 0.0, rows)
    columns: list[Reals] = []
    for touching, members in _components(rows):
        if touching.size == 0:
            columns.append((np.arange(size) == members[0]).astype(np.float64))
            continue
        part = rows[np.ix_(touching, members)]
        _, singular, vt = np.linalg.svd(part / np.linalg.norm(part, axis=1, keepdims=True))
        for direction in vt[int(np.sum(singular > 1e-10)) :]:
            column = np.zeros(size)
            # What is zero but for rounding is zero, so that a parameter that the rows pin gets no standard error.
            column[members] = np.where(np.abs(direction) < 1e-14, 0.0, direction)
            columns.append(column)
    return np.ascontiguousarray(np.array(columns).reshape(len(columns), size).T)


def _components(rows: Reals) -> list[tuple[Integers, Integers]]:
    """Return the rows and the columns of every set of columns that rows tie together; a column that is zero is on its own."""
    tied = rows != 0.0
    left = np.ones(rows.shape[1], dtype=bool)
    alone = ~tied.any(axis=0)
    components = []
    while left.any():
        first = int(np.argmax(left))
        if alone[first]:
            left[first] = False
            components.append((np.empty(0, dtype=np.int64), np.array([first])))
            continue
        members = np.zeros(left.size, dtype=bool)
        members[np.argmax(left)] = True
        touching = tied[:, members].any(axis=1)
        while True:
            grown = members | tied[touching].any(axis=0)
            if np.array_equal(grown, members):
                break
            members, touching = grown, tied[:, grown].any(axis=1)
        left &= ~members
        components.append((np.flatnonzero(touching), np.flatnonzero(members)))
    return components
