"""Mistakes with non-normal distributions: skewness, kurtosis, and correlations that cannot be had together."""

from __future__ import annotations

from typing import Any

import numpy as np

import trustsem as ts
from messages.cases import Mistake
from trustsem.model.population import Moments
from trustsem.simulators import find

NAMES = ("trust", "skill", "will")


def prepare(generator: str, skewness: Any = 0.0, kurtosis: Any = 0.0, /, correlation: float = 0.4, **options: Any) -> Any:
    correlations = np.full((3, 3), correlation)
    np.fill_diagonal(correlations, 1.0)
    make: Any = find(generator)
    return make(skewness, kurtosis, **options).prepare(Moments(NAMES, np.zeros(3), correlations))


def wrong(call: Any, *helpful: str) -> Mistake:
    return Mistake(call, ts.OptionError, helpful)


MISTAKES: dict[str, Mistake] = {
    "skewness as text": wrong(lambda: prepare("Pearson", "high"), "skewness='high'", "not a finite number", "mapping of names"),
    "kurtosis as truth": wrong(lambda: prepare("ValeMaurelli", 0.0, True), "kurtosis=True", "Give one number"),
    "infinite kurtosis": wrong(lambda: prepare("Pearson", 0.0, np.inf), "kurtosis=inf", "not a finite number"),
    "complex skewness": wrong(lambda: prepare("Pearson", 1j), "skewness=1j", "not a finite number"),
    "missing skewness of one variable": wrong(
        lambda: prepare("IndependentGenerator", {"skill": None}), "skewness=None for 'skill'", "not a finite number"
    ),
    "missing kurtosis in order": wrong(lambda: prepare("Pearson", 0.0, (1.0, np.nan, 0.0)), "kurtosis=nan for variable 2", "one number per variable"),
    "table of kurtosis": wrong(lambda: prepare("Pearson", 0.0, np.zeros((2, 2))), "kurtosis=", "not a finite number"),
    "skewness of an unknown variable": wrong(
        lambda: prepare("Pearson", {"trsut": 1.0}, 2.0), "skewness= names 'trsut'", "Did you mean 'trust'?", "There are trust, skill, will."
    ),
    "kurtosis of too few variables": wrong(
        lambda: prepare("ValeMaurelli", 0.0, (1.0, 2.0)), "kurtosis= has 2 numbers for 3 variables", "trust, skill, will", "in this order"
    ),
    "polynomial without enough kurtosis": wrong(
        lambda: prepare("ValeMaurelli", {"skill": 2.0}, {"skill": 3.0}),
        "cannot give 'skill' skewness=2 together with kurtosis=3",
        "from 5.15",
        "use Pearson",
        "above 2",
    ),
    "polynomial with too much kurtosis": wrong(lambda: prepare("ValeMaurelli", 0.0, 200.0), "'trust'", "kurtosis=200", "to 101.4", "use Pearson"),
    "polynomial with too much skewness": wrong(
        lambda: prepare("ValeMaurelli", 9.0, 100.0), "'trust'", "skewness=9", "no cubic polynomial is so skewed", "use Pearson"
    ),
    "polynomial of no distribution": wrong(
        lambda: prepare("ValeMaurelli", 1.0, -1.5), "skewness=1 together with kurtosis=-1.5", "which is -1 here", "Raise kurtosis="
    ),
    "polynomials that cannot correlate so": wrong(
        lambda: prepare("ValeMaurelli", {"trust": 3.0, "will": -3.0}, {"trust": 14.0, "will": 14.0}, correlation=0.8),
        "'trust' and 'will' the correlation 0.8",
        "it is from -1 to 0.",
        "use IndependentGenerator",
    ),
    "polynomials of impossible scores": wrong(
        lambda: prepare("ValeMaurelli", 2.0, 7.0, correlation=-0.42), "not positive definite", "eigenvalue -0.0", "use IndependentGenerator"
    ),
    "no such Pearson distribution": wrong(
        lambda: prepare("Pearson", {"will": -2.0}, {"will": 2.0}),
        "skewness=-2 together with kurtosis=2",
        "'will'",
        "which is 2 here",
        "Raise kurtosis=",
    ),
    "Pearson distributions that cannot correlate so": wrong(
        lambda: prepare("Pearson", {"trust": 2.0, "will": -2.0}, {"trust": 6.0, "will": 6.0}, correlation=0.8),
        "'trust' and 'will' the correlation 0.8",
        "between -1 and 0.6449",
        "nearer to normal",
    ),
    "Pearson distributions of impossible scores": wrong(
        lambda: prepare("Pearson", 2.0, 7.0, correlation=-0.4), "Pearson needs", "not positive definite", "nearer to zero"
    ),
    "Pearson distributions of two values": wrong(
        lambda: prepare("Pearson", 0.0, -1.9999, correlation=0.98), "nearly only two values", "correlate 0.98", "Raise kurtosis="
    ),
    "components that cannot exist": wrong(
        lambda: prepare("IndependentGenerator", {"will": 2.0}, {"will": 2.3}),
        "cannot give 'will' skewness=2 together with kurtosis=2.3",
        "would need skewness",
        "try root='cholesky'",
        "use Pearson",
    ),
    "components of a triangular root": wrong(
        lambda: prepare("IndependentGenerator", 2.0, 3.0, root="cholesky"), "'will'", "try root='symmetric'", "raise kurtosis="
    ),
    "unknown root": wrong(lambda: prepare("IndependentGenerator", root="square"), "root='square'", "'symmetric'", "'cholesky'"),
}
