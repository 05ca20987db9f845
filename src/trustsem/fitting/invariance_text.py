"""What a sequence of models says about groups, in words and in lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from trustsem.display import number

if TYPE_CHECKING:
    import pandas as pd

    from trustsem.fitting.fit import Fit

__all__ = ["cells", "conclusion", "heading"]

ALPHA = 0.05
_EQUAL: Mapping[str, str] = MappingProxyType(
    {
        "metric": "loadings",
        "scalar": "intercepts",
        "strict": "residual variances",
        "residual_covariances": "residual covariances",
        "lv_variances": "latent variances",
        "lv_covariances": "latent covariances",
        "regressions": "regressions",
        "means": "latent means",
    }
)
_LICENCE: Mapping[str, str] = MappingProxyType(
    {
        "": "Nothing about the latent variables may be compared over groups but that the same items measure them.",
        "metric": "Variances, covariances and regressions of the latent variables may be compared over groups; their means may not.",
        "scalar": "Means of the latent variables may be compared over groups, as well as their variances, covariances and regressions; variances and "
        "correlations of observed scores may not.",
        "strict": "Means of the latent variables may be compared over groups, and differences between groups in means, variances and covariances of "
        "observed scores are due to the latent variables.",
    }
)


def heading(fit: Fit) -> str:
    """Return the first line: what the groups are."""
    groups = ", ".join(f"{label} ({block.n})" for label, block in zip(fit.sample.group_labels, fit.sample.blocks, strict=True))
    over = f" over {fit.sample.group}" if fit.sample.group else ""
    return f"Measurement invariance{over}: {groups}"


def cells(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the printed table."""
    header = ["", *frame.columns]
    return header, [[str(name), *(_cell(column, float(row[column])) for column in frame.columns)] for name, row in frame.iterrows()]


def _cell(column: str, value: float) -> str:
    if column in ("df", "df_diff") and value.is_integer():
        return str(round(value))
    if column.startswith("pvalue") and value < 0.0005:
        return "<.001"
    return number(value)


def conclusion(frame: pd.DataFrame, group_partial: Sequence[str]) -> str:
    """Return how far groups may be compared: up to the first step that its difference test rejects.

    Parameters
    ----------
    frame : DataFrame
        Of :class:`Invariance`.
    group_partial : sequence of str
        Parameters that are not held equal.
    """
    names = [str(name) for name in frame.index]
    sentences = []
    first = float(frame["pvalue"].iloc[0])
    if first < ALPHA:
        sentences.append(f"The first model itself is rejected ({_p(first)}): all that follows takes it for granted.")
    reached, tested = "", False
    if names[0] in _LICENCE:
        reached = names[0]
        sentences.append(f"Equal {_claim(names, 0)} are assumed, not tested.")
    for k, p in enumerate(frame["pvalue_diff"].astype(float)):
        if k == 0:
            continue
        if math.isnan(p):
            sentences.append(f"Equal {_claim(names, k)} could not be tested.")
            break
        sentences.append(f"Equal {_claim(names, k)} are {'' if p < ALPHA else 'not '}rejected ({_p(p)}).")
        if p < ALPHA:
            break
        tested = True
        reached = names[k] if names[k] in _LICENCE else reached
    sentences.append(_LICENCE[reached])
    if not reached and len(names) > 1:
        sentences.append(
            "Comparing more needs equal loadings, and for means equal intercepts, of at least some items: see suggestions() and partial()."
        )
    elif reached == "metric" and {"scalar", "strict"} & set(names):
        sentences.append("Comparing latent means needs equal intercepts of at least some items: see suggestions() and partial().")
    elif reached in ("", "metric"):
        sentences.append("Whether intercepts are equal was not tested.")
    if group_partial and reached:
        sentences.append("That rests on the items whose parameters are held equal (partial invariance).")
    if tested:
        sentences.append("Not rejected is not shown to be equal: cfi_diff, rmsea_diff and srmr_diff say how large the misfit is.")
    return " ".join(sentences)


def _claim(names: Sequence[str], k: int) -> str:
    """Return what the level at `k` adds to those before: with a step left out, what that step adds as well."""
    ladder = ("metric", "scalar", "strict")
    if names[k] not in ladder:
        return _EQUAL[names[k]]
    before = [ladder.index(name) for name in names[:k] if name in ladder]
    return " and ".join(_EQUAL[step] for step in ladder[max(before, default=-1) + 1 : ladder.index(names[k]) + 1])


def _p(value: float) -> str:
    return "p < .001" if value < 0.0005 else f"p = {value:.3f}".replace("0.", ".", 1)
