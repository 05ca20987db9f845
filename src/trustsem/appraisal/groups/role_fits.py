"""The fits behind a comparison of roles: which constructs, invariance, equal paths, means, and profiles of strategies."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustsem.appraisal.estimation import choose_estimation
from trustsem.appraisal.groups.role_paths import PathRow, joint_wald, observed_mean_table
from trustsem.appraisal.mechanism.importance import strategy_profile
from trustsem.appraisal.told import Told
from trustsem.appraisal.verdicts import holm
from trustsem.appraisal.waves.wave_rivals import WavePart
from trustsem.data.columns import open_table
from trustsem.data.sample import Sample
from trustsem.errors import DataError, NotAvailableError, TrustsemError
from trustsem.fitting.comparison import describe_method
from trustsem.fitting.differences import choose_method, difference_test
from trustsem.fitting.fit import Fit
from trustsem.fitting.invariance import Invariance, invariance
from trustsem.fitting.sem import compile as compile_fitter
from trustsem.fitting.sem import sem
from trustsem.inference.difference import DifferenceTest
from trustsem.theory import Theory

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "RoleFits",
    "beginnings",
    "left_out",
    "role_fits",
    "role_means",
    "role_omnibus",
    "role_paths",
    "role_profiles",
    "role_settings",
    "shared_teams",
]

_LEVELS = ("configural", "metric", "scalar")
_NO_ITEMS = "Constructs are single columns, so whether groups understand them alike cannot be tested; differences may be differences in answering."
_MEANS = (
    "d is the difference in pooled standard deviations (of latent variables where items measure them). Holm's adjustment over all rows; intervals "
    "are unadjusted.",
)


def beginnings(theory: Theory) -> list[str]:
    """Return the constructs that nothing explains, and those that they act on, in the order of the theory."""
    explained = {claim.effect for claim in theory.claims}
    first = {node.name for node in theory.nodes if node.name not in explained}
    wanted = first | {claim.effect for claim in theory.claims if claim.cause in first}
    return [node.name for node in theory.nodes if node.name in wanted]


def left_out(whole: Theory, chosen: Theory, constructs: Sequence[str] | str | None) -> tuple[str, ...]:
    """Return what leaving constructs out means."""
    gone = [node.name for node in whole.nodes if node.name not in {node.name for node in chosen.nodes}]
    if constructs is None and gone:
        return (f"Left out, because they come after what is asked: {', '.join(gone)}. constructs='all' takes them in.",)
    return tuple(map(str, chosen.warnings))


def shared_teams(data: Any, group: str, cluster: str | None) -> tuple[str, ...]:
    """Return a note if teams have members in several groups, which are then not independent."""
    if data is None or isinstance(data, Sample) or cluster is None:
        return ()
    table = open_table(data, [group, cluster])
    pairs = {(str(team), str(label)) for team, label in zip(table.values(cluster), table.values(group), strict=True)}
    counts = Counter(team for team, _ in pairs)
    shared = sum(count > 1 for count in counts.values())
    if not shared:
        return ()
    return (
        f"{shared} of {len(counts)} teams ({cluster}) have members in several groups. Groups are taken to be independent, which they are not then: "
        "tests of differences between groups are not right (usually they reject too rarely).",
    )


def role_settings(theory: Theory, data: Any, group: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the options of the fits, and why they are what they are.

    Raises
    ------
    DataError
        If there is no column of groups.
    """
    columns = [name for node in theory.nodes for name in node.indicators]
    choice = choose_estimation(data, columns, options)
    settings = dict(choice.options)
    if data is not None and not isinstance(data, Sample):
        if group not in open_table(data, None).names:
            raise DataError(f"The data have no column {group!r} that says who belongs to which group. Name it with group=.")
        settings["group"] = group
    return settings, choice.reasons


class RoleFits(NamedTuple):
    """The steps of invariance (None where they could not be taken, and why), and the fit in which paths are compared."""

    invariance: Invariance | None
    untested: str
    fit: Fit


def role_fits(theory: Theory, data: Any, settings: Mapping[str, Any], partial: tuple[str, ...]) -> RoleFits:
    """Fit the theory to all groups, with equal loadings where there are any, and test invariance.

    Raises
    ------
    DataError
        For fewer than two groups.
    """
    observed = all(node.observed for node in theory.nodes)
    fit = sem(theory, data, group_equal=() if observed else ("loadings",), group_partial=() if observed else partial, **settings)
    if fit.model.table.n_groups < 2:
        raise DataError("Roles are compared over several groups, but there is one. Give group=, the column that says which group a row belongs to.")
    if observed:
        return RoleFits(None, _NO_ITEMS, fit)
    first = compile_fitter(theory, fit.sample, **_without_data(settings)).fit_sample(fit.sample)
    stuck = [name for name, one in (("with nothing equal", first), ("with equal loadings", fit)) if not one.converged]
    if stuck:
        return RoleFits(None, f"The model {stuck[0]} did not converge, so whether groups understand the items alike could not be tested.", fit)
    levels = _LEVELS if fit.model.has_means else _LEVELS[:2]
    return RoleFits(invariance(theory, data, levels=levels, group_partial=partial, **settings), "", fit)


def role_paths(theory: Theory) -> list[PathRow]:
    """Return the paths of the theory; those of constructs that nothing explains are asked about."""
    explained = {claim.effect for claim in theory.claims}
    variable = {node.name: node.variable for node in theory.nodes}
    return [
        PathRow(claim.cause, claim.effect, variable[claim.effect], variable[claim.cause], claim.sesoi, claim.cause not in explained)
        for claim in theory.claims
    ]


def role_omnibus(theory: Theory, fit: Fit, paths: Sequence[PathRow], settings: Mapping[str, Any], partial: tuple[str, ...]) -> pd.DataFrame:
    """Return the difference tests that the paths asked about, and all paths, are equal over groups."""
    import pandas as pd

    others = tuple(f"{path.lhs}~{path.rhs}" for path in paths if not path.asked)
    observed = all(node.observed for node in theory.nodes)
    kinds = ("regressions",) if observed else ("loadings", "regressions")
    wanted = [("strategies", others), ("all", ())] if others else [("strategies", ())]
    method = choose_method([fit], "default", True) if fit.options.tests else None
    asked = {"strategies": [path for path in paths if path.asked], "all": list(paths)}
    rows = []
    for name, free in wanted:
        fitter = compile_fitter(
            theory, fit.sample, group_equal=kinds, group_partial=(*(() if observed else partial), *free), **_without_data(settings)
        )
        narrow = fitter.fit_sample(fit.sample)
        usable = method is not None and narrow.converged and fit.converged
        test = difference_test(narrow, fit, method) if usable and method is not None else DifferenceTest(math.nan, narrow.df - fit.df, math.nan)
        rows.append((name, test.statistic, test.df, test.pvalue, *joint_wald(fit, asked[name]), describe_method(method) if method else ""))
    return pd.DataFrame(rows, columns=["paths", "chisq_diff", "df_diff", "pvalue", "wald", "p_wald", "method"])


def _without_data(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in ("sample_mean", "sample_nobs")}


def role_means(fit: Fit, found: Invariance | None, theory: Theory, level: float) -> Told | None:
    """Return differences of means of latent and of observed constructs; None if there are none."""
    import pandas as pd

    frames = []
    if found is not None and "scalar" in found.fits and found.fits["scalar"].converged:
        frames.append(found.latent_means(level))
    observed = observed_mean_table(fit, [node.variable for node in theory.nodes if node.observed], level)
    if observed is not None:
        names = {node.variable: node.name for node in theory.nodes}
        frames.append(observed.assign(latent=[names[name] for name in observed["latent"]]))
    if not frames:
        return None
    frame = pd.concat(frames, ignore_index=True).rename(columns={"latent": "construct"})
    adjusted = holm(frame["pvalue"].to_numpy(float)) if frame["pvalue"].notna().all() else np.full(len(frame), math.nan)
    frame.insert(list(frame.columns).index("pvalue") + 1, "p_holm", adjusted)
    return WavePart(
        "Differences of means from the first group", frame, _MEANS, ("construct", "group", "difference", "d", "d_ci_lower", "d_ci_upper", "p_holm")
    )


def role_profiles(theory: Theory, data: Any, group: str, settings: Mapping[str, Any], alpha: float, level: float) -> dict[str, Told]:
    """Return the profile of strategies of every group; one that cannot be made says why.

    Raises
    ------
    NotAvailableError
        Without rows.
    """
    import pandas as pd

    if data is None or isinstance(data, Sample):
        raise NotAvailableError("profile=True needs the rows of every group. Give the data frame, or leave profile= out.")
    table = open_table(data, None)
    frame = pd.DataFrame({name: table.values(name) for name in table.names})
    separate = theory.with_strategies("predictors")
    own = {name: value for name, value in settings.items() if name not in ("group", "group_label")}
    found: dict[str, Told] = {}
    for label in dict.fromkeys(frame[group].dropna()):
        try:
            part: Told = strategy_profile(separate, frame[(frame[group] == label).to_numpy()], alpha=alpha, level=level, **own)
        except TrustsemError as error:
            part = WavePart("No profile of strategies", pd.DataFrame(), (str(error),))
        found[str(label)] = part
    return found
