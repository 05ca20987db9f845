"""How a rival stands to the theory: equivalent, nested one way or the other, or neither; and the test that belongs to that."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from trustsem.appraisal.rivals.contenders import has_likelihood
from trustsem.errors import DataError, IdentificationError
from trustsem.fitting.differences import Method, choose_method, difference_test
from trustsem.fitting.fit import Fit
from trustsem.fitting.nesting import check_nesting
from trustsem.fitting.tables import row_values
from trustsem.fitting.vuong import Vuong, vuong
from trustsem.inference.difference import DifferenceTest, plain_difference, scaled_difference
from trustsem.inference.model_choice import boundary_pvalue

__all__ = ["Standing", "difference_of", "stand"]

BOUNDARY = "The variance tested is 0 at the edge of what it can be: p is that of an even mixture of chi-squares with 0 and 1 degrees of freedom."
EDGE = (
    "The simpler model lies at the edge of the other (factors that merge or vanish), where the difference, which is not scaled here, has no exact "
    "distribution: the p-value is a rough guide."
)
BOUNDARY = "The variance tested is 0 at the edge of what it can be: p is that of an even mixture of chi-squares with 0 and 1 degrees of freedom."
EDGE = (
    "The simpler model lies at the edge of the other (factors that merge or vanish), where the difference, which is not scaled here, has no exact "
    "distribution: the p-value is a rough guide."
)
EQUIVALENT, RIVAL_GENERAL, THEORY_GENERAL, APART = "equivalent", "theory nested in rival", "rival nested in theory", "not nested"


@dataclass(frozen=True, eq=False)
class Standing:
    """How a rival stands to the theory.

    Attributes
    ----------
    relation : {"equivalent", "theory nested in rival", "rival nested in theory", "not nested"}
    test : {"difference", "Vuong", ""}
    statistic : float
        Chi-square difference, or Vuong's z (positive: the theory is closer).
    df : float
        Of the difference; NaN for Vuong's test.
    pvalue : float
        Of the difference, or two-sided of Vuong's test; NaN if Vuong's first test does not tell the models apart.
    apart_pvalue : float
        Of Vuong's first test: whether the two can be told apart at all.
    caveat : str
        What is special about the test, or why there is none.
    """

    relation: str
    test: str = ""
    statistic: float = math.nan
    df: float = math.nan
    pvalue: float = math.nan
    apart_pvalue: float = math.nan
    caveat: str = ""


def stand(theory: Fit, rival: Fit, alpha: float) -> Standing:
    """Return how `rival` stands to `theory`; both converged, are identified and were fitted to the same rows.

    Nesting and equivalence are verified by fitting the one to what the other implies (Bentler & Satorra 2010, doi 10.1037/a0019625).
    """
    if theory.df >= rival.df:
        relation = check_nesting("theory", theory, "rival", rival)
        nested_as = RIVAL_GENERAL
    else:
        relation = check_nesting("rival", rival, "theory", theory)
        nested_as = THEORY_GENERAL
    if relation.equivalent:
        return Standing(EQUIVALENT)
    if relation.nested:
        narrow, wide = (theory, rival) if nested_as == RIVAL_GENERAL else (rival, theory)
        return difference_of(nested_as, narrow, wide)
    found = _vuong(theory, rival, alpha)
    if relation.nested is None:
        found = replace(found, caveat=f"Whether the models are nested could not be decided. {found.caveat}".strip())
    return found


def difference_of(relation: str, narrow: Fit, wide: Fit) -> Standing:
    """Return the difference test, scaled as the fits are; of a variance that is 0 in the restricted model, by the mixture at the boundary."""
    if not wide.options.tests:
        return Standing(relation, caveat="The models were fitted without a test.")
    more = len(_latent(wide)) - len(_latent(narrow))
    if more > 0 and narrow.df - wide.df > 1:
        return _told(relation, difference_test(narrow, wide, Method("standard")), EDGE)
    test = scaled_difference_test(narrow, wide)
    caveat = ""
    if math.isnan(test.statistic) and wide.options.scaled_test is not None:
        test = difference_test(narrow, wide, Method("satorra_bentler_2010"))
        caveat = "The scaling of the difference was not positive; it is that of Satorra & Bentler (2010)."
    if more <= 0:
        return _told(relation, test, caveat)
    test, pvalue = _at_boundary(test, wide, _latent(wide) - _latent(narrow))
    return replace(_told(relation, test, f"{BOUNDARY} {caveat}".strip()), pvalue=pvalue)


def scaled_difference_test(narrow: Fit, wide: Fit) -> DifferenceTest:
    """Return the difference test of nested models, scaled as the fits are (Satorra & Bentler 2001, doi 10.1007/BF02296192).

    For MLR the traces of the saturated model, which take most of the time, cancel out: the mean of the difference is that of the general model's own
    trace less that of the restricted one.
    """
    method = choose_method([narrow, wide], "default", True)
    options = wide.options
    own = options.estimator == "MLR" and options.information == "observed" and options.scaled_test == "yuan_bentler_mplus"
    if method.name != "satorra_bentler_2001" or not own:
        return difference_test(narrow, wide, method)
    means = [float(np.sum(fit.inverse_information * fit.score_meat)) for fit in (wide, narrow)]
    return scaled_difference(plain_difference(narrow.chisq, wide.chisq), means[0] - means[1])


def _told(relation: str, test: DifferenceTest, caveat: str) -> Standing:
    return Standing(relation, "difference", float(test.statistic), float(test.df), float(test.pvalue), caveat=caveat)


def _latent(fit: Fit) -> set[str]:
    return set(fit.model.blocks[0].latent)


def _at_boundary(test: DifferenceTest, wide: Fit, more: set[str]) -> tuple[DifferenceTest, float]:
    """Return test and p-value if one factor's variance is 0 in the restricted model and cannot be negative."""
    rows = zip(wide.model.table.rows, row_values(wide), strict=True)
    negative = any(row.op == "~~" and row.lhs == row.rhs and row.lhs in more and value <= 0.0 for row, value in rows)
    shown = test._replace(statistic=0.0 if negative else max(test.statistic, 0.0))
    return shown, boundary_pvalue(shown.statistic, test.df)


def _vuong(theory: Fit, rival: Fit, alpha: float) -> Standing:
    if not has_likelihood(theory):
        return Standing(APART, caveat="Models that are not nested are compared by their likelihoods, which this estimator does not have.")
    if theory.sample.blocks[0].rows is None:
        return Standing(APART, caveat="Vuong's test needs the rows of the data, not summary statistics.")
    try:
        found: Vuong = vuong(theory, rival)
    except (IdentificationError, DataError) as error:
        return Standing(APART, caveat=f"There is no test by Vuong. {error}")
    plain = found.frame.to_dict("index")["plain"]
    apart = float(found.variance_test.pvalue)
    tail = 2.0 * min(float(plain["pvalue_first"]), float(plain["pvalue_second"]))
    units = "teams" if theory.sample.blocks[0].clusters is not None else "rows"
    caveat = f"{found.n_units} {units} are the units of Vuong's test."
    return Standing(APART, "Vuong", float(plain["z"]), math.nan, tail if apart < alpha else math.nan, apart, caveat)
