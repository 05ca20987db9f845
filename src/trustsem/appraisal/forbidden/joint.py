"""All that a structural part denies, tested at once."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, stdtr

from trustsem.appraisal.forbidden.basis import Basis
from trustsem.appraisal.structure import StructuralMoments
from trustsem.errors import TrustsemError
from trustsem.fitting.differences import Method, choose_method, difference_test
from trustsem.fitting.fit import Fit
from trustsem.inference.difference import DifferenceTest, plain_difference
from trustsem.inference.partial_correlation import partial_correlation
from trustsem.inference.small_sample import swain

__all__ = ["JointTest", "fishers_c", "joint_tests"]

_SMALLEST_P = 0.001


class JointTest(NamedTuple):
    """A test of all restrictions of a structural part.

    Attributes
    ----------
    name : {"plain", "scaled", "corrected", "fisher_c"}
    statistic, df, pvalue : float
    judged : bool
        Whether it is the one to judge by.
    method : str
        In words.
    """

    name: str
    statistic: float
    df: float
    pvalue: float
    judged: bool
    method: str

    def sentence(self, alpha: float) -> str:
        """Return the result in words."""
        p = f"p < {_SMALLEST_P}" if self.pvalue < _SMALLEST_P else f"p = {self.pvalue:.3f}"
        verdict = ("; rejected." if self.pvalue < alpha else "; not rejected.") if self.judged else "."
        return f"All at once, {self.method}: {self.statistic:.2f} on {self.df:g} df, {p}{verdict}"


def joint_tests(fit: Fit, saturated: Fit) -> tuple[JointTest, ...]:
    """Return the difference tests of a structural model against its saturated structure: plain, scaled where the fit is, and corrected.

    Notes
    -----
    The corrected test takes Swain's factor (1975; Herzog & Boomsma 2009, doi 10.1080/10705510802561279) to the statistic of each of the two models
    before they are subtracted, so that the difference has the mean that its degrees of freedom say; a scaled test is divided by its scaling as
    before.
    """
    if not fit.options.tests or fit.nobs != saturated.nobs or fit.df <= saturated.df:
        return ()
    plain = plain_difference(fit.chisq, saturated.chisq)
    method = choose_method((fit, saturated), "default", shifted=False)
    scaled = _scaled(fit, saturated, method)
    tests = [_joint("plain", plain, False, "chi-square difference of structural model and saturated structure")]
    if method.name != "standard":
        tests.append(_joint("scaled", scaled, False, f"the same, scaled ({method})"))
    if fit.problem.moments.discrepancy == 0:
        variables = len(fit.model.blocks[0].observed)
        both = plain_difference(swain(fit.chisq, variables, fit.nobs), swain(saturated.chisq, variables, fit.nobs))
        corrected = DifferenceTest(max(both.statistic, 0.0) / scaled.scaling + scaled.shift, scaled.df)
        tests.append(_joint("corrected", corrected, False, "the same, with Swain's correction for sample size"))
    known = [test for test in tests if math.isfinite(test.pvalue)]
    return tuple(test._replace(judged=test is known[-1]) for test in known)


def _scaled(fit: Fit, saturated: Fit, method: Method) -> DifferenceTest:
    """Return the scaled difference; from the restrictions' own derivatives where the usual scaling is not positive."""
    found = difference_test(fit, saturated, method)
    if math.isnan(found.statistic):
        try:
            return difference_test(fit, saturated, Method("satorra_2000", "mean_adjusted"))
        except TrustsemError:
            return found
    return found


def _joint(name: str, test: DifferenceTest, judged: bool, method: str) -> JointTest:
    return JointTest(name, test.statistic, test.df, test.pvalue, judged, method)


def fishers_c(fit: Fit, basis: Basis, moments: StructuralMoments) -> tuple[tuple[JointTest, ...], list[str]]:
    """Return Fisher's C (Shipley 2000) where it applies, or why it does not.

    Notes
    -----
    ``C = -2 sum ln p`` over the k statements of the basis set, whose p-values are independent, has 2 k degrees of freedom. The p-values are those of
    the t-tests of partial correlations, exact for normal data.
    """
    if not basis.statements:
        return (), []
    if fit.model.blocks[0].latent:
        return (), ["Fisher's C is not given: it is for theories all of whose constructs are observed; means of items break independence."]
    if not basis.complete or basis.inseparable:
        return (), ["Fisher's C is not given: residuals covary, so the statements are not independent tests."]
    block = fit.sample.blocks[0]
    if block.missing is not None or block.clusters is not None or block.weights is not None:
        return (), ["Fisher's C is not given: its p-values are for complete, independent rows."]
    place = {name: k for k, name in enumerate(moments.names)}
    logs = 0.0
    for s in basis.statements:
        r = partial_correlation(moments.cov, place[s.one], place[s.other], [place[name] for name in s.given]).value
        df = fit.nobs - 2 - len(s.given)
        p = 2.0 * float(stdtr(df, -abs(r) * math.sqrt(df / (1.0 - r * r))))
        logs += math.log(max(p, float(np.finfo(float).tiny)))
    count = 2 * len(basis.statements)
    return (JointTest("fisher_c", -2.0 * logs, count, float(chdtrc(count, -2.0 * logs)), False, "Fisher's C"),), []
