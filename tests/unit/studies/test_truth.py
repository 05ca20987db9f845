"""The estimand is read from the population, in the metric of the analysis: never typed, and unknown where it is unknown."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import trustsem as ts
from trustsem.studies.prepare import prepare
from trustsem.studies.task import fit_analysis
from trustsem.studies.truth import true_values

TEXT = "f =~ a + b + c\ng =~ d + e + h\ng ~ f"
VALUES = {"f=~b": 0.8, "f=~c": 1.1, "g=~e": 0.9, "g=~h": 1.2, "g~f": 0.5, "f~~f": 1.3, "g~~g": 0.7} | {f"{v}~~{v}": 0.6 for v in "abcdeh"}
POPULATION = ts.Population(TEXT, VALUES)
MODELS = {
    "same": (TEXT, {}),
    "other markers": ("f =~ NA*a + 1*b + c\ng =~ NA*d + e + 1*h\ng ~ f", {}),
    "other fixed value": ("f =~ 2*a + b + c\ng =~ -0.5*d + e + h\ng ~ f", {}),
    "unit variances": (TEXT, {"std_lv": True}),
    "labels and definitions": ("f =~ a + k*b + c\ng =~ d + e + h\ng ~ p*f\nsum := k + p\nproduct := k * p", {}),
    "means": (TEXT, {"meanstructure": True}),
}


@pytest.mark.parametrize("standardized", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_true_models_fitted_to_exact_moments_give_the_true_values(name, standardized):
    """An independent way to the truth: what the analysis finds in the population itself."""
    text, options = MODELS[name]
    fitter = ts.compile(text, **options)
    order = [POPULATION.names.index(v) for v in fitter.observed]
    n = 10**6
    cov = POPULATION.cov[np.ix_(order, order)] * n / (n - 1)
    fit = fitter.fit_moments(cov, n, np.zeros(6) if options.get("meanstructure") else None)
    assert fit.chisq.statistic < 1e-6
    truth = true_values([POPULATION], fitter.model, standardized)
    if standardized:
        table = fit.standardized_solution(ci=False)
        found = {row.label or f"{row.lhs}{row.op}{row.rhs}": row.est_std for row in table.itertuples()}
    else:
        table = fit.parameter_estimates(ci=False)
        found = {row.label or f"{row.lhs}{row.op}{row.rhs}": row.est for row in table.itertuples()}
    assert len(truth) >= 13
    for parameter, value in truth.items():
        assert value == pytest.approx(found[parameter], abs=2e-5), parameter


def converges_to(population, analysis, generator=None):
    """Return what an analysis finds in a large sample with exactly the population's moments, and the truth that a study would compare it with."""
    generator = generator or ts.Gaussian(empirical=True)
    study = ts.Study(population, {"a": analysis}, generator=generator, n=200_000)
    ready = prepare(study, study.cells[0])
    fit = fit_analysis(ready.analyses[0], ready.sampler.rows(study.n, np.random.default_rng(1)))
    assert fit.chisq.statistic < 1e-3  # the analysis is true
    kept = "est_std" if analysis.standardized else "est"
    table = fit.standardized_solution(ci=False) if analysis.standardized else fit.parameter_estimates(ci=False)
    suffix = [f".g{group}" if group > 1 else "" for group in table["group"]] if "group" in table else [""] * len(table)
    names = [
        label or f"{lhs}{op}{rhs}{end}"
        for label, lhs, op, rhs, end in zip(table["label"], table["lhs"], table["op"], table["rhs"], suffix, strict=True)
    ]
    found = dict(zip(names, table[kept], strict=True))
    return found, dict(zip(ready.analyses[0].parameters, ready.analyses[0].truth, strict=True))


MEANS = ts.Population(TEXT + "\nf ~ 1\n" + "\n".join(f"{v} ~ 1" for v in "abcdeh"), VALUES | {"f~1": 1.0} | {f"{v}~1": 3.0 for v in "abcdeh"})
SECOND = ts.Population(
    "f =~ a + b + c\ng =~ d + e + h\nk =~ p + q + r\ns =~ f + g + k",
    {f"{name}": 0.9 for name in ("f=~b", "f=~c", "g=~e", "g=~h", "k=~q", "k=~r", "s=~g", "s=~k")} | {f"{v}~~{v}": 0.6 for v in "abcdehpqrfgks"},
)
NEGATIVE = ts.Population(
    TEXT.replace("f =~ a", "f =~ NA*a") + "\nf ~~ 1*f", {name: value for name, value in VALUES.items() if name != "f~~f"} | {"f=~a": -0.9}
)
TRUE_ANALYSES = {
    "correlated factors for a path": (POPULATION, ts.Analysis("f =~ a + b + c\ng =~ d + e + h\nf ~~ g")),
    "correlated factors, unit variances": (POPULATION, ts.Analysis("f =~ a + b + c\ng =~ d + e + h\nf ~~ g", std_lv=True)),
    "one of two factors": (POPULATION, ts.Analysis("g =~ d + e + h")),
    "first order for second order": (SECOND, ts.Analysis("f =~ a + b + c\ng =~ d + e + h\nk =~ p + q + r")),
    "second order, other markers": (SECOND, ts.Analysis("f =~ NA*a + 1*b + c\ng =~ d + e + h\nk =~ p + q + r\ns =~ NA*f + 1*g + k")),
    "latent means that the analysis does not have": (MEANS, ts.Analysis(TEXT, meanstructure=True)),
    "latent means": (MEANS, ts.Analysis(TEXT + "\nf ~ 1\na ~ 0*1", meanstructure=True)),
    "a negative first loading": (NEGATIVE, ts.Analysis(TEXT, std_lv=True)),
    "a negative marker": (NEGATIVE, ts.Analysis(TEXT)),
}


@pytest.mark.parametrize("standardized", [False, True])
@pytest.mark.parametrize("name", TRUE_ANALYSES)
def test_true_analyses_that_look_otherwise_have_the_truth_of_their_own_metric(name, standardized):
    population, analysis = TRUE_ANALYSES[name]
    found, truth = converges_to(population, dataclasses.replace(analysis, standardized=standardized))
    assert sum(not math.isnan(value) for value in truth.values()) == len(truth) > 5
    for parameter, value in truth.items():
        assert value == pytest.approx(found[parameter], abs=2e-4), parameter


@pytest.mark.parametrize("equal", [(), ("loadings",), ("loadings", "intercepts")])
@pytest.mark.parametrize("std_lv", [False, True])
def test_groups_that_share_parameters_share_their_metric(equal, std_lv):
    generator = ts.Grouped(
        ts.Gaussian(empirical=True), {"one": 0.5, "two": 0.5}, paths={"two": {"g~f": 0.2}}, means={"two": {"f": 0.5}} if len(equal) == 2 else {}
    )
    analysis = ts.Analysis(TEXT, group="group", group_equal=list(equal), std_lv=std_lv)
    found, truth = converges_to(POPULATION, analysis, generator)
    for parameter, value in truth.items():
        assert value == pytest.approx(found[parameter], abs=2e-4), parameter


def test_what_a_wrong_model_leaves_out_is_still_true():
    """The omitted path makes the estimate converge elsewhere; the estimand does not move."""
    text = "m ~ a*x\ny ~ b*m\nab := a*b"
    population = ts.Population("m ~ x\ny ~ m + x", {"m~x": 0.5, "y~m": 0.4, "y~x": 0.3, "m~~m": 1.0, "y~~y": 1.0, "x~~x": 1.0})
    truth = true_values([population], ts.compile(text).model, False)
    assert truth["ab"] == pytest.approx(0.2)
    study = ts.Study(population, {"wrong": ts.Analysis(text)}, n=20_000, replications=3)
    bias = ts.run(study, executor="serial").performance("bias", parameters="b")["value"].iloc[0]
    assert bias == pytest.approx(0.3 * 0.5 / 1.25, abs=0.02)  # cov(m, x) b_yx / var(m)


def test_a_path_that_the_population_lacks_is_zero_and_a_strange_variable_unknown():
    truth = true_values([POPULATION], ts.compile("f =~ a + b + c\ng =~ d + e + h\ng ~ f\nd ~ a\nz ~ f").model, False)
    assert truth["d~a"] == 0.0
    assert math.isnan(truth["z~f"])
    study = ts.Study(ts.Population("y ~ 0.0*x\nz ~ y + x", {"z~y": 0.3, "z~x": 0.2} | {f"{v}~~{v}": 1.0 for v in "xyz"}), replications=4, n=50)
    result = ts.run(ts.Study(study.population, {"a": ts.Analysis("y ~ x\nz ~ y + x")}, replications=4, n=50), executor="serial")
    assert set(result.performance(parameters="y~x")["measure"]) >= {"type_1_error", "bias", "coverage"}
    assert not set(result.performance(parameters="y~x")["measure"]) & {"power", "relative_bias", "type_s_error"}


def test_answers_on_five_points_have_standardized_truth_only():
    generator = ts.Likert(ts.Gaussian())
    plain, standardized = ts.Analysis(), ts.Analysis(standardized=True)
    ready = prepare(study := ts.Study(POPULATION, {"p": plain, "s": standardized}, generator=generator, n=100), study.cells[0])
    assert np.isnan(ready.analyses[0].truth).all()
    names = list(ready.analyses[1].parameters)
    assert ready.analyses[1].truth[names.index("g~f")] == pytest.approx(0.5 * math.sqrt(1.3 / (0.25 * 1.3 + 0.7)))


def test_each_group_has_its_own_truth():
    generator = ts.Likert(ts.Grouped(ts.Gaussian(), {"one": 0.5, "two": 0.5}, paths={"two": {"g~f": 0.2}}))
    grouped = ts.Analysis(TEXT, standardized=True, options={"group": "group"})
    pooled = ts.Analysis(TEXT, standardized=True)
    study = ts.Study(POPULATION, {"grouped": grouped, "pooled": pooled}, generator=generator, n=200)
    ready = prepare(study, study.cells[0])
    truth = dict(zip(ready.analyses[0].parameters, ready.analyses[0].truth, strict=True))
    assert truth["g~f"] == pytest.approx(0.5 * math.sqrt(1.3 / (0.25 * 1.3 + 0.7)))
    assert truth["g~f.g2"] == pytest.approx(0.2)
    assert truth["f=~b"] == pytest.approx(truth["f=~b.g2"])
    together = dict(zip(ready.analyses[1].parameters, ready.analyses[1].truth, strict=True))
    assert math.isnan(together["g~f"])  # there is no one value
    assert together["f=~b"] == pytest.approx(truth["f=~b"])


def test_groups_that_nobody_stated_have_no_truth():
    generator = ts.Trial(ts.Gaussian())
    study = ts.Study(POPULATION, {"arms": ts.Analysis(TEXT, options={"group": "arm"})}, generator=generator, n=200)
    assert np.isnan(prepare(study, study.cells[0]).analyses[0].truth).all()


def test_of_two_levels_the_paths_within_are_known():
    text = f"level: 1\n{TEXT}\nlevel: 2\nk =~ a + b + c"
    study = ts.Study(POPULATION, {"two": ts.Analysis(text, options={"cluster": "team"})}, generator=ts.Clustered(ts.Gaussian(), 0.2), n=300)
    ready = prepare(study, study.cells[0])
    truth = dict(zip(ready.analyses[0].parameters, ready.analyses[0].truth, strict=True))
    assert truth["g~f"] == 0.5
    assert math.isnan(truth["f~~f"])
    assert all(math.isnan(value) for name, value in truth.items() if name.endswith(".l2"))
