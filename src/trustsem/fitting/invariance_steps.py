"""The steps of measurement invariance: fits level by level, the table of them, and equalities released one at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from trustsem.data.sample import Sample
from trustsem.errors import OptionError, closest
from trustsem.fitting import sem as entry
from trustsem.fitting.comparison import describe_method
from trustsem.fitting.differences import choose_method, difference_test
from trustsem.fitting.equalities import anchored, release_table
from trustsem.fitting.fit import Fit
from trustsem.fitting.sem import ModelLike
from trustsem.inference.difference import DifferenceTest

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "STEPS",
    "Released",
    "Request",
    "equal_kinds",
    "fit_levels",
    "invariance_frame",
    "read_levels",
    "release_stepwise",
    "suggested_releases",
]

STEPS = ("configural", "metric", "scalar", "strict")
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "configural": "",
        "metric": "loadings",
        "scalar": "intercepts",
        "strict": "residuals",
        "residual_covariances": "residual.covariances",
        "lv_variances": "lv.variances",
        "lv_covariances": "lv.covariances",
        "regressions": "regressions",
        "means": "means",
    }
)
_ALIASES = MappingProxyType({"weak": "metric", "strong": "scalar"})
_RECORD = ("parameter", "x2", "df", "pvalue", "pvalue_holm", "epc", "chisq_diff", "df_diff", "pvalue_diff")


class Request(NamedTuple):
    """What was asked for, so that it can be fitted again with other exceptions."""

    model: ModelLike
    levels: tuple[str, ...]
    group_partial: tuple[str, ...]
    options: tuple[tuple[str, Any], ...]


class Released(NamedTuple):
    """What a stepwise search released, in order, with the difference test after each; and why it stopped."""

    record: pd.DataFrame
    stopped: str


def read_levels(levels: Sequence[str] | str) -> tuple[str, ...]:
    """Check ``levels=``.

    Raises
    ------
    OptionError
        For unknown levels, none, a level given twice, or an order that makes no sense.
    """
    given = (levels,) if isinstance(levels, str) else tuple(levels)
    names = tuple(_ALIASES.get(str(level), str(level)) for level in given)
    for level in names:
        if level not in _KINDS:
            raise OptionError(f"levels= names {level!r}, which is no level.{closest(level, _KINDS)} Allowed are {', '.join(_KINDS)}.")
    if not names or len(set(names)) < len(names):
        raise OptionError(f"levels={list(given)!r} must hold at least one level, and each only once.")
    ladder = [STEPS.index(level) for level in names if level in STEPS]
    if ladder != sorted(ladder) or "configural" in names[1:]:
        raise OptionError(f"levels={list(given)!r} are in a wrong order. Each level adds to those before: {', '.join(STEPS)}, then others.")
    return names


def equal_kinds(levels: Sequence[str], level: str) -> tuple[str, ...]:
    """Return what is equal over groups at `level`, as ``group_equal=`` names it: all that the levels up to it add."""
    wanted: list[str] = []
    for name in levels[: list(levels).index(level) + 1]:
        wanted += STEPS[: STEPS.index(name) + 1] if name in STEPS else (name,)
    return tuple(dict.fromkeys(_KINDS[name] for name in wanted if _KINDS[name]))


def fit_levels(request: Request, sample: Sample, first: Fit | None = None) -> dict[str, Fit]:
    """Fit every level to `sample`; `first` is the fit of the first level, if there is one already."""
    rest = request.levels if first is None else request.levels[1:]
    found = {} if first is None else {request.levels[0]: first}
    return found | {level: fit_level(request, level, sample) for level in rest}


def fit_level(request: Request, level: str, sample: Sample) -> Fit:
    """Fit one level."""
    kinds = equal_kinds(request.levels, level)
    fitter = entry.compile(request.model, sample, group_equal=kinds, group_partial=request.group_partial, **dict(request.options))
    return fitter.fit_sample(sample)


def difference_of(narrow: Fit, wide: Fit) -> DifferenceTest:
    """Return the default test of a level against the one before; NaN where there is none."""
    if not (narrow.converged and wide.converged and narrow.df > wide.df):
        return DifferenceTest(math.nan, narrow.df - wide.df)
    return difference_test(narrow, wide, choose_method([wide, narrow], "default", True))


def invariance_frame(fits: Mapping[str, Fit]) -> tuple[pd.DataFrame, Mapping[str, str], str]:
    """Return the table of the levels, which fit measures its columns show, and the name of the difference test."""
    import pandas as pd

    ordered = list(fits.values())
    available = {name for fit in ordered for name in fit.all_measures}  # of a fit that did not converge there are none
    shown = {}
    for name in ("chisq", "df", "pvalue", "cfi", "rmsea", "srmr"):
        variants = (f"{name}_robust", f"{name}_scaled", name) if ordered[0].options.scaled_test else (name,)
        shown[name] = next((variant for variant in variants if variant in available), variants[-1])
    rows = [[fit.all_measures.get(name, math.nan) for name in shown.values()] for fit in ordered]
    frame = pd.DataFrame(rows, columns=list(shown), index=list(fits))
    method = describe_method(choose_method(ordered, "default", True))
    tests = [DifferenceTest(math.nan, math.nan), *(difference_of(narrow, wide) for wide, narrow in pairwise(ordered))]
    frame["chisq_diff"] = [test.statistic for test in tests]
    frame["df_diff"] = [test.df for test in tests]
    frame["pvalue_diff"] = [test.pvalue for test in tests]
    for name in ("cfi", "rmsea", "srmr"):
        frame[f"{name}_diff"] = frame[name].diff()
    return frame, MappingProxyType(shown), method


def suggested_releases(fit: Fit, before: Fit | None) -> pd.DataFrame:
    """Return the score tests of what `fit` holds equal and `before` does not; robust where the fit's test is scaled and rows are known."""
    rows = all(block.rows is not None for block in fit.sample.blocks)
    robust = fit.options.scaled_test is not None and fit.problem.moments.discrepancy == 0 and rows
    return release_table(fit, before, robust=robust)


def release_stepwise(request: Request, level: str, before: Fit, fit: Fit, max_releases: int | None, alpha: float) -> Released:
    """Release equalities of `level` one at a time until its test against `before` no longer rejects; see :meth:`Invariance.partial`."""
    import pandas as pd

    rows: list[tuple[object, ...]] = []
    while True:
        test = difference_of(fit, before)
        if not test.pvalue < alpha:
            stopped = f"{level} is no longer rejected." if rows else f"{level} is not rejected, so there is nothing to release."
            break
        if max_releases is not None and len(rows) >= max_releases:
            stopped = f"max_releases={max_releases} reached, and {level} is still rejected."
            break
        table = suggested_releases(fit, before)
        usable = table[table["pvalue_holm"] < alpha]
        chosen = next((k for k, name in enumerate(usable["parameter"]) if anchored(fit, str(name))), None)
        if chosen is None:
            reason = (
                "releasing more would leave a latent variable with fewer than two equal indicators"
                if len(usable)
                else "no single equality stands out"
            )
            stopped = f"{level} is still rejected, but {reason}."
            break
        request = request._replace(group_partial=(*request.group_partial, str(usable["parameter"].iloc[chosen])))
        fit = fit_level(request, level, fit.sample).require_converged()
        test = difference_of(fit, before)
        rows.append((*usable.iloc[chosen], test.statistic, test.df, test.pvalue))
    return Released(pd.DataFrame(rows, columns=list(_RECORD)), stopped)
