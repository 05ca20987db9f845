"""Nested models compared: chi-square difference tests in one table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

from trustsem.display import escape, html_banner, html_table, number, text_table, wrap
from trustsem.errors import ModelError, OptionError, TrustsemWarning
from trustsem.estimators import find
from trustsem.fitting.comparable import name_fits, require_comparable
from trustsem.fitting.differences import Method, choose_method, difference_test
from trustsem.fitting.fit import Fit
from trustsem.fitting.fitter import issue
from trustsem.fitting.nesting import check_nesting
from trustsem.inference.difference import DifferenceTest, difference_rmsea

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "anova", "describe_method"]

COLUMNS = ("df", "aic", "bic", "chisq", "chisq_diff", "rmsea", "df_diff", "pvalue")
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "standard": "Chi-square difference test",
        "satorra_bentler_2001": "Scaled chi-square difference test (Satorra & Bentler 2001)",
        "satorra_bentler_2010": "Scaled chi-square difference test (Satorra & Bentler 2010)",
        "satorra_2000": "Adjusted chi-square difference test (Satorra 2000)",
    }
)
_ADJUSTMENTS: Mapping[str, str] = MappingProxyType(
    {"scaled_shifted": "scaled and shifted", "mean_adjusted": "mean adjusted", "mean_var_adjusted": "mean and variance adjusted"}
)
_SCALED_NOTE = (
    "chisq holds the standard statistics, not the scaled ones to be reported for each model; chisq_diff is a function of two standard statistics."
)
_PLAIN_NOTE = "These models have a scaled test; the plain difference assumes normality and is not valid where that is needed."

_LEVELS_NOTE = "That each model is nested in the one above was not checked, because these are two-level models."


def describe_method(method: Method) -> str:
    """Return the name of a difference test, as printed."""
    name = _NAMES[method.name]
    return name if method.adjustment is None else f"{name[:-1]}, {_ADJUSTMENTS[method.adjustment]})"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Nested models with the tests between them; prints itself.

    Attributes
    ----------
    frame : DataFrame
        One row per model, least restricted first, index their names; columns ``df aic bic chisq chisq_diff rmsea df_diff pvalue``. A difference is
        that to the row above. AIC and BIC are NaN without a likelihood, rmsea (of the difference) where the test is scaled.
    method : str
        The test that was used.
    heading : str
        The same in words.
    notes : tuple of str
    warnings : tuple of TrustsemWarning
    """

    frame: pd.DataFrame
    method: str
    heading: str
    notes: tuple[str, ...]
    warnings: tuple[TrustsemWarning, ...]

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        shown = [name for name in COLUMNS if not self.frame[name].isna().all()]
        rows = [[str(name), *(_cell(column, row[column]) for column in shown)] for name, row in self.frame.iterrows()]
        return ["", *shown], rows

    def __str__(self) -> str:
        lines = [self.heading, "", *text_table(*self._cells(), align="l" + "r" * (len(self._cells()[0]) - 1))]
        for text in (*self.notes, *map(str, self.warnings)):
            lines += ["", *wrap(text, indent="  ")]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        banner = html_banner([str(warning) for warning in self.warnings]) if self.warnings else ""
        header, rows = self._cells()
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return banner + html_table(header, rows, caption=self.heading, align="l" + "r" * (len(header) - 1)) + notes


def _cell(column: str, value: float) -> str:
    if column in ("df", "df_diff") and not math.isnan(value) and value == round(value):
        return str(round(value))
    if column == "pvalue" and value < 0.0005:
        return "<.001"
    return number(float(value), 1 if column in ("aic", "bic") else 3)


def anova(*fits: Fit, method: str = "default", scaled_shifted: bool = True, require_nested: bool = False, **named: Fit) -> Comparison:
    """Compare nested models by chi-square difference tests.

    Parameters
    ----------
    *fits, **named : Fit
        At least two fits to the same data; keywords name them in the table. They are sorted by degrees of freedom, and each is tested against the
        one before.
    method : {"default", "standard", "satorra_bentler_2001", "satorra_bentler_2010", "satorra_2000"}
        By default what the models' own test calls for: the plain difference for an unscaled test, Satorra & Bentler 2001 for a test scaled by its
        mean (MLM, MLR), Satorra 2000 for one that adjusts the variance as well (MLMV, MLMVS).
    scaled_shifted : bool
        For ``"satorra_2000"``: scale and shift. Otherwise the mean is adjusted (MLM, MLR), or mean and variance with estimated degrees of freedom
        (MLMV, MLMVS).
    require_nested : bool
        Raise if a model is not nested in the one before, instead of warning.

    Returns
    -------
    Comparison

    Raises
    ------
    OptionError
        For fewer than two fits, different estimators or tests, the same degrees of freedom, or a method that does not apply.
    DataError
        If variables, groups, rows or fixed covariates differ.
    ConvergenceError
        If a fit did not converge.
    ModelError
        With `require_nested`, if a model is not nested in the one before.

    Warns
    -----
    TrustsemWarning
        TS-CMP-01 if a model is not nested in the one before (see :func:`trustsem.nested`), TS-CMP-02 if a scaled difference does not exist.

    Notes
    -----
    Formulas and sources: :mod:`trustsem.inference.difference`.
    """
    found = name_fits(fits, named, "anova")
    require_comparable(found)
    chosen = choose_method(list(found.values()), method, scaled_shifted)
    ordered = sorted(found.items(), key=lambda item: item[1].df)
    warnings: list[TrustsemWarning] = []
    tests = []
    for (general, wide), (restricted, narrow) in pairwise(ordered):
        if wide.df == narrow.df:
            raise OptionError(
                f"The models {general} and {restricted} have the same degrees of freedom ({wide.df}), so there is no difference to test. Compare "
                "them by ts.vuong(), AIC or BIC."
            )
        relation = None if wide.model.table.n_levels > 1 else check_nesting(restricted, narrow, general, wide)
        if relation is not None and not relation.nested:
            if require_nested:
                raise ModelError(f"A difference test needs nested models. {relation} Compare them by ts.vuong(), AIC or BIC.")
            warnings.append(TrustsemWarning("TS-CMP-01", str(relation)))
        tests.append(difference_test(narrow, wide, chosen))
        if math.isnan(tests[-1].statistic) and (relation is None or relation.nested):
            warnings.append(TrustsemWarning("TS-CMP-02", f"{restricted} against {general}: scaling factor {tests[-1].scaling:.3g}."))
    issue(tuple(warnings), stacklevel=2)
    notes = _notes(chosen, ordered[0][1])
    return Comparison(_frame(ordered, tests, chosen), str(chosen), describe_method(chosen), notes, tuple(warnings))


def _notes(method: Method, fit: Fit) -> tuple[str, ...]:
    notes = []
    if method.name != "standard":
        notes.append(_SCALED_NOTE)
    elif fit.options.scaled_test is not None:
        notes.append(_PLAIN_NOTE)
    if fit.model.table.n_levels > 1:
        notes.append(_LEVELS_NOTE)
    return tuple(notes)


def _frame(ordered: list[tuple[str, Fit]], tests: list[DifferenceTest], method: Method) -> pd.DataFrame:
    import pandas as pd

    rows = []
    nothing = DifferenceTest(math.nan, math.nan)
    for (_, fit), test in zip(ordered, [nothing, *tests], strict=True):
        likelihood = find(fit.options.estimator).has_likelihood and "aic" in fit.fit_measures().index
        criteria = fit.fit_measures(["aic", "bic"]).tolist() if likelihood else [math.nan, math.nan]
        plain = method.name == "standard" and not math.isnan(test.statistic)
        rmsea = difference_rmsea(test, fit.nobs, len(fit.model.blocks)) if plain else math.nan
        rows.append((fit.df, *criteria, fit.chisq.statistic, test.statistic, rmsea, test.df, test.pvalue))
    return pd.DataFrame(rows, columns=list(COLUMNS), index=[name for name, _ in ordered])
