"""Whether fits may be compared at all: the same rows, variables and groups, the same estimator."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trustsem.data.sample import BlockSample
from trustsem.errors import DataError, NotAvailableError, OptionError
from trustsem.fitting.fit import Fit
from trustsem.kernels.structure import Integers
from trustsem.options import FitOptions

__all__ = ["name_fits", "refuse_levels", "require_comparable"]

_SHARED = ("estimator", "likelihood", "missing", "test")


def name_fits(fits: tuple[object, ...], named: Mapping[str, object], call: str, count: int | None = None) -> dict[str, Fit]:
    """Return the fits by name: those without a name are fit1, fit2, ...

    Raises
    ------
    OptionError
        If something is no fit, or their number is not `count` (None: two or more).
    ConvergenceError
        If a fit did not converge.
    """
    given = {f"fit{number}": fit for number, fit in enumerate(fits, 1)}
    for name in named:
        if name in given:
            raise OptionError(f"{call}() got two models named {name!r}. Give one of them another name.")
    found = {}
    for name, fit in (given | dict(named)).items():
        if not isinstance(fit, Fit):
            raise OptionError(f"{call}() compares fits, but {name!r} is a {type(fit).__name__}. Fit the models first, as by ts.sem().")
        found[name] = fit.require_converged()
    if len(found) < 2 or count not in (None, len(found)):
        raise OptionError(f"{call}() compares {'at least two' if count is None else 'two'} fits, but got {len(found)}.")
    return found


def require_comparable(fits: Mapping[str, Fit]) -> None:
    """Refuse fits whose statistics cannot be subtracted from one another.

    Raises
    ------
    OptionError
        If estimator, likelihood, treatment of missing values or tests differ.
    DataError
        If variables, groups, rows or fixed covariates differ.
    """
    (first, one), *others = fits.items()
    for name, other in others:
        _same_options(first, one.options, name, other.options)
        _same_variables(first, one, name, other)
        _same_data(first, one, name, other)


def refuse_levels(fits: Mapping[str, Fit], call: str) -> None:
    """Refuse two-level models.

    Raises
    ------
    NotAvailableError
    """
    for name, fit in fits.items():
        if fit.model.table.n_levels > 1:
            raise NotAvailableError(
                f"{call}() is not available for two-level models, and {name} is one. Fit the models with and without what is tested, and compare "
                "them by ts.anova(), AIC or BIC."
            )


def _same_options(first: str, one: FitOptions, name: str, other: FitOptions) -> None:
    for option in _SHARED:
        left, right = getattr(one, option), getattr(other, option)
        if left != right:
            raise OptionError(
                f"The models {first} and {name} cannot be compared: {option}={left!r} and {option}={right!r}. Fit both with the same {option}=."
            )


def _same_variables(first: str, one: Fit, name: str, other: Fit) -> None:
    labels, others = one.sample.group_labels, other.sample.group_labels
    if (one.sample.group, labels) != (other.sample.group, others):
        raise DataError(f"The models {first} and {name} cannot be compared: groups {list(labels)} and {list(others)}. Fit both to the same groups.")
    for left, right in zip(one.model.blocks, other.model.blocks, strict=True):
        odd = sorted(set(left.observed) ^ set(right.observed))
        if odd:
            raise DataError(
                f"The models {first} and {name} cannot be compared: {', '.join(odd)} in only one of them. Models of different variables explain "
                "different data; keep the variable in both models (with its paths fixed to 0)."
            )
        odd = sorted(set(left.fixed) ^ set(right.fixed))
        if odd:
            raise DataError(
                f"The models {first} and {name} cannot be compared: {', '.join(odd)} fixed covariate(s) in only one. Set fixed_x=False in both."
            )
    if one.model.has_means != other.model.has_means:
        raise DataError(f"The models {first} and {name} cannot be compared: only one models means. Set meanstructure=True in both.")


def _same_data(first: str, one: Fit, name: str, other: Fit) -> None:
    if one.sample is other.sample:
        return
    for b, (left, right) in enumerate(zip(one.sample.blocks, other.sample.blocks, strict=True)):
        if left.n != right.n:
            raise DataError(
                f"The models {first} and {name} cannot be compared: {left.n} and {right.n} observations. Fit both to the same rows, such as those "
                "without missing values in any variable of either model."
            )
        places = [(one.sample.names.index(v), other.sample.names.index(v)) for v in one.model.blocks[b].observed]
        if not _same_values(left, right, *np.array(places).T):
            raise DataError(
                f"The models {first} and {name} cannot be compared: their data differ in values, weights or clusters. Fit both to the same rows."
            )


def _same_values(left: BlockSample, right: BlockSample, here: Integers, there: Integers) -> bool:
    """Whether two blocks hold the same values; `here` and `there` are the places of the same variables."""
    for key in ("weights", "clusters"):
        mine, yours = getattr(left, key), getattr(right, key)
        if (mine is None) != (yours is None) or (mine is not None and not np.array_equal(mine, yours)):
            return False
    if left.rows is None or right.rows is None:
        moments = np.allclose(left.cov[np.ix_(here, here)], right.cov[np.ix_(there, there)], rtol=1e-12, atol=0.0)
        return left.rows is right.rows and bool(moments) and _same_means(left, right, here, there)
    return all(np.array_equal(left.rows[:, i], right.rows[:, j], equal_nan=True) for i, j in zip(here, there, strict=True))


def _same_means(left: BlockSample, right: BlockSample, here: Integers, there: Integers) -> bool:
    if left.mean is None or right.mean is None:
        return left.mean is right.mean
    return bool(np.allclose(left.mean[here], right.mean[there], rtol=1e-12, atol=0.0))
