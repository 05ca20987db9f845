"""Whatever is written into an option of a generator, it is a generator that draws, or one of our errors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import trustsem as ts
from trustsem.simulators import available
from trustsem.studies.entries import read_generator

STRANGE = (
    "text", 3, -1, 0.5, 1.5, True, [], [1], [[1]], ["a"], {}, {"a": 1}, {"a": [1]}, {"a": {"b": 1}}, [{"a": 1}], float("inf"), float("nan"), [1, "a"],
    {"a": "b"}, 1e30, 1e-30, ["a", "b"], [["a", "b"], ["c"]], {"Trust, Outcomes": [0.3, 0.3]}, {"x": 0.3}, {"y~x": 0.3}, "MAR", ["y"],
)  # fmt: skip
SMALL = ts.Population("y ~ x", {"y~x": 0.3, "y~~y": 1.0, "x~~x": 1.0})
THEORY = ts.load_theory("metz2022").strict().drop("Capability", "Opportunity", "Resilience", "Outcomes").population("calibrated")
OPTIONS = [(name, option.name) for name, kind in available().items() for option in dataclasses.fields(kind) if option.name != "inner"]


@pytest.mark.parametrize(("name", "option"), OPTIONS)
def test_an_option_gives_rows_or_an_error_of_ours(name, option):
    drawn = refused = 0
    for value in STRANGE:
        for population in (SMALL, THEORY):
            try:
                rows = read_generator({"kind": name, option: value}).prepare(population).rows(60, np.random.default_rng(1))
                assert rows.values.shape[0] == 60
                drawn += 1
            except ts.TrustsemError:
                refused += 1
    assert drawn + refused == 2 * len(STRANGE)
    assert refused
