"""The estimand is read from the population, in the metric of the analysis: never typed, and unknown where it is unknown."""

from __future__ import annotations

import math

import numpy as np
import pytest

import trustsem as ts
from trustsem.studies.prepare import prepare
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
