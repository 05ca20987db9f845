"""How often the design would have denied a claim had it been false: simulated, with the analysis that was made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.repeating import repeat
from trustsem.appraisal.severity.altered import Alterations, alterations, moved
from trustsem.appraisal.severity.imitation import Imitation, Imitator, imitate
from trustsem.appraisal.severity.probing import Outcome, Trial, prepare_work, stated
from trustsem.appraisal.severity.severity import reasons_of, severity
from trustsem.appraisal.told import Told
from trustsem.appraisal.withholding import require_appraisal
from trustsem.errors import ModelError, OptionError, closest
from trustsem.options import check_count

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["Probe", "probe"]

_NAMED = MappingProxyType({"0": "zero", "-d": "minus_d", "d": "d"})
_SHOWN = (
    "cause",
    "effect",
    "world",
    "value",
    "supported",
    "denied",
    "undetermined",
    "no_verdict",
    "mc_error",
    "supported_expected",
    "denied_expected",
)
_SHARES = ("supported", "supported_small", "contradicted", "negligible", "denied", "undetermined", "size_shown", "no_verdict")
_MEANING = (
    "supported, denied (contradicted or negligible), undetermined, no_verdict: shares of all samples drawn where the path has the value shown (in "
    "the stated direction) while other standardized paths and all variances stay. mc_error is the largest Monte Carlo standard error of "
    "these shares; supported_expected and denied_expected are what severity() expects by large-sample theory."
)
_BOOTSTRAP = "Standard errors by bootstrap are replaced by those of the information matrix (robust to clusters if there are any) in every sample."


@dataclass(frozen=True, eq=False, repr=False)
class Probe(Told):
    """How often a design supports and denies claims where they are false.

    Attributes
    ----------
    frame : DataFrame
        One row per claim and world: ``id cause effect sign world value`` (the standardized path in the stated direction); shares of samples
        ``supported`` (small or not) ``supported_small contradicted negligible denied undetermined size_shown no_verdict``, and ``mc_error`` (the
        largest of the shares but ``size_shown``, which has ``mc_error_size``);
        ``mean_std sd_std mean_se`` of the estimates in the stated direction; ``supported_expected denied_expected`` (the named worlds);
        ``replications``; ``reason``, why there is nothing.
    heading : str
    notes : tuple of str
    seed : int
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    seed: int
    shown = _SHOWN


def probe(
    appraisal: Appraisal,
    claims: str | Sequence[str] | None = None,
    *,
    worlds: Sequence[str | float] = ("0", "-d"),
    replications: int = 500,
    seed: int = 1,
    executor: Any = None,
    progress: bool | None = None,
) -> Probe:
    """Simulate how often the design of the data would have denied claims, had they been false.

    Parameters
    ----------
    appraisal : Appraisal
    claims : str or sequence of str, optional
        Ids or paths (``"Trust -> Capability"``); all that state a direction by default.
    worlds : sequence of {"0", "-d", "d"} or float
        What is true of a claim instead: no effect; one of the smallest size of interest in the other direction; one of just that size (where "larger
        than d" is false); or a standardized value in the stated direction.
    replications : int
        Samples for each claim and world.
    seed : int
        Replication k draws from ``SeedSequence(seed, spawn_key=(k,))``, the same in every world.
    executor, progress : optional
        As for :func:`trustsem.run`. Results do not depend on them.

    Returns
    -------
    Probe
        Without numbers, and with the reason, if the appraisal has no verdicts; a world that is not possible has a reason instead of numbers.

    Raises
    ------
    OptionError
        For claims and worlds that do not exist.

    Notes
    -----
    Each sample has the observed number of rows, teams and holes, and variables that take the observed values as often as observed; its covariances
    are, in expectation, those of the fitted model with one path altered (:func:`trustsem.alter`). It is analysed with the options of the appraisal
    and judged by its rule, all claims together.
    """
    import pandas as pd

    require_appraisal("probe", appraisal)
    check_count("replications", replications, 1)
    check_count("seed", seed, 0)
    chosen = _chosen(appraisal, claims)
    places = [(k, name, value) for k in chosen for name, value in (_value(appraisal, k, world) for world in worlds)]
    heading = f"{appraisal.theory.title}: what this design would say where claims are false"
    if appraisal.withheld:
        rows = [_row(appraisal, place, (), appraisal.withheld) for place in places]
        blank = pd.DataFrame(rows).assign(supported_expected=math.nan, denied_expected=math.nan)
        return Probe(heading, blank, (f"No verdicts: {appraisal.withheld}",), int(seed))
    world = alterations(appraisal)
    imitation = imitate(appraisal.fit, world.population)
    made = [_imitator(appraisal, world, imitation, k, value) for k, _, value in places]
    judged = stated(appraisal)
    trials = [Trial(judged.index(k), one) for (k, _, _), one in zip(places, made, strict=True) if isinstance(one, Imitator)]
    items = [(trial, k) for trial in range(len(trials)) for k in range(replications)]
    found = repeat(prepare_work(appraisal, trials, int(seed)), items, executor=executor, progress=progress, title="probe")
    rest = iter([found[first : first + replications] for first in range(0, len(found), replications)])
    rows = [
        _row(appraisal, place, next(rest), "") if isinstance(one, Imitator) else _row(appraisal, place, (), one)
        for place, one in zip(places, made, strict=True)
    ]
    frame = pd.DataFrame(rows)
    return Probe(heading, _with_expected(frame, appraisal), _notes(appraisal, imitation, made, frame), int(seed))


def _chosen(appraisal: Appraisal, claims: str | Sequence[str] | None) -> list[int]:
    """Return the places of the claims asked for."""
    names: dict[str, int] = {}
    for k in stated(appraisal):
        names |= {appraisal.claims[k].path: k, appraisal.claims[k].id: k}
    wanted = list(names) if claims is None else [claims] if isinstance(claims, str) else list(claims)
    for name in wanted:
        if name not in names:
            raise OptionError(f"claims= names {name!r}, which is no claim with a direction.{closest(str(name), names)} There are {', '.join(names)}.")
    return list(dict.fromkeys(names[name] for name in wanted))


def _value(appraisal: Appraisal, k: int, world: str | float) -> tuple[str, float]:
    """Return a world's name, and the value of claim k there in the stated direction."""
    d = appraisal.sesoi[k]
    if isinstance(world, str) and world in _NAMED:
        return world, {"0": 0.0, "-d": -d, "d": d}[world]
    if isinstance(world, int | float) and not isinstance(world, bool) and -1.0 < world < 1.0:
        return f"{world:g}", float(world)
    raise OptionError(f"worlds= has {world!r}. Give '0', '-d' or 'd', or a standardized path between -1 and 1.")


def _imitator(appraisal: Appraisal, world: Alterations, imitation: Imitation, k: int, value: float) -> Imitator | str:
    """Return what draws samples where claim k has a value, or why there is no such world."""
    try:
        return imitation.of(world.at(k, moved(appraisal, value, k)))
    except ModelError as problem:
        return f"b = {value:g} is not possible here. {problem}"


def _row(appraisal: Appraisal, place: tuple[int, str, float], outcomes: Sequence[Outcome], reason: str) -> dict[str, Any]:
    """Return the row of one claim in one world."""
    k, name, value = place
    claim = appraisal.claims[k]
    row = {"id": claim.id, "cause": claim.cause, "effect": claim.effect, "sign": claim.sign, "world": f"b = {name}", "value": value}
    return row | _counted(outcomes) | {"replications": len(outcomes), "reason": reason}


def _counted(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return shares of all samples, and what their estimates are like."""
    if not outcomes:
        return dict.fromkeys((*_SHARES, "mc_error", "mc_error_size", "mean_std", "sd_std", "mean_se"), math.nan)
    verdicts = np.array([one.verdict for one in outcomes])
    small = float(np.mean(verdicts == "supported but small"))
    shares = {name: float(np.mean(verdicts == name)) for name in ("contradicted", "negligible", "undetermined")}
    shares |= {"supported": small + float(np.mean(verdicts == "supported")), "supported_small": small}
    shares |= {"denied": shares["contradicted"] + shares["negligible"], "size_shown": float(np.mean([one.size_shown for one in outcomes]))}
    shares["no_verdict"] = float(np.mean([math.isnan(one.std) for one in outcomes]))
    errors = {name: math.sqrt(share * (1.0 - share) / len(outcomes)) for name, share in shares.items()}
    size_error = errors.pop("size_shown")
    error = max(errors.values())
    std, se = np.array([(one.std, one.se) for one in outcomes if not math.isnan(one.std)]).reshape(-1, 2).T
    spread = float(std.std(ddof=1)) if std.size > 1 else math.nan
    means = (float(std.mean()), float(se.mean())) if std.size else (math.nan, math.nan)
    return {name: shares[name] for name in _SHARES} | {
        "mc_error": error,
        "mc_error_size": size_error,
        "mean_std": means[0],
        "sd_std": spread,
        "mean_se": means[1],
    }


def _with_expected(frame: pd.DataFrame, appraisal: Appraisal) -> pd.DataFrame:
    """Add what large-sample theory says of the named worlds."""
    expected = severity(appraisal).frame.set_index("id")
    columns: dict[str, list[float]] = {"supported_expected": [], "denied_expected": []}
    for claim, world in zip(frame["id"], frame["world"], strict=True):
        name = _NAMED.get(world.removeprefix("b = "))
        for column, values in columns.items():
            own = f"{column.removesuffix('_expected')}_if_{name}"
            values.append(float(expected.loc[claim, own]) if own in expected else math.nan)
    last = ["replications", "reason"]
    return frame.assign(**columns)[[*frame.columns.drop(last), *columns, *last]]


def _notes(appraisal: Appraisal, imitation: Imitation, made: Sequence[Imitator | str], frame: pd.DataFrame) -> tuple[str, ...]:
    """Return what a reader has to know."""
    lines = [_MEANING, *imitation.said]
    lines += list(dict.fromkeys(note for one in made if isinstance(one, Imitator) for note in one.notes))
    lines += [_BOOTSTRAP] if appraisal.fit.options.se == "bootstrap" else []
    return (*lines, *dict.fromkeys(reasons_of(frame)))
