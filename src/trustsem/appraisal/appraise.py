"""From a theory and data to an appraisal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trustsem.appraisal.estimation import choose_estimation
from trustsem.appraisal.result import Appraisal
from trustsem.appraisal.withholding import why_withheld
from trustsem.data.columns import open_table
from trustsem.data.sample import Sample
from trustsem.errors import DataError, ModelError, OptionError, TheoryError, closest
from trustsem.fitting.fit import Fit
from trustsem.fitting.sem import sem
from trustsem.options import check_level
from trustsem.spec.build import build_table
from trustsem.spec.defaults import defaults_for
from trustsem.theory import Theory, load_theory

__all__ = ["appraise"]


def appraise(
    theory: Theory | str,
    data: Any = None,
    *,
    alpha: float = 0.05,
    sesoi: float | Mapping[str, float] | None = None,
    level: float = 0.95,
    rivals: Mapping[str, Theory | str] | None = None,
    **options: Any,
) -> Appraisal:
    """Fit a theory and say what the data say of each of its claims.

    Parameters
    ----------
    theory : Theory or str
        A theory, or the name or path of one.
    data : data frame, optional
        Observations with the theory's indicators as columns; or give ``sample_cov`` and ``sample_nobs``.
    alpha : float
        Level of each family of tests (see :data:`trustsem.appraisal.verdicts.RULE`).
    sesoi : float or mapping, optional
        Smallest effect size of interest instead of the theory's: one for all propositions, or by id.
    level : float
        Confidence level of the intervals, which are unadjusted.
    rivals : mapping of str to Theory or str, optional
        Rivals of your own, beside those of the theory: theories or model text about the same observed variables, by name.
    **options
        Passed to :func:`trustsem.sem`. Where ``estimator`` and ``missing`` are left out, the data decide (MLR and FIML for answers in categories,
        incomplete rows and teams), and the appraisal says so. Name the column of teams with ``cluster=``.

    Returns
    -------
    Appraisal
        Without verdicts if the fit is not converged, not identified or not admissible. Everything but the verdicts is computed when it is asked for.

    Raises
    ------
    TheoryError
        If `theory` is none.
    DataError
        If the data lack indicators of the theory.
    OptionError
        For a smallest effect size that is not positive, or of a proposition that does not exist, and other impossible options.
    """
    if isinstance(theory, str):
        theory = load_theory(theory)
    if not isinstance(theory, Theory):
        raise TheoryError(f"appraise() needs a Theory, or the name or path of one, not {type(theory).__name__!r}.")
    if not isinstance(alpha, int | float | np.floating) or not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r} is not a significance level. Give a number between 0 and 1, such as 0.05.")
    check_level(level)
    sizes = _sizes(theory, sesoi)
    own = _own_rivals(theory, rivals)
    columns = [name for part in theory.nodes for name in part.indicators]
    if data is not None and not isinstance(data, Sample):
        _require_indicators(columns, data)
    choice = choose_estimation(data, columns, options)
    fit = sem(theory, data, **choice.options)
    return Appraisal(theory, fit, tuple(theory.claims), sizes, alpha, level, _withheld(fit), choice.reasons, own)


def _withheld(fit: Fit) -> str:
    """Return why a fit gives no verdicts; empty if it does."""
    if fit.model.table.n_groups > 1:
        return "there are several groups; appraise one group at a time, or compare them with ts.compare_roles()."
    return why_withheld(fit)


def _sizes(theory: Theory, sesoi: float | Mapping[str, float] | None) -> tuple[float, ...]:
    own = {claim.id: claim.sesoi for claim in theory.claims}
    if isinstance(sesoi, Mapping):
        for name in sesoi:
            if name not in own:
                raise OptionError(f"sesoi= names the proposition {name!r}, which the theory does not have.{closest(name, own)}")
        own |= sesoi
    elif sesoi is not None:
        own = dict.fromkeys(own, sesoi)
    for name, value in own.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0.0 < value < 1.0:
            raise OptionError(
                f"The smallest effect size of interest of {name!r} is {value!r}. Give a standardized number between 0 and 1, such as 0.1."
            )
    return tuple(float(value) for value in own.values())


def _own_rivals(theory: Theory, rivals: Mapping[str, Theory | str] | None) -> tuple[tuple[str, Theory | str], ...]:
    if rivals is None:
        return ()
    if not isinstance(rivals, Mapping) or not all(isinstance(name, str) and isinstance(model, Theory | str) for name, model in rivals.items()):
        raise OptionError("rivals= must be a mapping of names to theories or model text, such as {'direct': theory.with_path('Trust', 'Outcomes')}.")
    taken = {"theory", *(rival.id for rival in theory.rivals())} & set(rivals)
    if taken:
        raise OptionError(f"rivals= names {sorted(taken)[0]!r}, which the theory or a rival of its own has. Give another name.")
    for name, model in rivals.items():
        if isinstance(model, str):
            try:
                build_table(model, defaults_for("sem"))
            except ModelError as error:
                raise OptionError(f"rivals[{name!r}] is no model: {str(error).splitlines()[0]} Correct the text, or leave the rival out.") from error
    return tuple(rivals.items())


def _require_indicators(wanted: list[str], data: Any) -> None:
    columns = open_table(data, None).names
    absent = [name for name in wanted if name not in columns]
    if absent:
        raise DataError(
            f"The data lack {len(absent)} of the theory's {len(wanted)} indicators: {', '.join(absent[:6])}{' ...' if len(absent) > 6 else ''}."
            f"{closest(absent[0], columns)} Map your own columns with `theory.with_indicators({{construct: [columns]}})`."
        )
