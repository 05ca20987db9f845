"""Designs under a budget."""

from __future__ import annotations

import math

import pytest

import trustsem as ts
from trustsem.planning.budget import best_design
from trustsem.planning.costs import BestDesign, CostModel
from trustsem.simulators.clustered import Clustered
from trustsem.simulators.gaussian import Gaussian
from trustsem.simulators.planned import PlannedMissing
from trustsem.studies.design import Analysis

LINE = ts.Population("y~x", {"y~x": 0.2, "y~~y": 1.0, "x~~x": 1.0})
TWO = ts.Population(
    "f=~x1+x2+x3\ng=~x4+x5+x6\nf~~g",
    {f"{name}": 1.0 for name in ("f=~x2", "f=~x3", "g=~x5", "g=~x6")}
    | {"f~~f": 0.5, "g~~g": 0.5, "f~~g": 0.2}
    | {f"x{i}~~x{i}": 0.5 for i in range(1, 7)},
)
TEAMS = Clustered(Gaussian(), icc=0.3)
CLUSTERED = Analysis(standardized=True, options={"estimator": "MLR", "cluster": "team"})


def compare(designs: dict[str, dict[str, object]], **options: object) -> BestDesign:
    settings: dict[str, object] = {"budget": 600.0, "cost": CostModel(per_person=3.0), "replications": 200, "executor": "serial", "seed": 2}
    return best_design(LINE, "y~x", designs=designs, **(settings | options))  # type: ignore[arg-type]


def test_costs_add_up() -> None:
    cost = CostModel(per_person=5.0, per_team=40.0, per_item=0.5, per_wave=100.0, fixed=1000.0)
    assert cost.cost(200, 20, 30, 2) == 1000.0 + 200 * 5.0 + 20 * 40.0 + 0.5 * 30 * 200 + 2 * 100.0


def test_a_design_without_n_takes_what_the_budget_allows() -> None:
    table = compare({"all": {}, "half": {"n": 100}}).frame.set_index("design")
    assert table.loc["all", "n"] == 200
    assert table.loc["all", "cost"] == 600.0
    assert table.loc["half", "cost"] == 300.0


def test_more_people_for_the_same_money_win() -> None:
    found = compare({"half": {"n": 100}, "all": {}, "too dear": {"n": 201}})
    assert found.best == "all"
    assert found.designs[-1].design == "too dear"
    assert "more than the budget" in found.designs[-1].reason
    assert math.isnan(found.designs[-1].power)
    assert found.designs[0].mc_error == pytest.approx(math.sqrt(found.designs[0].power * (1.0 - found.designs[0].power) / 200))
    assert "Best design" in repr(found)


def test_only_the_best_by_theory_are_simulated() -> None:
    found = compare({"a": {"n": 50}, "b": {"n": 100}, "c": {"n": 200}}, simulate=1)
    assert [one.design for one in found.designs] == ["c", "b", "a"]
    assert [math.isnan(one.power) for one in found.designs] == [False, True, True]
    assert "ranks it below" in found.designs[1].reason


def test_teams_are_counted_and_paid() -> None:
    found = compare(
        {"few": {"size": 20}, "many": {"size": 4}},
        generator=TEAMS,
        analysis=CLUSTERED,
        cost=CostModel(per_person=1.0, per_team=20.0),
        budget=600.0,
        replications=60,
    )
    table = found.frame.set_index("design")
    assert table.loc["many", ["n", "teams"]].tolist() == [100, 25]
    assert table.loc["few", ["n", "teams"]].tolist() == [300, 15]
    assert table.loc["few", "analytic"] > table.loc["many", "analytic"]
    assert found.best == "few"


def test_forms_spare_questions() -> None:
    forms = {"generator": PlannedMissing(Gaussian()), "analysis": Analysis(standardized=True, options={"missing": "fiml"})}
    found = best_design(
        TWO,
        "f~~g",
        budget=600.0,
        cost=CostModel(per_person=1.0, per_item=1.0),
        designs={"all": {}, "forms": forms},
        simulate=1,
        replications=20,
        executor="serial",
    )
    table = found.frame.set_index("design")
    assert table["items"].to_dict() == {"all": 6.0, "forms": pytest.approx(4.0)}
    assert table["n"].to_dict() == {"all": 85, "forms": 120}
    assert table["analytic"].between(0.3, 1.0).all()


def test_designs_that_cannot_be_told_apart_are_named() -> None:
    found = compare({"a": {"n": 150}, "b": {"n": 151}})
    assert len(found.close) == 1
    assert found.close[0] in repr(found)


def test_nothing_affordable_is_an_answer() -> None:
    found = compare({"a": {"n": 150}, "b": {}}, budget=10.0)
    assert found.best is None
    assert "No design is affordable" in repr(found)
    assert "Even 7 people cost" in {one.design: one.reason for one in found.designs}["b"]
