"""The tables of a mechanism."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import ndtr

from trustsem.appraisal.mechanism.routes import Draws, Effects, Path, Reach, route_effects, total_effects
from trustsem.appraisal.verdicts import holm, judge
from trustsem.inference.quantities import Quantities
from trustsem.kernels.structure import Reals

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["Context", "contrast_table", "effect_table", "route_table", "tier_table"]

PAST = "(past it)"
_KINDS = ("total", "direct", "indirect", "proportion mediated")


class Context(NamedTuple):
    """What every table of a mechanism needs: the appraisal, draws of the parameters if there are any, and the smallest effect size of interest."""

    appraisal: Appraisal
    draws: Draws | None
    sesoi: float

    @property
    def places(self) -> dict[str, int]:
        """Place of each construct among the variables of the fit."""
        variables = self.appraisal.fit.model.blocks[0].variables
        return {node.name: variables.index(node.variable) for node in self.appraisal.theory.nodes}

    def columns(self, effects: Effects) -> dict[str, Reals]:
        """Return ``est se std std_se ci_lower ci_upper pvalue``, and Monte Carlo errors of the interval if it is drawn."""
        vcov, level = self.appraisal.fit.theta_vcov, self.appraisal.level
        raw, std = effects.raw.columns(vcov, level), effects.std.columns(vcov, level)
        found = {"est": raw["est"], "se": raw["se"], "std": std["est"], "std_se": std["se"]}
        return found | {name: std[name] for name in ("ci_lower", "ci_upper", "mc_lower", "mc_upper", "pvalue") if name in std}

    def totals(self, pairs: Sequence[tuple[str, str]]) -> Effects:
        """Return the total effects of pairs (cause, effect)."""
        return total_effects(self.appraisal.fit, self.places, pairs, self.draws)

    def routes(self, routes: Sequence[Path]) -> Effects:
        """Return the effects along routes."""
        return route_effects(self.appraisal.fit, self.places, routes, self.draws)


def _mixed(effects: Effects, weights: Reals) -> Effects:
    return Effects(effects.raw.mix(weights), effects.std.mix(weights))


def effect_table(context: Context, reach: Reach) -> pd.DataFrame:
    """Return total, direct and indirect effects of every source on every outcome, and the proportion mediated."""
    import pandas as pd

    ends = list(dict.fromkeys((route[0], route[-1]) for route in reach.routes))
    direct = [route for route in reach.routes if len(route) == 2]
    mediated = {(route[0], route[-1]) for route in reach.routes if len(route) > 2}
    have = np.array([[float((route[0], route[-1]) == pair) for route in direct] for pair in ends]).reshape(len(ends), len(direct))
    total, straight = context.totals(ends), _mixed(context.routes(direct), have)
    indirect = Effects(_less(total.raw, straight.raw), _less(total.std, straight.std))
    share = Effects(indirect.raw.over(total.raw), indirect.std.over(total.std))
    keys: list[tuple[str, str, str]] = []
    places: list[int] = []  # among all totals, then all direct effects, and so on
    for k, pair in enumerate(ends):
        for number, kind in enumerate(_KINDS):
            if kind == "total" or (kind == "direct" and have[k].any()) or (kind not in ("total", "direct") and pair in mediated):
                keys.append((*pair, kind))
                places.append(number * len(ends) + k)
    found = [context.columns(effects) for effects in (total, straight, indirect, share)]
    columns = {name: np.concatenate([each[name] for each in found])[places] for name in found[0]}
    names = ("cause", "outcome", "kind")
    table = pd.DataFrame({**{name: [key[k] for key in keys] for k, name in enumerate(names)}, **columns})
    return _judged_totals(context, reach, table)


def _less(one: Quantities, other: Quantities) -> Quantities:
    draws = None if one.draws is None or other.draws is None else one.draws - other.draws
    return Quantities(one.value - other.value, one.slopes - other.slopes, draws)


def _judged_totals(context: Context, reach: Reach, table: pd.DataFrame) -> pd.DataFrame:
    """Add adjusted p-values and verdicts of the total effects whose routes agree on a direction."""
    signs = route_signs(context.appraisal, reach.routes)
    stated: dict[tuple[str, str], set[int]] = {}
    for route, sign in zip(reach.routes, signs, strict=True):
        stated.setdefault((route[0], route[-1]), set()).add(sign)
    verdicts, p_holm = [""] * len(table), np.full(len(table), math.nan)
    totals = [k for k, kind in enumerate(table["kind"]) if kind == "total"]
    found = [stated[pair] for pair in zip(table["cause"][totals], table["outcome"][totals], strict=True)]
    judged = [k for k, directions in zip(totals, found, strict=True) if len(directions) == 1 and 0 not in directions]
    for k in totals:
        verdicts[k] = "no verdict" if context.appraisal.withheld else "no direction stated"
    if judged and not context.appraisal.withheld:
        rows = table.iloc[judged]
        direction = [next(iter(stated[pair])) for pair in zip(rows["cause"], rows["outcome"], strict=True)]
        sizes = np.full(len(judged), context.sesoi)
        judgement = judge(rows["std"].to_numpy(), rows["std_se"].to_numpy(), sizes, direction, context.appraisal.alpha)
        p_holm[judged] = judgement.p_zero
        for k, verdict in zip(judged, judgement.verdict, strict=True):
            verdicts[k] = verdict
    return table.assign(p_holm=p_holm, verdict=verdicts)


def route_signs(appraisal: Appraisal, routes: Sequence[Path]) -> list[int]:
    """Return the direction that the theory states for each route, the product of those of its arrows; 0 where one states none."""
    signs = {(claim.cause, claim.effect): {"+": 1, "-": -1}.get(claim.sign, 0) for claim in appraisal.claims}
    return [math.prod(signs[arrow] for arrow in pairwise(route)) for route in routes]


def route_table(context: Context, reach: Reach) -> pd.DataFrame:
    """Return the effect along every route."""
    import pandas as pd

    appraisal, routes = context.appraisal, reach.routes
    table = appraisal.estimates
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2.0 * ndtr(-np.abs(table["est_std"].to_numpy(float) / table["se"].to_numpy(float)))
    of_arrow = {(claim.cause, claim.effect): value for claim, value in zip(appraisal.claims, p.tolist(), strict=True)}
    p_joint = np.array([max(of_arrow[arrow] for arrow in pairwise(route)) for route in routes])
    usable = bool(not appraisal.withheld and np.isfinite(p_joint).all())
    p_holm = holm(p_joint) if usable else np.full_like(p_joint, math.nan)
    signs = route_signs(appraisal, routes)
    columns = context.columns(context.routes(routes))
    verdicts = [
        _route_verdict(p, estimate, sign, appraisal.alpha) if usable else "no verdict"
        for p, estimate, sign in zip(p_holm, columns["std"], signs, strict=True)
    ]
    return pd.DataFrame(
        {
            "route": [" -> ".join(route) for route in routes],
            "cause": [route[0] for route in routes],
            "outcome": [route[-1] for route in routes],
            "sign": [{1: "+", -1: "-", 0: "?"}[sign] for sign in signs],
            **columns,
            "p_joint": p_joint,
            "p_holm": p_holm,
            "verdict": verdicts,
        }
    )


def _route_verdict(p: float, estimate: float, sign: int, alpha: float) -> str:
    if p >= alpha:
        return "not shown"
    if sign == 0:
        return "shown, no direction stated"
    return "shown" if estimate * sign > 0.0 else "contradicted"


def tier_table(context: Context, reach: Reach) -> pd.DataFrame:
    """Return the sum of the routes through each construct of each tier that lies between cause and outcome."""
    import pandas as pd

    nodes = context.appraisal.theory.nodes
    tier = {node.name: node.tier for node in nodes}
    keys: list[tuple[str, str, int, str]] = []
    weights: list[np.ndarray] = []
    ends = list(dict.fromkeys((route[0], route[-1]) for route in reach.routes))
    for cause, outcome in ends:
        own = [(route[0], route[-1]) == (cause, outcome) for route in reach.routes]
        inside = {name for route, mine in zip(reach.routes, own, strict=True) if mine for name in route[1:-1]}
        for number in sorted({tier[name] for name in inside}):
            group = [node.name for node in nodes if node.name in inside and node.tier == number]
            for name in (*group, PAST):
                touched = [not set(group) & set(r[1:-1]) if name == PAST else name in r[1:-1] for r in reach.routes]
                found = np.array([a and b for a, b in zip(own, touched, strict=True)], dtype=np.float64)
                if found.any():
                    keys.append((cause, outcome, number, name))
                    weights.append(found)
    sums = _mixed(context.routes(reach.routes), np.array(weights).reshape(len(keys), len(reach.routes)))
    totals = context.totals([(cause, outcome) for cause, outcome, _, _ in keys])
    share = sums.std.over(totals.std).columns(context.appraisal.fit.theta_vcov, context.appraisal.level)
    names = ("cause", "outcome", "tier", "through")
    table = {name: [key[k] for key in keys] for k, name in enumerate(names)}
    return pd.DataFrame({**table, **context.columns(sums), "share": share["est"], "share_se": share["se"]})


def contrast_table(context: Context, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Return the differences between causes in their total effects on what both explain directly, and on the outcomes that both reach."""
    import pandas as pd

    appraisal = context.appraisal
    children: dict[str, set[str]] = {}
    for claim in appraisal.claims:
        children.setdefault(claim.cause, set()).add(claim.effect)
    keys = []
    for one, other in pairs:
        below = _descendants(children, one) & _descendants(children, other)
        direct = children[one] & children[other]
        ends = {name for name in below if name not in children}
        keys += [(one, other, node.name) for node in appraisal.theory.nodes if node.name in direct | ends]
    first = context.totals([(one, on) for one, _, on in keys])
    second = context.totals([(other, on) for _, other, on in keys])
    columns = context.columns(Effects(_less(first.raw, second.raw), _less(first.std, second.std)))
    p_holm, verdicts = _judged_differences(context, columns["std"], columns["std_se"], keys)
    names = ("first", "second", "on")
    table: dict[str, Any] = {name: [key[k] for key in keys] for k, name in enumerate(names)}
    return pd.DataFrame({**table, **columns, "p_holm": p_holm, "verdict": verdicts})


def _judged_differences(context: Context, std: Reals, se: Reals, keys: Sequence[tuple[str, str, str]]) -> tuple[Reals, list[str]]:
    usable = not context.appraisal.withheld and bool(np.all(se > 0.0)) and bool(np.isfinite(std).all())
    if not usable:
        return np.full(len(keys), math.nan), ["no verdict"] * len(keys)
    judgement = judge(std, se, np.full(len(keys), context.sesoi), [1] * len(keys), context.appraisal.alpha)
    words = []
    for verdict, (one, other, _) in zip(judgement.verdict, keys, strict=True):
        larger = {"supported": f"{one} more", "supported but small": f"{one} more, but by less than d", "contradicted": f"{other} more"}
        words.append(larger.get(verdict, {"negligible": "differ by less than d"}.get(verdict, "cannot tell")))
    return judgement.p_zero, words


def _descendants(children: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = children.get(waiting.pop(), set()) - found
        found |= new
        waiting.extend(new)
    return found
