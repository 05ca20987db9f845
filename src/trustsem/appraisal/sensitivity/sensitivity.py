"""How strong what a theory left out would have to be to change a verdict: unmeasured common causes, a common method, items that measure too much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustsem.appraisal.sensitivity.common_causes import CommonCauses, common_causes, mediating_pairs
from trustsem.appraisal.sensitivity.confounding import Confounding, confounding
from trustsem.appraisal.sensitivity.cross_loading import CrossLoadings, cross_loadings
from trustsem.appraisal.sensitivity.method_factor import MethodFactor, method_factor
from trustsem.appraisal.sensitivity.sensitivity_curve import OPPOSITE, check_ratio, chosen_claims, why_no_verdicts
from trustsem.appraisal.told import Told
from trustsem.appraisal.withholding import require_appraisal
from trustsem.errors import OptionError, closest

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.appraisal.result import Appraisal

__all__ = ["Sensitivity", "sensitivity"]


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity(Told):
    """How strong what the theory left out would have to be to change each verdict.

    Attributes
    ----------
    heading : str
    frame : DataFrame
        One row per claim: ``id cause effect std verdict confounder confounder_to method method_to cross_loading item on cross_to reason``: the
        standardized effects of an unmeasured common cause of cause and effect, the loadings of all items on a common-method factor, and the loading
        of one item on the other construct, at which the verdict becomes another. NaN where no possible strength changes it.
    notes : tuple of str
    confounding : Confounding or None
    pairs : CommonCauses or None
    method : MethodFactor or None
    items : CrossLoadings or None
        The parts; None where there are no verdicts that could change.
    paths : tuple of float
        Sizes of the standardized paths of the theory, with which strengths can be compared.
    """

    heading: str
    frame: pd.DataFrame
    notes: tuple[str, ...]
    confounding: Confounding | None = None
    pairs: CommonCauses | None = None
    method: MethodFactor | None = None
    items: CrossLoadings | None = None
    paths: tuple[float, ...] = ()
    shown = ("cause", "effect", "std", "verdict", "confounder", "method", "cross_loading", "item", "on")

    @property
    def details(self) -> dict[str, Told]:
        """The tables behind the summary, by name: those that there are."""
        found = {"confounding": self.confounding, "pairs": self.pairs, "method": self.method, "items": self.items}
        return {name: part for name, part in found.items() if part is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return the summary and all parts as JSON knows them."""
        return {**super().to_dict(), "parts": {name: part.to_dict() for name, part in self.details.items()}}


def sensitivity(
    appraisal: Appraisal, claims: Sequence[str] | None = None, *, ratio: float = 1.0, pairs: Sequence[tuple[str, str]] | str = "mediators"
) -> Sensitivity:
    """Return how strong what the theory left out would have to be to change each verdict.

    Parameters
    ----------
    appraisal : Appraisal
    claims : sequence of str, optional
        Ids or paths (``"Trust -> Outcomes"``) of the claims; all by default.
    ratio : float
        Size of the common cause's effect on the effect divided by that on the cause.
    pairs : ``"mediators"`` or sequence of (str, str)
        Pairs of constructs that no arrow joins, of which there might be a common cause: by default those that routes through others join, without
        the exogenous ones.

    Returns
    -------
    Sensitivity
        Every strength is found by fitting the theory with what was left out held at it, and applying the rule of the appraisal to all claims again.

    Raises
    ------
    OptionError
        For claims and constructs that do not exist, and a ratio that is not positive.
    NotAvailableError
        For models with constraints between parameters.

    Notes
    -----
    The modules `confounding`, `method_factor` and `cross_loading` beside this one say what is held.
    """
    require_appraisal("sensitivity", appraisal)
    places = chosen_claims(appraisal, claims)
    check_ratio(ratio)
    joined = _chosen_pairs(appraisal, pairs)
    heading = f"{appraisal.theory.title}: how strong would what was left out have to be?"
    reason = why_no_verdicts(appraisal)
    if reason:
        return Sensitivity(heading, _summary(appraisal, places, None, None, None), (f"No verdicts, so none could change: {reason}",))
    confounded = confounding(appraisal, places, ratio)
    paired = common_causes(appraisal, joined if joined is not None else mediating_pairs(appraisal))
    coloured = method_factor(appraisal, places)
    loaded = cross_loadings(appraisal, places)
    frame = _summary(appraisal, places, confounded, coloured, loaded)
    paths = tuple(float(size) for size in np.abs(appraisal.estimates["est_std"].to_numpy(float)))
    return Sensitivity(heading, frame, _notes(appraisal, frame, paths), confounded, paired, coloured, loaded, paths)


def _chosen_pairs(appraisal: Appraisal, pairs: Sequence[tuple[str, str]] | str) -> list[tuple[str, str]] | None:
    if isinstance(pairs, str):
        if pairs != "mediators":
            raise OptionError(f"pairs={pairs!r} is not possible. Give 'mediators', or pairs of constructs such as [('Trust', 'Outcomes')].")
        return None
    known = {construct.name for construct in appraisal.theory.nodes}
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2 or pair[0] == pair[1]:
            raise OptionError(f"pairs= holds {pair!r}, which is not two constructs. Give pairs such as [('Trust', 'Outcomes')].")
        for name in pair:
            if name not in known:
                raise OptionError(f"pairs= names {name!r}, which is no construct of the theory.{closest(str(name), known)}")
    return [(left, right) for left, right in pairs]


def _summary(
    appraisal: Appraisal, places: Sequence[int], confounded: Confounding | None, coloured: MethodFactor | None, loaded: CrossLoadings | None
) -> pd.DataFrame:

    verdicts = appraisal.verdicts.iloc[list(places)]
    frame = verdicts[["id", "cause", "effect", "std", "verdict"]].reset_index(drop=True)
    if confounded is None or coloured is None or loaded is None:
        blank: dict[str, Any] = {"confounder": math.nan, "confounder_to": "", "method": math.nan, "method_to": "", "cross_loading": math.nan}
        return frame.assign(**blank, item="", on="", cross_to="", reason=why_no_verdicts(appraisal))
    first, second, third = confounded.frame, coloured.frame, loaded.frame
    columns = {
        "confounder": first["strength"],
        "confounder_to": first["to"],
        "method": second["loading"],
        "method_to": second["to"],
        "cross_loading": third["loading"],
        "item": third["item"],
        "on": third["on"],
        "cross_to": third["to"],
    }
    named = [("confounder", first["reason"]), ("method", second["reason"]), ("cross-loading", third["reason"])]
    reasons = ["; ".join(f"{name}: {column[k]}" for name, column in named if column[k]) for k in range(len(frame))]
    return frame.assign(**columns, reason=reasons)


def _notes(appraisal: Appraisal, frame: pd.DataFrame, paths: tuple[float, ...]) -> tuple[str, ...]:
    lines = [
        "confounder: standardized effects of an unmeasured common cause of cause and effect; method: loading of every item on one method factor; "
        "cross_loading: loading of one item on the other construct, at which the verdict is another.",
        f"For comparison: the standardized paths of the theory are {min(paths):.2f} to {max(paths):.2f} in size (median {np.median(paths):.2f}).",
    ]
    strengths = frame["confounder"].to_numpy(float)
    if np.isfinite(strengths).any():
        row = frame.iloc[int(np.nanargmin(strengths))]
        lines.append(
            f"The verdict that is changed most easily is that on {row['cause']} -> {row['effect']}: "
            f"effects of {row['confounder']:.2f} on both would do, and it would be {row['confounder_to']}."
        )
    if appraisal.fit.options.se == "bootstrap":
        lines.append("Bootstrap standard errors are scaled along, not drawn anew at every strength.")
    lines.append(OPPOSITE)
    return tuple(lines)
