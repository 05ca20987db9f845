"""Model-implied instruments: every equation of a model estimated by itself, so that errors elsewhere in the model do no harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.appraisal.identification.equations import Estimated, estimate_equations
from trustsem.appraisal.identification.reading import Reading, read_model
from trustsem.appraisal.told import Told, records
from trustsem.inference.multiplicity import holm_adjusted
from trustsem.kernels.structure import Reals
from trustsem.options import check_level

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MIIV", "miiv"]

_ALPHA = 0.05
_WEAK = 10.0  # first-stage F below which instruments are called weak (Staiger & Stock 1997)


@dataclass(frozen=True, eq=False, repr=False)
class MIIV(Told):
    """Estimates by two-stage least squares with model-implied instruments; prints itself.

    Attributes
    ----------
    frame : DataFrame
        One row per loading and path: ``lhs op rhs est se z pvalue ci_lower ci_upper std std_se status``. Fixed ones have se 0; those of an equation
        that is not identified are NaN, and `status` says why.
    equations : DataFrame
        One row per equation: ``lhs rhs outcome regressors instruments n_instruments strength sargan df pvalue p_holm status``; `df` is the number of
        surplus instruments.
    notes : tuple of str
    robust : bool
        Whether errors and tests do without normality.
    level : float
        Confidence level.
    """

    frame: pd.DataFrame
    equations: pd.DataFrame
    notes: tuple[str, ...]
    robust: bool
    level: float
    heading: str = "Two-stage least squares with model-implied instruments (MIIV-2SLS)"
    shown: tuple[str, ...] = ("lhs", "op", "rhs", "est", "se", "ci_lower", "ci_upper", "std", "status")

    @property
    def parts(self) -> tuple[Told, ...]:
        """The equations with their instruments and tests."""
        return (_Equations(self.equations),)

    def to_dict(self) -> dict[str, Any]:
        """Return estimates, equations and notes as JSON knows them."""
        return {**Told.to_dict(self), "equations": records(self.equations), "robust": self.robust, "level": self.level}


@dataclass(frozen=True, eq=False, repr=False)
class _Equations(Told):
    """The equations of a model with their tests."""

    frame: pd.DataFrame
    heading: str = "Equations, and Sargan's test of their surplus instruments"
    notes: tuple[str, ...] = ()
    shown: tuple[str, ...] = ("lhs", "rhs", "n_instruments", "strength", "sargan", "df", "pvalue", "p_holm", "status")


def miiv(model: Any, data: Any = None, *, level: float = 0.95, **options: Any) -> MIIV:
    """Estimate a model equation by equation, with the instruments that the model itself implies.

    Parameters
    ----------
    model : str, ParameterTable, Theory, Fit or Appraisal
        A fit or an appraisal brings its data with it.
    data : data frame, mapping or Sample, optional
        Rows, or give ``sample_cov`` and ``sample_nobs``.
    level : float
        Confidence level of the intervals.
    **options
        As for :func:`trustsem.sem`: ``missing``, ``cluster``, ``sampling_weights``, ``estimator="MLR"`` or ``se="robust"`` for errors without
        normality, and so on. With missing values (``missing="fiml"``) the equations are estimated from the saturated moments.

    Returns
    -------
    MIIV

    Raises
    ------
    ModelSyntaxError, ModelError, IdentificationError, DataError
        As :func:`trustsem.sem`.
    OptionError
        For options without meaning here.
    NotAvailableError
        For several groups, two levels, and constraints between parameters, which equations estimated one by one cannot honour.

    Notes
    -----
    Bollen 1996 (doi 10.1007/BF02296323); instruments found as in Bollen & Bauer 2004 (doi 10.1177/0049124103260341). An instrument that the model
    says is
    uncorrelated with all causes of an equation is left out, as it would only add noise. Conventions are those of lavaan's ``estimator = "MIIV"``:
    residual
    variances have divisor n - k - 1 (k coefficients and an intercept), in the standard errors and in Sargan's test. Standardized effects take
    the variance of
    a latent variable from the covariances of its indicators, given their loadings (least squares). More: :mod:`trustsem.inference.two_stage`,
    :mod:`trustsem.inference.latent_to_observed`.
    """
    check_level(level)
    reading = read_model(model, data, options, "miiv")
    return _told(reading, estimate_equations(reading.model, reading.moments), float(level))


def _told(reading: Reading, found: Estimated, level: float) -> MIIV:
    robust = reading.moments.robust
    frame, equations = _estimates(reading, found, level), _tests(reading, found)
    return MIIV(frame, equations, _notes(reading, found, equations), robust, level)


def _estimates(reading: Reading, found: Estimated, level: float) -> pd.DataFrame:
    import pandas as pd

    rows = [reading.model.table.rows[k] for k in found.rows]
    est, se = found.estimate, found.errors()
    free = np.isfinite(se) & (se > 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(free, est / se, np.nan)
    width = float(ndtri(0.5 + 0.5 * level)) * se
    return pd.DataFrame(
        {
            "lhs": [row.lhs for row in rows],
            "op": [row.op for row in rows],
            "rhs": [row.rhs for row in rows],
            "est": est,
            "se": se,
            "z": z,
            "pvalue": 2.0 * ndtr(-np.abs(z)),
            "ci_lower": est - width,
            "ci_upper": est + width,
            "std": found.standardized,
            "std_se": found.standardized_errors(),
            "status": list(found.status),
        }
    )


def _tests(reading: Reading, found: Estimated) -> pd.DataFrame:
    import pandas as pd

    names = reading.model.blocks[0].variables
    results = found.results
    pvalue = np.array([np.nan if result is None else result.pvalue for result in results])

    def named(places: Sequence[int], between: str) -> str:
        return between.join(names[k] for k in places)

    def values(attribute: str) -> Reals:
        return np.array([np.nan if result is None else float(getattr(result, attribute)) for result in results])

    return pd.DataFrame(
        {
            "lhs": [names[own.effect] for own in found.equations],
            "rhs": [named(own.causes, " + ") for own in found.equations],
            "outcome": ["" if own.outcome < 0 else names[own.outcome] for own in found.equations],
            "regressors": [named(own.regressors, ", ") for own in found.equations],
            "instruments": [named(own.instruments, ", ") for own in found.equations],
            "n_instruments": [len(own.instruments) for own in found.equations],
            "strength": values("strength"),
            "sargan": values("statistic"),
            "df": [0 if own.problem else len(own.instruments) - len(own.causes) for own in found.equations],
            "pvalue": pvalue,
            "p_holm": holm_adjusted(pvalue),
            "status": [own.problem or "estimated" for own in found.equations],
        }
    )


def _notes(reading: Reading, found: Estimated, equations: pd.DataFrame) -> tuple[str, ...]:
    notes = [f"Standard errors assume {reading.moments.basis}."] if not reading.moments.robust else [f"Standard errors need {reading.moments.basis}."]
    if reading.moments.inverse is not None:
        notes.append("Values are missing: the equations are estimated from the saturated moments, by maximum likelihood under missing at random.")
    if reading.moments.robust:
        notes.append("Sargan's tests are scaled by their means under valid instruments, as the standard errors are robust.")
    names = reading.model.blocks[0].latent
    unmarked = [name for name in names if name in found.rescaled]
    if unmarked:
        notes.append(f"The scale of {', '.join(unmarked)} is that of the first indicator here; the model sets it by a variance.")
    failed = equations[~equations["status"].isin(["estimated"])]
    if len(failed):
        notes.append(f"Not estimated: {', '.join(f'{lhs} ({status})' for lhs, status in zip(failed['lhs'], failed['status'], strict=True))}.")
    rejected = equations[equations["p_holm"] < _ALPHA]
    if len(rejected):
        notes.append(
            f"Instruments are rejected for {', '.join(rejected['lhs'])} (Holm-adjusted p < {_ALPHA:g}): some of them are associated with the error "
            "of the equation, so that the model is wrong there or where it says that they are not."
        )
    weak = equations[equations["strength"] < _WEAK]
    if len(weak):
        notes.append(f"Weak instruments (F below {_WEAK:g}) for {', '.join(weak['lhs'])}: estimates lean towards ordinary least squares.")
    if any(relation.op == ":=" for relation in reading.model.table.relations):
        notes.append("Defined parameters are not computed.")
    return tuple(notes)
