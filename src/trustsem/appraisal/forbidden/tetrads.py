"""Vanishing tetrads of the measurement part: what it says of the items, whatever the constructs have to do with each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustsem.appraisal.forbidden.sizes import construct_names
from trustsem.appraisal.identification.observed_moments import ObservedMoments, observed_moments
from trustsem.appraisal.structure import fit_saturated, structural_names
from trustsem.appraisal.told import Told, records
from trustsem.errors import NotAvailableError, OptionError
from trustsem.fitting.fit import Fit
from trustsem.inference.multiplicity import holm_adjusted
from trustsem.inference.tetrads import TetradTest, independent_rows, tetrad_jacobian, tetrad_test, tetrad_values, tetrads_among
from trustsem.kernels.structure import Integers, Reals
from trustsem.model.problem import implied
from trustsem.options import check_flag

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["Tetrads", "tetrads"]

_POINTS = 3  # random parameter values at which a tetrad must vanish
_VANISHING = 1e-9
_SEED = 20100601
_LEAST = 4
_WHAT = (
    "A tetrad of four items is a difference of products of two covariances; one factor makes all of its items' tetrads vanish, two factors those "
    "that pair items across them."
)
_WHICH = (
    "Tested are tetrads none of which follows from the others, taken in the order of the items; another choice would give another statistic in the "
    "same sample (Hipp & Bollen 2003). Pairs are tested by the tetrads that the constructs alone do not imply."
)


@dataclass(frozen=True, eq=False, repr=False)
class Tetrads(Told):
    """Tests of the tetrads that the measurement part makes vanish; prints itself.

    Attributes
    ----------
    frame : DataFrame
        One row per construct, then per pair of constructs that implies tetrads: ``of items implied statistic df p_chisq p p_holm verdict reason``.
        ``implied`` counts the vanishing tetrads, ``df`` those that do not follow from others; ``p`` is by the F distribution, ``p_holm``
        Holm-adjusted over all rows; the verdict is ``"violated"``, ``"no violation shown"`` or ``"not testable"``.
    each : DataFrame
        One row per tested tetrad: ``of tetrad value se z``; values are in units of correlations.
    robust : bool
        Whether the tests are right without normality.
    heading, notes
        As printed.
    """

    frame: pd.DataFrame
    each: pd.DataFrame
    robust: bool
    heading: str
    notes: tuple[str, ...]
    shown = ("of", "items", "implied", "statistic", "df", "p", "p_holm", "verdict")

    def to_dict(self) -> dict[str, Any]:
        """Return heading, rows, notes and single tetrads as JSON knows them."""
        return super().to_dict() | {"each": records(self.each)}


class _Set(NamedTuple):
    """The tetrads of a construct or a pair: how many vanish, and those to be tested."""

    of: str
    items: int
    implied: int
    tested: Integers


def tetrads(source: Appraisal | Fit, *, robust: bool | None = None, alpha: float | None = None) -> Tetrads:
    """Test the vanishing tetrads of the measurement part, by construct and by pair of constructs.

    Parameters
    ----------
    source : Appraisal or Fit
        An appraisal, or a fitted model of one group.
    robust : bool, optional
        Tests that do not assume normality; by default where the fit has rows and robust standard errors.
    alpha : float, optional
        Level of the family of tests; that of the appraisal, else .05.

    Returns
    -------
    Tetrads

    Raises
    ------
    OptionError
        If `source` is neither, or `alpha` is no level.
    DataError
        For robust tests without rows.
    NotAvailableError
        For a fit with several groups or two levels, or whose measurement part cannot be told apart.

    Notes
    -----
    Bollen & Ting's (1993) simultaneous test. Which tetrads vanish is found at random values of the parameters of the measurement part, with all
    constructs free to covary; which do not follow from others by the rank of their derivatives there. An appraisal without verdicts gets none here.
    """
    if robust is not None:
        check_flag("robust", robust)
    fit, level, reason = _unpacked(source)
    names = {} if isinstance(source, Fit) else construct_names(source)
    level = level if alpha is None else alpha
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0.0 < level < 1.0:
        raise OptionError(f"alpha={alpha!r} is not a significance level. Give a number between 0 and 1, such as 0.05.")
    saturated = None
    if not reason:
        try:
            saturated = fit_saturated(fit)
        except NotAvailableError as error:
            if isinstance(source, Fit):
                raise
            reason = str(error)
    if saturated is None:
        return _empty(reason)
    moments = observed_moments(saturated, robust)
    sets = list(_sets(saturated, names))
    tests = [tetrad_test(moments.cov, moments.vcov, own.tested, moments.units) if len(own.tested) else None for own in sets]
    frame = _frame(sets, tests, level)
    each = _each(sets, tests, moments)
    silent = [own.of for own in sets if not own.implied]
    return Tetrads(frame, each, moments.robust, _heading(frame), _notes(moments, silent))


def _unpacked(source: Any) -> tuple[Fit, float, str]:
    """Return the fit, the level, and why there are no verdicts."""
    own = source if isinstance(source, Fit) else getattr(source, "fit", None)
    if not isinstance(own, Fit):
        raise OptionError(f"tetrads() needs an appraisal or a fit, not {type(source).__name__!r}. Call ts.appraise() or ts.sem() first.")
    if isinstance(source, Fit):
        if source.model.table.n_blocks > 1:
            raise NotAvailableError("Tetrads are tested in one group at one level. Fit the groups separately.")
        return source, 0.05, ""
    return own, float(source.alpha), str(source.withheld)


def _sets(saturated: Fit, names: Mapping[str, str]) -> Iterator[_Set]:
    """Yield the tetrads of every construct, then those of every pair that the two alone do not imply."""
    table, observed = saturated.model.table, saturated.model.blocks[0].observed
    place = {name: k for k, name in enumerate(observed)}
    loaded: dict[str, list[int]] = {name: [place[name]] if name in place else [] for name in structural_names(table)}
    for row in table.rows:
        if row.op == "=~" and (row.free or row.ustart != 0.0):
            loaded[row.lhs].append(place[row.rhs])
    points = _points(saturated)
    own = {name: np.array(items, dtype=np.int64) for name, items in loaded.items()}
    alone = {name: _vanishing(points, tetrads_among(items)) for name, items in own.items()}
    for name, items in own.items():
        found = alone[name]
        yield _Set(names.get(name, name), len(items), len(found), found[independent_rows(tetrad_jacobian(points[0], found))])
    for one, other in combinations(own, 2):
        items = np.unique(np.concatenate([own[one], own[other]]))
        if len(items) < _LEAST:
            continue
        within = np.concatenate([alone[one], alone[other]])
        everything = _vanishing(points, tetrads_among(items))
        known = {tuple(row) for row in within.tolist()}
        crossed = everything[[tuple(row) not in known for row in everything.tolist()]]
        chosen = independent_rows(tetrad_jacobian(points[0], np.concatenate([within, crossed])))
        if len(crossed):
            yield _Set(
                f"{names.get(one, one)}, {names.get(other, other)}", len(items), len(crossed), crossed[chosen[chosen >= len(within)] - len(within)]
            )


def _points(saturated: Fit) -> list[Reals]:
    """Return the covariances of the observed variables at some random values of the parameters."""
    rng = np.random.default_rng(_SEED)
    structure = saturated.problem.structure
    return [implied(structure, rng.uniform(0.4, 1.6, structure.n_theta))[0].sigma for _ in range(_POINTS)]


def _vanishing(points: list[Reals], candidates: Integers) -> Integers:
    """Return those of some tetrads (t, 4) that vanish at every point."""
    if not len(candidates):
        return candidates
    g, h, i, j = candidates.T
    zero = np.ones(len(candidates), dtype=bool)
    for cov in points:
        size = np.abs(cov[g, h] * cov[i, j]) + np.abs(cov[g, i] * cov[h, j])
        zero &= np.abs(tetrad_values(cov, candidates)) <= _VANISHING * size
    return candidates[zero]


def _frame(sets: list[_Set], tests: list[TetradTest | None], alpha: float) -> pd.DataFrame:
    import pandas as pd

    judged = np.array([np.nan if test is None else test.pvalue_f for test in tests])
    rows = []
    for own, test, p, p_holm in zip(sets, tests, judged, holm_adjusted(judged), strict=True):
        reason = ""
        if test is None:
            reason = "fewer than four items" if own.items < _LEAST else "the measurement part makes none of its tetrads vanish"
        elif not np.isfinite(p):
            reason = "more tetrads than rows or clusters to estimate their errors from"
        verdict = "not testable" if reason else "violated" if p_holm < alpha else "no violation shown"
        values = (np.nan, 0, np.nan) if test is None else (test.statistic, test.df, test.pvalue)
        rows.append((own.of, own.items, own.implied, *values, p, p_holm, verdict, reason))
    return pd.DataFrame(rows, columns=["of", "items", "implied", "statistic", "df", "p_chisq", "p", "p_holm", "verdict", "reason"])


def _each(sets: list[_Set], tests: list[TetradTest | None], moments: ObservedMoments) -> pd.DataFrame:
    import pandas as pd

    sd = np.sqrt(np.diag(moments.cov))
    rows = []
    for own, test in zip(sets, tests, strict=True):
        if test is None:
            continue
        for tetrad, value, se in zip(own.tested, test.values, test.se, strict=True):
            g, h, i, j = (moments.names[k] for k in tetrad)
            size = float(np.prod(sd[tetrad]))
            rows.append((own.of, f"{g}~~{h} {i}~~{j} - {g}~~{i} {h}~~{j}", value / size, se / size, value / se))
    return pd.DataFrame(rows, columns=["of", "tetrad", "value", "se", "z"])


def _empty(reason: str) -> Tetrads:
    frame, each = _frame([], [], 0.05), _each([], [], ObservedMoments((), np.zeros((0, 0)), np.zeros((0, 0)), 0, False))
    return Tetrads(frame, each, False, "Vanishing tetrads of the measurement part; no verdicts", (f"No verdicts: {reason}",))


def _heading(frame: pd.DataFrame) -> str:
    tested = frame[frame["verdict"] != "not testable"]
    violated = int((tested["verdict"] == "violated").sum())
    return f"Vanishing tetrads of the measurement part: {len(tested)} sets tested, {violated} violated"


def _notes(moments: ObservedMoments, silent: list[str]) -> tuple[str, ...]:
    lines = [_WHAT, _WHICH]
    kind = "without normality" if moments.robust else "for normal data"
    lines.append(f"Errors of the covariances are {kind}; p-values by the F distribution allow for {moments.units} independent rows or clusters.")
    if silent:
        lines.append(f"Implies no tetrad by itself: {', '.join(silent)}.")
    return tuple(lines)
