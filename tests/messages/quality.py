"""Mistakes with reliability, with the distinction of factors, and with auxiliary variables."""

from __future__ import annotations

import numpy as np

import trustsem as ts
from messages.cases import DATA, ONE, TWO, Mistake, cfa, sem
from messages.robust import HOLES

NAMED = TWO + "\nf ~~ v*f\ng ~~ w*g\nv == w"


def distinct(text: str = TWO, /, cutoff: object = 0.9, level: object = 0.95) -> object:
    return ts.discriminant_validity(cfa(text), cutoff=cutoff, level=level)  # type: ignore[arg-type]


MISTAKES: dict[str, Mistake] = {
    "reliability without factors": Mistake(lambda: sem("x1 ~ x2").reliability(), ts.ModelError, ("no latent variable", "f =~ x1 + x2 + x3")),
    "level of reliability": Mistake(lambda: cfa().reliability(level=95), ts.OptionError, ("level=95", "0.95")),
    "draws of another model": Mistake(lambda: cfa().reliability(draws=np.ones((3, 4))), ts.OptionError, ("(3, 4)", "6 parameters")),
    "one factor to be distinct": Mistake(lambda: distinct(ONE), ts.ModelError, ("no two factors", "at least two")),
    "cutoff in percent": Mistake(lambda: distinct(cutoff=90), ts.OptionError, ("cutoff=90", "between 0 and 1", "0.9")),
    "level of correlations": Mistake(lambda: distinct(level="high"), ts.OptionError, ("level='high'", "0.95")),
    "data for a fit that has them": Mistake(lambda: ts.htmt(cfa(TWO), DATA), ts.OptionError, ("data=", "Leave", "model instead of the fit")),
    "merging what is no factor": Mistake(lambda: ts.merge_factors(cfa(TWO), "f", "h"), ts.ModelError, ("'h'", "Its factors are f, g")),
    "merging with itself": Mistake(lambda: ts.merge_factors(cfa(TWO), "f", "f"), ts.ModelError, ("'f'", "itself", "two factors")),
    "merging what a constraint names": Mistake(
        lambda: ts.merge_factors(cfa(NAMED), "f", "g"), ts.ModelError, ("'w'", "'v == w'", "Remove that line")
    ),
    "helper that the model has": Mistake(
        lambda: cfa(ONE, HOLES, missing="two_stage", auxiliary=["x2"]), ts.OptionError, ("auxiliary=", "'x2'", "Leave it out")
    ),
}
