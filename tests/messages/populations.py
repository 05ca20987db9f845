"""Mistakes with populations that are altered, unfolded over waves, or grouped."""

from __future__ import annotations

from typing import Any

import trustsem as ts
from messages.cases import Mistake
from trustsem.populations.altering import alter
from trustsem.simulators.grouped import Grouped
from trustsem.simulators.misspecified import Misspecified
from trustsem.simulators.panel import Panel

CHAIN = "f =~ a + b + c\ng =~ d + e + h\ng ~ f"
CHAIN_VALUES = {"f=~b": 0.8, "f=~c": 1.1, "g=~e": 0.9, "g=~h": 1.2, "g~f": 0.5, "f~~f": 1.0, "g~~g": 0.7} | {f"{v}~~{v}": 0.6 for v in "abcdeh"}
PARTS = "t =~ 1*x1 + 1*x2\nw1 =~ 1*x1\nw2 =~ 1*x2\nx1 ~~ 0*x1\nx2 ~~ 0*x2\nw2 ~ w1\nt ~~ 0*w1"
PARTS_VALUES = {"t~~t": 0.4, "w1~~w1": 0.6, "w2~~w2": 0.5, "w2~w1": 0.4}


def chain() -> ts.Population:
    return ts.Population(CHAIN, CHAIN_VALUES)


def parts() -> ts.Population:
    return ts.Population(PARTS, PARTS_VALUES)


def second_order() -> ts.Population:
    text = "f =~ a + b + c\ng =~ d + e + h\nk =~ p + q + r\ns =~ f + g + k"
    values = {f"{f}=~{i}": 1.0 for f, i in ("fb", "fc", "ge", "gh", "kq", "kr", "sg", "sk")} | {f"{v}~~{v}": 0.6 for v in "abcdehpqrfgks"}
    return ts.Population(text, values)


def misspecified(**options: Any) -> Misspecified:
    return Misspecified(ts.Gaussian(), **options)


def panel(population: ts.Population | None = None, **options: Any) -> Any:
    return Panel(ts.Gaussian(), **options).prepare(population or chain())


def grouped(population: ts.Population | None = None, **options: Any) -> Any:
    return Grouped(ts.Gaussian(), **options).prepare(population or chain())


def two_groups() -> ts.Population:
    text = "group: 1\ny ~~ y\ngroup: 2\ny ~~ y"
    return ts.Population(text, {"y~~y": 1.0, "y~~y.g2": 1.0, "y~1": 0.0, "y~1.g2": 0.0})


MISTAKES: dict[str, Mistake] = {
    # Altering
    "path that joins nothing": Mistake(lambda: alter(chain(), paths={"f": 0.1}), ts.OptionError, ("paths=", "'f'", "'Trust -> Outcomes'")),
    "path written as a loading": Mistake(lambda: misspecified(paths={"f=~a": 0.1}), ts.OptionError, ("paths=", "'f=~a'", "'Outcomes~Trust'")),
    "path from a variable to itself": Mistake(lambda: misspecified(paths={"f -> f": 0.1}), ts.OptionError, ("paths=", "'f -> f'")),
    "covariance written as a path": Mistake(lambda: misspecified(covariances={"a~b": 0.1}), ts.OptionError, ("covariances=", "'c1~~c2'")),
    "coefficient as text": Mistake(lambda: misspecified(paths={"f -> g": "a"}), ts.OptionError, ("paths=", "'f -> g'", "'a'", "finite number")),
    "residual correlation above 1": Mistake(lambda: misspecified(covariances={"a~~b": 1.5}), ts.OptionError, ("1.5", "between -1 and 1")),
    "paths as a list": Mistake(lambda: misspecified(paths=["f -> g"]), ts.OptionError, ("paths=", "not a mapping", "{'Trust -> Outcomes': 0.2}")),
    "confounder of one variable": Mistake(lambda: misspecified(confounder={"f": (0.3,)}), ts.OptionError, ("confounder=", "'f'", "comma")),
    "confounder with one effect": Mistake(
        lambda: misspecified(confounder={"f, g": 0.3}), ts.OptionError, ("confounder=", "0.3", "one for each variable", "(0.3, 0.3)")
    ),
    "unknown variable in a path": Mistake(lambda: alter(chain(), paths={"ff -> g": 0.1}), ts.OptionError, ("paths=", "'ff'", "Did you mean 'f'")),
    "factor that is there": Mistake(lambda: alter(chain(), factors={"f": {"a": 0.2}}), ts.OptionError, ("factors=", "'f'", "of its own")),
    "loading on what is observed": Mistake(
        lambda: alter(chain(), loadings={"a=~b": 0.1}), ts.OptionError, ("loadings=", "'a'", "not latent", "paths={'a -> b'")
    ),
    "correlation without a residual": Mistake(
        lambda: alter(parts(), covariances={"x1~~w2": 0.1}), ts.ModelError, ("'x1'", "no residual", "covariances=")
    ),
    "paths in a cycle": Mistake(lambda: alter(chain(), paths={"g -> f": 0.1}), ts.ModelError, ("cycle", "f -> g", "Leave one of them out")),
    "nothing left of a variable without residual": Mistake(
        lambda: alter(parts(), loadings={"t=~x1": 0.9}), ts.ModelError, ("'x1'", "no residual", "instead of all")
    ),
    "nothing left of a residual": Mistake(lambda: alter(chain(), paths={"f -> g": 1.1}), ts.ModelError, ("1.21", "'g'", "Make them smaller")),
    "impossible residual correlations": Mistake(
        lambda: alter(chain(), covariances={"a~~b": 0.9, "b~~d": 0.9, "a~~d": -0.9}), ts.ModelError, ("positive definite", "covariances=")
    ),
    "marker with another sign": Mistake(lambda: alter(chain(), loadings={"f=~a": -0.5}), ts.ModelError, ("'f=~a'", "fixed at 1", "another loading")),
    "altering two groups": Mistake(lambda: alter(two_groups(), means={"y": 1.0}), ts.ModelError, ("2 blocks", "one group")),
    "altering a negative variance": Mistake(
        lambda: alter(ts.Population(CHAIN, CHAIN_VALUES | {"a~~a": -0.1}), paths={"f -> g": 0.1}), ts.ModelError, ("'a'", "negative")
    ),
    # Misspecified
    "analysis that is no text": Mistake(lambda: misspecified(model=chain().table), ts.OptionError, ("model=", "ParameterTable", "text")),
    "rmsea of nothing": Mistake(lambda: misspecified(rmsea=0.05), ts.OptionError, ("rmsea=0.05", "paths=", "method=")),
    "rmsea in percent": Mistake(lambda: misspecified(rmsea=5, method=0.2), ts.OptionError, ("rmsea=5", "0.05")),
    "method above 1": Mistake(lambda: misspecified(method=1.0), ts.OptionError, ("method=1.0", "between -1 and 1")),
    "rmsea below that of the analysis": Mistake(
        lambda: misspecified(method=0.2, rmsea=0.01, model="f =~ a + b + c + d + e + h").prepare(chain()),
        ts.OptionError,
        ("rmsea=0.01", "before anything is changed", "model="),
    ),
    "rmsea out of reach": Mistake(
        lambda: misspecified(covariances={"a~~d": 0.2}, rmsea=0.9).prepare(chain()), ts.OptionError, ("rmsea=0.9", "at most 0.", "name more misfit")
    ),
    "rmsea of an analysis that claims nothing": Mistake(
        lambda: misspecified(covariances={"a~~b": 0.2}, rmsea=0.1, model="f =~ a + b + c").prepare(chain()),
        ts.OptionError,
        ("model=", "no degrees of freedom", "rmsea="),
    ),
    # Panel
    "one wave": Mistake(lambda: panel(waves=1), ts.OptionError, ("waves=1", "at least 2")),
    "all trait": Mistake(lambda: panel(trait=1.0), ts.OptionError, ("trait=1.0", "below 1")),
    "panel of a factor of factors": Mistake(lambda: panel(second_order()), ts.OptionError, ("Panel", "'s'", "observed indicators")),
    "panel of items that cause": Mistake(lambda: panel(alter(chain(), paths={"a -> g": 0.1})), ts.OptionError, ("Panel", "'a'", "only indicate")),
    "traits that differ too much": Mistake(
        lambda: panel(ts.Population("x ~~ r*y\nx ~~ x\ny ~~ y", {"x~~x": 1.0, "y~~y": 1.0, "r": 0.9}), trait={"x": 0.9}),
        ts.OptionError,
        ("trait=", "'y'", "differ less"),
    ),
    "lags that make variances grow": Mistake(
        lambda: panel(autoregression=0.9, lagged={"g -> f": 0.4}), ts.OptionError, ("'f'", "grow", "autoregression=", "lagged=")
    ),
    "stable items that correlate": Mistake(
        lambda: panel(alter(chain(), covariances={"a~~d": 0.6}), item_stability=0.7), ts.OptionError, ("item_stability=", "'a'", "'d'", "less")
    ),
    "lag of an item": Mistake(lambda: panel(lagged={"a -> g": 0.1}), ts.OptionError, ("lagged=", "'a'", "f, g")),
    # Grouped
    "shares that do not add up": Mistake(lambda: grouped(shares={"a": 0.5, "b": 0.4}), ts.OptionError, ("shares=", "0.9", "add up to 1")),
    "shares without labels": Mistake(lambda: grouped(shares=[0.5, 0.5]), ts.OptionError, ("shares=(0.5, 0.5)", "by label")),
    "changes without a group": Mistake(lambda: grouped(paths={"b": 0.2}), ts.OptionError, ("paths=", "'b'", "0.2", "mapping")),
    "changes of an unknown group": Mistake(lambda: grouped(paths={"c": {"f -> g": 0.2}}), ts.OptionError, ("paths=", "'c'", "a, b")),
    "group that cannot be a column": Mistake(lambda: grouped(group="my group"), ts.OptionError, ("group='my group'", "such as 'group'")),
    "the same column of groups twice": Mistake(lambda: Grouped(Grouped(ts.Gaussian())), ts.OptionError, ("group='group'", "different names")),
    "random as text": Mistake(lambda: grouped(random="yes"), ts.OptionError, ("random='yes'", "True or False")),
    "group that is a variable": Mistake(lambda: grouped(group="a"), ts.OptionError, ("'a'", "another name in group=")),
}
