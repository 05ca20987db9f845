"""Measurement invariance: the same model in several groups, step by step more equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from trustsem.display import escape, html_table, text_table, wrap
from trustsem.errors import DataError, OptionError, closest
from trustsem.fitting import invariance_text as text
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import issue
from trustsem.fitting.invariance_steps import (
    STEPS,
    Request,
    equal_kinds,
    fit_levels,
    invariance_frame,
    read_levels,
    release_stepwise,
    suggested_releases,
)
from trustsem.fitting.latent_means import latent_mean_table
from trustsem.fitting.sem import ModelLike, sem

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Invariance", "invariance"]


@dataclass(frozen=True, eq=False)
class Invariance:
    """A sequence of models that hold more and more equal over groups; prints itself.

    Attributes
    ----------
    fits : mapping of str to Fit
        By level, in order.
    frame : DataFrame
        Index the levels; columns ``chisq df pvalue cfi rmsea srmr``, their differences to the row above ``chisq_diff df_diff pvalue_diff cfi_diff
        rmsea_diff srmr_diff``. Statistics are the scaled ones and CFI and RMSEA the robust ones where the estimator has them (see `measures`).
    measures : mapping of str to str
        Which fit measure each column shows.
    method : str
        The difference test that was used, in words.
    group_partial : tuple of str
        Parameters excepted from equality.
    releases : DataFrame or None
        After :meth:`partial`: what was released, in order.
    stopped : str
        After :meth:`partial`: why no more was released.
    """

    fits: Mapping[str, Fit]
    frame: pd.DataFrame
    measures: Mapping[str, str]
    method: str
    group_partial: tuple[str, ...]
    request: Request
    releases: pd.DataFrame | None = None
    stopped: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        # Read-only mappings cannot be pickled; the tables follow from the fits.
        return _result, (self.request, dict(self.fits), self.releases, self.stopped)

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels, in order."""
        return tuple(self.fits)

    @property
    def conclusion(self) -> str:
        """What may be compared over the groups, in words; tests at .05, no cut-offs of fit measures."""
        return text.conclusion(self.frame, self.group_partial)

    def suggestions(self, level: str) -> pd.DataFrame:
        """Return what releasing each equality that a level adds would gain, most first.

        Parameters
        ----------
        level : str

        Returns
        -------
        DataFrame
            Columns ``parameter x2 df pvalue pvalue_holm epc``. `parameter` is ready for ``group_partial=``; x2 the score test (robust where the fit
            has a scaled test and a likelihood of rows) on one degree of freedom less than there are groups; pvalue_holm is adjusted for the number
            of rows (Holm 1979); epc the expected difference, once released, of the group farthest from the first.

        Raises
        ------
        OptionError
            For a level that was not fitted.
        ConvergenceError
            If the fit of that level did not converge.
        """
        place = self._place(level)
        return suggested_releases(self.fits[level].require_converged(), self.fits[self.levels[place - 1]] if place else None)

    def partial(self, level: str, max_releases: int | None = None, *, alpha: float = 0.05) -> Invariance:
        """Release equalities of a level one at a time until its difference test no longer rejects, and fit all levels again without them.

        Parameters
        ----------
        level : str
            Not the first.
        max_releases : int, optional
            Stop after so many.
        alpha : float
            Level of the difference test, and of the score tests after Holm's adjustment.

        Returns
        -------
        Invariance
            With `releases` and `stopped`.

        Raises
        ------
        OptionError
            For a level that was not fitted or is the first, and for an `alpha` or a `max_releases` that is none.
        ConvergenceError
            If a fit did not converge.

        Notes
        -----
        Each time the parameter with the largest score test is released, provided that its adjusted p-value is below alpha and that every latent
        variable keeps two indicators equal (Byrne, Shavelson & Muthen 1989, doi 10.1037/0033-2909.105.3.456). What is found so is fitted to these
        data: it is a hypothesis for the next ones, and p-values after it are too small.
        """
        place = self._place(level)
        if place == 0:
            raise OptionError(f"{level!r} is the first level, which nothing comes before. Name one of {', '.join(self.levels[1:])}.")
        if not isinstance(alpha, float) or not 0.0 < alpha < 1.0:
            raise OptionError(f"alpha={alpha!r} is not a significance level. Give a number between 0 and 1, such as 0.05.")
        if max_releases is not None and (not isinstance(max_releases, int) or max_releases < 0):
            raise OptionError(f"max_releases={max_releases!r} is not a number of parameters. Give a whole number, or None.")
        before = self.fits[self.levels[place - 1]].require_converged()
        found = release_stepwise(self.request, level, before, self.fits[level].require_converged(), max_releases, alpha)
        request = self.request._replace(group_partial=self.group_partial + tuple(found.record["parameter"]))
        return _result(request, fit_levels(request, before.sample), found.record, found.stopped)

    def latent_means(self, level: float = 0.95) -> pd.DataFrame:
        """Return the differences of latent means from those of the first group, from the first level with equal intercepts and free means.

        Parameters
        ----------
        level : float
            Confidence level.

        Returns
        -------
        DataFrame
            Columns ``latent group reference difference se z pvalue ci_lower ci_upper d d_se d_ci_lower d_ci_upper``; d is the difference divided by
            the latent standard deviation pooled over the two groups, with delta-method errors that count the estimation of that standard deviation.

        Raises
        ------
        OptionError
            If no level holds intercepts equal and leaves means free.
        ConvergenceError
            If that fit did not converge.
        """
        usable = [name for name in self.levels if "intercepts" in (kinds := equal_kinds(self.levels, name)) and "means" not in kinds]
        if not usable:
            raise OptionError("Latent means can be compared only where intercepts are equal and means free. Include 'scalar' in levels=.")
        return latent_mean_table(self.fits[usable[0]].require_converged(), level)

    def _place(self, level: str) -> int:
        if level not in self.fits:
            raise OptionError(f"There is no level {level!r}.{closest(str(level), self.levels)} Levels: {', '.join(self.levels)}.")
        return self.levels.index(level)

    def _paragraphs(self) -> list[str]:
        found = [self.conclusion]
        if self.group_partial:
            found.append(f"Not held equal: {', '.join(self.group_partial)}.")
        if self.stopped:
            found.append(f"Releases stopped: {self.stopped}")
        return found

    def __str__(self) -> str:
        header, rows = text.cells(self.frame)
        heading = text.heading(next(iter(self.fits.values())))
        lines = [heading, f"{self.method}; shown: {', '.join(self.measures.values())}", ""]
        lines += text_table(header, rows, align="l" + "r" * (len(header) - 1))
        for paragraph in self._paragraphs():
            lines += ["", *wrap(paragraph)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header, rows = text.cells(self.frame)
        caption = f"{text.heading(next(iter(self.fits.values())))}. {self.method}"
        table = html_table(header, rows, caption=caption, align="l" + "r" * (len(header) - 1))
        return table + "".join(f"<p>{escape(paragraph)}</p>" for paragraph in self._paragraphs())


def invariance(
    model: ModelLike,
    data: Any = None,
    *,
    group: str | None = None,
    levels: Sequence[str] | str = STEPS,
    group_partial: Sequence[str] | str = (),
    **options: Any,
) -> Invariance:
    """Fit a model to several groups, holding more and more parameters equal.

    Parameters
    ----------
    model : str, ParameterTable or Theory
        A ParameterTable has its equalities already and is refused.
    data : data frame, mapping or Sample, optional
    group : str, optional
        Grouping variable; not needed with a Sample of groups, or with summary statistics by group.
    levels : sequence of str
        Steps, each adding to those before: ``"configural"`` nothing, ``"metric"`` (or ``"weak"``) loadings, ``"scalar"`` (``"strong"``) intercepts
        with the latent means of the other groups free, ``"strict"`` residual variances. One of these may be left out; the next then adds both. Also
        ``"residual_covariances" "lv_variances" "lv_covariances" "regressions" "means"``.
    group_partial : str or sequence of str
        Parameters excepted, such as ``"f=~x2"`` or ``"x2~1"``.
    **options
        As for :func:`trustsem.sem`.

    Returns
    -------
    Invariance

    Raises
    ------
    OptionError
        For unknown levels, levels given twice or in a wrong order, and options that contradict ``levels=``.
    DataError
        If there are fewer than two groups, or intercepts are asked for where the data have no means.

    Warns
    -----
    TrustsemWarning
        What any of the fits warns of, once.

    Notes
    -----
    Meredith 1993 (doi 10.1007/BF02294825); Putnick & Bornstein 2016 (doi 10.1016/j.dr.2016.06.004). The difference test is the one that
    :func:`trustsem.anova` chooses.
    """
    if "group_equal" in options:
        raise OptionError("group_equal= contradicts levels=, which say what is equal at each step. Leave group_equal= out.")
    if not (isinstance(model, str) or hasattr(model, "syntax")):
        raise OptionError("A ParameterTable has its equalities over groups already. Give the model as text or as a Theory.")
    steps = read_levels(levels)
    partial = (group_partial,) if isinstance(group_partial, str) else tuple(group_partial)
    request = Request(model, steps, partial, tuple((options | ({} if group is None else {"group": group})).items()))
    first = sem(model, data, group_equal=equal_kinds(steps, steps[0]), group_partial=partial, **dict(request.options))
    if first.model.table.n_groups < 2:
        raise DataError("Invariance is about several groups, but there is one. Give group=, the column that says which group a row belongs to.")
    if {"scalar", "strict"} & set(steps) and not first.model.has_means:
        raise DataError("levels= with 'scalar' needs means, which these data do not have. Give sample_mean=, or stop at 'metric'.")
    fits = fit_levels(request, first.sample, first)
    issued = {str(warning) for warning in first.warnings}
    later = [warning for fit in fits.values() for warning in fit.warnings if str(warning) not in issued]
    issue(tuple({str(warning): warning for warning in later}.values()), stacklevel=2)
    return _result(request, fits)


def _result(request: Request, fits: Mapping[str, Fit], releases: pd.DataFrame | None = None, stopped: str = "") -> Invariance:
    frame, measures, method = invariance_frame(fits)
    return Invariance(MappingProxyType(dict(fits)), frame, measures, method, request.group_partial, request, releases, stopped)
