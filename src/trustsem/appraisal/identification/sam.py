"""Structural after measurement: the measurement part is fitted in blocks, so that a wrong structural part does it no harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.appraisal.identification.measurement_blocks import split_model
from trustsem.appraisal.identification.reading import read_model
from trustsem.appraisal.identification.two_steps import Measured, TwoSteps, estimate_in_two_steps, measure, two_step_errors
from trustsem.appraisal.told import Told, records
from trustsem.display import html_table, number, text_table
from trustsem.kernels.structure import Reals
from trustsem.options import check_level, choose

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SAM", "sam", "structural_errors"]


@dataclass(frozen=True, eq=False, repr=False)
class SAM(Told):
    """Structural parameters estimated after the measurement part; prints itself.

    Attributes
    ----------
    frame : DataFrame
        One row per structural parameter: ``lhs op rhs est se z pvalue ci_lower ci_upper std std_se``. Fixed ones have se 0.
    measurement : DataFrame
        One row per loading and error covariance: ``lhs op rhs est block``.
    blocks : DataFrame
        One row per latent variable: ``latent block indicators reliability chisq df pvalue`` (the test is that of the block).
    latent_cov : DataFrame
        Covariances of the structural variables, from which the structural part is estimated.
    notes : tuple of str
    method : str
        ``"local"`` or ``"global"``.
    level : float
    converged : bool
        Whether both steps found a minimum; otherwise there are no estimates.
    """

    frame: pd.DataFrame
    measurement: pd.DataFrame
    blocks: pd.DataFrame
    latent_cov: pd.DataFrame
    notes: tuple[str, ...]
    method: str
    level: float
    converged: bool
    heading: str = "Structural after measurement (SAM)"
    shown: tuple[str, ...] = ("lhs", "op", "rhs", "est", "se", "z", "pvalue", "ci_lower", "ci_upper", "std")

    def _block_cells(self) -> tuple[list[str], list[list[str]]]:
        header = ["latent", "block", "reliability", "chisq", "df", "pvalue"]
        rows = self.blocks[header].itertuples(index=False)
        return header, [[str(row[0]), str(row[1]), *(str(v) if isinstance(v, int) else number(float(v)) for v in row[2:])] for row in rows]

    def __str__(self) -> str:
        header, rows = self._block_cells()
        return "\n".join([Told.__str__(self), "", "Measurement blocks:", *text_table(header, rows, align="lrrrrr")])

    def _repr_html_(self) -> str:
        header, rows = self._block_cells()
        return Told._repr_html_(self) + html_table(header, rows, caption="Measurement blocks", align="lrrrrr")

    def to_dict(self) -> dict[str, Any]:
        """Return structural and measurement parameters, blocks and notes as JSON knows them."""
        more = {"measurement": records(self.measurement), "blocks": records(self.blocks)}
        return {**Told.to_dict(self), **more, "method": self.method, "level": self.level, "converged": self.converged}


def sam(
    model: Any,
    data: Any = None,
    method: str = "local",
    *,
    blocks: Sequence[Sequence[str]] | None = None,
    level: float = 0.95,
    **options: Any,
) -> SAM:
    """Estimate the measurement part first, in blocks, and the structural part given that.

    Parameters
    ----------
    model : str, ParameterTable, Theory, Fit or Appraisal
        A fit or an appraisal brings its data with it.
    data : data frame, mapping or Sample, optional
        Rows, or give ``sample_cov`` and ``sample_nobs``.
    method : {"local", "global"}
        Local: the covariances of the latent variables are computed, and the structural part is fitted to them. Global: the whole model is fitted with
        the measurement part held at its estimates.
    blocks : sequence of sequences of str, optional
        Which latent variables are measured together. By default each by itself, but for those that share indicators or correlated errors, and for
        those that could not be identified alone.
    level : float
        Confidence level of the intervals.
    **options
        As for :func:`trustsem.sem`. With missing values (``missing="fiml"``) both steps use the saturated moments.

    Returns
    -------
    SAM

    Raises
    ------
    ModelSyntaxError, ModelError, IdentificationError, DataError
        As :func:`trustsem.sem`, and if a measurement block is not identified.
    OptionError
        For options without meaning here, and for blocks that are not a partition.
    NotAvailableError
        For several groups, two levels, constraints, factors of second order, and where measurement and structural part cannot be told apart.

    Notes
    -----
    Rosseel & Loh 2024 (doi 10.1037/met0000503). Blocks are fitted by maximum likelihood with error variances of at least 0. Standard errors are the
    two-step ones of that paper; where normality is not taken for granted, or values are missing, they come from the derivatives of both steps
    with respect to the moments (:mod:`trustsem.inference.structural_after`). Means are left out: paths and covariances do not depend on them.
    """
    check_level(level)
    method = choose("method", method, ("local", "global"))
    reading = read_model(model, data, options, "sam")
    measured = measure(split_model(reading.model, blocks), reading.moments)
    found = None if measured.problem else estimate_in_two_steps(measured, method)
    if found is not None and not found.fit.converged:
        found = None
    frame = _frame(measured, found, float(level))
    return SAM(
        frame, _loadings(measured), _blocks(measured), _latent_cov(measured), _notes(measured, found, method), method, float(level), found is not None
    )


def structural_errors(found: TwoSteps) -> Reals:
    """Return the standard errors of the structural parameters: two-step ones, or from the derivatives where the moments are not plain."""
    moments = found.measured.moments
    if moments.robust or moments.inverse is not None:
        return np.asarray(np.sqrt(np.maximum(np.diag(moments.spread(found.slopes)), 0.0)))
    return two_step_errors(found)


def _frame(measured: Measured, found: TwoSteps | None, level: float) -> pd.DataFrame:
    import pandas as pd

    rows = measured.split.structural.rows
    nothing = np.full(len(rows), np.nan)
    est, se, std, std_se = nothing, nothing, nothing, nothing
    if found is not None:
        est, se, std = found.estimate, structural_errors(found), found.standardized
        std_se = np.sqrt(np.maximum(np.diag(measured.moments.spread(found.standardized_slopes)), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(se > 0.0, est / se, np.nan)
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
            "std": std,
            "std_se": std_se,
        }
    )


def _loadings(measured: Measured) -> pd.DataFrame:
    import pandas as pd

    place: dict[tuple[str, str, str], int] = {}
    for k, fit in enumerate(measured.fits):
        place |= {(row.lhs, row.op, row.rhs): k + 1 for row in fit.model.table.rows}
    records = [(*key, value, place[key]) for key, value in measured.values.items()]
    return pd.DataFrame(records, columns=["lhs", "op", "rhs", "est", "block"])


def _blocks(measured: Measured) -> pd.DataFrame:
    import pandas as pd

    records = []
    for k, (own, fit) in enumerate(zip(measured.split.latent, measured.fits, strict=True)):
        for name in own:
            items = ", ".join(row.rhs for row in fit.model.table.rows if row.op == "=~" and row.lhs == name)
            reliability = float(measured.latent.reliability[measured.split.names.index(name)])
            pvalue = fit.chisq.pvalue if fit.df > 0 else np.nan
            records.append((name, k + 1, items, reliability, fit.chisq.statistic, fit.df, pvalue))
    return pd.DataFrame(records, columns=["latent", "block", "indicators", "reliability", "chisq", "df", "pvalue"])


def _latent_cov(measured: Measured) -> pd.DataFrame:
    import pandas as pd

    names = list(measured.split.names)
    return pd.DataFrame(measured.latent.cov, index=names, columns=names)


def _notes(measured: Measured, found: TwoSteps | None, method: str) -> tuple[str, ...]:
    split, moments = measured.split, measured.moments
    notes = []
    if found is None:
        notes.append(f"No estimates: {measured.problem or 'the search did not converge in the structural part'}.")
    notes.append(f"Standard errors {'need' if moments.robust else 'assume'} {moments.basis}; they allow for the first step being estimated.")
    if moments.inverse is not None:
        notes.append("Values are missing: both steps use the saturated moments, by maximum likelihood under missing at random.")
    notes += [f"{', '.join(own)} are measured together, because one of them could not be identified alone." for own in split.joined]
    if split.rescaled:
        notes.append(f"The scale of {', '.join(split.rescaled)} is that of the first indicator here; the model sets it by a variance.")
    if measured.latent.shrunk < 1.0:
        done = (
            f"{measured.latent.shrunk:.0%} of it was subtracted (Fuller's correction)" if method == "local" else "the global method does not need one"
        )
        notes.append(f"Subtracting all error leaves no positive definite matrix of the latent variables; {done}. They are hardly told apart.")
    bounded = [row.lhs for fit in measured.fits for row in _zero_errors(fit)]
    if bounded:
        notes.append(f"The error variance of {', '.join(bounded)} would be negative and was held at 0.")
    return tuple(notes)


def _zero_errors(fit: Any) -> list[Any]:
    theta = fit.model.theta_of_row
    on_bound = fit.estimate.theta <= fit.model.lower
    return [row for row, k in zip(fit.model.table.rows, theta.tolist(), strict=True) if k >= 0 and on_bound[k]]
