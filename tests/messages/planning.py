"""Mistakes with plans: propositions, factors, designs, misfit."""

from __future__ import annotations

from typing import Any

import trustsem as ts
from messages.cases import Mistake, hopeless, quietly
from trustsem.planning.analytic import required_n, rmsea_power, rmsea_required_n, satorra_saris
from trustsem.planning.budget import best_design
from trustsem.planning.costs import CostModel
from trustsem.planning.cutoffs import cutoffs
from trustsem.planning.detectable import minimum_detectable_effect
from trustsem.planning.plan import plan
from trustsem.planning.region import power_region
from trustsem.simulators.clustered import Clustered
from trustsem.simulators.gaussian import Gaussian
from trustsem.simulators.likert import Likert
from trustsem.studies.design import Analysis

LINE = ts.Population("y~x", {"y~x": 0.3, "y~~y": 1.0, "x~~x": 1.0})
FLAT = ts.Population("y~x", {"y~x": 0.0, "y~~y": 1.0, "x~~x": 1.0})
CHAIN = ts.Population("m~x\ny~m+x", {"m~x": 0.3, "y~m": 0.3, "y~x": 0.2, "m~~m": 1.0, "y~~y": 1.0, "x~~x": 1.0})
FACTOR = ts.Population("f=~a+b+c", {"f=~b": 1.0, "f=~c": 1.0, "f~~f": 0.5, "a~~a": 0.5, "b~~b": 0.5, "c~~c": 0.5})
TEAMS = Clustered(Gaussian(), teams=20)
CHEAP = CostModel(per_person=1.0)


def line(proposition: Any = "y~x", **options: Any) -> Any:
    return plan(LINE, proposition, executor="serial", **options)


def costed(**options: Any) -> Any:
    return best_design(LINE, "y~x", **{"budget": 100.0, "cost": CHEAP, "designs": {"one": {}}, "executor": "serial", "replications": 20, **options})


def cut(source: Any = FACTOR, **options: Any) -> Any:
    return cutoffs(source, **{"n": 100, "misfit": {"b with c": {"covariances": {"b~~c": 0.2}}}, "replications": 20, "executor": "serial", **options})


def groups() -> Any:
    return quietly(ts.cfa, "f=~x1+x2+x3", ts.load_dataset("holzinger_swineford"), group="school")


MISTAKES: dict[str, Mistake] = {
    "the right model that is wrong": Mistake(
        lambda: ts.plan(
            ts.Population("y ~ x + z", {"y~x": 0.3, "y~z": 0.3, "y~~y": 1.0, "x~~x": 1.0, "z~~z": 1.0, "x~~z": 0.3}),
            goal="model_choice",
            analysis=ts.Analysis("y ~ x\nz ~ 0*x\nz ~~ 0*y"),
            rival="y ~ x + z",
            executor="serial",
        ),
        ts.OptionError,
        ("not true in this population", "preset="),
    ),
    "plan of text": Mistake(lambda: plan("y~x"), ts.OptionError, ("no population values", "ts.Population(model, values)")),
    "plan over nothing": Mistake(lambda: line(over="teams"), ts.OptionError, ("over= names 'teams'", "There are n")),
    "plan with an unknown factor": Mistake(lambda: line(fixed={"Gausian.empirical": True}), ts.OptionError, ("fixed= names", "Did you mean")),
    "plan with its own factor held": Mistake(lambda: line(fixed={"n": 100}), ts.OptionError, ("fixed= holds 'n'", "over= leaves open")),
    "plan of anything without limits": Mistake(lambda: line(over="y~~y"), ts.OptionError, ("over='y~~y'", "limits=(lowest, highest)")),
    "plan with limits the wrong way": Mistake(lambda: line(limits=(200, 100)), ts.OptionError, ("limits=(200, 100)", "the lower one first")),
    "plan with a text for limits": Mistake(lambda: line(limits="ab"), ts.OptionError, ("limits='ab'", "Give two numbers")),
    "plan of teams without their size": Mistake(
        lambda: plan(LINE, "y~x", over="size", generator=Clustered(Gaussian())), ts.OptionError, ("over='size'", "fixed={'teams': 30}")
    ),
    "power of 80": Mistake(lambda: line(power=80), ts.OptionError, ("power=80", "between 0 and 1")),
    "precision of nothing": Mistake(lambda: line(precision=0), ts.OptionError, ("precision=0", "above 0")),
    "unknown proposition": Mistake(lambda: line("y~z"), ts.OptionError, ("'y~z'", "Did you mean 'y~x'", "Paths of the analysis")),
    "proposition as number": Mistake(lambda: line(3), ts.OptionError, ("proposition=3", "'Trust -> Outcomes'")),
    "proposition without an effect": Mistake(lambda: plan(FLAT, "y~x"), ts.OptionError, ("is 0", "nothing to be detected", "fixed=")),
    "proposition without a truth": Mistake(
        lambda: plan(FACTOR, "f=~b", generator=Likert(Gaussian()), analysis=Analysis()), ts.OptionError, ("no true value", "standardized=True")
    ),
    "all of no paths": Mistake(lambda: plan(FACTOR), ts.OptionError, ("it has none", "proposition='f=~x2'")),
    "width without a target": Mistake(lambda: line(goal="ci_width"), ts.OptionError, ("goal='ci_width' needs target=", "target=0.2")),
    "target of power": Mistake(lambda: line(target=0.2), ts.OptionError, ("target=0.2", "Give power=")),
    "choice without a rival": Mistake(lambda: line(None, goal="model_choice"), ts.OptionError, ("needs rival=", "model text or a Theory")),
    "rival of a proposition": Mistake(lambda: line(rival="y~1"), ts.OptionError, ("rival= belongs to goal='model_choice'", "Leave rival= out")),
    "choice about a proposition": Mistake(
        lambda: line(goal="model_choice", rival="x~y"), ts.OptionError, ("proposition= is not used", "Leave proposition= out")
    ),
    "adjusted widths": Mistake(lambda: line(goal="ci_width", target=0.2, adjust="holm"), ts.OptionError, ("adjust='holm'", "Leave adjust= out")),
    "equivalent rival": Mistake(lambda: line(None, goal="model_choice", rival="x~y"), ts.OptionError, ("no data can tell", "Give another")),
    "rival of other variables": Mistake(
        lambda: plan(CHAIN, goal="model_choice", rival="y~x", executor="serial"), ts.OptionError, ("other observed variables", "m")
    ),
    "restriction of other variables": Mistake(lambda: satorra_saris(CHAIN, "y~x\ny~~y", 100), ts.OptionError, ("other observed variables", "m")),
    "restriction of nothing": Mistake(lambda: satorra_saris(CHAIN, "m~x\ny~m+x\n", 100), ts.OptionError, ("nothing is restricted", "Fix something")),
    "unknown restriction": Mistake(lambda: satorra_saris(CHAIN, "y~z", 100), ts.OptionError, ("restriction= names 'y~z'", "several lines")),
    "restriction of Wald tests": Mistake(
        lambda: required_n(CHAIN, ["y~x", "y~m"], method="wald"), ts.OptionError, ("method='wald'", "one proposition")
    ),
    "restriction that holds": Mistake(lambda: required_n(FLAT, "y~x"), ts.OptionError, ("holds in the population", "another restriction")),
    "restriction without moments": Mistake(
        lambda: satorra_saris(CHAIN, "y~x", 100, analysis=Analysis(model="y~x+m\nx~~0*m\nm~~4*m\ny~~0*y")),
        ts.NotAvailableError,
        ("cannot be fitted", "Use plan()"),
    ),
    "Wald power without an estimate": Mistake(
        lambda: required_n(CHAIN, "y~x", method="wald", analysis=Analysis(model="y~x+m\nx~~0*m\nm~~4*m\ny~~0*y", standardized=True)),
        ts.NotAvailableError,
        ("cannot be fitted", "Use plan()"),
    ),
    "negative RMSEA": Mistake(lambda: rmsea_power(10, 200, -0.05), ts.OptionError, ("rmsea0=-0.05", "at least 0")),
    "equal RMSEAs": Mistake(lambda: rmsea_power(10, 200, 0.05, 0.05), ts.OptionError, ("are equal", "different values")),
    "RMSEAs hardly apart": Mistake(lambda: rmsea_required_n(1, 0.8, 0.05, 0.0501), ts.OptionError, ("More than", "further apart")),
    "detectable list": Mistake(lambda: minimum_detectable_effect(CHAIN, ["y~x"], 100), ts.OptionError, ("not one path", "'Trust -> Outcomes'")),
    "detectable variance": Mistake(lambda: minimum_detectable_effect(CHAIN, "y~~y", 100), ts.OptionError, ("only paths are varied",)),
    "region of three": Mistake(
        lambda: power_region(LINE, "y~x", factors={"n": [1], "y~x": [1], "y~~y": [1]}), ts.OptionError, ("one or two factors", "factors={'n'")
    ),
    "surface of yes and no": Mistake(
        lambda: power_region(LINE, "y~x", factors={"Gaussian.empirical": [True, False]}, replications=10, executor="serial").surface(),
        ts.OptionError,
        ("needs factors that are numbers", ".frame"),
    ),
    "negative cost": Mistake(lambda: CostModel(per_person=-1), ts.OptionError, ("per_person=-1", "at least 0")),
    "free sample": Mistake(lambda: CostModel(fixed=10), ts.OptionError, ("a larger sample costs nothing", "Give one of them")),
    "cost as number": Mistake(lambda: costed(cost=20), ts.OptionError, ("cost=20", "CostModel(per_person=20)")),
    "designs as list": Mistake(lambda: costed(designs=["a"]), ts.OptionError, ("designs=['a']", "options by name")),
    "no misfit": Mistake(lambda: cut(misfit={}), ts.OptionError, ("misfit={}", "cross-loading")),
    "cut-offs without n": Mistake(lambda: cut(n=None), ts.OptionError, ("needs n=", "number of rows")),
    "cut-offs of groups": Mistake(lambda: cut(groups()), ts.OptionError, ("one group", "Give a Population")),
    "cut-offs of no fit": Mistake(lambda: cut(hopeless()), ts.OptionError, ("did not converge", "fit.warnings")),
    "misfit as number": Mistake(lambda: cut(misfit={"a": 3}), ts.OptionError, ("'a'", "the value 3", "Give a Theory")),
    "unknown misfit": Mistake(lambda: cut(misfit={"a": {"path": {"a -> b": 0.2}}}), ts.OptionError, ("'path'", "There are paths")),
    "impossible misfit": Mistake(
        lambda: cut(misfit={"a": {"covariances": {"a~~z": 0.2}}}), ts.OptionError, ("The misfit 'a' is not possible", "'z'")
    ),
    "unknown measure of misfit": Mistake(lambda: cut(measures=("fit",)), ts.OptionError, ("measures= names 'fit'", "no fit measure")),
    "a measure that the estimator does not have": Mistake(
        lambda: cut(measures=("cfi_robust",)), ts.OptionError, ("measures= names 'cfi_robust'", "least 20")
    ),
}
