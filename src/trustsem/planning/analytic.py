"""Power and sample size by formula, from the exact moments of the population."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from scipy.special import chdtr, chdtri, chndtr, chndtrinc, chndtrix, ndtri

from trustsem.errors import NotAvailableError, OptionError, closest
from trustsem.fitting.fit import Fit
from trustsem.fitting.sem import compile as compile_fitter
from trustsem.options import check_count, choose
from trustsem.planning.asymptotic import expected, moments_fit, plain_fitter, wald_power
from trustsem.planning.claims import find_claims, parameter_of
from trustsem.planning.setting import Setting, base_study, share
from trustsem.spec.table import ParameterTable
from trustsem.studies.design import Analysis
from trustsem.studies.prepare import PreparedAnalysis, PreparedCondition
from trustsem.theory import Theory

__all__ = ["ChisqPower", "required_n", "rmsea_power", "rmsea_required_n", "satorra_saris", "wald_power"]

_MOST = 10**7


@dataclass(frozen=True)
class ChisqPower:
    """Power of the chi-square difference test of a restriction.

    Attributes
    ----------
    power : float
    noncentrality : float
        ``n * discrepancy``.
    discrepancy : float
        By how much the restriction raises the minimum of the ML discrepancy function in the population.
    df : int
        Number of restrictions.
    n : int
    alpha : float
    """

    power: float
    noncentrality: float
    discrepancy: float
    df: int
    n: int
    alpha: float


def satorra_saris(
    source: Any,
    restriction: str | Sequence[str] | Theory,
    n: int,
    *,
    alpha: float = 0.05,
    analysis: Analysis | None = None,
    preset: str = "calibrated",
) -> ChisqPower:
    """Return the power of the chi-square test of a restriction.

    Parameters
    ----------
    source : Theory or Population
        What is true.
    restriction : str, sequence of str or Theory
        A proposition or parameter that is fixed at 0 (``"Trust -> Outcomes"``, ``"y~x"``), several of them together, or another model that is nested
        in the analysis, as text. What is a parameter of the analysis is read as one.
    n : int
    alpha : float
    analysis : Analysis, optional
        The less restricted model; that of the population by default.
    preset : str
        Of a theory.

    Returns
    -------
    ChisqPower

    Raises
    ------
    OptionError
        If the restriction restricts nothing, or its model has other variables.
    NotAvailableError
        If one of the models cannot be fitted to the moments of the population.

    Notes
    -----
    Satorra & Saris (1985), Power of the likelihood ratio test in covariance structure analysis, Psychometrika 50, 83-90: the statistic is noncentral
    chi-square, and n times the minimum at the exact moments is its noncentrality.
    """
    check_count("n", n, 2)
    share("alpha", alpha)
    discrepancy, df = _restricted(source, restriction, analysis, preset)
    noncentrality = n * discrepancy
    return ChisqPower(_chisq_power(noncentrality, df, alpha), noncentrality, discrepancy, df, int(n), float(alpha))


def required_n(
    source: Any,
    restriction: str | Sequence[str] | Theory,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    method: str = "satorra_saris",
    analysis: Analysis | None = None,
    preset: str = "calibrated",
) -> int:
    """Return the smallest number of people for a power, by formula.

    Parameters
    ----------
    source, restriction, alpha, analysis, preset
        As for :func:`satorra_saris`.
    power : float
    method : {"satorra_saris", "wald"}
        The chi-square test of the restriction; or the Wald test of one proposition, in the metric of the analysis.

    Returns
    -------
    int

    Raises
    ------
    OptionError
        As for :func:`satorra_saris`; and if the restriction holds in the population, so that no sample is large enough.
    """
    share("power", power)
    share("alpha", alpha)
    if choose("method", method, ("satorra_saris", "wald")) == "wald":
        setting = Setting(base_study(source, analyses={"analysis": analysis or Analysis(standardized=True, measures=())}, preset=preset))
        if not isinstance(restriction, str):
            raise OptionError("method='wald' is about one proposition. Give its name, or method='satorra_saris'.")
        claims = find_claims(restriction, setting.base.source, setting.prepared(400).analyses[0])
        found = expected(setting, 400, claims.parameters)
        if found is None:
            raise NotAvailableError("The analysis cannot be fitted to the moments of the population. Use plan(), which simulates.")
        ratio = float(found.errors(1.0)[0] / abs(found.value[0]))
        return math.ceil(((float(ndtri(power)) + float(ndtri(1.0 - alpha / 2.0))) * ratio) ** 2 - 1e-9)
    discrepancy, df = _restricted(source, restriction, analysis, preset)
    if discrepancy < 1e-9:
        raise OptionError("The restriction holds in the population: no sample is large enough to reject it. Give another restriction.")
    return math.ceil(needed_noncentrality(df, power, alpha) / discrepancy - 1e-9)


def needed_noncentrality(df: int, power: float, alpha: float) -> float:
    """Return the noncentrality at which a chi-square test has a power."""
    return float(chndtrinc(float(chdtri(df, alpha)), df, 1.0 - power))


def _chisq_power(noncentrality: float, df: int, alpha: float) -> float:
    return 1.0 - float(chndtr(float(chdtri(df, alpha)), df, noncentrality)) if noncentrality > 0.0 else float(alpha)


def _restricted(source: Any, restriction: Any, analysis: Analysis | None, preset: str) -> tuple[float, int]:
    """Return by how much a restriction raises the discrepancy in the population, and the number of restrictions."""
    setting = Setting(base_study(source, analyses={"analysis": analysis or Analysis(measures=())}, preset=preset))
    prepared = setting.prepared(400)
    full = prepared.analyses[0]
    table = _restricted_table(restriction, setting, full, prepared)
    smaller = compile_fitter(table, function="lavaan" if isinstance(table, ParameterTable) else "sem")
    if set(smaller.observed) != set(full.fitter.observed):
        odd = sorted(set(smaller.observed) ^ set(full.fitter.observed))
        raise OptionError(
            f"The restricted model has other observed variables than the analysis ({', '.join(odd[:6])}). Give one of the same variables."
        )
    fits = [_fitted(moments_fit(prepared, one), what) for one, what in ((full, "analysis"), (replace(full, fitter=smaller), "restricted model"))]
    df = fits[1].df - fits[0].df
    if df <= 0:
        raise OptionError(
            f"The restricted model has {fits[1].df} degrees of freedom and the analysis {fits[0].df}: nothing is restricted. Fix something."
        )
    return max((fits[1].chisq.statistic - fits[0].chisq.statistic) / fits[0].nobs, 0.0), df


def _fitted(fit: Fit | None, what: str) -> Fit:
    if fit is None:
        raise NotAvailableError(f"The {what} cannot be fitted to the moments of the population. Use plan(), which simulates.")
    return fit


def _restricted_table(restriction: Any, setting: Setting, full: PreparedAnalysis, prepared: PreparedCondition) -> Any:
    if isinstance(restriction, Theory):
        return restriction.syntax()
    names = [restriction] if isinstance(restriction, str) else list(restriction)
    table = plain_fitter(full, prepared).model.table
    free = table.parameter_names()
    aliases = {row.name: name for row, name in zip((row for row in table.rows if row.free), free, strict=True)}
    fixed = [aliases.get(name, name) for name in (parameter_of(name, setting.base.source) for name in names)]
    unknown = [name for name, parameter in zip(names, fixed, strict=True) if parameter not in free]
    if unknown:
        if isinstance(restriction, str) and ("\n" in restriction or ";" in restriction or "=~" in restriction):
            return restriction
        raise OptionError(
            f"restriction= names {unknown[0]!r}, which is no free parameter of the analysis.{closest(unknown[0], free)} Give parameters, "
            "propositions, or the whole restricted model as text of several lines."
        )
    named = iter(free)
    rows = tuple(row._replace(free=False, ustart=0.0, label="") if row.free and next(named) in fixed else row for row in table.rows)
    return replace(table, rows=rows, relations=tuple(one for one in table.relations if one.op != ":="))


# ---- fit as a whole ----------------------------------------------------------------------------------------------------------------------


def rmsea_power(df: int, n: int, rmsea0: float = 0.05, rmsea_a: float = 0.08, alpha: float = 0.05) -> float:
    """Return the power of a test of fit as a whole.

    Parameters
    ----------
    df : int
        Degrees of freedom of the model.
    n : int
    rmsea0 : float
        RMSEA under the hypothesis that is tested: .05 for close and for not-close fit, 0 for exact fit.
    rmsea_a : float
        RMSEA that is true. Larger than `rmsea0`: the test rejects (close, exact) fit where the statistic is large. Smaller: it rejects not-close fit,
        that is RMSEA >= `rmsea0`, where the statistic is small.
    alpha : float

    Returns
    -------
    float

    Raises
    ------
    OptionError
        For RMSEAs that are negative or equal, and other options that are not possible.

    Notes
    -----
    MacCallum, Browne & Sugawara (1996), Psychological Methods 1, 130-149: noncentralities are (n - 1) df RMSEA^2.
    """
    check_count("df", df, 1)
    check_count("n", n, 2)
    share("alpha", alpha)
    for name, value in (("rmsea0", rmsea0), ("rmsea_a", rmsea_a)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
            raise OptionError(f"An RMSEA of {name}={value!r} is not possible. Give a number of at least 0, such as 0.05.")
    if rmsea0 == rmsea_a:
        raise OptionError(f"The values rmsea0={rmsea0!r} and rmsea_a={rmsea_a!r} are equal: there is nothing to detect. Give different values.")
    null, true = ((n - 1) * df * value**2 for value in (rmsea0, rmsea_a))
    if rmsea_a > rmsea0:
        critical = _quantile(1.0 - alpha, df, null)
        return 1.0 - float(chndtr(critical, df, true))
    critical = _quantile(alpha, df, null)
    return float(chndtr(critical, df, true) if true > 0.0 else chdtr(df, critical))


def _quantile(p: float, df: int, noncentrality: float) -> float:
    return float(chndtrix(p, df, noncentrality)) if noncentrality > 0.0 else float(chdtri(df, 1.0 - p))


def rmsea_required_n(df: int, power: float = 0.8, rmsea0: float = 0.05, rmsea_a: float = 0.08, alpha: float = 0.05) -> int:
    """Return the smallest number of people for a power of a test of fit as a whole.

    Parameters
    ----------
    df, rmsea0, rmsea_a, alpha
        As for :func:`rmsea_power`.
    power : float

    Returns
    -------
    int

    Raises
    ------
    OptionError
        As for :func:`rmsea_power`, and if more than ten million people would be needed.

    Notes
    -----
    The published table (MacCallum, Browne & Sugawara 1996, table 4) was found by a search that stopped close to the wanted power: where few degrees
    of freedom make the power flat, it is off by a few people in a thousand.
    """
    share("power", power)
    low, high = 2, 4
    while rmsea_power(df, high, rmsea0, rmsea_a, alpha) < power:
        low, high = high, 2 * high
        if high > _MOST:
            raise OptionError(f"More than {_MOST:,} people would be needed for rmsea0={rmsea0!r} and rmsea_a={rmsea_a!r}. Choose them further apart.")
    if rmsea_power(df, low, rmsea0, rmsea_a, alpha) >= power:
        return low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if rmsea_power(df, middle, rmsea0, rmsea_a, alpha) >= power else (middle, high)
    return high
