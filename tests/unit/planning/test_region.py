"""Power over two factors."""

from __future__ import annotations

import math

import numpy as np
import pytest

import trustsem as ts
from trustsem.planning.asymptotic import wald_power
from trustsem.planning.region import PowerRegion, power_region
from trustsem.simulators.gaussian import Gaussian
from trustsem.simulators.missing import Missing
from trustsem.studies.design import Analysis

LINE = ts.Population("y~x", {"y~x": 0.3, "y~~y": 1.0, "x~~x": 1.0})
RATES = (0.0, 0.2, 0.4)
SIZES = (100, 200, 300)


@pytest.fixture(scope="module")
def region() -> PowerRegion:
    return power_region(
        LINE,
        "y~x",
        factors={"n": list(SIZES), "Missing.rate": list(RATES)},
        generator=Missing(Gaussian()),
        analysis=Analysis(),
        replications=300,
        executor="serial",
    )


def test_every_condition_has_its_power(region: PowerRegion) -> None:
    table = region.frame
    assert len(table) == 9
    for row in table.itertuples(index=False):
        complete = row.n * (1.0 - row[1]) ** 2
        expected = wald_power(0.3, 1.0 / math.sqrt(complete - 3))
        assert abs(row.power - expected) < 4.0 * math.sqrt(expected * (1.0 - expected) / 300) + 0.01
        assert row.mc_error == pytest.approx(math.sqrt(row.power * (1.0 - row.power) / 300))


def test_the_surface_is_smooth_and_near_what_was_simulated(region: PowerRegion) -> None:
    table = region.frame
    assert (np.abs(table["smoothed"] - table["power"]) < 4.0 * 0.5 / math.sqrt(300)).all()
    grid = region.surface(9)
    assert len(grid) == 81
    shape = grid["power"].to_numpy().reshape(9, 9)
    assert (np.diff(shape, axis=0) > 0).all()  # more people
    assert (np.diff(shape, axis=1) < 0).all()  # more holes
    assert ((grid["lower"] <= grid["power"]) & (grid["power"] <= grid["upper"])).all()
    corner = grid.iloc[[0, -1]]
    assert corner["n"].tolist() == [100.0, 300.0]


def test_smoothing_makes_errors_smaller(region: PowerRegion) -> None:
    table = region.frame.iloc[4]
    assert (table["smoothed_upper"] - table["smoothed_lower"]) / (2 * 1.96) < 0.8 * table["mc_error"]


def test_it_is_printed_and_determined_by_the_seed(region: PowerRegion) -> None:
    assert "over n and Missing.rate" in repr(region)
    one, other = (power_region(LINE, factors={"n": [50, 90]}, replications=40, executor=executor) for executor in ("serial", "threads:2"))
    assert one == other
    assert len(one.surface(5)) == 5


def test_factors_that_are_no_numbers_have_no_surface() -> None:
    found = power_region(LINE, factors={"mechanism": ["MCAR", "MNAR"]}, generator=Missing(Gaussian()), replications=30, n=80, executor="serial")
    assert found.frame["smoothed"].isna().all()
    assert found.frame["power"].between(0.0, 1.0).all()
