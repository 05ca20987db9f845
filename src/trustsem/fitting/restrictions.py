"""What a model restricts, seen from the larger model without those restrictions: one parameter for every free row, and for every cell to be added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from trustsem.errors import IdentificationError, OptionError
from trustsem.fitting.fit import Fit
from trustsem.fitting.tables import row_values
from trustsem.fitting.wald import compiled_equality
from trustsem.inference.sandwich import score_meat
from trustsem.inference.score_test import RestrictedScore, restricted_score
from trustsem.inference.stacked import stacked_blocks
from trustsem.kernels.structure import PATH, Reals
from trustsem.model.candidates import Candidate
from trustsem.model.extend import extend_structure
from trustsem.model.layout import Cell, cell_of
from trustsem.model.problem import Problem, derivatives, fill_borrowed, implied
from trustsem.model.ram import compile_model
from trustsem.spec.parser import parse
from trustsem.spec.statements import Formula
from trustsem.spec.table import ParameterTable, Row
from trustsem.spec.written import written_blocks

__all__ = ["Restriction", "added_cells", "restrictions_of", "score_at"]


class Restriction(NamedTuple):
    """A restriction: its two sides as text, and its derivatives (P,) with respect to the parameters of the larger model."""

    lhs: str
    rhs: str
    slope: Reals

    @property
    def name(self) -> str:
        """Both sides, as written in ``release=``."""
        return f"{self.lhs} == {self.rhs}"


def restrictions_of(fit: Fit, additions: Sequence[Candidate] = ()) -> list[Restriction]:
    """Return the equalities written in the model, those of rows that share a parameter, and those that fix the `additions`.

    Parameters of the larger model are the free rows of the table in their order, then the additions.
    """
    rows = fit.model.free_rows
    theta = fit.model.theta_of_row[list(rows)]
    size = len(rows) + len(additions)
    first = {int(parameter): k for k, parameter in reversed(list(enumerate(theta)))}
    result = []
    for relation in fit.model.table.relations:
        if relation.op == "==":
            slope = np.zeros(size)
            slope[[first[k] for k in range(fit.model.n_theta)]] = compiled_equality(fit, relation).gradient(fit.estimate.theta)
            result.append(Restriction(relation.lhs, relation.rhs, slope))
    for k, parameter in enumerate(theta):
        if first[int(parameter)] < k:
            slope = np.zeros(size)
            slope[first[int(parameter)]], slope[k] = 1.0, -1.0
            result.append(Restriction(f".p{rows[first[int(parameter)]] + 1}.", f".p{rows[k] + 1}.", slope))
    for k, candidate in enumerate(additions):
        slope = np.zeros(size)
        slope[len(rows) + k] = 1.0
        suffix = f".g{candidate.row.group}" if candidate.row.group > 1 else ""
        result.append(Restriction(candidate.row.name + suffix, f"{candidate.value:g}", slope))
    return result


def added_cells(fit: Fit, text: str) -> tuple[Candidate, ...]:
    """Return the cells that `text` (formulas in lavaan syntax) would make free, in every group.

    Raises
    ------
    OptionError
        For text with anything but formulas, for variables that the model does not have, and for parameters that are free already or cannot be.
    """
    statements = parse(text)
    if not statements or not all(isinstance(statement, Formula) for statement in statements):
        raise OptionError(f"add={text!r} must be parameters in model syntax, such as add='f1 =~ x5'.")
    model = fit.model
    free = {(model.table.rows[k].block - 1, model.cells[k]) for k in model.free_rows}
    result = []
    for b, written in enumerate(written_blocks(statements, model.table.n_groups, text).blocks):
        layout = model.blocks[b]
        index = {name: k for k, name in enumerate(layout.variables)}
        for entry in written:
            missing = [name for name in (entry.lhs, entry.rhs) if name and name not in index]
            if missing:
                raise OptionError(f"add={text!r} names {missing[0]!r}, which is not in the model. It has: {', '.join(layout.variables)}.")
            row = Row(entry.lhs, entry.op, entry.rhs, block=b + 1, group=layout.group, level=layout.level)
            cell = cell_of(row, index)
            if (b, cell) in free or (cell.kind == PATH and cell.row == cell.column):
                raise OptionError(f"add={text!r}: {row.name} is free already, or cannot be. Name parameters that are fixed or not in the model.")
            result.append(Candidate(row, b, cell, _value(fit, b, cell)))
    return tuple(result)


def _value(fit: Fit, b: int, cell: Cell) -> float:
    block = fit.implied_blocks[b]
    return float(block.m[cell.row] if cell.kind == 2 else (block.A, block.S)[cell.kind][cell.row, cell.column])


def score_at(fit: Fit, additions: Sequence[Candidate], restrictions: Sequence[Restriction], *, robust: bool) -> RestrictedScore:
    """Return the score of the larger model at the restricted estimates; for a `robust` test with the spread of the casewise scores.

    Raises
    ------
    IdentificationError
        If the restricted model is not identified.
    """
    problem, point = _larger(fit, additions)
    _, gradient, hessian = derivatives(problem, point, problem.shares)
    n, information, meat = float(problem.nobs), 0.5 * hessian, None
    if problem.moments.discrepancy != 0:
        # The scores of least squares weigh blocks by n - 1, the information by n.
        _, gradient, _ = derivatives(problem, point, problem.multiplier / problem.nobs)
    else:
        # Not the Hessian: the moments of fixed covariates are not modelled and carry no information about parameters to be added.
        n = problem.scale
        blocks = stacked_blocks(problem, fit.sample, implied(problem.structure, point))
        parts = [block.share * (block.delta.T @ block.information(structured=True, observed=False) @ block.delta) for block in blocks]
        information = np.asarray(sum(parts))
        if robust:
            meat = score_meat([block.scores(structured=True) @ block.delta for block in blocks], [block.clusters for block in blocks])
    slopes = np.array([restriction.slope for restriction in restrictions])
    found = restricted_score(-0.5 * n * gradient, n * information, slopes, meat)
    if found is None:
        raise IdentificationError("The model is not identified, so its restrictions cannot be tested. See `fit.warnings`.")
    return found


def _larger(fit: Fit, additions: Sequence[Candidate]) -> tuple[Problem, Reals]:
    """Return the problem of the larger model, and its parameters where it is the restricted one."""
    table, values = fit.model.table, row_values(fit)
    free = fit.model.theta_of_row >= 0
    rows = [
        row._replace(label="") if is_free else row._replace(label="", free=False, ustart=row.ustart if row.exo else float(number))
        for row, is_free, number in zip(table.rows, free, values, strict=True)
    ]
    model = compile_model(ParameterTable(tuple(rows), (), table.group_labels, table.n_groups, table.n_levels))
    structure = extend_structure(fill_borrowed(model, fit.problem.blocks), [(c.block, c.cell) for c in additions])
    point = np.concatenate([values[free], [c.value for c in additions]])
    return replace(fit.problem, model=model, structure=structure), point
