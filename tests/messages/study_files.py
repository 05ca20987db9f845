"""Mistakes in study files: what keys hold, and changes of a theory that are not possible."""

from __future__ import annotations

from typing import Any

import trustsem as ts
from messages.cases import Mistake
from trustsem.studies.files import parse_study
from trustsem.studies.run import replay

MODEL = '[population]\nmodel = "y ~ x"\nvalues = {"y~x" = 0.3, "y~~y" = 0.91, "x~~x" = 1.0}\n'
THEORY = '[population]\ntheory = "metz2022"\n'
OPTION = ts.OptionError


def parsed(text: str) -> ts.Study:
    return parse_study(text)


def prepared(text: str) -> Any:
    return replay(parse_study(text), (0, 0))


MISTAKES: dict[str, Mistake] = {
    "values of a population as a list": Mistake(
        lambda: parsed('[population]\nmodel = "y ~ x"\nvalues = [1]\n'), OPTION, ("values = [1]", "table of numbers")
    ),
    "theory that is not built in": Mistake(
        lambda: parsed('[population]\ntheory = "metz2202"\n'), OPTION, ("'metz2202'", "Did you mean 'metz2022'", "triple quotes")
    ),
    "step with too many arguments": Mistake(
        lambda: parsed(THEORY + 'steps = [["strict", 1]]\n'), OPTION, ("['strict', 1]", "['drop', 'Resilience']")
    ),
    "preset of a condition as a number": Mistake(lambda: prepared(THEORY + "[conditions]\npreset = [3]\n"), OPTION, ("preset=3", "'calibrated'")),
    "path of a condition as text": Mistake(
        lambda: prepared(THEORY + '[conditions]\n"Trust -> Motivation" = ["much"]\n'), OPTION, ("'Trust -> Motivation'", "'much'", "0.3")
    ),
    "name of a study as a number": Mistake(lambda: parsed("name = 3\n" + MODEL), OPTION, ("name=3", "quotes")),
    "description of a study as a list": Mistake(lambda: parsed("description = []\n" + MODEL), OPTION, ("description=[]", "quotes")),
    "more rows than memory": Mistake(lambda: parsed("n = 1000000000000\n" + MODEL), OPTION, ("n=1000000000000", "100,000,000")),
    "replications without end": Mistake(
        lambda: parsed("replications = 1000000000000\n" + MODEL), OPTION, ("replications=1000000000000", "100,000,000")
    ),
    "neither true nor false": Mistake(
        lambda: parsed(MODEL + '[analyses.a]\nstandardized = "yes"\n'), OPTION, ("standardized='yes'", "true nor false")
    ),
    "function of an analysis": Mistake(lambda: parsed(MODEL + '[analyses.a]\nfunction = "path"\n'), OPTION, ("function='path'", "'growth'")),
    "fit measures that are no names": Mistake(lambda: parsed(MODEL + "[analyses.a]\nmeasures = 3\n"), OPTION, ("measures=3", "['chisq', 'cfi']")),
    "a date as an option": Mistake(
        lambda: parsed(MODEL + "[analyses.a]\nestimator = 2024-01-01\n"), OPTION, ("datetime.date", "no file can hold it")
    ),
    "a generator of nested lists": Mistake(
        lambda: parsed(MODEL + '[generator]\nkind = "ValeMaurelli"\nskewness = [[], 1.0]\n'), OPTION, ("skewness=[]", "not a finite number")
    ),
    "an option that the generator refuses": Mistake(
        lambda: parsed(MODEL + '[generator]\nkind = "Likert"\ncategories = "five"\n'), OPTION, ("categories='five'", "whole number")
    ),
    "a step that the theory refuses": Mistake(
        lambda: parsed(THEORY + 'steps = [["with_strategies", "none"]]\n'), ts.TheoryError, ("strategies='none'", "'composites'")
    ),
}
