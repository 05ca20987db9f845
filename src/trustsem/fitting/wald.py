"""Wald tests of constraints that are written as in model text."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trustsem.display import number
from trustsem.errors import OptionError
from trustsem.fitting.fit import Fit
from trustsem.inference.wald import wald
from trustsem.model.relations import Difference, compile_relations
from trustsem.spec.parser import parse
from trustsem.spec.relations import build_relations
from trustsem.spec.statements import StatedRelation
from trustsem.spec.table import ParameterTable, Relation

__all__ = ["WaldTest", "compiled_equality", "wald_test"]


@dataclass(frozen=True)
class WaldTest:
    """A Wald test.

    Attributes
    ----------
    statistic : float
    df : int
    pvalue : float
    se : str
        Kind of the standard errors that the test rests on.
    """

    statistic: float
    df: int
    pvalue: float
    se: str

    def __str__(self) -> str:
        return f"Wald test: {number(self.statistic)} on {self.df} df, p = {number(self.pvalue)} (standard errors: {self.se})"

    __repr__ = __str__


def wald_test(fit: Fit, constraints: str) -> WaldTest:
    """Test constraints on the parameters without refitting.

    Parameters
    ----------
    fit : Fit
        With standard errors; if these are robust, so is the test.
    constraints : str
        One or more equalities between labels (or defined parameters), such as ``"a == b; c*d == 1"``.

    Returns
    -------
    WaldTest

    Raises
    ------
    OptionError
        For text that holds anything but equalities, for constraints that follow from one another or hold in the model anyway, and for a fit
        without standard errors.
    ModelSyntaxError
        For text that cannot be read, or a name that is no label.

    Notes
    -----
    Constraints that are not linear are linearised at the estimates (delta method), so that the result depends on how they are written (Gregory &
    Veall 1985); a difference test does not.
    """
    if not np.isfinite(fit.theta_vcov).all():
        raise OptionError(
            "The fit has no covariance matrix of its estimates, so there is no Wald test: it did not converge, is not identified, or was made with "
            "se='none'. Look at `fit.warnings`, or leave se= out."
        )
    differences = [compiled_equality(fit, relation) for relation in _equalities(fit, constraints)]
    theta = fit.estimate.theta
    values = np.array([difference.value(theta) for difference in differences])
    slopes = np.array([difference.gradient(theta) for difference in differences])
    found = wald(values, slopes, fit.theta_vcov)
    if math.isnan(found.statistic):
        raise OptionError(f"constraints={constraints!r}: one of them follows from the others, or holds in the model anyway. Leave it out.")
    return WaldTest(found.statistic, int(found.df), found.pvalue, fit.options.se)


def _equalities(fit: Fit, constraints: str) -> list[Relation]:
    table = fit.model.table
    defined = [f"{relation.lhs} := {relation.rhs}" for relation in table.relations if relation.op == ":="]
    text = "\n".join([constraints, *defined])
    statements = parse(text)
    stated = [statement for statement in statements if isinstance(statement, StatedRelation)]
    if len(stated) < len(statements) or any(statement.op not in ("==", ":=") for statement in stated):
        raise OptionError(f"constraints={constraints!r} holds something that is not an equality. Write equalities such as 'a == b; c == 0'.")
    relations = [relation for relation in build_relations(stated, table.rows, text) if relation.op == "=="]
    if not relations:
        raise OptionError(f"constraints={constraints!r} holds no equality. Write equalities such as 'a == b; c == 0'.")
    return relations


def compiled_equality(fit: Fit, relation: Relation) -> Difference:
    """Return an equality between labels of the model as a function of theta."""
    table = fit.model.table
    alone = ParameterTable(table.rows, (relation,), table.group_labels, table.n_groups, table.n_levels)
    compiled = compile_relations(alone, fit.model.theta_of_row, fit.model.n_theta, {})
    return (compiled.linear + compiled.equalities)[0]
