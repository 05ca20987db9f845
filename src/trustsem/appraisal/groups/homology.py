"""Whether what holds between people holds between teams: paths of composites at two levels, and tests that they are equal (homology)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri

from trustsem.appraisal.estimation import choose_estimation
from trustsem.appraisal.refitting import refit
from trustsem.appraisal.told import Told, records
from trustsem.appraisal.verdicts import holm
from trustsem.appraisal.waves.wave_columns import composite_rows, named_columns
from trustsem.appraisal.waves.wave_reading import chosen_theory
from trustsem.appraisal.waves.wave_rivals import WavePart
from trustsem.appraisal.withholding import why_withheld
from trustsem.data.sample import Sample
from trustsem.errors import NotAvailableError, OptionError
from trustsem.fitting.comparison import describe_method
from trustsem.fitting.differences import choose_method, difference_test
from trustsem.fitting.fit import Fit
from trustsem.fitting.sem import sem
from trustsem.fitting.tables import delta_errors, row_values
from trustsem.fitting.two_level import icc
from trustsem.inference.standardized import standardize
from trustsem.inference.wald import wald
from trustsem.kernels.structure import Reals
from trustsem.options import check_level
from trustsem.theory import Theory
from trustsem.theory.syntax import lavaan_syntax

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Homology", "homology"]

_COMPOSITES = (
    "Constructs are means of their items, missing where one item is. Measurement error weakens paths within teams more than between them, where it "
    "averages out: a path that is larger between teams may be the same one, better measured."
)
_TEAMS = "Between teams are the parts of answers that members of a team share; what they rate is still what each of them perceives."


@dataclass(frozen=True, eq=False, repr=False)
class Homology(Told):
    """Paths of a theory within and between teams; prints itself.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        One row per claim: ``id cause effect within within_se within_std between between_se between_std difference difference_se wald p_equal gap
        gap_lower gap_upper p_same sesoi verdict``. The difference is between less within, of unstandardized paths (composites have one unit at both
        levels); `gap` is it in total standard deviations, with an unadjusted interval. p-values are Holm-adjusted; `p_same` tests that the gap is
        smaller than the smallest effect of interest (two one-sided tests). Verdicts: "differs", "differs, but little", "the same", "undetermined",
        "no verdict".
    notes : tuple of str
    icc : Told
        Of every construct: ``construct icc design_effect reliability`` (of the mean of a team of average size).
    omnibus : DataFrame
        Tests that all paths are equal over levels: ``test statistic df pvalue``.
    text : str
        The model as lavaan syntax.
    fit : Fit
    theory : Theory
    withheld : str
        Why nothing is concluded; empty if something is.
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    icc: Told
    omnibus: pd.DataFrame
    text: str
    fit: Fit
    theory: Theory
    withheld: str
    shown = ("cause", "effect", "within", "within_std", "between", "between_std", "difference", "difference_se", "p_equal", "p_same", "verdict")

    @property
    def parts(self) -> tuple[Any, ...]:
        """The intraclass correlations."""
        return (self.icc,)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the fit as JSON knows it."""
        return {**Told.to_dict(self), "icc": self.icc.to_dict(), "omnibus": records(self.omnibus), "text": self.text}


def homology(
    theory: Theory | str,
    data: Any,
    *,
    cluster: str,
    constructs: Sequence[str] | None = None,
    alpha: float = 0.05,
    level: float = 0.95,
    **options: Any,
) -> Homology:
    """Compare the paths of a theory within teams with those between them (rival R13 of the built-in theory).

    Parameters
    ----------
    theory : Theory or str
    data : data frame
        With the items and the column of teams.
    cluster : str
        Column that says which team a row belongs to.
    constructs : sequence of str, optional
        Use these only; the others are projected out. Few constructs need fewer teams.
    alpha, level : float
        Level of the tests, and confidence level.
    **options
        As for :func:`trustsem.sem`; by default robust errors, and full information maximum likelihood where composites are missing.

    Returns
    -------
    Homology
        Without verdicts, and with the reason, if there are not more teams than parameters, or the fit is not converged, not identified
        or not admissible (teams that hardly differ).

    Raises
    ------
    NotAvailableError
        Without rows, and for several groups.
    OptionError, TheoryError, DataError
        For options, theories and data that are not possible.

    Notes
    -----
    A theory of persons need not hold of teams (Chen, Bliese & Mathieu 2005, Organizational Research Methods 8:375-409). The model is a path model of
    composites at both levels, free at each; equality is tested by Wald tests, and all at once also by a difference test.
    """
    check_level(level)
    if not isinstance(alpha, float) or not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r} is not a significance level. Give a number between 0 and 1, such as 0.05.")
    if data is None or isinstance(data, Sample):
        raise NotAvailableError("homology() needs rows and their teams, which moments and samples do not have. Give the data frame, and cluster=.")
    if options.get("group") is not None:
        raise NotAvailableError("homology() takes one group at a time. Give the rows of that group, and leave group= out.")
    chosen = chosen_theory(theory, constructs, "homology")
    frame = composite_rows(data, {node.name: node.indicators for node in chosen.nodes}, named_columns({**options, "cluster": cluster}))
    names = [node.name for node in chosen.nodes]
    choice = choose_estimation(frame, names, {**options, "cluster": cluster})
    settings = {**choice.options, "fixed_x": False}
    text = _text(chosen, labelled=False)
    fit = sem(text, frame, **settings)
    withheld = _withheld(fit)
    notes = (
        *((f"No verdicts: {withheld}",) if withheld else ()),
        _COMPOSITES,
        _TEAMS,
        "Equality not rejected is not equality: look at `p_same`, and at the interval of the gap.",
        *choice.reasons,
        *map(str, (*chosen.warnings, *fit.warnings)),
    )
    omnibus = _omnibus(fit, chosen, settings)
    told = () if withheld else _omnibus_note(omnibus, alpha)
    heading = f"{chosen.title}: {fit.nobs} rows in {_n_clusters(fit)} teams ({cluster}), paths within and between them"
    return Homology(heading, _frame(fit, chosen, alpha, level, withheld), (*told, *notes), _icc(fit), omnibus, text, fit, chosen, withheld)


def _text(theory: Theory, *, labelled: bool) -> str:
    """Return the path model of composites, free at both levels or with paths equal over them."""
    nodes = tuple(replace(node, indicators=(node.name,), items=()) for node in theory.nodes)
    lines = lavaan_syntax(nodes, theory.claims, theory.covariances).splitlines()
    body = [line for line in lines if not line.startswith("#")]
    if labelled:
        body = [_labelled(line) for line in body]
    return "\n".join(f"level: {level}\n" + "\n".join(f"  {line}" for line in body) for level in (1, 2)) + "\n"


def _labelled(line: str) -> str:
    effect, operator, causes = line.partition(" ~ ")
    return f"{effect}{operator}{' + '.join(f'{effect}_by_{cause}*{cause}' for cause in causes.split(' + '))}" if operator else line


def _n_clusters(fit: Fit) -> int:
    clusters = fit.sample.blocks[0].clusters
    return 0 if clusters is None else int(clusters.max()) + 1


def _withheld(fit: Fit) -> str:
    teams = _n_clusters(fit)
    if teams <= fit.npar:
        return f"there are {teams} teams for {fit.npar} parameters of both levels, too few. Use fewer constructs with constructs=, or more teams."
    return why_withheld(fit)


def _slopes(fit: Fit, theory: Theory) -> tuple[Reals, Reals, Reals, Reals]:
    """Return paths (C, 2) within and between, their derivatives (2, C, K), and their standardized values (C, 2)."""
    places = {(row.lhs, row.rhs, row.block): k for k, row in enumerate(fit.model.table.rows) if row.op == "~"}
    rows = np.array([[places[claim.effect, claim.cause, block] for block in (1, 2)] for claim in theory.claims])
    slopes = np.zeros((2, len(rows), fit.model.n_theta))
    for level in (0, 1):
        slopes[level, np.arange(len(rows)), fit.model.theta_of_row[rows[:, level]]] = 1.0
    return row_values(fit)[rows], slopes, standardize(fit.model, fit.implied_blocks, "std_all")[0][rows], _total_ratio(fit, theory)


def _total_ratio(fit: Fit, theory: Theory) -> Reals:
    """Return the ratio (C,) of the total standard deviations of cause and effect."""
    total: dict[str, float] = {}
    for layout, point in zip(fit.model.blocks, fit.implied_blocks, strict=True):
        for at, name in enumerate(layout.variables):
            total[name] = total.get(name, 0.0) + float(point.V[at, at])
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt([total[claim.cause] / total[claim.effect] for claim in theory.claims]))


def _frame(fit: Fit, theory: Theory, alpha: float, level: float, withheld: str) -> pd.DataFrame:
    import pandas as pd

    values, slopes, standard, ratio = _slopes(fit, theory)
    errors = [delta_errors(slopes[k], fit.theta_vcov) for k in (0, 1)]
    difference = values[:, 1] - values[:, 0]
    error = delta_errors(slopes[1] - slopes[0], fit.theta_vcov)
    gap, gap_se = ratio * difference, ratio * error
    sesoi = np.array([claim.sesoi for claim in theory.claims])
    with np.errstate(invalid="ignore", divide="ignore"):
        p_equal, p_same = 2.0 * ndtr(-np.abs(difference / error)), ndtr((np.abs(gap) - sesoi) / gap_se)
    usable = not withheld and bool(np.isfinite(p_equal).all())
    p_equal, p_same = (holm(p) if usable else np.full(len(p), math.nan) for p in (p_equal, p_same))
    width = float(ndtri(0.5 + 0.5 * level)) * gap_se
    words = np.where(
        p_equal < alpha, np.where(p_same < alpha, "differs, but little", "differs"), np.where(p_same < alpha, "the same", "undetermined")
    )
    columns: dict[str, Any] = {name: [getattr(claim, name) for claim in theory.claims] for name in ("id", "cause", "effect")}
    for k, name in enumerate(("within", "between")):
        columns |= {name: values[:, k], f"{name}_se": errors[k], f"{name}_std": standard[:, k]}
    columns |= {"difference": difference, "difference_se": error, "wald": (difference / error) ** 2, "p_equal": p_equal}
    columns |= {"gap": gap, "gap_lower": gap - width, "gap_upper": gap + width, "p_same": p_same, "sesoi": sesoi}
    return pd.DataFrame(columns | {"verdict": words if usable else "no verdict"})


def _omnibus(fit: Fit, theory: Theory, settings: dict[str, Any]) -> pd.DataFrame:
    """Return the Wald test and the difference test that all paths are equal over levels."""
    import pandas as pd

    values, slopes, _, _ = _slopes(fit, theory)
    joint = wald(values[:, 1] - values[:, 0], slopes[1] - slopes[0], fit.theta_vcov)
    rows: list[tuple[str, float, float, float]] = [("Wald test", joint.statistic, joint.df, joint.pvalue)]
    if fit.options.tests:
        method = choose_method([fit], "default", True)
        narrow = refit(fit, _text(theory, labelled=True))
        if narrow.converged and fit.converged:
            test = difference_test(narrow, fit, method)
            rows.append((describe_method(method), test.statistic, test.df, test.pvalue))
    return pd.DataFrame(rows, columns=["test", "statistic", "df", "pvalue"])


def _omnibus_note(omnibus: pd.DataFrame, alpha: float) -> tuple[str, ...]:
    row = omnibus.to_dict("records")[-1]
    if not math.isfinite(row["pvalue"]):
        return ()
    word = "is rejected" if row["pvalue"] < alpha else "is not rejected"
    shown = f"{row['test']}, {row['statistic']:.2f} on {row['df']:g} df, p = {row['pvalue']:.3f}"
    return (f"That all paths are equal within and between teams {word}: {shown}.",)


def _icc(fit: Fit) -> Told:
    frame = icc(fit).rename(columns={"variable": "construct"})
    # Design effect is 1 + (n - 1) icc, so the average size n follows from it; where there is no icc, a mean of a team says nothing of it.
    share, effect = frame["icc"].to_numpy(float), frame["design_effect"].to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.where(share > 0.0, 1.0 + (effect - 1.0) / share, math.nan)
        reliability = np.where(share > 0.0, size * share / (1.0 + (size - 1.0) * share), 0.0)
    notes = ("reliability is that of the mean of a team of average size (ICC2).",)
    return WavePart("How much of each construct lies between teams", frame.assign(reliability=reliability), notes)
