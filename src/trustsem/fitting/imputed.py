"""One model fitted to multiply imputed data sets, and the results pooled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.data.frames import sample_from_frame
from trustsem.data.imputation import Progress, impute, progress_reporter
from trustsem.data.sample import Sample
from trustsem.errors import DataError, NotAvailableError, OptionError, TrustsemWarning, closest
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import Fitter, issue
from trustsem.fitting.pooled import comparable, pooled_measures, pooled_point, pooled_table, pooled_tests, stacked_sample
from trustsem.fitting.pooled_summary import pooled_text
from trustsem.fitting.sem import ModelLike
from trustsem.fitting.sem import compile as compile_fitter
from trustsem.fitting.summary import Summary
from trustsem.inference.pooling import PooledTest
from trustsem.options import choose

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImputedFit", "sem_mi"]

# What a complete data set has no use for, or what cannot be pooled yet.
_REFUSED = ("ordered", "cluster", "sampling_weights", "bootstrap", "sample_cov", "sample_mean", "sample_nobs")


@dataclass(frozen=True, eq=False)
class ImputedFit:
    """A model fitted to multiply imputed data sets.

    Attributes
    ----------
    fits : tuple of Fit
        One per imputed data set, also those that did not converge.
    fitter : Fitter
        The compiled model.
    pooled_test : {"D2", "D3", "D4"}
        How the tests of fit are pooled.
    """

    fits: tuple[Fit, ...]
    fitter: Fitter
    pooled_test: str

    @cached_property
    def usable(self) -> tuple[Fit, ...]:
        """The fits that are pooled: those that converged and, if standard errors are wanted, are identified."""
        return tuple(fit for fit in self.fits if not _failure(fit))

    @cached_property
    def failures(self) -> tuple[str, ...]:
        """What went wrong with each data set that is left out, starting with its number (from 1)."""
        return tuple(f"Imputation {k}: {_failure(fit)}" for k, fit in enumerate(self.fits, start=1) if _failure(fit))

    @property
    def m(self) -> int:
        """Number of imputed data sets."""
        return len(self.fits)

    @property
    def nobs(self) -> int:
        """Number of rows of each data set."""
        return self.fits[0].nobs

    @property
    def converged(self) -> bool:
        """Whether every data set could be used."""
        return not self.failures

    @cached_property
    def stacked(self) -> Fit | None:
        """The fit to all usable data sets taken as one; None for D2, which needs none."""
        return None if self.pooled_test == "D2" else self.fitter.fit_sample(stacked_sample([fit.sample for fit in self.usable]))

    @cached_property
    def point(self) -> Fit | None:
        """The model at the averaged estimates and sample moments, for what depends on them alone; None if fewer than two fits are usable."""
        return pooled_point(self.usable) if len(self.usable) > 1 else None

    @cached_property
    def tests(self) -> tuple[PooledTest, PooledTest] | None:
        """The pooled tests of the model and of the baseline model; None if there are none."""
        if self.point is None or not self.fitter.options.tests:
            return None
        return pooled_tests(self.pooled_test, self.usable, self.point, self.stacked)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is left out or could not be computed, and why; one sentence or two each."""
        rest = f"{len(self.usable)} of {self.m} data sets are pooled." if self.point else "Nothing is pooled: that needs at least two."
        found = [f"{rest} {' '.join(self.failures)}"] if self.failures else []
        if self.tests is None:
            return tuple(found)
        model, baseline = self.tests
        if self.stacked is not None and not self.stacked.converged and self.pooled_test == "D4":
            found.append(f"D4 could not be computed: the fit to the stacked data sets failed. {self.stacked.reason}")
        elif model.df > 0 and not model.chisq >= 0.0:
            found.append(f"{self.pooled_test} gives the model no chi-square above 0: too much is missing for it. Use more imputations, or D4.")
        elif not comparable(self.pooled_test, model, baseline):
            found.append(
                f"{self.pooled_test} gives the baseline model a chi-square of {baseline.chisq:.3f} with {baseline.df} degrees of freedom, the model "
                f"{model.chisq:.3f} with {model.df}. The baseline's is deflated by its own relative increase in variance ({baseline.riv:.2f}, the "
                f"model's is {model.riv:.2f}), so the two cannot be compared and CFI, TLI and their kin are not computed. Use pooled_test='D4'."
            )
        return tuple(found)

    @cached_property
    def warnings(self) -> tuple[TrustsemWarning, ...]:
        """The warnings of all fits, each kind once, with the number of data sets concerned."""
        found: dict[str, list[str]] = {}
        for warning in (each for fit in self.fits for each in fit.warnings):
            found.setdefault(warning.code, []).append(warning.detail)
        return tuple(TrustsemWarning(code, f"In {len(details)} of {self.m} imputed data sets: {details[0]}") for code, details in found.items())

    def parameter_estimates(self, standardized: bool = False, ci: bool = True, level: float = 0.95) -> pd.DataFrame:
        """Return one row per parameter, pooled by Rubin's rules.

        Parameters
        ----------
        standardized : bool
            Add columns ``std_lv`` and ``std_all``, computed from the pooled estimates.
        ci : bool
            Add columns ``ci_lower`` and ``ci_upper``, from the t distribution.
        level : float
            Confidence level.

        Returns
        -------
        DataFrame
            Columns ``lhs op rhs [group] label est se t df pvalue [ci_lower ci_upper] fmi riv [std_lv std_all]``. Fixed parameters have se 0, no test.

        Raises
        ------
        OptionError
            If `level` is not between 0 and 1.
        """
        return pooled_table(self.fits[0], self.usable, self.point, standardized=standardized, ci=ci, level=level)

    def fit_measures(self, names: str | Sequence[str] | None = None) -> pd.Series[float]:
        """Return the fit measures, under lavaan's names with underscores.

        Parameters
        ----------
        names : str or sequence of str, optional
            Which; all by default.

        Returns
        -------
        Series
            ``chisq`` is ``df`` times the pooled F statistic ``f``, whose denominator degrees of freedom are ``df2``; ``pvalue`` is that of F. CFI,
            TLI and RMSEA follow from ``chisq`` of model and baseline, SRMR from averaged moments. NaN where :attr:`notes` says why.

        Raises
        ------
        OptionError
            For a name that does not exist.
        """
        import pandas as pd

        found = {"npar": float(self.fits[0].npar)}
        if self.tests is not None and self.point is not None:
            found = pooled_measures(self.pooled_test, *self.tests, self.point)
        given = list(found) if names is None else [names] if isinstance(names, str) or not isinstance(names, Iterable) else names
        wanted = [str(name).replace(".", "_") for name in given]
        for name in wanted:
            if name not in found:
                raise OptionError(f"There is no pooled fit measure {name!r}.{closest(name, found)}")
        return pd.Series({name: found[name] for name in wanted}, dtype=float)

    def summary(self, fit_measures: bool = True, standardized: bool = False) -> Summary:
        """Return a printable summary."""
        return Summary(pooled_text(self, fit_measures, standardized), tuple(str(warning) for warning in self.warnings) + self.notes)

    def __repr__(self) -> str:
        return f"<ImputedFit: {self.m} imputations, {len(self.usable)} pooled, {self.nobs} observations, tests by {self.pooled_test}>"


def sem_mi(
    model: ModelLike,
    data: Any,
    *,
    m: int = 20,
    seed: int | np.random.Generator | None = None,
    function: str = "sem",
    pooled_test: str = "D4",
    auxiliary: Sequence[str] = (),
    progress: Progress = None,
    **options: Any,
) -> ImputedFit:
    """Fit a model to multiply imputed data and pool the results.

    Parameters
    ----------
    model : str, ParameterTable or Theory
    data : data frame, or sequence of data frames
        Data with missing values, which are imputed here (:func:`trustsem.impute` with its defaults, within groups if there are any); or data sets
        that were imputed before, at least two.
    m : int
        Number of imputations.
    seed : int or numpy Generator
        Needed where values are imputed here.
    function : {"sem", "cfa", "growth", "lavaan"}
        Whose defaults to apply.
    pooled_test : {"D4", "D3", "D2"}
        Pooling of the chi-square: Chan & Meng 2022, Meng & Rubin 1992, or Li et al. 1991.
        Only D2 is available for estimators other than ML. Scaled tests cannot be pooled; robust standard errors can.
    auxiliary : sequence of str
        Variables outside the model that help to impute.
    progress : bool or callable, optional
        True prints one line that is updated; a callable is called with (done, total).
    **options
        As for :func:`trustsem.sem`.

    Returns
    -------
    ImputedFit

    Raises
    ------
    DataError
        If data cannot be imputed or analysed, or imputed data sets differ in rows or still have missing values.
    OptionError, NotAvailableError
        For options that are malformed or cannot be pooled.

    Warns
    -----
    TrustsemWarning
        Each kind once; the same warnings are in ``fit.warnings``.
    """
    kind = choose("pooled_test", pooled_test, ("d4", "d3", "d2")).upper()
    _check_options(options)
    given = isinstance(data, list | tuple)
    frames = tuple(data) if given else None
    if frames is not None and len(frames) < 2:
        raise OptionError(f"data= holds {len(frames)} imputed data set(s). Give at least two, or a data frame to be imputed.")
    fitter = compile_fitter(model, frames[0] if frames else data, function=function, **options)
    _check_test(fitter, kind)
    group = options.get("group")
    if frames is None:
        needed = tuple(dict.fromkeys((*fitter.observed, *auxiliary)))
        doubled = (lambda done, total: progress(done, 2 * total)) if callable(progress) else progress
        frames = impute(data, m, variables=needed, group=group, seed=seed, progress=doubled)
    total = len(frames)
    report = progress_reporter(progress, "Fitting")
    offset = total if callable(progress) and not given else 0
    fits = []
    for done, frame in enumerate(frames, start=1):
        fits.append(fitter.fit_sample(_complete_sample(frame, fitter, options, done)))
        report(offset + done, offset + total)
    sizes = sorted({fit.nobs for fit in fits})
    if len(sizes) > 1:
        raise DataError(f"The imputed data sets differ in their numbers of rows: {', '.join(map(str, sizes))}. Give completions of one data set.")
    result = ImputedFit(tuple(fits), fitter, kind)
    issue(result.warnings, stacklevel=2)
    return result


def _check_options(options: Mapping[str, Any]) -> None:
    for name in _REFUSED:
        if options.get(name) not in (None, False, ()):
            raise NotAvailableError(f"{name}= is not available with imputed data. Leave {name}= out.")
    if options.get("missing", "listwise") != "listwise":
        raise OptionError(f"missing={options['missing']!r} has no use here: imputed data sets are complete. Leave missing= out.")


def _check_test(fitter: Fitter, kind: str) -> None:
    """Raise unless the test of every data set can be pooled by `kind`."""
    settings = fitter.options
    others = [name for name in settings.test if name not in ("standard", "none")]
    if others:
        raise NotAvailableError(
            f"test={others[0]!r} cannot be pooled over imputations. Give test='standard' or test='none'; robust standard errors (se=) are pooled."
        )
    if kind != "D2" and (settings.estimator, settings.likelihood, settings.engine) != ("ML", "normal", "trustsem"):
        raise OptionError(f"pooled_test={kind!r} pools normal likelihoods: estimator='ML' with likelihood='normal'. Use pooled_test='D2' otherwise.")


def _complete_sample(frame: Any, fitter: Fitter, options: Mapping[str, Any], k: int) -> Sample:
    sample = sample_from_frame(frame, fitter.observed, group=options.get("group"), group_label=options.get("group_label"))
    lost = sum(record.count for record in sample.dropped if record.reason != "group not selected")
    if lost:
        raise DataError(f"Imputed data set {k} still has missing values in {lost} row(s). Impute them, or give the data before imputation.")
    return replace(sample, n_read=sample.nobs)


def _failure(fit: Fit) -> str:
    """Return why a fit cannot be pooled; empty if it can."""
    if not fit.converged:
        return fit.reason
    return "Not identified." if fit.options.se != "none" and not fit.identified else ""
