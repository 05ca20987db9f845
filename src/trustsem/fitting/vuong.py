"""Models that need not be nested, compared by their casewise likelihoods."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from trustsem.display import escape, html_table, number, text_table, wrap
from trustsem.errors import DataError, IdentificationError, OptionError
from trustsem.estimators import find
from trustsem.fitting.comparable import name_fits, refuse_levels, require_comparable
from trustsem.fitting.fit import Fit
from trustsem.fitting.robust import casewise_scores
from trustsem.inference.casewise import casewise_log_likelihoods
from trustsem.inference.information import covariance_of_estimates, observed_information
from trustsem.inference.vuong import Distinguishability, distinguishability, likelihood_ratio
from trustsem.kernels.structure import Reals
from trustsem.options import check_level

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Vuong", "log_likelihood_of_rows", "vuong"]

_ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Vuong:
    """Vuong's tests of two models; prints itself.

    Attributes
    ----------
    first, second : str
        Names of the models.
    n_units : int
        Rows, or clusters.
    variance_test : Distinguishability
        Whether the two can be told apart (``variance``, ``statistic``, ``pvalue``, ``weights``).
    frame : DataFrame
        Index ``plain aic bic``; columns ``ratio z pvalue_first pvalue_second``: log-likelihood ratio (less the penalty), z, and one-sided p-values,
        small if the first (the second) model is closer to the truth.
    differences : DataFrame
        Index ``aic bic``; columns ``difference ci_lower ci_upper``: first less second model, with an interval.
    level : float
    """

    first: str
    second: str
    n_units: int
    variance_test: Distinguishability
    frame: pd.DataFrame
    differences: pd.DataFrame
    level: float

    @property
    def distinguishable(self) -> bool:
        """Whether the variance test rejects at .05; only then do the other tests and the intervals mean anything."""
        return bool(self.variance_test.pvalue < _ALPHA)

    @property
    def conclusion(self) -> str:
        """What follows from the variance test and the test without penalty, in words."""
        if not self.distinguishable:
            return f"{self.first} and {self.second} cannot be told apart by these data; the tests below do not apply, choose the simpler model."
        plain = self.frame.loc["plain"]
        if plain["pvalue_first"] < _ALPHA / 2.0:
            return f"{self.first} is closer to the data than {self.second}."
        if plain["pvalue_second"] < _ALPHA / 2.0:
            return f"{self.second} is closer to the data than {self.first}."
        return f"{self.first} and {self.second} can be told apart, but neither is closer to the data than the other."

    def _tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        test = self.variance_test
        rows = [[name, *(number(float(value)) for value in row)] for name, row in zip(self.frame.index, self.frame.to_numpy(), strict=True)]
        numbers = self.differences.to_numpy()
        gaps = [[name, *(number(float(value)) for value in row)] for name, row in zip(self.differences.index, numbers, strict=True)]
        return [
            (
                "Can they be told apart",
                ["variance", "n x variance", "pvalue"],
                [[number(v, 4) for v in (test.variance, test.statistic, test.pvalue)]],
            ),
            ("Log-likelihood ratio", ["", "ratio", "z", f"p({self.first})", f"p({self.second})"], rows),
            (f"Difference, {self.first} less {self.second}", ["", "difference", "ci_lower", "ci_upper"], gaps),
        ]

    def __str__(self) -> str:
        lines = [f"Vuong's tests, {self.n_units} units", "", *wrap(self.conclusion)]
        for title, header, rows in self._tables():
            lines += ["", f"{title}:", *text_table(header, rows)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.conclusion)}</p>" + "".join(html_table(header, rows, caption=title) for title, header, rows in self._tables())


def log_likelihood_of_rows(fit: Fit) -> tuple[Reals, ...]:
    """Return the log-likelihood (n,) of every row at the estimate, block by block, times its sampling weight.

    Fixed covariates are part of it, at their sample moments: a constant that two models of the same variables share.

    Raises
    ------
    DataError
        If the rows are not known.
    """
    result = []
    for block in fit.stacked:
        if block.rows is None:
            raise DataError("The likelihood of every row needs the rows of the data, not summary statistics. Fit the models with data=.")
        patterns = None if block.missing is None else block.missing.patterns
        found = casewise_log_likelihoods(block.rows, block.implied_mean, block.implied_cov, patterns)
        result.append(found if block.weights is None else found * block.weights)
    return tuple(result)


def vuong(*fits: Fit, level: float = 0.95, **named: Fit) -> Vuong:
    """Compare two models that need not be nested.

    Parameters
    ----------
    *fits, **named : Fit
        Two fits by maximum likelihood to the same rows; keywords name them.
    level : float
        Confidence level of the intervals.

    Returns
    -------
    Vuong

    Raises
    ------
    OptionError
        If there are not two fits by maximum likelihood, or `level` is no confidence level.
    DataError
        If variables, groups or rows differ, or the rows are not known.
    IdentificationError
        If the information of a model is singular.
    ConvergenceError
        If a fit did not converge.
    NotAvailableError
        For two-level models.

    Notes
    -----
    Vuong 1989 (doi 10.2307/1912557); for structural equation models, with intervals for differences of AIC and BIC, Merkle, You & Preacher 2016 (doi
    10.1037/met0000038). Neither model needs to be true. First it is tested whether the two can be told apart (the distribution is that of a weighted
    sum of chi-squares), and only then which is closer to the truth. Incomplete rows count by what was observed of them; rows of a cluster are added
    up, and the clusters are the units. Information matrices are observed ones.
    """
    check_level(level)
    found = name_fits(fits, named, "vuong", count=2)
    require_comparable(found)
    refuse_levels(found, "vuong")
    (first, one), (second, other) = found.items()
    if not find(one.options.estimator).has_likelihood or one.options.missing in ("two_stage", "robust_two_stage"):
        raise OptionError(
            "vuong() needs a likelihood of every row, which "
            f"estimator={one.options.estimator!r} with missing={one.options.missing!r} does not have. "
            "Use estimator='ML' or 'MLR', with missing='listwise' or 'fiml'."
        )
    ratios = _by_unit(one, [a - b for a, b in zip(log_likelihood_of_rows(one), log_likelihood_of_rows(other), strict=True)])
    scores = _by_unit(one, casewise_scores(one)), _by_unit(other, casewise_scores(other))
    test = distinguishability(ratios, scores, (_inverse(first, one), _inverse(second, other)))
    return _result(first, second, ratios, test, one.npar - other.npar, one.nobs, float(level))


def _by_unit(fit: Fit, parts: list[Reals] | tuple[Reals, ...]) -> Reals:
    """Return one row per unit: those of every block end to end, added up within clusters."""
    result = []
    for part, block in zip(parts, fit.stacked, strict=True):
        if block.clusters is None:
            result.append(part)
            continue
        total = np.zeros((int(block.clusters.max()) + 1, *part.shape[1:]))
        np.add.at(total, block.clusters, part)
        result.append(total)
    return np.concatenate(result)


def _inverse(name: str, fit: Fit) -> Reals:
    inverse, _ = covariance_of_estimates(observed_information(fit.problem, fit.estimate.theta), fit.free_basis)
    if inverse is None:
        raise IdentificationError(f"The information matrix of {name} is singular, so its likelihood has no unique maximum. See `fit.warnings`.")
    return inverse


def _result(first: str, second: str, ratios: Reals, test: Distinguishability, more: int, nobs: int, level: float) -> Vuong:
    import pandas as pd

    penalties = {"plain": 0.0, "aic": float(more), "bic": 0.5 * math.log(nobs) * more}
    frame = pd.DataFrame([likelihood_ratio(ratios, penalty) for penalty in penalties.values()], index=list(penalties))
    half = float(ndtri(0.5 + 0.5 * level)) * 2.0 * math.sqrt(test.statistic)
    gaps = [-2.0 * (float(ratios.sum()) - penalties[name]) for name in ("aic", "bic")]
    rows = [(gap, gap - half, gap + half) for gap in gaps]
    differences = pd.DataFrame(rows, columns=["difference", "ci_lower", "ci_upper"], index=["aic", "bic"])
    return Vuong(first, second, ratios.size, test, frame, differences, level)
