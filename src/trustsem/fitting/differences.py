"""The chi-square difference test of two fits: which formula with which matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trustsem.errors import OptionError
from trustsem.fitting import robust
from trustsem.fitting.fit import Fit
from trustsem.fitting.nesting import at_restricted
from trustsem.inference.difference import (
    DIFFERENCE_METHODS,
    DifferenceTest,
    mean_adjusted,
    mean_var_adjusted,
    plain_difference,
    restriction_traces,
    restrictions_between,
    satorra_bentler,
    scaled_difference,
    scaled_shifted,
)
from trustsem.inference.information import covariance_of_estimates
from trustsem.inference.saturated import lower_triangle
from trustsem.inference.scaled import Traces
from trustsem.kernels.structure import Integers, Reals
from trustsem.options import choose

__all__ = ["Method", "choose_method", "difference_test", "implied_difference"]

_SECOND_ORDER = ("mean_var_adjusted", "scaled_shifted")


class Method(NamedTuple):
    """A difference test: one of ``DIFFERENCE_METHODS``, and for ``satorra_2000`` how its distribution is matched (None for the others).

    The ways are ``"scaled_shifted"``, ``"mean_adjusted"`` and ``"mean_var_adjusted"``.
    """

    name: str
    adjustment: str | None = None

    def __str__(self) -> str:
        return self.name if self.adjustment is None else f"{self.name}, {self.adjustment}"


def choose_method(fits: Sequence[Fit], method: str, shifted: bool) -> Method:
    """Return the difference test for `fits`, which share their options.

    Parameters
    ----------
    fits : sequence of Fit
    method : str
        One of ``DIFFERENCE_METHODS``, or ``"default"``: Satorra & Bentler 2001 for tests that are scaled by their mean, Satorra 2000 for those that
        adjust the variance as well, the plain one where the test is not scaled.
    shifted : bool
        For Satorra 2000: scaled and shifted; otherwise adjusted as the models' own test is.

    Raises
    ------
    OptionError
        For a method that does not exist, or that needs a scaled test where there is none, or where the models are not tested.
    """
    name = choose("method", str(method).replace(".", "_"), ("default", *DIFFERENCE_METHODS))
    options = fits[0].options
    if not options.tests:
        raise OptionError("The models were fitted with test='none', so there is no chi-square to compare. Refit them with a test.")
    scaled = options.scaled_test
    if name == "default":
        name = "standard" if scaled is None else "satorra_2000" if scaled in _SECOND_ORDER else "satorra_bentler_2001"
    if name != "standard" and scaled is None:
        raise OptionError(
            f"method={method!r} needs fits with a scaled test, but these have test={'+'.join(options.test)!r}. Use estimator='MLR' or 'MLM', or "
            "method='standard'."
        )
    if name != "satorra_2000":
        return Method(name)
    return Method(name, "scaled_shifted" if shifted else "mean_var_adjusted" if scaled in _SECOND_ORDER else "mean_adjusted")


def difference_test(restricted: Fit, general: Fit, method: Method) -> DifferenceTest:
    """Return the test of `restricted` against `general`; NaN where its scaling is not positive or does not exist."""
    plain = plain_difference(restricted.chisq, general.chisq)
    if method.name == "standard":
        return plain
    if method.name == "satorra_2000":
        return implied_difference(plain, restricted, general, str(method.adjustment))
    wide: Fit | None = general
    if method.name == "satorra_bentler_2010":
        wide = at_restricted(general, restricted)
    if wide is None:
        return DifferenceTest(math.nan, plain.df, math.nan)
    if method.name == "satorra_bentler_2010" and str(restricted.options.scaled_test).startswith("yuan"):
        return scaled_difference(plain, _score_trace(wide) - _score_trace(restricted))
    return satorra_bentler(restricted.chisq, restricted.scaled.scaling, general.chisq, wide.scaled.scaling)


def _score_trace(fit: Fit) -> float:
    """Return the trace of the scores' spread times the inverse expected information, at the fit's parameters.

    The expected information stands in for the Hessian of the models' own test, which away from a minimum depends on how the model is scaled and need
    not be definite: the scaling would neither be always positive nor the same for a marker variable and for a unit variance.
    """
    blocks = fit.stacked
    parts = [block.share * (block.delta.T @ block.information(structured=True, observed=False) @ block.delta) for block in blocks]
    inverse, _ = covariance_of_estimates(np.asarray(sum(parts)), fit.free_basis)
    return math.nan if inverse is None else float(np.sum(inverse * fit.score_meat)) / fit.problem.scale


def implied_difference(plain: DifferenceTest, restricted: Fit, general: Fit, adjustment: str) -> DifferenceTest:
    """Return Satorra's (2000) test, everything but the restrictions from the general model."""
    basis = general.free_basis
    wide = np.vstack([block.delta for block in general.stacked])
    narrow = np.vstack([block.delta[order] for block, order in zip(restricted.stacked, _moment_orders(restricted, general), strict=True)])
    inverse, meat = _bread_and_meat(general)
    if inverse is None:
        return DifferenceTest(math.nan, plain.df, math.nan)
    if basis is not None:
        wide, inverse, meat = wide @ basis, basis.T @ inverse @ basis, basis.T @ meat @ basis
    narrow = narrow if restricted.free_basis is None else narrow @ restricted.free_basis
    traces: Traces = restriction_traces(restrictions_between(narrow, wide), inverse, meat)
    adjust = {"scaled_shifted": scaled_shifted, "mean_adjusted": mean_adjusted, "mean_var_adjusted": mean_var_adjusted}[adjustment]
    return adjust(plain, traces)


def _bread_and_meat(fit: Fit) -> tuple[Reals | None, Reals]:
    """Return the inverse information (K, K) of one observation, and its counterpart without normality."""
    blocks = fit.stacked
    yuan = str(fit.options.scaled_test).startswith("yuan")
    if yuan and any(block.missing is not None or block.clusters is not None for block in blocks):
        return fit.inverse_information * fit.problem.scale, fit.score_meat / fit.problem.scale
    weights = robust.moment_weights(fit, blocks, observed=fit.options.information == "observed" and not yuan)
    size = fit.model.n_theta
    information, meat = np.zeros((size, size)), np.zeros((size, size))
    for block, W, gamma in zip(blocks, weights, fit.gammas, strict=True):
        weighted = W @ block.delta
        information += block.share * (block.delta.T @ weighted)
        meat += block.share * (weighted.T @ gamma @ weighted)
    return fit.inverse_information * fit.problem.scale if yuan else covariance_of_estimates(information, fit.free_basis)[0], meat


def _moment_orders(restricted: Fit, general: Fit) -> list[Integers]:
    """Return, for every block, the places of the general model's moments among those of the restricted model."""
    result = []
    for narrow, wide in zip(_moment_names(restricted), _moment_names(general), strict=True):
        place = {name: k for k, name in enumerate(narrow)}
        result.append(np.array([place[name] for name in wide], dtype=np.int64))
    return result


def _moment_names(fit: Fit) -> list[list[frozenset[str] | str]]:
    """Return what each moment of every block is about: the mean of a variable, or the covariance of a set of one or two."""
    result = []
    for layout, block in zip(fit.model.blocks, fit.stacked, strict=True):
        i, j = lower_triangle(len(layout.observed))
        names: list[frozenset[str] | str] = list(layout.observed)
        names += [frozenset((layout.observed[a], layout.observed[b])) for a, b in zip(i, j, strict=True)]
        result.append([name for name, kept in zip(names, block.kept, strict=True) if kept])
    return result
