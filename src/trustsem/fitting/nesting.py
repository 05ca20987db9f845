"""Whether one model is nested in another, by fitting the general one to what the restricted one implies (Bentler & Satorra 2010)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trustsem.data.sample import BlockSample, Sample
from trustsem.fitting.comparable import name_fits, refuse_levels, require_comparable
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import make_fitter
from trustsem.fitting.tables import row_values
from trustsem.model.problem import value
from trustsem.options import FitOptions
from trustsem.spec.table import ParameterTable

__all__ = ["Nesting", "at_restricted", "nested", "shared_values"]

# A discrepancy of 1e-8 is a chi-square of 0.01 at a million rows; models that differ reproduce each other's moments far worse, or not at all well.
_ZERO = 1e-8
_MOMENTS_ONLY = FitOptions(estimator="ML", se="none")


@dataclass(frozen=True)
class Nesting:
    """How two models are related.

    Attributes
    ----------
    restricted, general : str
        Names of the model with more and of that with fewer degrees of freedom (in the order given, if they have as many).
    df_difference : int
    discrepancy : float
        Discrepancy of maximum likelihood between the implied moments of the restricted model and the general model.
    nested : bool or None
        Whether that is 0; None if the search for it did not converge.
    """

    restricted: str
    general: str
    df_difference: int
    discrepancy: float
    nested: bool | None

    @property
    def equivalent(self) -> bool | None:
        """Whether each implies whatever the other does: nested, with the same degrees of freedom."""
        return None if self.nested is None else self.nested and self.df_difference == 0

    def __str__(self) -> str:
        if self.nested is None:
            return f"Whether {self.restricted} is nested in {self.general} could not be decided: the search did not converge."
        if self.equivalent:
            return f"{self.restricted} and {self.general} are equivalent: the same degrees of freedom, the same implied moments."
        relation = "is nested in" if self.nested else "is not nested in"
        return (
            f"{self.restricted} {relation} {self.general} (discrepancy {self.discrepancy:.2g}, {self.df_difference} degrees of freedom between them)."
        )

    __repr__ = __str__


def nested(*fits: Fit, **named: Fit) -> Nesting:
    """Say whether one of two models is nested in the other.

    Parameters
    ----------
    *fits, **named : Fit
        Two fits to the same data; keywords name them.

    Returns
    -------
    Nesting

    Raises
    ------
    OptionError
        If there are not two fits, or their estimators differ.
    DataError
        If their variables, groups or data differ.
    ConvergenceError
        If one did not converge.
    NotAvailableError
        For two-level models.

    Notes
    -----
    The general model is fitted to the moments that the restricted one implies at its estimates (Bentler & Satorra 2010, doi 10.1037/a0019625). If it
    reproduces them, everything that the restricted model can imply there the general one can imply too. The check is about models, not about data:
    estimates at which a model happens to imply something special (a path that is exactly 0) can mislead it.
    """
    found = name_fits(fits, named, "nested", count=2)
    require_comparable(found)
    refuse_levels(found, "nested")
    (general, one), (restricted, other) = sorted(found.items(), key=lambda item: item[1].df)
    if one.df == other.df:
        (restricted, other), (general, one) = found.items()
    return check_nesting(restricted, other, general, one)


def check_nesting(restricted: str, narrow: Fit, general: str, wide: Fit) -> Nesting:
    """Return whether `narrow` is nested in `wide`."""
    refit = fit_to_implied(wide, narrow)
    discrepancy = max(refit.estimate.discrepancy, 0.0)
    decided = discrepancy < _ZERO or refit.converged
    return Nesting(restricted, general, narrow.df - wide.df, discrepancy, discrepancy < _ZERO if decided else None)


def fit_to_implied(wide: Fit, narrow: Fit) -> Fit:
    """Fit the model of `wide` to the moments that `narrow` implies."""
    blocks = []
    for block, point in zip(narrow.sample.blocks, narrow.implied_blocks, strict=True):
        mean = point.mean if narrow.model.has_means else None
        blocks.append(BlockSample(block.label, block.n, mean, point.sigma * (block.n / (block.n - 1)), None))
    names = narrow.model.blocks[0].observed
    sample = Sample(names, tuple(blocks), narrow.sample.group, (), narrow.nobs, ())
    near = make_fitter(wide.model, _MOMENTS_ONLY, shared_values(narrow, wide.model.table)).fit_sample(sample)
    if near.converged and near.estimate.discrepancy < _ZERO:
        return near
    far = make_fitter(wide.model, _MOMENTS_ONLY).fit_sample(sample)
    return min((near, far), key=lambda fit: fit.estimate.discrepancy)


def shared_values(fit: Fit, table: ParameterTable) -> dict[str, float]:
    """Return the values in `fit` of the free parameters of `table`, by their names there, where both have them."""
    rows = fit.model.table.rows
    values = {(row.lhs, row.op, row.rhs, row.block): float(value) for row, value in zip(rows, row_values(fit), strict=True)}
    values |= {(rhs, op, lhs, block): number for (lhs, op, rhs, block), number in list(values.items()) if op == "~~"}
    keys = [(row.lhs, row.op, row.rhs, row.block) for row in table.rows if row.free]
    return {name: values[key] for name, key in zip(table.parameter_names(), keys, strict=True) if key in values}


def at_restricted(wide: Fit, narrow: Fit) -> Fit | None:
    """Return `wide` with its parameters where it implies what `narrow` does, without being refitted to the data; None if it cannot imply that."""
    refit = fit_to_implied(wide, narrow)
    if not refit.estimate.discrepancy < _ZERO:
        return None
    estimate = replace(refit.estimate, discrepancy=value(wide.problem, refit.estimate.theta), converged=True, reason="converged")
    return replace(wide, estimate=estimate)
