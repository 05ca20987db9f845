"""How a theory's causes reach its outcomes: effects in total, along each route and through each construct; and whether they go through one only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from trustsem.appraisal.forbidden.sizes import smallest_size
from trustsem.appraisal.mechanism.bypass import Bypass, judge_bypass
from trustsem.appraisal.mechanism.effect_draws import draw_effects
from trustsem.appraisal.mechanism.effect_tables import Context, contrast_table, effect_table, route_table, tier_table
from trustsem.appraisal.mechanism.routes import Draws, Reach, essential, pick, reach_of, refuse_blocks
from trustsem.appraisal.told import Told
from trustsem.appraisal.withholding import require_appraisal
from trustsem.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal
    from trustsem.theory import Theory

__all__ = ["Mechanism", "Part", "mechanism"]

_MOST_CONTRASTS = 3  # causes that are compared with each other unasked
_ROUTE_RULE = (
    "Routes: shown if every arrow on the route differs from 0 (the largest of their p-values, Holm-adjusted over routes) and the product has the "
    "stated direction; contradicted if it has the other; else not shown."
)
_TOTAL_RULE = "Total effects are judged by the rule for propositions, as a family of their own."
_CROSS_SECTION = (
    "Products of paths are effects only if the order of the constructs is right and no common cause is left out; one wave cannot show either, and in "
    "one wave the product can be far from the effect over time (Maxwell & Cole 2007)."
)


@dataclass(frozen=True, eq=False, repr=False)
class Part(Told):
    """One table of a mechanism, with its heading and notes."""

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    shown: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Mechanism(Told):
    """How causes reach outcomes; prints itself.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        One row per cause, outcome and kind of effect (*total*, *direct*, *indirect*, *proportion mediated*): ``cause outcome kind est se std std_se
        ci_lower ci_upper pvalue p_holm verdict``; the interval, unadjusted, and p are those of ``std``. Only total effects are judged.
    notes : tuple of str
    routes : Part
        One row per route: ``route cause outcome sign est se std std_se ci_lower ci_upper pvalue p_joint p_holm verdict``.
    tiers : Part
        One row per cause, outcome, tier between them and construct of the tier: the sum of the routes through it, ``cause outcome tier through est se
        std std_se ci_lower ci_upper pvalue share share_se``; *(past it)* for routes that touch no construct of the tier.
    bypass : Bypass or None
        Whether everything goes through one construct; None if none is on every route.
    contrasts : Part
        One row per pair of causes and what both affect: ``first second on est se std std_se ci_lower ci_upper pvalue p_holm verdict``.
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    routes: Part
    tiers: Part
    bypass: Bypass | None
    contrasts: Part

    shown = ("cause", "outcome", "kind", "std", "std_se", "ci_lower", "ci_upper", "p_holm", "verdict")

    @property
    def parts(self) -> tuple[Told, ...]:
        """The other tables, in the order in which they are printed."""
        return tuple(part for part in (self.routes, self.tiers, self.bypass, self.contrasts) if part is not None)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON knows it."""
        named = {"routes": self.routes, "tiers": self.tiers, "contrasts": self.contrasts}
        parts = {name: part.to_dict() for name, part in named.items()}
        return super().to_dict() | parts | {"bypass": None if self.bypass is None else self.bypass.to_dict()}


def mechanism(
    appraisal: Appraisal,
    *,
    through: str | None = None,
    contrast: Sequence[str] | None = None,
    sesoi: float | None = None,
    interval: str = "delta",
    draws: int | None = None,
    seed: int | None = None,
    executor: Any = None,
    progress: bool | None = None,
) -> Mechanism:
    """Say how the causes of a theory reach its outcomes.

    Parameters
    ----------
    appraisal : Appraisal
        Of one group, at one level.
    through : str, optional
        The construct by way of which everything is claimed to go; it must lie on every route. By default the first that does.
    contrast : sequence of str, optional
        Causes to be compared with each other; by default all of them, if they are at most three.
    sesoi : float, optional
        Smallest effect size of interest d of total effects, differences and arrows past `through`, standardized. By default that of the
        propositions if they have one in common, else that of the theory.
    interval : {"delta", "monte_carlo", "bootstrap"}
        Intervals of the delta method; percentiles of draws from the normal distribution of the estimates; percentiles of refits to resampled rows
        (whole clusters where there are clusters). Drawn intervals come with the Monte Carlo errors ``mc_lower`` and ``mc_upper`` of their ends.
        Standard errors and p-values are those of the delta method in any case.
    draws, seed, executor, progress : optional
        Of drawn intervals: how many (20,000 and 1,000), the seed, who makes the bootstrap draws (as for :func:`trustsem.run`), and whether a bar is
        shown. The same seed gives the same draws, whoever makes them.

    Returns
    -------
    Mechanism
        Without verdicts, and with the reason, where the appraisal has none.

    Raises
    ------
    OptionError
        For a construct that is not on every route, a contrast of what are no causes, and impossible values.
    NotAvailableError
        For several groups or levels, and for too many routes to be listed.
    DataError
        For bootstrap intervals of a fit to moments.

    Notes
    -----
    Effects: Wright 1934 (doi 10.1214/aoms/1177732676), Bollen 1987 (doi 10.2307/271028); their delta-method errors: Sobel 1982 (doi 10.2307/270723).
    That a route carries something is judged by the joint significance of its arrows, which keeps its level where the delta method does not
    (MacKinnon, Lockwood, Hoffman, West & Sheets 2002, doi 10.1037/1082-989X.7.1.83). Monte Carlo intervals: MacKinnon, Lockwood & Williams 2004
    (doi 10.1207/s15327906mbr3901_4). Mediation in one wave: Maxwell & Cole 2007 (doi 10.1037/1082-989X.12.1.23).
    """
    require_appraisal("mechanism", appraisal)
    refuse_blocks(appraisal.fit, "The mechanism")
    reach = reach_of(appraisal.theory)
    waypoint = _waypoint(appraisal.theory, reach, through)
    compared = _compared(reach, contrast)
    size = _size(appraisal, sesoi)
    drawn: Draws | None = None
    words = "delta method"
    if not appraisal.withheld:
        places = Context(appraisal, None, size).places
        drawn, words = draw_effects(appraisal.fit, list(places.values()), interval, draws=draws, seed=seed, executor=executor, progress=progress)
    context = Context(appraisal, drawn, size)
    frame = effect_table(context, reach)
    bypass = None if waypoint is None else judge_bypass(appraisal, waypoint, _ends(reach), size)
    contrasts = contrast_table(context, list(combinations(compared, 2)))
    return Mechanism(
        heading=f"{appraisal.theory.title}: {_heading(reach)}",
        frame=frame,
        notes=_notes(appraisal, frame, words, size, waypoint),
        routes=Part("Along each route", route_table(context, reach), (_ROUTE_RULE,), _ROUTES_SHOWN),
        tiers=Part("Through each construct", tier_table(context, reach), _tier_notes(appraisal.theory, reach), _TIERS_SHOWN),
        bypass=bypass,
        contrasts=Part("Contrasts of causes", contrasts, _contrast_notes(reach, compared, waypoint), _CONTRASTS_SHOWN),
    )


_ROUTES_SHOWN = ("route", "std", "std_se", "ci_lower", "ci_upper", "p_joint", "p_holm", "verdict")
_TIERS_SHOWN = ("cause", "outcome", "tier", "through", "std", "std_se", "ci_lower", "ci_upper", "share", "share_se")
_CONTRASTS_SHOWN = ("first", "second", "on", "std", "std_se", "ci_lower", "ci_upper", "p_holm", "verdict")


def _waypoint(theory: Theory, reach: Reach, through: str | None) -> str | None:
    found = essential(theory, reach.routes)
    if through is None:
        return found[0] if found else None
    pick("through", [through], [node.name for node in theory.nodes])
    if through not in found:
        past = next((" -> ".join(route) for route in reach.routes if through not in route[1:-1]), "")
        known = f"Constructs on every route: {', '.join(found)}." if found else "No construct is on every route, so leave through= out."
        raise OptionError(f"through={through!r} is not on every route of the theory, which claims {past} as well. {known}")
    return through


def _compared(reach: Reach, contrast: Sequence[str] | None) -> tuple[str, ...]:
    if contrast is None:
        return reach.sources if len(reach.sources) <= _MOST_CONTRASTS else ()
    if isinstance(contrast, str) or len(contrast) < 2:
        raise OptionError(f"contrast={contrast!r} is no comparison. Give two causes or more, such as contrast={list(reach.sources[:2])!r}.")
    return pick("contrast", contrast, reach.sources)


def _size(appraisal: Appraisal, sesoi: float | None) -> float:
    return smallest_size(appraisal, sesoi)


def _ends(reach: Reach) -> list[tuple[str, str]]:
    return list(dict.fromkeys((route[0], route[-1]) for route in reach.routes))


def _heading(reach: Reach) -> str:
    return f"from {', '.join(reach.sources)} to {', '.join(reach.outcomes)}" if reach.routes else "no routes, because no arrow is claimed"


def _notes(appraisal: Appraisal, frame: pd.DataFrame, words: str, size: float, waypoint: str | None) -> tuple[str, ...]:
    notes = [f"No verdicts: {appraisal.withheld}"] if appraisal.withheld else []
    notes += [f"Intervals: {words}; unadjusted.", f"{_TOTAL_RULE} d = {size:g}.", _CROSS_SECTION]
    unstable = frame[(frame["kind"] == "total") & ~(frame["pvalue"] < appraisal.alpha)]
    for row in unstable.to_dict("records"):
        notes.append(f"The total effect {row['cause']} -> {row['outcome']} is not shown to differ from 0, so do not read the proportion of it.")
    given = frame[(frame["kind"] == "proportion mediated") & (frame["se"] == 0.0)]
    if len(given):
        ends = ", ".join(f"{row['cause']} -> {row['outcome']}" for row in given.to_dict("records"))
        notes.append(f"The proportion is 1 by construction, not by finding, where the theory has no direct arrow ({ends}).")
    derived = sum(claim.derived for claim in appraisal.claims)
    if derived:
        notes.append(f"{derived} of the {len(appraisal.claims)} arrows are derived, not stated by the theory; routes over them stand for several.")
    if waypoint is None:
        notes.append("No construct lies on every route, so that nothing is claimed to go through one construct only, and there is nothing to test.")
    return tuple(notes)


def _tier_notes(theory: Theory, reach: Reach) -> tuple[str, ...]:
    notes = ["share is that of the total effect. It says little where the total effect is near 0, or where routes have opposite signs."]
    tier = {node.name: node.tier for node in theory.nodes}
    if any(len({tier[name] for name in route[1:-1]}) < len(route[1:-1]) for route in reach.routes):
        notes.append("Some routes touch two constructs of one tier and count for both, so that shares add up to more than 1.")
    return tuple(notes)


def _contrast_notes(reach: Reach, compared: Sequence[str], waypoint: str | None) -> tuple[str, ...]:
    if not compared and len(reach.sources) > 1:
        return (
            f"{len(reach.sources)} causes are not compared with each other unasked. Name some in contrast=, such as {list(reach.sources[:2])!r}.",
        )
    if len(compared) < 2:
        return ("There are no two causes to be compared.",)
    notes = [
        "Differences of effects, first less second. Verdicts: the difference is shown (Holm-adjusted); or shown to be smaller than d; or neither.",
        "Standardized differences compare one standard deviation of each cause, raw ones one unit of each, which may not be the same.",
    ]
    if waypoint is not None:
        notes.append(f"What goes through {waypoint} only differs on every outcome as it does on {waypoint}: these rows are no evidence of their own.")
    return tuple(notes)
