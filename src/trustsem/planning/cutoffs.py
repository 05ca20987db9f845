"""Cut-offs for fit measures that fit this model and this design, by simulation.

After McNeish & Wolf (2023), Dynamic fit index cutoffs for confirmatory factor analysis models, Psychological Methods 28, 61-88, doi
10.1037/met0000425: what a fit measure should be depends on the model, so its distribution is simulated under the model and under misfit that matters.
Here the misfit is named by the user and may lie in the theory as well as in the measurement.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.display import wrap
from trustsem.errors import OptionError, TrustsemError
from trustsem.fitting.fit import Fit
from trustsem.fitting.tables import row_values
from trustsem.kernels.structure import Reals
from trustsem.model.population import Population
from trustsem.options import check_count
from trustsem.planning.question import workers
from trustsem.planning.separation import Cutoff, compared
from trustsem.planning.setting import base_study, share, unlabelled
from trustsem.populations.altering import alter
from trustsem.simulators import Generator
from trustsem.studies.design import Analysis, Study
from trustsem.studies.run import run
from trustsem.theory import Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cutoffs", "cutoffs"]


@dataclass(frozen=True)
class Cutoffs:
    """Cut-offs for the fit measures of one model and design.

    Attributes
    ----------
    n : int
    rows : tuple of Cutoff
    detect, reject : float
        Share of misfit to be detected, and of true models that may be rejected.
    replications : int
        Of the true model and of each misfit.
    """

    n: int
    rows: tuple[Cutoff, ...]
    detect: float
    reject: float
    replications: int

    @property
    def frame(self) -> pd.DataFrame:
        """One row per misfit and measure, with the attributes of :class:`Cutoff` as columns."""
        import pandas as pd

        return pd.DataFrame([{option.name: getattr(one, option.name) for option in fields(Cutoff)} for one in self.rows])

    def __repr__(self) -> str:
        lines = wrap(
            f"Cut-offs at n = {self.n:,} that detect {100 * self.detect:g} % of misfit and reject at most {100 * self.reject:g} % of true models "
            f"({self.replications:,} replications each)"
        )
        shown = self.frame[["misfit", "measure", "cutoff", "mc_error", "detected", "rejected", "overlap"]]
        lines += ["", shown.to_string(index=False, float_format="{:.3f}".format, na_rep="none")]
        if any(math.isnan(one.cutoff) for one in self.rows):
            lines += ["", *wrap("Where there is none, no value meets both demands; the shares are those of the strictest value allowed.")]
        return "\n".join(lines)


def cutoffs(
    source: Theory | Population | Fit,
    *,
    misfit: Mapping[str, Any],
    n: int | None = None,
    measures: Sequence[str] = ("srmr", "rmsea", "cfi"),
    analysis: Analysis | None = None,
    generator: Generator | None = None,
    preset: str = "calibrated",
    detect: float = 0.95,
    reject: float = 0.05,
    replications: int = 500,
    seed: int = 1,
    executor: Any = None,
) -> Cutoffs:
    """Find the values of fit measures that tell this model from named misfit.

    Parameters
    ----------
    source : Theory, Population or Fit
        The model, and what is true if it is right; of a fit, its estimates.
    misfit : mapping of str to Theory, Population or mapping
        By name, what is true if it is wrong: a theory (with another path, say), a population, or changes in standardized units, such as
        ``{"paths": {"Trust -> Outcomes": 0.2}}``, ``{"loadings": {"Trust=~c1": 0.3}}``, ``{"covariances": {"c1~~k1": 0.2}}`` (the keywords of
        :func:`trustsem.populations.altering.alter`; other standardized coefficients and total variances stay).
    n : int, optional
        Number of rows; that of a fit by default.
    measures : sequence of str
        Names as in :meth:`Fit.fit_measures`.
    analysis : Analysis, optional
        How data are analysed; its model is that of `source`.
    generator, preset, executor
        As for :func:`plan`.
    detect, reject : float
        Share of misfit that is to be detected, share of true models that may be rejected.
    replications : int
        Of the true model, and of each misfit.
    seed : int

    Returns
    -------
    Cutoffs

    Raises
    ------
    OptionError
        For misfit and other options that are not possible.

    Notes
    -----
    The cut-off is the quantile of the misfit's distribution that leaves `detect` of it on the worse side, if at most `reject` of the distribution
    under the true model is there too. Replications that did not converge are left out, and counted. Errors of quantiles: Maritz & Jarrett (1978).
    """
    share("detect", detect)
    share("reject", reject)
    check_count("replications", replications, 20)
    if not isinstance(misfit, Mapping) or not misfit:
        raise OptionError(f"misfit={misfit!r} names nothing. Give, for example, misfit={{'cross-loading': {{'loadings': {{'f=~x4': 0.3}}}}}}.")
    rows, given = _size(source, n)
    true, study = _true(source if given is None else given, preset, analysis or Analysis(), tuple(measures), generator, rows, replications, seed)
    populations = {name: _wrong(name, change, true) for name, change in misfit.items()}
    with workers(executor) as lent:
        base = _measured(study, lent)
        found = [
            compared(name, measure, base[:, k], wrong[:, k], detect, reject)
            for name, population in populations.items()
            for wrong in (_measured(replace(study, population=population), lent),)
            for k, measure in enumerate(measures)
        ]
    return Cutoffs(rows, tuple(found), float(detect), float(reject), replications)


def _size(source: Any, n: int | None) -> tuple[int, Population | None]:
    """Return the number of rows and, of a fit, its population."""
    if isinstance(source, Fit):
        check_count("n", source.nobs if n is None else n, 2)
        return int(source.nobs if n is None else n), _fitted_population(source)
    if n is None:
        raise OptionError("cutoffs() needs n= unless it is given a Fit. Give the number of rows.")
    check_count("n", n, 2)
    return int(n), None


def _fitted_population(fit: Fit) -> Population:
    """Return the population in which the estimates of a fit are true; covariates have the moments of the sample."""
    table = fit.model.table
    if table.n_blocks > 1:
        raise OptionError("cutoffs() takes fits of one group and one level. Give a Population.")
    if not fit.converged:
        raise OptionError("The fit did not converge, so it says nothing about the population. Look at fit.warnings.")
    values = row_values(fit)
    # Rows of covariates are free in a population: it has moments of its own.
    made = tuple(row._replace(free=True, exo=False, ustart=math.nan, label="") if row.exo or row.free else row for row in table.rows)
    names = [row.name for row in made if row.free]
    free = [float(value) for row, value in zip(made, values, strict=True) if row.free]
    return Population(replace(table, rows=made, relations=()), dict(zip(names, free, strict=True)))


def _true(
    source: Any, preset: str, analysis: Analysis, measures: tuple[str, ...], generator: Generator | None, n: int, replications: int, seed: int
) -> tuple[Any, Study]:
    """Return the true population, and the study of the model in it."""
    plain = base_study(source, analyses={"analysis": analysis}, preset=preset)
    own = plain.source
    text, function = (own.syntax, own.function) if analysis.model is None else (analysis.model, analysis.function)
    kept = replace(analysis, model=text, function=function, measures=measures, standardized=False, small_sample=False)
    study = base_study(source, generator=generator, analyses={"analysis": kept}, preset=preset, n=n, seed=seed)
    return own, replace(study, replications=replications)


def _wrong(name: str, change: Any, true: Any) -> Any:
    """Return the population with a misfit."""
    if isinstance(change, Theory | Population):
        return change
    if not isinstance(change, Mapping) or not change:
        raise OptionError(
            f"misfit= gives {name!r} the value {change!r}. Give a Theory, a Population, or changes such as {{'paths': {{'a -> b': 0.2}}}}."
        )
    allowed = ("paths", "loadings", "covariances", "confounder", "factors", "means")
    odd = [key for key in change if key not in allowed]
    if odd:
        raise OptionError(f"misfit= gives {name!r} the change {odd[0]!r}, which does not exist. There are {', '.join(allowed)}.")
    try:
        return alter(unlabelled(true.population({})), **change)
    except TrustsemError as error:
        raise OptionError(f"The misfit {name!r} is not possible. {error}") from error


def _measured(study: Study, executor: Any) -> Reals:
    """Return the fit measures (R, M) of the replications that converged."""
    found = run(study, executor=executor, chunk_size=25, progress=False).outcomes(0)
    return found.measures[found.converged] if len(found) else np.empty((0, 0))
