"""Mistakes with people in teams and with trials."""

from __future__ import annotations

from typing import Any

import numpy as np

import trustsem as ts
from messages.cases import Mistake
from trustsem.simulators.clustered import Clustered
from trustsem.simulators.trial import Trial

CHAIN = "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6\ng ~ f"
VALUES = dict.fromkeys(("f=~x2", "f=~x3", "g=~x5", "g=~x6", "f~~f", "g~~g"), 1.0) | {"g~f": 0.5} | {f"x{k}~~x{k}": 0.5 for k in range(1, 7)}
LOOP = "y1 ~ x1\ny2 ~ x2\ny1 ~ y2\ny2 ~ y1\ny1 ~~ 0*y2"
LOOP_VALUES = {"y1~x1": 0.5, "y2~x2": 0.4, "y1~y2": 0.3, "y2~y1": 0.2, "y1~~y1": 1.0, "y2~~y2": 1.0, "x1~~x1": 1.0, "x2~~x2": 1.0, "x1~~x2": 0.3}
THREE = {"b~a": 1.0, "c~b": 1.0, "a~~a": 1.0, "b~~b": 0.1, "c~~c": 0.1}
ALIKE = ({"a~x": 0.1, "b~x": 0.1, "a~~a": 1.0, "b~~b": 1.0, "a~~b": 0.9, "x~~x": 1.0}, "a ~ x\nb ~ x\na ~~ b")


def chain() -> ts.Population:
    return ts.Population(CHAIN, VALUES)


def clustered(population: ts.Population | None = None, n: int = 60, /, **options: Any) -> Any:
    generator = Clustered(ts.Gaussian(), **options)
    return generator.draw(chain() if population is None else population, n, np.random.default_rng(1))


def trial(population: ts.Population | None = None, n: int = 60, /, inner: Any = None, **options: Any) -> Any:
    generator = Trial(ts.Gaussian() if inner is None else inner, **options)
    return generator.draw(chain() if population is None else population, n, np.random.default_rng(1))


def wedge(n: int = 60, **options: Any) -> Any:
    return trial(None, n, inner=Clustered(ts.Gaussian()), design="stepped_wedge", **options)


def two_groups() -> ts.Population:
    return ts.Population(
        "group: 1\ny ~ x\ngroup: 2\ny ~ x", {f"{name}{g}": 1.0 for name in ("y~x", "y~~y", "x~~x", "y~1", "x~1") for g in ("", ".g2")}
    )


def in_a_loop() -> ts.Population:
    """Everything is explained: nothing is exogenous."""
    return ts.Population("y1 ~ y2\ny2 ~ y1\ny1 ~~ 0*y2", {"y1~y2": 0.3, "y2~y1": 0.2, "y1~~y1": 1.0, "y2~~y2": 1.0})


def no_items() -> ts.Population:
    return ts.Population(ALIKE[1], ALIKE[0])


error = ts.OptionError
MISTAKES: dict[str, Mistake] = {
    "icc of one": Mistake(lambda: clustered(icc=1.0), error, ("icc=1.0", "from 0 to below 1")),
    "icc as text": Mistake(lambda: clustered(icc={"f": "high"}), error, ("icc={'f': 'high'}", "mapping of names")),
    "icc of an indicator": Mistake(lambda: clustered(icc={"x1": 0.1}), error, ("icc=", "'x1'", "no construct", "It has f, g")),
    "item_icc without indicators": Mistake(lambda: clustered(no_items(), item_icc={"a": 0.1}), error, ("item_icc=", "no indicator", "It has none")),
    "icc that paths exceed": Mistake(
        lambda: clustered(icc={"f": 0.5, "g": 0.01}), error, ("icc= asks for 0.01", "'g'", "between 0.1 and 0.9 is possible", "Change it")
    ),
    "icc of an organisation that paths exceed": Mistake(
        lambda: clustered(organisations=2, icc_organisation={"f": 0.5, "g": 0.01}), error, ("icc_organisation= asks for 0.01", "'g'")
    ),
    "different icc of what correlates": Mistake(
        lambda: clustered(no_items(), icc={"x": 0.1, "a": 0.05, "b": 0.7}),
        error,
        ("icc= asks for", "While others keep", "similar shares"),
    ),
    "icc that nothing about one construct can mend": Mistake(
        lambda: clustered(ts.Population("b ~ a\nc ~ b", THREE), icc={"a": 0.9, "b": 0.0, "c": 0.0}), error, ("'b'", "no other share", "causes")
    ),
    "different icc in a loop": Mistake(
        lambda: clustered(ts.Population(LOOP, LOOP_VALUES), icc={"y1": 0.1}), error, ("icc= differs", "loop (y1, y2)", "number for all")
    ),
    "nothing within teams": Mistake(
        lambda: clustered(no_items(), icc={"x": 0.1, "a": 0.1, "b": 0.1} | {"x": 1.0 - 1e-12}), error, ("Nothing of 'x'", "within teams", "smaller")
    ),
    "team of half a person": Mistake(lambda: clustered(size=0.5), error, ("size=0.5", "whole number")),
    "no teams": Mistake(lambda: clustered(teams=0), error, ("teams=0", "at least 1")),
    "negative size_cv": Mistake(lambda: clustered(size_cv=-0.1), error, ("size_cv=-0.1", "at least 0")),
    "size_cv beyond reach": Mistake(lambda: clustered(size_cv=3.0, teams=3), error, ("size_cv=3", "60 people in 3 teams", "At most about 1.3")),
    "more teams than rows": Mistake(lambda: clustered(teams=61), error, ("teams=61", "n=60", "fewer teams")),
    "more organisations than teams": Mistake(lambda: clustered(teams=3, organisations=4), error, ("organisations=4", "3 teams", "fewer")),
    "icc_organisation alone": Mistake(lambda: clustered(icc_organisation=0.1), error, ("icc_organisation=0.1", "organisations=")),
    "contextual without numbers": Mistake(lambda: clustered(contextual={"g~f": "big"}), error, ("contextual=", "numbers by path")),
    "contextual of the unknown": Mistake(lambda: clustered(contextual={"g~ff": 0.1}), error, ("contextual=", "'ff'", "Did you mean", "effect~cause")),
    "contextual loop": Mistake(lambda: clustered(contextual={"f~g": 0.1}), error, ("contextual=", "f~g", "loop", "Remove")),
    "team without a name": Mistake(lambda: clustered(team=""), error, ("team=''", "two different names")),
    "team called like an item": Mistake(lambda: clustered(team="x1"), error, ("variable 'x1'", "team=")),
    "teams of two groups": Mistake(
        lambda: clustered(two_groups()), error, ("Clustered", "one group and one level, not 2 and 1", "Give each its own")
    ),
    "teams around teams": Mistake(lambda: Clustered(Clustered(ts.Gaussian())), error, ("Clustered cannot be put around Clustered",)),
    "effect as text": Mistake(lambda: trial(effect="large"), error, ("effect='large'", "standard deviations")),
    "effect on others": Mistake(lambda: trial(effect={"f": 0.1}, on=("g",)), error, ("effect= and on=", "['f'] and ['g']", "Leave on= out")),
    "effect on the unknown": Mistake(lambda: trial(on=("h",)), error, ("no 'h'", "strategies could shift", "It has f, g")),
    "effect on nothing": Mistake(lambda: trial(in_a_loop()), error, ("explained by others", "on=")),
    "unknown design": Mistake(lambda: trial(design="crossover"), error, ("design='crossover'", "'stepped_wedge'")),
    "share of all": Mistake(lambda: trial(share=1.0), error, ("share=1.0", "between 0 and 1")),
    "share of a stepped wedge": Mistake(lambda: wedge(share=0.3), error, ("share=0.3", "stepped wedge it is 0.5")),
    "two periods": Mistake(lambda: wedge(periods=2), error, ("periods=2", "at least 3")),
    "trend without periods": Mistake(lambda: trial(trend=0.1), error, ("trend=0.1", "design='stepped_wedge'")),
    "no dose": Mistake(lambda: trial(dose=0.0), error, ("dose=0.0", "at most 1")),
    "fidelity that varies too much": Mistake(lambda: trial(fidelity=0.8, fidelity_sd=0.4), error, ("fidelity_sd=0.4", "fidelity=0.8", "below 0.4")),
    "arm without a name": Mistake(lambda: trial(arm="the arm"), error, ("arm='the arm'", "two different names")),
    "arm called like an item": Mistake(lambda: trial(arm="x1"), error, ("variable 'x1'", "arm=")),
    "teams that are not there": Mistake(lambda: trial(design="cluster"), error, ("design='cluster'", "Clustered(Gaussian())")),
    "an empty arm": Mistake(lambda: trial(None, 4, share=0.05), error, ("share=0.05 of 4 people", "empty", "change share=")),
    "fewer teams than steps": Mistake(lambda: wedge(20, periods=4), error, ("periods=4", "3 teams", "not 2")),
}
