"""The claims estimated in several ways side by side: where methods that make different mistakes agree, the answer does not hang on the method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.identification.by_method import METHODS, ByMethod, Standardized, estimates_by_method
from trustsem.appraisal.told import Told
from trustsem.appraisal.verdicts import holm, judge
from trustsem.appraisal.withholding import require_appraisal
from trustsem.errors import NotAvailableError
from trustsem.inference.multiplicity import holm_adjusted
from trustsem.kernels.structure import Reals
from trustsem.options import choose

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["Triangulation", "triangulate"]

_TESTED = ("miiv", "sam", "corrected")
_UNLIKE = 3.0  # ratio of standard deviations within a construct, from which a mean of items is not what it seems
_TITLES = MappingProxyType(
    {"ml": "the fit", "miiv": "MIIV", "sam": "SAM", "composite": "composites", "corrected": "corrected composites"},
)
_SAME = 1e-6  # standard error of a difference below which two methods are the same
_READINGS = MappingProxyType(
    {
        "miiv": "the fit may carry an error made elsewhere in the model to this path",
        "miiv, rejected": "the test of its instruments says that the model is wrong at this equation",
        "sam": "structural and measurement part pull at each other: look at what the theory forbids, and at cross-loadings",
        "corrected": "items share more than their construct: look at cross-loadings and correlated errors",
    }
)


@dataclass(frozen=True, eq=False, repr=False)
class Triangulation(Told):
    """Standardized estimates of every claim by several methods; prints itself.

    Attributes
    ----------
    frame : DataFrame
        One row per claim: ``id cause effect sign``; for each of ``ml miiv sam composite corrected`` the estimate, its standard error (``ml_se``) and
        the verdict that it would get (``ml_verdict``); for ``miiv sam corrected`` the Holm-adjusted p-value of the difference from the fit
        (``miiv_p``); ``sargan_p``, Holm-adjusted, of the equation; ``disagree`` (methods that differ from the fit) and ``reading`` (what that
        suggests, or why there is no estimate).
    notes : tuple of str
    alpha : float
        Level of the tests.
    heading : str
    """

    frame: pd.DataFrame
    notes: tuple[str, ...]
    alpha: float
    heading: str = "Claims by several methods, standardized"
    shown: tuple[str, ...] = ("cause", "effect", "ml", "miiv", "miiv_p", "sam", "sam_p", "composite", "corrected", "corrected_p", "disagree")

    def to_dict(self) -> dict[str, Any]:
        """Return heading, rows, notes and level as JSON knows them."""
        return {**Told.to_dict(self), "alpha": self.alpha}


def triangulate(appraisal: Appraisal, *, sam: str = "local") -> Triangulation:
    """Set the fit beside model-implied instruments, structural-after-measurement and regressions of composites.

    Parameters
    ----------
    appraisal : Appraisal
    sam : {"local", "global"}
        Kind of structural-after-measurement.

    Returns
    -------
    Triangulation
        Without verdicts where the appraisal withholds them. A method that cannot estimate a claim says why.

    Raises
    ------
    OptionError
        For a kind of SAM that does not exist.

    Notes
    -----
    All estimates are functions of the same sample moments (to first order), so that the standard error of a difference follows from the derivatives
    of both (:mod:`trustsem.inference.moment_errors`); neither has to be efficient, as in the test of Hausman (1978, doi 10.2307/1913827). With J
    clusters the reference distribution is t with J - 1 degrees of freedom. Holm's correction over the claims, for each method. Composites are means
    of items. They are printed as they are, but compared only after the correction for reliability: without it they differ because items have errors,
    which is no news.
    """
    require_appraisal("triangulate", appraisal)
    choose("sam", sam, ("local", "global"))
    try:
        found = estimates_by_method(appraisal, sam)
    except NotAvailableError as error:
        return Triangulation(_empty(appraisal), _withheld(appraisal, str(error)), appraisal.alpha)
    return Triangulation(_frame(appraisal, found), _notes(appraisal, found), appraisal.alpha)


def _keys(appraisal: Appraisal) -> dict[str, list[str]]:
    claims = appraisal.claims
    return {name: [getattr(claim, name) for claim in claims] for name in ("id", "cause", "effect", "sign")}


def _empty(appraisal: Appraisal) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, Any] = dict(_keys(appraisal))
    for name in METHODS:
        columns |= {name: np.nan, f"{name}_se": np.nan, f"{name}_verdict": "no verdict"}
        if name in _TESTED:
            columns[f"{name}_p"] = np.nan
    return pd.DataFrame(columns | {"sargan_p": np.nan, "disagree": "", "reading": "no verdict"})


def _withheld(appraisal: Appraisal, reason: str) -> tuple[str, ...]:
    first = (f"No verdicts: {appraisal.withheld}",) if appraisal.withheld else ()
    return (*first, reason)


def _frame(appraisal: Appraisal, found: ByMethod) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, Any] = dict(_keys(appraisal))
    pvalues = {}
    for name in METHODS:
        own = found.found[name]
        estimate, error = own.estimate, own.errors(found.moments)
        if name == "ml" and not appraisal.withheld:
            estimate, error = (appraisal.estimates[column].to_numpy(float) for column in ("est_std", "se"))
        columns |= {name: estimate, f"{name}_se": error, f"{name}_verdict": _verdicts(appraisal, estimate, error)}
        if name in _TESTED:
            pvalues[name] = columns[f"{name}_p"] = _difference(own, found)
    sargan = _sargan(appraisal, found)
    differs = {name: pvalues[name] < appraisal.alpha for name in _TESTED}
    if appraisal.withheld:
        differs = {name: np.zeros(len(appraisal.claims), dtype=bool) for name in _TESTED}
    columns["sargan_p"] = sargan
    columns["disagree"] = [", ".join(_TITLES[name] for name in _TESTED if differs[name][k]) for k in range(len(appraisal.claims))]
    columns["reading"] = [_reading(appraisal, found, differs, sargan, k) for k in range(len(appraisal.claims))]
    return pd.DataFrame(columns)


def _difference(own: Standardized, found: ByMethod) -> Reals:
    """Return adjusted p-values of the differences from the fit; NaN where both are the same estimator or one has no estimate."""
    gap, error = own.differences(found.found["ml"], found.moments)
    tested = np.isfinite(gap) & np.isfinite(error) & (error > _SAME)
    result = np.full(gap.size, np.nan)
    result[tested] = holm(found.moments.tails(gap[tested] / error[tested]))
    return result


def _verdicts(appraisal: Appraisal, estimate: Reals, error: Reals) -> list[str]:
    """Return the verdict that each claim would get by these estimates."""
    signs = np.array([{"+": 1, "-": -1}.get(claim.sign, 0) for claim in appraisal.claims])
    result = np.full(signs.size, "no verdict", dtype=object)
    if appraisal.withheld:
        return [str(value) for value in result]
    result[signs == 0] = "no direction stated"
    judged = (signs != 0) & np.isfinite(estimate) & np.isfinite(error) & (error > 0.0)
    sesoi = np.array(appraisal.sesoi)
    result[judged] = judge(estimate[judged], error[judged], sesoi[judged], signs[judged].tolist(), appraisal.alpha).verdict
    return [str(value) for value in result]


def _sargan(appraisal: Appraisal, found: ByMethod) -> Reals:
    """Return the adjusted p-value of the test of instruments of each claim's equation, adjusted over all equations of the model."""
    result = np.full(len(appraisal.claims), np.nan)
    if found.equations is None:
        return result
    pvalue = np.array([np.nan if own is None else own.pvalue for own in found.equations.results])
    adjusted = holm_adjusted(pvalue)
    variables = appraisal.fit.model.blocks[0].variables
    by_effect = {variables[own.effect]: value for own, value in zip(found.equations.equations, adjusted.tolist(), strict=True)}
    names = {node.name: node.variable for node in appraisal.theory.nodes}
    return np.array([by_effect.get(names[claim.effect], np.nan) for claim in appraisal.claims])


def _reading(appraisal: Appraisal, found: ByMethod, differs: dict[str, np.ndarray], sargan: Reals, k: int) -> str:
    parts = [f"{_TITLES[name]}: {found.found[name].problem[k]}" for name in METHODS if found.found[name].problem[k]]
    rejected = bool(sargan[k] < appraisal.alpha)
    for name in _TESTED:
        if differs[name][k]:
            key = "miiv, rejected" if name == "miiv" and rejected else name
            parts.append(f"{_TITLES[name]}: {_READINGS[key]}")
    if rejected and not differs["miiv"][k]:
        parts.append("instruments of this equation are rejected")
    if not parts:
        return "no verdict" if appraisal.withheld else "methods agree"
    return "; ".join(dict.fromkeys(parts))


def _notes(appraisal: Appraisal, found: ByMethod) -> tuple[str, ...]:
    notes = [f"No verdicts: {appraisal.withheld}"] if appraisal.withheld else []
    moments = found.moments
    notes.append(
        "p-values are those of differences from the fit, Holm-adjusted over the claims; they "
        f"{'need' if moments.robust else 'assume'} {moments.basis}. Composites are means of items, and smaller because items have errors; corrected "
        "for reliability they are compared."
    )
    if moments.inverse is not None:
        notes.append(
            "Values are missing: the fit uses the rows, the other methods the saturated moments, from which the fit is compared with them too."
        )
    notes += _unlike_items(appraisal)
    missing = _missing(found)
    notes += [f"{_TITLES[name]} cannot estimate all claims: {reason}" for name, reason in missing]
    return tuple(notes)


def _unlike_items(appraisal: Appraisal) -> list[str]:
    """Return a note on constructs whose items have so different spreads that their mean is that of the widest."""
    layout, cov = appraisal.fit.model.blocks[0], appraisal.fit.problem.blocks[0].cov
    spread = dict(zip(layout.observed, np.sqrt(np.diag(cov)), strict=True))
    unlike = []
    for node in appraisal.theory.nodes:
        own = [float(spread[item]) for item in node.indicators if item in spread]
        if len(own) > 1 and max(own) > _UNLIKE * min(own):
            unlike.append(node.name)
    if not unlike:
        return []
    return [
        f"Items of {', '.join(unlike)} have very different spreads, so that their mean is nearly the widest item: do not read composites of them."
    ]


def _missing(found: ByMethod) -> Sequence[tuple[str, str]]:
    """Return the first reason of each method that has no estimate of some claim."""
    result = []
    for name in METHODS:
        reasons = [reason for reason in found.found[name].problem if reason]
        if reasons:
            result.append((name, reasons[0]))
    return result
