"""Groups of people, such as roles: whether strategies work the same way in all of them, and who trusts less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustsem.appraisal.groups.role_answers import RoleAnswers, answer_roles
from trustsem.appraisal.groups.role_fits import (
    beginnings,
    left_out,
    role_fits,
    role_means,
    role_omnibus,
    role_paths,
    role_profiles,
    role_settings,
    shared_teams,
)
from trustsem.appraisal.groups.role_paths import path_comparison
from trustsem.appraisal.told import Told, records
from trustsem.appraisal.waves.wave_reading import chosen_theory
from trustsem.appraisal.withholding import why_withheld
from trustsem.errors import NotAvailableError, OptionError
from trustsem.fitting.fit import Fit
from trustsem.fitting.invariance import Invariance
from trustsem.options import check_flag, check_level
from trustsem.theory import Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Roles", "compare_roles"]

_DYADS = (
    "Who finds it harder to build trust within a pair (both members rate the same relationship) takes pairs: one row per rating, with columns that "
    "name the pair, the rater and the roles of both. Data of persons cannot show it, and such a model is not available in this version."
)


@dataclass(frozen=True, eq=False, repr=False)
class Roles(Told):
    """A theory compared over groups; prints itself.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        Paths in every group; see :func:`trustsem.appraisal.groups.role_paths.path_comparison`.
    notes : tuple of str
        The answers to the three questions first, then what they rest on.
    answers : tuple of str
        Do strategies work the same way? How are they practised? Who trusts less?
    invariance : Invariance or None
        None where nothing is measured by several items.
    omnibus : DataFrame
        Difference tests that paths are equal over groups: ``paths chisq_diff df_diff pvalue wald p_wald method``.
    means : Told or None
        Differences of means from the first group: ``construct group reference difference se z pvalue p_holm ci_lower ci_upper d d_se d_ci_lower
        d_ci_upper``; None where the data have no means.
    profiles : mapping of str to Told
        The profile of strategies of each group; empty if it was not asked for.
    fit : Fit
        With equal loadings and free paths.
    theory : Theory
        As fitted.
    withheld : str
        Why nothing is concluded; empty if something is.
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    answers: tuple[str, ...]
    invariance: Invariance | None
    omnibus: pd.DataFrame
    means: Told | None
    profiles: Mapping[str, Told]
    fit: Fit
    theory: Theory
    withheld: str

    @property
    def shown(self) -> tuple[str, ...]:  # type: ignore[override]
        """The columns that are printed."""
        own = [name for name in self.frame.columns if name.startswith("std_")]
        return ("cause", "effect", *own, "p_equal", "gap", "gap_lower", "gap_upper", "p_same", "verdict")

    @property
    def parts(self) -> tuple[Any, ...]:
        """The other tables that there are."""
        return tuple(part for part in (self.invariance, self.means, *self.profiles.values()) if part is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the fits as JSON knows it."""
        found = {**Told.to_dict(self), "answers": list(self.answers), "omnibus": records(self.omnibus)}
        if self.invariance is not None:
            found["invariance"] = records(self.invariance.frame.rename_axis("level").reset_index())
        if self.means is not None:
            found["means"] = self.means.to_dict()
        return found | {"profiles": {label: part.to_dict() for label, part in self.profiles.items()}}


def compare_roles(
    theory: Theory | str,
    data: Any = None,
    *,
    group: str = "role",
    constructs: Sequence[str] | str | None = None,
    group_partial: Sequence[str] | str = (),
    profile: bool = False,
    dyad: str | None = None,
    alpha: float = 0.05,
    level: float = 0.95,
    **options: Any,
) -> Roles:
    """Ask of several groups of people, such as roles, whether strategies build trust the same way in all of them, and who trusts less.

    Parameters
    ----------
    theory : Theory or str
    data : data frame, optional
        With the group as a column. Or ``sample_cov`` and ``sample_nobs`` (and ``sample_mean``) by group.
    group : str
        The column of groups; the one that comes first in the data is the reference.
    constructs : sequence of str or "all", optional
        Use these only. By default those that nothing in the theory explains (strategies) and those that they act on (trust): what comes after
        them can be left out without changing anything about them, and a smaller model is estimated better in small groups.
    group_partial : str or sequence of str
        Loadings and intercepts that are not held equal, such as ``"Trust=~t3"``.
    profile : bool
        Add the profile of single strategies for every group (see :func:`trustsem.strategy_profile`), for a theory that lists its strategies.
    dyad : str, optional
        Refused; says what it would take.
    alpha, level : float
        Level of the tests, and confidence level.
    **options
        As for :func:`trustsem.sem`; estimator and treatment of missing values are chosen as :func:`trustsem.appraise` does.

    Returns
    -------
    Roles
        Without verdicts if the fit is not converged, not identified or not admissible.

    Raises
    ------
    DataError
        For fewer than two groups.
    NotAvailableError
        For pairs (``dyad=``), and a profile of strategies without rows.
    OptionError, TheoryError
        For options and theories that are none.

    Notes
    -----
    Invariance comes first: paths are compared with equal loadings, means with equal intercepts as well (Meredith 1993, doi 10.1007/BF02294825). If
    that is rejected the comparison is shown and said not to be licensed.
    """
    if dyad is not None:
        raise NotAvailableError(f"dyad={dyad!r} is not available. {_DYADS}")
    check_level(level)
    check_flag("profile", profile)
    if not isinstance(alpha, float) or not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r} is not a significance level. Give a number between 0 and 1, such as 0.05.")
    whole = chosen_theory(theory, None, "compare_roles")
    chosen = whole if constructs == "all" else chosen_theory(whole, beginnings(whole) if constructs is None else constructs, "compare_roles")
    settings, reasons = role_settings(chosen, data, group, options)
    partial = (group_partial,) if isinstance(group_partial, str) else tuple(group_partial)
    found, untested, fit = role_fits(chosen, data, settings, partial)
    paths = role_paths(chosen)
    withheld = why_withheld(fit)
    omnibus = role_omnibus(chosen, fit, paths, settings, partial)
    frame = path_comparison(fit, paths, alpha, level, not withheld)
    means = role_means(fit, found, chosen, level)
    profiles = role_profiles(whole, data, group, settings, alpha, level) if profile else {}
    answers = answer_roles(RoleAnswers(chosen, fit, found, untested, omnibus, frame, means, bool(profiles), withheld, alpha))
    notes = (
        *((f"No verdicts: {withheld}",) if withheld else ()),
        *answers.sentences,
        *answers.limits,
        _DYADS,
        *reasons,
        *shared_teams(data, group, settings.get("cluster")),
        *left_out(whole, chosen, constructs),
        *map(str, fit.warnings),
    )
    counts = ", ".join(f"{label} ({block.n})" for label, block in zip(fit.sample.group_labels, fit.sample.blocks, strict=True))
    heading = f"{chosen.title}: paths over {fit.sample.group or 'groups'}: {counts}"
    return Roles(heading, frame, notes, answers.sentences, found, omnibus, means, profiles, fit, chosen, withheld)
