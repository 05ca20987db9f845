"""Mistakes with answers on K-point scales, item non-response, drop-out and planned missing forms."""

from __future__ import annotations

from typing import Any

import numpy as np

import trustsem as ts
from messages.cases import Mistake
from probes import Probe, one_factor
from trustsem.simulators.dropout import Dropout
from trustsem.simulators.likert import Likert
from trustsem.simulators.missing import Missing
from trustsem.simulators.planned import PlannedMissing

ITEMS = one_factor("t1_w1 t2_w1 t1_w2 t2_w2")
FLAT = one_factor("a b c")


def rows(kind: Any, population: ts.Population = ITEMS, inner: Any = None, /, **options: Any) -> Any:
    generator = kind(ts.Gaussian() if inner is None else inner, **options)
    return generator.prepare(population).rows(8, np.random.default_rng(1))


def answers(**options: Any) -> Any:
    return rows(Likert, FLAT, **options)


def holes(inner: Any = None, /, **options: Any) -> Any:
    return rows(Missing, FLAT, inner, **options)


def wrong(call: Any, *helpful: str, error: type[ts.TrustsemError] = ts.OptionError) -> Mistake:
    return Mistake(call, error, helpful)


ADDED = Probe(ts.Gaussian(), extra={"arm": [0, 1], "site": ["x", "y"]})
HOLES = Missing(ts.Gaussian(), {"a": 0.9})
SPLIT = (("a",), ("b",), ("c",))

MISTAKES: dict[str, Mistake] = {
    # ---- answers
    "answers to holes": wrong(lambda: Likert(Missing(ts.Gaussian())), "Put Missing around Likert"),
    "one category": wrong(lambda: answers(categories=1), "categories=1", "at least 2"),
    "half a category": wrong(lambda: answers(categories={"a": 5, "b": 4.5}), "categories=4.5", "whole number"),
    "mean as text": wrong(lambda: answers(mean="4", sd=1.0), "mean='4'", "finite number"),
    "sd as truth": wrong(lambda: answers(mean=3.0, sd={"a": True}), "sd=True of 'a'", "at least 0"),
    "negative sd": wrong(lambda: answers(mean=3.0, sd=-1.0), "sd=-1.0", "at least 0"),
    "mean without sd": wrong(lambda: answers(mean=3.0), "mean= and sd= belong together", "every item", "Give both"),
    "sd of one item only": wrong(lambda: answers(mean={"a": 3.0, "b": 2.0}, sd={"a": 1.0}), "'b'", "Give both"),
    "mean outside the scale": wrong(lambda: answers(mean=5.2, sd=1.0), "mean=5.2 of every item", "1 to 5", "categories="),
    "mean at the end of the scale": wrong(lambda: answers(mean=5, sd=1.0), "mean=5", "1 to 5"),
    "sd too large": wrong(lambda: answers(mean=4.6, sd=1.3), "sd=1.3", "between 0.4899 and 1.2", "misprint"),
    "sd too small": wrong(lambda: answers(mean={"a": 4.5}, sd={"a": 0.4}, columns=["a"]), "sd=0.4", "'a'", "between 0.5 and"),
    "mean of two categories": wrong(lambda: answers(mean=1.4, sd=0.49, categories=2), "categories=2", "Give proportions="),
    "proportions of another scale": wrong(lambda: answers(proportions=(0.5, 0.5)), "proportions=(0.5, 0.5)", "categories=5", "5 numbers"),
    "proportions as a number": wrong(lambda: answers(proportions=0.2), "proportions=0.2", "tuple of 5 numbers"),
    "negative proportion": wrong(lambda: answers(proportions=(0.5, 0.6, -0.1), categories=3), "proportions=-0.1 of every item", "at least 0"),
    "proportions in percent": wrong(lambda: answers(proportions=(10, 60, 30), categories=3), "sum to 1", "Divide them"),
    "one proportion": wrong(lambda: answers(proportions=(0, 1, 0), categories=3), "at least two categories"),
    "as many thresholds as categories": wrong(lambda: answers(thresholds=(0.0, 1.0), categories=2), "thresholds=(0.0, 1.0)", "tuple of 1 numbers"),
    "infinite threshold": wrong(lambda: answers(thresholds=(0.0, np.inf), categories=3), "thresholds=inf", "finite"),
    "falling thresholds": wrong(lambda: answers(thresholds=(0.5, 0.5), categories=3), "do not increase", "increasing order"),
    "ceiling in percent": wrong(lambda: answers(ceiling=40), "ceiling=40", "between 0 and 1"),
    "ceiling of nobody": wrong(lambda: answers(ceiling={"a": 0.0}), "ceiling=0.0 of 'a'", "between 0 and 1"),
    "two ways at once": wrong(lambda: answers(ceiling=0.4, mean=3.0, sd=1.0), "more than one way", "mean= and ceiling="),
    "two ways for an item": wrong(lambda: answers(ceiling={"a": 0.4}, mean={"a": 3.0}, sd={"a": 1.0}), "'a'", "more than one way"),
    "an item without thresholds": wrong(lambda: answers(ceiling={"a": 0.4}), "no thresholds for 'b'", "columns="),
    "an item without categories": wrong(lambda: answers(categories={"a": 4}), "categories= has no number for 'b'", "columns="),
    "thresholds of an unknown item": wrong(lambda: answers(ceiling={"a": 0.4, "b": 0.4, "c": 0.4, "bb": 0.4}), "ceiling= names 'bb'", "'b'"),
    "thresholds of another column": wrong(lambda: answers(ceiling={"b": 0.4}, columns=("a",)), "ceiling= names 'b'", "There are a"),
    "answers of an unknown column": wrong(lambda: answers(columns=("z",)), "columns= names 'z'", "There are a, b, c"),
    "columns as a number": wrong(lambda: answers(columns=3), "columns=3", "tuple of names"),
    "a column twice": wrong(lambda: answers(columns=("a", "a")), "'a' more than once", "once"),
    "negative acquiescence": wrong(lambda: answers(acquiescence=-0.1), "acquiescence=-0.1", "at least 0"),
    "extreme as text": wrong(lambda: answers(extreme="much"), "extreme='much'", "standard deviation"),
    "everybody careless": wrong(lambda: answers(careless=1.0), "careless=1.0", "below 1"),
    "kind of carelessness": wrong(lambda: answers(careless_kind="strait"), "careless_kind='strait'", "'straight'"),
    # ---- item non-response
    "rate in percent": wrong(lambda: holes(rate=10), "rate=10", "below 1"),
    "rate of an item as text": wrong(lambda: holes(rate={"a": "few"}), "rate='few' of 'a'", "below 1"),
    "rate of an unknown item": wrong(lambda: holes(rate={"z": 0.1}), "rate= names 'z'", "There are a, b, c"),
    "rates and other columns": wrong(lambda: holes(rate={"a": 0.1}, columns=("a", "b")), "columns= names 'b'", "There are a."),
    "columns and other rates": wrong(lambda: holes(rate={"a": 0.1, "b": 0.1}, columns=("a",)), "rate= names 'b'"),
    "holes in an unknown column": wrong(lambda: holes(columns="z"), "columns= names 'z'"),
    "unknown mechanism": wrong(lambda: holes(mechanism="MARS"), "mechanism='MARS'", "'mar'"),
    "at random on nothing": wrong(lambda: holes(mechanism="MAR"), "needs on=", "on=('x1',)"),
    "on itself": wrong(lambda: holes(mechanism="MAR", on="a", columns=("a",)), "'a' cannot both", "out of on="),
    "rate of a cause": wrong(lambda: holes(mechanism="MAR", on="a", rate={"a": 0.1}), "'a' cannot both", "rate="),
    "infinite strength": wrong(lambda: holes(strength=np.inf), "strength=inf", "finite"),
    "cause that is not there": wrong(lambda: holes(mechanism="MAR", on="arm"), "'arm' of on= is not there", "a, b, c", error=ts.DataError),
    "cause in words": wrong(lambda: holes(ADDED, mechanism="MAR", on="site"), "'site' of on= is not numeric", "arm", error=ts.DataError),
    "cause with holes": wrong(lambda: holes(HOLES, mechanism="MAR", on="a"), "'a' of on= has holes itself", "complete columns", error=ts.DataError),
    # ---- drop-out
    "drop-out without waves": wrong(lambda: rows(Dropout, FLAT), "no waves", "'_w1'", "waves=", "a, b, c"),
    "drop-out of everybody": wrong(lambda: rows(Dropout, rate=(1.0,)), "rate=1.0", "below 1"),
    "rates of other waves": wrong(lambda: rows(Dropout, rate=(0.1, 0.2)), "2 numbers for 2 waves", "after the first: 1"),
    "strength of drop-out": wrong(lambda: rows(Dropout, strength=None), "strength=None", "finite number"),
    "drop-out on what is not there": wrong(lambda: rows(Dropout, on=("t1", "t3")), "'t3'", "t1_w1", "It has t1, t2"),
    "drop-out on a number": wrong(lambda: rows(Dropout, on=1), "on=1", "tuple of names"),
    "waves as text": wrong(lambda: rows(Dropout, waves="w1"), "waves='w1'", "tuple of names for each wave"),
    "an empty wave": wrong(lambda: rows(Dropout, waves=(("t1_w1",), ())), "waves=", "for each wave"),
    "a column in two waves": wrong(lambda: rows(Dropout, waves=(("t1_w1",), ("t1_w1",))), "'t1_w1' more than once"),
    "an unknown column in a wave": wrong(lambda: rows(Dropout, waves=(("t1_w1",), ("t1_w3",))), "waves= names 't1_w3'", "There are"),
    # ---- planned missing forms
    "two forms": wrong(lambda: rows(PlannedMissing, forms=2), "forms=2", "at least 3"),
    "unknown anchor": wrong(lambda: rows(PlannedMissing, FLAT, anchors="z"), "anchors= names 'z'"),
    "fewer items than forms": wrong(lambda: rows(PlannedMissing, FLAT, anchors="a"), "2 items for forms=3", "anchors="),
    "blocks as text": wrong(lambda: rows(PlannedMissing, FLAT, blocks="abc"), "blocks='abc'", "tuple of items"),
    "fewer blocks than forms": wrong(lambda: rows(PlannedMissing, FLAT, blocks=SPLIT[:2]), "2 blocks for forms=3", "as many"),
    "an item in two blocks": wrong(lambda: rows(PlannedMissing, FLAT, blocks=(*SPLIT[:2], ("a",))), "'a' more than once"),
    "a block of anchors": wrong(lambda: rows(PlannedMissing, FLAT, anchors="a", blocks=SPLIT), "'a' is in blocks= and in anchors="),
    "a block of unknown items": wrong(lambda: rows(PlannedMissing, FLAT, blocks=(*SPLIT[:2], ("z",))), "blocks= names 'z'"),
    "forms twice": wrong(lambda: rows(PlannedMissing, ITEMS, PlannedMissing(ts.Gaussian())), "'form'", "Use it once"),
}
