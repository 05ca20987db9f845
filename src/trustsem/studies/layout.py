"""What the columns of a study's results are: for each condition and analysis the parameters, their true values, and the fit measures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustsem.kernels.structure import Reals
from trustsem.studies.prepare import PreparedCondition

__all__ = ["AnalysisLayout", "ConditionLayout", "layout_entry", "layout_of", "read_layout"]


@dataclass(frozen=True, eq=False)
class AnalysisLayout:
    """Columns of one analysis: P parameters with their true values (NaN where they have none), M fit measures."""

    name: str
    parameters: tuple[str, ...]
    truth: Reals
    measures: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ConditionLayout:
    """One condition: its key, what is particular about it, and its analyses."""

    key: str
    settings: Mapping[str, Any]
    analyses: tuple[AnalysisLayout, ...]


def layout_of(prepared: PreparedCondition) -> ConditionLayout:
    """Return the layout of the results of a condition."""
    analyses = tuple(AnalysisLayout(one.name, one.parameters, one.truth, one.measures) for one in prepared.analyses)
    return ConditionLayout(prepared.condition.key, prepared.condition.settings, analyses)


def layout_entry(layout: Sequence[ConditionLayout]) -> list[dict[str, Any]]:
    """Return layouts as plain values for JSON, NaN as null."""
    return [
        {
            "key": condition.key,
            "settings": dict(condition.settings),
            "analyses": [
                {
                    "name": one.name,
                    "parameters": list(one.parameters),
                    "truth": [None if math.isnan(value) else value for value in one.truth.tolist()],
                    "measures": list(one.measures),
                }
                for one in condition.analyses
            ],
        }
        for condition in layout
    ]


def read_layout(entry: Sequence[Mapping[str, Any]]) -> tuple[ConditionLayout, ...]:
    """Undo :func:`layout_entry`."""
    return tuple(
        ConditionLayout(
            condition["key"],
            condition["settings"],
            tuple(
                AnalysisLayout(
                    one["name"],
                    tuple(one["parameters"]),
                    np.array([math.nan if value is None else value for value in one["truth"]]),
                    tuple(one["measures"]),
                )
                for one in condition["analyses"]
            ),
        )
        for condition in entry
    )
