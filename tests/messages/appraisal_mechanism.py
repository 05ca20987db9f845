"""Mistakes with mechanisms, what-ifs and profiles of strategies."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

import trustsem as ts
from messages.cases import Mistake, quietly
from trustsem.appraisal.mechanism.importance import strategy_profile
from trustsem.appraisal.mechanism.mechanism import mechanism
from trustsem.appraisal.mechanism.what_if import what_if
from trustsem.appraisal.result import Appraisal
from trustsem.theory import Theory

COLUMNS = {"Relational": "r", "Technical": "t", "Trust": "u", "Motivation": "m", "Commitment": "k"}


@cache
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    r, t = rng.standard_normal((2, 60))
    u = 0.5 * r + 0.3 * t + rng.standard_normal(60)
    m = 0.5 * u + rng.standard_normal(60)
    return pd.DataFrame({"r": r, "t": t, "u": u, "m": m, "k": 0.5 * m + rng.standard_normal(60), "g": np.repeat([1, 2], 30)})


@cache
def theory() -> Theory:
    return ts.load_theory("metz2022").with_indicators(COLUMNS)


def appraisal() -> Appraisal:
    return quietly(ts.appraise, theory(), frame(), estimator="ML")


def asked(**options: Any) -> Any:
    return mechanism(appraisal(), **options)


def of(text: str, data: Any, **options: Any) -> Any:
    """Ask about a fit that has several blocks."""
    return mechanism(replace(appraisal(), fit=quietly(ts.sem, text, data, **options)))


def levels() -> Any:
    people = ts.load_dataset("survey").dropna()
    return of("level: 1\nt1 ~ c1\nlevel: 2\nt1 ~ c1", people, cluster="team")


def rare() -> Any:
    """Draws that fail: a column that differs in one row only is constant in most small resamples."""
    data = frame()[["u", "m"]].head(12).assign(u=[1.0, *[0.0] * 11])
    known = ts.load_theory("metz2022").with_indicators({"Trust": "u", "Motivation": "m"})
    found = quietly(ts.appraise, known, data, estimator="ML")
    return mechanism(found, interval="bootstrap", draws=2, seed=2, executor="serial", progress=False)


def tangled() -> Any:
    """A theory with an arrow from each of 15 constructs to all later ones: 2^13 routes."""
    names = [f"N{k:02}" for k in range(15)]
    loaded = theory()
    node, claim = loaded.nodes[0], loaded.claims[0]
    nodes = tuple(replace(node, name=name, indicators=(name.lower(),)) for name in names)
    claims = tuple(replace(claim, id=f"P{k}", cause=one, effect=other) for k, (one, other) in enumerate(combinations(names, 2)))
    return mechanism(replace(appraisal(), theory=replace(loaded, nodes=nodes, claims=claims, covariances=())))


def profile(known: Any = None, **options: Any) -> Any:
    chosen = ts.load_theory("metz2022").with_strategies("predictors") if known is None else known
    return strategy_profile(chosen, ts.load_dataset("survey"), **options)


def crowd() -> Any:
    columns = [f"s{k}" for k in range(15)]
    known = ts.load_theory("metz2022").with_indicators({"Relational": columns[:8], "Technical": columns[8:], "Trust": "t"})
    return profile(known.with_strategies("predictors"))


MISTAKES: dict[str, Mistake] = {
    "mechanism of groups": Mistake(
        lambda: of("m ~ u", frame(), group="g"), ts.NotAvailableError, ("The mechanism of several groups", "one group at a time")
    ),
    "mechanism of levels": Mistake(levels, ts.NotAvailableError, ("The mechanism of a two-level model", "cluster=")),
    "mechanism of a tangle": Mistake(tangled, ts.NotAvailableError, ("more than 5,000 routes", "theory.drop()")),
    "mechanism through what does not exist": Mistake(lambda: asked(through="Trusst"), ts.OptionError, ("through= names 'Trusst'", "'Trust'")),
    "mechanism through an end": Mistake(
        lambda: asked(through="Relational"), ts.OptionError, ("through='Relational' is not on every route", "Constructs on every route: Trust")
    ),
    "mechanism with one cause to compare": Mistake(
        lambda: asked(contrast=["Relational"]), ts.OptionError, ("contrast=['Relational']", "two causes", "'Technical'")
    ),
    "mechanism with an outcome to compare": Mistake(
        lambda: asked(contrast=["Relational", "Commitment"]), ts.OptionError, ("contrast= names 'Commitment'", "Relational, Technical")
    ),
    "mechanism with no size": Mistake(lambda: asked(sesoi=0.0), ts.OptionError, ("sesoi=0.0", "between 0 and 1")),
    "mechanism with a size in words": Mistake(lambda: asked(sesoi="small"), ts.OptionError, ("sesoi='small'", "such as 0.1")),
    "mechanism with unknown intervals": Mistake(lambda: asked(interval="bca"), ts.OptionError, ("interval='bca'", "'bootstrap'")),
    "mechanism drawn without a seed": Mistake(lambda: asked(interval="bootstrap"), ts.OptionError, ("interval='bootstrap'", "seed=1")),
    "mechanism with a seed for nothing": Mistake(lambda: asked(seed=1), ts.OptionError, ("draws= and seed=", "interval='monte_carlo'")),
    "mechanism with one draw": Mistake(lambda: asked(interval="monte_carlo", draws=1, seed=1), ts.OptionError, ("draws=1", "at least 2")),
    "mechanism with draws that fail": Mistake(rare, ts.OptionError, ("of 2 bootstrap draws could be fitted", "interval='monte_carlo'")),
    "what if nothing": Mistake(lambda: what_if(appraisal(), {}), ts.OptionError, ("raise_={}", "raise_='Relational'")),
    "what if something else": Mistake(lambda: what_if(appraisal(), "Money"), ts.OptionError, ("raise_= names 'Money'", "Relational")),
    "what if by much": Mistake(lambda: what_if(appraisal(), "Trust", by="much"), ts.OptionError, ("by='much'", "such as 1.0")),
    "what if each by much": Mistake(
        lambda: what_if(appraisal(), {"Trust": np.nan}), ts.OptionError, ("raise_={'Trust': nan}", "number of standard deviations")
    ),
    "profile of no theory": Mistake(lambda: profile(3), ts.TheoryError, ("strategy_profile() needs a Theory", "'int'")),
    "profile of a latent form": Mistake(
        lambda: profile(ts.load_theory("metz2022")), ts.TheoryError, ("are reflective here", "with_strategies('predictors')")
    ),
    "profile of composites": Mistake(
        lambda: profile(ts.load_theory("metz2022").with_strategies("composites")), ts.TheoryError, ("are composites here",)
    ),
    "profile of what strategies do not cause": Mistake(lambda: profile(target="Motivation"), ts.OptionError, ("target= names 'Motivation'", "Trust")),
    "profile with several targets": Mistake(
        lambda: profile(ts.load_theory("metz2022").drop("Trust").with_strategies("predictors")),
        ts.OptionError,
        ("point to Capability, Opportunity, Motivation", "target='Capability'"),
    ),
    "profile at no level": Mistake(lambda: profile(alpha=5), ts.OptionError, ("alpha=5", "such as 0.05")),
    "profile of a crowd": Mistake(crowd, ts.NotAvailableError, ("Trust has 15 direct causes", "at most 14")),
}
