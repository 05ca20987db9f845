"""A model with known parameter values: what data are simulated from, and what an estimate is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from trustsem.errors import ModelError, closest
from trustsem.kernels.structure import Reals
from trustsem.model.problem import ImpliedBlock, implied
from trustsem.model.ram import Model, compile_model
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for
from trustsem.spec.table import ParameterTable

__all__ = ["Moments", "Population", "moments_of"]

_KEPT = 1e-8  # how far a constraint may be from being kept: values are typed with some digits


@dataclass(frozen=True, eq=False)
class Moments:
    """Means and covariances of observed variables.

    Attributes
    ----------
    names : tuple of str
        The p variables.
    mean : (p,) float
    cov : (p, p) float
    """

    names: tuple[str, ...]
    mean: Reals
    cov: Reals


@dataclass(frozen=True)
class Population:
    """A model and the values of its free parameters.

    Parameters
    ----------
    model : str or ParameterTable
        Text is read with the defaults of ``sem`` and ``fixed_x=False``: in a population covariates have moments of their own.
    values : mapping of str to float
        Value of every free parameter, by label or by ``lhs``, ``op`` and ``rhs`` together (such as ``"y~x"``).

    Raises
    ------
    ModelError
        If a value is missing, a name is unknown, or the implied covariance matrix is not positive definite.
    """

    model: str | ParameterTable
    values: Mapping[str, float]

    def __post_init__(self) -> None:
        if not isinstance(self.values, Mapping):
            raise ModelError(f"values= must be a mapping of parameter names to numbers, not {type(self.values).__name__!r}.")
        object.__setattr__(self, "values", _as_written_in_table(self.values, self.table))
        broken = _broken_relation(self.table, self.theta)
        if broken:
            raise ModelError(f"The values of the population break its constraint `{broken}`. Give values that keep it, or leave the constraint out.")
        for block in self.implied_blocks:
            if not np.all(np.isfinite(block.V)) or np.linalg.eigvalsh(block.sigma)[0] <= 0.0:
                raise ModelError("The population has no positive definite covariance matrix at these values. Look for a variance that is too small.")

    @cached_property
    def table(self) -> ParameterTable:
        """The parameter table."""
        if isinstance(self.model, ParameterTable):
            return self.model
        return build_table(self.model, replace(defaults_for("sem"), fixed_x=False))

    @cached_property
    def compiled(self) -> Model:
        """The compiled model."""
        return compile_model(self.table)

    @cached_property
    def theta(self) -> Reals:
        """The parameter values (K,) in the order of the compiled model."""
        names = self.table.parameter_names()
        unknown = [name for name in self.values if name not in names]
        if unknown:
            raise ModelError(f"The population gives a value for {unknown[0]!r}, which is no free parameter.{closest(unknown[0], names)}")
        missing = [name for name in names if name not in self.values]
        if missing:
            raise ModelError(
                f"The population lacks values for {', '.join(missing[:8])}{' ...' if len(missing) > 8 else ''}. Give every free parameter one."
            )
        unusable = [name for name, value in self.values.items() if not isinstance(value, int | float | np.number) or not np.isfinite(value)]
        if unusable:
            raise ModelError(f"The population gives {unusable[0]!r} the value {self.values[unusable[0]]!r}. Give a finite number.")
        theta = np.empty(self.compiled.n_theta)
        for name, row in zip(names, self.compiled.free_rows, strict=True):
            theta[self.compiled.theta_of_row[row]] = self.values[name]
        return theta

    @cached_property
    def implied_blocks(self) -> tuple[ImpliedBlock, ...]:
        """RAM matrices and moments of every block."""
        return implied(self.compiled.structure, self.theta)

    @property
    def names(self) -> tuple[str, ...]:
        """The observed variables (of the first block)."""
        return self.compiled.blocks[0].observed

    @property
    def cov(self) -> Reals:
        """Covariance matrix (p, p) of the observed variables (of the first block)."""
        return self.implied_blocks[0].sigma

    @property
    def mean(self) -> Reals:
        """Means (p,) of the observed variables (of the first block)."""
        return self.implied_blocks[0].mean

    def value(self, name: str) -> float:
        """Return the value of one free parameter.

        Raises
        ------
        ModelError
            If there is no such parameter.
        """
        if name not in self.values:
            raise ModelError(f"The population has no parameter {name!r}.{closest(name, self.values)}")
        return float(self.values[name])


def _as_written_in_table(values: Mapping[str, float], table: ParameterTable) -> dict[str, float]:
    """Return values under the names of the table, which may have the two variables of a covariance the other way round."""
    known = set(table.parameter_names())

    def name_of(name: str) -> str:
        left, operator, right = str(name).partition("~~")
        turned = f"{right}{operator}{left}"
        return turned if operator and name not in known and turned in known else name

    return {name_of(name): value for name, value in values.items()}


def _broken_relation(table: ParameterTable, theta: Reals) -> str:
    """Return the first constraint of `table` that `theta` does not keep, as it is written; empty if it keeps all."""
    for relation in table.relations:
        if relation.op != ":=":
            alone = compile_model(replace(table, relations=(relation,))).relations
            values = [abs(one.value(theta)) for one in (*alone.linear, *alone.equalities)] + [-one.value(theta) for one in alone.inequalities]
            if not max(values) <= _KEPT * max(1.0, float(np.abs(theta).max())):
                return f"{relation.lhs} {relation.op} {relation.rhs}"
    return ""


def moments_of(source: Population | Moments) -> Moments:
    """Return the moments of a population.

    Raises
    ------
    ModelError
        If it has several groups or levels: no one set of moments is its own.
    """
    if isinstance(source, Population) and len(source.implied_blocks) > 1:
        raise ModelError("The population has several groups or levels, and rows are drawn from one. Use ts.Grouped or ts.Clustered instead.")
    return source if isinstance(source, Moments) else Moments(source.names, source.mean, source.cov)
